//! What the trusted application keeps in RAM between calls: the names of its keys, and those that it used lately.
//!
//! It says what the store says, or nothing: after a write of which the platform reported a failure it is forgotten, and
//! read again when it is next needed. Names are remembered even then: a store that has lost one is no store, and least of
//! all an empty one. So is which store it is, and what the keys have signed, which may not be in the store yet.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::ops::Bound;

use crate::{
    cache::Cache,
    hash::blake2_256,
    keys::Key,
    ledger::Ledger,
    policy::{Judgement, Statement},
    store::{self, Birth, StoredKey},
    Error, KeyId, KeyInfo, Origin, Tee, Usage, MAX_KEYS,
};

/// The most keys that are kept loaded; more can be stored.
const LOADED: usize = 1024;

/// The trusted application's memory between two calls. It is made empty, and only [`crate::dispatch`] fills it.
#[derive(Default)]
pub struct Memory {
    opened: Option<Opened>,
    /// Keys that were there when all else was forgotten.
    held: BTreeSet<KeyId>,
    /// The store that was opened; no other is from then on.
    birth: Option<Birth>,
    ledger: Option<Ledger>,
}

/// A store that was found good.
pub(crate) struct Opened {
    birth: Birth,
    catalogue: BTreeMap<KeyId, Option<Attributes>>,
    fingerprint: u64,
    cache: Cache<LOADED>,
}

/// What is known of a key beside its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) usage: Usage,
    pub(crate) origin: Origin,
}

impl Memory {
    /// The store, opened now if it was not.
    pub(crate) fn opened(&mut self, tee: &mut impl Tee) -> Result<&mut Opened, Error> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => {
                let found = store::open(tee, &self.held, self.birth)?;
                let ledger = match self.ledger {
                    Some(_) => None,
                    None => Some(Ledger::open(tee, found.cell.clone(), found.marked.clone())?),
                };
                found.take_over(tee)?;
                // Only now: a new store that could not be made is another one the next time.
                self.ledger = self.ledger.take().or(ledger);
                self.birth = Some(found.cell.birth);
                Opened::new(found.cell.birth, found.keys)
            }
        };
        Ok(self.opened.insert(opened))
    }

    /// What the keys have signed.
    pub(crate) fn ledger(&mut self, tee: &mut impl Tee) -> Result<&mut Ledger, Error> {
        self.opened(tee)?;
        self.ledger.as_mut().ok_or(Error::Corrupt)
    }

    /// Signs a statement that the key can make once only; `message` says the same. What was stated before is stated again,
    /// in the same signature.
    pub(crate) fn sign_once(
        &mut self,
        tee: &mut impl Tee,
        id: &KeyId,
        statement: &Statement,
        message: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let judgement = self.ledger(tee)?.judge(id, statement);
        match judgement {
            Judgement::Refuse(rule) => Err(Error::Refused(rule)),
            Judgement::Same(signature) => {
                self.ledger(tee)?.settle(tee)?;
                match signature {
                    Some(signature) => Ok(signature.to_vec()),
                    None => self.sign(tee, id, message),
                }
            }
            Judgement::Sign => {
                let signature = self.sign(tee, id, message)?;
                let fixed = signature.as_slice().try_into().map_err(|_| Error::Corrupt)?;
                self.ledger(tee)?.record(tee, id, statement, fixed)?;
                Ok(signature)
            }
        }
    }

    fn sign(&mut self, tee: &mut impl Tee, id: &KeyId, message: &[u8]) -> Result<Vec<u8>, Error> {
        let (_, key) = self.opened(tee)?.key(tee, id)?;
        key.sign(tee, message)
    }

    /// Stores a key and then knows it. There is always room for one that is there already.
    pub(crate) fn add(
        &mut self,
        tee: &mut impl Tee,
        id: &KeyId,
        stored: StoredKey,
        key: Box<Key>,
    ) -> Result<(), Error> {
        let capacity = capacity(tee) as usize;
        let opened = self.opened(tee)?;
        if opened.len() >= capacity && !opened.contains(id) {
            return Err(Error::Full);
        }
        let attributes = Attributes { usage: stored.usage, origin: stored.origin };
        let written = store::write(tee, opened.birth, id, stored);
        self.settle(written, id)?;
        let opened = self.opened(tee)?;
        opened.learn(id.clone(), Some(attributes));
        opened.cache.insert(id.clone(), key);
        Ok(())
    }

    /// Deletes a key and then knows it no more. Its watermark goes first: should it be cut there, every key has come as
    /// far as this one.
    pub(crate) fn retire(&mut self, tee: &mut impl Tee, id: &KeyId) -> Result<(), Error> {
        self.ledger(tee)?.retire(tee, id)?;
        let removed = store::remove(tee, id);
        self.settle(removed, id)?;
        self.opened(tee)?.forget(id);
        Ok(())
    }

    /// Forgets everything but names if a write failed, for it may have come through all the same.
    fn settle(&mut self, written: Result<(), Error>, id: &KeyId) -> Result<(), Error> {
        if written.is_err() {
            if let Some(opened) = self.opened.take() {
                self.held = opened.catalogue.into_keys().collect();
            }
            self.held.remove(id);
        }
        written
    }
}

impl Opened {
    fn new(birth: Birth, keys: impl IntoIterator<Item = KeyId>) -> Opened {
        let mut opened = Opened { birth, catalogue: BTreeMap::new(), fingerprint: 0, cache: Cache::default() };
        for id in keys {
            opened.learn(id, None);
        }
        opened
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.catalogue.len()
    }

    /// A number for this set of keys: equal for equal sets, also after a restart.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether the catalogue names the key.
    pub(crate) fn contains(&self, id: &KeyId) -> bool {
        self.catalogue.contains_key(id)
    }

    /// What is known of a key; it is read and checked once.
    pub(crate) fn attributes(&mut self, tee: &mut impl Tee, id: &KeyId) -> Result<Attributes, Error> {
        match self.catalogue.get(id) {
            None => Err(Error::NoSuchKey),
            Some(Some(attributes)) => Ok(*attributes),
            Some(None) => {
                let (attributes, _) = load(tee, self.birth, id)?;
                self.learn(id.clone(), Some(attributes));
                Ok(attributes)
            }
        }
    }

    /// The key itself, loaded and checked if it was not.
    pub(crate) fn key(&mut self, tee: &mut impl Tee, id: &KeyId) -> Result<(Attributes, &Key), Error> {
        if !self.contains(id) {
            return Err(Error::NoSuchKey);
        }
        if self.cache.key(id).is_none() {
            let (attributes, key) = load(tee, self.birth, id)?;
            self.learn(id.clone(), Some(attributes));
            self.cache.insert(id.clone(), key);
        }
        let attributes = self.attributes(tee, id)?;
        self.cache.key(id).map(|key| (attributes, key)).ok_or(Error::NoSuchKey)
    }

    /// Up to `limit` keys after `after`, and whether there are more. Corrupt keys cannot be used and are left out.
    pub(crate) fn page(
        &mut self,
        tee: &mut impl Tee,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<(Vec<KeyInfo>, bool), Error> {
        let mut keys = Vec::new();
        let mut last = after.cloned();
        while let Some(id) = self.next(last.as_ref()) {
            match self.attributes(tee, &id) {
                Ok(_) if keys.len() == limit => return Ok((keys, true)),
                Ok(Attributes { usage, origin }) => keys.push(KeyInfo { id: id.clone(), usage, origin }),
                Err(Error::Corrupt) => {}
                Err(error) => return Err(error),
            }
            last = Some(id);
        }
        Ok((keys, false))
    }

    fn next(&self, after: Option<&KeyId>) -> Option<KeyId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.catalogue.range((from, Bound::Unbounded)).next().map(|(id, _)| id.clone())
    }

    fn learn(&mut self, id: KeyId, attributes: Option<Attributes>) {
        let mark = mark(&id);
        if self.catalogue.insert(id, attributes).is_none() {
            self.fingerprint = self.fingerprint.wrapping_add(mark);
        }
    }

    fn forget(&mut self, id: &KeyId) {
        if self.catalogue.remove(id).is_some() {
            self.fingerprint = self.fingerprint.wrapping_sub(mark(id));
        }
        self.cache.remove(id);
    }
}

/// The most keys on this platform.
pub(crate) fn capacity(tee: &impl Tee) -> u32 {
    tee.capacity().min(MAX_KEYS)
}

/// Reads a key and checks that it is the one that its name says, and this store's.
fn load(tee: &mut impl Tee, birth: Birth, id: &KeyId) -> Result<(Attributes, Box<Key>), Error> {
    let StoredKey { usage, origin, secret } = store::read(tee, birth, id)?;
    let key = Key::from_secret(id.scheme, &secret.0).map_err(|_| Error::Corrupt)?;
    if key.public() != id.public {
        return Err(Error::Corrupt);
    }
    Ok((Attributes { usage, origin }, key))
}

/// What a key adds to the fingerprint: a sum, so that neither order nor history matters.
fn mark(id: &KeyId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = blake2_256(&store::key_name(id));
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::{
        testing::{Accident, TestTee, FAULT},
        Command, Scheme,
    };

    fn is_loaded(tee: &mut TestTee, id: &KeyId) -> bool {
        tee.memory().opened.as_mut().is_some_and(|opened| opened.cache.key(id).is_some())
    }

    #[test]
    fn a_retired_key_is_wiped_from_memory_too() {
        let mut tee = TestTee::development();
        let [gone, kept] = [(); 2].map(|()| tee.make(Scheme::Ed25519, *b"test").id);
        assert!(is_loaded(&mut tee, &gone));
        tee.ask(Command::Retire { id: gone.clone() }).expect("retired");
        assert!(!is_loaded(&mut tee, &gone));
        assert!(is_loaded(&mut tee, &kept));
    }

    #[test]
    fn a_store_that_lost_its_keys_with_a_failed_write_is_not_taken_for_an_empty_one() {
        let mut tee = TestTee::production();
        let gran = (Scheme::Ed25519, *b"gran");
        let keys = [(); 2].map(|()| tee.make(gran.0, gran.1));
        let fail = |tee: &mut TestTee| {
            tee.plan(0, Accident::Lost);
            assert_eq!(tee.generate(gran.0, gran.1, Usage::Sign, None), Err(Error::Platform(FAULT.0)));
        };
        fail(&mut tee);
        let objects = core::mem::take(&mut tee.objects);
        let cell = tee.cell.take();
        for _ in 0..2 {
            assert_eq!(tee.list(64), Err(Error::Corrupt));
            assert_eq!(tee.generate(gran.0, gran.1, Usage::Sign, None), Err(Error::Corrupt));
            assert!(tee.objects.is_empty() && tee.cell.is_none(), "nothing is written over what was there");
        }
        (tee.objects, tee.cell) = (objects, cell);
        assert_eq!(tee.list(64).map(|listed| listed.len()), Ok(keys.len()));
        // One that was retired is not missed, whether its removal was reported or not.
        tee.ask(Command::Retire { id: keys[0].id.clone() }).expect("retired");
        fail(&mut tee);
        assert_eq!(tee.list(64), Ok(vec![keys[1].clone()]));
        tee.plan(0, Accident::Landed);
        assert_eq!(tee.ask(Command::Retire { id: keys[1].id.clone() }), Err(Error::Platform(FAULT.0)));
        assert_eq!(tee.list(64), Ok(vec![]));
    }
}
