//! Proofs of possession: `POP_` and the account that owns the key.
//!
//! Source: `sp_core::proof_of_possession::statement_of_ownership`; the owner of a session key is an account id of 32
//! bytes, but `--dev` and `--alice` make session keys for an empty owner.

use crate::{policy::Verdict, Rule};

const PREFIX: &[u8] = b"POP_";
const OWNER: usize = 32;

/// Whether a message is to be judged as a proof of possession.
pub(super) fn claims_to_be(message: &[u8]) -> bool {
    message.starts_with(PREFIX)
}

/// Judges a message that claims to be one.
pub(super) fn judge(development: bool, message: &[u8]) -> Verdict {
    match message.strip_prefix(PREFIX) {
        Some(owner) if owner.len() == OWNER => Ok(()),
        Some([]) if development => Ok(()),
        _ => Err(Rule::MalformedProofOfPossession),
    }
}

/// Whether a message can be a proof of possession, on a development TEE at least. No vote and no seal is one.
pub fn proves_possession(message: &[u8]) -> bool {
    judge(true, message).is_ok()
}
