//! What a validator's statements cost with the policy and its storage: through
//! [`TEEKeystore`] and a daemon, over a software TEE on this machine's disk and over one without
//! a disk. The difference is the storage.

mod served;

use std::{hint::black_box, time::Instant};

use criterion::{criterion_group, criterion_main, BatchSize, Criterion};
use holdfast_ta::Tee;
use holdfast_ta_soft::SoftTee;
use keystore_tee::TEEKeystore;
use sp_core::{
    crypto::key_types::{AURA, GRANDPA},
    ed25519, sr25519,
};
use sp_keystore::Keystore;

use served::{connected, Served, LONG};

/// A validator's two keys, and where it has come to.
struct Validator<'a> {
    keystore: &'a TEEKeystore,
    aura: sr25519::Public,
    gran: ed25519::Public,
    at: u64,
}

impl<'a> Validator<'a> {
    fn new(keystore: &'a TEEKeystore) -> Self {
        let aura = keystore.sr25519_generate_new(AURA, None).expect("the daemon is there");
        let gran = keystore.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
        Self { keystore, aura, gran, at: 0 }
    }

    /// A vote of a stage in the present round.
    fn vote(&self, stage: u8) {
        let mut vote = vec![stage];
        vote.extend([9; 32]);
        vote.extend(7_u32.to_le_bytes());
        vote.extend(self.at.to_le_bytes());
        vote.extend(0_u64.to_le_bytes());
        let signature = self.keystore.ed25519_sign(GRANDPA, &self.gran, &vote).expect("allowed");
        assert!(black_box(signature).is_some());
    }

    fn seal(&self) {
        let mut header = vec![1; 32];
        header.push(4 << 2);
        header.extend([2; 64]);
        header.extend([1 << 2, 6]);
        header.extend(b"aura");
        header.push(8 << 2);
        header.extend(self.at.to_le_bytes());
        let hash = sp_crypto_hashing::blake2_256(&header);
        self.keystore.offer_header(hash, header, Instant::now() + LONG);
        let seal = self.keystore.sr25519_sign(AURA, &self.aura, &hash).expect("allowed");
        assert!(black_box(seal).is_some());
    }
}

fn statements(criterion: &mut Criterion) {
    for (place, start) in [("disk", Served::start as fn() -> Served), ("memory", Served::in_memory)] {
        let served = start();
        let keystore = connected(&served.unix());
        let mut validator = Validator::new(&keystore);
        let mut group = criterion.benchmark_group(format!("statement/{place}"));
        group.bench_function("prevote", |bencher| {
            bencher.iter(|| {
                validator.at += 1;
                validator.vote(0);
            })
        });
        group.bench_function("the same prevote again", |bencher| bencher.iter(|| validator.vote(0)));
        group.bench_function("seal", |bencher| {
            bencher.iter(|| {
                validator.at += 1;
                validator.seal();
            })
        });
        group.bench_function("prevote, precommit and seal", |bencher| {
            bencher.iter(|| {
                validator.at += 1;
                validator.vote(0);
                validator.vote(1);
                validator.seal();
            })
        });
        group.finish();
    }
}

/// What the disk takes for one object as long as a watermark: a file, its fsync, a rename, and the directory's fsync.
fn object(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut tee = SoftTee::open(dir.path().join("store")).expect("a store of our own");
    criterion.bench_function("statement/an object of 500 bytes, written", |bencher| {
        bencher.iter_batched(|| vec![7; 500], |data| tee.store(b"w", &data).expect("written"), BatchSize::SmallInput)
    });
}

criterion_group!(benches, statements, object);
criterion_main!(benches);
