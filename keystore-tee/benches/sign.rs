//! What a signature costs: through [`TEEKeystore`](keystore_tee::TEEKeystore) and a daemon, by `LocalKeystore`, and at the least it could.
//!
//! `bare` is the sum that no keystore behind a daemon can undercut: a round trip of ductile over a Unix socket, one
//! hop between threads at each end, a signature by the very library that the TA uses, and `sp_core`'s verification.

mod served;

use std::{
    hint::black_box,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use criterion::{criterion_group, criterion_main, measurement::WallTime, BatchSize, BenchmarkGroup, Criterion};
use ductile::{connect_unix_channel, ChannelSender, ChannelServer};
use ed25519_dalek::Signer;
use sc_keystore::LocalKeystore;
use sp_core::{
    crypto::{key_types::AURA, KeyTypeId, Pair},
    ed25519, sr25519,
};
use sp_keystore::Keystore;

use served::{connected, Served, LONG};

const TEST: KeyTypeId = KeyTypeId(*b"test");
/// As long as a GRANDPA vote.
const MESSAGE: [u8; 53] = [7; 53];

/// A signer behind a bare ductile channel: one thread reads, one signs; at this end one thread hands answers on.
struct Bare {
    questions: ChannelSender<Vec<u8>>,
    answers: mpsc::Receiver<Vec<u8>>,
    _dir: tempfile::TempDir,
}

impl Bare {
    fn start(sign: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("bare.sock");
        let (bound, wait) = mpsc::channel();
        let at = path.clone();
        thread::spawn(move || {
            let mut server = ChannelServer::<Vec<u8>, Vec<u8>>::bind_unix(&at).expect("a free path");
            bound.send(()).expect("is waited for");
            let (answers, questions, _) = server.next().expect("a client");
            let (hand, take) = mpsc::channel::<Vec<u8>>();
            thread::spawn(move || take.iter().all(|message| answers.send(sign(&message)).is_ok()));
            while let Ok(message) = questions.recv() {
                hand.send(message).expect("the signer stays");
            }
        });
        wait.recv().expect("is bound");
        let (questions, incoming) = connect_unix_channel::<_, Vec<u8>, Vec<u8>>(&path).expect("is bound");
        let (hand, answers) = mpsc::channel();
        thread::spawn(move || while incoming.recv().is_ok_and(|answer| hand.send(answer).is_ok()) {});
        Self { questions, answers, _dir: dir }
    }

    fn ask(&self, message: &[u8]) -> Vec<u8> {
        self.questions.send(message.to_vec()).expect("the signer stays");
        self.answers.recv().expect("the signer stays")
    }
}

fn sr25519(criterion: &mut Criterion) {
    let (served, dir) = (Served::start(), tempfile::tempdir().expect("a temporary directory"));
    let mut group = criterion.benchmark_group("sign/sr25519");
    keystores(&mut group, &served, dir.path(), |keystore| {
        let key = keystore.sr25519_generate_new(TEST, None).expect("a development TEE");
        Box::new(move |keystore| {
            let signature = keystore.sr25519_sign(TEST, &key, &MESSAGE).expect("the daemon stays");
            assert!(black_box(signature).is_some());
        })
    });
    let secret = schnorrkel::MiniSecretKey::from_bytes(&[1; 32]).expect("32 bytes");
    let pair = secret.expand_to_keypair(schnorrkel::ExpansionMode::Ed25519);
    let public = sr25519::Public::from_raw(pair.public.to_bytes());
    let bare = Bare::start(move |message| pair.sign_simple(b"substrate", message).to_bytes().to_vec());
    group.bench_function("bare", |bencher| {
        bencher.iter(|| {
            let signature = sr25519::Signature::try_from(&bare.ask(&MESSAGE)[..]).expect("64 bytes");
            assert!(sr25519::Pair::verify(&signature, MESSAGE, &public));
        })
    });
}

fn ed25519(criterion: &mut Criterion) {
    let (served, dir) = (Served::start(), tempfile::tempdir().expect("a temporary directory"));
    let mut group = criterion.benchmark_group("sign/ed25519");
    keystores(&mut group, &served, dir.path(), |keystore| {
        let key = keystore.ed25519_generate_new(TEST, None).expect("a development TEE");
        Box::new(move |keystore| {
            let signature = keystore.ed25519_sign(TEST, &key, &MESSAGE).expect("the daemon stays");
            assert!(black_box(signature).is_some());
        })
    });
    let pair = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let public = ed25519::Public::from_raw(pair.verifying_key().to_bytes());
    let bare = Bare::start(move |message| pair.sign(message).to_bytes().to_vec());
    group.bench_function("bare", |bencher| {
        bencher.iter(|| {
            let signature = ed25519::Signature::try_from(&bare.ask(&MESSAGE)[..]).expect("64 bytes");
            assert!(ed25519::Pair::verify(&signature, MESSAGE, &public));
        })
    });
}

type Sign = Box<dyn Fn(&dyn Keystore)>;

/// The two keystores with the same question.
fn keystores(
    group: &mut BenchmarkGroup<'_, WallTime>,
    served: &Served,
    dir: &std::path::Path,
    make: impl Fn(&dyn Keystore) -> Sign,
) {
    let keystore = connected(&served.unix());
    let sign = make(&keystore);
    group.bench_function("TEEKeystore", |bencher| bencher.iter(|| sign(&keystore)));
    let local = LocalKeystore::open(dir, None).expect("a directory of our own");
    let sign = make(&local);
    group.bench_function("LocalKeystore", |bencher| bencher.iter(|| sign(&local)));
}

/// A seal whose header of 20 kB travels with it: the size at which ductile by itself waits for acknowledgements.
fn large_header(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal/header of 20 kB");
    for (name, uri) in [("unix", Served::unix as fn(&Served) -> String), ("tcp", Served::tcp)] {
        // One node seals: each has a daemon of its own.
        let served = Served::in_memory();
        let keystore = connected(&uri(&served));
        let key = keystore.sr25519_generate_new(AURA, None).expect("the daemon is there");
        let mut slot = 0u64;
        let mut next = || {
            slot += 1;
            let header = header(slot);
            let hash = sp_crypto_hashing::blake2_256(&header);
            keystore.offer_header(hash, header, Instant::now() + LONG);
            hash
        };
        group.bench_function(name, |bencher| {
            let seal = |hash: [u8; 32]| {
                let seal = keystore.sr25519_sign(AURA, &key, &hash).expect("in time");
                assert!(black_box(seal).is_some());
            };
            // Only the last header that was offered is kept.
            bencher.iter_batched(&mut next, seal, BatchSize::PerIteration)
        });
    }
}

/// A SCALE-encoded header with a slot, and with the authorities of a large set.
fn header(slot: u64) -> Vec<u8> {
    let mut header = vec![1; 32];
    header.push(4 << 2);
    header.extend([2; 64]);
    // Two digest items: 6 is a pre-runtime digest, 4 a consensus one.
    header.extend([2 << 2, 6]);
    header.extend(b"aura");
    header.push(8 << 2);
    header.extend(slot.to_le_bytes());
    header.extend([4]);
    header.extend(b"aura");
    header.extend((20_000_u32 << 2 | 2).to_le_bytes());
    header.extend([0; 20_000]);
    header
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(4));
    targets = sr25519, ed25519, large_header
}
criterion_main!(benches);
