//! `tee keys`.

use holdfast_protocol::{Call, KeyId, KeyInfo, Reply, Scheme, TeeInfo, Usage};
use keystore_tee::{read_keys, ListError};
use serde::Serialize;

use super::{advice, Daemon};
use crate::signer::hex;

/// A key, as it is shown.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Key {
    /// `aura`, `gran`, …
    #[serde(rename = "type")]
    key_type: String,
    scheme: &'static str,
    /// The public key as 0x-prefixed hex.
    public: String,
    /// `generated` in the TEE, or `seeded` from a secret that somebody else knows.
    origin: &'static str,
    /// `sign`, or `sign and vrf`.
    usage: &'static str,
}

/// Asks for all of them.
pub(super) fn ask(daemon: &Daemon) -> Result<Vec<Key>, String> {
    Ok(read(daemon)?.iter().map(Key::from).collect())
}

/// As the daemon lists them.
pub(super) fn read(daemon: &Daemon) -> Result<Vec<KeyInfo>, String> {
    read_keys(|call| daemon.ask(call)).map_err(|error| match error {
        ListError::Call(error) => daemon.explain(&error),
        error => format!("{}: {error}", daemon.endpoint()),
    })
}

/// An error if the store counts more keys than the `listed` ones: the others cannot be read.
pub(super) fn complete(daemon: &Daemon, listed: usize) -> Result<(), String> {
    let more = |info: &TeeInfo| info.keys.filter(|keys| usize::try_from(*keys).is_ok_and(|keys| keys > listed));
    if more(&daemon.info).is_none() {
        return Ok(());
    }
    // A key may have been retired between the count and the list.
    let now = match daemon.ask(Call::Info) {
        Ok(Reply::Info(info)) => info,
        Ok(_) => return Err(advice::strange(daemon.endpoint())),
        Err(error) => return Err(daemon.explain(&error)),
    };
    more(&now).map_or(Ok(()), |counted| {
        Err(format!(
            "the store counts {counted} keys and {listed} can be read: an object in it is damaged or missing; keys \
             cannot be restored, so give the daemon a new store and rotate the session keys (docs/daemon.md)"
        ))
    })
}

/// For people: one row for each.
pub(super) fn text(keys: &[Key]) -> String {
    if keys.is_empty() {
        return "no keys: a validator's node makes them with author_rotateKeysWithOwner".into();
    }
    let mut text = row("TYPE", "SCHEME", "ORIGIN", "USAGE", "PUBLIC KEY");
    for key in keys {
        text += &row(&key.key_type, key.scheme, key.origin, key.usage, &key.public);
    }
    text
}

/// A key in a line of text: its type, and the public half in hex.
pub(super) fn named(key: &KeyId) -> String {
    format!("{} 0x{}", key.key_type.escape_ascii(), hex(&key.public))
}

/// As options and files write it.
pub(super) fn scheme_name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Sr25519 => "sr25519",
        Scheme::Ed25519 => "ed25519",
        Scheme::Ecdsa => "ecdsa",
    }
}

fn row(key_type: &str, scheme: &str, origin: &str, usage: &str, public: &str) -> String {
    format!("{key_type:<5} {scheme:<8} {origin:<10} {usage:<13} {public}\n")
}

impl From<&KeyInfo> for Key {
    fn from(key: &KeyInfo) -> Self {
        Key {
            key_type: key.id.key_type.escape_ascii().to_string(),
            scheme: scheme_name(key.id.scheme),
            public: format!("0x{}", hex(&key.id.public)),
            origin: if key.seeded { "seeded" } else { "generated" },
            usage: match key.usage {
                Usage::Sign => "sign",
                Usage::SignAndVrf => "sign and vrf",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{
        super::testing::{damaged, endless, soon, Served},
        *,
    };

    fn key(key_type: &[u8; 4], scheme: Scheme, seeded: bool, usage: Usage) -> Key {
        Key::from(&KeyInfo { id: KeyId { scheme, key_type: *key_type, public: vec![0xab; 32] }, usage, seeded })
    }

    #[test]
    fn keys_are_one_row_each() {
        let keys = [
            key(b"aura", Scheme::Sr25519, true, Usage::Sign),
            key(b"\x1b[2J", Scheme::Ed25519, false, Usage::SignAndVrf),
        ];
        let public = "ab".repeat(32);
        let wanted = format!(
            "TYPE  SCHEME   ORIGIN     USAGE         PUBLIC KEY\n\
             aura  sr25519  seeded     sign          0x{public}\n\
             \\x1b[2J ed25519  generated  sign and vrf  0x{public}\n"
        );
        assert_eq!(text(&keys), wanted);
        assert!(text(&[]).contains("author_rotateKeysWithOwner"));
    }

    #[test]
    fn json_has_a_list_of_plain_records() {
        let value = serde_json::to_value([key(b"gran", Scheme::Ed25519, false, Usage::Sign)]).expect("plain data");
        let wanted = serde_json::json!([{
            "type": "gran", "scheme": "ed25519",
            "public": format!("0x{}", "ab".repeat(32)),
            "origin": "generated", "usage": "sign",
        }]);
        assert_eq!(value, wanted);
    }

    #[test]
    fn the_keys_of_a_running_daemon_are_listed() {
        let served = Served::start();
        assert_eq!(ask(&served.connect()).expect("it answers"), vec![]);
        served.make_session_keys();
        let keys = ask(&served.connect()).expect("it answers");
        let types: Vec<&str> = keys.iter().map(|key| key.key_type.as_str()).collect();
        assert_eq!(types, ["aura", "gran"]);
        assert!(keys.iter().all(|key| key.origin == "generated" && key.public.len() == 2 + 64));
    }

    #[test]
    fn a_key_that_is_counted_and_not_listed_is_an_error_unless_it_was_retired_meanwhile() {
        let (endpoint, _dir) = damaged();
        let daemon = Daemon::connect(&endpoint, soon()).expect("it answers");
        let error = complete(&daemon, 1).expect_err("one cannot be read");
        assert!(error.starts_with("the store counts 2 keys and 1 can be read: "), "{error}");
        assert_eq!(complete(&daemon, 2), Ok(()));

        let served = Served::start();
        served.make_session_keys();
        let mut daemon = served.connect();
        daemon.info.keys = Some(3);
        assert_eq!(complete(&daemon, 2), Ok(()));
    }

    // Rule 7: what comes from a socket is bounded.
    #[test]
    fn rule_7_a_list_without_end_is_given_up_in_time() {
        let (endpoint, _dir) = endless();
        let daemon = Daemon::connect(&endpoint, Instant::now() + Duration::from_secs(1)).expect("it answers");
        let error = ask(&daemon).expect_err("there is no end");
        assert!(error.contains("30 s were not enough"), "{error}");
    }
}
