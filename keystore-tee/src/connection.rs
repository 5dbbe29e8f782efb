//! What the node's log says of the connection to the daemon.

use holdfast_protocol::{client::State, endpoint::Endpoint};
use log::Level;

use crate::{
    shown::shown,
    status::{Change, UNUSABLE},
};

/// What the node's log says of a change.
pub(crate) fn line(endpoint: &Endpoint, state: &State, change: Change) -> Option<(Level, String)> {
    Some(match (state, change) {
        (_, Change::None) | (State::Deferred | State::Connecting | State::Closed, _) => return None,
        (State::Up(tee), _) if tee.keys.is_none() => {
            (Level::Error, format!("the signer at {endpoint} cannot sign: {UNUSABLE}"))
        }
        (State::Up(tee), Change::Met) => {
            let held =
                format!("keys are held by {} (TA version {}) behind {endpoint}", shown(&tee.kind), tee.ta_version);
            if tee.simulated {
                (Level::Warn, format!("🔓 {held}: it protects nothing, use it for development only"))
            } else {
                (Level::Info, format!("🔐 {held}"))
            }
        }
        (State::Up(_), Change::Returned) => (Level::Info, format!("the signer at {endpoint} is back")),
        (State::Up(_), Change::Other) => (Level::Info, format!("the signer at {endpoint} answers again")),
        (State::Unresponsive, _) => (Level::Warn, format!("the signer at {endpoint} does not answer")),
        (State::Down(reason), _) => {
            (Level::Warn, format!("the signer at {endpoint} is away: {}; trying again", shown(reason)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::{
        client::Unreachable,
        message::{Rejection, TeeInfo},
    };

    fn tee(simulated: bool) -> TeeInfo {
        let kind = if simulated { "software TEE, not a TEE" } else { "OP-TEE" };
        TeeInfo {
            ta_version: 1,
            schema: 1,
            kind: kind.into(),
            simulated,
            development: simulated,
            keys: Some(2),
            catalogue: 1,
            rollback_protected: !simulated,
        }
    }

    #[test]
    fn every_change_is_told_in_one_line_that_names_the_signer() {
        let endpoint: Endpoint = "unix:///run/h.sock".parse().expect("a valid URI");
        let line = |state, change| line(&endpoint, &state, change);
        let told = |level, text: &str| Some((level, text.to_string()));
        assert_eq!(
            line(State::Up(tee(true)), Change::Met),
            told(
                Level::Warn,
                "🔓 keys are held by software TEE, not a TEE (TA version 1) behind unix:///run/h.sock: it protects \
                 nothing, use it for development only"
            )
        );
        assert_eq!(
            line(State::Up(tee(false)), Change::Met),
            told(Level::Info, "🔐 keys are held by OP-TEE (TA version 1) behind unix:///run/h.sock")
        );
        let unusable = TeeInfo { keys: None, ..tee(false) };
        assert_eq!(
            line(State::Up(unusable), Change::Returned),
            told(
                Level::Error,
                "the signer at unix:///run/h.sock cannot sign: its store cannot be used; the daemon's log says why"
            )
        );
        assert_eq!(
            line(State::Up(tee(true)), Change::Returned),
            told(Level::Info, "the signer at unix:///run/h.sock is back")
        );
        let refused = State::Down(Unreachable::Connection("connection refused".into()));
        assert_eq!(
            line(refused.clone(), Change::Other),
            told(Level::Warn, "the signer at unix:///run/h.sock is away: connection refused; trying again")
        );
        assert_eq!(line(refused, Change::None), None);
        let (_, other) =
            line(State::Down(Unreachable::Rejected(Rejection::Genesis([7; 32]))), Change::Other).expect("a line");
        assert!(other.ends_with("or restart this one; trying again"), "not cut short: {other}");
    }
}
