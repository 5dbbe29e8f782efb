//! Collateral files, and what is given in their place.

use std::path::Path;

use anyhow::{anyhow, Context};
use holdfast_evidence::Collateral;
use serde_json::Value;

use super::{read, unusable};

/// The longest file.
const MAX_COLLATERAL: usize = 1024 * 1024;

/// Collateral, as JSON.
pub(crate) fn collateral(file: &Path) -> anyhow::Result<Collateral> {
    let bytes = read(file, "collateral", MAX_COLLATERAL)?;
    parse(&bytes).with_context(|| unusable("collateral", file))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Collateral> {
    serde_json::from_slice(bytes).map_err(|cause| {
        let why = match serde_json::from_slice(bytes) {
            Err(_) => "it is not JSON: a collateral file is one JSON object",
            Ok(other) => shape(&other),
        };
        // The cause may quote the file.
        anyhow!("{why} ({})", crate::output::shown(&cause.to_string()))
    })
}

/// What JSON that is no collateral is.
fn shape(other: &Value) -> &'static str {
    let has = |key: &str| other.get(key).is_some();
    if has("tcbInfo") || has("enclaveIdentity") {
        "it is one answer of Intel's service, of the several that are needed: TCB info, QE identity and two revocation \
         lists with their issuers belong into one file, whose keys docs/cli.md lists"
    } else if has("quote") || has("collateral") {
        "it has collateral or a quote inside something else: give the object with the key `tcb_info` alone"
    } else if other.get("tcb_info").is_some_and(Value::is_object)
        || other.get("qe_identity").is_some_and(Value::is_object)
    {
        "`tcb_info` and `qe_identity` are to be strings, the bytes that Intel signed: JSON that was read and written \
         again has other bytes"
    } else if has("tcb_info") {
        "something is missing in it or is not as it should be; docs/cli.md lists the keys"
    } else if has("tcbInfoIssuerChain") || has("pckCrlIssuerChain") || has("rootCaCrl") {
        "its keys are written otherwise: `tcb_info_issuer_chain` and so on, as docs/cli.md lists them"
    } else {
        "it is JSON, but no collateral: docs/cli.md lists the keys"
    }
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
        assert!(as_object.contains("are to be strings"), "{as_object}");
        let missing = changed(&|it| drop(it.remove("pck_crl")));
        assert!(missing.contains("missing field `pck_crl`"), "{missing}");
        let odd = changed(&|it| drop(it.insert("pck_crl".into(), json!("abc"))));
        assert!(odd.contains("Odd number of digits"), "{odd}");
        let hostile = changed(&|it| drop(it.insert("pck_crl".into(), json!(["\u{1b}[2J\u{202e}"]))));
        assert!(hostile.is_ascii() && !hostile.contains('\u{1b}'), "{hostile}");
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
