//! A TEE for tests: in memory, with power cuts and faults on demand, and randomness that can be foretold.

use alloc::{collections::BTreeMap, vec, vec::Vec};
use std::string::String;

use codec::{Compact, DecodeAll, Encode};

use crate::{
    dispatch, hash::blake2_256, optee::MAX_CELL, Answer, CellWrites, Command, Context, Error, Fault, KeyId, KeyInfo,
    KeyType, Kind, Measured, Measurement, Memory, Origin, Reply, Request, RsaPublicKey, Scheme, Seed, Tee, Usage,
    MAX_ANSWER,
};

/// The seeds of Alice's well-known keys.
pub(crate) const ALICE_SR25519: &str = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
pub(crate) const ALICE_ED25519: &str = "abf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115";
pub(crate) const ALICE_ECDSA: &str = "cb6df9de1efca7a3998a8ead4e02159d5fa99c3e0d4fd6432667390bb4726854";

/// The code of every fault that a test asks for.
pub(crate) const FAULT: Fault = Fault(0xdead);

/// What befalls a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accident {
    /// It is reported as failed, and nothing was written.
    Lost,
    /// It is reported as failed, but it was written.
    Landed,
    /// The power goes before it.
    CutBefore,
    /// The power goes after it, before anybody is told.
    CutAfter,
}

pub(crate) const ACCIDENTS: [Accident; 4] = [Accident::Lost, Accident::Landed, Accident::CutBefore, Accident::CutAfter];

pub(crate) type Objects = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
pub(crate) struct TestTee {
    pub(crate) objects: Objects,
    pub(crate) cell: Option<Vec<u8>>,
    /// The untrusted side says that there is no cell, and is believed, until another is made.
    pub(crate) cell_hidden: bool,
    /// A cell that is not read, because another is found first.
    pub(crate) cell_behind: Option<Vec<u8>>,
    /// A cell that is made beside one that is hidden is found first afterwards.
    pub(crate) newer_cell_first: bool,
    /// An object that is listed, and said not to be there when it is read.
    pub(crate) hidden: Option<Vec<u8>>,
    pub(crate) development: bool,
    /// How many objects were read.
    pub(crate) loads: usize,
    /// How many writes were begun, of objects and the cell, deletions included.
    pub(crate) writes: usize,
    /// Randomness to give before any other, to draws of its length.
    pub(crate) next_random: Vec<Vec<u8>>,
    /// What to say to the next measurement in place of a good one.
    pub(crate) next_measurement: Option<Result<Measurement, Fault>>,
    /// Each nonce that was to be signed, and the object of the counter as it was then.
    pub(crate) nonces: Vec<([u8; 32], Option<Vec<u8>>)>,
    pub(crate) rollback_protected: bool,
    /// The objects before the first write and after each one, where a test asks for them.
    pub(crate) states: Option<Vec<BTreeMap<Vec<u8>, Vec<u8>>>>,
    /// The cell is written ahead of use, not with every statement.
    pub(crate) cell_ahead: bool,
    /// As many keys as the interface allows, unless it says another number.
    pub(crate) capacity: Option<u32>,
    memory: Memory,
    drawn: u64,
    random_fault: Option<Fault>,
    load_fault: Option<Fault>,
    accident: Option<(usize, Accident)>,
    off: bool,
}

impl TestTee {
    pub(crate) fn development() -> TestTee {
        TestTee { development: true, ..TestTee::default() }
    }

    pub(crate) fn production() -> TestTee {
        TestTee::default()
    }

    /// Lets `accident` befall the write after the next `writes`.
    pub(crate) fn plan(&mut self, writes: usize, accident: Accident) {
        self.accident = Some((writes, accident));
    }

    /// Whether the planned accident has happened; clears the plan.
    pub(crate) fn accident_happened(&mut self) -> bool {
        self.accident.take().is_none()
    }

    pub(crate) fn fail_random(&mut self, fault: impl Into<Option<Fault>>) {
        self.random_fault = fault.into();
    }

    pub(crate) fn fail_loads(&mut self, fault: Option<Fault>) {
        self.load_fault = fault;
    }

    /// Starts the trusted application again: what was stored stays, its memory goes.
    pub(crate) fn restart(&mut self) {
        self.off = false;
        self.memory = Memory::default();
    }

    /// Another with the same store, just started, that draws the same from here on.
    pub(crate) fn copy(&self) -> TestTee {
        let (objects, cell) = (self.objects.clone(), self.cell.clone());
        let TestTee { development, rollback_protected, cell_ahead, drawn, .. } = *self;
        TestTee { objects, cell, development, rollback_protected, cell_ahead, drawn, ..TestTee::default() }
    }

    /// Whether the power is gone.
    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    /// Leaves the store as a trusted application of this version and kind would have.
    pub(crate) fn leave_as_version(&mut self, ta_version: u32) {
        let meta = self.objects.get_mut(&b"meta"[..]).expect("a store");
        // After the variant and the schema.
        meta[3..7].copy_from_slice(&ta_version.to_le_bytes());
        meta[7] = self.development.into();
        // After the variant.
        self.cell.as_mut().expect("a store")[1..5].copy_from_slice(&ta_version.to_le_bytes());
    }

    /// Asks, and checks what holds for every answer.
    pub(crate) fn ask(&mut self, command: Command) -> Result<Reply, Error> {
        let request = Request::V1(command).encode();
        self.ask_bytes(&request)
    }

    pub(crate) fn ask_bytes(&mut self, request: &[u8]) -> Result<Reply, Error> {
        let bytes = dispatch(self, request);
        assert!(bytes.len() <= MAX_ANSWER);
        let Answer::V1(result) = Answer::decode_all(&mut &bytes[..]).expect("every answer decodes");
        result
    }

    pub(crate) fn make(&mut self, scheme: Scheme, key_type: KeyType) -> KeyInfo {
        self.generate(scheme, key_type, Usage::Sign, None).expect("this key can be made")
    }

    pub(crate) fn generate(
        &mut self,
        scheme: Scheme,
        key_type: KeyType,
        usage: Usage,
        seed: Option<&[u8]>,
    ) -> Result<KeyInfo, Error> {
        let seed = seed.map(|seed| Seed(seed.to_vec()));
        match self.ask(Command::Generate { scheme, key_type, usage, seed })? {
            Reply::Generated(info) => Ok(info),
            other => panic!("not an answer to Generate: {other:?}"),
        }
    }

    pub(crate) fn sign(&mut self, id: &KeyId, message: &[u8], context: Context) -> Result<Vec<u8>, Error> {
        match self.ask(Command::Sign { id: id.clone(), message: message.to_vec(), context })? {
            Reply::Signature(signature) => Ok(signature),
            other => panic!("not an answer to Sign: {other:?}"),
        }
    }

    pub(crate) fn measure(&mut self, challenge: [u8; 64], keys: &[KeyId]) -> Result<Measured, Error> {
        match self.ask(Command::Measure { challenge, keys: keys.to_vec() })? {
            Reply::Measured(measured) => Ok(measured),
            other => panic!("not an answer to Measure: {other:?}"),
        }
    }

    /// All keys, page by page.
    pub(crate) fn list(&mut self, limit: u16) -> Result<Vec<KeyInfo>, Error> {
        let mut all = Vec::<KeyInfo>::new();
        loop {
            let after = all.last().map(|key| key.id.clone());
            match self.ask(Command::List { after, limit })? {
                Reply::Keys { keys, more } => {
                    assert!(keys.len() <= usize::from(limit));
                    all.extend(keys);
                    if !more {
                        return Ok(all);
                    }
                }
                other => panic!("not an answer to List: {other:?}"),
            }
        }
    }

    pub(crate) fn info(&mut self) -> crate::Info {
        match self.ask(Command::Info) {
            Ok(Reply::Info(info)) => info,
            other => panic!("Info failed: {other:?}"),
        }
    }

    fn write(&mut self, effect: impl FnOnce(&mut TestTee)) -> Result<(), Fault> {
        if self.off {
            return Err(FAULT);
        }
        self.writes += 1;
        let accident = match self.accident {
            Some((0, accident)) => {
                self.accident = None;
                Some(accident)
            }
            Some((writes, accident)) => {
                self.accident = Some((writes - 1, accident));
                None
            }
            None => None,
        };
        if !matches!(accident, Some(Accident::Lost | Accident::CutBefore)) {
            effect(self);
        }
        if let Some(states) = &mut self.states {
            states.push(self.objects.clone());
        }
        self.off = matches!(accident, Some(Accident::CutBefore | Accident::CutAfter));
        accident.map_or(Ok(()), |_| Err(FAULT))
    }

    fn read(&mut self) -> Result<(), Fault> {
        if self.off {
            return Err(FAULT);
        }
        self.load_fault.map_or(Ok(()), Err)
    }
}

impl Tee for TestTee {
    fn random(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        if let Some(fault) = self.random_fault {
            return Err(fault);
        }
        if self.next_random.first().is_some_and(|next| next.len() == out.len()) {
            out.copy_from_slice(&self.next_random.remove(0));
            return Ok(());
        }
        for chunk in out.chunks_mut(32) {
            self.drawn += 1;
            chunk.copy_from_slice(&blake2_256(&self.drawn.to_le_bytes())[..chunk.len()]);
        }
        Ok(())
    }

    fn load(&mut self, id: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.read()?;
        self.loads += 1;
        Ok(self.objects.get(id).filter(|_| self.hidden.as_deref() != Some(id)).cloned())
    }

    fn store(&mut self, id: &[u8], data: &[u8]) -> Result<(), Fault> {
        assert!(id.len() <= 64);
        self.write(|tee| {
            tee.objects.insert(id.to_vec(), data.to_vec());
        })
    }

    fn delete(&mut self, id: &[u8]) -> Result<(), Fault> {
        self.write(|tee| {
            tee.objects.remove(id);
        })
    }

    fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        self.read()?;
        Ok(self.objects.keys().rev().cloned().collect())
    }

    fn load_cell(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        self.read()?;
        Ok(self.cell.clone().filter(|_| !self.cell_hidden))
    }

    fn store_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        assert!(!self.cell_ahead || data.len() <= MAX_CELL, "{} bytes", data.len());
        if self.cell_hidden || self.cell.is_none() {
            return Err(FAULT);
        }
        self.write(|tee| tee.cell = Some(data.to_vec()))
    }

    fn create_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        let hidden = core::mem::take(&mut self.cell_hidden);
        self.write(|tee| {
            let before = tee.cell.replace(data.to_vec()).filter(|_| hidden);
            if before.is_some() {
                tee.cell_behind = before;
                if !tee.newer_cell_first {
                    core::mem::swap(&mut tee.cell, &mut tee.cell_behind);
                }
            }
        })
    }

    fn time_hint(&mut self) -> u64 {
        0
    }

    fn cell_writes(&self) -> CellWrites {
        if self.cell_ahead {
            CellWrites::Ahead { rounds: 3, slots: 3 }
        } else {
            CellWrites::EachStatement
        }
    }

    fn kind(&self) -> Kind {
        Kind::Software
    }

    fn development(&self) -> bool {
        self.development
    }

    fn capacity(&self) -> u32 {
        self.capacity.unwrap_or(crate::MAX_KEYS)
    }

    fn rollback_protected(&self) -> bool {
        self.rollback_protected
    }

    fn measure(&mut self, nonce: &[u8; 32]) -> Result<Measurement, Fault> {
        self.read()?;
        self.nonces.push((*nonce, self.objects.get(&b"measurements"[..]).cloned()));
        self.next_measurement.take().unwrap_or_else(|| Ok(measurement(nonce)))
    }

    fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

/// What the test platform says to a nonce, of lengths that a platform may choose and with the nonce in it.
pub(crate) fn measurement(nonce: &[u8; 32]) -> Measurement {
    let signer = RsaPublicKey { exponent: vec![1, 0, 1], modulus: vec![0x80; 256] };
    Measurement { measurement: [0x4d; 32], signature: nonce.repeat(8), signer }
}

/// A header before its seal, in a slot, with further digest items after Aura's.
pub(crate) fn header(number: u32, slot: u64, more: &[Vec<u8>]) -> Vec<u8> {
    let mut items = vec![pre_runtime(b"aura", &slot.encode())];
    items.extend_from_slice(more);
    header_with(number, &items)
}

/// A header with these encoded digest items.
pub(crate) fn header_with(number: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let mut header = ([1u8; 32], Compact(number), [2u8; 32], [3u8; 32]).encode();
    header.extend(Compact(items.len() as u32).encode());
    header.extend(items.concat());
    header
}

pub(crate) fn pre_runtime(engine: &[u8; 4], data: &[u8]) -> Vec<u8> {
    (6u8, *engine, data).encode()
}

/// A vote as GRANDPA encodes it.
pub(crate) fn vote(stage: u8, round: u64, set: u64) -> Vec<u8> {
    (stage, [9u8; 32], 77u32, round, set).encode()
}

/// `POP_` and an owner.
pub(crate) fn possession(owner: &[u8]) -> Vec<u8> {
    [b"POP_", owner].concat()
}

/// A key that nobody holds.
pub(crate) fn unknown_key(scheme: Scheme, key_type: KeyType) -> KeyId {
    KeyId { scheme, key_type, public: vec![5; crate::keys::public_length(scheme)] }
}

pub(crate) fn generated(id: KeyId, usage: Usage) -> KeyInfo {
    KeyInfo { id, usage, origin: Origin::Generated }
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hexadecimal"))
        .collect()
}
