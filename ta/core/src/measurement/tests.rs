use alloc::{vec, vec::Vec};

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::{keys, testing::hex, Scheme};

#[test]
fn the_nonce_is_the_hash_of_the_documented_bytes() {
    let keys = [
        KeyId { scheme: Scheme::Sr25519, key_type: *b"aura", public: vec![0xa1; 32] },
        KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![0xb2; 32] },
        KeyId { scheme: Scheme::Ecdsa, key_type: *b"beef", public: vec![0xc3; 33] },
    ];
    let bytes = [
        &b"holdfast measurement 1"[..],
        &[7; 64],
        &[12],
        &[0],
        b"aura",
        &[0x80],
        &[0xa1; 32],
        &[1],
        b"gran",
        &[0x80],
        &[0xb2; 32],
        &[2],
        b"beef",
        &[0x84],
        &[0xc3; 33],
        &[8, 7, 6, 5, 4, 3, 2, 1],
    ]
    .concat();
    assert_eq!(measurement_nonce(&[7; 64], &keys, 0x0102_0304_0506_0708), blake2_256(&bytes));
}

#[test]
fn the_nonces_of_no_keys_and_of_two_are_those_that_another_program_computed() {
    // Python's `hashlib.blake2b(..., digest_size=32)` over the documented bytes.
    let [none, two] = [
        "8c0999feae2ca2deb263098d18e290f77ee34a6444ff30ba960a94a906573028",
        "b12054abaed1f4f7621c6cc9073d06aa41f88fa8c9b520c7f0ee9e0a5b9842b9",
    ]
    .map(hex);
    assert_eq!(measurement_nonce(&[0; 64], &[], 1).to_vec(), none);
    let aura = KeyId { scheme: Scheme::Sr25519, key_type: *b"aura", public: vec![1; 32] };
    let gran = KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![2; 32] };
    assert_eq!(measurement_nonce(&[3; 64], &[aura, gran], 2).to_vec(), two);
}

/// What may be wrong with a measurement, as lengths of exponent, modulus and signature.
fn said(exponent: Vec<u8>, modulus: Vec<u8>, signature: usize) -> Measurement {
    Measurement { measurement: [1; 32], signature: vec![2; signature], signer: RsaPublicKey { exponent, modulus } }
}

fn modulus(length: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; length];
    if let Some(first) = modulus.first_mut() {
        *first = 0x80;
    }
    modulus
}

#[test]
fn keys_of_2048_to_4096_bits_are_taken_and_handed_on_as_they_are() {
    for length in [256, 257, 384, 511, 512] {
        for exponent in [vec![3], vec![1, 0, 1], vec![0xff; 8]] {
            let good = said(exponent, modulus(length), length);
            assert_eq!(checked(good.clone()), Ok(good));
        }
    }
    let mut odd = modulus(257);
    odd[0] = 1;
    assert!(checked(said(vec![3], odd, 257)).is_ok());
}

#[test]
fn shorter_longer_and_padded_numbers_are_the_platforms_fault() {
    let small = {
        let mut modulus = modulus(256);
        modulus[0] = 0x7f;
        modulus
    };
    let padded = [&[0][..], &modulus(256)].concat();
    for bad in [
        said(vec![3], modulus(0), 0),
        said(vec![3], modulus(128), 128),
        said(vec![3], modulus(255), 255),
        said(vec![3], small, 256),
        said(vec![3], padded, 257),
        said(vec![3], modulus(513), 513),
        said(vec![3], modulus(100_000), 100_000),
        said(vec![3], modulus(256), 0),
        said(vec![3], modulus(256), 255),
        said(vec![3], modulus(256), 257),
        said(vec![3], modulus(512), 256),
        said(vec![], modulus(256), 256),
        said(vec![0, 3], modulus(256), 256),
        said(vec![1; 9], modulus(256), 256),
    ] {
        assert_eq!(checked(bad), Err(Fault::BAD_MEASUREMENT));
    }
}

type Input = ([u8; 64], Vec<KeyId>, u64);

fn key() -> impl Strategy<Value = KeyId> {
    let scheme = prop::sample::select(&[Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa][..]);
    (scheme, any::<[u8; 4]>(), any::<[u8; 33]>()).prop_map(|(scheme, key_type, bytes)| {
        let public = bytes[..keys::public_length(scheme)].to_vec();
        KeyId { scheme, key_type, public }
    })
}

fn input() -> impl Strategy<Value = Input> {
    (any::<[u8; 64]>(), prop::collection::vec(key(), 0..=MAX_MEASURED_KEYS), any::<u64>())
}

fn nonce((challenge, keys, counter): &Input) -> [u8; 32] {
    measurement_nonce(challenge, keys, *counter)
}

proptest! {
    #[test]
    fn another_challenge_key_order_number_or_counter_is_another_nonce(
        input in input(), more in key(), at: Index, other: Index, bit in 0u8..8,
    ) {
        let (challenge, keys, counter) = input.clone();
        let mut changed = vec![];
        let mut change = |edit: &dyn Fn(&mut Input)| {
            let mut input = (challenge, keys.clone(), counter);
            edit(&mut input);
            changed.push(input);
        };
        change(&|(challenge, ..)| challenge[at.index(64)] ^= 1 << bit);
        change(&|(.., counter)| *counter ^= 1 << at.index(64));
        change(&|(_, keys, _)| keys.insert(at.index(keys.len() + 1), more.clone()));
        if !keys.is_empty() {
            let [key, other] = [at, other].map(|index| index.index(keys.len()));
            change(&|(_, keys, _)| drop(keys.remove(key)));
            change(&|(_, keys, _)| keys.swap(key, other));
            change(&|(_, keys, _)| keys.rotate_left(1));
            change(&|(_, keys, _)| keys[key] = more.clone());
            change(&|(_, keys, _)| keys[key].key_type[at.index(4)] ^= 1 << bit);
            change(&|(_, keys, _)| keys[key].public[at.index(32)] ^= 1 << bit);
            change(&|(_, keys, _)| {
                keys[key].scheme = match keys[key].scheme {
                    Scheme::Sr25519 => Scheme::Ed25519,
                    Scheme::Ed25519 | Scheme::Ecdsa => Scheme::Sr25519,
                };
            });
        }
        for changed in changed {
            // Two that are swapped may be one, and a list of one is its own rotation.
            prop_assert_eq!(nonce(&changed) == nonce(&input), changed == input);
        }
    }
}
