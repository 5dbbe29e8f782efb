//! `holdfast quote verify`, on real quotes.

use crate::support::*;

/// Real quotes with the first and the last second at which their collateral is good, and whether the strict policy
/// takes them.
const SAMPLES: [(&str, u64, u64); 4] = [
    ("sgx_quote", 1_750_330_571, 1_752_919_278),
    ("tdx_quote", 1_750_329_147, 1_752_919_234),
    ("tdx_quote_outdated", 1_771_412_331, 1_774_003_274),
    ("tdx_quote_td15ex", 1_791_419_306, 1_794_008_711),
];

fn verify(name: &str, at: u64, more: &[&str]) -> std::process::Output {
    let (quote, collateral, at) = (sample(name), sample(&format!("{name}_collateral.json")), at.to_string());
    run(&[&["quote", "verify", &quote, "--collateral", &collateral, "--at", &at], more].concat())
}

#[test]
fn real_quotes_get_their_verdict_at_the_first_and_the_last_second_of_their_collateral() {
    for (name, first, last) in SAMPLES {
        for at in [first, last] {
            let verified = verify(name, at, &["--format", "json"]);
            let json = json(&verified);
            assert_eq!((&json["simulated"], &json["root"]), (&false.into(), &"intel".into()));
            let error = match name {
                "sgx_quote" => Some(("TcbStatus", "ConfigurationAndSWHardeningNeeded")),
                "tdx_quote_outdated" => Some(("TcbLevel", "")),
                _ => None,
            };
            match error {
                None => {
                    assert_eq!((code(&verified), &json["verified"]), (0, &true.into()), "{name}: {json}");
                    assert_eq!((&json["tcb_status"], &json["error"]), (&"UpToDate".into(), &().into()));
                    assert_eq!(json["advisories"], serde_json::json!([]));
                    assert_eq!((&json["tee"], &json["fmspc"]), (&"TDX".into(), &"b0c06f000000".into()));
                    assert_eq!(json["good_until"], last, "{json}");
                }
                Some((error, status)) => {
                    assert_eq!((code(&verified), &json["verified"]), (1, &false.into()), "{name}: {json}");
                    assert_eq!(json["error"], error, "{json}");
                    assert_eq!(json["tcb_status"].as_str().unwrap_or_default(), status);
                }
            }
            assert!(verified.stderr.is_empty());
        }
    }
}

#[test]
fn real_quotes_are_refused_before_and_after_their_collateral_is_good() {
    for (name, first, last) in SAMPLES {
        for (at, error) in [(first - 1, "DocumentNotYetValid"), (last + 1, "DocumentExpired")] {
            let refused = verify(name, at, &["--format", "json"]);
            assert_eq!((code(&refused), &json(&refused)["error"]), (1, &error.into()), "{name} at {at}");
            let page = text(&verify(name, at, &[]).stdout);
            assert!(page.starts_with("REFUSED: ") && page.contains(&format!("{error}: ")), "{page}");
        }
    }
}

#[test]
fn a_time_can_be_written_for_people() {
    let (quote, collateral) = (sample("tdx_quote"), sample("tdx_quote_collateral.json"));
    for (at, expected) in [("2025-07-01T00:00:00Z", 0), ("2025-07-01T02:00:00+02:00", 0), ("2026-07-01T00:00:00Z", 1)] {
        let output = run(&["quote", "verify", &quote, "--collateral", &collateral, "--at", at]);
        assert_eq!(code(&output), expected, "{}", text(&output.stdout));
        let page = text(&output.stdout);
        assert_eq!(
            page.contains("\nat 2025-07-01T00:00:00Z, by Intel's root, and by the strict policy"),
            expected == 0
        );
    }
    // Without one it is now, which is later.
    assert_eq!(code(&run(&["quote", "verify", &quote, "--collateral", &collateral])), 1);
}

#[test]
fn a_policy_decides_what_is_verified() {
    let home = home();
    let at = 1_751_000_000;
    let judged = |name: &str, policy: &str| {
        let file = write(home.path(), "policy.toml", policy);
        let output = verify(name, at, &["--policy", &file, "--format", "json"]);
        (code(&output), json(&output)["error"].as_str().map(str::to_owned))
    };
    let refused = |error: &str| (1, Some(error.to_owned()));
    let status = "statuses = [\"UpToDate\", \"ConfigurationAndSWHardeningNeeded\"]\n";
    assert_eq!(judged("sgx_quote", status), (0, None));
    assert_eq!(judged("sgx_quote", &format!("{status}[tdx]")), refused("WorkloadTee"));
    let denied = "denied_advisories = [\"INTEL-SA-00615\"]";
    assert_eq!(judged("sgx_quote", &format!("{status}{denied}")), refused("AdvisoryDenied"));
    assert_eq!(judged("tdx_quote", denied), (0, None));
    assert_eq!(judged("tdx_quote", status), (0, None));
    assert_eq!(judged("sgx_quote", "grace = 0"), refused("TcbStatus"));
    assert_eq!(judged("tdx_quote", "min_evaluation_data_number = 99"), refused("EvaluationDataNumber"));
    assert_eq!(judged("tdx_quote", "[td]\nxfam = 3"), refused("Xfam"));

    // What `inspect` shows can be demanded, under the same names.
    let shown = json(&run(&["quote", "inspect", &sample("tdx_quote"), "--format", "json"]));
    let mut policy = "[tdx]\n".to_string();
    for name in ["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrconfigid", "mrowner", "mrownerconfig"] {
        policy += &format!("{name} = {}\n", shown["body"][name]);
    }
    assert_eq!(judged("tdx_quote", &policy), (0, None));
    let rtmr3 = shown["body"]["rtmr3"].as_str().expect("text");
    let other = policy.replace(&format!("rtmr3 = \"{rtmr3}"), &format!("rtmr3 = \"{}", "ab".repeat(48)));
    assert_eq!(judged("tdx_quote", &other), refused("Measurement"));

    // A grace keeps collateral for longer.
    let (last, file) = (SAMPLES[1].2, write(home.path(), "grace.toml", "grace = \"7d\""));
    assert_eq!(code(&verify("tdx_quote", last + 86_400, &["--policy", &file])), 0);
    assert_eq!(code(&verify("tdx_quote", last + 86_400, &[])), 1);
}

#[test]
fn the_example_of_a_policy_is_one_and_a_mistyped_one_ends_with_2() {
    let home = home();
    let example = run(&["policy", "example"]);
    assert_eq!(code(&example), 0);
    let file = write(home.path(), "policy.toml", &example.stdout);
    assert_eq!(code(&verify("tdx_quote", 1_751_000_000, &["--policy", &file])), 0);
    for (policy, says) in [
        ("mrtd = \"00\"", "unknown field `mrtd`"),
        ("[tdx]\nmr_td = \"00\"", "unknown field `mr_td`"),
        ("grace = \"soon\"", "such as 7d"),
        ("min_evaluation_data_number = ", "`holdfast policy example` prints every key"),
    ] {
        let file = write(home.path(), "policy.toml", policy);
        let failed = verify("tdx_quote", 1_751_000_000, &["--policy", &file]);
        assert_eq!(code(&failed), 2);
        let error = text(&failed.stderr);
        assert!(error.contains("policy.toml cannot be used: ") && error.contains(says), "{error}");
        assert!(failed.stdout.is_empty());
        let failed = verify("tdx_quote", 1_751_000_000, &["--policy", &file, "--format", "json"]);
        assert_eq!((code(&failed), &json(&failed)["verified"]), (2, &false.into()));
        let detail = json(&failed)["detail"].as_str().map(str::to_owned).expect("text");
        assert!(detail.contains("policy.toml cannot be used: ") && detail.contains(says), "{detail}");
        assert_eq!((&json(&failed)["error"], &json(&failed)["at"]), (&"Unusable".into(), &1_751_000_000.into()));
    }
}

#[test]
fn report_data_is_compared_with_what_is_expected() {
    let json = |output: &std::process::Output| (code(output), json(output)["error"].clone());
    let shown = crate::support::json(&verify("tdx_quote", SAMPLES[1].2, &["--format", "json"]));
    let says = shown["report_data"].as_str().expect("text");
    for (expected, verdict) in [(says, (0, ().into())), (&"00".repeat(64), (1, "ReportData".into()))] {
        let args = ["--report-data", expected, "--format", "json"];
        assert_eq!(json(&verify("tdx_quote", SAMPLES[1].2, &args)), verdict);
    }
}

#[test]
fn what_cannot_be_used_ends_with_2_and_says_which_file_it_is() {
    let home = home();
    let (quote, collateral) = (sample("tdx_quote"), sample("tdx_quote_collateral.json"));
    let file = |name: &str, content: &str| write(home.path(), name, content);
    let answer = file("tcb.json", r#"{"tcbInfo":{"id":"TDX"},"signature":"00"}"#);
    let array = file("array.json", "[]");
    let long = file("long.json", &" ".repeat(1024 * 1024 + 1));
    let pem = file("quote.pem", "-----BEGIN CERTIFICATE-----\n");
    let none = path(&home.path().join("none"));
    for (args, says) in [
        (&[&quote[..], "--collateral", &none][..], "cannot read the collateral from "),
        (&[&quote, "--collateral", &answer], "tcb.json cannot be used: it is one answer of Intel's service"),
        (&[&quote, "--collateral", &long], "long.json cannot be used: it is longer than 1024 KiB"),
        (&[&quote, "--collateral", &quote], "tdx_quote cannot be used: it is not JSON"),
        (&[&collateral, "--collateral", &collateral], "tdx_quote_collateral.json cannot be used: it is JSON"),
        (&[&pem, "--collateral", &collateral], "quote.pem cannot be used: it is PEM"),
        (&[&quote, "--collateral", &collateral, "--root", &quote], "it is no root of Intel's kind"),
        (&[&quote, "--collateral", &array], "array.json cannot be used: it is JSON, but no collateral. Its keys are"),
        (&["-", "--collateral", "-"], "standard input (-) can stand for one file only"),
    ] {
        let failed = run(&[&["quote", "verify"], args].concat());
        let error = text(&failed.stderr);
        assert_eq!(code(&failed), 2, "{error}");
        assert!(error.contains(says) && failed.stdout.is_empty(), "{says}: {error}");
    }
}

#[test]
fn a_quote_that_is_no_quote_is_refused_by_name() {
    let home = home();
    let collateral = sample("tdx_quote_collateral.json");
    let raw = std::fs::read(sample("tdx_quote")).expect("there");
    for (quote, error) in [(&raw[..1000], "Truncated"), (&[9, 0], "QuoteVersion"), (&[1; 20_000], "TooLong")] {
        let file = write(home.path(), "quote", quote);
        let refused = run(&["quote", "verify", &file, "--collateral", &collateral, "--format", "json"]);
        assert_eq!((code(&refused), &json(&refused)["error"]), (1, &error.into()));
    }
}
