//! OP-TEE whose storage hangs on a counter in RPMB: `make test-rpmb`.

use anyhow::Result;
use codec::Encode;
use holdfast_e2e::{
    directory,
    optee::{Guest, Machine, Variant},
};
use holdfast_ta::{Command, Context, Error, GrandpaRound, KeyId, Kind, Reply, Rule, Scheme, Usage};
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

/// Rule 5, never two.
#[tokio::test]
async fn rule_5_a_disk_that_was_put_back_under_an_op_tee_that_does_not_notice_signs_only_above_the_ceiling(
) -> Result<()> {
    let directory = directory()?;
    let machine = Machine::with_rpmb_for_the_cell(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Production).await?;
    let key = generate(&mut guest)?;
    assert!(vote(&mut guest, &key, 1, 1)?.is_ok());
    guest.expect(Command::Close)?;
    shut_down(guest).await?;
    let old = directory.path().join("old.img");
    std::fs::copy(machine.disk(), &old)?;

    // An orderly end costs nothing.
    let mut guest = machine.boot(Variant::Production).await?;
    assert_eq!(floor(&mut guest)?, None);
    for round in [2, 3] {
        assert!(vote(&mut guest, &key, round, 1)?.is_ok(), "round {round}");
    }
    guest.expect(Command::Close)?;
    shut_down(guest).await?;

    std::fs::copy(&old, machine.disk())?;
    let mut guest = machine.boot(Variant::Production).await?;
    let floor = floor(&mut guest)?.expect("the cell knows better");
    assert!(floor.round >= 3, "{floor:?}");
    assert_eq!(guest.expect(Command::Has { id: key.clone() })?, Reply::Has(true), "OP-TEE took the disk");
    for round in 1..=floor.round {
        let rule = if round == 1 { Rule::GrandpaDoubleVote } else { Rule::BelowCeiling };
        assert_eq!(vote(&mut guest, &key, round, 2)?, Err(Error::Refused(rule)), "round {round}");
    }
    assert!(vote(&mut guest, &key, floor.round + 1, 2)?.is_ok());
    assert_eq!(vote(&mut guest, &key, floor.round + 1, 1)?, Err(Error::Refused(Rule::GrandpaDoubleVote)));
    Ok(())
}

/// A prevote for one of two targets.
fn vote(guest: &mut Guest<'_>, key: &KeyId, round: u64, target: u8) -> Result<Result<Reply, Error>> {
    let message = (0u8, [target; 32], 1u32, round, 0u64).encode();
    guest.ask(Command::Sign { id: key.clone(), message, context: Context::None })
}

fn floor(guest: &mut Guest<'_>) -> Result<Option<GrandpaRound>> {
    match guest.expect(Command::Watermarks { after: None, limit: 1 })? {
        Reply::Watermarks { floor, .. } => Ok(floor.grandpa),
        other => anyhow::bail!("watermarks were asked for, and {other:?} came"),
    }
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
