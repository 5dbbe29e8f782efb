//! What evidence says beside "this code runs here": for whom it was made, who runs it, and which keys live in it.
//!
//! A TEE signs 64 bytes that the workload chooses. They are made here, by the one who asks for evidence and by the one who
//! judges it, so that evidence made for one chain, account, role or set of keys is good for no other.

use blake2::{digest::consts::U32, Blake2b, Digest};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, Input, MaxEncodedLen};
use scale_info::TypeInfo;

/// The most keys that are bound at once; as many as a measurement of OP-TEE names.
pub const MAX_BOUND_KEYS: u32 = 16;

/// What is hashed for evidence that goes to the chain begins with this.
const CHAIN: [u8; 25] = *b"holdfast evidence 1 chain";
/// And for evidence that goes to anyone else. Neither begins with the other.
const ANYONE: [u8; 26] = *b"holdfast evidence 1 anyone";

/// For whom evidence is. What a workload gives to anyone who asks is worth nothing on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Audience {
    /// For the chain: it is fresh by the hash of a recent block.
    #[codec(index = 0)]
    Chain,
    /// For whoever asks: it is fresh by what he chose.
    #[codec(index = 1)]
    Anyone,
}

/// What a workload is for: four bytes, as a key type is.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Role(pub [u8; 4]);

impl Role {
    /// A validator's keys.
    pub const VALIDATOR: Role = Role(*b"vali");
}

impl core::fmt::Debug for Role {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Role({})", self.0.escape_ascii())
    }
}

/// A signature scheme; the trusted application's `Scheme`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum KeyScheme {
    /// 32 bytes.
    #[codec(index = 0)]
    Sr25519,
    /// 32 bytes.
    #[codec(index = 1)]
    Ed25519,
    /// 33 bytes, compressed.
    #[codec(index = 2)]
    Ecdsa,
}

/// A public key whose secret one lives in the workload; the trusted application's `KeyId`, and encoded as that is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, MaxEncodedLen, TypeInfo)]
pub struct BoundKey {
    /// Its scheme.
    pub scheme: KeyScheme,
    /// What it is for, as `sp_core::crypto::KeyTypeId`.
    pub key_type: [u8; 4],
    /// The key.
    pub public: BoundedVec<u8, ConstU32<33>>,
}

impl BoundKey {
    /// `None` if the key has another length than its scheme's.
    pub fn new(scheme: KeyScheme, key_type: [u8; 4], public: &[u8]) -> Option<BoundKey> {
        let length = if scheme == KeyScheme::Ecdsa { 33 } else { 32 };
        let public = (public.len() == length).then(|| public.to_vec().try_into().ok())??;
        Some(BoundKey { scheme, key_type, public })
    }
}

impl Decode for BoundKey {
    /// Only what [`BoundKey::new`] makes.
    fn decode<I: Input>(input: &mut I) -> Result<BoundKey, codec::Error> {
        let (scheme, key_type, public) = <(_, _, BoundedVec<u8, ConstU32<33>>)>::decode(input)?;
        BoundKey::new(scheme, key_type, &public).ok_or_else(|| "a key of another length than its scheme's".into())
    }
}

impl DecodeWithMemTracking for BoundKey {}

/// What evidence is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// For whom it is.
    pub audience: Audience,
    /// On which chain: the hash of its first block.
    pub genesis: [u8; 32],
    /// What the workload is for.
    pub role: Role,
    /// Who runs it: an account.
    pub operator: [u8; 32],
    /// Which keys live in it, in the order in which they are told to the verifier.
    pub keys: &'a [BoundKey],
}

/// The 64 bytes that a quote's REPORTDATA, or the challenge of OP-TEE's measurement, has to be: BLAKE2b-256 of the SCALE
/// encoding of `(domain, genesis, role, operator, keys)`, then `fresh`: the hash of a recent block for the chain, else what
/// was asked for.
pub fn report_data(binding: &Binding<'_>, fresh: [u8; 32]) -> [u8; 64] {
    let Binding { audience, genesis, role, operator, keys } = binding;
    let rest = (genesis, role, operator, keys);
    let hash = match audience {
        Audience::Chain => blake2_256(&(CHAIN, rest).encode()),
        Audience::Anyone => blake2_256(&(ANYONE, rest).encode()),
    };
    let mut data = [0; 64];
    let (bound, freshness) = data.split_at_mut(32);
    bound.copy_from_slice(&hash);
    freshness.copy_from_slice(&fresh);
    data
}

/// BLAKE2b with 32 bytes of output.
pub(crate) fn blake2_256(data: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(data).into()
}

#[cfg(test)]
mod tests;
