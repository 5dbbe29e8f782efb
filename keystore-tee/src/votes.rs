//! Says whether this node votes, each time that GRANDPA asks, and tells when that changes.

use std::sync::{Arc, OnceLock};

use holdfast_protocol::GrandpaRound;
use log::Level;
use parking_lot::Mutex;

use crate::{
    abstention::{abstains, Abstention, Marks, Place, Why},
    shown::shown,
    TARGET,
};

/// Where the node's GRANDPA is, or why that cannot be said.
type Source = Box<dyn Fn() -> Result<Place, String> + Send + Sync>;

/// Shared between the keystore's callers and the thread that asks for the lease.
#[derive(Default)]
pub(crate) struct Votes {
    source: OnceLock<Source>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// As they were read last; none before they ever were.
    marks: Option<Arc<Marks>>,
    /// For which key this node does not vote, and why.
    told: Option<(Vec<u8>, Silence)>,
}

/// Why a node does not vote.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Silence {
    Abstains(Abstention),
    /// It is not known where its GRANDPA is.
    Lost(String),
}

impl Votes {
    /// Where to look for the node's place. A second call changes nothing.
    pub(crate) fn follow(&self, source: impl Fn() -> Result<Place, String> + Send + Sync + 'static) {
        let _ = self.source.set(Box::new(source));
    }

    /// The watermarks were read.
    pub(crate) fn mark(&self, marks: Marks) {
        self.inner.lock().marks = Some(Arc::new(marks));
    }

    /// Whether they ever were.
    pub(crate) fn marked(&self) -> bool {
        self.inner.lock().marks.is_some()
    }

    /// Whether this node votes with `key` in the round that GRANDPA begins now. GRANDPA has written down the end of the
    /// round before when it asks (sc-consensus-grandpa: `completed_best_round` calls `Environment::completed` before
    /// `round_data`), or that it begins at the node's start, or with a new set. Only when it catches up does it ask
    /// first: then the node is taken to be in the earlier round, and at worst abstains for one round more.
    pub(crate) fn allow(&self, key: &[u8]) -> bool {
        let Some(source) = self.source.get() else { return true };
        // The place is read without the lock, since the database may take its time.
        let Some(marks) = self.inner.lock().marks.clone() else { return false };
        let place = source();
        let silence = match &place {
            Ok(place) => abstains(place, key, &marks).map(Silence::Abstains),
            Err(why) => Some(Silence::Lost(why.clone())),
        };
        let votes = silence.is_none();
        self.tell(key, silence, place.as_ref().ok());
        votes
    }

    /// The last round in which this node does not vote, while it abstains.
    pub(crate) fn abstains_until(&self) -> Option<GrandpaRound> {
        match &self.inner.lock().told {
            Some((_, Silence::Abstains(abstention))) => Some(abstention.until),
            _ => None,
        }
    }

    /// Says what is new.
    fn tell(&self, key: &[u8], silence: Option<Silence>, place: Option<&Place>) {
        let mut inner = self.inner.lock();
        let told = silence.map(|silence| (key.to_vec(), silence));
        if inner.told == told || (told.is_none() && inner.is_of_another(key, place)) {
            return;
        }
        let (level, line) = match (&told, place) {
            (Some((_, Silence::Abstains(abstention))), Some(place)) => (Level::Warn, follows(abstention, place)),
            (Some((_, Silence::Lost(why))), _) => (
                Level::Error,
                format!("this node does not vote, since it cannot tell in which round its GRANDPA is: {}", shown(why)),
            ),
            (_, Some(place)) => (Level::Info, format!("this node's GRANDPA is in {}: it votes again", place.at)),
            (_, None) => return,
        };
        inner.told = told;
        log::log!(target: TARGET, level, "{line}");
    }
}

impl Inner {
    /// Another key than this one is silent, and still has reason to be: that is no news of it.
    fn is_of_another(&self, key: &[u8], place: Option<&Place>) -> bool {
        match (&self.told, place) {
            (Some((silent, Silence::Abstains(abstention))), Some(place)) => {
                silent != key && place.at <= abstention.until
            }
            _ => false,
        }
    }
}

/// What an operator reads of a node that abstains.
fn follows(Abstention { why, until }: &Abstention, place: &Place) -> String {
    let at = place.at;
    let because = match why {
        Why::Unknown if at < *until => format!(
            "this node's GRANDPA is in {at}, but its key has voted in {until} already: the database was purged, put \
             back from a copy, or has lost its last writes"
        ),
        Why::Unknown => format!(
            "this node's key has voted in {at}, of which its database knows nothing: that was purged, put back from a \
             copy, or has lost its last writes"
        ),
        Why::Refused => format!("this node's GRANDPA is in {at}, and the TEE has refused a vote of it in {until}"),
        Why::Forgotten => format!(
            "this node's GRANDPA is in {at}, and its TEE signs no new vote up to {until}: a key was retired there, or \
             the TEE ended without being told or had its store put back, and may have forgotten what it signed"
        ),
    };
    let then = if place.alone {
        "no round passes without this validator, which is the only one: see docs/never-two.md"
    } else {
        "while the other validators finalise there is nothing to be done"
    };
    format!("{because}. It follows without voting until {until} has passed; {then}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    const KEY: [u8; 32] = [1; 32];

    fn round(round: u64) -> GrandpaRound {
        GrandpaRound { set_id: 0, round }
    }

    fn place(at: u64) -> Place {
        Place { at: round(at), voted: None, alone: false, refused: None }
    }

    fn marks(highest: u64) -> Marks {
        Marks { floor: None, highest: [(KEY.to_vec(), round(highest))].into() }
    }

    #[test]
    fn without_a_place_to_look_for_every_vote_is_allowed() {
        let votes = Votes::default();
        assert!(votes.allow(&KEY));
        votes.mark(marks(57));
        assert!(votes.allow(&KEY));
    }

    #[test]
    fn no_vote_is_allowed_before_the_watermarks_were_read_or_while_the_place_is_not_known() {
        let votes = Votes::default();
        votes.follow(|| Ok(place(58)));
        assert!(!votes.allow(&KEY) && !votes.marked());
        votes.mark(marks(57));
        assert!(votes.allow(&KEY) && votes.marked());

        let lost = Votes::default();
        lost.follow(|| Err("the database is gone".into()));
        lost.mark(Marks::default());
        assert!(!lost.allow(&KEY) && lost.abstains_until().is_none());
    }

    #[test]
    fn a_node_votes_once_it_has_passed_the_watermarks_that_were_read_last() {
        let (votes, at) = (Votes::default(), Arc::<AtomicU64>::default());
        votes.follow({
            let at = at.clone();
            move || Ok(place(at.load(Ordering::SeqCst)))
        });
        votes.mark(marks(57));
        let allows = |now| {
            at.store(now, Ordering::SeqCst);
            (votes.allow(&KEY), votes.abstains_until())
        };
        assert_eq!(allows(3), (false, Some(round(57))));
        assert_eq!(allows(57), (false, Some(round(57))));
        assert_eq!(allows(58), (true, None));
        // The daemon came back, and its TEE had ended without being told.
        votes.mark(Marks { floor: Some(round(90)), ..marks(58) });
        assert_eq!(allows(59), (false, Some(round(90))));
        assert_eq!(allows(91), (true, None));
    }

    #[test]
    fn a_new_key_ends_the_abstention_of_the_one_before_only_when_that_is_past() {
        let (votes, at) = (Votes::default(), Arc::new(AtomicU64::new(3)));
        votes.follow({
            let at = at.clone();
            move || Ok(place(at.load(Ordering::SeqCst)))
        });
        votes.mark(marks(57));
        assert!(!votes.allow(&KEY) && votes.allow(&[2; 32]));
        assert_eq!(votes.abstains_until(), Some(round(57)), "whoever asks for the new key has not ended it");
        at.store(58, Ordering::SeqCst);
        assert!(votes.allow(&[2; 32]));
        assert_eq!(votes.abstains_until(), None);
    }

    #[test]
    fn an_abstention_says_why_until_when_and_what_to_do() {
        let line = |why, at, alone| {
            let place = Place { alone, ..place(at) };
            follows(&Abstention { why, until: round(57) }, &place)
        };
        assert_eq!(
            line(Why::Unknown, 3, false),
            "this node's GRANDPA is in round 3 of set 0, but its key has voted in round 57 of set 0 already: the \
             database was purged, put back from a copy, or has lost its last writes. It follows without voting until \
             round 57 of set 0 has passed; while the other validators finalise there is nothing to be done"
        );
        assert!(line(Why::Unknown, 57, false).starts_with("this node's key has voted in round 57 of set 0, of which"));
        assert!(line(Why::Refused, 57, false).contains("has refused a vote of it in round 57"));
        assert!(line(Why::Forgotten, 50, false).contains("signs no new vote up to round 57"));
        for why in [Why::Unknown, Why::Refused, Why::Forgotten] {
            let alone = line(why, 57, true);
            assert!(alone.contains("follows without voting until round 57") && alone.ends_with("docs/never-two.md"));
        }
    }
}
