//! Rule 5, never two, by trying everything: every sequence of questions, cuts, starts and copies put back, up to a depth,
//! over small bounds. What a key has ever stated is remembered beside the ledger and never forgotten.
//!
//! `HOLDFAST_DEPTH=n` goes `n` deeper. Targets that were not named yet are all alike, so only one of them is tried; a
//! state that was met before with as many steps left is not tried again; and a last step is one that can end in a
//! statement.

use alloc::{collections::BTreeSet, rc::Rc, vec};
use std::{collections::HashMap, env, eprintln, panic::resume_unwind, thread};

use super::*;
use crate::{policy::Vote, testing::unknown_key, Fault, Kind, Measurement, Memory, Scheme};

/// What may be asked.
#[derive(Clone, Copy)]
struct Bounds {
    sets: u64,
    rounds: u64,
    stages: u8,
    slots: u64,
    /// Targets of a vote, and headers of a slot.
    targets: u8,
    /// Watermarks are raised and keys retired (and then put back) too.
    manage: bool,
    depth: u32,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Say(Statement),
    Raise(Position),
    Retire(Position),
    /// A start without a word at the end before.
    Start,
    /// An orderly end, and a start.
    Close,
    /// The store is put back to what it was so many changes ago.
    PutBack(usize),
}

/// What stops a step: the power goes before the write that follows so many, or after it.
#[derive(Clone, Copy, Debug)]
struct Cut {
    writes: usize,
    lands: bool,
}

#[derive(Clone)]
struct World {
    tee: Disk,
    ledger: Ledger,
    /// Everything that was ever signed and left.
    stated: BTreeMap<Place, (u8, [u8; 64])>,
    /// The store after each change.
    past: Vec<Rc<Objects>>,
    signatures: u8,
}

type Objects = BTreeMap<Vec<u8>, Vec<u8>>;

impl World {
    fn new(ahead: bool) -> World {
        let tee =
            Disk { ahead, objects: Objects::new(), cell: Cell::new(store::Birth::default()), cut: None, writes: 0 };
        let ledger = tee.start();
        World { tee, ledger, stated: BTreeMap::new(), past: vec![Rc::default()], signatures: 0 }
    }

    /// Takes a step, cut or whole. How many writes it would have made, or made.
    fn take(&mut self, step: Step, cut: Option<Cut>) -> usize {
        self.tee.cut = cut;
        self.tee.writes = 0;
        let done = self.act(step);
        assert_eq!(done.is_err(), cut.is_some(), "{step:?}, cut at {cut:?}");
        if self.tee.cut.take().is_some() {
            self.ledger = self.tee.start();
        }
        self.tee.writes
    }

    /// Keeps what the store is now, to be put back.
    fn copy_store(&mut self) {
        if self.past.last().is_none_or(|last| **last != self.tee.objects) {
            self.past.push(Rc::new(self.tee.objects.clone()));
        }
    }

    fn act(&mut self, step: Step) -> Result<(), Error> {
        match step {
            Step::Say(statement) => return self.say(statement),
            Step::Raise(to) => return self.ledger.raise(&mut self.tee, &key(to), to),
            Step::Retire(of) => return self.ledger.retire(&mut self.tee, &key(of)),
            Step::Start => {}
            Step::Close => self.ledger.close(&mut self.tee)?,
            Step::PutBack(changes) => self.tee.objects = (*self.past[self.past.len() - 1 - changes]).clone(),
        }
        self.ledger = self.tee.start();
        Ok(())
    }

    fn say(&mut self, statement: Statement) -> Result<(), Error> {
        let id = key(statement.position());
        let signature = match self.ledger.judge(&id, &statement) {
            Judgement::Refuse(_) => return Ok(()),
            Judgement::Same(signature) => {
                self.ledger.settle(&mut self.tee)?;
                signature.unwrap_or([target(&statement); 64])
            }
            Judgement::Sign => {
                // An ed25519 signature is that of its message, an sr25519 signature is like no other.
                self.signatures += 1;
                let signature = match statement {
                    Statement::Vote(_) => [target(&statement); 64],
                    Statement::Seal { .. } => [self.signatures; 64],
                };
                self.ledger.record(&mut self.tee, &id, &statement, &signature)?;
                signature
            }
        };
        let left = (target(&statement), signature);
        let before = self.stated.insert(place(&statement), left);
        assert!(before.is_none_or(|before| before == left), "two statements: {before:?} and {statement:?}");
        Ok(())
    }

    fn steps(&self, bounds: &Bounds) -> Vec<Step> {
        let mut steps = vec![Step::Start, Step::Close];
        steps.extend((1..self.past.len()).map(Step::PutBack));
        let named: BTreeSet<u8> = self.stated.values().map(|(target, _)| *target).chain(self.named()).collect();
        // All that were named, and one that was not.
        let targets = (0..bounds.targets).filter(|target| named.contains(target));
        let unnamed = (0..bounds.targets).find(|target| !named.contains(target));
        for target in targets.chain(unnamed) {
            for set_id in 0..bounds.sets {
                for round in 1..=bounds.rounds {
                    for stage in 0..bounds.stages {
                        let target_hash = [target; 32];
                        let vote = Vote { stage, target_hash, target_number: 1, round, set_id };
                        steps.push(Step::Say(Statement::Vote(vote)));
                    }
                }
            }
            steps.extend((0..bounds.slots).map(|slot| Step::Say(Statement::Seal { slot, header: [target; 32] })));
        }
        if bounds.manage {
            for set_id in 0..bounds.sets {
                let positions = (1..=bounds.rounds).map(|round| Position::Grandpa(GrandpaRound { set_id, round }));
                steps.extend(positions.map(Step::Raise));
            }
            steps.extend((0..bounds.slots).map(Position::Aura).map(Step::Raise));
            steps.push(Step::Retire(Position::Aura(0)));
            steps.push(Step::Retire(Position::Grandpa(GrandpaRound::default())));
        }
        steps
    }

    /// Targets that may be remembered although no signature left.
    fn named(&self) -> impl Iterator<Item = u8> + '_ {
        0..self.signatures
    }

    fn fingerprint(&self) -> [u8; 32] {
        let kept: Vec<[u8; 32]> = self.ledger.kept.values().map(|kept| kept.mark).collect();
        let due = self.ledger.due.as_ref().map(|due| (&due.change, due.cell));
        let stated: Vec<_> = self.stated.iter().map(|(place, left)| (place, left.0, &left.1[..1])).collect();
        blake2_256(&(kept, &self.ledger.cell, due, stated, &self.past, (&self.tee.cell, self.signatures)).encode())
    }
}

fn key(position: Position) -> KeyId {
    match position {
        Position::Grandpa(_) => unknown_key(Scheme::Ed25519, *b"gran"),
        Position::Aura(_) => unknown_key(Scheme::Sr25519, *b"aura"),
    }
}

/// Of what a key may make one statement only: the set, round and stage of a vote, or a slot; and which.
type Place = (u64, u64, u8, bool);

fn place(statement: &Statement) -> Place {
    match statement {
        Statement::Vote(vote) => (vote.set_id, vote.round, vote.stage, true),
        Statement::Seal { slot, .. } => (0, *slot, 0, false),
    }
}

fn target(statement: &Statement) -> u8 {
    match statement {
        Statement::Vote(vote) => vote.target_hash[0],
        Statement::Seal { header, .. } => header[0],
    }
}

struct Search {
    bounds: Bounds,
    met: HashMap<[u8; 32], u32>,
    steps: u64,
}

impl Search {
    fn go(&mut self, world: &World, left: u32) {
        let met = self.met.entry(world.fingerprint()).or_default();
        if *met >= left {
            return;
        }
        *met = left;
        for step in world.steps(&self.bounds) {
            // Of last steps only a statement that leaves can be one too many.
            if left == 1 && !matches!(step, Step::Say(_)) {
                continue;
            }
            let writes = self.step(world, left, step, None);
            let cuts = if left == 1 { 0 } else { writes };
            for writes in 0..cuts {
                for lands in [false, true] {
                    self.step(world, left, step, Some(Cut { writes, lands }));
                }
            }
        }
    }

    /// Takes a step, and everything after it. How many writes it made.
    fn step(&mut self, world: &World, left: u32, step: Step, cut: Option<Cut>) -> usize {
        let mut next = world.clone();
        let writes = next.take(step, cut);
        self.steps += 1;
        if left > 1 {
            next.copy_store();
            self.go(&next, left - 1);
        }
        writes
    }
}

/// Tries everything, with the cell written in both ways. How many steps were tried.
fn try_everything(bounds: Bounds) -> u64 {
    let deeper = env::var("HOLDFAST_DEPTH").map_or(0, |depth| depth.parse().expect("HOLDFAST_DEPTH is a number"));
    let depth = bounds.depth + deeper;
    let try_all = |ahead| {
        let mut search = Search { bounds, met: HashMap::new(), steps: 0 };
        search.go(&World::new(ahead), depth);
        eprintln!("depth {depth}, cell ahead {ahead}: {} steps, {} states", search.steps, search.met.len());
        search.steps
    };
    thread::scope(|scope| {
        let ways = [false, true].map(|ahead| scope.spawn(move || try_all(ahead)));
        ways.into_iter().map(|way| way.join().unwrap_or_else(|panic| resume_unwind(panic))).sum()
    })
}

/// A store and a cell, and a power that goes.
#[derive(Clone)]
struct Disk {
    ahead: bool,
    objects: Objects,
    cell: Cell,
    cut: Option<Cut>,
    /// Writes that were tried since the step began.
    writes: usize,
}

impl Disk {
    fn start(&self) -> Ledger {
        let ids = [Scheme::Sr25519, Scheme::Ed25519].map(|scheme| {
            let key_type = if scheme == Scheme::Ed25519 { *b"gran" } else { *b"aura" };
            unknown_key(scheme, key_type)
        });
        let marked = ids.into_iter().filter(|id| self.objects.contains_key(&store::watermark_name(id))).collect();
        Ledger::open(&mut self.clone(), self.cell.clone(), marked).expect("opened")
    }

    fn write(&mut self, effect: impl FnOnce(&mut Disk)) -> Result<(), Fault> {
        let before = self.writes;
        self.writes += 1;
        match self.cut {
            Some(cut) if before > cut.writes => return Err(Fault(1)),
            Some(cut) if before == cut.writes => {
                if cut.lands {
                    effect(self);
                }
                return Err(Fault(1));
            }
            _ => effect(self),
        }
        Ok(())
    }
}

impl Tee for Disk {
    fn load(&mut self, id: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.objects.get(id).cloned())
    }

    fn store(&mut self, id: &[u8], data: &[u8]) -> Result<(), Fault> {
        self.write(|disk| drop(disk.objects.insert(id.to_vec(), data.to_vec())))
    }

    fn delete(&mut self, id: &[u8]) -> Result<(), Fault> {
        self.write(|disk| drop(disk.objects.remove(id)))
    }

    fn store_cell(&mut self, data: &[u8]) -> Result<(), Fault> {
        // After index and version of the application.
        let cell = Cell::decode(&mut &data[5..]).expect("a cell");
        self.write(|disk| disk.cell = cell)
    }

    fn cell_writes(&self) -> CellWrites {
        if self.ahead {
            CellWrites::Ahead { rounds: 1, slots: 1 }
        } else {
            CellWrites::EachStatement
        }
    }

    fn random(&mut self, _: &mut [u8]) -> Result<(), Fault> {
        unreachable!("no key is made")
    }

    fn list(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        unreachable!("the store is not opened")
    }

    fn load_cell(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        unreachable!("the store is not opened")
    }

    fn time_hint(&mut self) -> u64 {
        0
    }

    fn kind(&self) -> Kind {
        Kind::Software
    }

    fn development(&self) -> bool {
        false
    }

    fn rollback_protected(&self) -> bool {
        true
    }

    fn measure(&mut self, _: &[u8; 32]) -> Result<Measurement, Fault> {
        unreachable!("nothing is measured")
    }

    fn memory(&mut self) -> &mut Memory {
        unreachable!("no command is dispatched")
    }
}

const NOTHING: Bounds = Bounds { sets: 0, rounds: 0, stages: 0, slots: 0, targets: 3, manage: false, depth: 3 };

#[test]
fn rule_5_no_sequence_of_votes_cuts_starts_and_copies_put_back_has_two_for_one_stage() {
    assert!(try_everything(Bounds { sets: 2, rounds: 4, stages: 3, ..NOTHING }) > 100_000);
}

#[test]
fn rule_5_no_sequence_of_seals_cuts_starts_and_copies_put_back_has_two_for_one_slot() {
    assert!(try_everything(Bounds { slots: 6, depth: 6, ..NOTHING }) > 100_000);
}

#[test]
fn rule_5_no_sequence_of_votes_and_seals_together_has_two_for_one_place() {
    assert!(
        try_everything(Bounds { sets: 1, rounds: 2, stages: 1, slots: 2, targets: 2, depth: 6, ..NOTHING }) > 100_000
    );
}

#[test]
fn rule_5_no_longer_sequence_over_fewer_places_with_raised_watermarks_and_retired_keys_has_two_for_one() {
    assert!(
        try_everything(Bounds { sets: 1, rounds: 2, stages: 1, targets: 2, manage: true, depth: 7, ..NOTHING })
            > 100_000
    );
}
