//! What to do about a refusal.

use holdfast_evidence::{Collateral, Document, Error, Quote};

use super::{Given, Root};
use crate::{certificate, remedies};

/// Some sentences. `step` is the one that failed.
pub(super) fn on(error: &Error, step: &str, given: &Given, root: Root) -> Option<String> {
    // Before all others: what else is wrong is wrong because of it.
    if let Some(mixed) = mixed(error, step, given, root) {
        return Some(mixed.into());
    }
    let advice = remedies::of(&error.name())?.advice;
    Some(match key(step, &given.collateral) {
        Some(key) => format!("{advice} It stands under `{key}` in the collateral."),
        None => advice.into(),
    })
}

/// What stands in each other's way, where a part is simulated and another is not.
fn mixed(error: &Error, step: &str, given: &Given, root: Root) -> Option<&'static str> {
    if matches!(step, "quote" | "root" | "policy" | "report data") {
        return None;
    }
    let quote = quote_is_simulated(given);
    match (root, quote, collateral_is_simulated(&given.collateral)) {
        (Root::Intel, true, true) => Some(
            "Quote and collateral are SIMULATED, and the root is Intel's. If that is what you want, give the mock's \
             root: holdfast mock root --out root.der, then --root root.der.",
        ),
        (Root::Intel, true, false) => Some(
            "The quote is SIMULATED, and root and collateral are Intel's: no real TEE has made it. If that is what you \
             want, give the mock's root and collateral (holdfast mock root, holdfast mock collateral).",
        ),
        (Root::Intel | Root::Other, false, true) => {
            Some("The collateral is SIMULATED, and the quote is not: fetch what Intel publishes.")
        }
        (Root::Simulated, false, false) => {
            Some("The root is SIMULATED, and quote and collateral are not: leave --root out to judge by Intel's.")
        }
        (Root::Simulated, false, true) => Some(
            "Root and collateral are SIMULATED, and the quote is not: leave --root out to judge by Intel's, and fetch \
             what Intel publishes.",
        ),
        (Root::Simulated, true, false) => Some(
            "Root and quote are SIMULATED, and the collateral is not: make it too (holdfast mock collateral), with the \
             same --seed.",
        ),
        (Root::Simulated, true, true) if is_of_another_key(error) => {
            Some("Root, collateral and quote have to be made with the same --seed.")
        }
        _ => None,
    }
}

/// What a wrong seed looks like: all names are right, and no key is.
fn is_of_another_key(error: &Error) -> bool {
    matches!(
        error,
        Error::RootDiffers { .. }
            | Error::CertificateSignature { .. }
            | Error::DocumentSignature { document: Document::RootCrl }
    )
}

/// Whether the certificates that it is to be judged by say so.
fn quote_is_simulated(given: &Given) -> bool {
    let parsed = Quote::parse(&given.quote).ok();
    let chain = match &given.collateral.pck_certificate_chain {
        Some(chain) => chain.as_bytes(),
        None => parsed.as_ref().and_then(|quote| quote.pck_chain().ok()).unwrap_or_default(),
    };
    chain_is_simulated(chain)
}

fn collateral_is_simulated(collateral: &Collateral) -> bool {
    chain_is_simulated(collateral.tcb_info_issuer_chain.as_bytes())
}

fn chain_is_simulated(pem: &[u8]) -> bool {
    certificate::chain(pem).unwrap_or_default().iter().any(|der| certificate::is_simulated(der))
}

/// Where in the collateral that stands at which a step looks.
fn key(step: &str, collateral: &Collateral) -> Option<&'static str> {
    Some(match step {
        "root's CRL" => "root_ca_crl",
        "PCK CRL's signer" => "pck_crl_issuer_chain",
        "PCK CRL" => "pck_crl",
        "TCB info's signer" => "tcb_info_issuer_chain",
        "TCB info" => "tcb_info",
        "QE identity's signer" => "qe_identity_issuer_chain",
        "QE identity" => "qe_identity",
        "PCK's issuer" | "PCK certificate" => {
            return collateral.pck_certificate_chain.as_ref().map(|_| "pck_certificate_chain");
        }
        _ => return None,
    })
}
