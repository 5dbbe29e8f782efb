//! A key signs one block for a slot, and one vote of a stage in a round: with two nodes that use it, after its chain's
//! database was purged, and after its store was put back from a copy.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use holdfast_e2e::{
    audit::{Audit, Entry},
    chain::Kind,
    directory,
    host::Leases,
    network::{Settings, Validator, NAMES},
    node::Setup,
    operator::Operator,
    rpc::Rpc,
    search::{equivocation, Equivocation},
    store,
    watch::Watch,
    witness::Witness,
    Chain, Network, NodeProcess, SOON,
};
use holdfast_protocol::GrandpaRound;

/// Blocks during which two nodes sign with the same keys.
const BLOCKS: u32 = 60;
/// So many more at most, if by then they have not tried all that they should.
const MORE: u32 = 120;
/// Finality is never silent for longer. A round takes seconds, so this is generous: a machine that does other things too
/// may hold up all nodes at once, while a round that waits for a vote which nobody gives would wait for ever.
const SILENT: Duration = Duration::from_secs(60);
/// In so many rounds, and for so many slots, both nodes ask for a signature at least.
const BOTH: usize = 3;
/// The exit code of a node whose vote was refused.
const POLICY: i32 = 11;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_with_one_identity_on_one_trusted_application_try_to_equivocate_for_sixty_blocks_and_never_do(
) -> Result<()> {
    let directory = directory()?;
    let settings = Settings { leases: Leases::Without, ..Settings::default() };
    let mut network = Network::start(directory.path(), settings).await?;
    network.start_standby(0).await?;

    let (pair, others) = network.validators.split_at_mut(1);
    let Validator { node: first, standby, host, .. } = &mut pair[0];
    let second = standby.as_mut().context("it was started")?;
    let others: Vec<&Rpc> = others.iter().map(|other| other.node.rpc()).collect();
    // Either of the two may have ended already.
    others[0].wait_finalised(1, SOON).await?;
    let (witness, finality) = (Witness::start(&others).await?, Watch::finality(others[0]).await?);
    let until = others[0].best().await?.number + BLOCKS;
    let enough = |best| Ok(best >= until && (Tried::of(&host.audit()?).all() || best >= until + MORE));
    let restarts = stumble([first, second], others[0], enough).await?;
    others[0].wait_finalised(until, SOON).await?;
    let (seen, silent) = (witness.end().await?, finality.end().await?);

    let tried = Tried::of(&network.validators[0].host.audit()?);
    let finality = format!("finality was silent for {silent:?} at most, and {} blocks behind at most", seen.behind());
    println!("{tried:?}; they ended {restarts:?} times; {finality}");
    assert!(network.equivocations()?.is_empty(), "{:?}", network.equivocations()?);
    assert!(seen.sealed_twice().is_empty(), "{seen:?}");
    assert!(silent <= SILENT, "{finality}");
    assert!(tried.all(), "{tried:?}");
    Ok(())
}

/// What the test above would find if the trusted application did not remember.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_with_one_identity_and_its_keys_in_files_do_equivocate() -> Result<()> {
    let directory = directory()?;
    let directory = directory.path();
    let chain = Chain::new(directory, Kind::Local, &NAMES[..4])?;
    let setup = |name: &str, who: &str| Setup::new(directory, name, &chain).with(&[who, "--keystore", "local"]);
    let bob = setup("bob", "--bob").start().await?;
    let address = bob.address().await?;
    let start = |name, who| setup(name, who).with(&["--reserved-nodes", &address]).start();
    let others = [bob, start("charlie", "--charlie").await?, start("dave", "--dave").await?];
    let (mut one, mut two) = (start("alice-node", "--alice").await?, start("alice-standby", "--alice").await?);

    let told = || -> BTreeSet<Equivocation> {
        others.iter().flat_map(|other| other.log().lines()).filter_map(|line| equivocation(&line)).collect()
    };
    let seen: Vec<&Rpc> = others.iter().map(NodeProcess::rpc).collect();
    let witness = Witness::start(&seen).await?;
    let until = seen[0].best().await?.number + BLOCKS;
    let sought = BTreeSet::from([Equivocation::Seal, Equivocation::Prevote]);
    let all = || told().is_superset(&sought) && !witness.seen().sealed_twice().is_empty();
    let found = |best| Ok(all() || best >= until + MORE);
    stumble([&mut one, &mut two], seen[0], found).await?;
    println!("{:?} by block {}", told(), seen[0].best().await?.number);
    assert!(told().is_superset(&sought), "{:?}", told());
    assert!(!witness.end().await?.sealed_twice().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_purge_and_after_a_restored_store_a_validator_signs_nothing_again_and_then_goes_on() -> Result<()> {
    let directory = directory()?;
    let mut network = Network::start(directory.path(), Settings::default()).await?;
    network.wait_signs(0, 0, SOON).await?;

    let own = &mut network.validators[0];
    own.node.interrupt(SOON).await?;
    own.host.terminate(SOON).await?;
    let before = own.host.audit()?;
    let [store_then, chain_then] = ["store", "chain"].map(|name| directory.path().join("backup").join(name));
    store::copy(&network.validators[0].host.store(), &store_then)?;
    store::copy(&network.base_path(0), &chain_then)?;
    network.purge(0)?;
    let own = &mut network.validators[0];
    own.host.restart().await?;
    own.node.restart().await?;
    let (round, slot) = last_of(&before)?;
    signs_above(&network, &before, round, slot).await?;

    let own = &mut network.validators[0];
    own.node.kill()?;
    own.host.kill()?;
    let before = own.host.audit()?;
    store::put_back(&store_then, &own.host.store())?;
    let chain = network.base_path(0);
    std::fs::remove_dir_all(&chain)?;
    store::copy(&chain_then, &chain)?;
    let own = &mut network.validators[0];
    own.host.restart().await?;
    let floor = Operator::connect(&own.host.uri()).await?.floor().await?;
    own.node.restart().await?;
    let (round, slot) = floor.grandpa.zip(floor.slot).context("the store is older than its cell says")?;
    let (last_round, last_slot) = last_of(&before)?;
    println!("{last_round:?} and slot {last_slot} were the last; the floor is {floor:?}");
    assert!(round >= last_round && slot >= last_slot, "{floor:?} is below {last_round:?} or slot {last_slot}");
    signs_above(&network, &before, round, slot).await?;

    // Its votes count: of four validators three must vote, and now only two others do.
    network.validators[3].node.kill()?;
    let seen = network.seen_without(0);
    let best = seen.best().await?.number;
    seen.wait_finalised(best + 3, SOON).await?;

    assert!(network.equivocations()?.is_empty(), "{:?}", network.equivocations()?);
    Ok(())
}

/// Has one of two nodes, in turn, stand still from one block to the next: when it goes on, what it would sign is no
/// longer what the other does. One that ends because its vote was refused is started again. Goes on until `enough`, asked
/// with the number of the best block, and says how often each has ended.
async fn stumble(
    mut nodes: [&mut NodeProcess; 2],
    seen: &Rpc,
    enough: impl Fn(u32) -> Result<bool>,
) -> Result<[u32; 2]> {
    let mut ended = [0, 0];
    for turn in [0, 1].into_iter().cycle() {
        for (node, ended) in nodes.iter_mut().zip(&mut ended) {
            if let Some(status) = node.process().ended()? {
                assert_eq!(status.code(), Some(POLICY), "{}", node.log().text());
                // It may be refused a vote again before its RPC is there.
                node.launch_again()?;
                *ended += 1;
            }
        }
        let best = seen.best().await?.number;
        if enough(best)? {
            break;
        }
        nodes[turn].stop()?;
        seen.wait_best(best + 1, SOON).await?;
        nodes[turn].cont()?;
        // Five blocks for the two of them: not in step with the slots, of which every fourth is theirs.
        seen.wait_best(best + 2 + turn as u32, SOON).await?;
    }
    Ok(ended)
}

/// Holds that the first validator's node, just started, says that it does not vote up to this round, and later that it
/// does; that both its keys sign again; and that they have signed nothing in this round, for this slot, or before.
async fn signs_above(network: &Network, before: &Audit, round: GrandpaRound, slot: u64) -> Result<()> {
    let own = &network.validators[0];
    let line = own.node.log().wait_for("follows without voting until round ", SOON).await?;
    let follows = format!("follows without voting until {round} has passed");
    assert!(line.contains(&follows), "not `{follows}`: {line}");
    own.node.log().wait_for("votes again", SOON).await?;
    network.wait_signs(0, slot, SOON).await?;

    let since = own.host.audit()?.since(before);
    let (rounds, slots) = (since.rounds(Entry::is_signed), since.slots(Entry::is_signed));
    assert!(rounds.first() > Some(&round), "{rounds:?}");
    assert!(slots.first() > Some(&slot), "{slots:?}");
    let refused = since.rounds(Entry::is_refused);
    assert!(refused.is_empty(), "it asked for votes in {refused:?}, up to {round:?}");
    Ok(())
}

/// What the two nodes of the first validator have tried.
#[derive(Clone, Copy, Debug)]
struct Tried {
    rounds_of_both: usize,
    slots_of_both: usize,
    refused_votes: usize,
    refused_seals: usize,
}

impl Tried {
    fn of(audit: &Audit) -> Tried {
        fn in_both<T: Ord>([one, other]: [BTreeSet<T>; 2]) -> usize {
            one.intersection(&other).count()
        }
        let nodes = ["alice-node", "alice-standby"];
        let asked = |name: &'static str| move |entry: &Entry| entry.node == name;
        Tried {
            rounds_of_both: in_both(nodes.map(|name| audit.rounds(asked(name)))),
            slots_of_both: in_both(nodes.map(|name| audit.slots(asked(name)))),
            refused_votes: audit.rounds(Entry::is_refused).len(),
            refused_seals: audit.slots(Entry::is_refused).len(),
        }
    }

    /// Whether the trusted application has kept them from whatever it should have to keep them from.
    fn all(&self) -> bool {
        self.rounds_of_both >= BOTH && self.slots_of_both >= BOTH && self.refused_votes > 0 && self.refused_seals > 0
    }
}

/// The last round and the last slot that were signed.
fn last_of(audit: &Audit) -> Result<(GrandpaRound, u64)> {
    audit.last_round().zip(audit.last_slot()).context("votes and blocks were signed")
}
