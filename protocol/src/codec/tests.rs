//! Rule 7: whatever the bytes, a decoder gives a value or an error.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::lease::{Claim, Identity, Lease, Tenure};
use crate::message::{
    Call, Context, Failure, Floor, GrandpaRound, KeyId, KeyInfo, Position, Reply, Scheme, Seed, Usage, Visitor,
    Watermark,
};

fn scheme() -> impl Strategy<Value = Scheme> {
    prop_oneof![Just(Scheme::Sr25519), Just(Scheme::Ed25519), Just(Scheme::Ecdsa)]
}

fn usage() -> impl Strategy<Value = Usage> {
    prop_oneof![Just(Usage::Sign), Just(Usage::SignAndVrf)]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..100)
}

fn key() -> impl Strategy<Value = KeyId> {
    (scheme(), any::<[u8; 4]>(), bytes()).prop_map(|(scheme, key_type, public)| KeyId { scheme, key_type, public })
}

fn key_info() -> impl Strategy<Value = KeyInfo> {
    (key(), usage(), any::<bool>()).prop_map(|(id, usage, seeded)| KeyInfo { id, usage, seeded })
}

fn tee() -> impl Strategy<Value = TeeInfo> {
    let flags = (any::<u32>(), any::<u16>(), ".{0,20}", any::<bool>(), any::<bool>());
    (flags, any::<Option<u32>>(), any::<u64>(), any::<bool>()).prop_map(
        |(flags, keys, catalogue, rollback_protected)| {
            let (ta_version, schema, kind, simulated, development) = flags;
            TeeInfo { ta_version, schema, kind, simulated, development, keys, catalogue, rollback_protected }
        },
    )
}

/// With any bytes for a name, as they may come over the wire.
fn identity() -> impl Strategy<Value = Identity> {
    vec(any::<u8>(), 80).prop_map(|bytes| decode(&bytes).unwrap())
}

fn visitor() -> impl Strategy<Value = Visitor> {
    let node = (any::<[u8; 32]>(), identity()).prop_map(|(genesis, identity)| Visitor::Node { genesis, identity });
    prop_oneof![node, Just(Visitor::Operator)]
}

fn claim() -> impl Strategy<Value = Claim> {
    prop_oneof![Just(Claim::Look), Just(Claim::Take), Just(Claim::Keep), Just(Claim::TakeOver)]
}

fn tenure() -> impl Strategy<Value = Tenure> {
    prop_oneof![
        Just(Tenure::Yours),
        (identity(), any::<u64>(), any::<u64>()).prop_map(|(holder, since_ms, silent_ms)| Tenure::Held {
            holder,
            since_ms,
            silent_ms
        }),
        (proptest::option::of(identity()), any::<u32>())
            .prop_map(|(last, reserved_ms)| Tenure::Free { last, reserved_ms }),
    ]
}

fn lease() -> impl Strategy<Value = Lease> {
    (tenure(), any::<u32>(), any::<Option<(u64, u64)>>(), any::<Option<u64>>())
        .prop_map(|(tenure, lasts_ms, last_vote, last_slot)| Lease { tenure, lasts_ms, last_vote, last_slot })
}

fn round() -> impl Strategy<Value = GrandpaRound> {
    any::<(u64, u64)>().prop_map(|(set_id, round)| GrandpaRound { set_id, round })
}

fn position() -> impl Strategy<Value = Position> {
    prop_oneof![round().prop_map(Position::Grandpa), any::<u64>().prop_map(Position::Aura)]
}

fn watermark() -> impl Strategy<Value = Watermark> {
    (key(), position()).prop_map(|(id, highest)| Watermark { id, highest })
}

fn floor() -> impl Strategy<Value = Floor> {
    (proptest::option::of(round()), any::<Option<u64>>()).prop_map(|(grandpa, slot)| Floor { grandpa, slot })
}

fn call() -> impl Strategy<Value = Call> {
    let context = prop_oneof![Just(Context::None), bytes().prop_map(Context::Header)];
    prop_oneof![
        Just(Call::Info),
        (scheme(), any::<[u8; 4]>(), usage(), proptest::option::of(bytes())).prop_map(
            |(scheme, key_type, usage, seed)| Call::Generate { scheme, key_type, usage, seed: seed.map(Seed) }
        ),
        proptest::option::of(key()).prop_map(|after| Call::List { after }),
        key().prop_map(Call::Has),
        (key(), bytes(), context).prop_map(|(key, message, context)| Call::Sign { key, message, context }),
        (key(), any::<[u8; 32]>()).prop_map(|(key, hash)| Call::SignPrehashed { key, hash }),
        (key(), any::<[u8; 32]>()).prop_map(|(key, input)| Call::VrfSign { key, input }),
        (key(), any::<[u8; 32]>()).prop_map(|(key, input)| Call::VrfPreOutput { key, input }),
        key().prop_map(Call::Retire),
        claim().prop_map(Call::Lease),
        proptest::option::of(key()).prop_map(|after| Call::Watermarks { after }),
        (key(), position()).prop_map(|(key, to)| Call::RaiseWatermark { key, to }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    (any::<u64>(), any::<u32>(), call()).prop_map(|(id, deadline_ms, call)| Request { id, deadline_ms, call })
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        tee().prop_map(Reply::Info),
        key_info().prop_map(Reply::Generated),
        (vec(key_info(), 0..5), any::<bool>()).prop_map(|(keys, more)| Reply::Keys { keys, more }),
        any::<bool>().prop_map(Reply::Has),
        bytes().prop_map(Reply::Signature),
        (any::<[u8; 32]>(), bytes()).prop_map(|(pre_output, proof)| Reply::VrfSignature { pre_output, proof }),
        any::<[u8; 32]>().prop_map(Reply::VrfPreOutput),
        Just(Reply::Retired),
        lease().prop_map(Reply::Lease),
        (floor(), vec(watermark(), 0..5), any::<bool>()).prop_map(|(floor, watermarks, more)| Reply::Watermarks {
            floor,
            watermarks,
            more
        }),
        Just(Reply::WatermarkRaised),
    ]
}

fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        ".{0,20}".prop_map(|rule| Failure::Refused { rule }),
        proptest::option::of(identity()).prop_map(|holder| Failure::NotHolder { holder }),
        Just(Failure::NoSuchKey),
        ".{0,20}".prop_map(Failure::BadRequest),
        ".{0,20}".prop_map(Failure::Tee),
        Just(Failure::Busy),
        Just(Failure::Deadline),
        ".{0,20}".prop_map(Failure::Daemon),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let result = prop_oneof![reply().prop_map(Ok), failure().prop_map(Err)];
    (any::<u64>(), result).prop_map(|(id, result)| Response { id, result })
}

proptest! {
    #[test]
    fn a_request_reads_back_and_none_of_its_beginnings_do(request in request()) {
        let bytes = encode_request(&request).unwrap();
        prop_assert_eq!(&decode_request(&bytes).unwrap(), &request);
        prop_assert_eq!(&bytes, &encode(&ToDaemon::Request(request)).unwrap());
        for end in 0..bytes.len() {
            prop_assert!(decode_request(&bytes[..end]).is_err());
        }
        prop_assert!(decode_request(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_response_reads_back_and_none_of_its_beginnings_do(response in response()) {
        let bytes = encode_from_daemon(&FromDaemon::Response(response.clone())).unwrap();
        prop_assert_eq!(decode_response(&bytes).unwrap(), response);
        for end in 0..bytes.len() {
            prop_assert!(decode_response(&bytes[..end]).is_err());
        }
        prop_assert!(decode_response(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_hello_reads_back_in_this_version_only(visitor in visitor(), version: u16) {
        let bytes = encode_hello(Hello { version, visitor }).unwrap();
        match decode_hello(&bytes) {
            Ok(hello) => prop_assert!(version == VERSION && hello.visitor == visitor),
            Err(ChannelError::Version(theirs)) => prop_assert!(version != VERSION && theirs == version),
            other => prop_assert!(false, "{:?}", other),
        }
        let bytes = encode_hello(Hello { version: VERSION, visitor }).unwrap();
        for end in 0..bytes.len() {
            prop_assert!(decode_hello(&bytes[..end]).is_err());
        }
        prop_assert!(decode_hello(&[&bytes[..], &[0]].concat()).is_err());
    }

    // What any client says of itself is shown in logs and by operators' commands.
    #[test]
    fn an_identity_is_shown_on_one_line_without_control_characters(identity in identity()) {
        for shown in [identity.name(), identity.to_string(), format!("{identity:?}")] {
            prop_assert!(!shown.chars().any(char::is_control), "{:?}", shown);
            prop_assert!(shown.len() < 600);
        }
    }

    #[test]
    fn a_welcome_reads_back_in_this_version_only(tee in tee(), version: u16) {
        let bytes = encode_from_daemon(&FromDaemon::Welcome(Welcome { version, tee: tee.clone() })).unwrap();
        match decode_opening(&bytes) {
            Ok(Ok(read)) => prop_assert!(version == VERSION && read == tee),
            Err(ChannelError::Version(theirs)) => prop_assert!(version != VERSION && theirs == version),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(kind in 0u8..4, bytes in vec(any::<u8>(), 0..400)) {
        // With a likely beginning, more of the decoder is reached.
        let likely = [&[kind, 0, 0, 0][..], &bytes].concat();
        for bytes in [&bytes, &likely] {
            let _ = decode_hello(bytes);
            let _ = decode_request(bytes);
            let _ = decode_opening(bytes);
            let _ = decode_response(bytes);
        }
    }

    #[test]
    fn a_changed_message_is_a_message_or_an_error(
        request in request(), response in response(), place: prop::sample::Index, value: u64,
    ) {
        let response = encode_from_daemon(&FromDaemon::Response(response)).unwrap();
        for mut bytes in [encode_request(&request).unwrap(), response] {
            let start = place.index(bytes.len());
            for (byte, value) in bytes[start..].iter_mut().zip(value.to_le_bytes()) {
                *byte = value;
            }
            let _ = decode_request(&bytes);
            let _ = decode_response(&bytes);
        }
    }
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_no_longer() {
    let response = |length| {
        encode_from_daemon(&FromDaemon::Response(Response { id: 1, result: Ok(Reply::Signature(vec![0; length])) }))
    };
    let overhead = response(0).unwrap().len();
    assert_eq!(response(MAX_MESSAGE - overhead).unwrap().len(), MAX_MESSAGE);
    assert!(response(MAX_MESSAGE - overhead + 1).is_err());
}

// Rule 1.
#[test]
fn a_seed_is_not_shown() {
    let call = Call::Generate {
        scheme: Scheme::Sr25519,
        key_type: *b"aura",
        usage: Usage::Sign,
        seed: Some(Seed(vec![0xab, 0xcd])),
    };
    let shown = format!("{call:?}");
    assert!(shown.contains("hidden") && !shown.contains("171") && !shown.contains("205"), "{shown}");
}
