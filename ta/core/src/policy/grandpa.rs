//! GRANDPA votes.
//!
//! Source: `sp_consensus_grandpa::localized_payload`, the SCALE encoding of `(Message, round, set_id)`.

use crate::{policy::Verdict, Rule};

/// Stage, target hash and number, round, set id.
const VOTE: usize = 1 + 32 + 4 + 8 + 8;
/// Prevote 0, precommit 1, primary proposal 2.
const LAST_STAGE: u8 = 2;

/// Judges a message as a vote. Each field has a fixed width, and only the stage has values that mean nothing.
pub(super) fn judge(message: &[u8]) -> Verdict {
    match message {
        [0..=LAST_STAGE, rest @ ..] if rest.len() == VOTE - 1 => Ok(()),
        _ => Err(Rule::GrandpaMalformedVote),
    }
}
