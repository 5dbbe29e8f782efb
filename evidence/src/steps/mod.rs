//! What is verified of a quote itself, once its platform and the collateral were.

mod attestation_key;
mod quote;

pub use attestation_key::{certify_attestation_key, AttestationKey, QeReport};
pub use quote::{verify_quote, Quoted};

pub(crate) use attestation_key::{equal_under, SGX_DEBUG};
