//! From a request's bytes to an answer's.

#[cfg(test)]
mod cuts;
#[cfg(test)]
mod hostile;
mod measure;
#[cfg(test)]
mod never_two;
#[cfg(test)]
mod tests;

use alloc::{vec, vec::Vec};

use codec::{DecodeLimit, Encode, MemTrackingInput};

use crate::{
    keys::{self, Key},
    memory::{self, Attributes},
    policy::{self, Act, Statement, Subject},
    store::StoredKey,
    Answer, BadRequest, Command, Error, Fault, Info, KeyId, KeyInfo, KeyType, Memory, Origin, Reply, Request, Scheme,
    Seed, Tee, Usage, MAX_PAGE, MAX_REQUEST, STORE_SCHEMA, TA_VERSION,
};

/// A request nests less deep than this.
const MAX_DEPTH: u32 = 8;
/// Bytes of the heap that a decoded request takes at most. The longest message or header takes half of it, and so would
/// hundreds of keys, but thousands of empty ones would take ten times the bytes that they came in.
const MAX_DECODED: usize = 2 * MAX_REQUEST;

/// How often randomness is drawn for a new key before the platform's is held to be broken. One draw in 2^128 is no
/// ecdsa scalar; zero, or a key that exists already, never comes from randomness that works.
const DRAWS: usize = 4;

/// Answers a request: one [`Answer`] of at most [`crate::MAX_ANSWER`] bytes, whatever the bytes of the request.
///
/// A key is stored before it is answered, and so is what was signed that may be signed once only. When the answer is an
/// error nothing has changed, but for a fault of the platform: while it writes, then the key is there or not, wholly, and
/// [`Command::List`] tells which, and a statement counts as made; while it measures, then the counter of measurements has
/// gone on.
///
/// A request may carry a seed: its buffer is the platform's, which wipes it afterwards. Every copy made here is wiped.
pub fn dispatch(tee: &mut impl Tee, request: &[u8]) -> Vec<u8> {
    let mut memory = core::mem::take(tee.memory());
    let result = decode(request).and_then(|command| execute(tee, &mut memory, command));
    *tee.memory() = memory;
    Answer::V1(result).encode()
}

fn decode(mut request: &[u8]) -> Result<Command, Error> {
    if request.len() > MAX_REQUEST {
        return Err(Error::BadRequest(BadRequest::TooLong));
    }
    let decoded = Request::decode_with_depth_limit(MAX_DEPTH, &mut MemTrackingInput::new(&mut request, MAX_DECODED));
    match decoded {
        Ok(Request::V1(command)) if request.is_empty() => Ok(command),
        _ => Err(Error::BadRequest(BadRequest::Malformed)),
    }
}

fn execute(tee: &mut impl Tee, memory: &mut Memory, command: Command) -> Result<Reply, Error> {
    match command {
        Command::Info => Ok(Reply::Info(info(tee, memory))),
        Command::Generate { scheme, key_type, usage, seed } => generate(tee, memory, scheme, key_type, usage, seed),
        Command::List { after, limit } => {
            after.as_ref().map(well_formed).transpose()?;
            let (keys, more) = memory.opened(tee)?.page(tee, after.as_ref(), limit.min(MAX_PAGE).into())?;
            Ok(Reply::Keys { keys, more })
        }
        Command::Has { id } => {
            well_formed(&id)?;
            match memory.opened(tee)?.attributes(tee, &id) {
                Ok(_) => Ok(Reply::Has(true)),
                Err(Error::NoSuchKey) => Ok(Reply::Has(false)),
                Err(error) => Err(error),
            }
        }
        Command::Sign { id, message, context } => {
            let act = Act::Sign { message: &message, context: &context };
            Ok(Reply::Signature(match permitted(tee, memory, &id, act)? {
                (key, None) => key.sign(tee, &message)?,
                (_, Some(statement)) => memory.sign_once(tee, &id, &statement, &message)?,
            }))
        }
        Command::SignPrehashed { id, hash } => {
            of_scheme(&id, Scheme::Ecdsa)?;
            let (key, _) = permitted(tee, memory, &id, Act::SignPrehashed)?;
            Ok(Reply::Signature(key.sign_prehashed(&hash)?))
        }
        Command::VrfSign { id, input } => {
            of_scheme(&id, Scheme::Sr25519)?;
            let (pre_output, proof) = permitted(tee, memory, &id, Act::Vrf)?.0.vrf_sign(tee, &input)?;
            Ok(Reply::VrfSignature { pre_output, proof })
        }
        Command::VrfPreOutput { id, input } => {
            of_scheme(&id, Scheme::Sr25519)?;
            Ok(Reply::VrfPreOutput(permitted(tee, memory, &id, Act::Vrf)?.0.vrf_pre_output(&input)?))
        }
        Command::Retire { id } => {
            well_formed(&id)?;
            if !memory.opened(tee)?.contains(&id) {
                return Err(Error::NoSuchKey);
            }
            memory.retire(tee, &id)?;
            Ok(Reply::Retired)
        }
        Command::Measure { challenge, keys } => Ok(Reply::Measured(measure::measure(tee, memory, &challenge, &keys)?)),
        Command::Watermarks { after, limit } => {
            after.as_ref().map(well_formed).transpose()?;
            let ledger = memory.ledger(tee)?;
            let (watermarks, more) = ledger.page(after.as_ref(), limit.min(MAX_PAGE).into());
            Ok(Reply::Watermarks { floor: ledger.floor(), watermarks, more })
        }
        Command::RaiseWatermark { id, to } => {
            well_formed(&id)?;
            if !memory.opened(tee)?.contains(&id) {
                return Err(Error::NoSuchKey);
            }
            if !policy::has_position(&id, to) {
                return Err(Error::BadRequest(BadRequest::WrongPosition));
            }
            memory.ledger(tee)?.raise(tee, &id, to)?;
            Ok(Reply::WatermarkRaised)
        }
        Command::Close => {
            memory.ledger(tee)?.close(tee)?;
            Ok(Reply::Closed)
        }
    }
}

/// Never fails, so that an operator can ask a trusted application whose store cannot be used which version it is.
fn info(tee: &mut impl Tee, memory: &mut Memory) -> Info {
    let (keys, catalogue) = match memory.opened(tee) {
        Ok(opened) => (u32::try_from(opened.len()).ok(), opened.fingerprint()),
        Err(_) => (None, 0),
    };
    Info {
        ta_version: TA_VERSION,
        schema: STORE_SCHEMA,
        kind: tee.kind(),
        development: tee.development(),
        keys,
        catalogue,
        rollback_protected: tee.rollback_protected(),
        capacity: memory::capacity(tee),
    }
}

fn generate(
    tee: &mut impl Tee,
    memory: &mut Memory,
    scheme: Scheme,
    key_type: KeyType,
    usage: Usage,
    seed: Option<Seed>,
) -> Result<Reply, Error> {
    if usage == Usage::SignAndVrf && scheme != Scheme::Sr25519 {
        return Err(Error::BadRequest(BadRequest::WrongScheme));
    }
    memory.opened(tee)?;
    let subject = Subject { development: tee.development(), scheme, key_type, usage };
    policy::judge(&subject, Act::Make { seeded: seed.is_some() }).map_err(Error::Refused)?;
    let info = match seed {
        Some(seed) => insert(tee, memory, scheme, key_type, usage, seed)?,
        None => create(tee, memory, scheme, key_type, usage)?,
    };
    Ok(Reply::Generated(info))
}

/// Makes a key of the platform's randomness.
fn create(
    tee: &mut impl Tee,
    memory: &mut Memory,
    scheme: Scheme,
    key_type: KeyType,
    usage: Usage,
) -> Result<KeyInfo, Error> {
    for _ in 0..DRAWS {
        let mut secret = Seed(vec![0; keys::SECRET_LENGTH]);
        tee.random(&mut secret.0)?;
        if secret.0.iter().all(|byte| *byte == 0) {
            continue;
        }
        let Ok(key) = Key::from_secret(scheme, &secret.0) else { continue };
        let id = KeyId { scheme, key_type, public: key.public() };
        if memory.opened(tee)?.contains(&id) {
            continue;
        }
        let origin = Origin::Generated;
        memory.add(tee, &id, StoredKey { usage, origin, secret }, key)?;
        return Ok(KeyInfo { id, usage, origin });
    }
    Err(Fault::RANDOMNESS.into())
}

/// Makes a key of a seed. A key that exists keeps its use. One that was born here is seeded from now on: somebody has
/// just shown that its secret is known outside.
fn insert(
    tee: &mut impl Tee,
    memory: &mut Memory,
    scheme: Scheme,
    key_type: KeyType,
    usage: Usage,
    seed: Seed,
) -> Result<KeyInfo, Error> {
    let key = Key::from_secret(scheme, &seed.0).map_err(|_| Error::BadRequest(BadRequest::BadKey))?;
    let id = KeyId { scheme, key_type, public: key.public() };
    let origin = Origin::Seeded;
    let usage = match memory.opened(tee)?.attributes(tee, &id) {
        Ok(known) if known.origin == origin => return Ok(KeyInfo { id, usage: known.usage, origin }),
        Ok(known) => known.usage,
        Err(Error::NoSuchKey) => usage,
        Err(error) => return Err(error),
    };
    memory.add(tee, &id, StoredKey { usage, origin, secret: seed }, key)?;
    Ok(KeyInfo { id, usage, origin })
}

/// The key, if it is here and the policy allows it the act; with the statement, if it is one that the key can make once
/// only.
fn permitted<'m>(
    tee: &mut impl Tee,
    memory: &'m mut Memory,
    id: &KeyId,
    act: Act<'_>,
) -> Result<(&'m Key, Option<Statement>), Error> {
    well_formed(id)?;
    let development = tee.development();
    let (Attributes { usage, .. }, key) = memory.opened(tee)?.key(tee, id)?;
    let subject = Subject { development, scheme: id.scheme, key_type: id.key_type, usage };
    let statement = policy::judge(&subject, act).map_err(Error::Refused)?;
    Ok((key, statement))
}

fn well_formed(id: &KeyId) -> Result<(), Error> {
    if id.public.len() == keys::public_length(id.scheme) {
        Ok(())
    } else {
        Err(Error::BadRequest(BadRequest::BadKey))
    }
}

fn of_scheme(id: &KeyId, scheme: Scheme) -> Result<(), Error> {
    if id.scheme == scheme {
        Ok(())
    } else {
        Err(Error::BadRequest(BadRequest::WrongScheme))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Platform(fault.0)
    }
}
