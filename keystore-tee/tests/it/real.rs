//! The real daemon, over a software TEE in a temporary directory.

use holdfast_host::{Config, Daemon, InProcess};
use holdfast_ta_soft::SoftTee;
use keystore_tee::{Identity, TEEKeystore};
use tokio::runtime::Runtime;

use crate::LONG;

/// A daemon that can be stopped and started again on the same store and socket.
pub(crate) struct RealDaemon {
    runtime: Runtime,
    daemon: Option<Daemon>,
    dir: tempfile::TempDir,
}

impl RealDaemon {
    pub(crate) fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let mut daemon = Self { runtime, daemon: None, dir: tempfile::tempdir().expect("a temporary directory") };
        daemon.start_again();
        daemon
    }

    pub(crate) fn start_again(&mut self) {
        let tee = SoftTee::open(self.dir.path().join("store")).expect("a store of our own");
        let config = Config::embedded(self.dir.path().join("host.sock"));
        let link = Box::new(InProcess::new(tee));
        self.daemon = Some(self.runtime.block_on(Daemon::start(&config, link)).expect("a socket of our own"));
    }

    pub(crate) fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            assert!(self.runtime.block_on(daemon.stop()), "the software TEE is never busy for long");
        }
    }

    /// A keystore that has connected here and read its list of keys.
    pub(crate) fn keystore(&self) -> TEEKeystore {
        self.keystore_of(Identity::default())
    }

    /// As [`RealDaemon::keystore`], of this node.
    pub(crate) fn keystore_of(&self, node: Identity) -> TEEKeystore {
        let keystore = TEEKeystore::deferred(&self.uri(), node).expect("a valid URI");
        keystore.connect([7; 32]).expect("threads start");
        let tee = keystore.wait_ready(LONG).expect("the daemon is there");
        assert!(tee.simulated && tee.development);
        keystore
    }

    pub(crate) fn uri(&self) -> String {
        format!("unix://{}", self.dir.path().join("host.sock").display())
    }
}

impl Drop for RealDaemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A GRANDPA prevote as it is signed: SCALE `(Message, round, set_id)`, 53 bytes.
pub(crate) fn vote(round: u64, target: [u8; 32]) -> Vec<u8> {
    [&[0][..], &target, &7_u32.to_le_bytes(), &round.to_le_bytes(), &0_u64.to_le_bytes()].concat()
}

/// An unsealed header that an Aura author made for a slot, SCALE-encoded, and its hash.
pub(crate) fn header(slot: u64) -> (Vec<u8>, [u8; 32]) {
    let mut header = vec![1; 32];
    header.push(4 << 2);
    header.extend([2; 64]);
    // One digest item: 6 is a pre-runtime digest, by the engine `aura`, of 8 bytes.
    header.extend([1 << 2, 6]);
    header.extend(b"aura");
    header.push(8 << 2);
    header.extend(slot.to_le_bytes());
    let hash = sp_crypto_hashing::blake2_256(&header);
    (header, hash)
}
