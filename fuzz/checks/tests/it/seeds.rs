//! Inputs made by hand, with which a fuzzer begins further in than it would get by itself.

use codec::{Compact, Encode};
use holdfast_host::config::EXAMPLE;
use holdfast_protocol::{
    codec as wire, Call, Claim, Context, Failure, FromDaemon, Hello, KeyId, KeyInfo, Lease, Rejection, Reply, Request,
    Response, Scheme, Seed, TeeInfo, Tenure, Usage, Visitor, Welcome, VERSION,
};
use holdfast_ta as ta;

type Input = (&'static str, &'static str, Vec<u8>);

/// Target, name and bytes of each.
pub(crate) fn seeds() -> Vec<Input> {
    let mut seeds = vec![];
    for (name, text) in [
        ("example", EXAMPLE),
        ("empty", ""),
        ("tcp", "tcp = \"127.0.0.1:9617\"\nhttp = \"off\"\nlog = \"info,holdfast_host=debug\"\n"),
        ("limits", "lease_ms = 1000\nsocket_mode = \"0660\"\n[limits]\nconnections = 1024\nqueue = 1\ndrain_ms = 10\n"),
    ] {
        seeds.push(("config", name, text.into()));
    }
    for (name, text) in [
        ("unix", "unix:///run/holdfast/host.sock"),
        ("tcp", "tcp://127.0.0.1:9617"),
        ("tcp6", "tcp://[::1]:1"),
        ("network", "tcp://10.0.0.1:9617"),
    ] {
        seeds.push(("endpoint", name, text.into()));
    }
    for (name, text) in [
        ("meta", "6d657461.object"),
        ("cell", "cell"),
        ("lock", "lock"),
        ("unfinished", "unfinished"),
        ("other", "6D.object"),
    ] {
        seeds.push(("entry", name, text.into()));
    }
    seeds.extend(to_daemon().into_iter().map(|(name, bytes)| ("to_daemon", name, bytes)));
    seeds.extend(from_daemon().into_iter().map(|(name, bytes)| ("from_daemon", name, bytes)));
    seeds.extend(frames().into_iter().map(|(name, bytes)| ("frames", name, bytes)));
    seeds.extend(translate().into_iter().map(|(name, bytes)| ("translate", name, bytes)));
    seeds.extend(dispatch().into_iter().map(|(name, bytes)| ("dispatch", name, bytes)));
    seeds.extend(store().into_iter().map(|(name, bytes)| ("store", name, bytes)));
    seeds.extend(crate::evidence::seeds());
    seeds
}

fn key(scheme: Scheme) -> KeyId {
    KeyId { scheme, key_type: *b"test", public: vec![7; if scheme == Scheme::Ecdsa { 33 } else { 32 }] }
}

/// Each call, with a reply of the trusted application that belongs to it where it is one for that.
fn calls() -> Vec<(&'static str, Call, Option<ta::Reply>)> {
    let listed = |public| ta::KeyInfo {
        id: ta::KeyId { scheme: ta::Scheme::Sr25519, key_type: *b"aura", public: vec![public; 32] },
        usage: ta::Usage::Sign,
        origin: ta::Origin::Generated,
    };
    let info = ta::Info {
        ta_version: 1,
        schema: 1,
        kind: ta::Kind::OpTee,
        development: false,
        keys: Some(2),
        catalogue: 3,
        rollback_protected: true,
        capacity: ta::MAX_KEYS,
    };
    let seed = Some(Seed(vec![9; 32]));
    let generate = Call::Generate { scheme: Scheme::Sr25519, key_type: *b"aura", usage: Usage::SignAndVrf, seed };
    let sign = Call::Sign { key: key(Scheme::Ed25519), message: vec![1; 53], context: Context::Header(header()) };
    let (sr25519, ecdsa) = (key(Scheme::Sr25519), key(Scheme::Ecdsa));
    vec![
        ("info", Call::Info, Some(ta::Reply::Info(info))),
        ("generate", generate, Some(ta::Reply::Generated(listed(1)))),
        (
            "list",
            Call::List { after: Some(KeyId { key_type: *b"aura", ..sr25519.clone() }) },
            Some(ta::Reply::Keys { keys: vec![listed(8), listed(9)], more: true }),
        ),
        ("has", Call::Has(ecdsa.clone()), Some(ta::Reply::Has(true))),
        ("sign", sign, Some(ta::Reply::Signature(vec![4; 64]))),
        ("sign_prehashed", Call::SignPrehashed { key: ecdsa, hash: [3; 32] }, Some(ta::Reply::Signature(vec![4; 65]))),
        (
            "vrf_sign",
            Call::VrfSign { key: sr25519.clone(), input: [4; 32] },
            Some(ta::Reply::VrfSignature { pre_output: [5; 32], proof: [6; 64] }),
        ),
        (
            "vrf_pre_output",
            Call::VrfPreOutput { key: sr25519.clone(), input: [4; 32] },
            Some(ta::Reply::VrfPreOutput([5; 32])),
        ),
        ("retire", Call::Retire(sr25519), Some(ta::Reply::Retired)),
        ("lease", Call::Lease(Claim::TakeOver), None),
    ]
}

fn request(id: u64, call: Call) -> Vec<u8> {
    wire::encode_request(&Request { id, deadline_ms: 1000, call }).expect("short")
}

fn hello(visitor: Visitor) -> Vec<u8> {
    wire::encode_hello(Hello { version: VERSION, visitor }).expect("short")
}

fn to_daemon() -> Vec<(&'static str, Vec<u8>)> {
    let mut inputs: Vec<_> = calls().into_iter().map(|(name, call, _)| (name, request(1, call))).collect();
    inputs.push(("hello-operator", hello(Visitor::Operator)));
    // A node's, in bytes: its process is drawn anew each time.
    let node = [&[0; 4][..], &VERSION.to_le_bytes(), &[0; 4], &[1; 32], &[2; 32], &[3; 16], b"alice", &[0; 27]];
    inputs.push(("hello-node", node.concat()));
    inputs.push(("hello-of-another-version", [&[0; 4][..], &u16::MAX.to_le_bytes(), &[0; 4]].concat()));
    inputs
}

fn from_daemon() -> Vec<(&'static str, Vec<u8>)> {
    let tee = TeeInfo {
        ta_version: 1,
        schema: 1,
        kind: "OP-TEE".into(),
        simulated: false,
        development: false,
        keys: Some(2),
        catalogue: 3,
        rollback_protected: true,
    };
    let listed = KeyInfo { id: key(Scheme::Ecdsa), usage: Usage::Sign, seeded: true };
    let lease = |tenure| Lease { tenure, lasts_ms: 1000, last_vote: Some((1, 2)), last_slot: Some(3) };
    let results = [
        ("info", Ok(Reply::Info(tee.clone()))),
        ("generated", Ok(Reply::Generated(listed.clone()))),
        ("keys", Ok(Reply::Keys { keys: vec![listed.clone(), listed], more: true })),
        ("has", Ok(Reply::Has(true))),
        ("signature", Ok(Reply::Signature(vec![4; 64]))),
        ("vrf_signature", Ok(Reply::VrfSignature { pre_output: [5; 32], proof: vec![6; 64] })),
        ("vrf_pre_output", Ok(Reply::VrfPreOutput([5; 32]))),
        ("retired", Ok(Reply::Retired)),
        ("lease-yours", Ok(Reply::Lease(lease(Tenure::Yours)))),
        ("lease-free", Ok(Reply::Lease(lease(Tenure::Free { last: None, reserved_ms: 1000 })))),
        ("refused", Err(Failure::Refused { rule: "AuraNeedsHeader".into() })),
        ("not_holder", Err(Failure::NotHolder { holder: None })),
        ("no_such_key", Err(Failure::NoSuchKey)),
        ("bad_request", Err(Failure::BadRequest("why".into()))),
        ("tee", Err(Failure::Tee("why".into()))),
        ("busy", Err(Failure::Busy)),
        ("deadline", Err(Failure::Deadline)),
    ];
    let mut messages: Vec<_> =
        results.into_iter().map(|(name, result)| (name, FromDaemon::Response(Response { id: 1, result }))).collect();
    messages.extend([
        ("welcome", FromDaemon::Welcome(Welcome { version: VERSION, tee })),
        ("rejected-version", FromDaemon::Rejected(Rejection::Version(1))),
        ("rejected-genesis", FromDaemon::Rejected(Rejection::Genesis([1; 32]))),
        ("rejected-tee", FromDaemon::Rejected(Rejection::Tee("why".into()))),
    ]);
    messages.iter().map(|(name, message)| (*name, wire::encode_from_daemon(message).expect("short"))).collect()
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let frame = |message: Vec<u8>| [&[0; 4][..], &(message.len() as u64).to_le_bytes(), &message].concat();
    let questions = [frame(request(1, Call::Info)), frame(request(2, Call::List { after: None }))].concat();
    let opened = [&[2, 104, 108, 57][..], &frame(hello(Visitor::Operator))].concat();
    vec![
        ("requests", [&[3][..], &questions].concat()),
        ("conversation", [&[0][..], &opened, &questions].concat()),
        ("same-id-twice", [&[3][..], &questions, &questions].concat()),
        ("cut", [&[3][..], &questions[..questions.len() - 3]].concat()),
        ("another-kind", [&[3][..], &1u32.to_le_bytes(), &[0; 8]].concat()),
        ("too-long", [&[3][..], &[0; 4], &u64::MAX.to_le_bytes()].concat()),
    ]
}

fn translate() -> Vec<(&'static str, Vec<u8>)> {
    let with = |call, answer: Vec<u8>| {
        let request = request(1, call);
        [&(request.len() as u16).to_le_bytes()[..], &request, &answer].concat()
    };
    let mut inputs = vec![("error", with(Call::Info, ta::Answer::V1(Err(ta::Error::Platform(28))).encode()))];
    for (name, call, reply) in calls() {
        let answer = reply.map_or(vec![], |reply| ta::Answer::V1(Ok(reply)).encode());
        inputs.push((name, with(call, answer)));
    }
    inputs
}

/// A header before its seal, with a slot.
fn header() -> Vec<u8> {
    let aura = (6u8, *b"aura", 9u64.encode()).encode();
    [([1u8; 32], Compact(5u32), [2u8; 32], [3u8; 32], Compact(1u32)).encode(), aura].concat()
}

fn dispatch() -> Vec<(&'static str, Vec<u8>)> {
    let short = |bytes: &[u8]| [&[bytes.len() as u8][..], bytes].concat();
    let long = |bytes: &[u8]| [&(bytes.len() as u16).to_le_bytes()[..], bytes].concat();
    let vote = (1u8, [9u8; 32], 77u32, 3u64, 4u64).encode();
    let list = ta::Request::V1(ta::Command::List { after: None, limit: 64 }).encode();
    // A production trusted application's keys are 0 `aura` and 1 `gran`; a development one has 2 to 4 of `test` too.
    let seal = [&[7, 0][..], &long(&header())].concat();
    let vote = [&[6, 1][..], &short(&vote), &[0]].concat();
    let possession = [&[6, 1][..], &short(&[&b"POP_"[..], &[8; 32]].concat()), &[0]].concat();
    // What the policy forbids.
    let sign = |key: u8, message: &[u8]| [&[6, key][..], &short(message), &[0]].concat();
    let forbidden =
        [&[0][..], &sign(1, &[3; 53]), &sign(1, &[0; 52]), &sign(0, &[1; 53]), &sign(0, b"POP_"), &sign(0, &[7; 32])];
    vec![
        ("forbidden", forbidden.concat()),
        ("seal", [&[0][..], &seal].concat()),
        ("vote", [&[0][..], &vote].concat()),
        ("possession", [&[0][..], &possession].concat()),
        ("raw-list", [&[0, 0][..], &long(&list)].concat()),
        ("measured", [&[0, 12][..], &[6; 32], &[2, 0, 1, 1, 12], &[7; 32], &[0], &[12], &[8; 32], &[2, 1, 0]].concat()),
        ("measured-unasked", [&[0, 12][..], &[6; 32], &[2, 0, 0, 12], &[6; 32], &[1, 2, 12], &[6; 32], &[17]].concat()),
        ("measured-in-development", [&[1, 12][..], &[6; 32], &[0, 12], &[6; 32], &[3, 0, 2, 4, 2]].concat()),
        ("pages", vec![1, 3, 0, 2, 3, 1, 1, 2, 2]),
        ("seeded", [&[1, 4, 0, 2, 1, 1][..], &short(&[6; 32]), &[9, 5, 10, 5, 11, 5, 1, 2]].concat()),
        ("generated", vec![0, 4, 1, 1, 0, 0, 5, 4, 11, 4, 5, 4, 1, 2]),
        ("prehashed", [&[1, 8, 3][..], &[7; 32]].concat()),
        ("vrf", vec![1, 9, 2, 0, 10, 2, 0]),
        ("retired-then-used", [&[1, 11, 1][..], &vote, &[1, 5, 1]].concat()),
        ("signed", [&[1, 6, 4][..], &short(b"message"), &[0, 6, 3], &short(b"message"), &[0]].concat()),
    ]
}

fn store() -> Vec<(&'static str, Vec<u8>)> {
    // What becomes of the cell, then of `meta`, then of others by name: 0 nothing, 1 gone, 2 other bytes.
    let development = [
        ("untouched", vec![0, 0]),
        ("no-cell", vec![1, 0]),
        ("no-meta", vec![0, 1]),
        // 4 changes bits of a byte: the cell's version begins at 1 and its store's id at 5, `meta`'s schema at 1 and its
        // version at 3, a key's store's id at 1.
        ("newer-cell", vec![4, 1, 4, 0]),
        ("older", vec![4, 1, 2, 4, 3, 2]),
        ("newer-schema", vec![0, 4, 1, 4]),
        ("other-kind", vec![0, 4, 7, 1]),
        ("other-store", vec![4, 5, 1, 0]),
        ("key-of-another-store", vec![0, 0, 2, 0, 4, 1, 1]),
        ("no-disk", vec![0, 1, 2, 0, 1, 2, 1, 1]),
        ("key-gone", vec![0, 0, 2, 0, 1]),
        ("bit-of-a-key", vec![0, 0, 2, 0, 4, 9, 1]),
        ("keys-swapped", vec![0, 0, 2, 0, 5, 1, 2, 1, 5, 0]),
        ("foreign-object", vec![0, 0, 0, 3, 1, 2, 3, 2, 2, 4, 4]),
    ];
    // By name an object of a production one is 0 and 1 for the keys, 2 for the counter and 3 for `meta`.
    let production = [
        ("measured", vec![0, 0]),
        ("counter-gone", vec![0, 0, 2, 2, 1]),
        ("counter-cut", vec![0, 0, 2, 2, 2, 3, 1, 9, 9]),
        ("counter-at-its-end", vec![0, 0, 2, 2, 2, 9, 1, 255, 255, 255, 255, 255, 255, 255, 255]),
        ("counter-of-a-newer", vec![0, 0, 2, 2, 4, 0, 3]),
        ("counter-alone", vec![1, 1, 2, 0, 1, 2, 1, 1]),
    ];
    let with = |first: u8, rest: Vec<u8>| [&[first][..], &rest].concat();
    let development = development.into_iter().map(|(name, bytes)| (name, with(1, bytes)));
    development.chain(production.into_iter().map(|(name, bytes)| (name, with(0, bytes)))).collect()
}
