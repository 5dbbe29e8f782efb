//! The trusted application as a whole: any sequence of requests, bad ones and good ones, to one that holds keys.

use std::{collections::BTreeMap, sync::OnceLock};

use codec::DecodeAll;
use holdfast_ta::{
    measurement_nonce, proves_possession, read_slot, read_vote, Command, Context, Error, GrandpaRound, KeyId, KeyInfo,
    KeyType, Measured, Origin, Position, Reply, Request, Scheme, Seed, Usage, MAX_MEASURED_KEYS, MAX_PAGE,
};

use crate::{
    bytes::Bytes,
    platform::{blake2_256, Platform},
};

/// More than these are not read from one input, or single runs would take all the time.
const MAX_REQUESTS: usize = 32;

const SCHEMES: [Scheme; 3] = [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa];
const USAGES: [Usage; 2] = [Usage::Sign, Usage::SignAndVrf];

/// The first byte says whether this is a development trusted application; then follow requests, each a byte that says
/// how it is made and what it is made of.
pub fn dispatch(data: &[u8]) -> bool {
    let mut data = Bytes(data);
    let mut session = Session::new(data.byte() & 1 != 0);
    for _ in 0..MAX_REQUESTS {
        if data.is_empty() {
            break;
        }
        session.step(&mut data);
    }
    session.check_keys();
    session.platform.restart();
    session.check_keys();
    session.served
}

struct Session {
    platform: Platform,
    development: bool,
    /// What is there, as far as the answers tell.
    keys: BTreeMap<KeyId, KeyInfo>,
    /// The names that requests use: of keys that are there, that were, and that never were.
    names: Vec<KeyId>,
    /// The number of the last measurement.
    measured: u64,
    /// By key and place, what was signed there that may be signed once only.
    stated: BTreeMap<(KeyId, [u64; 3]), Vec<u8>>,
    /// Something was done.
    served: bool,
}

impl Session {
    fn new(development: bool) -> Session {
        static PREPARED: OnceLock<[(Platform, Vec<KeyInfo>); 2]> = OnceLock::new();
        let [production, with_test_keys] = PREPARED.get_or_init(|| [prepare(false), prepare(true)]);
        let (platform, keys) = if development { with_test_keys } else { production };
        let mut names: Vec<KeyId> = keys.iter().map(|info| info.id.clone()).collect();
        names.push(KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![5; 32] });
        names.push(KeyId { scheme: Scheme::Sr25519, key_type: *b"aura", public: vec![5; 31] });
        let keys = keys.iter().map(|info| (info.id.clone(), info.clone())).collect();
        Session {
            platform: platform.copy(),
            development,
            keys,
            names,
            measured: 0,
            stated: BTreeMap::new(),
            served: false,
        }
    }

    fn step(&mut self, data: &mut Bytes<'_>) {
        let command = match data.byte() % 16 {
            0 => {
                let request = data.long();
                let result = self.platform.ask(request);
                match Request::decode_all(&mut &*request) {
                    Ok(Request::V1(command)) => self.note(&command, result),
                    Err(_) => assert!(matches!(result, Err(Error::BadRequest(_)))),
                }
                return;
            }
            1 => return self.platform.restart(),
            2 => Command::Info,
            3 => {
                let after = (data.byte() & 1 != 0).then(|| data.choose(&self.names));
                Command::List { after, limit: data.byte().into() }
            }
            4 => Command::Generate {
                scheme: data.choose(&SCHEMES),
                key_type: data.choose(&[*b"aura", *b"gran", *b"test", *b"babe"]),
                usage: data.choose(&USAGES),
                seed: (data.byte() & 1 != 0).then(|| Seed(data.short().to_vec())),
            },
            5 => Command::Has { id: data.choose(&self.names) },
            6 => {
                let (id, message) = (data.choose(&self.names), data.short().to_vec());
                let context = if data.byte() & 1 != 0 { Context::Header(data.long().to_vec()) } else { Context::None };
                Command::Sign { id, message, context }
            }
            // A header that hashes to the message, which no fuzzer finds by itself.
            7 => {
                let (id, header) = (data.choose(&self.names), data.long().to_vec());
                Command::Sign { id, message: blake2_256(&header).to_vec(), context: Context::Header(header) }
            }
            8 => Command::SignPrehashed { id: data.choose(&self.names), hash: data.array() },
            9 => Command::VrfSign { id: data.choose(&self.names), input: self.point(data) },
            10 => Command::VrfPreOutput { id: data.choose(&self.names), input: self.point(data) },
            11 => Command::Retire { id: data.choose(&self.names) },
            12 => {
                let after = (data.byte() & 1 != 0).then(|| data.choose(&self.names));
                Command::Watermarks { after, limit: data.byte().into() }
            }
            13 => {
                let (id, low) = (data.choose(&self.names), u64::from(data.byte()));
                let to = match data.byte() & 1 {
                    0 => Position::Aura(low),
                    _ => Position::Grandpa(GrandpaRound { set_id: low / 64, round: low % 64 }),
                };
                Command::RaiseWatermark { id, to }
            }
            14 => Command::Close,
            _ => {
                let mut challenge = [0; 64];
                challenge[..32].copy_from_slice(&data.array::<32>());
                let keys = (0..data.byte() % 32).map(|_| data.choose(&self.names)).collect();
                Command::Measure { challenge, keys }
            }
        };
        let result = self.platform.command(command.clone());
        self.note(&command, result);
    }

    /// A public key of sr25519 is a point; most other bytes are none.
    fn point(&self, data: &mut Bytes<'_>) -> [u8; 32] {
        let chosen = data.choose(&self.names).public;
        chosen.try_into().unwrap_or_else(|_| data.array())
    }

    /// Holds an answer against its question, and takes note of what changed.
    fn note(&mut self, command: &Command, result: Result<Reply, Error>) {
        self.served |= result.is_ok();
        match (command, result) {
            (Command::Info, Ok(Reply::Info(info))) => {
                assert_eq!((info.development, info.rollback_protected), (self.development, true));
                assert_eq!(info.keys, Some(self.keys.len() as u32));
            }
            (Command::Generate { scheme, key_type, usage, seed }, Ok(Reply::Generated(info))) => {
                assert_eq!((info.id.scheme, info.id.key_type), (*scheme, *key_type));
                assert_eq!(info.origin == Origin::Seeded, seed.is_some());
                assert!(self.development || (seed.is_none() && *key_type != *b"test"), "for development only");
                let known = self.keys.insert(info.id.clone(), info.clone());
                assert!(known.is_none() || seed.is_some(), "the same key twice");
                assert_eq!(info.usage, known.map_or(*usage, |known| known.usage));
                self.names.push(info.id);
            }
            (Command::List { after, limit }, Ok(Reply::Keys { keys, more })) => {
                let all = self.keys.values().filter(|info| after.as_ref().is_none_or(|after| info.id > *after));
                let all: Vec<&KeyInfo> = all.collect();
                let page = all.len().min((*limit).min(MAX_PAGE).into());
                assert!(keys.iter().eq(all[..page].iter().copied()));
                assert_eq!(more, page < all.len());
            }
            (Command::Has { id }, Ok(Reply::Has(has))) => assert_eq!(has, self.keys.contains_key(id)),
            (Command::Sign { id, message, context }, Ok(Reply::Signature(signature))) => {
                assert_eq!(signature.len(), if id.scheme == Scheme::Ecdsa { 65 } else { 64 });
                assert!(self.keys.contains_key(id));
                assert!(self.may_sign(id.key_type, message, context), "a {:?} key signed {message:?}", id.key_type);
                if let Some(place) = place(id.key_type, message, context) {
                    let said = [&message[..], &signature].concat();
                    let before = self.stated.insert((id.clone(), place), said.clone());
                    assert!(before.is_none_or(|before| before == said), "two statements for one place");
                }
            }
            (Command::SignPrehashed { id, .. }, Ok(Reply::Signature(signature))) => {
                assert_eq!((id.scheme, signature.len()), (Scheme::Ecdsa, 65));
                assert!(self.keys.contains_key(id) && id.key_type == *b"test");
            }
            (Command::VrfSign { id, .. }, Ok(Reply::VrfSignature { .. }))
            | (Command::VrfPreOutput { id, .. }, Ok(Reply::VrfPreOutput(_))) => {
                assert!(self.keys.get(id).is_some_and(|info| info.usage == Usage::SignAndVrf));
                assert_eq!(id.scheme, Scheme::Sr25519);
            }
            (Command::Watermarks { limit, .. }, Ok(Reply::Watermarks { watermarks, .. })) => {
                assert!(watermarks.len() <= usize::from((*limit).min(MAX_PAGE)));
                assert!(watermarks.iter().all(|watermark| self.keys.contains_key(&watermark.id)));
            }
            (Command::RaiseWatermark { id, .. }, Ok(Reply::WatermarkRaised)) => assert!(self.keys.contains_key(id)),
            (Command::Close, Ok(Reply::Closed)) => {}
            (Command::Retire { id }, Ok(Reply::Retired)) => assert!(self.keys.remove(id).is_some()),
            (Command::Measure { challenge, keys }, Ok(Reply::Measured(measured))) => {
                self.check_measurement(challenge, keys, &measured);
            }
            (Command::Info, Err(error)) => panic!("Info failed: {error:?}"),
            (_, Err(error)) => {
                assert!(matches!(error, Error::BadRequest(_) | Error::NoSuchKey | Error::Refused(_)), "{error:?}");
            }
            (command, Ok(reply)) => panic!("{reply:?} to {command:?}"),
        }
    }

    /// The platform signed what was asked, of keys that are there and were born there, under a number of its own.
    fn check_measurement(&mut self, challenge: &[u8; 64], keys: &[KeyId], measured: &Measured) {
        assert!(!self.development && keys.len() <= MAX_MEASURED_KEYS);
        for (at, id) in keys.iter().enumerate() {
            let info = self.keys.get(id).expect("a key that is not there was measured");
            assert!(info.origin == Origin::Generated && info.usage == Usage::Sign);
            assert!(matches!(&id.key_type, b"aura" | b"gran") && !keys[..at].contains(id));
        }
        assert!(measured.counter > self.measured);
        self.measured = measured.counter;
        assert_eq!(measured.signature, measurement_nonce(challenge, keys, measured.counter).repeat(8));
    }

    /// The policy once more, from what the messages are.
    fn may_sign(&self, key_type: KeyType, message: &[u8], context: &Context) -> bool {
        let possession = proves_possession(message) && (self.development || message.len() == 36);
        match (&key_type, context) {
            (b"gran", _) => possession || read_vote(message).is_some(),
            (b"aura", Context::Header(header)) if message == blake2_256(header) => read_slot(header).is_some(),
            (b"aura", _) => possession,
            (b"test", _) => self.development,
            _ => false,
        }
    }

    /// Exactly the keys that were made and not retired are there.
    fn check_keys(&mut self) {
        let mut listed = vec![];
        loop {
            let after = listed.last().map(|info: &KeyInfo| info.id.clone());
            match self.platform.command(Command::List { after, limit: MAX_PAGE }) {
                Ok(Reply::Keys { keys, more }) => {
                    listed.extend(keys);
                    if !more {
                        break;
                    }
                }
                other => panic!("not a page: {other:?}"),
            }
        }
        assert!(listed.iter().eq(self.keys.values()));
    }
}

/// Of what a key may sign one thing only: the set, round and stage of a vote, or a slot.
fn place(key_type: KeyType, message: &[u8], context: &Context) -> Option<[u64; 3]> {
    match (&key_type, context) {
        (b"gran", _) => read_vote(message).map(|vote| [vote.set_id, vote.round, vote.stage.into()]),
        (b"aura", Context::Header(header)) if message.len() == 32 => read_slot(header).map(|slot| [slot, 0, 0]),
        _ => None,
    }
}

/// A trusted application with the keys of a validator, and on a development one of others.
fn prepare(development: bool) -> (Platform, Vec<KeyInfo>) {
    let mut platform = Platform::new(development);
    let mut kinds =
        vec![(Scheme::Sr25519, *b"aura", Usage::Sign, false), (Scheme::Ed25519, *b"gran", Usage::Sign, false)];
    if development {
        kinds.extend([
            (Scheme::Sr25519, *b"test", Usage::SignAndVrf, false),
            (Scheme::Ecdsa, *b"test", Usage::Sign, false),
            (Scheme::Ed25519, *b"test", Usage::Sign, true),
        ]);
    }
    let make = |(scheme, key_type, usage, seeded): (Scheme, KeyType, Usage, bool)| {
        let seed = seeded.then(|| Seed(vec![9; 32]));
        match platform.command(Command::Generate { scheme, key_type, usage, seed }) {
            Ok(Reply::Generated(info)) => info,
            other => panic!("no key: {other:?}"),
        }
    };
    let keys = kinds.into_iter().map(make).collect();
    (platform, keys)
}
