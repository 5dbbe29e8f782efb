//! # Timing
//!
//! How long a slot and a session last, written at genesis and never after.
//!
//! One runtime serves a production chain, a laptop and a test with short slots: what differs is in
//! genesis, not in the code. There are no calls. Changing the slot of a running chain would move
//! Aura's slot number (timestamp / slot duration) under its feet; whoever needs that writes a
//! migration.
//!
//! The values are read through [`SlotDuration`], [`MinimumPeriod`] and [`SessionLength`]. None of
//! them is ever zero: storage holds non-zero integers, and where it is empty (integrity tests,
//! metadata built at compile time) or cannot be decoded, the default is read.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use core::{
    marker::PhantomData,
    num::{NonZeroU32, NonZeroU64},
};

use frame_support::traits::Get;
use frame_system::pallet_prelude::BlockNumberFor;

pub use pallet::*;

/// Slot duration of a chain whose genesis names none, in milliseconds.
pub const DEFAULT_SLOT_DURATION: u64 = 6_000;

/// Session length of a chain whose genesis names none, in blocks: one hour of default slots.
///
/// A change of session keys takes effect at the second session change, so a key that has to go is
/// out after two hours at most; and the change fills a block, which is then one in 600.
pub const DEFAULT_SESSION_LENGTH: u32 = 600;

/// The shortest session that can be set, in blocks.
///
/// pallet-session charges a whole block for the change of session, which leaves no room for
/// transactions in it: with sessions of one block no transaction would ever be included.
pub const MINIMUM_SESSION_LENGTH: u32 = 2;

/// The slot duration, in milliseconds. Never zero.
pub struct SlotDuration<T>(PhantomData<T>);

impl<T: Config> Get<u64> for SlotDuration<T> {
    fn get() -> u64 {
        SlotMillis::<T>::get().get()
    }
}

/// The least time between two blocks, in milliseconds: half a slot, as Aura asks of the timestamp.
pub struct MinimumPeriod<T>(PhantomData<T>);

impl<T: Config> Get<u64> for MinimumPeriod<T> {
    fn get() -> u64 {
        SlotDuration::<T>::get() / 2
    }
}

/// The session length, in blocks. Never zero, so that it may divide.
pub struct SessionLength<T>(PhantomData<T>);

impl<T: Config> Get<BlockNumberFor<T>> for SessionLength<T> {
    fn get() -> BlockNumberFor<T> {
        SessionBlocks::<T>::get().get().into()
    }
}

/// Why a genesis is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The slot is shorter than the runtime's blocks allow.
    #[error("timing.slotDuration is {given} ms; this runtime needs at least {minimum} ms")]
    SlotTooShort {
        /// What genesis says, in milliseconds.
        given: u64,
        /// [`Config::MinimumSlotDuration`], in milliseconds.
        minimum: u64,
    },
    /// The slot has no whole half, which [`MinimumPeriod`] is.
    #[error("timing.slotDuration is {given} ms; use an even number of milliseconds")]
    SlotOdd {
        /// What genesis says, in milliseconds.
        given: u64,
    },
    /// The session leaves no block for transactions.
    #[error("timing.sessionLength is {given} blocks; use at least {MINIMUM_SESSION_LENGTH}")]
    SessionTooShort {
        /// What genesis says, in blocks.
        given: u32,
    },
}

#[allow(missing_docs)] // FRAME's macros generate public items that carry none.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::pallet_prelude::*;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// The shortest slot for which this runtime's blocks are sized, in milliseconds.
        #[pallet::constant]
        type MinimumSlotDuration: Get<u64>;
    }

    /// The slot duration, in milliseconds.
    #[pallet::storage]
    pub type SlotMillis<T> = StorageValue<_, NonZeroU64, ValueQuery, DefaultSlotMillis>;

    /// The session length, in blocks.
    #[pallet::storage]
    pub type SessionBlocks<T> = StorageValue<_, NonZeroU32, ValueQuery, DefaultSessionBlocks>;

    /// [`DEFAULT_SLOT_DURATION`], for empty storage.
    pub struct DefaultSlotMillis;

    impl Get<NonZeroU64> for DefaultSlotMillis {
        fn get() -> NonZeroU64 {
            const { NonZeroU64::new(DEFAULT_SLOT_DURATION).unwrap() }
        }
    }

    /// [`DEFAULT_SESSION_LENGTH`], for empty storage.
    pub struct DefaultSessionBlocks;

    impl Get<NonZeroU32> for DefaultSessionBlocks {
        fn get() -> NonZeroU32 {
            const { NonZeroU32::new(DEFAULT_SESSION_LENGTH).unwrap() }
        }
    }

    /// What genesis says of time. In JSON `{"slotDuration": 6000, "sessionLength": 600}`.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// Milliseconds; even, and at least [`Config::MinimumSlotDuration`].
        pub slot_duration: u64,
        /// Blocks; at least [`MINIMUM_SESSION_LENGTH`].
        pub session_length: u32,
        #[doc(hidden)]
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self { slot_duration: DEFAULT_SLOT_DURATION, session_length: DEFAULT_SESSION_LENGTH, _config: PhantomData }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            // A panic is the only way in which a genesis can be refused.
            let (slot, session) = self.parse().unwrap_or_else(|error| panic!("{error}"));
            SlotMillis::<T>::put(slot);
            SessionBlocks::<T>::put(session);
        }
    }

    impl<T: Config> GenesisConfig<T> {
        /// The slot duration and the session length as they are stored, or why they cannot be.
        pub fn parse(&self) -> Result<(NonZeroU64, NonZeroU32), GenesisError> {
            let (given, minimum) = (self.slot_duration, T::MinimumSlotDuration::get());
            let slot = NonZeroU64::new(given)
                .filter(|_| given >= minimum)
                .ok_or(GenesisError::SlotTooShort { given, minimum })?;
            if given % 2 != 0 {
                return Err(GenesisError::SlotOdd { given });
            }

            let given = self.session_length;
            let session = NonZeroU32::new(given)
                .filter(|_| given >= MINIMUM_SESSION_LENGTH)
                .ok_or(GenesisError::SessionTooShort { given })?;
            Ok((slot, session))
        }
    }
}
