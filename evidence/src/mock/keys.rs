//! The keys of the PKI, all from one seed.

use alloc::vec::Vec;

use p256::ecdsa::{signature::Signer, Signature, SigningKey};
use sha2::{Digest, Sha256};

/// What [`super::Plan::new`] takes. Whoever reads this can sign with every key of it.
pub const DEVELOPMENT_SEED: Seed = Seed(*b"Holdfast development mock seed 1");

/// Hashed together with its name, this gives every key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(
    /// As it is hashed.
    pub [u8; 32],
);

/// Whose key: each is another one, on P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Intel SGX Root CA.
    Root,
    /// Intel SGX PCK Platform CA.
    PlatformCa,
    /// Intel SGX PCK Processor CA.
    ProcessorCa,
    /// The platform's provisioning certification key, which signs reports of the quoting enclave.
    Pck,
    /// Intel SGX TCB Signing, which signs TCB infos and QE identities.
    TcbSigner,
    /// The quoting enclave's attestation key, which signs quotes.
    Attestation,
    /// Any further one, by a name.
    Other(&'static str),
}

impl Seed {
    /// The secret key.
    pub fn signing_key(&self, key: Key) -> SigningKey {
        let mut scalar = Sha256::new().chain_update(self.0).chain_update(key.label()).finalize();
        loop {
            // Once in 2^32 a hash is no secret key: it is not below the order of the group.
            match SigningKey::from_slice(&scalar) {
                Ok(key) => return key,
                Err(_) => scalar = Sha256::digest(scalar),
            }
        }
    }

    /// The public key: x, then y, big endian.
    pub fn public_key(&self, key: Key) -> [u8; 64] {
        let point = self.signing_key(key).verifying_key().to_sec1_point(false);
        // The first byte says that the point is not compressed.
        point.as_bytes()[1..].try_into().expect("two coordinates of 32 bytes")
    }

    /// A key's identifier as it is in certificates: the first 20 bytes of SHA-256 of the public key (RFC 7093, 2.1).
    /// Intel's are SHA-1, which nobody recomputes.
    pub fn key_identifier(&self, key: Key) -> Vec<u8> {
        let point = self.signing_key(key).verifying_key().to_sec1_point(false);
        Sha256::digest(point.as_bytes())[..20].to_vec()
    }

    /// ECDSA with SHA-256, deterministic (RFC 6979): r, then s, 32 bytes each.
    pub fn sign(&self, key: Key, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.signing_key(key).sign(message);
        signature.to_bytes().into()
    }
}

impl From<[u8; 32]> for Seed {
    fn from(seed: [u8; 32]) -> Self {
        Self(seed)
    }
}

impl From<&str> for Seed {
    fn from(seed: &str) -> Self {
        Self(Sha256::digest(seed).into())
    }
}

impl Key {
    fn label(&self) -> &str {
        match self {
            Self::Root => "root CA",
            Self::PlatformCa => "PCK platform CA",
            Self::ProcessorCa => "PCK processor CA",
            Self::Pck => "PCK",
            Self::TcbSigner => "TCB signing",
            Self::Attestation => "attestation",
            Self::Other(name) => name,
        }
    }
}
