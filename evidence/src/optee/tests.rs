use alloc::{vec, vec::Vec};

use serde_json::Value;

use super::*;
use crate::KeyScheme;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/data/optee/vectors.json")).expect("JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    ::hex::decode(value.as_str().expect("text")).expect("hexadecimal")
}

fn keys() -> [BoundKey; 2] {
    [(KeyScheme::Ed25519, *b"gran", 0xab), (KeyScheme::Sr25519, *b"aura", 0xcd)]
        .map(|(scheme, key_type, fill)| BoundKey::new(scheme, key_type, &[fill; 32]).expect("32 bytes"))
}

/// What the device with a key of this length signed; `signature` names which of its signatures.
fn evidence(bits: &str, signature: &str) -> OpteeEvidence {
    let vectors = vectors();
    let device = &vectors["devices"][bits];
    let bounded = |name: &str| bytes(&device[name]).try_into().expect("at most 512 bytes");
    OpteeEvidence {
        challenge: bytes(&vectors["challenge"]).try_into().expect("64 bytes"),
        keys: keys().to_vec().try_into().expect("at most 16"),
        counter: vectors["counter"].as_u64().expect("a number"),
        measurement: bytes(&vectors["measurement"]).try_into().expect("32 bytes"),
        signature: bounded(signature),
        signer: DeviceKey {
            exponent: bytes(&device["exponent"]).try_into().expect("at most 8 bytes"),
            modulus: bounded("modulus"),
        },
    }
}

fn judge(evidence: &OpteeEvidence) -> Result<OpteeReport, Error> {
    verify_optee(evidence, &evidence.signer, &evidence.challenge, &evidence.keys, &[evidence.measurement])
}

#[test]
fn what_an_enrolled_device_signed_says_what_runs_there() {
    for bits in ["2048", "3072", "4096"] {
        let evidence = evidence(bits, "signature");
        let report = OpteeReport { measurement: evidence.measurement, counter: 7 };
        assert_eq!(judge(&evidence), Ok(report.clone()), "{bits}");
        let by = |allowed: &[[u8; 32]]| {
            let again = judge_optee(&report, allowed);
            let at_once = verify_optee(&evidence, &evidence.signer, &evidence.challenge, &evidence.keys, allowed);
            assert_eq!(at_once.map(drop), again);
            again
        };
        assert_eq!(by(&[[0; 32], evidence.measurement]), Ok(()));
        assert!(matches!(by(&[[0; 32]]), Err(Error::Measurement { .. })));
        assert!(matches!(by(&[]), Err(Error::Measurement { .. })));
    }
}

#[test]
fn another_device_is_refused_even_with_a_good_signature() {
    let (one, other) = (evidence("2048", "signature"), evidence("3072", "signature"));
    let error = verify_optee(&one, &other.signer, &one.challenge, &one.keys, &[one.measurement]);
    assert_eq!(error, Err(Error::DeviceNotEnrolled { found: one.signer.modulus[..].into() }));
}

#[test]
fn a_measurement_that_the_application_did_not_take_itself_is_refused() {
    for signature in ["other_nonce", "salt_of_20", "mgf1_with_sha1", "pkcs1"] {
        assert_eq!(judge(&evidence("2048", signature)), Err(Error::MeasurementSignature), "{signature}");
    }
}

#[test]
fn whatever_is_changed_in_the_evidence_or_expected_of_it_refuses_it() {
    let good = evidence("2048", "signature");
    let changed = |change: &dyn Fn(&mut OpteeEvidence)| {
        let mut evidence = good.clone();
        change(&mut evidence);
        judge(&evidence)
    };
    assert_eq!(changed(&|evidence| evidence.counter += 1), Err(Error::MeasurementSignature));
    assert_eq!(changed(&|evidence| evidence.measurement[0] ^= 1), Err(Error::MeasurementSignature));
    assert_eq!(changed(&|evidence| evidence.challenge[63] ^= 1), Err(Error::MeasurementSignature));
    assert_eq!(changed(&|evidence| evidence.keys.as_mut()[..].reverse()), Err(Error::MeasurementSignature));
    assert_eq!(changed(&|evidence| drop(evidence.keys.pop())), Err(Error::MeasurementSignature));
    assert_eq!(changed(&|evidence| evidence.signature.truncate(255)), Err(Error::MeasurementSignature));
    assert_eq!(changed(&|evidence| evidence.signature = BoundedVec::new()), Err(Error::MeasurementSignature));

    let mut challenge = good.challenge;
    challenge[0] ^= 1;
    let expected = Error::ReportData { found: good.challenge.into(), expected: challenge.into() };
    assert_eq!(verify_optee(&good, &good.signer, &challenge, &good.keys, &[good.measurement]), Err(expected));
    let one = Err(Error::Keys { found: 2, expected: 1 });
    assert_eq!(verify_optee(&good, &good.signer, &good.challenge, &good.keys[..1], &[good.measurement]), one);
    let turned: Vec<_> = good.keys.iter().rev().cloned().collect();
    let two = Err(Error::Keys { found: 2, expected: 2 });
    assert_eq!(verify_optee(&good, &good.signer, &good.challenge, &turned, &[good.measurement]), two);
}

#[test]
fn a_key_that_is_too_short_or_no_key_is_not_enrolled_and_judges_nothing() {
    for (bits, found) in [("1024", 1024), ("2040", 2040)] {
        let evidence = evidence(bits, "signature");
        let error = Error::DeviceKeyLength { found, least: 2048, most: 4096 };
        assert_eq!(evidence.signer.check(), Err(error.clone()));
        assert_eq!(judge(&evidence), Err(error));
    }
    let good = evidence("2048", "signature").signer;
    assert_eq!(good.check(), Ok(()));
    let with = |exponent: &[u8], modulus: &[u8]| {
        let bounded = |bytes: &[u8]| bytes.to_vec().try_into().expect("at most 512 bytes");
        DeviceKey { exponent: exponent.to_vec().try_into().expect("at most 8 bytes"), modulus: bounded(modulus) }
    };
    let even = [&good.modulus[..255], &[0]].concat();
    for (exponent, modulus) in [
        (&[][..], &good.modulus[..]),
        (&[3], &[]),
        (&[0, 3], &good.modulus),
        (&[1], &good.modulus),
        (&[2], &good.modulus),
        (&[0xff; 8], &good.modulus),
        (&[3], &even),
    ] {
        assert_eq!(with(exponent, modulus).check(), Err(Error::DeviceKeyEncoding), "{exponent:?}");
    }
    let padded = [&[0], &good.modulus[..]].concat();
    assert!(matches!(with(&[3], &padded).check(), Err(Error::DeviceKeyLength { .. })));
    // Whatever the numbers are, there is an answer.
    for modulus in [vec![0; 512], vec![0xff; 512], vec![0xff; 256], vec![1; 257]] {
        let _ = with(&[1, 0, 1], &modulus).check();
        let signature = modulus.clone().try_into().expect("at most 512 bytes");
        let signer = with(&[1, 0, 1], &modulus);
        assert!(judge(&OpteeEvidence { signature, signer, ..evidence("2048", "signature") }).is_err());
    }
}

#[test]
fn the_nonce_is_the_one_that_the_trusted_application_makes() {
    let evidence = evidence("2048", "signature");
    let keys: Vec<holdfast_ta::KeyId> = evidence
        .keys
        .iter()
        .map(|BoundKey { scheme, key_type, public }| holdfast_ta::KeyId {
            scheme: match scheme {
                KeyScheme::Sr25519 => holdfast_ta::Scheme::Sr25519,
                KeyScheme::Ed25519 => holdfast_ta::Scheme::Ed25519,
                KeyScheme::Ecdsa => holdfast_ta::Scheme::Ecdsa,
            },
            key_type: *key_type,
            public: public.to_vec(),
        })
        .collect();
    assert_eq!(nonce(&evidence), holdfast_ta::measurement_nonce(&evidence.challenge, &keys, evidence.counter));
    assert_eq!(MAX_BOUND_KEYS as usize, holdfast_ta::MAX_MEASURED_KEYS);
}
