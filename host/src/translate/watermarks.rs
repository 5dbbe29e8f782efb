//! Watermarks in the two languages.

use codec::Encode;
use holdfast_protocol::message::{Floor, GrandpaRound, Position, Reply, Watermark};
use holdfast_ta as ta;

use super::{from_key_id, rises};

/// A page of watermarks, if it can be one: in order, each of its key's kind.
pub(super) fn page(
    after: Option<&[u8]>,
    floor: ta::Positions,
    watermarks: Vec<ta::WatermarkInfo>,
    more: bool,
) -> Option<Reply> {
    if !rises(after, watermarks.iter().map(|watermark| watermark.id.encode()), more) {
        return None;
    }
    let watermarks = watermarks.into_iter().map(watermark).collect::<Option<Vec<_>>>()?;
    let floor = Floor { grandpa: floor.grandpa.map(from_round), slot: floor.slot };
    Some(Reply::Watermarks { floor, watermarks, more })
}

pub(super) fn to_position(position: Position) -> ta::Position {
    match position {
        Position::Grandpa(GrandpaRound { set_id, round }) => ta::Position::Grandpa(ta::GrandpaRound { set_id, round }),
        Position::Aura(slot) => ta::Position::Aura(slot),
    }
}

fn watermark(info: ta::WatermarkInfo) -> Option<Watermark> {
    let id = from_key_id(info.id)?;
    let highest = match (&id.key_type, info.highest) {
        (b"gran", ta::Position::Grandpa(round)) => Position::Grandpa(from_round(round)),
        (b"aura", ta::Position::Aura(slot)) => Position::Aura(slot),
        _ => return None,
    };
    Some(Watermark { id, highest })
}

fn from_round(ta::GrandpaRound { set_id, round }: ta::GrandpaRound) -> GrandpaRound {
    GrandpaRound { set_id, round }
}
