//! What crosses the boundary into the trusted application: versioned SCALE enums.
//!
//! One request in, one answer out, both bounded by [`MAX_REQUEST`] and [`MAX_ANSWER`].
//! Variants are appended, never reordered; a change that cannot be appended is a new [`Request`] version.

use alloc::vec::Vec;
use codec::{Decode, Encode};

use crate::Measured;

/// Version of the trusted application. It may not go back: a store that a newer one opened is refused.
pub const TA_VERSION: u32 = 2;
/// Version of what the trusted application stores, kept beside the data.
pub const STORE_SCHEMA: u16 = 3;
/// The longest request in bytes: a block header with the authorities of a large set fits.
pub const MAX_REQUEST: usize = 32 * 1024;
/// The longest answer in bytes.
pub const MAX_ANSWER: usize = 8 * 1024;
/// The most keys that are stored on any platform. Beyond it no new key is made, and those that are there go on being used.
pub const MAX_KEYS: u32 = 4096;
/// The most keys in one page of [`Command::List`] and [`Command::Watermarks`].
pub const MAX_PAGE: u16 = 64;

/// A request, by version of this interface.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// The first version.
    #[codec(index = 1)]
    V1(Command),
}

/// An answer, in the version of its request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// The first version.
    #[codec(index = 1)]
    V1(Result<Reply, Error>),
}

/// A signature scheme, exactly as `sp_core` makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Scheme {
    /// Schnorr over ristretto255; public key 32 bytes, signature 64.
    Sr25519,
    /// RFC 8032; public key 32 bytes, signature 64.
    Ed25519,
    /// secp256k1 over BLAKE2b-256; compressed public key 33 bytes, recoverable signature 65.
    Ecdsa,
}

/// Four bytes that say what a key is for, as `sp_core::crypto::KeyTypeId`.
pub type KeyType = [u8; 4];

/// What a key may be used for, fixed when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Usage {
    /// Signatures only.
    Sign,
    /// Signatures, and VRF outputs of points that the caller chose.
    SignAndVrf,
}

/// Where a key came from. A seeded key can never be attested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Origin {
    /// Born in this trusted application.
    Generated,
    /// Made from a seed that somebody else knows; on a development TEE only.
    Seeded,
}

/// Names one key: at most 64 bytes when encoded, and so an OP-TEE object identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct KeyId {
    /// The scheme of the key.
    pub scheme: Scheme,
    /// What it is for.
    pub key_type: KeyType,
    /// The public key: 32 or 33 bytes, by scheme.
    pub public: Vec<u8>,
}

/// One row of [`Reply::Keys`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeyInfo {
    /// The name of the key.
    pub id: KeyId,
    /// What it may be used for.
    pub usage: Usage,
    /// Where it came from.
    pub origin: Origin,
}

/// A round of GRANDPA, in the order in which rounds come: those of a later authority set are later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct GrandpaRound {
    /// Id of the authority set.
    pub set_id: u64,
    /// The round in it.
    pub round: u64,
}

/// How far a key has come in what it may sign once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Position {
    /// Of a `gran` key.
    Grandpa(GrandpaRound),
    /// Of an `aura` key: a slot.
    Aura(u64),
}

/// A position of each kind, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Positions {
    /// For `gran` keys.
    pub grandpa: Option<GrandpaRound>,
    /// For `aura` keys.
    pub slot: Option<u64>,
}

/// One row of [`Reply::Watermarks`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WatermarkInfo {
    /// The key.
    pub id: KeyId,
    /// Its latest position: nothing new is signed at an earlier one that has left the window, nor anything at this one
    /// that contradicts what was signed there.
    pub highest: Position,
}

/// What travels beside a message so that it can be judged.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Context {
    /// Nothing: the message speaks for itself.
    None,
    /// The SCALE-encoded header, without its seal, whose BLAKE2b-256 hash is the message.
    Header(Vec<u8>),
}

/// What the trusted application can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Command {
    /// Versions, kind of TEE, number of keys. Answered even when the store cannot be used.
    Info,
    /// Makes a key and stores it before it answers. The same seed twice is the same key, and no error; it keeps the
    /// usage that it was first made with. A seed that gives a generated key makes that one a seeded key.
    Generate {
        /// The scheme.
        scheme: Scheme,
        /// What it is for.
        key_type: KeyType,
        /// What it may be used for.
        usage: Usage,
        /// A secret, as `sp_core` takes it: 32 bytes, or 64 for an expanded sr25519 key. Development TEEs only.
        seed: Option<Seed>,
    },
    /// Lists keys in the order of their encoded names, from the one after `after`, at most `limit` (and [`MAX_PAGE`]).
    /// Keys whose object is damaged are left out.
    List {
        /// The last key of the page before.
        after: Option<KeyId>,
        /// At most so many.
        limit: u16,
    },
    /// Is this key here, and whole? [`Error::Corrupt`] if it is damaged.
    Has {
        /// The key.
        id: KeyId,
    },
    /// Signs a message, if the policy of the key's type allows it.
    Sign {
        /// The key.
        id: KeyId,
        /// The message.
        message: Vec<u8>,
        /// What it is judged with.
        context: Context,
    },
    /// Signs a 32-byte hash with an ecdsa key.
    SignPrehashed {
        /// The key, of scheme ecdsa.
        id: KeyId,
        /// The hash.
        hash: [u8; 32],
    },
    /// Makes a VRF pre-output and its proof (with the default transcript `VRF`) for an input point.
    VrfSign {
        /// The key, of scheme sr25519.
        id: KeyId,
        /// The compressed input point, `schnorrkel::PublicKey::vrf_hash(transcript)`.
        input: [u8; 32],
    },
    /// Makes a VRF pre-output for an input point.
    VrfPreOutput {
        /// The key, of scheme sr25519.
        id: KeyId,
        /// The compressed input point.
        input: [u8; 32],
    },
    /// Deletes a key for ever, damaged or not.
    Retire {
        /// The key.
        id: KeyId,
    },
    /// Has the platform measure this trusted application, and sign that with a nonce made of what is given here
    /// ([`crate::measurement_nonce`]). Production only. An error of the platform costs a number of the counter.
    Measure {
        /// Whatever the verifier wants answered.
        challenge: [u8; 64],
        /// At most [`crate::MAX_MEASURED_KEYS`], each once: session keys that were born here. None is allowed.
        keys: Vec<KeyId>,
    },
    /// Lists watermarks in the order of the encoded names of their keys, from the one after `after`, at most `limit`
    /// (and [`MAX_PAGE`]). A key that has signed nothing that may be signed once only has none.
    Watermarks {
        /// The last key of the page before.
        after: Option<KeyId>,
        /// At most so many.
        limit: u16,
    },
    /// Has a key sign nothing new at a position or before it. One that is past it stays as it is.
    RaiseWatermark {
        /// The key, of the position's kind.
        id: KeyId,
        /// The position.
        to: Position,
    },
    /// Says that no more commands come: an orderly end, after which the next start need not be wary.
    Close,
}

/// Secret bytes on their way in; wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq, Encode, Decode, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Seed(pub Vec<u8>);

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// What the trusted application answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// To [`Command::Info`].
    Info(Info),
    /// To [`Command::Generate`]: the new key.
    Generated(KeyInfo),
    /// To [`Command::List`].
    Keys {
        /// The page.
        keys: Vec<KeyInfo>,
        /// There are more after the last.
        more: bool,
    },
    /// To [`Command::Has`].
    Has(bool),
    /// To [`Command::Sign`] and [`Command::SignPrehashed`]: 64 bytes, or 65 for ecdsa.
    Signature(Vec<u8>),
    /// To [`Command::VrfSign`].
    VrfSignature {
        /// The pre-output.
        pre_output: [u8; 32],
        /// The proof.
        proof: [u8; 64],
    },
    /// To [`Command::VrfPreOutput`].
    VrfPreOutput([u8; 32]),
    /// To [`Command::Retire`].
    Retired,
    /// To [`Command::Measure`].
    Measured(Measured),
    /// To [`Command::Watermarks`].
    Watermarks {
        /// Of every key: nothing new is signed at these positions or before them.
        floor: Positions,
        /// The page.
        watermarks: Vec<WatermarkInfo>,
        /// There are more after the last.
        more: bool,
    },
    /// To [`Command::RaiseWatermark`].
    WatermarkRaised,
    /// To [`Command::Close`].
    Closed,
}

/// What a trusted application says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Info {
    /// [`TA_VERSION`].
    pub ta_version: u32,
    /// [`STORE_SCHEMA`].
    pub schema: u16,
    /// The kind of TEE.
    pub kind: Kind,
    /// Takes seeds and signs anything with `test` keys; never gives evidence.
    pub development: bool,
    /// How many keys it holds; `None` if the store cannot be used.
    pub keys: Option<u32>,
    /// Changes whenever a key is made or retired, so that a cached list can be told to be stale.
    pub catalogue: u64,
    /// The platform has a cell that outlives a disk put back from a copy.
    pub rollback_protected: bool,
    /// The most keys that it stores: [`MAX_KEYS`], or fewer where the platform's storage is slow with many.
    pub capacity: u32,
}

/// A kind of TEE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// A process that stands in for a TEE and protects nothing.
    Software,
    /// OP-TEE in TrustZone's secure world.
    OpTee,
}

/// Why the trusted application did not do what it was asked. Nothing has changed when it says so, but for the counter of
/// measurements, and what counts as signed, where the platform failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Error {
    /// The request does not decode, is too long, or contradicts itself.
    BadRequest(BadRequest),
    /// There is no such key.
    NoSuchKey,
    /// The policy forbids it.
    Refused(Rule),
    /// The store was written by a newer trusted application: start that one again.
    NewerStore,
    /// The store belongs to a trusted application of another kind: a production one, or one whose cell is protected from
    /// rollbacks, where this one is not; or the other way round.
    OtherStore,
    /// A stored object is damaged, or a counter in it is at its end.
    Corrupt,
    /// The platform failed, with its own code.
    Platform(u32),
    /// There are [`Info::capacity`] keys: retire those that are not used.
    Full,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BadRequest {
    /// Longer than [`MAX_REQUEST`].
    TooLong,
    /// Not SCALE of a [`Request`], or with bytes left over.
    Malformed,
    /// A public key, seed or point of a length or value that the scheme does not know.
    BadKey,
    /// The scheme cannot do this.
    WrongScheme,
    /// More than [`crate::MAX_MEASURED_KEYS`].
    TooManyKeys,
    /// A key is named twice.
    RepeatedKey,
    /// A position that is not of the key's kind: a slot for a `gran` key, a round for an `aura` key, any for another.
    WrongPosition,
}

/// The rules of the signing policy, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Rule {
    /// Seeds, and keys of type `test`, are for development TEEs only.
    DevelopmentOnly,
    /// No policy is known for keys of this type and scheme, so they are neither made nor used.
    UnknownKeyType,
    /// An `aura` key signs a 32-byte hash that comes with its header.
    AuraNeedsHeader,
    /// The header does not hash to the message.
    AuraHeaderMismatch,
    /// The header is not one: it does not decode, or has no `aura` pre-runtime digest.
    AuraMalformedHeader,
    /// A `gran` key signs a well-formed GRANDPA vote of 53 bytes.
    GrandpaMalformedVote,
    /// A proof of possession is `POP_` and 32 bytes, or on a development TEE `POP_` alone.
    MalformedProofOfPossession,
    /// The key was not made for VRFs.
    VrfNotAllowed,
    /// Prehashed signatures are for keys whose type allows any message.
    PrehashedNotAllowed,
    /// A development TEE gives no evidence of what it is.
    DevelopmentNotMeasured,
    /// A measurement names only keys that were born here and sign nothing but a session's statements: no seeded key,
    /// none of type `test`, none for VRFs.
    NotMeasurable,
    /// The key has signed another vote of this stage in this round.
    GrandpaDoubleVote,
    /// A round that is older than those whose votes are remembered, or that the watermark was raised past.
    GrandpaOldRound,
    /// The key has sealed another header in this slot.
    AuraDoubleSeal,
    /// The key has sealed a header in a later slot, or its watermark was raised past this one.
    AuraOldSlot,
    /// What was signed up to here may be forgotten: the trusted application ended without being told, or its store was
    /// put back from a copy.
    BelowCeiling,
}
