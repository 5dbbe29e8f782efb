//! Bytes that look random and are the same in every run.

use sp_crypto_hashing::blake2_256;

/// A stream of BLAKE2b-256 over a seed and a counter.
pub(crate) struct Random {
    seed: u64,
    counter: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
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
    fn a_number_is_below_its_limit() {
        let mut random = Random::new(1);
        assert!((0..200).all(|limit| random.below(limit) < limit.max(1)));
    }
}
