//! `docs/cli.md` says what is.

use std::{
    fs::Permissions,
    os::unix::fs::{symlink, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::support::*;

const DOCS: &str = include_str!("../../../docs/cli.md");

#[test]
fn every_example_in_the_documentation_prints_what_it_says() {
    let (home, sources) = (home(), Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    symlink(env!("CARGO_BIN_EXE_holdfast"), bin.join("holdfast")).expect("linked");
    symlink(sources.join("evidence"), home.path().join("evidence")).expect("linked");
    let paths = format!("{}:{}", path(&bin), std::env::var("PATH").expect("set"));
    let mut examples = 0;
    for block in DOCS.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("something");
        let mut lines = block.lines().peekable();
        let (mut script, mut expected) = (String::new(), Vec::new());
        while let Some(line) = lines.next() {
            let command = line.strip_prefix("$ ").expect("a command");
            // What it prints is told from the next one's by a byte that none prints.
            script += &format!("{command}\nprintf '\\036'\n");
            let mut printed = String::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                printed += &format!("{line}\n");
            }
            expected.push(printed);
        }
        let shell = Command::new("sh")
            .args(["-c", &script])
            .current_dir(home.path())
            .env("PATH", &paths)
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        let stdout = text(&shell.stdout);
        let printed: Vec<&str> = stdout.split_terminator('\u{1e}').collect();
        assert_eq!(printed, expected, "{script}: {}", text(&shell.stderr));
        assert!(shell.stderr.is_empty(), "{script}: {}", text(&shell.stderr));
        examples += expected.len();
    }
    assert!(examples >= 9);
}

#[test]
fn the_documentation_lists_every_key() {
    let home = home();
    let files = mock_files(home.path(), "tdx-v4");
    let verify = ["quote", "verify", &files.quote, "--collateral", &files.collateral, "--root", &files.root];
    let answer = json(&run(&[&verify[..], &["--format", "json"]].concat()));
    let collateral = std::fs::read(&files.collateral).expect("made");
    let collateral: serde_json::Value = serde_json::from_slice(&collateral).expect("JSON");
    let shown = json(&run(&["quote", "inspect", &files.quote, "--format", "json"]));
    let keys = [&answer, &collateral, &shown].map(|object| object.as_object().expect("an object").keys().cloned());
    for key in keys.into_iter().flatten() {
        assert!(DOCS.contains(&format!("`{key}`")), "{key}");
    }
    let help = text(&run(&["quote", "verify", "--help"]).stdout);
    for key in collateral.as_object().expect("an object").keys() {
        assert!(help.contains(key.as_str()), "{key}: {help}");
    }
    assert!(help.contains("pck_certificate_chain"), "{help}");
}

#[test]
fn the_policy_in_the_documentation_is_one() {
    let home = home();
    let files = mock_files(home.path(), "tdx-v4");
    let policy = DOCS.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a policy");
    let policy = write(home.path(), "policy.toml", policy);
    let verify = ["quote", "verify", &files.quote, "--collateral", &files.collateral, "--root", &files.root];
    let verified = run(&[&verify[..], &["--policy", &policy]].concat());
    assert_eq!(code(&verified), 0, "{}{}", text(&verified.stdout), text(&verified.stderr));
}

/// Answers as Intel's service does, from the files beside it.
const CURL: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -D) head=$2; shift ;;
    -o) out=$2; shift ;;
    https://*) address=$1 ;;
  esac
  shift
done
case $address in
  https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=b0c06f000000) name=tcb ;;
  https://api.trustedservices.intel.com/tdx/certification/v4/qe/identity) name=qe ;;
  "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform&encoding=der") name=pck ;;
  https://certificates.trustedservices.intel.com/IntelSGXRootCA.der) name=root ;;
  *) exit 22 ;;
esac
cp "${0%/*}/$name.body" "$out"
[ $name = root ] || cp "${0%/*}/$name.head" "$head"
"#;

#[test]
fn collateral_is_got_as_the_documentation_says() {
    let home = home();
    let known = std::fs::read(sample("tdx_quote_collateral.json")).expect("there");
    let known: holdfast_evidence::Collateral = serde_json::from_slice(&known).expect("collateral");
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    std::fs::set_permissions(write(&bin, "curl", CURL), Permissions::from_mode(0o755)).expect("made executable");
    let encoded = |chain: &str| -> String {
        let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        chain.bytes().map(byte).collect()
    };
    let head = |name: &str, chain: &str| format!("HTTP/2 200 \r\n{name}: {}\r\nRequest-ID: 1\r\n\r\n", encoded(chain));
    let signed =
        |name: &str, json: &str, by: &[u8]| format!("{{\"{name}\":{json},\"signature\":\"{}\"}}", hex::encode(by));
    for (name, content) in [
        ("tcb.head", head("tcb-info-issuer-chain", &known.tcb_info_issuer_chain)),
        ("tcb.body", signed("tcbInfo", &known.tcb_info, &known.tcb_info_signature)),
        ("qe.head", head("SGX-Enclave-Identity-Issuer-Chain", &known.qe_identity_issuer_chain)),
        ("qe.body", signed("enclaveIdentity", &known.qe_identity, &known.qe_identity_signature)),
        ("pck.head", head("SGX-PCK-CRL-Issuer-Chain", &known.pck_crl_issuer_chain)),
    ] {
        write(&bin, name, content);
    }
    write(&bin, "pck.body", &known.pck_crl);
    write(&bin, "root.body", &known.root_ca_crl);

    let script = DOCS.split("```bash\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a script");
    let paths = format!("{}:{}", path(&bin), std::env::var("PATH").expect("set"));
    let shell = Command::new("bash").args(["-euc", script]).current_dir(home.path()).env("PATH", paths).output();
    let shell = shell.expect("runs");
    assert!(shell.status.success() && shell.stderr.is_empty(), "{}", text(&shell.stderr));
    let got = home.path().join("collateral.json");
    let made: holdfast_evidence::Collateral =
        serde_json::from_slice(&std::fs::read(&got).expect("made")).expect("collateral");
    assert_eq!((&made.tcb_info, &made.qe_identity), (&known.tcb_info, &known.qe_identity));
    let (quote, at) = (sample("tdx_quote"), "2025-07-01T00:00:00Z");
    let verified = run(&["quote", "verify", &quote, "--collateral", &path(&got), "--at", at]);
    assert_eq!(code(&verified), 0, "{}{}", text(&verified.stdout), text(&verified.stderr));
}
