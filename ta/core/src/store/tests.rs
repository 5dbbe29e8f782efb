use alloc::vec;

use super::*;
use crate::{
    testing::{unknown_key, Accident, TestTee, ACCIDENTS, FAULT},
    Command, Scheme,
};

fn meta(schema: u16, ta_version: u32, development: bool) -> Vec<u8> {
    Meta::V1 { schema, ta_version, development }.encode()
}

/// What the first version wrote.
fn first_cell() -> Vec<u8> {
    CellObject::V1 { ta_version: 1 }.encode()
}

fn cell(ta_version: u32) -> Vec<u8> {
    CellObject::V2 { ta_version, cell: Box::new(Cell::new()) }.encode()
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
        Command::Sign { id, message: vec![], context: crate::Context::None },
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
        &|tee| tee.cell = Some(cell(TA_VERSION + 1)),
        &|tee| tee.cell = Some(vec![3, 9, 9]),
        &|tee| drop(tee.objects.insert(META.to_vec(), meta(STORE_SCHEMA, TA_VERSION + 1, true))),
        &|tee| drop(tee.objects.insert(META.to_vec(), meta(STORE_SCHEMA + 1, TA_VERSION, true))),
        &|tee| drop(tee.objects.insert(META.to_vec(), vec![2])),
        // A restored disk beside a cell that knows better.
        &|tee| {
            tee.objects.clear();
            tee.cell = Some(cell(u32::MAX));
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
    tee.make(Scheme::Ed25519, *b"gran");
    tee.restart();
    tee.development = true;
    assert_eq!(tee.list(1), Err(Error::OtherStore));
}

#[test]
fn a_store_without_its_cell_or_its_meta_or_with_damaged_ones_is_refused() {
    let damaged: [&dyn Fn(&mut TestTee); 11] = [
        &|tee| tee.cell = None,
        &|tee| drop(tee.objects.remove(META)),
        &|tee| tee.cell = Some(vec![]),
        &|tee| tee.cell = Some(vec![1, 0]),
        &|tee| tee.cell = Some(vec![2, 0]),
        // One that went back to what an older trusted application wrote, beside a store that a newer one opened.
        &|tee| tee.cell = Some(first_cell()),
        // A watermark that says nothing.
        &|tee| drop(tee.objects.insert(watermark_name(&unknown_key(Scheme::Ed25519, *b"gran")), vec![1])),
        // One that decodes, to a round in which there is no vote.
        &|tee| {
            let unsound = (1u8, 0u8, None::<u8>, vec![(0u64, 1u64, [0u8; 3])]).encode();
            tee.objects.insert(watermark_name(&unknown_key(Scheme::Ed25519, *b"gran")), unsound);
        },
        &|tee| drop(tee.objects.insert(META.to_vec(), vec![])),
        &|tee| drop(tee.objects.insert(META.to_vec(), [meta(STORE_SCHEMA, TA_VERSION, true), vec![0]].concat())),
        &|tee| drop(tee.objects.insert(META.to_vec(), meta(0, TA_VERSION, true))),
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
fn a_new_store_survives_an_accident_at_each_of_its_two_writes() {
    for accident in ACCIDENTS {
        for write in 0..3 {
            let mut tee = TestTee::production();
            tee.plan(write, accident);
            let info = tee.info();
            assert_eq!(tee.accident_happened(), write < 2);
            assert_eq!(info.keys.is_none(), write < 2);
            tee.restart();
            assert_eq!(tee.info().keys, Some(0), "{accident:?} at write {write}");
            assert_eq!(tee.cell, Some(cell(TA_VERSION)));
            assert_eq!(tee.objects.get(META), Some(&meta(STORE_SCHEMA, TA_VERSION, false)));
        }
    }
}

#[test]
fn the_store_of_an_older_trusted_application_is_taken_over_across_a_cut_and_the_older_one_refused() {
    for write in 0..3 {
        let mut tee = TestTee::development();
        tee.make(Scheme::Sr25519, *b"aura");
        tee.restart();
        tee.objects.insert(META.to_vec(), meta(FIRST_SCHEMA, TA_VERSION - 1, true));
        tee.cell = Some(first_cell());
        tee.plan(write, Accident::CutAfter);
        tee.info();
        // The cell is raised first, so that the older one is refused from the first write on.
        assert_eq!(tee.cell, Some(cell(TA_VERSION)));
        tee.restart();
        assert_eq!(tee.info().keys, Some(1));
        assert_eq!(tee.objects.get(META), Some(&meta(STORE_SCHEMA, TA_VERSION, true)));
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
    let object = KeyObject::V1 { usage: Usage::SignAndVrf, origin: Origin::Seeded, secret: Seed(vec![1; 64]) };
    assert!(object.encode().len() <= KEY_OBJECT_CAPACITY);
}

#[test]
fn a_store_that_lost_its_meta_and_its_keys_beside_a_watermark_is_no_new_one() {
    let mut tee = TestTee::production();
    let id = tee.make(Scheme::Ed25519, *b"gran").id;
    tee.sign(&id, &crate::testing::vote(0, 1, 1), crate::Context::None).expect("signed");
    tee.restart();
    tee.objects.remove(META);
    tee.objects.remove(&key_name(&id));
    assert_eq!(tee.list(1), Err(Error::Corrupt));
}
