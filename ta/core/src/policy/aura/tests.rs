use alloc::{vec, vec::Vec};

use codec::Encode;
use proptest::prelude::*;

use super::*;
use crate::testing::{header, header_with, pre_runtime};

fn judge_own_hash(header: Vec<u8>) -> Result<(), Rule> {
    judge(&blake2_256(&header), &Context::Header(header)).map(drop)
}

#[test]
fn a_header_before_its_seal_is_allowed_and_its_slot_read() {
    for slot_number in [0, 1, 0x0102_0304_0506_0708, u64::MAX] {
        for number in [1, 63, 64, 1 << 14, 1 << 30, u32::MAX] {
            let header = header(number, slot_number, &[]);
            assert_eq!(read_slot(&header), Some(slot_number));
            assert_eq!(judge_own_hash(header), Ok(()));
        }
    }
}

#[test]
fn a_header_as_a_running_chain_makes_them_is_allowed() {
    // A change of authorities, a runtime upgrade, a pallet's log, another engine's pre-runtime digest.
    let more = [
        (4u8, *b"FRNK", vec![7u8; 500]).encode(),
        vec![8],
        (0u8, vec![1u8, 2, 3]).encode(),
        pre_runtime(b"BABE", &[0; 40]),
    ];
    assert_eq!(judge_own_hash(header(1, 2, &more)), Ok(()));
}

#[test]
fn a_hash_without_its_header_is_refused() {
    assert_eq!(judge(&[1; HASH], &Context::None), Err(Rule::AuraNeedsHeader));
}

#[test]
fn a_header_that_hashes_to_something_else_is_refused() {
    let header = header(1, 2, &[]);
    let mut hash = blake2_256(&header);
    for bit in 0..256 {
        hash[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(judge(&hash, &Context::Header(header.clone())), Err(Rule::AuraHeaderMismatch));
        hash[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(judge(&[0; HASH], &Context::Header(Vec::new())), Err(Rule::AuraHeaderMismatch));
}

#[test]
fn what_is_no_unsealed_header_is_refused_though_it_hashes_to_the_message() {
    let aura = pre_runtime(b"aura", &2u64.encode());
    let seal = (5u8, *b"aura", vec![0u8; 64]).encode();
    let foreign_seal = (5u8, *b"BEEF", Vec::<u8>::new()).encode();
    let cases: [(&str, Vec<u8>); 15] = [
        ("nothing", Vec::new()),
        ("no digest", header_with(1, &[])),
        ("the genesis header, whose slot is 0 to `sc_consensus_aura`", header(0, 2, &[])),
        ("another engine's digest", header_with(1, &[pre_runtime(b"BABE", &2u64.encode())])),
        ("a slot of seven bytes", header_with(1, &[pre_runtime(b"aura", &[0; 7])])),
        ("a slot of nine bytes", header_with(1, &[pre_runtime(b"aura", &[0; 9])])),
        ("two slots", header_with(1, &[aura.clone(), aura.clone()])),
        ("two slots, one of them malformed", header_with(1, &[aura.clone(), pre_runtime(b"aura", &[])])),
        ("a seal", header_with(1, &[aura.clone(), seal.clone()])),
        ("a seal first", header_with(1, &[seal, aura.clone()])),
        ("another engine's seal", header_with(1, &[aura.clone(), foreign_seal])),
        ("an item of an unknown kind", header_with(1, &[aura.clone(), vec![3, 0]])),
        ("a byte too many", [header(1, 2, &[]), vec![0]].concat()),
        ("fewer items than announced", header_with(1, &[aura.clone(), Vec::new()])),
        // 1 in four bytes, where one is enough.
        ("a number in a long form", [&[1; 32][..], &[6, 0, 0, 0], &header(1, 2, &[])[33..]].concat()),
    ];
    for (what, header) in cases {
        assert_eq!(judge_own_hash(header), Err(Rule::AuraMalformedHeader), "{what}");
    }
}

#[test]
fn every_prefix_of_a_header_is_refused() {
    let whole = header(1 << 20, 2, &[vec![8], (4u8, *b"FRNK", vec![7u8; 70]).encode()]);
    for length in 0..whole.len() {
        assert_eq!(judge_own_hash(whole[..length].to_vec()), Err(Rule::AuraMalformedHeader), "{length}");
    }
}

#[test]
fn lengths_far_beyond_the_header_are_refused() {
    for lie in [u32::MAX, 1 << 31, 1 << 16] {
        let mut items = header_with(1, &[]);
        items.pop();
        items.extend(Compact(lie).encode());
        assert_eq!(judge_own_hash(items), Err(Rule::AuraMalformedHeader));

        let mut data = header_with(1, &[[&b"\x06aura"[..], &Compact(lie).encode()].concat()]);
        data.extend(2u64.encode());
        assert_eq!(judge_own_hash(data), Err(Rule::AuraMalformedHeader));
    }
}

proptest! {
    // Rule 7
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(judge_own_hash(bytes).is_err());
    }

    // Rule 7
    #[test]
    fn a_header_with_any_byte_changed_has_the_slot_that_it_says_or_is_refused(
        at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut bytes = header(300, 2, &[(4u8, *b"FRNK", vec![7u8; 30]).encode()]);
        let at = at.index(bytes.len());
        bytes[at] = to;
        // The slot's bytes are the eight after: hashes, number, count, kind, engine, length.
        let slot_at = 96 + 2 + 1 + 1 + 4 + 1;
        let expected = u64::from_le_bytes(bytes[slot_at..slot_at + 8].try_into().expect("eight bytes"));
        prop_assert!(read_slot(&bytes).is_none_or(|slot| slot == expected));
    }
}
