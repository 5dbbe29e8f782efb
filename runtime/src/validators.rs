//! Who validates.
//!
//! The validators are those of genesis. Each may exchange its session keys, by `session.setKeys`
//! with a proof of possession; the new keys sign from the second change of session on. None leaves:
//! there is nobody yet to admit it again.
//!
//! pallet-session by itself drops a validator that has no keys at a change of session, the last one
//! too, and then neither Aura nor GRANDPA ever has an authority again. Three things here keep the set
//! whole:
//!
//! - [`MayValidate`]: an account that does not validate has no session keys on chain;
//! - [`CallFilter`]: `session.purgeKeys` is refused;
//! - [`KeepValidators`]: a validator whose keys root has purged all the same keeps those it has.

use alloc::vec::Vec;

use frame_support::traits::Contains;
use pallet_session::{ExternallySetKeys, KeyOwner, NextKeys, QueuedKeys, SessionManager};
use sp_runtime::traits::{Convert, OpaqueKeys};
use sp_staking::SessionIndex;

use crate::{AccountId, Runtime, RuntimeCall, Session, SessionKeys};

/// The validator that an account is, if it is one: only validators set session keys.
pub struct MayValidate;

impl Convert<AccountId, Option<AccountId>> for MayValidate {
    fn convert(account: AccountId) -> Option<AccountId> {
        Session::validators().contains(&account).then_some(account)
    }
}

/// Every call but `session.purgeKeys`. Root passes by it.
pub struct CallFilter;

impl Contains<RuntimeCall> for CallFilter {
    fn contains(call: &RuntimeCall) -> bool {
        !matches!(call, RuntimeCall::Session(pallet_session::Call::purge_keys {}))
    }
}

/// Keeps the validators of genesis.
///
/// It never names a set: then pallet-session compares the keys itself, and GRANDPA's set id moves
/// only when one of them has changed.
pub struct KeepValidators;

impl SessionManager<AccountId> for KeepValidators {
    fn new_session(_planned: SessionIndex) -> Option<Vec<AccountId>> {
        // Here the queue still holds the session that has just begun.
        QueuedKeys::<Runtime>::get()
            .into_iter()
            .filter(|(validator, _)| !NextKeys::<Runtime>::contains_key(validator))
            .for_each(|(validator, keys)| restore(&validator, &keys));
        None
    }

    fn start_session(_started: SessionIndex) {}

    fn end_session(_ended: SessionIndex) {}
}

/// Registers keys once more that were purged.
fn restore(validator: &AccountId, keys: &SessionKeys) {
    for id in SessionKeys::key_ids() {
        KeyOwner::<Runtime>::insert((*id, keys.get_raw(*id)), validator);
    }
    NextKeys::<Runtime>::insert(validator, keys);
    // The purge has given back the account's reference; the next `setKeys` takes it again.
    ExternallySetKeys::<Runtime>::insert(validator, ());
}
