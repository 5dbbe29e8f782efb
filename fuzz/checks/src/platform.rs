//! A platform that foretells its randomness and watches for it: nothing drawn may come out again.

use std::collections::{BTreeMap, HashSet};

use blake2::{digest::consts::U32, Blake2b, Digest};
use codec::{DecodeAll, Encode};
use holdfast_ta::{
    dispatch, Answer, CellWrites, Command, Error, Fault, Kind, Measurement, Memory, Reply, Request, RsaPublicKey, Tee,
    MAX_ANSWER,
};

/// The bytes of a secret in which it is recognised.
const BLOCK: usize = 16;

#[derive(Default)]
pub(crate) struct Platform {
    pub(crate) objects: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) cell: Option<Vec<u8>>,
    development: bool,
    drawn: u64,
    secrets: HashSet<[u8; BLOCK]>,
    memory: Memory,
}

impl Platform {
    pub(crate) fn new(development: bool) -> Platform {
        Platform { development, ..Platform::default() }
    }

    /// Another with the same store, just started.
    pub(crate) fn copy(&self) -> Platform {
        Platform {
            objects: self.objects.clone(),
            cell: self.cell.clone(),
            development: self.development,
            drawn: self.drawn,
            secrets: self.secrets.clone(),
            memory: Memory::default(),
        }
    }

    pub(crate) fn restart(&mut self) {
        self.memory = Memory::default();
    }

    /// Asks, and checks what holds for every answer: it is short, decodes, and shows nothing that was drawn.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Reply, Error> {
        let bytes = dispatch(self, request);
        assert!(bytes.len() <= MAX_ANSWER);
        assert!(!bytes.windows(BLOCK).any(|window| self.secrets.contains(window)), "an answer shows a secret");
        let Answer::V1(result) = Answer::decode_all(&mut &bytes[..]).expect("every answer decodes");
        result
    }

    pub(crate) fn command(&mut self, command: Command) -> Result<Reply, Error> {
        self.ask(&Request::V1(command).encode())
    }

    fn remember(&mut self, secret: &[u8]) {
        self.secrets.extend(secret.as_chunks::<BLOCK>().0);
    }
}

impl Tee for Platform {
    fn random(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        for chunk in out.chunks_mut(32) {
            self.drawn += 1;
            let drawn = blake2_256(&self.drawn.to_le_bytes());
            chunk.copy_from_slice(&drawn[..chunk.len()]);
            self.remember(&drawn);
            // What an sr25519 key is expanded to.
            let expanded = schnorrkel::MiniSecretKey::from_bytes(&drawn)
                .expect("32 bytes")
                .expand(schnorrkel::ExpansionMode::Ed25519);
            self.remember(&expanded.to_bytes());
        }
        Ok(())
    }

    fn load(&mut self, id: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.objects.get(id).cloned())
    }

    fn store(&mut self, id: &[u8], data: &[u8]) -> Result<(), Fault> {
        assert!(id.len() <= 64);
        self.objects.insert(id.to_vec(), data.to_vec());
        Ok(())
    }

    fn delete(&mut self, id: &[u8]) -> Result<(), Fault> {
        self.objects.remove(id);
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        Ok(self.objects.keys().cloned().collect())
    }

    fn load_cell(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.cell.clone())
    }

    fn store_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        self.cell = Some(data.to_vec());
        Ok(())
    }

    fn time_hint(&mut self) -> u64 {
        0
    }

    fn kind(&self) -> Kind {
        Kind::OpTee
    }

    fn development(&self) -> bool {
        self.development
    }

    fn cell_writes(&self) -> CellWrites {
        CellWrites::EachStatement
    }

    fn rollback_protected(&self) -> bool {
        true
    }

    /// With the nonce in it, so that it can be held against what was asked.
    fn measure(&mut self, nonce: &[u8; 32]) -> Result<Measurement, Fault> {
        assert!(!self.development, "a development application asks for evidence");
        let signer = RsaPublicKey { exponent: vec![3], modulus: vec![0xff; 256] };
        Ok(Measurement { measurement: [0x4d; 32], signature: nonce.repeat(8), signer })
    }

    fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

pub(crate) fn blake2_256(data: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(data).into()
}
