//! Aura seals: the hash of a header, and the header.
//!
//! Sources: `sp_runtime::generic::{Header, DigestItem}` for the encoding, `sc_consensus_aura` for what a header before
//! its seal contains.

use codec::{Compact, Decode};

use super::watermark::Statement;
use crate::{hash::blake2_256, Context, Rule};

/// The length in bytes of a header's hash.
pub(super) const HASH: usize = 32;

const ENGINE: &[u8] = b"aura";

/// Variants of `sp_runtime::generic::DigestItem`.
mod item {
    pub(super) const OTHER: u8 = 0;
    pub(super) const CONSENSUS: u8 = 4;
    pub(super) const PRE_RUNTIME: u8 = 6;
    pub(super) const RUNTIME_ENVIRONMENT_UPDATED: u8 = 8;
}

/// Judges a hash with its header.
pub(super) fn judge(message: &[u8], context: &Context) -> Result<Statement, Rule> {
    let Context::Header(header) = context else { return Err(Rule::AuraNeedsHeader) };
    let hash = blake2_256(header);
    if hash != message {
        return Err(Rule::AuraHeaderMismatch);
    }
    let slot = read_slot(header).ok_or(Rule::AuraMalformedHeader)?;
    Ok(Statement::Seal { slot, header: hash })
}

/// The slot that an unsealed header claims; `None` if it is not one: it does not decode to its last byte, or does not
/// have exactly one `aura` pre-runtime digest, of exactly eight bytes, or is sealed. Nor is the genesis header one:
/// `sc_consensus_aura` takes its slot to be 0, whatever its digest says.
pub fn read_slot(mut header: &[u8]) -> Option<u64> {
    let input = &mut header;
    let _parent = take(input, 32)?;
    if compact(input)? == 0 {
        return None;
    }
    let _state_root = take(input, 32)?;
    let _extrinsics_root = take(input, 32)?;
    let mut slot = None;
    for _ in 0..compact(input)? {
        if let Some(aura) = aura_pre_runtime(input)? {
            let claimed = u64::from_le_bytes(aura.try_into().ok()?);
            if slot.replace(claimed).is_some() {
                return None;
            }
        }
    }
    slot.filter(|_| input.is_empty())
}

/// Reads one digest item; gives its data if it is Aura's pre-runtime digest. A seal of any engine is an error.
fn aura_pre_runtime<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let [kind] = take(input, 1)? else { return None };
    match *kind {
        item::PRE_RUNTIME => {
            let engine = take(input, 4)?;
            let data = bytes(input)?;
            Some((engine == ENGINE).then_some(data))
        }
        item::CONSENSUS => {
            take(input, 4)?;
            bytes(input)?;
            Some(None)
        }
        item::OTHER => {
            bytes(input)?;
            Some(None)
        }
        item::RUNTIME_ENVIRONMENT_UPDATED => Some(None),
        _ => None,
    }
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = input.split_at_checked(length)?;
    *input = tail;
    Some(head)
}

fn compact(input: &mut &[u8]) -> Option<u32> {
    Compact::<u32>::decode(input).ok().map(|value| value.0)
}

fn bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = compact(input)?;
    take(input, length.try_into().ok()?)
}

#[cfg(test)]
mod tests;
