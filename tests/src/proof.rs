//! Who made a seal, and who voted: judged from the bytes on the chain, with `sp_core` alone.

use anyhow::{ensure, Context, Result};
use codec::Decode;
use sp_consensus_grandpa::{check_message_signature, ConsensusLog, GrandpaJustification, Message, GRANDPA_ENGINE_ID};
use sp_core::{ed25519, sr25519, Pair, H256};
use sp_runtime::{ConsensusEngineId, DigestItem};

use crate::rpc::{Header, Rpc};

const AURA_ENGINE_ID: ConsensusEngineId = *b"aura";

/// The slot that a header claims.
pub fn slot_of(header: &Header) -> Result<u64> {
    let bytes = header
        .digest
        .logs()
        .iter()
        .find_map(|item| match item {
            DigestItem::PreRuntime(AURA_ENGINE_ID, bytes) => Some(bytes),
            _ => None,
        })
        .with_context(|| format!("block {} names no slot", header.number))?;
    Ok(u64::decode(&mut &bytes[..])?)
}

/// Verifies the seal of a header against the authorities in the state before it, and says whose seal it is.
pub fn verify_seal(header: &Header, authorities: &[sr25519::Public]) -> Result<sr25519::Public> {
    ensure!(!authorities.is_empty(), "there is no authority");
    let author = authorities[slot_of(header)? as usize % authorities.len()];
    let mut unsealed = header.clone();
    let seal = match unsealed.digest.pop() {
        Some(DigestItem::Seal(AURA_ENGINE_ID, bytes)) => sr25519::Signature::try_from(&bytes[..]).ok(),
        _ => None,
    };
    let seal = seal.with_context(|| format!("block {} does not end with a seal", header.number))?;
    ensure!(
        sr25519::Pair::verify(&seal, unsealed.hash(), &author),
        "the seal of block {} is not {author}'s",
        header.number
    );
    Ok(author)
}

/// Who sealed a header, verified.
pub async fn author_of(rpc: &Rpc, header: &Header) -> Result<sr25519::Public> {
    verify_seal(header, &rpc.aura_authorities(header.parent_hash).await?)
}

/// Verifies the seals of blocks 1 to `last` of the best chain, and says who made them.
pub async fn authors_until(rpc: &Rpc, last: u32) -> Result<Vec<sr25519::Public>> {
    let mut authors = Vec::new();
    for number in 1..=last {
        authors.push(author_of(rpc, &rpc.header_at(number).await?).await?);
    }
    Ok(authors)
}

/// The slots after `slot` in which the best chain has a block, the last one first, and who sealed it, verified.
pub async fn seals_after(rpc: &Rpc, slot: u64) -> Result<Vec<(u64, sr25519::Public)>> {
    let mut seals = Vec::new();
    let mut header = rpc.best().await?;
    while header.number > 0 && slot_of(&header)? > slot {
        seals.push((slot_of(&header)?, author_of(rpc, &header).await?));
        header = rpc.header(header.parent_hash).await?;
    }
    Ok(seals)
}

/// Verifies the seals of blocks 1 to `last` of the best chain, and the votes of every kept justification among them.
/// Says how many justifications there were.
pub async fn verify_until(rpc: &Rpc, last: u32) -> Result<u32> {
    let mut justifications = 0;
    for number in 1..=last {
        let header = rpc.header_at(number).await?;
        author_of(rpc, &header).await?;
        if changes_voters(&header) {
            voters_of(rpc, header.hash()).await?;
            justifications += 1;
        }
    }
    Ok(justifications)
}

/// Whether a header hands finality over to other voters: such a block is finalised with a justification that is kept.
pub fn changes_voters(header: &Header) -> bool {
    header.digest.logs().iter().any(|item| match item {
        DigestItem::Consensus(GRANDPA_ENGINE_ID, bytes) => {
            matches!(ConsensusLog::<u32>::decode(&mut &bytes[..]), Ok(ConsensusLog::ScheduledChange(_)))
        }
        _ => false,
    })
}

/// Verifies the kept justification of a finalised block, every precommit in it, and says who voted.
pub async fn voters_of(rpc: &Rpc, block: H256) -> Result<Vec<ed25519::Public>> {
    #[derive(serde::Deserialize)]
    struct Block {
        justifications: Option<Vec<(ConsensusEngineId, Vec<u8>)>>,
    }
    let header = rpc.header(block).await?;
    // Its voters are those of the state before it.
    let set: u64 = rpc.runtime("GrandpaApi_current_set_id", header.parent_hash).await?;
    let voters = rpc.grandpa_authorities(header.parent_hash).await?;
    let kept: Block = rpc.call("chain_getBlock", &[serde_json::to_value(block)?]).await?;
    let (_, bytes) = kept
        .justifications
        .into_iter()
        .flatten()
        .find(|(engine, _)| *engine == GRANDPA_ENGINE_ID)
        .with_context(|| format!("block {} has no justification", header.number))?;
    let justification = GrandpaJustification::<Header>::decode(&mut &bytes[..])?;
    ensure!(justification.commit.target_hash == block, "the justification is for another block");
    let mut voted = Vec::new();
    for vote in justification.commit.precommits {
        let voter = ed25519::Public::from(vote.id.clone());
        let message = Message::<Header>::Precommit(vote.precommit);
        ensure!(
            check_message_signature(&message, &vote.id, &vote.signature, justification.round, set).is_valid(),
            "a vote for block {} is not {voter}'s",
            header.number
        );
        ensure!(voters.contains(&voter), "{voter} has no vote on block {}", header.number);
        voted.push(voter);
    }
    ensure!(voted.len() * 3 > voters.len() * 2, "{} of {} votes are no two thirds", voted.len(), voters.len());
    Ok(voted)
}
