//! Who may be measured, and which keys a measurement may name.
//!
//! A verifier concludes of each named key that its secret never was outside, and that it signs nothing but the
//! statements of a session. A development application can promise neither.

use super::{Purpose, Verdict};
use crate::{KeyType, Origin, Rule, Scheme, Usage};

/// Judges whether an application may be measured at all.
pub(crate) fn judge_application(development: bool) -> Verdict {
    if development {
        return Err(Rule::DevelopmentNotMeasured);
    }
    Ok(())
}

/// Judges whether a production application's measurement may name a key.
pub(crate) fn judge_key(scheme: Scheme, key_type: KeyType, usage: Usage, origin: Origin) -> Verdict {
    match (Purpose::of(scheme, key_type), usage, origin) {
        (Some(Purpose::Aura | Purpose::Grandpa), Usage::Sign, Origin::Generated) => Ok(()),
        _ => Err(Rule::NotMeasurable),
    }
}
