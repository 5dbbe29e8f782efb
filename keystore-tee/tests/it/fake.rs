//! A daemon made of bare sockets, which can say whatever it likes.

use std::{
    io::{Error, ErrorKind, Read, Result, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread::{self, JoinHandle},
};

use holdfast_protocol::message::{
    Call, Failure, Floor, FromDaemon, KeyId, KeyInfo, Reply, Request, Response, Scheme, TeeInfo, ToDaemon, Usage,
    Welcome, VERSION,
};
use keystore_tee::{Identity, Lease, TEEKeystore, Tenure};
use sp_core::{crypto::Pair, ed25519};

/// Bytes of ductile's handshake, the same from both sides.
const HANDSHAKE: usize = 4;

/// Listens on a socket of its own, and hands each connection with its number to a script, one at a time.
pub(crate) struct FakeDaemon {
    socket: PathBuf,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl FakeDaemon {
    pub(crate) fn start(mut script: impl FnMut(usize, Peer) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let socket = dir.path().join("host.sock");
        let listener = UnixListener::bind(&socket).expect("a free path");
        let stopping = Arc::<AtomicBool>::default();
        let thread = thread::spawn({
            let stopping = stopping.clone();
            move || {
                for (number, stream) in listener.incoming().flatten().enumerate() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    script(number, Peer { stream, budget: None });
                }
            }
        });
        Self { socket, stopping, thread: Some(thread), _dir: dir }
    }

    /// A keystore that connects here.
    pub(crate) fn keystore(&self) -> TEEKeystore {
        self.keystore_of(Identity::default())
    }

    /// As [`FakeDaemon::keystore`], of this node.
    pub(crate) fn keystore_of(&self, node: Identity) -> TEEKeystore {
        let keystore = TEEKeystore::deferred(&format!("unix://{}", self.socket.display()), node).expect("a valid URI");
        keystore.connect([7; 32]).expect("threads start");
        keystore
    }
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let woken = UnixStream::connect(&self.socket);
        // A script that failed has failed its test by what the keystore then saw.
        let _ = self.thread.take().map(JoinHandle::join);
        drop(woken);
    }
}

/// One connection. Whatever is written counts against the budget, and at its end the connection closes.
pub(crate) struct Peer {
    stream: UnixStream,
    pub(crate) budget: Option<usize>,
}

impl Peer {
    /// Shakes hands and welcomes the client.
    pub(crate) fn open(&mut self, tee: TeeInfo) -> Result<()> {
        self.shake_hands()?;
        let ToDaemon::Hello(_) = self.hear()? else { return Err(ErrorKind::InvalidData.into()) };
        self.say(&FromDaemon::Welcome(Welcome { version: VERSION, tee }))
    }

    /// ductile's handshake: the client's own bytes are the right answer.
    pub(crate) fn shake_hands(&mut self) -> Result<()> {
        let mut magic = [0; HANDSHAKE];
        self.stream.read_exact(&mut magic)?;
        self.write(&magic)
    }

    pub(crate) fn hear(&mut self) -> Result<ToDaemon> {
        let mut head = [0; 12];
        self.stream.read_exact(&mut head)?;
        let (kind, length) = head.split_at(4);
        assert_eq!(kind, [0; 4], "the client sends messages only");
        let length = u64::from_le_bytes(length.try_into().expect("8 bytes"));
        let mut body = vec![0; length as usize];
        self.stream.read_exact(&mut body)?;
        bincode::deserialize(&body).map_err(Error::other)
    }

    pub(crate) fn request(&mut self) -> Result<Request> {
        match self.hear()? {
            ToDaemon::Request(request) => Ok(request),
            ToDaemon::Hello(_) => Err(ErrorKind::InvalidData.into()),
        }
    }

    pub(crate) fn say(&mut self, message: &FromDaemon) -> Result<()> {
        self.frame(&bincode::serialize(message).expect("plain data"))
    }

    pub(crate) fn answer(&mut self, id: u64, result: std::result::Result<Reply, Failure>) -> Result<()> {
        self.say(&FromDaemon::Response(Response { id, result }))
    }

    /// A frame of ductile around any bytes.
    pub(crate) fn frame(&mut self, body: &[u8]) -> Result<()> {
        self.write(&[&[0; 4][..], &(body.len() as u64).to_le_bytes(), body].concat())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let taken = self.budget.map_or(bytes.len(), |budget| budget.min(bytes.len()));
        self.stream.write_all(&bytes[..taken])?;
        self.budget = self.budget.map(|budget| budget - taken);
        if taken < bytes.len() {
            return Err(ErrorKind::WriteZero.into());
        }
        Ok(())
    }

    /// Waits until the client closes, and throws away what it says.
    pub(crate) fn wait_closed(&mut self) {
        let mut sink = [0; 1024];
        while matches!(self.stream.read(&mut sink), Ok(length) if length > 0) {}
    }

    /// Serves as a good daemon does, with one key, until the connection closes. Returns the calls that it answered.
    pub(crate) fn serve(&mut self) -> Vec<Call> {
        self.serve_tee(tee())
    }

    pub(crate) fn serve_tee(&mut self, tee: TeeInfo) -> Vec<Call> {
        let mut calls = Vec::new();
        self.serve_with(tee.clone(), |call| {
            calls.push(call.clone());
            honest(call, &tee)
        });
        calls
    }

    /// Opens the conversation and answers what it is told to, until the connection closes.
    pub(crate) fn serve_with(
        &mut self,
        tee: TeeInfo,
        mut answer: impl FnMut(Call) -> std::result::Result<Reply, Failure>,
    ) {
        let serve = || -> Result<()> {
            self.open(tee)?;
            loop {
                let Request { id, call, .. } = self.request()?;
                self.answer(id, answer(call))?;
            }
        };
        let _closed = serve();
    }

    /// Opens the conversation and answers well until a signature is asked for, and leaves that to the caller.
    pub(crate) fn until_signature(&mut self) -> Result<(u64, Vec<u8>)> {
        self.open(tee())?;
        self.next_signature()
    }

    /// Answers well until a signature is asked for.
    pub(crate) fn next_signature(&mut self) -> Result<(u64, Vec<u8>)> {
        loop {
            match self.request()? {
                Request { id, call: Call::Sign { message, .. }, .. } => return Ok((id, message)),
                Request { id, call, .. } => self.answer(id, honest(call, &tee()))?,
            }
        }
    }
}

/// What a good daemon answers.
pub(crate) fn honest(call: Call, tee: &TeeInfo) -> std::result::Result<Reply, Failure> {
    match call {
        Call::Info => Ok(Reply::Info(tee.clone())),
        Call::List { after: None } => {
            let key = |key_type: &[u8; 4]| KeyInfo {
                id: KeyId { scheme: Scheme::Ed25519, key_type: *key_type, public: pair().public().0.to_vec() },
                usage: Usage::Sign,
                seeded: false,
            };
            Ok(Reply::Keys { keys: vec![key(b"gran"), key(b"test")], more: false })
        }
        Call::Lease(_) => Ok(lease(Tenure::Yours)),
        Call::Watermarks { .. } => {
            Ok(Reply::Watermarks { floor: Floor::default(), watermarks: Vec::new(), more: false })
        }
        Call::Sign { message, .. } => Ok(Reply::Signature(pair().sign(&message).0.to_vec())),
        _ => Err(Failure::BadRequest("the fake daemon does not do this".into())),
    }
}

/// A lease that is asked for often.
pub(crate) fn lease(tenure: Tenure) -> Reply {
    Reply::Lease(Lease { tenure, lasts_ms: 200, last_vote: None, last_slot: None })
}

/// The key of the fake daemon.
pub(crate) fn pair() -> ed25519::Pair {
    ed25519::Pair::from_seed(&[42; 32])
}

pub(crate) fn tee() -> TeeInfo {
    TeeInfo {
        ta_version: 1,
        schema: 1,
        kind: "fake".into(),
        simulated: true,
        development: true,
        keys: Some(2),
        catalogue: 1,
        rollback_protected: false,
    }
}
