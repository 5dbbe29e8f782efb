//! What the node says of its signer.

use keystore_tee::{shown, GrandpaRound, Lease, Role, TeeInfo, Tenure};
use serde::Serialize;

use super::Signer;

/// What `tee_status` answers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    /// `tee`, `local` or `none`.
    keystore: &'static str,
    /// Whether the TEE answers now.
    connected: bool,
    /// What the TEE says of itself: `OP-TEE`, or `software TEE, not a TEE`. Known only while it answers, as are the
    /// four that follow.
    kind: Option<String>,
    /// It protects nothing.
    simulated: Option<bool>,
    /// It takes seeds and signs anything with `test` keys.
    development: Option<bool>,
    /// Version of the trusted application.
    ta_version: Option<u32>,
    /// Its platform has a cell that outlives a disk put back from a copy.
    rollback_protected: Option<bool>,
    /// `active`, `standby`, `superseded`, `unknown` before that is decided, or `observer` for a node that is no
    /// validator.
    role: Option<&'static str>,
    /// The last round in which the node does not vote because of what its key has signed, while it is not past it.
    abstains_until: Option<Vote>,
    /// The lease on the TEE's keys, as the daemon described it last.
    lease: Option<LeaseStatus>,
}

/// The lease on the TEE's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LeaseStatus {
    /// The name of the node that holds it.
    pub(crate) holder: Option<String>,
    /// Its public network key in hex.
    pub(crate) node: Option<String>,
    /// Milliseconds for which it has held it.
    pub(crate) since_ms: Option<u64>,
    /// Milliseconds since its last request.
    pub(crate) silent_ms: Option<u64>,
    /// It ends after so many milliseconds without a request.
    pub(crate) lasts_ms: u32,
    /// The last GRANDPA vote that was signed since the daemon started.
    pub(crate) last_vote: Option<Vote>,
    /// The slot of the last seal that was signed since the daemon started.
    pub(crate) last_slot: Option<u64>,
}

/// What a vote was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Vote {
    /// Set id of the voters.
    pub(crate) set: u64,
    /// Round in the set.
    pub(crate) round: u64,
}

impl Signer {
    /// For `tee_status`.
    pub(crate) fn status(&self) -> Status {
        match self {
            Signer::Tee(keystore) => Status {
                abstains_until: keystore.abstains_until().map(Vote::from),
                ..of_tee(keystore.tee(), keystore.role(), keystore.lease())
            },
            Signer::Local(_) => without_tee("local"),
            Signer::Nobody => without_tee("none"),
        }
    }
}

fn of_tee(info: Option<TeeInfo>, role: Role, lease: Option<Lease>) -> Status {
    Status {
        connected: info.is_some(),
        simulated: info.as_ref().map(|info| info.simulated),
        development: info.as_ref().map(|info| info.development),
        ta_version: info.as_ref().map(|info| info.ta_version),
        rollback_protected: info.as_ref().map(|info| info.rollback_protected),
        kind: info.map(|info| shown(info.kind)),
        role: Some(role.name()),
        lease: lease.map(LeaseStatus::from),
        ..without_tee("tee")
    }
}

fn without_tee(keystore: &'static str) -> Status {
    Status {
        keystore,
        connected: false,
        kind: None,
        simulated: None,
        development: None,
        ta_version: None,
        rollback_protected: None,
        role: None,
        abstains_until: None,
        lease: None,
    }
}

impl From<GrandpaRound> for Vote {
    fn from(GrandpaRound { set_id, round }: GrandpaRound) -> Self {
        Vote { set: set_id, round }
    }
}

impl From<Lease> for LeaseStatus {
    fn from(lease: Lease) -> Self {
        let held = match lease.tenure {
            Tenure::Held { holder, since_ms, silent_ms } => Some((holder, since_ms, silent_ms)),
            Tenure::Yours | Tenure::Free { .. } => None,
        };
        LeaseStatus {
            holder: held.map(|(holder, ..)| holder.name()),
            node: held.map(|(holder, ..)| hex(&holder.node)),
            since_ms: held.map(|(_, since_ms, _)| since_ms),
            silent_ms: held.map(|(.., silent_ms)| silent_ms),
            lasts_ms: lease.lasts_ms,
            last_vote: lease.last_vote.map(|(set, round)| Vote { set, round }),
            last_slot: lease.last_slot,
        }
    }
}

/// Bytes in hex, without a prefix.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystore_tee::Identity;

    // Rule 7: what comes from a socket does no harm.
    #[test]
    fn rule_7_what_a_daemon_says_of_itself_and_of_others_steers_no_terminal() {
        let kind = "OP-TEE\n\u{9b}2J\u{202e}".into();
        let info = TeeInfo {
            ta_version: 1,
            schema: 1,
            kind,
            simulated: false,
            development: false,
            keys: None,
            catalogue: 0,
            rollback_protected: true,
        };
        let holder = Identity::new([1; 32], "a\n\u{9b}2J\u{202e}");
        let tenure = Tenure::Held { holder, since_ms: 1, silent_ms: 1 };
        let lease = Lease { tenure, lasts_ms: 1, last_vote: None, last_slot: None };
        let status = of_tee(Some(info), Role::Standby, Some(lease));
        let text = serde_json::to_string(&status).expect("plain data");
        assert!(text.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{text:?}");
        assert_eq!(status.kind.as_deref(), Some("OP-TEE\\n\\u{9b}2J\\u{202e}"));
        assert_eq!(status.rollback_protected, Some(true));
    }

    #[test]
    fn a_lease_is_shown_with_its_holder_and_without_one() {
        let mut lease = Lease {
            tenure: Tenure::Held { holder: Identity::new([0xab; 32], "alice"), since_ms: 7, silent_ms: 1 },
            lasts_ms: 10_000,
            last_vote: Some((3, 9)),
            last_slot: Some(77),
        };
        let held = serde_json::to_value(LeaseStatus::from(lease)).expect("plain data");
        let wanted = serde_json::json!({
            "holder": "alice", "node": "ab".repeat(32), "since_ms": 7, "silent_ms": 1, "lasts_ms": 10_000,
            "last_vote": { "set": 3, "round": 9 }, "last_slot": 77,
        });
        assert_eq!(held, wanted);
        lease.tenure = Tenure::Free { last: None, reserved_ms: 0 };
        let free = LeaseStatus::from(lease);
        assert_eq!((free.holder, free.node, free.since_ms, free.silent_ms), (None, None, None, None));
    }
}
