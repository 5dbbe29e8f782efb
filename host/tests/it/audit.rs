//! The audit log, as whoever reads it later finds it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use holdfast_protocol::{
    lease::{Claim, Identity},
    message::{Call, Context, GrandpaRound, Position},
    Client, Endpoint,
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

/// Where what was not done is.
fn rest(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.rest", file.display()))
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
    // Neither spends anything of a key.
    assert!(active.call(has(), soon()).is_ok());
    assert!(!gets(&standby, Claim::Take));
    let ninth = Position::Grandpa(GrandpaRound { set_id: 1, round: 9 });
    raise(&operator, &key, ninth).expect("an operator may");
    raise(&active, &key, ninth).expect_err("no node may");
    operator.call(Call::Retire(key.clone()), soon()).expect_err("no operator may");
    active.call(Call::Retire(key.clone()), soon()).expect("the lease's holder may");
    assert!(daemon.stop());

    let (done, rest) = (lines(&file), lines(&rest(&file)));
    let was_done = |line: &Value| ["signed", "done"].map(Value::from).contains(&line["verdict"]);
    assert!(done.iter().all(was_done) && !rest.iter().any(was_done), "{done:?} {rest:?}");
    let mut lines = [done, rest].concat();
    lines.sort_by_key(|line| line["time"].to_string());
    let told = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    let texts = |name: &str| told(name).iter().map(|told| told.as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>();
    assert_eq!(
        texts("verdict"),
        ["signed", "signed", "refused", "refused", "failed", "signed", "done", "failed", "failed", "done"]
    );
    assert_eq!(texts("rule")[..6], ["-", "-", "GrandpaMalformedVote", "NotHolder", "-", "-"]);
    assert_eq!(texts("kind")[..6], ["proof of possession", "vote", "nothing known", "vote", "vote", "test"]);
    assert_eq!(texts("kind")[6..], ["raise", "raise", "retire", "retire"]);
    assert_eq!(texts("by")[..6], ["operator", "node", "node", "node", "node", "node"]);
    assert_eq!(texts("by")[6..], ["operator", "node", "operator", "node"]);
    assert_eq!(texts("node")[..6], ["-", "first\\n", "first\\n", "second", "first\\n", "first\\n"]);
    assert_eq!(texts("key_type")[..6], ["gran", "gran", "gran", "gran", "gran", "test"]);
    let raised = &lines[6];
    assert_eq!((&raised["set_id"], &raised["round"], &raised["public"]), (&1.into(), &9.into(), &lines[9]["public"]));
    assert_eq!(raised["connection"], lines[0]["connection"], "the operator's");
    assert_ne!(raised["connection"], lines[1]["connection"], "the node's");
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
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    let barred = home.path().join("audit.0");
    fs::create_dir(&barred).expect("made");
    let name = file.to_str().expect("text").parse().expect("a file");
    let mut daemon = Running::with(soft(), |config| {
        config.http = "127.0.0.1:0".parse().expect("an address");
        (config.audit_log, config.audit_log_size) = (Some(name), 1);
    });
    let node = daemon.client();
    for _ in 0..3 {
        sign(&node, &make_key(&node).id, b"there is no room");
    }
    wait_for_metric(daemon.http(), "holdfast_host_audit_lines_lost_total 3");
    fs::remove_dir(&barred).expect("ours");
    sign(&node, &make_key(&node).id, b"there is room again");
    assert!(daemon.stop());
    assert_eq!(lines(&file).len(), 1);
    assert_eq!(fs::metadata(home.path().join("audit.1")).expect("there").len(), 1 << 20);
}

// The attack: who had something signed asks for whatever costs nothing, until the files have turned so often that none
// tells of it.
#[test]
fn a_flood_of_what_is_refused_or_changes_nothing_does_not_push_out_what_was_signed_raised_and_retired() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("audit");
    let name = file.to_str().expect("text").parse().expect("a file");
    let mut daemon = Running::with(soft(), |config| (config.audit_log, config.audit_log_size) = (Some(name), 1));
    let (node, operator) = (daemon.client(), daemon.operator());
    let (key, gone) = (make_gran(&operator), make_gran(&operator));
    let round = |round| Position::Grandpa(GrandpaRound { set_id: 1, round });
    let proof = [&b"POP_"[..], &[0; 32]].concat();
    assert!(gets(&node, Claim::Take));
    try_sign(&node, &key, &vote(7)).expect("signed");
    raise(&operator, &key, round(9)).expect("raised");
    node.call(Call::Retire(gone), soon()).expect("retired");
    let oldest = PathBuf::from(format!("{}.4", rest(&file).display()));
    let mut asked = 0;
    while !oldest.exists() {
        asked += 1;
        try_sign(&node, &key, b"no vote").expect_err("refused");
        try_sign(&node, &key, &vote(8)).expect_err("below its watermark");
        try_sign(&node, &key, &vote(7)).expect("the same again");
        try_sign(&node, &key, &proof).expect("signed");
        raise(&operator, &key, round(asked % 10)).expect("it raises nothing");
        raise(&node, &key, round(asked)).expect_err("no node may");
    }
    assert!(daemon.stop());
    let kinds: Vec<_> = lines(&file).into_iter().map(|line| (line["verdict"].clone(), line["kind"].clone())).collect();
    let line = |verdict: &str, kind: &str| (verdict.into(), kind.into());
    let all =
        [line("signed", "vote"), line("done", "raise"), line("done", "retire"), line("signed", "proof of possession")];
    assert_eq!(kinds, all, "after {asked} rounds");
    assert!(!home.path().join("audit.1").exists());
}

#[test]
fn the_daemons_own_log_says_which_process_connected_and_who_raised_a_watermark_or_retired_a_key() {
    let home = home();
    let process = Process::start(home.path(), &["--audit-log", "off"]);
    let node = client(&home.path().join("host.sock"));
    let operator = Client::new(Endpoint::unix(home.path().join("host.sock")).expect("an endpoint"));
    operator.connect_as_operator().expect("a thread");
    operator.wait_up(LONG).expect("up");
    let key = make_gran(&operator);
    let to = Position::Grandpa(GrandpaRound { set_id: 1, round: 9 });
    raise(&operator, &key, to).expect("raised");
    assert!(gets(&node, Claim::Take));
    node.call(Call::Retire(key.clone()), soon()).expect("retired");
    let (code, log) = process.end(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    let line =
        |says: &str| log.lines().find(|line| line.contains(says)).unwrap_or_else(|| panic!("no {says} in {log}"));
    let (pid, uid) = (std::process::id(), rustix::process::geteuid().as_raw());
    for says in ["a node connected", "an operator's program connected"] {
        assert!(line(says).contains(&format!("pid={pid} uid={uid}")), "{log}");
    }
    let (raised, retired) = (line("a key's watermark was raised"), line("a key was retired"));
    for line in [raised, retired] {
        assert!(line.contains("INFO") && line.contains(&hex::encode(&key.public)), "{line}");
    }
    assert!(
        raised.contains("round 9 of set 1") && raised.contains("by=an operator's program on connection"),
        "{raised}"
    );
    assert!(retired.contains("by=`` (node ") && retired.contains("on connection"), "{retired}");
}

#[test]
fn a_log_that_others_can_write_to_is_refused_at_the_start() {
    let home = tempfile::tempdir().expect("a directory");
    for name in ["audit", "audit.rest"] {
        let file = home.path().join(name);
        fs::write(&file, "").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("ours");
        let log = home.path().join("audit").to_str().expect("text").parse().expect("a file");
        let error = Running::try_with(soft(), |config| config.audit_log = Some(log)).map(drop).expect_err("refused");
        assert!(error.to_string().contains(&format!("{} has mode 0666", file.display())), "{error}");
        fs::remove_file(&file).expect("ours");
    }
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
