//! The binary, as an operator or an outside verifier types it.

mod docs;
mod inspect;
mod mock;
mod support;
mod verify;

use support::*;

#[test]
fn the_help_of_every_command_has_an_example_that_begins_with_its_name() {
    for command in [
        "",
        "quote",
        "quote inspect",
        "quote verify",
        "policy",
        "policy example",
        "mock",
        "mock root",
        "mock collateral",
        "mock quote",
        "report-data",
    ] {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = run(&args);
        let text = text(&help.stdout);
        assert_eq!(code(&help), 0, "{command}: {text}");
        assert!(
            text.contains(&format!("Example:\n  holdfast {command}"))
                || text.contains(&format!("Examples:\n  holdfast {command}")),
            "{command}: {text}"
        );
    }
}

#[test]
fn what_is_typed_wrong_ends_with_2_and_says_what_is_right() {
    for (args, says) in [
        (&["quote", "verify", "q"][..], "--collateral <FILE>"),
        (&["quote", "check", "q"], "unrecognized subcommand 'check'"),
        (&["quote", "verify", "q", "--collateral", "c", "--at", "2025-07-01"], "write 2025-07-01T00:00:00Z"),
        (&["quote", "verify", "q", "--collateral", "c", "--at", "-5"], "this is no time: write seconds since 1970"),
        (&["quote", "verify", "q", "--collateral", "c", "--report-data", "00"], "and 128 are needed"),
        (&["verify", "q"], "Did you mean `holdfast quote verify`?"),
        (&["inspect", "q"], "Did you mean `holdfast quote inspect`?"),
        (&["mock", "collateral", "--at", "-5"], "this is no time: write seconds since 1970"),
        (&["quote", "inspect", "q", "--format", "yaml"], "[possible values: text, json]"),
        (&["mock", "quote", "--report-data", "0x00"], "has 2 hexadecimal digits, and 128 are needed"),
        (&["mock", "quote", "--kind", "tdx"], "tdx-1.5ex"),
        (&["mock", "quote", "--kind", "sgx", "--rtmr3", &"00".repeat(48)], "an enclave has neither MRTD nor RTMRs"),
        (&["mock", "quote", "--mrenclave", &"00".repeat(32)], "or choose --kind sgx"),
        (&["report-data", "--audience", "chain"], "--genesis <HEX>"),
    ] {
        let failed = run(args);
        assert_eq!(code(&failed), 2, "{args:?}");
        assert!(text(&failed.stderr).contains(says) && failed.stdout.is_empty(), "{args:?}: {}", text(&failed.stderr));
    }
}

#[test]
fn a_program_gets_its_answer_whatever_is_typed_wrong() {
    let wrong = ["quote", "verify", "q", "--collateral", "c", "--at", "soon"];
    for format in [&["--format", "json"][..], &["--format=json"]] {
        let failed = run(&[&wrong[..], format].concat());
        assert_eq!(code(&failed), 2);
        assert_eq!((&json(&failed)["verified"], &json(&failed)["error"]), (&false.into(), &"Unusable".into()));
        assert!(text(&failed.stderr).contains("this is no time"));
    }
    for wrong in [&["quote", "inspect"][..], &["verify", "q"], &["inspect", "q"]] {
        let failed = run(&[wrong, &["--format", "json"]].concat());
        assert_eq!((code(&failed), &json(&failed)["verified"]), (2, &false.into()));
    }
    let help = run(&["quote", "verify", "--format", "json", "--help"]);
    assert!(code(&help) == 0 && text(&help.stdout).contains("Usage: "));
}

#[test]
fn report_data_is_printed_as_128_digits() {
    let hash = format!("0x{}", "12".repeat(32));
    let key = format!("gran:ed25519:{hash}");
    let common =
        ["report-data", "--genesis", &hash, "--role", "validator", "--operator", &hash, "--key", &key, "--audience"];
    let printed = |more: &[&str]| run(&[&common[..], more].concat());
    let chain = printed(&["chain", "--block", &hash]);
    let anyone = printed(&["anyone", "--challenge", &hash]);
    for output in [&chain, &anyone] {
        assert_eq!(code(output), 0, "{}", text(&output.stderr));
        let digits = text(&output.stdout);
        assert!(digits.len() == 129 && digits.ends_with(&format!("{}\n", "12".repeat(32))), "{digits}");
    }
    assert_ne!(chain.stdout, anyone.stdout);
    let both = printed(&["chain", "--challenge", &hash]);
    assert_eq!(code(&both), 2);
    assert!(text(&both.stderr).contains("fresh by a block: give --block"), "{}", text(&both.stderr));

    // What it prints is what a mock quote takes, and what a verification shows.
    let quote = run(&["mock", "quote", "--report-data", text(&chain.stdout).trim(), "--hex"]);
    let shown = run_with(&["quote", "inspect", "-", "--format", "json"], &quote.stdout);
    assert_eq!(json(&shown)["body"]["report_data"], text(&chain.stdout).trim());
}

#[test]
fn a_reader_who_has_left_is_no_error() {
    let home = home();
    let quote = sample("tdx_quote");
    let mock = mock_files(home.path(), "tdx-v4");
    for args in [
        &["quote", "inspect", &quote][..],
        &["quote", "inspect", &quote, "--format", "json"],
        &["quote", "verify", &mock.quote, "--collateral", &mock.collateral, "--root", &mock.root],
        &["policy", "example"],
        &["mock", "quote"],
        &["mock", "collateral"],
        &["quote", "--help"],
    ] {
        let output = run_closed(args);
        assert_eq!(code(&output), 0, "{args:?}: {}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("panicked"), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn without_standard_error_it_ends_as_it_would_with_it() {
    let mut command = holdfast(&["quote", "inspect", "/nonexistent"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(command.stderr(writer).status().expect("runs").code(), Some(2));
}
