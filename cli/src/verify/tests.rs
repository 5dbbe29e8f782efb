use holdfast_evidence::{
    mock::{Kind, Parts, Plan},
    Measurements, Report, SgxMeasurements, Statuses, TcbStatus, TdxMeasurements,
};

use super::{steps::Went, *};
use crate::remedies;

mod advice;

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 24 * 60 * 60;

/// What a mock's parts are judged by.
fn given(parts: &Parts) -> Given {
    let signed = parts.assemble();
    Given {
        quote: signed.quote,
        collateral: signed.collateral,
        root: signed.root,
        now: NOW,
        policy: Policy::strict(),
        report_data: None,
    }
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
        report_data: None,
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
            let remedy = remedies::of(&error.name()).unwrap_or_else(|| panic!("{error:?} has no remedy"));
            assert!(remedy.steps.split(", ").any(|step| step == *name), "{error:?} at {name}: {}", remedy.steps);
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
        report_data: given.report_data,
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
    let keys = |json: &serde_json::Value| json.as_object().expect("an object").keys().cloned().collect::<Vec<String>>();
    let unusable = page::unusable("no file\n", NOW).object();
    assert_eq!((&unusable["verified"], &unusable["error"]), (&false.into(), &"Unusable".into()));
    assert_eq!((&unusable["detail"], &unusable["at"]), (&"no file\\n".into(), &NOW.into()));
    let all = keys(&unusable);
    assert_eq!(all.len(), 21);
    assert!(all[4..].iter().all(|key| key == "at" || unusable[key].is_null()), "{unusable}");
    let parts = Plan::new(Kind::TdV4, NOW).unsigned().parts();
    let verified = json(&given(&parts));
    assert_eq!(keys(&verified), all);
    for key in ["error", "detail", "advice"] {
        assert!(verified[key].is_null(), "{key}: {verified}");
    }
    assert_eq!((&verified["verified"], &verified["overdue"]), (&true.into(), &false.into()));
    assert_eq!((&verified["pck_serial"].is_string(), &verified["tcb_date"].is_u64()), (&true, &true));
    let steps = verified["steps"].as_array().expect("a list");
    assert!(steps.len() == 15 && steps.iter().all(|step| step["holds"] == true), "{steps:?}");
    assert_eq!(steps[13]["name"], "platform");
    assert_eq!((&verified["simulated"], &verified["root"]), (&true.into(), &"simulated".into()));
    assert_eq!(verified["measurements"]["mrtd"], "d0".repeat(48));

    let mut tampered = given(&parts);
    tampered.quote[200] ^= 1;
    let refused = json(&tampered);
    assert_eq!(keys(&refused), all);
    assert_eq!((&refused["steps"][12]["holds"], &refused["steps"][13]["holds"]), (&false.into(), &().into()));
    assert!(refused["advice"].as_str().is_some_and(|advice| advice.contains("changed after it was made")), "{refused}");
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
    assert!(text(&by_intels).contains("by Intel's root"));
    assert_eq!((&json(&by_intels)["simulated"], &json(&by_intels)["root"]), (&false.into(), &"intel".into()));
    let [_, real, ..] = samples();
    let page = text(&real);
    assert!(page.starts_with("VERIFIED: q\n") && !page.contains("SIMULATED"), "{page}");

    let mut plan = Plan::new(Kind::Sgx, NOW);
    let certificate = &mut plan.certificates.root;
    certificate.subject.organization = "Somebody".into();
    certificate.issuer.organization = "Somebody".into();
    assert_eq!(Root::of(&plan.unsigned().sign().root), Root::Other);
}

#[test]
fn what_holds_only_by_grace_is_said_in_both_formats() {
    let [_, tdx, ..] = samples();
    let mut late = given_like(&tdx);
    // The PCK CRL ends first.
    (late.now, late.policy.grace) = (1_752_919_235, 600 * DAY);
    let page = text(&late);
    assert!(page.starts_with("VERIFIED: q\n"), "{page}");
    assert!(page.contains("\nby collateral that is overdue, within the policy's grace\n"), "{page}");
    let row = "revokes 44 certificates; overdue since 2025-07-19T10:00:35Z, within the grace of 600d\n";
    assert!(page.contains(row) && page.matches("overdue since").count() == 1, "{page}");
    assert_eq!((&json(&late)["verified"], &json(&late)["overdue"]), (&true.into(), &true.into()));
    late.now -= 1;
    let page = text(&late);
    assert!(page.starts_with("VERIFIED: q\n") && !page.contains("overdue"), "{page}");
    assert!(page.contains("revokes 44 certificates; good until 2025-07-19T10:00:34Z\n"), "{page}");
    assert_eq!((&json(&late)["overdue"], &json(&late)["good_until"]), (&false.into(), &late.now.into()));
}

#[test]
fn what_a_policy_demands_is_named() {
    let demanding = |kind, measurements| {
        let mut plan = Plan::new(kind, NOW);
        plan.enclave.isv_svn = 1;
        let mut demanding = given(&plan.unsigned().parts());
        demanding.policy.measurements = measurements;
        text(&demanding)
    };
    let tdx = |mr_td, rtmr0| {
        let rtmr = [rtmr0, None, None, None];
        Some(Measurements::Tdx(TdxMeasurements { mr_td, rtmr, ..TdxMeasurements::default() }))
    };
    let sgx = |min_isv_svn| Some(Measurements::Sgx(SgxMeasurements { min_isv_svn, ..SgxMeasurements::default() }));
    let (mrtd, rtmr0) = (Some([0xd0; 48]), Some([0xa0; 48]));
    for (page, says) in [
        (demanding(Kind::TdV4, None), "holds; it demands no measurements\n"),
        (demanding(Kind::TdV4, tdx(None, None)), "holds; it demands TDX, and no measurements\n"),
        (demanding(Kind::Sgx, sgx(0)), "holds; it demands SGX, and no measurements\n"),
        (demanding(Kind::Sgx, sgx(1)), "holds; ISVSVN is as demanded\n"),
        (demanding(Kind::TdV4, tdx(mrtd, None)), "holds; MRTD is as demanded\n"),
        (demanding(Kind::TdV4, tdx(mrtd, rtmr0)), "holds; MRTD and RTMR0 are as demanded\n"),
    ] {
        assert!(page.contains(says), "{says}: {page}");
    }
}

#[test]
fn a_root_that_is_not_good_at_the_time_fails_as_the_root() {
    let [_, mut tdx, ..] = samples();
    for now in [0, 253_402_300_799] {
        tdx.now = now;
        assert_eq!(held_then_failed(&tdx), (1, Some("root")));
    }
}

#[test]
fn report_data_is_compared_after_all_else_held() {
    let [_, mut tdx, ..] = samples();
    let Report::Tdx(report) = judge(&tdx).expect("agreed").1.expect("verified").report else { panic!("a TD's") };
    tdx.report_data = Some(report.report_data);
    assert_eq!(held_then_failed(&tdx), (16, None));
    tdx.report_data = Some([7; 64]);
    assert_eq!(held_then_failed(&tdx), (15, Some("report data")));
    assert_eq!(json(&tdx)["error"], "ReportData");
    tdx.now = 0;
    assert_eq!(held_then_failed(&tdx), (1, Some("root")));
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
