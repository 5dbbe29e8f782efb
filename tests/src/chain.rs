//! Chain specifications.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use sp_core::{
    crypto::{AccountId32, Ss58Codec},
    ed25519, sr25519, Pair,
};

use crate::node;

/// Milliseconds of a slot, unless a test chooses another.
pub const SLOT_MILLIS: u64 = 1000;
/// Blocks of a session, unless a test chooses another: a change of keys takes effect after two at most.
pub const SESSION_BLOCKS: u32 = 5;

/// What a chain is for: it decides which signers a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A development chain.
    Development,
    /// A test network.
    Local,
}

/// How fast a chain goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A slot, in whole milliseconds.
    pub slot: Duration,
    /// Blocks of a session.
    pub session_blocks: u32,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { slot: Duration::from_millis(SLOT_MILLIS), session_blocks: SESSION_BLOCKS }
    }
}

/// The public keys with which a validator signs blocks and votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKeys {
    /// Signs blocks.
    pub aura: sr25519::Public,
    /// Signs votes.
    pub grandpa: ed25519::Public,
}

/// A validator from genesis on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its account.
    pub account: AccountId32,
    /// Its keys.
    pub keys: SessionKeys,
}

/// A chain, as a file that nodes are given.
#[derive(Clone, Debug)]
pub struct Chain {
    file: PathBuf,
}

impl Chain {
    /// Writes the specification of a chain whose validators are the well-known accounts `validators` (`Alice`, …),
    /// with session keys of the same seeds. It goes into `directory` as `chain.json`.
    pub fn new(directory: &Path, kind: Kind, validators: &[&str]) -> Result<Chain> {
        let authorities: Vec<Authority> = validators
            .iter()
            .map(|name| Authority {
                account: account_of(name),
                keys: SessionKeys { aura: sr25519_of(name).public(), grandpa: ed25519_of(name).public() },
            })
            .collect();
        Chain::with(directory, kind, Timing::default(), &authorities)
    }

    /// The same, with any keys. The file is there whole, or not at all.
    pub fn with(directory: &Path, kind: Kind, timing: Timing, authorities: &[Authority]) -> Result<Chain> {
        let mut spec = exported()?;
        spec["chainType"] = match kind {
            Kind::Development => json!("Development"),
            Kind::Local => json!("Local"),
        };
        let genesis = spec.pointer_mut(GENESIS).and_then(Value::as_object_mut);
        let genesis = genesis.context("the exported specification has no genesis patch")?;
        let slot = timing.slot.as_millis() as u64;
        genesis.insert("timing".into(), json!({ "slotDuration": slot, "sessionLength": timing.session_blocks }));
        let keys: Vec<Value> = authorities
            .iter()
            .map(|Authority { account, keys }| {
                let (aura, grandpa) = (keys.aura.to_ss58check(), keys.grandpa.to_ss58check());
                json!([account.to_ss58check(), account.to_ss58check(), { "aura": aura, "grandpa": grandpa }])
            })
            .collect();
        genesis.insert("session".into(), json!({ "keys": keys }));
        let chain = Chain { file: file_in(directory) };
        let draft = chain.file.with_extension("new");
        std::fs::write(&draft, serde_json::to_vec(&spec)?)?;
        std::fs::rename(draft, &chain.file)?;
        Ok(chain)
    }

    /// The chain whose specification lies in `directory`, if there is one, with its timing and its validators.
    pub fn existing(directory: &Path) -> Result<Option<(Chain, Timing, Vec<Authority>)>> {
        let file = file_in(directory);
        if !file.exists() {
            return Ok(None);
        }
        let spec: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let genesis = &spec.pointer(GENESIS);
        let (timing, authorities) = genesis
            .and_then(|genesis| Some((timing_of(&genesis["timing"])?, authorities_of(&genesis["session"]["keys"])?)))
            .with_context(|| format!("{} is not a chain that this program has made", file.display()))?;
        Ok(Some((Chain { file }, timing, authorities)))
    }

    /// What `--chain` is given.
    pub fn argument(&self) -> String {
        self.file.display().to_string()
    }
}

/// The account that everybody calls by this name: `Alice` has the seed `//Alice`.
pub fn account_of(name: &str) -> AccountId32 {
    sr25519_of(name).public().0.into()
}

/// The sr25519 pair of a well-known account.
pub fn sr25519_of(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None).expect("a name is a junction")
}

/// The ed25519 pair of a well-known account.
pub fn ed25519_of(name: &str) -> ed25519::Pair {
    ed25519::Pair::from_string(&format!("//{name}"), None).expect("a name is a junction")
}

/// Where a specification has what it adds to the default genesis.
const GENESIS: &str = "/genesis/runtimeGenesis/patch";

fn file_in(directory: &Path) -> PathBuf {
    directory.join("chain.json")
}

fn exported() -> Result<Value> {
    let output = node::subcommand(&["export-chain-spec", "--chain", "dev"])?;
    ensure!(output.status.success(), "export-chain-spec failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("export-chain-spec prints JSON")
}

fn timing_of(timing: &Value) -> Option<Timing> {
    let slot = Duration::from_millis(timing["slotDuration"].as_u64()?);
    Some(Timing { slot, session_blocks: timing["sessionLength"].as_u64()?.try_into().ok()? })
}

fn authorities_of(keys: &Value) -> Option<Vec<Authority>> {
    let authority = |entry: &Value| {
        let keys = &entry[2];
        Some(Authority {
            account: AccountId32::from_ss58check(entry[0].as_str()?).ok()?,
            keys: SessionKeys {
                aura: sr25519::Public::from_ss58check(keys["aura"].as_str()?).ok()?,
                grandpa: ed25519::Public::from_ss58check(keys["grandpa"].as_str()?).ok()?,
            },
        })
    };
    keys.as_array()?.iter().map(authority).collect()
}
