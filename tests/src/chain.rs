//! Chain specifications.

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use sp_core::{crypto::Ss58Codec, ed25519, sr25519, Pair};

use crate::node;

/// Milliseconds of a slot.
pub const SLOT_MILLIS: u64 = 1000;
/// Blocks of a session: a change of keys takes effect after two at most.
pub const SESSION_BLOCKS: u32 = 5;

/// What a chain is for: it decides which signers a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A development chain.
    Development,
    /// A test network.
    Local,
}

/// A chain with short slots and sessions, as a file that nodes are given.
#[derive(Clone, Debug)]
pub struct Chain {
    file: PathBuf,
}

impl Chain {
    /// Writes the specification of a chain whose validators are the well-known accounts `validators` (`Alice`, …),
    /// with session keys of the same seeds. It goes into `directory` as `chain.json`.
    pub fn new(directory: &Path, kind: Kind, validators: &[&str]) -> Result<Chain> {
        let mut spec = exported()?;
        spec["chainType"] = match kind {
            Kind::Development => json!("Development"),
            Kind::Local => json!("Local"),
        };
        let genesis = spec
            .pointer_mut("/genesis/runtimeGenesis/patch")
            .and_then(Value::as_object_mut)
            .context("the exported specification has no genesis patch")?;
        genesis.insert("timing".into(), json!({ "slotDuration": SLOT_MILLIS, "sessionLength": SESSION_BLOCKS }));
        let keys: Vec<Value> = validators
            .iter()
            .map(|name| {
                let account = sr25519_of(name).public().to_ss58check();
                let grandpa = ed25519_of(name).public().to_ss58check();
                json!([account, account, { "aura": account, "grandpa": grandpa }])
            })
            .collect();
        genesis.insert("session".into(), json!({ "keys": keys }));
        let file = directory.join("chain.json");
        std::fs::write(&file, serde_json::to_vec(&spec)?)?;
        Ok(Chain { file })
    }

    /// What `--chain` is given.
    pub fn argument(&self) -> String {
        self.file.display().to_string()
    }
}

/// The sr25519 pair of a well-known account: `Alice` has the seed `//Alice`.
pub fn sr25519_of(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None).expect("a name is a junction")
}

/// The ed25519 pair of a well-known account.
pub fn ed25519_of(name: &str) -> ed25519::Pair {
    ed25519::Pair::from_string(&format!("//{name}"), None).expect("a name is a junction")
}

fn exported() -> Result<Value> {
    let output = node::subcommand(&["export-chain-spec", "--chain", "dev"])?;
    ensure!(output.status.success(), "export-chain-spec failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("export-chain-spec prints JSON")
}
