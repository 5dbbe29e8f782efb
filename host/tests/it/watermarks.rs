//! Watermarks through the daemon: who may read and raise them, and what an orderly end is worth.

use std::path::Path;

use holdfast_host::InProcess;
use holdfast_protocol::{
    lease::{Claim, Identity},
    message::{Call, Failure, Floor, GrandpaRound, KeyId, Position, Reply, Watermark},
    CallError, Client,
};
use holdfast_ta_soft::SoftTee;
use rustix::process::Signal;

use crate::{
    process::{home, Process},
    support::*,
};

const fn round(round: u64) -> Position {
    Position::Grandpa(GrandpaRound { set_id: 1, round })
}

#[test]
fn an_operator_raises_a_watermark_which_then_keeps_the_node_from_signing_below_it_and_never_lowers_one() {
    let daemon = Running::start(soft());
    let (node, operator) = (daemon.client(), daemon.operator());
    let key = make_gran(&operator);
    assert!(gets(&node, Claim::Take));
    assert_eq!(watermarks(&node), (Floor::default(), vec![]));
    try_sign(&node, &key, &vote(5)).expect("signed");
    assert_eq!(watermarks(&node).1, [Watermark { id: key.clone(), highest: round(5) }]);
    assert_eq!(raise(&operator, &key, round(9)), Ok(Reply::WatermarkRaised));
    assert_eq!(raise(&operator, &key, round(2)), Ok(Reply::WatermarkRaised));
    for client in [&node, &operator] {
        assert_eq!(watermarks(client).1, [Watermark { id: key.clone(), highest: round(9) }]);
    }
    let refused = try_sign(&node, &key, &vote(9)).expect_err("below its watermark");
    assert!(matches!(&refused, CallError::Failed(Failure::Refused { rule }) if rule == "GrandpaOldRound"), "{refused}");
    assert!(refused.to_string().contains("watermark was raised past it"), "{refused}");
    try_sign(&node, &key, &vote(10)).expect("above it");
}

#[test]
fn no_node_raises_a_watermark_even_if_it_holds_the_lease() {
    let daemon = Running::start(soft());
    let (active, standby) = (daemon.node(Identity::new([1; 32], "")), daemon.node(Identity::new([2; 32], "")));
    let key = make_gran(&active);
    assert!(gets(&active, Claim::Take));
    for node in [&active, &standby] {
        let refused = raise(node, &key, round(9));
        assert!(
            matches!(&refused, Err(CallError::Failed(Failure::BadRequest(why))) if why.contains("an operator")),
            "{refused:?}"
        );
        assert_eq!(watermarks(node), (Floor::default(), vec![]));
    }
}

#[test]
fn a_position_of_another_kind_and_a_key_that_is_not_there_are_told() {
    let daemon = Running::start(soft());
    let operator = daemon.operator();
    let (gran, test) = (make_gran(&operator), make_key(&operator).id);
    for (key, to) in [(&gran, Position::Aura(3)), (&test, round(3)), (&test, Position::Aura(3))] {
        let refused = raise(&operator, key, to);
        assert!(
            matches!(&refused, Err(CallError::Failed(Failure::BadRequest(why))) if why.contains("not of the key's kind")),
            "{refused:?}"
        );
    }
    let mut gone = gran;
    gone.public = vec![9; 32];
    assert_eq!(raise(&operator, &gone, round(3)), Err(CallError::Failed(Failure::NoSuchKey)));
}

#[test]
fn a_second_vote_for_another_target_is_refused_and_the_first_signs_again_through_a_restart() {
    let home = tempfile::tempdir().expect("a directory");
    let open = || Box::new(InProcess::new(SoftTee::open(home.path().join("store")).expect("a store")));
    let mut daemon = Running::start(open());
    let node = daemon.client();
    let key = make_gran(&node);
    assert!(gets(&node, Claim::Take));
    try_sign(&node, &key, &vote(5)).expect("signed");
    let mut other = vote(5);
    other[1] ^= 1;
    let double = |node: &Client| {
        let refused = try_sign(node, &key, &other).expect_err("another target");
        assert!(
            matches!(&refused, CallError::Failed(Failure::Refused { rule }) if rule == "GrandpaDoubleVote"),
            "{refused}"
        );
    };
    double(&node);
    drop(node);
    assert!(daemon.stop());
    let daemon = Running::start(open());
    let node = daemon.client();
    // It is the one that a daemon without a memory of leases waits for.
    assert!(gets(&node, Claim::Keep));
    try_sign(&node, &key, &vote(5)).expect("the same again");
    double(&node);
    assert_eq!(watermarks(&node).0, Floor::default(), "its end was an orderly one");
    try_sign(&node, &key, &vote(6)).expect("signed");
}

#[test]
fn a_store_that_was_put_back_from_a_copy_has_a_floor_that_the_daemon_tells_in_its_log_and_signs_above_it() {
    let home = home();
    let (socket, store, copy) = (home.path().join("host.sock"), home.path().join("store"), home.path().join("copy"));
    let voted = |rounds: std::ops::RangeInclusive<u64>| {
        // Of a daemon that remembers nobody the lease is had at once by who says that it held it.
        let process = Process::start(home.path(), &["--forget-holder"]);
        let node = client(&socket);
        assert!(gets(&node, Claim::Keep));
        for (round, key) in rounds.flat_map(|round| two_grans(&node).map(|key| (round, key))) {
            try_sign(&node, &key, &vote(round)).expect("signed");
        }
        drop(node);
        let (code, log) = process.end(Signal::TERM);
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains(FLOOR) && !log.contains("could not be told"), "{log}");
    };
    voted(1..=3);
    let objects = |from: &Path, to: &Path| {
        std::fs::create_dir_all(to).expect("made");
        for entry in std::fs::read_dir(from).expect("readable") {
            let entry = entry.expect("readable");
            // The cell is what a restored disk does not take back.
            if entry.file_name() != "cell" {
                std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
            }
        }
    };
    objects(&store, &copy);
    voted(4..=9);
    objects(&copy, &store);

    let process = Process::start(home.path(), &["--forget-holder"]);
    let node = client(&socket);
    let floor = watermarks(&node).0;
    assert_eq!(floor.grandpa, Some(GrandpaRound { set_id: 1, round: 9 }));
    assert!(gets(&node, Claim::Keep));
    let mut refusals = Vec::new();
    for key in two_grans(&node) {
        // What is still known of the two is of no importance: another target is signed by neither.
        let mut other = vote(9);
        other[1] ^= 1;
        match try_sign(&node, &key, &other) {
            Err(CallError::Failed(Failure::Refused { rule })) => refusals.push(rule),
            other => panic!("{other:?}"),
        }
        try_sign(&node, &key, &vote(10)).expect("above it");
    }
    assert!(refusals.contains(&"BelowCeiling".into()), "{refusals:?}");
    drop(node);
    let (code, log) = process.end(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains(FLOOR) && log.contains("round 9 of set 1"), "{log}");
}

/// What the log says of one.
const FLOOR: &str = "signs nothing new up to this floor";

/// The keys that there are, made where there are none. Of one alone the cell would know what the store has forgotten.
fn two_grans(client: &Client) -> [KeyId; 2] {
    match client.call(Call::List { after: None }, soon()) {
        Ok(Reply::Keys { keys, .. }) => {
            let mut ids = keys.into_iter().map(|info| info.id);
            [(); 2].map(|()| ids.next().unwrap_or_else(|| make_gran(client)))
        }
        other => panic!("{other:?}"),
    }
}
