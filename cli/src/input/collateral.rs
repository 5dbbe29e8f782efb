//! Collateral files, and what is given in their place.

use std::path::Path;

use anyhow::{anyhow, Context};
use holdfast_evidence::Collateral;
use serde_json::Value;

use super::{read, unusable};

/// The longest file.
const MAX_COLLATERAL: usize = 1024 * 1024;

/// What stands under a key.
enum Form {
    /// JSON as a string.
    Json,
    Hexadecimal,
    Pem,
    /// PEM, and it can be left out.
    Optional,
}

const KEYS: [(&str, Form); 10] = [
    ("tcb_info", Form::Json),
    ("tcb_info_signature", Form::Hexadecimal),
    ("tcb_info_issuer_chain", Form::Pem),
    ("qe_identity", Form::Json),
    ("qe_identity_signature", Form::Hexadecimal),
    ("qe_identity_issuer_chain", Form::Pem),
    ("pck_crl", Form::Hexadecimal),
    ("pck_crl_issuer_chain", Form::Pem),
    ("root_ca_crl", Form::Hexadecimal),
    ("pck_certificate_chain", Form::Optional),
];

/// Collateral, as JSON.
pub(crate) fn collateral(file: &Path) -> anyhow::Result<Collateral> {
    let bytes = read(file, "collateral", MAX_COLLATERAL)?;
    parse(&bytes).with_context(|| unusable("collateral", file))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Collateral> {
    let parsed = serde_json::from_slice(bytes);
    // A list of the values in their order would do for serde.
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    match parsed {
        Ok(collateral) if is_object => Ok(collateral),
        Ok(_) => Err(anyhow!("it is a JSON array: a collateral file is one JSON object. {}", keys())),
        Err(cause) => {
            let why = match serde_json::from_slice(bytes) {
                Err(_) => "it is not JSON: a collateral file is one JSON object".into(),
                Ok(other) => shape(&other),
            };
            // The cause may quote the file.
            Err(anyhow!("{why} ({})", crate::output::shown(&cause.to_string())))
        }
    }
}

/// What JSON that is no collateral is.
fn shape(other: &Value) -> String {
    let has = |key: &str| other.get(key).is_some();
    if has("tcbInfo") || has("enclaveIdentity") {
        "it is one answer of Intel's service, of the several that are needed: TCB info, QE identity and two revocation \
         lists with their issuers belong into one file; docs/cli.md says how, under \"Getting collateral\""
            .into()
    } else if has("quote") || has("collateral") {
        "it has collateral or a quote inside something else: give the object with the key `tcb_info` alone".into()
    } else if has("tcb_info") {
        KEYS.iter()
            .find_map(|key| wrong(other, key))
            .unwrap_or_else(|| format!("it is not as it should be. {}", keys()))
    } else if has("tcbInfoIssuerChain") || has("pckCrlIssuerChain") || has("rootCaCrl") {
        format!("its keys are written otherwise. {}", keys())
    } else {
        format!("it is JSON, but no collateral. {}", keys())
    }
}

/// What is wrong with one key's value.
fn wrong(collateral: &Value, (key, form): &(&str, Form)) -> Option<String> {
    let text = match (collateral.get(key), form) {
        (None | Some(Value::Null), Form::Optional) => return None,
        (None, _) => return Some(format!("`{key}` is missing")),
        (Some(Value::String(text)), _) => text,
        (Some(Value::Object(_)), Form::Json) => {
            return Some(format!(
            "`{key}` is to be a string, the bytes that Intel signed: JSON that was read and written again has other \
                 bytes"
        ))
        }
        (Some(_), _) => return Some(format!("`{key}` is to be a string")),
    };
    let odd = text.chars().find(|character| !character.is_ascii_hexdigit());
    let why = match (form, odd) {
        (Form::Hexadecimal, _) if text.starts_with("0x") || text.starts_with("0X") => {
            "leave out the 0x in front".into()
        }
        (Form::Hexadecimal, _) if text.trim_start().starts_with("-----BEGIN") => {
            "this is PEM: decode it to DER, and write that in hexadecimal".into()
        }
        (Form::Hexadecimal, Some(odd)) => {
            format!("this has `{}` in it; if it is base64, decode it first", odd.escape_default())
        }
        (Form::Hexadecimal, None) if !text.len().is_multiple_of(2) => "it has an odd number of digits".into(),
        _ => return None,
    };
    Some(format!("`{key}` is to be hexadecimal: {why}"))
}

fn keys() -> String {
    let names: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
    format!("Its keys are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SAMPLE: &[u8] = include_bytes!("../../../evidence/tests/data/dcap-qvl/tdx_quote_collateral.json");

    fn error(bytes: &[u8]) -> String {
        format!("{:#}", parse(bytes).expect_err("no collateral"))
    }

    #[test]
    fn what_is_no_collateral_is_told_with_what_it_is() {
        let sample: Value = serde_json::from_slice(SAMPLE).expect("JSON");
        let changed = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
            let mut changed = sample.clone();
            change(changed.as_object_mut().expect("an object"));
            error(changed.to_string().as_bytes())
        };
        assert!(parse(SAMPLE).is_ok());
        assert!(error(b"tcb_info").starts_with("it is not JSON"));
        assert!(error(b"\xff\x00").starts_with("it is not JSON"));
        assert!(
            error(json!({ "tcbInfo": {}, "signature": "" }).to_string().as_bytes()).contains("one answer of Intel's")
        );
        assert!(error(json!({ "enclaveIdentity": {} }).to_string().as_bytes()).contains("one answer of Intel's"));
        assert!(
            error(json!({ "quote": "00", "collateral": {} }).to_string().as_bytes()).contains("inside something else")
        );
        assert!(
            error(json!({ "tcbInfoIssuerChain": "" }).to_string().as_bytes()).contains("keys are written otherwise")
        );
        assert!(error(b"[]").contains("no collateral"));
        let as_object = changed(&|it| drop(it.insert("tcb_info".into(), json!({ "id": "TDX" }))));
        assert!(as_object.contains("`tcb_info` is to be a string, the bytes that Intel signed"), "{as_object}");
        for (key, form) in &KEYS {
            if !matches!(form, Form::Optional) {
                let missing = changed(&|it| drop(it.remove(*key)));
                assert!(missing.starts_with(&format!("`{key}` is missing")) || *key == "tcb_info", "{missing}");
                let null = changed(&|it| drop(it.insert((*key).into(), Value::Null)));
                assert!(null.starts_with(&format!("`{key}` is to be a string")), "{null}");
            }
            if matches!(form, Form::Hexadecimal) {
                for (text, says) in [
                    ("0x00", "leave out the 0x in front"),
                    ("-----BEGIN X509 CRL-----", "this is PEM: decode it to DER"),
                    ("MIIK", "this has `M` in it; if it is base64, decode it first"),
                    ("abc", "it has an odd number of digits"),
                ] {
                    let error = changed(&|it| drop(it.insert((*key).into(), json!(text))));
                    assert!(error.starts_with(&format!("`{key}` is to be hexadecimal: {says}")), "{error}");
                }
            }
        }
        let hostile = changed(&|it| drop(it.insert("pck_crl".into(), json!(["\u{1b}[2J\u{202e}"]))));
        assert!(hostile.is_ascii() && !hostile.contains('\u{1b}'), "{hostile}");
    }

    #[test]
    fn collateral_is_an_object_and_no_list_of_its_values() {
        let whole = parse(SAMPLE).expect("collateral");
        // As serde orders them.
        let Value::Object(object) = serde_json::to_value(whole).expect("plain data") else { panic!("an object") };
        let mut values: Vec<Value> = object.into_iter().map(|(_, value)| value).collect();
        values.resize(KEYS.len(), Value::Null);
        let list = Value::Array(values).to_string();
        assert!(serde_json::from_str::<Collateral>(&list).is_ok());
        assert!(error(list.as_bytes()).starts_with("it is a JSON array"), "{}", error(list.as_bytes()));
    }

    // In place of a fuzzer.
    #[test]
    fn nothing_that_is_read_ends_in_a_panic() {
        for at in (0..SAMPLE.len()).step_by(37) {
            assert!(parse(&SAMPLE[..at]).is_err());
            for byte in [0, b'"', b'{', b'\\', 0xff] {
                let mut changed = SAMPLE.to_vec();
                changed[at] = byte;
                let _ = parse(&changed);
            }
        }
        assert!(error("[".repeat(MAX_COLLATERAL).as_bytes()).starts_with("it is not JSON"));
    }
}
