//! Finds a voter that sits in a round without this node's vote although its key would vote there. Pure.
//!
//! GRANDPA asks for its key once for each round. When it catches up it asks before the database names the round that it
//! begins, is judged by an earlier one, and follows; that is one round too many, and where no other ends the round it is
//! the last, for nobody asks again. A voter that is started anew asks anew.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use holdfast_protocol::GrandpaRound;

use crate::abstention::{abstains, Marks, Place};

/// A round takes some seconds. In one that lasts so long the others wait for this node's vote, or for somebody else's.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who looks does so about every second. While nobody has looked for so long the process stood still, or the TEE was away
/// and votes waited for it: that is not the round's time.
const UNSEEN: Duration = Duration::from_secs(10);

/// A round that waits for a vote which nobody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The round.
    pub round: GrandpaRound,
    /// The last round in which the key did not vote because of what it has signed.
    pub until: GrandpaRound,
}

/// Looks at the voter's place again and again.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// By public key, which has not voted since: the set in which it was asked for last, and the last round that it had
    /// reason not to vote in.
    silent: BTreeMap<Vec<u8>, (u64, GrandpaRound)>,
    sits: Option<Sits>,
}

/// The voter is in a round past all reason not to vote.
#[derive(Clone, Copy, Debug)]
struct Sits {
    at: GrandpaRound,
    since: Instant,
    seen: Instant,
}

impl Watch {
    /// A voter of this set asked for `key`, and heard that it votes in no round up to this one.
    pub(crate) fn silent(&mut self, key: &[u8], set_id: u64, until: GrandpaRound) {
        self.silent.insert(key.to_vec(), (set_id, until));
        // Where the voter is from now on was begun after this.
        self.sits = None;
    }

    /// Whether there is anything to look for.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.silent.is_empty()
    }

    /// Looks. Only a round of the set in which the key was asked for counts, for with a new set there is a new voter,
    /// which has asked anew; and only the first round past the abstention, for in the next one the voter has asked anew.
    pub(crate) fn look(&mut self, place: &Place, marks: &Marks, now: Instant) -> Option<Overdue> {
        let Place { at, voted, .. } = place;
        if voted.is_some() || self.sits.is_some_and(|sits| sits.at < *at) {
            self.silent.retain(|_, (_, until)| *until >= *at);
        }
        let late = |(key, (set_id, until)): (&Vec<u8>, &(u64, GrandpaRound))| {
            (*set_id == at.set_id && *until < *at && abstains(place, key, marks).is_none()).then_some(*until)
        };
        let Some(until) = self.silent.iter().find_map(late) else {
            self.sits = None;
            return None;
        };
        let known = self.sits.filter(|sits| sits.at == *at && now.saturating_duration_since(sits.seen) < UNSEEN);
        let since = known.map_or(now, |sits| sits.since);
        self.sits = Some(Sits { at: *at, since, seen: now });
        (now.saturating_duration_since(since) >= PATIENCE).then_some(Overdue { round: *at, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [1; 32];

    fn round(round: u64) -> GrandpaRound {
        GrandpaRound { set_id: 3, round }
    }

    fn place(at: GrandpaRound) -> Place {
        Place { at, voted: None, needed: true, refused: None }
    }

    fn marks(floor: u64) -> Marks {
        Marks { floor: Some(round(floor)), highest: [(KEY.to_vec(), round(40))].into() }
    }

    /// Of a voter that asked for its key in a round up to 40, and heard that it votes after that.
    fn silent() -> Watch {
        let mut watch = Watch::default();
        watch.silent(&KEY, 3, round(40));
        watch
    }

    /// Looks every second from one to another, and says in which the round was overdue first.
    fn overdue(
        watch: &mut Watch,
        place: &Place,
        marks: &Marks,
        start: Instant,
        seconds: std::ops::Range<u64>,
    ) -> Option<u64> {
        let mut seconds = seconds;
        seconds.find(|second| watch.look(place, marks, start + Duration::from_secs(*second)).is_some())
    }

    #[test]
    fn a_round_past_the_abstention_that_nobody_ends_for_a_minute_is_overdue() {
        let (mut watch, start) = (silent(), Instant::now());
        assert_eq!(overdue(&mut watch, &place(round(39)), &marks(0), start, 0..500), None, "it abstains with reason");
        assert_eq!(overdue(&mut watch, &place(round(40)), &marks(0), start, 500..900), None, "there too");
        assert_eq!(overdue(&mut watch, &place(round(41)), &marks(0), start, 900..2_000), Some(960));
        let found = watch.look(&place(round(41)), &marks(0), start + Duration::from_secs(961));
        assert_eq!(found, Some(Overdue { round: round(41), until: round(40) }));
    }

    #[test]
    fn rounds_that_pass_or_have_a_vote_of_this_node_are_none_of_it() {
        let (mut watch, start) = (silent(), Instant::now());
        for second in 0..500 {
            let at = round(41 + second / 30);
            assert_eq!(overdue(&mut watch, &place(at), &marks(0), start, second..second + 1), None, "{at}");
        }
        assert!(!watch.is_wanted(), "in the second of them the voter has asked anew");
        assert_eq!(overdue(&mut watch, &place(round(60)), &marks(0), start, 500..900), None);

        let mut watch = silent();
        let voted = Place { voted: Some(KEY), ..place(round(41)) };
        assert_eq!(overdue(&mut watch, &voted, &marks(0), start, 0..500), None);
        assert!(!watch.is_wanted());
    }

    #[test]
    fn a_later_set_has_a_voter_that_asked_anew_and_a_key_that_was_never_silent_is_none_of_it() {
        let start = Instant::now();
        let later = place(GrandpaRound { set_id: 4, round: 1 });
        assert_eq!(overdue(&mut silent(), &later, &marks(0), start, 0..500), None);
        assert_eq!(overdue(&mut Watch::default(), &place(round(41)), &marks(0), start, 0..500), None);
        // The new set is in the database for a moment, and then the old one's voter writes once more.
        let mut watch = silent();
        assert_eq!(overdue(&mut watch, &later, &marks(0), start, 0..3), None);
        assert_eq!(overdue(&mut watch, &place(round(41)), &marks(0), start, 3..500), Some(63));
    }

    #[test]
    fn a_key_that_would_not_vote_if_it_were_asked_for_anew_is_not_missed() {
        let (mut watch, start) = (silent(), Instant::now());
        assert_eq!(overdue(&mut watch, &place(round(41)), &marks(41), start, 0..500), None, "the floor has risen");
        let refused = Place { refused: Some(round(41)), ..place(round(41)) };
        assert_eq!(overdue(&mut watch, &refused, &marks(0), start, 500..900), None);
        assert_eq!(overdue(&mut watch, &place(round(41)), &marks(40), start, 900..2_000), Some(960));
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let (mut watch, start) = (silent(), Instant::now());
        let here = place(round(41));
        assert_eq!(overdue(&mut watch, &here, &marks(0), start, 0..50), None);
        assert_eq!(overdue(&mut watch, &here, &marks(0), start, 500..900), Some(560));
    }

    #[test]
    fn a_voter_that_catches_up_twice_is_judged_by_the_second_time() {
        let (mut watch, start) = (silent(), Instant::now());
        assert_eq!(overdue(&mut watch, &place(round(41)), &marks(0), start, 0..50), None);
        watch.silent(&KEY, 3, round(90));
        assert_eq!(overdue(&mut watch, &place(round(91)), &marks(90), start, 50..500), Some(110));
    }
}
