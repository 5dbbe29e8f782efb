//! Bytes that look random and are the same in every run, and positions that no key has come to yet.

use holdfast_ta::{GrandpaRound, Position};
use sp_crypto_hashing::blake2_256;

/// A stream of BLAKE2b-256 over a seed and a counter.
pub(crate) struct Random {
    seed: u64,
    counter: u64,
    set_id: u64,
    position: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0, set_id: 0, position: 0 }
    }

    /// Positions are drawn above this one from now on.
    pub(crate) fn start_above(&mut self, position: Position) {
        let (set_id, position) = match position {
            Position::Grandpa(GrandpaRound { set_id, round }) => (set_id, round),
            Position::Aura(slot) => (0, slot),
        };
        self.set_id = self.set_id.max(set_id);
        self.position = self.position.max(position);
    }

    /// A slot that is above every one before.
    pub(crate) fn slot(&mut self) -> u64 {
        self.position = self.position.saturating_add(1);
        self.position
    }

    /// A round that is above every one before.
    pub(crate) fn round(&mut self) -> GrandpaRound {
        GrandpaRound { set_id: self.set_id, round: self.slot() }
    }

    pub(crate) fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        let mut input = [0; 16];
        input[..8].copy_from_slice(&self.seed.to_le_bytes());
        input[8..].copy_from_slice(&self.counter.to_le_bytes());
        blake2_256(&input)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 32);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.block());
        }
        bytes.truncate(length);
        bytes
    }

    /// One of `0..limit`; for a limit of 0, 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let [a, b, c, d, ..] = self.block();
        u32::from_le_bytes([a, b, c, d]) as usize % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_another_seed_others() {
        let of = |seed| Random::new(seed).bytes(100);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_eq!(of(1).len(), 100);
    }

    #[test]
    fn positions_rise_from_above_where_any_key_has_come_to() {
        let mut random = Random::new(1);
        random.start_above(Position::Aura(7));
        random.start_above(Position::Grandpa(GrandpaRound { set_id: 2, round: 3 }));
        assert_eq!((random.slot(), random.round()), (8, GrandpaRound { set_id: 2, round: 9 }));
    }

    #[test]
    fn a_number_is_below_its_limit() {
        let mut random = Random::new(1);
        assert!((0..200).all(|limit| random.below(limit) < limit.max(1)));
    }
}
