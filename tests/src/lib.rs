//! Real processes for end-to-end tests: chains, nodes and signer daemons that are started, killed, stopped and awaited.
//!
//! The programs must be there: `cargo nextest run --release --workspace -E 'package(holdfast-e2e)'` builds them and runs
//! the tests. Each test has directories, sockets and ports of its own, so any number of them can run at once.
//!
//! | module | |
//! |---|---|
//! | [`audit`] | what a daemon was asked to sign, and how it judged |
//! | [`binaries`] | where `holdfast-node` and `holdfast-host` lie |
//! | [`chain`] | chain specifications with short slots and sessions |
//! | [`host`] | the signer daemon |
//! | [`http`] | health and metrics |
//! | [`network`] | validators, each with a daemon of its own, on a chain of their keys |
//! | [`node`] | the node |
//! | [`operator`] | what an operator asks of a daemon |
//! | [`optee`] | OP-TEE in QEMU, and the guest beside it |
//! | [`ports`] | ports that stay a node's own while it is down |
//! | [`process`] | what both have in common: signals, logs, an end with their test |
//! | [`proof`] | who made a seal, who voted |
//! | [`rpc`] | what a node says of its chain |
//! | [`search`] | secrets in files, equivocations in logs |
//! | [`session`] | session keys on their way onto the chain |
//! | [`store`] | copies of a TEE's store |
//! | [`watch`] | pauses of finality |
//! | [`witness`] | the blocks of every fork |
//!
//! The program `holdfast-testnet` (`make testnet`) shows a [`network`] to people.

#![forbid(unsafe_code)]

pub mod audit;
pub mod binaries;
pub mod chain;
pub mod host;
pub mod http;
pub mod network;
pub mod node;
pub mod operator;
pub mod optee;
pub mod ports;
pub mod process;
pub mod proof;
pub mod rpc;
pub mod search;
pub mod session;
pub mod store;
pub mod watch;
pub mod witness;

use std::{future::Future, time::Duration};

use anyhow::{Context, Result};

pub use chain::Chain;
pub use host::HostProcess;
pub use network::Network;
pub use node::NodeProcess;

/// A slot of every chain that is not told otherwise.
pub const SLOT: Duration = Duration::from_millis(chain::SLOT_MILLIS);

/// For what takes a moment: a machine that runs many tests at once may need long for it.
pub const SOON: Duration = Duration::from_secs(120);

/// Awaits `future`, and says what was awaited when `limit` is over.
pub async fn within<T>(limit: Duration, what: impl Into<String>, future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(limit, future).await.with_context(|| format!("waited {limit:?} for {}", what.into()))
}

/// A directory of a test's own, removed at its end. Its path is short enough for sockets.
pub fn directory() -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("hf-").tempdir()?)
}
