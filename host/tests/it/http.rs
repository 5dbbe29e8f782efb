use std::{io::Write, sync::Arc};

use holdfast_host::{Config, InProcess, Link, LinkError};
use holdfast_protocol::lease::{Claim, Identity};
use holdfast_ta_soft::SoftTee;

use crate::support::*;

/// With patience for a busy machine.
fn served(config: &mut Config) {
    config.http = "127.0.0.1:0".parse().expect("an address");
    config.limits.health_ms = 60_000;
}

fn field<'a>(json: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    json.get(name).unwrap_or_else(|| panic!("no {name} in {json}"))
}

#[test]
fn rule_9_health_says_what_the_trusted_application_is() {
    let daemon = Running::with(soft(), served);
    make_key(&daemon.client());
    let (status, body) = http(daemon.http(), "GET", "/health");
    assert_eq!(status, 200);
    let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(field(&json, "status"), "up");
    assert_eq!(field(&json, "kind"), "software TEE, not a TEE");
    assert_eq!(field(&json, "simulated"), true);
    assert_eq!(field(&json, "rollback_protected"), false);
    assert_eq!(field(&json, "keys"), 1);
    assert_eq!(field(field(&json, "lease"), "holder"), &serde_json::Value::Null);
    assert_eq!(field(&json, "version"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn health_is_unavailable_while_the_trusted_application_is_busy_for_too_long_and_comes_back() {
    let (link, strings) = puppet();
    let daemon = Running::with(link, |config| {
        served(config);
        config.limits.health_ms = 20;
    });
    let client = Arc::new(daemon.client());
    let waiting = {
        let client = client.clone();
        std::thread::spawn(move || client.call(has(), soon()))
    };
    strings.wait_for_call();
    let (status, body) = http(daemon.http(), "GET", "/health");
    assert_eq!(status, 503);
    assert!(body.contains("\"down\"") && body.contains("deadline"), "{body}");
    assert!(!body.contains(';'), "no guess where there is none: {body}");
    strings.tell(Told::Answer);
    assert!(waiting.join().expect("no panic").is_ok());
    let end = std::time::Instant::now() + LONG;
    while http(daemon.http(), "GET", "/health").0 != 200 {
        assert!(std::time::Instant::now() < end, "health does not come back");
    }
}

#[test]
fn health_says_what_may_be_the_matter_while_the_trusted_application_does_not_come_back() {
    let (link, strings) = puppet();
    let daemon = Running::with(Box::new(Quiet(link)), |config| {
        served(config);
        config.limits.health_ms = 20;
        config.limits.queue = 1;
    });
    // What the daemon asks at its start is not to be in the only place.
    wait_for_metric(daemon.http(), r#"holdfast_host_requests_total{call="info",result="ok"} 1"#);
    let (mut client, _) = greet(daemon.raw());
    client.write_all(&has_frame(0)).expect("sent");
    strings.wait_for_call();
    for why in ["deadline", "queue is full"] {
        let (status, body) = http(daemon.http(), "GET", "/health");
        assert_eq!(status, 503);
        assert!(body.contains("\"down\"") && body.contains(why), "{body}");
        assert!(body.contains("; something else may have stopped: start it again"), "{body}");
    }
    strings.tell(Told::Answer);
    wait_until("up", || http(daemon.http(), "GET", "/health").0 == 200);
}

struct Broken;

impl Link for Broken {
    fn call(&mut self, _: &[u8]) -> Result<Vec<u8>, LinkError> {
        panic!("always")
    }

    fn name(&self) -> String {
        "a broken link".into()
    }
}

#[test]
fn health_is_unavailable_when_the_trusted_application_panics_and_the_daemon_lives_on() {
    let daemon = Running::with(Box::new(Broken), served);
    for _ in 0..3 {
        let (status, body) = http(daemon.http(), "GET", "/health");
        assert_eq!(status, 503);
        assert!(body.contains("panicked") && body.contains("a broken link"), "{body}");
    }
    wait_for_metric(daemon.http(), "holdfast_host_tee_up 0");
}

#[test]
fn health_is_unavailable_when_the_store_cannot_be_used() {
    use holdfast_ta::Tee;
    let mut tee = SoftTee::in_memory();
    tee.store(b"meta", b"written by something else").expect("stored");
    let daemon = Running::with(Box::new(InProcess::new(tee)), served);
    let (status, body) = http(daemon.http(), "GET", "/health");
    assert_eq!(status, 503);
    assert!(body.contains("store unusable") && body.contains("software TEE, not a TEE"), "{body}");
}

#[test]
fn metrics_count_what_was_asked() {
    let daemon = Running::with(soft(), served);
    let client = daemon.client();
    let key = make_key(&client).id;
    sign(&client, &key, b"one");
    sign(&client, &key, b"two");
    for line in [
        r#"holdfast_host_requests_total{call="generate",result="ok"} 1"#,
        r#"holdfast_host_requests_total{call="sign",result="ok"} 2"#,
        r#"holdfast_host_ta_seconds_count{call="sign"} 2"#,
        r#"holdfast_host_tee_info{kind="software TEE, not a TEE",simulated="true",ta_version="2"} 1"#,
        "holdfast_host_tee_up 1",
        "holdfast_host_connections 1",
        "holdfast_host_queue 0",
        r#"holdfast_host_lease{holder=""} 0"#,
        "holdfast_host_lease_changes_total 0",
        "holdfast_host_audit_lines_lost_total 0",
    ] {
        wait_for_metric(daemon.http(), line);
    }
}

#[test]
fn health_and_metrics_say_who_holds_the_lease_whatever_it_calls_itself() {
    let daemon = Running::with(soft(), served);
    let first = daemon.node(Identity::new([0xab; 32], "first\n\"}"));
    assert!(gets(&first, Claim::Take));
    let (status, body) = http(daemon.http(), "GET", "/health");
    assert_eq!(status, 200);
    let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let lease = field(&json, "lease");
    assert_eq!(field(lease, "holder"), r#"first\n\"}"#);
    assert_eq!(field(lease, "node"), &"ab".repeat(32));
    assert!(field(lease, "silent_ms").is_u64());
    // Once escaped by us, once by the format.
    wait_for_metric(daemon.http(), r#"holdfast_host_lease{holder="first\\n\\\"}"} 1"#);
    drop(first);
    wait_for_metric(daemon.http(), r#"holdfast_host_lease{holder=""} 0"#);
    let second = daemon.node(Identity::new([2; 32], "second"));
    let key = make_gran(&second);
    assert!(try_sign(&second, &key, &vote(1)).is_err());
    assert!(!gets(&second, Claim::Look) && gets(&second, Claim::TakeOver));
    assert!(try_sign(&second, &key, b"no vote").is_err());
    for line in [
        r#"holdfast_host_lease{holder="second"} 1"#,
        "holdfast_host_lease_changes_total 2",
        r#"holdfast_host_refusals_total{rule="NotHolder"} 1"#,
        r#"holdfast_host_refusals_total{rule="GrandpaMalformedVote"} 1"#,
        r#"holdfast_host_requests_total{call="sign",result="not_holder"} 1"#,
    ] {
        wait_for_metric(daemon.http(), line);
    }
}

#[test]
fn nothing_else_is_served() {
    let daemon = Running::with(soft(), served);
    assert_eq!(http(daemon.http(), "GET", "/").0, 404);
    assert_eq!(http(daemon.http(), "POST", "/health").0, 405);
}
