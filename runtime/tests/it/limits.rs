//! Slots and the blocks that fit into them.

use frame_support::dispatch::{DispatchClass, GetDispatchInfo};
use holdfast_runtime::{
    configs::{RuntimeBlockWeights, MAXIMUM_BLOCK_LENGTH, MAXIMUM_BLOCK_WEIGHT, MINIMUM_SLOT_DURATION},
    genesis::DEV_RUNTIME_PRESET,
    Runtime, RuntimeCall, WASM_BINARY,
};
use serde_json::json;
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring::Alice;

use crate::chain::Chain;

#[test]
fn a_block_is_executed_twice_within_the_shortest_slot() {
    let picoseconds = u128::from(MINIMUM_SLOT_DURATION) * 1_000_000_000;
    assert!(u128::from(MAXIMUM_BLOCK_WEIGHT.ref_time()) * 2 <= picoseconds);
}

#[test]
fn a_runtime_upgrade_fits_into_a_block() {
    let code = WASM_BINARY.unwrap_or_default().to_vec();
    assert!(code.len() < MAXIMUM_BLOCK_LENGTH as usize);

    let limit = RuntimeBlockWeights::get().get(DispatchClass::Operational).max_extrinsic.expect("limited");
    let set_code = RuntimeCall::from(frame_system::Call::set_code { code: code.clone() });
    let apply = RuntimeCall::from(frame_system::Call::apply_authorized_upgrade { code });
    for call in [set_code, apply] {
        let info = call.get_dispatch_info();
        assert_eq!(info.class, DispatchClass::Operational);
        assert!(info.call_weight.all_lte(limit), "{} > {limit}", info.call_weight);
    }
}

#[test]
#[should_panic(expected = "Timestamp must increment by at least <MinimumPeriod>")]
fn blocks_are_half_a_slot_apart_at_least() {
    let mut chain = Chain::patched(DEV_RUNTIME_PRESET, json!({ "timing": { "slotDuration": 1_000 } }));
    chain.block_at(1_000, 1_000_999, vec![]);
    chain.block_at(1_001, 1_001_000, vec![]);
}

#[test]
#[should_panic(expected = "Slot must increase")]
fn a_slot_has_one_block() {
    let mut chain = Chain::new(DEV_RUNTIME_PRESET, 600);
    chain.block_in(2_000, vec![]);
    chain.block_in(2_000, vec![]);
}

#[test]
fn a_session_change_leaves_room_in_the_blocks_around_it() {
    let mut chain = Chain::new(DEV_RUNTIME_PRESET, 2);
    let remark = || vec![(Alice, RuntimeCall::from(frame_system::Call::remark { remark: vec![7] }))];
    assert!(chain.block(remark()).results[0].is_ok());
    assert!(chain.block(remark()).results[0].is_err());
    assert!(chain.block(remark()).results[0].is_ok());
}

#[test]
fn the_metadata_is_made_without_a_state() {
    TestExternalities::default().execute_with(|| {
        let versions = Runtime::metadata_versions();
        assert!(versions.contains(&14) && versions.contains(&15));
        assert!(versions.into_iter().all(|version| Runtime::metadata_at_version(version).is_some()));
    });
}
