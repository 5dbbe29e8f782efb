//! The public keys that the TEE holds, kept here so that asking for them costs no round trip.

use std::collections::BTreeSet;

use holdfast_protocol::message::{KeyId, Scheme};
use parking_lot::RwLock;

/// What is known of the TEE's keys. It outlives every disconnection: a TEE that is away has not lost its keys.
#[derive(Default)]
pub(crate) struct Cache(RwLock<Known>);

#[derive(Default)]
struct Known {
    keys: BTreeSet<KeyId>,
    /// Keys made through this keystore since the listing under way began: it may have passed their place already.
    made: Vec<KeyId>,
    loaded: bool,
}

/// What a listing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// Keys before.
    pub(crate) held: usize,
    /// Those of them that are there no longer.
    pub(crate) gone: usize,
    /// Keys now.
    pub(crate) holds: usize,
    /// Keys were made during the listing. Whether they are still there is for the next one to find out.
    pub(crate) unsure: bool,
}

impl Cache {
    /// Whether the list was ever read to its end.
    pub(crate) fn loaded(&self) -> bool {
        self.0.read().loaded
    }

    /// Adds a key that the TEE has just made.
    pub(crate) fn add(&self, key: KeyId) {
        let mut known = self.0.write();
        known.made.push(key.clone());
        known.keys.insert(key);
    }

    /// A listing begins.
    pub(crate) fn begin(&self) {
        self.0.write().made.clear();
    }

    /// The listing came to its end: what it found, and what was made meanwhile, is what there is.
    pub(crate) fn replace(&self, mut keys: BTreeSet<KeyId>) -> Replaced {
        let mut known = self.0.write();
        let unsure = !known.made.is_empty();
        keys.extend(known.made.drain(..));
        let gone = known.keys.difference(&keys).count();
        let replaced = Replaced { held: known.keys.len(), gone, holds: keys.len(), unsure };
        known.keys = keys;
        known.loaded = true;
        replaced
    }

    /// Public keys of one scheme and type, sorted.
    pub(crate) fn public_keys(&self, scheme: Scheme, key_type: [u8; 4]) -> Vec<Vec<u8>> {
        let from = KeyId { scheme, key_type, public: Vec::new() };
        let known = self.0.read();
        let same = |key: &&KeyId| key.scheme == scheme && key.key_type == key_type;
        known.keys.range(from..).take_while(same).map(|key| key.public.clone()).collect()
    }

    /// Public keys of one type, of every scheme; `None` before the list was ever read.
    pub(crate) fn all(&self, key_type: [u8; 4]) -> Option<Vec<Vec<u8>>> {
        self.loaded().then(|| SCHEMES.into_iter().flat_map(|scheme| self.public_keys(scheme, key_type)).collect())
    }

    /// Whether a key is there, of whatever scheme. Before the list was ever read: only if it was made here.
    pub(crate) fn has(&self, key_type: [u8; 4], public: &[u8]) -> bool {
        let known = self.0.read();
        SCHEMES.into_iter().any(|scheme| known.keys.contains(&KeyId { scheme, key_type, public: public.to_vec() }))
    }
}

/// Every scheme of the wire, in the order in which keys are listed.
pub(crate) const SCHEMES: [Scheme; 3] = [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa];

#[cfg(test)]
mod tests {
    use super::*;

    fn key(scheme: Scheme, key_type: &[u8; 4], byte: u8) -> KeyId {
        KeyId { scheme, key_type: *key_type, public: vec![byte; if scheme == Scheme::Ecdsa { 33 } else { 32 }] }
    }

    // Rule 4: down is not empty.
    #[test]
    fn rule_4_nothing_is_said_of_the_keys_before_a_list_was_read() {
        let cache = Cache::default();
        assert_eq!(cache.all(*b"aura"), None);
        cache.replace(BTreeSet::new());
        assert_eq!(cache.all(*b"aura"), Some(vec![]));
    }

    #[test]
    fn keys_are_found_by_their_own_type_and_scheme_only() {
        let cache = Cache::default();
        cache.replace(BTreeSet::from([
            key(Scheme::Sr25519, b"aura", 1),
            key(Scheme::Sr25519, b"aurb", 2),
            key(Scheme::Ed25519, b"aura", 3),
            key(Scheme::Ecdsa, b"aura", 4),
        ]));
        assert_eq!(cache.public_keys(Scheme::Sr25519, *b"aura"), vec![vec![1; 32]]);
        assert_eq!(cache.all(*b"aura"), Some(vec![vec![1; 32], vec![3; 32], vec![4; 33]]));
        assert!(cache.has(*b"aurb", &[2; 32]) && !cache.has(*b"aurb", &[1; 32]) && !cache.has(*b"gran", &[2; 32]));
    }

    #[test]
    fn a_key_made_while_a_list_is_read_stays_and_a_retired_one_goes() {
        let cache = Cache::default();
        cache.add(key(Scheme::Ed25519, b"gran", 1));
        cache.begin();
        cache.add(key(Scheme::Ed25519, b"gran", 2));
        let replaced = cache.replace(BTreeSet::from([key(Scheme::Ed25519, b"gran", 3)]));
        assert_eq!(replaced, Replaced { held: 2, gone: 1, holds: 2, unsure: true });
        assert_eq!(cache.all(*b"gran"), Some(vec![vec![2; 32], vec![3; 32]]));
    }
}
