//! What node and daemon say to each other. Encoded with bincode (fixed-width integers, little endian), one message
//! in one frame of ductile.

use serde::{Deserialize, Serialize};

use crate::{
    lease::{Claim, Identity, Lease},
    rule::explained,
};

pub use crate::watermark::{Floor, GrandpaRound, Position, Watermark};

/// Version of this wire. A daemon refuses a client of another one, and says which it speaks.
pub const VERSION: u16 = 4;
/// The longest message in bytes. Only a header with many authorities comes near it; others stay under 8 KiB.
pub const MAX_MESSAGE: usize = 36 * 1024;
/// The most requests that a connection may have without an answer.
pub const MAX_IN_FLIGHT: usize = 256;
/// The longest deadline that a request may carry, in milliseconds.
pub const MAX_DEADLINE_MS: u32 = 60_000;

/// From client to daemon. The first is [`ToDaemon::Hello`], and no other is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDaemon {
    /// Opens the conversation.
    Hello(Hello),
    /// Asks for something.
    Request(Request),
}

/// From daemon to client. The first is [`FromDaemon::Welcome`] or [`FromDaemon::Rejected`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromDaemon {
    /// The conversation is open.
    Welcome(Welcome),
    /// It is not, and the connection closes.
    Rejected(Rejection),
    /// Answers the request with the same id.
    Response(Response),
}

/// Opens a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u16,
    /// Who is calling.
    pub visitor: Visitor,
}

/// Who is calling, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visitor {
    /// A node: it signs while it holds the lease.
    Node {
        /// Hash of the chain's genesis block.
        genesis: [u8; 32],
        /// Which node.
        identity: Identity,
    },
    /// An operator's program, for any chain: it looks, makes keys and has them prove possession, raises watermarks, and
    /// never holds the lease.
    Operator,
}

/// What answers: the daemon, and the TEE behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`VERSION`].
    pub version: u16,
    /// What the trusted application says of itself.
    pub tee: TeeInfo,
}

/// Why a conversation does not open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// The daemon speaks another version.
    #[error("the daemon speaks version {0} of the protocol and this program version {VERSION}: upgrade the older one")]
    Version(u16),
    /// The daemon serves another chain.
    #[error(
        "the daemon serves the chain with genesis 0x{}, not this node's: use its own chain's daemon, or restart this one",
        hex(.0)
    )]
    Genesis([u8; 32]),
    /// The trusted application does not answer.
    #[error("the daemon cannot use its trusted application: {0}")]
    Tee(String),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client, higher than every one before it on the connection.
    pub id: u64,
    /// The answer is of no use after so many milliseconds; at most [`MAX_DEADLINE_MS`].
    pub deadline_ms: u32,
    /// What is asked.
    pub call: Call,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The id of the request.
    pub id: u64,
    /// What came of it.
    pub result: Result<Reply, Failure>,
}

/// A signature scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// Public key 32 bytes, signature 64.
    Sr25519,
    /// Public key 32 bytes, signature 64.
    Ed25519,
    /// Public key 33 bytes, signature 65.
    Ecdsa,
}

/// Names one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId {
    /// The scheme.
    pub scheme: Scheme,
    /// What it is for: `aura`, `gran`, …
    pub key_type: [u8; 4],
    /// The public key.
    pub public: Vec<u8>,
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Usage {
    /// Signatures only.
    Sign,
    /// Signatures and VRF outputs.
    SignAndVrf,
}

/// A key as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Its name.
    pub id: KeyId,
    /// What it may be used for.
    pub usage: Usage,
    /// Made from a seed that somebody else knows.
    pub seeded: bool,
}

/// What the signer judges a message with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Context {
    /// Nothing.
    None,
    /// The SCALE-encoded header without its seal.
    Header(Vec<u8>),
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// What is behind the daemon.
    Info,
    /// Makes a key.
    Generate {
        /// The scheme.
        scheme: Scheme,
        /// What it is for.
        key_type: [u8; 4],
        /// What it may be used for.
        usage: Usage,
        /// A secret for a development TEE: 32 bytes, or 64 for an expanded sr25519 key.
        seed: Option<Seed>,
    },
    /// A page of keys after the given one.
    List {
        /// The last key of the page before.
        after: Option<KeyId>,
    },
    /// Is the key there?
    Has(KeyId),
    /// Signs.
    Sign {
        /// The key.
        key: KeyId,
        /// The message.
        message: Vec<u8>,
        /// What it is judged with.
        context: Context,
    },
    /// Signs a hash with an ecdsa key.
    SignPrehashed {
        /// The key.
        key: KeyId,
        /// The hash.
        hash: [u8; 32],
    },
    /// VRF pre-output and proof for a compressed input point.
    VrfSign {
        /// The key.
        key: KeyId,
        /// The point.
        input: [u8; 32],
    },
    /// VRF pre-output for a compressed input point.
    VrfPreOutput {
        /// The key.
        key: KeyId,
        /// The point.
        input: [u8; 32],
    },
    /// Deletes a key for ever.
    Retire(KeyId),
    /// Asks who holds the lease on the keys, and perhaps for it.
    Lease(Claim),
    /// A page of watermarks after that of the given key, of the keys that have one.
    Watermarks {
        /// The last key of the page before.
        after: Option<KeyId>,
    },
    /// Raises a key's watermark; for operators' programs only. One that is higher stays as it is.
    RaiseWatermark {
        /// The key, of the position's kind.
        key: KeyId,
        /// Nothing new is signed there or before it.
        to: Position,
    },
}

/// Secret bytes for a development TEE; wiped when dropped, and shown to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Seed(pub Vec<u8>);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Call::Info`].
    Info(TeeInfo),
    /// To [`Call::Generate`].
    Generated(KeyInfo),
    /// To [`Call::List`].
    Keys {
        /// The page.
        keys: Vec<KeyInfo>,
        /// There are more after the last.
        more: bool,
    },
    /// To [`Call::Has`].
    Has(bool),
    /// To [`Call::Sign`] and [`Call::SignPrehashed`].
    Signature(Vec<u8>),
    /// To [`Call::VrfSign`]: 32 and 64 bytes.
    VrfSignature {
        /// The pre-output.
        pre_output: [u8; 32],
        /// The proof.
        proof: Vec<u8>,
    },
    /// To [`Call::VrfPreOutput`].
    VrfPreOutput([u8; 32]),
    /// To [`Call::Retire`].
    Retired,
    /// To [`Call::Lease`].
    Lease(Lease),
    /// To [`Call::Watermarks`].
    Watermarks {
        /// Of every key.
        floor: Floor,
        /// The page.
        watermarks: Vec<Watermark>,
        /// There are more after the last.
        more: bool,
    },
    /// To [`Call::RaiseWatermark`].
    WatermarkRaised,
}

/// What a trusted application says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeeInfo {
    /// Its version.
    pub ta_version: u32,
    /// The version of its store.
    pub schema: u16,
    /// `OP-TEE`, or `software TEE, not a TEE`.
    pub kind: String,
    /// It is a process that protects nothing.
    pub simulated: bool,
    /// It takes seeds, signs anything with `test` keys, and never gives evidence.
    pub development: bool,
    /// How many keys it holds, if its store can be used.
    pub keys: Option<u32>,
    /// Changes whenever a key is made or retired.
    pub catalogue: u64,
    /// Its platform has a cell that outlives a disk put back from a copy.
    pub rollback_protected: bool,
}

/// Why a request was not done. Nothing has changed when a daemon says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// The trusted application's policy forbids it; the rule by name.
    #[error("refused by the signing policy, rule {rule}{}", explained(rule))]
    Refused {
        /// The rule.
        rule: String,
    },
    /// The client does not hold the lease on the keys.
    #[error("this node does not hold the lease on the keys: {}", holder.map_or("nobody does".into(), |holder| format!("{holder} does")))]
    NotHolder {
        /// Who does.
        holder: Option<Identity>,
    },
    /// No such key.
    #[error("the trusted application holds no such key")]
    NoSuchKey,
    /// The request makes no sense.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// The trusted application or its platform failed.
    #[error("the trusted application failed: {0}")]
    Tee(String),
    /// Too many requests are waiting.
    #[error("the daemon's queue is full: try again")]
    Busy,
    /// The deadline passed in the daemon's queue; it was not done.
    #[error("the deadline passed before the daemon came to it")]
    Deadline,
    /// The daemon itself failed.
    #[error("the daemon failed: {0}")]
    Daemon(String),
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
