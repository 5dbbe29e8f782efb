//! What must hold, 7: whatever the daemon does, the keystore goes on, and never returns a wrong signature.
//! Rules 3, 4 and 7.

use std::{
    io::Result,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use holdfast_protocol::message::{Failure, FromDaemon, Rejection, Reply, Response, Welcome};
use sp_core::{
    crypto::{key_types::GRANDPA, KeyTypeId, Pair},
    ed25519,
};
use sp_keystore::{Error, Keystore};
use substrate_prometheus_endpoint::Registry;

use crate::{
    fake::{pair, tee, FakeDaemon, Peer},
    LONG,
};

const TEST: KeyTypeId = KeyTypeId(*b"test");
const MESSAGE: &[u8] = b"a message";

/// A signature by the fake daemon's key, checked once more.
fn assert_signs(keystore: &impl Keystore, key_type: KeyTypeId) {
    let signature = keystore.ed25519_sign(key_type, &pair().public(), MESSAGE).expect("the daemon is good now");
    assert!(ed25519::Pair::verify(&signature.expect("it holds the key"), MESSAGE, &pair().public()));
}

/// The first connection is served by `script`, and every later one well. The keystore must come to sign.
fn survives(script: impl Fn(&mut Peer) -> Result<()> + Send + 'static) {
    let daemon = FakeDaemon::start(move |number, mut peer| {
        if number > 0 {
            peer.serve();
        } else if script(&mut peer).is_ok() {
            // Whether it is noticed is the keystore's part: the connection stays open until it is.
            peer.wait_closed();
        }
    });
    let keystore = daemon.keystore();
    // A vote waits for the good daemon, whatever the bad one does.
    assert_signs(&keystore, GRANDPA);
    keystore.wait_ready(LONG).expect("the list of keys is read from the good daemon");
    assert_signs(&keystore, TEST);
    assert!(keystore.has_keys(&[(pair().public().0.to_vec(), GRANDPA)]));
}

fn head(kind: u32, length: u64) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &length.to_le_bytes()].concat()
}

/// Byte strings that are no message.
fn malformed() -> Vec<Vec<u8>> {
    let with_body = |kind, length, body: &[u8]| [&head(kind, length)[..], body].concat();
    vec![
        // Frames of ductile that are no messages: raw data, its start, and kinds that do not exist.
        with_body(1, 5, b"bytes"),
        with_body(2, 5, b"bytes"),
        with_body(3, 5, b"bytes"),
        with_body(u32::MAX, 5, b"bytes"),
        // Lengths that nobody should allocate.
        head(0, 4 << 30),
        head(0, u64::MAX),
        head(1, u64::MAX),
        head(0, 36 * 1024 + 1),
        // A frame whose body is no message.
        with_body(0, 0, b""),
        with_body(0, 4, &9_u32.to_le_bytes()),
        with_body(0, 12, &[0xff; 12]),
        // A text or list inside the message that claims to be longer than it.
        with_body(0, 20, &[&[2, 0, 0, 0][..], &[0; 8], &[0xff; 8]].concat()),
        // Not even a frame.
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ]
}

#[test]
fn rule_7_malformed_bytes_in_place_of_the_handshake_do_no_harm() {
    for bytes in malformed() {
        survives(move |peer| peer.write(&bytes));
    }
}

#[test]
fn rule_7_malformed_bytes_in_place_of_the_welcome_do_no_harm() {
    for bytes in malformed() {
        survives(move |peer| {
            peer.shake_hands()?;
            peer.hear()?;
            peer.write(&bytes)
        });
    }
}

#[test]
fn rule_7_malformed_bytes_in_place_of_a_signature_do_no_harm() {
    for bytes in malformed() {
        survives(move |peer| {
            peer.until_signature()?;
            peer.write(&bytes)
        });
    }
}

#[test]
fn rule_7_messages_out_of_turn_do_no_harm() {
    let welcome = || FromDaemon::Welcome(Welcome { version: 1, tee: tee() });
    let response = || FromDaemon::Response(Response { id: 0, result: Ok(Reply::Has(true)) });
    survives(move |peer| {
        peer.shake_hands()?;
        peer.hear()?;
        peer.say(&response())
    });
    survives(move |peer| {
        peer.until_signature()?;
        peer.say(&welcome())
    });
    survives(|peer| {
        peer.until_signature()?;
        peer.say(&FromDaemon::Rejected(Rejection::Tee("too late".into())))
    });
    survives(|peer| {
        peer.shake_hands()?;
        peer.hear()?;
        peer.say(&FromDaemon::Rejected(Rejection::Genesis([1; 32])))
    });
    survives(|peer| {
        peer.shake_hands()?;
        peer.hear()?;
        peer.say(&FromDaemon::Welcome(Welcome { version: 9, tee: tee() }))
    });
}

#[test]
fn rule_3_answers_with_ids_that_were_never_asked_do_no_harm() {
    // Not the next one: the list of keys may be asked for under it meanwhile.
    let wrong: [fn(u64) -> u64; 3] = [|id| id + 1_000, |id| id + (1 << 40), |_| u64::MAX];
    for wrong in wrong {
        survives(move |peer| {
            let (id, message) = peer.until_signature()?;
            peer.answer(wrong(id), Ok(Reply::Signature(pair().sign(&message).0.to_vec())))
        });
    }
}

#[test]
fn rule_3_answers_given_twice_do_no_harm() {
    let daemon = FakeDaemon::start(|number, mut peer| {
        if number > 0 {
            peer.serve();
            return;
        }
        let mut twice = || -> Result<()> {
            peer.open(tee())?;
            loop {
                let (id, message) = peer.next_signature()?;
                peer.answer(id, Ok(Reply::Signature(pair().sign(&message).0.to_vec())))?;
                peer.answer(id, Ok(Reply::Signature(vec![0; 64])))?;
            }
        };
        let _closed = twice();
    });
    let keystore = daemon.keystore();
    keystore.wait_ready(LONG).expect("the daemon is there");
    for _ in 0..20 {
        assert_signs(&keystore, GRANDPA);
    }
}

#[test]
fn rule_3_swapped_answers_are_never_returned() {
    let (done, wait) = mpsc::channel();
    let daemon = FakeDaemon::start(move |_, mut peer| {
        let mut swap = || -> Result<()> {
            let (first, to_first) = peer.until_signature()?;
            let (second, to_second) = peer.next_signature()?;
            peer.answer(first, Ok(Reply::Signature(pair().sign(&to_second).0.to_vec())))?;
            peer.answer(second, Ok(Reply::Signature(pair().sign(&to_first).0.to_vec())))
        };
        swap().expect("two questions come");
        // Held open until both answers were judged.
        let _judged = wait.recv();
    });
    let keystore = daemon.keystore();
    keystore.wait_ready(LONG).expect("the daemon is there");
    thread::scope(|scope| {
        let sign = |message: &'static [u8]| keystore.ed25519_sign(TEST, &pair().public(), message);
        let (one, other) = (scope.spawn(move || sign(b"one")), scope.spawn(move || sign(b"other")));
        assert!(matches!(one.join().expect("no panic"), Err(Error::Other(_))));
        assert!(matches!(other.join().expect("no panic"), Err(Error::Other(_))));
    });
    done.send(()).expect("the daemon waits");
}

#[test]
fn rule_3_a_wrong_signature_is_an_error_is_counted_and_is_never_returned() {
    let wrong: Vec<fn(&[u8]) -> Reply> = vec![
        |_| Reply::Signature(pair().sign(b"something else").0.to_vec()),
        |message| Reply::Signature(ed25519::Pair::from_seed(&[43; 32]).sign(message).0.to_vec()),
        |message| Reply::Signature(pair().sign(message).0[..63].to_vec()),
        |message| Reply::Signature([&pair().sign(message).0[..], &[0]].concat()),
        |_| Reply::Signature(vec![]),
        |_| Reply::Signature(vec![0; 64]),
        |_| Reply::Signature(vec![0xff; 64]),
        |_| Reply::Has(true),
        |_| Reply::Retired,
        |_| Reply::VrfPreOutput([1; 32]),
    ];
    let cases = wrong.len();
    let daemon = FakeDaemon::start(move |_, mut peer| {
        let mut serve = || -> Result<()> {
            peer.open(tee())?;
            // First for a key of type `test`, then for a vote, and after that the truth.
            for reply in wrong.iter().chain(&wrong) {
                let (id, message) = peer.next_signature()?;
                peer.answer(id, Ok(reply(&message)))?;
            }
            loop {
                let (id, message) = peer.next_signature()?;
                peer.answer(id, Ok(Reply::Signature(pair().sign(&message).0.to_vec())))?;
            }
        };
        let _closed = serve();
    });
    let (keystore, registry) = (daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    keystore.wait_ready(LONG).expect("the daemon is there");
    for case in 0..cases {
        let answer = keystore.ed25519_sign(TEST, &pair().public(), MESSAGE);
        assert!(matches!(answer, Err(Error::Other(_))), "case {case}: {answer:?}");
    }
    // An error would end the voter, and with it the node: the vote outlasts all of them.
    assert_signs(&keystore, GRANDPA);
    assert_eq!(crate::counted(&registry, "test", "invalid"), cases as u64);
    assert_eq!(crate::counted(&registry, "gran", "invalid"), cases as u64);
    assert_eq!(crate::counted(&registry, "gran", "ok"), 1);
}

#[test]
fn rule_4_a_vote_outlasts_every_failure_of_the_daemon() {
    let failures = [Failure::Busy, Failure::Deadline, Failure::Tee("no storage".into()), Failure::Busy];
    let daemon = FakeDaemon::start(move |_, mut peer| {
        let mut serve = || -> Result<()> {
            peer.open(tee())?;
            for failure in &failures {
                let (id, _) = peer.next_signature()?;
                peer.answer(id, Err(failure.clone()))?;
            }
            let (id, message) = peer.next_signature()?;
            peer.answer(id, Ok(Reply::Signature(pair().sign(&message).0.to_vec())))
        };
        let _closed = serve();
        peer.wait_closed();
    });
    assert_signs(&daemon.keystore(), GRANDPA);
}

#[test]
fn rule_4_silence_costs_a_seal_its_slot_and_nothing_else() {
    let daemon = FakeDaemon::start(|_, mut peer| {
        let _asked = peer.until_signature();
        peer.wait_closed();
    });
    let keystore = daemon.keystore();
    keystore.wait_ready(LONG).expect("the daemon is there");
    keystore.offer_header([1; 32], vec![], Instant::now() + Duration::from_millis(200));
    let aura = KeyTypeId(*b"aura");
    assert!(matches!(keystore.ed25519_sign(aura, &pair().public(), &[1; 32]), Err(Error::Unavailable)));
    assert!(keystore.has_keys(&[(pair().public().0.to_vec(), GRANDPA)]), "down is not empty");
}

#[test]
fn rule_4_a_silent_daemon_is_never_an_empty_list_of_keys() {
    // Silent before the handshake, before the welcome, and before the first answer.
    for steps in 0..3 {
        let daemon = FakeDaemon::start(move |_, mut peer| {
            let mut serve = || -> Result<()> {
                if steps == 1 {
                    peer.shake_hands()?;
                }
                if steps == 2 {
                    peer.open(tee())?;
                }
                Ok(())
            };
            let _closed = serve();
            peer.wait_closed();
        });
        let keystore = daemon.keystore();
        let error = keystore.wait_ready(Duration::from_millis(300)).expect_err("nothing was listed");
        assert!(error.to_string().contains("is not ready: "), "{error}");
        assert!(matches!(keystore.keys(GRANDPA), Err(Error::Unavailable)));
        assert!(!keystore.has_keys(&[]));
        keystore.release();
    }
}

#[test]
fn rule_7_a_daemon_that_falls_silent_in_the_middle_does_no_harm() {
    let scripts: [fn(&mut Peer) -> Result<()>; 5] = [
        |_| Ok(()),
        |peer| peer.write(&[0]),
        |peer| peer.shake_hands(),
        |peer| peer.until_signature().and_then(|_| peer.write(&[0, 0])),
        |peer| peer.until_signature().and_then(|_| peer.write(&[&head(0, 100)[..], &[2, 0, 0]].concat())),
    ];
    thread::scope(|scope| {
        for script in scripts {
            scope.spawn(move || survives(script));
        }
    });
}

#[test]
fn rule_7_a_daemon_that_closes_at_any_byte_does_no_harm() {
    // All that a daemon says up to the first signature of a vote: handshake, welcome, list and signature.
    let said = {
        let (report, reports) = mpsc::channel();
        let daemon = FakeDaemon::start(move |_, mut peer| {
            peer.budget = Some(1 << 20);
            let mut serve = || -> Result<()> {
                let (id, message) = peer.until_signature()?;
                peer.answer(id, Ok(Reply::Signature(pair().sign(&message).0.to_vec())))
            };
            serve().expect("a vote is asked for");
            report.send((1 << 20) - peer.budget.expect("it has one")).expect("the test waits");
            peer.wait_closed();
        });
        let keystore = daemon.keystore();
        keystore.wait_ready(LONG).expect("the list comes before the vote");
        assert_signs(&keystore, GRANDPA);
        reports.recv().expect("the vote was made")
    };
    assert!(said > 200, "{said} bytes");
    let threads = 8;
    thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || {
                for cut in (first..said).step_by(threads) {
                    survives(move |peer| {
                        peer.budget = Some(cut);
                        peer.serve();
                        Err(std::io::ErrorKind::WriteZero.into())
                    });
                }
            });
        }
    });
}
