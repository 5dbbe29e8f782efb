//! Session keys that a validator's signer makes, and their way onto the chain.

use anyhow::{ensure, Context, Result};
use serde_json::json;
use sp_core::{ed25519, sr25519};
use subxt::{
    dynamic::{tx, Value},
    OnlineClient, PolkadotConfig,
};
use subxt_signer::sr25519::dev;

use crate::{chain::SessionKeys, rpc::Rpc, within, SOON};

/// Fresh session keys and the proof that their maker holds them.
pub struct Rotation {
    /// The keys.
    pub keys: SessionKeys,
    proof: Vec<u8>,
}

/// Lets the node's signer make session keys for Alice.
pub async fn rotate(rpc: &Rpc) -> Result<Rotation> {
    #[derive(serde::Deserialize)]
    struct Generated {
        keys: String,
        proof: String,
    }
    let owner = format!("0x{}", hex::encode(dev::alice().public_key().0));
    let generated: Generated = rpc.call("author_rotateKeysWithOwner", &[json!(owner)]).await?;
    let keys = bytes(&generated.keys)?;
    ensure!(keys.len() == 64, "session keys are an sr25519 and an ed25519 key, not {} bytes", keys.len());
    let (aura, grandpa) = keys.split_at(32);
    let keys = SessionKeys {
        aura: sr25519::Public::try_from(aura).ok().context("32 bytes")?,
        grandpa: ed25519::Public::try_from(grandpa).ok().context("32 bytes")?,
    };
    Ok(Rotation { keys, proof: bytes(&generated.proof)? })
}

/// Submits `session.setKeys` as Alice, from outside the node, and waits for it to be finalised.
pub async fn set_keys(rpc: &Rpc, Rotation { keys, proof }: &Rotation) -> Result<()> {
    let session_keys = Value::named_composite([
        ("aura", Value::from_bytes(keys.aura.0)),
        ("grandpa", Value::from_bytes(keys.grandpa.0)),
    ]);
    let call = tx("Session", "set_keys", (session_keys, Value::from_bytes(proof)));
    let submission = async {
        let client = OnlineClient::<PolkadotConfig>::from_rpc_client(rpc.client()).await?;
        client
            .tx()
            .await?
            .sign_and_submit_then_watch_default(&call, &dev::alice())
            .await?
            .wait_for_finalized_success()
            .await?;
        anyhow::Ok(())
    };
    within(SOON, "session.setKeys in a finalised block", submission).await?
}

fn bytes(hexadecimal: &str) -> Result<Vec<u8>> {
    Ok(hex::decode(hexadecimal.trim_start_matches("0x"))?)
}
