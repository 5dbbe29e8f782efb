//! OP-TEE's word for what runs in it: a lower tier than Intel's, since nobody but whoever enrolled the device vouches for
//! its key.
//!
//! OP-TEE's attestation PTA signs a hash together with a nonce. Its command 2 takes the hash of the calling application's
//! read-only memory, and the application builds the nonce itself, of a challenge, of keys that it holds and of a counter
//! (`holdfast_ta`, `measurement_nonce`): the nonce is computed anew here, and the keys are compared. Its command 1 can be
//! called from Linux, with any nonce, this one too, but takes the digest from the header of an application's file. So what
//! tells the two apart is the hash: the list of what may run must hold hashes of memory, as `holdfast-host` shows them, and
//! **never a digest from a file's header**.

use alloc::vec::Vec;

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use rsa::{
    pss::{Signature, VerifyingKey},
    signature::Verifier,
    BoxedUint,
};
use scale_info::TypeInfo;
use sha2::Sha256;

use crate::{binding::blake2_256, BoundKey, Error, MAX_BOUND_KEYS};

/// `holdfast_ta::MEASUREMENT_DOMAIN`.
const MEASUREMENT_DOMAIN: [u8; 22] = *b"holdfast measurement 1";
/// Bits of the shortest and of the longest key of a device.
const KEY_BITS: core::ops::RangeInclusive<u32> = 2048..=4096;
/// Bytes of an RSA number at most.
const MAX_NUMBER: u32 = 512;

/// An RSA public key; both numbers big endian, without leading zeros.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct DeviceKey {
    /// Odd, from 3 up to 33 bits.
    pub exponent: BoundedVec<u8, ConstU32<8>>,
    /// 2,048 to 4,096 bits.
    pub modulus: BoundedVec<u8, ConstU32<MAX_NUMBER>>,
}

impl DeviceKey {
    /// Checks that it is a key by which measurements can be judged, so that no other is enrolled. OP-TEE's veraison PTA
    /// signs with a key that its source code publishes; that one is for ECDSA, and none of these.
    pub fn check(&self) -> Result<(), Error> {
        self.parse().map(drop)
    }

    fn parse(&self) -> Result<VerifyingKey<Sha256>, Error> {
        let [exponent, modulus] = [&self.exponent[..], &self.modulus[..]];
        let (Some(first), Some(0x01..)) = (modulus.first(), exponent.first()) else {
            return Err(Error::DeviceKeyEncoding);
        };
        let bits = (modulus.len() as u32 * 8).saturating_sub(first.leading_zeros());
        if *first == 0 || !KEY_BITS.contains(&bits) {
            return Err(Error::DeviceKeyLength { found: bits, least: *KEY_BITS.start(), most: *KEY_BITS.end() });
        }
        let [modulus, exponent] = [modulus, exponent].map(BoxedUint::from_be_slice_vartime);
        let key = rsa::PublicKey::new(modulus, exponent).map_err(|_| Error::DeviceKeyEncoding)?;
        Ok(VerifyingKey::new(key))
    }
}

/// What a trusted application says of itself and of its keys, signed by its platform.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct OpteeEvidence {
    /// What it was asked to answer: [`crate::report_data`].
    pub challenge: [u8; 64],
    /// Keys that it holds, in the order in which they were asked for.
    pub keys: BoundedVec<BoundKey, ConstU32<MAX_BOUND_KEYS>>,
    /// Rises with every measurement of the same store.
    pub counter: u64,
    /// SHA-256 of its read-only memory.
    pub measurement: [u8; 32],
    /// RSASSA-PSS of the nonce and the measurement, with SHA-256 for the message and in MGF1, and a salt of 32 bytes.
    pub signature: BoundedVec<u8, ConstU32<MAX_NUMBER>>,
    /// The device's key.
    pub signer: DeviceKey,
}

/// What was found good of a trusted application.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct OpteeReport {
    /// What runs there.
    pub measurement: [u8; 32],
    /// As in [`OpteeEvidence`]. It orders evidence of one store; it does not show that no disk was put back.
    pub counter: u64,
}

/// Verifies that `device`, a key that somebody enrolled, signed the measurement of a trusted application which answered
/// `challenge`, holds `keys` and is one of those that are `allowed`. Without the last the others mean nothing.
pub fn verify_optee(
    evidence: &OpteeEvidence,
    device: &DeviceKey,
    challenge: &[u8; 64],
    keys: &[BoundKey],
    allowed: &[[u8; 32]],
) -> Result<OpteeReport, Error> {
    if evidence.signer != *device {
        return Err(Error::DeviceNotEnrolled { found: evidence.signer.modulus[..].into() });
    }
    if evidence.challenge != *challenge {
        return Err(Error::ReportData { found: evidence.challenge.into(), expected: (*challenge).into() });
    }
    if evidence.keys[..] != *keys {
        return Err(Error::Keys { found: evidence.keys.len() as u32, expected: keys.len() as u32 });
    }
    let report = OpteeReport { measurement: evidence.measurement, counter: evidence.counter };
    judge_optee(&report, allowed)?;
    let key = device.parse()?;
    let signed = [nonce(evidence), evidence.measurement].concat();
    let signature = Signature::try_from(&evidence.signature[..]).map_err(|_| Error::MeasurementSignature)?;
    key.verify(&signed, &signature).map_err(|_| Error::MeasurementSignature)?;
    Ok(report)
}

/// Checks what runs in OP-TEE, which was verified, against what may now.
pub fn judge_optee(report: &OpteeReport, allowed: &[[u8; 32]]) -> Result<(), Error> {
    if allowed.contains(&report.measurement) {
        return Ok(());
    }
    let expected: Vec<u8> = allowed.first().map(|first| first.to_vec()).unwrap_or_default();
    Err(Error::Measurement {
        register: crate::Register::TrustedApplication,
        found: report.measurement.into(),
        expected: crate::Hex(expected),
    })
}

/// `holdfast_ta::measurement_nonce`.
fn nonce(evidence: &OpteeEvidence) -> [u8; 32] {
    let OpteeEvidence { challenge, keys, counter, .. } = evidence;
    blake2_256(&(MEASUREMENT_DOMAIN, challenge, keys, counter).encode())
}

#[cfg(test)]
mod tests;
