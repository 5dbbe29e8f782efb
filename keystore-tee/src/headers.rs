//! Headers that wait for their seals.

use std::{collections::VecDeque, time::Instant};

use parking_lot::Mutex;

/// How many headers are kept. A node makes one block per slot, so one would do; a fork at a slow moment takes two.
const KEPT: usize = 8;

/// Unsealed headers by hash, with the moment after which their seal is of no use. The oldest gives way to the newest.
#[derive(Default)]
pub(crate) struct Headers(Mutex<VecDeque<Offer>>);

/// A header, SCALE-encoded without its seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) hash: [u8; 32],
    pub(crate) header: Vec<u8>,
    pub(crate) deadline: Instant,
}

impl Headers {
    /// Keeps a header; one with the same hash is replaced.
    pub(crate) fn offer(&self, offer: Offer) {
        let mut offers = self.0.lock();
        offers.retain(|kept| kept.hash != offer.hash);
        if offers.len() == KEPT {
            offers.pop_front();
        }
        offers.push_back(offer);
    }

    /// The header with this hash.
    pub(crate) fn find(&self, hash: &[u8]) -> Option<Offer> {
        self.0.lock().iter().find(|offer| offer.hash == hash).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(byte: u8, header: &[u8]) -> Offer {
        Offer { hash: [byte; 32], header: header.to_vec(), deadline: Instant::now() }
    }

    #[test]
    fn a_header_is_found_by_its_hash_until_newer_ones_take_its_place() {
        let headers = Headers::default();
        let first = offer(0, b"first");
        headers.offer(first.clone());
        for byte in 1..KEPT as u8 {
            headers.offer(offer(byte, b"other"));
        }
        assert_eq!(headers.find(&[0; 32]), Some(first));
        headers.offer(offer(KEPT as u8, b"newest"));
        assert_eq!(headers.find(&[0; 32]), None);
        assert_eq!(headers.find(&[1; 32]).map(|o| o.header), Some(b"other".to_vec()));
    }

    #[test]
    fn the_same_hash_offered_again_replaces_what_was_kept_and_nothing_else() {
        let headers = Headers::default();
        for byte in 0..KEPT as u8 {
            headers.offer(offer(byte, b"old"));
        }
        headers.offer(offer(3, b"new"));
        assert_eq!(headers.find(&[3; 32]).map(|o| o.header), Some(b"new".to_vec()));
        assert_eq!(headers.find(&[0; 32]).map(|o| o.header), Some(b"old".to_vec()));
    }

    #[test]
    fn a_message_that_is_no_hash_finds_nothing() {
        let headers = Headers::default();
        headers.offer(offer(0, b"header"));
        assert_eq!(headers.find(&[0; 31]), None);
        assert_eq!(headers.find(&[]), None);
    }
}
