//! What a key may be made for, and what it may sign: pure functions of a key, an act and what the key has signed before.
//!
//! | key type | scheme | signs |
//! |---|---|---|
//! | `aura` | sr25519 | a 32-byte hash with the unsealed header that hashes to it; a proof of possession |
//! | `gran` | ed25519 | a GRANDPA vote of 53 bytes; a proof of possession |
//! | `test` | any | anything, also prehashed and as a VRF; on a development TEE only |
//!
//! Any other pair of type and scheme is neither made nor used. What a measurement may say of them is in `measurement`.
//! Votes and seals are [`Statement`]s, of which [`Watermark`] allows one for each place.
//!
//! The statements of a key cannot be taken for one another, since each has a length of its own, and both schemes sign
//! the exact bytes: a header's hash has 32 bytes, a vote 53, a proof of possession 36 (or 4). A hash that happens to
//! begin with `POP_` is judged as a hash; `POP_` and 28 more bytes are no proof of possession here, or a header could
//! be ground until its hash is one. A vote begins with 0, 1 or 2, never with `P`.
//!
//! An extrinsic's payload ends with its genesis and block hash and is longer than 53 bytes, so neither a vote nor a
//! proof can be one; but one over 256 bytes is signed by its hash, and a header can be made up to contain it. A session
//! key must therefore never own an account.

mod aura;
mod grandpa;
mod measurement;
mod possession;
#[cfg(test)]
mod tests;
mod watermark;

pub use self::{
    aura::read_slot,
    grandpa::{read_vote, Vote},
    possession::proves_possession,
};
pub(crate) use self::{
    measurement::{judge_application, judge_key},
    watermark::{lift, Judgement, Statement, Watermark},
};

use crate::{Context, KeyId, KeyType, Position, Rule, Scheme, Usage};

/// Allowed, or the rule that forbids it.
pub(crate) type Verdict = Result<(), Rule>;

/// The key that is to act, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    /// This is a development TEE.
    pub(crate) development: bool,
    pub(crate) scheme: Scheme,
    pub(crate) key_type: KeyType,
    pub(crate) usage: Usage,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act<'a> {
    /// To be made, perhaps from a seed.
    Make { seeded: bool },
    /// To sign a message.
    Sign { message: &'a [u8], context: &'a Context },
    /// To sign a hash of something that nobody shows.
    SignPrehashed,
    /// To make a VRF output, or its pre-output alone.
    Vrf,
}

/// Judges an act. Nothing but its arguments counts, so the same act is judged the same always. What is allowed may be a
/// statement that the key can make once only: then its watermark has the last word.
pub(crate) fn judge(subject: &Subject, act: Act<'_>) -> Result<Option<Statement>, Rule> {
    let purpose = Purpose::of(subject.scheme, subject.key_type).ok_or(Rule::UnknownKeyType)?;
    if purpose == Purpose::Test && !subject.development {
        return Err(Rule::DevelopmentOnly);
    }
    match act {
        Act::Make { seeded: true } if !subject.development => Err(Rule::DevelopmentOnly),
        Act::Make { .. } if subject.usage == Usage::SignAndVrf => purpose.unrestricted(Rule::VrfNotAllowed),
        Act::Make { .. } => Ok(None),
        Act::Sign { message, context } => purpose.sign(subject.development, message, context),
        Act::SignPrehashed => purpose.unrestricted(Rule::PrehashedNotAllowed),
        Act::Vrf if subject.usage != Usage::SignAndVrf => Err(Rule::VrfNotAllowed),
        Act::Vrf => purpose.unrestricted(Rule::VrfNotAllowed),
    }
}

/// Whether a key can have a position.
pub(crate) fn has_position(id: &KeyId, position: Position) -> bool {
    matches!(
        (Purpose::of(id.scheme, id.key_type), position),
        (Some(Purpose::Aura), Position::Aura(_)) | (Some(Purpose::Grandpa), Position::Grandpa(_))
    )
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Aura,
    Grandpa,
    Test,
}

impl Purpose {
    fn of(scheme: Scheme, key_type: KeyType) -> Option<Purpose> {
        match (&key_type, scheme) {
            (b"aura", Scheme::Sr25519) => Some(Purpose::Aura),
            (b"gran", Scheme::Ed25519) => Some(Purpose::Grandpa),
            (b"test", _) => Some(Purpose::Test),
            _ => None,
        }
    }

    /// Allows what only keys may do that sign anything.
    fn unrestricted(self, otherwise: Rule) -> Result<Option<Statement>, Rule> {
        match self {
            Purpose::Test => Ok(None),
            Purpose::Aura | Purpose::Grandpa => Err(otherwise),
        }
    }

    fn sign(self, development: bool, message: &[u8], context: &Context) -> Result<Option<Statement>, Rule> {
        match self {
            Purpose::Test => Ok(None),
            // By its length a hash comes first: one in 2^32 begins with the prefix of a proof of possession.
            Purpose::Aura if message.len() == aura::HASH => aura::judge(message, context).map(Some),
            Purpose::Aura | Purpose::Grandpa if possession::claims_to_be(message) => {
                possession::judge(development, message).map(|()| None)
            }
            Purpose::Aura => Err(Rule::AuraNeedsHeader),
            Purpose::Grandpa => grandpa::judge(message).map(Some),
        }
    }
}
