//! A quote: what a TEE says of itself, signed by Intel's quoting enclave (QE) on the same platform.
//!
//! Sources: Intel SGX ECDSA Quote Library Reference (version 3, appendix A.4), Intel TDX DCAP Quoting Library API (versions
//! 4 and 5, appendix A.3). All numbers are little endian.

mod parse;
mod report;

use alloc::vec::Vec;

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

pub use report::{EnclaveReport, Report, TdReport, Tdx15, Tdx15Ex};

use crate::{Error, Tee};

/// The longest quote in bytes that is looked at. Real ones have some 5,000 bytes.
pub const MAX_QUOTE: usize = 16 * 1024;
/// Bytes of the part of a quote that its attestation key signs, at most: header, descriptor, body.
pub const MAX_SIGNED: u32 = 48 + 6 + 885;
/// Bytes of the data that a QE binds to its attestation key; Intel's has no other number.
pub const AUTH_DATA: usize = 32;

/// The first 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Header {
    /// 3 (SGX), 4 or 5 (TDX).
    pub version: u16,
    /// The kind of TEE.
    pub tee: Tee,
    /// What the platform says of its QE's version. Not signed by Intel, and not judged.
    pub qe_svn: u16,
    /// What the platform says of its provisioning enclave's version. Not judged either: the PCK certificate says it.
    pub pce_svn: u16,
    /// Whatever the QE put there.
    pub user_data: [u8; 20],
}

/// A quote, taken apart. What follows its last signed byte, padding for instance, is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Its header.
    pub header: Header,
    /// What it says of the workload, and of the platform's TCB.
    pub report: Report,
    /// What [`crate::verify_quote`] verifies.
    pub signed: SignedReport,
    /// What [`crate::certify_attestation_key`] verifies.
    pub certification: Certification,
    /// Whose PCK certified the key, as the platform tells it: the type of what follows, and that.
    pub certification_data: (u16, Vec<u8>),
}

/// The signed part of a quote, and its signature: all of a quote that changes from one to the next.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct SignedReport {
    /// Header, in version 5 the body's descriptor, and body.
    pub bytes: BoundedVec<u8, ConstU32<MAX_SIGNED>>,
    /// ECDSA over P-256 with SHA-256, by the attestation key: r, then s.
    pub signature: [u8; 64],
}

/// How a platform's QE certifies an attestation key: the QE's own report names the key, and the platform's PCK signs
/// that report.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Certification {
    /// For quotes of which TEE the key is.
    pub tee: Tee,
    /// P-256, affine: x, then y.
    pub attestation_key: [u8; 64],
    /// An SGX report; see [`EnclaveReport`].
    pub qe_report: [u8; 384],
    /// ECDSA over P-256 with SHA-256, by the PCK.
    pub qe_report_signature: [u8; 64],
    /// What else the QE's report binds.
    pub auth_data: [u8; AUTH_DATA],
}

impl Quote {
    /// Takes a quote apart. Everything is checked that can be checked without a signature, a date or a policy.
    pub fn parse(bytes: &[u8]) -> Result<Quote, Error> {
        parse::quote(bytes)
    }

    /// PEM: the PCK certificate, its issuer and the root, if the quote carries them.
    pub fn pck_chain(&self) -> Result<&[u8], Error> {
        match &self.certification_data {
            (parse::PCK_CHAIN, chain) => Ok(chain),
            (found, _) => Err(Error::CertificationDataType { found: *found, expected: parse::PCK_CHAIN }),
        }
    }
}

impl SignedReport {
    /// The header and the report that the signed bytes say.
    pub fn parse(&self) -> Result<(Header, Report), Error> {
        parse::signed(&self.bytes)
    }
}
