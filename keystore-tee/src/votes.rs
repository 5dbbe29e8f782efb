//! Says whether this node votes, each time that GRANDPA asks, and tells when that changes.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, OnceLock},
    time::Instant,
};

use holdfast_protocol::GrandpaRound;
use log::Level;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    abstention::{abstains, Abstention, Marks, Place, Why},
    overdue::{Overdue, Watch},
    shown::shown,
    TARGET,
};

/// Where the node's GRANDPA is, or why that cannot be said.
type Source = Box<dyn Fn() -> Result<Place, String> + Send + Sync>;

/// Shared between the keystore's callers and the thread that asks for the lease.
pub(crate) struct Votes {
    source: OnceLock<Source>,
    inner: Mutex<Inner>,
    overdue: watch::Sender<Option<Overdue>>,
}

#[derive(Default)]
struct Inner {
    /// As they were read last; none before they ever were.
    marks: Option<Arc<Marks>>,
    /// By public key, why this node does not vote with it, as was told.
    told: BTreeMap<Vec<u8>, Silence>,
    watch: Watch,
}

/// Why a node does not vote.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Silence {
    Abstains(Abstention),
    /// It is not known where its GRANDPA is.
    Lost(String),
}

impl Default for Votes {
    fn default() -> Self {
        Self { source: OnceLock::new(), inner: Mutex::default(), overdue: watch::Sender::new(None) }
    }
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
    /// first: then the node is taken to be in the earlier round, and at worst abstains for one round more. Where that
    /// one does not end without it, [`Votes::look`] finds out.
    pub(crate) fn allow(&self, key: &[u8]) -> bool {
        let Some(source) = self.source.get() else { return true };
        // The place is read without the lock, since the database may take its time.
        let Some(marks) = self.inner.lock().marks.clone() else { return false };
        let place = source();
        let (silence, line) = match &place {
            Ok(place) => match abstains(place, key, &marks) {
                Some(abstention) => (Some(Silence::Abstains(abstention)), follows(&abstention, place)),
                None => (None, format!("this node's GRANDPA is in {}: it votes again", place.at)),
            },
            Err(why) => (
                Some(Silence::Lost(why.clone())),
                format!("this node does not vote, since it cannot tell in which round its GRANDPA is: {}", shown(why)),
            ),
        };
        let votes = silence.is_none();
        self.tell(key, silence, place.ok().map(|place| place.at), &line);
        votes
    }

    /// Looks whether the voter sits in a round for which it was told too early that this node does not vote. To be
    /// called about every second while the TEE can sign and this node is the one that it signs for.
    pub(crate) fn look(&self, now: Instant) {
        let Some(source) = self.source.get() else { return };
        let marks = {
            let inner = self.inner.lock();
            inner.marks.clone().filter(|_| inner.watch.is_wanted())
        };
        let Some((marks, place)) = marks.and_then(|marks| Some((marks, source().ok()?))) else { return };
        let overdue = self.inner.lock().watch.look(&place, &marks, now);
        if let Some(overdue) = overdue {
            self.overdue.send_replace(Some(overdue));
        }
    }

    /// Resolves when it was found that it does.
    pub(crate) fn overdue(&self) -> impl Future<Output = Overdue> + Send + 'static {
        let mut found = self.overdue.subscribe();
        async move {
            let overdue = found.wait_for(Option::is_some).await.ok().and_then(|overdue| *overdue);
            match overdue {
                Some(overdue) => overdue,
                // The keystore is gone: what was waited for never comes.
                None => std::future::pending().await,
            }
        }
    }

    /// The last round in which this node does not vote, while it abstains: until its GRANDPA is past that round. While
    /// that cannot be said it counts as not.
    pub(crate) fn abstains_until(&self) -> Option<GrandpaRound> {
        let until = self.inner.lock().told.values().filter_map(Silence::until).max()?;
        let at = self.source.get().and_then(|source| source().ok()).map(|place| place.at);
        Some(until).filter(|until| at.is_none_or(|at| at <= *until))
    }

    /// Says what is new: this line.
    fn tell(&self, key: &[u8], silence: Option<Silence>, at: Option<GrandpaRound>, line: &str) {
        let mut inner = self.inner.lock();
        let past = |silence: &Silence| silence.until().zip(at).is_some_and(|(until, at)| until < at);
        if let (Some(until), Some(at)) = (silence.as_ref().and_then(Silence::until), at) {
            inner.watch.silent(key, at.set_id, until);
        }
        let level = match silence {
            Some(silence) if inner.told.get(key) == Some(&silence) => return,
            Some(silence) => {
                let level = silence.level();
                inner.told.insert(key.to_vec(), silence);
                level
            }
            None => {
                let before = inner.told.len();
                // Also of a key that nobody asks for any longer, since it has left the set.
                inner.told.retain(|silent, silence| silent != key && !past(silence));
                if inner.told.len() == before {
                    return;
                }
                Level::Info
            }
        };
        drop(inner);
        log::log!(target: TARGET, level, "{line}");
    }
}

impl Silence {
    /// The last round of it, if that is known.
    fn until(&self) -> Option<GrandpaRound> {
        match self {
            Silence::Abstains(abstention) => Some(abstention.until),
            Silence::Lost(_) => None,
        }
    }

    fn level(&self) -> Level {
        match self {
            Silence::Abstains(_) => Level::Warn,
            Silence::Lost(_) => Level::Error,
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
    let then = if place.needed {
        "no round passes without this validator, for its set has at most three: see docs/never-two.md"
    } else {
        "while the other validators finalise there is nothing to be done; if they cannot, see docs/never-two.md"
    };
    format!("{because}. It follows without voting until {until} has passed; {then}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::pin,
        sync::atomic::{AtomicU64, Ordering},
        task::{Context, Poll, Waker},
        time::Duration,
    };

    const KEY: [u8; 32] = [1; 32];

    fn round(round: u64) -> GrandpaRound {
        GrandpaRound { set_id: 0, round }
    }

    fn place(at: u64) -> Place {
        Place { at: round(at), voted: None, needed: false, refused: None }
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
    fn an_abstention_is_over_once_its_round_has_passed_whoever_is_asked_for() {
        let (votes, at) = (Votes::default(), Arc::new(AtomicU64::new(3)));
        votes.follow({
            let at = at.clone();
            move || Ok(place(at.load(Ordering::SeqCst)))
        });
        votes.mark(marks(57));
        assert!(!votes.allow(&KEY) && votes.allow(&[2; 32]));
        assert_eq!(votes.abstains_until(), Some(round(57)), "whoever asks for the new key has not ended it");
        at.store(58, Ordering::SeqCst);
        assert_eq!(votes.abstains_until(), None, "though nobody was asked for");
        at.store(57, Ordering::SeqCst);
        assert_eq!(votes.abstains_until(), Some(round(57)));
        at.store(58, Ordering::SeqCst);
        assert!(votes.allow(&[2; 32]) && votes.inner.lock().told.is_empty());
    }

    #[test]
    fn each_of_two_keys_of_a_set_has_its_own_abstention_and_the_later_end_is_the_nodes() {
        let (votes, at) = (Votes::default(), Arc::new(AtomicU64::new(3)));
        votes.follow({
            let at = at.clone();
            move || Ok(place(at.load(Ordering::SeqCst)))
        });
        let other = [2; 32];
        votes.mark(Marks { floor: None, highest: [(KEY.to_vec(), round(57)), (other.to_vec(), round(60))].into() });
        let told = || votes.inner.lock().told.len();
        for here in 3..=57 {
            at.store(here, Ordering::SeqCst);
            assert!(!votes.allow(&KEY) && !votes.allow(&other));
            assert_eq!((told(), votes.abstains_until()), (2, Some(round(60))));
        }
        at.store(58, Ordering::SeqCst);
        assert!(votes.allow(&KEY) && !votes.allow(&other));
        assert_eq!((told(), votes.abstains_until()), (1, Some(round(60))));
    }

    #[test]
    fn a_voter_that_asked_while_it_caught_up_and_then_sits_in_its_round_is_found() {
        let (votes, at) = (Votes::default(), Arc::new(AtomicU64::new(3)));
        votes.follow({
            let at = at.clone();
            move || Ok(place(at.load(Ordering::SeqCst)))
        });
        votes.mark(marks(57));
        let (found, start) = (votes.overdue(), Instant::now());
        let mut found = pin!(found);
        let mut is_found = |seconds: std::ops::Range<u64>| {
            seconds.for_each(|second| votes.look(start + Duration::from_secs(second)));
            found.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        // It catches up to the end of round 57, asks for its key, and writes down after that where it is.
        assert!(!votes.allow(&KEY));
        assert_eq!(is_found(0..100), Poll::Pending);
        at.store(58, Ordering::SeqCst);
        assert_eq!(is_found(100..150), Poll::Pending);
        // Somebody asks over RPC, and hears that the key would vote: GRANDPA's voter has not asked for all that.
        assert!(votes.allow(&KEY));
        assert_eq!(is_found(150..161), Poll::Ready(Overdue { round: round(58), until: round(57) }));
    }

    #[test]
    fn an_abstention_says_why_until_when_and_what_to_do() {
        let line = |why, at, needed| {
            let place = Place { needed, ..place(at) };
            follows(&Abstention { why, until: round(57) }, &place)
        };
        assert_eq!(
            line(Why::Unknown, 3, false),
            "this node's GRANDPA is in round 3 of set 0, but its key has voted in round 57 of set 0 already: the \
             database was purged, put back from a copy, or has lost its last writes. It follows without voting until \
             round 57 of set 0 has passed; while the other validators finalise there is nothing to be done; if they \
             cannot, see docs/never-two.md"
        );
        assert!(line(Why::Unknown, 57, false).starts_with("this node's key has voted in round 57 of set 0, of which"));
        assert!(line(Why::Refused, 57, false).contains("has refused a vote of it in round 57"));
        assert!(line(Why::Forgotten, 50, false).contains("signs no new vote up to round 57"));
        for why in [Why::Unknown, Why::Refused, Why::Forgotten] {
            let needed = line(why, 57, true);
            assert!(
                needed.contains("follows without voting until round 57 of set 0 has passed; no round passes without")
            );
        }
    }
}
