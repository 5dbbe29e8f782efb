//! `/health` and `/metrics`, for whoever watches over the daemon.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::State,
    http::{header::CONTENT_TYPE, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
    Router,
};
use holdfast_protocol::{
    lease::{Claim, Tenure},
    message::{Call, Failure, Reply, TeeInfo},
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::{sleep, Instant, Sleep},
};

use crate::{metrics::Metrics, worker::Signer};

/// Connections at the same time; further ones wait to be accepted.
const CONNECTIONS: usize = 16;
/// How long a connection may go without an answer being written to it: longer than Prometheus' usual interval.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running server. Dropping it stops it.
pub(crate) struct Http {
    task: JoinHandle<()>,
    address: SocketAddr,
}

/// What the answers are made of.
pub(crate) struct Sources {
    /// To ask the trusted application.
    pub(crate) signer: Signer,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// What is at the other end of the link.
    pub(crate) link: String,
    /// What to say when it does not answer.
    pub(crate) silence: Option<&'static str>,
    /// How long `/health` waits for the trusted application.
    pub(crate) health: Duration,
}

/// Binds `address` and serves, on the caller's tokio runtime.
pub(crate) async fn start(address: SocketAddr, sources: Sources) -> io::Result<Http> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "health and metrics can be read from other machines");
    }
    let router =
        Router::new().route("/health", get(health)).route("/metrics", get(metrics)).with_state(Arc::new(sources));
    let listener = Limited { listener, slots: Arc::new(Semaphore::new(CONNECTIONS)), patience: PATIENCE };
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "health and metrics are not served any more");
        }
    });
    Ok(Http { task, address })
}

impl Http {
    /// Where it is served, with its real port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it; its port is free on return.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn health(State(sources): State<Arc<Sources>>) -> Response {
    let version = env!("CARGO_PKG_VERSION");
    let (status, body) = match asked(&sources).await {
        Ok((info, tenure)) if info.keys.is_some() => (StatusCode::OK, described("up", version, &info, &tenure)),
        Ok((info, tenure)) => (StatusCode::SERVICE_UNAVAILABLE, described("store unusable", version, &info, &tenure)),
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, down(&sources.link, version, &failure)),
    };
    (status, [(CONTENT_TYPE, "application/json")], body.to_string() + "\n").into_response()
}

/// What the trusted application says of itself, and who holds the lease; or why that is not known.
async fn asked(sources: &Sources) -> Result<(TeeInfo, Tenure), String> {
    let ask = |call| sources.signer.ask(call, sources.health);
    let said = |failure: Failure| match (&failure, sources.silence) {
        // The queue is full behind a call that does not come back.
        (Failure::Deadline | Failure::Busy, Some(silence)) => format!("{failure}; {silence}"),
        _ => failure.to_string(),
    };
    let info = match ask(Call::Info).await.map_err(said)? {
        Reply::Info(info) => info,
        _ => return Err("it answers something else".into()),
    };
    match ask(Call::Lease(Claim::Look)).await.map_err(said)? {
        Reply::Lease(lease) => Ok((info, lease.tenure)),
        _ => Err("the daemon answers something else".into()),
    }
}

fn described(status: &str, version: &str, info: &TeeInfo, tenure: &Tenure) -> serde_json::Value {
    let lease = match tenure {
        Tenure::Held { holder, silent_ms, .. } => {
            json!({ "holder": holder.name(), "node": hex::encode(holder.node), "silent_ms": silent_ms })
        }
        // Nobody's: the daemon itself never holds it.
        Tenure::Free { .. } | Tenure::Yours => json!({ "holder": null, "node": null, "silent_ms": null }),
    };
    json!({
        "status": status,
        "version": version,
        "kind": info.kind,
        "simulated": info.simulated,
        "development": info.development,
        "ta_version": info.ta_version,
        "schema": info.schema,
        "rollback_protected": info.rollback_protected,
        "keys": info.keys,
        "lease": lease,
    })
}

fn down(link: &str, version: &str, reason: &str) -> serde_json::Value {
    json!({ "status": "down", "version": version, "link": link, "reason": reason })
}

async fn metrics(State(sources): State<Arc<Sources>>) -> Response {
    match sources.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Accepts so many connections at the same time, and none for ever.
struct Limited {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    patience: Duration,
}

/// A connection that ends when nothing was written to it for too long: only an answer earns more time, so sending a
/// request byte by byte does not hold it open.
struct Timed {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    patience: Duration,
    _slot: Option<OwnedSemaphorePermit>,
}

impl axum::serve::Listener for Limited {
    type Io = Timed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Timed, SocketAddr) {
        // `None` only if the semaphore were closed, which nobody does.
        let slot = self.slots.clone().acquire_owned().await.ok();
        // axum's own, which rests and tries again after an error.
        let (stream, peer) = axum::serve::Listener::accept(&mut self.listener).await;
        (Timed { stream, end: Box::pin(sleep(self.patience)), patience: self.patience, _slot: slot }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Timed {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(_))) {
            let end = Instant::now() + self.patience;
            self.end.as_mut().reset(end);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::serve::Listener;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn limited(slots: usize, patience: Duration) -> (Limited, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        (Limited { listener, slots: Arc::new(Semaphore::new(slots)), patience }, address)
    }

    #[tokio::test]
    async fn a_connection_that_is_owed_nothing_ends_however_it_drips() {
        let (mut listener, address) = limited(1, Duration::from_millis(20)).await;
        let mut client = TcpStream::connect(address).await.expect("connects");
        let (mut served, _) = listener.accept().await;
        let dripping = tokio::spawn(async move { while client.write_all(b"x").await.is_ok() {} });
        let mut buffer = [0; 64];
        let error = loop {
            match served.read(&mut buffer).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(served.write(b"late").await.expect_err("ended").kind(), io::ErrorKind::TimedOut);
        drop(served);
        dripping.await.expect("the client sees it closed");
    }

    #[tokio::test]
    async fn a_connection_too_many_waits_for_one_to_end() {
        let (mut listener, address) = limited(1, Duration::from_secs(3600)).await;
        let _first = TcpStream::connect(address).await.expect("connects");
        let (served, _) = listener.accept().await;
        let _second = TcpStream::connect(address).await.expect("is in the backlog");
        let slots = listener.slots.clone();
        assert_eq!(slots.available_permits(), 0);
        let waiting = tokio::spawn(async move { listener.accept().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(served);
        waiting.await.expect("accepted");
    }
}
