//! Accidents at every write: afterwards a key is there or not, wholly, and every other key as before.

use alloc::vec::Vec;

use super::*;
use crate::testing::{Accident, TestTee, ACCIDENTS, FAULT};

/// Does `act` once for each accident at each write, until none is left to happen, and gives what was listed before
/// and after to `check`.
fn at_every_write(
    prepare: impl Fn(&mut TestTee),
    act: impl Fn(&mut TestTee) -> Result<(), Error>,
    check: impl Fn(Accident, &[KeyInfo], &[KeyInfo]),
) {
    for accident in ACCIDENTS {
        for write in 0.. {
            let mut tee = TestTee::development();
            tee.make(Scheme::Ed25519, *b"gran");
            prepare(&mut tee);
            let before = tee.list(64).expect("listed");

            tee.plan(write, accident);
            let result = act(&mut tee);
            if !tee.accident_happened() {
                assert_eq!(result, Ok(()));
                assert!(write > 0, "there is a write to befall");
                break;
            }
            assert_eq!(result, Err(Error::Platform(FAULT.0)));

            // What is told at once is what is told after a restart.
            let at_once = tee.list(64);
            tee.restart();
            let after = tee.list(64).expect("the store opens");
            if matches!(accident, Accident::Lost | Accident::Landed) {
                assert_eq!(at_once, Ok(after.clone()));
            }
            check(accident, &before, &after);
            for key in &after {
                if key.id.key_type == *b"test" {
                    assert!(tee.sign(&key.id, b"message", crate::Context::None).is_ok());
                }
            }
            assert_eq!(tee.info().keys, Some(after.len() as u32));
            // And it can be done again.
            assert!(matches!(act(&mut tee), Ok(()) | Err(Error::NoSuchKey)));
        }
    }
}

fn landed(accident: Accident) -> bool {
    matches!(accident, Accident::Landed | Accident::CutAfter)
}

fn generate(usage: Usage, seed: Option<&'static [u8]>) -> impl Fn(&mut TestTee) -> Result<(), Error> {
    move |tee| tee.generate(Scheme::Sr25519, *b"test", usage, seed).map(drop)
}

#[test]
fn a_new_key_is_there_or_not() {
    for seed in [None, Some(&[3; 32][..])] {
        at_every_write(
            |_| {},
            generate(Usage::Sign, seed),
            |accident, before, after| {
                assert_eq!(after.len(), before.len() + usize::from(landed(accident)));
                assert!(before.iter().all(|key| after.contains(key)));
            },
        );
    }
}

#[test]
fn a_generated_key_that_becomes_a_seeded_one_is_the_one_or_the_other() {
    at_every_write(
        |tee| {
            tee.next_random = [[3; 32].to_vec()].to_vec();
            tee.make(Scheme::Sr25519, *b"test");
        },
        generate(Usage::Sign, Some(&[3; 32])),
        |accident, before, after| {
            let seeded: Vec<KeyInfo> = before
                .iter()
                .cloned()
                .map(|key| match &key.id.key_type {
                    b"test" => KeyInfo { origin: Origin::Seeded, ..key },
                    _ => key,
                })
                .collect();
            assert_eq!(after, if landed(accident) { &seeded } else { before });
        },
    );
}

#[test]
fn a_retired_key_is_gone_or_whole() {
    let seed = &[3; 32][..];
    at_every_write(
        |tee| generate(Usage::SignAndVrf, Some(seed))(tee).expect("made"),
        |tee| {
            let key = Key::from_secret(Scheme::Sr25519, seed).expect("a key");
            let id = KeyId { scheme: Scheme::Sr25519, key_type: *b"test", public: key.public() };
            tee.ask(Command::Retire { id }).map(drop)
        },
        |accident, before, after| {
            if landed(accident) {
                assert_eq!(after.len(), before.len() - 1);
            } else {
                assert_eq!(after, before);
            }
        },
    );
}
