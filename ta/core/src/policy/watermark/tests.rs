use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn vote(round: u64, stage: u8, target: u8) -> Statement {
    vote_in(0, round, stage, target)
}

fn vote_in(set_id: u64, round: u64, stage: u8, target: u8) -> Statement {
    Statement::Vote(Vote { stage, target_hash: [target; 32], target_number: target.into(), round, set_id })
}

fn seal(slot: u64, header: u8) -> Statement {
    Statement::Seal { slot, header: [header; 32] }
}

fn at(set_id: u64, round: u64) -> Position {
    Position::Grandpa(GrandpaRound { set_id, round })
}

/// A watermark after these statements, each of which is signed.
fn after(statements: &[Statement]) -> Watermark {
    let mut watermark = Watermark::at_start_of(statements[0].position());
    for statement in statements {
        assert_eq!(watermark.judge(statement), Judgement::Sign, "{statement:?}");
        watermark.record(statement, &[7; 64]);
    }
    watermark
}

const DOUBLE_VOTE: Judgement = Judgement::Refuse(Rule::GrandpaDoubleVote);
const OLD_ROUND: Judgement = Judgement::Refuse(Rule::GrandpaOldRound);
const DOUBLE_SEAL: Judgement = Judgement::Refuse(Rule::AuraDoubleSeal);
const OLD_SLOT: Judgement = Judgement::Refuse(Rule::AuraOldSlot);

#[test]
fn each_stage_of_a_round_has_one_target_and_the_same_vote_is_no_second_one() {
    for stage in 0..3 {
        let watermark = after(&[vote(5, stage, 1)]);
        for other in 0..3 {
            let first = if other == stage { Judgement::Same(None) } else { Judgement::Sign };
            let second = if other == stage { DOUBLE_VOTE } else { Judgement::Sign };
            assert_eq!(watermark.judge(&vote(5, other, 1)), first);
            assert_eq!(watermark.judge(&vote(5, other, 2)), second);
            assert_eq!(watermark.judge(&vote_in(1, 5, other, 2)), Judgement::Sign, "another set");
        }
    }
}

#[test]
fn a_target_is_hash_and_number() {
    let watermark = after(&[vote(5, 0, 1)]);
    for (hash, number) in [(1, 2), (2, 1)] {
        let other = Vote { stage: 0, target_hash: [hash; 32], target_number: number, round: 5, set_id: 0 };
        assert_eq!(watermark.judge(&Statement::Vote(other)), DOUBLE_VOTE);
    }
}

#[test]
fn the_last_rounds_are_remembered_and_one_that_left_is_closed() {
    let rounds: Vec<Statement> = (1..=WINDOW as u64 + 2).map(|round| vote(round, 0, 1)).collect();
    let watermark = after(&rounds);
    for round in 0..=2 {
        for stage in 0..3 {
            assert_eq!(watermark.judge(&vote(round, stage, 1)), OLD_ROUND, "{round}");
        }
    }
    for round in 3..=WINDOW as u64 + 2 {
        assert_eq!(watermark.judge(&vote(round, 0, 1)), Judgement::Same(None));
        assert_eq!(watermark.judge(&vote(round, 0, 2)), DOUBLE_VOTE);
        assert_eq!(watermark.judge(&vote(round, 1, 2)), Judgement::Sign, "a stage that is open");
    }
}

#[test]
fn an_earlier_round_is_voted_in_as_long_as_it_is_in_the_window() {
    let watermark = after(&[vote(50, 0, 1), vote(3, 0, 1), vote(49, 0, 1)]);
    assert_eq!(watermark.highest(), Some(at(0, 50)));
    assert_eq!(watermark.judge(&vote(2, 0, 1)), Judgement::Sign);
    let full = after(&(10..10 + WINDOW as u64).map(|round| vote(round, 0, 1)).collect::<Vec<_>>());
    assert_eq!(full.judge(&vote(9, 0, 1)), OLD_ROUND);
    assert_eq!(full.judge(&vote(10 + WINDOW as u64, 0, 1)), Judgement::Sign);
}

#[test]
fn a_later_set_comes_after_every_round_of_an_earlier_one() {
    let watermark = after(&[vote_in(1, u64::MAX, 0, 1), vote_in(2, 0, 0, 1)]);
    assert_eq!(watermark.highest(), Some(at(2, 0)));
}

#[test]
fn a_slot_has_one_header_and_the_same_gets_its_signature_again() {
    let watermark = after(&[seal(0, 1), seal(7, 2)]);
    assert_eq!(watermark.judge(&seal(7, 2)), Judgement::Same(Some([7; 64])));
    assert_eq!(watermark.judge(&seal(7, 1)), DOUBLE_SEAL);
    for slot in 0..7 {
        assert_eq!(watermark.judge(&seal(slot, 1)), OLD_SLOT, "{slot}");
    }
    assert_eq!(watermark.judge(&seal(8, 2)), Judgement::Sign);
    assert_eq!(watermark.highest(), Some(Position::Aura(7)));
}

#[test]
fn nothing_new_is_signed_up_to_where_a_watermark_was_raised_and_what_was_signed_signs_again() {
    let mut votes = after(&[vote(5, 0, 1)]);
    assert!(votes.raise(at(0, 6)) && !votes.raise(at(0, 6)) && !votes.raise(at(0, 3)));
    assert_eq!(votes.judge(&vote(5, 0, 1)), Judgement::Same(None));
    for (round, stage) in [(5, 1), (6, 0), (6, 2), (1, 0)] {
        assert_eq!(votes.judge(&vote(round, stage, 1)), OLD_ROUND);
    }
    assert_eq!(votes.judge(&vote(7, 0, 1)), Judgement::Sign);
    assert_eq!(votes.highest(), Some(at(0, 6)));
    // Below what is signed it closes the open stages all the same.
    let mut votes = after(&[vote(5, 0, 1), vote(9, 0, 1)]);
    assert!(votes.raise(at(0, 7)));
    assert_eq!((votes.judge(&vote(5, 1, 1)), votes.judge(&vote(9, 1, 1))), (OLD_ROUND, Judgement::Sign));

    let mut seals = after(&[seal(5, 1)]);
    assert!(!seals.raise(Position::Aura(5)) && seals.raise(Position::Aura(6)) && !seals.raise(Position::Aura(6)));
    assert_eq!(seals.judge(&seal(5, 1)), Judgement::Same(Some([7; 64])));
    assert_eq!((seals.judge(&seal(6, 1)), seals.judge(&seal(7, 1))), (OLD_SLOT, Judgement::Sign));
}

#[test]
fn a_watermark_takes_nothing_of_another_kind() {
    let (mut votes, mut seals) = (after(&[vote(5, 0, 1)]), after(&[seal(5, 1)]));
    let unknown = Judgement::Refuse(Rule::UnknownKeyType);
    assert_eq!((votes.judge(&seal(9, 1)), seals.judge(&vote(9, 0, 1))), (unknown, unknown));
    assert!(!votes.raise(Position::Aura(9)) && !seals.raise(at(9, 9)));
    votes.record(&seal(9, 1), &[7; 64]);
    seals.record(&vote(9, 0, 1), &[7; 64]);
    assert_eq!((votes, seals), (after(&[vote(5, 0, 1)]), after(&[seal(5, 1)])));
}

#[test]
fn what_cannot_have_come_of_statements_is_not_sound() {
    let voted = |round| Voted { at: GrandpaRound { set_id: 0, round }, targets: [Some(([1; 32], 1)), None, None] };
    let votes = |rounds: Vec<Voted>| Watermark::Grandpa(Votes { floor: None, rounds }).is_sound();
    assert!(votes((0..WINDOW as u64).map(voted).collect()));
    assert!(!votes((0..=WINDOW as u64).map(voted).collect()), "too many");
    assert!(!votes([voted(2), voted(1)].to_vec()) && !votes([voted(1), voted(1)].to_vec()), "out of order");
    assert!(!votes([Voted { targets: [None; STAGES], ..voted(1) }].to_vec()), "no vote");
}

proptest! {
    /// Whatever is asked in whatever order, no place has two statements, and the watermark is sound and encodes.
    #[test]
    fn no_sequence_has_two_statements_for_one_place(
        asked in prop::collection::vec((0u64..3, 0u64..14, 0u8..3, 0u8..3, any::<bool>()), 1..200),
    ) {
        let mut votes = Watermark::at_start_of(at(0, 0));
        let mut seals = Watermark::at_start_of(Position::Aura(0));
        let mut signed = std::collections::BTreeMap::new();
        for (set, round, stage, target, raise) in asked {
            let slot = set * 14 + round;
            for (watermark, statement) in [(&mut votes, vote_in(set, round, stage, target)), (&mut seals, seal(slot, target))] {
                let place = (matches!(statement, Statement::Vote(_)), set, round, if matches!(statement, Statement::Vote(_)) { stage } else { 0 });
                match watermark.judge(&statement) {
                    Judgement::Sign => {
                        watermark.record(&statement, &[target; 64]);
                        prop_assert!(signed.insert(place, target).is_none());
                        prop_assert!(matches!(watermark.judge(&statement), Judgement::Same(_)));
                    }
                    Judgement::Same(_) => prop_assert_eq!(signed.get(&place), Some(&target)),
                    Judgement::Refuse(_) => {}
                }
                let highest = watermark.highest();
                if raise && target == 0 {
                    watermark.raise(statement.position());
                    let raised = watermark.judge(&statement);
                    prop_assert!(!matches!(raised, Judgement::Sign));
                    prop_assert!(key(watermark.highest()) >= key(highest));
                }
                prop_assert!(watermark.is_sound());
                let bytes = watermark.encode();
                prop_assert_eq!(&Watermark::decode(&mut &bytes[..]).expect("decodes"), &*watermark);
            }
        }
    }
}

fn key(position: Option<Position>) -> Option<(u64, u64)> {
    position.map(|position| match position {
        Position::Grandpa(GrandpaRound { set_id, round }) => (set_id, round),
        Position::Aura(slot) => (0, slot),
    })
}
