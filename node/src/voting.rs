//! Holds GRANDPA's prevotes back while the TEE is away.
//!
//! A failed signature ends the voter for the life of the process (sc-consensus-grandpa, `communication/mod.rs`), so a
//! vote must wait. Waiting here, where the voter is asynchronous, lets it go on taking in other validators' commits.
//! Precommits and primary proposals do not pass through a voting rule; they wait in the keystore.

use std::sync::Arc;

use keystore_tee::TEEKeystore;
use sc_client_api::HeaderBackend;
use sc_consensus_grandpa::{VotingRule, VotingRuleResult};
use sp_runtime::traits::Block as BlockT;

/// Awaits the TEE before a prevote; restricts nothing.
#[derive(Clone)]
pub(crate) struct AwaitTee(pub(crate) Option<Arc<TEEKeystore>>);

impl<Block: BlockT, B: HeaderBackend<Block>> VotingRule<Block, B> for AwaitTee {
    fn restrict_vote(
        &self,
        _backend: Arc<B>,
        _base: &Block::Header,
        _best_target: &Block::Header,
        _current_target: &Block::Header,
    ) -> VotingRuleResult<Block> {
        let keystore = self.0.clone();
        Box::pin(async move {
            if let Some(keystore) = keystore {
                keystore.up().await;
            }
            None
        })
    }
}
