//! Two nodes on one daemon: which of them may sign.

use std::{io::Write, path::Path};

use holdfast_host::InProcess;
use holdfast_protocol::{
    lease::{Claim, Identity, Tenure},
    message::{Call, Context, Failure, KeyId, Reply},
    CallError, Client, State, Unreachable,
};
use holdfast_ta_soft::SoftTee;

use crate::support::*;

const CLAIMS: [Claim; 3] = [Claim::Take, Claim::Keep, Claim::TakeOver];

fn first() -> Identity {
    Identity::new([1; 32], "first")
}

fn second() -> Identity {
    Identity::new([2; 32], "second")
}

#[track_caller]
fn not_holder(client: &Client, key: &KeyId, holder: Option<Identity>) {
    assert_eq!(try_sign(client, key, &vote(1)), Err(CallError::Failed(Failure::NotHolder { holder })));
}

#[track_caller]
fn proves_possession(client: &Client, key: &KeyId) {
    try_sign(client, key, &[&b"POP_"[..], &[0; 32]].concat()).expect("signed");
    try_sign(client, key, b"POP_").expect("signed");
}

#[test]
fn a_second_node_is_refused_while_the_first_holds_the_lease() {
    let daemon = Running::start(soft());
    let (one, two) = (first(), second());
    let (active, standby) = (daemon.node(one), daemon.node(two));
    let key = make_gran(&active);
    not_holder(&active, &key, None);
    assert!(gets(&active, Claim::Take));
    try_sign(&active, &key, &vote(1)).expect("signed");
    for what in CLAIMS {
        assert!(matches!(claim(&standby, what).tenure, Tenure::Held { holder, .. } if holder == one));
        not_holder(&standby, &key, Some(one));
    }
    let retired = standby.call(Call::Retire(key.clone()), soon());
    assert_eq!(retired, Err(CallError::Failed(Failure::NotHolder { holder: Some(one) })));
    // What it may do all the same: look, make keys, have them prove possession.
    assert_eq!(standby.call(Call::Has(key.clone()), soon()), Ok(Reply::Has(true)));
    proves_possession(&standby, &make_gran(&standby));
    sign(&standby, &make_key(&standby).id, b"with a test key");
    try_sign(&active, &key, &vote(2)).expect("still");
    assert_eq!(claim(&standby, Claim::Look).last_vote, Some((1, 2)));
}

#[test]
fn another_node_takes_over_when_the_holders_connection_closes_and_the_holder_comes_back_to_a_refusal() {
    let daemon = Running::start(soft());
    let (one, two) = (first(), second());
    let (active, standby) = (daemon.node(one), daemon.node(two));
    let key = make_gran(&active);
    assert!(gets(&active, Claim::Take));
    drop(active);
    wait_until(
        "free",
        || matches!(claim(&standby, Claim::Look).tenure, Tenure::Free { last: Some(last), .. } if last == one),
    );
    assert!(!gets(&standby, Claim::Take) && !gets(&standby, Claim::Keep));
    not_holder(&standby, &key, None);
    assert!(gets(&standby, Claim::TakeOver));
    try_sign(&standby, &key, &vote(1)).expect("signed");
    // The same process again, as after a broken connection.
    let active = daemon.node(one);
    for what in CLAIMS {
        not_holder(&active, &key, Some(two));
        assert!(!gets(&active, what));
    }
}

#[test]
fn the_same_process_goes_on_when_it_connects_again_and_the_same_node_after_a_restart() {
    let daemon = Running::start(soft());
    let (one, restarted) = (first(), first());
    let before = daemon.node(one);
    let key = make_gran(&before);
    assert!(gets(&before, Claim::Take));
    drop(before);
    let before = daemon.node(one);
    try_sign(&before, &key, &vote(1)).expect("it has not lost the lease");
    let after = daemon.node(restarted);
    assert!(!gets(&after, Claim::Take), "the process before it is still there");
    drop(before);
    wait_until("given", || gets(&after, Claim::Take));
    try_sign(&after, &key, &vote(2)).expect("signed");
}

#[test]
fn a_node_that_was_silent_goes_on_unless_another_has_taken_over() {
    let daemon = Running::with(soft(), |config| config.lease_ms = 1000);
    let (mut silent, _) = greet(daemon.raw());
    let standby = daemon.node(second());
    let key = make_gran(&standby);
    silent.write_all(&claim_frame(0, 1)).expect("sent");
    assert!(is_yours(&read_frame(&mut silent), 0));
    let free = || matches!(claim(&standby, Claim::Look).tenure, Tenure::Free { last: Some(_), .. });
    wait_until("free", free);
    silent.write_all(&sign_frame(1, &key, &vote(1))).expect("sent");
    assert!(is_signature(&read_frame(&mut silent), 1));
    assert!(matches!(claim(&standby, Claim::TakeOver).tenure, Tenure::Held { .. }));
    wait_until("taken over", || gets(&standby, Claim::TakeOver));
    silent.write_all(&sign_frame(2, &key, &vote(2))).expect("sent");
    assert!(!is_signature(&read_frame(&mut silent), 2));
    try_sign(&standby, &key, &vote(2)).expect("signed");
}

#[test]
fn a_daemon_that_remembers_nobody_gives_the_lease_after_its_start_only_to_who_says_that_it_held_it() {
    let home = tempfile::tempdir().expect("a directory");
    let (store, socket) = (home.path().join("store"), home.path().join("host.sock"));
    let open = || Box::new(InProcess::new(SoftTee::open(&store).expect("a store")));
    let mut daemon = Running::with(open(), |config| config.socket = socket.clone());
    let (active, standby) = (daemon.node(first()), daemon.node(second()));
    let key = make_gran(&active);
    assert!(gets(&active, Claim::Take));
    assert!(daemon.stop());
    let daemon = Running::with(open(), |config| config.socket = socket.clone());
    let restarted = daemon.node(first());
    standby.wait_up(LONG).expect("up");
    for client in [&standby, &restarted] {
        for what in [Claim::Take, Claim::TakeOver] {
            let tenure = claim(client, what).tenure;
            assert!(matches!(tenure, Tenure::Free { last: None, reserved_ms: 1.. }), "{tenure:?}");
        }
    }
    active.wait_up(LONG).expect("up");
    not_holder(&active, &key, None);
    assert!(gets(&active, Claim::Keep));
    try_sign(&active, &key, &vote(1)).expect("signed");
}

/// On sockets and stores that outlive the daemon, with a file for the holder.
fn remembering(home: &Path, lease_file: &str) -> Running {
    let tee = SoftTee::open(home.join("store")).expect("a store");
    Running::with(Box::new(InProcess::new(tee)), |config| {
        config.socket = home.join("host.sock");
        config.lease_ms = 1000;
        config.remembers = true;
        config.lease_file = Some(home.join(lease_file));
    })
}

// Rule 5: never two.
#[test]
fn rule_5_a_node_that_was_replaced_gets_the_lease_back_through_no_restart_of_the_daemon() {
    let home = tempfile::tempdir().expect("a directory");
    let (one, two) = (first(), second());
    let mut daemon = remembering(home.path(), "lease");
    let active = daemon.node(one);
    let key = make_gran(&active);
    assert!(gets(&active, Claim::Take));
    drop(active);
    let standby = daemon.node(two);
    wait_until("free", || matches!(claim(&standby, Claim::Look).tenure, Tenure::Free { .. }));
    assert!(gets(&standby, Claim::TakeOver));
    assert!(daemon.stop());

    let mut daemon = remembering(home.path(), "lease");
    // It has not heard of it, and is the first to come back.
    let stale = daemon.node(one);
    for what in CLAIMS {
        let tenure = claim(&stale, what).tenure;
        assert!(
            matches!(tenure, Tenure::Free { last: Some(last), reserved_ms: 1.. } if last.node == two.node)
                || matches!(tenure, Tenure::Held { holder, .. } if holder.node == two.node),
            "{tenure:?}"
        );
    }
    assert!(try_sign(&stale, &key, &vote(1)).is_err());
    standby.wait_up(LONG).expect("up");
    assert!(gets(&standby, Claim::Keep));
    try_sign(&standby, &key, &vote(1)).expect("signed");
    drop(standby);
    assert!(daemon.stop());

    // A new process of the node that held it need not wait.
    let daemon = remembering(home.path(), "lease");
    assert!(gets(&daemon.node(second()), Claim::Take));
}

// Rule 5.
#[test]
fn rule_5_what_cannot_be_written_down_is_given_to_no_other_node() {
    let home = tempfile::tempdir().expect("a directory");
    // In the way of what is to take the file's place, also for root.
    std::fs::create_dir(home.path().join("lease.new")).expect("made");
    let daemon = remembering(home.path(), "lease");
    let (active, standby) = (daemon.node(first()), daemon.node(second()));
    let key = make_gran(&active);
    assert!(gets(&active, Claim::Take), "nobody held it before");
    try_sign(&active, &key, &vote(1)).expect("signed");
    drop(active);
    wait_until("free", || matches!(claim(&standby, Claim::Look).tenure, Tenure::Free { .. }));
    let refused = standby.call(Call::Lease(Claim::TakeOver), soon());
    let Err(CallError::Failed(Failure::Daemon(why))) = refused else { panic!("{refused:?}") };
    assert!(why.contains("write down in") && why.contains("write there"), "{why}");
    assert!(gets(&daemon.node(first()), Claim::Take), "its node may have it again");
}

#[test]
fn an_operator_has_keys_made_and_prove_possession_and_can_sign_claim_and_retire_nothing() {
    let daemon = Running::start(soft());
    let operator = daemon.operator();
    let (key, test) = (make_gran(&operator), make_key(&operator).id);
    proves_possession(&operator, &key);
    let refused = |call| {
        let result = operator.call(call, soon());
        assert!(matches!(result, Err(CallError::Failed(Failure::BadRequest(_)))), "{result:?}");
    };
    let everything = || {
        for key in [&key, &test] {
            refused(Call::Sign { key: key.clone(), message: vote(1), context: Context::None });
            refused(Call::SignPrehashed { key: key.clone(), hash: [0; 32] });
            refused(Call::VrfSign { key: key.clone(), input: [0; 32] });
            refused(Call::VrfPreOutput { key: key.clone(), input: [0; 32] });
            refused(Call::Retire(key.clone()));
        }
        CLAIMS.into_iter().for_each(|claim| refused(Call::Lease(claim)));
    };
    everything();
    let node = daemon.node(first());
    assert!(gets(&node, Claim::Take));
    everything();
    assert!(matches!(claim(&operator, Claim::Look).tenure, Tenure::Held { .. }));
    assert_eq!(operator.call(Call::Has(key), soon()), Ok(Reply::Has(true)));
    assert_eq!(operator.call(Call::Has(test), soon()), Ok(Reply::Has(true)));
}

#[test]
fn an_operator_decides_for_no_chain() {
    let daemon = Running::start(soft());
    let _before = daemon.operator();
    drop(daemon.client());
    let _after = daemon.operator();
    let other = connecting(holdfast_protocol::Endpoint::unix(daemon.socket()).expect("an endpoint"), [2; 32]);
    wait_until("rejected", || matches!(other.state(), State::Down(Unreachable::Rejected(_))));
}

// What an identity is worth: nothing against whoever can connect. The socket's permissions are what keeps others out.
#[test]
fn whoever_says_that_it_is_the_holder_is_believed_and_leaves_the_holder_its_lease() {
    let daemon = Running::with(soft(), |config| config.http = "127.0.0.1:0".parse().expect("an address"));
    let (active, standby) = (daemon.node(first()), daemon.node(second()));
    let key = make_gran(&active);
    assert!(gets(&active, Claim::Take));
    let Tenure::Held { holder, .. } = claim(&standby, Claim::Look).tenure else { panic!("nobody holds it") };
    let forger = daemon.node(holder);
    try_sign(&forger, &key, &vote(1)).expect("signed");
    drop(forger);
    wait_for_metric(daemon.http(), "holdfast_host_connections 2");
    // The next thing that the real one asks is on a connection that is open.
    try_sign(&active, &key, &vote(1)).expect("signed");
    assert!(matches!(claim(&standby, Claim::TakeOver).tenure, Tenure::Held { .. }));
}

// The attack: a stranger claims without end.
#[test]
fn a_flood_of_claims_takes_nothing_from_the_holder_and_is_answered_to_the_last() {
    let daemon = Running::start(soft());
    let active = daemon.node(first());
    let key = make_gran(&active);
    assert!(gets(&active, Claim::Take));
    let mut floods: Vec<_> = (0..4).map(|_| greet(daemon.raw()).0).collect();
    for flood in &mut floods {
        let claims: Vec<u8> = (0..256u32).flat_map(|id| claim_frame(id.into(), 1 + id % 3)).collect();
        flood.write_all(&claims).expect("sent");
    }
    for round in 0..20 {
        try_sign(&active, &key, &vote(round)).expect("signed");
    }
    for flood in &mut floods {
        for id in 0..256 {
            assert!(!is_yours(&read_frame(flood), id));
        }
    }
}
