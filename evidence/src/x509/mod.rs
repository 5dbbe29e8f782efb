//! Certificates and revocation lists of Intel's PKI: RFC 5280 as far as Intel uses it, and everything else refused.

mod certificate;
mod crl;
mod extension;
mod issuer;
mod pck;
mod pem;
mod signed;

pub use crl::{verify_crl, Crl, MAX_CRL, MAX_REVOKED};
pub use issuer::{verify_issuer, Issuer, IssuerKind, Signer};
pub use pck::{verify_pck, Configuration, Pck, SgxExtension};

pub use pem::certificates;
pub(crate) use signed::verify as verify_signature;

/// The most extensions of a certificate, of a list, or of one entry of a list. Intel's have at most seven.
const MAX_EXTENSIONS: usize = 16;

/// A serial number: big endian, without leading zeros but padded to 20 bytes with zeros in front.
pub type Serial = [u8; 20];

/// A serial number that DER encoded, of at most 20 bytes. RFC 5280 (4.1.2.2) allows no longer and no negative one.
pub(crate) fn serial(encoded: &[u8]) -> Option<Serial> {
    let digits = match encoded {
        [0, rest @ ..] => rest,
        // Negative.
        [first, ..] if *first >= 0x80 => return None,
        [] => return None,
        digits => digits,
    };
    let mut serial = [0; 20];
    let from = serial.len().checked_sub(digits.len())?;
    serial.get_mut(from..)?.copy_from_slice(digits);
    Some(serial)
}

#[cfg(test)]
mod tests;
