use holdfast_evidence::{
    mock::{Kind, Parts, Plan},
    Measurements, Statuses, TcbStatus, TdxMeasurements,
};

use super::{steps::Went, *};

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 24 * 60 * 60;

/// What a mock's parts are judged by.
fn given(parts: &Parts) -> Given {
    let signed = parts.assemble();
    Given { quote: signed.quote, collateral: signed.collateral, root: signed.root, now: NOW, policy: Policy::strict() }
}

/// A sample and the middle of the time in which its collateral is good.
fn sample(name: &str, now: u64) -> Given {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/tests/data/dcap-qvl");
    let policy = Policy { statuses: Statuses::of(&TcbStatus::ALL), ..Policy::strict() };
    Given {
        quote: input::quote(&dir.join(name)).expect("a quote"),
        collateral: input::collateral(&dir.join(format!("{name}_collateral.json"))).expect("collateral"),
        root: INTEL_ROOT.to_vec(),
        now,
        policy,
    }
}

fn samples() -> [Given; 4] {
    [
        sample("sgx_quote", 1_751_000_000),
        sample("tdx_quote", 1_751_000_000),
        sample("tdx_quote_outdated", 1_772_000_000),
        sample("tdx_quote_td15ex", 1_792_000_000),
    ]
}

/// The names of the steps that held, then the one that failed if one did. It fails if the steps and the one-shot
/// disagree.
fn held_then_failed(given: &Given) -> (usize, Option<&'static str>) {
    let (steps, verdict) = judge(given).expect("steps and one-shot agree");
    let all: Vec<_> = steps.all().collect();
    let held = all.iter().take_while(|(_, went)| matches!(went, Went::Held(_))).count();
    let rest = all.get(held..).unwrap_or_default();
    match rest.split_first() {
        None => {
            assert!(verdict.is_ok());
            (held, None)
        }
        Some(((name, Went::Failed(error)), rest)) => {
            assert_eq!(verdict.as_ref().err(), Some(*error));
            assert!(rest.iter().all(|(_, went)| *went == Went::NotReached));
            (held, Some(name))
        }
        Some(_) => panic!("a step was left out: {all:?}"),
    }
}

fn text(given: &Given) -> String {
    let (steps, verdict) = judge(given).expect("steps and one-shot agree");
    page::Answer { given, root: Root::of(&given.root), steps: &steps, verdict: &verdict }.text("q", "p")
}

fn json(given: &Given) -> serde_json::Value {
    let (steps, verdict) = judge(given).expect("steps and one-shot agree");
    page::Answer { given, root: Root::of(&given.root), steps: &steps, verdict: &verdict }.json().object()
}

#[test]
fn the_steps_come_to_the_verdict_of_the_one_shot_on_real_quotes_whenever_they_are_judged() {
    for mut given in samples() {
        let middle = given.now;
        for now in [0, middle - 60 * DAY, middle - DAY, middle, middle + 60 * DAY, u64::MAX] {
            given.now = now;
            for grace in [0, 90 * DAY, u64::MAX] {
                given.policy.grace = grace;
                held_then_failed(&given);
            }
        }
    }
}

#[test]
fn the_steps_come_to_the_verdict_of_the_one_shot_whatever_byte_is_changed() {
    for kind in Kind::ALL {
        let whole = given(&Plan::new(kind, NOW).unsigned().parts());
        assert_eq!(held_then_failed(&whole), (15, None));
        for at in (0..whole.quote.len()).step_by(101) {
            let mut changed = Given { collateral: whole.collateral.clone(), ..given_like(&whole) };
            changed.quote[at] ^= 1;
            held_then_failed(&changed);
            changed.quote.truncate(at);
            held_then_failed(&changed);
        }
        let collateral = serde_json::to_string(&whole.collateral).expect("plain data");
        for at in (0..collateral.len()).step_by(997) {
            let mut bytes = collateral.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(collateral) = serde_json::from_slice(&bytes) else { continue };
            held_then_failed(&Given { collateral, ..given_like(&whole) });
        }
    }
}

fn given_like(given: &Given) -> Given {
    Given {
        quote: given.quote.clone(),
        collateral: given.collateral.clone(),
        root: given.root.clone(),
        now: given.now,
        policy: given.policy.clone(),
    }
}

#[test]
fn the_step_that_fails_is_the_one_at_which_something_is_wrong() {
    type Change = fn(&mut Parts);
    let changes: [(&str, Change); 13] = [
        ("quote", |parts| parts.quote[0] = 9),
        ("root's CRL", |parts| *parts.crls.root.last_mut().expect("bytes") ^= 1),
        ("PCK CRL's signer", |parts| *parts.certificates.platform_ca.last_mut().expect("bytes") ^= 1),
        ("PCK CRL", |parts| *parts.crls.pck.last_mut().expect("bytes") ^= 1),
        ("TCB info's signer", |parts| *parts.certificates.tcb_signer.last_mut().expect("bytes") ^= 1),
        ("TCB info", |parts| parts.tcb_info_signature[9] ^= 1),
        ("QE identity's signer", |parts| parts.chains.qe_identity_issuer.truncate(0)),
        ("QE identity", |parts| parts.qe_identity_signature[9] ^= 1),
        ("PCK's issuer", |parts| parts.chains.quote.truncate(1)),
        ("PCK certificate", |parts| *parts.certificates.pck.last_mut().expect("bytes") ^= 1),
        ("attestation key", |parts| parts.qe_report_signature[9] ^= 1),
        ("quote's signature", |parts| parts.quote_signature[9] ^= 1),
        ("quote's signature", |parts| parts.quote[200] ^= 1),
    ];
    for (step, change) in changes {
        let mut parts = Plan::new(Kind::TdV4, NOW).unsigned().parts();
        change(&mut parts);
        let given = given(&parts);
        assert_eq!(held_then_failed(&given).1, Some(step));
        let text = text(&given);
        assert!(text.starts_with("REFUSED: q\n") && text.contains(&format!("  FAIL  {step} ")), "{text}");
    }

    let changed = |change: fn(&mut Plan)| {
        let mut plan = Plan::new(Kind::TdV4, NOW);
        change(&mut plan);
        held_then_failed(&given(&plan.unsigned().parts())).1
    };
    assert_eq!(changed(|plan| plan.td.tee_tcb_svn[1] = 9), Some("platform"));
    assert_eq!(changed(|plan| plan.td.td_attributes[0] = 1), Some("policy"));
    let mut other_root = given(&Plan::new(Kind::TdV4, NOW).unsigned().parts());
    other_root.root = vec![0x30, 0];
    assert_eq!(held_then_failed(&other_root).1, Some("root"));
}

#[test]
fn what_no_step_established_that_held_is_null_and_every_key_is_there() {
    const KEYS: [&str; 14] = [
        "advisories",
        "at",
        "detail",
        "error",
        "evaluation_data_number",
        "fmspc",
        "good_until",
        "measurements",
        "report_data",
        "root",
        "simulated",
        "tcb_status",
        "tee",
        "verified",
    ];
    let keys = |json: &serde_json::Value| {
        let mut keys: Vec<String> = json.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    };
    let parts = Plan::new(Kind::TdV4, NOW).unsigned().parts();
    let verified = json(&given(&parts));
    assert_eq!(keys(&verified), KEYS);
    assert!(verified["error"].is_null() && verified["detail"].is_null() && verified["verified"] == true);
    assert_eq!((&verified["simulated"], &verified["root"]), (&true.into(), &"simulated".into()));
    assert_eq!(verified["measurements"]["mrtd"], "d0".repeat(48));

    let mut tampered = given(&parts);
    tampered.quote[200] ^= 1;
    let refused = json(&tampered);
    assert_eq!(keys(&refused), KEYS);
    assert_eq!(refused["error"], "QuoteSignature");
    assert_eq!(refused["fmspc"], "004d4f434b00");
    for unknown in ["measurements", "report_data", "tee", "tcb_status", "advisories", "good_until"] {
        assert!(refused[unknown].is_null(), "{unknown}: {refused}");
    }
    assert!(!text(&tampered).contains("mrtd"));

    let mut demanding = given(&parts);
    let mr_td = Some([7; 48]);
    demanding.policy.measurements = Some(Measurements::Tdx(TdxMeasurements { mr_td, ..Default::default() }));
    let refused = json(&demanding);
    assert_eq!((&refused["error"], &refused["tcb_status"]), (&"Measurement".into(), &"UpToDate".into()));
    assert_eq!(refused["measurements"]["mrtd"], "d0".repeat(48));
    assert!(text(&demanding).contains("\nworkload, which was refused\n"));
}

#[test]
fn whose_root_it_is_is_said_in_both_formats() {
    let simulated = given(&Plan::new(Kind::Sgx, NOW).unsigned().parts());
    let page = text(&simulated);
    assert!(page.starts_with("VERIFIED, BUT SIMULATED: q\n") && page.contains("by A SIMULATED ROOT, "), "{page}");
    let mut by_intels = given_like(&simulated);
    by_intels.root = INTEL_ROOT.to_vec();
    let page = text(&by_intels);
    assert!(page.contains("by Intel's root") && page.contains("\nThe collateral is SIMULATED, "), "{page}");
    assert_eq!((&json(&by_intels)["simulated"], &json(&by_intels)["root"]), (&false.into(), &"intel".into()));
    let [_, mut real, ..] = samples();
    let page = text(&real);
    assert!(page.starts_with("VERIFIED: q\n") && !page.contains("SIMULATED"), "{page}");
    real.root = simulated.root;
    let page = text(&real);
    assert!(
        page.starts_with("REFUSED") && page.contains("\nThe root is SIMULATED, and the collateral is not"),
        "{page}"
    );

    let mut plan = Plan::new(Kind::Sgx, NOW);
    let certificate = &mut plan.certificates.root;
    certificate.subject.organization = "Somebody".into();
    certificate.issuer.organization = "Somebody".into();
    assert_eq!(Root::of(&plan.unsigned().sign().root), Root::Other);
}

#[test]
fn whoever_can_do_something_about_a_refusal_is_told_what() {
    let [sgx, tdx, ..] = samples();
    let with = |given: &Given, change: &dyn Fn(&mut Given)| {
        let mut changed = given_like(given);
        change(&mut changed);
        text(&changed)
    };
    for (page, says) in [
        (with(&tdx, &|it| it.now += 90 * DAY), "\nFetch the collateral anew. To judge by the time at which"),
        (with(&tdx, &|it| it.now -= 90 * DAY), "\nLook whether this machine's clock is right, or what --at says.\n"),
        (with(&sgx, &|it| it.policy = Policy::strict()), "say so with `statuses` in a policy.\n"),
        (with(&tdx, &|it| it.collateral = sgx.collateral.clone()), "\nThe collateral is of other platforms, or of the"),
        (with(&tdx, &|it| it.collateral.tcb_info.push(' ')), "changed the bytes that Intel signed"),
        (with(&tdx, &|it| it.policy.min_evaluation_data_number = 99), "update=early"),
    ] {
        assert!(page.starts_with("REFUSED: q\n") && page.contains(says), "{says}: {page}");
    }
}

#[test]
fn what_others_wrote_cannot_forge_a_line() {
    let mut plan = Plan::new(Kind::TdV4, NOW);
    plan.certificates.tcb_signer.subject.common_name = "x\nVERIFIED\u{1b}[2J\u{202e}".into();
    let given = given(&plan.unsigned().parts());
    let (text, json) = (text(&given), json(&given).to_string());
    for shown in [text, json] {
        assert!(!shown.contains("\nVERIFIED") && !shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    }
}

#[test]
fn a_verdict_that_the_steps_do_not_come_to_is_not_given() {
    let whole = given(&Plan::new(Kind::TdV4, NOW).unsigned().parts());
    let (_, explained) = steps::take(&whole);
    assert!(matches!(agreed(explained.clone(), explained.clone()), Ok(Ok(_))));
    for (one, other) in [
        (explained.clone(), Err(Error::QuoteSignature)),
        (Err(Error::QuoteSignature), explained),
        (Err(Error::QuoteSignature), Err(Error::Debug)),
    ] {
        let error = agreed(one, other).expect_err("they differ").to_string();
        assert!(error.starts_with("the quote is not verified: "), "{error}");
    }
}
