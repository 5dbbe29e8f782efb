//! What a signature costs on OP-TEE, beside the way to the trusted application and back, and beside the computation; and
//! what it costs to store what a key may sign once only.
//!
//! It runs in the guest (`make bench-optee`). The computation is that of the same code, compiled alike, in a process of
//! the normal world on the same emulated processor: the application itself has no command for it.

use codec::{DecodeAll, Encode};
use criterion::{criterion_group, criterion_main, Criterion};
use holdfast_host::{Application, InProcess, Link, OpTee};
use holdfast_ta::{Answer, Command, Context, GrandpaRound, KeyId, KeyType, Position, Reply, Request, Scheme, Usage};
use holdfast_ta_soft::SoftTee;

const SCHEMES: [(Scheme, &str); 3] =
    [(Scheme::Sr25519, "sr25519"), (Scheme::Ed25519, "ed25519"), (Scheme::Ecdsa, "ecdsa")];
/// As long as a GRANDPA vote.
const MESSAGE: [u8; 53] = [7; 53];

criterion_group!(benches, signatures, statements);
criterion_main!(benches);

fn signatures(criterion: &mut Criterion) {
    let mut optee = OpTee::open(Application::Development).expect("the development application is installed");
    let mut process = InProcess::new(SoftTee::in_memory());

    // Nothing to decode and nothing to do: the answer is an error of four bytes.
    let mut ping = criterion.benchmark_group("ping");
    ping.bench_function("optee", |bench| bench.iter(|| optee.call(&[]).expect("it answers")));
    ping.bench_function("process", |bench| bench.iter(|| process.call(&[]).expect("it answers")));
    ping.finish();

    for (scheme, name) in SCHEMES {
        let mut group = criterion.benchmark_group(name);
        let mut measure = |place: &str, link: &mut dyn Link| {
            let request = Request::V1(sign(make(link, scheme, *b"test"))).encode();
            // The first one loads nothing: the key was just made.
            group.bench_function(place, |bench| bench.iter(|| signature(link, &request)));
        };
        measure("optee", &mut optee);
        measure("process", &mut process);
        group.finish();
    }
}

/// A vote writes the key's watermark, and the cell as often as the platform has it written: with each statement, or once in
/// 64 where the cell is in RPMB. A watermark that is raised beyond the ceiling writes both every time.
fn statements(criterion: &mut Criterion) {
    let mut optee = OpTee::open(Application::Development).expect("the development application is installed");
    let id = make(&mut optee, Scheme::Ed25519, *b"gran");
    let mut round = 0;
    let mut group = criterion.benchmark_group("stored");
    group.bench_function("vote", |bench| {
        bench.iter(|| {
            round += 1;
            let vote = (0u8, [7u8; 32], 1u32, round, 0u64).encode();
            let vote = Command::Sign { id: id.clone(), message: vote, context: Context::None };
            signature(&mut optee, &Request::V1(vote).encode())
        })
    });
    // Beyond every ceiling that a vote can have raised.
    round += 1000;
    group.bench_function("raise", |bench| {
        bench.iter(|| {
            round += 1;
            let to = Position::Grandpa(GrandpaRound { set_id: 0, round });
            let raise = Command::RaiseWatermark { id: id.clone(), to };
            answer(&mut optee, &Request::V1(raise).encode())
        })
    });
    group.finish();
}

fn make(link: &mut dyn Link, scheme: Scheme, key_type: KeyType) -> KeyId {
    let generate = Command::Generate { scheme, key_type, usage: Usage::Sign, seed: None };
    match answer(link, &Request::V1(generate).encode()) {
        Reply::Generated(key) => key.id,
        other => panic!("a key was asked for, and {other:?} came"),
    }
}

fn sign(id: KeyId) -> Command {
    Command::Sign { id, message: MESSAGE.to_vec(), context: Context::None }
}

fn signature(link: &mut dyn Link, request: &[u8]) -> Vec<u8> {
    match answer(link, request) {
        Reply::Signature(signature) => signature,
        other => panic!("a signature was asked for, and {other:?} came"),
    }
}

fn answer(link: &mut dyn Link, request: &[u8]) -> Reply {
    let bytes = link.call(request).expect("it answers");
    let Answer::V1(result) = Answer::decode_all(&mut bytes.as_slice()).expect("an answer");
    result.expect("it is done")
}
