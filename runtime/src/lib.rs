//! The Holdfast runtime: the state machine that validators agree on.
//!
//! - [`configs`]: what each pallet is told.
//! - [`apis`]: what the node may ask of the runtime.
//! - [`genesis`]: the presets `development`, `local_testnet` and `live`.
//! - [`validators`]: who validates, and why that set never becomes empty.
//! - [`migrations`]: what an upgrade changes in storage.
//!
//! One wasm serves every chain: what differs between them is in genesis, slot duration and session
//! length included (`pallet-timing`).

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![recursion_limit = "256"]
// FRAME's macros put items without documentation here and into `apis`.
#![allow(missing_docs)]

extern crate alloc;

pub mod apis;
#[warn(missing_docs)]
pub mod configs;
#[warn(missing_docs)]
pub mod genesis;
#[warn(missing_docs)]
pub mod migrations;
#[warn(missing_docs)]
pub mod validators;

use alloc::{borrow::Cow, vec::Vec};

use sp_runtime::{
    generic, impl_opaque_keys,
    traits::{BlakeTwo256, IdentifyAccount, Verify},
    MultiAddress, MultiSignature,
};
use sp_version::RuntimeVersion;

pub use apis::RuntimeApi;
#[cfg(feature = "std")]
pub use wasm::{WASM_BINARY, WASM_BINARY_BLOATY, WASM_BINARY_PATH};

/// Types for a client that passes extrinsics on without looking into them.
pub mod opaque {
    pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

    use super::{generic, Header};

    /// A block of opaque extrinsics.
    pub type Block = generic::Block<Header, UncheckedExtrinsic>;
}

impl_opaque_keys! {
    /// What a validator signs with; both keys live in its TEE.
    pub struct SessionKeys {
        /// Seals blocks (sr25519).
        pub aura: Aura,
        /// Votes on finality (ed25519).
        pub grandpa: Grandpa,
    }
}

/// Which runtime this is.
///
/// `spec_version` rises with every change of behaviour, `transaction_version` with every change of
/// how a call or the transaction extensions are encoded.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("holdfast"),
    impl_name: Cow::Borrowed("holdfast-node"),
    authoring_version: 1,
    spec_version: 1,
    impl_version: 1,
    apis: apis::RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

/// The native token's symbol.
pub const TOKEN_SYMBOL: &str = "HOLD";
/// The native token's decimals: a balance of 10^12 is one HOLD.
pub const TOKEN_DECIMALS: u8 = 12;
/// The address format of accounts: Substrate's generic one.
pub const SS58_PREFIX: u16 = 42;

/// One HOLD.
pub const HOLD: Balance = 10u128.pow(TOKEN_DECIMALS as u32);
/// A thousandth of a HOLD.
pub const MILLI_HOLD: Balance = HOLD / 1_000;
/// A millionth of a HOLD.
pub const MICRO_HOLD: Balance = HOLD / 1_000_000;

/// A signature on a transaction.
pub type Signature = MultiSignature;
/// An account: 32 bytes, for the common schemes its public key.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// An amount of the native token, in its smallest unit (10^-12 HOLD).
pub type Balance = u128;
/// How many transactions an account has sent.
pub type Nonce = u32;
/// A block's hash.
pub type Hash = sp_core::H256;
/// A block's number.
pub type BlockNumber = u32;
/// How a call names an account.
pub type Address = MultiAddress<AccountId, ()>;
/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// What a transaction carries beside its call, in the order in which it is checked.
pub type TxExtension = (
    frame_system::AuthorizeCall<Runtime>,
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);
/// A transaction or inherent as it stands in a block.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What is signed of a transaction.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Runs blocks. Migrations are in frame-system's configuration.
pub type Executive =
    frame_executive::Executive<Runtime, Block, frame_system::ChainContext<Runtime>, Runtime, AllPalletsWithSystem>;

#[cfg(feature = "std")]
mod wasm {
    include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));
}

/// The pallets, by index. An index is part of how calls and events are encoded: it stays.
#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;

    #[runtime::pallet_index(1)]
    pub type Timing = pallet_timing;

    #[runtime::pallet_index(2)]
    pub type Timestamp = pallet_timestamp;

    #[runtime::pallet_index(3)]
    pub type Balances = pallet_balances;

    #[runtime::pallet_index(4)]
    pub type TransactionPayment = pallet_transaction_payment;

    // Before session, which changes the authorities at the start of a block: a block's author is
    // found among those who were authorities when the block was due.
    #[runtime::pallet_index(5)]
    pub type Aura = pallet_aura;

    #[runtime::pallet_index(6)]
    pub type Authorship = pallet_authorship;

    #[runtime::pallet_index(7)]
    pub type Session = pallet_session;

    #[runtime::pallet_index(8)]
    pub type Grandpa = pallet_grandpa;

    #[runtime::pallet_index(9)]
    pub type Utility = pallet_utility;

    #[runtime::pallet_index(10)]
    pub type Sudo = pallet_sudo;
}
