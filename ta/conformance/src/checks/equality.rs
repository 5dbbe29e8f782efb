//! Rule 2: what the application makes of a seed is what `sc_keystore::LocalKeystore` makes of it, byte for byte.

use holdfast_ta::{Context, KeyInfo, KeyType, Scheme, Usage};
use sc_keystore::LocalKeystore;
use sp_core::crypto::KeyTypeId;
use sp_core::{ecdsa, ed25519, sr25519, Pair};
use sp_crypto_hashing::{blake2_256, keccak_256};
use sp_keystore::Keystore;

use crate::bench::Bench;
use crate::finding::{equal_bytes, hex, holds, reference, Finding, Outcome};
use crate::material::{possession, secret_of, statement, verify, vote, AURA, GRAN, SCHEMES, TEST};

const MESSAGES: [&[u8]; 4] = [b"", b"x", &[7; 32], &[0x5a; 1_000]];

/// A key that the application and the keystore of Substrate's client both made of one seed.
pub(super) struct Seeded {
    pub(super) suri: String,
    pub(super) key: KeyInfo,
    pub(super) local: LocalKeystore,
}

pub(super) fn public_keys(bench: &mut Bench<'_>) -> Outcome {
    for scheme in SCHEMES {
        for Seeded { suri, key, local } in seeded(bench, scheme, TEST, Usage::Sign)? {
            let kept = local.keys(KeyTypeId(TEST)).map_err(reference)?;
            let [public] = kept.as_slice() else { return Err(Finding::Reference(format!("{kept:?} of {suri}"))) };
            equal_bytes(format!("the {scheme:?} public key of {suri}"), public, &key.id.public)?;
        }
    }
    Ok(())
}

pub(super) fn ed25519_signatures(bench: &mut Bench<'_>) -> Outcome {
    for seeded in seeded(bench, Scheme::Ed25519, TEST, Usage::Sign)? {
        for message in MESSAGES {
            equal_signatures(bench, &seeded, message)?;
        }
    }
    Ok(())
}

pub(super) fn ecdsa_signatures(bench: &mut Bench<'_>) -> Outcome {
    for seeded in seeded(bench, Scheme::Ecdsa, TEST, Usage::Sign)? {
        for message in MESSAGES {
            equal_signatures(bench, &seeded, message)?;
        }
    }
    Ok(())
}

pub(super) fn ecdsa_prehashed(bench: &mut Bench<'_>) -> Outcome {
    for Seeded { suri, key, local } in seeded(bench, Scheme::Ecdsa, TEST, Usage::Sign)? {
        let public = ecdsa::Public::try_from(key.id.public.as_slice()).map_err(reference)?;
        for hash in [blake2_256(b"a"), keccak_256(b"a"), [0; 32], [0xff; 32]] {
            let expected = local
                .ecdsa_sign_prehashed(KeyTypeId(TEST), &public, &hash)
                .map_err(reference)?
                .ok_or_else(|| Finding::Reference(format!("LocalKeystore has no key of {suri}")))?;
            let got = bench.sign_prehashed(&key.id, hash)?;
            equal_bytes(format!("the signature by {suri} of the hash {}", hex(&hash)), expected.as_ref(), &got)?;
        }
    }
    Ok(())
}

pub(super) fn sr25519_signatures(bench: &mut Bench<'_>) -> Outcome {
    for Seeded { suri, key, .. } in seeded(bench, Scheme::Sr25519, TEST, Usage::Sign)? {
        for message in MESSAGES {
            let one = bench.sign(&key.id, message, Context::None)?;
            let two = bench.sign(&key.id, message, Context::None)?;
            verify(&key.id, message, &one)?;
            verify(&key.id, message, &two)?;
            holds(format!("two signatures by {suri} of one message differ"), one != two)?;
        }
    }
    Ok(())
}

pub(super) fn session_keys(bench: &mut Bench<'_>) -> Outcome {
    for seeded in seeded(bench, Scheme::Ed25519, GRAN, Usage::Sign)? {
        let vote = vote(&mut bench.random, 1);
        equal_signatures(bench, &seeded, &vote)?;
        equal_signatures(bench, &seeded, &possession(&[9; 32]))?;
    }
    for Seeded { suri, key, local } in seeded(bench, Scheme::Sr25519, AURA, Usage::Sign)? {
        let public = sr25519::Public::try_from(key.id.public.as_slice()).map_err(reference)?;
        holds(
            format!("LocalKeystore has the aura key of {suri}"),
            local.has_keys(&[(public.to_vec(), KeyTypeId(AURA))]),
        )?;
        let (message, context) = statement(&key.id, &mut bench.random);
        let signature = bench.sign(&key.id, &message, context)?;
        verify(&key.id, &message, &signature)?;
    }
    Ok(())
}

/// A key of each SURI, here and in a keystore of its own.
pub(super) fn seeded(
    bench: &mut Bench<'_>,
    scheme: Scheme,
    key_type: KeyType,
    usage: Usage,
) -> Result<Vec<Seeded>, Finding> {
    let mut made = Vec::new();
    for suri in suris(bench, scheme) {
        let (secret, _) = secret_of(scheme, &suri)?;
        let key = bench.generate(scheme, key_type, usage, Some(&secret))?;
        let local = LocalKeystore::in_memory();
        let (kind, seed) = (KeyTypeId(key_type), Some(suri.as_str()));
        match scheme {
            Scheme::Sr25519 => local.sr25519_generate_new(kind, seed).map(|_| ()),
            Scheme::Ed25519 => local.ed25519_generate_new(kind, seed).map(|_| ()),
            Scheme::Ecdsa => local.ecdsa_generate_new(kind, seed).map(|_| ()),
        }
        .map_err(reference)?;
        made.push(Seeded { suri, key, local });
    }
    Ok(made)
}

/// Well-known ones, a random phrase and a random secret, with paths; soft ones where the scheme has them.
fn suris(bench: &mut Bench<'_>, scheme: Scheme) -> Vec<String> {
    let (_, phrase, _) = sr25519::Pair::generate_with_phrase(None);
    let secret = format!("0x{}", hex(&bench.random.block()));
    let mut suris = vec!["//Alice".into(), "//Alice//stash".into(), format!("{phrase}//hard//1"), secret, phrase];
    if scheme == Scheme::Sr25519 {
        suris.extend(["//Alice/soft".into(), format!("{}//hard/soft/7", suris[4])]);
    }
    suris
}

fn equal_signatures(bench: &mut Bench<'_>, seeded: &Seeded, message: &[u8]) -> Outcome {
    let Seeded { suri, key, local } = seeded;
    let (kind, public) = (KeyTypeId(key.id.key_type), key.id.public.as_slice());
    let expected = match key.id.scheme {
        Scheme::Ed25519 => {
            let public = ed25519::Public::try_from(public).map_err(reference)?;
            local.ed25519_sign(kind, &public, message).map_err(reference)?.map(|signature| signature.to_vec())
        }
        Scheme::Ecdsa => {
            let public = ecdsa::Public::try_from(public).map_err(reference)?;
            local.ecdsa_sign(kind, &public, message).map_err(reference)?.map(|signature| signature.to_vec())
        }
        Scheme::Sr25519 => None,
    };
    let expected = expected.ok_or_else(|| Finding::Reference(format!("LocalKeystore does not sign with {suri}")))?;
    let got = bench.sign(&key.id, message, Context::None)?;
    equal_bytes(format!("the signature by {suri} of {} bytes", message.len()), &expected, &got)?;
    verify(&key.id, message, &got)
}
