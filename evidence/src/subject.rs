//! What an error is about.

use core::fmt;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A kind of TEE that makes quotes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Tee {
    /// SGX: an enclave in a process.
    #[codec(index = 0)]
    Sgx,
    /// TDX: a trust domain, that is a virtual machine.
    #[codec(index = 1)]
    Tdx,
}

impl Tee {
    /// By the number in a quote's header.
    pub(crate) fn of(tee_type: u32) -> Option<Tee> {
        match tee_type {
            0 => Some(Tee::Sgx),
            0x81 => Some(Tee::Tdx),
            _ => None,
        }
    }
}

impl fmt::Display for Tee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tee::Sgx => "SGX",
            Tee::Tdx => "TDX",
        })
    }
}

/// A part of a quote, or of what came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Part {
    /// The quote.
    Quote,
    /// What follows its signed part.
    SignatureData,
    /// What says who certified the attestation key.
    CertificationData,
    /// The report of the quoting enclave.
    QeReport,
    /// The PCK certificate and its issuers.
    PckChain,
    /// Who signed the PCK CRL, and its issuers.
    PckCrlIssuerChain,
    /// Who signed the TCB info, and its issuers.
    TcbInfoIssuerChain,
    /// Who signed the QE identity, and its issuers.
    QeIdentityIssuerChain,
    /// A certificate revocation list.
    Crl,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Quote => "the quote",
            Part::SignatureData => "the quote's signature data",
            Part::CertificationData => "the quote's certification data",
            Part::QeReport => "the QE's report",
            Part::PckChain => "the PCK certificate chain",
            Part::PckCrlIssuerChain => "the PCK CRL's issuer chain",
            Part::TcbInfoIssuerChain => "the TCB info's issuer chain",
            Part::QeIdentityIssuerChain => "the QE identity's issuer chain",
            Part::Crl => "the certificate revocation list",
        })
    }
}

/// Something that Intel signs, dates and makes anew from time to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Document {
    /// Which security versions platforms should have.
    TcbInfo,
    /// Which quoting enclave is Intel's.
    QeIdentity,
    /// What the root has revoked.
    RootCrl,
    /// Which PCK certificates were revoked.
    PckCrl,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Document::TcbInfo => "the TCB info",
            Document::QeIdentity => "the QE identity",
            Document::RootCrl => "the root's CRL",
            Document::PckCrl => "the PCK CRL",
        })
    }
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum CertificateKind {
    /// The trust anchor.
    Root,
    /// Who issues PCK certificates.
    PckCa,
    /// A platform's.
    Pck,
    /// Who signs TCB info and QE identity.
    TcbSigner,
}

impl fmt::Display for CertificateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CertificateKind::Root => "the root certificate",
            CertificateKind::PckCa => "the certificate of the PCK certificate's issuer",
            CertificateKind::Pck => "the PCK certificate",
            CertificateKind::TcbSigner => "the certificate of the signer of collateral",
        })
    }
}

/// A measurement of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
#[allow(missing_docs)] // The names of Intel's documents.
pub enum Register {
    MrEnclave,
    MrSigner,
    IsvProdId,
    MrTd,
    Rtmr0,
    Rtmr1,
    Rtmr2,
    Rtmr3,
    MrConfigId,
    MrOwner,
    MrOwnerConfig,
    TrustedApplication,
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Register::MrEnclave => "MRENCLAVE",
            Register::MrSigner => "MRSIGNER",
            Register::IsvProdId => "ISVPRODID",
            Register::MrTd => "MRTD",
            Register::Rtmr0 => "RTMR0",
            Register::Rtmr1 => "RTMR1",
            Register::Rtmr2 => "RTMR2",
            Register::Rtmr3 => "RTMR3",
            Register::MrConfigId => "MRCONFIGID",
            Register::MrOwner => "MROWNER",
            Register::MrOwnerConfig => "MROWNERCONFIG",
            Register::TrustedApplication => "the trusted application's measurement",
        })
    }
}
