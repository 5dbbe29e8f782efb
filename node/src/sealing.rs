//! Shows the signer the header that it seals.
//!
//! Aura asks the keystore to sign a 32-byte hash. A signer that is to judge what it signs needs the header behind the
//! hash, so this wrapper around Aura's worker hands it over just before the seal, with the end of the slot as deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use codec::Encode;
use keystore_tee::TEEKeystore;
use sc_consensus::BlockImportParams;
use sc_consensus_slots::{SimpleSlotWorker, SlotInfo, StorageChanges};
use sc_telemetry::TelemetryHandle;
use sp_consensus_aura::sr25519::AuthoritySignature;
use sp_consensus_slots::{Slot, SlotDuration};
use sp_runtime::{
    traits::{Block as BlockT, Header as HeaderT},
    DigestItem,
};

/// A slot worker that offers each header to the signer before it is sealed.
pub(crate) struct HeaderToSigner<W> {
    worker: W,
    keystore: Option<Arc<TEEKeystore>>,
    slot_duration: SlotDuration,
}

impl<W> HeaderToSigner<W> {
    /// Wraps Aura's worker. Without a keystore it changes nothing.
    pub(crate) fn new(worker: W, keystore: Option<Arc<TEEKeystore>>, slot_duration: SlotDuration) -> Self {
        Self { worker, keystore, slot_duration }
    }
}

#[async_trait::async_trait]
impl<B, W> SimpleSlotWorker<B> for HeaderToSigner<W>
where
    B: BlockT<Hash = sp_core::H256>,
    W: SimpleSlotWorker<B> + Send + Sync,
{
    type BlockImport = W::BlockImport;
    type SyncOracle = W::SyncOracle;
    type JustificationSyncLink = W::JustificationSyncLink;
    type CreateProposer = W::CreateProposer;
    type Proposer = W::Proposer;
    type Claim = W::Claim;
    type AuxData = W::AuxData;

    async fn block_import_params(
        &self,
        header: B::Header,
        header_hash: &B::Hash,
        body: Vec<B::Extrinsic>,
        storage_changes: StorageChanges<B>,
        public: Self::Claim,
        aux_data: Self::AuxData,
    ) -> Result<BlockImportParams<B>, sp_consensus::Error> {
        if let Some(keystore) = &self.keystore {
            let left = slot_of(&header).map_or(self.slot_duration.as_duration(), |slot| {
                time_left(slot, self.slot_duration, SystemTime::now())
            });
            keystore.offer_header(header_hash.0, header.encode(), Instant::now() + left);
        }
        self.worker.block_import_params(header, header_hash, body, storage_changes, public, aux_data).await
    }

    fn logging_target(&self) -> &'static str {
        self.worker.logging_target()
    }

    fn block_import(&mut self) -> &mut Self::BlockImport {
        self.worker.block_import()
    }

    fn aux_data(&self, header: &B::Header, slot: Slot) -> Result<Self::AuxData, sp_consensus::Error> {
        self.worker.aux_data(header, slot)
    }

    fn authorities_len(&self, aux_data: &Self::AuxData) -> Option<usize> {
        self.worker.authorities_len(aux_data)
    }

    async fn claim_slot(&mut self, header: &B::Header, slot: Slot, aux_data: &Self::AuxData) -> Option<Self::Claim> {
        self.worker.claim_slot(header, slot, aux_data).await
    }

    fn notify_slot(&self, header: &B::Header, slot: Slot, aux_data: &Self::AuxData) {
        self.worker.notify_slot(header, slot, aux_data)
    }

    fn pre_digest_data(&self, slot: Slot, claim: &Self::Claim) -> Vec<DigestItem> {
        self.worker.pre_digest_data(slot, claim)
    }

    fn force_authoring(&self) -> bool {
        self.worker.force_authoring()
    }

    fn should_backoff(&self, slot: Slot, chain_head: &B::Header) -> bool {
        self.worker.should_backoff(slot, chain_head)
    }

    fn sync_oracle(&mut self) -> &mut Self::SyncOracle {
        self.worker.sync_oracle()
    }

    fn justification_sync_link(&mut self) -> &mut Self::JustificationSyncLink {
        self.worker.justification_sync_link()
    }

    fn proposer(&mut self, block: &B::Header) -> Self::CreateProposer {
        self.worker.proposer(block)
    }

    fn telemetry(&self) -> Option<TelemetryHandle> {
        self.worker.telemetry()
    }

    fn proposing_remaining_duration(&self, slot_info: &SlotInfo<B>) -> Duration {
        self.worker.proposing_remaining_duration(slot_info)
    }
}

/// The slot that a header claims in its Aura pre-runtime digest.
fn slot_of<H: HeaderT>(header: &H) -> Option<Slot> {
    use sp_consensus_aura::digests::CompatibleDigestItem;
    header.digest().logs().iter().find_map(CompatibleDigestItem::<AuthoritySignature>::as_aura_pre_digest)
}

/// How long a slot still lasts; nothing once it is over, and never more than one slot.
fn time_left(slot: Slot, duration: SlotDuration, now: SystemTime) -> Duration {
    let end = (*slot).saturating_add(1).saturating_mul(duration.as_millis());
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(end).saturating_sub(now).min(duration.as_duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    fn left(slot: u64, now_ms: u64) -> Duration {
        time_left(slot.into(), SlotDuration::from_millis(SECOND), UNIX_EPOCH + Duration::from_millis(now_ms))
    }

    #[test]
    fn a_seal_has_the_rest_of_its_slot() {
        assert_eq!(left(5, 5_300), Duration::from_millis(700));
    }

    #[test]
    fn a_slot_that_is_over_leaves_no_time() {
        assert_eq!(left(5, 6_000), Duration::ZERO);
        assert_eq!(left(5, 99_000), Duration::ZERO);
    }

    #[test]
    fn a_slot_of_the_future_leaves_one_slot_at_most() {
        assert_eq!(left(5, 0), Duration::from_millis(SECOND));
        assert_eq!(left(u64::MAX, 0), Duration::from_millis(SECOND));
    }
}
