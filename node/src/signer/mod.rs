//! Who signs for this node: a trusted application, files for comparison, or nobody.

mod embedded;
pub(crate) mod lease;
mod none;
pub(crate) mod place;
pub(crate) mod policy;
mod status;

use std::{path::PathBuf, sync::Arc, time::Duration};

use keystore_tee::{shown, Endpoint, TEEKeystore};
use sc_service::{ChainType, Configuration, Role};
use sp_keystore::KeystorePtr;
use tokio::signal::unix::{signal, SignalKind};

use crate::cli::{KeystoreKind, SignerArgs};
pub(crate) use embedded::{hold, purge, store_of, Embedded};
pub(crate) use status::{hex, LeaseStatus, Vote};

/// How long a node that must put a well-known key into its signer waits for it.
const WAIT_FOR_SEED: Duration = Duration::from_secs(30);

/// What the command line asks for, judged against the chain and the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// A daemon at this address.
    Daemon(Endpoint),
    /// A daemon with a software TEE inside this process, over this store.
    Embedded(PathBuf),
    /// Files, as other Substrate nodes do.
    Local,
    /// This node signs nothing.
    Nobody,
}

/// What makes a command line impossible.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PlanError {
    /// A validator without a signer.
    #[error(
        "a validator needs a signer: start holdfast-host and name it with --keystore-uri unix:///run/holdfast/host.sock \
         (only a development chain, --dev, brings its own)"
    )]
    NoSigner,
    /// A well-known key on a live chain.
    #[error("--alice and its like (and --dev) sign with keys that everybody knows, which a live chain refuses")]
    SeedOnLive,
    /// Keys in files on a live chain.
    #[error("--keystore local keeps session keys in files, which a live chain refuses: use --keystore-uri")]
    LocalOnLive,
}

/// Decides who signs. Pure, so that every combination can be tested.
pub(crate) fn plan(
    args: &SignerArgs,
    chain: &ChainType,
    authority: bool,
    seeded: bool,
    store: PathBuf,
) -> Result<Plan, PlanError> {
    match (&args.keystore_uri, args.keystore) {
        _ if seeded && *chain == ChainType::Live => Err(PlanError::SeedOnLive),
        (_, KeystoreKind::Local) if *chain == ChainType::Live => Err(PlanError::LocalOnLive),
        (_, KeystoreKind::Local) => Ok(Plan::Local),
        (Some(uri), KeystoreKind::Tee) => Ok(Plan::Daemon(uri.clone())),
        (None, KeystoreKind::Tee) if !authority => Ok(Plan::Nobody),
        (None, KeystoreKind::Tee) if *chain == ChainType::Development => Ok(Plan::Embedded(store)),
        (None, KeystoreKind::Tee) => Err(PlanError::NoSigner),
    }
}

/// The plan for this node's configuration.
pub(crate) fn plan_for(args: &SignerArgs, config: &Configuration) -> Result<Plan, PlanError> {
    let chain = config.chain_spec.chain_type();
    plan(
        args,
        &chain,
        matches!(config.role, Role::Authority),
        config.dev_key_seed.is_some(),
        embedded::store_of(config),
    )
}

/// The signer of a running node.
#[derive(Clone)]
pub(crate) enum Signer {
    /// A trusted application.
    Tee(Arc<TEEKeystore>),
    /// Keys in files.
    Local(KeystorePtr),
    /// No keys.
    Nobody,
}

impl Signer {
    /// The keystore interface that the client's parts take.
    pub(crate) fn keystore(&self) -> KeystorePtr {
        match self {
            Signer::Tee(keystore) => keystore.clone(),
            Signer::Local(keystore) => keystore.clone(),
            Signer::Nobody => Arc::new(none::NoKeys),
        }
    }

    /// The TEE keystore, where there is one.
    pub(crate) fn tee(&self) -> Option<Arc<TEEKeystore>> {
        match self {
            Signer::Tee(keystore) => Some(keystore.clone()),
            _ => None,
        }
    }

    /// Connects to the daemon, and asks it for the lease on its keys if this node is a validator. A node that starts
    /// with a well-known key (`--alice`, `--dev`) needs the signer at once, and a development TEE that takes seeds; any
    /// other follows the chain until the signer comes.
    pub(crate) async fn connect(
        &self,
        genesis: [u8; 32],
        chain: ChainType,
        authority: bool,
        wants_seed: bool,
    ) -> Result<(), sc_service::Error> {
        let Signer::Tee(keystore) = self else { return Ok(()) };
        if authority {
            keystore.connect(genesis)?;
        } else {
            keystore.connect_as_observer()?;
        }
        if chain == ChainType::Development {
            keystore.allow_insert();
        }
        if !wants_seed {
            return Ok(());
        }
        log::info!("⏳ Waiting up to {} s for the signer, to put a well-known key into it", WAIT_FOR_SEED.as_secs());
        let (waiting, mut terminate) = (keystore.clone(), signal(SignalKind::terminate())?);
        let ready = tokio::select! {
            ready = tokio::task::spawn_blocking(move || waiting.wait_ready(WAIT_FOR_SEED)) => ready,
            _ = tokio::signal::ctrl_c() => return Err(interrupted(keystore)),
            _ = terminate.recv() => return Err(interrupted(keystore)),
        };
        let info = ready.map_err(|e| other(format!("waiting for the signer failed: {e}")))?.map_err(|e| {
            other(format!("a well-known key (--alice, --dev, …) needs a signer, and there is none: {e}"))
        })?;
        if !info.development {
            return Err(other(production(&info.kind)));
        }
        Ok(())
    }
}

/// For a TEE that takes no seed. What it calls itself is the daemon's own choice.
fn production(kind: &str) -> String {
    format!(
        "a well-known key (--alice, --dev, …) can be put only into a development TEE, and the signer is a production one \
         ({}): start without it",
        shown(kind)
    )
}

/// For a TEE that a live chain refuses.
fn unfit(kind: &str) -> String {
    format!("a live chain takes no keys from {}: point --keystore-uri at the daemon of a production TEE", shown(kind))
}

/// The operator stops a node that still waits for its signer.
fn interrupted(keystore: &TEEKeystore) -> sc_service::Error {
    keystore.release();
    other("stopped while waiting for the signer".into())
}

/// Whether this signer may sign on a chain of this type: resolves when its keys and this node's role are known, and until
/// then nothing is signed. A live chain refuses a TEE that protects nothing.
pub(crate) async fn admitted(keystore: Option<Arc<TEEKeystore>>, chain: ChainType) -> bool {
    let Some(keystore) = keystore else { return true };
    keystore.ready().await;
    if chain != ChainType::Live {
        return true;
    }
    // A TEE that went away in between is waited for: only one that answers can be refused.
    let tee = loop {
        keystore.up().await;
        if let Some(tee) = keystore.tee() {
            break tee;
        }
    };
    let fit = !tee.simulated && !tee.development;
    if !fit {
        log::error!("{}", unfit(&tee.kind));
    }
    fit
}

/// Frees votes that wait for the TEE when the node stops: dropped with the tasks of the service.
pub(crate) struct ReleaseOnExit(pub(crate) Arc<TEEKeystore>);

impl Drop for ReleaseOnExit {
    fn drop(&mut self) {
        self.0.release();
    }
}

pub(crate) fn other(message: String) -> sc_service::Error {
    sc_service::Error::Other(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(uri: Option<&str>, keystore: KeystoreKind, chain: ChainType, authority: bool) -> Result<Plan, PlanError> {
        let args = SignerArgs { keystore_uri: uri.map(|uri| uri.parse().expect("a valid URI")), keystore };
        plan(&args, &chain, authority, false, "/store".into())
    }

    #[test]
    fn only_a_development_chain_brings_its_own_signer() {
        let none = None;
        assert_eq!(decide(none, KeystoreKind::Tee, ChainType::Development, true), Ok(Plan::Embedded("/store".into())));
        for chain in [ChainType::Local, ChainType::Live, ChainType::Custom("x".into())] {
            assert_eq!(decide(none, KeystoreKind::Tee, chain, true), Err(PlanError::NoSigner));
        }
    }

    #[test]
    fn a_node_that_is_no_validator_signs_nothing() {
        for chain in [ChainType::Development, ChainType::Local, ChainType::Live] {
            assert_eq!(decide(None, KeystoreKind::Tee, chain, false), Ok(Plan::Nobody));
        }
    }

    #[test]
    fn a_named_daemon_is_taken_on_every_chain() {
        for chain in [ChainType::Development, ChainType::Local, ChainType::Live] {
            assert_eq!(
                decide(Some("unix:///s"), KeystoreKind::Tee, chain, true),
                Ok(Plan::Daemon(Endpoint::unix("/s").expect("a valid path")))
            );
        }
    }

    #[test]
    fn a_live_chain_refuses_keys_that_everybody_knows() {
        let args = SignerArgs { keystore_uri: Some("unix:///s".parse().expect("a valid URI")), ..Default::default() };
        let seeded = |chain| plan(&args, &chain, true, true, "/store".into());
        assert_eq!(seeded(ChainType::Live), Err(PlanError::SeedOnLive));
        assert!(seeded(ChainType::Local).is_ok() && seeded(ChainType::Development).is_ok());
    }

    // Rule 7: what comes from a socket does no harm.
    #[test]
    fn rule_7_what_a_tee_calls_itself_forges_no_line() {
        for text in [production("x\n\u{9b}2J\u{202e}"), unfit("x\n\u{9b}2J\u{202e}")] {
            assert!(text.contains("x\\n\\u{9b}2J\\u{202e}"), "{text:?}");
        }
    }

    #[test]
    fn a_live_chain_refuses_keys_in_files() {
        assert_eq!(decide(None, KeystoreKind::Local, ChainType::Live, true), Err(PlanError::LocalOnLive));
        assert_eq!(decide(None, KeystoreKind::Local, ChainType::Live, false), Err(PlanError::LocalOnLive));
        assert_eq!(decide(None, KeystoreKind::Local, ChainType::Local, true), Ok(Plan::Local));
    }
}
