//! The three signature schemes, byte for byte as `sp_core` makes them.
//!
//! Sources: `sp_core::{sr25519, ed25519, ecdsa}`, in particular `from_seed_slice`, `sign` and `vrf_sign`.

mod entropy;
#[cfg(test)]
mod tests;

use alloc::{boxed::Box, vec::Vec};

use ed25519_dalek::Signer;
use k256::elliptic_curve::ops::Reduce;
use merlin::Transcript;
use schnorrkel::{
    context::{attach_rng, signing_context},
    keys::{ExpansionMode, MiniSecretKey, SecretKey, MINI_SECRET_KEY_LENGTH, SECRET_KEY_LENGTH},
    vrf::{VRFInOut, VRFPreOut, KUSAMA_VRF},
    Keypair,
};

use self::entropy::Entropy;
use crate::{hash::blake2_256, BadRequest, Error, Scheme, Tee};

/// The bytes of a secret that this trusted application makes itself, for every scheme.
pub(crate) const SECRET_LENGTH: usize = 32;

/// The signing context of every sr25519 signature in Substrate.
const SR25519_CONTEXT: &[u8] = b"substrate";

/// The transcript that `sp_core` signs beside a VRF output when it is given none.
const VRF_TRANSCRIPT: &[u8] = b"VRF";

/// A key pair, ready to sign; its secret is wiped when it is dropped.
///
/// It is kept in a box, so that moving it about copies a pointer and not the secret.
pub(crate) enum Key {
    Sr25519(Keypair),
    Ed25519(ed25519_dalek::SigningKey),
    Ecdsa(k256::ecdsa::SigningKey),
}

/// These bytes are no secret key of the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSecret;

/// The length in bytes of a public key.
pub(crate) fn public_length(scheme: Scheme) -> usize {
    match scheme {
        Scheme::Sr25519 | Scheme::Ed25519 => 32,
        Scheme::Ecdsa => 33,
    }
}

impl Key {
    /// Takes what `sp_core`'s `from_seed_slice` takes: 32 bytes, or for sr25519 also the 64 of an expanded key.
    ///
    /// Refused beyond that: a zero scalar of sr25519, whose public key is the identity and for which anybody can sign.
    /// As in `sp_core`, an ecdsa scalar is in `1..n`.
    pub(crate) fn from_secret(scheme: Scheme, secret: &[u8]) -> Result<Box<Key>, BadSecret> {
        match scheme {
            Scheme::Sr25519 => {
                let pair = sr25519_pair(secret)?;
                if pair.public.to_bytes() == [0; 32] {
                    return Err(BadSecret);
                }
                Ok(Box::new(Key::Sr25519(pair)))
            }
            Scheme::Ed25519 => {
                let seed: &[u8; SECRET_LENGTH] = secret.try_into().map_err(|_| BadSecret)?;
                Ok(Box::new(Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed))))
            }
            Scheme::Ecdsa => {
                // k256 would pad a shorter scalar with zeros.
                let scalar: &[u8; SECRET_LENGTH] = secret.try_into().map_err(|_| BadSecret)?;
                let key = k256::ecdsa::SigningKey::from_bytes(scalar.into()).map_err(|_| BadSecret)?;
                Ok(Box::new(Key::Ecdsa(key)))
            }
        }
    }

    /// The public key, of [`public_length`].
    pub(crate) fn public(&self) -> Vec<u8> {
        match self {
            Key::Sr25519(pair) => pair.public.to_bytes().to_vec(),
            Key::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            Key::Ecdsa(key) => key.verifying_key().to_encoded_point(true).as_bytes().to_vec(),
        }
    }

    /// Signs a message. ed25519 and ecdsa are deterministic; sr25519 takes randomness from the platform, never from
    /// anywhere else.
    pub(crate) fn sign(&self, tee: &mut impl Tee, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Key::Sr25519(pair) => {
                let transcript = signing_context(SR25519_CONTEXT).bytes(message);
                let signature = pair.sign(attach_rng(transcript, Entropy::draw(tee)?));
                Ok(signature.to_bytes().to_vec())
            }
            Key::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
            Key::Ecdsa(_) => self.sign_prehashed(&blake2_256(message)),
        }
    }

    /// Signs a hash: 64 bytes and the recovery id. For ecdsa only.
    pub(crate) fn sign_prehashed(&self, hash: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let Key::Ecdsa(key) = self else { return Err(Error::BadRequest(BadRequest::WrongScheme)) };
        // k256 derives the nonce from the hash as it stands; RFC 6979 and libsecp256k1 reduce it by the order first.
        let reduced = <k256::Scalar as Reduce<k256::U256>>::reduce_bytes(hash.into()).to_bytes();
        let (signature, recovery) =
            key.sign_prehash_recoverable(&reduced).map_err(|_| Error::BadRequest(BadRequest::BadKey))?;
        let mut bytes = Vec::with_capacity(65);
        bytes.extend_from_slice(&signature.to_bytes());
        bytes.push(recovery.to_byte());
        Ok(bytes)
    }

    /// The VRF pre-output of a compressed input point, and the proof of it. For sr25519 only.
    pub(crate) fn vrf_sign(&self, tee: &mut impl Tee, input: &[u8; 32]) -> Result<([u8; 32], [u8; 64]), Error> {
        let (pair, in_out) = self.vrf(input)?;
        let transcript = attach_rng(Transcript::new(VRF_TRANSCRIPT), Entropy::draw(tee)?);
        let (proof, _) = pair.dleq_proove(transcript, &in_out, KUSAMA_VRF);
        Ok((in_out.to_preout().to_bytes(), proof.to_bytes()))
    }

    /// The VRF pre-output of a compressed input point. For sr25519 only.
    pub(crate) fn vrf_pre_output(&self, input: &[u8; 32]) -> Result<[u8; 32], Error> {
        let (_, in_out) = self.vrf(input)?;
        Ok(in_out.to_preout().to_bytes())
    }

    fn vrf(&self, input: &[u8; 32]) -> Result<(&Keypair, VRFInOut), Error> {
        let Key::Sr25519(pair) = self else { return Err(Error::BadRequest(BadRequest::WrongScheme)) };
        // The group has prime order and each point one encoding, so the identity is the only point to refuse.
        if *input == [0; 32] {
            return Err(Error::BadRequest(BadRequest::BadKey));
        }
        let in_out = pair
            .secret
            .vrf_create_from_compressed_point(&VRFPreOut(*input))
            .map_err(|_| Error::BadRequest(BadRequest::BadKey))?;
        Ok((pair, in_out))
    }
}

fn sr25519_pair(secret: &[u8]) -> Result<Keypair, BadSecret> {
    match secret.len() {
        MINI_SECRET_KEY_LENGTH => {
            let mini = MiniSecretKey::from_bytes(secret).map_err(|_| BadSecret)?;
            Ok(mini.expand_to_keypair(ExpansionMode::Ed25519))
        }
        SECRET_KEY_LENGTH => Ok(SecretKey::from_bytes(secret).map_err(|_| BadSecret)?.to_keypair()),
        _ => Err(BadSecret),
    }
}
