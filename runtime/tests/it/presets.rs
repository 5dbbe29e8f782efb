//! Genesis.

use frame_support::traits::{GetStorageVersion, StorageVersion};
use holdfast_runtime::{
    genesis::{preset, preset_names, DEV_RUNTIME_PRESET, ENDOWMENT, LIVE_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET},
    Balances, Grandpa, Runtime, Session, SessionKeys, Timing,
};
use serde_json::json;
use sp_consensus_aura::{runtime_decl_for_aura_api::AuraApiV1, SlotDuration};
use sp_core::crypto::Ss58Codec;
use sp_io::TestExternalities;
use sp_keyring::{
    Ed25519Keyring, Sr25519Keyring,
    Sr25519Keyring::{Alice, Bob, Charlie, Dave},
};

use crate::chain::{account, build, Chain};

fn keys(aura: Sr25519Keyring, grandpa: Ed25519Keyring) -> SessionKeys {
    SessionKeys { aura: aura.public().into(), grandpa: grandpa.public().into() }
}

fn sudo(chain: &mut Chain) -> Option<holdfast_runtime::AccountId> {
    chain.read(pallet_sudo::Key::<Runtime>::get)
}

#[test]
fn development_is_alices() {
    let mut chain = Chain::patched(DEV_RUNTIME_PRESET, json!({}));
    assert_eq!(chain.validators(), [account(Alice)]);
    assert_eq!(chain.authorities(), [keys(Alice, Ed25519Keyring::Alice)]);
    assert_eq!(sudo(&mut chain), Some(account(Alice)));
    assert_eq!(chain.read(|| Balances::free_balance(account(Sr25519Keyring::Ferdie))), ENDOWMENT);
}

#[test]
fn a_local_testnet_can_lose_one_of_four() {
    let mut chain = Chain::patched(LOCAL_TESTNET_RUNTIME_PRESET, json!({}));
    assert_eq!(chain.validators(), [Alice, Bob, Charlie, Dave].map(account));
    assert_eq!(
        chain.authorities(),
        [
            keys(Alice, Ed25519Keyring::Alice),
            keys(Bob, Ed25519Keyring::Bob),
            keys(Charlie, Ed25519Keyring::Charlie),
            keys(Dave, Ed25519Keyring::Dave)
        ]
    );
}

#[test]
fn live_trusts_nobody() {
    let mut chain = Chain::patched(LIVE_RUNTIME_PRESET, json!({}));
    assert_eq!(sudo(&mut chain), None);
    assert!(chain.validators().is_empty() && chain.authorities().is_empty());
    assert_eq!(chain.read(Balances::total_issuance), 0);
}

#[test]
fn live_takes_its_validators_from_a_patch() {
    let founder = account(Bob).to_ss58check();
    let (aura, grandpa) = (Bob.public().to_ss58check(), Ed25519Keyring::Bob.public().to_ss58check());
    let mut chain = Chain::patched(
        LIVE_RUNTIME_PRESET,
        json!({
            "balances": { "balances": [[founder, 1_000_000_000_000_000u64]] },
            "session": { "keys": [[founder, founder, { "aura": aura, "grandpa": grandpa }]] },
        }),
    );
    assert_eq!(chain.validators(), [account(Bob)]);
    assert_eq!(chain.authorities(), [keys(Bob, Ed25519Keyring::Bob)]);
    assert_eq!(sudo(&mut chain), None);
    assert_eq!(chain.block(vec![]).author, Some(account(Bob)));
}

#[test]
fn every_preset_that_is_named_exists() {
    assert_eq!(preset_names(), ["development", "local_testnet", "live"]);
    assert!(preset_names().iter().all(|name| preset(name).is_some()));
    assert_eq!(preset(&"staging".into()), None);
}

#[test]
fn genesis_sets_the_slot_that_the_client_reads() {
    let slot_of = |patch| Chain::patched(DEV_RUNTIME_PRESET, patch).read(Runtime::slot_duration);
    assert_eq!(slot_of(json!({})), SlotDuration::from_millis(6_000));
    assert_eq!(slot_of(json!({ "timing": { "slotDuration": 1_000 } })), SlotDuration::from_millis(1_000));
}

#[test]
fn genesis_writes_every_storage_version() {
    fn versions<P: GetStorageVersion<InCodeStorageVersion = StorageVersion>>() -> [StorageVersion; 2] {
        [P::on_chain_storage_version(), P::in_code_storage_version()]
    }
    for name in preset_names() {
        Chain::patched(&name, json!({})).read(|| {
            assert_eq!(versions::<Timing>(), [1, 1].map(StorageVersion::new));
            assert_eq!(versions::<Balances>(), [1, 1].map(StorageVersion::new));
            assert_eq!(versions::<Session>(), [1, 1].map(StorageVersion::new));
            assert_eq!(versions::<Grandpa>(), [5, 5].map(StorageVersion::new));
        });
    }
}

#[test]
fn a_field_that_genesis_does_not_have_is_an_error() {
    let refused = TestExternalities::default()
        .execute_with(|| build(DEV_RUNTIME_PRESET, json!({ "timing": { "slotDurationMs": 6_000 } })));
    assert!(refused.is_err_and(|reason| reason.contains("unknown field `slotDurationMs`")));
}

#[test]
#[should_panic(expected = "timing.slotDuration is 500 ms; this runtime needs at least 1000 ms")]
fn a_slot_that_blocks_do_not_fit_into_is_refused() {
    Chain::patched(DEV_RUNTIME_PRESET, json!({ "timing": { "slotDuration": 500 } }));
}

#[test]
#[should_panic(expected = "Authorities are already initialized!")]
fn authorities_beside_those_of_session_are_refused() {
    let bob = Bob.public().to_ss58check();
    Chain::patched(DEV_RUNTIME_PRESET, json!({ "aura": { "authorities": [bob] } }));
}
