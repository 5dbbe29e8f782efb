//! The parts put together: front, worker and HTTP, started and stopped in order.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use holdfast_protocol::message::{Call, Failure, Reply};
use tokio::{sync::watch, time::Instant};

use crate::{
    audit::{AuditError, Auditor},
    config::Config,
    front::{Front, ListenError},
    holder::HolderError,
    http::{self, Http},
    link::Link,
    metrics::Metrics,
    stuck::{stuck, Busy, Stuck},
    worker::{self, Lessor, Signer, Worker},
};

/// How long a stop waits for connections to close once all is answered.
const FAREWELL: Duration = Duration::from_secs(2);

/// A running daemon. [`Daemon::stop`] ends it gracefully; dropping it closes its sockets at once and lets its threads
/// end by themselves.
pub struct Daemon {
    front: Front,
    http: Option<Http>,
    worker: Worker,
    socket: PathBuf,
    drain: Duration,
    /// Calls that are under way, and how long one may be; of a link that can get stuck.
    calls: Option<(watch::Receiver<Option<Instant>>, Duration)>,
}

/// Why a daemon does not start. Nothing is left behind. The message holds its cause, which is not in the chain of
/// sources again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Nodes could not connect.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Nobody could watch it.
    #[error(
        "cannot serve health and metrics on {address}: {cause}; choose another address with --http, or --http off"
    )]
    Http {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// Nobody knows which node may sign.
    #[error(transparent)]
    Holder(#[from] HolderError),
    /// Nobody could tell later what was signed.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Two nodes would sign with keys that are worth something.
    #[error(
        "--test-only-without-leases lets several nodes sign with the same keys at once. It is for tests, over a \
         development TEE, and {0}: start without it"
    )]
    WithoutLeases(String),
    /// The trusted application would have no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

impl Daemon {
    /// Listens as `config` says, on the caller's tokio runtime, and answers with what is at the end of `link`. The
    /// socket is there when this returns. `config.log`, and of `config.tee` and `config.store` all but the places of the
    /// lease's file and the audit log, are not looked at.
    pub async fn start(config: &Config, link: Box<dyn Link>) -> Result<Daemon, StartError> {
        let metrics = Arc::new(Metrics::new());
        let (name, silence) = (link.name(), link.silence());
        let capacity = usize::try_from(config.limits.queue).unwrap_or(usize::MAX);
        let lessor = Lessor::open(config)?;
        let auditor = Auditor::open(config, metrics.clone())?;
        let busy = Busy::new(None);
        let calls = silence.map(|_| (busy.subscribe(), Duration::from_millis(config.limits.stuck_ms)));
        let (signer, worker) =
            worker::start(link, capacity, lessor, auditor, busy, metrics.clone()).map_err(StartError::Thread)?;
        let health = Duration::from_millis(config.limits.health_ms);
        if config.test_only_without_leases {
            allow_without_leases(&signer, health).await?;
        }
        let front = Front::start(config, signer.clone(), metrics.clone()).await?;
        let http = match config.http.0 {
            Some(address) => {
                let sources = http::Sources { signer: signer.clone(), metrics, link: name.clone(), silence, health };
                Some(http::start(address, sources).await.map_err(|cause| StartError::Http { address, cause })?)
            }
            None => None,
        };
        // It was bound, so it is not empty; a node is to be told where it is from anywhere.
        let socket = std::path::absolute(&config.socket).unwrap_or_else(|_| config.socket.clone());
        tracing::info!(
            uri = %format_args!("unix://{}", socket.display()),
            tcp = front.tcp().map(tracing::field::display),
            unauthenticated_tcp = front.unauthenticated_tcp().map(tracing::field::display),
            http = http.as_ref().map(|http| tracing::field::display(http.address())),
            audit = config.audit_path().map(|path| tracing::field::display(path.display().to_string())),
            link = name,
            "listening"
        );
        tokio::spawn(announce(signer, silence, health));
        let drain = Duration::from_millis(config.limits.drain_ms);
        Ok(Daemon { front, http, worker, socket, drain, calls })
    }

    /// The Unix socket, by its absolute path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The loopback TCP address, with its real port.
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.front.tcp()
    }

    /// The TCP address of `unauthenticated_tcp`, with its real port.
    pub fn unauthenticated_tcp(&self) -> Option<SocketAddr> {
        self.front.unauthenticated_tcp()
    }

    /// The address of health and metrics, with its real port.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Http::address)
    }

    /// Comes back once a call has been under way for `stuck_ms`, which nothing but the end of this process may end. Never
    /// for a link that does not say what its silence may mean.
    pub async fn stuck(&self) -> Stuck {
        match &self.calls {
            Some((calls, patience)) => stuck(calls.clone(), *patience).await,
            None => std::future::pending().await,
        }
    }

    /// Accepts nobody, answers what is in the queue and has the trusted application take its leave (for `drain_ms` at
    /// most), closes every connection and removes the socket. `false` if the trusted application was still busy: then its thread still has it.
    pub async fn stop(self) -> bool {
        let Daemon { mut front, http, worker, drain, .. } = self;
        front.quiesce().await;
        let drained = worker.drain(drain).await;
        if !drained {
            tracing::error!(
                waited = ?drain,
                "the trusted application did not answer everything before the stop, and its next start will be wary"
            );
        }
        front.close(FAREWELL).await;
        if let Some(http) = http {
            http.stop().await;
        }
        tracing::info!("stopped");
        drained
    }
}

/// Whether the trusted application is one that a test may have signed with by several nodes at once.
async fn allow_without_leases(signer: &Signer, patience: Duration) -> Result<(), StartError> {
    match signer.ask(Call::Info, patience).await {
        Ok(Reply::Info(info)) if info.development => {
            tracing::warn!(
                "NO LEASES: every node is told that it holds the lease, and several may sign with the same keys at the \
                 same time. This is for tests only: nothing but the trusted application's policy keeps them apart"
            );
            Ok(())
        }
        Ok(Reply::Info(info)) => Err(StartError::WithoutLeases(format!("this is {} in production", info.kind))),
        Ok(_) => Err(StartError::WithoutLeases("this one does not say what it is".into())),
        Err(failure) => Err(StartError::WithoutLeases(format!("this one does not say what it is ({failure})"))),
    }
}

/// Says in the log what the trusted application is.
async fn announce(signer: Signer, silence: Option<&'static str>, patience: Duration) {
    match signer.ask(Call::Info, patience).await {
        Ok(Reply::Info(info)) => {
            let keys = info.keys.map(tracing::field::display);
            tracing::info!(
                kind = info.kind,
                ta_version = info.ta_version,
                schema = info.schema,
                keys,
                "trusted application"
            );
            if info.simulated {
                tracing::warn!("{}: it protects no key, and is for development only", info.kind);
            } else if info.development {
                tracing::warn!("{}: a development application takes seeds and signs with them", info.kind);
            }
            if info.keys.is_none() {
                // The question about keys is answered with the reason, which the worker logs.
                tracing::error!("the trusted application cannot use its store");
                let _ = signer.ask(Call::List { after: None }, patience).await;
            }
        }
        Ok(_) => tracing::error!("the trusted application answers something else than what it is asked"),
        Err(Failure::Deadline) => {
            tracing::error!(advice = silence, "the trusted application does not answer within {patience:?}");
        }
        Err(failure) => tracing::error!(%failure, "the trusted application does not say what it is"),
    }
}
