//! What the daemon reads beside the wire: its configuration, its store's files, and the trusted application's answers.

use holdfast_host::{judge_answer, Config};
use holdfast_protocol::{codec, Call, Failure, KeyId, Reply, Scheme};
use holdfast_ta::{MAX_ANSWER, MAX_PAGE};
use holdfast_ta_soft::{entry::Entry, MAX_ID};

use crate::bytes::Bytes;

/// The daemon's configuration file.
pub fn config(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    match toml::from_str::<Config>(text) {
        Ok(config) => {
            assert!((1..=107).contains(&config.socket.as_os_str().len()));
            assert!(matches!(config.socket_mode.bits(), 0o600 | 0o660));
            assert!(config.tcp.is_none_or(|tcp| tcp.address().ip().is_loopback()));
            assert!((1..=1024).contains(&config.limits.connections));
            assert!((1..=65_536).contains(&config.limits.queue));
            assert!((10..=60_000).contains(&config.limits.handshake_ms));
            assert!((1000..=600_000).contains(&config.lease_ms));
            let _ = config.log.filter();
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// The name of a file in the software TEE's store.
pub fn entry(data: &[u8]) -> bool {
    let Some(entry) = Entry::parse(data) else { return false };
    assert_eq!(entry.file_name().as_bytes(), data);
    if let Entry::Object(id) = &entry {
        assert!(id.len() <= MAX_ID);
    }
    true
}

/// A client's request after its length of two bytes, and what the trusted application answers: it is handed on only if
/// it is an answer to that question.
pub fn translate(data: &[u8]) -> bool {
    let mut data = Bytes(data);
    let Ok(request) = codec::decode_request(data.long()) else { return false };
    let answer = data.0;
    match judge_answer(request.call.clone(), answer) {
        Ok(reply) => {
            assert!(answer.len() <= MAX_ANSWER);
            assert!(belongs(&request.call, &reply), "{reply:?} to {:?}", request.call);
            true
        }
        Err(failure) => {
            assert!(!failure.to_string().is_empty());
            // Not even the trusted application can make the daemon say that the daemon is at fault.
            assert!(!matches!(failure, Failure::Busy | Failure::Deadline | Failure::NotHolder { .. }));
            false
        }
    }
}

fn belongs(call: &Call, reply: &Reply) -> bool {
    match (call, reply) {
        (Call::Info, Reply::Info(_))
        | (Call::Has(_), Reply::Has(_))
        | (Call::VrfPreOutput { .. }, Reply::VrfPreOutput(_))
        | (Call::Retire(_), Reply::Retired) => true,
        (Call::Generate { scheme, key_type, .. }, Reply::Generated(info)) => {
            info.id.scheme == *scheme && info.id.key_type == *key_type && well_formed(&info.id)
        }
        (Call::List { after }, Reply::Keys { keys, more }) => {
            keys.len() <= usize::from(MAX_PAGE)
                && !(*more && keys.is_empty())
                && keys.iter().all(|info| well_formed(&info.id))
                && keys.windows(2).all(|pair| pair[0].id < pair[1].id)
                && after.as_ref().is_none_or(|after| {
                    // One with a public key of another length has its place by that length, which is encoded first.
                    !well_formed(after) || keys.first().is_none_or(|first| *after < first.id)
                })
        }
        (Call::Sign { key, .. }, Reply::Signature(signature)) => {
            signature.len() == if key.scheme == Scheme::Ecdsa { 65 } else { 64 }
        }
        (Call::SignPrehashed { .. }, Reply::Signature(signature)) => signature.len() == 65,
        (Call::VrfSign { .. }, Reply::VrfSignature { proof, .. }) => proof.len() == 64,
        _ => false,
    }
}

fn well_formed(id: &KeyId) -> bool {
    id.public.len() == if id.scheme == Scheme::Ecdsa { 33 } else { 32 }
}
