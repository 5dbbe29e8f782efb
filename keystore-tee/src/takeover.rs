//! When a standby may take over: not before rounds have passed in which nobody voted with its keys.

/// Set id and round of GRANDPA, in the order in which they come.
pub(crate) type Round = (u64, u64);

/// So many rounds pass while nobody holds the lease. In the one under way at its end the node that held it may have
/// voted, and it may have been one ahead of this node.
const ROUNDS: u32 = 2;

/// Counts the rounds that pass while nobody holds the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Takeover(Option<Count>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    /// The round that this node is in.
    at: Option<Round>,
    /// The last one in which the keys are known to have voted. Only later ones count.
    voted: Option<Round>,
    passed: u32,
}

impl Takeover {
    /// Somebody holds the lease.
    pub(crate) fn held(&mut self) {
        self.0 = None;
    }

    /// Nobody holds the lease. `now` is the round that this node is in; `voted` the one in which the keys were last
    /// seen to vote. A vote that was not known before begins the count anew.
    pub(crate) fn free(&mut self, now: Option<Round>, voted: Option<Round>) {
        match &mut self.0 {
            Some(count) if voted <= count.at.max(count.voted) => count.voted = count.voted.max(voted),
            _ => self.0 = Some(Count { at: now, voted, passed: 0 }),
        }
    }

    /// This node has come to `round`. Says whether that was the last one to be waited for. Several rounds at once
    /// count as one: a node that catches up has not seen them pass. A smaller round in the same set begins the count
    /// anew: that of a voter which was made again.
    pub(crate) fn observe(&mut self, round: Round) -> bool {
        let Some(count) = &mut self.0 else { return false };
        if count.at.is_some_and(|(set, at)| set == round.0 && round.1 < at) {
            *count = Count { at: Some(round), passed: 0, ..*count };
            return false;
        }
        let before = count.at.max(count.voted);
        count.at = count.at.max(Some(round));
        if before.is_none_or(|before| round <= before) {
            return false;
        }
        count.passed = count.passed.saturating_add(1);
        count.passed == ROUNDS
    }

    /// Enough rounds have passed.
    pub(crate) fn due(&self) -> bool {
        self.0.is_some_and(|count| count.passed >= ROUNDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Free since `now` and `voted`; the rounds that are then observed, and the one at which it is due.
    fn due_at(now: Option<Round>, voted: Option<Round>, rounds: &[Round]) -> Option<Round> {
        let mut takeover = Takeover::default();
        takeover.free(now, voted);
        let due = rounds.iter().copied().find(|round| takeover.observe(*round));
        assert_eq!(due.is_some(), takeover.due());
        due
    }

    #[test]
    fn two_rounds_pass_after_the_one_under_way() {
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 7), (3, 8), (3, 9), (3, 10)]), Some((3, 9)));
    }

    #[test]
    fn a_vote_of_a_later_round_than_this_nodes_own_is_waited_out_too() {
        assert_eq!(due_at(Some((3, 7)), Some((3, 8)), &[(3, 8), (3, 9), (3, 10)]), Some((3, 10)));
        assert_eq!(due_at(Some((3, 7)), Some((4, 1)), &[(3, 8), (3, 9), (4, 1), (4, 2), (4, 3)]), Some((4, 3)));
        assert_eq!(due_at(Some((3, 7)), Some((2, 90)), &[(3, 8), (3, 9)]), Some((3, 9)));
    }

    #[test]
    fn a_change_of_the_set_is_a_round_and_its_rounds_count_from_one() {
        assert_eq!(due_at(Some((3, 7)), None, &[(4, 1), (4, 2)]), Some((4, 2)));
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 8), (4, 1)]), Some((4, 1)));
    }

    #[test]
    fn a_node_that_catches_up_has_seen_one_round_pass() {
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 70)]), None);
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 70), (3, 71)]), Some((3, 71)));
    }

    #[test]
    fn a_node_that_knows_no_round_begins_with_the_first_it_sees() {
        assert_eq!(due_at(None, None, &[(3, 7), (3, 8)]), None);
        assert_eq!(due_at(None, None, &[(3, 7), (3, 8), (3, 9)]), Some((3, 9)));
    }

    #[test]
    fn rounds_that_repeat_and_those_of_an_earlier_set_count_for_nothing() {
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 7), (3, 8), (3, 8), (2, 99), (2, 100), (3, 8)]), None);
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 8), (2, 99), (3, 9)]), Some((3, 9)));
    }

    // Rule 5: a voter that begins again has seen nothing pass.
    #[test]
    fn rule_5_a_smaller_round_in_the_same_set_begins_the_count_anew_and_forgets_no_vote() {
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 8), (3, 2), (3, 3)]), None);
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 8), (3, 2), (3, 3), (3, 4)]), Some((3, 4)));
        assert_eq!(due_at(Some((3, 70)), None, &[(3, 2), (3, 3), (3, 4)]), Some((3, 4)));
        assert_eq!(due_at(Some((3, 7)), Some((3, 5)), &[(3, 2), (3, 3), (3, 5), (3, 6), (3, 7)]), Some((3, 7)));
        // A round that passed before does not count for the start anew.
        assert_eq!(due_at(Some((3, 7)), None, &[(3, 8), (3, 7), (3, 8)]), None);
    }

    #[test]
    fn a_vote_that_is_told_later_is_remembered_when_the_round_goes_back() {
        let mut takeover = Takeover::default();
        takeover.free(Some((3, 9)), None);
        takeover.free(Some((3, 9)), Some((3, 6)));
        let rounds = [2, 3, 4, 5, 6].map(|round| takeover.observe((3, round)));
        assert!(rounds == [false; 5] && !takeover.due());
        assert!(!takeover.observe((3, 7)) && takeover.observe((3, 8)));
    }

    #[test]
    fn a_holder_and_an_unknown_vote_begin_the_count_anew() {
        let mut takeover = Takeover::default();
        takeover.free(Some((3, 7)), Some((3, 7)));
        takeover.observe((3, 8));
        takeover.observe((3, 9));
        takeover.free(Some((3, 9)), Some((3, 7)));
        assert!(takeover.due(), "nothing new was said");
        takeover.free(Some((3, 9)), Some((3, 10)));
        assert!(!takeover.due() && !takeover.observe((3, 10)) && !takeover.observe((3, 11)));
        assert!(takeover.observe((3, 12)) && takeover.due());
        takeover.held();
        assert!(!takeover.due() && !takeover.observe((3, 13)) && !takeover.observe((3, 14)));
    }

    #[test]
    fn no_number_of_rounds_overflows() {
        let mut takeover = Takeover::default();
        takeover.free(Some((0, 0)), None);
        takeover.0.as_mut().expect("it counts").passed = u32::MAX;
        takeover.observe((u64::MAX, u64::MAX));
        assert!(takeover.due());
    }
}
