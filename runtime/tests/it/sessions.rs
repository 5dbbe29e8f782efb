//! Session keys, and the set that they belong to.

use codec::Encode;
use frame_support::assert_ok;
use holdfast_runtime::{
    genesis::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET},
    Address, Runtime, RuntimeCall, SessionKeys, System,
};
use pallet_session::{Error, NextKeys};
use sp_consensus_aura::AURA_ENGINE_ID;
use sp_consensus_grandpa::GRANDPA_ENGINE_ID;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave};
use sp_runtime::ApplyExtrinsicResult;

use crate::chain::{account, Chain};

/// Sessions begin at blocks 5, 10, 15 and so on.
const SESSION: u32 = 5;

fn set_keys(keys: &SessionKeys, proof: Vec<u8>) -> RuntimeCall {
    pallet_session::Call::set_keys { keys: keys.clone(), proof }.into()
}

fn purge_keys() -> RuntimeCall {
    pallet_session::Call::purge_keys {}.into()
}

/// Alice, who has sudo, acts as another account; the call filter does not apply.
fn sudo_as(who: Sr25519Keyring, call: RuntimeCall) -> RuntimeCall {
    pallet_sudo::Call::sudo_as { who: Address::Id(account(who)), call: Box::new(call) }.into()
}

/// What came of one transaction in the next block.
fn outcome(chain: &mut Chain, who: Sr25519Keyring, call: RuntimeCall) -> ApplyExtrinsicResult {
    chain.block(vec![(who, call)]).results.remove(0)
}

fn refused(error: Error<Runtime>) -> ApplyExtrinsicResult {
    Ok(Err(error.into()))
}

#[test]
fn new_keys_sign_from_the_second_session_change_on() {
    let mut chain = Chain::new(DEV_RUNTIME_PRESET, SESSION);
    let genesis = chain.authorities();
    let (keys, proof) = chain.generate(Alice);
    assert_ok!(outcome(&mut chain, Alice, set_keys(&keys, proof)).expect("valid"));

    for made in chain.blocks_to(9) {
        assert_eq!(made.consensus_changes(), Vec::<[u8; 4]>::new());
    }
    assert_eq!((chain.authorities(), chain.set_id()), (genesis, 0));

    let second = chain.block(vec![]);
    assert_eq!(second.header.number, 10);
    assert_eq!(second.consensus_changes(), [AURA_ENGINE_ID, GRANDPA_ENGINE_ID]);
    assert_eq!((chain.authorities(), chain.set_id()), (vec![keys.clone()], 1));

    for made in chain.blocks_to(30) {
        assert_eq!(made.consensus_changes(), Vec::<[u8; 4]>::new());
    }
    assert_eq!((chain.authorities(), chain.set_id()), (vec![keys], 1));
}

#[test]
fn keys_set_twice_before_a_change_are_those_set_last() {
    let mut chain = Chain::new(DEV_RUNTIME_PRESET, SESSION);
    let (first, proof) = chain.generate(Alice);
    assert_ok!(outcome(&mut chain, Alice, set_keys(&first, proof)).expect("valid"));
    let (last, proof) = chain.generate(Alice);
    assert_ok!(outcome(&mut chain, Alice, set_keys(&last, proof)).expect("valid"));

    chain.blocks_to(10);
    assert_eq!((chain.authorities(), chain.set_id()), (vec![last], 1));
}

#[test]
fn one_validator_of_four_rotates_and_the_others_stay() {
    let mut chain = Chain::new(LOCAL_TESTNET_RUNTIME_PRESET, SESSION);
    let mut expected = chain.authorities();
    let (keys, proof) = chain.generate(Charlie);
    assert_ok!(outcome(&mut chain, Charlie, set_keys(&keys, proof)).expect("valid"));
    expected[2] = keys;

    chain.blocks_to(10);
    assert_eq!((chain.authorities(), chain.set_id()), (expected, 1));
}

#[test]
fn keys_without_a_proof_of_possession_are_refused() {
    let mut chain = Chain::new(LOCAL_TESTNET_RUNTIME_PRESET, SESSION);
    let before = chain.authorities();
    let (keys, proof) = chain.generate(Alice);
    let (_, of_other_keys) = chain.generate(Alice);
    let (bobs, of_other_owner) = chain.generate(Bob);
    let cut = proof[..proof.len() - 1].to_vec();
    let extended = [&proof[..], &[0]].concat();

    let attempts = [(&keys, vec![]), (&keys, cut), (&keys, extended), (&keys, of_other_keys), (&bobs, of_other_owner)];
    for (keys, proof) in attempts {
        // A session change leaves no room in its block.
        if (chain.read(System::block_number) + 1).is_multiple_of(SESSION) {
            chain.block(vec![]);
        }
        assert_eq!(outcome(&mut chain, Alice, set_keys(keys, proof)), refused(Error::InvalidProof));
    }
    chain.blocks_to(20);
    assert_eq!((chain.authorities(), chain.set_id()), (before, 0));
}

#[test]
fn a_key_has_one_owner() {
    let mut chain = Chain::new(LOCAL_TESTNET_RUNTIME_PRESET, SESSION);
    let (keys, proof) = chain.generate(Alice);
    assert_ok!(outcome(&mut chain, Alice, set_keys(&keys, proof)).expect("valid"));

    let proof = chain.read(|| keys.clone().create_ownership_proof(&account(Bob).encode()));
    let proof = proof.expect("the keystore holds the keys").encode();
    assert_eq!(outcome(&mut chain, Bob, set_keys(&keys, proof)), refused(Error::DuplicatedKey));
}

#[test]
fn only_a_validator_sets_session_keys() {
    let mut chain = Chain::new(DEV_RUNTIME_PRESET, SESSION);
    let (keys, proof) = chain.generate(Bob);
    assert_eq!(outcome(&mut chain, Bob, set_keys(&keys, proof)), refused(Error::NoAssociatedValidatorId));
    assert_eq!(chain.read(|| NextKeys::<Runtime>::get(account(Bob))), None);
}

#[test]
fn the_set_id_stands_still_while_nothing_changes() {
    let mut chain = Chain::new(LOCAL_TESTNET_RUNTIME_PRESET, SESSION);
    for made in chain.blocks_to(6 * SESSION) {
        assert_eq!(made.consensus_changes(), Vec::<[u8; 4]>::new());
    }
    assert_eq!(chain.read(pallet_session::CurrentIndex::<Runtime>::get), 6);
    assert_eq!(chain.set_id(), 0);
}

// Rule 8
#[test]
fn a_validator_does_not_purge_its_keys() {
    let mut chain = Chain::new(DEV_RUNTIME_PRESET, SESSION);
    let before = chain.authorities();
    let filtered = Ok(Err(frame_system::Error::<Runtime>::CallFiltered.into()));
    let batched = pallet_utility::Call::batch_all { calls: vec![purge_keys()] }.into();
    assert_eq!(outcome(&mut chain, Alice, purge_keys()), filtered);
    assert_eq!(outcome(&mut chain, Alice, batched), filtered);

    chain.blocks_to(3 * SESSION);
    assert_eq!((chain.authorities(), chain.validators()), (before, vec![account(Alice)]));
}

// Rule 8
#[test]
fn the_set_stays_whole_when_root_purges_every_key() {
    for preset in [DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET] {
        let mut chain = Chain::new(preset, SESSION);
        let (authorities, validators) = (chain.authorities(), chain.validators());
        let references = chain.read(|| System::consumers(&account(Alice)));
        let everybody: Vec<_> = [Alice, Bob, Charlie, Dave].into_iter().take(validators.len()).collect();
        chain.block(everybody.iter().map(|who| (Alice, sudo_as(*who, purge_keys()))).collect());
        assert_eq!(chain.read(|| NextKeys::<Runtime>::iter().count()), 0);

        for made in chain.blocks_to(4 * SESSION) {
            assert_eq!(made.consensus_changes(), Vec::<[u8; 4]>::new());
        }
        assert_eq!((chain.authorities(), chain.validators()), (authorities, validators));
        assert_eq!(chain.set_id(), 0);

        // The keys are owned again, and rotate as ever; the account is bound to them again.
        let (keys, proof) = chain.generate(Alice);
        assert_ok!(outcome(&mut chain, Alice, set_keys(&keys, proof)).expect("valid"));
        assert_eq!(chain.read(|| System::consumers(&account(Alice))), references);
        chain.blocks_to(6 * SESSION);
        assert_eq!((chain.authorities().remove(0), chain.set_id()), (keys, 1));
    }
}

// Rule 8
#[test]
fn the_set_stays_whole_when_root_purges_the_last_of_it() {
    let mut chain = Chain::new(LOCAL_TESTNET_RUNTIME_PRESET, SESSION);
    let (authorities, validators) = (chain.authorities(), chain.validators());
    assert_ok!(outcome(&mut chain, Alice, sudo_as(Dave, purge_keys())).expect("valid"));

    chain.blocks_to(3 * SESSION);
    assert_eq!((chain.authorities(), chain.validators()), (authorities, validators));
}

#[test]
fn the_author_of_a_block_is_the_validator_whose_slot_it_was() {
    let mut chain = Chain::new(LOCAL_TESTNET_RUNTIME_PRESET, SESSION);
    let validators = chain.validators();
    for made in chain.blocks_to(2 * SESSION) {
        // Genesis is in slot 1,000, a multiple of four.
        let turn = made.header.number as usize % validators.len();
        assert_eq!(made.author.as_ref(), validators.get(turn));
    }
}
