//! What was signed last: the raw material of alerts.

use std::{sync::Arc, time::Instant};

use codec::{Compact, Decode};
use parking_lot::Mutex;
use substrate_prometheus_endpoint::{register, MetricSource, Opts, PrometheusError, Registry, SourcedGauge};

use crate::takeover::Round;

/// The last vote and the last seal.
#[derive(Default)]
pub(crate) struct Last {
    vote: Mutex<Option<(Instant, Option<Round>)>>,
    seal: Mutex<Option<(Instant, Option<u64>)>>,
}

impl Last {
    /// A vote was signed.
    pub(crate) fn voted(&self, vote: &[u8]) {
        *self.vote.lock() = Some((Instant::now(), round_of(vote)));
    }

    /// A header, SCALE-encoded without its seal, was sealed.
    pub(crate) fn sealed(&self, header: &[u8]) {
        *self.seal.lock() = Some((Instant::now(), slot_of(header)));
    }

    /// Registers five gauges, each absent before there is something to tell.
    pub(crate) fn register(self: &Arc<Self>, registry: &Registry) -> Result<(), PrometheusError> {
        let gauges: [(&str, &str, Read); 5] = [
            ("holdfast_seconds_since_last_vote", "Since the TEE last signed a GRANDPA vote for this node", |last| {
                last.vote.lock().map(|(at, _)| at.elapsed().as_secs_f64())
            }),
            ("holdfast_seconds_since_last_seal", "Since the TEE last sealed a block for this node", |last| {
                last.seal.lock().map(|(at, _)| at.elapsed().as_secs_f64())
            }),
            ("holdfast_last_vote_set", "Set id of the last vote", |last| {
                last.vote.lock().and_then(|(_, round)| Some(round?.0 as f64))
            }),
            ("holdfast_last_vote_round", "Round of the last vote, in its set", |last| {
                last.vote.lock().and_then(|(_, round)| Some(round?.1 as f64))
            }),
            ("holdfast_last_seal_slot", "Slot of the last seal", |last| {
                last.seal.lock().and_then(|(_, slot)| Some(slot? as f64))
            }),
        ];
        for (name, help, read) in gauges {
            let source = Source { last: self.clone(), read };
            register(SourcedGauge::new(&Opts::new(name, help), source)?, registry)?;
        }
        Ok(())
    }
}

type Read = fn(&Last) -> Option<f64>;

/// One gauge.
#[derive(Clone)]
struct Source {
    last: Arc<Last>,
    read: Read,
}

impl MetricSource for Source {
    type N = f64;

    fn collect(&self, mut set: impl FnMut(&[&str], f64)) {
        if let Some(value) = (self.read)(&self.last) {
            set(&[], value);
        }
    }
}

/// Set id and round of a GRANDPA vote: SCALE `(Message, round: u64, set_id: u64)`, where a message is its stage, a hash
/// and a number of 32 bits.
pub(crate) fn round_of(vote: &[u8]) -> Option<Round> {
    let (_, round, set) = <((u8, [u8; 32], u32), u64, u64)>::decode(&mut &vote[..]).ok()?;
    Some((set, round))
}

/// The slot in a header whose first digest item is Aura's pre-runtime digest, as its author makes it.
fn slot_of(header: &[u8]) -> Option<u64> {
    /// Parent, number, state root, extrinsics root, and the digest as far as its first item.
    type Header = ([u8; 32], Compact<u32>, [[u8; 32]; 2], Compact<u32>, u8, [u8; 4], Vec<u8>);
    /// `DigestItem::PreRuntime`, in SCALE.
    const PRE_RUNTIME: u8 = 6;
    match Header::decode(&mut &header[..]).ok()? {
        (.., PRE_RUNTIME, engine, slot) if engine == *b"aura" => Some(u64::from_le_bytes(slot.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(digest: &[u8]) -> Vec<u8> {
        [&[1; 32][..], &[4 << 2], &[2; 64], digest].concat()
    }

    #[test]
    fn the_slot_of_a_header_is_read_from_its_first_digest_item() {
        let slot = [&[1 << 2, 6][..], b"aura", &[8 << 2], &7_u64.to_le_bytes()].concat();
        assert_eq!(slot_of(&header(&slot)), Some(7));
        for (byte, other) in [(1, 4), (2, b'x'), (6, 7 << 2)] {
            let mut wrong = slot.clone();
            wrong[byte] = other;
            assert_eq!(slot_of(&header(&wrong)), None, "byte {byte}");
        }
    }

    // Rule 7: what is no header or vote is nothing, and no panic.
    #[test]
    fn rule_7_bytes_that_are_neither_header_nor_vote_are_nothing() {
        let whole = header(&[&[1 << 2, 6][..], b"aura", &[8 << 2], &7_u64.to_le_bytes()].concat());
        for length in 0..whole.len() {
            assert_eq!(slot_of(&whole[..length]), None, "{length} bytes");
        }
        let vote = [1; 53];
        assert!(round_of(&vote).is_some());
        for length in 0..vote.len() {
            assert_eq!(round_of(&vote[..length]), None, "{length} bytes");
        }
    }
}
