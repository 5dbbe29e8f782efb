use alloc::{vec, vec::Vec};

use super::*;
use crate::{
    hash::blake2_256,
    testing::{header, possession, vote},
    Origin,
};

const SCHEMES: [Scheme; 3] = [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa];
const TYPES: [KeyType; 8] = [*b"aura", *b"gran", *b"test", *b"babe", *b"imon", *b"audi", *b"beef", *b"AURA"];

fn subject(development: bool, scheme: Scheme, key_type: &KeyType) -> Subject {
    Subject { development, scheme, key_type: *key_type, usage: Usage::Sign }
}

fn aura(development: bool) -> Subject {
    subject(development, Scheme::Sr25519, b"aura")
}

fn gran(development: bool) -> Subject {
    subject(development, Scheme::Ed25519, b"gran")
}

/// The verdict alone.
fn judge(subject: &Subject, act: Act<'_>) -> Verdict {
    super::judge(subject, act).map(drop)
}

fn sign(subject: Subject, message: &[u8]) -> Verdict {
    judge(&subject, Act::Sign { message, context: &Context::None })
}

fn every_act() -> Vec<Act<'static>> {
    vec![
        Act::Make { seeded: false },
        Act::Make { seeded: true },
        Act::Sign { message: b"POP_", context: &Context::None },
        Act::SignPrehashed,
        Act::Vrf,
    ]
}

#[test]
fn a_pair_of_type_and_scheme_without_a_policy_can_do_nothing() {
    for key_type in TYPES {
        for scheme in SCHEMES {
            let known =
                matches!((&key_type, scheme), (b"aura", Scheme::Sr25519) | (b"gran", Scheme::Ed25519) | (b"test", _));
            for development in [false, true] {
                for usage in [Usage::Sign, Usage::SignAndVrf] {
                    for act in every_act() {
                        let verdict = judge(&Subject { development, scheme, key_type, usage }, act);
                        assert_eq!(verdict == Err(Rule::UnknownKeyType), !known, "{key_type:?} {scheme:?} {act:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_production_tee_does_nothing_with_test_keys_and_takes_no_seed() {
    for act in every_act() {
        for scheme in SCHEMES {
            assert_eq!(judge(&subject(false, scheme, b"test"), act), Err(Rule::DevelopmentOnly));
        }
    }
    for subject in [aura(false), gran(false)] {
        assert_eq!(judge(&subject, Act::Make { seeded: true }), Err(Rule::DevelopmentOnly));
        assert_eq!(judge(&subject, Act::Make { seeded: false }), Ok(()));
    }
    for subject in [aura(true), gran(true)] {
        assert_eq!(judge(&subject, Act::Make { seeded: true }), Ok(()));
    }
}

#[test]
fn a_test_key_on_a_development_tee_signs_anything() {
    for scheme in SCHEMES {
        for length in 0..200 {
            assert_eq!(sign(subject(true, scheme, b"test"), &vec![b'P'; length]), Ok(()));
        }
        assert_eq!(judge(&subject(true, scheme, b"test"), Act::SignPrehashed), Ok(()));
    }
}

#[test]
fn an_aura_key_signs_no_message_without_a_header_but_a_proof_of_possession() {
    for length in 0..200 {
        for fill in [0, 1, 2, b'P', 0xff] {
            assert_eq!(sign(aura(true), &vec![fill; length]), Err(Rule::AuraNeedsHeader), "{length}");
        }
    }
    assert_eq!(sign(aura(true), &vote(0, 1, 1)), Err(Rule::AuraNeedsHeader));
}

#[test]
fn a_header_does_not_make_another_length_signable() {
    let header = header(1, 2, &[]);
    let hash = blake2_256(&header);
    let context = Context::Header(header.clone());
    assert_eq!(judge(&aura(false), Act::Sign { message: &hash, context: &context }), Ok(()));
    for message in [&hash[..31], &[&hash[..], &[0]].concat(), &header, &[], &hash[..4]] {
        assert_eq!(judge(&aura(false), Act::Sign { message, context: &context }), Err(Rule::AuraNeedsHeader));
    }
}

#[test]
fn a_grandpa_key_signs_votes_of_the_three_stages_and_exactly_their_length() {
    for stage in 0..=255 {
        let vote = vote(stage, u64::MAX, 0);
        let expected = if stage <= 2 { Ok(()) } else { Err(Rule::GrandpaMalformedVote) };
        assert_eq!(sign(gran(false), &vote), if stage == b'P' { Err(Rule::GrandpaMalformedVote) } else { expected });
    }
    for length in 0..200 {
        for stage in 0..=2 {
            let expected = if length == 53 { Ok(()) } else { Err(Rule::GrandpaMalformedVote) };
            assert_eq!(sign(gran(false), &vec![stage; length]), expected, "{length}");
        }
    }
}

#[test]
fn a_vote_is_read_field_by_field() {
    let expected =
        Vote { stage: 1, target_hash: [9; 32], target_number: 77, round: 0x0102_0304_0506_0708, set_id: u64::MAX };
    let whole = vote(1, expected.round, expected.set_id);
    assert_eq!(read_vote(&whole), Some(expected));
    for length in 0..whole.len() {
        assert_eq!(read_vote(&whole[..length]), None);
    }
    assert_eq!(read_vote(&[&whole[..], &[0]].concat()), None);
    assert_eq!(read_vote(&vote(3, 1, 1)), None);
}

#[test]
fn no_vote_and_no_hash_is_a_proof_of_possession() {
    for owner in 0..200 {
        assert_eq!(proves_possession(&possession(&vec![7; owner])), matches!(owner, 0 | 32), "{owner}");
    }
    let mut vote = vote(0, 1, 1);
    vote[..4].copy_from_slice(b"POP_");
    for message in [&vote[..], &vote[..32], b"POP", b"pop_"] {
        assert!(!proves_possession(message));
    }
}

#[test]
fn a_grandpa_key_signs_no_header() {
    let header = header(1, 2, &[]);
    let hash = blake2_256(&header);
    let context = Context::Header(header);
    assert_eq!(judge(&gran(true), Act::Sign { message: &hash, context: &context }), Err(Rule::GrandpaMalformedVote));
}

#[test]
fn a_proof_of_possession_has_an_owner_of_32_bytes_or_none_on_a_development_tee() {
    for development in [false, true] {
        for owner in 0..200 {
            let message = possession(&vec![7; owner]);
            let expected = match owner {
                32 => Ok(()),
                0 if development => Ok(()),
                _ => Err(Rule::MalformedProofOfPossession),
            };
            assert_eq!(sign(gran(development), &message), expected, "{owner}");
            // 28: 32 bytes in all, which an aura key judges as a hash.
            let expected = if owner == 28 { Err(Rule::AuraNeedsHeader) } else { expected };
            assert_eq!(sign(aura(development), &message), expected, "{owner}");
        }
    }
}

#[test]
fn a_hash_that_begins_like_a_proof_of_possession_needs_its_header_all_the_same() {
    let message = possession(&[7; 28]);
    for development in [false, true] {
        let context = Context::Header(header(1, 2, &[]));
        assert_eq!(
            judge(&aura(development), Act::Sign { message: &message, context: &context }),
            Err(Rule::AuraHeaderMismatch)
        );
    }
}

#[test]
fn half_a_prefix_is_no_proof_of_possession() {
    for message in [&b"POP"[..], b"pop_", b"_POP", b"POP-"] {
        assert_eq!(sign(aura(true), message), Err(Rule::AuraNeedsHeader));
        assert_eq!(sign(gran(true), message), Err(Rule::GrandpaMalformedVote));
    }
}

#[test]
fn only_test_keys_made_for_it_make_vrfs() {
    for usage in [Usage::Sign, Usage::SignAndVrf] {
        let with = |subject: Subject| Subject { usage, ..subject };
        let test = with(subject(true, Scheme::Sr25519, b"test"));
        let allowed = if usage == Usage::SignAndVrf { Ok(()) } else { Err(Rule::VrfNotAllowed) };
        assert_eq!(judge(&test, Act::Vrf), allowed);
        assert_eq!(judge(&test, Act::Make { seeded: false }), Ok(()));
        for session in [aura(true), gran(true), aura(false), gran(false)] {
            assert_eq!(judge(&with(session), Act::Vrf), Err(Rule::VrfNotAllowed));
        }
    }
    for session in [aura(true), gran(true), aura(false), gran(false)] {
        let session = Subject { usage: Usage::SignAndVrf, ..session };
        assert_eq!(judge(&session, Act::Make { seeded: false }), Err(Rule::VrfNotAllowed));
    }
}

#[test]
fn session_keys_sign_no_hash_of_what_nobody_shows() {
    for session in [aura(true), gran(true), aura(false), gran(false)] {
        assert_eq!(judge(&session, Act::SignPrehashed), Err(Rule::PrehashedNotAllowed));
    }
}

#[test]
fn a_development_tee_is_not_measured_and_a_production_one_is() {
    assert_eq!(judge_application(true), Err(Rule::DevelopmentNotMeasured));
    assert_eq!(judge_application(false), Ok(()));
}

#[test]
fn a_measurement_names_session_keys_that_were_born_here_and_make_no_vrfs() {
    for key_type in TYPES {
        for scheme in SCHEMES {
            for usage in [Usage::Sign, Usage::SignAndVrf] {
                for origin in [Origin::Generated, Origin::Seeded] {
                    let session =
                        matches!((&key_type, scheme), (b"aura", Scheme::Sr25519) | (b"gran", Scheme::Ed25519));
                    let nameable = session && usage == Usage::Sign && origin == Origin::Generated;
                    let expected = if nameable { Ok(()) } else { Err(Rule::NotMeasurable) };
                    assert_eq!(judge_key(scheme, key_type, usage, origin), expected, "{key_type:?} {scheme:?}");
                }
            }
        }
    }
}

#[test]
fn a_vote_and_a_seal_are_statements_and_nothing_else_is() {
    let statement = |subject: Subject, message: &[u8], context: &Context| {
        super::judge(&subject, Act::Sign { message, context }).expect("allowed")
    };
    let header = header(1, 2, &[]);
    let hash = blake2_256(&header);
    let context = Context::Header(header);
    for development in [false, true] {
        let vote = vote(1, 3, 4);
        let expected = read_vote(&vote).map(Statement::Vote);
        assert!(expected.is_some());
        assert_eq!(statement(gran(development), &vote, &Context::None), expected);
        let expected = Some(Statement::Seal { slot: 2, header: hash });
        assert_eq!(statement(aura(development), &hash, &context), expected);
        for subject in [gran(development), aura(development)] {
            assert_eq!(statement(subject, &possession(&[7; 32]), &Context::None), None);
        }
    }
    for scheme in SCHEMES {
        for (message, context) in [(&vote(1, 3, 4)[..], &Context::None), (&hash, &context)] {
            assert_eq!(statement(subject(true, scheme, b"test"), message, context), None);
        }
    }
}

#[test]
fn only_session_keys_have_positions_each_of_its_kind() {
    let positions = [Position::Aura(1), Position::Grandpa(crate::GrandpaRound::default())];
    for key_type in TYPES {
        for scheme in SCHEMES {
            let has = positions.map(|position| has_position(&crate::testing::unknown_key(scheme, key_type), position));
            let aura = matches!((&key_type, scheme), (b"aura", Scheme::Sr25519));
            let gran = matches!((&key_type, scheme), (b"gran", Scheme::Ed25519));
            assert_eq!(has, [aura, gran], "{key_type:?} {scheme:?}");
        }
    }
}
