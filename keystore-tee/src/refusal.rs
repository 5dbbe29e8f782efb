//! What the TEE's policy refused, and what that means to a node.

use std::sync::OnceLock;

use holdfast_protocol::{
    message::{Call, Scheme},
    GrandpaRound,
};
use sp_core::crypto::key_types;

use crate::{keystore::POSSESSION, last};

/// A vote that the TEE's policy refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule, by its name, as the daemon said it: to be [`shown`](crate::shown).
    pub rule: String,
    /// What was to be voted in.
    pub round: GrandpaRound,
}

/// The first vote that was refused: there is no second one, for it ends the voter.
#[derive(Default)]
pub(crate) struct Refused(OnceLock<Refusal>);

impl Refused {
    /// The policy has refused to sign for a vote in this round.
    pub(crate) fn note(&self, rule: &str, round: GrandpaRound) {
        let _ = self.0.set(Refusal { rule: rule.into(), round });
    }

    pub(crate) fn get(&self) -> Option<Refusal> {
        self.0.get().cloned()
    }
}

/// The round that a vote is for, if that is what is to be signed.
pub(crate) fn round_of(call: &Call) -> Option<GrandpaRound> {
    let Call::Sign { key, message, .. } = call else { return None };
    let vote =
        key.key_type == key_types::GRANDPA.0 && key.scheme == Scheme::Ed25519 && !message.starts_with(POSSESSION);
    let (set_id, round) = last::round_of(message).filter(|_| vote)?;
    Some(GrandpaRound { set_id, round })
}

/// What a rule says of a seal where that is no fault: it costs the slot, and the node goes on.
pub(crate) fn harmless_seal(key_type: [u8; 4], rule: &str) -> Option<&'static str> {
    if key_type != key_types::AURA.0 {
        return None;
    }
    Some(match rule {
        "AuraDoubleSeal" => "this slot was sealed before, as it is when a node is started again within its slot",
        "AuraOldSlot" => "a later slot was sealed before: did the clock go back?",
        "BelowCeiling" => {
            "the TEE may have forgotten what it sealed, since it ended without being told or had its store put back, \
             and seals again in a later slot"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use holdfast_protocol::message::{Context, KeyId};

    use super::*;

    #[test]
    fn only_what_is_a_vote_has_a_round() {
        let sign = |key_type: &[u8; 4], scheme, message: &[u8]| {
            let key = KeyId { scheme, key_type: *key_type, public: vec![1; 32] };
            round_of(&Call::Sign { key, message: message.to_vec(), context: Context::None })
        };
        let vote = [&[1][..], &[7; 36], &9_u64.to_le_bytes(), &3_u64.to_le_bytes()].concat();
        assert_eq!(sign(b"gran", Scheme::Ed25519, &vote), Some(GrandpaRound { set_id: 3, round: 9 }));
        assert_eq!(sign(b"gran", Scheme::Ed25519, &[b"POP_", &vote[..]].concat()), None);
        assert_eq!(sign(b"gran", Scheme::Ed25519, &vote[..52]), None);
        assert_eq!(sign(b"gran", Scheme::Sr25519, &vote), None);
        assert_eq!(sign(b"aura", Scheme::Ed25519, &vote), None);
        assert_eq!(round_of(&Call::Info), None);
    }

    #[test]
    fn the_first_refusal_is_the_one_that_is_told() {
        let refused = Refused::default();
        assert_eq!(refused.get(), None);
        for round in [4, 5] {
            refused.note("GrandpaDoubleVote", GrandpaRound { set_id: 0, round });
        }
        assert_eq!(refused.get().map(|refusal| refusal.round.round), Some(4));
    }

    #[test]
    fn a_seal_that_comes_too_late_is_no_fault_and_every_other_refusal_is_one() {
        for rule in ["AuraDoubleSeal", "AuraOldSlot", "BelowCeiling"] {
            assert!(harmless_seal(*b"aura", rule).is_some() && harmless_seal(*b"gran", rule).is_none());
        }
        assert_eq!(harmless_seal(*b"aura", "AuraNeedsHeader"), None);
    }
}
