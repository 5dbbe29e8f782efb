//! How far keys have come in what they may sign once only.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

use crate::message::{KeyId, Scheme};

/// A round of GRANDPA. Rounds of a later authority set are later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GrandpaRound {
    /// Id of the authority set.
    pub set_id: u64,
    /// The round in it.
    pub round: u64,
}

/// How far a key has come in what it may sign once only. Positions of different kinds are in no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Position {
    /// Of a `gran` key.
    Grandpa(GrandpaRound),
    /// Of an `aura` key: a slot.
    Aura(u64),
}

/// The position of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The key.
    pub id: KeyId,
    /// The latest at which it signed something, or that its watermark was raised to.
    pub highest: Position,
}

/// Positions below and at which no key signs anything new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// For `gran` keys.
    pub grandpa: Option<GrandpaRound>,
    /// For `aura` keys.
    pub slot: Option<u64>,
}

impl Floor {
    /// That of keys of this type; there is none for any other than `gran` and `aura`.
    pub fn of(&self, key_type: [u8; 4]) -> Option<Position> {
        match &key_type {
            b"gran" => self.grandpa.map(Position::Grandpa),
            b"aura" => self.slot.map(Position::Aura),
            _ => None,
        }
    }
}

impl Position {
    /// The scheme and the type of the keys that come to positions like this one.
    pub fn kind(&self) -> (Scheme, [u8; 4]) {
        match self {
            Position::Grandpa(_) => (Scheme::Ed25519, *b"gran"),
            Position::Aura(_) => (Scheme::Sr25519, *b"aura"),
        }
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Position) -> Option<Ordering> {
        match (self, other) {
            (Position::Grandpa(ours), Position::Grandpa(theirs)) => Some(ours.cmp(theirs)),
            (Position::Aura(ours), Position::Aura(theirs)) => Some(ours.cmp(theirs)),
            _ => None,
        }
    }
}

/// `round 3 of set 0`.
impl fmt::Display for GrandpaRound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "round {} of set {}", self.round, self.set_id)
    }
}

/// `round 3 of set 0`, or `slot 7`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Grandpa(round) => round.fmt(f),
            Position::Aura(slot) => write!(f, "slot {slot}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn round(set_id: u64, round: u64) -> GrandpaRound {
        GrandpaRound { set_id, round }
    }

    #[test]
    fn a_round_of_a_later_set_is_later_and_a_round_and_a_slot_are_in_no_order() {
        let rising = [round(0, 1), round(0, 2), round(1, 0), round(1, 1)].map(Position::Grandpa);
        assert!(rising.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(Position::Aura(1) < Position::Aura(2));
        let (vote, seal) = (rising[0], Position::Aura(0));
        assert!(vote.partial_cmp(&seal).is_none() && seal.partial_cmp(&vote).is_none());
    }

    #[test]
    fn a_position_is_shown_in_words() {
        assert_eq!(Position::Grandpa(round(3, 5)).to_string(), "round 5 of set 3");
        assert_eq!(Position::Aura(7).to_string(), "slot 7");
    }

    #[test]
    fn each_type_of_key_has_its_own_floor_or_none() {
        let floor = Floor { grandpa: Some(round(1, 2)), slot: Some(3) };
        assert_eq!(floor.of(*b"gran"), Some(Position::Grandpa(round(1, 2))));
        assert_eq!(floor.of(*b"aura"), Some(Position::Aura(3)));
        assert_eq!(floor.of(*b"test"), None);
        assert_eq!(Floor::default().of(*b"gran"), None);
    }
}
