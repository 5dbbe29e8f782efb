//! Lists of revoked certificates as Intel publishes them.

use alloc::{vec, vec::Vec};

use der::asn1::ObjectIdentifier;

use super::{
    asn1::{algorithm, explicit, sequence, time, tlv, unsigned, ECDSA_WITH_SHA256, ENUMERATED},
    Ca, DistinguishedName, Extension, Key, KeyIdentifier, Seed,
};

/// What a list is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    /// 1 for version 2; `None` leaves the field out.
    pub version: Option<u8>,
    /// What it says that it is signed with. [`super::ToBeSigned::algorithm`] says it again, outside.
    pub algorithm: ObjectIdentifier,
    /// Who it says has signed it.
    pub issuer: DistinguishedName,
    /// Unix seconds.
    pub this_update: u64,
    /// Unix seconds; left out if `None`.
    pub next_update: Option<u64>,
    /// Left out if there are none, as DER wants it.
    pub revoked: Vec<Revoked>,
    /// Extension 2.5.29.20, big endian; left out if `None`. Intel's are all 1.
    pub number: Option<Vec<u8>>,
    /// Extension 2.5.29.35, of its signer; left out if `None`.
    pub authority_key_identifier: Option<KeyIdentifier>,
    /// After the others.
    pub extra: Vec<Extension>,
    /// The key that signs it.
    pub signed_by: Key,
}

/// A certificate that is not to be trusted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// As in [`super::Certificate::serial`].
    pub serial: Vec<u8>,
    /// Unix seconds.
    pub date: u64,
    /// Extension 2.5.29.21; left out if `None`. Intel's are all 1, for a compromised key.
    pub reason: Option<u8>,
    /// After the reason.
    pub extra: Vec<Extension>,
}

/// One thing for each list: a [`Crl`] in a plan, its bytes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crls<T> {
    /// Of the root.
    pub root: T,
    /// Of the CA that issued the PCK certificate.
    pub pck: T,
}

impl Crl {
    /// Of the root.
    pub fn root(this_update: u64, next_update: u64) -> Self {
        Self::new("Intel SGX Root CA", Key::Root, this_update, next_update)
    }

    /// Of a CA that issues PCK certificates.
    pub fn pck(ca: Ca, this_update: u64, next_update: u64) -> Self {
        Self::new(ca.common_name(), ca.key(), this_update, next_update)
    }

    /// DER: what is signed.
    pub fn tbs(&self, seed: &Seed) -> Vec<u8> {
        let revoked = self.revoked.iter().map(Revoked::der).collect::<Vec<_>>().concat();
        let extensions = self.extensions(seed);
        sequence(&[
            &self.version.map(|version| unsigned(&[version])).unwrap_or_default(),
            &algorithm(self.algorithm),
            &self.issuer.der(),
            &time(self.this_update),
            &self.next_update.map(time).unwrap_or_default(),
            &if revoked.is_empty() { vec![] } else { sequence(&[&revoked]) },
            &if extensions.is_empty() { vec![] } else { tlv(explicit(0), &[&sequence(&[&extensions])]) },
        ])
    }

    fn new(issuer: &str, signer: Key, this_update: u64, next_update: u64) -> Self {
        Self {
            version: Some(1),
            algorithm: ECDSA_WITH_SHA256,
            issuer: DistinguishedName::new(issuer),
            this_update,
            next_update: Some(next_update),
            revoked: vec![],
            number: Some(vec![1]),
            authority_key_identifier: Some(KeyIdentifier::Of(signer)),
            extra: vec![],
            signed_by: signer,
        }
    }

    fn extensions(&self, seed: &Seed) -> Vec<u8> {
        let extension = |oid, value| Extension { oid: ObjectIdentifier::new_unwrap(oid), critical: false, value }.der();
        let number = self.number.as_ref().map(|number| extension("2.5.29.20", unsigned(number)));
        let authority = self.authority_key_identifier.as_ref().map(|key| extension("2.5.29.35", key.authority(seed)));
        number.into_iter().chain(authority).chain(self.extra.iter().map(Extension::der)).collect::<Vec<_>>().concat()
    }
}

impl Revoked {
    /// For a compromised key.
    pub fn new(serial: Vec<u8>, date: u64) -> Self {
        Self { serial, date, reason: Some(1), extra: vec![] }
    }

    fn der(&self) -> Vec<u8> {
        const REASON: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
        let reason = self
            .reason
            .map(|reason| Extension { oid: REASON, critical: false, value: tlv(ENUMERATED, &[&[reason]]) }.der());
        let extensions = reason.into_iter().chain(self.extra.iter().map(Extension::der)).collect::<Vec<_>>().concat();
        let extensions = if extensions.is_empty() { vec![] } else { sequence(&[&extensions]) };
        sequence(&[&unsigned(&self.serial), &time(self.date), &extensions])
    }
}

impl<T> Crls<T> {
    /// The same of something else.
    pub fn map<U>(&self, change: impl Fn(&T) -> U) -> Crls<U> {
        Crls { root: change(&self.root), pck: change(&self.pck) }
    }
}
