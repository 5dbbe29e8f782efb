use super::*;
use codec::Decode;
use holdfast_protocol::lease::Claim;
use proptest::prelude::*;

const SCHEMES: [message::Scheme; 3] = [message::Scheme::Sr25519, message::Scheme::Ed25519, message::Scheme::Ecdsa];
const AURA: [u8; 4] = *b"aura";
const ROUND: message::GrandpaRound = message::GrandpaRound { set_id: 3, round: 5 };
const TA_ROUND: ta::GrandpaRound = ta::GrandpaRound { set_id: 3, round: 5 };
/// The one call that is not for the trusted application.
const LEASE: Call = Call::Lease(Claim::Take);

fn public(scheme: message::Scheme) -> Vec<u8> {
    vec![7; if scheme == message::Scheme::Ecdsa { 33 } else { 32 }]
}

fn key(scheme: message::Scheme) -> KeyId {
    KeyId { scheme, key_type: AURA, public: public(scheme) }
}

fn ta_key(scheme: message::Scheme) -> ta::KeyId {
    to_key_id(key(scheme))
}

fn listed(public: u8) -> ta::KeyInfo {
    ta::KeyInfo {
        id: ta::KeyId { scheme: ta::Scheme::Sr25519, key_type: AURA, public: vec![public; 32] },
        usage: ta::Usage::Sign,
        origin: Origin::Generated,
    }
}

fn generate(scheme: message::Scheme, usage: message::Usage, seed: Option<Seed>) -> Call {
    Call::Generate { scheme, key_type: AURA, usage, seed }
}

fn sign(scheme: message::Scheme) -> Call {
    Call::Sign { key: key(scheme), message: vec![1], context: message::Context::None }
}

/// One of each call, by its name.
fn calls() -> Vec<Call> {
    let sr = message::Scheme::Sr25519;
    vec![
        Call::Info,
        generate(sr, message::Usage::Sign, None),
        Call::List { after: None },
        Call::Has(key(sr)),
        sign(sr),
        Call::SignPrehashed { key: key(message::Scheme::Ecdsa), hash: [3; 32] },
        Call::VrfSign { key: key(sr), input: [4; 32] },
        Call::VrfPreOutput { key: key(sr), input: [5; 32] },
        Call::Retire(key(sr)),
        Call::Watermarks { after: None },
        Call::RaiseWatermark { key: key(sr), to: message::Position::Aura(6) },
    ]
}

/// For each of [`calls`], a reply that belongs to it.
fn replies() -> Vec<ta::Reply> {
    vec![
        ta::Reply::Info(info(Kind::Software)),
        ta::Reply::Generated(listed(1)),
        ta::Reply::Keys { keys: vec![listed(1)], more: false },
        ta::Reply::Has(true),
        ta::Reply::Signature(vec![9; 64]),
        ta::Reply::Signature(vec![9; 65]),
        ta::Reply::VrfSignature { pre_output: [1; 32], proof: [2; 64] },
        ta::Reply::VrfPreOutput([6; 32]),
        ta::Reply::Retired,
        watermarks(&[1], false),
        ta::Reply::WatermarkRaised,
    ]
}

/// Of `aura` keys.
fn watermarks(publics: &[u8], more: bool) -> ta::Reply {
    let watermark = |public| ta::WatermarkInfo { id: listed(public).id, highest: ta::Position::Aura(8) };
    ta::Reply::Watermarks {
        floor: ta::Positions::default(),
        watermarks: publics.iter().copied().map(watermark).collect(),
        more,
    }
}

fn info(kind: Kind) -> ta::Info {
    let rollback_protected = kind == Kind::OpTee;
    ta::Info {
        ta_version: 3,
        schema: 2,
        kind,
        development: true,
        keys: Some(5),
        catalogue: 11,
        rollback_protected,
        capacity: ta::MAX_KEYS,
    }
}

fn asked(call: Call) -> Command {
    let question = Question::new(call).expect("a question");
    let ta::Request::V1(command) = ta::Request::decode_all(&mut question.request()).expect("decodes");
    command
}

fn answered(call: Call, result: Result<ta::Reply, Error>) -> Result<Reply, Failure> {
    Question::new(call).expect("a question").reply(&ta::Answer::V1(result).encode())
}

#[track_caller]
fn not_believed(call: Call, reply: ta::Reply) {
    let name = call_name(&call);
    assert!(matches!(answered(call, Ok(reply)), Err(Failure::Tee(_))), "{name}");
}

fn same(left: &Command, right: &Command) -> bool {
    left == right
}

#[test]
fn each_call_becomes_its_command_with_every_field() {
    let header = vec![8; 90];
    for scheme in SCHEMES {
        let id = ta_key(scheme);
        for (usage, ta_usage) in
            [(message::Usage::Sign, ta::Usage::Sign), (message::Usage::SignAndVrf, ta::Usage::SignAndVrf)]
        {
            for seed in [None, Some(vec![42; 32])] {
                assert!(same(
                    &asked(generate(scheme, usage, seed.clone().map(Seed))),
                    &Command::Generate { scheme: id.scheme, key_type: AURA, usage: ta_usage, seed: seed.map(ta::Seed) }
                ));
            }
        }
        let pairs = [
            (Call::List { after: Some(key(scheme)) }, Command::List { after: Some(id.clone()), limit: MAX_PAGE }),
            (Call::Has(key(scheme)), Command::Has { id: id.clone() }),
            (sign(scheme), Command::Sign { id: id.clone(), message: vec![1], context: ta::Context::None }),
            (
                Call::Sign { key: key(scheme), message: vec![1], context: message::Context::Header(header.clone()) },
                Command::Sign { id: id.clone(), message: vec![1], context: ta::Context::Header(header.clone()) },
            ),
            (
                Call::SignPrehashed { key: key(scheme), hash: [3; 32] },
                Command::SignPrehashed { id: id.clone(), hash: [3; 32] },
            ),
            (Call::VrfSign { key: key(scheme), input: [4; 32] }, Command::VrfSign { id: id.clone(), input: [4; 32] }),
            (
                Call::VrfPreOutput { key: key(scheme), input: [5; 32] },
                Command::VrfPreOutput { id: id.clone(), input: [5; 32] },
            ),
            (Call::Retire(key(scheme)), Command::Retire { id: id.clone() }),
            (
                Call::Watermarks { after: Some(key(scheme)) },
                Command::Watermarks { after: Some(id.clone()), limit: MAX_PAGE },
            ),
            (
                Call::RaiseWatermark { key: key(scheme), to: message::Position::Aura(7) },
                Command::RaiseWatermark { id: id.clone(), to: ta::Position::Aura(7) },
            ),
            (
                Call::RaiseWatermark { key: key(scheme), to: message::Position::Grandpa(ROUND) },
                Command::RaiseWatermark { id: id.clone(), to: ta::Position::Grandpa(TA_ROUND) },
            ),
        ];
        for (call, command) in pairs {
            let name = call_name(&call);
            assert!(same(&asked(call), &command), "{name} {scheme:?}");
        }
    }
    assert!(same(&asked(Call::Info), &Command::Info));
    assert!(same(&asked(Call::List { after: None }), &Command::List { after: None, limit: MAX_PAGE }));
}

#[test]
fn rule_3_each_reply_is_believed_for_its_own_call_and_for_no_other() {
    for (asked, call) in calls().into_iter().enumerate() {
        for (given, reply) in replies().into_iter().enumerate() {
            let result = answered(call.clone(), Ok(reply));
            if asked == given {
                assert!(result.is_ok(), "{} {result:?}", call_name(&call));
            } else {
                assert!(matches!(result, Err(Failure::Tee(_))), "{} {given}", call_name(&call));
            }
        }
    }
}

#[test]
fn each_reply_keeps_every_field() {
    let [sr, _, ecdsa] = SCHEMES;
    assert_eq!(answered(Call::Has(key(sr)), Ok(ta::Reply::Has(false))), Ok(Reply::Has(false)));
    assert_eq!(answered(sign(ecdsa), Ok(ta::Reply::Signature(vec![1; 65]))), Ok(Reply::Signature(vec![1; 65])));
    assert_eq!(
        answered(
            Call::VrfSign { key: key(sr), input: [0; 32] },
            Ok(ta::Reply::VrfSignature { pre_output: [1; 32], proof: [2; 64] })
        ),
        Ok(Reply::VrfSignature { pre_output: [1; 32], proof: vec![2; 64] })
    );
    let mut seeded = listed(3);
    (seeded.usage, seeded.origin) = (ta::Usage::SignAndVrf, Origin::Seeded);
    assert_eq!(
        answered(generate(sr, message::Usage::SignAndVrf, Some(Seed(vec![1; 32]))), Ok(ta::Reply::Generated(seeded))),
        Ok(Reply::Generated(KeyInfo {
            id: KeyId { scheme: sr, key_type: AURA, public: vec![3; 32] },
            usage: message::Usage::SignAndVrf,
            seeded: true,
        }))
    );
}

#[test]
fn watermarks_keep_every_field() {
    let id = ta::KeyId { scheme: ta::Scheme::Ed25519, key_type: *b"gran", public: vec![2; 32] };
    let reply = ta::Reply::Watermarks {
        floor: ta::Positions { grandpa: Some(TA_ROUND), slot: Some(9) },
        watermarks: vec![
            ta::WatermarkInfo { id: listed(1).id, highest: ta::Position::Aura(7) },
            ta::WatermarkInfo { id, highest: ta::Position::Grandpa(TA_ROUND) },
        ],
        more: true,
    };
    let id = KeyId { scheme: message::Scheme::Sr25519, key_type: AURA, public: vec![1; 32] };
    let gran = KeyId { scheme: message::Scheme::Ed25519, key_type: *b"gran", public: vec![2; 32] };
    assert_eq!(
        answered(Call::Watermarks { after: None }, Ok(reply)),
        Ok(Reply::Watermarks {
            floor: message::Floor { grandpa: Some(ROUND), slot: Some(9) },
            watermarks: vec![
                message::Watermark { id, highest: message::Position::Aura(7) },
                message::Watermark { id: gran, highest: message::Position::Grandpa(ROUND) },
            ],
            more: true,
        })
    );
}

#[test]
fn a_watermark_that_is_not_of_its_keys_kind_is_not_believed() {
    for (key_type, highest, kind) in [
        (*b"aura", ta::Position::Aura(1), true),
        (*b"gran", ta::Position::Grandpa(TA_ROUND), true),
        (*b"aura", ta::Position::Grandpa(TA_ROUND), false),
        (*b"gran", ta::Position::Aura(1), false),
        (*b"test", ta::Position::Aura(1), false),
    ] {
        let id = ta::KeyId { scheme: ta::Scheme::Ed25519, key_type, public: vec![1; 32] };
        let watermarks = vec![ta::WatermarkInfo { id, highest }];
        let reply = ta::Reply::Watermarks { floor: ta::Positions::default(), watermarks, more: false };
        assert_eq!(answered(Call::Watermarks { after: None }, Ok(reply)).is_ok(), kind, "{key_type:?}");
    }
}

#[test]
fn only_its_own_answer_to_the_farewell_is_taken_for_one() {
    assert_eq!(farewell(), ta::Request::V1(Command::Close).encode());
    assert_eq!(took_leave(&ta::Answer::V1(Ok(ta::Reply::Closed)).encode()), Ok(()));
    for answer in [ta::Answer::V1(Ok(ta::Reply::Retired)).encode(), vec![], vec![0; MAX_ANSWER + 1]] {
        assert!(matches!(took_leave(&answer), Err(Failure::Tee(_))));
    }
    // To no call may it be the answer.
    calls().into_iter().for_each(|call| not_believed(call, ta::Reply::Closed));
}

// Rule 9: a software TEE says so.
#[test]
fn rule_9_a_software_tee_is_called_one_and_simulated() {
    for (kind, name, simulated) in [(Kind::Software, "software TEE, not a TEE", true), (Kind::OpTee, "OP-TEE", false)] {
        assert_eq!(
            answered(Call::Info, Ok(ta::Reply::Info(info(kind)))),
            Ok(Reply::Info(TeeInfo {
                ta_version: 3,
                schema: 2,
                kind: name.into(),
                simulated,
                development: true,
                keys: Some(5),
                catalogue: 11,
                rollback_protected: !simulated,
            }))
        );
    }
}

#[test]
fn a_signature_of_another_schemes_length_is_not_believed() {
    for scheme in SCHEMES {
        let right = if scheme == message::Scheme::Ecdsa { 65 } else { 64 };
        for length in 0..130 {
            let result = answered(sign(scheme), Ok(ta::Reply::Signature(vec![0; length])));
            assert_eq!(result.is_ok(), length == right, "{scheme:?} {length}");
        }
    }
}

#[test]
fn a_generated_key_of_another_scheme_type_or_length_is_not_believed() {
    let call = || generate(message::Scheme::Sr25519, message::Usage::Sign, None);
    let change = |edit: fn(&mut ta::KeyInfo)| {
        let mut info = listed(1);
        edit(&mut info);
        ta::Reply::Generated(info)
    };
    not_believed(call(), change(|info| info.id.scheme = ta::Scheme::Ed25519));
    not_believed(call(), change(|info| info.id.key_type = *b"gran"));
    not_believed(call(), change(|info| info.id.public.push(0)));
    not_believed(call(), change(|info| info.id.public.clear()));
}

#[test]
fn a_page_out_of_order_too_long_or_without_end_is_not_believed() {
    let after =
        |public| Call::List { after: Some(KeyId { public: vec![public; 32], ..key(message::Scheme::Sr25519) }) };
    let keys = |publics: &[u8], more| ta::Reply::Keys { keys: publics.iter().map(|p| listed(*p)).collect(), more };
    assert!(answered(after(1), Ok(keys(&[2, 3], true))).is_ok());
    assert!(answered(after(1), Ok(keys(&[], false))).is_ok());
    not_believed(after(1), keys(&[3, 2], false));
    not_believed(after(1), keys(&[2, 2], false));
    not_believed(after(2), keys(&[2], true));
    not_believed(after(2), keys(&[1, 3], true));
    not_believed(after(2), keys(&[], true));
    let full: Vec<u8> = (0..=64).collect();
    not_believed(Call::List { after: None }, keys(&full, false));
    assert!(answered(Call::List { after: None }, Ok(keys(&full[1..], true))).is_ok());
    let mut short = listed(2);
    short.id.public.pop();
    not_believed(Call::List { after: None }, ta::Reply::Keys { keys: vec![short], more: false });
}

#[test]
fn a_page_of_watermarks_out_of_order_too_long_or_without_end_is_not_believed() {
    let after = |public| {
        let key = KeyId { public: vec![public; 32], ..key(message::Scheme::Sr25519) };
        Call::Watermarks { after: Some(key) }
    };
    assert!(answered(after(1), Ok(watermarks(&[2, 3], true))).is_ok());
    assert!(answered(after(1), Ok(watermarks(&[], false))).is_ok());
    for (publics, more) in [(&[3, 2][..], false), (&[2, 2], false), (&[1], true), (&[], true)] {
        not_believed(after(1), watermarks(publics, more));
    }
    let full: Vec<u8> = (0..=64).collect();
    not_believed(Call::Watermarks { after: None }, watermarks(&full, false));
    assert!(answered(Call::Watermarks { after: None }, Ok(watermarks(&full[1..], true))).is_ok());
}

#[test]
fn each_error_becomes_its_failure() {
    let fails = |error| answered(Call::Info, Err(error)).expect_err("fails");
    for what in [
        BadRequest::TooLong,
        BadRequest::Malformed,
        BadRequest::BadKey,
        BadRequest::WrongScheme,
        BadRequest::TooManyKeys,
        BadRequest::RepeatedKey,
        BadRequest::WrongPosition,
    ] {
        assert!(matches!(fails(Error::BadRequest(what)), Failure::BadRequest(_)), "{what:?}");
    }
    assert_eq!(fails(Error::NoSuchKey), Failure::NoSuchKey);
    for (error, says) in [
        (Error::NewerStore, "newer"),
        (Error::OtherStore, "its own store"),
        (Error::Corrupt, "damaged"),
        (Error::Full, "full: retire the keys"),
        (Error::Platform(0xffff_0007), "0xffff0007"),
    ] {
        assert!(matches!(fails(error), Failure::Tee(text) if text.contains(says)), "{error:?}");
    }
}

#[test]
fn each_rule_is_told_by_its_own_name_which_the_protocol_has_words_for() {
    // Every rule that decodes, so that a new one cannot be left out.
    let rules: Vec<Rule> = (0..=u8::MAX).filter_map(|index| Rule::decode_all(&mut &[index][..]).ok()).collect();
    assert!(rules.len() >= 16);
    for rule in rules {
        let failure = answered(Call::Info, Err(Error::Refused(rule))).expect_err("refused");
        let name = format!("{rule:?}");
        assert!(holdfast_protocol::rule::meaning(&name).is_some(), "{name}");
        assert_eq!(failure, Failure::Refused { rule: name });
    }
}

#[test]
fn a_call_longer_than_the_trusted_application_reads_is_a_bad_request() {
    let with = |length| Call::Sign {
        key: key(message::Scheme::Sr25519),
        message: vec![0; 32],
        context: message::Context::Header(vec![0; length]),
    };
    let longest = (0..MAX_REQUEST).rev().find(|length| Question::new(with(*length)).is_ok()).expect("some fit");
    assert!(longest > MAX_REQUEST - 200);
    assert_eq!(Question::new(with(longest)).expect("fits").request().len(), MAX_REQUEST);
    assert!(matches!(Question::new(with(longest + 1)), Err(Failure::BadRequest(_))));
}

#[test]
fn an_answer_too_long_truncated_or_with_bytes_left_over_is_not_believed() {
    let question = Question::new(Call::Info).expect("a question");
    let answer = ta::Answer::V1(Ok(ta::Reply::Info(info(Kind::Software)))).encode();
    assert!(question.reply(&answer).is_ok());
    for length in 0..answer.len() {
        assert!(matches!(question.reply(&answer[..length]), Err(Failure::Tee(_))), "{length}");
    }
    assert!(matches!(question.reply(&[&answer[..], &[0]].concat()), Err(Failure::Tee(_))));
    assert!(matches!(question.reply(&vec![0; MAX_ANSWER + 1]), Err(Failure::Tee(text)) if text.contains("bytes")));
}

#[test]
fn a_claim_to_the_lease_never_reaches_the_trusted_application() {
    assert!(matches!(Question::new(LEASE), Err(Failure::BadRequest(_))));
}

#[test]
fn names_are_distinct() {
    let mut names: std::collections::BTreeSet<_> = calls().iter().map(call_name).collect();
    names.insert(call_name(&LEASE));
    assert_eq!(names.len(), calls().len() + 1);
    let failures = [
        Failure::Refused { rule: String::new() },
        Failure::NotHolder { holder: None },
        Failure::NoSuchKey,
        Failure::BadRequest(String::new()),
        Failure::Tee(String::new()),
        Failure::Busy,
        Failure::Deadline,
    ];
    let outcomes: std::collections::BTreeSet<_> = failures.into_iter().map(|f| outcome_name(&Err(f))).collect();
    assert_eq!(outcomes.len(), 7);
    assert!(!outcomes.contains(outcome_name(&Ok(Reply::Retired))));
}

proptest! {
    // Rule 7: a bad byte is an error.
    #[test]
    fn rule_7_no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), which in 0..11usize) {
        let question = Question::new(calls().swap_remove(which)).expect("a question");
        let believed = question.reply(&bytes).is_ok();
        prop_assert!(!believed || ta::Answer::decode(&mut &bytes[..]).is_ok());
    }

    #[test]
    fn rule_7_no_answer_that_is_almost_right_panics(at in 0..200usize, byte: u8, which in 0..11usize) {
        let mut answer = ta::Answer::V1(Ok(replies().swap_remove(which))).encode();
        let length = answer.len();
        answer[at % length] = byte;
        let _ = Question::new(calls().swap_remove(which)).expect("a question").reply(&answer);
    }
}
