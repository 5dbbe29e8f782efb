//! Bytes from a caller that wishes us ill. Rule 7: a bad byte is an error. Rule 1: a secret never leaves.

use alloc::{vec, vec::Vec};

use codec::{Compact, DecodeAll};
use proptest::{prelude::*, sample::Index};

use super::*;
use crate::{
    testing::{header, possession, unknown_key, vote, TestTee},
    Context, GrandpaRound, Position, MAX_ANSWER,
};

const MALFORMED: Result<Reply, Error> = Err(Error::BadRequest(BadRequest::Malformed));

/// A development TEE with keys of every kind, or a production one with those of a validator; and their names, with one
/// that nobody holds.
fn tee_of(development: bool) -> (TestTee, Vec<KeyId>) {
    if development {
        return tee();
    }
    let mut tee = TestTee::production();
    let mut ids = vec![tee.make(Scheme::Sr25519, *b"aura").id, tee.make(Scheme::Ed25519, *b"gran").id];
    ids.push(unknown_key(Scheme::Sr25519, *b"aura"));
    (tee, ids)
}

fn tee() -> (TestTee, Vec<KeyId>) {
    let mut tee = TestTee::development();
    let mut ids = vec![
        tee.make(Scheme::Sr25519, *b"aura").id,
        tee.make(Scheme::Ed25519, *b"gran").id,
        tee.make(Scheme::Ed25519, *b"test").id,
        tee.make(Scheme::Ecdsa, *b"test").id,
    ];
    ids.push(tee.generate(Scheme::Sr25519, *b"test", Usage::SignAndVrf, Some(&[9; 32])).expect("made").id);
    ids.push(unknown_key(Scheme::Sr25519, *b"aura"));
    (tee, ids)
}

/// One request of every kind for each key, all of them well-formed.
fn requests(ids: &[KeyId]) -> Vec<Vec<u8>> {
    let header = header(7, 8, &[]);
    let hash = crate::hash::blake2_256(&header);
    let mut commands = vec![
        Command::Info,
        Command::Generate { scheme: Scheme::Ecdsa, key_type: *b"test", usage: Usage::Sign, seed: None },
        Command::List { after: None, limit: 64 },
        Command::Watermarks { after: None, limit: 64 },
        Command::Close,
        Command::Measure { challenge: [7; 64], keys: vec![] },
        Command::Measure { challenge: [7; 64], keys: ids[..2].to_vec() },
        Command::Measure { challenge: [7; 64], keys: ids.to_vec() },
    ];
    for scheme in [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa] {
        let seed = Some(Seed(vec![6; 32]));
        commands.push(Command::Generate { scheme, key_type: *b"test", usage: Usage::Sign, seed });
    }
    for id in ids.iter().cloned() {
        let context = Context::Header(header.clone());
        commands.extend([
            Command::List { after: Some(id.clone()), limit: 2 },
            Command::Has { id: id.clone() },
            Command::Watermarks { after: Some(id.clone()), limit: 2 },
            Command::RaiseWatermark { id: id.clone(), to: Position::Aura(3) },
            Command::RaiseWatermark { id: id.clone(), to: Position::Grandpa(GrandpaRound { set_id: 0, round: 1 }) },
            Command::Sign { id: id.clone(), message: hash.to_vec(), context },
            Command::Sign { id: id.clone(), message: vote(0, 1, 2), context: Context::None },
            Command::Sign { id: id.clone(), message: possession(&[1; 32]), context: Context::None },
            Command::SignPrehashed { id: id.clone(), hash },
            Command::VrfSign { id: id.clone(), input: [2; 32] },
            Command::VrfPreOutput { id: id.clone(), input: [2; 32] },
            Command::Measure { challenge: [7; 64], keys: vec![id.clone()] },
            Command::Retire { id },
        ]);
    }
    commands.into_iter().map(|command| Request::V1(command).encode()).collect()
}

/// Every run of 16 bytes of every secret in the store, and of what the secrets are expanded to.
fn secrets(tee: &TestTee) -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    for data in tee.objects.iter().filter(|(name, _)| name[0] == b'k').map(|(_, data)| data) {
        let secret = &data[data.len() - 32..];
        secrets.push(secret.to_vec());
        let mini = schnorrkel::MiniSecretKey::from_bytes(secret).expect("32 bytes");
        secrets.push(mini.expand(schnorrkel::ExpansionMode::Ed25519).to_bytes().to_vec());
    }
    secrets.iter().flat_map(|secret| secret.windows(16).map(<[u8]>::to_vec)).collect()
}

/// Asks, and checks that the answer decodes, is short, and shows no secret that the store holds before or after.
fn ask(tee: &mut TestTee, request: &[u8]) -> Result<Reply, Error> {
    let before = secrets(tee);
    let bytes = dispatch(tee, request);
    assert!(bytes.len() <= MAX_ANSWER);
    for secret in before.iter().chain(&secrets(tee)) {
        assert!(!bytes.windows(16).any(|window| window == secret), "an answer shows a secret");
    }
    let Answer::V1(result) = Answer::decode_all(&mut &bytes[..]).expect("every answer decodes");
    result
}

#[test]
fn no_answer_to_a_well_formed_request_shows_a_secret() {
    // Rule 1
    let (mut tee, ids) = tee();
    assert_eq!(tee.objects.len(), 6);
    assert_eq!(secrets(&tee).len(), 5 * (17 + 49));
    let answered = requests(&ids).iter().filter(|request| ask(&mut tee, request).is_ok()).count();
    assert!(answered > 30, "{answered} were answered");

    let (mut tee, ids) = tee_of(false);
    let answers = requests(&ids).into_iter().filter_map(|request| ask(&mut tee, &request).ok());
    assert_eq!(answers.filter(|reply| matches!(reply, Reply::Measured(_))).count(), 4);
}

#[test]
fn what_is_written_of_a_request_for_a_log_shows_no_seed() {
    // Rule 1
    let seed = Some(Seed(vec![0x5a; 32]));
    let command = Command::Generate { scheme: Scheme::Ed25519, key_type: *b"test", usage: Usage::Sign, seed };
    let text = std::format!("{:?} {:#?}", Request::V1(command.clone()), command);
    assert!(!text.contains("90") && !text.contains("5a"), "{text}");
}

#[test]
fn a_request_that_is_too_long_is_refused_undecoded() {
    let (mut tee, ids) = tee();
    let sign = |length: usize| {
        let (message, context) = (vec![0; length], Context::None);
        Request::V1(Command::Sign { id: ids[2].clone(), message, context }).encode()
    };
    let overhead = sign(20_000).len() - 20_000;
    let longest = sign(MAX_REQUEST - overhead);
    assert_eq!(longest.len(), MAX_REQUEST);
    assert!(matches!(ask(&mut tee, &longest), Ok(Reply::Signature(_))));
    for request in [sign(MAX_REQUEST - overhead + 1), vec![1; MAX_REQUEST + 1], vec![0xff; 1 << 20]] {
        assert_eq!(ask(&mut tee, &request), Err(Error::BadRequest(BadRequest::TooLong)));
    }
}

#[test]
fn every_prefix_and_every_trailing_byte_is_malformed() {
    let (mut tee, ids) = tee();
    for request in requests(&ids) {
        for length in 0..request.len() {
            assert_eq!(ask(&mut tee, &request[..length]), MALFORMED);
        }
        for byte in [0, 1, 0xff] {
            assert_eq!(ask(&mut tee, &[&request[..], &[byte]].concat()), MALFORMED);
        }
    }
    assert_eq!(tee.info().keys, Some(5), "none of them did anything");
}

#[test]
fn unknown_versions_and_commands_are_malformed() {
    let (mut tee, _) = tee();
    for version in (0..=255).filter(|version| *version != 1) {
        assert_eq!(ask(&mut tee, &[version, 0]), MALFORMED);
    }
    for command in 13..=255 {
        assert_eq!(ask(&mut tee, &[1, command]), MALFORMED);
    }
}

#[test]
fn a_length_beyond_the_request_is_malformed() {
    let (mut tee, _) = tee();
    for length in [u32::MAX, 1 << 30, 40_000, 100] {
        // Generate with a seed, Has with a public key, Sign with a message: each with a length that is a lie.
        let length = Compact(length).encode();
        let seed = [&[1, 1, 1][..], b"test", &[0, 1], &length, &[7; 32]].concat();
        let public = [&[1, 3, 1][..], b"test", &length, &[7; 32]].concat();
        let message = [&[1, 4, 1][..], b"test", &Compact(32u32).encode(), &[7; 32], &length, &[7; 40]].concat();
        // Measure with keys, and with the public key of the first.
        let keys = [&[1, 9][..], &[7; 64], &length, &[1], b"gran", &Compact(32u32).encode(), &[7; 32]].concat();
        let of_first = [&[1, 9][..], &[7; 64], &[4, 1], b"gran", &length, &[7; 32]].concat();
        for request in [seed, public, message, keys, of_first] {
            assert_eq!(ask(&mut tee, &request), MALFORMED);
        }
    }
}

#[test]
fn more_keys_than_are_measured_are_counted_if_they_are_keys_and_never_decoded_by_the_thousand() {
    for development in [false, true] {
        let (mut tee, ids) = tee_of(development);
        let mut measure = |key: &KeyId, count| {
            let command = Command::Measure { challenge: [7; 64], keys: vec![key.clone(); count] };
            ask(&mut tee, &Request::V1(command).encode())
        };
        let too_many = Err(Error::BadRequest(BadRequest::TooManyKeys));
        assert_eq!(measure(&ids[0], crate::MAX_MEASURED_KEYS + 1), too_many);
        assert_eq!(measure(&ids[0], 800), too_many);
        assert_eq!(measure(&KeyId { public: vec![], ..ids[0].clone() }, 5_000), MALFORMED);
    }
}

#[test]
fn a_full_page_fits_the_answer() {
    let mut tee = TestTee::development();
    for _ in 0..MAX_PAGE {
        tee.make(Scheme::Ecdsa, *b"test");
    }
    let list = Request::V1(Command::List { after: None, limit: u16::MAX }).encode();
    match ask(&mut tee, &list) {
        Ok(Reply::Keys { keys, more: false }) => assert_eq!(keys.len(), usize::from(MAX_PAGE)),
        other => panic!("not the page: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_answered(
        development: bool, requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 8),
    ) {
        let (mut tee, _) = tee_of(development);
        for request in requests {
            let _ = ask(&mut tee, &request);
        }
    }

    #[test]
    fn any_bytes_after_a_valid_start_are_answered(
        development: bool, command in 0u8..13, rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (mut tee, _) = tee_of(development);
        let _ = ask(&mut tee, &[&[1, command][..], &rest].concat());
    }

    #[test]
    fn any_change_to_valid_requests_is_answered_and_the_keys_still_serve(
        development: bool, changes in prop::collection::vec((any::<Index>(), any::<Index>(), any::<u8>(), 0..4), 24),
    ) {
        let (mut tee, ids) = tee_of(development);
        let requests = requests(&ids);
        for (which, at, byte, how) in changes {
            let mut request = requests[which.index(requests.len())].clone();
            let at = at.index(request.len());
            match how {
                0 => request[at] = byte,
                1 => request[at] ^= 1 << (byte % 8),
                2 => request.insert(at, byte),
                _ => drop(request.remove(at)),
            }
            let _ = ask(&mut tee, &request);
        }
        tee.restart();
        let info = tee.info();
        prop_assert_eq!(info.keys, Some(tee.list(64).expect("listed").len() as u32));
    }
}
