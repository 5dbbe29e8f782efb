//! What the TEE says of how far its keys have come.

use std::fmt;

use holdfast_protocol::{Call, CallError, Floor, KeyId, Position, Reply, Scheme, Watermark};
use serde::Serialize;

use super::{advice, Daemon};
use crate::signer::{hex, Vote};

/// The most watermarks that are believed, so that a list without end takes no memory without end.
const MOST: usize = 65_536;

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
    pages(|call| daemon.ask(call)).map_err(|error| match error {
        ReadError::Call(error) => daemon.explain(&error),
        ReadError::Strange => advice::strange(daemon.endpoint()),
    })
}

/// The scheme and the type of the keys that come to positions like this one.
pub(super) fn kind_of(position: Position) -> (Scheme, [u8; 4]) {
    match position {
        Position::Grandpa(_) => (Scheme::Ed25519, *b"gran"),
        Position::Aura(_) => (Scheme::Sr25519, *b"aura"),
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

/// Why they could not be read.
#[derive(Debug)]
enum ReadError {
    /// The daemon did not answer.
    Call(CallError),
    /// It answered something else, or what has no end.
    Strange,
}

/// Every page must go on where the one before ended, and each watermark be of its key's kind.
fn pages(mut ask: impl FnMut(Call) -> Result<Reply, CallError>) -> Result<Watermarks, ReadError> {
    let mut keys = Vec::<Watermark>::new();
    loop {
        let after = keys.last().map(|last| last.id.clone());
        let reply = ask(Call::Watermarks { after }).map_err(ReadError::Call)?;
        let Reply::Watermarks { floor, watermarks: page, more } = reply else { return Err(ReadError::Strange) };
        if more && page.is_empty() {
            return Err(ReadError::Strange);
        }
        for watermark in page {
            let Watermark { id, highest } = &watermark;
            let fits = (id.scheme, id.key_type) == kind_of(*highest) && id.public.len() == 32;
            if !fits || keys.len() == MOST || keys.last().is_some_and(|last| last.id >= *id) {
                return Err(ReadError::Strange);
            }
            keys.push(watermark);
        }
        if !more {
            return Ok(Watermarks { floor, keys });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use holdfast_protocol::GrandpaRound;

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

    fn page(watermarks: Vec<Watermark>, more: bool) -> Reply {
        Reply::Watermarks { floor: Floor { grandpa: None, slot: Some(9) }, watermarks, more }
    }

    #[test]
    fn a_thousand_watermarks_are_read_page_by_page_and_none_twice() {
        let mut asked = 0_u32;
        let read = pages(|call| {
            let Call::Watermarks { after } = call else { panic!("asked for something else") };
            assert_eq!(after, asked.checked_sub(1).map(|last| watermark(last).id));
            let from = asked;
            asked = (asked + 64).min(1000);
            Ok(page((from..asked).map(watermark).collect(), asked < 1000))
        });
        let Watermarks { floor, keys } = read.expect("good pages");
        assert_eq!((keys.len(), floor.slot), (1000, Some(9)));
    }

    // Rule 7: a bad byte is an error.
    #[test]
    fn rule_7_pages_out_of_order_or_of_another_kind_and_other_answers_are_errors() {
        let mut slot = watermark(1);
        slot.highest = Position::Aura(1);
        let mut short = watermark(1);
        short.id.public.pop();
        for watermarks in [vec![watermark(2), watermark(1)], vec![watermark(1); 2], vec![slot], vec![short]] {
            let reply = page(watermarks, false);
            assert!(matches!(pages(|_| Ok(reply.clone())), Err(ReadError::Strange)));
        }
        for reply in [page(vec![], true), page(vec![watermark(1)], true), Reply::Retired] {
            assert!(matches!(pages(|_| Ok(reply.clone())), Err(ReadError::Strange)));
        }
        assert!(matches!(pages(|_| Err(CallError::Deadline)), Err(ReadError::Call(CallError::Deadline))));
    }

    #[test]
    fn rule_7_pages_without_end_are_given_up() {
        let mut next = 0;
        let read = pages(|_| {
            next += 64;
            Ok(page((next - 64..next).map(watermark).collect(), true))
        });
        assert!(matches!(read, Err(ReadError::Strange)));
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
