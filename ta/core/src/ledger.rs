//! What every key has signed of what it may sign once only, in memory and in the store, and the ceiling in the cell.
//!
//! The order of a statement: it is judged, signed, remembered here, then in the cell, then in the store, and only then
//! does its signature leave. Whatever is cut or fails in between, the statement counts as made, and before anything else
//! is done what is still to be written is written.
//!
//! The cell outlives a store that is put back from a copy. It says up to where statements may have been made (the
//! ceiling), and, where it can, the digest of the watermarks that the store must hold. A store that cannot be told to be
//! that one is not believed: nothing new is signed at the ceiling or below it. See `docs/never-two.md`.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::ops::Bound;

use codec::{Decode, Encode};

use crate::{
    hash::blake2_256,
    policy::{lift, Judgement, Statement, Watermark},
    store::{self, Birth},
    CellWrites, Error, GrandpaRound, KeyId, Position, Positions, Rule, Tee, WatermarkInfo,
};

/// What every key has signed.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Ledger {
    kept: BTreeMap<KeyId, Kept>,
    /// Keys whose watermark could not be read.
    damaged: BTreeSet<KeyId>,
    cell: Cell,
    /// What is to be written before anything else.
    due: Option<Due>,
}

/// A watermark, and its part of the digest.
#[derive(Clone)]
struct Kept {
    watermark: Watermark,
    mark: [u8; 32],
}

#[cfg_attr(test, derive(Clone))]
struct Due {
    change: Option<Change>,
    /// The cell must be written first.
    cell: bool,
}

/// What the cell says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Cell {
    /// Which store this is the cell of.
    pub(crate) birth: Birth,
    /// No statement was ever made above.
    pub(crate) ceiling: Positions,
    /// Nothing new is signed here or below, whatever the watermarks say.
    pub(crate) floor: Positions,
    pub(crate) known: Known,
}

impl Cell {
    /// Before the first statement.
    pub(crate) fn new(birth: Birth) -> Cell {
        let known = Known::Digest { digest: digest(&BTreeMap::new()), change: None };
        Cell { birth, ceiling: Positions::default(), floor: Positions::default(), known }
    }
}

/// What the cell says of the watermarks in the store.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Known {
    /// Nothing: statements were made since it was written, or may have been.
    Nothing,
    /// Their digest. The last change may still be missing in the store.
    Digest { digest: [u8; 32], change: Option<Change> },
}

/// A watermark as it is to be; none once its key is gone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Change {
    pub(crate) id: KeyId,
    pub(crate) watermark: Option<Watermark>,
}

impl Ledger {
    /// What the cell and the store say. Where they do not agree nothing new is signed up to the ceiling. A watermark that
    /// is damaged is none, and so they do not agree.
    pub(crate) fn open(tee: &mut impl Tee, cell: Cell, ids: Vec<KeyId>) -> Result<Ledger, Error> {
        let mut ledger = Ledger { kept: BTreeMap::new(), damaged: BTreeSet::new(), cell, due: None };
        for id in ids {
            match store::read_watermark(tee, &id)? {
                Some(watermark) => ledger.remember(Change { id, watermark: Some(watermark) }),
                None => drop(ledger.damaged.insert(id)),
            }
        }
        match ledger.cell.known.clone() {
            Known::Digest { digest: expected, change } => {
                if let Some(change) = change {
                    let before = ledger.kept.get(&change.id).map(|kept| &kept.watermark);
                    if before != change.watermark.as_ref() {
                        ledger.due = Some(Due { change: Some(change.clone()), cell: false });
                    }
                    ledger.remember(change);
                }
                if digest(&ledger.kept) != expected {
                    ledger.distrust();
                }
            }
            Known::Nothing => ledger.distrust(),
        }
        Ok(ledger)
    }

    /// Judges a statement. [`Judgement::Same`] may be signed only after [`Ledger::settle`].
    pub(crate) fn judge(&self, id: &KeyId, statement: &Statement) -> Judgement {
        let position = statement.position();
        let judgement = match self.kept.get(id) {
            Some(kept) => kept.watermark.judge(statement),
            None => Watermark::at_start_of(position).judge(statement),
        };
        match judgement {
            Judgement::Sign if reaches(&self.cell.floor, position) => Judgement::Refuse(Rule::BelowCeiling),
            judgement => judgement,
        }
    }

    /// Remembers a statement that was judged to be signed, here and in the store. After an error it counts all the same.
    pub(crate) fn record(
        &mut self,
        tee: &mut impl Tee,
        id: &KeyId,
        statement: &Statement,
        signature: &[u8; 64],
    ) -> Result<(), Error> {
        self.settle(tee)?;
        let position = statement.position();
        let mut watermark = self.watermark(id, position);
        watermark.record(statement, signature);
        let mut cell = false;
        if !reaches(&self.cell.ceiling, position) {
            raise(&mut self.cell.ceiling, ahead(tee.cell_writes(), position));
            cell = true;
        }
        self.change(tee, Change { id: id.clone(), watermark: Some(watermark) }, cell)
    }

    /// Has a key sign nothing new at a position or before it.
    pub(crate) fn raise(&mut self, tee: &mut impl Tee, id: &KeyId, to: Position) -> Result<(), Error> {
        self.settle(tee)?;
        let mut watermark = self.watermark(id, to);
        if !watermark.raise(to) {
            return Ok(());
        }
        let cell = raise(&mut self.cell.ceiling, to);
        self.change(tee, Change { id: id.clone(), watermark: Some(watermark) }, cell)
    }

    /// Forgets a key that is to be deleted. Up to where it had come no other key signs anything new from then on, nor
    /// would this one, should somebody put it back.
    pub(crate) fn retire(&mut self, tee: &mut impl Tee, id: &KeyId) -> Result<(), Error> {
        self.settle(tee)?;
        let highest = match self.kept.get(id) {
            Some(kept) => kept.watermark.highest(),
            // The floor is above all that it can have said.
            None if self.damaged.contains(id) => None,
            None => return Ok(()),
        };
        let cell = highest.is_some_and(|highest| raise(&mut self.cell.floor, highest));
        self.change(tee, Change { id: id.clone(), watermark: None }, cell)
    }

    /// Writes what is still to be written.
    pub(crate) fn settle(&mut self, tee: &mut impl Tee) -> Result<(), Error> {
        let Some(Due { change, cell }) = &mut self.due else { return Ok(()) };
        if *cell {
            store::write_cell(tee, &self.cell)?;
            *cell = false;
        }
        match change {
            Some(Change { id, watermark: Some(watermark) }) => store::write_watermark(tee, id, watermark)?,
            Some(Change { id, watermark: None }) => store::remove_watermark(tee, id)?,
            None => {}
        }
        self.due = None;
        Ok(())
    }

    /// Says in the cell what the store holds, so that the next start can believe it.
    pub(crate) fn close(&mut self, tee: &mut impl Tee) -> Result<(), Error> {
        self.settle(tee)?;
        let now = digest(&self.kept);
        if !matches!(&self.cell.known, Known::Digest { digest, .. } if *digest == now) {
            self.cell.known = Known::Digest { digest: now, change: None };
            self.due = Some(Due { change: None, cell: true });
        }
        self.settle(tee)
    }

    /// Where no key signs anything new.
    pub(crate) fn floor(&self) -> Positions {
        self.cell.floor
    }

    /// Up to `limit` watermarks after that of `after`, and whether there are more.
    pub(crate) fn page(&self, after: Option<&KeyId>, limit: usize) -> (Vec<WatermarkInfo>, bool) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self
            .kept
            .range((from, Bound::Unbounded))
            .filter_map(|(id, kept)| kept.watermark.highest().map(|highest| WatermarkInfo { id: id.clone(), highest }));
        let page: Vec<WatermarkInfo> = rest.by_ref().take(limit).collect();
        (page, rest.next().is_some())
    }

    fn watermark(&self, id: &KeyId, position: Position) -> Watermark {
        self.kept.get(id).map_or_else(|| Watermark::at_start_of(position), |kept| kept.watermark.clone())
    }

    /// Makes a change known here, then in the cell, then in the store.
    fn change(&mut self, tee: &mut impl Tee, change: Change, mut cell: bool) -> Result<(), Error> {
        self.remember(change.clone());
        let known = match tee.cell_writes() {
            CellWrites::EachStatement => Known::Digest { digest: digest(&self.kept), change: Some(change.clone()) },
            CellWrites::Ahead { .. } => Known::Nothing,
        };
        cell |= self.cell.known != known;
        self.cell.known = known;
        self.due = Some(Due { change: Some(change), cell });
        self.settle(tee)
    }

    fn remember(&mut self, Change { id, watermark }: Change) {
        match watermark {
            None => drop(self.kept.remove(&id)),
            Some(watermark) => {
                let mark = blake2_256(&(&id, &watermark).encode());
                self.kept.insert(id, Kept { watermark, mark });
            }
        }
    }

    /// What was signed up to the ceiling may be forgotten.
    fn distrust(&mut self) {
        let Positions { grandpa, slot } = self.cell.ceiling;
        grandpa.map(|round| lift(&mut self.cell.floor.grandpa, round));
        slot.map(|slot| lift(&mut self.cell.floor.slot, slot));
    }
}

/// The digest of all watermarks, in the order of their keys.
fn digest(kept: &BTreeMap<KeyId, Kept>) -> [u8; 32] {
    let marks: Vec<u8> = kept.values().flat_map(|kept| kept.mark).collect();
    blake2_256(&marks)
}

/// Whether a position is at one of these or before it.
fn reaches(positions: &Positions, position: Position) -> bool {
    match position {
        Position::Grandpa(round) => positions.grandpa >= Some(round),
        Position::Aura(slot) => positions.slot >= Some(slot),
    }
}

fn raise(positions: &mut Positions, to: Position) -> bool {
    match to {
        Position::Grandpa(round) => lift(&mut positions.grandpa, round),
        Position::Aura(slot) => lift(&mut positions.slot, slot),
    }
}

/// The ceiling to write for a statement at a position.
fn ahead(writes: CellWrites, position: Position) -> Position {
    match (writes, position) {
        (CellWrites::EachStatement, position) => position,
        (CellWrites::Ahead { rounds, .. }, Position::Grandpa(GrandpaRound { set_id, round })) => {
            Position::Grandpa(GrandpaRound { set_id, round: round.saturating_add(rounds) })
        }
        (CellWrites::Ahead { slots, .. }, Position::Aura(slot)) => Position::Aura(slot.saturating_add(slots)),
    }
}

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod tests;
