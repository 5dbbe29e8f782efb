//! One certificate, read strictly.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use der::{
    asn1::{AnyRef, ObjectIdentifier},
    oid::AssociatedOid,
    Decode, Encode, Tag, Tagged,
};
use sha2::{Digest, Sha256};
use x509_cert::{
    ext::{
        pkix::{
            BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints,
            SubjectAltName,
        },
        Extension,
    },
    name::Name,
    TbsCertificate, Version,
};

use super::{
    signed::{verifying_key, Signed, ECDSA_WITH_SHA256},
    Issuer, Serial, MAX_EXTENSIONS,
};
use crate::{CertificateKind, Error, Moment};

/// The longest certificate that is looked at, in bytes of DER. Intel's have some 1,300.
const MAX_CERTIFICATE: usize = 4096;
/// id-ecPublicKey, RFC 5480.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// secp256r1, RFC 5480.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// A certificate that is well formed. Nothing else is known of it.
pub(super) struct Certificate<'a> {
    kind: CertificateKind,
    signed: Signed<'a>,
    tbs: TbsCertificate,
    pub(super) public_key: [u8; 64],
    pub(super) serial: Serial,
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate that stands where one of this kind belongs.
    pub(super) fn read(kind: CertificateKind, der: &'a [u8]) -> Result<Certificate<'a>, Error> {
        if der.len() > MAX_CERTIFICATE {
            return Err(Error::CertificateTooLong {
                certificate: kind,
                found: der.len() as u32,
                most: MAX_CERTIFICATE as u32,
            });
        }
        Certificate::well_formed(kind, der).ok_or(Error::CertificateEncoding { certificate: kind })
    }

    fn well_formed(kind: CertificateKind, der: &'a [u8]) -> Option<Certificate<'a>> {
        let signed = Signed::read(der)?;
        let tbs = TbsCertificate::from_der(signed.tbs).ok()?;
        // What was read is what stands there: nothing was left out, sorted or otherwise forgiven.
        if tbs.to_der().ok()? != signed.tbs || tbs.issuer_unique_id().is_some() || tbs.subject_unique_id().is_some() {
            return None;
        }
        if tbs.version() != Version::V3
            || tbs.signature().oid != ECDSA_WITH_SHA256
            || tbs.signature().parameters.is_some()
        {
            return None;
        }
        let key = tbs.subject_public_key_info();
        let curve = key.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok()?;
        if key.algorithm.oid != EC_PUBLIC_KEY || curve != P256 {
            return None;
        }
        let public_key = key.subject_public_key.as_bytes()?.strip_prefix(&[4])?.try_into().ok()?;
        verifying_key(&public_key)?;
        let serial = super::serial(tbs.serial_number().as_bytes())?;
        let validity = tbs.validity();
        let (not_before, not_after) =
            (validity.not_before.to_unix_duration().as_secs(), validity.not_after.to_unix_duration().as_secs());
        Some(Certificate { kind, signed, tbs, public_key, serial, not_before, not_after })
    }

    /// The common name of its subject.
    pub(super) fn common_name(&self) -> String {
        let name = self.tbs.subject().common_name().ok().flatten();
        name.map(|name| name.value().to_string()).unwrap_or_default()
    }

    /// What tells its subject from others.
    pub(super) fn subject(&self) -> Option<[u8; 32]> {
        name_digest(self.tbs.subject())
    }

    /// What tells who issued it.
    pub(super) fn issuer(&self) -> Option<[u8; 32]> {
        name_digest(self.tbs.issuer())
    }

    /// The value of an extension that is there once.
    pub(super) fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        let mut found = self.tbs.extensions()?.iter().filter(|extension| extension.extn_id == oid);
        let first = found.next()?;
        found.next().is_none().then(|| first.extn_value.as_bytes())
    }

    /// Checks that its subject may do what certificates of its kind are for, and that it says nothing critical that is
    /// not understood.
    pub(super) fn check_use(&self, expected: Use) -> Result<(), Error> {
        let certificate = self.kind;
        let extensions = self.tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        if extensions.len() > MAX_EXTENSIONS {
            return Err(Error::CertificateEncoding { certificate });
        }
        for (index, Extension { extn_id, critical, extn_value }) in extensions.iter().enumerate() {
            let known = [BasicConstraints::OID, KeyUsage::OID].contains(extn_id);
            // These limit what a certificate is good for, whether they are critical or not.
            let limits = [ExtendedKeyUsage::OID, NameConstraints::OID].contains(extn_id);
            if limits || *critical && !known {
                return Err(Error::CriticalExtension { certificate, found: extn_id.to_string() });
            }
            let twice = extensions.iter().take(index).any(|before| before.extn_id == *extn_id);
            let lists = [CrlDistributionPoints::OID, SubjectAltName::OID].contains(extn_id);
            if twice || lists && !is_sequence(extn_value.as_bytes()) {
                return Err(Error::CertificateEncoding { certificate });
            }
        }
        let constraints = self.extension(BasicConstraints::OID).and_then(|der| BasicConstraints::from_der(der).ok());
        let is_ca = constraints.map(|constraints| constraints.ca);
        if is_ca != Some(expected == Use::Issues) {
            return Err(Error::BasicConstraints { certificate, is_ca, expected: expected == Use::Issues });
        }
        let usage = self.extension(KeyUsage::OID).and_then(|der| KeyUsage::from_der(der).ok());
        let needed = match expected {
            Use::Issues => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
            Use::Signs => KeyUsages::DigitalSignature.into(),
        };
        if !usage.is_some_and(|usage| usage.0.contains(needed)) {
            return Err(Error::KeyUsage { certificate });
        }
        Ok(())
    }

    /// Checks that `issuer` signed it, and that `at` lies between its dates.
    pub(super) fn check_issued(&self, issuer: &Issuer, at: Moment) -> Result<(), Error> {
        let certificate = self.kind;
        if self.issuer() != Some(issuer.name) {
            return Err(Error::CertificateIssuer { certificate, expected: issuer.kind });
        }
        at.check_certificate(certificate, self.not_before, self.not_after)?;
        if !self.signed.verify(&issuer.public_key) {
            return Err(Error::CertificateSignature { certificate });
        }
        Ok(())
    }
}

/// What the key of a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Certificates and revocation lists.
    Issues,
    /// Other things.
    Signs,
}

fn is_sequence(der: &[u8]) -> bool {
    AnyRef::from_der(der).is_ok_and(|value| value.tag() == Tag::Sequence)
}

/// SHA-256 of a name's DER.
fn name_digest(name: &Name) -> Option<[u8; 32]> {
    Some(Sha256::digest(name.to_der().ok()?).into())
}
