use super::*;
use crate::lease::Connection;
use holdfast_protocol::{lease::Identity, message::Scheme};
use proptest::{collection::vec, prelude::*};
use std::sync::Arc;

const TIME: &str = "2026-11-28T00:14:16.123456Z";

fn key(key_type: &[u8; 4]) -> KeyId {
    KeyId { scheme: Scheme::Ed25519, key_type: *key_type, public: vec![0xab; 32] }
}

fn sign(key_type: &[u8; 4], message: &[u8], context: Context) -> Call {
    Call::Sign { key: key(key_type), message: message.into(), context }
}

fn vote(stage: u8) -> Vec<u8> {
    [&[stage][..], &[9; 32], &12u32.to_le_bytes(), &7u64.to_le_bytes(), &3u64.to_le_bytes()].concat()
}

fn header(slot: u64) -> Vec<u8> {
    [&[1; 32][..], &[4], &[2; 64], &[4], b"\x06aura\x20", &slot.to_le_bytes()].concat()
}

fn node(name: &str) -> Caller {
    let identity = Identity::new([0xcd; 32], name);
    Caller::Node(Node { identity, connection: Arc::new(Connection::new(5)) })
}

fn written(caller: &Caller, call: &Call, result: &Result<Reply, Failure>) -> String {
    line(TIME, caller, &Asked::of(call).expect("it asks for a signature"), result)
}

fn kind(call: &Call) -> serde_json::Value {
    let line = written(&Caller::Operator(None), call, &Err(Failure::Busy));
    serde_json::from_str::<serde_json::Value>(&line).expect("JSON")["kind"].clone()
}

#[test]
fn a_vote_is_written_with_all_that_it_says() {
    let line = written(&node("alice"), &sign(b"gran", &vote(1), Context::None), &Ok(Reply::Signature(vec![1; 64])));
    let (public, target, id) = ("ab".repeat(32), "09".repeat(32), "cd".repeat(32));
    assert_eq!(
        line,
        format!(
            "{{\"time\":\"{TIME}\",\"verdict\":\"signed\",\"key_type\":\"gran\",\"public\":\"0x{public}\",\
             \"kind\":\"vote\",\"set_id\":3,\"round\":7,\"stage\":\"precommit\",\"target_number\":12,\
             \"target_hash\":\"0x{target}\",\"by\":\"node\",\"node\":\"alice\",\"node_id\":\"0x{id}\",\
             \"connection\":5}}\n"
        )
    );
    for (number, name) in [(0, "prevote"), (2, "primary proposal")] {
        let line = written(&node(""), &sign(b"gran", &vote(number), Context::None), &Err(Failure::NoSuchKey));
        assert!(line.contains(&format!("\"stage\":\"{name}\"")), "{line}");
    }
}

#[test]
fn a_seal_is_written_with_its_slot_and_the_hash_of_its_header() {
    let refused = Err(Failure::Refused { rule: "AuraDoubleSeal".into() });
    let line = written(&node("alice"), &sign(b"aura", &[8; 32], Context::Header(header(77))), &refused);
    let hash = "08".repeat(32);
    for part in [
        "\"verdict\":\"refused\",\"rule\":\"AuraDoubleSeal\"".to_owned(),
        format!("\"kind\":\"seal\",\"slot\":77,\"header_hash\":\"0x{hash}\""),
    ] {
        assert!(line.contains(&part), "{part} in {line}");
    }
}

#[test]
fn whatever_else_is_signed_is_written_by_its_kind() {
    let proof = [&b"POP_"[..], &[0; 32]].concat();
    for (call, name) in [
        (sign(b"gran", &proof, Context::None), "proof of possession"),
        (sign(b"aura", &proof, Context::Header(header(1))), "proof of possession"),
        (sign(b"aura", b"POP_", Context::None), "proof of possession"),
        (sign(b"test", &proof, Context::None), "test"),
        (sign(b"gran", b"no vote", Context::None), "nothing known"),
        (sign(b"aura", &[8; 32], Context::None), "nothing known"),
        (sign(b"aura", &[8; 31], Context::Header(header(1))), "nothing known"),
        (sign(b"aura", &[8; 32], Context::Header(vec![1])), "nothing known"),
        (sign(b"babe", &vote(0), Context::None), "nothing known"),
        (Call::SignPrehashed { key: key(b"test"), hash: [1; 32] }, "hash"),
        (Call::VrfSign { key: key(b"test"), input: [1; 32] }, "VRF proof"),
        (Call::VrfPreOutput { key: key(b"test"), input: [1; 32] }, "VRF pre-output"),
    ] {
        assert_eq!(kind(&call), name, "{call:?}");
    }
    for call in [Call::Info, Call::Has(key(b"gran")), Call::List { after: None }, Call::Watermarks { after: None }] {
        assert_eq!(Asked::of(&call), None, "{call:?}");
    }
}

#[test]
fn what_spends_a_key_without_a_signature_is_written_as_done_with_who_asked_for_it() {
    let operator = Caller::Operator(Some(7));
    let raise = |to| Call::RaiseWatermark { key: key(b"gran"), to };
    let round = Position::Grandpa(GrandpaRound { set_id: 2, round: 9 });
    for (call, result, verdict, says) in [
        (raise(round), Ok(Reply::WatermarkRaised), "done", "\"kind\":\"raise\",\"set_id\":2,\"round\":9,\"by\""),
        (raise(Position::Aura(5)), Ok(Reply::WatermarkRaised), "done", "\"kind\":\"raise\",\"slot\":5,\"by\""),
        (raise(round), Err(Failure::NoSuchKey), "failed", "\"kind\":\"raise\",\"set_id\":2,\"round\":9,\"by\""),
        (Call::Retire(key(b"gran")), Ok(Reply::Retired), "done", "\"kind\":\"retire\",\"by\""),
        (Call::Retire(key(b"gran")), Err(Failure::NotHolder { holder: None }), "refused", "\"kind\":\"retire\",\"by\""),
    ] {
        let line = written(&operator, &call, &result);
        assert!(line.contains(&format!("\"verdict\":\"{verdict}\"")) && line.contains(says), "{line}");
        assert!(line.contains(&"ab".repeat(32)) && line.ends_with("\"by\":\"operator\",\"connection\":7}\n"), "{line}");
        assert_eq!(Asked::of(&call).expect("written down").statement(), None);
    }
}

#[test]
fn each_verdict_says_which_rule_or_why() {
    let call = sign(b"gran", &vote(0), Context::None);
    for (result, says) in [
        (Ok(Reply::Signature(vec![])), "\"verdict\":\"signed\",\"key_type\""),
        (Err(Failure::NotHolder { holder: None }), "\"verdict\":\"refused\",\"rule\":\"NotHolder\",\"key_type\""),
        (
            Err(Failure::Tee("it broke".into())),
            "\"verdict\":\"failed\",\"why\":\"the trusted application failed: it broke\"",
        ),
        (Err(Failure::Deadline), "\"verdict\":\"failed\",\"why\":\"the deadline passed"),
        (Err(Failure::NoSuchKey), "\"verdict\":\"failed\",\"why\":\"the trusted application holds no such key\""),
    ] {
        let line = written(&Caller::Operator(None), &call, &result);
        assert!(line.contains(says) && line.contains("\"by\":\"operator\"}"), "{line}");
    }
}

// The attack: names and reasons that forge a line, or steer the terminal that shows it.
#[test]
fn what_a_node_calls_itself_stays_within_its_line() {
    let call = sign(b"\x1b[2J", &[1], Context::None);
    let failed = Err(Failure::Tee("\u{9b}2J\u{202e}\n".repeat(1000)));
    let line = written(&node("\",\"verdict\":\"signed\"}\n\u{202e}\u{9b}"), &call, &failed);
    assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
    assert!(line.len() < 8192 && line.trim_end().chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line}");
    let json: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&json["verdict"], &json["key_type"]), (&"failed".into(), &"\\x1b[2J".into()));
}

#[test]
fn the_time_is_that_of_rfc_3339_in_utc() {
    let now = now();
    let shape: String = now.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z");
}

proptest! {
    // Rule 7: whatever the bytes of a request, its line is one line of JSON, and not long.
    #[test]
    fn rule_7_every_request_is_one_bounded_line(
        key_type: [u8; 4], public in vec(any::<u8>(), 0..200), message in vec(any::<u8>(), 0..80),
        header in proptest::option::of(vec(any::<u8>(), 0..200)), name in ".{0,40}", why in ".{0,400}",
    ) {
        let context = header.map_or(Context::None, Context::Header);
        let key = KeyId { scheme: Scheme::Sr25519, key_type, public };
        let line = written(&node(&name), &Call::Sign { key, message, context }, &Err(Failure::Tee(why)));
        prop_assert!(line.ends_with('\n') && line.matches('\n').count() == 1 && line.len() < 8192);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }
}
