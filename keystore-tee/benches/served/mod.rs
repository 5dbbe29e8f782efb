//! A daemon to measure, and keystores on it.

#![allow(dead_code, reason = "each benchmark has a copy of this module, and none uses all of it")]

use std::time::Duration;

use holdfast_host::{Config, Daemon, InProcess};
use holdfast_ta_soft::SoftTee;
use keystore_tee::{Identity, TEEKeystore};
use tokio::runtime::Runtime;

/// Longer than anything takes.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// A daemon over a software TEE, on a Unix socket and on TCP.
pub(crate) struct Served {
    runtime: Runtime,
    daemon: Option<Daemon>,
    dir: tempfile::TempDir,
}

impl Served {
    /// Over one in a directory.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let tee = SoftTee::open(dir.path().join("store")).expect("a store of our own");
        Self::with(tee, dir)
    }

    /// Over one that never touches a disk.
    pub(crate) fn in_memory() -> Self {
        Self::with(SoftTee::in_memory(), tempfile::tempdir().expect("a temporary directory"))
    }

    fn with(tee: SoftTee, dir: tempfile::TempDir) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let mut config = Config::embedded(dir.path().join("host.sock"));
        config.tcp = Some("127.0.0.1:0".parse().expect("an address"));
        let daemon = runtime.block_on(Daemon::start(&config, Box::new(InProcess::new(tee)))).expect("a free port");
        Self { runtime, daemon: Some(daemon), dir }
    }

    pub(crate) fn unix(&self) -> String {
        format!("unix://{}", self.dir.path().join("host.sock").display())
    }

    pub(crate) fn tcp(&self) -> String {
        let address = self.daemon.as_ref().and_then(Daemon::tcp);
        format!("tcp://{}", address.expect("it was asked for"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            self.runtime.block_on(daemon.stop());
        }
    }
}

/// A keystore that is the active one.
pub(crate) fn connected(uri: &str) -> TEEKeystore {
    let keystore = TEEKeystore::deferred(uri, Identity::default()).expect("a valid URI");
    keystore.connect([7; 32]).expect("threads start");
    keystore.wait_ready(LONG).expect("the daemon is there");
    keystore
}
