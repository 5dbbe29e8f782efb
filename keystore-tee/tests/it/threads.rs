//! What must hold, 5: 64 threads through one keystore, while the daemon stays and while it comes and goes.

use std::{
    collections::HashSet,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use keystore_tee::TEEKeystore;
use sp_core::{
    crypto::{key_types::GRANDPA, KeyTypeId, Pair},
    ecdsa, ed25519, sr25519,
};
use sp_keystore::{Error, Keystore};

use crate::{
    real::{vote, RealDaemon},
    LONG,
};

const THREADS: usize = 64;
const TEST: KeyTypeId = KeyTypeId(*b"test");

struct Keys {
    /// One for each thread: a key votes in no round long before its last.
    gran: Vec<ed25519::Public>,
    ed25519: ed25519::Public,
    sr25519: sr25519::Public,
    ecdsa: ecdsa::Public,
}

impl Keys {
    fn new(keystore: &TEEKeystore) -> Self {
        Self {
            gran: (0..THREADS)
                .map(|_| keystore.ed25519_generate_new(GRANDPA, None).expect("the daemon is there"))
                .collect(),
            ed25519: keystore.ed25519_generate_new(TEST, None).expect("the daemon is there"),
            sr25519: keystore.sr25519_generate_new(TEST, None).expect("the daemon is there"),
            ecdsa: keystore.ecdsa_generate_new(TEST, None).expect("the daemon is there"),
        }
    }

    /// Signs a message of its own with one of a thread's four keys, and checks the signature. False if the TEE was away.
    fn sign(&self, keystore: &TEEKeystore, thread: usize, number: u64) -> bool {
        let message = number.to_le_bytes();
        let there = |result: Result<bool, Error>| match result {
            Ok(verified) => {
                assert!(verified, "signature {number}");
                true
            }
            Err(Error::Unavailable) => false,
            Err(error) => panic!("signature {number}: {error}"),
        };
        match number % 4 {
            // A vote waits for the daemon: whoever asks for one never hears that it was away.
            0 => {
                let (gran, vote) = (&self.gran[thread], vote(number, [3; 32]));
                let signature = keystore.ed25519_sign(GRANDPA, gran, &vote).expect("a vote is always made");
                assert!(ed25519::Pair::verify(&signature.expect("it holds the key"), vote, gran));
                true
            }
            1 => {
                there(keystore.ed25519_sign(TEST, &self.ed25519, &message).map(|signature| {
                    ed25519::Pair::verify(&signature.expect("it holds the key"), message, &self.ed25519)
                }))
            }
            2 => {
                there(keystore.sr25519_sign(TEST, &self.sr25519, &message).map(|signature| {
                    sr25519::Pair::verify(&signature.expect("it holds the key"), message, &self.sr25519)
                }))
            }
            _ => there(
                keystore
                    .ecdsa_sign(TEST, &self.ecdsa, &message)
                    .map(|signature| ecdsa::Pair::verify(&signature.expect("it holds the key"), message, &self.ecdsa)),
            ),
        }
    }
}

#[test]
fn rule_3_every_signature_of_64_threads_verifies_for_its_own_message() {
    const EACH: u64 = 16;
    let daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let keys = Keys::new(&keystore);
    let next = AtomicU64::new(0);
    let sign = |thread| -> Vec<u64> {
        let one = |_| {
            let number = next.fetch_add(1, Ordering::Relaxed);
            assert!(keys.sign(&keystore, thread, number), "the daemon stays");
            number
        };
        (0..EACH).map(one).collect()
    };
    let made: Vec<u64> = thread::scope(|scope| {
        let sign = &sign;
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || sign(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    let distinct: HashSet<u64> = made.iter().copied().collect();
    assert_eq!((made.len(), distinct.len()), (THREADS * EACH as usize, THREADS * EACH as usize), "none is lost");
}

#[test]
fn rule_4_nothing_is_lost_or_mixed_up_while_the_daemon_comes_and_goes() {
    const RESTARTS: usize = 5;
    const BETWEEN: usize = 300;
    let mut daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let keys = Keys::new(&keystore);
    let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let (report, made) = mpsc::channel();
    let count = thread::scope(|scope| {
        for thread in 0..THREADS {
            let report = report.clone();
            let (keystore, keys, next, done) = (&keystore, &keys, &next, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    while !keys.sign(keystore, thread, number) {
                        keystore.wait_ready(LONG).expect("the daemon comes back");
                    }
                    report.send(()).expect("is counted");
                }
            });
        }
        drop(report);
        let wait = || (0..BETWEEN).for_each(|_| made.recv_timeout(LONG).expect("signing goes on"));
        for _ in 0..RESTARTS {
            // A restart comes in the middle of signing.
            wait();
            daemon.stop();
            assert!(keystore.has_keys(&[(keys.gran[0].0.to_vec(), GRANDPA)]), "down is not empty");
            daemon.start_again();
        }
        wait();
        done.store(true, Ordering::Relaxed);
        (RESTARTS + 1) * BETWEEN + made.iter().count()
    });
    assert_eq!(count as u64, next.load(Ordering::Relaxed), "every signature was made in the end");
}
