//! [`Tee`] over OP-TEE: its secure storage, its randomness, and its attestation pseudo trusted application (PTA).

use alloc::{vec, vec::Vec};

use holdfast_ta::{
    optee::{decode_cell, encode_cell, CELL_RECORD},
    CellWrites, Fault, Kind, Measurement, Memory, RsaPublicKey, Tee,
};
use optee_utee::{
    DataFlag, Error, ErrorKind, GenericObject, ObjectEnumHandle, ObjectStorageConstants as Storage, ParamIndex,
    PersistentObject, Random, TaSessionBuilder, TeeParams, Time, Uuid, Whence,
};

/// Where objects lie. OP-TEE encrypts and authenticates them with a key of this application on this chip.
const OBJECTS: Storage = Storage::Private;
/// The cell is in RPMB.
const RPMB: bool = cfg!(feature = "rpmb");
/// Where the cell lies.
const CELL_STORAGE: Storage = if RPMB { Storage::PrivateRpmb } else { Storage::Private };
/// Without RPMB it lies among the objects, and is none of them.
const CELL: &[u8] = b"cell";
/// No object has this name.
const NOTHING: &[u8] = b"nothing";
/// GlobalPlatform's `TEE_OBJECT_ID_MAX_LEN`.
const MAX_ID: usize = 64;
/// The longest object that is read, whatever the storage says that it holds.
const MAX_OBJECT: usize = 64 * 1024;

/// OP-TEE finds an object by reading its directory from the start, through Linux, and opens each object that it lists:
/// what opens a store takes time that grows with the square of this.
const CAPACITY: u32 = 32;

/// The attestation PTA (OP-TEE's `pta_attestation.h`).
const ATTESTATION: &str = "39800861-182a-4720-9b67-2bcd622bc0b5";
/// Its public key: exponent and modulus, big endian.
const GET_PUBLIC_KEY: u32 = 0;
/// The hash of the calling application's read-only memory, signed together with a nonce.
const HASH_TA_MEMORY: u32 = 2;
const HASH: usize = 32;
/// Bytes of a 4,096-bit number.
const MAX_NUMBER: usize = 512;

/// The platform, and what the application keeps in its memory.
pub(crate) struct OpTee {
    /// `None` before the first command.
    memory: Option<Memory>,
}

impl OpTee {
    pub(crate) const fn new() -> OpTee {
        OpTee { memory: None }
    }
}

impl Tee for OpTee {
    fn random(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        Random::generate(out);
        Ok(())
    }

    fn load(&mut self, id: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        load(id)
    }

    fn store(&mut self, id: &[u8], data: &[u8]) -> Result<(), Fault> {
        store(id, data)
    }

    fn delete(&mut self, id: &[u8]) -> Result<(), Fault> {
        check_id(id)?;
        let flags = DataFlag::ACCESS_READ | DataFlag::ACCESS_WRITE_META;
        open(id, flags)?.map_or(Ok(()), |object| object.close_and_delete().map_err(fault))
    }

    fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        let mut objects = ObjectEnumHandle::allocate().map_err(fault)?;
        let mut names = Vec::new();
        if found(objects.start(OBJECTS as u32))?.is_none() {
            return Ok(names);
        }
        let mut id = [0; MAX_ID];
        while let Some(length) = found(objects.get_next(None, &mut id))? {
            let name = id.get(..length as usize).ok_or(fault(ErrorKind::ExcessData.into()))?;
            if name != CELL {
                names.push(name.to_vec());
            }
        }
        Ok(names)
    }

    fn load_cell(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        match load(CELL)? {
            Some(record) if RPMB => Ok(Some(decode_cell(&record).ok_or_else(corrupt)?.to_vec())),
            cell => Ok(cell),
        }
    }

    fn store_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        if !RPMB {
            return store(CELL, data);
        }
        if replace_record(&record(data)?)? {
            Ok(())
        } else {
            Err(fault(ErrorKind::ItemNotFound.into()))
        }
    }

    fn create_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        if !RPMB {
            return store(CELL, data);
        }
        let record = record(data)?;
        if replace_record(&record)? {
            return Ok(());
        }
        let flags = DataFlag::ACCESS_READ | DataFlag::ACCESS_WRITE | DataFlag::ACCESS_WRITE_META;
        PersistentObject::create(CELL_STORAGE, CELL, flags, None, &record).map(drop).map_err(fault)
    }

    fn capacity(&self) -> u32 {
        CAPACITY
    }

    /// A validator makes three statements a block, 43,200 a day at 6-second blocks. RPMB outlives some hundred thousand
    /// writes of a block, and a write of the cell is one of its block, so it is written once for 64 positions: some 450
    /// times a day. Without RPMB the cell is a file like others, which no restored disk respects: it is written each time,
    /// and a start costs nothing.
    fn cell_writes(&self) -> CellWrites {
        if RPMB {
            CellWrites::Ahead { rounds: 64, slots: 64 }
        } else {
            CellWrites::EachStatement
        }
    }

    fn rollback_protected(&self) -> bool {
        RPMB
    }

    fn time_hint(&mut self) -> u64 {
        let mut time = Time::new();
        time.ree_time();
        u64::from(time.seconds) * 1000 + u64::from(time.millis)
    }

    fn kind(&self) -> Kind {
        Kind::OpTee
    }

    fn development(&self) -> bool {
        cfg!(feature = "development")
    }

    fn measure(&mut self, nonce: &[u8; 32]) -> Result<Measurement, Fault> {
        let uuid = Uuid::parse_str(ATTESTATION).map_err(fault)?;
        let attestation = TaSessionBuilder::new(uuid).build();
        // An OP-TEE that was built without it has no such application.
        let mut attestation = found(attestation)?.ok_or(Fault::NO_MEASUREMENT)?;

        let (mut exponent, mut modulus) = (vec![0; MAX_NUMBER], vec![0; MAX_NUMBER]);
        let mut key = TeeParams::new()
            .with_memref_out(ParamIndex::Arg0, &mut exponent)
            .with_memref_out(ParamIndex::Arg1, &mut modulus)
            .with_value_out(ParamIndex::Arg2, 0, 0);
        attestation.invoke_command(GET_PUBLIC_KEY, &mut key).map_err(fault)?;
        let signer = RsaPublicKey { exponent: number(&key, ParamIndex::Arg0), modulus: number(&key, ParamIndex::Arg1) };

        let mut signed = vec![0; HASH + MAX_NUMBER];
        let mut hash =
            TeeParams::new().with_memref_in(ParamIndex::Arg0, nonce).with_memref_out(ParamIndex::Arg1, &mut signed);
        attestation.invoke_command(HASH_TA_MEMORY, &mut hash).map_err(fault)?;
        let written = hash[ParamIndex::Arg1].written_slice().unwrap_or_default();
        let (measurement, signature) = written.split_first_chunk().ok_or(Fault::BAD_MEASUREMENT)?;
        Ok(Measurement { measurement: *measurement, signature: signature.to_vec(), signer })
    }

    fn memory(&mut self) -> &mut Memory {
        self.memory.get_or_insert_with(Memory::default)
    }
}

fn storage_of(id: &[u8]) -> Storage {
    if id == CELL {
        CELL_STORAGE
    } else {
        OBJECTS
    }
}

fn load(id: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    check_id(id)?;
    let Some(mut object) = open(id, DataFlag::ACCESS_READ | DataFlag::SHARE_READ)? else {
        return Ok(None);
    };
    let size = object.info().map_err(fault)?.data_size();
    if size > MAX_OBJECT {
        return Err(corrupt());
    }
    // Of its full length from the start, so that it never moves and leaves a copy of a secret behind.
    let mut data = vec![0; size];
    let read = object.read(&mut data).map_err(fault)?;
    data.truncate(read as usize);
    Ok(Some(data))
}

fn open(id: &[u8], flags: DataFlag) -> Result<Option<PersistentObject>, Fault> {
    found(PersistentObject::open(storage_of(id), id, flags))
}

/// Has OP-TEE read its directory. It keeps that open at tee-supplicant's, and one that was started since does not know of
/// it: then the read fails, ends the application, and has OP-TEE open it again. If a new file came first it would be given
/// the number that the directory had: OP-TEE would take it for the directory, find that damaged, and remove the object
/// that was to be replaced.
fn reach() -> Result<(), Fault> {
    open(NOTHING, DataFlag::ACCESS_READ).map(drop)
}

/// OP-TEE writes a new file, then changes the directory of its storage: the object is replaced whole, or not at all.
fn store(id: &[u8], data: &[u8]) -> Result<(), Fault> {
    check_id(id)?;
    reach()?;
    let flags = DataFlag::ACCESS_READ | DataFlag::ACCESS_WRITE | DataFlag::ACCESS_WRITE_META | DataFlag::OVERWRITE;
    PersistentObject::create(storage_of(id), id, flags, None, data).map(drop).map_err(fault)
}

/// A cell too long for its record is never cut short.
fn record(cell: &[u8]) -> Result<[u8; CELL_RECORD], Fault> {
    encode_cell(cell).ok_or_else(|| fault(ErrorKind::ExcessData.into()))
}

/// Writes over the record of the cell in RPMB, if OP-TEE finds one. It writes in place, in one block, what lies within a
/// file and within a block. Creating the object anew would not be atomic there: OP-TEE removes the old file's entry before
/// it renames the new file, and takes up the remains of one that was cut without shortening them.
fn replace_record(record: &[u8; CELL_RECORD]) -> Result<bool, Fault> {
    reach()?;
    let Some(mut object) = open(CELL, DataFlag::ACCESS_READ | DataFlag::ACCESS_WRITE)? else { return Ok(false) };
    if object.info().map_err(fault)?.data_size() != CELL_RECORD {
        return Err(corrupt());
    }
    object.seek(0, Whence::DataSeekSet).map_err(fault)?;
    object.write(record).map_err(fault)?;
    Ok(true)
}

/// OP-TEE ends an application that names an object with more.
fn check_id(id: &[u8]) -> Result<(), Fault> {
    if id.len() > MAX_ID {
        return Err(fault(ErrorKind::BadParameters.into()));
    }
    Ok(())
}

/// Nothing where OP-TEE says that there is nothing.
fn found<T>(result: optee_utee::Result<T>) -> Result<Option<T>, Fault> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::ItemNotFound => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

/// A big-endian number that the PTA wrote, without the zeros before it.
fn number(parameters: &TeeParams<'_>, index: ParamIndex) -> Vec<u8> {
    let written = parameters[index].written_slice().unwrap_or_default();
    let zeros = written.iter().take_while(|byte| **byte == 0).count();
    written[zeros..].to_vec()
}

fn corrupt() -> Fault {
    fault(ErrorKind::CorruptObject.into())
}

fn fault(error: Error) -> Fault {
    Fault(error.raw_code())
}
