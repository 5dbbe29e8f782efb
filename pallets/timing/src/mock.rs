//! A runtime of system and timing.

use frame_support::{derive_impl, traits::ConstU64};
use sp_runtime::BuildStorage;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Timing: crate,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlock<Test>;
}

impl crate::Config for Test {
    type MinimumSlotDuration = ConstU64<1_000>;
}

/// A genesis of this slot duration (ms) and session length (blocks).
pub(crate) fn genesis(slot_duration: u64, session_length: u32) -> crate::GenesisConfig<Test> {
    crate::GenesisConfig { slot_duration, session_length, ..Default::default() }
}

/// The state that this genesis makes.
pub(crate) fn built(timing: crate::GenesisConfig<Test>) -> sp_io::TestExternalities {
    RuntimeGenesisConfig { system: Default::default(), timing }
        .build_storage()
        .expect("frame's own genesis cannot fail")
        .into()
}
