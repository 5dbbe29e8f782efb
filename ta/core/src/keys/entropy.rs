//! The platform's randomness, as the generator that a signature of schnorrkel wants.

use rand_core::{CryptoRng, Error, RngCore};
use zeroize::Zeroizing;

use crate::{hash::blake2_256, Fault, Tee};

const SEED: usize = 32;
const BLOCK: usize = 32;

/// A generator seeded from the platform beforehand, since [`RngCore`] cannot say that the platform failed.
///
/// Block `i` is BLAKE2b-256 of seed and `i`. schnorrkel asks for one block in a signature, and mixes it with the
/// secret nonce of the key and with the message: were it to repeat, the signature would still be safe.
pub(crate) struct Entropy {
    seed: Zeroizing<[u8; SEED]>,
    next: u64,
}

impl Entropy {
    /// Draws a new seed.
    pub(crate) fn draw(tee: &mut impl Tee) -> Result<Entropy, Fault> {
        let mut seed = Zeroizing::new([0; SEED]);
        tee.random(&mut seed[..])?;
        Ok(Entropy { seed, next: 0 })
    }

    fn block(&mut self) -> Zeroizing<[u8; BLOCK]> {
        let mut input = Zeroizing::new([0; SEED + 8]);
        let (seed, counter) = input.split_at_mut(SEED);
        seed.copy_from_slice(&self.seed[..]);
        counter.copy_from_slice(&self.next.to_le_bytes());
        self.next = self.next.wrapping_add(1);
        Zeroizing::new(blake2_256(&input[..]))
    }
}

impl RngCore for Entropy {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(BLOCK) {
            let block = self.block();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Entropy {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::TestTee;

    #[test]
    fn no_block_repeats_and_the_seed_never_shows() {
        let mut entropy = Entropy::draw(&mut TestTee::development()).expect("the test TEE has randomness");
        let mut out = [0; 32 * BLOCK + 7];
        entropy.fill_bytes(&mut out);
        let blocks: BTreeSet<&[u8]> = out.chunks_exact(BLOCK).collect();
        assert_eq!(blocks.len(), 32);
        assert!(!blocks.contains(&entropy.seed[..]));
        assert_ne!(entropy.next_u64(), entropy.next_u64());
        assert_ne!(entropy.next_u32(), entropy.next_u32());
    }

    #[test]
    fn a_platform_without_randomness_gives_no_generator() {
        let mut tee = TestTee::development();
        tee.fail_random(Fault(7));
        assert_eq!(Entropy::draw(&mut tee).err(), Some(Fault(7)));
    }
}
