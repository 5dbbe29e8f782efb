//! In which rounds a key must not vote, since the TEE would refuse it. Pure.
//!
//! The TEE remembers what its keys have signed, and a node whose database was purged, put back from a copy or cut short
//! does not: it would ask for votes that contradict those. A refused vote ends GRANDPA's voter, so it is not asked for.

use std::collections::BTreeMap;

use holdfast_protocol::GrandpaRound;

/// Where a node's GRANDPA is, as its database says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The round that its voter is in. The database names an earlier one when the voter asks for its key while it
    /// catches up, and a later one for a moment when a justification changes the set: the new set's first round is
    /// there before the old set's voter is told that it ends. What that one asks for then the TEE judges.
    pub at: GrandpaRound,
    /// The public key that has voted in that round, or was about to.
    pub voted: Option<[u8; 32]>,
    /// The set has so few voters that no round passes without each of them.
    pub needed: bool,
    /// The last round in which the TEE refused a vote of this node.
    pub refused: Option<GrandpaRound>,
}

impl Place {
    /// Whether no round passes in a set of so many voters, each of weight 1, if one of them does not vote: GRANDPA wants
    /// more than two thirds of them, which of up to three are all.
    pub fn needs_each_of(voters: usize) -> bool {
        voters.saturating_sub(1) / 3 == 0
    }
}

/// How far the TEE's `gran` keys have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Nothing new is signed here or before.
    pub(crate) floor: Option<GrandpaRound>,
    /// By public key, the last round in which it voted. Its own votes since then are in no later one than the voter's,
    /// but for a voter that a warp sync within set 0 makes begin anew with the first round of that set.
    pub(crate) highest: BTreeMap<Vec<u8>, GrandpaRound>,
}

/// A key votes in no round up to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abstention {
    pub(crate) why: Why,
    /// The last round without its vote.
    pub(crate) until: GrandpaRound,
}

/// Why a key does not vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It has voted in rounds of which this node's database knows nothing.
    Unknown,
    /// The TEE refused a vote of this node in that round.
    Refused,
    /// The TEE may have forgotten what it signed, and signs nothing there.
    Forgotten,
}

/// Whether, and until when, `key` does not vote. In the last round in which it has voted it goes on if the database
/// knows of its votes, which are then the same once more; and a voter without which no round passes goes on in any case:
/// it has a chance to vote the same again, and without its vote the round has none.
pub(crate) fn abstains(place: &Place, key: &[u8], marks: &Marks) -> Option<Abstention> {
    let at = place.at;
    let goes_on = place.needed || place.voted.is_some_and(|voted| voted == key);
    let unknown = |highest: &GrandpaRound| at < *highest || (at == *highest && !goes_on);
    let reached = |bar: &GrandpaRound| at <= *bar;
    let bars = [
        (Why::Unknown, marks.highest.get(key).copied().filter(unknown)),
        (Why::Refused, place.refused.filter(reached)),
        (Why::Forgotten, marks.floor.filter(reached)),
    ];
    let abstentions = bars.into_iter().filter_map(|(why, until)| Some(Abstention { why, until: until? }));
    abstentions.max_by_key(|abstention| abstention.until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [1; 32];
    const OTHER: [u8; 32] = [2; 32];

    fn round(set_id: u64, round: u64) -> GrandpaRound {
        GrandpaRound { set_id, round }
    }

    /// Rounds on both sides of a change of the set.
    fn rounds() -> Vec<GrandpaRound> {
        [(3, 1), (3, 2), (3, 3), (4, 1), (4, 2)].map(|(set, number)| round(set, number)).to_vec()
    }

    fn maybe<T: Clone>(all: &[T]) -> Vec<Option<T>> {
        [None].into_iter().chain(all.iter().cloned().map(Some)).collect()
    }

    fn marks(floor: Option<GrandpaRound>, highest: Option<GrandpaRound>) -> Marks {
        Marks { floor, highest: highest.map(|highest| (KEY.to_vec(), highest)).into_iter().collect() }
    }

    /// Everything that there is to decide on.
    fn cases() -> Vec<(Place, Marks)> {
        let mut cases = Vec::new();
        for at in rounds() {
            for voted in maybe(&[KEY, OTHER]) {
                for needed in [false, true] {
                    for refused in maybe(&rounds()) {
                        for floor in maybe(&rounds()) {
                            for highest in maybe(&rounds()) {
                                let place = Place { at, voted, needed, refused };
                                cases.push((place, marks(floor, highest)));
                            }
                        }
                    }
                }
            }
        }
        cases
    }

    #[test]
    fn of_up_to_three_voters_every_round_needs_each_and_of_four_it_needs_three() {
        assert_eq!([1, 2, 3, 4].map(Place::needs_each_of), [true, true, true, false]);
        for voters in 1..=100 {
            // As finality-grandpa counts them (`VoterSet::threshold`).
            let threshold = voters - (voters - 1) / 3;
            assert_eq!(Place::needs_each_of(voters), threshold == voters, "{voters} voters");
        }
    }

    // Rule 5: never two.
    #[test]
    fn rule_5_a_key_votes_in_no_round_before_its_last_nor_up_to_the_floor_or_a_refusal() {
        for (place, marks) in cases() {
            let highest = marks.highest.get(&KEY[..]).copied();
            let before = highest.is_some_and(|highest| place.at < highest);
            let barred = [marks.floor, place.refused].into_iter().flatten().any(|bar| place.at <= bar);
            let abstains = abstains(&place, &KEY, &marks);
            assert!(abstains.is_some() || !(before || barred), "{place:?}, {marks:?}");
        }
    }

    #[test]
    fn a_key_votes_in_every_round_past_all_that_it_is_known_to_have_signed() {
        for (place, marks) in cases() {
            let bars = [marks.floor, place.refused, marks.highest.get(&KEY[..]).copied()];
            if bars.into_iter().flatten().all(|bar| place.at > bar) {
                assert_eq!(abstains(&place, &KEY, &marks), None, "{place:?}, {marks:?}");
            }
        }
    }

    #[test]
    fn in_its_last_round_a_key_goes_on_with_votes_that_the_database_knows_and_a_voter_that_every_round_needs_in_any_case(
    ) {
        for (place, marks) in cases() {
            let highest = marks.highest.get(&KEY[..]).copied();
            let barred = [marks.floor, place.refused].into_iter().flatten().any(|bar| place.at <= bar);
            if Some(place.at) == highest && !barred {
                let votes = abstains(&place, &KEY, &marks).is_none();
                assert_eq!(votes, place.voted == Some(KEY) || place.needed, "{place:?}, {marks:?}");
            }
        }
    }

    #[test]
    fn an_abstention_ends_with_the_first_round_after_the_one_that_it_names() {
        let mut last = 0;
        for (place, marks) in cases() {
            let Some(Abstention { until, .. }) = abstains(&place, &KEY, &marks) else { continue };
            assert!(place.at <= until, "{place:?}, {marks:?}");
            let at = |at| abstains(&Place { at, voted: None, ..place.clone() }, &KEY, &marks);
            for later in rounds().into_iter().filter(|later| *later > until) {
                assert_eq!(at(later), None, "{place:?}, {marks:?}");
            }
            if !place.needed {
                assert_eq!(at(until).map(|abstention| abstention.until), Some(until), "{place:?}, {marks:?}");
            }
            last += 1;
        }
        assert!(last > 0);
    }

    #[test]
    fn what_other_keys_have_signed_binds_none() {
        let place = Place { at: round(3, 1), voted: None, needed: false, refused: None };
        assert_eq!(abstains(&place, &OTHER, &marks(None, Some(round(4, 2)))), None);
        assert!(abstains(&place, &OTHER, &marks(Some(round(3, 1)), None)).is_some(), "the floor does");
    }

    #[test]
    fn the_reason_is_that_of_the_latest_round_and_the_floor_is_the_better_one() {
        let place = Place { at: round(3, 1), voted: None, needed: false, refused: Some(round(3, 2)) };
        let why = |floor, highest| abstains(&place, &KEY, &marks(floor, highest)).map(|abstention| abstention.why);
        assert_eq!(why(None, None), Some(Why::Refused));
        assert_eq!(why(None, Some(round(3, 3))), Some(Why::Unknown));
        assert_eq!(why(Some(round(3, 3)), Some(round(3, 3))), Some(Why::Forgotten));
        assert_eq!(why(Some(round(3, 1)), Some(round(3, 1))), Some(Why::Refused));
    }

    #[test]
    fn a_restored_or_purged_database_is_behind_until_its_round_has_passed_that_of_the_key() {
        let marks = marks(None, Some(round(0, 57)));
        let votes = |at, voted| abstains(&Place { at, voted, needed: false, refused: None }, &KEY, &marks).is_none();
        let (purged, restarted) = (None, Some(KEY));
        assert!(!votes(round(0, 1), purged) && !votes(round(0, 56), restarted) && !votes(round(0, 57), purged));
        assert!(votes(round(0, 57), restarted) && votes(round(0, 58), purged) && votes(round(1, 1), purged));
        assert!(!votes(round(0, 57), Some(OTHER)), "another key's votes are others");
    }
}
