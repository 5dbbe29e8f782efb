//! The measurement that the attestation PTA signs for the application.

use std::process::Command as Program;

use anyhow::{ensure, Context, Result};
use holdfast_e2e::{
    directory,
    optee::{Guest, Machine, Variant},
};
use holdfast_ta::{Command, KeyId, Measured, Reply, Scheme, Usage};
use holdfast_ta_conformance::verify_measurement;

const CHALLENGE: [u8; 64] = [0x5a; 64];

#[tokio::test]
async fn a_measurement_outlives_boots_tells_builds_apart_and_binds_challenge_keys_and_counter() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Production).await?;
    let keys = [make(&mut guest, Scheme::Sr25519, *b"aura")?, make(&mut guest, Scheme::Ed25519, *b"gran")?];
    let first = measure(&mut guest, &keys)?;
    drop(guest);
    let mut guest = machine.boot(Variant::Production).await?;
    let second = measure(&mut guest, &keys)?;
    drop(guest);
    let mut guest = machine.boot(Variant::Next).await?;
    let next = measure(&mut guest, &keys)?;
    drop(guest);

    for measured in [&first, &second, &next] {
        verify_measurement(&CHALLENGE, &keys, measured)?;
        assert_eq!(measured.signer, first.signer, "the device keeps its key");
    }
    assert_eq!(first.measurement, second.measurement, "the same build");
    assert_ne!(first.measurement, next.measurement, "a build of other source");
    assert!(first.counter < second.counter && second.counter < next.counter);
    assert_eq!(hex::encode(first.measurement), predicted(Variant::Production)?);
    assert_eq!(hex::encode(next.measurement), predicted(Variant::Next)?);

    let mut challenge = CHALLENGE;
    challenge[63] ^= 1;
    let mut later = first.clone();
    later.counter += 1;
    let mut altered = first.clone();
    altered.measurement[0] ^= 1;
    let swapped = [keys[1].clone(), keys[0].clone()];
    assert!(verify_measurement(&challenge, &keys, &first).is_err());
    assert!(verify_measurement(&CHALLENGE, &swapped, &first).is_err());
    assert!(verify_measurement(&CHALLENGE, &keys[..1], &first).is_err());
    assert!(verify_measurement(&CHALLENGE, &keys, &later).is_err());
    assert!(verify_measurement(&CHALLENGE, &keys, &altered).is_err());
    Ok(())
}

fn make(guest: &mut Guest<'_>, scheme: Scheme, key_type: [u8; 4]) -> Result<KeyId> {
    match guest.expect(Command::Generate { scheme, key_type, usage: Usage::Sign, seed: None })? {
        Reply::Generated(key) => Ok(key.id),
        other => anyhow::bail!("a key was asked for, and {other:?} came"),
    }
}

fn measure(guest: &mut Guest<'_>, keys: &[KeyId]) -> Result<Measured> {
    match guest.expect(Command::Measure { challenge: CHALLENGE, keys: keys.to_vec() })? {
        Reply::Measured(measured) => Ok(measured),
        other => anyhow::bail!("a measurement was asked for, and {other:?} came"),
    }
}

/// What somebody who only has the application's file computes.
fn predicted(variant: Variant) -> Result<String> {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/optee/measurement");
    let output = Program::new(script).arg(variant.file()?).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout)?;
    printed.split_whitespace().next().map(Into::into).context("the script prints a measurement")
}
