//! Asks the TEE for signatures, for as long as the asker can wait.

use std::time::{Duration, Instant};

use holdfast_protocol::{
    client::{CallError, Until},
    message::{Call, Failure, KeyId, Reply},
};
use sp_keystore::Error;

use crate::{metrics::Outcome, shown::shown, verify::Wrong, TEEKeystore, TARGET};

/// How long a question without a deadline of its own may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Pauses between attempts: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(2));

/// How long a signature is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A GRANDPA vote: until the TEE has answered it, whatever happens, for a voter that gets none ends the node.
    /// To ask twice is safe: the same vote has the same ed25519 signature.
    Vote,
    /// A block's seal: until the slot ends, through a daemon's restart. To ask twice is safe: whichever signature
    /// comes back seals the same header.
    Seal(Instant),
    /// Anything else: until then, and not at all without a connection.
    Other(Instant),
}

impl Patience {
    fn until(self) -> Until {
        match self {
            Self::Vote => Until::Answered,
            Self::Seal(deadline) | Self::Other(deadline) => Until::Deadline(deadline),
        }
    }

    /// Time that is left; `None` if there is no end.
    fn left(self) -> Option<Duration> {
        match self {
            Self::Vote => None,
            Self::Seal(deadline) | Self::Other(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
        }
    }

    /// Whether one more attempt can help after this failure.
    fn again_after(self, failure: &Missing) -> bool {
        match (self, failure) {
            (_, Missing::NoKey | Missing::Call(CallError::Closed | CallError::Protocol(_))) => false,
            (_, Missing::Call(CallError::Failed(Failure::Refused { .. } | Failure::BadRequest(_)))) => false,
            (_, Missing::Call(CallError::Failed(Failure::Busy))) => true,
            (Self::Vote, _) => true,
            (Self::Seal(_), Missing::Call(CallError::Unreachable(_))) => true,
            _ => false,
        }
    }
}

/// Why there is no signature.
#[derive(Debug)]
enum Missing {
    NoKey,
    Call(CallError),
    Wrong(Wrong),
}

impl TEEKeystore {
    /// Asks for something that only the holder of `key` can make, and has `judge` verify it.
    ///
    /// `None` if the TEE holds no such key. Whatever is wrong is logged and counted here.
    pub(crate) fn ask<T>(
        &self,
        key: &KeyId,
        patience: Patience,
        call: impl Fn() -> Call,
        judge: impl Fn(Reply) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Error> {
        let started = Instant::now();
        let mut pause = PAUSES.0;
        loop {
            let missing = match self.client.call(call(), patience.until()) {
                Ok(reply) => match judge(reply) {
                    Ok(made) => {
                        self.metrics.signature(key.key_type, Outcome::Ok, started.elapsed());
                        return Ok(Some(made));
                    }
                    Err(wrong) => Missing::Wrong(wrong),
                },
                Err(CallError::Failed(Failure::NoSuchKey)) => Missing::NoKey,
                Err(error) => Missing::Call(error),
            };
            let wait = patience.left().map_or(pause, |left| pause.min(left));
            let again = patience.again_after(&missing) && !wait.is_zero();
            self.tell(key, &missing, again);
            if !(again && self.status.pause(wait)) {
                self.metrics.signature(key.key_type, missing.outcome(), started.elapsed());
                return missing.into_result();
            }
            if matches!(missing, Missing::Wrong(_)) {
                self.metrics.signature(key.key_type, Outcome::Invalid, started.elapsed());
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Logs why there is no signature.
    fn tell(&self, key: &KeyId, missing: &Missing, again: bool) {
        let kind = key.key_type.escape_ascii();
        let next = if again { "; asking again" } else { "" };
        let endpoint = self.client.endpoint();
        match missing {
            Missing::NoKey => log::warn!(target: TARGET, "the TEE holds no such key of type {kind}"),
            Missing::Wrong(wrong) => log::error!(
                target: TARGET,
                "a wrong answer from the daemon at {endpoint} for a key of type {kind} was not used: {wrong}{next}",
            ),
            Missing::Call(CallError::Failed(Failure::Refused { rule })) => {
                log::error!(target: TARGET, "the TEE's policy refused a signature of type {kind}, rule {}", shown(rule))
            }
            Missing::Call(error) => {
                log::warn!(target: TARGET, "no signature of type {kind}: {}{next}", shown(error))
            }
        }
    }
}

impl Missing {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NoKey => Outcome::NoKey,
            Self::Wrong(_) => Outcome::Invalid,
            Self::Call(CallError::Unreachable(_) | CallError::Closed) => Outcome::Away,
            Self::Call(CallError::Deadline | CallError::Failed(Failure::Deadline | Failure::Busy)) => Outcome::Deadline,
            Self::Call(CallError::Failed(Failure::Refused { .. })) => Outcome::Refused,
            Self::Call(_) => Outcome::Failed,
        }
    }

    fn into_result<T>(self) -> Result<Option<T>, Error> {
        match self {
            Self::NoKey => Ok(None),
            Self::Wrong(wrong) => Err(Error::Other(wrong.to_string())),
            Self::Call(error) => Err(keystore_error(&error)),
        }
    }
}

/// What a caller of the keystore is told: [`Error::Unavailable`] if a later attempt may bring a signature.
pub(crate) fn keystore_error(error: &CallError) -> Error {
    match error {
        CallError::Unreachable(_) | CallError::Deadline | CallError::Closed => Error::Unavailable,
        CallError::Failed(Failure::Busy | Failure::Deadline) => Error::Unavailable,
        CallError::Failed(Failure::BadRequest(_)) | CallError::Protocol(_) => Error::ValidationError(shown(error)),
        CallError::Failed(_) => Error::Other(shown(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::client::Unreachable;

    fn failures() -> Vec<Missing> {
        let failed = |failure| Missing::Call(CallError::Failed(failure));
        vec![
            Missing::NoKey,
            failed(Failure::Refused { rule: "AuraNeedsHeader".into() }),
            failed(Failure::BadRequest("too long".into())),
            Missing::Call(CallError::Closed),
            Missing::Call(CallError::Protocol("too long".into())),
            failed(Failure::Busy),
            Missing::Call(CallError::Unreachable(Unreachable::Connection("broken".into()))),
            Missing::Call(CallError::Deadline),
            failed(Failure::Deadline),
            failed(Failure::Tee("storage".into())),
            Missing::Wrong(Wrong::Signature),
        ]
    }

    // Rule 4: an unreachable or misbehaving TEE is never a crashed node.
    #[test]
    fn rule_4_a_vote_is_given_up_only_where_no_attempt_can_help_or_none_is_wanted() {
        let again: Vec<bool> = failures().iter().map(|failure| Patience::Vote.again_after(failure)).collect();
        assert_eq!(again, [vec![false; 5], vec![true; 6]].concat());
    }

    #[test]
    fn a_seal_outlasts_a_broken_connection_and_a_full_queue_and_others_a_full_queue_only() {
        let now = Instant::now();
        let count = |patience: Patience| failures().iter().filter(|failure| patience.again_after(failure)).count();
        assert_eq!((count(Patience::Seal(now)), count(Patience::Other(now))), (2, 1));
    }
}
