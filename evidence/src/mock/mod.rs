//! A whole Intel PKI from a seed, for development chains and tests.
//!
//! What comes of it goes through the code that judges Intel's quotes: the same common names, extensions, object
//! identifiers and JSON as Intel's. Only the organization in the certificates' names is another, [`ORGANIZATION`], so
//! that whoever looks at them sees that they are simulated. The same seed gives the same bytes.
//!
//! There are four stages, and everything can be changed between any two of them:
//!
//! | stage | what it is | to change in it |
//! |---|---|---|
//! | [`Plan`] | structures | any field, with all the rest still valid |
//! | [`Unsigned`] | what is signed, as bytes | any byte, with every signature valid |
//! | [`Parts`] | the same bytes and their signatures | any byte after it was signed |
//! | [`Signed`] | a quote, its collateral and the root | what a verifier is handed |
//!
//! ```
//! use holdfast_evidence::mock::{Kind, Plan};
//!
//! let mut plan = Plan::new(Kind::Td15, 1_790_000_000);
//! plan.td.report_data = [7; 64];
//! let signed = plan.unsigned().sign();
//! assert_eq!(signed.root, holdfast_evidence::mock::development_root());
//! ```

mod asn1;
mod certificate;
mod certificates;
mod crl;
mod keys;
mod plan;
mod platform;
mod qe_identity;
mod quote;
mod report;
mod sgx_extension;
mod sign;
mod tcb_info;
mod text;

use alloc::vec::Vec;

pub use certificate::{
    BasicConstraints, Certificate, DistinguishedName, Extension, KeyIdentifier, KEY_USAGE_ISSUES, KEY_USAGE_SIGNS,
};
pub use certificates::{CertificateName, Certificates};
pub use crl::{Crl, Crls, Revoked};
pub use keys::{Key, Seed, DEVELOPMENT_SEED};
pub use plan::{Chains, Kind, Plan};
pub use platform::{Ca, Platform};
pub use qe_identity::QeIdentity;
pub use quote::{BodyDescriptor, BodyKind, Framing, QuoteHeader};
pub use report::{EnclaveReport, TdReport};
pub use sgx_extension::{Configuration, SgxExtension};
pub use sign::{qe_report_data, Parts, Signed, ToBeSigned, Unsigned};
pub use tcb_info::{IsvTcb, IsvTcbLevel, Tcb, TcbComponent, TcbInfo, TcbLevel, TdxModule, TdxModuleIdentity};

/// The organization in every certificate, where Intel's say "Intel Corporation".
pub const ORGANIZATION: &str = "Holdfast mock";

/// DER: the root certificate of [`DEVELOPMENT_SEED`], which a development chain's genesis trusts.
pub fn development_root() -> Vec<u8> {
    root(DEVELOPMENT_SEED)
}

/// DER: the root certificate of a seed. It depends on nothing else: the roots of all plans with this seed are the same,
/// unless their certificate for the root was changed.
pub fn root(seed: impl Into<Seed>) -> Vec<u8> {
    let seed = seed.into();
    let certificate = Certificate::root();
    let signed_by = certificate.signed_by;
    ToBeSigned::new(certificate.tbs(&seed), signed_by).sign(&seed)
}
