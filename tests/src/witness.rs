//! Watches the blocks that nodes take in, of every fork, and how far finality is behind them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{anyhow, Error, Result};
use sp_core::H256;
use tokio::task::JoinHandle;

use crate::{
    proof,
    rpc::{Header, Heads, Rpc},
};

/// Notes the blocks that nodes take in and those that become final, from its start to [`Witness::end`].
///
/// Tests that have one run on a runtime of several threads: what blocks the test must not delay the notes.
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    /// Each ends by itself only if it fails.
    following: Vec<JoinHandle<Error>>,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    blocks: BTreeMap<u64, BTreeSet<H256>>,
    behind: u32,
}

impl Witness {
    /// Watches through these nodes, which must run for as long.
    pub async fn start(nodes: &[&Rpc]) -> Result<Witness> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut following = Vec::new();
        for rpc in nodes {
            let (mut all, mut finalised) = (rpc.heads(Heads::All).await?, rpc.heads(Heads::Finalised).await?);
            let mut view = View { best: 0, finalised: rpc.finalised().await?.number };
            let seen = seen.clone();
            following.push(tokio::spawn(async move {
                loop {
                    let (header, is_final) = tokio::select! {
                        header = all.next() => (header, false),
                        header = finalised.next() => (header, true),
                    };
                    let noted = match header {
                        Some(Ok(header)) => locked(&seen).note(&mut view, &header, is_final),
                        Some(Err(error)) => return error.into(),
                        None => return anyhow!("the node closed the connection"),
                    };
                    if let Err(error) = noted {
                        return error;
                    }
                }
            }));
        }
        Ok(Witness { seen, following })
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        locked(&self.seen).clone()
    }

    /// What it has seen. An error if it could not watch to the end.
    pub async fn end(self) -> Result<Seen> {
        for following in self.following {
            following.abort();
            match following.await {
                Ok(error) => return Err(error.context("blocks could not be watched to the end")),
                Err(error) if error.is_cancelled() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(locked(&self.seen).clone())
    }
}

impl Seen {
    /// The slots for which more than one block was sealed, on whatever forks. Only one validator may seal in each.
    pub fn sealed_twice(&self) -> Vec<u64> {
        self.blocks.iter().filter(|(_, blocks)| blocks.len() > 1).map(|(slot, _)| *slot).collect()
    }

    /// By how many blocks finality was behind the highest block at most, in any one node's eyes.
    pub fn behind(&self) -> u32 {
        self.behind
    }

    fn note(&mut self, view: &mut View, header: &Header, is_final: bool) -> Result<()> {
        let number = if is_final { &mut view.finalised } else { &mut view.best };
        *number = header.number.max(*number);
        self.behind = self.behind.max(view.best.saturating_sub(view.finalised));
        // Block 0 has no slot.
        if header.number > 0 {
            self.blocks.entry(proof::slot_of(header)?).or_default().insert(header.hash());
        }
        Ok(())
    }
}

/// How far one node has come.
struct View {
    best: u32,
    finalised: u32,
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use codec::Encode;
    use sp_runtime::{traits::Header as _, Digest, DigestItem};

    use super::*;

    fn header(number: u32, slot: u64, state: u8) -> Header {
        let digest = Digest { logs: vec![DigestItem::PreRuntime(*b"aura", slot.encode())] };
        Header::new(number, H256::zero(), H256::repeat_byte(state), H256::zero(), digest)
    }

    #[test]
    fn a_slot_is_sealed_twice_if_two_blocks_are_its_own_however_often_each_is_seen() -> Result<()> {
        let (mut seen, mut one, mut other) =
            (Seen::default(), View { best: 0, finalised: 0 }, View { best: 0, finalised: 0 });
        for _ in 0..2 {
            seen.note(&mut one, &header(1, 10, 1), false)?;
            seen.note(&mut one, &header(2, 11, 1), false)?;
            seen.note(&mut other, &header(2, 12, 1), true)?;
        }
        assert!(seen.sealed_twice().is_empty());
        seen.note(&mut other, &header(3, 11, 1), false)?;
        assert_eq!(seen.sealed_twice(), [11]);
        Ok(())
    }

    #[test]
    fn finality_is_behind_by_the_most_that_any_node_has_seen_of_itself() -> Result<()> {
        let (mut seen, mut one, mut other) =
            (Seen::default(), View { best: 4, finalised: 3 }, View { best: 9, finalised: 9 });
        seen.note(&mut one, &header(5, 10, 1), false)?;
        seen.note(&mut other, &header(10, 15, 1), false)?;
        assert_eq!(seen.behind(), 2);
        seen.note(&mut one, &header(5, 10, 1), true)?;
        seen.note(&mut one, &header(6, 11, 1), false)?;
        assert_eq!(seen.behind(), 2);
        seen.note(&mut other, &header(14, 19, 1), false)?;
        assert_eq!(seen.behind(), 5);
        Ok(())
    }
}
