//! What Intel publishes about its platforms, as verifiers pass it around.

mod advisory;
mod json;
mod qe_identity;
mod status;
mod tcb_info;

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

pub use advisory::{Advisories, Advisory};
pub use json::{SignedDocument, MAX_DOCUMENT};
pub use qe_identity::{verify_qe_identity, QeIdentity, QeLevel, MAX_QE_LEVELS};
pub use status::TcbStatus;
pub use tcb_info::{
    verify_tcb_info, TcbInfo, TcbLevel, TdxModule, TdxModuleIdentity, TdxModuleLevel, MAX_LEVELS, MAX_MODULES,
};

/// Everything that a quote is judged by beside the root certificate, in the shape of a collateral file: a JSON object
/// with these names, byte strings in hexadecimal (the shape of `QuoteCollateralV3` in dcap-qvl).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collateral {
    /// PEM: who signed [`Self::pck_crl`], then its issuers.
    pub pck_crl_issuer_chain: String,
    /// DER: what the root has revoked.
    #[serde(with = "hex::serde")]
    pub root_ca_crl: Vec<u8>,
    /// DER: what the issuer of the PCK certificate has revoked.
    #[serde(with = "hex::serde")]
    pub pck_crl: Vec<u8>,
    /// PEM: who signed [`Self::tcb_info`], then its issuers.
    pub tcb_info_issuer_chain: String,
    /// JSON: the object `tcbInfo` of Intel's answer, byte for byte, since these bytes are what is signed.
    pub tcb_info: String,
    /// ECDSA over P-256 with SHA-256: r, then s, 32 bytes each.
    #[serde(with = "hex::serde")]
    pub tcb_info_signature: Vec<u8>,
    /// PEM: who signed [`Self::qe_identity`], then its issuers.
    pub qe_identity_issuer_chain: String,
    /// JSON: the object `enclaveIdentity` of Intel's answer, byte for byte.
    pub qe_identity: String,
    /// As [`Self::tcb_info_signature`].
    #[serde(with = "hex::serde")]
    pub qe_identity_signature: Vec<u8>,
    /// PEM: the PCK certificate and its issuers; where it is absent, the quote carries them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pck_certificate_chain: Option<String>,
}
