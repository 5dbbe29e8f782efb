use codec::Encode;
use holdfast_host::{InProcess, Link};
use holdfast_ta::{Answer, Command, Error, Fault, Reply, Request, Rule};
use holdfast_ta_conformance::{run, verify_measurement, Expect, Failure, Finding, Kept, Report, Verdict};
use holdfast_ta_soft::SoftTee;

use crate::faulty::Faulty;
use crate::production::{Production, OTHER_PADDING};

const PRODUCTION: Expect = Expect { development: false };
const SIGNED: &str = "measurements are signed with challenge, keys and a counter that rises";

fn measuring() -> InProcess<Production> {
    InProcess::new(Production::measuring(SoftTee::in_memory()))
}

fn failed(link: &mut dyn Link) -> Vec<&'static str> {
    match run(link, PRODUCTION) {
        Ok(report) => panic!("it conforms\n{report}"),
        Err(Failure::Checks(report)) => with(&report, |verdict| matches!(verdict, Verdict::Failed(_))),
        Err(failure) => panic!("{failure}"),
    }
}

fn with(report: &Report, wanted: impl Fn(&Verdict) -> bool) -> Vec<&'static str> {
    report.checks().iter().filter(|check| wanted(&check.verdict)).map(|check| check.name).collect()
}

/// A measurement that was altered on its way.
fn altered(mut alter: impl FnMut(&mut holdfast_ta::Measured) + Send) -> Vec<&'static str> {
    let alter = move |_: Option<&Command>, mut result: Result<Reply, Error>| {
        if let Ok(Reply::Measured(measured)) = &mut result {
            alter(measured);
        }
        Answer::V1(result).encode()
    };
    failed(&mut Faulty { sound: measuring(), alter })
}

#[test]
fn a_production_application_that_is_measured_conforms_wholly() {
    let report = run(&mut measuring(), PRODUCTION).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{report}");
    assert!(report.checks().iter().any(|check| check.name == SIGNED && check.verdict == Verdict::Passed), "{report}");
    assert!(with(&report, |verdict| *verdict == Verdict::Unsupported).is_empty(), "{report}");
}

#[test]
fn a_platform_that_cannot_measure_is_reported_as_one_and_not_as_checked() {
    let mut link = InProcess::new(Production { soft: SoftTee::in_memory(), padding: None });
    let report = run(&mut link, PRODUCTION).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(with(&report, |verdict| *verdict == Verdict::Unsupported), [SIGNED]);
    assert!(report.to_string().contains(&format!("NOT SHOWN  {SIGNED}")), "{report}");
}

#[test]
fn a_development_application_is_not_asked_for_evidence_and_the_report_says_so() {
    let report = run(&mut InProcess::new(SoftTee::in_memory()), Expect { development: true }).unwrap();
    assert_eq!(with(&report, |verdict| *verdict == Verdict::NotAsked), [SIGNED]);
    assert!(report.to_string().contains(&format!("{SIGNED} (production only)")), "{report}");
}

#[test]
fn a_measurement_with_any_part_altered_is_found() {
    assert_eq!(altered(|measured| measured.signature[9] ^= 1), [SIGNED]);
    assert_eq!(altered(|measured| measured.counter += 1), [SIGNED]);
    assert_eq!(altered(|measured| measured.measurement[0] ^= 1), [SIGNED]);
    assert_eq!(altered(|measured| measured.signer.modulus[3] ^= 1), [SIGNED]);
    let mut first = None;
    assert_eq!(altered(|measured| *measured = first.get_or_insert(measured.clone()).clone()), [SIGNED]);
}

#[test]
fn a_signature_with_another_padding_is_found() {
    let production = Production { soft: SoftTee::in_memory(), padding: Some(OTHER_PADDING) };
    assert_eq!(failed(&mut InProcess::new(production)), [SIGNED]);
}

#[test]
fn a_production_application_that_refuses_evidence_is_found() {
    let alter = |_: Option<&Command>, result| match result {
        Ok(Reply::Measured(_)) => Answer::V1(Err(Error::Refused(Rule::DevelopmentNotMeasured))).encode(),
        result => Answer::V1(result).encode(),
    };
    let failed = failed(&mut Faulty { sound: measuring(), alter });
    for check in ["policy: DevelopmentNotMeasured", "policy: NotMeasurable", SIGNED] {
        assert!(failed.contains(&check), "{check}: {failed:?}");
    }
}

#[test]
fn a_development_application_that_gives_evidence_is_found() {
    let alter = |command: Option<&Command>, result| match command {
        Some(Command::Measure { .. }) => Answer::V1(Err(Error::Platform(Fault::NO_MEASUREMENT.0))).encode(),
        _ => Answer::V1(result).encode(),
    };
    let mut link = Faulty { sound: InProcess::new(SoftTee::in_memory()), alter };
    let report = run(&mut link, Expect { development: true }).unwrap_err().to_string();
    let found = |line: &str| line.contains("FAILED") && line.ends_with("policy: DevelopmentNotMeasured");
    assert!(report.lines().any(found), "{report}");
}

#[test]
fn a_counter_that_goes_back_when_it_starts_again_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let link = || InProcess::new(Production::measuring(SoftTee::open(dir.path().join("store")).unwrap()));
    let kept = Kept::make(&mut link(), PRODUCTION).unwrap();
    kept.check(&mut link()).unwrap();
    kept.check(&mut link()).unwrap();

    let counter = dir.path().join("store").join(format!("{}.object", hex::encode("measurements")));
    std::fs::remove_file(counter).unwrap();
    let back = kept.check(&mut link()).unwrap_err();
    assert!(matches!(&back, Finding::Differs { what, .. } if what.contains("number of one before")), "{back}");
}

#[test]
fn what_the_application_answers_is_verified_by_whoever_asked() {
    let (challenge, mut link) = ([0x5a; 64], measuring());
    let command = Command::Measure { challenge, keys: vec![] };
    let answer = link.call(&Request::V1(command).encode()).unwrap();
    let Ok(Answer::V1(Ok(Reply::Measured(measured)))) = codec::DecodeAll::decode_all(&mut answer.as_slice()) else {
        panic!("no measurement");
    };
    verify_measurement(&challenge, &[], &measured).unwrap();
    assert!(verify_measurement(&[0; 64], &[], &measured).is_err());
}
