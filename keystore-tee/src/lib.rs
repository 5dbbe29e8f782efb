//! A Substrate keystore whose keys live in a TEE.
//!
//! [`TEEKeystore`] implements [`sp_keystore::Keystore`] by asking the daemon (`holdfast-host`) that holds a trusted
//! application (TA), through [`holdfast_protocol`]'s client: one connection for all callers, pipelined, made again
//! whenever it breaks.
//!
//! ```no_run
//! # use std::{sync::Arc, time::Duration};
//! # use keystore_tee::{Identity, TEEKeystore};
//! # fn start(genesis: [u8; 32], network_key: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
//! let node = Identity::new(network_key, "alice");
//! let keystore = Arc::new(TEEKeystore::deferred("unix:///run/holdfast/host.sock", node)?);
//! keystore.connect(genesis)?;
//! let tee = keystore.wait_ready(Duration::from_secs(30))?;
//! println!("keys are held by {}", tee.kind);
//! # Ok(())
//! # }
//! ```
//!
//! # Active and standby
//!
//! Several nodes may use one daemon; it leases its keys to one of them, and signs for no other. The keystore asks for
//! the lease by itself, and again all the time. What comes of it is the node's [`Role`]: `has_keys` is true on the
//! active node only, so that GRANDPA and Aura merely follow on any other. A standby takes over when nobody holds the
//! lease and two rounds of GRANDPA have passed, which the node tells with [`TEEKeystore::observe_round`]. An active node
//! that finds another in its place never signs again; [`TEEKeystore::superseded`] tells it to end its process. Keys of
//! type `test` and proofs of possession need no lease.
//!
//! GRANDPA asks `has_keys` for each round, and once more when it makes a voter, which it does at its start and when the
//! set of authorities changes: only a voter that had its key then sends commits. A standby that becomes active votes
//! from the next round on, and sends no commits before the set changes or its process is started again. Other
//! validators send them meanwhile.
//!
//! # While the TEE is away
//!
//! - Down is not empty: public keys are cached, and the cache outlives every disconnection. Before the list of keys
//!   was read for the first time, `keys` is [`Unavailable`](sp_keystore::Error::Unavailable) and `has_keys` false.
//! - A GRANDPA vote waits for as long as it takes, since a voter without a signature ends the node: also for a daemon
//!   that came back with another store, and holds no such key, and without the lease, for a node that has lost it is
//!   about to end. Only a refusal by the policy ends it, and [`TEEKeystore::release`]. [`TEEKeystore::up`] is for a gate before a prevote.
//! - An Aura seal waits until the deadline that came with its header ([`TEEKeystore::offer_header`]); then the slot is
//!   lost, and the node goes on.
//! - Anything else is an error at once while the TEE is away, and else after ten seconds.
//!
//! Whoever waits on a worker of a multi-threaded tokio runtime holds up no other task; a task of a `LocalSet` must not
//! call the keystore.
//!
//! # The daemon is not trusted
//!
//! - Every signature and VRF proof is verified with `sp_core` before it is returned. A wrong one is logged as an error,
//!   counted, and never returned: the caller gets an error, except for a vote, which is asked for again after a pause.
//!   The connection is kept, because a new one would lead to the same daemon.
//! - A VRF pre-output by itself cannot be verified: nothing proves it.
//! - The daemon can refuse service, for instance by claiming that the policy refused a vote, which ends a voter as a
//!   true refusal does, or that another node holds the lease. It can also give the lease to two nodes at once: only the
//!   policy of the trusted application, which judges what it signs, is safety. It can hide keys or list keys that nobody holds, whose signatures will not verify. A public
//!   key that it reports as just made is believed until its first signature.
//! - Seeds are sent only to a TEE that says it is for development. The daemon passes that on, so a seed in use
//!   anywhere else must not be given to a keystore at all.

#![forbid(unsafe_code)]

mod ask;
mod cache;
mod headers;
mod keeper;
mod keystore;
mod last;
mod lease;
mod listing;
mod metrics;
mod news;
mod scheme;
mod seed;
mod shown;
mod status;
mod takeover;
mod verify;
mod waiting;

use std::{
    any::Any,
    future::Future,
    io,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use holdfast_protocol::client::{Client, ClientOptions, State};
pub use holdfast_protocol::{
    endpoint::{Endpoint, UriError},
    lease::{Identity, Lease, Tenure},
    message::TeeInfo,
};
use log::Level;
use parking_lot::Mutex;
use sp_panic_handler::AbortGuard;
use substrate_prometheus_endpoint::{PrometheusError, Registry};

use crate::{
    cache::Cache,
    headers::{Headers, Offer},
    keeper::Keeper,
    metrics::Metrics,
    status::{Change, Status, UNUSABLE},
};
pub use lease::Role;
pub use listing::{read as read_keys, ListError};
pub use shown::shown;

/// Where everything here logs to.
const TARGET: &str = "tee-keystore";

/// A keystore whose keys live in a TEE. Dropping it releases it.
pub struct TEEKeystore {
    client: Arc<Client>,
    cache: Arc<Cache>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    keeper: Arc<Keeper>,
    headers: Headers,
    insert_allowed: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The TEE or its list of keys could not be had in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the TEE behind {endpoint} is not ready: {reason}")]
pub struct NotReady {
    /// Where its daemon was looked for.
    pub endpoint: Endpoint,
    /// What is in the way.
    pub reason: String,
}

impl TEEKeystore {
    /// The keystore of `node` over the daemon at `uri`: `unix:///path/to/socket` or `tcp://127.0.0.1:port`. Connects to
    /// nothing.
    pub fn deferred(uri: &str, node: Identity) -> Result<Self, UriError> {
        let options = ClientOptions { identity: node, thread_setup: Some(never_abort), ..ClientOptions::default() };
        let client = Client::with_options(uri.parse()?, options);
        let (status, metrics) = (Arc::<Status>::default(), Arc::<Metrics>::default());
        let keeper = Arc::new(Keeper::new(node));
        client.on_change({
            let (status, metrics, keeper) = (status.clone(), metrics.clone(), keeper.clone());
            let endpoint = client.endpoint().clone();
            move |state| {
                let change = status.observe(state);
                keeper.connection(state);
                metrics.connected(matches!(state, State::Up(_)));
                if change == Change::Returned {
                    metrics.reconnected();
                }
                if let Some((level, line)) = line(&endpoint, state, change) {
                    log::log!(target: TARGET, level, "{line}");
                }
            }
        });
        Ok(Self {
            client: Arc::new(client),
            cache: Arc::default(),
            status,
            metrics,
            keeper,
            headers: Headers::default(),
            insert_allowed: AtomicBool::new(false),
            threads: Mutex::default(),
        })
    }

    /// Starts to connect, for a validator of the chain with this genesis hash, and returns at once. A second call
    /// changes nothing.
    pub fn connect(&self, genesis: [u8; 32]) -> io::Result<()> {
        self.connect_with(|client| client.connect(genesis))
    }

    /// As [`TEEKeystore::connect`], for a node that is no validator: it makes keys and has them prove possession, and
    /// never asks for the lease.
    pub fn connect_as_observer(&self) -> io::Result<()> {
        self.connect_with(|client| {
            self.keeper.only_look();
            client.connect_as_operator()
        })
    }

    fn connect_with(&self, connect: impl FnOnce(&Client) -> io::Result<()>) -> io::Result<()> {
        let mut threads = self.threads.lock();
        if !threads.is_empty() {
            return Ok(());
        }
        connect(&self.client)?;
        let (client, cache, status) = (self.client.clone(), self.cache.clone(), self.status.clone());
        threads.push(start("tee-keys", move || listing::keep_current(&client, &cache, &status))?);
        let (client, keeper, status) = (self.client.clone(), self.keeper.clone(), self.status.clone());
        threads.push(start("tee-lease", move || keeper::keep(&client, &keeper, &status))?);
        Ok(())
    }

    /// Waits until the TEE can sign, its list of keys was read, and it is known whether this node signs.
    pub fn wait_ready(&self, timeout: Duration) -> Result<TeeInfo, NotReady> {
        self.status
            .wait_ready(timeout)
            .map_err(|reason| NotReady { endpoint: self.client.endpoint().clone(), reason: shown(reason) })
    }

    /// Resolves once the list of keys was read for the first time and the role is known; needs no particular runtime.
    pub fn ready(&self) -> impl Future<Output = ()> + Send + 'static {
        self.status.ready()
    }

    /// Resolves when the TEE answers and its store can be used: at once if so now. It does not after a release.
    pub fn up(&self) -> impl Future<Output = ()> + Send + 'static {
        self.status.up()
    }

    /// The TEE that answers now.
    pub fn tee(&self) -> Option<TeeInfo> {
        self.status.tee()
    }

    /// The node's part in signing.
    pub fn role(&self) -> Role {
        self.keeper.role()
    }

    /// Who holds the lease, as the daemon said last, at most a second ago while it is there: this node itself is shown
    /// as others see it, never as [`Tenure::Yours`].
    pub fn lease(&self) -> Option<Lease> {
        self.keeper.lease()
    }

    /// Resolves when another node has taken over from this one: the process should end, and may start again as a
    /// standby.
    pub fn superseded(&self) -> impl Future<Output = ()> + Send + 'static {
        self.keeper.superseded()
    }

    /// The node has come to this round of GRANDPA. Without it a standby never takes over.
    pub fn observe_round(&self, set_id: u64, round: u64) {
        self.keeper.observe((set_id, round));
    }

    /// Counts from now on in the node's registry. A second call is an error.
    pub fn register_metrics(&self, registry: &Registry) -> Result<(), PrometheusError> {
        self.metrics.register(registry, &self.keeper)?;
        self.metrics.connected(self.status.tee().is_some());
        Ok(())
    }

    /// Keeps a header, SCALE-encoded without its seal, for the signature of its BLAKE2b-256 hash with an `aura` key.
    /// The seal is of no use after `deadline`. The last few headers are kept.
    pub fn offer_header(&self, hash: [u8; 32], header: Vec<u8>, deadline: Instant) {
        self.headers.offer(Offer { hash, header, deadline });
    }

    /// Lets `author_insertKey` through to a simulated TEE for development: for a development chain only, since the
    /// secret comes in the clear.
    pub fn allow_insert(&self) {
        self.insert_allowed.store(true, Ordering::Relaxed);
    }

    /// Lets everyone go who waits for the TEE, and closes the connection for good: for the node's shutdown.
    /// Its threads have ended on return.
    pub fn release(&self) {
        self.status.release();
        self.keeper.release();
        self.client.close();
        for thread in self.threads.lock().drain(..) {
            // Only a panic is lost, which was logged.
            let _ = thread.join();
        }
    }
}

impl Drop for TEEKeystore {
    fn drop(&mut self) {
        self.release();
    }
}

/// A thread whose panics do not end the process.
fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(move || {
        let _guard = AbortGuard::never_abort();
        run();
    })
}

/// In a node every panic ends the process; none that a daemon's answer could cause may.
fn never_abort() -> Box<dyn Any> {
    Box::new(AbortGuard::never_abort())
}

/// What the node's log says of a change.
fn line(endpoint: &Endpoint, state: &State, change: Change) -> Option<(Level, String)> {
    Some(match (state, change) {
        (_, Change::None) | (State::Deferred | State::Connecting | State::Closed, _) => return None,
        (State::Up(tee), _) if tee.keys.is_none() => {
            (Level::Error, format!("the signer at {endpoint} cannot sign: {UNUSABLE}"))
        }
        (State::Up(tee), Change::Met) => {
            let held =
                format!("keys are held by {} (TA version {}) behind {endpoint}", shown(&tee.kind), tee.ta_version);
            if tee.simulated {
                (Level::Warn, format!("🔓 {held}: it protects nothing, use it for development only"))
            } else {
                (Level::Info, format!("🔐 {held}"))
            }
        }
        (State::Up(_), Change::Returned) => (Level::Info, format!("the signer at {endpoint} is back")),
        (State::Up(_), Change::Other) => (Level::Info, format!("the signer at {endpoint} answers again")),
        (State::Unresponsive, _) => (Level::Warn, format!("the signer at {endpoint} does not answer")),
        (State::Down(reason), _) => {
            (Level::Warn, format!("the signer at {endpoint} is away: {}; trying again", shown(reason)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::{client::Unreachable, message::Rejection};

    fn tee(simulated: bool) -> TeeInfo {
        let kind = if simulated { "software TEE, not a TEE" } else { "OP-TEE" };
        TeeInfo {
            ta_version: 1,
            schema: 1,
            kind: kind.into(),
            simulated,
            development: simulated,
            keys: Some(2),
            catalogue: 1,
            rollback_protected: !simulated,
        }
    }

    #[test]
    fn every_change_is_told_in_one_line_that_names_the_signer() {
        let endpoint: Endpoint = "unix:///run/h.sock".parse().expect("a valid URI");
        let line = |state, change| line(&endpoint, &state, change);
        let told = |level, text: &str| Some((level, text.to_string()));
        assert_eq!(
            line(State::Up(tee(true)), Change::Met),
            told(
                Level::Warn,
                "🔓 keys are held by software TEE, not a TEE (TA version 1) behind unix:///run/h.sock: it protects \
                 nothing, use it for development only"
            )
        );
        assert_eq!(
            line(State::Up(tee(false)), Change::Met),
            told(Level::Info, "🔐 keys are held by OP-TEE (TA version 1) behind unix:///run/h.sock")
        );
        let unusable = TeeInfo { keys: None, ..tee(false) };
        assert_eq!(
            line(State::Up(unusable), Change::Returned),
            told(
                Level::Error,
                "the signer at unix:///run/h.sock cannot sign: its store cannot be used; the daemon's log says why"
            )
        );
        assert_eq!(
            line(State::Up(tee(true)), Change::Returned),
            told(Level::Info, "the signer at unix:///run/h.sock is back")
        );
        let refused = State::Down(Unreachable::Connection("connection refused".into()));
        assert_eq!(
            line(refused.clone(), Change::Other),
            told(Level::Warn, "the signer at unix:///run/h.sock is away: connection refused; trying again")
        );
        assert_eq!(line(refused, Change::None), None);
        let (_, other) =
            line(State::Down(Unreachable::Rejected(Rejection::Genesis([7; 32]))), Change::Other).expect("a line");
        assert!(other.ends_with("or restart this one; trying again"), "not cut short: {other}");
    }
}
