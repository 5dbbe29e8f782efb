//! `holdfast quote inspect`.

use crate::support::*;

#[test]
fn every_sample_is_shown_and_the_first_line_says_that_it_is_not_verified() {
    for (name, kind, fmspc) in [
        ("sgx_quote", "SGX enclave", "00a067110000"),
        ("tdx_quote", "trust domain, TDX 1.0", "b0c06f000000"),
        ("tdx_quote_outdated", "trust domain, TDX 1.5", "90c06f000000"),
        ("tdx_quote_td15ex", "trust domain, TDX 1.5ex", "b0c06f000000"),
    ] {
        let page = run(&["quote", "inspect", &sample(name)]);
        assert_eq!(code(&page), 0, "{}", text(&page.stderr));
        let page = text(&page.stdout);
        assert!(page.starts_with("NOT VERIFIED: ") && !page.contains("SIMULATED"), "{page}");
        assert!(page.contains(kind) && page.contains("\ncertificate 3 of 3\n"), "{page}");

        let shown = run(&["quote", "inspect", &sample(name), "--format", "json"]);
        assert!(text(&shown.stdout).starts_with("{\n  \"verified\": false,\n  \"notice\": \"NOT VERIFIED"));
        let json = json(&shown);
        assert_eq!((&json["body"]["kind"], &json["says_simulated"]), (&kind.into(), &false.into()));
        let pck = &json["certificates"][0];
        assert_eq!(pck["fmspc"], fmspc, "{pck}");
        assert!(pck["tcb_component_svns"].as_array().is_some_and(|svns| svns.len() == 16), "{pck}");
        assert!(pck["subject"].as_str().is_some_and(|name| name.contains("CN=Intel SGX PCK Certificate")), "{pck}");
        for key in ["ppid", "pce_id", "pce_svn", "issuer", "serial"] {
            assert!(!pck[key].is_null(), "{key}: {pck}");
        }
        assert!(pck["not_before"].as_u64() < pck["not_after"].as_u64(), "{pck}");
        let body = json["body"].as_object().expect("an object");
        assert!(body.contains_key(if kind == "SGX enclave" { "mrenclave" } else { "mrtd" }));
    }
}

#[test]
fn a_quote_is_raw_or_hexadecimal_in_a_file_or_on_standard_input() {
    let home = home();
    let raw = std::fs::read(sample("sgx_quote")).expect("there");
    let hex: String = raw.iter().map(|byte| format!("{byte:02X}")).collect();
    let broken: Vec<&str> = hex.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    let expected = run(&["quote", "inspect", &sample("sgx_quote"), "--format", "json"]).stdout;
    for given in [raw.clone(), hex.clone().into_bytes(), format!("0x{}\n", broken.join("\r\n")).into_bytes()] {
        let file = write(home.path(), "quote", &given);
        assert_eq!(run(&["quote", "inspect", &file, "--format", "json"]).stdout, expected);
        assert_eq!(run_with(&["quote", "inspect", "-", "--format", "json"], &given).stdout, expected);
    }
}

#[test]
fn what_is_no_quote_ends_with_2_and_says_what_it_is() {
    let home = home();
    let long = vec![b'0'; 64 * 1024 + 1];
    for (content, says) in [
        (&b""[..], "it is empty"),
        (b"abc", "3 hexadecimal digits, an odd number: one at least is missing"),
        (b"-----BEGIN CERTIFICATE-----\n", "it is PEM, and a quote is given as raw bytes"),
        (b"{}", "it is JSON"),
        (&long, "it is longer than 64 KiB"),
    ] {
        let failed = run(&["quote", "inspect", &write(home.path(), "quote", content)]);
        assert_eq!(code(&failed), 2);
        let error = text(&failed.stderr);
        assert!(error.starts_with("holdfast: ") && error.contains(says) && failed.stdout.is_empty(), "{says}: {error}");
    }
    let missing = run(&["quote", "inspect", "/nonexistent/quote"]);
    assert_eq!(code(&missing), 2);
    assert!(text(&missing.stderr).contains("cannot read the quote from /nonexistent/quote: No such file"));
}

#[test]
fn of_a_damaged_quote_as_much_of_the_header_is_shown_as_there_is() {
    let home = home();
    let raw = std::fs::read(sample("tdx_quote")).expect("there");
    let other = [&[0xff; 4], &raw[4..]].concat();
    let header = ["version", "attestation_key_type", "tee_type", "qe_svn", "pce_svn", "qe_vendor", "user_data"];
    for (content, fields, error, says) in [
        (&raw[..1000], 7, "Truncated", "is no quote, or a damaged one (1000 bytes): the quote ends too early"),
        (&raw[..30], 6, "Truncated", "get it anew"),
        (&raw[..9], 3, "Truncated", "the quote ends too early"),
        (b"\x09\x00", 1, "QuoteVersion", "the quote is of version 9"),
        (&other, 7, "QuoteVersion", "the quote is of version 65535"),
    ] {
        let file = write(home.path(), "quote", content);
        let failed = run(&["quote", "inspect", &file]);
        assert_eq!(code(&failed), 2);
        let (page, stderr) = (text(&failed.stdout), text(&failed.stderr));
        assert!(stderr.starts_with("holdfast: ") && stderr.contains(says), "{says}: {stderr}");
        assert!(page.starts_with("NOT VERIFIED: ") && page.contains("\nDAMAGED: "), "{page}");
        for (number, name) in header.iter().enumerate() {
            assert_eq!(page.contains(&format!("\n  {name} ")), number < fields, "{name}: {page}");
        }
        let json = json(&run(&["quote", "inspect", &file, "--format", "json"]));
        assert_eq!((&json["verified"], &json["error"]), (&false.into(), &error.into()));
        assert_eq!(json["header"].as_object().map(|header| header.len()), Some(fields));
        assert!(json["body"].is_null() && json["says_simulated"].is_null(), "{json}");
    }
    let whole = json(&run(&["quote", "inspect", &sample("tdx_quote"), "--format", "json"]));
    let missing = run(&["quote", "inspect", "/nonexistent", "--format", "json"]);
    assert_eq!(code(&missing), 2);
    let missing = json(&missing);
    assert_eq!(missing["error"], "Unusable");
    let keys = |json: &serde_json::Value| json.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&missing), keys(&whole));
}

// In place of a fuzzer.
#[test]
fn a_quote_that_is_cut_or_changed_anywhere_never_ends_in_a_panic() {
    let raw = std::fs::read(sample("tdx_quote_td15ex")).expect("there");
    for at in (0..raw.len()).step_by(331) {
        for changed in [raw[..at].to_vec(), [&raw[..at], &[!raw[at]], &raw[at + 1..]].concat()] {
            let output = run_with(&["quote", "inspect", "-"], &changed);
            assert!([0, 2].contains(&code(&output)), "{at}");
            assert!(!text(&output.stderr).contains("panicked"), "{at}: {}", text(&output.stderr));
        }
    }
}
