//! Session keys that the trusted application generated take over the chain.

use anyhow::Result;
use holdfast_e2e::{
    chain::{ed25519_of, Kind, SessionKeys, SESSION_BLOCKS},
    directory,
    node::Setup,
    proof,
    rpc::{Header, Heads, Rpc},
    search,
    session::{rotate, set_keys},
    Chain, HostProcess, SLOT, SOON,
};
use sp_core::Pair;

// Rule 1.
#[tokio::test]
async fn after_a_rotation_seals_and_votes_are_made_by_keys_that_the_trusted_application_generated() -> Result<()> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Local, &["Alice"])?;
    let host = HostProcess::start(directory.path(), "host").await?;
    let node =
        Setup::new(directory.path(), "node", &chain).with(&["--alice", "--keystore-uri", &host.uri()]).start().await?;
    let rpc = node.rpc();
    rpc.wait_finalised(1, SOON).await?;

    let first = rotate(rpc).await?;
    set_keys(rpc, &first).await?;
    let first = first.keys;
    let first_change = change_to(rpc, &first).await?;
    // This change is the last thing that the keys from genesis vote on.
    assert_eq!(proof::voters_of(rpc, first_change.hash()).await?, [ed25519_of("Alice").public()]);

    let second = rotate(rpc).await?;
    assert_ne!(first, second.keys);
    set_keys(rpc, &second).await?;
    let second = second.keys;
    let second_change = change_to(rpc, &second).await?;

    for number in first_change.number + 1..=second_change.number {
        let header = rpc.header_at(number).await?;
        assert_eq!(proof::author_of(rpc, &header).await?, first.aura, "block {number}");
    }
    assert_eq!(proof::voters_of(rpc, second_change.hash()).await?, [first.grandpa]);

    let after = rpc.wait_finalised(second_change.number + 1, SOON).await?;
    assert_eq!(proof::author_of(rpc, &after).await?, second.aura);

    for keys in [&first, &second] {
        assert!(rpc.has_key(&keys.aura.0, "aura").await? && rpc.has_key(&keys.grandpa.0, "gran").await?);
        let store = host.store();
        for secret in [
            search::sr25519_secret(&store, &keys.aura)?.as_slice(),
            search::ed25519_secret(&store, &keys.grandpa)?.as_slice(),
        ] {
            let outside = search::files_outside(directory.path(), &store, secret)?;
            assert!(outside.is_empty(), "{outside:?}");
        }
        assert!(search::key_files(directory.path(), "aura", &keys.aura.0)?.is_empty());
        assert!(search::key_files(directory.path(), "gran", &keys.grandpa.0)?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn the_search_for_key_files_finds_those_of_a_node_that_keeps_its_keys_in_files() -> Result<()> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Local, &["Alice"])?;
    let node = Setup::new(directory.path(), "node", &chain).with(&["--alice", "--keystore", "local"]).start().await?;
    let keys = rotate(node.rpc()).await?.keys;
    assert_eq!(search::key_files(directory.path(), "aura", &keys.aura.0)?.len(), 1);
    assert_eq!(search::key_files(directory.path(), "gran", &keys.grandpa.0)?.len(), 1);
    Ok(())
}

/// The finalised block whose session is the first with these keys: the next change of voters there is.
async fn change_to(rpc: &Rpc, keys: &SessionKeys) -> Result<Header> {
    let limit = SLOT * 2 * SESSION_BLOCKS + SOON;
    // Voters finalise the end of their own term before anything after it, so this block is never passed over.
    let change = rpc.wait_head(Heads::Finalised, limit, "a change of voters", proof::changes_voters).await?;
    assert_eq!(rpc.grandpa_authorities(change.hash()).await?, [keys.grandpa]);
    Ok(change)
}
