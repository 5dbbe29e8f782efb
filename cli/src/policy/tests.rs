use super::*;

fn error(text: &str) -> String {
    format!("{:#}", parse(text).expect_err("it cannot be used"))
}

/// The example with every key that is a comment in force, but for one of the two tables that exclude each other.
fn in_force(without: &str) -> String {
    let mut out = String::new();
    let mut skipped = false;
    for line in EXAMPLE.lines() {
        let key = line.strip_prefix("# ").filter(|rest| {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            rest.starts_with('[') || (!name.is_empty() && rest[name.len()..].starts_with(" = "))
        });
        let line = key.unwrap_or(line);
        if line.starts_with('[') {
            skipped = line == without;
        }
        if !skipped {
            out += &format!("{line}\n");
        }
    }
    out
}

#[test]
fn the_example_is_as_strict_as_no_file_and_names_every_key() {
    assert_eq!(parse(EXAMPLE).expect("a policy"), Policy::strict());
    assert_eq!(parse("").expect("a policy"), Policy::strict());
    let mut policy = parse(&in_force("[tdx]")).expect("a policy");
    let sgx =
        SgxMeasurements { mr_enclave: Some([0; 32]), mr_signer: Some([0; 32]), isv_prod_id: Some(0), min_isv_svn: 0 };
    assert_eq!(policy.measurements, Some(Measurements::Sgx(sgx)));
    let zeros = Some([0; 48]);
    let tdx = TdxMeasurements {
        mr_td: zeros,
        rtmr: [zeros; 4],
        mr_config_id: zeros,
        mr_owner: zeros,
        mr_owner_config: zeros,
    };
    let with_tdx = parse(&in_force("[sgx]")).expect("a policy");
    assert_eq!(with_tdx.measurements, Some(Measurements::Tdx(tdx)));
    // What the comments call the default is the default.
    assert_eq!(policy.denied_advisories.len(), 1);
    (policy.measurements, policy.denied_advisories) = (None, Default::default());
    assert_eq!(policy, Policy::strict());
}

#[test]
fn the_example_lists_every_status_and_every_attribute() {
    for status in TcbStatus::ALL {
        assert!(EXAMPLE.contains(&status.to_string()), "{status}");
    }
    for (name, _) in td_attributes::NAMES {
        assert!(EXAMPLE.contains(name), "{name}");
    }
}

#[test]
fn every_key_says_what_it_demands() {
    let policy = parse(
        r#"
        statuses = ["UpToDate", "TDRelaunchAdvised"]
        denied_advisories = ["intel-sa-00615"]
        min_evaluation_data_number = 17
        grace = "7d"
        [td]
        attributes = ["pks", "perfmon"]
        xfam = 0x602e7
        service_td = true
        [tdx]
        rtmr3 = "0x333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333"
        "#,
    )
    .expect("a policy");
    let expected = Policy {
        statuses: Statuses::of(&[TcbStatus::UpToDate, TcbStatus::TDRelaunchAdvised]),
        denied_advisories: vec![Advisory::new("INTEL-SA-00615").expect("an id")].try_into().expect("one"),
        min_evaluation_data_number: 17,
        grace: 7 * 24 * 60 * 60,
        td: TdFeatures { attributes: td_attributes::PKS | td_attributes::PERFMON, xfam: 0x602e7, service_td: true },
        measurements: Some(Measurements::Tdx(TdxMeasurements {
            rtmr: [None, None, None, Some([0x33; 48])],
            ..TdxMeasurements::default()
        })),
    };
    assert_eq!(policy, expected);
    assert_eq!(parse("grace = 90").expect("a policy").grace, 90);
    assert_eq!(parse("grace = \"3650d\"").expect("a policy").grace, MAX_GRACE);
    let any_enclave = Some(Measurements::Sgx(SgxMeasurements::default()));
    assert_eq!(parse("[sgx]").expect("a policy").measurements, any_enclave);
}

#[test]
fn what_is_mistyped_is_named_with_what_to_write() {
    let many: Vec<String> = (0..65).map(|id| format!("\"INTEL-SA-{id:05}\"")).collect();
    for (text, says) in [
        ("status = []", "unknown field `status`, expected one of `statuses`"),
        ("[td]\nmigratable = true", "unknown field `migratable`, expected one of `attributes`"),
        ("[sgx]\nmrtd = \"\"", "unknown field `mrtd`, expected one of `mrenclave`"),
        ("[tdx]\nmrenclave = \"\"", "unknown field `mrenclave`"),
        ("statuses = [\"uptodate\"]", "`uptodate` is no status; there are UpToDate, SWHardeningNeeded"),
        ("statuses = [\"Revoked\"]", "Revoked is never accepted"),
        ("statuses = []", "statuses is empty"),
        ("statuses = [\"OutOfDate\"]", "statuses leaves out UpToDate: list every status that is accepted"),
        ("denied_advisories = [\"SA-00615\"]", "`SA-00615` is no advisory's id: write INTEL-SA- and five digits"),
        ("denied_advisories = [\"INTEL SA 00615\"]", "such as INTEL-SA-00615"),
        ("denied_advisories = [\"INTEL-SA-289\"]", "no advisory's id: write five digits, INTEL-SA-00289"),
        ("denied_advisories = [\"INTEL-SA-O0289\"]", "`INTEL-SA-O0289` is no advisory's id"),
        ("denied_advisories = [\"INTEL-SA-\"]", "`INTEL-SA-` is no advisory's id"),
        ("denied_advisories = [\"INTEL-SA-000289\"]", "`INTEL-SA-000289` is no advisory's id"),
        (&format!("denied_advisories = [{}]", many.join(",")), "65 of them, and 64 are the most"),
        ("min_evaluation_data_number = -1", "write a whole number of at most 32 bits, without quotes"),
        ("[sgx]\nisv_prod_id = \"1\"", "write a whole number of at most 16 bits, without quotes"),
        ("[sgx]\nmrsigner = 0x00", "integer `0`: write it in quotes"),
        ("[td]\nservice_td = \"no\"", "write true or false, without quotes"),
        ("grace = \"a week\"", "such as 7d"),
        ("grace = -1", "cannot be negative"),
        ("grace = 1.5", "expected a number, or text in quotes"),
        ("grace = \"3651d\"", "a grace is 3650d at most"),
        ("grace = \"99999999999999d\"", "a grace is 3650d at most"),
        ("grace = 315360001", "a grace is 3650d at most"),
        ("[td]\nxfam = \"0x602e7\"", "xfam is a number: leave out the quotes"),
        ("[td]\nxfam = -1", "xfam cannot be negative"),
        ("[td]\nattributes = [\"debug\"]", "`debug` is no attribute that a policy may allow; there are migratable"),
        ("[td]\nxfam = 0x8", "bits that no trust domain can have, 0x8"),
        ("[tdx]\nmrtd = \"00\"", "has 2 hexadecimal digits, and 96 are needed"),
        ("[tdx]\nmrtd = \"zz\"", "not hexadecimal: it has `z` in it"),
        ("[sgx]\n[tdx]", "[sgx] and [tdx], and no workload is both"),
        ("statuses = \"UpToDate\"", "string \"UpToDate\": write a list in brackets"),
        ("{}", "`holdfast policy example` prints every key"),
    ] {
        let error = error(text);
        assert!(error.contains(says), "{text}: {error}");
    }
    let hostile = error("[td]\nattributes = [\"\u{202e}\u{9b}2J\"]");
    assert!(!hostile.contains(['\u{202e}', '\u{9b}']), "{hostile}");
}

// In place of a fuzzer.
#[test]
fn nothing_that_is_read_ends_in_a_panic() {
    for whole in [in_force("[sgx]"), in_force("[tdx]")] {
        for at in (0..whole.len()).filter(|at| whole.is_char_boundary(*at)).step_by(3) {
            let _ = parse(&whole[..at]);
            for other in ["", "\"", "[", "\u{0}", "é", "9999999999999999999999"] {
                let _ = parse(&format!("{}{other}{}", &whole[..at], &whole[at + 1..]));
            }
        }
    }
}
