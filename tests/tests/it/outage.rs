//! The signer daemon goes away under a one-node chain, and comes back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use holdfast_e2e::{
    chain::{Kind, SLOT_MILLIS},
    directory,
    node::Setup,
    proof, Chain, HostProcess, NodeProcess, SOON,
};
use serde_json::Value;
use tempfile::TempDir;

/// Seconds for which the daemon is away.
const AWAY: u64 = 30;
/// A few seconds: less than the 60 that a node waits at its end for a task that hangs.
const PROMPTLY: Duration = Duration::from_secs(15);

// Rule 4.
#[tokio::test]
async fn a_node_outlives_a_killed_daemon_and_signs_again_within_two_slots_of_its_return() -> Result<()> {
    let (_directory, mut host, mut node) = one_node_chain().await?;
    host.kill()?;
    let best = follows_but_does_not_author(&mut node).await?;
    host.restart().await?;
    comes_back(&node, best).await
}

// Rule 4.
#[tokio::test]
async fn a_node_outlives_a_stopped_daemon_and_signs_again_within_two_slots_of_its_return() -> Result<()> {
    let (_directory, host, mut node) = one_node_chain().await?;
    host.stop()?;
    let best = follows_but_does_not_author(&mut node).await?;
    host.cont()?;
    comes_back(&node, best).await
}

#[tokio::test]
async fn a_node_ends_promptly_while_its_daemon_is_stopped_and_a_vote_waits() -> Result<()> {
    let (_directory, host, mut node) = one_node_chain().await?;
    host.stop()?;
    node.rpc().wait_connected(false, SOON).await?;
    assert!(node.interrupt(PROMPTLY).await?.success());
    host.cont()
}

#[tokio::test]
async fn a_node_ends_promptly_while_its_daemon_is_gone_and_a_vote_waits() -> Result<()> {
    let (_directory, mut host, mut node) = one_node_chain().await?;
    host.kill()?;
    node.rpc().wait_connected(false, SOON).await?;
    assert!(node.interrupt(PROMPTLY).await?.success());
    Ok(())
}

async fn one_node_chain() -> Result<(TempDir, HostProcess, NodeProcess)> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Local, &["Alice"])?;
    let host = HostProcess::start(directory.path(), "host").await?;
    let node =
        Setup::new(directory.path(), "node", &chain).with(&["--alice", "--keystore-uri", &host.uri()]).start().await?;
    node.rpc().wait_finalised(2, SOON).await?;
    Ok((directory, host, node))
}

/// The time without a daemon is the subject: every second of it the node runs and answers. The best block at its end.
async fn follows_but_does_not_author(node: &mut NodeProcess) -> Result<u32> {
    node.rpc().wait_connected(false, SOON).await?;
    let best = node.rpc().best().await?.number;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..AWAY {
        second.tick().await;
        node.process().check_running()?;
        let _: Value = node.rpc().call("system_health", &[]).await?;
        assert_eq!(node.rpc().best().await?.number, best, "nobody can have sealed a block");
        assert_eq!(node.rpc().tee_status().await?["connected"], false);
    }
    Ok(best)
}

async fn comes_back(node: &NodeProcess, best: u32) -> Result<()> {
    let back = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64 / SLOT_MILLIS;
    node.rpc().wait_best(best + 1, SOON).await?;
    let first = node.rpc().header_at(best + 1).await?;
    let slot = proof::slot_of(&first)?;
    assert!(slot <= back + 2, "the daemon was back in slot {back}, and the next block is of slot {slot}");
    proof::author_of(node.rpc(), &first).await?;
    node.rpc().wait_finalised(best, SOON).await?;
    node.rpc().wait_finalised(best + 2, SOON).await?;
    Ok(())
}
