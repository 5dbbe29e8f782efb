//! Certificates in PEM (RFC 7468), as quotes and collateral carry them.

use alloc::vec::Vec;

use crate::{Error, Part};

/// A leaf, its issuer, the root.
const MAX_CERTIFICATES: usize = 3;
/// The longest chain that is looked at: that many certificates of 4 KiB, in base64. Intel's have some 4,000 bytes.
const MAX_CHAIN: usize = 18 * 1024;
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// The DER of one to three certificates. Between them and at the end is nothing but white space; the chain in a quote
/// ends with a zero.
pub fn certificates(part: Part, pem: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    if pem.len() > MAX_CHAIN {
        return Err(Error::TooLong { part, found: pem.len() as u32, most: MAX_CHAIN as u32 });
    }
    let mut certificates = Vec::new();
    let mut rest = pem.strip_suffix(&[0]).unwrap_or(pem).trim_ascii();
    while !rest.is_empty() {
        if !rest.starts_with(BEGIN) {
            return Err(Error::Pem { part });
        }
        if certificates.len() == MAX_CERTIFICATES {
            return Err(Error::CertificateCount { part, most: MAX_CERTIFICATES as u32 });
        }
        // Base64 has no dash, so the first one is that of the end.
        let body = rest.iter().skip(BEGIN.len()).position(|byte| *byte == b'-').ok_or(Error::Pem { part })?;
        let end = BEGIN.len() + body + END.len();
        let (document, after) = rest.split_at_checked(end).ok_or(Error::Pem { part })?;
        let (_, der) = pem_rfc7468::decode_vec(document).map_err(|_| Error::Pem { part })?;
        certificates.push(der);
        rest = after.trim_ascii_start();
    }
    if certificates.is_empty() {
        return Err(Error::Pem { part });
    }
    Ok(certificates)
}
