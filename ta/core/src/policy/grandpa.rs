//! GRANDPA votes.
//!
//! Source: `sp_consensus_grandpa::localized_payload`, the SCALE encoding of `(Message, round, set_id)`.

use super::watermark::Statement;
use crate::{GrandpaRound, Rule};

/// Stage, target hash and number, round, set id.
const VOTE: usize = 1 + 32 + 4 + 8 + 8;
/// Prevote 0, precommit 1, primary proposal 2.
const LAST_STAGE: u8 = 2;

/// A GRANDPA vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Prevote 0, precommit 1, primary proposal 2.
    pub stage: u8,
    /// Hash of the block that is voted for.
    pub target_hash: [u8; 32],
    /// Its number.
    pub target_number: u32,
    /// The round.
    pub round: u64,
    /// Id of the authority set.
    pub set_id: u64,
}

impl Vote {
    /// When it was cast.
    pub fn at(&self) -> GrandpaRound {
        GrandpaRound { set_id: self.set_id, round: self.round }
    }
}

/// Judges a message as a vote.
pub(super) fn judge(message: &[u8]) -> Result<Statement, Rule> {
    read_vote(message).map(Statement::Vote).ok_or(Rule::GrandpaMalformedVote)
}

/// Reads a message as a vote. Each field has a fixed width, and only the stage has values that mean nothing.
pub fn read_vote(message: &[u8]) -> Option<Vote> {
    if message.len() != VOTE {
        return None;
    }
    let (&[stage], rest) = message.split_first_chunk()?;
    let (&target_hash, rest) = rest.split_first_chunk()?;
    let (&number, rest) = rest.split_first_chunk()?;
    let (&round, rest) = rest.split_first_chunk()?;
    let &set_id = rest.first_chunk()?;
    (stage <= LAST_STAGE).then_some(Vote {
        stage,
        target_hash,
        target_number: u32::from_le_bytes(number),
        round: u64::from_le_bytes(round),
        set_id: u64::from_le_bytes(set_id),
    })
}
