//! `--dev`: the signer daemon's library with a software TEE, inside the node.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use holdfast_e2e::{
    chain::{ed25519_of, sr25519_of},
    directory,
    node::{subcommand, Setup},
    proof, search, SOON,
};
use serde_json::json;
use sp_core::Pair;

/// The store of the software TEE of the development chain in this base path.
fn store_in(base_path: &Path) -> PathBuf {
    base_path.join("chains/holdfast_dev/software-tee")
}

// Rules 1 and 9.
#[tokio::test]
async fn a_development_node_told_nothing_else_finalises_blocks_signed_by_a_software_tee_that_says_so() -> Result<()> {
    let directory = directory()?;
    let node = Setup::bare(directory.path(), "node").with(&["--dev"]).start().await?;
    let last = node.rpc().wait_finalised(3, SOON).await?;

    let status = node.rpc().tee_status().await?;
    assert_eq!(status["keystore"], "tee");
    assert_eq!(status["connected"], true);
    assert_eq!(status["simulated"], true);
    assert_eq!(status["kind"], "software TEE, not a TEE");
    assert!(node.log().text().contains("software TEE, not a TEE"));

    let (aura, grandpa) = (sr25519_of("Alice").public(), ed25519_of("Alice").public());
    let authors = proof::authors_until(node.rpc(), last.number).await?;
    assert!(authors.iter().all(|author| *author == aura), "{authors:?}");
    assert_eq!(node.rpc().grandpa_authorities(last.hash()).await?, [grandpa]);

    let base_path = std::fs::read_dir(directory.path())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| store_in(path).is_dir())
        .context("the node has a store in a base path of its own")?;
    let store = store_in(&base_path);
    for secret in [search::sr25519_secret(&store, &aura)?, search::ed25519_secret(&store, &grandpa)?] {
        let outside = search::files_outside(directory.path(), &store, &secret)?;
        assert!(outside.is_empty(), "{outside:?}");
    }
    assert!(search::key_files(directory.path(), "aura", &aura.0)?.is_empty());
    assert!(search::key_files(directory.path(), "gran", &grandpa.0)?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_purged_development_chain_loses_its_tee_store_too_and_starts_again_from_block_0() -> Result<()> {
    let directory = directory()?;
    let base_path = directory.path().join("data");
    let mut node = Setup::bare(directory.path(), "node").with(&["--dev"]).at(&base_path).start().await?;
    node.rpc().wait_best(1, SOON).await?;
    let first = node.rpc().header_at(1).await?;
    assert!(node.interrupt(SOON).await?.success());
    assert!(store_in(&base_path).is_dir());

    let purge = subcommand(&["purge-chain", "-y", "--dev", "--base-path", &base_path.display().to_string()])?;
    assert!(purge.status.success(), "{}", String::from_utf8_lossy(&purge.stderr));
    assert!(!store_in(&base_path).exists());

    node.restart().await?;
    node.rpc().wait_finalised(1, SOON).await?;
    assert_ne!(node.rpc().header_at(1).await?.hash(), first.hash(), "block 1 is another one");
    Ok(())
}

#[tokio::test]
async fn a_base_path_too_long_for_a_socket_works() -> Result<()> {
    let directory = directory()?;
    let base_path = directory.path().join("d".repeat(120));
    let node = Setup::bare(directory.path(), "node").with(&["--dev"]).at(&base_path).start().await?;
    node.rpc().wait_finalised(1, SOON).await?;
    assert!(store_in(&base_path).is_dir());
    Ok(())
}

// Rule 1.
#[tokio::test]
async fn a_raw_key_can_be_inserted_on_a_development_chain_with_a_development_tee() -> Result<()> {
    let directory = directory()?;
    let node = Setup::bare(directory.path(), "node").with(&["--dev"]).start().await?;
    let bob = sr25519_of("Bob").public();
    assert!(!node.rpc().has_key(&bob.0, "aura").await?);
    let () = node
        .rpc()
        .call("author_insertKey", &[json!("aura"), json!("//Bob"), json!(format!("0x{}", hex::encode(bob.0)))])
        .await?;
    assert!(node.rpc().has_key(&bob.0, "aura").await?);
    Ok(())
}
