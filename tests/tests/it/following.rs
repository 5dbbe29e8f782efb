//! A validator whose signer is not there yet.

use anyhow::Result;
use holdfast_e2e::{
    chain::{sr25519_of, Kind},
    directory, host,
    node::{network_key, Setup},
    proof,
    rpc::Heads,
    Chain, HostProcess, SOON,
};
use sp_core::Pair;

// Rule 4.
#[tokio::test]
async fn a_validator_started_before_its_daemon_follows_the_chain_and_signs_when_the_daemon_appears() -> Result<()> {
    let directory = directory()?;
    let directory = directory.path();
    let chain = Chain::new(directory, Kind::Local, &["Alice", "Bob"])?;
    // With it the node is the same in the daemon's eyes as the one that held the lease on these keys before.
    let file = directory.join("alice.key");
    network_key(&file)?;
    let network_key = file.display().to_string();
    store_with_keys_of_alice(directory, &chain, &network_key).await?;

    let bobs_host = HostProcess::start(directory, "bobs-host").await?;
    let bob = Setup::new(directory, "bob", &chain).with(&["--bob", "--keystore-uri", &bobs_host.uri()]).start().await?;
    // Not started with --alice, which would put the key into the signer: this validator's keys are there already.
    let mut alice = Setup::new(directory, "alice", &chain)
        .with(&["--validator", "--keystore-uri", &host::uri_of(directory, "alices-host")])
        .with(&["--node-key-file", &network_key])
        .with(&["--reserved-nodes", &bob.address().await?])
        .start()
        .await?;

    let followed = alice.rpc().wait_best(3, SOON).await?;
    let bobs = sr25519_of("Bob").public();
    let authors = proof::authors_until(alice.rpc(), followed.number).await?;
    assert!(authors.iter().all(|author| *author == bobs), "{authors:?}");
    assert_eq!(alice.rpc().finalised().await?.number, 0, "finality needs both votes");
    assert_eq!(alice.rpc().tee_status().await?["connected"], false);
    alice.process().check_running()?;

    let _alices_host = HostProcess::start(directory, "alices-host").await?;
    let best = alice.rpc().best().await?.number;
    let authorities = alice.rpc().aura_authorities(followed.hash()).await?;
    let alices = sr25519_of("Alice").public();
    alice
        .rpc()
        .wait_head(Heads::Best, SOON, "a block of Alice's", |header| {
            proof::verify_seal(header, &authorities).is_ok_and(|author| author == alices)
        })
        .await?;
    alice.rpc().wait_finalised(best, SOON).await?;
    bob.rpc().wait_finalised(best, SOON).await?;
    Ok(())
}

/// Leaves a store with Alice's session keys behind, for a daemon that is started later.
async fn store_with_keys_of_alice(directory: &std::path::Path, chain: &Chain, network_key: &str) -> Result<()> {
    let host = HostProcess::start(directory, "alices-host").await?;
    let node = Setup::new(directory, "first-alice", chain)
        .with(&["--alice", "--keystore-uri", &host.uri(), "--node-key-file", network_key])
        .start()
        .await?;
    assert!(node.rpc().has_key(&sr25519_of("Alice").public().0, "aura").await?);
    Ok(())
}
