//! The audit log, as whoever reads it later finds it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use holdfast_protocol::{
    lease::{Claim, Identity},
    message::{Call, Context},
    Endpoint,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    process::{home, Process},
    support::*,
};

fn audited(file: &Path) -> Running {
    let file = file.to_str().expect("text").parse().expect("a file");
    Running::with(soft(), |config| config.audit_log = Some(file))
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_was_signed_and_refused_and_for_whom_is_written_down_by_the_time_of_the_stop() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("state/audit");
    let mut daemon = audited(&file);
    let (active, standby) =
        (daemon.node(Identity::new([1; 32], "first\n")), daemon.node(Identity::new([2; 32], "second")));
    let operator = daemon.operator();
    let key = make_gran(&operator);
    try_sign(&operator, &key, &[&b"POP_"[..], &[0; 32]].concat()).expect("signed");
    assert!(gets(&active, Claim::Take));
    try_sign(&active, &key, &vote(7)).expect("signed");
    try_sign(&active, &key, b"no vote").expect_err("refused");
    try_sign(&standby, &key, &vote(8)).expect_err("it does not hold the lease");
    let mut gone = key.clone();
    gone.public = vec![9; 32];
    try_sign(&active, &gone, &vote(8)).expect_err("there is no such key");
    sign(&active, &make_key(&active).id, b"anything");
    // Neither is asked for a signature.
    assert!(active.call(has(), soon()).is_ok());
    assert!(!gets(&standby, Claim::Take));
    assert!(daemon.stop());

    let lines = lines(&file);
    let told = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    let texts = |name: &str| told(name).iter().map(|told| told.as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>();
    assert_eq!(texts("verdict"), ["signed", "signed", "refused", "refused", "failed", "signed"]);
    assert_eq!(texts("rule"), ["-", "-", "GrandpaMalformedVote", "NotHolder", "-", "-"]);
    assert_eq!(texts("kind"), ["proof of possession", "vote", "nothing known", "vote", "vote", "test"]);
    assert_eq!(texts("by"), ["operator", "node", "node", "node", "node", "node"]);
    assert_eq!(texts("node"), ["-", "first\\n", "first\\n", "second", "first\\n", "first\\n"]);
    assert_eq!(texts("key_type"), ["gran", "gran", "gran", "gran", "gran", "test"]);
    let vote = &lines[1];
    assert_eq!((&vote["set_id"], &vote["round"], &vote["stage"]), (&1.into(), &7.into(), &"prevote".into()));
    assert_eq!(vote["target_hash"], format!("0x{}", "02".repeat(32)));
    assert_eq!(vote["public"], format!("0x{}", hex::encode(&key.public)));
    assert!(vote["connection"].is_u64() && vote["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    assert!(lines[4]["why"].as_str().is_some_and(|why| why.contains("no such key")));
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(home.path().join("state")).expect("there").permissions().mode() & 0o7777, 0o700);
}

#[test]
fn a_log_that_cannot_be_written_stops_no_signature_and_is_counted() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("audit");
    // It is full, and a full one cannot take the place of a directory.
    fs::write(&file, vec![b'\n'; 1 << 20]).expect("written");
    fs::write(home.path().join("audit.3"), "").expect("written");
    fs::create_dir(home.path().join("audit.4")).expect("made");
    let name = file.to_str().expect("text").parse().expect("a file");
    let mut daemon = Running::with(soft(), |config| {
        config.http = "127.0.0.1:0".parse().expect("an address");
        (config.audit_log, config.audit_log_size) = (Some(name), 1);
    });
    let node = daemon.client();
    let key = make_key(&node).id;
    for byte in 0..3 {
        sign(&node, &key, &[byte]);
    }
    wait_for_metric(daemon.http(), "holdfast_host_audit_lines_lost_total 3");
    fs::remove_dir(home.path().join("audit.4")).expect("ours");
    sign(&node, &key, b"there is room again");
    assert!(daemon.stop());
    assert_eq!(lines(&file).len(), 1);
    assert_eq!(fs::metadata(home.path().join("audit.1")).expect("there").len(), 1 << 20);
}

#[test]
fn the_daemons_process_keeps_its_log_beside_the_store_and_goes_on_with_it() {
    let home = home();
    let socket = home.path().join("host.sock");
    let file = home.path().join("store.audit");
    for start in 1..=2 {
        let process = Process::start(home.path(), &[]);
        let client = connecting(Endpoint::unix(&socket).expect("an endpoint"), GENESIS);
        client.wait_up(LONG).expect("up");
        sign(&client, &make_key(&client).id, b"message");
        drop(client);
        let (code, log) = process.end(Signal::TERM);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("store.audit"), "it says where: {log}");
        assert_eq!(lines(&file).len(), start);
    }
    let process = Process::start(home.path(), &["--audit-log", "off"]);
    let client = client(&socket);
    sign(&client, &make_key(&client).id, b"message");
    assert_eq!(process.end(Signal::TERM).0, Some(0));
    assert_eq!(lines(&file).len(), 2);
}

// Rule 1: no secret in any log.
#[test]
fn rule_1_neither_messages_nor_signatures_are_in_the_log() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("audit");
    let mut daemon = audited(&file);
    let node = daemon.client();
    let key = make_key(&node).id;
    let call = Call::Sign { key, message: b"attack at dawn".to_vec(), context: Context::Header(vec![0xee; 40]) };
    let Ok(holdfast_protocol::message::Reply::Signature(signature)) = node.call(call, soon()) else {
        panic!("unsigned")
    };
    assert!(daemon.stop());
    let text = fs::read_to_string(&file).expect("readable");
    for secret in [hex::encode(b"attack at dawn"), hex::encode(&signature), "eeee".into(), "dawn".into()] {
        assert!(!text.contains(&secret), "{text}");
    }
}
