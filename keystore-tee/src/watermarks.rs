//! Reads how far the TEE's `gran` keys have come, page by page, without trusting the daemon that hands it on.

use holdfast_protocol::{
    client::CallError,
    message::{Call, Position, Reply},
    KeyId,
};
use sp_core::crypto::key_types;

use crate::{abstention::Marks, listing::MAX_KEYS};

/// Why watermarks could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatermarksError {
    /// The daemon did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It answered something else.
    #[error("the daemon answered something else than a list of watermarks")]
    Reply,
    /// A `gran` key has come to something else than a round.
    #[error("the daemon listed a watermark that does not fit its key")]
    Kind,
    /// Keys do not rise.
    #[error("the daemon listed watermarks out of order, so that the list would have no end")]
    Order,
    /// More than a keystore takes.
    #[error("the daemon listed more than {MAX_KEYS} watermarks: retire the keys that are no longer used")]
    TooMany,
}

/// Reads all of them. Every page must go on where the one before ended. The floor is that of the last page, which is
/// none of the lower ones: it only rises.
pub(crate) fn read(mut ask: impl FnMut(Call) -> Result<Reply, CallError>) -> Result<Marks, WatermarksError> {
    let mut marks = Marks::default();
    let mut last = None::<KeyId>;
    let mut listed = 0;
    loop {
        let Reply::Watermarks { floor, watermarks, more } = ask(Call::Watermarks { after: last.clone() })? else {
            return Err(WatermarksError::Reply);
        };
        marks.floor = floor.grandpa;
        if more && watermarks.is_empty() {
            return Err(WatermarksError::Order);
        }
        for watermark in watermarks {
            if last.is_some_and(|last| last >= watermark.id) {
                return Err(WatermarksError::Order);
            }
            listed += 1;
            if listed > MAX_KEYS {
                return Err(WatermarksError::TooMany);
            }
            match watermark.highest {
                Position::Grandpa(round) if watermark.id.key_type == key_types::GRANDPA.0 => {
                    marks.highest.insert(watermark.id.public.clone(), round);
                }
                _ if watermark.id.key_type == key_types::GRANDPA.0 => return Err(WatermarksError::Kind),
                _ => {}
            }
            last = Some(watermark.id);
        }
        if !more {
            return Ok(marks);
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_protocol::{
        message::{Floor, Scheme, Watermark},
        GrandpaRound,
    };

    use super::*;

    const FLOOR: Floor = Floor { grandpa: Some(GrandpaRound { set_id: 1, round: 2 }), slot: Some(3) };

    fn id(key_type: [u8; 4], number: usize) -> KeyId {
        KeyId { scheme: Scheme::Ed25519, key_type, public: number.to_be_bytes().repeat(4) }
    }

    fn round(number: usize) -> GrandpaRound {
        GrandpaRound { set_id: 0, round: number as u64 }
    }

    fn mark(number: usize) -> Watermark {
        Watermark { id: id(*b"gran", number), highest: Position::Grandpa(round(number)) }
    }

    fn page(watermarks: Vec<Watermark>, more: bool) -> Reply {
        Reply::Watermarks { floor: FLOOR, watermarks, more }
    }

    #[test]
    fn all_pages_are_read_and_what_is_not_grandpas_is_left_out() {
        let mut asked = 0;
        let marks = read(|call| {
            let Call::Watermarks { after } = call else { panic!("asked for something else") };
            asked += 1;
            Ok(match asked {
                1 => {
                    assert_eq!(after, None);
                    page(vec![Watermark { id: id(*b"aura", 9), highest: Position::Aura(9) }, mark(1)], true)
                }
                2 => {
                    assert_eq!(after, Some(mark(1).id));
                    page(vec![mark(2)], false)
                }
                _ => panic!("asked for more than there is"),
            })
        });
        let highest = [1, 2].map(|number| (mark(number).id.public, round(number))).into_iter().collect();
        assert_eq!(marks.expect("a good list"), Marks { floor: FLOOR.grandpa, highest });
    }

    #[test]
    fn a_tee_that_has_signed_nothing_has_no_marks() {
        let nothing = Reply::Watermarks { floor: Floor::default(), watermarks: vec![], more: false };
        assert_eq!(read(|_| Ok(nothing.clone())).expect("a good list"), Marks::default());
    }

    // Rule 7: a bad byte is an error.
    #[test]
    fn rule_7_a_list_that_goes_round_in_circles_or_has_no_end_is_an_error() {
        assert!(matches!(read(|_| Ok(page(vec![mark(1)], true))), Err(WatermarksError::Order)));
        assert!(matches!(read(|_| Ok(page(vec![mark(2), mark(1)], false))), Err(WatermarksError::Order)));
        assert!(matches!(read(|_| Ok(page(vec![], true))), Err(WatermarksError::Order)));
        let mut next = 0;
        let endless = read(|_| {
            next += 64;
            Ok(page((next - 64..next).map(mark).collect(), true))
        });
        assert!(matches!(endless, Err(WatermarksError::TooMany)));
    }

    #[test]
    fn rule_7_positions_that_do_not_fit_and_other_answers_are_errors() {
        let slot = Watermark { highest: Position::Aura(1), ..mark(1) };
        assert!(matches!(read(|_| Ok(page(vec![slot.clone()], false))), Err(WatermarksError::Kind)));
        assert!(matches!(read(|_| Ok(Reply::Has(true))), Err(WatermarksError::Reply)));
        assert!(matches!(read(|_| Err(CallError::Deadline)), Err(WatermarksError::Call(CallError::Deadline))));
    }
}
