//! Evidence of what the application is, and of its keys.

use holdfast_ta::{BadRequest, Command, Error, Fault, KeyId, Measured, Reply, Rule, Scheme, Usage, MAX_MEASURED_KEYS};

use crate::bench::{generate, Bench};
use crate::finding::{differs, equal, equal_bytes, holds, Finding, Outcome};
use crate::material::{kinds, AURA, GRAN, SCHEMES, TEST};
use crate::measurement::verify_measurement;

/// A development application refuses, whatever is named; any other does not, whatever its platform can.
pub(super) fn development_not_measured(bench: &mut Bench<'_>) -> Outcome {
    let mut named = vec![vec![]];
    for (scheme, key_type, usage) in kinds(bench.expect) {
        named.push(vec![bench.generate(scheme, key_type, usage, None)?.id]);
    }
    for keys in named {
        let command = measure([1; 64], &keys);
        if bench.expect.development {
            bench.refuses_by(command, Rule::DevelopmentNotMeasured)?;
        } else {
            not_refused(bench, command)?;
        }
    }
    Ok(())
}

/// An application that is measured makes no key that a measurement may not name, so the rule is met by its refusals to
/// make them; those that it makes can be named.
pub(super) fn not_measurable(bench: &mut Bench<'_>) -> Outcome {
    if bench.expect.development {
        let seeded = bench.generate(Scheme::Sr25519, AURA, Usage::Sign, Some(&[7; 32]))?.id;
        let test = bench.generate(Scheme::Ed25519, TEST, Usage::Sign, None)?.id;
        for id in [seeded, test] {
            bench.refuses_by(measure([2; 64], &[id]), Rule::DevelopmentNotMeasured)?;
        }
        return Ok(());
    }
    bench.refuses_by(generate(Scheme::Sr25519, AURA, Usage::Sign, Some(&[7; 32])), Rule::DevelopmentOnly)?;
    bench.refuses_by(generate(Scheme::Sr25519, AURA, Usage::SignAndVrf, None), Rule::VrfNotAllowed)?;
    for scheme in SCHEMES {
        bench.refuses_by(generate(scheme, TEST, Usage::Sign, None), Rule::DevelopmentOnly)?;
    }
    let keys = session_keys(bench)?;
    not_refused(bench, measure([2; 64], &keys))
}

pub(super) fn names(bench: &mut Bench<'_>) -> Outcome {
    let [aura, gran] = session_keys(bench)?;
    let bad = |what| Error::BadRequest(what);
    let mut many: Vec<KeyId> = Vec::new();
    for _ in 0..=MAX_MEASURED_KEYS {
        many.push(bench.generate(Scheme::Ed25519, GRAN, Usage::Sign, None)?.id);
    }
    bench.refuses(measure([3; 64], &many), bad(BadRequest::TooManyKeys))?;
    bench.refuses(measure([3; 64], &vec![aura.clone(); 500]), bad(BadRequest::TooManyKeys))?;
    bench.refuses(measure([3; 64], &[aura.clone(), gran.clone(), aura.clone()]), bad(BadRequest::RepeatedKey))?;
    if !bench.expect.development {
        not_refused(bench, measure([3; 64], &many[1..]))?;
        let other = KeyId { public: vec![0; 32], ..gran.clone() };
        bench.refuses(measure([3; 64], &[aura.clone(), other]), Error::NoSuchKey)?;
        bench.retire(&gran)?;
        bench.refuses(measure([3; 64], &[aura, gran]), Error::NoSuchKey)?;
    }
    Ok(())
}

pub(super) fn signed(bench: &mut Bench<'_>) -> Outcome {
    let keys = session_keys(bench)?;
    let [aura, gran] = keys.clone();
    let mut challenge = [0; 64];
    challenge.copy_from_slice(&bench.random.bytes(64));

    let first = measured(bench, challenge, &keys)?;
    verify_measurement(&challenge, &keys, &first)?;
    let mut other = challenge;
    other[0] ^= 1;
    stands_for_nothing_else("another challenge", verify_measurement(&other, &keys, &first))?;
    for others in [vec![], vec![aura.clone()], vec![gran.clone(), aura], vec![gran; 2]] {
        stands_for_nothing_else("other keys", verify_measurement(&challenge, &others, &first))?;
    }
    for counter in [first.counter.wrapping_add(1), first.counter.wrapping_sub(1)] {
        let other = Measured { counter, ..first.clone() };
        stands_for_nothing_else("another counter", verify_measurement(&challenge, &keys, &other))?;
    }

    let mut last = first.clone();
    for keys in [keys.to_vec(), vec![]] {
        let next = measured(bench, challenge, &keys)?;
        verify_measurement(&challenge, &keys, &next)?;
        holds(format!("the counter rises from {} to {}", last.counter, next.counter), last.counter < next.counter)?;
        equal_bytes("the measurement again", &first.measurement, &next.measurement)?;
        equal("the signer again", &first.signer, &next.signer)?;
        last = next;
    }
    Ok(())
}

/// Asks for a measurement; where the platform says that it cannot, that is what the check comes to.
pub(crate) fn measured(bench: &mut Bench<'_>, challenge: [u8; 64], keys: &[KeyId]) -> Result<Measured, Finding> {
    match bench.ask(measure(challenge, keys))? {
        Ok(Reply::Measured(measured)) => Ok(measured),
        Err(CANNOT) => Err(Finding::Unsupported),
        other => Err(differs("Measure", &"Reply::Measured", &other)),
    }
}

/// What a platform that measures no application answers.
const CANNOT: Error = Error::Platform(Fault::NO_MEASUREMENT.0);

fn measure(challenge: [u8; 64], keys: &[KeyId]) -> Command {
    Command::Measure { challenge, keys: keys.to_vec() }
}

fn not_refused(bench: &mut Bench<'_>, command: Command) -> Outcome {
    match bench.ask(command)? {
        Ok(Reply::Measured(_)) | Err(CANNOT) => Ok(()),
        other => Err(differs("Measure", &"a measurement, or a platform that cannot", &other)),
    }
}

fn stands_for_nothing_else(what: &str, verified: Result<(), Finding>) -> Outcome {
    holds(format!("a measurement does not verify with {what}"), verified.is_err())
}

fn session_keys(bench: &mut Bench<'_>) -> Result<[KeyId; 2], Finding> {
    let aura = bench.generate(Scheme::Sr25519, AURA, Usage::Sign, None)?.id;
    let gran = bench.generate(Scheme::Ed25519, GRAN, Usage::Sign, None)?.id;
    Ok([aura, gran])
}
