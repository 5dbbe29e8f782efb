//! A machine with a store on its disk, and what its trusted application has promised.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use codec::{DecodeAll, Encode};
use holdfast_ta::{
    dispatch, measurement_nonce, read_vote, Answer, Command, Context, Error, KeyId, KeyInfo, KeyType, Measured, Origin,
    Reply, Request, Scheme, Seed, Tee, Usage, Vote, TA_VERSION,
};

use super::platform::Platform;
use crate::directory::Directory;
use crate::entry::Entry;
use crate::{Place, SoftTee};

const CHALLENGE: [u8; 64] = [5; 64];

/// What is on the disk at first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// Nothing.
    New,
    /// The store of an older trusted application.
    Older,
    /// A store of this one.
    Filled,
    /// The store of a production one without keys, which has been measured.
    Measured,
}

pub(super) struct Machine {
    /// `None` only while it restarts.
    tee: Option<Platform>,
    production: bool,
    path: PathBuf,
    _home: tempfile::TempDir,
    /// What each key may be found to be; `None` is not there.
    keys: BTreeMap<KeyId, Vec<Option<KeyInfo>>>,
    /// Keys that may have been made before anybody was told their names.
    unnamed: Vec<(Scheme, KeyType, Usage)>,
    /// The number of the last measurement that was answered.
    measured: u64,
    /// The vote of each round, once its signature was answered.
    voted: BTreeMap<u64, Vec<u8>>,
}

/// Every command that does something, and one of each that does not.
pub(super) fn commands(start: Start) -> Vec<Command> {
    match start {
        Start::New | Start::Older | Start::Filled => development_commands(),
        Start::Measured => production_commands(),
    }
}

/// Measures the application with these keys.
pub(super) fn measure(keys: &[KeyId]) -> Command {
    Command::Measure { challenge: CHALLENGE, keys: keys.to_vec() }
}

fn production_commands() -> Vec<Command> {
    let generate =
        |scheme, key_type: &[u8; 4]| Command::Generate { scheme, key_type: *key_type, usage: Usage::Sign, seed: None };
    vec![
        Command::Info,
        Command::List { after: None, limit: 64 },
        generate(Scheme::Sr25519, b"aura"),
        generate(Scheme::Ed25519, b"gran"),
        measure(&[]),
    ]
}

fn development_commands() -> Vec<Command> {
    let generate = |scheme, key_type: &[u8; 4], usage, seed: Option<[u8; 32]>| Command::Generate {
        scheme,
        key_type: *key_type,
        usage,
        seed: seed.map(|seed| Seed(seed.to_vec())),
    };
    let mut commands = vec![Command::Info, Command::List { after: None, limit: 64 }];
    for seed in [None, Some([6; 32])] {
        for scheme in [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa] {
            commands.push(generate(scheme, b"test", Usage::Sign, seed));
        }
        commands.push(generate(Scheme::Sr25519, b"test", Usage::SignAndVrf, seed));
        commands.push(generate(Scheme::Sr25519, b"aura", Usage::Sign, seed));
        commands.push(generate(Scheme::Ed25519, b"gran", Usage::Sign, seed));
    }
    for KeyInfo { id, .. } in filled() {
        let input = *id.public.first_chunk().expect("32 bytes at least");
        commands.push(Command::Has { id: id.clone() });
        match &id.key_type {
            b"test" => commands.push(sign(&id, b"message".to_vec())),
            // Two for one stage of a round, and one for another round.
            b"gran" => commands.extend([(1, 7), (2, 7), (1, 8)].map(|(target, round)| sign(&id, vote(target, round)))),
            _ => {}
        }
        match id.scheme {
            Scheme::Sr25519 if id.key_type == *b"test" => {
                commands.push(Command::VrfSign { id: id.clone(), input });
                commands.push(Command::VrfPreOutput { id: id.clone(), input });
            }
            Scheme::Ecdsa => commands.push(Command::SignPrehashed { id: id.clone(), hash: [1; 32] }),
            _ => {}
        }
        commands.push(Command::Retire { id });
    }
    commands
}

fn sign(id: &KeyId, message: Vec<u8>) -> Command {
    Command::Sign { id: id.clone(), message, context: Context::None }
}

/// A prevote for one of two targets in a round.
fn vote(target: u8, round: u64) -> Vec<u8> {
    (0u8, [target; 32], 1u32, round, 0u64).encode()
}

/// The keys of a filled store, made of seeds so that they are the same each time.
fn filled() -> Vec<KeyInfo> {
    static FILLED: OnceLock<Vec<KeyInfo>> = OnceLock::new();
    FILLED.get_or_init(|| fill(&mut SoftTee::in_memory())).clone()
}

fn fill(tee: &mut impl Tee) -> Vec<KeyInfo> {
    let keys = [
        (Scheme::Sr25519, *b"test", Usage::SignAndVrf),
        (Scheme::Ecdsa, *b"test", Usage::Sign),
        (Scheme::Sr25519, *b"aura", Usage::Sign),
        (Scheme::Ed25519, *b"gran", Usage::Sign),
    ];
    let make = |(scheme, key_type, usage)| {
        let seed = Some(Seed(vec![9; 32]));
        match ask(tee, &Command::Generate { scheme, key_type, usage, seed }) {
            Ok(Reply::Generated(info)) => info,
            other => panic!("{other:?}"),
        }
    };
    keys.map(make).to_vec()
}

fn ask(tee: &mut impl Tee, command: &Command) -> Result<Reply, Error> {
    let answer = dispatch(tee, &Request::V1(command.clone()).encode());
    let Answer::V1(result) = Answer::decode_all(&mut &answer[..]).expect("every answer decodes");
    result
}

impl Machine {
    pub(super) fn new(start: Start) -> Machine {
        // What is tested is the order of steps; a disk in memory takes them sooner.
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let path = home.path().join("store");
        let production = matches!(start, Start::Measured);
        let (keys, unnamed) = (BTreeMap::new(), vec![]);
        let mut machine =
            Machine { tee: None, production, path, _home: home, keys, unnamed, measured: 0, voted: BTreeMap::new() };
        machine.restart();
        if production {
            machine.ask(&measure(&[])).expect("measured");
        }
        if matches!(start, Start::Older | Start::Filled) {
            let made = fill(machine.tee.as_mut().expect("on"));
            machine.keys.extend(made.into_iter().map(|info| (info.id.clone(), vec![Some(info)])));
        }
        if matches!(start, Start::Older) {
            // Its version stands after the variant, and in `meta` after the schema too.
            for (entry, at) in [(Entry::Object(b"meta".to_vec()), 3), (Entry::Cell, 1)] {
                let directory = machine.directory();
                let mut data = directory.read(&entry).expect("readable").expect("there");
                data[at..at + 4].copy_from_slice(&(TA_VERSION - 1).to_le_bytes());
                directory.write(&entry, &data).expect("written");
            }
        }
        machine.restart();
        machine
    }

    pub(super) fn directory(&mut self) -> &mut Directory {
        match &mut self.tee.as_mut().expect("on").soft.place {
            Place::Directory(directory) => directory,
            Place::Memory { .. } => unreachable!("it was opened in a directory"),
        }
    }

    /// Ends the process as it is, and opens the store in another.
    pub(super) fn restart(&mut self) {
        self.tee = None;
        let soft = SoftTee::open(&self.path).expect("the store opens");
        self.tee = Some(Platform { soft, production: self.production });
    }

    pub(super) fn ask(&mut self, command: &Command) -> Result<Reply, Error> {
        let result = ask(self.tee.as_mut().expect("on"), command);
        match (command, &result) {
            (_, Ok(Reply::Generated(info))) => drop(self.keys.insert(info.id.clone(), vec![Some(info.clone())])),
            (Command::Retire { id }, Ok(_)) => drop(self.keys.remove(id)),
            (Command::Sign { message, .. }, Ok(_)) => self.signed(message),
            (Command::Measure { keys, .. }, Ok(Reply::Measured(measured))) => self.measured(keys, measured),
            (_, Err(Error::Platform(_))) => self.in_doubt(command),
            _ => {}
        }
        result
    }

    /// Its number is none that was told before, and the platform signed it.
    fn measured(&mut self, keys: &[KeyId], measured: &Measured) {
        assert!(measured.counter > self.measured, "{} after {}", measured.counter, self.measured);
        self.measured = measured.counter;
        let nonce = measurement_nonce(&CHALLENGE, keys, measured.counter);
        assert_eq!(measured.signature, nonce.repeat(8));
    }

    /// It is no second vote for a round.
    fn signed(&mut self, message: &[u8]) {
        let Some(Vote { round, .. }) = read_vote(message) else { return };
        let before = self.voted.insert(round, message.to_vec());
        assert!(before.is_none_or(|before| before == message), "two votes in round {round}");
    }

    /// The command may have been done or not.
    pub(super) fn in_doubt(&mut self, command: &Command) {
        match command {
            Command::Retire { id } => drop(self.keys.entry(id.clone()).and_modify(|found| found.push(None))),
            Command::Generate { scheme, key_type, usage, seed: None } => {
                self.unnamed.push((*scheme, *key_type, *usage));
            }
            Command::Generate { .. } => {
                // Which key that is, any other trusted application can say.
                let Ok(Reply::Generated(info)) = ask(&mut SoftTee::in_memory(), command) else { panic!("a good seed") };
                let found = self.keys.entry(info.id.clone()).or_insert_with(|| vec![None]);
                let usage = found.iter().flatten().next().map_or(info.usage, |known| known.usage);
                found.push(Some(KeyInfo { usage, ..info }));
            }
            _ => {}
        }
    }

    /// The keys that are there for certain.
    pub(super) fn certain(&self) -> Vec<KeyId> {
        self.keys.iter().filter(|(_, found)| !found.contains(&None)).map(|(id, _)| id.clone()).collect()
    }

    /// Looks what is there: all that was promised, nothing else, and each key whole. What was in doubt is known now.
    pub(super) fn settle(&mut self) {
        let Ok(Reply::Keys { keys: listed, more: false }) = self.ask(&Command::List { after: None, limit: 64 }) else {
            panic!("not the keys");
        };
        assert!(listed.windows(2).all(|pair| pair[0].id < pair[1].id), "in order, so none is there twice");
        let mut settled = BTreeMap::new();
        for info in listed {
            match self.keys.remove(&info.id) {
                Some(expected) => assert!(expected.contains(&Some(info.clone())), "{info:?} of {expected:?}"),
                None => {
                    let made = (info.id.scheme, info.id.key_type, info.usage);
                    let unnamed = self.unnamed.iter().position(|unnamed| *unnamed == made);
                    self.unnamed.swap_remove(unnamed.unwrap_or_else(|| panic!("nobody made {info:?}")));
                    assert_eq!(info.origin, Origin::Generated);
                }
            }
            let message = [&b"POP_"[..], &[8; 32]].concat();
            let possession = Command::Sign { id: info.id.clone(), message, context: Context::None };
            assert!(matches!(self.ask(&possession), Ok(Reply::Signature(_))), "{info:?}");
            settled.insert(info.id.clone(), vec![Some(info)]);
        }
        for (id, expected) in &self.keys {
            assert!(expected.contains(&None), "lost: {id:?}");
        }
        // `meta`, the cell, the lock, the counter and the watermark if there are, and nothing else beside the keys: no
        // remains of a cut.
        let there = |name: Vec<u8>| self.path.join(Entry::Object(name).file_name()).exists();
        let counter = there(b"measurements".to_vec());
        assert!(counter || self.measured == 0);
        let watermarks = settled.keys().filter(|id| there((b'w', id).encode())).count();
        let others = 3 + usize::from(counter) + watermarks;
        assert_eq!(std::fs::read_dir(&self.path).expect("readable").count(), settled.len() + others);
        (self.keys, self.unnamed) = (settled, vec![]);
    }
}
