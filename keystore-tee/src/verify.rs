//! Judges what comes back from the TEE. The daemon in between is not trusted: whatever it answers is either a
//! signature that `sp_core` verifies for the very key and message that were asked about, or [`Wrong`].

use schnorrkel::vrf::{VRFPreOut, VRFProof};
use sp_core::{
    crypto::{Pair, VrfPublic},
    ecdsa,
    sr25519::{
        self,
        vrf::{VrfPreOutput, VrfProof, VrfSignData, VrfSignature},
    },
};

/// An answer that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("the signature does not verify for this key and message")]
    Signature,
    #[error("the VRF proof does not verify for this key and input")]
    VrfProof,
    #[error("the VRF pre-output is not a point of the curve")]
    VrfPreOutput,
    #[error("the answer does not belong to the question")]
    Reply,
    #[error("the key is not the one that was asked for")]
    Key,
}

/// An sr25519, ed25519 or (hashed with BLAKE2b-256) ecdsa signature of `message`.
pub(crate) fn signature<P: Pair>(raw: &[u8], message: &[u8], public: &P::Public) -> Result<P::Signature, Wrong> {
    let signature = P::Signature::try_from(raw).map_err(|_| Wrong::Signature)?;
    P::verify(&signature, message, public).then_some(signature).ok_or(Wrong::Signature)
}

/// An ecdsa signature of a hash: the key recovered from it is the public key.
pub(crate) fn prehashed(raw: &[u8], hash: &[u8; 32], public: &ecdsa::Public) -> Result<ecdsa::Signature, Wrong> {
    let signature = ecdsa::Signature::try_from(raw).map_err(|_| Wrong::Signature)?;
    ecdsa::Pair::verify_prehashed(&signature, hash, public).then_some(signature).ok_or(Wrong::Signature)
}

/// What a TEE's VRF signature is good for.
#[derive(Debug)]
pub(crate) enum Vrf {
    /// It verifies for the data.
    Verified(VrfSignature),
    /// It verifies for the input alone: the data asked for more to be signed, which cannot be carried to a TEE.
    WithoutExtra,
}

/// A VRF signature of `data`.
pub(crate) fn vrf(
    pre_output: [u8; 32],
    proof: &[u8],
    data: &VrfSignData,
    public: &sr25519::Public,
) -> Result<Vrf, Wrong> {
    let proof = VrfProof(VRFProof::from_bytes(proof).map_err(|_| Wrong::VrfProof)?);
    let signature = VrfSignature { pre_output: vrf_pre_output(pre_output)?, proof };
    if public.vrf_verify(data, &signature) {
        Ok(Vrf::Verified(signature))
    } else if public.vrf_verify(&VrfSignData::new(data.as_ref().clone()), &signature) {
        Ok(Vrf::WithoutExtra)
    } else {
        Err(Wrong::VrfProof)
    }
}

/// A VRF pre-output. That it is a point is all that can be told without a proof.
pub(crate) fn vrf_pre_output(raw: [u8; 32]) -> Result<VrfPreOutput, Wrong> {
    VRFPreOut::from_bytes(&raw)
        .ok()
        .filter(|point| schnorrkel::points::RistrettoBoth::from_bytes(point.as_bytes()).is_ok())
        .map(VrfPreOutput)
        .ok_or(Wrong::VrfPreOutput)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_core::{crypto::VrfSecret, ed25519, sr25519::vrf::VrfTranscript};

    const MESSAGE: &[u8] = b"a message";

    fn only_the_very_signature_is_taken<P: Pair<Seed = [u8; 32]>>() {
        let (pair, other) = (P::from_seed(&[1; 32]), P::from_seed(&[2; 32]));
        let good = pair.sign(MESSAGE);
        let raw: &[u8] = good.as_ref();
        assert!(signature::<P>(raw, MESSAGE, &pair.public()).is_ok());
        assert!(signature::<P>(raw, b"another message", &pair.public()).is_err());
        assert!(signature::<P>(raw, MESSAGE, &other.public()).is_err());
        for length in 0..raw.len() {
            assert!(signature::<P>(&raw[..length], MESSAGE, &pair.public()).is_err(), "{length} bytes");
        }
        assert!(signature::<P>(&[raw, &[0]].concat(), MESSAGE, &pair.public()).is_err());
        for byte in 0..raw.len() {
            let mut flipped = raw.to_vec();
            flipped[byte] ^= 1;
            assert!(signature::<P>(&flipped, MESSAGE, &pair.public()).is_err(), "bit of byte {byte} flipped");
        }
    }

    // Rule 3: every signature is verified before it is handed on.
    #[test]
    fn rule_3_only_the_very_sr25519_signature_is_taken() {
        only_the_very_signature_is_taken::<sr25519::Pair>();
    }

    #[test]
    fn rule_3_only_the_very_ed25519_signature_is_taken() {
        only_the_very_signature_is_taken::<ed25519::Pair>();
    }

    #[test]
    fn rule_3_only_the_very_ecdsa_signature_is_taken() {
        only_the_very_signature_is_taken::<ecdsa::Pair>();
        let pair = ecdsa::Pair::from_seed(&[1; 32]);
        let good = pair.sign_prehashed(&[3; 32]);
        assert!(prehashed(good.as_ref(), &[3; 32], &pair.public()).is_ok());
        assert_eq!(prehashed(good.as_ref(), &[4; 32], &pair.public()), Err(Wrong::Signature));
        assert_eq!(prehashed(&[0xff; 65], &[3; 32], &pair.public()), Err(Wrong::Signature));
    }

    #[test]
    fn rule_3_only_the_very_vrf_signature_is_taken() {
        let pair = sr25519::Pair::from_seed(&[1; 32]);
        let data = VrfSignData::new(VrfTranscript::new(b"label", &[(b"slot", b"1")]));
        let other = VrfSignData::new(VrfTranscript::new(b"label", &[(b"slot", b"2")]));
        let good = pair.vrf_sign(&data);
        let (point, proof) = (*good.pre_output.0.as_bytes(), good.proof.0.to_bytes());
        assert!(matches!(vrf(point, &proof, &data, &pair.public()), Ok(Vrf::Verified(made)) if made == good));
        assert!(vrf(point, &proof, &other, &pair.public()).is_err());
        assert!(vrf(point, &proof[..63], &data, &pair.public()).is_err());
        assert!(vrf([0xff; 32], &proof, &data, &pair.public()).is_err());
        assert!(vrf(point, &[0xff; 64], &data, &pair.public()).is_err());
        assert!(vrf_pre_output([0xff; 32]).is_err());
    }

    #[test]
    fn a_vrf_that_leaves_out_the_extra_data_is_told_from_a_forged_one() {
        let pair = sr25519::Pair::from_seed(&[1; 32]);
        let plain = VrfSignData::new(VrfTranscript::new(b"label", &[]));
        let extra = plain.clone().with_extra(VrfTranscript::new(b"extra", &[]));
        let made = pair.vrf_sign(&plain);
        let found = vrf(*made.pre_output.0.as_bytes(), &made.proof.0.to_bytes(), &extra, &pair.public());
        assert!(matches!(found, Ok(Vrf::WithoutExtra)));
    }
}
