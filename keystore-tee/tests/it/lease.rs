//! Several nodes on one daemon: only one of them signs. Rule 5.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use holdfast_protocol::{
    lease::Claim,
    message::{Call, Failure, Reply},
};
use keystore_tee::{Identity, Role, TEEKeystore, Tenure};
use sp_core::{
    crypto::{key_types::GRANDPA, KeyTypeId, Pair},
    ed25519,
};
use sp_keystore::{Error, Keystore};
use substrate_prometheus_endpoint::Registry;

use crate::{
    counted,
    fake::{honest, lease, pair, tee, FakeDaemon},
    real::{header, vote, RealDaemon},
    LONG,
};

const TEST: KeyTypeId = KeyTypeId(*b"test");
const AURA: KeyTypeId = KeyTypeId(*b"aura");

pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn resolved(future: impl Future<Output = ()>) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
}

fn has(keystore: &TEEKeystore, key_type: KeyTypeId) -> bool {
    keystore.has_keys(&[(pair().public().0.to_vec(), key_type)])
}

/// A daemon that says of the lease what the test wants, and signs for everybody.
struct Landlord {
    daemon: FakeDaemon,
    says: Arc<Mutex<Tenure>>,
    heard: Arc<Mutex<Vec<Call>>>,
}

impl Landlord {
    fn saying(tenure: Tenure) -> Self {
        let (says, heard) = (Arc::new(Mutex::new(tenure)), Arc::<Mutex<Vec<Call>>>::default());
        let daemon = FakeDaemon::start({
            let (says, heard) = (says.clone(), heard.clone());
            move |_, mut peer| {
                peer.serve_with(tee(), |call| {
                    heard.lock().expect("no panic").push(call.clone());
                    let mut says = says.lock().expect("no panic");
                    match call {
                        Call::Lease(claim) => {
                            if (claim, matches!(*says, Tenure::Free { .. })) == (Claim::TakeOver, true) {
                                *says = Tenure::Yours;
                            }
                            Ok(lease(*says))
                        }
                        call => honest(call, &tee()),
                    }
                });
            }
        });
        Self { daemon, says, heard }
    }

    fn say(&self, tenure: Tenure) {
        *self.says.lock().expect("no panic") = tenure;
    }

    fn heard(&self, what: impl Fn(&Call) -> bool) -> usize {
        self.heard.lock().expect("no panic").iter().filter(|call| what(call)).count()
    }
}

fn held(holder: Identity) -> Tenure {
    Tenure::Held { holder, since_ms: 1_000, silent_ms: 0 }
}

fn is_vote(call: &Call) -> bool {
    matches!(call, Call::Sign { message, .. } if message.len() == 53)
}

#[test]
fn rule_5_a_standby_has_no_keys_and_asks_for_no_vote() {
    let other = Identity::new([2; 32], "other");
    let landlord = Landlord::saying(held(other));
    let (keystore, registry) = (landlord.daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    keystore.wait_ready(LONG).expect("it is known to be a standby");
    assert_eq!(keystore.role(), Role::Standby);
    let Some(Tenure::Held { holder, since_ms, .. }) = keystore.lease().map(|lease| lease.tenure) else {
        panic!("{:?}", keystore.lease())
    };
    assert!(holder == other && since_ms >= 1_000);
    assert!(!has(&keystore, GRANDPA) && has(&keystore, TEST));
    assert_eq!(keystore.ed25519_public_keys(GRANDPA), vec![pair().public()], "it knows them all the same");
    let proof = keystore.ed25519_sign(GRANDPA, &pair().public(), &[b"POP_", &[1; 32][..]].concat());
    assert!(proof.expect("needs no lease").is_some());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| keystore.ed25519_sign(GRANDPA, &pair().public(), &vote(1, [3; 32])));
        until("it was thought of twice", || counted(&registry, "gran", "not_holder") >= 2);
        keystore.release();
        assert!(matches!(waiting.join().expect("no panic"), Err(Error::Unavailable)));
    });
    assert_eq!(landlord.heard(is_vote), 0);
    assert_eq!(landlord.heard(|call| matches!(call, Call::Lease(Claim::Keep | Claim::TakeOver))), 0);
}

#[test]
fn a_standby_takes_over_once_nobody_holds_the_lease_and_two_rounds_have_passed() {
    let other = Identity::new([2; 32], "other");
    let landlord = Landlord::saying(held(other));
    let keystore = landlord.daemon.keystore();
    keystore.wait_ready(LONG).expect("it is known to be a standby");
    for round in 1..6 {
        keystore.observe_round(0, round);
    }
    landlord.say(Tenure::Free { last: Some(other), reserved_ms: 0 });
    let free = || keystore.lease().is_some_and(|lease| matches!(lease.tenure, Tenure::Free { .. }));
    until("it hears that the lease is free", free);
    let takeovers = || landlord.heard(|call| *call == Call::Lease(Claim::TakeOver));
    let looks = || landlord.heard(|call| *call == Call::Lease(Claim::Look));
    for round in [5, 6, 6] {
        keystore.observe_round(0, round);
    }
    let before = looks();
    until("it goes on looking", || looks() > before + 2);
    assert_eq!((takeovers(), keystore.role()), (0, Role::Standby), "one round has passed");
    keystore.observe_round(0, 7);
    until("it becomes active", || keystore.role() == Role::Active);
    assert!(has(&keystore, GRANDPA) && takeovers() == 1);
    let signature = keystore.ed25519_sign(GRANDPA, &pair().public(), &vote(8, [3; 32]));
    assert!(signature.expect("it holds the lease").is_some());
}

#[test]
fn rule_5_a_node_whose_place_was_taken_signs_nothing_ever_again() {
    let landlord = Landlord::saying(Tenure::Yours);
    let (keystore, registry) = (landlord.daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    keystore.wait_ready(LONG).expect("it is active");
    assert!(has(&keystore, GRANDPA) && !resolved(keystore.superseded()));
    landlord.say(held(Identity::new([2; 32], "other")));
    until("it hears of the other", || keystore.role() == Role::Superseded);
    assert!(resolved(keystore.superseded()) && !has(&keystore, GRANDPA));

    // Whatever the daemon says later, and would sign.
    landlord.say(Tenure::Yours);
    let looks = landlord.heard(|call| *call == Call::Lease(Claim::Look));
    until("it still looks", || landlord.heard(|call| *call == Call::Lease(Claim::Look)) > looks + 1);
    assert_eq!(keystore.role(), Role::Superseded);
    let (header, hash) = header(1);
    keystore.offer_header(hash, header, Instant::now() + LONG);
    assert!(matches!(keystore.ed25519_sign(AURA, &pair().public(), &hash), Err(Error::Unavailable)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| keystore.ed25519_sign(GRANDPA, &pair().public(), &vote(1, [3; 32])));
        until("it was thought of", || counted(&registry, "gran", "not_holder") >= 1);
        keystore.release();
        assert!(matches!(waiting.join().expect("no panic"), Err(Error::Unavailable)));
    });
    assert_eq!(landlord.heard(|call| matches!(call, Call::Sign { .. })), 0);
}

/// A daemon that has another reason for each of the first signatures, and then signs.
fn refusing(failures: Vec<Failure>) -> FakeDaemon {
    FakeDaemon::start(move |_, mut peer| {
        let mut failures = failures.clone().into_iter();
        peer.serve_with(tee(), |call| match call {
            Call::Sign { .. } => failures.next().map_or_else(|| honest(call, &tee()), Err),
            call => honest(call, &tee()),
        });
    })
}

// Rule 4.
#[test]
fn rule_4_a_vote_outlasts_a_daemon_that_does_not_know_its_holder_yet() {
    let nobody = Failure::NotHolder { holder: None };
    let daemon = refusing(vec![nobody.clone(), Failure::NotHolder { holder: Some(Identity::default()) }, nobody]);
    let (keystore, registry) = (daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    keystore.wait_ready(LONG).expect("it is active");
    let vote = vote(1, [3; 32]);
    let signature = keystore.ed25519_sign(GRANDPA, &pair().public(), &vote).expect("outlasts it").expect("has the key");
    assert!(ed25519::Pair::verify(&signature, vote, &pair().public()));
    assert_eq!((counted(&registry, "gran", "not_holder"), counted(&registry, "gran", "ok")), (3, 1));
    let families = registry.gather();
    let refusals = families.iter().find(|family| family.get_name() == "holdfast_refusals_total").expect("counted");
    assert_eq!(refusals.get_metric()[0].get_label()[0].get_value(), "NotHolder");
    assert_eq!(refusals.get_metric()[0].get_counter().get_value(), 3.0);
}

#[test]
fn a_seal_is_asked_for_again_if_nobody_holds_the_lease_and_is_lost_if_another_does() {
    let other = Failure::NotHolder { holder: Some(Identity::default()) };
    let daemon = refusing(vec![Failure::NotHolder { holder: None }, other]);
    let keystore = daemon.keystore();
    keystore.wait_ready(LONG).expect("it is active");
    keystore.offer_header([1; 32], vec![], Instant::now() + LONG);
    let seal = || keystore.ed25519_sign(AURA, &pair().public(), &[1; 32]);
    assert!(matches!(seal(), Err(Error::Unavailable)), "the second answer names another");
    assert!(seal().expect("the third is a signature").is_some());
}

#[test]
fn every_refusal_makes_the_node_look_at_the_lease_at_once() {
    let (heard, landlord) = (Arc::<Mutex<usize>>::default(), Identity::new([2; 32], "other"));
    let daemon = FakeDaemon::start({
        let heard = heard.clone();
        move |_, mut peer| {
            let mut taken = false;
            peer.serve_with(tee(), |call| match call {
                Call::Sign { .. } => {
                    taken = true;
                    Err(Failure::NotHolder { holder: Some(landlord) })
                }
                Call::Lease(_) => {
                    *heard.lock().expect("no panic") += 1;
                    // Far longer than the test: nobody would look again by himself for a second.
                    let (tenure, lasts_ms) = (if taken { held(landlord) } else { Tenure::Yours }, 3_600_000);
                    Ok(Reply::Lease(keystore_tee::Lease { tenure, lasts_ms, last_vote: None, last_slot: None }))
                }
                call => honest(call, &tee()),
            });
        }
    });
    let keystore = daemon.keystore();
    keystore.wait_ready(LONG).expect("it is active");
    keystore.offer_header([1; 32], vec![], Instant::now() + LONG);
    assert!(keystore.ed25519_sign(AURA, &pair().public(), &[1; 32]).is_err());
    until("it hears of the other", || keystore.role() == Role::Superseded);
    assert!(*heard.lock().expect("no panic") >= 2);
}

// Rule 4: the daemon's restart is not the active node's end.
#[test]
fn rule_4_an_active_node_stays_active_through_restarts_of_its_daemon() {
    let mut daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let gran = keystore.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
    for round in 1..4 {
        assert_eq!(keystore.role(), Role::Active);
        let signature = keystore.ed25519_sign(GRANDPA, &gran, &vote(round, [3; 32])).expect("a vote is always made");
        assert!(ed25519::Pair::verify(&signature.expect("it holds the key"), vote(round, [3; 32]), &gran));
        daemon.stop();
        assert!(keystore.has_keys(&[(gran.0.to_vec(), GRANDPA)]), "down is not empty");
        daemon.start_again();
    }
    let lease = || keystore.lease().expect("it was heard of").last_vote;
    keystore.ed25519_sign(GRANDPA, &gran, &vote(9, [3; 32])).expect("a vote is always made");
    until("the daemon tells of the vote", || lease() == Some((0, 9)));
}

#[test]
fn rule_5_of_two_nodes_on_one_daemon_one_signs_and_the_other_follows_in_its_place() {
    let daemon = RealDaemon::start();
    let identity = |node: u8, name: &str| Identity::new([node; 32], name);
    let first = daemon.keystore_of(identity(1, "first"));
    let gran = first.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
    let keys = [(gran.0.to_vec(), GRANDPA)];
    let second = daemon.keystore_of(identity(2, "second"));
    until("the second knows the key", || second.ed25519_public_keys(GRANDPA) == vec![gran]);
    assert_eq!((first.role(), second.role()), (Role::Active, Role::Standby));
    assert!(first.has_keys(&keys) && !second.has_keys(&keys));
    let voted = vote(3, [3; 32]);
    assert!(first.ed25519_sign(GRANDPA, &gran, &voted).expect("it holds the lease").is_some());
    second.observe_round(0, 3);

    drop(first);
    let free = || second.lease().is_some_and(|lease| matches!(lease.tenure, Tenure::Free { .. }));
    until("the second hears that the lease is free", free);
    second.observe_round(0, 4);
    assert_eq!(second.role(), Role::Standby);
    second.observe_round(0, 5);
    until("the second takes over", || second.role() == Role::Active);
    assert!(second.has_keys(&keys));
    assert!(second.ed25519_sign(GRANDPA, &gran, &vote(6, [3; 32])).expect("it holds the lease").is_some());

    let back = daemon.keystore_of(identity(1, "first"));
    assert_eq!(back.role(), Role::Standby);
    assert!(!back.has_keys(&keys));
    let Some(Tenure::Held { holder, .. }) = back.lease().map(|lease| lease.tenure) else {
        panic!("{:?}", back.lease())
    };
    assert_eq!((holder.node, holder.name().as_str()), ([2; 32], "second"));
}

#[test]
fn a_node_that_was_restarted_has_its_own_lease_back_at_once() {
    let daemon = RealDaemon::start();
    for _ in 0..3 {
        let keystore = daemon.keystore_of(Identity::new([1; 32], "again"));
        assert_eq!(keystore.role(), Role::Active);
    }
}

#[test]
fn a_node_that_is_no_validator_makes_keys_and_leaves_the_lease_alone() {
    let daemon = RealDaemon::start();
    let observer = TEEKeystore::deferred(&daemon.uri(), Identity::new([9; 32], "observer")).expect("a valid URI");
    observer.connect_as_observer().expect("threads start");
    observer.wait_ready(LONG).expect("the daemon is there");
    let gran = observer.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
    let proof = observer.ed25519_sign(GRANDPA, &gran, &[b"POP_", &[1; 32][..]].concat());
    assert!(proof.expect("needs no lease").is_some());
    assert!(observer.role() == Role::Observer && !observer.has_keys(&[(gran.0.to_vec(), GRANDPA)]));
    let validator = daemon.keystore();
    assert_eq!(validator.role(), Role::Active);
}
