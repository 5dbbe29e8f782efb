//! What a node says of its chain.

use std::time::Duration;

use anyhow::{bail, Context, Result};
use codec::Decode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sp_core::{ed25519, sr25519, H256};
use sp_runtime::{generic, traits::BlakeTwo256};
use subxt::rpcs::client::{RpcClient, RpcParams, RpcSubscription};

use crate::{within, SOON};

/// A block header of the chain.
pub type Header = generic::Header<u32, BlakeTwo256>;

/// A connection to a node.
#[derive(Clone, Debug)]
pub struct Rpc(RpcClient);

/// Which blocks are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// The best chain.
    Best,
    /// The finalised chain.
    Finalised,
    /// Every fork. Those that the node has when it is asked are not shown.
    All,
}

impl Rpc {
    /// Connects to a `ws://` address where somebody listens. The client gives a handshake ten seconds, which is too
    /// little for a node on a machine that runs many: it is tried again.
    pub async fn connect(url: &str) -> Result<Rpc> {
        let connecting = async {
            let mut pause = tokio::time::interval(Duration::from_millis(100));
            loop {
                pause.tick().await;
                match RpcClient::from_insecure_url(url).await {
                    Ok(client) => return client,
                    Err(error) => eprintln!("no connection to {url} yet: {error}"),
                }
            }
        };
        within(SOON, format!("a connection to {url}"), connecting).await.map(Rpc)
    }

    /// The connection, for subxt.
    pub fn client(&self) -> RpcClient {
        self.0.clone()
    }

    /// Calls a method.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, parameters: &[Value]) -> Result<T> {
        within(SOON, method, self.0.request(method, in_order(parameters)?)).await?.with_context(|| method.to_owned())
    }

    /// The best header.
    pub async fn best(&self) -> Result<Header> {
        self.call("chain_getHeader", &[]).await
    }

    /// The last finalised header.
    pub async fn finalised(&self) -> Result<Header> {
        let hash: H256 = self.call("chain_getFinalizedHead", &[]).await?;
        self.header(hash).await
    }

    /// The header with this hash.
    pub async fn header(&self, hash: H256) -> Result<Header> {
        self.call::<Option<Header>>("chain_getHeader", &[serde_json::to_value(hash)?])
            .await?
            .with_context(|| format!("there is no block {hash}"))
    }

    /// The header with this number on the best chain.
    pub async fn header_at(&self, number: u32) -> Result<Header> {
        let hash: Option<H256> = self.call("chain_getBlockHash", &[number.into()]).await?;
        self.header(hash.with_context(|| format!("there is no block {number}"))?).await
    }

    /// The last head, and each that comes.
    pub async fn heads(&self, heads: Heads) -> Result<RpcSubscription<Header>> {
        let (subscribe, unsubscribe) = match heads {
            Heads::Best => ("chain_subscribeNewHeads", "chain_unsubscribeNewHeads"),
            Heads::Finalised => ("chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads"),
            Heads::All => ("chain_subscribeAllHeads", "chain_unsubscribeAllHeads"),
        };
        Ok(self.0.subscribe(subscribe, RpcParams::new(), unsubscribe).await?)
    }

    /// Awaits a head that fulfils `condition`. Heads that are passed over by a faster one are not shown.
    pub async fn wait_head(
        &self,
        heads: Heads,
        limit: Duration,
        what: &str,
        mut condition: impl FnMut(&Header) -> bool,
    ) -> Result<Header> {
        let mut last = None;
        let following = async {
            let mut headers = self.heads(heads).await?;
            while let Some(header) = headers.next().await {
                let header = header?;
                if condition(&header) {
                    return Ok(header);
                }
                last = Some(header.number);
            }
            bail!("the node closed the connection");
        };
        within(limit, what, following).await.with_context(|| format!("the last {heads:?} block was {last:?}"))?
    }

    /// Awaits the best block with this number or a higher one.
    pub async fn wait_best(&self, number: u32, limit: Duration) -> Result<Header> {
        self.wait_head(Heads::Best, limit, &format!("block {number}"), |header| header.number >= number).await
    }

    /// Awaits finality of the block with this number.
    pub async fn wait_finalised(&self, number: u32, limit: Duration) -> Result<Header> {
        let what = format!("finality of block {number}");
        self.wait_head(Heads::Finalised, limit, &what, |header| header.number >= number).await
    }

    /// Calls a runtime function without arguments in the state after block `at`.
    pub async fn runtime<T: Decode>(&self, function: &str, at: H256) -> Result<T> {
        let answer: String =
            self.call("state_call", &[function.into(), "0x".into(), serde_json::to_value(at)?]).await?;
        let bytes = hex::decode(answer.trim_start_matches("0x"))?;
        T::decode(&mut &bytes[..]).with_context(|| format!("{function} answers in another shape"))
    }

    /// Whose turn it is to seal the children of block `at`, in order of slots.
    pub async fn aura_authorities(&self, at: H256) -> Result<Vec<sr25519::Public>> {
        self.runtime("AuraApi_authorities", at).await
    }

    /// Who votes after block `at`.
    pub async fn grandpa_authorities(&self, at: H256) -> Result<Vec<ed25519::Public>> {
        let weighted: Vec<(ed25519::Public, u64)> = self.runtime("GrandpaApi_grandpa_authorities", at).await?;
        Ok(weighted.into_iter().map(|(voter, _)| voter).collect())
    }

    /// Awaits the signer's coming (`true`) or going (`false`) in the node's eyes.
    pub async fn wait_connected(&self, connected: bool, limit: Duration) -> Result<()> {
        self.wait_tee_status("connected", connected.into(), limit).await
    }

    /// Awaits the node's being `active` or on `standby` at its signer.
    pub async fn wait_role(&self, role: &str, limit: Duration) -> Result<()> {
        self.wait_tee_status("role", role.into(), limit).await
    }

    /// No event tells of it, so this asks.
    async fn wait_tee_status(&self, field: &str, value: Value, limit: Duration) -> Result<()> {
        let asking = async {
            let mut pause = tokio::time::interval(Duration::from_millis(100));
            loop {
                pause.tick().await;
                if self.tee_status().await?[field] == value {
                    return anyhow::Ok(());
                }
            }
        };
        within(limit, format!("tee_status with {field} = {value}"), asking).await?
    }

    /// What the node says of its signer.
    pub async fn tee_status(&self) -> Result<Value> {
        self.call("tee_status", &[]).await
    }

    /// Whether the node's signer holds this key.
    pub async fn has_key(&self, public: &[u8], key_type: &str) -> Result<bool> {
        self.call("author_hasKey", &[format!("0x{}", hex::encode(public)).into(), key_type.into()]).await
    }
}

fn in_order(parameters: &[Value]) -> Result<RpcParams> {
    let mut params = RpcParams::new();
    for parameter in parameters {
        params.push(parameter)?;
    }
    Ok(params)
}
