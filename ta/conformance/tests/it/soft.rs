use std::path::Path;

use holdfast_host::{InProcess, Link, LinkError};
use holdfast_ta::Tee;
use holdfast_ta_conformance::{run, Expect, Kept, Report, Verdict};
use holdfast_ta_soft::SoftTee;

use crate::production::Production;

const DEVELOPMENT: Expect = Expect { development: true };
const PRODUCTION: Expect = Expect { development: false };

fn link(store: &Path) -> InProcess<SoftTee> {
    InProcess::new(SoftTee::open(store).unwrap())
}

fn conforms(link: &mut dyn Link, expect: Expect) -> Report {
    match run(link, expect) {
        Ok(report) => {
            println!("{report}");
            report
        }
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn the_software_tee_in_memory_conforms() {
    let report = conforms(&mut InProcess::new(SoftTee::in_memory()), DEVELOPMENT);
    let passed = report.checks().iter().filter(|check| check.verdict == Verdict::Passed).count();
    assert_eq!(passed + 1, report.checks().len(), "all but the one for production: {report}");
}

#[test]
fn the_software_tee_in_a_directory_conforms_and_keeps_its_keys_when_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let kept = Kept::make(&mut link(&store), DEVELOPMENT).unwrap();
    kept.check(&mut link(&store)).unwrap();
    conforms(&mut link(&store), DEVELOPMENT);

    let mut last = link(&store);
    kept.check(&mut last).unwrap();
    kept.retire(&mut last).unwrap();
    drop(last);
    assert_eq!(SoftTee::open(&store).unwrap().list().unwrap(), [b"meta"]);
}

#[test]
fn a_production_application_conforms_by_its_refusals_and_keeps_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let link = || InProcess::new(Production::measuring(SoftTee::open(dir.path().join("store")).unwrap()));
    let kept = Kept::make(&mut link(), PRODUCTION).unwrap();
    let report = conforms(&mut link(), PRODUCTION);
    kept.check(&mut link()).unwrap();

    let not_asked = |name| report.checks().iter().any(|check| check.name == name && check.verdict == Verdict::NotAsked);
    assert!(not_asked("public keys equal LocalKeystore's"), "{report}");
    assert!(!not_asked("policy: DevelopmentOnly"), "{report}");
}

/// Rule 9.
#[test]
fn a_run_on_the_software_tee_is_reported_as_one_whatever_its_link_is_called() {
    struct Disguised(InProcess<SoftTee>);
    impl Link for Disguised {
        fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
            self.0.call(request)
        }
        fn name(&self) -> String {
            "OP-TEE".into()
        }
    }
    let failure = run(&mut Disguised(InProcess::new(SoftTee::in_memory())), PRODUCTION).unwrap_err().to_string();
    assert!(failure.contains("on: software TEE, not a TEE (development,"), "{failure}");
    let found = |line: &str| line.contains("FAILED") && line.ends_with("it says what it is, the same each time");
    assert!(failure.lines().any(found), "{failure}");
}
