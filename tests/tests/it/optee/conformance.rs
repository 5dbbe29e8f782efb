//! The suite that every trusted application passes, over the bridge into the guest.

use anyhow::Result;
use holdfast_e2e::{
    directory,
    optee::{Machine, Variant},
};
use holdfast_ta_conformance::{run, Expect, Kept, Report, Verdict};

const DEVELOPMENT: Expect = Expect { development: true };
const PRODUCTION: Expect = Expect { development: false };

#[tokio::test]
async fn the_development_application_conforms_on_op_tee_and_keeps_its_keys_over_a_boot() -> Result<()> {
    let report = conforms(Variant::Development, DEVELOPMENT).await?;
    for check in report.checks() {
        let for_production = check.name.contains("measurement");
        assert!(check.verdict == Verdict::Passed || for_production && check.verdict == Verdict::NotAsked, "{report}");
    }
    Ok(())
}

#[tokio::test]
async fn the_production_application_conforms_on_op_tee_refuses_seeds_and_keeps_its_keys_over_a_boot() -> Result<()> {
    let report = conforms(Variant::Production, PRODUCTION).await?;
    let verdict = |name| report.checks().iter().find(|check| check.name == name).map(|check| check.verdict.clone());
    assert_eq!(verdict("policy: DevelopmentOnly"), Some(Verdict::Passed), "{report}");
    assert!(report.checks().iter().all(|check| check.verdict != Verdict::Unsupported), "{report}");
    Ok(())
}

// Rule 9: the report names the TEE by what it says of itself, and a software TEE cannot say that it is OP-TEE.
async fn conforms(variant: Variant, expect: Expect) -> Result<Report> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let mut guest = machine.boot(variant).await?;
    let kept = Kept::make(&mut guest, expect)?;
    drop(guest);

    let mut guest = machine.boot(variant).await?;
    kept.check(&mut guest)?;
    kept.retire(&mut guest)?;
    let report = run(&mut guest, expect)?;
    println!("{report}");
    assert_eq!(report.tee().kind(), "OP-TEE");
    Ok(report)
}
