//! Chain specifications, made from the runtime's genesis presets.

use std::path::{Path, PathBuf};

use holdfast_runtime::{
    genesis::{DEV_RUNTIME_PRESET, LIVE_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET},
    AccountId, SessionKeys, WASM_BINARY,
};
use sc_service::{ChainType, Properties};
use serde::Deserialize;
use sp_core::crypto::Ss58Codec;

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
}

/// Loads what `--chain` names: a preset, `live:FILE`, or the path of a specification.
pub(crate) fn load(id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
    Ok(Box::new(match id {
        "dev" => from_preset("Holdfast Development", "holdfast_dev", ChainType::Development, DEV_RUNTIME_PRESET, None)?,
        "" | "local" => from_preset(
            "Holdfast Local Testnet",
            "holdfast_local",
            ChainType::Local,
            LOCAL_TESTNET_RUNTIME_PRESET,
            None,
        )?,
        "live" => {
            return Err("a live chain has no validators of its own: name them with --chain live:FILE, where FILE is \
                 JSON like [{\"account\": \"5…\", \"aura\": \"5…\", \"grandpa\": \"5…\"}]"
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
    let authorities: Vec<Authority> = serde_json::from_str(&text)
        .map_err(|e| format!("{} is not a list of validators (account, aura, grandpa): {e}", file.display()))?;
    if authorities.is_empty() {
        return Err(format!("{} names no validator: a chain needs at least one", file.display()));
    }
    let keys = authorities
        .iter()
        .map(|authority| {
            let account: AccountId = parse("account", &authority.account)?;
            let keys =
                SessionKeys { aura: parse("aura", &authority.aura)?, grandpa: parse("grandpa", &authority.grandpa)? };
            Ok((account.clone(), account, keys))
        })
        .collect::<Result<Vec<_>, String>>()
        .map_err(|e| format!("{}: {e}", file.display()))?;
    from_preset("Holdfast", "holdfast", ChainType::Live, LIVE_RUNTIME_PRESET, Some(serde_json::json!(keys)))
}

/// A public key in SS58 or as 0x-prefixed hex.
fn parse<K: Ss58Codec>(what: &str, text: &str) -> Result<K, String> {
    K::from_string(text).map_err(|e| format!("`{text}` is no {what} key in SS58 or hex: {e:?}"))
}

fn from_preset(
    name: &str,
    id: &str,
    chain_type: ChainType,
    preset: &str,
    validators: Option<serde_json::Value>,
) -> Result<ChainSpec, String> {
    let wasm = WASM_BINARY.ok_or("this binary was built without its runtime (SKIP_WASM_BUILD): build it again")?;
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), holdfast_runtime::TOKEN_SYMBOL.into());
    properties.insert("tokenDecimals".into(), holdfast_runtime::TOKEN_DECIMALS.into());
    properties.insert("ss58Format".into(), holdfast_runtime::SS58_PREFIX.into());
    let builder = ChainSpec::builder(wasm, None)
        .with_name(name)
        .with_id(id)
        .with_protocol_id(id)
        .with_chain_type(chain_type)
        .with_properties(properties)
        .with_genesis_config_preset_name(preset);
    Ok(match validators {
        None => builder.build(),
        Some(keys) => builder.with_genesis_config_patch(serde_json::json!({ "session": { "keys": keys } })).build(),
    })
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

    fn key(suri: &str) -> String {
        sp_core::sr25519::Pair::from_string(suri, None).expect("a valid suri").public().to_ss58check()
    }

    #[test]
    fn a_live_chain_takes_its_validators_from_a_file_and_has_no_sudo_key() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let text =
            serde_json::json!([{ "account": key("//Alice"), "aura": key("//Bob"), "grandpa": key("//Charlie") }]);
        let spec = load(&authorities(dir.path(), &text.to_string())).expect("the file is in order");
        assert_eq!(spec.chain_type(), ChainType::Live);
        let json: serde_json::Value = serde_json::from_str(&spec.as_json(false).expect("a spec")).expect("JSON");
        let genesis = &json["genesis"]["runtimeGenesis"];
        assert_eq!(genesis["patch"]["session"]["keys"][0][2]["aura"], key("//Bob"));
        assert!(genesis["patch"]["sudo"]["key"].is_null());
        spec.as_storage_builder().build_storage().expect("the runtime accepts this genesis");
    }

    #[test]
    fn every_preset_builds_a_genesis_state() {
        for id in ["dev", "local"] {
            let spec = load(id).expect("a preset");
            spec.as_storage_builder().build_storage().expect("the runtime accepts its own preset");
        }
    }

    #[test]
    fn a_bad_list_of_validators_is_an_error_that_names_the_file_and_the_fault() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (text, expected) in [
            ("[]", "names no validator"),
            ("{", "is not a list of validators"),
            (r#"[{"account": "x", "aura": "y", "grandpa": "z"}]"#, "no account key"),
            (r#"[{"account": "x", "aura": "y", "grandpa": "z", "seed": "w"}]"#, "unknown field"),
        ] {
            let error = load(&authorities(dir.path(), text)).err().expect("refused");
            assert!(error.contains(expected) && error.contains("authorities.json"), "{error}");
        }
    }

    #[test]
    fn an_unknown_chain_is_an_error_that_lists_the_known_ones() {
        let error = load("devv").err().expect("refused");
        assert!(error.contains("dev, local, live:FILE"), "{error}");
        assert!(load("live").err().expect("refused").contains("live:FILE"));
    }
}
