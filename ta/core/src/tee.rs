//! Every effect that a platform has on the trusted application.

use alloc::vec::Vec;

use crate::{Kind, Measurement, Memory, MAX_KEYS};

/// A platform: OP-TEE, or a stand-in.
///
/// Object names are at most 64 bytes (GlobalPlatform's `TEE_OBJECT_ID_MAX_LEN`). Each write is atomic and durable
/// when it returns: after a cut the object is as before or as written, never in between.
pub trait Tee {
    /// Fills `out` with random bytes.
    fn random(&mut self, out: &mut [u8]) -> Result<(), Fault>;
    /// Reads an object.
    fn load(&mut self, id: &[u8]) -> Result<Option<Vec<u8>>, Fault>;
    /// Creates or replaces an object.
    fn store(&mut self, id: &[u8], data: &[u8]) -> Result<(), Fault>;
    /// Removes an object; one that is not there is no fault.
    fn delete(&mut self, id: &[u8]) -> Result<(), Fault>;
    /// Names of all objects, in any order.
    fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault>;
    /// Reads the small cell that a restored disk does not take back (RPMB; a software TEE only imitates it).
    fn load_cell(&mut self) -> Result<Option<Vec<u8>>, Fault>;
    /// Writes that cell, which is there. Where the untrusted side can say that it is not, this fails, and makes none: there
    /// would be two for one store, and the older one might be read.
    fn store_cell(&mut self, data: &[u8]) -> Result<(), Fault>;
    /// Writes the cell of a new store: over the one that is there, or else it makes one.
    fn create_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        self.store_cell(data)
    }
    /// Milliseconds since the Unix epoch, as the untrusted side tells it: a hint, never a reason to sign.
    fn time_hint(&mut self) -> u64;
    /// How often the cell is to be written.
    fn cell_writes(&self) -> CellWrites;
    /// The kind of TEE.
    fn kind(&self) -> Kind;
    /// Whether this is a development TEE: it takes seeds, signs anything with `test` keys, and never gives evidence.
    fn development(&self) -> bool;
    /// Whether the cell is more than imitated. Where it is not, nobody notices that a disk was put back from a copy.
    fn rollback_protected(&self) -> bool;
    /// The most objects that may be stored beside a few of the application's own, and so the most keys;
    /// [`crate::MAX_KEYS`] at most.
    fn capacity(&self) -> u32 {
        MAX_KEYS
    }
    /// Measures the application that asks, and signs that together with `nonce`, as [`Measurement`] says;
    /// [`Fault::NO_MEASUREMENT`] where the platform cannot. A development application never asks.
    fn measure(&mut self, nonce: &[u8; 32]) -> Result<Measurement, Fault>;
    /// The trusted application's own memory, kept between calls; starts as `Memory::default()`.
    fn memory(&mut self) -> &mut Memory;
}

/// How often the cell is written for what keys may sign once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellWrites {
    /// With every statement: nothing is lost by a start after an end without [`crate::Command::Close`].
    EachStatement,
    /// Ahead of use, because the cell wears out or is slow: a start after an end without [`crate::Command::Close`] may
    /// cost as many rounds and slots as are given here.
    Ahead {
        /// Rounds of GRANDPA.
        rounds: u64,
        /// Slots of Aura.
        slots: u64,
    },
}

/// A platform's failure, with its own code (a `TEE_Result` on OP-TEE, an `errno` in software).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub u32);

impl Fault {
    /// The platform's random numbers are zero, or repeat a key that exists or the store before: neither a key nor a store
    /// may be made of them. The code is `RAND` in ASCII.
    pub const RANDOMNESS: Fault = Fault(u32::from_be_bytes(*b"RAND"));
    /// This platform measures no application. The code is `MEAS` in ASCII.
    pub const NO_MEASUREMENT: Fault = Fault(u32::from_be_bytes(*b"MEAS"));
    /// What the platform gave is no [`Measurement`]: numbers of other lengths, or with leading zeros. The code is `MBAD`
    /// in ASCII.
    pub const BAD_MEASUREMENT: Fault = Fault(u32::from_be_bytes(*b"MBAD"));
}
