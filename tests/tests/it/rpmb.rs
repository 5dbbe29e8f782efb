//! OP-TEE whose storage hangs on a counter in RPMB: `make test-rpmb`.

use anyhow::Result;
use holdfast_e2e::{
    directory,
    optee::{Guest, Machine, Variant},
};
use holdfast_ta::{Command, KeyId, Kind, Reply, Scheme, Usage};
use holdfast_ta_conformance::{run, Expect, Kept, Verdict};

#[tokio::test]
async fn the_production_application_conforms_with_rpmb_and_says_that_a_restored_disk_is_noticed() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::with_rpmb(directory.path(), "machine")?;
    let production = Expect { development: false };
    let mut guest = machine.boot(Variant::Production).await?;
    let Reply::Info(info) = guest.expect(Command::Info)? else { panic!("it was asked what it is") };
    assert!(info.kind == Kind::OpTee && info.rollback_protected, "{info:?}");
    let kept = Kept::make(&mut guest, production)?;
    drop(guest);
    let mut guest = machine.boot(Variant::Production).await?;
    kept.check(&mut guest)?;
    let report = run(&mut guest, production)?;
    println!("{report}");
    assert!(report.checks().iter().all(|check| check.verdict != Verdict::Unsupported), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_disk_that_was_put_back_is_refused_whole_with_words_and_the_right_one_still_works() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::with_rpmb(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Production).await?;
    let first = generate(&mut guest)?;
    shut_down(guest).await?;
    let old = directory.path().join("old.img");
    std::fs::copy(machine.disk(), &old)?;

    let mut guest = machine.boot(Variant::Production).await?;
    let second = generate(&mut guest)?;
    shut_down(guest).await?;
    let current = directory.path().join("current.img");
    std::fs::copy(machine.disk(), &current)?;

    std::fs::copy(&old, machine.disk())?;
    let mut guest = machine.boot(Variant::Production).await?;
    let said =
        guest.run("holdfast-host --tee optee --socket /run/holdfast/host.sock --http off 2>&1; echo exit code $?");
    let said = said?;
    assert!(said.contains("was put back to an older state") && said.ends_with("exit code 1\n"), "{said}");
    shut_down(guest).await?;

    std::fs::copy(&current, machine.disk())?;
    let mut guest = machine.boot(Variant::Production).await?;
    for key in [first, second] {
        assert_eq!(guest.expect(Command::Has { id: key })?, Reply::Has(true));
    }
    Ok(())
}

fn generate(guest: &mut Guest<'_>) -> Result<KeyId> {
    match guest.expect(Command::Generate {
        scheme: Scheme::Ed25519,
        key_type: *b"gran",
        usage: Usage::Sign,
        seed: None,
    })? {
        Reply::Generated(key) => Ok(key.id),
        other => anyhow::bail!("a key was asked for, and {other:?} came"),
    }
}

/// So that the image of the disk holds all that the guest wrote.
async fn shut_down(mut guest: Guest<'_>) -> Result<()> {
    guest.run("sync")?;
    guest.cut_power()
}
