//! Cuts of the power while keys are made and while they sign.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hash},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use holdfast_e2e::{
    directory,
    optee::{Guest, Machine, Variant},
};
use holdfast_ta::{Command, Context, KeyId, Reply, Scheme, Usage, MAX_PAGE};
use rustix::process::{kill_process, Pid, Signal};
use sp_core::{ed25519, sr25519, Pair};

/// How often the power is cut; `HOLDFAST_CUTS` chooses another number.
const CUTS: u64 = 10;
/// A cut comes within this time after the first operation of a boot: several of each kind fit in.
const WITHIN: Duration = Duration::from_secs(3);

/// As many keys are made at most: OP-TEE holds 32.
const ROOM: usize = 24;
/// As many are left when others are to be made: the rest is retired, so that every second cut does fall among makings.
const KEPT: usize = 8;

/// What is done when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Generating,
    Signing,
}

// Rule 7.
#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_key_is_lost_when_the_power_is_cut() -> Result<()> {
    let cuts = number("HOLDFAST_CUTS")?.unwrap_or(CUTS);
    let seed = number("HOLDFAST_SEED")?.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("{cuts} cuts, HOLDFAST_SEED={seed}");
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let (mut acknowledged, mut retired): (Vec<KeyId>, Vec<KeyId>) = (Vec::new(), Vec::new());
    let (mut generating, mut signing) = (0, 0);
    for cut in 0..cuts {
        let mut guest = machine.boot(Variant::Production).await?;
        check(&mut guest, &acknowledged, &retired)?;
        let work = if cut % 2 == 0 { Work::Generating } else { Work::Signing };
        if work == Work::Generating {
            for key in acknowledged.drain(..acknowledged.len().saturating_sub(KEPT)) {
                guest.expect(Command::Retire { id: key.clone() })?;
                retired.push(key);
            }
        }
        let before = acknowledged.len();
        let signed = work_until_the_cut(guest, work, delay(seed, cut), &mut acknowledged)?;
        generating += acknowledged.len() - before;
        signing += signed;
    }
    let mut guest = machine.boot(Variant::Production).await?;
    check(&mut guest, &acknowledged, &retired)?;
    assert!(generating > 0 && signing > 0, "{generating} keys and {signing} signatures: the cuts came too early");
    println!(
        "{generating} keys were acknowledged: {} were retired and are gone, the others are there; {signing} signatures",
        retired.len()
    );
    Ok(())
}

/// Every acknowledged key is there and no retired one, and every key that is there signs. A key whose making nobody heard
/// of may be there, whole; it makes room.
fn check(guest: &mut Guest<'_>, acknowledged: &[KeyId], retired: &[KeyId]) -> Result<()> {
    let mut listed: Vec<KeyId> = Vec::new();
    loop {
        let after = listed.last().cloned();
        let Reply::Keys { keys, more } = guest.expect(Command::List { after, limit: MAX_PAGE })? else {
            anyhow::bail!("a list was asked for");
        };
        listed.extend(keys.into_iter().map(|key| key.id));
        if !more {
            break;
        }
    }
    for key in acknowledged {
        assert!(listed.contains(key), "{key:?} was acknowledged and is gone");
    }
    for key in retired {
        assert!(!listed.contains(key), "{key:?} was retired and is back");
    }
    for key in listed {
        sign(guest, &key)?;
        if !acknowledged.contains(&key) {
            guest.expect(Command::Retire { id: key })?;
        }
    }
    Ok(())
}

/// Works until QEMU is killed, and gives how many signatures there were.
fn work_until_the_cut(
    mut guest: Guest<'_>,
    work: Work,
    delay: Duration,
    acknowledged: &mut Vec<KeyId>,
) -> Result<usize> {
    if acknowledged.is_empty() {
        acknowledged.push(generate(&mut guest, Scheme::Ed25519)?);
    }
    let victim = Pid::from_raw(guest.process_id().try_into()?).context("a process has an id")?;
    let cutter = std::thread::spawn(move || {
        // The moment of the cut is what the test is about, and no event of the guest's.
        std::thread::sleep(delay);
        kill_process(victim, Signal::KILL)
    });
    let mut signed = 0;
    let mut turn = 0;
    // Ends with the first answer that does not come.
    let last = loop {
        let scheme = if turn % 2 == 0 { Scheme::Sr25519 } else { Scheme::Ed25519 };
        turn += 1;
        match work {
            Work::Generating if acknowledged.len() < ROOM => match generate(&mut guest, scheme) {
                Ok(key) => acknowledged.push(key),
                Err(error) => break error,
            },
            _ => match sign(&mut guest, &acknowledged[turn % acknowledged.len()]) {
                Ok(()) => signed += 1,
                Err(error) => break error,
            },
        }
    };
    ensure!(last.to_string().contains("the guest is gone"), "the application failed before the power did: {last:#}");
    cutter.join().expect("the thread does not panic")?;
    guest.cut_power()?;
    Ok(signed)
}

fn generate(guest: &mut Guest<'_>, scheme: Scheme) -> Result<KeyId> {
    let key_type = if scheme == Scheme::Sr25519 { *b"aura" } else { *b"gran" };
    match guest.expect(Command::Generate { scheme, key_type, usage: Usage::Sign, seed: None })? {
        Reply::Generated(key) => Ok(key.id),
        other => anyhow::bail!("a key was asked for, and {other:?} came"),
    }
}

/// Has the key prove possession, which every session key may, and verifies it.
fn sign(guest: &mut Guest<'_>, key: &KeyId) -> Result<()> {
    let message = [b"POP_".as_slice(), &[7; 32]].concat();
    let ask = Command::Sign { id: key.clone(), message: message.clone(), context: Context::None };
    let Reply::Signature(signature) = guest.expect(ask)? else { anyhow::bail!("a signature was asked for") };
    let public: [u8; 32] = key.public.as_slice().try_into()?;
    let signature: [u8; 64] = signature.as_slice().try_into()?;
    let verifies = match key.scheme {
        Scheme::Sr25519 => sr25519::Pair::verify(&signature.into(), &message, &public.into()),
        _ => ed25519::Pair::verify(&signature.into(), &message, &public.into()),
    };
    assert!(verifies, "the signature by {key:?} is none");
    Ok(())
}

/// The same for the same seed.
fn delay(seed: u64, cut: u64) -> Duration {
    let mut hasher = std::hash::DefaultHasher::new();
    (seed, cut).hash(&mut hasher);
    WITHIN * (std::hash::Hasher::finish(&hasher) % 1000) as u32 / 1000
}

fn number(variable: &str) -> Result<Option<u64>> {
    std::env::var(variable).ok().map(|text| text.parse().with_context(|| format!("{variable}={text}"))).transpose()
}
