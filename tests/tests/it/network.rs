//! Four validators, through the crashes and halts of each.

use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_e2e::{directory, network::Settings, proof, watch::Watch, Network, NodeProcess, SLOT, SOON};

/// The longest pause of finality while one of four is away.
const TEN_SLOTS: Duration = SLOT.saturating_mul(10);
/// For how long a process stands still.
const STOPPED: Duration = Duration::from_secs(20);
/// Blocks that are finalised while a killed process is away.
const WITHOUT: u32 = 5;
/// Blocks that are finalised in all.
const BLOCKS: u32 = 100;

#[derive(Clone, Copy, Debug)]
enum Part {
    Daemon,
    Node,
}

#[derive(Clone, Copy, Debug)]
enum Absence {
    Killed,
    Stopped,
}

// Rules 1 and 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finality_never_pauses_for_ten_slots_while_any_one_daemon_is_killed_or_stopped() -> Result<()> {
    let directory = directory()?;
    let mut network = Network::start(directory.path(), Settings::default()).await?;
    each_is_away_once(&mut network, Part::Daemon).await?;
    holds_at_the_end(&mut network).await
}

// Rules 1 and 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finality_never_pauses_for_ten_slots_while_any_one_node_is_killed_or_stopped() -> Result<()> {
    let directory = directory()?;
    let mut network = Network::start(directory.path(), Settings::default()).await?;
    each_is_away_once(&mut network, Part::Node).await?;
    holds_at_the_end(&mut network).await
}

// Rule 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_two_daemons_finality_stops_and_blocks_go_on_and_both_come_back_to_the_nodes_that_ran() -> Result<()> {
    let directory = directory()?;
    let mut network = Network::start(directory.path(), Settings::default()).await?;
    for validator in 0..4 {
        network.wait_signs(validator, 0, SOON).await?;
    }

    network.validators[0].host.kill()?;
    network.validators[1].host.stop()?;
    for validator in &network.validators[..2] {
        validator.node.rpc().wait_connected(false, SOON).await?;
    }
    let away = network.slot_now()?;
    let seen = network.validators[2].node.rpc();
    // Votes from before may still meet.
    let best = seen.best().await?.number;
    seen.wait_best(best + 3, SOON).await?;
    let finalised = seen.finalised().await?.number;
    let best = seen.wait_best(best + 10, SOON).await?.number;
    for validator in &network.validators[2..] {
        assert_eq!(validator.node.rpc().finalised().await?.number, finalised);
    }
    let present: Vec<_> = network.validators[2..].iter().map(|validator| validator.keys.aura).collect();
    let seals = proof::seals_after(seen, away).await?;
    assert!(seals.iter().all(|(_, author)| present.contains(author)), "{seals:?}");

    network.validators[0].host.restart().await?;
    network.validators[1].host.cont()?;
    let back = network.slot_now()?;
    for validator in &network.validators {
        validator.node.rpc().wait_finalised(best, SOON).await?;
    }
    for validator in 0..2 {
        network.wait_signs(validator, back, SOON).await?;
    }
    assert!(network.equivocations()?.is_empty(), "{:?}", network.equivocations()?);
    network.check_running()
}

async fn each_is_away_once(network: &mut Network, part: Part) -> Result<()> {
    for validator in 0..network.validators.len() {
        network.wait_signs(validator, 0, SOON).await?;
    }
    for validator in 0..network.validators.len() {
        for absence in [Absence::Killed, Absence::Stopped] {
            is_away(network, validator, part, absence).await?;
        }
    }
    Ok(())
}

/// Takes one process away and brings it back, and holds that its validator signs again and that meanwhile all others
/// heard of finalised blocks.
async fn is_away(network: &mut Network, validator: usize, part: Part, absence: Absence) -> Result<()> {
    let others = || network.validators.iter().enumerate().filter(|(other, _)| *other != validator);
    let mut watches = Vec::new();
    for (_, other) in others() {
        watches.push((other.name.clone(), Watch::finality(other.node.rpc()).await?));
    }
    let seen = network.seen_without(validator).clone();
    let before = seen.finalised().await?.number;

    let away = &mut network.validators[validator];
    match (part, absence) {
        (Part::Daemon, Absence::Killed) => away.host.kill()?,
        (Part::Daemon, Absence::Stopped) => away.host.stop()?,
        (Part::Node, Absence::Killed) => away.node.kill()?,
        (Part::Node, Absence::Stopped) => away.node.stop()?,
    }
    match absence {
        Absence::Killed => drop(seen.wait_finalised(before + WITHOUT, SOON).await?),
        // The time without it is the subject.
        Absence::Stopped => tokio::time::sleep(STOPPED).await,
    }
    if let Part::Daemon = part {
        away.node.rpc().wait_connected(false, SOON).await?;
    }
    match (part, absence) {
        (Part::Daemon, Absence::Killed) => away.host.restart().await?,
        (Part::Daemon, Absence::Stopped) => away.host.cont()?,
        (Part::Node, Absence::Killed) => away.node.restart().await?,
        (Part::Node, Absence::Stopped) => away.node.cont()?,
    }
    let (back, since) = (network.slot_now()?, Instant::now());
    network.wait_signs(validator, back, SOON).await?;
    println!("{part:?} {validator} {absence:?}: it signed again after {:?}", since.elapsed());

    for (other, watch) in watches {
        let pause = watch.end().await?;
        println!("{part:?} {validator} {absence:?}: finality paused for at most {pause:?}, says {other}");
        assert!(pause <= TEN_SLOTS, "finality paused for {pause:?} in {other}'s eyes");
    }
    network.check_running()
}

async fn holds_at_the_end(network: &mut Network) -> Result<()> {
    let nodes: Vec<&NodeProcess> = network.validators.iter().map(|validator| &validator.node).collect();
    for node in &nodes {
        node.rpc().wait_finalised(BLOCKS, SOON).await?;
    }
    let authors = proof::authors_until(nodes[0].rpc(), BLOCKS).await?;
    for validator in &network.validators {
        assert!(authors.contains(&validator.keys.aura), "{} has sealed nothing", validator.name);
    }
    assert!(network.equivocations()?.is_empty(), "{:?}", network.equivocations()?);
    let leaked = network.leaked_keys()?;
    assert!(leaked.is_empty(), "{leaked:?}");
    network.check_running()
}
