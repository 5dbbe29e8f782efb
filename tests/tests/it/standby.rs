//! Two nodes with the same session keys on one daemon: one is active, the other on standby.

use std::time::Duration;

use anyhow::{Context, Result};
use holdfast_e2e::{
    chain::{account_of, Authority, Kind, Timing},
    directory,
    http::metric,
    network::{wait_votes, Settings, LEASE},
    node::Setup,
    operator::Operator,
    proof,
    rpc::Heads,
    search, store, Chain, HostProcess, Network, NodeProcess, SOON,
};

/// Slots in which a standby takes over.
const SLOTS: u64 = 10;
/// The exit code of a node whose lease another has taken over.
const SUPERSEDED: i32 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_within_ten_slots_and_who_lost_the_lease_signs_nothing_and_comes_back_as_standby(
) -> Result<()> {
    let directory = directory()?;
    let mut network = Network::start(directory.path(), Settings::default()).await?;
    network.start_standby(0).await?;
    network.wait_signs(0, 0, SOON).await?;
    first(&network).rpc().wait_role("active", SOON).await?;
    second(&network).rpc().wait_role("standby", SOON).await?;
    signs_nothing_for_ten_slots(second(&network)).await?;

    // The active node is killed.
    network.validators[0].node.kill()?;
    let killed = network.slot_now()?;
    takes_over(&network, second(&network), killed).await?;
    // Its votes count: of four validators three must vote, and now only two others do.
    network.validators[3].node.kill()?;
    let best = network.seen_without(0).best().await?.number;
    network.seen_without(0).wait_finalised(best + 3, SOON).await?;
    network.validators[3].node.restart().await?;

    // It comes back, and stays on standby.
    network.validators[0].node.restart().await?;
    first(&network).rpc().wait_role("standby", SOON).await?;
    signs_nothing_for_ten_slots(first(&network)).await?;
    second(&network).rpc().wait_role("active", SOON).await?;

    // The active node stands still past its lease, and goes on when the other has taken over.
    second(&network).stop()?;
    let lapsed = network.slot_now()? + LEASE.as_secs();
    takes_over(&network, first(&network), lapsed).await?;
    let before = Signatures::of_all_and(&network, first(&network)).await?;
    let votes = first(&network).signatures("gran").await?;
    second(&network).cont()?;
    let superseded = network.validators[0].standby.as_mut().context("it was started")?;
    assert_eq!(superseded.process().wait_exit(SOON).await?.code(), Some(SUPERSEDED));
    wait_votes(first(&network), votes + 2, SOON).await?;
    let after = Signatures::of_all_and(&network, first(&network)).await?;
    after.are_all_given_to_the_one_since(&before);

    let second = network.validators[0].standby.as_mut().context("it was started")?;
    second.restart().await?;
    second.rpc().wait_role("standby", SOON).await?;
    first(&network).rpc().wait_role("active", SOON).await?;

    // The same, and before the one that was replaced goes on, the daemon is restarted: it must not have forgotten.
    first(&network).stop()?;
    let lapsed = network.slot_now()? + LEASE.as_secs();
    takes_over(&network, self::second(&network), lapsed).await?;
    self::second(&network).stop()?;
    network.validators[0].host.restart().await?;
    first(&network).cont()?;
    let superseded = network.validators[0].node.process();
    assert_eq!(superseded.wait_exit(SOON).await?.code(), Some(SUPERSEDED));
    let signed = network.validators[0].host.page("/metrics").await?;
    assert_eq!(metric(&signed, &["holdfast_host_requests_total", "call=\"sign\"", "result=\"ok\""]), None, "{signed}");
    self::second(&network).cont()?;
    self::second(&network).rpc().wait_role("active", SOON).await?;
    wait_votes(self::second(&network), self::second(&network).signatures("gran").await?, SOON).await?;
    network.validators[0].node.restart().await?;
    first(&network).rpc().wait_role("standby", SOON).await?;

    assert!(network.equivocations()?.is_empty(), "{:?}", network.equivocations()?);
    let leaked = network.leaked_keys()?;
    assert!(leaked.is_empty(), "{leaked:?}");
    network.check_running()
}

/// What the test above would find if the daemon gave one signature too many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_with_copies_of_one_store_equivocate_and_the_search_for_that_finds_it() -> Result<()> {
    let directory = directory()?;
    let directory = directory.path();
    let mut one = HostProcess::start(directory, "one").await?;
    let keys = Operator::connect(&one.uri()).await?.session_keys().await?;
    let authority = Authority { account: account_of("Alice"), keys };
    let chain = Chain::with(directory, Kind::Local, Timing::default(), &[authority])?;
    one.kill()?;
    store::copy(&one.store(), &directory.join("two-store"))?;
    one.restart().await?;
    let two = HostProcess::start(directory, "two").await?;

    // They hear of each other's blocks through a third, which has seen one of both when it sees the other.
    let follower = Setup::new(directory, "follower", &chain).start().await?;
    let address = follower.address().await?;
    let mut nodes = Vec::new();
    for (name, host) in [("node-one", &one), ("node-two", &two)] {
        let signing = ["--validator", "--keystore-uri", &host.uri(), "--reserved-nodes", &address];
        nodes.push(Setup::new(directory, name, &chain).with(&signing).start().await?);
    }
    assert!(search::equivocations(directory)?.is_empty());
    let told = |line: &str| search::equivocation(line).is_some();
    follower.log().wait_for_line("news of an equivocation", SOON, told).await?;
    assert!(!search::equivocations(directory)?.is_empty());
    Ok(())
}

fn first(network: &Network) -> &NodeProcess {
    &network.validators[0].node
}

fn second(network: &Network) -> &NodeProcess {
    network.validators[0].standby.as_ref().expect("the test has started it")
}

/// Holds that a node on standby stays that, while others go on for ten slots.
async fn signs_nothing_for_ten_slots(node: &NodeProcess) -> Result<()> {
    let until = node.rpc().best().await?.number + SLOTS as u32;
    node.rpc().wait_finalised(until, SOON).await?;
    assert_eq!(node.rpc().tee_status().await?["role"], "standby");
    assert_eq!((node.signatures("aura").await?, node.signatures("gran").await?), (0, 0));
    Ok(())
}

/// Holds that a node which has signed nothing yet votes within ten slots after `slot`, and that the first validator,
/// whose other node is gone, has sealed a block by then.
async fn takes_over(network: &Network, node: &NodeProcess, slot: u64) -> Result<()> {
    let until = slot + SLOTS;
    wait_votes(node, 0, SOON).await?;
    let voted = network.slot_now()?;
    println!("the first vote came {} slots after slot {slot}", voted - slot);
    assert!(voted <= until, "the first vote came {} slots after slot {slot}", voted - slot);

    let seen = network.seen_without(0);
    let past = |header: &_| proof::slot_of(header).is_ok_and(|slot| slot > until);
    seen.wait_head(Heads::Best, SOON, "a block after these ten slots", past).await?;
    let own = network.validators[0].keys.aura;
    let seals = proof::seals_after(seen, slot).await?;
    let slots: Vec<u64> = seals.iter().filter(|(_, author)| *author == own).map(|(sealed, _)| sealed - slot).collect();
    println!("blocks were sealed {slots:?} slots after it");
    assert!(slots.iter().any(|after| *after <= SLOTS), "after slot {slot}: {seals:?}");
    assert_eq!(node.rpc().tee_status().await?["role"], "active");
    Ok(())
}

/// What the first validator's daemon has signed for anybody, and what one node has got of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Signatures {
    made: f64,
    got: f64,
    /// They came too late to be used.
    late: f64,
}

impl Signatures {
    /// Counted while nothing is under way: the same twice.
    async fn of_all_and(network: &Network, node: &NodeProcess) -> Result<Signatures> {
        let mut pause = tokio::time::interval(Duration::from_millis(100));
        let mut last = None;
        loop {
            pause.tick().await;
            let daemon = network.validators[0].host.page("/metrics").await?;
            let node = node.metrics().await?;
            let of_node = |result: &str| -> f64 {
                ["aura", "gran"]
                    .map(|key_type| {
                        let labels = [format!("key_type=\"{key_type}\""), format!("result=\"{result}\"")];
                        metric(&node, &["holdfast_signatures_total", &labels[0], &labels[1]]).unwrap_or(0.0)
                    })
                    .iter()
                    .sum()
            };
            let made = metric(&daemon, &["holdfast_host_requests_total", "call=\"sign\"", "result=\"ok\""]);
            let now = Signatures { made: made.unwrap_or(0.0), got: of_node("ok"), late: of_node("deadline") };
            if last == Some(now) {
                return Ok(now);
            }
            last = Some(now);
        }
    }

    fn are_all_given_to_the_one_since(&self, before: &Signatures) {
        let (made, got, late) = (self.made - before.made, self.got - before.got, self.late - before.late);
        assert!(made >= got && made <= got + late, "made {made}, got by the active node {got}, too late for it {late}");
        assert!(got > 0.0, "the active node has signed meanwhile");
    }
}
