use alloc::{collections::BTreeSet, vec, vec::Vec};

use super::*;

fn key(fill: u8) -> BoundKey {
    BoundKey::new(KeyScheme::Ed25519, *b"gran", &[fill; 32]).expect("32 bytes")
}

#[test]
fn evidence_for_one_is_evidence_for_no_other() {
    let (one, two) = ([key(1)], [key(1), key(2)]);
    let turned = [key(2), key(1)];
    let ecdsa = [BoundKey::new(KeyScheme::Ecdsa, *b"beef", &[1; 33]).expect("33 bytes")];
    let base =
        Binding { audience: Audience::Chain, genesis: [1; 32], role: Role::VALIDATOR, operator: [2; 32], keys: &one };
    let mut all: Vec<(Binding<'_>, [u8; 32])> = vec![(base, [3; 32])];
    all.push((Binding { audience: Audience::Anyone, ..base }, [3; 32]));
    all.push((Binding { genesis: [9; 32], ..base }, [3; 32]));
    all.push((Binding { role: Role(*b"work"), ..base }, [3; 32]));
    all.push((Binding { operator: [9; 32], ..base }, [3; 32]));
    // What moves from one field to the next is not the same.
    all.push((Binding { genesis: [2; 32], operator: [1; 32], ..base }, [3; 32]));
    let lists: [&[BoundKey]; 4] = [&[], &two, &turned, &ecdsa];
    all.extend(lists.map(|keys| (Binding { keys, ..base }, [3; 32])));
    all.push((base, [9; 32]));
    let hashes: BTreeSet<_> = all.iter().map(|(binding, fresh)| report_data(binding, *fresh)).collect();
    assert_eq!(hashes.len(), all.len());
}

#[test]
fn the_second_half_is_what_makes_it_fresh() {
    let binding =
        Binding { audience: Audience::Chain, genesis: [1; 32], role: Role::VALIDATOR, operator: [2; 32], keys: &[] };
    assert_eq!(report_data(&binding, [7; 32])[32..], [7; 32]);
}

#[test]
fn what_is_hashed_is_what_the_documentation_says() {
    let keys = [key(5)];
    let binding =
        Binding { audience: Audience::Chain, genesis: [1; 32], role: Role::VALIDATOR, operator: [2; 32], keys: &keys };
    let mut bytes = b"holdfast evidence 1 chain".to_vec();
    bytes.extend([1; 32]);
    bytes.extend(b"vali");
    bytes.extend([2; 32]);
    // One key: ed25519, its type, 32 bytes.
    bytes.extend([1 << 2, 1]);
    bytes.extend(b"gran");
    bytes.push(32 << 2);
    bytes.extend([5; 32]);
    assert_eq!(report_data(&binding, [3; 32])[..32], blake2_256(&bytes));
}

#[test]
fn a_key_of_another_length_than_its_schemes_is_none() {
    for (scheme, length) in [(KeyScheme::Sr25519, 32), (KeyScheme::Ed25519, 32), (KeyScheme::Ecdsa, 33)] {
        for found in [0, 31, 32, 33, 34] {
            assert_eq!(BoundKey::new(scheme, *b"test", &vec![1; found]).is_some(), found == length);
        }
    }
}

#[test]
fn a_key_that_decodes_has_its_schemes_length() {
    let encoded = |length: usize| (KeyScheme::Sr25519, *b"aura", vec![1u8; length]).encode();
    assert_eq!(
        BoundKey::decode(&mut &encoded(32)[..]),
        Ok(BoundKey::new(KeyScheme::Sr25519, *b"aura", &[1; 32]).expect("32"))
    );
    for length in [0, 31, 33, 34, 1 << 20] {
        assert!(BoundKey::decode(&mut &encoded(length)[..]).is_err(), "{length}");
    }
}
