//! `holdfast mock`, and what it makes verified.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::support::*;

const KINDS: [&str; 5] = ["sgx", "tdx-v4", "tdx-v5", "tdx-1.5", "tdx-1.5ex"];

fn verify(files: &MockFiles, more: &[&str]) -> Output {
    run(&[&["quote", "verify", &files.quote, "--collateral", &files.collateral], more].concat())
}

#[test]
fn a_mock_quote_is_verified_by_its_root_and_called_simulated_in_both_formats() {
    let home = home();
    for kind in KINDS {
        let files = mock_files(home.path(), kind);
        let page = verify(&files, &["--root", &files.root]);
        assert_eq!(code(&page), 0, "{kind}: {}", text(&page.stdout));
        let page = text(&page.stdout);
        assert!(page.starts_with("VERIFIED, BUT SIMULATED: ") && page.contains("by A SIMULATED ROOT"), "{page}");
        let verified = json(&verify(&files, &["--root", &files.root, "--format", "json"]));
        assert_eq!((&verified["verified"], &verified["simulated"]), (&true.into(), &true.into()), "{verified}");
        assert_eq!(verified["root"], "simulated");
        let measurement = if kind == "sgx" { ("mrenclave", "e0".repeat(32)) } else { ("mrtd", "d0".repeat(48)) };
        assert_eq!(verified["measurements"][measurement.0], measurement.1);
        assert_eq!(verified["report_data"], "00".repeat(64));
    }
}

#[test]
fn a_mock_quote_is_refused_without_its_root() {
    let home = home();
    for kind in KINDS {
        let files = mock_files(home.path(), kind);
        let refused = verify(&files, &["--format", "json"]);
        assert_eq!((code(&refused), &json(&refused)["error"]), (1, &"CrlSigner".into()), "{kind}");
        let page = text(&verify(&files, &[]).stdout);
        assert!(page.starts_with("REFUSED: ") && page.contains("  FAIL  root's CRL "), "{page}");
        assert!(page.contains("Quote and collateral are SIMULATED, and the root is Intel's"), "{page}");
    }
    // A real quote by a mock root.
    let root = path(&home.path().join("sgx-root.der"));
    let refused = run(&[
        "quote",
        "verify",
        &sample("tdx_quote"),
        "--collateral",
        &sample("tdx_quote_collateral.json"),
        "--at",
        "2025-07-01T00:00:00Z",
        "--root",
        &root,
        "--format",
        "json",
    ]);
    assert_eq!((code(&refused), &json(&refused)["error"]), (1, &"CrlSigner".into()));
}

#[test]
fn a_mock_quote_that_was_tampered_with_is_refused() {
    let home = home();
    let files = mock_files(home.path(), "tdx-1.5");
    let whole = std::fs::read(&files.quote).expect("made");
    // In the body; in the signature; in the QE's report.
    for (at, error) in [(300, "QuoteSignature"), (710, "QuoteSignature"), (1000, "QeReportSignature")] {
        let mut tampered = whole.clone();
        tampered[at] ^= 1;
        let quote = write(home.path(), "tampered", &tampered);
        let files = MockFiles { quote, collateral: files.collateral.clone(), root: files.root.clone() };
        let refused = verify(&files, &["--root", &files.root, "--format", "json"]);
        assert_eq!((code(&refused), &json(&refused)["error"]), (1, &error.into()), "{at}");
    }
}

#[test]
fn what_is_made_follows_from_the_options_alone() {
    let made = |args: &[&str]| {
        let output = run(&[&["mock"], args].concat());
        assert_eq!(code(&output), 0, "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).starts_with("SIMULATED: "), "{}", text(&output.stderr));
        output.stdout
    };
    for args in [
        &["root"][..],
        &["collateral", "--kind", "sgx", "--at", "1790000000"],
        &["collateral", "--at", "1790000000"],
        &["quote"],
        &["quote", "--kind", "tdx-1.5ex", "--mrtd", &format!("0x{}", "11".repeat(48))],
    ] {
        assert_eq!(made(args), made(args));
        assert_ne!(made(args), made(&[args, &["--seed", "another"]].concat()), "{args:?}");
    }
    assert_eq!(made(&["root"]), holdfast_evidence::mock::development_root());
    assert_eq!(made(&["root", "--hex"]).trim_ascii_end().len(), 2 * made(&["root"]).len());
    assert_ne!(made(&["collateral", "--at", "1790000000"]), made(&["collateral", "--at", "1790000001"]));
}

#[test]
fn what_a_quote_is_made_to_say_is_what_it_says() {
    let home = home();
    let hex = |byte: &str, bytes: usize| byte.repeat(bytes);
    let files = mock_files(home.path(), "tdx-1.5");
    let made = run(&[
        "mock",
        "quote",
        "--kind",
        "tdx-1.5",
        "--report-data",
        &hex("55", 64),
        "--mrtd",
        &hex("66", 48),
        "--rtmr3",
        &hex("77", 48),
        "--out",
        &files.quote,
        "--force",
    ]);
    assert_eq!(code(&made), 0);
    let verified = json(&verify(&files, &["--root", &files.root, "--format", "json"]));
    assert_eq!(verified["verified"], true, "{verified}");
    assert_eq!(verified["report_data"], hex("55", 64));
    let measurements = &verified["measurements"];
    assert_eq!((&measurements["mrtd"], &measurements["rtmr3"]), (&hex("66", 48).into(), &hex("77", 48).into()));
    assert_eq!(measurements["rtmr2"], hex("a2", 48));

    let refused = |kind: &str, flag: &str| {
        let files = mock_files(home.path(), kind);
        assert_eq!(code(&run(&["mock", "quote", "--kind", kind, flag, "--out", &files.quote, "--force"])), 0);
        let refused = json(&verify(&files, &["--root", &files.root, "--format", "json"]));
        (refused["error"].clone(), refused["tcb_status"].clone())
    };
    for kind in KINDS {
        assert_eq!(refused(kind, "--debug").0, "Debug");
        assert_eq!(refused(kind, "--outdated"), ("TcbStatus".into(), "OutOfDate".into()));
    }
}

#[test]
fn a_mock_quote_can_be_piped_into_a_verification() {
    let home = home();
    let files = mock_files(home.path(), "tdx-1.5ex");
    let binary = Path::new(env!("CARGO_BIN_EXE_holdfast"));
    for hex in ["", "--hex"] {
        let script = format!(
            r#""$0" mock quote --kind tdx-1.5ex {hex} | "$0" quote verify - --collateral "$1" --root "$2" | head -n 1"#
        );
        let mut piped = Command::new("sh");
        piped.arg("-c").arg(&script).arg(binary).args([&files.collateral, &files.root]);
        let output = piped.output().expect("runs");
        assert_eq!(text(&output.stdout), "VERIFIED, BUT SIMULATED: standard input\n", "{}", text(&output.stderr));
    }
    let collateral = std::fs::read(&files.collateral).expect("made");
    let verified =
        run_with(&["quote", "verify", &files.quote, "--collateral", "-", "--root", &files.root], &collateral);
    assert_eq!(code(&verified), 0, "{}", text(&verified.stderr));
}

#[test]
fn a_file_is_written_over_only_if_that_is_said_and_a_dash_is_standard_output() {
    let home = home();
    for made in [&["root"][..], &["quote"], &["collateral", "--at", "1790000000"]] {
        let file = write(home.path(), "there", "something");
        let with = |more: &[&str]| run(&[&["mock"], made, &["--out"], more].concat());
        let refused = with(&[&file]);
        assert_eq!(code(&refused), 2);
        let error = text(&refused.stderr);
        assert!(error.contains("/there: it is there already; write over it with --force"), "{error}");
        assert_eq!(std::fs::read(&file).expect("there"), b"something");
        let forced = with(&[&file, "--force"]);
        assert_eq!(code(&forced), 0, "{}", text(&forced.stderr));
        let expected = run(&[&["mock"], made].concat()).stdout;
        assert_eq!(std::fs::read(&file).expect("there"), expected);
        // A dash in the working directory would be a file.
        let mut dash = holdfast(&[&["mock"], made, &["--out", "-"]].concat());
        let dash = dash.current_dir(home.path()).output().expect("runs");
        assert_eq!((code(&dash), &dash.stdout), (0, &expected));
        assert!(!home.path().join("-").exists());
        assert_eq!(code(&with(&["/dev/null"])), 0);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let failed = run(&["mock", "root", "--out", "/nonexistent/root.der"]);
    assert_eq!(code(&failed), 2);
    let error = text(&failed.stderr);
    assert!(
        error.contains("cannot write /nonexistent/root.der: No such file") && !error.contains("SIMULATED"),
        "{error}"
    );
}
