//! Rule 5, never two: the whole trusted application against a model that never forgets, through random questions, accidents,
//! starts and copies put back. And what a caller sees of watermarks.

use alloc::{collections::BTreeMap, vec, vec::Vec};
use std::{env, eprintln};

use super::*;
use crate::{
    hash::blake2_256,
    testing::{generated, header, possession, vote, Objects, TestTee, ACCIDENTS},
    Context, GrandpaRound, Position, Positions, Rule, WatermarkInfo,
};

const GRAN: (Scheme, KeyType) = (Scheme::Ed25519, *b"gran");
const AURA: (Scheme, KeyType) = (Scheme::Sr25519, *b"aura");

fn with_cell(ahead: bool) -> TestTee {
    let mut tee = TestTee::production();
    tee.cell_ahead = ahead;
    tee
}

fn watermarks(tee: &mut TestTee) -> (Positions, Vec<WatermarkInfo>) {
    match tee.ask(Command::Watermarks { after: None, limit: 64 }) {
        Ok(Reply::Watermarks { floor, watermarks, more: false }) => (floor, watermarks),
        other => panic!("not the watermarks: {other:?}"),
    }
}

fn raise(tee: &mut TestTee, id: &KeyId, to: Position) -> Result<Reply, Error> {
    tee.ask(Command::RaiseWatermark { id: id.clone(), to })
}

fn seal(tee: &mut TestTee, id: &KeyId, slot: u64, number: u32) -> Result<Vec<u8>, Error> {
    let header = header(number, slot, &[]);
    tee.sign(id, &blake2_256(&header), Context::Header(header))
}

fn round(round: u64) -> GrandpaRound {
    GrandpaRound { set_id: 0, round }
}

fn refused<T>(rule: Rule) -> Result<T, Error> {
    Err(Error::Refused(rule))
}

#[test]
fn a_vote_and_a_seal_that_are_asked_for_again_after_a_start_have_the_same_signature() {
    for cell_ahead in [false, true] {
        let mut tee = with_cell(cell_ahead);
        let (gran, aura) = (tee.make(GRAN.0, GRAN.1).id, tee.make(AURA.0, AURA.1).id);
        let voted: Vec<_> = (0..3).map(|stage| tee.sign(&gran, &vote(stage, 1, 0), Context::None)).collect();
        let sealed = seal(&mut tee, &aura, 5, 1);
        assert!(voted.iter().chain([&sealed]).all(Result::is_ok));
        for _ in 0..3 {
            tee.restart();
            let again: Vec<_> = (0..3).map(|stage| tee.sign(&gran, &vote(stage, 1, 0), Context::None)).collect();
            assert_eq!((again, seal(&mut tee, &aura, 5, 1)), (voted.clone(), sealed.clone()));
        }
    }
}

#[test]
fn a_second_statement_is_refused_by_its_rule_and_what_is_no_statement_is_signed_always() {
    let mut tee = TestTee::production();
    let (gran, aura) = (tee.make(GRAN.0, GRAN.1).id, tee.make(AURA.0, AURA.1).id);
    let mut other = vote(0, 9, 0);
    other[1] ^= 1;
    tee.sign(&gran, &vote(0, 9, 0), Context::None).expect("the first");
    seal(&mut tee, &aura, 9, 1).expect("the first");
    assert_eq!(tee.sign(&gran, &other, Context::None), refused(Rule::GrandpaDoubleVote));
    assert_eq!(seal(&mut tee, &aura, 9, 2), refused(Rule::AuraDoubleSeal));
    assert_eq!(seal(&mut tee, &aura, 8, 1), refused(Rule::AuraOldSlot));
    raise(&mut tee, &gran, Position::Grandpa(round(12))).expect("raised");
    assert_eq!(tee.sign(&gran, &vote(0, 12, 0), Context::None), refused(Rule::GrandpaOldRound));
    for id in [&gran, &aura] {
        tee.sign(id, &possession(&[1; 32]), Context::None).expect("no statement");
    }
    let positions = [Position::Aura(9), Position::Grandpa(round(12))];
    let expected = [&aura, &gran].into_iter().zip(positions);
    let expected: Vec<_> = expected.map(|(id, highest)| WatermarkInfo { id: id.clone(), highest }).collect();
    assert_eq!(watermarks(&mut tee), (Positions::default(), expected));
}

#[test]
fn a_key_that_was_never_here_or_has_no_such_position_is_not_raised() {
    let mut tee = TestTee::development();
    let (gran, aura, test) =
        (tee.make(GRAN.0, GRAN.1).id, tee.make(AURA.0, AURA.1).id, tee.make(Scheme::Ed25519, *b"test").id);
    let wrong = Err(Error::BadRequest(BadRequest::WrongPosition));
    for (id, to) in [
        (&gran, Position::Aura(1)),
        (&aura, Position::Grandpa(round(1))),
        (&test, Position::Aura(1)),
        (&test, Position::Grandpa(round(1))),
    ] {
        assert_eq!(raise(&mut tee, id, to), wrong);
    }
    let unknown = crate::testing::unknown_key(GRAN.0, GRAN.1);
    assert_eq!(raise(&mut tee, &unknown, Position::Grandpa(round(1))), Err(Error::NoSuchKey));
    assert_eq!(watermarks(&mut tee), (Positions::default(), vec![]));
}

#[test]
fn a_key_that_is_retired_and_put_back_from_a_copy_states_nothing_up_to_where_it_was() {
    for cell_ahead in [false, true] {
        let mut tee = with_cell(cell_ahead);
        let gran = tee.make(GRAN.0, GRAN.1).id;
        let unvoted = tee.objects.clone();
        tee.sign(&gran, &vote(0, 5, 0), Context::None).expect("signed");
        tee.ask(Command::Retire { id: gran.clone() }).expect("retired");
        tee.ask(Command::Close).expect("closed");
        tee.objects = unvoted;
        tee.restart();
        assert_eq!(tee.list(64), Ok(vec![generated(gran.clone(), Usage::Sign)]));
        let mut other = vote(0, 5, 0);
        other[1] ^= 1;
        assert_eq!(tee.sign(&gran, &other, Context::None), refused(Rule::BelowCeiling));
        tee.sign(&gran, &vote(0, 9, 0), Context::None).expect("above");
    }
}

/// The keys, the copies and everything that was ever signed and left.
struct World {
    tee: TestTee,
    /// The keys of every store that there was, the last one's last.
    keys: Vec<KeyId>,
    copies: Vec<Objects>,
    stores: u64,
    /// By key and place, what was signed there.
    stated: BTreeMap<(KeyId, Vec<u8>), Vec<u8>>,
    at: u64,
    signed: u64,
    refused: u64,
}

impl World {
    fn new(cell_ahead: bool) -> World {
        let mut tee = with_cell(cell_ahead);
        tee.rollback_protected = true;
        let (keys, copies, stated) = (vec![], vec![], BTreeMap::new());
        let mut world = World { tee, keys, copies, stated, stores: 0, at: 0, signed: 0, refused: 0 };
        world.make_keys();
        world
    }

    /// A validator's, twice, where there are none.
    fn make_keys(&mut self) {
        self.keys.extend([GRAN, GRAN, AURA, AURA].map(|(scheme, key_type)| self.tee.make(scheme, key_type).id));
        self.copies.push(self.tee.objects.clone());
        self.stores += 1;
    }

    /// One of the last store's as a rule, else one of a store before.
    fn key(&self, random: &mut impl FnMut(u64) -> u64) -> KeyId {
        let among = if random(4) == 0 { self.keys.len().min(12) } else { 4 };
        self.keys[self.keys.len() - 1 - random(among as u64) as usize].clone()
    }

    /// The disk is emptied, or the cell lost or hidden for a start, or both. What is there then is opened.
    fn lose(&mut self, random: &mut impl FnMut(u64) -> u64) {
        let lost = random(4);
        if lost != 1 {
            self.tee.objects.clear();
        }
        if lost == 1 || lost == 2 {
            // One that it was made beside is found.
            self.tee.cell = self.tee.cell_behind.take();
        }
        self.tee.cell_hidden = lost == 3;
        self.tee.newer_cell_first = random(2) == 0;
        self.tee.restart();
        self.tee.info();
        self.tee.cell_hidden = false;
        // Without a start too, what is there is not what was opened.
        if random(2) == 0 {
            self.tee.restart();
        }
        if random(2) == 0 {
            self.mix(random);
        }
    }

    /// Objects of a copy among those that are there: all, some, or all but its `meta`.
    fn mix(&mut self, random: &mut impl FnMut(u64) -> u64) {
        let copy = self.copies[random(self.copies.len() as u64) as usize].clone();
        let how = random(3);
        for (name, data) in copy {
            if how == 0 || (how == 1 && random(2) == 0) || (how == 2 && name != b"meta") {
                self.tee.objects.insert(name, data);
            }
        }
        self.tee.restart();
    }

    fn step(&mut self, random: &mut impl FnMut(u64) -> u64) {
        if random(8) == 0 {
            self.at += 1;
        }
        if random(6) == 0 {
            self.tee.plan(random(3) as usize, ACCIDENTS[random(4) as usize]);
        }
        match random(60) {
            0 => self.tee.restart(),
            1 => drop(self.tee.ask(Command::Close)),
            2 => self.copies.push(self.tee.objects.clone()),
            3 => {
                // The last one as a rule, or most would be of another store.
                let among = if random(6) == 0 { self.copies.len() } else { 1 };
                self.tee.objects = self.copies[self.copies.len() - 1 - random(among as u64) as usize].clone();
                self.tee.restart();
            }
            4 if random(20) == 0 => {
                let id = self.key(random);
                let _ = self.tee.ask(Command::Retire { id });
            }
            5 => {
                let id = self.key(random);
                let to = match &id.key_type {
                    b"gran" => Position::Grandpa(self.round(random)),
                    _ => Position::Aura(self.slot(random)),
                };
                let _ = raise(&mut self.tee, &id, to);
            }
            6 if random(4) == 0 => self.lose(random),
            7 if random(4) == 0 => self.mix(random),
            _ => self.state(random),
        }
        self.tee.accident_happened();
        if self.tee.is_off() {
            self.tee.restart();
        }
        if self.copies.len() > 8 {
            self.copies.remove(random(8) as usize);
        }
    }

    /// What an operator does: a store that cannot be used is emptied, and one without keys that can be used gets some.
    fn mend(&mut self, random: &mut impl FnMut(u64) -> u64) {
        match self.tee.info().keys {
            None if random(16) == 0 => {
                self.tee.objects.clear();
                self.tee.restart();
            }
            Some(0) => self.make_keys(),
            Some(_) if random(32) == 0 && self.tee.list(64) == Ok(vec![]) => self.make_keys(),
            _ => {}
        }
    }

    fn state(&mut self, random: &mut impl FnMut(u64) -> u64) {
        let id = self.key(random);
        let (place, message, context) = match &id.key_type {
            b"gran" => {
                let (at, stage, target) = (self.round(random), random(3) as u8, random(3) as u32);
                let message = (stage, [target as u8; 32], target, at.round, at.set_id).encode();
                ((at.set_id, at.round, stage).encode(), message, Context::None)
            }
            _ => {
                let slot = self.slot(random);
                let header = header(1 + random(3) as u32, slot, &[]);
                (slot.encode(), blake2_256(&header).to_vec(), Context::Header(header))
            }
        };
        match self.tee.sign(&id, &message, context) {
            Ok(signature) => {
                self.signed += 1;
                let left = [message, signature].concat();
                let before = self.stated.insert((id.clone(), place.clone()), left.clone());
                assert!(before.is_none_or(|before| before == left), "two statements of {id:?} at {place:?}");
            }
            Err(Error::Refused(_)) => self.refused += 1,
            Err(Error::Platform(_) | Error::NoSuchKey | Error::Corrupt) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Near the present, with a set of 64 rounds.
    fn round(&self, random: &mut impl FnMut(u64) -> u64) -> GrandpaRound {
        let at = (self.at + random(12)).saturating_sub(6);
        GrandpaRound { set_id: at / 64, round: at % 64 }
    }

    fn slot(&self, random: &mut impl FnMut(u64) -> u64) -> u64 {
        (self.at + random(4)).saturating_sub(2)
    }
}

/// `HOLDFAST_SEED` and `HOLDFAST_OPERATIONS` choose others.
#[test]
fn rule_5_no_key_ever_makes_two_statements_for_one_place_whatever_befalls_it() {
    let seed = env::var("HOLDFAST_SEED").map_or_else(|_| fresh_seed(), |seed| seed.parse().expect("a number"));
    let operations: u64 = env::var("HOLDFAST_OPERATIONS").map_or(100_000, |count| count.parse().expect("a number"));
    eprintln!("HOLDFAST_SEED={seed} HOLDFAST_OPERATIONS={operations}");
    for cell_ahead in [false, true] {
        let mut drawn = 0u64;
        let mut random = |below: u64| {
            drawn += 1;
            let [a, b, c, d, e, f, g, h, ..] = blake2_256(&(seed, drawn).encode());
            u64::from_le_bytes([a, b, c, d, e, f, g, h]) % below
        };
        let mut world = World::new(cell_ahead);
        for _ in 0..operations {
            world.step(&mut random);
            world.mend(&mut random);
        }
        let World { signed, refused, stores, .. } = world;
        eprintln!("cell ahead {cell_ahead}: {signed} signed, {refused} refused, in {stores} stores");
        assert!(signed > operations / 50 && refused > operations / 50);
    }
}

fn fresh_seed() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
