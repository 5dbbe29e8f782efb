//! Accidents at every write of every command, and at every write of the recovery from them: afterwards each key whose
//! creation was answered is found, none twice, nothing is there by halves, and no measurement has another's number.

mod promises;
mod sequences;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use core::slice::from_ref;

use self::promises::{allowed, Promises, ACCIDENT};
use super::*;
use crate::{
    testing::{unknown_key, Accident, TestTee, ACCIDENTS},
    GrandpaRound, Position,
};

const SCHEMES: [Scheme; 3] = [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa];
/// Of a key that is in the store.
const KNOWN_SEED: [u8; 32] = [9; 32];
/// Of a key that was born in the store; nobody can know it, until it is shown.
const BORN_OF: [u8; 32] = [3; 32];

/// A store in which there is a key of every kind that its trusted application makes.
struct World {
    store: TestTee,
    promises: Promises,
    keys: Vec<KeyId>,
}

/// In what state a command finds the trusted application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// There is no store yet.
    New,
    /// The store is an older trusted application's.
    Older,
    /// It has just been started.
    Cold,
    /// It has every key loaded.
    Warm,
}

const STARTS: [Start; 4] = [Start::New, Start::Older, Start::Cold, Start::Warm];

impl World {
    fn development() -> World {
        let mut store = TestTee::development();
        store.next_random = vec![BORN_OF.to_vec()];
        let vrf = store.generate(Scheme::Sr25519, *b"test", Usage::SignAndVrf, None).expect("made");
        let seeded = store.generate(Scheme::Ed25519, *b"test", Usage::Sign, Some(&KNOWN_SEED)).expect("made");
        let mut infos = vec![vrf, seeded];
        for (scheme, key_type) in [(Scheme::Ecdsa, *b"test"), (Scheme::Sr25519, *b"aura"), (Scheme::Ed25519, *b"gran")]
        {
            infos.push(store.make(scheme, key_type));
        }
        World::with(store, infos)
    }

    /// A validator's, which has been measured already.
    fn production() -> World {
        let mut store = TestTee::production();
        let infos = vec![store.make(Scheme::Sr25519, *b"aura"), store.make(Scheme::Ed25519, *b"gran")];
        let mut world = World::with(store, infos);
        // One that has voted already.
        let (message, context) = allowed(*b"gran");
        world.store.sign(&world.keys[1], &message, context).expect("signed");
        let command = measure(&world.keys);
        let result = world.store.ask(command.clone());
        world.promises.note(&command, &result);
        world
    }

    fn with(store: TestTee, infos: Vec<KeyInfo>) -> World {
        let mut promises = Promises::default();
        for info in &infos {
            promises.note(&Command::Info, &Ok(Reply::Generated(info.clone())));
        }
        World { store, promises, keys: infos.into_iter().map(|info| info.id).collect() }
    }

    fn begin(&self, start: Start) -> (TestTee, Promises) {
        let mut tee = self.store.copy();
        match start {
            Start::New if tee.development => return (TestTee::development(), Promises::default()),
            Start::New => return (TestTee::production(), Promises::default()),
            Start::Older => tee.leave_as_version(TA_VERSION - 1),
            Start::Cold => {}
            Start::Warm => self.promises.clone().settle(&mut tee),
        }
        (tee, self.promises.clone())
    }

    /// Every command that is understood, in every way that a caller can give it; of those that a production trusted
    /// application refuses, one of each kind.
    fn commands(&self) -> Vec<Command> {
        if !self.store.development {
            return self.production_commands();
        }
        let mut commands = vec![
            Command::Info,
            Command::List { after: None, limit: 64 },
            Command::Watermarks { after: None, limit: 64 },
            Command::Close,
            measure(&[]),
        ];
        for scheme in SCHEMES {
            for seed in [None, Some(vec![6; 32])] {
                commands.push(generate(scheme, *b"test", Usage::Sign, seed));
            }
        }
        for (scheme, key_type) in [(Scheme::Sr25519, *b"aura"), (Scheme::Ed25519, *b"gran")] {
            for seed in [None, Some(vec![7; 32])] {
                commands.push(generate(scheme, key_type, Usage::Sign, seed));
            }
        }
        commands.extend([
            generate(Scheme::Sr25519, *b"test", Usage::SignAndVrf, None),
            // An expanded secret: a scalar and a nonce.
            generate(Scheme::Sr25519, *b"test", Usage::Sign, Some([vec![1; 31], vec![0], vec![2; 32]].concat())),
            generate(Scheme::Ed25519, *b"test", Usage::Sign, Some(KNOWN_SEED.to_vec())),
            generate(Scheme::Sr25519, *b"test", Usage::Sign, Some(BORN_OF.to_vec())),
            // Refused.
            generate(Scheme::Sr25519, *b"babe", Usage::Sign, None),
            generate(Scheme::Ecdsa, *b"test", Usage::Sign, Some(vec![0; 32])),
            Command::Retire { id: unknown_key(Scheme::Ed25519, *b"gran") },
        ]);
        for id in &self.keys {
            let id = || id.clone();
            let (message, context) = allowed(id().key_type);
            commands.extend([
                Command::List { after: Some(id()), limit: 2 },
                Command::Has { id: id() },
                Command::Sign { id: id(), message, context },
                Command::RaiseWatermark { id: id(), to: Position::Aura(20) },
                Command::SignPrehashed { id: id(), hash: [1; 32] },
                Command::VrfSign { id: id(), input: self.point() },
                Command::VrfPreOutput { id: id(), input: self.point() },
                Command::Retire { id: id() },
            ]);
        }
        commands
    }

    fn production_commands(&self) -> Vec<Command> {
        let [aura, gran] = [(Scheme::Sr25519, *b"aura"), (Scheme::Ed25519, *b"gran")];
        let mut commands = vec![
            Command::Info,
            Command::List { after: None, limit: 64 },
            Command::Close,
            generate(aura.0, aura.1, Usage::Sign, None),
            generate(gran.0, gran.1, Usage::Sign, None),
            measure(&[]),
            measure(&self.keys),
            // Refused.
            generate(aura.0, aura.1, Usage::Sign, Some(vec![7; 32])),
            generate(Scheme::Ecdsa, *b"test", Usage::Sign, None),
            measure(&[unknown_key(gran.0, gran.1)]),
        ];
        for id in &self.keys {
            let (message, context) = allowed(id.key_type);
            commands.extend([
                Command::Has { id: id.clone() },
                Command::Sign { id: id.clone(), message, context },
                Command::RaiseWatermark { id: id.clone(), to: Position::Grandpa(GrandpaRound { set_id: 9, round: 1 }) },
                measure(from_ref(id)),
                Command::Retire { id: id.clone() },
            ]);
        }
        commands
    }

    /// A point that VRFs take: any but the identity will do, and a public key is one.
    fn point(&self) -> [u8; 32] {
        self.keys[0].public.as_slice().try_into().expect("32 bytes")
    }
}

fn generate(scheme: Scheme, key_type: KeyType, usage: Usage, seed: Option<Vec<u8>>) -> Command {
    Command::Generate { scheme, key_type, usage, seed: seed.map(Seed) }
}

fn measure(keys: &[KeyId]) -> Command {
    Command::Measure { challenge: [4; 64], keys: keys.to_vec() }
}

/// All objects but `meta`.
fn kept(objects: &Objects) -> Objects {
    objects.iter().filter(|(name, _)| *name != b"meta").map(|(name, data)| (name.clone(), data.clone())).collect()
}

type Objects = BTreeMap<Vec<u8>, Vec<u8>>;

/// A command from a start, without an accident: what comes of it, and what is kept before the first of its writes and
/// after each.
struct Undisturbed {
    result: Result<Reply, Error>,
    kept: Vec<Objects>,
}

impl Undisturbed {
    fn new(world: &World, start: Start, command: &Command) -> Undisturbed {
        let (mut tee, mut promises) = world.begin(start);
        tee.states = Some(vec![tee.objects.clone()]);
        let result = tee.ask(command.clone());
        let states = tee.states.take().expect("recorded");
        promises.note(command, &result);
        promises.settle(&mut tee);
        Undisturbed { result, kept: states.iter().map(kept).collect() }
    }

    fn writes(&self) -> usize {
        self.kept.len() - 1
    }
}

/// Lets `first` befall a command, and `second` the restart and the same command again. Says whether both happened.
fn befall(
    world: &World,
    start: Start,
    command: &Command,
    undisturbed: &Undisturbed,
    first: (usize, Accident),
    second: Option<(usize, Accident)>,
) -> bool {
    let (mut tee, mut promises) = world.begin(start);
    tee.plan(first.0, first.1);
    let result = tee.ask(command.clone());
    assert!(tee.accident_happened());
    match command {
        Command::Info => assert!(matches!(result, Ok(Reply::Info(Info { keys: None, .. })))),
        _ => assert_eq!(result, Err(ACCIDENT)),
    }
    promises.note(command, &result);

    // What is told at once is what is told after a restart.
    let at_once = (!tee.is_off()).then(|| tee.copy().list(64));
    if at_once.is_some() {
        assert_eq!(Some(tee.list(64)), at_once);
    }
    tee.restart();

    if let Some((write, accident)) = second {
        tee.plan(write, accident);
        if tee.list(64).is_ok() {
            let again = tee.ask(command.clone());
            promises.note(command, &again);
        }
        if !tee.accident_happened() {
            return false;
        }
        tee.restart();
    } else {
        let landed = matches!(first.1, Accident::Landed | Accident::CutAfter);
        assert_eq!(kept(&tee.objects), undisturbed.kept[first.0 + usize::from(landed)]);
    }
    promises.settle(&mut tee);

    // And it can be done again.
    let again = tee.ask(command.clone());
    match (command, &again) {
        // It was done.
        (Command::Retire { .. }, Err(Error::NoSuchKey)) => {}
        (_, again) => assert_eq!(again.is_ok(), undisturbed.result.is_ok(), "{again:?}"),
    }
    promises.note(command, &again);
    tee.restart();
    promises.settle(&mut tee);
    true
}

#[test]
fn whatever_befalls_whichever_write_of_a_command_and_of_its_recovery_no_promise_is_broken() {
    // So that a change which leaves nothing to befall does not go unseen.
    let befallen = befall_all(&World::development());
    assert!(befallen > 4_000, "{befallen}");
}

#[test]
fn the_same_holds_for_a_validators_and_no_measurement_has_anothers_number() {
    let befallen = befall_all(&World::production());
    assert!(befallen > 1_000, "{befallen}");
}

/// Every accident at every write, alone and followed by every other. How many there were.
fn befall_all(world: &World) -> usize {
    let mut befallen = 0;
    for start in STARTS {
        for command in world.commands() {
            let undisturbed = Undisturbed::new(world, start, &command);
            for write in 0..undisturbed.writes() {
                for first in ACCIDENTS.map(|accident| (write, accident)) {
                    assert!(befall(world, start, &command, &undisturbed, first, None));
                    befallen += 1;
                    for accident in ACCIDENTS {
                        let second = |write| Some((write, accident));
                        let all = (0..)
                            .take_while(|write| befall(world, start, &command, &undisturbed, first, second(*write)));
                        befallen += all.count();
                    }
                }
            }
        }
    }
    befallen
}

#[test]
fn only_opening_a_store_changing_its_keys_measuring_and_stating_write_and_each_object_once() {
    let worlds = [World::development(), World::production()];
    for (world, start) in worlds.iter().flat_map(|world| STARTS.map(|start| (world, start))) {
        for command in world.commands() {
            let undisturbed = Undisturbed::new(world, start, &command);
            // What a scheme cannot do is told before the store is looked at; every other command opens it.
            let untouched = undisturbed.result == Err(Error::BadRequest(BadRequest::WrongScheme));
            let opening = match start {
                Start::New | Start::Older if !untouched => 2,
                _ => 0,
            };
            let (before, after) = (&undisturbed.kept[0], &undisturbed.kept[undisturbed.writes()]);
            let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            let changed: Vec<_> = names.into_iter().filter(|name| before.get(*name) != after.get(*name)).collect();
            // The cell goes with a watermark.
            let cell = changed.iter().filter(|name| name[0] == b'w').count();
            assert_eq!(undisturbed.writes(), opening + changed.len() + cell, "{command:?} {start:?}");
            let most = match command {
                Command::Generate { .. } | Command::Measure { .. } => 1,
                Command::Sign { .. } | Command::RaiseWatermark { .. } => 1,
                Command::Retire { .. } => 2,
                _ => 0,
            };
            assert!(changed.len() <= most, "{command:?}");
        }
    }
}

#[test]
fn a_generated_key_whose_seed_is_shown_is_cut_to_the_one_or_the_other() {
    let world = World::development();
    let command = generate(Scheme::Sr25519, *b"test", Usage::Sign, Some(BORN_OF.to_vec()));
    let mut origins = vec![];
    for accident in ACCIDENTS {
        let (mut tee, _) = world.begin(Start::Warm);
        tee.plan(0, accident);
        assert_eq!(tee.ask(command.clone()), Err(ACCIDENT));
        tee.restart();
        let listed = tee.list(64).expect("listed");
        let key = listed.iter().find(|info| info.id == world.keys[0]).expect("still there");
        assert_eq!(key.usage, Usage::SignAndVrf);
        origins.push(key.origin);
    }
    assert_eq!(origins, [Origin::Generated, Origin::Seeded, Origin::Generated, Origin::Seeded]);
}
