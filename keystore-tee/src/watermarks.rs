//! Reads how far the TEE's keys have come, page by page, without trusting the daemon that hands it on.

use std::time::Instant;

use holdfast_protocol::{
    client::CallError,
    message::{Call, Floor, Position, Reply, Watermark},
};

use crate::{abstention::Marks, listing::MAX_KEYS, scheme::public_length};

/// Why watermarks could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WatermarksError {
    /// The daemon did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It answered something else.
    #[error("the daemon answered something else than a list of watermarks")]
    Reply,
    /// A key has come to a position that is not of its kind, or is none.
    #[error("the daemon listed a watermark that does not fit its key")]
    Kind,
    /// Keys do not rise.
    #[error("the daemon listed watermarks out of order, so that the list would have no end")]
    Order,
    /// More than a keystore takes.
    #[error("the daemon listed more than {MAX_KEYS} watermarks: retire the keys that are no longer used")]
    TooMany,
    /// They did not come to an end in time, a page after the other.
    #[error("the daemon listed watermarks so slowly, or so many, that the time for all of them was up")]
    Late,
}

/// Reads all of them, in the order of their keys, and the floor. Every page must go on where the one before ended. The
/// floor is that of the last page, which is none of the lower ones: it only rises. No page is asked for after `end`,
/// whatever deadline of its own the one before had.
pub fn read(
    end: Instant,
    mut ask: impl FnMut(Call) -> Result<Reply, CallError>,
) -> Result<(Floor, Vec<Watermark>), WatermarksError> {
    let mut all = Vec::<Watermark>::new();
    loop {
        if Instant::now() >= end {
            return Err(WatermarksError::Late);
        }
        let after = all.last().map(|last| last.id.clone());
        let Reply::Watermarks { floor, watermarks, more } = ask(Call::Watermarks { after })? else {
            return Err(WatermarksError::Reply);
        };
        if more && watermarks.is_empty() {
            return Err(WatermarksError::Order);
        }
        for watermark in watermarks {
            let id = &watermark.id;
            if (id.scheme, id.key_type) != watermark.highest.kind() || id.public.len() != public_length(id.scheme) {
                return Err(WatermarksError::Kind);
            }
            if all.last().is_some_and(|last| last.id >= *id) {
                return Err(WatermarksError::Order);
            }
            if all.len() == MAX_KEYS {
                return Err(WatermarksError::TooMany);
            }
            all.push(watermark);
        }
        if !more {
            return Ok((floor, all));
        }
    }
}

impl From<(Floor, Vec<Watermark>)> for Marks {
    /// Those of `gran` keys.
    fn from((floor, watermarks): (Floor, Vec<Watermark>)) -> Marks {
        let round = |Watermark { id, highest }| match highest {
            Position::Grandpa(round) => Some((id.public, round)),
            Position::Aura(_) => None,
        };
        Marks { floor: floor.grandpa, highest: watermarks.into_iter().filter_map(round).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdfast_protocol::{
        message::{KeyId, Scheme},
        GrandpaRound,
    };

    use super::*;

    const FLOOR: Floor = Floor { grandpa: Some(GrandpaRound { set_id: 1, round: 2 }), slot: Some(3) };

    fn id(key_type: [u8; 4], number: usize) -> KeyId {
        let scheme = if key_type == *b"aura" { Scheme::Sr25519 } else { Scheme::Ed25519 };
        KeyId { scheme, key_type, public: number.to_be_bytes().repeat(4) }
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

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    #[test]
    fn all_pages_are_read_and_what_is_not_grandpas_is_left_out() {
        let mut asked = 0;
        let marks = read(soon(), |call| {
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
        assert_eq!(Marks::from(marks.expect("a good list")), Marks { floor: FLOOR.grandpa, highest });
    }

    #[test]
    fn a_thousand_watermarks_are_read_page_by_page_and_none_twice() {
        let mut asked = 0_usize;
        let read = read(soon(), |call| {
            let Call::Watermarks { after } = call else { panic!("asked for something else") };
            assert_eq!(after, asked.checked_sub(1).map(|last| mark(last).id));
            let from = asked;
            asked = (asked + 64).min(1000);
            Ok(page((from..asked).map(mark).collect(), asked < 1000))
        });
        let (floor, watermarks) = read.expect("good pages");
        assert_eq!((watermarks.len(), floor), (1000, FLOOR));
    }

    #[test]
    fn a_tee_that_has_signed_nothing_has_no_marks() {
        let nothing = Reply::Watermarks { floor: Floor::default(), watermarks: vec![], more: false };
        assert_eq!(Marks::from(read(soon(), |_| Ok(nothing.clone())).expect("a good list")), Marks::default());
    }

    // Rule 7: a bad byte is an error.
    #[test]
    fn rule_7_a_list_that_goes_round_in_circles_or_has_no_end_is_an_error() {
        assert!(matches!(read(soon(), |_| Ok(page(vec![mark(1)], true))), Err(WatermarksError::Order)));
        assert!(matches!(read(soon(), |_| Ok(page(vec![mark(2), mark(1)], false))), Err(WatermarksError::Order)));
        assert!(matches!(read(soon(), |_| Ok(page(vec![mark(1), mark(1)], false))), Err(WatermarksError::Order)));
        assert!(matches!(read(soon(), |_| Ok(page(vec![], true))), Err(WatermarksError::Order)));
        let mut next = 0;
        let endless = read(soon(), |_| {
            next += 64;
            Ok(page((next - 64..next).map(mark).collect(), true))
        });
        assert!(matches!(endless, Err(WatermarksError::TooMany)));
    }

    #[test]
    fn rule_7_positions_that_do_not_fit_and_other_answers_are_errors() {
        let slot = Watermark { highest: Position::Aura(1), ..mark(1) };
        let mut short = mark(1);
        short.id.public.pop();
        for unfit in [slot, short] {
            assert!(matches!(read(soon(), |_| Ok(page(vec![unfit.clone()], false))), Err(WatermarksError::Kind)));
        }
        assert!(matches!(read(soon(), |_| Ok(Reply::Has(true))), Err(WatermarksError::Reply)));
        assert!(matches!(read(soon(), |_| Err(CallError::Deadline)), Err(WatermarksError::Call(CallError::Deadline))));
    }
    // Rule 7: what comes from a socket does no harm.
    #[test]
    fn rule_7_no_page_is_asked_for_when_the_time_for_all_of_them_is_up() {
        // The first page comes when the time for all of them is up, and says that there are more.
        let (end, mut asked) = (Instant::now() + Duration::from_millis(20), 0);
        let late = read(end, |_| {
            asked += 1;
            while Instant::now() < end {
                std::thread::yield_now();
            }
            Ok(page(vec![mark(asked)], true))
        });
        assert!(matches!(late, Err(WatermarksError::Late)) && asked <= 1, "{late:?} after {asked} pages");
        let passed = read(Instant::now(), |_| panic!("asked although the time is up"));
        assert!(matches!(passed, Err(WatermarksError::Late)), "{passed:?}");
    }
}
