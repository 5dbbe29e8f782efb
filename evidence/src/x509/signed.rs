//! What certificates and revocation lists have in common: something, and an ECDSA signature of its exact bytes.

use der::{
    asn1::{AnyRef, BitStringRef, ObjectIdentifier},
    Decode, Reader, SliceReader, Tagged,
};
use p256::ecdsa::{signature::Verifier, Signature, VerifyingKey};

/// ecdsa-with-SHA256, RFC 5758.
pub(super) const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }`.
pub(super) struct Signed<'a> {
    /// What is signed, as it stands there.
    pub(super) tbs: &'a [u8],
    pub(super) signature: Signature,
}

impl<'a> Signed<'a> {
    /// `None` if it is not DER, or not signed with ECDSA over P-256 with SHA-256.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Signed<'a>> {
        let whole = AnyRef::from_der(bytes).ok()?;
        if whole.tag() != der::Tag::Sequence {
            return None;
        }
        let mut reader = SliceReader::new(whole.value()).ok()?;
        let tbs = reader.tlv_bytes().ok()?;
        let algorithm = x509_cert::spki::AlgorithmIdentifierRef::decode(&mut reader).ok()?;
        let signature = BitStringRef::decode(&mut reader).ok()?;
        reader.finish().ok()?;
        if algorithm.oid != ECDSA_WITH_SHA256 || algorithm.parameters.is_some() {
            return None;
        }
        let signature = Signature::from_der(signature.as_bytes()?).ok()?;
        Some(Signed { tbs, signature })
    }

    pub(super) fn verify(&self, key: &[u8; 64]) -> bool {
        verifying_key(key).is_some_and(|key| key.verify(self.tbs, &self.signature).is_ok())
    }
}

/// Whether `signature`, r and s, is that of `message` under the key whose affine coordinates are given.
pub(crate) fn verify(key: &[u8; 64], message: &[u8], signature: &[u8; 64]) -> bool {
    let Some(key) = verifying_key(key) else { return false };
    Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// `None` if the coordinates are no point of the curve.
pub(super) fn verifying_key(key: &[u8; 64]) -> Option<VerifyingKey> {
    let mut sec1 = [4; 65];
    sec1[1..].copy_from_slice(key);
    VerifyingKey::from_sec1_bytes(&sec1).ok()
}
