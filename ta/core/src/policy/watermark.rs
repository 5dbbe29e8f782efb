//! Never two: what a key has signed of what it may sign once only, and what follows for the next time. Pure.
//!
//! A `gran` key votes for one target in each stage of a round; the targets of its last [`WINDOW`] rounds are remembered,
//! and in a round before them it votes no more. An `aura` key seals one header in a slot, and none in a slot before that.
//! The same statement again is no second one.

use alloc::vec::Vec;

use codec::{Decode, Encode};

use super::Vote;
use crate::{GrandpaRound, Position, Rule};

/// So many rounds are remembered. A voter works on two at a time, and may come back to an earlier one when it catches up.
pub(crate) const WINDOW: usize = 8;

/// The stages of a round.
const STAGES: usize = 3;

/// What a key may say once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// Once for each stage of a round.
    Vote(Vote),
    /// Once in a slot.
    Seal { slot: u64, header: [u8; 32] },
}

impl Statement {
    pub(crate) fn position(&self) -> Position {
        match self {
            Statement::Vote(vote) => Position::Grandpa(vote.at()),
            Statement::Seal { slot, .. } => Position::Aura(*slot),
        }
    }
}

/// What is to be done about a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is the first at its place.
    Sign,
    /// It was signed before, and this was the signature; `None` where signing again gives it again.
    Same(Option<[u8; 64]>),
    /// It would be a second one, or nobody can tell.
    Refuse(Rule),
}

/// What a key has signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Watermark {
    Grandpa(Votes),
    Aura(Seals),
}

impl Watermark {
    /// Of a key that has signed nothing at a position like this one.
    pub(crate) fn at_start_of(position: Position) -> Watermark {
        match position {
            Position::Grandpa(_) => Watermark::Grandpa(Votes::default()),
            Position::Aura(_) => Watermark::Aura(Seals::default()),
        }
    }

    /// Judges a statement of this key; one of another kind of key is none that it may make.
    pub(crate) fn judge(&self, statement: &Statement) -> Judgement {
        match (self, statement) {
            (Watermark::Grandpa(votes), Statement::Vote(vote)) => votes.judge(vote),
            (Watermark::Aura(seals), Statement::Seal { slot, header }) => seals.judge(*slot, header),
            _ => Judgement::Refuse(Rule::UnknownKeyType),
        }
    }

    /// Remembers a statement that was judged to be signed, and its signature.
    pub(crate) fn record(&mut self, statement: &Statement, signature: &[u8; 64]) {
        match (self, statement) {
            (Watermark::Grandpa(votes), Statement::Vote(vote)) => votes.record(vote),
            (Watermark::Aura(seals), Statement::Seal { slot, header }) => {
                seals.last = Some(Seal { slot: *slot, header: *header, signature: *signature });
            }
            _ => {}
        }
    }

    /// Signs nothing new at a position or before it from now on. Says whether that changes anything.
    pub(crate) fn raise(&mut self, to: Position) -> bool {
        match (self, to) {
            (Watermark::Grandpa(votes), Position::Grandpa(to)) => lift(&mut votes.floor, to),
            (Watermark::Aura(seals), Position::Aura(to)) => seals.highest() < Some(to) && lift(&mut seals.floor, to),
            _ => false,
        }
    }

    /// The latest position at which something was signed, or that it was raised to.
    pub(crate) fn highest(&self) -> Option<Position> {
        match self {
            Watermark::Grandpa(votes) => votes.highest().map(Position::Grandpa),
            Watermark::Aura(seals) => seals.highest().map(Position::Aura),
        }
    }

    /// Whether this can have come of statements and raises.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Watermark::Grandpa(Votes { rounds, .. }) => {
                rounds.len() <= WINDOW
                    && rounds.is_sorted_by(|a, b| a.at < b.at)
                    && rounds.iter().all(|round| round.targets.iter().any(Option::is_some))
            }
            Watermark::Aura(_) => true,
        }
    }
}

/// The votes of a `gran` key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Votes {
    /// Nothing new up to here.
    floor: Option<GrandpaRound>,
    /// The latest rounds with a vote, in their order; [`WINDOW`] at most.
    rounds: Vec<Voted>,
}

/// The votes of one round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Voted {
    at: GrandpaRound,
    /// By stage: prevote, precommit, primary proposal.
    targets: [Option<Target>; STAGES],
}

/// Hash and number of a block.
type Target = ([u8; 32], u32);

impl Votes {
    fn judge(&self, vote: &Vote) -> Judgement {
        let at = vote.at();
        if let Some(known) = self.known(vote) {
            return if known == target(vote) {
                Judgement::Same(None)
            } else {
                Judgement::Refuse(Rule::GrandpaDoubleVote)
            };
        }
        let left_the_window = self.rounds.len() == WINDOW && self.rounds.first().is_some_and(|first| at < first.at);
        if self.floor >= Some(at) || left_the_window {
            return Judgement::Refuse(Rule::GrandpaOldRound);
        }
        Judgement::Sign
    }

    fn record(&mut self, vote: &Vote) {
        let at = vote.at();
        let place = match self.rounds.binary_search_by(|voted| voted.at.cmp(&at)) {
            Ok(place) => place,
            Err(place) => {
                self.rounds.insert(place, Voted { at, targets: [None; STAGES] });
                place
            }
        };
        if let Some(slot) = self.rounds.get_mut(place).and_then(|voted| voted.targets.get_mut(stage(vote))) {
            *slot = Some(target(vote));
        }
        // The window stays full from then on, so that what left it is closed.
        if self.rounds.len() > WINDOW {
            self.rounds.remove(0);
        }
    }

    fn known(&self, vote: &Vote) -> Option<Target> {
        let place = self.rounds.binary_search_by(|voted| voted.at.cmp(&vote.at())).ok()?;
        *self.rounds.get(place)?.targets.get(stage(vote))?
    }

    fn highest(&self) -> Option<GrandpaRound> {
        self.rounds.last().map(|voted| voted.at).max(self.floor)
    }
}

/// The seals of an `aura` key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Seals {
    /// Nothing new up to here.
    floor: Option<u64>,
    last: Option<Seal>,
}

/// A seal. Its signature is kept because another of the same header would be a different one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Seal {
    slot: u64,
    header: [u8; 32],
    signature: [u8; 64],
}

impl Seals {
    fn judge(&self, slot: u64, header: &[u8; 32]) -> Judgement {
        match &self.last {
            Some(last) if last.slot == slot && last.header == *header => Judgement::Same(Some(last.signature)),
            Some(last) if last.slot == slot => Judgement::Refuse(Rule::AuraDoubleSeal),
            _ if self.highest() >= Some(slot) => Judgement::Refuse(Rule::AuraOldSlot),
            _ => Judgement::Sign,
        }
    }

    fn highest(&self) -> Option<u64> {
        self.last.as_ref().map(|last| last.slot).max(self.floor)
    }
}

/// Raises a floor; one that is as high stays.
pub(crate) fn lift<T: Ord + Copy>(floor: &mut Option<T>, to: T) -> bool {
    let higher = *floor < Some(to);
    if higher {
        *floor = Some(to);
    }
    higher
}

fn target(vote: &Vote) -> Target {
    (vote.target_hash, vote.target_number)
}

fn stage(vote: &Vote) -> usize {
    usize::from(vote.stage)
}

#[cfg(test)]
mod tests;
