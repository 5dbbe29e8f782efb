//! A node is killed, and goes on where it was.

use anyhow::Result;
use holdfast_e2e::{chain::Kind, directory, node::Setup, proof, Chain, HostProcess, NodeProcess, SOON};

#[tokio::test]
async fn a_killed_node_goes_on_finalising_with_its_daemon() -> Result<()> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Local, &["Alice"])?;
    let host = HostProcess::start(directory.path(), "host").await?;
    let mut node =
        Setup::new(directory.path(), "node", &chain).with(&["--alice", "--keystore-uri", &host.uri()]).start().await?;
    goes_on_after_kills(&mut node).await
}

#[tokio::test]
async fn a_killed_development_node_goes_on_finalising_with_the_tee_inside_it() -> Result<()> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Development, &["Alice"])?;
    let mut node = Setup::new(directory.path(), "node", &chain).with(&["--alice"]).start().await?;
    goes_on_after_kills(&mut node).await
}

#[tokio::test]
async fn a_node_and_a_daemon_killed_together_go_on_finalising() -> Result<()> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Local, &["Alice"])?;
    let mut host = HostProcess::start(directory.path(), "host").await?;
    let mut node =
        Setup::new(directory.path(), "node", &chain).with(&["--alice", "--keystore-uri", &host.uri()]).start().await?;
    let before = node.rpc().wait_finalised(2, SOON).await?.number;
    host.kill()?;
    node.kill()?;
    host.restart().await?;
    node.restart().await?;
    goes_on_from(&node, before).await
}

async fn goes_on_after_kills(node: &mut NodeProcess) -> Result<()> {
    for _ in 0..3 {
        let before = node.rpc().finalised().await?.number;
        node.rpc().wait_finalised(before + 2, SOON).await?;
        node.restart().await?;
        goes_on_from(node, before).await?;
    }
    Ok(())
}

async fn goes_on_from(node: &NodeProcess, before: u32) -> Result<()> {
    let best = node.rpc().best().await?.number;
    assert!(best >= before, "block {before} was finalised, and now the best is {best}");
    let last = node.rpc().wait_finalised(best + 2, SOON).await?;
    proof::authors_until(node.rpc(), last.number).await?;
    Ok(())
}
