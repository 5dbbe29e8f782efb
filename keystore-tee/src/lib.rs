//! A Substrate keystore whose keys live in a TEE.
//!
//! [`TEEKeystore`] implements [`sp_keystore::Keystore`] by asking the daemon (`holdfast-host`) that holds a trusted
//! application (TA), through [`holdfast_protocol`]'s client: one connection for all callers, pipelined, made again
//! whenever it breaks.
//!
//! ```no_run
//! # use std::{sync::Arc, time::Duration};
//! # fn start(genesis: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
//! let keystore = Arc::new(keystore_tee::TEEKeystore::deferred("unix:///run/holdfast/host.sock")?);
//! keystore.connect(genesis)?;
//! let tee = keystore.wait_ready(Duration::from_secs(30))?;
//! println!("keys are held by {}", tee.kind);
//! # Ok(())
//! # }
//! ```
//!
//! # While the TEE is away
//!
//! - Down is not empty: public keys are cached, and the cache outlives every disconnection. Before the list of keys
//!   was read for the first time, `keys` is [`Unavailable`](sp_keystore::Error::Unavailable) and `has_keys` false.
//! - A GRANDPA vote waits for as long as it takes, since a voter without a signature ends the node: also for a daemon
//!   that came back with another store, and holds no such key. Only a refusal by the policy ends it, and
//!   [`TEEKeystore::release`]. [`TEEKeystore::up`] is for a gate before a prevote.
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
//!   true refusal does. It can hide keys or list keys that nobody holds, whose signatures will not verify. A public
//!   key that it reports as just made is believed until its first signature.
//! - Seeds are sent only to a TEE that says it is for development. The daemon passes that on, so a seed in use
//!   anywhere else must not be given to a keystore at all.

#![forbid(unsafe_code)]

mod ask;
mod cache;
mod headers;
mod keystore;
mod listing;
mod metrics;
mod scheme;
mod seed;
mod shown;
mod status;
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
    message::TeeInfo,
};
use log::Level;
use parking_lot::Mutex;
use sp_panic_handler::AbortGuard;
use substrate_prometheus_endpoint::{PrometheusError, Registry};

use crate::{
    cache::Cache,
    headers::{Headers, Offer},
    metrics::Metrics,
    shown::shown,
    status::{Change, Status, UNUSABLE},
};

/// Where everything here logs to.
const TARGET: &str = "tee-keystore";

/// A keystore whose keys live in a TEE. Dropping it releases it.
pub struct TEEKeystore {
    client: Arc<Client>,
    cache: Arc<Cache>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    headers: Headers,
    insert_allowed: AtomicBool,
    listing: Mutex<Option<JoinHandle<()>>>,
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
    /// A keystore over the daemon at `uri`: `unix:///path/to/socket` or `tcp://127.0.0.1:port`. Connects to nothing.
    pub fn deferred(uri: &str) -> Result<Self, UriError> {
        let options = ClientOptions { thread_setup: Some(never_abort), ..ClientOptions::default() };
        let client = Client::with_options(uri.parse()?, options);
        let (status, metrics) = (Arc::<Status>::default(), Arc::<Metrics>::default());
        client.on_change({
            let (status, metrics, endpoint) = (status.clone(), metrics.clone(), client.endpoint().clone());
            move |state| {
                let change = status.observe(state);
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
            headers: Headers::default(),
            insert_allowed: AtomicBool::new(false),
            listing: Mutex::new(None),
        })
    }

    /// Starts to connect, for the chain with this genesis hash, and returns at once. A second call changes nothing.
    pub fn connect(&self, genesis: [u8; 32]) -> io::Result<()> {
        let mut listing = self.listing.lock();
        if listing.is_none() {
            let (client, cache, status) = (self.client.clone(), self.cache.clone(), self.status.clone());
            let run = move || {
                let _guard = AbortGuard::never_abort();
                listing::keep_current(&client, &cache, &status);
            };
            *listing = Some(thread::Builder::new().name("tee-keys".into()).spawn(run)?);
        }
        self.client.connect(genesis)
    }

    /// Waits until the TEE can sign and its list of keys was read.
    pub fn wait_ready(&self, timeout: Duration) -> Result<TeeInfo, NotReady> {
        self.status
            .wait_ready(timeout)
            .map_err(|reason| NotReady { endpoint: self.client.endpoint().clone(), reason: shown(reason) })
    }

    /// Resolves once the list of keys was read for the first time; needs no particular runtime.
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

    /// Counts from now on in the node's registry. A second call is an error.
    pub fn register_metrics(&self, registry: &Registry) -> Result<(), PrometheusError> {
        self.metrics.register(registry)?;
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
        self.client.close();
        if let Some(listing) = self.listing.lock().take() {
            // It ends by a panic only, which was logged.
            let _ = listing.join();
        }
    }
}

impl Drop for TEEKeystore {
    fn drop(&mut self) {
        self.release();
    }
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
        let (development, keys) = (simulated, Some(2));
        TeeInfo { ta_version: 1, schema: 1, kind: kind.into(), simulated, development, keys, catalogue: 1 }
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
