//! What OP-TEE, or the application, does not let through, and the words in which the operator is told.

use anyhow::Result;
use holdfast_e2e::{
    directory,
    optee::{Guest, Machine, Variant},
};
use holdfast_ta::{Command, Error, Reply, Scheme, Usage};

/// What the daemon says of an application that OP-TEE does not start.
const NOT_ACCEPTED: &str = "OP-TEE does not accept its file: it was changed, or is signed with another key";

#[tokio::test]
async fn an_application_that_was_changed_or_signed_by_somebody_else_is_not_started_and_the_daemon_says_why(
) -> Result<()> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    for variant in [Variant::Changed, Variant::OtherKey, Variant::PublicKey] {
        let mut guest = machine.boot(variant).await?;
        let said = ending_daemon(&mut guest)?;
        assert!(said.contains(NOT_ACCEPTED) && said.ends_with("exit code 1\n"), "{variant:?}: {said}");
    }
    // The same disk, with the file as it should be.
    let mut guest = machine.boot(Variant::Production).await?;
    assert!(matches!(guest.ask(Command::Info)?, Ok(Reply::Info(_))));
    Ok(())
}

#[tokio::test]
async fn an_older_application_does_not_open_what_a_newer_one_stored() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let make = Command::Generate { scheme: Scheme::Ed25519, key_type: *b"gran", usage: Usage::Sign, seed: None };
    let mut guest = machine.boot(Variant::Production).await?;
    let Reply::Generated(key) = guest.expect(make.clone())? else { panic!("a key was asked for") };
    drop(guest);

    // OP-TEE itself refuses a file with a lower version than one that it has started.
    let mut guest = machine.boot(Variant::Older).await?;
    let said = ending_daemon(&mut guest)?;
    assert!(said.contains("older than one that ran here before") && said.ends_with("exit code 1\n"), "{said}");
    drop(guest);

    // It was signed as the same version, so OP-TEE starts both, and the store decides.
    let mut guest = machine.boot(Variant::Next).await?;
    assert_eq!(guest.expect(Command::Has { id: key.id.clone() })?, Reply::Has(true), "a newer one keeps the keys");
    drop(guest);
    let mut guest = machine.boot(Variant::Production).await?;
    assert_eq!(guest.ask(Command::Has { id: key.id.clone() })?, Err(Error::NewerStore));
    assert_eq!(guest.ask(make)?, Err(Error::NewerStore));
    guest.start_daemon().await?;
    let said = guest.log().wait_for("newer", holdfast_e2e::SOON).await?;
    assert!(said.contains("start that one again"), "{said}");
    drop(guest);
    let mut guest = machine.boot(Variant::Next).await?;
    assert_eq!(guest.expect(Command::Has { id: key.id })?, Reply::Has(true), "nothing was damaged");
    Ok(())
}

/// What a daemon prints that does not start.
fn ending_daemon(guest: &mut Guest<'_>) -> Result<String> {
    guest.run("holdfast-host --tee optee --socket /run/holdfast/host.sock --http off 2>&1; echo exit code $?")
}
