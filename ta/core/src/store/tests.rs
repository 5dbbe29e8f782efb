use alloc::vec;

use super::*;
use crate::{
    ledger::Known,
    optee::MAX_CELL,
    testing::{vote, Accident, TestTee, ACCIDENTS, FAULT},
    Command, Context, GrandpaRound, Position, Positions, Reply, Rule, Scheme,
};

const GRAN: (Scheme, crate::KeyType) = (Scheme::Ed25519, *b"gran");

/// Which store there is.
fn birth_of(tee: &TestTee) -> Birth {
    let cell = tee.cell.as_ref().expect("a cell");
    let CellObject::V3 { cell, .. } = CellObject::decode_all(&mut &cell[..]).expect("whole");
    cell.birth
}

fn meta(schema: u16, ta_version: u32, development: bool, birth: Birth) -> Vec<u8> {
    Meta::V2 { schema, ta_version, development, rollback_protected: false, birth }.encode()
}

/// Puts in place of `meta` that of the same store with these.
fn put_meta(tee: &mut TestTee, schema: u16, ta_version: u32) {
    let meta = meta(schema, ta_version, true, birth_of(tee));
    tee.objects.insert(META.to_vec(), meta);
}

/// A cell before the first statement.
fn cell(ta_version: u32, birth: Birth) -> Vec<u8> {
    CellObject::V3 { ta_version, cell: Box::new(Cell::new(birth)) }.encode()
}

/// A vote for another target than [`vote`] has.
fn other_vote(round: u64) -> Vec<u8> {
    let mut other = vote(0, round, 0);
    other[1] ^= 1;
    other
}

/// A store with one key, and the error that every use of it gives after `change`.
fn refusal(change: impl FnOnce(&mut TestTee)) -> Error {
    let mut tee = TestTee::development();
    let key = tee.make(Scheme::Ed25519, *b"test");
    let (objects, cell) = (tee.objects.clone(), tee.cell.clone());
    tee.restart();
    change(&mut tee);
    let changed = (tee.objects.clone(), tee.cell.clone());

    let info = tee.info();
    assert_eq!((info.keys, info.catalogue), (None, 0));
    let error = tee.list(10).expect_err("the store cannot be used");
    let id = key.id;
    for command in [
        Command::Has { id: id.clone() },
        Command::Retire { id: id.clone() },
        Command::Sign { id, message: vec![], context: Context::None },
        Command::Generate { scheme: Scheme::Ecdsa, key_type: *b"test", usage: Usage::Sign, seed: None },
        Command::Measure { challenge: [0; 64], keys: vec![] },
    ] {
        assert_eq!(tee.ask(command), Err(error));
    }
    assert_eq!((&tee.objects, &tee.cell), (&changed.0, &changed.1), "a refused store is left as it is");

    // Put right, it serves again without a restart.
    (tee.objects, tee.cell, tee.development) = (objects, cell, true);
    assert_eq!(tee.info().keys, Some(1));
    error
}

#[test]
fn the_store_of_a_newer_trusted_application_is_refused_and_left_alone() {
    let newer: [&dyn Fn(&mut TestTee); 6] = [
        &|tee| tee.cell = Some(cell(TA_VERSION + 1, birth_of(tee))),
        &|tee| tee.cell = Some(vec![4, 9, 9]),
        &|tee| put_meta(tee, STORE_SCHEMA, TA_VERSION + 1),
        &|tee| put_meta(tee, STORE_SCHEMA + 1, TA_VERSION),
        &|tee| drop(tee.objects.insert(META.to_vec(), vec![3])),
        // A disk that was wiped beside a cell that knows better.
        &|tee| {
            tee.objects.clear();
            tee.cell = Some(cell(u32::MAX, birth_of(tee)));
        },
    ];
    for change in newer {
        assert_eq!(refusal(change), Error::NewerStore);
    }
}

#[test]
fn the_store_of_the_other_kind_is_refused() {
    assert_eq!(refusal(|tee| tee.development = false), Error::OtherStore);
    let mut tee = TestTee::production();
    tee.rollback_protected = true;
    tee.make(Scheme::Ed25519, *b"gran");
    for (same, protected) in [(false, false), (true, true)] {
        tee.restart();
        tee.rollback_protected = protected;
        assert_eq!(tee.list(1).err(), (!same).then_some(Error::OtherStore));
    }
    let mut tee = TestTee::production();
    tee.make(Scheme::Ed25519, *b"gran");
    tee.restart();
    tee.development = true;
    assert_eq!(tee.list(1), Err(Error::OtherStore));
}

#[test]
fn a_store_without_its_cell_or_its_meta_or_with_damaged_ones_is_refused() {
    let damaged: [&dyn Fn(&mut TestTee); 14] = [
        &|tee| tee.cell = None,
        &|tee| drop(tee.objects.remove(META)),
        &|tee| tee.cell = Some(vec![]),
        &|tee| tee.cell = Some(vec![1, 0]),
        &|tee| tee.cell = Some(vec![2, 0]),
        &|tee| tee.cell = Some(vec![3, 0]),
        // One that went back to what an older trusted application wrote, beside a store that a newer one opened.
        &|tee| tee.cell = Some(cell(TA_VERSION - 1, birth_of(tee))),
        // Another store's, on either side.
        &|tee| tee.cell = Some(cell(TA_VERSION, [9; 16])),
        &|tee| drop(tee.objects.insert(META.to_vec(), meta(STORE_SCHEMA, TA_VERSION, true, [9; 16]))),
        &|tee| drop(tee.objects.insert(META.to_vec(), vec![])),
        &|tee| drop(tee.objects.insert(META.to_vec(), vec![1, 2, 0, 2, 0, 0, 0, 1])),
        &|tee| tee.objects.get_mut(META).expect("there").push(0),
        &|tee| put_meta(tee, STORE_SCHEMA - 1, TA_VERSION),
        &|tee| put_meta(tee, 0, TA_VERSION),
    ];
    for change in damaged {
        assert_eq!(refusal(change), Error::Corrupt);
    }
}

#[test]
fn a_store_without_keys_that_lost_its_meta_beside_a_counter_is_no_new_one() {
    for lose_cell in [false, true] {
        let mut tee = TestTee::production();
        tee.measure([0; 64], &[]).expect("measured");
        tee.restart();
        tee.objects.remove(META);
        if lose_cell {
            tee.cell = None;
        }
        assert_eq!(tee.measure([0; 64], &[]), Err(Error::Corrupt));
        assert_eq!(tee.info().keys, None);
    }
}

#[test]
fn a_fault_while_opening_is_reported_and_passes() {
    let mut tee = TestTee::development();
    tee.fail_loads(Some(FAULT));
    assert_eq!(tee.info().keys, None);
    assert_eq!(tee.list(1), Err(Error::Platform(FAULT.0)));
    tee.fail_loads(None);
    assert_eq!(tee.info().keys, Some(0));
}

#[test]
fn a_new_store_survives_an_accident_at_each_of_its_two_writes_also_beside_the_cell_of_one_before() {
    for accident in ACCIDENTS {
        for write in 0..3 {
            for (before, restart) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut tee = TestTee::production();
                let mut births = vec![];
                if before {
                    tee.info();
                    births.push(birth_of(&tee));
                    tee.objects.clear();
                    tee.restart();
                }
                tee.plan(write, accident);
                let info = tee.info();
                assert_eq!(tee.accident_happened(), write < 2);
                assert_eq!(info.keys.is_none(), write < 2);
                births.extend(tee.cell.is_some().then(|| birth_of(&tee)));
                // Without a start the next command tries again.
                if restart || tee.is_off() {
                    tee.restart();
                }
                assert_eq!(tee.info().keys, Some(0), "{accident:?} at write {write}");
                let birth = birth_of(&tee);
                assert_eq!(tee.cell, Some(cell(TA_VERSION, birth)));
                assert_eq!(tee.objects.get(META), Some(&meta(STORE_SCHEMA, TA_VERSION, false, birth)));
                // Only one that was whole stays the same.
                let whole = write == 2 || (write == 1 && matches!(accident, Accident::Landed | Accident::CutAfter));
                assert_eq!(births.last() == Some(&birth), whole, "{accident:?} at write {write}");
            }
        }
    }
}

#[test]
fn without_randomness_or_with_zeros_or_the_same_again_there_is_no_new_store() {
    let mut tee = TestTee::production();
    let stuck = Err(Error::Platform(Fault::RANDOMNESS.0));
    let draws = |tee: &mut TestTee, drawn: Birth| {
        tee.next_random = vec![drawn.to_vec()];
        tee.list(1)
    };
    assert_eq!(draws(&mut tee, [0; 16]), stuck);
    tee.fail_random(FAULT);
    assert_eq!(tee.list(1), Err(Error::Platform(FAULT.0)));
    tee.fail_random(None);
    assert!(tee.objects.is_empty() && tee.cell.is_none());
    assert_eq!(draws(&mut tee, [8; 16]), Ok(vec![]));
    assert_eq!(birth_of(&tee), [8; 16]);
    tee.objects.clear();
    tee.restart();
    assert_eq!(draws(&mut tee, [8; 16]), stuck);
    assert_eq!(draws(&mut tee, [0; 16]), stuck);
    assert_eq!(tee.list(1), Ok(vec![]));
}

/// A store with a key that voted in round 5, and a copy of it from before.
fn voted(ahead: bool) -> (TestTee, KeyId, crate::testing::Objects) {
    let mut tee = TestTee::production();
    (tee.cell_ahead, tee.rollback_protected) = (ahead, true);
    let id = tee.make(GRAN.0, GRAN.1).id;
    let copy = tee.objects.clone();
    tee.sign(&id, &vote(0, 5, 0), Context::None).expect("signed");
    (tee, id, copy)
}

#[test]
fn a_key_of_a_store_whose_disk_was_emptied_and_whose_cell_was_hidden_or_deleted_signs_nothing_more_from_a_copy() {
    for ahead in [false, true] {
        for (hidden, newer_first) in [(true, true), (true, false), (false, false)] {
            let (mut tee, id, copy) = voted(ahead);
            tee.newer_cell_first = newer_first;
            tee.restart();
            tee.objects.clear();
            if hidden {
                tee.cell_hidden = true;
            } else {
                tee.cell = None;
            }
            // A new one, unless its cell is not the one that is found.
            let stays = hidden && !newer_first;
            assert_eq!(tee.list(64), if stays { Err(Error::Corrupt) } else { Ok(vec![]) });
            let empty = tee.objects.clone();
            assert_eq!(empty.is_empty(), stays);
            // The copy alone, the copy over what is there, and its key alone.
            let key = copy.iter().filter(|(name, _)| name[0] == KEY).map(|(name, data)| (name.clone(), data.clone()));
            let mixed = empty.clone().into_iter().chain(key).collect();
            let over = empty.into_iter().chain(copy.clone()).collect();
            for objects in [copy, mixed, over] {
                tee.objects = objects;
                tee.restart();
                let other = tee.sign(&id, &other_vote(5), Context::None);
                // The cell that stayed has what the copy has not.
                match other {
                    Err(Error::Refused(_)) => assert!(stays),
                    other => assert_eq!(other, Err(Error::Corrupt), "ahead {ahead}, hidden {hidden}"),
                }
            }
        }
    }
}

#[test]
fn a_cell_that_was_made_beside_a_hidden_one_and_is_not_found_is_no_stores_when_the_other_is_gone() {
    let (mut tee, ..) = voted(true);
    tee.restart();
    tee.objects.clear();
    tee.cell_hidden = true;
    assert_eq!(tee.list(64), Err(Error::Corrupt));
    let id = tee.make(GRAN.0, GRAN.1).id;
    let copy = tee.objects.clone();
    tee.sign(&id, &vote(0, 5, 0), Context::None).expect("signed");
    tee.cell = tee.cell_behind.take();
    tee.objects = copy;
    tee.restart();
    assert_eq!(tee.sign(&id, &other_vote(5), Context::None), Err(Error::Corrupt));
}

#[test]
fn a_cell_that_is_hidden_while_it_is_to_be_written_is_not_made_again() {
    let (mut tee, id, copy) = voted(true);
    let before = tee.cell.clone();
    tee.cell_hidden = true;
    assert_eq!(tee.sign(&id, &vote(0, 50, 0), Context::None), Err(Error::Platform(FAULT.0)));
    assert_eq!((&tee.cell, &tee.cell_behind), (&before, &None));
    tee.cell_hidden = false;
    tee.sign(&id, &vote(0, 50, 0), Context::None).expect("signed");
    tee.objects = copy;
    tee.restart();
    assert_eq!(tee.sign(&id, &other_vote(50), Context::None), Err(Error::Refused(Rule::BelowCeiling)));
}

#[test]
fn once_a_store_was_opened_no_other_is_until_the_next_start() {
    for ahead in [false, true] {
        // Another store of the same application, whole.
        let (mut other, ..) = voted(ahead);
        other.objects.clear();
        other.restart();
        other.make(GRAN.0, GRAN.1);

        let (mut tee, id, _) = voted(ahead);
        // A write that fails has the store opened again.
        let fail = |tee: &mut TestTee| {
            tee.plan(0, Accident::Lost);
            assert_eq!(tee.generate(GRAN.0, GRAN.1, Usage::Sign, None), Err(Error::Platform(FAULT.0)));
        };
        // Without keys, none is missed.
        tee.ask(Command::Retire { id }).expect("retired");
        fail(&mut tee);
        let (objects, cell) = (tee.objects.clone(), tee.cell.clone());
        let nothing = Default::default();
        for (objects, cell, hidden) in [
            (&other.objects, &other.cell, false),
            (&nothing, &cell, false),
            (&nothing, &cell, true),
            (&nothing, &None, false),
        ] {
            (tee.objects, tee.cell, tee.cell_hidden) = (objects.clone(), cell.clone(), hidden);
            assert_eq!(tee.list(64), Err(Error::Corrupt));
            assert_eq!(tee.generate(GRAN.0, GRAN.1, Usage::Sign, None), Err(Error::Corrupt));
            assert_eq!(tee.ask(Command::Close), Err(Error::Corrupt));
            assert_eq!((&tee.objects, &tee.cell), (objects, cell), "nothing is written over it");
        }
        (tee.objects, tee.cell, tee.cell_hidden) = (objects, cell, false);
        assert_eq!(tee.list(64), Ok(vec![]));
        (tee.objects, tee.cell) = (other.objects, other.cell);
        tee.restart();
        assert_eq!(tee.list(64).map(|listed| listed.len()), Ok(1));
    }
}

#[test]
fn a_key_that_is_gone_when_the_store_is_opened_again_after_a_fault_is_missed() {
    let mut tee = TestTee::development();
    let (gone, kept) = (tee.make(GRAN.0, GRAN.1).id, tee.make(Scheme::Sr25519, *b"aura").id);
    tee.plan(0, Accident::Lost);
    assert_eq!(tee.generate(GRAN.0, GRAN.1, Usage::Sign, None), Err(Error::Platform(FAULT.0)));
    let whole = tee.objects.clone();
    tee.objects.remove(&key_name(&gone));
    assert_eq!(tee.list(64), Err(Error::Corrupt));
    assert_eq!(tee.ask(Command::Has { id: kept }), Err(Error::Corrupt));
    tee.objects = whole;
    assert_eq!(tee.list(64).map(|listed| listed.len()), Ok(2));
}

#[test]
fn a_store_that_could_not_be_made_at_once_is_whole_when_it_is_made_and_states_in_its_own_name() {
    for ahead in [false, true] {
        // The cell, then `meta`.
        for writes in [0, 1] {
            let mut tee = TestTee::production();
            (tee.cell_ahead, tee.rollback_protected) = (ahead, true);
            tee.plan(writes, Accident::Lost);
            assert_eq!(tee.list(64), Err(Error::Platform(FAULT.0)));
            let id = tee.make(GRAN.0, GRAN.1).id;
            let message = vote(0, 1, 0);
            let signed = tee.ask(Command::Sign { id: id.clone(), message: message.clone(), context: Context::None });
            assert!(signed.is_ok(), "{signed:?}");
            let birth = birth_of(&tee);
            tee.restart();
            assert_eq!(tee.list(64).map(|listed| listed.len()), Ok(1));
            assert_eq!(birth_of(&tee), birth);
            assert_eq!(tee.ask(Command::Sign { id, message, context: Context::None }), signed);
        }
    }
}

#[test]
fn a_wiped_disk_beside_a_kept_cell_is_a_new_store_with_nothing_of_the_old_one_not_even_its_floor() {
    for ahead in [false, true] {
        let (mut tee, id, copy) = voted(ahead);
        // Somebody spends the store.
        tee.ask(Command::RaiseWatermark { id: id.clone(), to: Position::Grandpa(round(u64::MAX)) }).expect("raised");
        tee.ask(Command::Retire { id: id.clone() }).expect("retired");
        let new = tee.make(GRAN.0, GRAN.1).id;
        assert_eq!(tee.sign(&new, &vote(0, 9, 0), Context::None), Err(Error::Refused(Rule::BelowCeiling)));
        tee.objects.clear();
        tee.restart();
        let new = tee.make(GRAN.0, GRAN.1).id;
        tee.sign(&new, &vote(0, 1, 0), Context::None).expect("signed");
        tee.objects
            .extend(copy.iter().filter(|(name, _)| *name != META).map(|(name, data)| (name.clone(), data.clone())));
        tee.restart();
        assert_eq!(tee.sign(&id, &other_vote(5), Context::None), Err(Error::Corrupt));
        assert_eq!(tee.list(64).map(|listed| listed.len()), Ok(1));
        tee.ask(Command::Retire { id }).expect("retired");
        tee.objects = copy;
        tee.restart();
        assert_eq!(tee.list(64), Err(Error::Corrupt));
    }
}

#[test]
fn a_meta_that_is_listed_and_then_said_not_to_be_there_is_no_sign_of_a_new_store() {
    let mut tee = TestTee::production();
    tee.info();
    tee.restart();
    tee.hidden = Some(META.to_vec());
    assert_eq!(tee.list(1), Err(Error::Corrupt));
}

fn round(round: u64) -> GrandpaRound {
    GrandpaRound { set_id: 0, round }
}

#[test]
fn a_watermark_that_is_damaged_or_lost_costs_what_is_below_the_ceiling_and_no_command() {
    let unsound = (1u8, 0u8, None::<u8>, vec![(0u64, 1u64, [0u8; 3])]).encode();
    for damaged in [vec![], vec![1], vec![2, 0], unsound] {
        for hidden in [false, true] {
            let (mut tee, id, _) = voted(true);
            tee.ask(Command::Close).expect("closed");
            tee.restart();
            if hidden {
                tee.hidden = Some(watermark_name(&id));
            } else {
                tee.objects.insert(watermark_name(&id), damaged.clone());
            }
            let other = tee.make(GRAN.0, GRAN.1).id;
            for (key, at) in [(&id, 5), (&id, 8), (&other, 5), (&other, 8)] {
                let refused = tee.sign(key, &other_vote(at), Context::None);
                assert_eq!(refused, Err(Error::Refused(Rule::BelowCeiling)), "{at}");
            }
            tee.sign(&other, &vote(0, 9, 0), Context::None).expect("above the ceiling");
            assert_eq!(tee.list(64).map(|listed| listed.len()), Ok(2));
            assert_eq!(tee.ask(Command::Retire { id: id.clone() }), Ok(Reply::Retired));
            assert!(!tee.objects.contains_key(&watermark_name(&id)));
            tee.restart();
            assert_eq!(tee.list(64).map(|listed| listed.len()), Ok(1));
        }
    }
    // One that cannot be read now is another matter.
    let (mut tee, ..) = voted(true);
    tee.restart();
    tee.fail_loads(Some(FAULT));
    assert_eq!(tee.list(64), Err(Error::Platform(FAULT.0)));
}

#[test]
fn a_damaged_watermark_that_is_in_the_cell_too_costs_nothing() {
    let (mut tee, id, _) = voted(false);
    tee.restart();
    tee.objects.insert(watermark_name(&id), vec![]);
    assert_eq!(tee.sign(&id, &other_vote(5), Context::None), Err(Error::Refused(Rule::GrandpaDoubleVote)));
    tee.sign(&id, &vote(0, 6, 0), Context::None).expect("signed");
}

#[test]
fn the_longest_cell_that_is_written_ahead_fits_its_record() {
    let highest = Positions { grandpa: Some(GrandpaRound { set_id: u64::MAX, round: u64::MAX }), slot: Some(u64::MAX) };
    for known in [Known::Nothing, Known::Digest { digest: [0xff; 32], change: None }] {
        let cell = Cell { birth: [0xff; 16], ceiling: highest, floor: highest, known };
        assert!(cell_object(&cell).len() <= MAX_CELL);
    }
}

#[test]
fn the_store_of_an_older_trusted_application_is_taken_over_across_a_cut_and_the_older_one_refused() {
    for write in 0..3 {
        let mut tee = TestTee::development();
        tee.make(Scheme::Sr25519, *b"aura");
        tee.restart();
        let birth = birth_of(&tee);
        tee.leave_as_version(TA_VERSION - 1);
        tee.plan(write, Accident::CutAfter);
        tee.info();
        // The cell is raised first, so that the older one is refused from the first write on.
        assert_eq!(tee.cell, Some(cell(TA_VERSION, birth)));
        tee.restart();
        assert_eq!(tee.info().keys, Some(1));
        assert_eq!(tee.objects.get(META), Some(&meta(STORE_SCHEMA, TA_VERSION, true, birth)));
    }
}

fn key_id(name: &[u8]) -> Option<KeyId> {
    key_of(KEY, name)
}

#[test]
fn names_of_keys_fit_and_come_back_and_other_objects_are_no_keys() {
    for (scheme, length) in [(Scheme::Sr25519, 32), (Scheme::Ed25519, 32), (Scheme::Ecdsa, 33)] {
        let id = KeyId { scheme, key_type: *b"test", public: vec![0xab; length] };
        let name = key_name(&id);
        assert!(name.len() <= 64);
        assert_eq!(key_id(&name), Some(id.clone()));
        let marked = watermark_name(&id);
        assert_eq!(
            (key_of(WATERMARK, &marked), key_id(&marked), key_of(WATERMARK, &name)),
            (Some(id.clone()), None, None)
        );
        assert_eq!(key_id(&name[..name.len() - 1]), None);
        assert_eq!(key_id(&[&name[..], &[0]].concat()), None);
        assert_eq!(key_id(&key_name(&KeyId { public: vec![0xab; length + 1], ..id.clone() })), None);
        assert_eq!(key_id(&key_name(&KeyId { public: vec![], ..id })), None);
    }
    assert_eq!(key_id(META), None);
    assert_eq!(key_id(MEASUREMENTS), None);
    assert_eq!(key_id(b""), None);
    assert_eq!(key_id(b"k"), None);
}

#[test]
fn the_order_of_keys_is_that_of_their_encoded_names() {
    let mut ids = vec![];
    for (scheme, length) in [(Scheme::Ecdsa, 33), (Scheme::Sr25519, 32), (Scheme::Ed25519, 32)] {
        for key_type in [*b"test", *b"aura", [0xff; 4], [0; 4]] {
            for fill in [0xff, 0, 0x80] {
                ids.push(KeyId { scheme, key_type, public: vec![fill; length] });
            }
        }
    }
    let mut by_name = ids.clone();
    by_name.sort_by_key(key_name);
    ids.sort();
    assert_eq!(ids, by_name);
}

#[test]
fn the_largest_key_object_fits_its_buffer() {
    let (birth, secret) = ([1; 16], Seed(vec![1; 64]));
    let object = KeyObject::V2 { birth, usage: Usage::SignAndVrf, origin: Origin::Seeded, secret };
    assert!(object.encode().len() <= KEY_OBJECT_CAPACITY);
}

#[test]
fn a_store_that_lost_its_meta_and_its_keys_beside_a_watermark_is_no_new_one() {
    let mut tee = TestTee::production();
    let id = tee.make(Scheme::Ed25519, *b"gran").id;
    tee.sign(&id, &vote(0, 1, 1), Context::None).expect("signed");
    tee.restart();
    tee.objects.remove(META);
    tee.objects.remove(&key_name(&id));
    assert_eq!(tee.list(1), Err(Error::Corrupt));
}
