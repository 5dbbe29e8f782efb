//! Sixteen callers at once on one `TEEKeystore`: signatures a second and how long each took, beside what one core does
//! when it only signs and verifies.
//!
//! A plain program, since what counts is many threads at once: rounds of both measurements, one after the other, so that
//! a machine which gets slower or faster meanwhile does so for both; and of all rounds the middle one.

mod served;

use std::{
    hint::black_box,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use keystore_tee::TEEKeystore;
use sp_core::{
    crypto::{KeyTypeId, Pair},
    sr25519,
};
use sp_keystore::Keystore;

use served::{connected, Served};

const TEST: KeyTypeId = KeyTypeId(*b"test");
/// As long as a GRANDPA vote.
const MESSAGE: [u8; 53] = [7; 53];
const CALLERS: usize = 16;
const ROUNDS: usize = 7;
const BARE: Duration = Duration::from_secs(1);
const LOADED: Duration = Duration::from_secs(3);

/// Signatures a second, and the times in between which half and all but one in a hundred took.
struct Load {
    rate: f64,
    half: Duration,
    most: Duration,
}

struct Round {
    bare: f64,
    load: Load,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.load.rate / self.bare
    }
}

fn main() {
    for (name, uri) in [("unix", Served::unix as fn(&Served) -> String), ("tcp", Served::tcp)] {
        let served = Served::start();
        let keystore = Arc::new(connected(&uri(&served)));
        let key = keystore.sr25519_generate_new(TEST, None).expect("a development TEE");
        println!("\n{CALLERS} callers, one TEEKeystore, {name}; sr25519, {} bytes", MESSAGE.len());
        println!("round  bare core/s  keystore/s  ratio       p50       p99");
        let mut rounds: Vec<Round> =
            (0..ROUNDS).map(|_| Round { bare: bare(BARE), load: load(&keystore, &key, LOADED) }).collect();
        for (number, round) in rounds.iter().enumerate() {
            show(&(number + 1).to_string(), round);
        }
        rounds.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        show("middle", &rounds[ROUNDS / 2]);
    }
}

fn show(name: &str, round: &Round) {
    let Round { bare, load } = round;
    let us = |time: Duration| format!("{} µs", time.as_micros());
    let (half, most) = (us(load.half), us(load.most));
    println!("{name:6} {bare:11.0} {:11.0} {:6.2} {half:>9} {most:>9}", load.rate, round.ratio());
}

/// One thread that signs with the library of the TA and verifies as a node does.
fn bare(time: Duration) -> f64 {
    let secret = schnorrkel::MiniSecretKey::from_bytes(&[1; 32]).expect("32 bytes");
    let pair = secret.expand_to_keypair(schnorrkel::ExpansionMode::Ed25519);
    let public = sr25519::Public::from_raw(pair.public.to_bytes());
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < time {
        let signature = sr25519::Signature::from_raw(pair.sign_simple(b"substrate", &MESSAGE).to_bytes());
        assert!(sr25519::Pair::verify(black_box(&signature), MESSAGE, &public));
        done += 1;
    }
    f64::from(done) / begun.elapsed().as_secs_f64()
}

fn load(keystore: &Arc<TEEKeystore>, key: &sr25519::Public, time: Duration) -> Load {
    let start = Arc::new(Barrier::new(CALLERS + 1));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (keystore, key, start) = (keystore.clone(), *key, start.clone());
            thread::spawn(move || {
                start.wait();
                let (begun, mut taken) = (Instant::now(), vec![]);
                while begun.elapsed() < time {
                    let asked = Instant::now();
                    let signature = keystore.sr25519_sign(TEST, &key, &MESSAGE).expect("the daemon stays");
                    assert!(black_box(signature).is_some());
                    taken.push(asked.elapsed());
                }
                taken
            })
        })
        .collect();
    start.wait();
    let begun = Instant::now();
    let mut taken: Vec<Duration> = callers.into_iter().flat_map(|caller| caller.join().expect("no panic")).collect();
    let rate = taken.len() as f64 / begun.elapsed().as_secs_f64();
    taken.sort();
    Load { rate, half: taken[taken.len() / 2], most: taken[taken.len() * 99 / 100] }
}
