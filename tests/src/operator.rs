//! What an operator asks of a signer daemon, without a node.

use std::{sync::Arc, time::Instant};

use anyhow::{bail, Context, Result};
use holdfast_protocol::{Call, Client, Floor, KeyInfo, Reply, Scheme, Until, Usage};
use sp_core::{ed25519, sr25519};

use crate::{chain::SessionKeys, SOON};

/// An operator's connection to a daemon. It comes back by itself after the daemon was away.
#[derive(Clone)]
pub struct Operator {
    client: Arc<Client>,
}

impl Operator {
    /// Connects to the daemon at this URI.
    pub async fn connect(uri: &str) -> Result<Operator> {
        let client = Arc::new(Client::new(uri.parse()?));
        client.connect_as_operator()?;
        let operator = Operator { client };
        operator.wait_up().await?;
        Ok(operator)
    }

    /// Waits until the daemon answers.
    pub async fn wait_up(&self) -> Result<()> {
        let client = self.client.clone();
        blocking(move || client.wait_up(SOON).map(drop).context("the daemon does not answer")).await
    }

    /// All keys that the daemon's trusted application holds, in its order.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>> {
        let mut all: Vec<KeyInfo> = Vec::new();
        loop {
            let after = all.last().map(|key| key.id.clone());
            match self.call(Call::List { after }).await? {
                Reply::Keys { keys, more } => {
                    all.extend(keys);
                    if !more {
                        return Ok(all);
                    }
                }
                other => bail!("a list of keys was asked for, and {other:?} came"),
            }
        }
    }

    /// Up to where no key signs anything new, whatever its own watermark.
    pub async fn floor(&self) -> Result<Floor> {
        match self.call(Call::Watermarks { after: None }).await? {
            Reply::Watermarks { floor, .. } => Ok(floor),
            other => bail!("watermarks were asked for, and {other:?} came"),
        }
    }

    /// Lets the trusted application make a key.
    pub async fn generate(&self, scheme: Scheme, key_type: [u8; 4]) -> Result<KeyInfo> {
        match self.call(Call::Generate { scheme, key_type, usage: Usage::Sign, seed: None }).await? {
            Reply::Generated(key) => Ok(key),
            other => bail!("a key was asked for, and {other:?} came"),
        }
    }

    /// A validator's first session keys: those that are there, or else new ones.
    pub async fn session_keys(&self) -> Result<SessionKeys> {
        let aura = self.first_or_new(Scheme::Sr25519, *b"aura").await?;
        let grandpa = self.first_or_new(Scheme::Ed25519, *b"gran").await?;
        Ok(SessionKeys {
            aura: sr25519::Public::try_from(aura.as_slice()).ok().context("an sr25519 key has 32 bytes")?,
            grandpa: ed25519::Public::try_from(grandpa.as_slice()).ok().context("an ed25519 key has 32 bytes")?,
        })
    }

    /// Whether the trusted application holds both.
    pub async fn holds(&self, keys: &SessionKeys) -> Result<bool> {
        let held = self.keys().await?;
        let has = |key_type: &[u8; 4], public: &[u8]| {
            held.iter().any(|key| key.id.key_type == *key_type && key.id.public == public)
        };
        Ok(has(b"aura", &keys.aura.0) && has(b"gran", &keys.grandpa.0))
    }

    async fn first_or_new(&self, scheme: Scheme, key_type: [u8; 4]) -> Result<Vec<u8>> {
        let held = self.keys().await?;
        match held.into_iter().find(|key| (key.id.scheme, key.id.key_type) == (scheme, key_type)) {
            Some(key) => Ok(key.id.public),
            None => Ok(self.generate(scheme, key_type).await?.id.public),
        }
    }

    async fn call(&self, call: Call) -> Result<Reply> {
        let client = self.client.clone();
        blocking(move || Ok(client.call(call, Until::Deadline(Instant::now() + SOON))?)).await
    }
}

/// The client's callers wait on their own threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}
