//! Secrets from outside, which only a development application takes.

use holdfast_ta::{BadRequest, Error, Origin, Scheme, Usage};

use crate::bench::{generate, Bench};
use crate::finding::{equal, equal_bytes, Outcome};
use crate::material::{public_of, SCHEMES, TEST};

/// The order of secp256k1's group, big endian (SEC 2, section 2.4.1).
const SECP256K1_ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

pub(super) fn as_sp_core(bench: &mut Bench<'_>) -> Outcome {
    for secret in secrets(bench) {
        for scheme in SCHEMES {
            seeded_as_sp_core(bench, scheme, &secret)?;
        }
    }
    Ok(())
}

pub(super) fn again(bench: &mut Bench<'_>) -> Outcome {
    for scheme in SCHEMES {
        let secret = bench.random.block();
        let first = bench.generate(scheme, TEST, Usage::Sign, Some(&secret))?;
        equal("the origin of a seeded key", Origin::Seeded, first.origin)?;
        let info = bench.info()?;
        equal("a key of the same seed", first, bench.generate(scheme, TEST, Usage::Sign, Some(&secret))?)?;
        equal("Info after the same seed", info, bench.info()?)?;
    }
    Ok(())
}

fn seeded_as_sp_core(bench: &mut Bench<'_>, scheme: Scheme, secret: &[u8]) -> Outcome {
    let command = generate(scheme, TEST, Usage::Sign, Some(secret));
    match public_of(scheme, secret) {
        // The identity: anybody can sign for it, whatever sp_core makes of it.
        Some(public) if public == [0; 32] => bench.refuses(command, Error::BadRequest(BadRequest::BadKey)),
        Some(public) => {
            let key = bench.generate(scheme, TEST, Usage::Sign, Some(secret))?;
            equal_bytes(format!("the {scheme:?} public key of a seed"), &public, &key.id.public)
        }
        None => bench.refuses(command, Error::BadRequest(BadRequest::BadKey)),
    }
}

/// Of every length, and those at the ends of what the schemes know.
pub(super) fn secrets(bench: &mut Bench<'_>) -> Vec<Vec<u8>> {
    let mut secrets: Vec<Vec<u8>> = (0..=70).map(|length| bench.random.bytes(length)).collect();
    for length in [32, 64] {
        secrets.extend([vec![0; length], vec![0xff; length]]);
        let one = |at: usize| (0..length).map(|index| u8::from(index == at)).collect();
        secrets.extend([one(0), one(31), one(length - 1)]);
        secrets.push(bench.random.bytes(length));
    }
    let order: Vec<u8> =
        (0..32).filter_map(|n| u8::from_str_radix(&SECP256K1_ORDER[2 * n..2 * n + 2], 16).ok()).collect();
    for last in [0x40, 0x41, 0x42] {
        let mut near = order.clone();
        if let Some(byte) = near.last_mut() {
            *byte = last;
        }
        secrets.push(near);
    }
    secrets
}
