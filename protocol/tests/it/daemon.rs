//! A daemon for tests: any number of connections, and one function that answers.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use holdfast_protocol::server::{self, Responder};
use holdfast_protocol::{
    Call, Client, ClientOptions, Context, Endpoint, Failure, Identity, KeyId, Rejection, Reply, Request, Response,
    Scheme, TeeInfo, Until, Visitor, Welcome, VERSION,
};

/// The chain that the daemon serves.
pub(crate) const GENESIS: [u8; 32] = [7; 32];

/// The node that [`client`] is, and what it says of itself.
static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::new([8; 32], "one"));
pub(crate) static VISITOR: LazyLock<Visitor> =
    LazyLock::new(|| Visitor::Node { genesis: GENESIS, identity: *IDENTITY });

/// What answers a request: now, later, or from another thread.
pub(crate) type Answer = dyn Fn(Request, &Responder) + Send + Sync;

/// A daemon that listens until it is dropped.
pub(crate) struct Daemon {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    responders: Arc<Mutex<Vec<Responder>>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    pub(crate) fn start(path: &Path, answer: impl Fn(Request, &Responder) + Send + Sync + 'static) -> Daemon {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        let (stop, responders) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, connections, answer) = (stop.clone(), responders.clone(), Arc::new(answer));
        let thread = thread::spawn(move || {
            let mut threads = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (stopped, connections, answer) = (stopped.clone(), connections.clone(), answer.clone());
                threads.push(thread::spawn(move || serve(stream.unwrap(), &stopped, &connections, &*answer)));
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        Daemon { path: path.into(), stop, responders, thread: Some(thread) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(UnixStream::connect(&self.path));
        std::fs::remove_file(&self.path).unwrap();
        self.responders.lock().unwrap().drain(..).for_each(|responder| responder.close());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(stream: UnixStream, stopped: &AtomicBool, responders: &Mutex<Vec<Responder>>, answer: &Answer) {
    let Ok((hello, pending)) = server::accept(stream, soon()) else { return };
    if !matches!(hello.visitor, Visitor::Operator | Visitor::Node { genesis: GENESIS, .. }) {
        let _ = pending.reject(Rejection::Genesis(GENESIS));
        return;
    }
    let Ok((mut requests, responder)) = pending.welcome(Welcome { version: VERSION, tee: info() }) else { return };
    responders.lock().unwrap().push(responder.clone());
    if stopped.load(Ordering::SeqCst) {
        return;
    }
    while let Ok(Some(request)) = requests.next() {
        answer(request, &responder);
    }
}

/// Answers `Info`, and a `Sign` with its own message.
pub(crate) fn echo(request: Request, responder: &Responder) {
    let result = match request.call {
        Call::Info => Ok(Reply::Info(info())),
        Call::Sign { message, .. } => Ok(Reply::Signature(message)),
        _ => Err(Failure::NoSuchKey),
    };
    // An error says that the client has gone.
    let _ = responder.send(Response { id: request.id, result });
}

pub(crate) fn info() -> TeeInfo {
    TeeInfo {
        ta_version: 1,
        schema: 1,
        kind: "software TEE, not a TEE".into(),
        simulated: true,
        development: true,
        keys: Some(2),
        catalogue: 3,
        rollback_protected: false,
    }
}

pub(crate) fn sign(message: &[u8]) -> Call {
    let key = KeyId { scheme: Scheme::Sr25519, key_type: *b"test", public: vec![1; 32] };
    Call::Sign { key, message: message.into(), context: Context::None }
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

pub(crate) fn until_soon() -> Until {
    Until::Deadline(soon())
}

/// A directory, the path of a socket in it, and a client for that.
pub(crate) fn client() -> (tempfile::TempDir, PathBuf, Client) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let options = ClientOptions { identity: *IDENTITY, ..ClientOptions::default() };
    let client = Client::with_options(Endpoint::unix(&path).unwrap(), options);
    (directory, path, client)
}
