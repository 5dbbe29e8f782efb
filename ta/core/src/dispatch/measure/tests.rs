use alloc::{vec, vec::Vec};
use core::slice::from_ref;

use codec::Encode;

use crate::{
    store,
    testing::{hex, measurement, unknown_key, TestTee, ALICE_SR25519, FAULT},
    *,
};

const CHALLENGE: [u8; 64] = [0xc4; 64];
const COUNTER: &[u8] = b"measurements";
const NOT_MEASURABLE: Error = Error::Refused(Rule::NotMeasurable);

/// A production TEE with an `aura` and a `gran` key.
fn validator() -> (TestTee, [KeyId; 2]) {
    let mut tee = TestTee::production();
    let keys = [tee.make(Scheme::Sr25519, *b"aura").id, tee.make(Scheme::Ed25519, *b"gran").id];
    (tee, keys)
}

fn counted(last: u64) -> Vec<u8> {
    (1u8, last).encode()
}

/// Asks for what must be refused before the platform hears of it and before anything is written.
#[track_caller]
fn refuses(tee: &mut TestTee, keys: &[KeyId], error: Error) {
    let (objects, asked) = (tee.objects.clone(), tee.nonces.len());
    assert_eq!(tee.measure(CHALLENGE, keys), Err(error));
    assert_eq!((&tee.objects, tee.nonces.len()), (&objects, asked));
}

#[test]
fn a_measurement_is_the_platforms_with_a_nonce_made_of_challenge_keys_and_counter() {
    let (mut tee, keys) = validator();
    let [aura, gran] = keys.clone();
    for (counter, keys) in (1..).zip([vec![], keys.to_vec(), vec![gran.clone(), aura], vec![gran]]) {
        let nonce = measurement_nonce(&CHALLENGE, &keys, counter);
        let Measurement { measurement, signature, signer } = measurement(&nonce);
        assert_eq!(tee.measure(CHALLENGE, &keys), Ok(Measured { counter, measurement, signature, signer }));
        assert_eq!(tee.nonces.last().map(|(nonce, _)| *nonce), Some(nonce));
    }
}

#[test]
fn a_device_is_measured_before_it_has_a_key() {
    let mut tee = TestTee::production();
    assert_eq!(tee.measure(CHALLENGE, &[]).map(|measured| measured.counter), Ok(1));
}

#[test]
fn the_counter_rises_across_restarts_and_is_stored_before_the_platform_is_asked() {
    let (mut tee, keys) = validator();
    for counter in 1..10 {
        let measured = tee.measure(CHALLENGE, &keys).expect("measured");
        assert_eq!(measured.counter, counter);
        assert_eq!(tee.nonces.last().and_then(|(_, stored)| stored.clone()), Some(counted(counter)));
        if counter % 3 == 0 {
            tee.restart();
        }
    }
}

#[test]
fn a_platform_that_fails_costs_a_number_and_nothing_else() {
    let (mut tee, keys) = validator();
    for fault in [FAULT, Fault::NO_MEASUREMENT] {
        tee.next_measurement = Some(Err(fault));
        assert_eq!(tee.measure(CHALLENGE, &keys), Err(Error::Platform(fault.0)));
    }
    assert_eq!(tee.measure(CHALLENGE, &keys).map(|measured| measured.counter), Ok(3));
    assert_eq!(tee.info().keys, Some(2));
}

#[test]
fn a_platform_that_says_what_no_verifier_can_read_is_at_fault() {
    let (mut tee, keys) = validator();
    let good = measurement(&[0; 32]);
    let signer = |exponent: &[u8], length| RsaPublicKey { exponent: exponent.to_vec(), modulus: vec![0x80; length] };
    for bad in [
        Measurement { signature: vec![1; 257], ..good.clone() },
        Measurement { signature: vec![1; 7_000], ..good.clone() },
        Measurement { signature: vec![], ..good.clone() },
        Measurement { signer: signer(&[0, 1], 256), ..good.clone() },
        Measurement { signature: vec![1; 1024], signer: signer(&[1, 0, 1], 1024), ..good },
    ] {
        tee.next_measurement = Some(Ok(bad));
        assert_eq!(tee.measure(CHALLENGE, &keys), Err(Error::Platform(Fault::BAD_MEASUREMENT.0)));
    }
}

#[test]
fn the_longest_measurement_is_a_small_part_of_an_answer() {
    let (mut tee, keys) = validator();
    let signer = RsaPublicKey { exponent: vec![0xff; 8], modulus: vec![0xff; 512] };
    tee.next_measurement = Some(Ok(Measurement { measurement: [1; 32], signature: vec![0xff; 512], signer }));
    let measured = tee.measure(CHALLENGE, &keys).expect("measured");
    assert!(Answer::V1(Ok(Reply::Measured(measured))).encode().len() < MAX_ANSWER / 6);
}

#[test]
fn a_key_that_is_not_held_or_not_whole_cannot_be_named() {
    let (mut tee, [aura, gran]) = validator();
    let unknown = unknown_key(Scheme::Sr25519, *b"aura");
    refuses(&mut tee, &[aura.clone(), unknown], Error::NoSuchKey);
    // The same public key under another type.
    refuses(&mut tee, &[KeyId { key_type: *b"test", ..aura.clone() }], Error::NoSuchKey);

    tee.restart();
    tee.objects.get_mut(&store::key_name(&gran)).expect("stored").push(0);
    refuses(&mut tee, &[aura.clone(), gran.clone()], Error::Corrupt);
    assert_eq!(tee.measure(CHALLENGE, from_ref(&aura)).map(|measured| measured.counter), Ok(1));

    for id in [aura, gran] {
        tee.ask(Command::Retire { id: id.clone() }).expect("retired");
        refuses(&mut tee, &[id], Error::NoSuchKey);
    }
}

#[test]
fn only_session_keys_that_were_born_here_can_be_named() {
    // No production application makes such keys; one finds them all the same.
    let mut tee = TestTee::development();
    let born = tee.make(Scheme::Sr25519, *b"aura").id;
    let seed = hex(ALICE_SR25519);
    let others = [
        tee.generate(Scheme::Sr25519, *b"aura", Usage::Sign, Some(&seed)).expect("made"),
        tee.generate(Scheme::Ed25519, *b"gran", Usage::Sign, Some(&seed)).expect("made"),
        tee.make(Scheme::Sr25519, *b"test"),
        tee.make(Scheme::Ed25519, *b"test"),
        tee.make(Scheme::Ecdsa, *b"test"),
        tee.generate(Scheme::Sr25519, *b"test", Usage::SignAndVrf, None).expect("made"),
    ];
    tee.development = false;
    tee.leave_as_version(TA_VERSION);
    tee.restart();
    for other in others {
        refuses(&mut tee, from_ref(&other.id), NOT_MEASURABLE);
        refuses(&mut tee, &[born.clone(), other.id], NOT_MEASURABLE);
    }
    assert!(tee.measure(CHALLENGE, &[born]).is_ok());
}

#[test]
fn at_most_sixteen_keys_are_named_each_once_and_each_of_its_schemes_length() {
    let mut tee = TestTee::production();
    let keys: Vec<KeyId> = (0..=MAX_MEASURED_KEYS).map(|_| tee.make(Scheme::Ed25519, *b"gran").id).collect();
    let bad = Error::BadRequest;
    assert!(tee.measure(CHALLENGE, &keys[1..]).is_ok());
    refuses(&mut tee, &keys, bad(BadRequest::TooManyKeys));
    for (first, second) in [(0, 1), (0, 15), (7, 8), (14, 15)] {
        let mut twice = keys[1..].to_vec();
        twice[second] = twice[first].clone();
        refuses(&mut tee, &twice, bad(BadRequest::RepeatedKey));
    }
    // Told before the store is asked for a key.
    refuses(&mut tee, &vec![unknown_key(Scheme::Ed25519, *b"gran"); 2], bad(BadRequest::RepeatedKey));
    for length in [0, 31, 33, 1_000] {
        let id = KeyId { public: vec![5; length], ..keys[0].clone() };
        refuses(&mut tee, &[keys[1].clone(), id], bad(BadRequest::BadKey));
    }
}

#[test]
fn a_development_application_is_never_measured_whatever_it_is_asked() {
    let mut tee = TestTee::development();
    let keys = [tee.make(Scheme::Sr25519, *b"aura").id, tee.make(Scheme::Ed25519, *b"test").id];
    let unknown = unknown_key(Scheme::Ed25519, *b"gran");
    for keys in [vec![], keys.to_vec(), vec![keys[0].clone()], vec![unknown]] {
        refuses(&mut tee, &keys, Error::Refused(Rule::DevelopmentNotMeasured));
    }
    assert_eq!((tee.nonces.len(), tee.objects.get(COUNTER)), (0, None));
}

#[test]
fn a_counter_that_is_damaged_newer_or_at_its_end_stops_measurements_and_nothing_else() {
    let (mut tee, keys) = validator();
    tee.measure(CHALLENGE, &keys).expect("measured");
    let [short, long] = [counted(1)[..8].to_vec(), [counted(1), vec![0]].concat()];
    for (object, error) in [
        (vec![], Error::Corrupt),
        (vec![0], Error::Corrupt),
        (short, Error::Corrupt),
        (long, Error::Corrupt),
        (counted(u64::MAX), Error::Corrupt),
        (vec![2, 1], Error::NewerStore),
    ] {
        tee.objects.insert(COUNTER.to_vec(), object);
        tee.restart();
        refuses(&mut tee, &keys, error);
        assert_eq!(tee.list(10).map(|keys| keys.len()), Ok(2));
    }
    tee.objects.insert(COUNTER.to_vec(), counted(u64::MAX - 1));
    assert_eq!(tee.measure(CHALLENGE, &keys).map(|measured| measured.counter), Ok(u64::MAX));
    refuses(&mut tee, &keys, Error::Corrupt);
}
