//! The signer of a development chain: the daemon's library with a software TEE, inside the node, over a real socket.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use holdfast_host::{Config, Daemon, InProcess};
use holdfast_ta_soft::SoftTee;
use sc_service::Configuration;

use super::other;

/// A Unix socket's path holds 107 bytes and a terminating zero (`sockaddr_un`, unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// A daemon inside this process. Dropping it stops it.
pub(crate) struct Embedded {
    uri: String,
    _daemon: Daemon,
    _runtime_directory: Option<tempfile::TempDir>,
}

impl Embedded {
    /// Opens the store, makes it where there is none, and serves it.
    pub(crate) async fn start(store: &Path) -> Result<Self, sc_service::Error> {
        let tee = SoftTee::open(store).map_err(|e| other(format!("cannot open the software TEE's store: {e}")))?;
        let (socket, runtime_directory) = socket_for(store)?;
        let daemon = Daemon::start(&Config::embedded(socket.clone()), Box::new(InProcess::new(tee)))
            .await
            .map_err(|e| other(format!("cannot start the signer inside the node: {e}")))?;
        log::info!("🔑 The signer inside this node keeps its keys in {}", store.display());
        Ok(Self { uri: format!("unix://{}", socket.display()), _daemon: daemon, _runtime_directory: runtime_directory })
    }

    /// Where it listens.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
}

/// Where a development chain keeps the keys of its software TEE.
pub(crate) fn store_of(config: &Configuration) -> PathBuf {
    config.base_path.config_dir(config.chain_spec.id()).join("software-tee")
}

/// Takes the lock of a development chain's store, if there is one, so that it is not removed under a running node.
pub(crate) fn hold(store: &Path) -> Result<Option<SoftTee>, sc_cli::Error> {
    if !store.exists() {
        return Ok(None);
    }
    SoftTee::open(store).map(Some).map_err(|e| sc_cli::Error::Input(format!("{e}; nothing was removed")))
}

/// Removes the store of a purged development chain: its keys have signed for blocks that are no more.
pub(crate) fn purge(store: &Path, held: SoftTee) -> Result<(), sc_cli::Error> {
    std::fs::remove_dir_all(store)?;
    drop(held);
    println!("{store:?} removed.");
    Ok(())
}

/// The socket lies beside the store, or in a directory of its own where that path would be too long.
fn socket_for(store: &Path) -> Result<(PathBuf, Option<tempfile::TempDir>), sc_service::Error> {
    let beside = std::path::absolute(store.with_file_name("signer.sock"))?;
    if beside.as_os_str().len() <= MAX_SOCKET_PATH {
        return Ok((beside, None));
    }
    let private = std::fs::Permissions::from_mode(0o700);
    let directory = tempfile::Builder::new().prefix("holdfast-").permissions(private).tempdir()?;
    Ok((directory.path().join("signer.sock"), Some(directory)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_too_long_for_a_socket_moves_it_to_a_short_private_directory() {
        let short = PathBuf::from("/base/chains/dev/software-tee");
        let (socket, directory) = socket_for(&short).expect("nothing is created");
        assert_eq!(socket, PathBuf::from("/base/chains/dev/signer.sock"));
        assert!(directory.is_none());

        let long = PathBuf::from(format!("/{}/software-tee", "x".repeat(MAX_SOCKET_PATH)));
        let (socket, directory) = socket_for(&long).expect("a temporary directory");
        assert!(socket.as_os_str().len() <= MAX_SOCKET_PATH);
        let mode = directory.expect("its own directory").path().metadata().expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn purging_a_store_that_is_in_use_is_refused_and_leaves_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = dir.path().join("software-tee");
        let held = SoftTee::open(&store).expect("a new store");
        assert!(hold(&store).is_err());
        drop(held);
        let held = hold(&store).expect("nobody holds it now").expect("it is there");
        purge(&store, held).expect("it can be removed");
        assert!(!store.exists());
        assert!(hold(&store).expect("there is none").is_none());
    }
}
