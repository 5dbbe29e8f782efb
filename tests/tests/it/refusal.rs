//! What a node refuses, and what it says then.

use anyhow::Result;
use holdfast_e2e::{
    chain::{sr25519_of, Kind},
    directory,
    node::Setup,
    Chain, HostProcess, SOON,
};
use serde_json::{json, Value};
use sp_core::Pair;

// Rule 1.
#[tokio::test]
async fn a_raw_key_cannot_be_inserted_on_a_chain_that_is_no_development_chain() -> Result<()> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Local, &["Alice"])?;
    let host = HostProcess::start(directory.path(), "host").await?;
    let node =
        Setup::new(directory.path(), "node", &chain).with(&["--alice", "--keystore-uri", &host.uri()]).start().await?;
    let bob = sr25519_of("Bob").public();
    let parameters = [json!("aura"), json!("//Bob"), json!(format!("0x{}", hex::encode(bob.0)))];
    let refused = node.rpc().call::<Value>("author_insertKey", &parameters).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(!node.rpc().has_key(&bob.0, "aura").await?);
    Ok(())
}

// Rule 7.
#[tokio::test]
async fn a_wrong_keystore_uri_ends_the_node_with_an_error_that_says_what_is_right() -> Result<()> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Local, &["Alice"])?;
    let long = format!("unix:///{}", "s".repeat(200));
    for (uri, says) in [
        ("", "unix:///"),
        ("/run/holdfast/host.sock", "unix:///"),
        ("http://127.0.0.1:9616", "unix:///"),
        ("unix://host.sock", "absolute"),
        ("tcp://127.0.0.1", "port"),
        ("tcp://192.0.2.1:9617", "loopback"),
        (&long, "107"),
    ] {
        refuses(&Setup::new(directory.path(), "node", &chain).with(&["--validator", "--keystore-uri", uri]), &[says])
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_validator_without_a_signer_is_refused_with_the_remedy() -> Result<()> {
    let directory = directory()?;
    let base_path = directory.path().join("node");
    let node = Setup::bare(directory.path(), "node").with(&["--chain", "local", "--validator"]).at(&base_path);
    refuses(&node, &["holdfast-host", "--keystore-uri"]).await
}

#[tokio::test]
async fn a_signer_and_key_files_together_are_refused() -> Result<()> {
    let directory = directory()?;
    let node = Setup::bare(directory.path(), "node").with(&["--dev", "--keystore-uri", "unix:///run/host.sock"]);
    refuses(&node.clone().with(&["--keystore", "local"]), &["cannot be used with"]).await?;
    refuses(&node.with(&["--keystore-path", "/keys"]), &["cannot be used with"]).await
}

/// Holds that a node ends by itself, not with success, and says each of these.
async fn refuses(node: &Setup, says: &[&str]) -> Result<()> {
    let mut process = node.launch()?;
    let status = process.wait_exit(SOON).await?;
    let log = process.log().text();
    assert!(!status.success() && status.code().is_some(), "{status}: {log}");
    for text in says {
        assert!(log.contains(text), "`{text}` is not in: {log}");
    }
    assert!(!log.contains("panicked"), "{log}");
    Ok(())
}
