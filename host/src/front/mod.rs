//! Where nodes connect: sockets, limits, handshakes. Knows the [`Signer`], and nothing of what is behind it.

mod connection;
mod places;
mod unix;

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
    },
    time::Duration,
};

use holdfast_protocol::Stream;
use places::Places;
use rustix::net::Shutdown;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    config::{Config, Loopback, ValueError},
    lease::Connection,
    metrics::Metrics,
    worker::Signer,
};

/// How long accepting rests when the system has no descriptors or memory for a connection.
const BREATH: Duration = Duration::from_millis(100);

/// Why the daemon cannot listen. The message holds its cause, which is not in the chain of sources again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// No socket can have this path.
    #[error(transparent)]
    Path(#[from] ValueError),
    /// A daemon answers there.
    #[error("a daemon already answers on {}: stop it, or give this one another --socket", .0.display())]
    Taken(PathBuf),
    /// A daemon holds the socket's lock.
    #[error("a daemon already holds the lock of {} (beside it, .lock): stop it, or give this one another --socket", .0.display())]
    Locked(PathBuf),
    /// Something that is not a socket is there.
    #[error("{} is there and is not a socket: move it away, or choose another --socket", .0.display())]
    NotASocket(PathBuf),
    /// The directory is missing.
    #[error(
        "the directory of {} is not there: as the daemon's user run `install -d -m 0700 {}`, or choose another --socket",
        .0.display(), .0.parent().unwrap_or(.0).display()
    )]
    NoDirectory(PathBuf),
    /// The system does not let it.
    #[error("no socket can be made at {}: {cause}; the daemon's user must be able to write to its directory", path.display())]
    Unix {
        /// The socket.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The system does not let it.
    #[error("cannot listen on {address}: {cause}; choose another port with {flag}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// The flag that names it.
        flag: &'static str,
        /// Why.
        cause: io::Error,
    },
}

/// The open sockets. Dropping it closes them, and every connection.
pub(crate) struct Front {
    shared: Arc<Shared>,
    accepting: Vec<JoinHandle<()>>,
    _socket: unix::Bound,
    tcp: Option<SocketAddr>,
    unauthenticated_tcp: Option<SocketAddr>,
}

/// What all connections have in common.
struct Shared {
    signer: Signer,
    metrics: Arc<Metrics>,
    /// The only chain that is served, once it is known.
    genesis: OnceLock<[u8; 32]>,
    handshake: Duration,
    limit: usize,
    /// Why the last node was rejected, until one is welcome.
    rejection: Mutex<Option<String>>,
    /// Open connections, by number.
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
    count: watch::Sender<usize>,
    stopping: AtomicBool,
    drained: Mutex<bool>,
    on_drained: Condvar,
}

/// What is needed to shut down a connection.
struct Open {
    handle: OwnedFd,
    places: Arc<Places>,
}

/// A place among the connections; dropping it frees it.
struct Slot {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    places: Arc<Places>,
}

/// Who opened a Unix socket, as the kernel knows.
///
/// tokio tells it, since rustix has no pid 0, which is what the kernel says of a process that this one's container does
/// not show.
#[derive(Clone, Copy, Debug)]
struct Peer {
    pid: Option<i32>,
    uid: u32,
}

/// A client that has just connected.
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Front {
    /// Binds the sockets and starts to accept, on the caller's tokio runtime.
    pub(crate) async fn start(config: &Config, signer: Signer, metrics: Arc<Metrics>) -> Result<Front, ListenError> {
        let (unix, socket) = unix::bind(&config.socket, config.socket_mode)?;
        let failed = |cause| ListenError::Unix { path: config.socket.clone(), cause };
        unix.set_nonblocking(true).map_err(failed)?;
        let unix = UnixListener::from_std(unix).map_err(failed)?;
        let tcp = listen(config.tcp.map(Loopback::address), "--tcp").await?;
        let anywhere = listen(config.unauthenticated_tcp.map(|address| address.0), "--unauthenticated-tcp").await?;
        let shared = Arc::new(Shared::new(config, signer, metrics));
        let mut front = Front { shared, accepting: Vec::new(), _socket: socket, tcp: None, unauthenticated_tcp: None };
        let shared = front.shared.clone();
        front.accepting.push(tokio::spawn(async move {
            loop {
                let accepted = unix.accept().await.and_then(|(stream, _)| {
                    let peer = stream.peer_cred().ok().map(|peer| Peer { pid: peer.pid(), uid: peer.uid() });
                    Ok((stream.into_std()?, peer))
                });
                match accepted {
                    Ok((stream, peer)) => connection::open(&shared, Socket::Unix(stream), peer),
                    Err(error) => rest(error).await,
                }
            }
        }));
        if let Some((listener, address)) = tcp {
            tracing::warn!(%address, "TCP is not authenticated: every user of this machine can ask for signatures");
            front.tcp = Some(address);
            front.accept(listener);
        }
        if let Some((listener, address)) = anywhere {
            tracing::warn!(
                %address,
                "UNAUTHENTICATED TCP: whoever can reach this address can have anything signed that the trusted \
                 application's policy allows, and nothing encrypts or authenticates it. It is for a guest whose port \
                 the emulator forwards to the host's loopback: never use it with keys that are worth something"
            );
            front.unauthenticated_tcp = Some(address);
            front.accept(listener);
        }
        Ok(front)
    }

    /// The loopback TCP address, with its real port.
    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// The other TCP address, with its real port.
    pub(crate) fn unauthenticated_tcp(&self) -> Option<SocketAddr> {
        self.unauthenticated_tcp
    }

    /// Accepts nobody any more. Connections go on until the signer takes no more requests.
    pub(crate) async fn quiesce(&mut self) {
        for task in self.accepting.drain(..) {
            task.abort();
            let _ = task.await;
        }
        self.shared.stopping.store(true, Ordering::SeqCst);
    }

    /// Closes every connection, now that all answers have been sent, and waits so long for their threads.
    pub(crate) async fn close(self, patience: Duration) {
        self.shared.shut_down();
        let mut count = self.shared.count.subscribe();
        let _ = tokio::time::timeout(patience, count.wait_for(|count| *count == 0)).await;
    }

    fn accept(&mut self, listener: TcpListener) {
        let shared = self.shared.clone();
        self.accepting.push(tokio::spawn(async move {
            loop {
                match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => connection::open(&shared, Socket::Tcp(stream), None),
                    Err(error) => rest(error).await,
                }
            }
        }));
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.shut_down();
    }
}

impl Shared {
    fn new(config: &Config, signer: Signer, metrics: Arc<Metrics>) -> Shared {
        Shared {
            signer,
            metrics,
            genesis: config.genesis.map_or_else(OnceLock::new, |genesis| OnceLock::from(genesis.0)),
            handshake: Duration::from_millis(config.limits.handshake_ms),
            limit: usize::try_from(config.limits.connections).unwrap_or(usize::MAX),
            rejection: Mutex::default(),
            open: Mutex::default(),
            next: AtomicU64::new(0),
            count: watch::Sender::new(0),
            stopping: AtomicBool::new(false),
            drained: Mutex::new(false),
            on_drained: Condvar::new(),
        }
    }

    /// A place for one more connection, if there is one.
    fn admit(self: &Arc<Shared>, socket: &Socket) -> io::Result<Option<Slot>> {
        let handle = socket.handle()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open();
        if open.len() >= self.limit || self.stopping.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let places = Arc::<Places>::default();
        open.insert(number, Open { handle, places: places.clone() });
        self.counted(open.len());
        Ok(Some(Slot { shared: self.clone(), connection: Arc::new(Connection::new(number)), places }))
    }

    fn shut_down(&self) {
        *self.drained.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.on_drained.notify_all();
        for Open { handle, places } in self.open().values() {
            places.close();
            // A connection that is already gone says so; nothing is left to do.
            let _ = rustix::net::shutdown(handle, Shutdown::Both);
        }
    }

    fn counted(&self, open: usize) {
        self.metrics.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
        self.count.send_replace(open);
    }

    /// Waits until a stopping daemon has sent the answers to all requests that it took.
    fn wait_until_drained(&self) {
        let drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner);
        let _done = self.on_drained.wait_while(drained, |drained| !*drained);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connection.close();
        let mut open = self.shared.open();
        open.remove(&self.connection.number);
        self.shared.counted(open.len());
    }
}

impl Socket {
    fn handle(&self) -> io::Result<OwnedFd> {
        match self {
            Socket::Unix(stream) => stream.as_fd(),
            Socket::Tcp(stream) => stream.as_fd(),
        }
        .try_clone_to_owned()
    }
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Stream {
        match socket {
            Socket::Unix(stream) => stream.into(),
            Socket::Tcp(stream) => stream.into(),
        }
    }
}

/// Listens where this flag says, if it does.
async fn listen(
    address: Option<SocketAddr>,
    flag: &'static str,
) -> Result<Option<(TcpListener, SocketAddr)>, ListenError> {
    let Some(address) = address else { return Ok(None) };
    let failed = |cause| ListenError::Tcp { address, flag, cause };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some((listener, address)))
}

async fn rest(error: io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(BREATH).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        stuck::Busy,
        worker::{self, Lessor},
        InProcess,
    };
    use holdfast_ta_soft::SoftTee;
    use places::PLACES;

    #[test]
    fn a_connection_that_waits_for_a_place_is_let_go_when_all_are_closed() {
        let metrics = Arc::new(Metrics::new());
        let link = Box::new(InProcess::new(SoftTee::in_memory()));
        let (signer, _worker) =
            worker::start(link, 1, Lessor::new(Duration::from_secs(1)), None, Busy::new(None), metrics.clone())
                .expect("a thread");
        let shared = Arc::new(Shared::new(&Config::default(), signer, metrics));
        let (ours, _theirs) = UnixStream::pair().expect("sockets");
        let slot = shared.admit(&Socket::Unix(ours)).expect("a handle").expect("room");
        let _held: Vec<_> = (0..PLACES).filter_map(|_| slot.places.take()).collect();
        let places = slot.places.clone();
        let waiting = std::thread::spawn(move || places.take().is_none());
        shared.shut_down();
        assert!(waiting.join().expect("no panic"));
    }
}
