//! Loaded keys, at most so many, so that a store of any size leaves a small trusted application its memory.

use alloc::{boxed::Box, collections::BTreeMap};

use crate::{keys::Key, KeyId};

/// Up to `CAPACITY` keys; the one that was used longest ago makes room for a new one.
#[derive(Default)]
pub(crate) struct Cache<const CAPACITY: usize> {
    keys: BTreeMap<KeyId, Cached>,
    uses: u64,
}

struct Cached {
    used: u64,
    key: Box<Key>,
}

impl<const CAPACITY: usize> Cache<CAPACITY> {
    /// The key, if it is loaded.
    pub(crate) fn key(&mut self, id: &KeyId) -> Option<&Key> {
        let cached = self.keys.get_mut(id)?;
        self.uses += 1;
        cached.used = self.uses;
        Some(&cached.key)
    }

    /// Keeps a key, in place of one with the same name if there is one.
    pub(crate) fn insert(&mut self, id: KeyId, key: Box<Key>) {
        if self.keys.len() >= CAPACITY && !self.keys.contains_key(&id) {
            let oldest = self.keys.iter().min_by_key(|(_, cached)| cached.used).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                self.keys.remove(&oldest);
            }
        }
        self.uses += 1;
        self.keys.insert(id, Cached { used: self.uses, key });
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, id: &KeyId) {
        self.keys.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scheme;

    fn key(n: u8) -> (KeyId, Box<Key>) {
        let key = Key::from_secret(Scheme::Ed25519, &[n; 32]).expect("any 32 bytes");
        (KeyId { scheme: Scheme::Ed25519, key_type: *b"test", public: key.public() }, key)
    }

    fn cache_of(keys: &[u8]) -> Cache<2> {
        let mut cache = Cache::default();
        for n in keys {
            let (id, key) = key(*n);
            cache.insert(id, key);
        }
        cache
    }

    #[test]
    fn the_key_used_longest_ago_makes_room() {
        let mut cache = cache_of(&[1, 2]);
        assert!(cache.key(&key(1).0).is_some());
        let (id, third) = key(3);
        cache.insert(id, third);
        assert!(cache.key(&key(1).0).is_some());
        assert!(cache.key(&key(2).0).is_none());
        assert!(cache.key(&key(3).0).is_some());
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let cache = cache_of(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(cache.keys.len(), 2);
    }

    #[test]
    fn the_same_key_again_pushes_nothing_out() {
        let mut cache = cache_of(&[1, 2, 2, 2]);
        assert!(cache.key(&key(1).0).is_some());
    }

    #[test]
    fn a_removed_key_is_gone() {
        let mut cache = cache_of(&[1, 2]);
        cache.remove(&key(1).0);
        assert!(cache.key(&key(1).0).is_none());
        assert!(cache.key(&key(2).0).is_some());
    }
}
