//! Daemons to test, links under a test's control, and clients.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::mpsc::{channel, Receiver, Sender},
    time::{Duration, Instant},
};

use codec::Encode;
use holdfast_host::{Config, Daemon, InProcess, Link, LinkError, StartError};
use holdfast_protocol::{
    lease::{Claim, Identity, Lease, Tenure},
    message::{Call, Context, Floor, KeyId, KeyInfo, Position, Reply, Scheme, Usage, Watermark},
    CallError, Client, ClientOptions, Endpoint, Until,
};
use holdfast_ta as ta;
use holdfast_ta_soft::SoftTee;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Longer than anything takes on a busy machine; reached only by a test that fails.
pub(crate) const LONG: Duration = Duration::from_secs(120);
pub(crate) const GENESIS: [u8; 32] = [0x11; 32];

/// A daemon in this process, with a runtime and a directory of its own.
pub(crate) struct Running {
    pub(crate) runtime: Runtime,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) home: TempDir,
}

pub(crate) fn soft() -> Box<dyn Link> {
    Box::new(InProcess::new(SoftTee::in_memory()))
}

impl Running {
    pub(crate) fn start(link: Box<dyn Link>) -> Running {
        Running::with(link, |_| ())
    }

    pub(crate) fn with(link: Box<dyn Link>, edit: impl FnOnce(&mut Config)) -> Running {
        Running::try_with(link, edit).expect("the daemon starts")
    }

    pub(crate) fn try_with(link: Box<dyn Link>, edit: impl FnOnce(&mut Config)) -> Result<Running, StartError> {
        let home = tempfile::tempdir().expect("a directory");
        let mut config = Config::embedded(home.path().join("host.sock"));
        // No node lapses in a test that does not mean it to.
        config.lease_ms = 600_000;
        edit(&mut config);
        let runtime = Runtime::new().expect("a runtime");
        let daemon = runtime.block_on(Daemon::start(&config, link))?;
        Ok(Running { runtime, daemon: Some(daemon), home })
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("running")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.daemon().socket().to_owned()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.daemon().http().expect("HTTP is on")
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.daemon().tcp().expect("TCP is on")
    }

    pub(crate) fn client(&self) -> Client {
        client(&self.socket())
    }

    /// A node with this identity, up.
    pub(crate) fn node(&self, identity: Identity) -> Client {
        let client = self.options(identity);
        client.connect(GENESIS).expect("a thread");
        client.wait_up(LONG).expect("up");
        client
    }

    /// An operator's program, up.
    pub(crate) fn operator(&self) -> Client {
        let client = self.options(Identity::default());
        client.connect_as_operator().expect("a thread");
        client.wait_up(LONG).expect("up");
        client
    }

    fn options(&self, identity: Identity) -> Client {
        let options = ClientOptions { identity, ..ClientOptions::default() };
        Client::with_options(Endpoint::unix(self.socket()).expect("an endpoint"), options)
    }

    pub(crate) fn raw(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).expect("connects");
        stream.set_read_timeout(Some(LONG)).expect("set");
        stream
    }

    pub(crate) fn stop(&mut self) -> bool {
        self.runtime.block_on(self.daemon.take().expect("running").stop())
    }
}

/// A client that is up.
pub(crate) fn client(socket: &Path) -> Client {
    let client = connecting(Endpoint::unix(socket).expect("an endpoint"), GENESIS);
    client.wait_up(LONG).expect("up");
    client
}

pub(crate) fn connecting(endpoint: Endpoint, genesis: [u8; 32]) -> Client {
    let client = Client::new(endpoint);
    client.connect(genesis).expect("a thread");
    client
}

pub(crate) fn soon() -> Until {
    Until::Deadline(Instant::now() + Duration::from_secs(59))
}

/// Makes a key that signs anything.
pub(crate) fn make_key(client: &Client) -> KeyInfo {
    let call = Call::Generate { scheme: Scheme::Ed25519, key_type: *b"test", usage: Usage::Sign, seed: None };
    match client.call(call, soon()) {
        Ok(Reply::Generated(info)) => info,
        other => panic!("{other:?}"),
    }
}

/// Makes a session key of GRANDPA's.
pub(crate) fn make_gran(client: &Client) -> KeyId {
    let call = Call::Generate { scheme: Scheme::Ed25519, key_type: *b"gran", usage: Usage::Sign, seed: None };
    match client.call(call, soon()) {
        Ok(Reply::Generated(info)) => info.id,
        other => panic!("{other:?}"),
    }
}

/// A prevote in this round of set 1.
pub(crate) fn vote(round: u64) -> Vec<u8> {
    [&[0][..], &[2; 36], &round.to_le_bytes(), &1u64.to_le_bytes()].concat()
}

/// Asks for a signature, and verifies it if there is one.
pub(crate) fn try_sign(client: &Client, key: &KeyId, message: &[u8]) -> Result<(), CallError> {
    let call = Call::Sign { key: key.clone(), message: message.to_vec(), context: Context::None };
    match client.call(call, soon())? {
        Reply::Signature(signature) => verify(key, message, &signature),
        other => panic!("{other:?}"),
    }
    Ok(())
}

/// Claims the lease.
pub(crate) fn claim(client: &Client, claim: Claim) -> Lease {
    match client.call(Call::Lease(claim), soon()) {
        Ok(Reply::Lease(lease)) => lease,
        other => panic!("{other:?}"),
    }
}

/// Whether a claim is granted.
pub(crate) fn gets(client: &Client, what: Claim) -> bool {
    claim(client, what).tenure == Tenure::Yours
}

/// Waits until it is so; no event tells of it.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < end, "never {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Signs and verifies.
pub(crate) fn sign(client: &Client, key: &KeyId, message: &[u8]) {
    sign_until(client, key, message, soon());
}

/// As [`sign`], through any absence of the daemon.
pub(crate) fn sign_in_the_end(client: &Client, key: &KeyId, message: &[u8]) {
    sign_until(client, key, message, Until::Answered);
}

fn sign_until(client: &Client, key: &KeyId, message: &[u8], until: Until) {
    let call = Call::Sign { key: key.clone(), message: message.to_vec(), context: Context::None };
    match client.call(call, until) {
        Ok(Reply::Signature(signature)) => verify(key, message, &signature),
        other => panic!("{other:?}"),
    }
}

fn verify(key: &KeyId, message: &[u8], signature: &[u8]) {
    let public = key.public.as_slice().try_into().expect("32 bytes");
    ed25519_dalek::VerifyingKey::from_bytes(public)
        .expect("a key")
        .verify_strict(message, &signature.try_into().expect("64 bytes"))
        .expect("its signature");
}

/// A link that answers what the daemon itself asks at its start and its end at once, and anything else only when it is
/// told to.
pub(crate) struct Puppet {
    called: Sender<()>,
    told: Receiver<Told>,
}

/// What a [`Puppet`] does with a call.
pub(crate) enum Told {
    /// Says that the key is there.
    Answer,
    /// Answers so.
    Bytes(Vec<u8>),
    /// Panics.
    Panic,
}

/// The other end of a [`Puppet`].
pub(crate) struct Strings {
    /// Something for each call that reached it.
    pub(crate) called: Receiver<()>,
    /// What it is to do next. Dropped, every call fails.
    pub(crate) tell: Sender<Told>,
}

pub(crate) fn puppet() -> (Box<dyn Link>, Strings) {
    let (report, called) = channel();
    let (tell, told) = channel();
    (Box::new(Puppet { called: report, told }), Strings { called, tell })
}

impl Strings {
    /// Waits for a call to reach the link.
    pub(crate) fn wait_for_call(&self) {
        self.called.recv_timeout(LONG).expect("a call");
    }

    pub(crate) fn tell(&self, told: Told) {
        self.tell.send(told).expect("the link is there");
    }
}

impl Link for Puppet {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        let asks = |command| request == ta::Request::V1(command).encode();
        if asks(ta::Command::Close) {
            return Ok(ta::Answer::V1(Ok(ta::Reply::Closed)).encode());
        }
        if asks(ta::Command::Watermarks { after: None, limit: ta::MAX_PAGE }) {
            let (floor, watermarks) = (ta::Positions::default(), Vec::new());
            return Ok(ta::Answer::V1(Ok(ta::Reply::Watermarks { floor, watermarks, more: false })).encode());
        }
        if asks(ta::Command::Info) {
            let info = ta::Info {
                ta_version: 1,
                schema: 1,
                kind: ta::Kind::OpTee,
                development: false,
                keys: Some(0),
                catalogue: 0,
                rollback_protected: true,
                capacity: ta::MAX_KEYS,
            };
            return Ok(ta::Answer::V1(Ok(ta::Reply::Info(info))).encode());
        }
        let _ = self.called.send(());
        match self.told.recv() {
            Ok(Told::Answer) => Ok(ta::Answer::V1(Ok(ta::Reply::Has(true))).encode()),
            Ok(Told::Bytes(bytes)) => Ok(bytes),
            Ok(Told::Panic) => panic!("as told"),
            Err(_) => Err(LinkError::Broken("nobody holds the strings".into())),
        }
    }

    fn name(&self) -> String {
        "a puppet".into()
    }
}

/// Asks for a key; a [`Puppet`] does with it as it is told.
pub(crate) fn has() -> Call {
    Call::Has(KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![7; 32] })
}

/// The greeting of a ductile that does not encrypt, always the same.
pub(crate) const MAGIC: [u8; 4] = [2, 104, 108, 57];

/// A frame of ductile with this message.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    [&[0; 4][..], &(message.len() as u64).to_le_bytes(), message].concat()
}

/// The version of the protocol.
pub(crate) const VERSION: u16 = 4;
/// The process of every raw client.
pub(crate) const RAW_PROCESS: [u8; 16] = [0x33; 16];

/// A hello of a node without a name, in a frame.
pub(crate) fn hello(version: u16, genesis: [u8; 32]) -> Vec<u8> {
    hello_as(version, genesis, [0x22; 32], RAW_PROCESS, [0; 32])
}

/// A hello of a node, in a frame.
pub(crate) fn hello_as(version: u16, genesis: [u8; 32], node: [u8; 32], process: [u8; 16], name: [u8; 32]) -> Vec<u8> {
    frame(&[&[0; 4][..], &version.to_le_bytes(), &[0; 4], &genesis, &node, &process, &name].concat())
}

/// A request with a deadline of a minute, in a frame, by the index of its call and what follows that.
pub(crate) fn request(id: u64, call: u32, rest: &[u8]) -> Vec<u8> {
    request_within(60_000, id, call, rest)
}

/// A request with a deadline in milliseconds.
pub(crate) fn request_within(deadline: u32, id: u64, call: u32, rest: &[u8]) -> Vec<u8> {
    let head = [&1u32.to_le_bytes()[..], &id.to_le_bytes(), &deadline.to_le_bytes(), &call.to_le_bytes()].concat();
    frame(&[&head[..], rest].concat())
}

/// [`has`], in a frame.
pub(crate) fn has_frame(id: u64) -> Vec<u8> {
    request(id, 3, &[&1u32.to_le_bytes()[..], b"gran", &32u64.to_le_bytes(), &[7; 32]].concat())
}

/// A claim to the lease by its index, in a frame.
pub(crate) fn claim_frame(id: u64, claim: u32) -> Vec<u8> {
    request(id, 9, &claim.to_le_bytes())
}

/// Has a watermark raised.
pub(crate) fn raise(client: &Client, key: &KeyId, to: Position) -> Result<Reply, CallError> {
    client.call(Call::RaiseWatermark { key: key.clone(), to }, soon())
}

/// The floor, and each key's watermark.
pub(crate) fn watermarks(client: &Client) -> (Floor, Vec<Watermark>) {
    match client.call(Call::Watermarks { after: None }, soon()) {
        Ok(Reply::Watermarks { floor, watermarks, more: false }) => (floor, watermarks),
        other => panic!("{other:?}"),
    }
}

/// A request to sign with an ed25519 key, in a frame.
pub(crate) fn sign_frame(id: u64, key: &KeyId, message: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| (bytes.len() as u64).to_le_bytes();
    let key = [&1u32.to_le_bytes()[..], &key.key_type, &length(&key.public), &key.public].concat();
    request(id, 4, &[&key[..], &length(message), message, &[0; 4]].concat())
}

/// Whether a response grants the lease.
pub(crate) fn is_yours(response: &[u8], id: u64) -> bool {
    // Response (2): ok (0), lease (8), yours (0).
    let yours = [&2u32.to_le_bytes()[..], &id.to_le_bytes(), &0u32.to_le_bytes(), &8u32.to_le_bytes(), &[0; 4]];
    response.starts_with(&yours.concat())
}

/// Whether a response is a signature.
pub(crate) fn is_signature(response: &[u8], id: u64) -> bool {
    // Response (2): ok (0), signature (4).
    let head = [&2u32.to_le_bytes()[..], &id.to_le_bytes(), &0u32.to_le_bytes(), &4u32.to_le_bytes()].concat();
    response.starts_with(&head)
}

/// A request for the first page of keys.
pub(crate) fn list(id: u64) -> Vec<u8> {
    request(id, 2, &[0])
}

/// Shakes hands by hand, and reads the daemon's opening message.
pub(crate) fn greet(stream: UnixStream) -> (UnixStream, Vec<u8>) {
    greet_with(stream, &hello(VERSION, GENESIS))
}

/// As [`greet`], with a hello of one's own.
pub(crate) fn greet_with(mut stream: UnixStream, hello: &[u8]) -> (UnixStream, Vec<u8>) {
    stream.write_all(&[&MAGIC[..], hello].concat()).expect("sent");
    let mut magic = [0; 4];
    stream.read_exact(&mut magic).expect("a greeting");
    assert_eq!(magic, MAGIC);
    let opening = read_frame(&mut stream);
    (stream, opening)
}

pub(crate) fn read_frame(stream: &mut UnixStream) -> Vec<u8> {
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("a head");
    let length = u64::from_le_bytes(head[4..].try_into().expect("eight bytes"));
    let mut message = vec![0; length as usize];
    stream.read_exact(&mut message).expect("a message");
    message
}

/// Reads until the daemon has closed the connection.
pub(crate) fn read_to_end(stream: &mut UnixStream) -> Vec<u8> {
    let mut read = Vec::new();
    match stream.read_to_end(&mut read) {
        Ok(_) => {}
        // Closed with bytes of ours unread.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the daemon keeps it open: {error}"),
    }
    read
}

/// One HTTP request: status and body.
pub(crate) fn http(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = std::net::TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(LONG)).expect("set");
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

/// Waits until the daemon's metrics have this line; no event tells of it.
pub(crate) fn wait_for_metric(address: SocketAddr, line: &str) {
    let end = Instant::now() + LONG;
    loop {
        let (_, text) = http(address, "GET", "/metrics");
        if text.lines().any(|l| l == line) {
            return;
        }
        assert!(Instant::now() < end, "no {line} in\n{text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A link whose silence means something.
pub(crate) struct Quiet(pub(crate) Box<dyn Link>);

impl Link for Quiet {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.0.call(request)
    }

    fn name(&self) -> String {
        self.0.name()
    }

    fn silence(&self) -> Option<&'static str> {
        Some("something else may have stopped: start it again")
    }
}
