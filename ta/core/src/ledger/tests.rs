//! The ledger against a store that is cut, and put back from copies.

use alloc::vec;

use super::*;
use crate::{
    policy::Vote,
    testing::{unknown_key, Accident, TestTee, ACCIDENTS, FAULT},
    Scheme,
};

const SIGNATURE: [u8; 64] = [7; 64];

fn gran() -> KeyId {
    unknown_key(Scheme::Ed25519, *b"gran")
}

fn aura() -> KeyId {
    unknown_key(Scheme::Sr25519, *b"aura")
}

fn vote(round: u64, target: u8) -> Statement {
    Statement::Vote(Vote { stage: 0, target_hash: [target; 32], target_number: 1, round, set_id: 0 })
}

fn seal(slot: u64, header: u8) -> Statement {
    Statement::Seal { slot, header: [header; 32] }
}

fn round(round: u64) -> GrandpaRound {
    GrandpaRound { set_id: 0, round }
}

fn start(tee: &mut TestTee) -> Ledger {
    tee.restart();
    let found = store::open(tee, &Default::default(), None).expect("opened");
    found.take_over(tee).expect("taken over");
    Ledger::open(tee, found.cell, found.marked).expect("opened")
}

fn new(ahead: bool) -> (TestTee, Ledger) {
    let mut tee = TestTee::production();
    tee.cell_ahead = ahead;
    let ledger = start(&mut tee);
    (tee, ledger)
}

/// Judges and records as the application does.
fn say(tee: &mut TestTee, ledger: &mut Ledger, statement: Statement) -> Result<Judgement, Error> {
    let id = if matches!(statement, Statement::Vote(_)) { gran() } else { aura() };
    let judgement = ledger.judge(&id, &statement);
    match judgement {
        Judgement::Sign => ledger.record(tee, &id, &statement, &SIGNATURE)?,
        Judgement::Same(_) => ledger.settle(tee)?,
        Judgement::Refuse(_) => {}
    }
    Ok(judgement)
}

const BELOW: Result<Judgement, Error> = Ok(Judgement::Refuse(Rule::BelowCeiling));
const SIGN: Result<Judgement, Error> = Ok(Judgement::Sign);

#[test]
fn a_start_after_any_end_costs_nothing_where_the_cell_is_written_with_every_statement() {
    let (mut tee, mut ledger) = new(false);
    for at in 1..5 {
        assert_eq!(say(&mut tee, &mut ledger, vote(at, 1)), SIGN);
        assert_eq!(say(&mut tee, &mut ledger, seal(at, 1)), SIGN);
        ledger = start(&mut tee);
        assert_eq!(ledger.floor(), Positions::default());
        assert_eq!(say(&mut tee, &mut ledger, vote(at, 1)), Ok(Judgement::Same(None)));
        assert_eq!(say(&mut tee, &mut ledger, seal(at, 1)), Ok(Judgement::Same(Some(SIGNATURE))));
        assert_eq!(say(&mut tee, &mut ledger, vote(at, 2)), Ok(Judgement::Refuse(Rule::GrandpaDoubleVote)));
    }
}

#[test]
fn a_cell_that_is_written_ahead_is_written_once_for_many_statements_and_once_at_an_orderly_end() {
    let (mut tee, mut ledger) = new(true);
    let cells = |tee: &mut TestTee, ledger: &mut Ledger, at| {
        let before = tee.writes;
        assert_eq!(say(tee, ledger, vote(at, 1)), SIGN);
        tee.writes - before - 1
    };
    // The first takes back the mark of an orderly end and goes 3 ahead.
    let written: Vec<usize> = (1..=9).map(|at| cells(&mut tee, &mut ledger, at)).collect();
    assert_eq!(written, [1, 0, 0, 0, 1, 0, 0, 0, 1]);
    let before = tee.writes;
    ledger.close(&mut tee).expect("closed");
    ledger.close(&mut tee).expect("closed");
    assert_eq!(tee.writes - before, 1);
    ledger = start(&mut tee);
    assert_eq!(ledger.floor(), Positions::default());
    assert_eq!(cells(&mut tee, &mut ledger, 10), 1, "the mark is taken back with the first statement");
    // Without a word at the end everything up to the ceiling is closed, but for what is known to be the same.
    ledger = start(&mut tee);
    assert_eq!(ledger.floor(), Positions { grandpa: Some(round(12)), slot: None });
    assert_eq!(say(&mut tee, &mut ledger, vote(10, 1)), Ok(Judgement::Same(None)));
    assert_eq!(say(&mut tee, &mut ledger, vote(11, 1)), BELOW);
    assert_eq!(say(&mut tee, &mut ledger, vote(12, 1)), BELOW);
    assert_eq!(say(&mut tee, &mut ledger, vote(13, 1)), SIGN);
    assert_eq!(say(&mut tee, &mut ledger, seal(1, 1)), SIGN, "no slot was ever sealed");
}

#[test]
fn a_store_that_was_put_back_signs_only_above_the_ceiling_ever_after() {
    for ahead in [false, true] {
        let (mut tee, mut ledger) = new(ahead);
        assert_eq!(say(&mut tee, &mut ledger, vote(1, 1)), SIGN);
        assert_eq!(say(&mut tee, &mut ledger, seal(1, 1)), SIGN);
        let copy = tee.objects.clone();
        for at in 2..4 {
            assert_eq!(say(&mut tee, &mut ledger, vote(at, 1)), SIGN);
            assert_eq!(say(&mut tee, &mut ledger, seal(at, 1)), SIGN);
        }
        ledger.close(&mut tee).expect("closed");
        tee.objects = copy;
        for _ in 0..2 {
            ledger = start(&mut tee);
            let top = if ahead { 4 } else { 3 };
            assert_eq!(ledger.floor(), Positions { grandpa: Some(round(top)), slot: Some(top) });
            for lost in [vote(2, 2), vote(3, 2), seal(2, 2), seal(3, 2)] {
                let judgement = say(&mut tee, &mut ledger, lost);
                assert!(matches!(judgement, Ok(Judgement::Refuse(_))), "{lost:?}: {judgement:?}");
            }
        }
        assert_eq!(say(&mut tee, &mut ledger, vote(5, 2)), SIGN);
        assert_eq!(say(&mut tee, &mut ledger, seal(5, 2)), SIGN);
        ledger.close(&mut tee).expect("closed");
        ledger = start(&mut tee);
        assert!(ledger.floor().grandpa >= Some(round(3)), "what was lost stays closed");
        assert_eq!(say(&mut tee, &mut ledger, vote(3, 2)), BELOW);
        assert_eq!(say(&mut tee, &mut ledger, vote(5, 2)), Ok(Judgement::Same(None)));
        assert_eq!(say(&mut tee, &mut ledger, vote(6, 1)), SIGN);
    }
}

#[test]
fn a_store_that_was_put_back_by_one_statement_gets_that_one_from_the_cell() {
    let (mut tee, mut ledger) = new(false);
    assert_eq!(say(&mut tee, &mut ledger, vote(1, 1)), SIGN);
    let copy = tee.objects.clone();
    assert_eq!(say(&mut tee, &mut ledger, seal(1, 1)), SIGN);
    tee.objects = copy;
    ledger = start(&mut tee);
    assert_eq!(ledger.floor(), Positions::default());
    assert_eq!(say(&mut tee, &mut ledger, seal(1, 2)), Ok(Judgement::Refuse(Rule::AuraDoubleSeal)));
    assert_eq!(say(&mut tee, &mut ledger, vote(2, 1)), SIGN);
    ledger = start(&mut tee);
    assert_eq!(say(&mut tee, &mut ledger, seal(1, 2)), Ok(Judgement::Refuse(Rule::AuraDoubleSeal)));
}

#[test]
fn a_statement_counts_as_made_whatever_befalls_its_writes_and_leaves_only_once_they_are_done() {
    for ahead in [false, true] {
        for accident in ACCIDENTS {
            for write in 0..2 {
                let (mut tee, mut ledger) = new(ahead);
                assert_eq!(say(&mut tee, &mut ledger, seal(1, 1)), SIGN);
                let mut first = vote(1, 1);
                tee.plan(write, accident);
                assert_eq!(say(&mut tee, &mut ledger, first), Err(Error::Platform(FAULT.0)));
                if tee.is_off() {
                    ledger = start(&mut tee);
                    if matches!(say(&mut tee, &mut ledger, vote(1, 2)), Ok(Judgement::Sign)) {
                        first = vote(1, 2);
                    }
                } else {
                    // Neither another nor the same gets past what is still to be written.
                    tee.plan(0, Accident::Lost);
                    assert_eq!(say(&mut tee, &mut ledger, vote(2, 1)), Err(Error::Platform(FAULT.0)));
                    assert_eq!(say(&mut tee, &mut ledger, vote(1, 2)), Ok(Judgement::Refuse(Rule::GrandpaDoubleVote)));
                    tee.plan(0, Accident::Lost);
                    assert_eq!(say(&mut tee, &mut ledger, first), Err(Error::Platform(FAULT.0)));
                    assert_eq!(say(&mut tee, &mut ledger, first), Ok(Judgement::Same(None)));
                }
                ledger.close(&mut tee).expect("closed");
                ledger = start(&mut tee);
                let other = if first == vote(1, 1) { vote(1, 2) } else { vote(1, 1) };
                assert!(matches!(say(&mut tee, &mut ledger, other), Ok(Judgement::Refuse(_))), "{accident:?} {write}");
            }
        }
    }
}

#[test]
fn a_retired_key_leaves_its_position_to_all_others_and_is_no_new_one_when_it_is_put_back() {
    for ahead in [false, true] {
        let (mut tee, mut ledger) = new(ahead);
        assert_eq!(say(&mut tee, &mut ledger, vote(5, 1)), SIGN);
        let writes = tee.writes;
        ledger.retire(&mut tee, &aura()).expect("nothing to forget");
        assert_eq!(tee.writes, writes);
        ledger.retire(&mut tee, &gran()).expect("forgotten");
        assert!(!tee.objects.contains_key(&store::watermark_name(&gran())));
        for closed in [true, false] {
            assert_eq!(ledger.page(None, 64), (vec![], false));
            assert!(ledger.floor().grandpa >= Some(round(5)));
            assert_eq!(say(&mut tee, &mut ledger, vote(5, 2)), BELOW);
            if closed {
                ledger.close(&mut tee).expect("closed");
            }
            ledger = start(&mut tee);
        }
    }
}

#[test]
fn a_raised_watermark_outlives_a_start_and_a_rollback() {
    for ahead in [false, true] {
        let (mut tee, mut ledger) = new(ahead);
        let copy = tee.objects.clone();
        ledger.raise(&mut tee, &gran(), Position::Grandpa(round(9))).expect("raised");
        let writes = tee.writes;
        ledger.raise(&mut tee, &gran(), Position::Grandpa(round(9))).expect("raised");
        ledger.raise(&mut tee, &gran(), Position::Grandpa(round(8))).expect("raised");
        assert_eq!(tee.writes, writes, "it only rises");
        ledger.close(&mut tee).expect("closed");
        ledger = start(&mut tee);
        assert_eq!(say(&mut tee, &mut ledger, vote(9, 1)), Ok(Judgement::Refuse(Rule::GrandpaOldRound)));
        tee.objects = copy;
        ledger = start(&mut tee);
        assert!(matches!(say(&mut tee, &mut ledger, vote(9, 1)), Ok(Judgement::Refuse(_))));
        assert_eq!(say(&mut tee, &mut ledger, vote(10, 1)), SIGN);
    }
}

#[test]
fn watermarks_are_told_page_by_page() {
    let (mut tee, mut ledger) = new(false);
    assert_eq!(say(&mut tee, &mut ledger, vote(5, 1)), SIGN);
    assert_eq!(say(&mut tee, &mut ledger, seal(6, 1)), SIGN);
    let first = WatermarkInfo { id: aura(), highest: Position::Aura(6) };
    let second = WatermarkInfo { id: gran(), highest: Position::Grandpa(round(5)) };
    assert_eq!(ledger.page(None, 1), (vec![first.clone()], true));
    assert_eq!(ledger.page(Some(&aura()), 1), (vec![second.clone()], false));
    assert_eq!(ledger.page(None, 2), (vec![first, second], false));
    assert_eq!(ledger.page(Some(&gran()), 2), (vec![], false));
    assert_eq!(ledger.page(None, 0), (vec![], true));
}

#[test]
fn positions_at_the_end_of_their_range_do_not_wrap() {
    for ahead in [false, true] {
        let (mut tee, mut ledger) = new(ahead);
        assert_eq!(say(&mut tee, &mut ledger, vote(u64::MAX, 1)), SIGN);
        assert_eq!(say(&mut tee, &mut ledger, seal(u64::MAX, 1)), SIGN);
        ledger = start(&mut tee);
        assert!(matches!(say(&mut tee, &mut ledger, vote(u64::MAX, 2)), Ok(Judgement::Refuse(_))));
        assert!(matches!(say(&mut tee, &mut ledger, seal(1, 2)), Ok(Judgement::Refuse(_))));
    }
}

#[test]
fn an_end_that_could_not_be_written_down_is_written_down_the_next_time() {
    for (accident, landed) in [(Accident::Lost, false), (Accident::Landed, true)] {
        for statement in [None, Some(vote(2, 1))] {
            let (mut tee, mut ledger) = new(true);
            assert_eq!(say(&mut tee, &mut ledger, vote(1, 1)), SIGN);
            let before = tee.cell.clone();
            tee.plan(0, accident);
            assert_eq!(ledger.close(&mut tee), Err(Error::Platform(FAULT.0)));
            assert_eq!(tee.cell != before, landed);
            if let Some(statement) = statement {
                // One that follows all the same takes the mark back.
                assert_eq!(say(&mut tee, &mut ledger, statement), SIGN);
                let mut cut = tee.copy();
                assert!(start(&mut cut).floor().grandpa >= Some(round(2)));
            }
            ledger.close(&mut tee).expect("closed");
            assert_eq!(start(&mut tee).floor(), Positions::default());
        }
    }
}
