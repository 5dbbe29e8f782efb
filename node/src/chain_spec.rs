//! Chain specifications, made from the runtime's genesis presets.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use holdfast_runtime::{
    configs::{EXISTENTIAL_DEPOSIT, MAXIMUM_VALIDATORS},
    genesis::{DEV_RUNTIME_PRESET, LIVE_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET},
    AccountId, SessionKeys, WASM_BINARY,
};
use sc_service::{ChainType, Properties};
use serde::Deserialize;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_core::crypto::Ss58Codec;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// Makes one.
type ChainSpecBuilder = sc_chain_spec::ChainSpecBuilder;
/// A chain specification of Holdfast.
pub(crate) type ChainSpec = sc_service::GenericChainSpec;

/// `--chain live:FILE` names the file with the first validators.
const LIVE_PREFIX: &str = "live:";

/// One validator of a live chain's genesis, in SS58 or hex. The keys are those that its TEE answered with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authority {
    account: String,
    aura: String,
    grandpa: String,
    /// What the account holds, in the smallest unit: it pays the fees of the validator's own transactions.
    balance: u64,
}

/// Loads what `--chain` names: a preset, `live:FILE`, or the path of a specification.
pub(crate) fn load(id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
    Ok(Box::new(match id {
        "dev" => builder("Holdfast Development", "holdfast_dev", ChainType::Development)?
            .with_genesis_config_preset_name(DEV_RUNTIME_PRESET)
            .build(),
        "" | "local" => builder("Holdfast Local Testnet", "holdfast_local", ChainType::Local)?
            .with_genesis_config_preset_name(LOCAL_TESTNET_RUNTIME_PRESET)
            .build(),
        "live" => {
            return Err("a live chain has no validators of its own: name them with --chain live:FILE, where FILE is \
                 JSON like [{\"account\": \"5…\", \"aura\": \"5…\", \"grandpa\": \"5…\", \"balance\": 1000000000000}]"
                .into())
        }
        id => match id.strip_prefix(LIVE_PREFIX) {
            Some(file) => live(Path::new(file))?,
            None => {
                let path = PathBuf::from(id);
                if !path.exists() {
                    return Err(format!(
                        "there is no chain named `{id}` and no file of that name: give dev, local, live:FILE, or the \
                         path of a chain specification"
                    ));
                }
                ChainSpec::from_json_file(path)?
            }
        },
    }))
}

/// A chain without a sudo key, whose first validators come from a file.
fn live(file: &Path) -> Result<ChainSpec, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let authorities: Vec<Authority> = serde_json::from_str(&text).map_err(|e| {
        format!("{} is not a list of validators (account, aura, grandpa, balance): {e}", file.display())
    })?;
    let in_file = |e: String| format!("{}: {e}", file.display());
    if authorities.is_empty() || authorities.len() > MAXIMUM_VALIDATORS as usize {
        let count = authorities.len();
        return Err(in_file(format!("{count} validators: a chain has at least one and at most {MAXIMUM_VALIDATORS}")));
    }
    let (mut keys, mut balances, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for authority in &authorities {
        let account: AccountId = parse("account", &authority.account).map_err(in_file)?;
        let aura: AuraId = parse("aura", &authority.aura).map_err(in_file)?;
        let grandpa: GrandpaId = parse("grandpa", &authority.grandpa).map_err(in_file)?;
        let of_it: [(&str, &[u8]); 3] = [
            (&authority.account, account.as_ref()),
            (&authority.aura, aura.as_ref()),
            (&authority.grandpa, grandpa.as_ref()),
        ];
        for (text, key) in of_it {
            if well_known(key) {
                return Err(in_file(format!("`{text}` is a key that everybody knows (//Alice and its like)")));
            }
            if !seen.insert(key.to_vec()) {
                return Err(in_file(format!(
                    "`{text}` stands there twice: each account and each key is used once, and an account is not one of \
                     its own session keys"
                )));
            }
        }
        if u128::from(authority.balance) < EXISTENTIAL_DEPOSIT {
            return Err(in_file(format!(
                "the balance {} is too small for an account to exist: {EXISTENTIAL_DEPOSIT} is the least",
                authority.balance
            )));
        }
        balances.push((account.clone(), authority.balance));
        keys.push((account.clone(), account, SessionKeys { aura, grandpa }));
    }
    let preset = holdfast_runtime::genesis::preset(&LIVE_RUNTIME_PRESET.into()).unwrap_or_default();
    let mut genesis: serde_json::Value =
        serde_json::from_slice(&preset).map_err(|e| format!("the runtime's preset `live` is not JSON: {e}"))?;
    genesis["session"] = serde_json::json!({ "keys": keys });
    genesis["balances"] = serde_json::json!({ "balances": balances });
    Ok(builder("Holdfast", "holdfast", ChainType::Live)?.with_genesis_config_patch(genesis).build())
}

/// Whether a public key belongs to one of the development phrase's accounts.
fn well_known(key: &[u8]) -> bool {
    Sr25519Keyring::iter().any(|who| who.public().0 == key) || Ed25519Keyring::iter().any(|who| who.public().0 == key)
}

/// A public key in SS58 or as 0x-prefixed hex.
fn parse<K: Ss58Codec>(what: &str, text: &str) -> Result<K, String> {
    K::from_string(text).map_err(|e| format!("`{text}` is no {what} key in SS58 or hex: {e:?}"))
}

fn builder(name: &str, id: &str, chain_type: ChainType) -> Result<ChainSpecBuilder, String> {
    let wasm = WASM_BINARY.ok_or("this binary was built without its runtime (SKIP_WASM_BUILD): build it again")?;
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), holdfast_runtime::TOKEN_SYMBOL.into());
    properties.insert("tokenDecimals".into(), holdfast_runtime::TOKEN_DECIMALS.into());
    properties.insert("ss58Format".into(), holdfast_runtime::SS58_PREFIX.into());
    Ok(ChainSpec::builder(wasm, None)
        .with_name(name)
        .with_id(id)
        .with_protocol_id(id)
        .with_chain_type(chain_type)
        .with_properties(properties))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_core::Pair;

    fn authorities(dir: &Path, text: &str) -> String {
        let file = dir.join("authorities.json");
        std::fs::write(&file, text).expect("the directory is writable");
        format!("{LIVE_PREFIX}{}", file.display())
    }

    /// Where pallet-sudo keeps its key: `twox_128("Sudo") ++ twox_128("Key")`.
    fn sudo_key() -> Vec<u8> {
        sp_core::bytes::from_hex("0x5c0d1176a568c1f92944340dbfed9e9c530ebca703c85910e7164cb7d1c9e47b").expect("hex")
    }

    fn key(suri: &str) -> String {
        sp_core::sr25519::Pair::from_string(suri, None).expect("a valid suri").public().to_ss58check()
    }

    fn validator(account: &str, aura: &str, grandpa: &str) -> serde_json::Value {
        serde_json::json!({ "account": key(account), "aura": key(aura), "grandpa": key(grandpa), "balance": 7_000_000_000u64 })
    }

    #[test]
    fn a_live_chain_takes_its_validators_from_a_file_and_has_no_sudo_key() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let text = serde_json::json!([validator("//one", "//two", "//three")]);
        let spec = load(&authorities(dir.path(), &text.to_string())).expect("the file is in order");
        assert_eq!(spec.chain_type(), ChainType::Live);
        let json: serde_json::Value = serde_json::from_str(&spec.as_json(false).expect("a spec")).expect("JSON");
        let patch = &json["genesis"]["runtimeGenesis"]["patch"];
        assert_eq!(patch["session"]["keys"][0][2]["aura"], key("//two"));
        assert_eq!(patch["balances"]["balances"][0], serde_json::json!([key("//one"), 7_000_000_000u64]));
        let storage = spec.as_storage_builder().build_storage().expect("the runtime accepts this genesis");
        assert!(!storage.top.contains_key(&sudo_key()));
    }

    #[test]
    fn every_preset_builds_a_genesis_state() {
        for id in ["dev", "local"] {
            let spec = load(id).expect("a preset");
            let storage = spec.as_storage_builder().build_storage().expect("the runtime accepts its own preset");
            assert!(storage.top.contains_key(&sudo_key()));
        }
    }

    #[test]
    fn a_bad_list_of_validators_is_an_error_that_names_the_file_and_the_fault() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let one = validator("//one", "//two", "//three");
        let twice = serde_json::json!([one, one]).to_string();
        let known = serde_json::json!([validator("//one", "//two", "//Alice")]).to_string();
        let own = serde_json::json!([validator("//one", "//one", "//two")]).to_string();
        let mut pauper = one.clone();
        pauper["balance"] = 1.into();
        let poor = serde_json::json!([pauper]).to_string();
        for (text, expected) in [
            ("[]", "at least one"),
            (&known, "everybody knows"),
            (&own, "not one of its own session keys"),
            (&poor, "too small"),
            ("{", "is not a list of validators"),
            (r#"[{"account": "x", "aura": "y", "grandpa": "z", "balance": 1}]"#, "no account key"),
            (r#"[{"account": "x", "aura": "y", "grandpa": "z"}]"#, "missing field `balance`"),
            (&twice, "stands there twice"),
            (r#"[{"account": "x", "aura": "y", "grandpa": "z", "seed": "w"}]"#, "unknown field"),
        ] {
            let error = load(&authorities(dir.path(), text)).expect_err("refused");
            assert!(error.contains(expected) && error.contains("authorities.json"), "{error}");
        }
    }

    #[test]
    fn an_unknown_chain_is_an_error_that_lists_the_known_ones() {
        let error = load("devv").expect_err("refused");
        assert!(error.contains("dev, local, live:FILE"), "{error}");
        assert!(load("live").expect_err("refused").contains("live:FILE"));
    }
}
