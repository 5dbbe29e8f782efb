use codec::Encode;
use frame_support::{
    storage::unhashed,
    traits::{Get, GetStorageVersion, StorageVersion},
};
use proptest::prelude::*;

use crate::{
    mock::{built, genesis, Test},
    GenesisError, MinimumPeriod, Pallet, SessionBlocks, SessionLength, SlotDuration, SlotMillis,
};

/// Slot duration, minimum period and session length, as the other pallets read them.
fn read() -> (u64, u64, u64) {
    (SlotDuration::<Test>::get(), MinimumPeriod::<Test>::get(), SessionLength::<Test>::get())
}

#[test]
fn empty_storage_reads_as_the_default() {
    sp_io::TestExternalities::default().execute_with(|| assert_eq!(read(), (6_000, 3_000, 600)));
}

#[test]
fn a_genesis_that_names_nothing_writes_the_default() {
    built(Default::default()).execute_with(|| {
        assert!(SlotMillis::<Test>::exists() && SessionBlocks::<Test>::exists());
        assert_eq!(read(), (6_000, 3_000, 600));
    });
}

#[test]
fn genesis_sets_the_slot_and_the_session() {
    built(genesis(1_000, 5)).execute_with(|| assert_eq!(read(), (1_000, 500, 5)));
}

#[test]
fn genesis_writes_the_storage_version() {
    built(Default::default()).execute_with(|| {
        assert_eq!(Pallet::<Test>::on_chain_storage_version(), StorageVersion::new(1));
        assert_eq!(Pallet::<Test>::in_code_storage_version(), StorageVersion::new(1));
    });
}

#[test]
fn a_slot_shorter_than_the_minimum_is_refused() {
    for given in [0, 1, 6, 998, 999] {
        let refused = genesis(given, 600).parse();
        assert_eq!(refused, Err(GenesisError::SlotTooShort { given, minimum: 1_000 }));
    }
    assert!(genesis(1_000, 600).parse().is_ok());
}

#[test]
fn a_slot_without_a_whole_half_is_refused() {
    assert_eq!(genesis(1_001, 600).parse(), Err(GenesisError::SlotOdd { given: 1_001 }));
}

#[test]
fn a_session_that_leaves_no_block_for_transactions_is_refused() {
    for given in [0, 1] {
        assert_eq!(genesis(6_000, given).parse(), Err(GenesisError::SessionTooShort { given }));
    }
    assert!(genesis(6_000, 2).parse().is_ok());
}

#[test]
#[should_panic(expected = "timing.slotDuration is 6 ms; this runtime needs at least 1000 ms")]
fn a_refused_genesis_does_not_build() {
    built(genesis(6, 600));
}

#[test]
fn genesis_is_written_and_patched_as_json() {
    let json = serde_json::json!({ "slotDuration": 2_000, "sessionLength": 10 });
    let parsed: crate::GenesisConfig<Test> = serde_json::from_value(json.clone()).expect("well-formed");
    assert_eq!((parsed.slot_duration, parsed.session_length), (2_000, 10));
    assert_eq!(serde_json::to_value(parsed).expect("serialises"), json);

    let misspelt = serde_json::json!({ "slotDuration": 2_000, "sessionLenght": 10 });
    assert!(serde_json::from_value::<crate::GenesisConfig<Test>>(misspelt).is_err());
}

proptest! {
    // Rule 7: whatever storage holds, nothing divides by zero.
    #[test]
    fn no_bytes_in_storage_read_as_zero(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        sp_io::TestExternalities::default().execute_with(|| {
            for raw in [bytes, 0u64.encode()] {
                unhashed::put_raw(&SlotMillis::<Test>::hashed_key(), &raw);
                unhashed::put_raw(&SessionBlocks::<Test>::hashed_key(), &raw);
                assert_ne!(SlotDuration::<Test>::get(), 0);
                assert_ne!(SessionLength::<Test>::get(), 0);
            }
        });
    }
}
