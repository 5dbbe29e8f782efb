//! The quote's own signature: all that is to be verified where nothing else changed.

use crate::{
    quote::{Report, SignedReport},
    x509::verify_signature,
    AttestationKey, Error,
};

/// Verifies that a certified attestation key signed the report, and says what it reports.
pub fn verify_quote(input: &SignedReport, key: &AttestationKey) -> Result<Report, Error> {
    let (header, report) = input.parse()?;
    if header.tee != key.qe.tee {
        return Err(Error::AttestationKeyTee { found: key.qe.tee, expected: header.tee });
    }
    if !verify_signature(&key.public_key, &input.bytes, &input.signature) {
        return Err(Error::QuoteSignature);
    }
    Ok(report)
}
