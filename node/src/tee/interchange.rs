//! The file in which watermarks travel, modelled on EIP-3076, and what is to be done with one. Pure.
//!
//! ```json
//! {
//!   "metadata": { "interchange_format": "holdfast-watermarks", "interchange_format_version": "1" },
//!   "floor": { "gran": { "set_id": "7", "round": "3" }, "aura": { "slot": "90" } },
//!   "data": [
//!     { "key_type": "gran", "scheme": "ed25519", "public_key": "0x…", "set_id": "7", "round": "12" },
//!     { "key_type": "aura", "scheme": "sr25519", "public_key": "0x…", "slot": "123" }
//!   ]
//! }
//! ```
//!
//! Numbers are strings, since JSON's lose digits in many programs. Each half of the floor may be absent, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::{Floor, GrandpaRound, KeyId, Position, Watermark};
use keystore_tee::shown;
use serde::{Deserialize, Serialize};

use super::{keys::scheme_name, watermarks::Watermarks};
use crate::signer::hex;

/// The longest file in bytes: four times what a TEE with 4096 keys fills.
pub(super) const MAX_FILE: usize = 4 * 1024 * 1024;

const FORMAT: &str = "holdfast-watermarks";
const VERSION: &str = "1";

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InterchangeError {
    /// Too long.
    #[error("it is longer than {} MiB: it is no file of `tee export-watermarks`", MAX_FILE >> 20)]
    TooLong,
    /// Not JSON, or not of the format; with the line.
    #[error("{0}: it must be as `tee export-watermarks` wrote it")]
    Json(String),
    /// Another format.
    #[error("its format is `{0}` and not `{FORMAT}`: name a file that `tee export-watermarks` wrote")]
    Format(String),
    /// A version that is not known.
    #[error("its format has version `{0}`, and this program reads version {VERSION}: use the release that wrote it")]
    Version(String),
    /// An entry, counted from 0, that says what cannot be.
    #[error("data[{0}]: {1}")]
    Entry(usize, String),
    /// A floor that says what cannot be.
    #[error("floor: {0}")]
    Floor(String),
}

/// What is to be done with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: KeyId,
    /// Nothing new is to be signed there or before it.
    pub(super) to: Position,
    pub(super) what: What,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// It is raised, from here if it was anywhere.
    Raise(Option<Position>),
    /// It is there, or further, already.
    Already(Position),
    /// This TEE has no such key.
    NotHeld,
}

/// The text of a file with these watermarks.
pub(super) fn render(watermarks: &Watermarks) -> Result<String, serde_json::Error> {
    let Watermarks { floor, keys } = watermarks;
    let file = File {
        metadata: Metadata { interchange_format: FORMAT.into(), interchange_format_version: VERSION.into() },
        floor: FileFloor {
            gran: floor.grandpa.map(|at| Round { set_id: at.set_id.to_string(), round: at.round.to_string() }),
            aura: floor.slot.map(|slot| Slot { slot: slot.to_string() }),
        },
        data: keys.iter().map(Entry::of).collect(),
    };
    serde_json::to_string_pretty(&file).map(|text| text + "\n")
}

/// Reads a whole file, or nothing of it. Of a key that is there twice the higher position counts.
pub(super) fn parse(bytes: &[u8]) -> Result<Watermarks, InterchangeError> {
    let json = |error: serde_json::Error| InterchangeError::Json(shown(error));
    if bytes.len() > MAX_FILE {
        return Err(InterchangeError::TooLong);
    }
    // First, so that a newer file is told as one, whatever else it says.
    let Head { metadata } = serde_json::from_slice(bytes).map_err(json)?;
    if metadata.interchange_format != FORMAT {
        return Err(InterchangeError::Format(shown(metadata.interchange_format)));
    }
    if metadata.interchange_format_version != VERSION {
        return Err(InterchangeError::Version(shown(metadata.interchange_format_version)));
    }
    let File { floor, data, .. } = serde_json::from_slice(bytes).map_err(json)?;
    let floor = floor.read().map_err(InterchangeError::Floor)?;
    let mut highest = BTreeMap::<KeyId, Position>::new();
    for (number, entry) in data.iter().enumerate() {
        let (key, position) = entry.read().map_err(|why| InterchangeError::Entry(number, why))?;
        let known = highest.entry(key).or_insert(position);
        if *known < position {
            *known = position;
        }
    }
    let keys = highest.into_iter().map(|(id, highest)| Watermark { id, highest }).collect();
    Ok(Watermarks { floor, keys })
}

/// What a file means for a TEE that holds these keys and has come so far with them: first for the file's keys, then for
/// others to which its floor applies.
pub(super) fn plan(file: &Watermarks, held: &[KeyId], now: &Watermarks) -> Vec<Step> {
    let holds: BTreeSet<&KeyId> = held.iter().collect();
    let step = |key: &KeyId, to: Position| {
        let what = match now.of(key) {
            _ if !holds.contains(key) => What::NotHeld,
            Some(highest) if highest >= to => What::Already(highest),
            highest => What::Raise(highest),
        };
        Step { key: key.clone(), to, what }
    };
    let named = file.keys.iter().map(|Watermark { id, highest }| {
        let floor = file.floor.of(id.key_type).filter(|floor| floor > highest);
        step(id, floor.unwrap_or(*highest))
    });
    let others = held.iter().filter(|key| file.of(key).is_none()).filter_map(|key| {
        let floor = file.floor.of(key.key_type)?;
        (floor.kind() == (key.scheme, key.key_type)).then(|| step(key, floor))
    });
    named.chain(others).collect()
}

/// Whether a file is for a TEE that holds these keys: one of those that it names at least, if it names any. Its floor
/// alone says nothing of that.
pub(super) fn is_for(file: &Watermarks, held: &[KeyId]) -> bool {
    file.keys.is_empty() || held.iter().any(|key| file.of(key).is_some())
}

impl Watermarks {
    /// The position of a key that has one.
    fn of(&self, key: &KeyId) -> Option<Position> {
        let place = self.keys.binary_search_by(|watermark| watermark.id.cmp(key)).ok()?;
        self.keys.get(place).map(|watermark| watermark.highest)
    }
}

/// What every version begins with, whatever else it says.
#[derive(Deserialize)]
struct Head {
    metadata: AnyMetadata,
}

#[derive(Deserialize)]
struct AnyMetadata {
    interchange_format: String,
    interchange_format_version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    metadata: Metadata,
    floor: FileFloor,
    data: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    interchange_format: String,
    interchange_format_version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFloor {
    #[serde(skip_serializing_if = "Option::is_none")]
    gran: Option<Round>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aura: Option<Slot>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Round {
    set_id: String,
    round: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    slot: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key_type: String,
    scheme: String,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
}

impl FileFloor {
    fn read(&self) -> Result<Floor, String> {
        let grandpa = self.gran.as_ref().map(|at| round(&at.set_id, &at.round)).transpose()?;
        let slot = self.aura.as_ref().map(|at| number("slot", &at.slot)).transpose()?;
        Ok(Floor { grandpa, slot })
    }
}

impl Entry {
    fn of(Watermark { id, highest }: &Watermark) -> Entry {
        let (set_id, round, slot) = match highest {
            Position::Grandpa(at) => (Some(at.set_id.to_string()), Some(at.round.to_string()), None),
            Position::Aura(slot) => (None, None, Some(slot.to_string())),
        };
        Entry {
            key_type: id.key_type.escape_ascii().to_string(),
            scheme: scheme_name(id.scheme).into(),
            public_key: format!("0x{}", hex(&id.public)),
            set_id,
            round,
            slot,
        }
    }

    fn read(&self) -> Result<(KeyId, Position), String> {
        let key_type = self.key_type.as_str();
        let position = match (key_type, &self.set_id, &self.round, &self.slot) {
            ("gran", Some(set_id), Some(number), None) => Position::Grandpa(round(set_id, number)?),
            ("aura", None, None, Some(slot)) => Position::Aura(number("slot", slot)?),
            ("gran", ..) => return Err("a `gran` key has `set_id` and `round`, and no `slot`".into()),
            ("aura", ..) => return Err("an `aura` key has `slot`, and neither `set_id` nor `round`".into()),
            _ => {
                return Err(format!("only `gran` and `aura` keys have watermarks, and `{}` ones none", shown(key_type)))
            }
        };
        let (scheme, key_type) = position.kind();
        if self.scheme != scheme_name(scheme) {
            let (scheme, found) = (scheme_name(scheme), shown(&self.scheme));
            return Err(format!("the scheme of a `{}` key is {scheme}, not `{found}`", self.key_type));
        }
        let public = public(&self.public_key).ok_or("`public_key` is 0x and 64 hexadecimal digits")?;
        Ok((KeyId { scheme, key_type, public }, position))
    }
}

fn round(set_id: &str, round: &str) -> Result<GrandpaRound, String> {
    Ok(GrandpaRound { set_id: number("set_id", set_id)?, round: number("round", round)? })
}

/// Of digits alone, as this program writes it.
fn number(name: &str, text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == text)
        .ok_or_else(|| format!("`{name}` is a number from 0 to {} in a string, without leading zeros", u64::MAX))
}

fn public(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 64)?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests;
