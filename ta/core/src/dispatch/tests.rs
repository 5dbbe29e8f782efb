use alloc::{vec, vec::Vec};
use std::collections::BTreeSet;

use super::*;
use crate::{
    store,
    testing::{
        generated, header, hex, possession, unknown_key, vote, TestTee, ALICE_ECDSA, ALICE_ED25519, ALICE_SR25519,
        FAULT,
    },
    Context, Kind, Rule, MAX_KEYS,
};

const SCHEMES: [Scheme; 3] = [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa];
const BAD_KEY: Error = Error::BadRequest(BadRequest::BadKey);
const WRONG_SCHEME: Error = Error::BadRequest(BadRequest::WrongScheme);

/// A development TEE with one generated key of each scheme, of type `test`.
fn with_keys() -> (TestTee, Vec<KeyInfo>) {
    let mut tee = TestTee::development();
    let keys = SCHEMES.map(|scheme| tee.make(scheme, *b"test")).to_vec();
    (tee, keys)
}

fn sign(tee: &mut TestTee, key: &KeyInfo) -> Result<Vec<u8>, Error> {
    tee.sign(&key.id, b"message", Context::None)
}

#[test]
fn info_says_what_this_is() {
    let mut tee = TestTee::production();
    let empty = Info {
        ta_version: 2,
        schema: 3,
        kind: Kind::Software,
        development: false,
        keys: Some(0),
        catalogue: 0,
        rollback_protected: false,
        capacity: MAX_KEYS,
    };
    assert_eq!(tee.info(), empty);
    tee.make(Scheme::Ed25519, *b"gran");
    assert_eq!(tee.info().keys, Some(1));
    tee.rollback_protected = true;
    assert!(tee.info().rollback_protected);
    assert!(TestTee::development().info().development);
}

#[test]
fn a_key_is_made_listed_used_and_retired() {
    let (mut tee, keys) = with_keys();
    assert_eq!(tee.list(10), Ok(keys.clone()));
    for key in keys {
        assert_eq!(key, generated(key.id.clone(), Usage::Sign));
        let length = if key.id.scheme == Scheme::Ecdsa { 65 } else { 64 };
        assert_eq!(sign(&mut tee, &key).map(|signature| signature.len()), Ok(length));
        let id = key.id.clone();
        assert_eq!(tee.ask(Command::Has { id: id.clone() }), Ok(Reply::Has(true)));
        assert_eq!(tee.ask(Command::Retire { id: id.clone() }), Ok(Reply::Retired));
        assert_eq!(tee.ask(Command::Has { id: id.clone() }), Ok(Reply::Has(false)));
        assert_eq!(tee.ask(Command::Retire { id }), Err(Error::NoSuchKey));
        assert_eq!(sign(&mut tee, &key), Err(Error::NoSuchKey));
    }
    assert_eq!(tee.list(10), Ok(vec![]));
    assert_eq!(tee.objects.len(), 1, "only meta is left");
}

#[test]
fn keys_outlive_a_restart() {
    let (mut tee, keys) = with_keys();
    let ed25519 = sign(&mut tee, &keys[1]);
    tee.restart();
    assert_eq!(tee.list(10), Ok(keys.clone()));
    assert_eq!(sign(&mut tee, &keys[1]), ed25519);
}

#[test]
fn a_key_is_read_once() {
    let (mut tee, keys) = with_keys();
    tee.restart();
    for key in &keys {
        sign(&mut tee, key).expect("signed");
    }
    let loads = tee.loads;
    for key in &keys {
        sign(&mut tee, key).expect("signed");
        tee.ask(Command::Has { id: key.id.clone() }).expect("answered");
    }
    tee.list(64).expect("listed");
    assert_eq!(tee.loads, loads);
}

#[test]
fn any_number_of_keys_is_listed_page_by_page_in_the_order_of_their_names() {
    let mut tee = TestTee::development();
    let made: BTreeSet<Vec<u8>> = (0..150).map(|_| store::key_name(&tee.make(Scheme::Ecdsa, *b"test").id)).collect();
    tee.restart();
    for limit in [1, 7, 64, 150, u16::MAX] {
        let listed: Vec<Vec<u8>> =
            tee.list(limit).expect("listed").iter().map(|key| store::key_name(&key.id)).collect();
        assert!(listed.iter().eq(&made), "pages of {limit}");
    }
    let page = |tee: &mut TestTee, after, limit| match tee.ask(Command::List { after, limit }) {
        Ok(Reply::Keys { keys, more }) => (keys.len(), more),
        other => panic!("not a page: {other:?}"),
    };
    assert_eq!(page(&mut tee, None, 0), (0, true));
    assert_eq!(page(&mut tee, None, u16::MAX), (MAX_PAGE.into(), true));
    // A key that is not there has its place in the order too.
    let first = KeyId { public: vec![0; 33], ..unknown_key(Scheme::Ecdsa, *b"test") };
    assert_eq!(page(&mut tee, Some(first.clone()), 10), (10, true));
    assert_eq!(page(&mut tee, Some(KeyId { public: vec![0xff; 33], ..first }), 10), (0, false));
}

#[test]
fn the_catalogue_number_tells_sets_of_keys_apart_and_is_the_same_after_a_restart() {
    let mut tee = TestTee::development();
    let mut seen = vec![tee.info().catalogue];
    let mut keys = vec![];
    for _ in 0..5 {
        keys.push(tee.make(Scheme::Ed25519, *b"test"));
        seen.push(tee.info().catalogue);
    }
    tee.restart();
    for key in keys.into_iter().rev() {
        assert_eq!(Some(tee.info().catalogue), seen.pop());
        tee.ask(Command::Retire { id: key.id }).expect("retired");
    }
    assert_eq!(Some(tee.info().catalogue), seen.pop());
}

#[test]
fn the_same_seed_is_the_same_key_and_known_as_seeded() {
    for (scheme, seed) in
        [(Scheme::Sr25519, ALICE_SR25519), (Scheme::Ed25519, ALICE_ED25519), (Scheme::Ecdsa, ALICE_ECDSA)]
    {
        let mut tee = TestTee::development();
        let make = |tee: &mut TestTee| tee.generate(scheme, *b"test", Usage::Sign, Some(&hex(seed)));
        let first = make(&mut tee).expect("made");
        assert_eq!(first.origin, Origin::Seeded);
        let stored = tee.objects.clone();
        assert_eq!(make(&mut tee), Ok(first.clone()));
        tee.restart();
        assert_eq!(make(&mut tee), Ok(first.clone()));
        assert_eq!(tee.objects, stored);
        assert_eq!(tee.list(10), Ok(vec![first]));
    }
}

#[test]
fn a_key_keeps_the_use_that_it_was_made_for() {
    let mut tee = TestTee::development();
    let seed = hex(ALICE_SR25519);
    let made = tee.generate(Scheme::Sr25519, *b"test", Usage::Sign, Some(&seed)).expect("made");
    assert_eq!(tee.generate(Scheme::Sr25519, *b"test", Usage::SignAndVrf, Some(&seed)), Ok(made.clone()));
    assert_eq!(
        tee.ask(Command::VrfPreOutput { id: made.id, input: [2; 32] }),
        Err(Error::Refused(Rule::VrfNotAllowed))
    );
}

#[test]
fn one_seed_makes_separate_keys_of_separate_types() {
    let mut tee = TestTee::development();
    let seed = hex(ALICE_SR25519);
    let aura = tee.generate(Scheme::Sr25519, *b"aura", Usage::Sign, Some(&seed)).expect("made");
    let test = tee.generate(Scheme::Sr25519, *b"test", Usage::Sign, Some(&seed)).expect("made");
    assert_eq!(aura.id.public, test.id.public);
    assert_eq!(tee.info().keys, Some(2));
    assert!(sign(&mut tee, &test).is_ok());
    assert_eq!(sign(&mut tee, &aura), Err(Error::Refused(Rule::AuraNeedsHeader)));
}

#[test]
fn a_generated_key_whose_secret_turns_up_as_a_seed_is_seeded_from_then_on() {
    let mut tee = TestTee::development();
    tee.next_random = vec![hex(ALICE_SR25519)];
    let born = tee.generate(Scheme::Sr25519, *b"test", Usage::SignAndVrf, None).expect("made");
    assert_eq!(born.origin, Origin::Generated);
    let seeded = KeyInfo { origin: Origin::Seeded, ..born };
    assert_eq!(tee.generate(Scheme::Sr25519, *b"test", Usage::Sign, Some(&hex(ALICE_SR25519))), Ok(seeded.clone()));
    assert_eq!(tee.list(10), Ok(vec![seeded.clone()]));
    tee.restart();
    assert_eq!(tee.list(10), Ok(vec![seeded]));
}

#[test]
fn a_platform_may_store_fewer_keys_than_the_interface_allows_and_never_more() {
    let mut tee = TestTee::development();
    for (capacity, expected) in [(2, 2), (MAX_KEYS + 1, MAX_KEYS)] {
        tee.capacity = Some(capacity);
        assert_eq!(tee.info().capacity, expected);
    }
    tee.capacity = Some(2);
    let [first, second] = [(); 2].map(|()| tee.make(Scheme::Ed25519, *b"test"));
    assert_eq!(tee.generate(Scheme::Ed25519, *b"test", Usage::Sign, None), Err(Error::Full));
    assert!(sign(&mut tee, &second).is_ok());
    tee.ask(Command::Retire { id: first.id }).expect("retired");
    tee.make(Scheme::Ed25519, *b"test");
}

#[test]
fn a_full_store_makes_no_new_key_and_goes_on_with_those_it_has() {
    let mut tee = TestTee::development();
    tee.next_random = vec![hex(ALICE_SR25519)];
    let born = tee.make(Scheme::Sr25519, *b"test");
    // Names alone, which is what is counted.
    for number in 2..MAX_KEYS {
        let mut id = unknown_key(Scheme::Ed25519, *b"test");
        id.public[..4].copy_from_slice(&number.to_le_bytes());
        tee.objects.insert(store::key_name(&id), vec![]);
    }
    tee.restart();
    let last = tee.make(Scheme::Ecdsa, *b"test");
    assert_eq!(tee.info().keys, Some(MAX_KEYS));

    let full = tee.objects.clone();
    for scheme in SCHEMES {
        assert_eq!(tee.generate(scheme, *b"test", Usage::Sign, None), Err(Error::Full));
        assert_eq!(tee.generate(scheme, *b"test", Usage::Sign, Some(&[3; 32])), Err(Error::Full));
    }
    assert_eq!((tee.info().keys, &tee.objects), (Some(MAX_KEYS), &full));
    assert!(sign(&mut tee, &born).is_ok());
    let seeded = tee.generate(Scheme::Sr25519, *b"test", Usage::Sign, Some(&hex(ALICE_SR25519)));
    assert_eq!(seeded, Ok(KeyInfo { origin: Origin::Seeded, ..born }));

    tee.ask(Command::Retire { id: last.id }).expect("retired");
    tee.make(Scheme::Ed25519, *b"test");
    assert_eq!(tee.generate(Scheme::Ed25519, *b"test", Usage::Sign, None), Err(Error::Full));
}

#[test]
fn bad_seeds_make_nothing() {
    let mut tee = TestTee::development();
    for (scheme, seed) in [
        (Scheme::Sr25519, vec![1; 31]),
        (Scheme::Sr25519, vec![0; 64]),
        (Scheme::Sr25519, vec![0xff; 64]),
        (Scheme::Ed25519, vec![1; 64]),
        (Scheme::Ecdsa, vec![0; 32]),
        (Scheme::Ecdsa, vec![0xff; 32]),
        (Scheme::Ecdsa, vec![]),
        (Scheme::Ed25519, vec![1; 30_000]),
    ] {
        assert_eq!(tee.generate(scheme, *b"test", Usage::Sign, Some(&seed)), Err(BAD_KEY));
    }
    assert_eq!(tee.info().keys, Some(0));
}

#[test]
fn randomness_that_is_zero_or_repeats_a_key_makes_none() {
    for scheme in SCHEMES {
        let mut tee = TestTee::development();
        tee.next_random = vec![vec![0; 32], vec![7; 32]];
        let key = tee.make(scheme, *b"test");
        let stored = tee.objects.clone();
        tee.next_random = vec![vec![7; 32]; DRAWS];
        let stuck = Err(Error::Platform(Fault::RANDOMNESS.0));
        assert_eq!(tee.generate(scheme, *b"test", Usage::Sign, None), stuck);
        tee.next_random = vec![vec![0; 32]; DRAWS];
        assert_eq!(tee.generate(scheme, *b"test", Usage::Sign, None), stuck);
        tee.fail_random(FAULT);
        assert_eq!(tee.generate(scheme, *b"test", Usage::Sign, None), Err(Error::Platform(FAULT.0)));
        assert_eq!((tee.objects.clone(), tee.list(10)), (stored, Ok(vec![key])));
    }
}

#[test]
fn a_damaged_object_is_an_error_for_its_own_key_only() {
    let other = {
        let (tee, keys) = with_keys();
        tee.objects[&store::key_name(&keys[2].id)].clone()
    };
    type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);
    let damages: [Damage<'_>; 9] = [
        &|data| data.clear(),
        &|data| data.truncate(data.len() - 1),
        &|data| data.push(0),
        &|data| data[0] = 1,
        &|data| data[0] = 3,
        // Another store's.
        &|data| data[1] ^= 1,
        &|data| data[17] = 9,
        // Another key's secret, in a whole object.
        &|data| *data.last_mut().expect("not empty") ^= 1,
        &|data| data.clone_from(&other),
    ];
    for damage in damages {
        for victim in [0, 1] {
            let (mut tee, keys) = with_keys();
            damage(tee.objects.get_mut(&store::key_name(&keys[victim].id)).expect("stored"));
            check_damaged(&mut tee, &keys, victim);
        }
    }
    // Gone behind the trusted application's back, after it had read the names.
    let (mut tee, keys) = with_keys();
    tee.restart();
    tee.info();
    tee.objects.remove(&store::key_name(&keys[0].id));
    assert_eq!(sign(&mut tee, &keys[0]), Err(Error::Corrupt));
    assert_eq!(tee.list(10), Ok(keys[1..].to_vec()));
}

fn check_damaged(tee: &mut TestTee, keys: &[KeyInfo], victim: usize) {
    tee.restart();
    let id = keys[victim].id.clone();
    let whole: Vec<KeyInfo> = keys.iter().filter(|key| key.id != id).cloned().collect();
    // Pages are filled past it, and end with the last whole key.
    assert_eq!(tee.list(1), Ok(whole.clone()));
    assert_eq!(sign(tee, &keys[victim]), Err(Error::Corrupt));
    assert_eq!(tee.ask(Command::Has { id: id.clone() }), Err(Error::Corrupt));
    for key in &whole {
        assert!(sign(tee, key).is_ok());
    }
    // It can be retired, and then it is gone.
    assert_eq!(tee.ask(Command::Retire { id: id.clone() }), Ok(Reply::Retired));
    assert_eq!(tee.ask(Command::Has { id }), Ok(Reply::Has(false)));
    assert_eq!(tee.list(10), Ok(whole));
}

#[test]
fn a_fault_while_reading_is_no_damage_and_no_missing_key() {
    let (mut tee, keys) = with_keys();
    tee.restart();
    tee.info();
    tee.fail_loads(Some(FAULT));
    let fault = Error::Platform(FAULT.0);
    assert_eq!(sign(&mut tee, &keys[0]), Err(fault));
    assert_eq!(tee.ask(Command::Has { id: keys[0].id.clone() }), Err(fault));
    assert_eq!(tee.list(10), Err(fault));
    tee.fail_loads(None);
    assert_eq!(tee.list(10), Ok(keys.clone()));
    assert!(sign(&mut tee, &keys[0]).is_ok());
}

#[test]
fn session_keys_sign_what_their_policy_allows_and_nothing_else() {
    let mut tee = TestTee::production();
    let aura = tee.make(Scheme::Sr25519, *b"aura").id;
    let gran = tee.make(Scheme::Ed25519, *b"gran").id;

    let header = header(5, 9, &[]);
    let hash = crate::hash::blake2_256(&header);
    assert!(tee.sign(&aura, &hash, Context::Header(header)).is_ok());
    assert!(tee.sign(&gran, &vote(1, 2, 3), Context::None).is_ok());
    for id in [&aura, &gran] {
        assert!(tee.sign(id, &possession(&[3; 32]), Context::None).is_ok());
        let refused = Err(Error::Refused(Rule::MalformedProofOfPossession));
        assert_eq!(tee.sign(id, &possession(&[]), Context::None), refused);
    }
    assert_eq!(tee.sign(&aura, &hash, Context::None), Err(Error::Refused(Rule::AuraNeedsHeader)));
    assert_eq!(tee.sign(&gran, &hash, Context::None), Err(Error::Refused(Rule::GrandpaMalformedVote)));
    let vrf = Command::VrfSign { id: aura, input: [2; 32] };
    assert_eq!(tee.ask(vrf), Err(Error::Refused(Rule::VrfNotAllowed)));
}

#[test]
fn keys_without_a_policy_are_not_made() {
    let mut tee = TestTee::development();
    let unknown = Err(Error::Refused(Rule::UnknownKeyType));
    for (scheme, key_type) in [
        (Scheme::Sr25519, *b"babe"),
        (Scheme::Sr25519, *b"imon"),
        (Scheme::Ed25519, *b"aura"),
        (Scheme::Sr25519, *b"gran"),
        (Scheme::Ecdsa, *b"beef"),
    ] {
        assert_eq!(tee.generate(scheme, key_type, Usage::Sign, None), unknown);
        assert_eq!(tee.generate(scheme, key_type, Usage::Sign, Some(&[1; 32])), unknown);
        let id = unknown_key(scheme, key_type);
        assert_eq!(tee.sign(&id, b"POP_", Context::None), Err(Error::NoSuchKey));
    }
    assert_eq!(tee.info().keys, Some(0));
}

#[test]
fn a_production_tee_makes_no_seeded_and_no_test_keys() {
    // Rule 1
    let mut tee = TestTee::production();
    let refused = Err(Error::Refused(Rule::DevelopmentOnly));
    assert_eq!(tee.generate(Scheme::Sr25519, *b"aura", Usage::Sign, Some(&hex(ALICE_SR25519))), refused);
    assert_eq!(tee.generate(Scheme::Ed25519, *b"gran", Usage::Sign, Some(&[])), refused);
    assert_eq!(tee.generate(Scheme::Ecdsa, *b"test", Usage::Sign, None), refused);
    assert_eq!(tee.info().keys, Some(0));
}

#[test]
fn vrfs_are_made_with_keys_made_for_them() {
    let mut tee = TestTee::development();
    let make = |tee: &mut TestTee, usage| tee.generate(Scheme::Sr25519, *b"test", usage, None).expect("made").id;
    let id = make(&mut tee, Usage::SignAndVrf);
    let input = schnorrkel::PublicKey::from_bytes(&id.public)
        .expect("a point")
        .vrf_hash(merlin::Transcript::new(b"any"))
        .to_bytes();
    let Ok(Reply::VrfSignature { pre_output, .. }) = tee.ask(Command::VrfSign { id: id.clone(), input }) else {
        panic!("no VRF signature");
    };
    assert_eq!(tee.ask(Command::VrfPreOutput { id: id.clone(), input }), Ok(Reply::VrfPreOutput(pre_output)));
    // The identity, whose multiple says nothing of the key.
    assert_eq!(tee.ask(Command::VrfSign { id: id.clone(), input: [0; 32] }), Err(BAD_KEY));
    assert_eq!(tee.ask(Command::VrfPreOutput { id, input: [0; 32] }), Err(BAD_KEY));

    let id = make(&mut tee, Usage::Sign);
    let refused = Err(Error::Refused(Rule::VrfNotAllowed));
    assert_eq!(tee.ask(Command::VrfSign { id: id.clone(), input }), refused);
    assert_eq!(tee.ask(Command::VrfPreOutput { id, input }), refused);
}

#[test]
fn what_a_scheme_cannot_do_is_refused_before_anything_else() {
    let (mut tee, keys) = with_keys();
    for key in keys {
        let (scheme, id) = (key.id.scheme, key.id);
        let prehashed = tee.ask(Command::SignPrehashed { id: id.clone(), hash: [1; 32] });
        assert_eq!(prehashed.err(), (scheme != Scheme::Ecdsa).then_some(WRONG_SCHEME));
        if scheme != Scheme::Sr25519 {
            assert_eq!(tee.ask(Command::VrfSign { id: id.clone(), input: [2; 32] }), Err(WRONG_SCHEME));
            assert_eq!(tee.ask(Command::VrfPreOutput { id, input: [2; 32] }), Err(WRONG_SCHEME));
            assert_eq!(tee.generate(scheme, *b"test", Usage::SignAndVrf, None), Err(WRONG_SCHEME));
        }
    }
}

#[test]
fn a_public_key_of_another_length_is_a_bad_request_everywhere() {
    let mut tee = TestTee::development();
    for scheme in SCHEMES {
        for length in [0, 1, 31, 34, 64, 30_000] {
            let id = KeyId { public: vec![2; length], ..unknown_key(scheme, *b"test") };
            let sign = Command::Sign { id: id.clone(), message: vec![], context: Context::None };
            for command in [
                sign,
                Command::Has { id: id.clone() },
                Command::Retire { id: id.clone() },
                Command::List { after: Some(id), limit: 1 },
            ] {
                assert_eq!(tee.ask(command), Err(BAD_KEY));
            }
        }
    }
}
