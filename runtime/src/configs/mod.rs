//! What each pallet is told, in the order of their indices.

use frame_support::{
    derive_impl,
    dispatch::DispatchClass,
    parameter_types,
    traits::{ConstBool, ConstU128, ConstU16, ConstU32, ConstU64, ConstU8, VariantCountOf},
    weights::{
        constants::{ParityDbWeight, WEIGHT_REF_TIME_PER_SECOND},
        ConstantMultiplier, IdentityFee, Weight,
    },
};
use frame_system::limits::{BlockLength, BlockWeights};
use pallet_session::{FindAccountFromAuthorIndex, PeriodicSessions};
use pallet_timing::{MinimumPeriod, SessionLength, SlotDuration};
use pallet_transaction_payment::{ConstFeeMultiplier, FungibleAdapter, Multiplier};
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_runtime::{traits::One, Perbill};
use sp_version::RuntimeVersion;

use crate::{
    migrations,
    validators::{CallFilter, KeepValidators, MayValidate},
    AccountId, Aura, Balance, Balances, Block, Hash, Nonce, OriginCaller, PalletInfo, Runtime, RuntimeCall,
    RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason, RuntimeOrigin, RuntimeTask, Session, SessionKeys, System,
    MICRO_HOLD, MILLI_HOLD, SS58_PREFIX, VERSION,
};

/// The shortest slot that genesis may set, in milliseconds.
pub const MINIMUM_SLOT_DURATION: u64 = 1_000;

/// The longest computation of a block.
///
/// Within a slot a block is executed twice: by its author, and then by everybody else, who must be
/// done before the next author builds on it. Half of the shortest slot is what that leaves, and a
/// constant can only follow the shortest: a transaction that fits here fits on every chain of this
/// runtime. With slots of 6 s it is a twelfth of a slot.
pub const MAXIMUM_BLOCK_WEIGHT: Weight =
    Weight::from_parts(WEIGHT_REF_TIME_PER_SECOND / 1_000 * (MINIMUM_SLOT_DURATION / 2), u64::MAX);

/// The largest block, in bytes.
pub const MAXIMUM_BLOCK_LENGTH: u32 = 5 * 1024 * 1024;

/// What ordinary transactions may take of a block. The rest is for operational ones, such as runtime
/// upgrades.
pub const NORMAL_DISPATCH_RATIO: Perbill = Perbill::from_percent(75);

/// The most validators there can be; genesis refuses more.
pub const MAXIMUM_VALIDATORS: u32 = 128;

/// What an account must hold to exist.
pub const EXISTENTIAL_DEPOSIT: Balance = MILLI_HOLD;

parameter_types! {
    /// [`VERSION`].
    pub const Version: RuntimeVersion = VERSION;
    /// [`MAXIMUM_BLOCK_WEIGHT`] by class.
    pub RuntimeBlockWeights: BlockWeights =
        BlockWeights::with_sensible_defaults(MAXIMUM_BLOCK_WEIGHT, NORMAL_DISPATCH_RATIO);
    /// [`MAXIMUM_BLOCK_LENGTH`] by class.
    pub RuntimeBlockLength: BlockLength = BlockLength::builder()
        .max_length(MAXIMUM_BLOCK_LENGTH)
        .modify_max_length_for_class(DispatchClass::Normal, |bytes| *bytes = NORMAL_DISPATCH_RATIO * *bytes)
        .build();
    /// Fees do not follow demand.
    pub FeeMultiplier: Multiplier = Multiplier::one();
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountId = AccountId;
    type Nonce = Nonce;
    type Hash = Hash;
    type Block = Block;
    type BlockHashCount = ConstU32<2_400>;
    type BlockWeights = RuntimeBlockWeights;
    type BlockLength = RuntimeBlockLength;
    // The node keeps its state in ParityDB.
    type DbWeight = ParityDbWeight;
    type Version = Version;
    type AccountData = pallet_balances::AccountData<Balance>;
    type SS58Prefix = ConstU16<SS58_PREFIX>;
    type BaseCallFilter = CallFilter;
    type SystemWeightInfo = frame_system::weights::SubstrateWeight<Runtime>;
    type SingleBlockMigrations = migrations::SingleBlock;
}

impl pallet_timing::Config for Runtime {
    type MinimumSlotDuration = ConstU64<MINIMUM_SLOT_DURATION>;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = Aura;
    type MinimumPeriod = MinimumPeriod<Runtime>;
    type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}

impl pallet_balances::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
    type Balance = Balance;
    type DustRemoval = ();
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type AccountStore = System;
    type ReserveIdentifier = [u8; 8];
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type DoneSlashHandler = ();
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    // Fees are burnt.
    type OnChargeTransaction = FungibleAdapter<Balances, ()>;
    // A picosecond of computation costs the smallest unit: a second costs one HOLD.
    type WeightToFee = IdentityFee<Balance>;
    type LengthToFee = ConstantMultiplier<Balance, ConstU128<MICRO_HOLD>>;
    type FeeMultiplierUpdate = ConstFeeMultiplier<FeeMultiplier>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
}

impl pallet_aura::Config for Runtime {
    type AuthorityId = AuraId;
    type MaxAuthorities = ConstU32<MAXIMUM_VALIDATORS>;
    type DisabledValidators = Session;
    type AllowMultipleBlocksPerSlot = ConstBool<false>;
    type SlotDuration = SlotDuration<Runtime>;
}

impl pallet_authorship::Config for Runtime {
    type FindAuthor = FindAccountFromAuthorIndex<Runtime, Aura>;
    type EventHandler = ();
}

/// A session ends every [`SessionLength`] blocks, counted from genesis.
type Sessions = PeriodicSessions<SessionLength<Runtime>, ConstU32<0>>;

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = MayValidate;
    type ShouldEndSession = Sessions;
    type NextSessionRotation = Sessions;
    type SessionManager = KeepValidators;
    type SessionHandler = <SessionKeys as sp_runtime::traits::OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    // Nobody reports offences, so nobody is disabled.
    type DisablingStrategy = ();
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
    // Only validators set keys, one set each: no deposit is needed to bound them.
    type Currency = Balances;
    type KeyDeposit = ConstU128<0>;
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = ConstU32<MAXIMUM_VALIDATORS>;
    type MaxNominators = ConstU32<0>;
    // Equivocations are not reported: the proof that a report needs cannot be made, and the map
    // that would be searched for it keeps the current set alone.
    type MaxSetIdSessionEntries = ConstU64<0>;
    type KeyOwnerProof = sp_core::Void;
    type EquivocationReportSystem = ();
}

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

impl pallet_sudo::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WeightInfo = pallet_sudo::weights::SubstrateWeight<Runtime>;
}
