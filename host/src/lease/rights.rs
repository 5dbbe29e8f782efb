//! What a call needs: which callers may make it, and what it tells a standby.

use holdfast_protocol::{lease::Claim, message::Call};
use holdfast_ta as ta;

/// Keys of this type sign for no chain, so any number of nodes may use them.
const TEST: [u8; 4] = *b"test";

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Whoever is connected.
    Anybody,
    /// Any node.
    Node,
    /// The node that holds the lease.
    Holder,
    /// An operator's program.
    Operator,
}

/// Something that was signed and that a standby wants to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// A GRANDPA vote.
    Vote {
        /// Of this authority set.
        set_id: u64,
        /// Of this round.
        round: u64,
    },
    /// A seal for this slot.
    Seal(u64),
}

impl Right {
    /// Who may make this call.
    pub(crate) fn to(call: &Call) -> Right {
        match call {
            Call::Info
            | Call::Generate { .. }
            | Call::List { .. }
            | Call::Has(_)
            | Call::Watermarks { .. }
            | Call::Lease(Claim::Look) => Right::Anybody,
            Call::Sign { message, .. } if ta::proves_possession(message) => Right::Anybody,
            Call::Sign { key, .. }
            | Call::SignPrehashed { key, .. }
            | Call::VrfSign { key, .. }
            | Call::VrfPreOutput { key, .. }
            | Call::Retire(key) => {
                if key.key_type == TEST {
                    Right::Node
                } else {
                    Right::Holder
                }
            }
            Call::Lease(Claim::Take | Claim::Keep | Claim::TakeOver) => Right::Node,
            Call::RaiseWatermark { .. } => Right::Operator,
        }
    }
}
