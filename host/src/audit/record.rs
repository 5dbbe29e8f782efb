//! One line of the audit log. Pure, but for the time.

use holdfast_protocol::message::{Call, Context, Failure, GrandpaRound, KeyId, Position, Reply};
use holdfast_ta as ta;
use serde::Serialize;
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

use crate::lease::{Caller, Node, Statement};

/// No public key is longer, in bytes; of what claims to be one no more is shown.
const MAX_PUBLIC: usize = 33;
/// The most characters of a reason that are shown.
const MAX_WHY: usize = 200;

/// A request for a signature, or for what ends a key or takes positions from it; read once, as it is written down, and
/// as far as a standby wants to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(super) key_type: [u8; 4],
    pub(super) public: Vec<u8>,
    pub(super) what: What,
}

/// What was to be signed, or done to the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Vote(ta::Vote),
    Seal { slot: u64, header: Vec<u8> },
    Raise(Position),
    Retire,
    Other(&'static str),
}

impl Asked {
    /// What this call asks of a key; `None` for one that spends nothing of any.
    pub(crate) fn of(call: &Call) -> Option<Asked> {
        let (KeyId { key_type, public, .. }, what) = match call {
            Call::Sign { key, message, context } => (key, What::of(&key.key_type, message, context)),
            Call::SignPrehashed { key, .. } => (key, What::Other("hash")),
            Call::VrfSign { key, .. } => (key, What::Other("VRF proof")),
            Call::VrfPreOutput { key, .. } => (key, What::Other("VRF pre-output")),
            Call::RaiseWatermark { key, to } => (key, What::Raise(*to)),
            Call::Retire(key) => (key, What::Retire),
            _ => return None,
        };
        let public = public.iter().copied().take(MAX_PUBLIC).collect();
        Some(Asked { key_type: *key_type, public, what })
    }

    /// What a signature for it would tell a standby.
    pub(crate) fn statement(&self) -> Option<Statement> {
        match self.what {
            What::Vote(ta::Vote { set_id, round, .. }) => Some(Statement::Vote { set_id, round }),
            What::Seal { slot, .. } => Some(Statement::Seal(slot)),
            What::Raise(_) | What::Retire | What::Other(_) => None,
        }
    }

    /// Says in the daemon's log, where there may be no audit log, what was done to a key for good.
    pub(crate) fn announce(&self, caller: &Caller) {
        let (key_type, public) = (self.key_type.escape_ascii(), hex(&self.public));
        match self.what {
            What::Raise(to) => tracing::info!(%key_type, public, %to, by = %caller, "a key's watermark was raised"),
            What::Retire => tracing::info!(%key_type, public, by = %caller, "a key was retired"),
            What::Vote(_) | What::Seal { .. } | What::Other(_) => {}
        }
    }
}

impl What {
    /// By its length a hash comes first, as in the trusted application's policy.
    fn of(key_type: &[u8; 4], message: &[u8], context: &Context) -> What {
        match (key_type, context) {
            (b"test", _) => return What::Other("test"),
            (b"gran", _) => {
                if let Some(vote) = ta::read_vote(message) {
                    return What::Vote(vote);
                }
            }
            (b"aura", Context::Header(header)) if message.len() == 32 => {
                if let Some(slot) = ta::read_slot(header) {
                    return What::Seal { slot, header: message.to_vec() };
                }
            }
            _ => {}
        }
        What::Other(if ta::proves_possession(message) { "proof of possession" } else { "nothing known" })
    }
}

/// One line, under 8 KiB, with a newline at its end.
pub(super) fn line(time: &str, caller: &Caller, asked: &Asked, result: &Result<Reply, Failure>) -> String {
    let mut entry = Entry { time, key_type: asked.key_type.escape_ascii().to_string(), ..Entry::default() };
    entry.public = hex(&asked.public);
    match &asked.what {
        What::Vote(vote) => {
            entry.kind = "vote";
            (entry.set_id, entry.round) = (Some(vote.set_id), Some(vote.round));
            entry.stage = Some(stage(vote.stage));
            (entry.target_number, entry.target_hash) = (Some(vote.target_number), Some(hex(&vote.target_hash)));
        }
        What::Seal { slot, header } => {
            (entry.kind, entry.slot, entry.header_hash) = ("seal", Some(*slot), Some(hex(header)));
        }
        What::Raise(to) => {
            entry.kind = "raise";
            match to {
                Position::Grandpa(GrandpaRound { set_id, round }) => {
                    (entry.set_id, entry.round) = (Some(*set_id), Some(*round));
                }
                Position::Aura(slot) => entry.slot = Some(*slot),
            }
        }
        What::Retire => entry.kind = "retire",
        What::Other(kind) => entry.kind = kind,
    }
    match result {
        Ok(_) if matches!(asked.what, What::Raise(_) | What::Retire) => entry.verdict = "done",
        Ok(_) => entry.verdict = "signed",
        Err(Failure::Refused { rule }) => (entry.verdict, entry.rule) = ("refused", Some(shown(rule))),
        Err(Failure::NotHolder { .. }) => (entry.verdict, entry.rule) = ("refused", Some("NotHolder".into())),
        Err(failure) => (entry.verdict, entry.why) = ("failed", Some(shown(&failure.to_string()))),
    }
    match caller {
        Caller::Node(Node { identity, connection }) => {
            (entry.by, entry.node, entry.node_id) = ("node", Some(identity.name()), Some(hex(&identity.node)));
            entry.connection = Some(connection.number);
        }
        Caller::Operator(connection) => (entry.by, entry.connection) = ("operator", *connection),
    }
    // Text and numbers: it cannot fail.
    serde_json::to_string(&entry).unwrap_or_default() + "\n"
}

/// The time in UTC, as RFC 3339 writes it.
pub(super) fn now() -> String {
    let mut text = String::new();
    // Nothing that is written to a string fails.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// In the order in which it is written.
#[derive(Default, Serialize)]
struct Entry<'a> {
    time: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    key_type: String,
    public: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header_hash: Option<String>,
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
}

/// [`ta::read_vote`] knows no other.
fn stage(stage: u8) -> &'static str {
    match stage {
        0 => "prevote",
        1 => "precommit",
        _ => "primary proposal",
    }
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Cut short, and without what could steer a terminal that shows it.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(MAX_WHY) {
        if character.is_control() || !(character.is_ascii() || character.is_alphanumeric()) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests;
