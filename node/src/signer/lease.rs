//! The lease on the signer's keys in the life of this node: who the node is, which rounds of GRANDPA it has seen, and
//! when it must end because another has taken over.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{stream::select, StreamExt};
use keystore_tee::{Identity, Role, TEEKeystore, Tenure};
use sc_client_api::BlockchainEvents;
use sc_consensus_grandpa::{SharedAuthoritySet, SharedVoterState};
use sc_network::config::{NetworkConfiguration, NodeKeyConfig, Secret};
use sc_service::TaskManager;
use sp_runtime::traits::{Block as BlockT, NumberFor};

use crate::exit::{LastWord, SUPERSEDED};

/// A set's first voter is in its place so long after the set has changed.
const SETTLED: Duration = Duration::from_secs(1);

/// Who this node is to the daemon: its network key, which outlives restarts, and its name. A key that is drawn at the
/// start is drawn here, and then kept for the network.
pub(crate) fn identity(network: &mut NetworkConfiguration) -> std::io::Result<Identity> {
    let key = network.node_key.clone().into_keypair()?;
    network.node_key = NodeKeyConfig::Ed25519(Secret::Input(key.secret()));
    Ok(Identity::new(key.public().to_bytes(), &network.node_name))
}

/// Starts what a validator's lease needs.
pub(crate) fn spawn<B: BlockT>(
    tasks: &TaskManager,
    keystore: Arc<TEEKeystore>,
    client: Arc<impl BlockchainEvents<B> + Send + Sync + 'static>,
    rounds: Rounds<B>,
    last_word: LastWord,
) {
    let follow = follow_rounds(keystore.clone(), client, rounds);
    // Blocking: it may wait for the voter's lock.
    tasks.spawn_handle().spawn_blocking("signer-rounds", None, follow);
    // Essential: a node whose place was taken has to end.
    tasks.spawn_essential_handle().spawn("signer-lease", None, end_when_superseded(keystore, last_word));
}

async fn end_when_superseded(keystore: Arc<TEEKeystore>, last_word: LastWord) {
    keystore.superseded().await;
    let holder = match keystore.lease().map(|lease| lease.tenure) {
        Some(Tenure::Held { holder, .. }) => holder.to_string(),
        _ => "another node".into(),
    };
    log::error!(
        "⛔ {holder} has taken over from this node: it holds the lease on the signer's keys, because this one was silent \
         for too long. This process signs nothing any more and ends with exit code {SUPERSEDED}. Started again, it \
         follows the chain as a standby"
    );
    last_word.superseded();
}

/// Where the rounds of GRANDPA are read.
pub(crate) struct Rounds<B: BlockT> {
    pub(crate) voter: SharedVoterState,
    pub(crate) set: SharedAuthoritySet<B::Hash, NumberFor<B>>,
}

/// Tells the keystore of every round that this node comes to, while it is a standby. The voter's lock is held while it
/// waits for a signature, which a standby never asks for.
async fn follow_rounds<B: BlockT>(
    keystore: Arc<TEEKeystore>,
    client: Arc<impl BlockchainEvents<B>>,
    Rounds { voter, set }: Rounds<B>,
) {
    let imported = client.import_notification_stream().map(drop);
    let finalised = client.finality_notification_stream().map(drop);
    let mut news = select(imported, finalised);
    let mut settled = Settled::default();
    while news.next().await.is_some() {
        if keystore.role() != Role::Standby {
            continue;
        }
        // The set first: the one that it has changed to by the time of the round makes the round older, not newer.
        let set = set.set_id();
        if let Some(state) = voter.voter_state().filter(|_| settled.is(set, Instant::now())) {
            keystore.observe_round(set, state.best_round.0);
        }
    }
}

/// Tells when the voter is that of the current set. For a moment after a change it is the old one's, whose round would
/// be taken for one of the new set.
#[derive(Default)]
struct Settled(Option<(u64, Instant)>);

impl Settled {
    fn is(&mut self, set: u64, now: Instant) -> bool {
        match self.0 {
            Some((known, since)) if known == set => now.saturating_duration_since(since) >= SETTLED,
            _ => {
                self.0 = Some((set, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_not_believed_before_the_set_has_settled() {
        let (mut settled, start) = (Settled::default(), Instant::now());
        let mut at = |set, millis| settled.is(set, start + Duration::from_millis(millis));
        assert!(!at(0, 0) && !at(0, 999) && at(0, 1_000) && at(0, 5_000));
        assert!(!at(1, 5_001) && !at(1, 6_000) && at(1, 6_001));
    }

    #[test]
    fn a_node_is_known_by_its_network_key_which_the_network_then_uses() {
        let mut network = NetworkConfiguration::new_local();
        network.node_name = "alice".into();
        network.node_key = NodeKeyConfig::Ed25519(Secret::New);
        let first = identity(&mut network).expect("a key is drawn");
        let again = identity(&mut network).expect("it is kept");
        assert_eq!((first.node, first.name()), (again.node, "alice".into()));
        assert_ne!(first.process, again.process);
        let key = network.node_key.into_keypair().expect("it is kept");
        assert_eq!(key.public().to_bytes(), first.node);
    }
}
