use alloc::vec;

use schnorrkel::{PublicKey, Signature};

use super::*;
use crate::testing::{hex, TestTee, ALICE_ECDSA, ALICE_ED25519, ALICE_SR25519, FAULT};

/// The order of secp256k1.
const SECP256K1_ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
/// The order of ristretto255, little endian.
const RISTRETTO_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn key(scheme: Scheme, secret: &str) -> Box<Key> {
    Key::from_secret(scheme, &hex(secret)).expect("a secret of this scheme")
}

fn alice(scheme: Scheme) -> Box<Key> {
    match scheme {
        Scheme::Sr25519 => key(scheme, ALICE_SR25519),
        Scheme::Ed25519 => key(scheme, ALICE_ED25519),
        Scheme::Ecdsa => key(scheme, ALICE_ECDSA),
    }
}

fn pair(key: &Key) -> &Keypair {
    match key {
        Key::Sr25519(pair) => pair,
        _ => panic!("not sr25519"),
    }
}

fn input_point(key: &Key) -> [u8; 32] {
    pair(key).public.vrf_hash(Transcript::new(b"a test")).to_bytes()
}

#[test]
fn alice_is_alice_in_every_scheme() {
    // Rule 2
    for (scheme, public) in [
        (Scheme::Sr25519, "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"),
        (Scheme::Ed25519, "88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee"),
        (Scheme::Ecdsa, "020a1091341fe5664bfa1782d5e04779689068c916b04cb365ec3153755684d9a1"),
    ] {
        assert_eq!(alice(scheme).public(), hex(public));
        assert_eq!(alice(scheme).public().len(), public_length(scheme));
    }
}

#[test]
fn ed25519_signs_as_rfc_8032_says() {
    // Rule 2; section 7.1, test 1
    let key = key(Scheme::Ed25519, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let expected = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    assert_eq!(key.sign(&mut TestTee::development(), b""), Ok(hex(expected)));
}

#[test]
fn ecdsa_signs_as_libsecp256k1_does() {
    // Rule 2; made with libsecp256k1, to which sp_core's std build leads.
    let key = alice(Scheme::Ecdsa);
    let expected = "35485a0bab87b6644c0f4e7624ae40ca1e5b3828a27838b2411b085ee5ce10a400e030759860ae7786fde33e26e0b2bcd570e304983adc4692b3d78e68965d9a00";
    assert_eq!(key.sign(&mut TestTee::development(), b"holdfast"), Ok(hex(expected)));
    // Hashes that are no scalar, or zero.
    let expected = "5a128db85da8374e0eacae8128b5193a5bf2a282391111b4f9ba4c38710535f332e123d7eb770a5ef408a61108bd0dea2bc529c8d5eebf4d755d6914ae5b58ed01";
    assert_eq!(key.sign_prehashed(&[0xff; 32]), Ok(hex(expected)));
    let expected = "26138be19cfc76e800bdcbba5e3bbc5bd79168cd06ea6afd5be6860d23d5e0340c728508ca0b47b49627b5560fbca6cdd92cbf6ac402d0941bba7e42b9d7a20c00";
    assert_eq!(key.sign_prehashed(&[0; 32]), Ok(hex(expected)));
}

#[test]
fn sr25519_signatures_verify_in_substrates_context() {
    // Rule 2
    let mut tee = TestTee::development();
    let key = alice(Scheme::Sr25519);
    let public = PublicKey::from_bytes(&key.public()).expect("a point");
    for message in [&b""[..], b"holdfast", &[7; 10_000]] {
        let bytes = key.sign(&mut tee, message).expect("signed");
        let signature = Signature::from_bytes(&bytes).expect("64 marked bytes");
        assert!(public.verify_simple(b"substrate", message, &signature).is_ok());
        assert!(public.verify_simple(b"", message, &signature).is_err());
    }
}

#[test]
fn the_platform_is_the_only_source_of_randomness() {
    let key = alice(Scheme::Sr25519);
    let sign = |random: u8| {
        let mut tee = TestTee::development();
        tee.next_random = vec![vec![random; 32]];
        key.sign(&mut tee, b"message").expect("signed")
    };
    assert_eq!(sign(1), sign(1));
    assert_ne!(sign(1), sign(2));

    let prove = |random: u8| {
        let mut tee = TestTee::development();
        tee.next_random = vec![vec![random; 32]];
        key.vrf_sign(&mut tee, &input_point(&key)).expect("proved").1
    };
    assert_eq!(prove(1), prove(1));
    assert_ne!(prove(1), prove(2));
}

#[test]
fn without_randomness_there_is_no_sr25519_signature_and_the_others_need_none() {
    let mut tee = TestTee::development();
    tee.fail_random(FAULT);
    let sr25519 = alice(Scheme::Sr25519);
    assert_eq!(sr25519.sign(&mut tee, b""), Err(Error::Platform(FAULT.0)));
    assert_eq!(sr25519.vrf_sign(&mut tee, &input_point(&sr25519)), Err(Error::Platform(FAULT.0)));
    assert!(alice(Scheme::Ed25519).sign(&mut tee, b"").is_ok());
    assert!(alice(Scheme::Ecdsa).sign(&mut tee, b"").is_ok());
}

#[test]
fn even_repeated_randomness_does_not_repeat_a_nonce() {
    let key = alice(Scheme::Sr25519);
    let commitment = |message: &[u8]| {
        let mut tee = TestTee::development();
        tee.next_random = vec![vec![0; 32]];
        key.sign(&mut tee, message).expect("signed")[..32].to_vec()
    };
    assert_ne!(commitment(b"one"), commitment(b"two"));
}

#[test]
fn an_expanded_sr25519_secret_is_the_same_key() {
    let mini = alice(Scheme::Sr25519);
    let expanded = Key::from_secret(Scheme::Sr25519, &pair(&mini).secret.to_bytes()).expect("64 bytes");
    assert_eq!(expanded.public(), mini.public());
    let point = input_point(&mini);
    assert_eq!(expanded.vrf_pre_output(&point), mini.vrf_pre_output(&point));
}

#[test]
fn secrets_of_another_length_are_refused() {
    for scheme in [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa] {
        for length in 0..=130 {
            // 1 in every byte is a secret of each scheme and form.
            let accepted = length == 32 || (length == 64 && scheme == Scheme::Sr25519);
            let secret = vec![1; length];
            assert_eq!(Key::from_secret(scheme, &secret).is_ok(), accepted, "{scheme:?} {length}");
        }
    }
}

#[test]
fn secrets_that_are_no_scalar_of_the_group_are_refused() {
    let refused = |scheme, secret: &[u8]| Key::from_secret(scheme, secret).is_err();
    let order = hex(SECP256K1_ORDER);
    assert!(refused(Scheme::Ecdsa, &order));
    assert!(refused(Scheme::Ecdsa, &[0; 32]));
    assert!(refused(Scheme::Ecdsa, &[0xff; 32]));
    let mut last = order;
    last[31] -= 1;
    assert!(!refused(Scheme::Ecdsa, &last));

    let mut order = hex(RISTRETTO_ORDER);
    order.extend([7; 32]);
    assert!(refused(Scheme::Sr25519, &order));
    assert!(refused(Scheme::Sr25519, &[0xff; 64]));
    order[0] -= 1;
    assert!(!refused(Scheme::Sr25519, &order));
}

#[test]
fn a_zero_scalar_is_refused_and_zero_seeds_are_what_sp_core_makes_of_them() {
    let zero_scalar = [[0; 32], [7; 32]].concat();
    assert!(Key::from_secret(Scheme::Sr25519, &zero_scalar).is_err());
    // Hashed before use, so that these are keys, if well-known ones.
    let ed25519 = Key::from_secret(Scheme::Ed25519, &[0; 32]).expect("a key");
    assert_eq!(ed25519.public(), hex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"));
    assert!(Key::from_secret(Scheme::Sr25519, &[0; 32]).is_ok());
}

#[test]
fn vrf_outputs_verify_as_sp_core_verifies_them() {
    // Rule 2
    let key = alice(Scheme::Sr25519);
    let public = pair(&key).public;
    let (pre_output, proof) = key.vrf_sign(&mut TestTee::development(), &input_point(&key)).expect("proved");
    let expected = pair(&key).vrf_create_hash(Transcript::new(b"a test"));
    assert_eq!(pre_output, expected.to_preout().to_bytes());
    assert_eq!(key.vrf_pre_output(&input_point(&key)), Ok(pre_output));

    let proof = schnorrkel::vrf::VRFProof::from_bytes(&proof).expect("two scalars");
    let in_out = VRFPreOut(pre_output).attach_input_hash(&public, Transcript::new(b"a test")).expect("a point");
    assert!(public.dleq_verify(Transcript::new(b"VRF"), &in_out, &proof, true).is_ok());
    assert!(public.dleq_verify(Transcript::new(b"other"), &in_out, &proof, true).is_err());
}

#[test]
fn what_is_no_point_or_is_the_identity_is_no_vrf_input() {
    let key = alice(Scheme::Sr25519);
    let mut negative = [0; 32];
    negative[0] = 1;
    let mut p_plus_two = [0xff; 32];
    (p_plus_two[0], p_plus_two[31]) = (0xef, 0x7f);
    for input in [[0; 32], [0xff; 32], negative, p_plus_two] {
        let refused = Error::BadRequest(BadRequest::BadKey);
        assert_eq!(key.vrf_pre_output(&input), Err(refused));
        assert_eq!(key.vrf_sign(&mut TestTee::development(), &input), Err(refused));
    }
}

#[test]
fn what_a_scheme_cannot_do_is_an_error() {
    let refused = Error::BadRequest(BadRequest::WrongScheme);
    for scheme in [Scheme::Sr25519, Scheme::Ed25519] {
        assert_eq!(alice(scheme).sign_prehashed(&[1; 32]), Err(refused));
    }
    for scheme in [Scheme::Ed25519, Scheme::Ecdsa] {
        assert_eq!(alice(scheme).vrf_pre_output(&[2; 32]), Err(refused));
        assert_eq!(alice(scheme).vrf_sign(&mut TestTee::development(), &[2; 32]), Err(refused));
    }
}
