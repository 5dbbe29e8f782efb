//! The node's half: one connection for any number of callers.
//!
//! A caller writes its request to the socket itself; one thread reads the answers and wakes the callers they belong
//! to. A deadline that passes leaves the connection as it is: a daemon that was stopped answers late, and what comes
//! late is told by its id and dropped. An answer that nobody has asked for closes the connection.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

mod calls;
mod connection;
mod hub;

use hub::Hub;

use crate::endpoint::Endpoint;
use crate::lease::Identity;
use crate::message::{Call, Failure, Rejection, Reply, TeeInfo, Visitor, MAX_DEADLINE_MS};

/// Longer than anybody waits, and short enough to be added to a time.
const A_LIFETIME: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The longest deadline of a request, and a margin for the way there and back.
const ASK_AGAIN: Duration = Duration::from_millis(MAX_DEADLINE_MS as u64 + 5_000);

/// How long a caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until then. Without a connection, and when the connection breaks, the call fails at once.
    Deadline(Instant),
    /// Until there is an answer, through any absence of the daemon: the call is sent again on every new connection,
    /// when the daemon is too busy for it, and after [`ClientOptions::ask_again`]. Only [`Client::close`] ends it
    /// otherwise.
    Answered,
}

/// What there is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// [`Client::connect`] has not been called.
    Deferred,
    /// The first attempt is under way.
    Connecting,
    /// The daemon answers; what its trusted application last said of itself.
    Up(TeeInfo),
    /// The connection stands, but an answer is overdue. The next thing to arrive makes it [`State::Up`] again.
    Unresponsive,
    /// No connection; attempts go on, at most a second after the end of the one before.
    Down(Unreachable),
    /// [`Client::close`] was called.
    Closed,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// [`Client::connect`] has not been called.
    #[error("the connection to the daemon has not been started")]
    Deferred,
    /// The daemon does not want this client.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It could not be made, or broke.
    #[error("{0}")]
    Connection(String),
}

/// Why a call brought no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no connection, or it broke before the answer came: the call may or may not have been done.
    #[error("the daemon cannot be reached: {0}")]
    Unreachable(#[from] Unreachable),
    /// No answer in time: the call may or may not have been done. The connection is kept.
    #[error("the daemon did not answer in time")]
    Deadline,
    /// The client was closed.
    #[error("the connection to the daemon was closed by this program")]
    Closed,
    /// The daemon answered that it was not done.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The call does not fit the protocol.
    #[error("{0}")]
    Protocol(String),
}

/// What a client can be told beforehand.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// Which node this is.
    pub identity: Identity,
    /// Runs first on the client's thread; what it returns is dropped at the thread's end. In a node:
    /// `|| Box::new(sp_panic_handler::AbortGuard::never_abort())`.
    pub thread_setup: Option<fn() -> Box<dyn Any>>,
    /// A TCP connection, or one that takes no more bytes, is given up after so long without an answer.
    pub give_up: Duration,
    /// A call [`Until::Answered`] is put again after so long without its answer. Longer than the deadline that goes
    /// with it, so that a daemon that keeps to the protocol has answered or dropped it by then.
    pub ask_again: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            identity: Identity::default(),
            thread_setup: None,
            give_up: Duration::from_secs(30),
            ask_again: ASK_AGAIN,
        }
    }
}

/// A connection to the daemon, shared by reference. Dropping it closes it.
pub struct Client {
    hub: Arc<Hub>,
    /// Held while the thread is started or joined.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Client {
    /// A client of the daemon at `endpoint`; does nothing yet.
    pub fn new(endpoint: Endpoint) -> Client {
        Client::with_options(endpoint, ClientOptions::default())
    }

    /// As [`Client::new`].
    pub fn with_options(endpoint: Endpoint, options: ClientOptions) -> Client {
        Client { hub: Arc::new(Hub::new(endpoint, options)), thread: Mutex::new(None) }
    }

    /// Where the daemon is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.hub.endpoint
    }

    /// Starts the one thread that connects, reads answers and connects again, for a node of the chain with this genesis
    /// hash. Returns at once. A second call, and one after [`Client::close`], changes nothing.
    pub fn connect(&self, genesis: [u8; 32]) -> io::Result<()> {
        self.connect_as(Visitor::Node { genesis, identity: self.hub.options.identity })
    }

    /// As [`Client::connect`], for an operator's program, which signs for no chain.
    pub fn connect_as_operator(&self) -> io::Result<()> {
        self.connect_as(Visitor::Operator)
    }

    fn connect_as(&self, visitor: Visitor) -> io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_some() || !self.hub.begin() {
            return Ok(());
        }
        let hub = self.hub.clone();
        let started =
            thread::Builder::new().name("holdfast-client".into()).spawn(move || connection::run(hub, visitor));
        match started {
            Ok(handle) => {
                *thread = Some(handle);
                Ok(())
            }
            Err(error) => {
                self.hub.defer();
                Err(error)
            }
        }
    }

    /// Asks, and waits for the answer.
    pub fn call(&self, call: Call, until: Until) -> Result<Reply, CallError> {
        self.hub.call(call, until)
    }

    /// What there is at the other end, as far as is known. A daemon that stops while nobody asks it anything is
    /// noticed within four seconds.
    pub fn state(&self) -> State {
        self.hub.state()
    }

    /// Calls `listener` with the state now, and with every later one, in order; states that pass quickly may be left
    /// out. It must not block, nor call [`Client::on_change`], [`Client::call`] or [`Client::close`].
    pub fn on_change(&self, listener: impl FnMut(&State) + Send + 'static) {
        self.hub.listen(Box::new(listener));
    }

    /// Waits until the daemon answers. At the end of `timeout` the error says what is in the way.
    pub fn wait_up(&self, timeout: Duration) -> Result<TeeInfo, CallError> {
        let now = Instant::now();
        self.hub.wait_up(now.checked_add(timeout).unwrap_or(now + A_LIFETIME))
    }

    /// Closes for good: every caller gets [`CallError::Closed`], and the thread has ended on return, within a second.
    pub fn close(&self) {
        self.hub.close();
        let mut thread = self.thread.lock();
        if let Some(handle) = thread.take() {
            // It has nothing to return; a panic has been reported by the panic hook.
            let _ = handle.join();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}
