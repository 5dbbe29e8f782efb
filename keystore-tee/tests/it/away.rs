//! While the TEE is away. Rule 4.

use std::{
    future::Future,
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use keystore_tee::{Identity, TEEKeystore};
use sp_core::{
    crypto::{key_types::GRANDPA, KeyTypeId, Pair},
    ed25519, sr25519,
};
use sp_keystore::{Error, Keystore};
use tokio::{runtime::Builder, time::timeout};

use crate::{
    fake::{pair, FakeDaemon},
    real::{header, vote, RealDaemon},
    LONG,
};

const AURA: KeyTypeId = KeyTypeId(*b"aura");

fn pending(future: impl Future<Output = ()>) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending
}

/// Waits for a future as a node would.
fn block_on(future: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async { timeout(LONG, future).await }).expect("comes about");
}

#[test]
fn rule_4_keys_are_known_while_the_daemon_is_away_and_usable_when_it_is_back() {
    let mut daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let aura = keystore.sr25519_generate_new(AURA, None).expect("the daemon is there");
    let gran = keystore.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
    block_on(keystore.up());
    daemon.stop();
    while !pending(keystore.up()) {
        thread::yield_now();
    }
    assert!(keystore.tee().is_none());
    assert!(keystore.has_keys(&[(aura.0.to_vec(), AURA), (gran.0.to_vec(), GRANDPA)]));
    assert_eq!(keystore.sr25519_public_keys(AURA), vec![aura]);
    assert_eq!(keystore.keys(GRANDPA).expect("the list was read"), vec![gran.0.to_vec()]);
    assert!(matches!(keystore.ed25519_generate_new(GRANDPA, None), Err(Error::Unavailable)));
    assert!(matches!(keystore.sr25519_sign(AURA, &aura, b"POP_"), Err(Error::Unavailable)));
    let (header, hash) = header(1);
    keystore.offer_header(hash, header.clone(), Instant::now() + Duration::from_millis(100));
    assert!(matches!(keystore.sr25519_sign(AURA, &aura, &hash), Err(Error::Unavailable)), "the slot is lost");

    // Asked for while the daemon is away, made when it is back.
    keystore.offer_header(hash, header, Instant::now() + LONG);
    thread::scope(|scope| {
        let vote = vote(1, [3; 32]);
        let seal = scope.spawn(|| keystore.sr25519_sign(AURA, &aura, &hash));
        let voted = scope.spawn({
            let (keystore, vote) = (&keystore, vote.clone());
            move || keystore.ed25519_sign(GRANDPA, &gran, &vote)
        });
        daemon.start_again();
        let seal = seal.join().expect("no panic").expect("in time").expect("it holds the key");
        assert!(sr25519::Pair::verify(&seal, hash, &aura));
        let voted = voted.join().expect("no panic").expect("in time").expect("it holds the key");
        assert!(ed25519::Pair::verify(&voted, vote, &gran));
    });
    block_on(keystore.up());
}

#[test]
fn rule_4_a_vote_is_asked_for_again_on_the_next_connection() {
    let daemon = FakeDaemon::start(|number, mut peer| {
        // The first three take the question and die.
        match number {
            0..3 => drop(peer.until_signature()),
            _ => drop(peer.serve()),
        }
    });
    let keystore = daemon.keystore();
    let vote = vote(1, [3; 32]);
    let signature = keystore.ed25519_sign(GRANDPA, &pair().public(), &vote).expect("made").expect("it holds the key");
    assert!(ed25519::Pair::verify(&signature, vote, &pair().public()));
}

#[test]
fn a_release_lets_a_waiting_vote_go_and_a_pausing_one_too() {
    for wrong in [false, true] {
        let (asked, wait) = mpsc::channel();
        let daemon = FakeDaemon::start(move |_, mut peer| {
            if let Ok((mut id, _)) = peer.until_signature() {
                // Wrong answers make the keystore pause longer and longer; silence makes it wait.
                for _ in 0..if wrong { 6 } else { 0 } {
                    peer.answer(id, Err(holdfast_protocol::message::Failure::Tee("broken".into()))).expect("is read");
                    id = peer.next_signature().expect("asks again").0;
                }
                asked.send(()).expect("the test waits");
            }
            peer.wait_closed();
        });
        let keystore = daemon.keystore();
        thread::scope(|scope| {
            let vote = scope.spawn(|| keystore.ed25519_sign(GRANDPA, &pair().public(), &vote(1, [3; 32])));
            wait.recv().expect("the vote arrives");
            keystore.release();
            assert!(matches!(vote.join().expect("no panic"), Err(Error::Unavailable)));
        });
        // Nothing waits after a release either.
        let late = keystore.ed25519_sign(GRANDPA, &pair().public(), &vote(1, [3; 32]));
        assert!(matches!(late, Err(Error::Unavailable)));
        assert!(keystore.wait_ready(LONG).is_err());
    }
}

#[test]
fn a_keystore_without_a_daemon_says_where_it_looked_and_can_be_dropped() {
    let uri = "unix:///nonexistent/holdfast/host.sock";
    let keystore = TEEKeystore::deferred(uri, Identity::default()).expect("a valid URI");
    let error = keystore.wait_ready(Duration::ZERO).expect_err("nothing was started").to_string();
    assert!(error.contains(uri) && error.contains("has not been started"), "{error}");
    keystore.connect([7; 32]).expect("threads start");
    let error = keystore.wait_ready(Duration::from_millis(200)).expect_err("nothing is there").to_string();
    assert!(error.contains(uri), "{error}");
    assert!(pending(keystore.up()) && pending(keystore.ready()));
    assert!(matches!(keystore.keys(GRANDPA), Err(Error::Unavailable)));
    assert!(!keystore.has_keys(&[]) && keystore.ed25519_public_keys(GRANDPA).is_empty());
    drop(keystore);
    for uri in ["", "unix://relative", "tcp://192.0.2.1:9", "http://127.0.0.1:9"] {
        assert!(TEEKeystore::deferred(uri, Identity::default()).is_err(), "{uri}");
    }
}

#[test]
fn a_key_that_another_client_made_is_noticed() {
    let daemon = RealDaemon::start();
    let (one, other) = (daemon.keystore(), daemon.keystore());
    let key = one.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
    assert_eq!(one.ed25519_public_keys(GRANDPA), vec![key], "its own at once");
    let end = Instant::now() + LONG;
    while other.ed25519_public_keys(GRANDPA) != vec![key] {
        assert!(Instant::now() < end, "not noticed");
        thread::sleep(Duration::from_millis(20));
    }
}
