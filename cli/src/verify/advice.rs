//! What to do about a refusal, where something can be done.

use holdfast_evidence::{CertificateKind, Document, Error};

use super::{Given, Root};

/// One sentence or two; `None` where the quote is simply not what it should be.
pub(super) fn on(error: &Error, given: &Given, root: Root) -> Option<String> {
    let simulated = super::is_simulated(&given.collateral);
    match root {
        // Before all others: what else is wrong is wrong because of it.
        Root::Intel if simulated => {
            return Some(
                "The collateral is SIMULATED, and Intel's root has not signed it. If that is what you want, give the \
                 mock's root: holdfast mock root --out root.der, then --root root.der."
                    .into(),
            )
        }
        Root::Simulated if !simulated => {
            return Some(
                "The root is SIMULATED, and the collateral is not: leave --root out to judge by Intel's.".into(),
            )
        }
        _ => {}
    }
    let advice = match error {
        Error::DocumentExpired { .. } => {
            "Fetch the collateral anew. To judge by the time at which it was good, say so with --at; to take it for \
             longer, say so with `grace` in the policy."
        }
        Error::DocumentNotYetValid { .. } | Error::CertificateNotYetValid { .. } => {
            "Look whether this machine's clock is right, or what --at says."
        }
        Error::CertificateExpired { certificate: CertificateKind::Pck, .. } => {
            "The platform needs a new PCK certificate from Intel, and a new quote."
        }
        Error::CertificateExpired { .. } => "Fetch the collateral anew.",
        Error::CrlSigner { .. } | Error::RootDiffers { .. } => {
            "The collateral belongs to another root: look where it is from, and what --root says."
        }
        Error::CrlIssuer { .. }
        | Error::Fmspc { .. }
        | Error::PceId { .. }
        | Error::TcbInfoTee { .. }
        | Error::QeIdentityTee { .. } => {
            "The collateral is of other platforms, or of the other TEE: fetch that of this quote's FMSPC, CA and TEE."
        }
        Error::DocumentSignature { document: Document::TcbInfo | Document::QeIdentity }
        | Error::DocumentEncoding { document: Document::TcbInfo | Document::QeIdentity } => {
            "If the collateral went through a program that reads and writes JSON, that changed the bytes that Intel \
             signed: take them as Intel's service sent them."
        }
        Error::CertificationDataType { .. } => {
            "The quote does not carry its platform's certificates: put them into the collateral, as \
             `pck_certificate_chain`."
        }
        Error::TcbStatus { .. } => {
            "The platform needs to be updated or configured. To accept it as it is, say so with `statuses` in a policy."
        }
        Error::EvaluationDataNumber { .. } => "Fetch the collateral with Intel's latest evaluation (update=early).",
        Error::TdAttributes { .. } | Error::Xfam { .. } | Error::ServiceTd { .. } => {
            "To accept this, say so under [td] in a policy."
        }
        Error::Debug => "Its host can read all of its memory: build or start the workload without debugging.",
        _ => return None,
    };
    Some(advice.into())
}
