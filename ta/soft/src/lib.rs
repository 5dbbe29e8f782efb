//! A process that stands in for a TEE, over a directory (development) or over memory only (a confidential VM).
//!
//! It implements [`Tee`] faithfully and protects nothing: whoever reads the directory or the process's memory has the
//! keys, and whoever restores the directory takes its cell back too. It says so of itself, always:
//! [`Kind::Software`], a development TEE, [`SoftTee::DESCRIPTION`].

#![forbid(unsafe_code)]

#[cfg(test)]
mod crashes;
mod directory;
pub mod entry;
mod error;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use holdfast_ta::{CellWrites, Fault, Kind, Measurement, Memory, Tee};
use rustix::io::Errno;
use zeroize::Zeroizing;

use directory::Directory;
use entry::Entry;
pub use error::OpenError;

/// The longest object in bytes. A longer one is a fault, whether read or written.
pub const MAX_OBJECT: usize = 64 * 1024;
/// The longest object name in bytes: GlobalPlatform's `TEE_OBJECT_ID_MAX_LEN`.
pub const MAX_ID: usize = 64;

/// The software TEE.
pub struct SoftTee {
    place: Place,
    memory: Memory,
}

enum Place {
    Directory(Directory),
    Memory { objects: BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>, cell: Option<Zeroizing<Vec<u8>>> },
}

impl SoftTee {
    /// What this is, wherever it is asked.
    pub const DESCRIPTION: &'static str = "software TEE, not a TEE";

    /// Opens the store in `dir`, and holds it until dropped.
    ///
    /// The directory is made, for its owner only, if it is not there, and then holds nothing but this store. Remains of
    /// a write that was cut are removed; what is neither that nor part of a store is an error, and untouched.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { place: Place::Directory(Directory::open(dir.as_ref())?), memory: Memory::default() })
    }

    /// An empty store that ends with this value, and never touches a disk.
    pub fn in_memory() -> Self {
        Self { place: Place::Memory { objects: BTreeMap::new(), cell: None }, memory: Memory::default() }
    }
}

impl Tee for SoftTee {
    fn random(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        getrandom::getrandom(out)
            .map_err(|error| Fault(error.raw_os_error().map_or(fault(Errno::IO).0, i32::unsigned_abs)))
    }

    fn load(&mut self, id: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        check_id(id)?;
        match &mut self.place {
            Place::Directory(directory) => directory.read(&Entry::Object(id.to_vec())).map_err(fault),
            Place::Memory { objects, .. } => Ok(objects.get(id).map(|data| data.to_vec())),
        }
    }

    fn store(&mut self, id: &[u8], data: &[u8]) -> Result<(), Fault> {
        check_id(id)?;
        check_data(data)?;
        match &mut self.place {
            Place::Directory(directory) => directory.write(&Entry::Object(id.to_vec()), data).map_err(fault),
            Place::Memory { objects, .. } => {
                objects.insert(id.to_vec(), Zeroizing::new(data.to_vec()));
                Ok(())
            }
        }
    }

    fn delete(&mut self, id: &[u8]) -> Result<(), Fault> {
        check_id(id)?;
        match &mut self.place {
            Place::Directory(directory) => directory.remove(&Entry::Object(id.to_vec())).map_err(fault),
            Place::Memory { objects, .. } => {
                objects.remove(id);
                Ok(())
            }
        }
    }

    fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        match &mut self.place {
            Place::Directory(directory) => directory.objects().map_err(fault),
            Place::Memory { objects, .. } => Ok(objects.keys().cloned().collect()),
        }
    }

    fn load_cell(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        match &mut self.place {
            Place::Directory(directory) => directory.read(&Entry::Cell).map_err(fault),
            Place::Memory { cell, .. } => Ok(cell.as_ref().map(|data| data.to_vec())),
        }
    }

    fn store_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        check_data(data)?;
        match &mut self.place {
            Place::Directory(directory) => directory.write(&Entry::Cell, data).map_err(fault),
            Place::Memory { cell, .. } => {
                *cell = Some(Zeroizing::new(data.to_vec()));
                Ok(())
            }
        }
    }

    fn time_hint(&mut self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    fn kind(&self) -> Kind {
        Kind::Software
    }

    fn development(&self) -> bool {
        true
    }

    /// A file is written at no wear to speak of, and so a start costs nothing, however the last end was.
    fn cell_writes(&self) -> CellWrites {
        CellWrites::EachStatement
    }

    fn rollback_protected(&self) -> bool {
        false
    }

    fn measure(&mut self, _: &[u8; 32]) -> Result<Measurement, Fault> {
        Err(Fault::NO_MEASUREMENT)
    }

    fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

fn check_id(id: &[u8]) -> Result<(), Fault> {
    if id.len() > MAX_ID {
        return Err(fault(Errno::NAMETOOLONG));
    }
    Ok(())
}

fn check_data(data: &[u8]) -> Result<(), Fault> {
    if data.len() > MAX_OBJECT {
        return Err(fault(Errno::FBIG));
    }
    Ok(())
}

fn fault(errno: Errno) -> Fault {
    Fault(errno.raw_os_error().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same behaviour is promised of both places.
    fn each_place(check: impl Fn(&mut SoftTee)) {
        check(&mut SoftTee::in_memory());
        let dir = tempfile::tempdir().unwrap();
        check(&mut SoftTee::open(dir.path().join("store")).unwrap());
    }

    #[test]
    fn an_object_is_read_as_it_was_written_until_it_is_deleted() {
        each_place(|tee| {
            assert_eq!(tee.load(b"a").unwrap(), None);
            tee.store(b"a", b"one").unwrap();
            tee.store(b"b", b"").unwrap();
            tee.store(b"a", b"two").unwrap();
            assert_eq!(tee.load(b"a").unwrap().unwrap(), b"two");
            assert_eq!(tee.load(b"b").unwrap().unwrap(), b"");
            let mut names = tee.list().unwrap();
            names.sort();
            assert_eq!(names, [b"a", b"b"]);

            tee.delete(b"a").unwrap();
            tee.delete(b"a").unwrap();
            assert_eq!(tee.load(b"a").unwrap(), None);
            assert_eq!(tee.list().unwrap(), [b"b"]);
        });
    }

    #[test]
    fn the_cell_is_apart_from_the_objects() {
        each_place(|tee| {
            assert_eq!(tee.load_cell().unwrap(), None);
            tee.store_cell(b"7").unwrap();
            tee.store(b"cell", b"an object").unwrap();
            tee.store_cell(b"8").unwrap();
            assert_eq!(tee.load_cell().unwrap().unwrap(), b"8");
            assert_eq!(tee.list().unwrap(), [b"cell"]);
        });
    }

    #[test]
    fn names_and_objects_beyond_the_limits_are_faults_and_change_nothing() {
        each_place(|tee| {
            tee.store(&[0xff; MAX_ID], &[7; MAX_OBJECT]).unwrap();
            assert_eq!(tee.store(&[0xff; MAX_ID], &[8; MAX_OBJECT + 1]), Err(fault(Errno::FBIG)));
            assert_eq!(tee.store_cell(&[8; MAX_OBJECT + 1]), Err(fault(Errno::FBIG)));
            let long = [0; MAX_ID + 1];
            assert_eq!(tee.store(&long, b""), Err(fault(Errno::NAMETOOLONG)));
            assert_eq!(tee.load(&long), Err(fault(Errno::NAMETOOLONG)));
            assert_eq!(tee.delete(&long), Err(fault(Errno::NAMETOOLONG)));

            assert_eq!(tee.load(&[0xff; MAX_ID]).unwrap().unwrap(), vec![7; MAX_OBJECT]);
            assert_eq!(tee.list().unwrap(), [[0xff; MAX_ID]]);
            assert_eq!(tee.load_cell().unwrap(), None);
        });
    }

    /// Rule 9.
    #[test]
    fn it_calls_itself_a_software_tee_for_development_that_proves_nothing_wherever_it_keeps_things() {
        each_place(|tee| {
            assert_eq!(tee.kind(), Kind::Software);
            assert!(tee.development());
            assert!(!tee.rollback_protected());
            assert_eq!(tee.measure(&[1; 32]), Err(Fault::NO_MEASUREMENT));
        });
        assert_eq!(SoftTee::DESCRIPTION, "software TEE, not a TEE");
    }

    #[test]
    fn random_bytes_differ_from_call_to_call() {
        each_place(|tee| {
            let (mut one, mut two) = ([0; 32], [0; 32]);
            tee.random(&mut one).unwrap();
            tee.random(&mut two).unwrap();
            assert_ne!(one, two);
            assert_ne!(one, [0; 32]);
        });
    }

    #[test]
    fn two_stores_in_memory_share_nothing() {
        let (mut one, mut two) = (SoftTee::in_memory(), SoftTee::in_memory());
        one.store(b"a", b"one").unwrap();
        assert_eq!(two.load(b"a").unwrap(), None);
    }
}
