//! A measurement, held against what it claims to be by code that is not the application's.

use holdfast_ta::{measurement_nonce, KeyId, Measured};
use ring::signature::{RsaPublicKeyComponents, RSA_PSS_2048_8192_SHA256};

use crate::finding::{hex, Finding};

/// An error unless the signer that `measured` names signed this measurement for this challenge, these keys in this
/// order, and its counter: RSASSA-PSS-SHA256 with a salt of 32 bytes over nonce and measurement. Whether signer and
/// measurement are the right ones is for the caller to say.
pub fn verify_measurement(challenge: &[u8; 64], keys: &[KeyId], measured: &Measured) -> Result<(), Finding> {
    let signer = RsaPublicKeyComponents { n: &measured.signer.modulus, e: &measured.signer.exponent };
    let nonce = measurement_nonce(challenge, keys, measured.counter);
    let message = [nonce, measured.measurement].concat();
    signer.verify(&RSA_PSS_2048_8192_SHA256, &message, &measured.signature).map_err(|_| Finding::DoesNotVerify {
        what: format!("measurement {} of {} keys", measured.counter, keys.len()),
        signature: hex(&measured.signature),
    })
}

#[cfg(test)]
mod tests;
