//! The quote's own signature: all that is to be verified where nothing else changed.

use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    quote::{Report, SignedReport},
    x509::verify_signature,
    AttestationKey, Error,
};

/// A report whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Quoted {
    /// What it says.
    pub report: Report,
    /// The attestation key that signed it, P-256, affine: x, then y. It is judged with the platform of that key.
    pub attestation_key: [u8; 64],
}

/// Verifies that a certified attestation key signed the report, and says what it reports.
pub fn verify_quote(input: &SignedReport, key: &AttestationKey) -> Result<Quoted, Error> {
    let (header, report) = input.parse()?;
    if header.tee != key.qe.tee {
        return Err(Error::AttestationKeyTee { found: key.qe.tee, expected: header.tee });
    }
    if !verify_signature(&key.public_key, &input.bytes, &input.signature) {
        return Err(Error::QuoteSignature);
    }
    Ok(Quoted { report, attestation_key: key.public_key })
}
