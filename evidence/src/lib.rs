//! Judges evidence that a TEE runs what it says.
//!
//! An Intel quote is judged in steps, each of which takes what the one before gave and can be kept for the next quote:
//!
//! | step | what it verifies | changes |
//! |---|---|---|
//! | [`Issuer::root`] | the trust anchor, as whoever judges gives it | never |
//! | [`verify_crl`], [`verify_issuer`] | what is revoked; who else may sign | with collateral |
//! | [`verify_tcb_info`], [`verify_qe_identity`] | what platforms and quoting enclaves should be | with collateral |
//! | [`verify_pck`] | the platform | with the platform |
//! | [`certify_attestation_key`] | the platform's quoting enclave, and its key | when the platform restarts |
//! | [`verify_quote`] | the quote's signature: one verification | with each quote |
//! | [`judge_tcb`], [`judge_workload`] | the platform by the collateral, the workload by a policy | with any of these |
//!
//! [`verify`] does all of them. Root, collateral and time are always given; nothing here is global, nothing panics, and
//! what is read is bounded before it is read. `docs/evidence.md` lists the checks with their errors and sources.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod binding;
mod collateral;
mod error;
mod evidence;
mod hex;
mod judge;
#[cfg(feature = "mock")]
pub mod mock;
mod moment;
mod optee;
mod quote;
mod reader;
mod steps;
mod subject;
mod verify;
mod x509;

pub use binding::{report_data, Audience, Binding, BoundKey, KeyScheme, Role, MAX_BOUND_KEYS};
pub use collateral::{
    verify_qe_identity, verify_tcb_info, Advisories, Advisory, Collateral, QeIdentity, QeLevel, SignedDocument,
    TcbInfo, TcbLevel, TcbStatus, TdxModule, TdxModuleIdentity, TdxModuleLevel, MAX_DOCUMENT, MAX_LEVELS, MAX_MODULES,
    MAX_QE_LEVELS,
};
pub use error::Error;
pub use evidence::Evidence;
pub use hex::Hex;
pub use judge::{
    judge_tcb, judge_workload, td_attributes, Facts, Measurements, Policy, SgxMeasurements, Statuses, TcbVerdict,
    TdFeatures, TdxMeasurements, MAX_DENIED,
};
pub use moment::Moment;
pub use optee::{judge_optee, verify_optee, DeviceKey, OpteeEvidence, OpteeReport};
pub use quote::{
    Certification, EnclaveReport, Header, Quote, Report, SignedReport, TdReport, Tdx15, Tdx15Ex, AUTH_DATA, MAX_QUOTE,
    MAX_SIGNED,
};
pub use steps::{certify_attestation_key, verify_quote, AttestationKey, QeReport, Quoted};
pub use subject::{CertificateKind, Document, Part, Register, Tee};
pub use verify::{verify, ReportData, Verified};
pub use x509::{
    certificates, verify_crl, verify_issuer, verify_pck, Configuration, Crl, Issuer, IssuerKind, Pck, Serial,
    SgxExtension, Signer, MAX_CRL, MAX_REVOKED,
};

/// The certificate of Intel's root for SGX and TDX, in DER, as Intel publishes it ("Intel SGX Root CA", good until the end
/// of 2049; SHA-256 `44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3`). Nothing here trusts it by itself.
pub const INTEL_ROOT: &[u8] = include_bytes!("../data/intel-sgx-root-ca.der");
