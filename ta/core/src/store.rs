//! What the trusted application stores, and how it is read back.
//!
//! - the object `meta`: schema, highest version that opened the store, the kind of application that it belongs to, and
//!   which store it is;
//! - one object for each key, named by the encoded `(b'k', KeyId)`: which store it is in, its use, its origin and its
//!   secret;
//! - the object `measurements`, once there was one: the number of the last;
//! - one object for each key that has signed what may be signed once only, named by the encoded `(b'w', KeyId)`: its
//!   watermark;
//! - the cell that a restored disk does not take back: highest version again, and what [`Cell`] says, beginning with
//!   which store it is.
//!
//! Each is a SCALE enum whose variant is its version. There is no list of keys beside the keys themselves, so nothing
//! can disagree with them after a cut.
//!
//! Which store it is ([`Birth`]) is drawn when a store is made. The platform believes the untrusted side when that says
//! that an object or the cell is not there, so a store with keys can be made to look like none. What is made then is
//! another store: nothing of the one before is ever used with its cell, nor anything of it with the cell of the one before.

use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};

use codec::{Decode, DecodeAll, Encode};
use zeroize::Zeroizing;

use crate::{
    keys, ledger::Cell, policy::Watermark, Error, Fault, KeyId, Origin, Seed, Tee, Usage, STORE_SCHEMA, TA_VERSION,
};

const META: &[u8] = b"meta";
const MEASUREMENTS: &[u8] = b"measurements";
const KEY: u8 = b'k';
const WATERMARK: u8 = b'w';
/// Longer than any encoded [`StoredKey`], so that the buffer never moves and leaves a copy behind.
const KEY_OBJECT_CAPACITY: usize = 128;

/// Which store it is: drawn when the store is made, and never zero.
pub(crate) type Birth = [u8; 16];

/// What is stored of a key.
pub(crate) struct StoredKey {
    pub(crate) usage: Usage,
    pub(crate) origin: Origin,
    pub(crate) secret: Seed,
}

#[derive(Encode, Decode)]
enum KeyObject {
    #[codec(index = 2)]
    V2 { birth: Birth, usage: Usage, origin: Origin, secret: Seed },
}

#[derive(Encode, Decode)]
enum Meta {
    #[codec(index = 2)]
    V2 { schema: u16, ta_version: u32, development: bool, rollback_protected: bool, birth: Birth },
}

#[derive(Encode, Decode)]
enum Measurements {
    #[codec(index = 1)]
    V1 { last: u64 },
}

#[derive(Encode, Decode)]
enum WatermarkObject {
    #[codec(index = 1)]
    V1(Watermark),
}

#[derive(Encode, Decode)]
enum CellObject {
    #[codec(index = 3)]
    V3 { ta_version: u32, cell: Box<Cell> },
}

/// What is in a store that is this trusted application's.
pub(crate) struct Found {
    pub(crate) keys: BTreeSet<KeyId>,
    /// The keys that have a watermark.
    pub(crate) marked: Vec<KeyId>,
    pub(crate) cell: Cell,
    /// There was no store.
    new: bool,
    /// The cell, and `meta`, are of an earlier version, or are not there yet.
    outdated: (bool, bool),
}

impl Found {
    /// Makes it this version's, and a store if it is none yet. The cell is written before `meta`, so a cut between the two
    /// leaves a new store's cell alone, in whose place another new store's comes the next time.
    pub(crate) fn take_over(&self, tee: &mut impl Tee) -> Result<(), Error> {
        if self.new {
            let cell = cell_object(&self.cell);
            tee.create_cell(&cell)?;
            // Where another was hidden there are two now. If that one is what is read and written, this one would be left
            // as it is, to be found when the other is gone.
            if tee.load_cell()? != Some(cell) {
                return Err(Error::Corrupt);
            }
        } else if self.outdated.0 {
            write_cell(tee, &self.cell)?;
        }
        if self.outdated.1 {
            let meta = Meta::V2 {
                schema: STORE_SCHEMA,
                ta_version: TA_VERSION,
                development: tee.development(),
                rollback_protected: tee.rollback_protected(),
                birth: self.cell.birth,
            };
            tee.store(META, &meta.encode())?;
        }
        Ok(())
    }
}

/// Checks that the store is this trusted application's, and names what is in it. Writes nothing.
///
/// Where there is no `meta` and nothing that belongs to a store, a new one is to be made, whether there is a cell or not:
/// nothing of the store that the cell was for can be used with the new one. Only the version does not go back that way.
///
/// A store that lost its cell or its `meta` beside keys, watermarks or measurements was tampered with, and is refused; so
/// is one whose cell is another store's or of an earlier version than its `meta`, one that lost a key that is `held`, and
/// any but the one that was `opened` before.
pub(crate) fn open(tee: &mut impl Tee, held: &BTreeSet<KeyId>, opened: Option<Birth>) -> Result<Found, Error> {
    let names = tee.list()?;
    let keys: BTreeSet<KeyId> = names.iter().filter_map(|name| key_of(KEY, name)).collect();
    let marked: Vec<KeyId> = names.iter().filter_map(|name| key_of(WATERMARK, name)).collect();
    if !held.is_subset(&keys) {
        return Err(Error::Corrupt);
    }
    let used = !keys.is_empty() || !marked.is_empty() || names.iter().any(|name| name == META || name == MEASUREMENTS);
    let cell = tee.load_cell()?.map(|data| versioned::<CellObject>(&data, 3)).transpose()?;
    let meta = tee.load(META)?.map(|data| versioned::<Meta>(&data, 2)).transpose()?;

    let (cell_version, cell) = cell.map(|CellObject::V3 { ta_version, cell }| (ta_version, *cell)).unzip();
    if cell_version > Some(TA_VERSION) {
        return Err(Error::NewerStore);
    }
    match (meta, cell) {
        (None, before) if !used && opened.is_none() => {
            let cell = Cell::new(give_birth(tee, before.map(|cell| cell.birth))?);
            Ok(Found { keys, marked, cell, new: true, outdated: (true, true) })
        }
        (Some(Meta::V2 { schema, ta_version, development, rollback_protected, birth }), Some(cell)) => {
            if ta_version > TA_VERSION || schema > STORE_SCHEMA {
                return Err(Error::NewerStore);
            }
            if schema < STORE_SCHEMA || cell_version < Some(ta_version) {
                return Err(Error::Corrupt);
            }
            if cell.birth != birth || opened.is_some_and(|opened| opened != birth) {
                return Err(Error::Corrupt);
            }
            if (development, rollback_protected) != (tee.development(), tee.rollback_protected()) {
                return Err(Error::OtherStore);
            }
            let outdated = (cell_version != Some(TA_VERSION), ta_version != TA_VERSION);
            Ok(Found { keys, marked, cell, new: false, outdated })
        }
        _ => Err(Error::Corrupt),
    }
}

/// Draws which store a new one is. It is not the one `before`.
fn give_birth(tee: &mut impl Tee, before: Option<Birth>) -> Result<Birth, Error> {
    let mut birth = Birth::default();
    tee.random(&mut birth)?;
    if birth == Birth::default() || before == Some(birth) {
        return Err(Fault::RANDOMNESS.into());
    }
    Ok(birth)
}

/// Writes what the cell is to say.
pub(crate) fn write_cell(tee: &mut impl Tee, cell: &Cell) -> Result<(), Error> {
    Ok(tee.store_cell(&cell_object(cell))?)
}

fn cell_object(cell: &Cell) -> Vec<u8> {
    CellObject::V3 { ta_version: TA_VERSION, cell: Box::new(cell.clone()) }.encode()
}

/// Reads a watermark that [`open`] named; none if it is gone, does not decode or cannot be.
pub(crate) fn read_watermark(tee: &mut impl Tee, id: &KeyId) -> Result<Option<Watermark>, Error> {
    let Some(data) = tee.load(&watermark_name(id))? else { return Ok(None) };
    let Ok(WatermarkObject::V1(watermark)) = WatermarkObject::decode_all(&mut &data[..]) else { return Ok(None) };
    Ok(watermark.is_sound().then_some(watermark))
}

/// Writes a key's watermark.
pub(crate) fn write_watermark(tee: &mut impl Tee, id: &KeyId, watermark: &Watermark) -> Result<(), Error> {
    Ok(tee.store(&watermark_name(id), &WatermarkObject::V1(watermark.clone()).encode())?)
}

/// Removes a key's watermark.
pub(crate) fn remove_watermark(tee: &mut impl Tee, id: &KeyId) -> Result<(), Error> {
    Ok(tee.delete(&watermark_name(id))?)
}

/// Reads a key that [`open`] named; one that is gone, does not decode or is in another store is corrupt.
pub(crate) fn read(tee: &mut impl Tee, store: Birth, id: &KeyId) -> Result<StoredKey, Error> {
    let data = Zeroizing::new(tee.load(&key_name(id))?.ok_or(Error::Corrupt)?);
    let KeyObject::V2 { birth, usage, origin, secret } =
        KeyObject::decode_all(&mut data.as_slice()).map_err(|_| Error::Corrupt)?;
    if birth != store {
        return Err(Error::Corrupt);
    }
    Ok(StoredKey { usage, origin, secret })
}

/// Writes a key into a store, in place of one with the same name if there is one.
pub(crate) fn write(tee: &mut impl Tee, birth: Birth, id: &KeyId, key: StoredKey) -> Result<(), Error> {
    let StoredKey { usage, origin, secret } = key;
    let mut data = Zeroizing::new(Vec::with_capacity(KEY_OBJECT_CAPACITY));
    KeyObject::V2 { birth, usage, origin, secret }.encode_to(&mut *data);
    Ok(tee.store(&key_name(id), &data)?)
}

/// Removes a key.
pub(crate) fn remove(tee: &mut impl Tee, id: &KeyId) -> Result<(), Error> {
    Ok(tee.delete(&key_name(id))?)
}

/// The number for the next measurement, from 1 on. It is stored first: a cut afterwards leaves it out, and nothing gives
/// it twice. [`Error::Corrupt`] at its end, which nobody ever counted up to.
pub(crate) fn next_measurement(tee: &mut impl Tee) -> Result<u64, Error> {
    let last = match tee.load(MEASUREMENTS)? {
        Some(data) => {
            let Measurements::V1 { last } = versioned(&data, 1)?;
            last
        }
        None => 0,
    };
    let next = last.checked_add(1).ok_or(Error::Corrupt)?;
    tee.store(MEASUREMENTS, &Measurements::V1 { last: next }.encode())?;
    Ok(next)
}

/// The name of a key's object: 39 bytes, or 40 for ecdsa.
pub(crate) fn key_name(id: &KeyId) -> Vec<u8> {
    (KEY, id).encode()
}

/// The name of a watermark's object, as long as that of its key's.
pub(crate) fn watermark_name(id: &KeyId) -> Vec<u8> {
    (WATERMARK, id).encode()
}

/// The key that the name of an object of this kind says.
fn key_of(kind: u8, name: &[u8]) -> Option<KeyId> {
    let mut rest = name.strip_prefix(&[kind])?;
    let id = KeyId::decode_all(&mut rest).ok()?;
    (id.public.len() == keys::public_length(id.scheme)).then_some(id)
}

/// Decodes an enum whose last variant has index `last`; a higher one is a newer trusted application's.
fn versioned<T: Decode>(data: &[u8], last: u8) -> Result<T, Error> {
    match data.first() {
        Some(version) if *version > last => Err(Error::NewerStore),
        _ => T::decode_all(&mut &*data).map_err(|_| Error::Corrupt),
    }
}

#[cfg(test)]
mod tests;
