//! Asks the TEE for signatures, for as long as the asker can wait.

use std::time::{Duration, Instant};

use holdfast_protocol::{
    client::{CallError, State, Unreachable, Until},
    message::{Call, Failure, KeyId, Reply},
};
use log::Level;
use sp_keystore::Error;

use crate::{
    keystore::{POSSESSION, TEST},
    lease::Role,
    metrics::{Outcome, NOT_HOLDER},
    refusal,
    shown::shown,
    verify::Wrong,
    waiting, TEEKeystore, TARGET,
};

/// How long a question without a deadline of its own may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Pauses between attempts: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(2));
/// A vote that took so long has waited for something: the connection broke on the way, or the TEE is overloaded.
const NOTABLE: Duration = Duration::from_secs(1);

/// How long a signature is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A GRANDPA vote: until the TEE has answered it, whatever happens, for a voter that gets none ends the node.
    /// To ask twice is safe: the same vote has the same ed25519 signature.
    Vote,
    /// A block's seal: until the slot ends, through a daemon's restart. To ask twice is safe: whichever signature
    /// comes back seals the same header.
    Seal(Instant),
    /// Anything else: until then, and not at all while the TEE is away.
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

    /// The pause before another attempt; `None` if there is no time for one. Towards the end attempts come closer.
    fn pause(self, longest: Duration) -> Option<Duration> {
        let pause = self.left().map_or(longest, |left| longest.min(left / 2));
        (pause >= PAUSES.0 / 2).then_some(pause)
    }

    /// Whether one more attempt can help after this failure.
    fn again_after(self, failure: &Missing, role: Role) -> bool {
        match (self, failure) {
            (_, Missing::Call(CallError::Closed | CallError::Protocol(_))) => false,
            (_, Missing::Call(CallError::Failed(Failure::Refused { .. }))) => false,
            // Also without its key, which may be in the store that the daemon is started with next; and without the
            // lease, for a node that has lost it is about to end.
            (Self::Vote, _) => true,
            (_, Missing::Call(CallError::Failed(Failure::Busy))) => true,
            (Self::Seal(_), Missing::Call(CallError::Unreachable(_))) => true,
            // The daemon was restarted, and this node's claim is on its way.
            (Self::Seal(_), Missing::Call(CallError::Failed(Failure::NotHolder { holder: None }))) => !role.idle(),
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
    /// `None` if the TEE holds no such key. Whatever is wrong is logged and counted here. What needs the lease is not
    /// asked for on a node that cannot have it.
    pub(crate) fn ask<T>(
        &self,
        key: &KeyId,
        patience: Patience,
        call: impl Fn() -> Call,
        judge: impl Fn(Reply) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Error> {
        let _waiting = self.metrics.waiting();
        waiting::aside(|| self.ask_here(key, patience, call, judge))
    }

    fn ask_here<T>(
        &self,
        key: &KeyId,
        patience: Patience,
        call: impl Fn() -> Call,
        judge: impl Fn(Reply) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Error> {
        let started = Instant::now();
        let mut pause = PAUSES.0;
        let mut told = Vec::new();
        if let (Patience::Vote, Some(why)) = (patience, self.absence().filter(|why| *why != CallError::Closed)) {
            self.tell_waiting(key, patience, &Missing::Call(why), &mut told);
        }
        loop {
            let asked = match (patience, self.absence()) {
                (Patience::Other(_), Some(why)) => Err(why),
                _ => self.put(call(), patience.until()),
            };
            let missing = match asked {
                Ok(reply) => match judge(reply) {
                    Ok(made) => {
                        self.metrics.signature(key.key_type, Outcome::Ok, started.elapsed());
                        self.tell_given(key, patience, started.elapsed(), !told.is_empty());
                        return Ok(Some(made));
                    }
                    Err(wrong) => Missing::Wrong(wrong),
                },
                Err(CallError::Failed(Failure::NoSuchKey)) => Missing::NoKey,
                Err(error) => Missing::Call(error),
            };
            let wait = patience.pause(pause).filter(|_| patience.again_after(&missing, self.keeper.role()));
            let Some(wait) = wait else { return self.end(key, patience, missing, started) };
            self.tell_waiting(key, patience, &missing, &mut told);
            if !self.status.pause(wait) {
                return self.end(key, patience, Missing::Call(CallError::Closed), started);
            }
            // Without time for another attempt this one has the last word, rather than that the time is up.
            if patience.left().is_some_and(|left| left.is_zero()) {
                return self.end(key, patience, missing, started);
            }
            if matches!(missing.outcome(), Outcome::Invalid | Outcome::NoKey | Outcome::NotHolder) {
                self.metrics.signature(key.key_type, missing.outcome(), started.elapsed());
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Puts a question to the daemon, unless it would be refused there for want of the lease.
    fn put(&self, call: Call, until: Until) -> Result<Reply, CallError> {
        if self.keeper.role().idle() && needs_lease(&call) {
            return Err(Failure::NotHolder { holder: self.keeper.holder() }.into());
        }
        let round = refusal::round_of(&call);
        let asked = self.client.call(call, until);
        match &asked {
            Err(CallError::Failed(Failure::Refused { rule })) => {
                self.metrics.refused(rule);
                if let Some(round) = round {
                    self.refused.note(rule, round);
                }
            }
            Err(CallError::Failed(Failure::NotHolder { .. })) => {
                self.metrics.refused(NOT_HOLDER);
                self.keeper.look();
            }
            Err(CallError::Failed(Failure::Tee(_))) => self.keeper.reread(),
            _ => {}
        }
        asked
    }

    /// Why nothing can be asked at the moment.
    pub(crate) fn absence(&self) -> Option<CallError> {
        Some(match self.client.state() {
            State::Up(_) => return None,
            State::Deferred => Unreachable::Deferred.into(),
            State::Connecting => Unreachable::Connection("the connection is still being made".into()).into(),
            State::Down(reason) => reason.into(),
            State::Unresponsive => CallError::Deadline,
            State::Closed => CallError::Closed,
        })
    }

    fn end<T>(&self, key: &KeyId, patience: Patience, missing: Missing, started: Instant) -> Result<Option<T>, Error> {
        let level = match &missing {
            Missing::Call(CallError::Failed(Failure::Refused { rule }))
                if refusal::harmless_seal(key.key_type, rule).is_some() =>
            {
                Level::Warn
            }
            Missing::Wrong(_) | Missing::Call(CallError::Failed(Failure::Refused { .. })) => Level::Error,
            _ => Level::Warn,
        };
        log::log!(target: TARGET, level, "{}", self.why(key, patience, &missing));
        self.metrics.signature(key.key_type, missing.outcome(), started.elapsed());
        missing.into_result()
    }

    /// Says that another attempt follows: of a vote once, and once more for everything that somebody has to look into.
    /// `told` is what was said of this signature before.
    fn tell_waiting(&self, key: &KeyId, patience: Patience, missing: &Missing, told: &mut Vec<Outcome>) {
        let vote = patience == Patience::Vote;
        let level = match missing {
            _ if !vote || told.contains(&missing.outcome()) => Level::Debug,
            Missing::NoKey | Missing::Wrong(_) => Level::Error,
            Missing::Call(CallError::Failed(Failure::BadRequest(_))) => Level::Error,
            _ if told.is_empty() => Level::Warn,
            _ => Level::Debug,
        };
        if level < Level::Debug {
            told.push(missing.outcome());
        }
        let why = self.why(key, patience, missing);
        let next = match vote {
            true if why.ends_with('?') => " The vote waits",
            true => ". The vote waits",
            false => "; asking again",
        };
        log::log!(target: TARGET, level, "{why}{next}");
    }

    /// Says of a vote that its wait is over.
    fn tell_given(&self, key: &KeyId, patience: Patience, took: Duration, told: bool) {
        if patience == Patience::Vote && (told || took >= NOTABLE) {
            let (kind, took) = (key.key_type.escape_ascii(), took.as_secs_f64());
            log::info!(target: TARGET, "a vote of type {kind} was given after waiting {took:.1} s");
        }
    }

    fn why(&self, key: &KeyId, patience: Patience, missing: &Missing) -> String {
        let kind = key.key_type.escape_ascii();
        match missing {
            Missing::NoKey => {
                format!("the TEE holds no such key of type {kind}: is the daemon running with the right --store?")
            }
            Missing::Wrong(wrong) => {
                let endpoint = self.client.endpoint();
                format!("a wrong answer from the daemon at {endpoint} for a key of type {kind} was not used: {wrong}")
            }
            Missing::Call(CallError::Failed(Failure::Refused { rule })) => {
                match refusal::harmless_seal(key.key_type, rule) {
                    Some(why) => format!("no block in this slot, and no harm done (rule {}): {why}", shown(rule)),
                    None => format!("the TEE's policy refused a signature of type {kind}, rule {}", shown(rule)),
                }
            }
            Missing::Call(CallError::Failed(failure @ Failure::NotHolder { .. })) => {
                format!("no signature of type {kind}: {failure}")
            }
            Missing::Call(error) => {
                let late = matches!(patience, Patience::Seal(end) if end <= Instant::now() + PAUSES.0)
                    && matches!(missing.outcome(), Outcome::Away | Outcome::Deadline);
                let slot = if late { " before the slot ended" } else { "" };
                format!("no signature of type {kind}{slot}: {}", shown(error))
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
            Self::Call(CallError::Failed(Failure::NotHolder { .. })) => Outcome::NotHolder,
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

/// Whether only the holder of the lease is answered: all that a session key signs, but for its proof of possession.
fn needs_lease(call: &Call) -> bool {
    let key = match call {
        Call::Sign { message, .. } if message.starts_with(POSSESSION) => return false,
        Call::Sign { key, .. } | Call::SignPrehashed { key, .. } => key,
        Call::VrfSign { key, .. } | Call::VrfPreOutput { key, .. } | Call::Retire(key) => key,
        Call::Info | Call::Generate { .. } | Call::List { .. } | Call::Has(_) | Call::Lease(_) => return false,
        Call::Watermarks { .. } | Call::RaiseWatermark { .. } => return false,
    };
    key.key_type != TEST.0
}

/// What a caller of the keystore is told: [`Error::Unavailable`] if a later attempt may bring a signature.
pub(crate) fn keystore_error(error: &CallError) -> Error {
    match error {
        CallError::Unreachable(_) | CallError::Deadline | CallError::Closed => Error::Unavailable,
        CallError::Failed(Failure::Busy | Failure::Deadline | Failure::NotHolder { .. }) => Error::Unavailable,
        CallError::Failed(Failure::BadRequest(_)) | CallError::Protocol(_) => Error::ValidationError(shown(error)),
        CallError::Failed(_) => Error::Other(shown(error)),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_protocol::{lease::Identity, message::Context};
    use sp_core::crypto::key_types;

    use super::*;

    fn failures() -> Vec<Missing> {
        let failed = |failure| Missing::Call(CallError::Failed(failure));
        vec![
            failed(Failure::Refused { rule: "AuraNeedsHeader".into() }),
            Missing::Call(CallError::Closed),
            Missing::Call(CallError::Protocol("too long".into())),
            Missing::NoKey,
            failed(Failure::BadRequest("too long".into())),
            failed(Failure::NotHolder { holder: Some(Identity::default()) }),
            failed(Failure::NotHolder { holder: None }),
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
        for role in Role::ALL {
            let again: Vec<bool> = failures().iter().map(|failure| Patience::Vote.again_after(failure, role)).collect();
            assert_eq!(again, [vec![false; 3], vec![true; 10]].concat());
        }
    }

    #[test]
    fn a_seal_outlasts_a_broken_connection_a_restarted_daemon_and_a_full_queue_and_others_a_full_queue_only() {
        let now = Instant::now();
        let count =
            |patience: Patience, role| failures().iter().filter(|failure| patience.again_after(failure, role)).count();
        let active = [Patience::Seal(now), Patience::Other(now)].map(|patience| count(patience, Role::Active));
        assert_eq!((active, count(Patience::Seal(now), Role::Superseded)), ([3, 1], 2));
    }

    #[test]
    fn a_proof_of_possession_and_a_test_key_need_no_lease() {
        let sign = |key_type: [u8; 4], message: &[u8]| {
            let key = KeyId { scheme: holdfast_protocol::message::Scheme::Ed25519, key_type, public: vec![1; 32] };
            needs_lease(&Call::Sign { key, message: message.to_vec(), context: Context::None })
        };
        assert!(sign(key_types::GRANDPA.0, b"a vote") && sign(key_types::AURA.0, &[1; 32]));
        assert!(!sign(key_types::GRANDPA.0, b"POP_") && !sign(TEST.0, b"anything"));
        assert!(!needs_lease(&Call::Info));
    }
}
