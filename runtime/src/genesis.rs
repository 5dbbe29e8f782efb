//! Genesis presets.
//!
//! | preset | validators | sudo | funded |
//! |---|---|---|---|
//! | `development` | Alice | Alice | the twelve well-known accounts |
//! | `local_testnet` | Alice, Bob, Charlie, Dave | Alice | the twelve well-known accounts |
//! | `live` | none | none | none |
//!
//! A preset is a JSON patch (RFC 7386) over the default genesis. `live` gets validators and balances
//! from a further patch that its founders agree on:
//!
//! ```json
//! {
//!   "balances": { "balances": [["<account>", 1000000000000000]] },
//!   "session": { "keys": [["<account>", "<account>", { "aura": "<public key>", "grandpa": "<public key>" }]] }
//! }
//! ```
//!
//! Authorities are set by `session` alone: `aura` and `grandpa` stay empty in genesis, which is
//! refused otherwise. All presets have the default slot and session; a test patches `timing`.

use alloc::{string::ToString, vec, vec::Vec};

use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_genesis_builder::PresetId;
pub use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

use crate::{
    AccountId, Balance, BalancesConfig, RuntimeGenesisConfig, SessionConfig, SessionKeys, SudoConfig, TimingConfig,
    HOLD,
};

/// The preset of a chain that others rely on: nobody is trusted until its founders say so.
pub const LIVE_RUNTIME_PRESET: &str = "live";

/// What each well-known account holds, where there are any.
pub const ENDOWMENT: Balance = 1_000_000 * HOLD;

/// The presets' names.
pub fn preset_names() -> Vec<PresetId> {
    vec![DEV_RUNTIME_PRESET.into(), LOCAL_TESTNET_RUNTIME_PRESET.into(), LIVE_RUNTIME_PRESET.into()]
}

/// The JSON patch of the preset `id`, if there is such a preset.
pub fn preset(id: &PresetId) -> Option<Vec<u8>> {
    let patch = match id.as_str() {
        DEV_RUNTIME_PRESET => well_known(&[(Sr25519Keyring::Alice, Ed25519Keyring::Alice)]),
        // GRANDPA needs more than two thirds of the votes: four validators can lose one, three none.
        LOCAL_TESTNET_RUNTIME_PRESET => well_known(&[
            (Sr25519Keyring::Alice, Ed25519Keyring::Alice),
            (Sr25519Keyring::Bob, Ed25519Keyring::Bob),
            (Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
            (Sr25519Keyring::Dave, Ed25519Keyring::Dave),
        ]),
        LIVE_RUNTIME_PRESET => live(),
        _ => return None,
    };
    Some(patch.to_string().into_bytes())
}

/// A chain of validators whose keys everybody knows, with sudo in Alice's hands.
fn well_known(validators: &[(Sr25519Keyring, Ed25519Keyring)]) -> Value {
    let account = |who: Sr25519Keyring| AccountId::from(who.public());
    build_struct_json_patch!(RuntimeGenesisConfig {
        timing: TimingConfig::default(),
        balances: BalancesConfig {
            balances: Sr25519Keyring::well_known().map(|who| (account(who), ENDOWMENT)).collect(),
        },
        session: SessionConfig {
            keys: validators
                .iter()
                .map(|(aura, grandpa)| {
                    let keys = SessionKeys { aura: aura.public().into(), grandpa: grandpa.public().into() };
                    (account(*aura), account(*aura), keys)
                })
                .collect(),
        },
        sudo: SudoConfig { key: Some(account(Sr25519Keyring::Alice)) },
    })
}

/// The settings that a live chain's founders see and may patch; the rest is theirs to add.
fn live() -> Value {
    build_struct_json_patch!(RuntimeGenesisConfig { timing: TimingConfig::default() })
}
