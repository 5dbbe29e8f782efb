//! Random kills of one validator's daemon and node.
//!
//! One validator, because here every kill is of the only signer: each seal and each vote on the chain was made between
//! two kills, and no other validator's blocks fill the gaps. It also needs a quarter of the time of four.

use std::{
    collections::{hash_map::RandomState, BTreeSet},
    hash::BuildHasher,
    time::Duration,
};

use anyhow::{Context, Result};
use holdfast_e2e::{
    chain::SessionKeys,
    directory,
    host::Leases,
    network::Settings,
    operator::Operator,
    proof,
    session::{rotate, set_keys},
    Network, SOON,
};
use holdfast_protocol::{KeyId, Scheme};

/// How many kills, unless HOLDFAST_KILLS says.
const KILLS: u64 = 20;
/// After so many the validator changes its session keys.
const BETWEEN_ROTATIONS: u64 = 10;

// Rules 3 and 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_random_kills_every_key_is_there_and_every_signature_on_the_chain_is_valid() -> Result<()> {
    let seed = number("HOLDFAST_SEED")?.unwrap_or_else(|| RandomState::new().hash_one(()));
    let kills = number("HOLDFAST_KILLS")?.unwrap_or(KILLS);
    println!("{kills} kills; HOLDFAST_SEED={seed} repeats their order and pauses");
    let mut random = Random(seed);

    let directory = directory()?;
    let settings = Settings { validators: 1, leases: Leases::Of(Duration::from_secs(1)), ..Settings::default() };
    let mut network = Network::start(directory.path(), settings).await?;
    let operator = Operator::connect(&network.validators[0].host.uri()).await?;
    // Whose creation was acknowledged.
    let mut keys: BTreeSet<KeyId> = operator.keys().await?.into_iter().map(|key| key.id).collect();
    let mut rotations = 0;

    for kill in 0..kills {
        if kill % BETWEEN_ROTATIONS == 0 {
            let rpc = network.validators[0].node.rpc();
            let rotation = rotate(rpc).await?;
            keys.extend(ids(&rotation.keys));
            set_keys(rpc, &rotation).await?;
            rotations += 1;
        }
        tokio::time::sleep(random.below(1500)).await;
        let making = {
            let (operator, scheme) =
                (operator.clone(), random.one_of([Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa]));
            tokio::spawn(async move { operator.generate(scheme, *b"test").await })
        };
        tokio::time::sleep(random.below(4)).await;
        let (daemon, node) = random.one_of([(true, false), (false, true), (true, true)]);
        let validator = &mut network.validators[0];
        if daemon {
            validator.host.kill()?;
        }
        if node {
            validator.node.kill()?;
        }
        // Without an answer it may be there or not.
        if let Ok(key) = making.await? {
            keys.insert(key.id);
        }
        if daemon {
            validator.host.restart().await?;
        }
        if node {
            validator.node.restart().await?;
        }
        network.check_running()?;
        // Half of the kills find it at its start, the others at work.
        if random.one_of([true, false]) {
            let rpc = network.validators[0].node.rpc();
            let best = rpc.best().await?.number;
            rpc.wait_best(best + 1, SOON).await?;
        }
        operator.wait_up().await?;
        let held: Vec<KeyId> = operator.keys().await?.into_iter().map(|key| key.id).collect();
        let distinct: BTreeSet<KeyId> = held.iter().cloned().collect();
        assert_eq!(distinct.len(), held.len(), "after kill {kill} a key is there twice: {held:?}");
        let lost: Vec<&KeyId> = keys.difference(&distinct).collect();
        assert!(lost.is_empty(), "after kill {kill} these are gone: {lost:?}");
        println!("kill {kill}: daemon {daemon}, node {node}; {} keys", held.len());
    }

    let rpc = network.validators[0].node.rpc();
    let best = rpc.best().await?.number;
    let last = rpc.wait_finalised(best + 2, SOON).await?.number;
    let justifications = proof::verify_until(rpc, last).await?;
    println!("{last} blocks and {justifications} justifications are valid");
    assert!(justifications >= rotations / 2, "{rotations} changes of keys left {justifications} justifications");
    assert!(network.equivocations()?.is_empty(), "{:?}", network.equivocations()?);
    network.check_running()
}

fn ids(keys: &SessionKeys) -> [KeyId; 2] {
    let aura = KeyId { scheme: Scheme::Sr25519, key_type: *b"aura", public: keys.aura.0.to_vec() };
    let grandpa = KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: keys.grandpa.0.to_vec() };
    [aura, grandpa]
}

/// A number from the environment.
fn number(variable: &str) -> Result<Option<u64>> {
    match std::env::var(variable) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{variable}={text} is no number"))?)),
        Err(_) => Ok(None),
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): the same from the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Up to so many milliseconds, to the microsecond.
    fn below(&mut self, milliseconds: u64) -> Duration {
        Duration::from_micros(self.next() % (milliseconds * 1000))
    }

    fn one_of<T, const N: usize>(&mut self, choices: [T; N]) -> T
    where
        T: Copy,
    {
        choices[(self.next() % N as u64) as usize]
    }
}
