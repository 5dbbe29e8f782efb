//! Where this node's GRANDPA is, as its database says: which votes are its next.
//!
//! sc-consensus-grandpa keeps the state of its voter in the database, in types of its own. What is needed of it is
//! decoded here; its layout is that of `VoterSetState` in `environment.rs` of version 0.45. It is written before a vote
//! is signed and before a round is begun. The voter itself cannot be asked: it holds its lock while it asks for a key.

use std::collections::BTreeMap;

use codec::{Decode, Encode, Error, Input};
use holdfast_runtime::opaque::Block;
use keystore_tee::{GrandpaRound, Place};
use sc_client_api::backend::AuxStore;
use sp_consensus_grandpa::{RoundNumber, SetId, SignedMessage};
use sp_runtime::traits::{Block as BlockT, NumberFor};

/// Where sc-consensus-grandpa keeps the state of its voter (`SET_STATE_KEY` in `aux_schema.rs`).
const SET_STATE: &[u8] = b"grandpa_completed_round";
/// Where this node keeps the last round in which its signer refused a vote.
const REFUSED: &[u8] = b"holdfast_refused_vote";

/// The place now. The error says what is wrong with the database.
pub(crate) fn read(database: &impl AuxStore) -> Result<Place, String> {
    let value = |key| database.get_aux(key).map_err(|e| e.to_string());
    let state = value(SET_STATE)?.ok_or("it has no state of a voter")?;
    let refused = value(REFUSED)?.map(|bytes| <(SetId, RoundNumber)>::decode(&mut &bytes[..])).transpose();
    let refused = refused.map_err(|e| format!("the round of a refused vote cannot be read: {e}"))?;
    let place = place(&state).map_err(|e| format!("the state of its voter cannot be read: {e}"))?;
    Ok(Place { refused: refused.map(|(set_id, round)| GrandpaRound { set_id, round }), ..place })
}

/// Writes down that the signer refused a vote in this round, so that no process of this node asks for it again.
pub(crate) fn refused(database: &impl AuxStore, round: GrandpaRound) -> sp_blockchain::Result<()> {
    let bytes = (round.set_id, round.round).encode();
    database.insert_aux(&[(REFUSED, &bytes[..])], &[])
}

type Target = (<Block as BlockT>::Hash, NumberFor<Block>);
type AuthorityId = [u8; 32];
/// Rounds that are completed, the latest first and never none; the set's id, and its voters.
type CompletedRounds = (Vec<CompletedRound>, SetId, Vec<AuthorityId>);
/// Number, state, base and votes.
type CompletedRound = (RoundNumber, RoundState, Target, Vec<SignedMessage<<Block as BlockT>::Header>>);
/// Prevote-GHOST, finalised block, estimate, and whether it is completable.
type RoundState = (Option<Target>, Option<Target>, Option<Target>, bool);
/// `HasVoted` of each round that is live.
type CurrentRounds = BTreeMap<RoundNumber, Option<(AuthorityId, Vote)>>;

/// What was voted; its targets are not kept.
struct Vote;

impl Decode for Vote {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        match input.read_byte()? {
            0 => drop(Target::decode(input)?),
            1 => drop(<(Option<Target>, Target)>::decode(input)?),
            2 => drop(<(Option<Target>, Target, Target)>::decode(input)?),
            _ => return Err("an unknown kind of vote".into()),
        }
        Ok(Vote)
    }
}

/// The place in a `VoterSetState`. A voter begins with the round after the last that is completed.
fn place(state: &[u8]) -> Result<Place, Error> {
    let input = &mut &state[..];
    let live = match input.read_byte()? {
        0 => true,
        1 => false,
        _ => return Err("neither live nor paused".into()),
    };
    let (completed, set_id, voters) = CompletedRounds::decode(input)?;
    let current = if live { CurrentRounds::decode(input)? } else { CurrentRounds::new() };
    if !input.is_empty() {
        return Err("it is longer than it should be".into());
    }
    let (last, ..) = completed.first().ok_or("no round is completed")?;
    let at = GrandpaRound { set_id, round: last.saturating_add(1) };
    let voted = current.get(&at.round).and_then(|voted| voted.as_ref().map(|(id, _)| *id));
    Ok(Place { at, voted, needed: Place::needs_each_of(voters.len()), refused: None })
}

#[cfg(test)]
mod tests;
