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
//! lease and two rounds of GRANDPA have passed, which the node tells with [`TEEKeystore::observe_round`]. An active
//! node that finds another in its place never signs again; [`TEEKeystore::superseded`] tells it to end its process.
//! Keys of type `test` and proofs of possession need no lease.
//!
//! GRANDPA asks `has_keys` for each round, and once more when it makes a voter, which it does at its start and when the
//! set of authorities changes: only a voter that had its key then sends commits. A standby that becomes active votes
//! from the next round on, and sends no commits before the set changes or its process is started again. Other
//! validators send them meanwhile.
//!
//! # What a key has signed already
//!
//! The TEE refuses a vote that contradicts one of its key's, and a refused vote ends GRANDPA's voter. A node whose
//! database was purged, put back from a copy or cut short would ask for such votes. So it tells where its GRANDPA is
//! ([`TEEKeystore::follow`]), and the keystore, when the node becomes active, on each new connection and after a failure
//! of the TEE, reads how far its keys have come. While GRANDPA is in a round that its key has left behind, `has_keys` is
//! false for that key: the node follows without voting, says so once, and votes again when the round has passed. What is
//! refused all the same is in [`TEEKeystore::refusal`]. A voter that was told so too early, and for whose vote a round
//! then waits, is found by [`TEEKeystore::overdue`].
//!
//! # While the TEE is away
//!
//! - Down is not empty: public keys are cached, and the cache outlives every disconnection. Before the list of keys
//!   was read for the first time, `keys` is [`Unavailable`](sp_keystore::Error::Unavailable) and `has_keys` false.
//! - A GRANDPA vote waits for as long as it takes, since a voter without a signature ends the node: also for a daemon
//!   that came back with another store, and holds no such key, and without the lease, for a node that has lost it is
//!   about to end. Only a refusal by the policy ends it, and [`TEEKeystore::release`]. [`TEEKeystore::up`] is for a gate
//!   before a prevote.
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
//!   true refusal does, that keys have voted in rounds to come, or that another node holds the lease. It can also give
//!   the lease to two nodes at once: only the policy of the trusted application, which judges what it signs, is safety.
//!   It can hide keys or list keys that nobody holds, whose signatures will not verify. A public key that it reports as
//!   just made is believed until its first signature.
//! - Seeds are sent only to a TEE that says it is for development. The daemon passes that on, so a seed in use
//!   anywhere else must not be given to a keystore at all.

#![forbid(unsafe_code)]

mod abstention;
mod ask;
mod cache;
mod connection;
mod headers;
mod keeper;
mod keystore;
mod last;
mod lease;
mod listing;
mod metrics;
mod news;
mod overdue;
mod refusal;
mod scheme;
mod seed;
mod shown;
mod status;
mod takeover;
mod verify;
mod votes;
mod waiting;
mod watermarks;

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
    message::{GrandpaRound, TeeInfo},
};
use parking_lot::Mutex;
use sp_panic_handler::AbortGuard;
use substrate_prometheus_endpoint::{PrometheusError, Registry};

use crate::{
    cache::Cache,
    headers::{Headers, Offer},
    keeper::Keeper,
    metrics::Metrics,
    refusal::Refused,
    status::{Change, Status},
    votes::Votes,
};
pub use abstention::Place;
pub use lease::Role;
pub use listing::{read as read_keys, ListError};
pub use overdue::Overdue;
pub use refusal::Refusal;
pub use shown::shown;
pub use watermarks::{read as read_watermarks, WatermarksError};

/// Where everything here logs to.
const TARGET: &str = "tee-keystore";

/// A keystore whose keys live in a TEE. Dropping it releases it.
pub struct TEEKeystore {
    client: Arc<Client>,
    cache: Arc<Cache>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    keeper: Arc<Keeper>,
    votes: Arc<Votes>,
    refused: Refused,
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
                if let Some((level, line)) = connection::line(&endpoint, state, change) {
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
            votes: Arc::default(),
            refused: Refused::default(),
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
        let (client, keeper, votes) = (self.client.clone(), self.keeper.clone(), self.votes.clone());
        let status = self.status.clone();
        threads.push(start("tee-lease", move || keeper::keep(&client, &keeper, &votes, &status))?);
        Ok(())
    }

    /// Waits until the TEE can sign, its list of keys was read, and it is known whether this node signs and, if it
    /// does, what its keys have signed so far.
    pub fn wait_ready(&self, timeout: Duration) -> Result<TeeInfo, NotReady> {
        self.status
            .wait_ready(timeout)
            .map_err(|reason| NotReady { endpoint: self.client.endpoint().clone(), reason: shown(reason) })
    }

    /// Resolves once the list of keys was read for the first time, and the role is known and, of an active node, what
    /// its keys have signed so far; needs no particular runtime.
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

    /// Where to look for the place of the node's GRANDPA, before its voter starts: `place` is asked on the voter's
    /// thread, and must not wait for the voter. Without it a key votes in every round, and the TEE may refuse it. A
    /// second call changes nothing.
    pub fn follow(&self, place: impl Fn() -> Result<Place, String> + Send + Sync + 'static) {
        self.votes.follow(place);
    }

    /// The last round in which this node does not vote because of what its key has signed, while it is not past it.
    pub fn abstains_until(&self) -> Option<GrandpaRound> {
        self.votes.abstains_until()
    }

    /// The vote that the TEE's policy refused, if it did: the voter has ended or is about to.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refused.get()
    }

    /// Resolves when GRANDPA has sat for a minute in a round that waits for this node's vote, which it will not ask for:
    /// it asked for its key before the round was known to be past all reason not to vote, and asks once for each. The
    /// process should end, and votes in that round when it is started again.
    pub fn overdue(&self) -> impl Future<Output = Overdue> + Send + 'static {
        self.votes.overdue()
    }

    /// Counts from now on in the node's registry. A second call is an error.
    pub fn register_metrics(&self, registry: &Registry) -> Result<(), PrometheusError> {
        self.metrics.register(registry, &self.keeper, &self.votes)?;
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
