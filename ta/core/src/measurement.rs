//! Evidence of what runs in a TEE and of the keys that were born there: the application's measurement, which its
//! platform signs together with a nonce that the application makes itself.
//!
//! A platform signs whatever nonce the measured application hands it. So the application, and nobody else, ties its
//! keys, the verifier's challenge and a counter into the nonce; a verifier that knows the measurement knows that this
//! is how its nonce was made.

use alloc::vec::Vec;

use codec::{Decode, Encode};

use crate::{hash::blake2_256, Fault, KeyId};

/// The most keys that one measurement names.
pub const MAX_MEASURED_KEYS: usize = 16;
/// What every nonce is a hash of begins with this, and nothing else that is hashed here does.
pub const MEASUREMENT_DOMAIN: [u8; 22] = *b"holdfast measurement 1";

/// Bytes of the shortest and of the longest RSA modulus, and so of a signature: 2048 to 4096 bits.
const RSA: core::ops::RangeInclusive<usize> = 256..=512;
/// Bytes of the longest public exponent: verifiers take no longer ones.
const MAX_EXPONENT: usize = 8;

/// An RSA public key; both numbers big endian, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RsaPublicKey {
    /// At most 8 bytes.
    pub exponent: Vec<u8>,
    /// 2048 to 4096 bits.
    pub modulus: Vec<u8>,
}

/// What a platform says of the application that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// SHA-256 of the application's read-only memory.
    pub measurement: [u8; 32],
    /// RSASSA-PSS of `nonce ‖ measurement`, with SHA-256 for the message and in MGF1 and a salt of 32 bytes; as long as
    /// the modulus.
    pub signature: Vec<u8>,
    /// The platform's key for measurements. Who vouches for it is the verifier's affair.
    pub signer: RsaPublicKey,
}

/// To [`crate::Command::Measure`]: what the platform said, with the number that is in its nonce. At most 1.2 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Measured {
    /// Higher than in every measurement before of this store; with gaps, where the platform failed.
    pub counter: u64,
    /// As in [`Measurement`].
    pub measurement: [u8; 32],
    /// As in [`Measurement`]; its nonce is [`measurement_nonce`] of the challenge, the keys and the counter.
    pub signature: Vec<u8>,
    /// As in [`Measurement`].
    pub signer: RsaPublicKey,
}

/// The nonce of a measurement: BLAKE2b-256 of these bytes, which are the SCALE encoding of
/// `(MEASUREMENT_DOMAIN, challenge, keys, counter)`, and so never those of another challenge, list of keys or counter.
///
/// | bytes | |
/// |---|---|
/// | 22 | [`MEASUREMENT_DOMAIN`] |
/// | 64 | `challenge`, whatever the verifier wants answered |
/// | 1 | the number of keys, times 4 (SCALE's compact form of a number below 64) |
/// | for each key, in the order in which they were named: | |
/// | 1 | scheme: 0 sr25519, 1 ed25519, 2 ecdsa |
/// | 4 | key type |
/// | 1 | length of the public key, times 4: `0x80` for 32 bytes, `0x84` for the 33 of ecdsa |
/// | 32 or 33 | public key |
/// | 8 | `counter`, little endian |
///
/// For at most [`MAX_MEASURED_KEYS`]; a measurement of more is never answered.
pub fn measurement_nonce(challenge: &[u8; 64], keys: &[KeyId], counter: u64) -> [u8; 32] {
    blake2_256(&(MEASUREMENT_DOMAIN, challenge, keys, counter).encode())
}

/// What a platform said, if a verifier can read it; otherwise [`Fault::BAD_MEASUREMENT`].
pub(crate) fn checked(said: Measurement) -> Result<Measurement, Fault> {
    let RsaPublicKey { exponent, modulus } = &said.signer;
    // Of the shortest modulus no bit may be missing either.
    let least = if modulus.len() == *RSA.start() { 0x80 } else { 1 };
    let readable = RSA.contains(&modulus.len())
        && modulus.first().is_some_and(|first| *first >= least)
        && said.signature.len() == modulus.len()
        && exponent.len() <= MAX_EXPONENT
        && exponent.first().is_some_and(|first| *first != 0);
    if readable {
        Ok(said)
    } else {
        Err(Fault::BAD_MEASUREMENT)
    }
}

#[cfg(test)]
mod tests;
