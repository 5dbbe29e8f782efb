//! What the keystore logs on the thread of its caller.

use std::{
    collections::HashMap,
    io::Result,
    sync::{LazyLock, Mutex, Once},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use holdfast_protocol::message::{Failure, Reply};
use keystore_tee::TEEKeystore;
use log::{Level, LevelFilter, Log, Metadata, Record};
use sp_core::{
    crypto::{key_types::GRANDPA, KeyTypeId, Pair},
    ed25519,
};
use sp_keystore::{Error, Keystore};
use substrate_prometheus_endpoint::Registry;

use crate::{
    counted,
    fake::{pair, tee, FakeDaemon},
    real::{vote, RealDaemon},
    LONG,
};

const AURA: KeyTypeId = KeyTypeId(*b"aura");

/// A level and what was said.
pub(crate) type Line = (Level, String);

static LINES: LazyLock<Mutex<HashMap<ThreadId, Vec<Line>>>> = LazyLock::new(Mutex::default);

struct ByThread;

impl Log for ByThread {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target() == "tee-keystore"
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let line = (record.level(), record.args().to_string());
            LINES.lock().expect("no panic").entry(thread::current().id()).or_default().push(line);
        }
    }

    fn flush(&self) {}
}

/// What is made, and what is logged on this thread meanwhile at `info` and above; the number of lines below that.
pub(crate) fn logged<T>(make: impl FnOnce() -> T) -> (T, Vec<Line>, usize) {
    static SET: Once = Once::new();
    SET.call_once(|| {
        log::set_logger(&ByThread).expect("nobody else logs here");
        log::set_max_level(LevelFilter::Debug);
    });
    let lines = || LINES.lock().expect("no panic").remove(&thread::current().id()).unwrap_or_default();
    lines();
    let made = make();
    let (loud, quiet): (Vec<_>, Vec<_>) = lines().into_iter().partition(|(level, _)| *level < Level::Debug);
    (made, loud, quiet.len())
}

/// Stops the daemon, and waits until the keystore has heard of it.
fn stop(daemon: &mut RealDaemon, keystore: &TEEKeystore) {
    daemon.stop();
    let end = Instant::now() + LONG;
    while keystore.tee().is_some() {
        assert!(Instant::now() < end, "its absence is noticed");
        thread::yield_now();
    }
}

fn levels(lines: &[Line]) -> Vec<Level> {
    lines.iter().map(|(level, _)| *level).collect()
}

// Rule 4: an unreachable or misbehaving TEE is never a crashed node.
#[test]
fn rule_4_a_vote_outlasts_a_daemon_with_another_store_and_says_so_once() {
    let daemon = FakeDaemon::start(|_, mut peer| {
        let mut serve = || -> Result<()> {
            peer.open(tee())?;
            let bad = || Failure::BadRequest("no such call".into());
            for failure in [Failure::NoSuchKey, Failure::NoSuchKey, bad(), bad(), Failure::NoSuchKey] {
                let (id, _) = peer.next_signature()?;
                peer.answer(id, Err(failure))?;
            }
            let (id, message) = peer.next_signature()?;
            peer.answer(id, Ok(Reply::Signature(pair().sign(&message).0.to_vec())))
        };
        let _closed = serve();
        peer.wait_closed();
    });
    let (keystore, registry) = (daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    keystore.wait_ready(LONG).expect("the daemon is there");
    let vote = vote(1, [3; 32]);
    let (made, loud, quiet) = logged(|| keystore.ed25519_sign(GRANDPA, &pair().public(), &vote));
    let signature = made.expect("the vote outlasts it").expect("it holds the key now");
    assert!(ed25519::Pair::verify(&signature, vote, &pair().public()));
    assert_eq!((levels(&loud), quiet), (vec![Level::Error, Level::Error, Level::Info], 3), "{loud:?}");
    assert_eq!(
        loud[0].1,
        "the TEE holds no such key of type gran: is the daemon running with the right --store? The vote waits"
    );
    assert!(loud[1].1.contains("bad request: no such call"), "{loud:?}");
    assert!(loud[2].1.starts_with("a vote of type gran was given after waiting"), "{loud:?}");
    assert_eq!(counted(&registry, "gran", "no_key"), 3);
}

#[test]
fn rule_4_a_refusal_ends_a_vote_and_a_release_ends_one_without_its_key() {
    let failures = [Failure::Refused { rule: "Older".into() }, Failure::NoSuchKey];
    let daemon = FakeDaemon::start(move |_, mut peer| {
        let mut serve = || -> Result<()> {
            peer.open(tee())?;
            let (id, _) = peer.next_signature()?;
            peer.answer(id, Err(failures[0].clone()))?;
            loop {
                let (id, _) = peer.next_signature()?;
                peer.answer(id, Err(failures[1].clone()))?;
            }
        };
        let _closed = serve();
    });
    let (keystore, registry) = (daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    keystore.wait_ready(LONG).expect("the daemon is there");
    let sign = || keystore.ed25519_sign(GRANDPA, &pair().public(), &vote(1, [3; 32]));
    assert!(matches!(sign(), Err(Error::Other(_))));
    thread::scope(|scope| {
        let waiting = scope.spawn(sign);
        let end = Instant::now() + LONG;
        while counted(&registry, "gran", "no_key") == 0 {
            assert!(Instant::now() < end, "it is asked for again");
            thread::sleep(Duration::from_millis(5));
        }
        keystore.release();
        assert!(matches!(waiting.join().expect("no panic"), Err(Error::Unavailable)));
    });
}

#[test]
fn a_lost_slot_is_one_line_that_says_what_was_in_the_way() {
    let mut daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let aura = keystore.sr25519_generate_new(AURA, None).expect("the daemon is there");
    stop(&mut daemon, &keystore);
    keystore.offer_header([1; 32], vec![], Instant::now() + Duration::from_millis(300));
    let (made, loud, _) = logged(|| keystore.sr25519_sign(AURA, &aura, &[1; 32]));
    assert!(matches!(made, Err(Error::Unavailable)));
    assert_eq!(levels(&loud), [Level::Warn], "{loud:?}");
    let line = &loud[0].1;
    assert!(
        line.starts_with("no signature of type aura before the slot ended: the daemon cannot be reached"),
        "{line}"
    );
}

#[test]
fn a_vote_that_waits_for_the_daemon_says_so_once_and_once_that_it_was_given() {
    let mut daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let gran = keystore.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
    stop(&mut daemon, &keystore);
    let end = Instant::now() + LONG;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| logged(|| keystore.ed25519_sign(GRANDPA, &gran, &vote(1, [3; 32]))));
        while !LINES.lock().expect("no panic").contains_key(&waiting.thread().id()) {
            assert!(Instant::now() < end, "it says that it waits");
            thread::sleep(Duration::from_millis(5));
        }
        daemon.start_again();
        let (made, loud, _) = waiting.join().expect("no panic");
        assert!(made.expect("the daemon is back").is_some());
        assert_eq!(levels(&loud), [Level::Warn, Level::Info], "{loud:?}");
        let begun = "no signature of type gran: the daemon cannot be reached";
        assert!(loud[0].1.starts_with(begun) && loud[0].1.ends_with(". The vote waits"), "{loud:?}");
        assert!(loud[1].1.starts_with("a vote of type gran was given after waiting"), "{loud:?}");
    });
}
