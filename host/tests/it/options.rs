//! Which TEE and which addresses an operator can choose, by the binary.

use std::io::{BufRead, BufReader};

use holdfast_protocol::{lease::Claim, Endpoint};
use rustix::process::Signal;

use crate::{
    process::{home, host, run, text, Process},
    support::*,
};

#[test]
fn a_store_beside_optee_is_refused_wherever_it_is_named() {
    let home = home();
    let file = home.path().join("host.toml");
    let file = file.to_str().expect("text");
    for (content, flags) in [
        ("", &["--tee", "optee", "--store", "/x"][..]),
        ("tee = \"optee-development\"", &["--store", "/x"]),
        ("store = \"/x\"", &["--tee", "optee"]),
        ("tee = \"optee\"\nstore = \"/x\"", &[]),
    ] {
        std::fs::write(file, content).expect("written");
        for command in [&["check-config"][..], &[]] {
            let output = run(&[command, &["--config", file], flags].concat());
            assert_eq!(output.status.code(), Some(1), "{content} {flags:?}");
            assert!(text(&output.stderr).contains("leave `store` out"), "{}", text(&output.stderr));
        }
    }
    std::fs::write(file, "tee = \"optee\"\nstore = \"/x\"").expect("written");
    assert!(run(&["check-config", "--config", file, "--tee", "software"]).status.success());
}

#[cfg(not(feature = "optee"))]
#[test]
fn rule_9_a_daemon_without_the_way_to_optee_refuses_to_start_rather_than_be_another_tee() {
    for kind in ["optee", "optee-development"] {
        for command in [&["check-config"][..], &[]] {
            let output = run(&[command, &["--tee", kind]].concat());
            assert_eq!(output.status.code(), Some(1));
            let error = text(&output.stderr);
            assert!(error.contains("built without OP-TEE") && error.contains("`make optee`"), "{error}");
        }
    }
}

#[test]
fn tcp_for_anybody_is_served_only_by_a_flag_that_says_so_and_with_a_warning() {
    let home = home();
    let refused = host().args(["--tcp", "0.0.0.0:0", "--store"]).arg(home.path().join("store")).output().expect("runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(!home.path().join("store").exists());

    let mut process = Process::start(home.path(), &["--unauthenticated-tcp", "0.0.0.0:0"]);
    let mut log = BufReader::new(process.0.stderr.take().expect("piped")).lines().map_while(Result::ok);
    // It comes before the line that tells the port.
    let warning = log.find(|line| line.contains("whoever can reach this address")).expect("it warns");
    assert!(warning.contains("WARN"), "{warning}");
    let line = log.find(|line| line.contains(" listening ")).expect("it listens");
    let port = line.split(' ').find_map(|field| field.strip_prefix("unauthenticated_tcp=0.0.0.0:")).expect("there");
    let port = port.parse().expect("a port");
    let client = connecting(Endpoint::tcp(([127, 0, 0, 1], port).into()).expect("loopback"), GENESIS);
    client.wait_up(LONG).expect("up");
    make_key(&client);
}

#[test]
fn a_daemon_without_leases_warns_and_has_two_nodes_of_one_development_tee_sign_at_once() {
    let home = home();
    let process = Process::start(home.path(), &["--test-only-without-leases"]);
    let socket = home.path().join("host.sock");
    let (one, two) = (client(&socket), client(&socket));
    let key = make_gran(&one);
    for (round, node) in [(1, &one), (2, &two), (3, &one)] {
        assert!(gets(node, Claim::Take));
        try_sign(node, &key, &vote(round)).expect("signed");
    }
    let (code, log) = process.end(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains("NO LEASES")), "{log}");
    assert!(!text(&run(&["--help"]).stdout).contains("without-leases"));
}

#[test]
fn a_production_tee_is_not_served_without_leases() {
    let (link, _strings) = puppet();
    let refused = Running::try_with(link, |config| config.test_only_without_leases = true).map(|_| ());
    let error = refused.expect_err("refused").to_string();
    assert!(error.contains("over a development TEE, and this is OP-TEE in production: start without it"), "{error}");
}
