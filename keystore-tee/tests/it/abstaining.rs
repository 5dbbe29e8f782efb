//! A node whose GRANDPA is behind what its key has signed follows without voting. Rule 5.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use holdfast_protocol::message::{Call, Failure, Floor, GrandpaRound, KeyId, Position, Reply, Scheme, Watermark};
use keystore_tee::{Identity, Place, Refusal, Role, TEEKeystore, Tenure};
use log::Level;
use sp_core::{
    crypto::{key_types::GRANDPA, KeyTypeId, Pair},
    ed25519,
};
use sp_keystore::Keystore;
use substrate_prometheus_endpoint::Registry;

use crate::{
    fake::{honest, lease, pair, tee, FakeDaemon},
    lease::until,
    logged::logged,
    real::{header, vote, RealDaemon},
    LONG,
};

const AURA: KeyTypeId = KeyTypeId(*b"aura");

fn round(round: u64) -> GrandpaRound {
    GrandpaRound { set_id: 0, round }
}

/// Watermarks of the fake daemon's key.
fn marks(floor: Option<u64>, highest: u64) -> Reply {
    let id = KeyId { scheme: Scheme::Ed25519, key_type: GRANDPA.0, public: pair().public().0.to_vec() };
    let watermarks = vec![Watermark { id, highest: Position::Grandpa(round(highest)) }];
    Reply::Watermarks { floor: Floor { grandpa: floor.map(round), slot: None }, watermarks, more: false }
}

fn votes(keystore: &TEEKeystore) -> bool {
    keystore.has_keys(&[(pair().public().0.to_vec(), GRANDPA)])
}

/// Where a node's GRANDPA is, as a test says.
#[derive(Clone)]
struct At(Arc<Mutex<Place>>);

impl At {
    fn new(at: u64) -> Self {
        Self(Arc::new(Mutex::new(Place { at: round(at), voted: None, needed: false, refused: None })))
    }

    fn told_to(self, keystore: &TEEKeystore) -> Self {
        let at = self.0.clone();
        keystore.follow(move || Ok(at.lock().expect("no panic").clone()));
        self
    }

    fn set(&self, change: impl FnOnce(&mut Place)) {
        change(&mut self.0.lock().expect("no panic"));
    }
}

/// A daemon that answers every call but some as a good one does, on each connection.
fn daemon(mut answer: impl FnMut(usize, &Call) -> Option<Result<Reply, Failure>> + Send + 'static) -> FakeDaemon {
    FakeDaemon::start(move |connection, mut peer| {
        peer.serve_with(tee(), |call| answer(connection, &call).unwrap_or_else(|| honest(call, &tee())));
    })
}

#[test]
fn rule_5_a_node_behind_what_its_key_has_signed_follows_until_that_is_past_and_says_so_once() {
    let daemon = daemon(|_, call| matches!(call, Call::Watermarks { .. }).then(|| Ok(marks(None, 57))));
    let (keystore, registry) = (daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    let at = At::new(3).told_to(&keystore);
    keystore.wait_ready(LONG).expect("it is active");

    let (_, loud, _) = logged(|| {
        for here in [3, 4, 56, 57] {
            at.set(|place| place.at = round(here));
            assert!(!votes(&keystore), "in round {here}");
        }
        assert_eq!((keystore.abstains_until(), abstaining(&registry)), (Some(round(57)), 1.0));
        at.set(|place| place.at = round(58));
        assert!(votes(&keystore) && votes(&keystore));
        assert_eq!((keystore.abstains_until(), abstaining(&registry)), (None, 0.0));
    });
    let levels: Vec<Level> = loud.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::Warn, Level::Info], "{loud:?}");
    assert!(loud[0].1.contains("It follows without voting until round 57 of set 0 has passed"), "{loud:?}");
    assert_eq!(loud[1].1, "this node's GRANDPA is in round 58 of set 0: it votes again");
}

#[test]
fn a_node_that_was_restarted_within_a_round_goes_on_with_the_votes_that_it_knows() {
    let daemon = daemon(|_, call| matches!(call, Call::Watermarks { .. }).then(|| Ok(marks(None, 57))));
    let keystore = daemon.keystore();
    let at = At::new(57).told_to(&keystore);
    keystore.wait_ready(LONG).expect("it is active");
    assert!(!votes(&keystore), "its database has lost a vote");
    at.set(|place| place.voted = Some(pair().public().0));
    assert!(votes(&keystore));
    at.set(|place| place.refused = Some(round(57)));
    assert!(!votes(&keystore), "which was refused already");
}

#[test]
fn what_the_keys_have_signed_is_read_again_on_a_new_connection_and_only_then() {
    let asked = Arc::<Mutex<Vec<usize>>>::default();
    let daemon = FakeDaemon::start({
        let asked = asked.clone();
        move |connection, mut peer| {
            let mut serve = || -> std::io::Result<()> {
                peer.open(tee())?;
                let mut signed = false;
                while !signed || connection > 0 {
                    let request = peer.request()?;
                    signed = matches!(request.call, Call::Sign { .. });
                    let answer = match request.call {
                        Call::Watermarks { .. } => {
                            asked.lock().expect("no panic").push(connection);
                            Ok(marks((connection > 0).then_some(70), 57))
                        }
                        call => honest(call, &tee()),
                    };
                    peer.answer(request.id, answer)?;
                }
                Ok(())
            };
            let _closed = serve();
        }
    });
    let keystore = daemon.keystore();
    let at = At::new(58).told_to(&keystore);
    keystore.wait_ready(LONG).expect("it is active");
    assert!(votes(&keystore));
    // After the signature the daemon closes the connection, and comes back with a floor.
    keystore.ed25519_sign(GRANDPA, &pair().public(), &vote(58, [3; 32])).expect("it signs");
    until("the floor is known", || !votes(&keystore));
    assert_eq!(keystore.abstains_until(), Some(round(70)));
    at.set(|place| place.at = round(71));
    assert!(votes(&keystore));
    assert_eq!(*asked.lock().expect("no panic"), [0, 1]);
}

#[test]
fn what_the_keys_have_signed_is_read_again_after_a_failure_of_the_tee_on_the_same_connection() {
    let (failed, asked) = (Arc::<Mutex<bool>>::default(), Arc::<Mutex<Vec<usize>>>::default());
    let daemon = daemon({
        let asked = asked.clone();
        move |connection, call| {
            let mut failed = failed.lock().expect("no panic");
            match call {
                // It is started again after this, and its floor is higher than what it was.
                Call::Sign { .. } if !std::mem::replace(&mut *failed, true) => {
                    Some(Err(Failure::Tee("it died".into())))
                }
                Call::Watermarks { .. } => {
                    asked.lock().expect("no panic").push(connection);
                    Some(Ok(marks(failed.then_some(70), 57)))
                }
                _ => None,
            }
        }
    });
    let keystore = daemon.keystore();
    let at = At::new(58).told_to(&keystore);
    keystore.wait_ready(LONG).expect("it is active");
    assert!(votes(&keystore));
    keystore.ed25519_sign(GRANDPA, &pair().public(), &vote(58, [3; 32])).expect("the vote outlasts it");
    until("the floor is known", || !votes(&keystore));
    assert_eq!(keystore.abstains_until(), Some(round(70)));
    at.set(|place| place.at = round(71));
    assert!(votes(&keystore));
    assert_eq!(*asked.lock().expect("no panic"), [0, 0]);
}

#[test]
fn a_node_is_not_ready_before_it_is_known_what_its_keys_have_signed() {
    let good = Arc::<Mutex<bool>>::default();
    let daemon = daemon({
        let good = good.clone();
        move |_, call| {
            let fails = matches!(call, Call::Watermarks { .. }) && !*good.lock().expect("no panic");
            fails.then(|| Err(Failure::Tee("no storage".into())))
        }
    });
    let keystore = daemon.keystore();
    At::new(58).told_to(&keystore);
    until("it says what is in the way", || {
        let error = keystore.wait_ready(Duration::ZERO).expect_err("it is not ready").to_string();
        error.contains("what the keys have signed so far could not be read") && error.contains("no storage")
    });
    assert!(keystore.role() == Role::Active && !votes(&keystore));
    *good.lock().expect("no panic") = true;
    keystore.wait_ready(LONG).expect("it asks again");
    assert!(votes(&keystore));
}

#[test]
fn a_standby_asks_what_the_keys_have_signed_when_it_takes_over() {
    let (says, asked) = (Arc::new(Mutex::new(None)), Arc::<Mutex<usize>>::default());
    let other = Identity::new([2; 32], "other");
    let daemon = daemon({
        let (says, asked) = (says.clone(), asked.clone());
        move |_, call| match call {
            Call::Lease(_) => {
                let held = Tenure::Held { holder: other, since_ms: 1, silent_ms: 0 };
                Some(Ok(lease(says.lock().expect("no panic").unwrap_or(held))))
            }
            Call::Watermarks { .. } => {
                *asked.lock().expect("no panic") += 1;
                Some(Ok(marks(None, 57)))
            }
            _ => None,
        }
    });
    let keystore = daemon.keystore();
    let at = At::new(57).told_to(&keystore);
    keystore.wait_ready(LONG).expect("a standby needs no watermarks");
    assert_eq!((keystore.role(), *asked.lock().expect("no panic")), (Role::Standby, 0));
    *says.lock().expect("no panic") = Some(Tenure::Yours);
    until("it asks", || *asked.lock().expect("no panic") == 1);
    assert!(!votes(&keystore), "the other has voted in this round");
    at.set(|place| place.at = round(58));
    until("it has the answer", || votes(&keystore));
}

#[test]
fn rule_5_a_second_vote_is_refused_and_the_first_is_signed_again() {
    let daemon = RealDaemon::start();
    let started = || daemon.keystore_of(Identity::new([1; 32], "again"));
    let keystore = started();
    let gran = keystore.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
    let sign = |target| keystore.ed25519_sign(GRANDPA, &gran, &vote(9, target));
    let first = sign([3; 32]).expect("it is the first").expect("it holds the key");
    assert!(ed25519::Pair::verify(&first, vote(9, [3; 32]), &gran));
    assert_eq!(sign([3; 32]).expect("it is the same"), Some(first));
    assert_eq!(keystore.refusal(), None);
    assert!(sign([4; 32]).is_err());
    assert_eq!(keystore.refusal(), Some(Refusal { rule: "GrandpaDoubleVote".into(), round: round(9) }));

    // The next process of this node, whose database knows nothing of the round, or of the vote.
    drop(keystore);
    let next = started();
    let has = |keystore: &TEEKeystore| keystore.has_keys(&[(gran.0.to_vec(), GRANDPA)]);
    let at = At::new(1).told_to(&next);
    assert!(!has(&next));
    at.set(|place| place.at = round(9));
    assert!(!has(&next));
    at.set(|place| place.at = round(10));
    assert!(has(&next));
}

#[test]
fn a_slot_that_was_sealed_before_is_lost_with_a_warning_and_ends_nothing() {
    let daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let aura = keystore.sr25519_generate_new(AURA, None).expect("the daemon is there");
    let seal = |(header, hash): (Vec<u8>, [u8; 32])| {
        keystore.offer_header(hash, header, Instant::now() + LONG);
        keystore.sr25519_sign(AURA, &aura, &hash)
    };
    assert!(seal(header(5)).expect("it is the first").is_some());
    let (mut other, _) = header(5);
    other[0] ^= 1;
    let hash = sp_crypto_hashing::blake2_256(&other);
    for (second, rule) in [((other, hash), "AuraDoubleSeal"), (header(4), "AuraOldSlot")] {
        let (made, loud, _) = logged(|| seal(second));
        assert!(made.is_err());
        let [(Level::Warn, line)] = &loud[..] else { panic!("{loud:?}") };
        assert!(line.starts_with("no block in this slot, and no harm done") && line.contains(rule), "{line}");
    }
    assert_eq!(keystore.refusal(), None);
    assert!(seal(header(6)).expect("the node goes on").is_some());
}

fn abstaining(registry: &Registry) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.get_name() == "holdfast_abstaining").expect("it is there");
    family.get_metric()[0].get_gauge().get_value()
}
