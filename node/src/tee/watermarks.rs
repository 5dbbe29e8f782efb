//! What the TEE says of how far its keys have come.

use std::fmt;

use holdfast_protocol::{CallError, Floor, KeyId, Position, Watermark};
use keystore_tee::{read_watermarks, WatermarksError};
use serde::Serialize;

use super::{advice, Daemon};
use crate::signer::{hex, Vote};

/// Where no key signs anything new, and the watermark of each key that has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Watermarks {
    /// Of every key.
    pub(super) floor: Floor,
    /// In the order of [`KeyId`].
    pub(super) keys: Vec<Watermark>,
}

/// Asks for all of them.
pub(super) fn read(daemon: &Daemon) -> Result<Watermarks, String> {
    match read_watermarks(daemon.end, |call| daemon.ask(call)) {
        Ok((floor, keys)) => Ok(Watermarks { floor, keys }),
        Err(WatermarksError::Call(error)) => Err(daemon.explain(&error)),
        Err(WatermarksError::Late) => Err(daemon.explain(&CallError::Deadline)),
        Err(_) => Err(advice::strange(daemon.endpoint())),
    }
}

/// The floor, as JSON shows it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ShownFloor {
    grandpa: Option<Vote>,
    slot: Option<u64>,
    #[serde(skip)]
    lines: Vec<String>,
}

impl ShownFloor {
    /// For people: one line for each half that there is.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// The watermark of a key, as JSON shows it: with a set and a round, or with a slot. In text it is one line.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    #[serde(rename = "type")]
    key_type: String,
    /// The public key as 0x-prefixed hex.
    public: String,
    #[serde(flatten)]
    vote: Option<Vote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<u64>,
    #[serde(skip)]
    highest: Position,
}

impl From<Floor> for ShownFloor {
    fn from(Floor { grandpa, slot }: Floor) -> ShownFloor {
        let halves = [grandpa.map(Position::Grandpa), slot.map(Position::Aura)];
        let lines = halves.into_iter().flatten().map(|half| half.to_string()).collect();
        ShownFloor { grandpa: grandpa.map(|at| Vote { set: at.set_id, round: at.round }), slot, lines }
    }
}

impl From<&Watermark> for Shown {
    fn from(Watermark { id, highest }: &Watermark) -> Shown {
        let (vote, slot) = match *highest {
            Position::Grandpa(at) => (Some(Vote { set: at.set_id, round: at.round }), None),
            Position::Aura(slot) => (None, Some(slot)),
        };
        let KeyId { key_type, public, .. } = id;
        let (key_type, public) = (key_type.escape_ascii().to_string(), format!("0x{}", hex(public)));
        Shown { key_type, public, vote, slot, highest: *highest }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = self.public.get(..10).unwrap_or(&self.public);
        write!(f, "{}, of {} {beginning}…", self.highest, self.key_type)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use holdfast_protocol::{GrandpaRound, Scheme};

    use super::{
        super::testing::{endless, Served},
        *,
    };

    fn watermark(number: u32) -> Watermark {
        let public = [&number.to_be_bytes()[..], &[0; 28]].concat();
        let id = KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public };
        let round = u64::from(number);
        Watermark { id, highest: Position::Grandpa(GrandpaRound { set_id: 3, round }) }
    }

    #[test]
    fn rule_7_pages_without_end_are_given_up() {
        let (endpoint, _dir) = endless();
        let daemon = Daemon::connect(&endpoint, Instant::now() + Duration::from_secs(1)).expect("it answers");
        let error = super::read(&daemon).expect_err("there is no end");
        assert!(error.contains("30 s were not enough"), "{error}");
    }

    #[test]
    fn a_daemon_whose_keys_signed_nothing_has_none() {
        let served = Served::start();
        served.make_session_keys();
        assert_eq!(read(&served.connect()), Ok(Watermarks::default()));
    }

    #[test]
    fn a_watermark_is_one_line_of_text_and_a_plain_record() {
        let shown = Shown::from(&watermark(7));
        assert_eq!(shown.to_string(), "round 7 of set 3, of gran 0x00000007…");
        let public = format!("0x00000007{}", "00".repeat(28));
        let wanted = serde_json::json!({ "type": "gran", "public": public, "set": 3, "round": 7 });
        assert_eq!(serde_json::to_value(&shown).expect("plain data"), wanted);
        let id = KeyId { scheme: Scheme::Sr25519, key_type: *b"aura", public: vec![1; 32] };
        let shown = Shown::from(&Watermark { id, highest: Position::Aura(5) });
        assert_eq!(shown.to_string(), "slot 5, of aura 0x01010101…");
        assert_eq!(serde_json::to_value(&shown).expect("plain data")["slot"], 5);
    }
}
