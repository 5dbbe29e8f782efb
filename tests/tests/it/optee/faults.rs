//! A daemon beside OP-TEE, through panics of the application and the death of tee-supplicant.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

use anyhow::{Context, Result};
use holdfast_e2e::{
    directory, http,
    operator::Operator,
    optee::{Guest, Machine, Variant},
    within, SOON,
};
use holdfast_protocol::{KeyInfo, Scheme};

/// `TEE_ERROR_TARGET_DEAD`.
const DEAD: &str = "code 0xffff3024";
/// How often tee-supplicant is killed at random.
const KILLS: u64 = 10;
/// Longer than a call takes under emulation; after it the daemon gives up one that does not come back.
const STUCK_MS: u64 = 5000;

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_or_an_exhausted_heap_of_the_application_is_survived_and_no_key_is_lost() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Faults).await?;
    let operator = Operator::connect(&guest.start_daemon().await?).await?;
    let key = operator.generate(Scheme::Ed25519, *b"gran").await?;
    for fault in ["panic", "exhaust"] {
        let said = guest.run(&format!("holdfast-optee-bridge fault {fault}"))?;
        assert_eq!(said.trim(), DEAD, "{fault}");
        // The daemon's session died with the instance. It notices at the next call, which fails, and opens another.
        let noticed = operator.keys().await;
        assert!(noticed.is_err(), "{fault}: the call over the dead session is not answered by another");
        assert_eq!(operator.keys().await?, std::slice::from_ref(&key), "{fault}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tee_supplicant_that_dies_and_is_started_again_costs_no_restart_and_no_key() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Development).await?;
    let operator = Operator::connect(&guest.start_daemon().await?).await?;
    let mut keys = vec![operator.generate(Scheme::Ed25519, *b"gran").await?];
    for _ in 0..5 {
        kill_supplicant(&mut guest)?;
        // A call that was under way when it died may fail; keys are made before and after.
        let made = match operator.generate(Scheme::Ed25519, *b"gran").await {
            Ok(key) => key,
            Err(_) => operator.generate(Scheme::Ed25519, *b"gran").await?,
        };
        keys.push(made);
        let held = operator.keys().await?;
        assert!(keys.iter().all(|key| held.contains(key)), "{held:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_tee_supplicant_the_daemon_is_down_says_why_and_is_back_when_it_is() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Development).await?;
    let operator = Operator::connect(&guest.start_daemon().await?).await?;
    let key = operator.generate(Scheme::Ed25519, *b"gran").await?;

    guest.run("touch /tmp/no-supplicant")?;
    kill_supplicant(&mut guest)?;
    let making = tokio::spawn({
        let operator = operator.clone();
        async move { operator.generate(Scheme::Ed25519, *b"gran").await }
    });
    let address = guest.http_address();
    let reason = within(SOON, "a health page that is down", async {
        loop {
            // It answers 503, with the reason in its body.
            if let Err(error) = http::get(&address, "/health").await {
                break format!("{error:#}");
            }
        }
    })
    .await?;
    assert!(reason.contains("tee-supplicant may not be running"), "{reason}");

    guest.run("rm /tmp/no-supplicant")?;
    // Whether the call that waited is answered in time or not: the daemon needs no restart.
    let _ = making.await?;
    let held = operator.keys().await?;
    assert!(held.contains(&key), "{held:?}");
    assert!(http::get(&address, "/health").await?.contains("\"status\":\"up\""));
    Ok(())
}

/// A call that was in the middle of what tee-supplicant did for it never comes back: the daemon ends and is started again.
#[tokio::test(flavor = "multi_thread")]
async fn whenever_tee_supplicant_dies_every_acknowledged_key_is_there_and_the_daemon_goes_on() -> Result<()> {
    let seed = match std::env::var("HOLDFAST_SEED") {
        Ok(seed) => seed.parse().context("HOLDFAST_SEED is a number")?,
        Err(_) => RandomState::new().hash_one(0),
    };
    println!("{KILLS} kills; HOLDFAST_SEED={seed} repeats their times");
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Production).await?;
    let limits = format!("[limits]\nstuck_ms = {STUCK_MS}");
    let operator = Operator::connect(&guest.start_daemon_with(&limits).await?).await?;
    let mut acknowledged = vec![operator.generate(Scheme::Ed25519, *b"gran").await?];
    for kill in 0..KILLS {
        let making = tokio::spawn({
            let operator = operator.clone();
            async move { operator.generate(Scheme::Ed25519, *b"gran").await }
        });
        let moment = moment(seed, kill);
        // Between two of its lives there is none to kill.
        guest.run(&format!("sleep 0.{moment:03}; until kill -9 $(pidof tee-supplicant) 2>/dev/null; do :; done"))?;
        let made = making.await?;
        match made {
            Ok(key) => acknowledged.push(key),
            Err(error) => println!("after {moment} ms no key was made: {error}"),
        }
        let held = listed(&operator).await?;
        assert!(acknowledged.iter().all(|key| held.contains(key)), "{acknowledged:?} in {held:?}");
    }
    let log = guest.log().text();
    let ends = |with: &str| log.matches(&format!("guest: the daemon ended with {with}")).count();
    println!("the daemon gave up {} calls", ends("3"));
    assert_eq!(ends(""), ends("3"), "the daemon ends for nothing else");
    // What failed may be there all the same, and stays.
    let held = listed(&operator).await?;
    guest.cut_power()?;
    let mut guest = machine.boot(Variant::Production).await?;
    let operator = Operator::connect(&guest.start_daemon().await?).await?;
    assert_eq!(operator.keys().await?, held);
    Ok(())
}

/// The keys, once the daemon tells.
async fn listed(operator: &Operator) -> Result<Vec<KeyInfo>> {
    within(SOON, "a list of keys", async {
        loop {
            operator.wait_up().await?;
            if let Ok(held) = operator.keys().await {
                return Ok(held);
            }
        }
    })
    .await?
}

/// Milliseconds after a call has begun, every other time while it is likely to be under way; the same for the same seed.
fn moment(seed: u64, kill: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, kill).hash(&mut hasher);
    hasher.finish() % if kill.is_multiple_of(2) { 100 } else { 600 }
}

fn kill_supplicant(guest: &mut Guest<'_>) -> Result<()> {
    guest.run("kill -9 $(pidof tee-supplicant)").map(drop)
}

#[tokio::test]
async fn a_second_daemon_on_one_op_tee_is_refused_and_the_first_goes_on() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Production).await?;
    guest.start_daemon().await?;
    let second = "holdfast-host --tee optee --socket /run/holdfast/second.sock --http off 2>&1; echo exit code $?";
    let said = guest.run(second)?;
    assert!(said.contains("another holdfast-host uses this OP-TEE") && said.ends_with("exit code 1\n"), "{said}");
    assert!(http::get(&guest.http_address(), "/health").await?.contains("\"status\":\"up\""));
    Ok(())
}
