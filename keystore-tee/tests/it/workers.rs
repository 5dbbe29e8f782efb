//! Callers on the workers of a node's runtime.

use std::{
    io::Result,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc, Arc,
    },
};

use holdfast_protocol::message::{Call, Request};
use sp_core::{crypto::KeyTypeId, Pair};
use sp_keystore::{Error, Keystore};
use tokio::runtime::Builder;

use crate::{
    fake::{honest, pair, tee, FakeDaemon},
    LONG,
};

const TEST: KeyTypeId = KeyTypeId(*b"test");

#[test]
fn rule_4_callers_who_wait_on_a_worker_keep_no_other_task_from_running() {
    const CALLERS: usize = 4;
    let (report, asked) = mpsc::channel();
    let daemon = FakeDaemon::start(move |_, mut peer| {
        let mut serve = || -> Result<()> {
            peer.open(tee())?;
            loop {
                let Request { id, call, .. } = peer.request()?;
                match call {
                    Call::Generate { .. } | Call::Sign { .. } => report.send(()).expect("the test waits"),
                    call => peer.answer(id, honest(call, &tee()))?,
                }
            }
        };
        let _closed = serve();
    });
    let keystore = Arc::new(daemon.keystore());
    keystore.wait_ready(LONG).expect("the daemon is there");
    let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let waiting: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let keystore = keystore.clone();
            runtime.spawn(async move {
                match caller % 2 {
                    0 => keystore.ed25519_generate_new(TEST, None).map(drop),
                    _ => keystore.ed25519_sign(TEST, &pair().public(), b"message").map(drop),
                }
            })
        })
        .collect();
    for _ in 0..CALLERS {
        asked.recv_timeout(LONG).expect("all of them ask");
    }
    runtime.block_on(runtime.spawn(async {})).expect("another task runs");
    assert!(waiting.iter().all(|task| !task.is_finished()), "while all of them wait");
    keystore.release();
    for task in waiting {
        assert!(matches!(runtime.block_on(task).expect("no panic"), Err(Error::Unavailable)));
    }
}

#[test]
fn a_current_thread_runtime_and_a_blocking_thread_can_call_too() {
    let daemon = FakeDaemon::start(|_, mut peer| drop(peer.serve()));
    let keystore = Arc::new(daemon.keystore());
    keystore.wait_ready(LONG).expect("the daemon is there");
    let sign =
        move || keystore.ed25519_sign(TEST, &pair().public(), b"message").expect("the daemon is there").is_some();
    let single = Builder::new_current_thread().build().expect("a runtime");
    assert!(single.block_on(async { sign() }));
    let multi = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    assert!(multi.block_on(async { sign() }));
    assert!(multi.block_on(multi.spawn_blocking(sign)).expect("no panic"));
}

#[test]
fn rule_4_whoever_is_no_validator_does_not_wait_for_a_handshake() {
    let ended = Arc::<AtomicUsize>::default();
    let count = ended.clone();
    let daemon = FakeDaemon::start(move |_, mut peer| {
        peer.wait_closed();
        count.fetch_add(1, Ordering::SeqCst);
    });
    let keystore = daemon.keystore();
    assert!(matches!(keystore.ed25519_generate_new(TEST, None), Err(Error::Unavailable)));
    assert!(matches!(keystore.ed25519_sign(TEST, &pair().public(), b"message"), Err(Error::Unavailable)));
    assert_eq!(ended.load(Ordering::SeqCst), 0, "the first attempt is still under way");
}
