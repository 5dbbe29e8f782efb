//! A software TEE as it is, or in the place of one that gives evidence.

use holdfast_ta::{CellWrites, Fault, Kind, Measurement, Memory, RsaPublicKey, Tee};

use crate::SoftTee;

/// For production it says that it is no development TEE, and signs whatever nonce it is given.
pub(super) struct Platform {
    pub(super) soft: SoftTee,
    pub(super) production: bool,
}

impl Tee for Platform {
    fn random(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        self.soft.random(out)
    }
    fn load(&mut self, id: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.soft.load(id)
    }
    fn store(&mut self, id: &[u8], data: &[u8]) -> Result<(), Fault> {
        self.soft.store(id, data)
    }
    fn delete(&mut self, id: &[u8]) -> Result<(), Fault> {
        self.soft.delete(id)
    }
    fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        self.soft.list()
    }
    fn load_cell(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        self.soft.load_cell()
    }
    fn store_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        self.soft.store_cell(data)
    }
    fn time_hint(&mut self) -> u64 {
        self.soft.time_hint()
    }
    fn kind(&self) -> Kind {
        self.soft.kind()
    }
    fn development(&self) -> bool {
        !self.production
    }
    fn cell_writes(&self) -> CellWrites {
        self.soft.cell_writes()
    }
    fn rollback_protected(&self) -> bool {
        self.soft.rollback_protected()
    }
    fn measure(&mut self, nonce: &[u8; 32]) -> Result<Measurement, Fault> {
        let signer = RsaPublicKey { exponent: vec![3], modulus: vec![0xff; 256] };
        Ok(Measurement { measurement: [1; 32], signature: nonce.repeat(8), signer })
    }
    fn memory(&mut self) -> &mut Memory {
        self.soft.memory()
    }
}
