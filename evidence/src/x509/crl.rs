//! Certificate revocation lists (CRLs).

use alloc::{string::ToString, vec::Vec};

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode, MaxEncodedLen};
use der::{
    asn1::{AnyRef, GeneralizedTime, ObjectIdentifier, UintRef},
    oid::AssociatedOid,
    Decode as _, Encode as _, Reader as _, SliceReader, Tag,
};
use scale_info::TypeInfo;
use sha2::{Digest, Sha256};
use x509_cert::{
    crl::TbsCertList,
    ext::{
        pkix::{CrlNumber, CrlReason},
        Extension,
    },
    Version,
};

use super::{
    signed::{Signed, ECDSA_WITH_SHA256},
    Issuer, IssuerKind, Serial, MAX_EXTENSIONS,
};
use crate::{CertificateKind, Document, Error, Moment, Part};

/// The longest list that is looked at, in bytes of DER. Intel's longest has some 6,700.
pub const MAX_CRL: usize = 256 * 1024;
/// The most certificates that a list may revoke. Intel's longest has some 180.
pub const MAX_REVOKED: u32 = 4096;

/// A list that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Crl {
    /// Who revokes: the root, or a CA of PCK certificates.
    pub issuer: IssuerKind,
    /// SHA-256 of SHA-256 of its name in DER, and its key.
    pub issuer_name: [u8; 32],
    /// When it was made, in seconds since the Unix epoch. Of two lists the later one counts; Intel numbers them all 1.
    pub this_update: u64,
    /// When there will be a newer one.
    pub next_update: u64,
    /// What is revoked.
    pub revoked: BoundedVec<Serial, ConstU32<MAX_REVOKED>>,
}

/// Verifies a list in DER, which `issuer` signed.
pub fn verify_crl(der: &[u8], issuer: &Issuer, at: Moment) -> Result<Crl, Error> {
    let document = document(issuer.kind);
    if der.len() > MAX_CRL {
        return Err(Error::TooLong { part: Part::Crl, found: der.len() as u32, most: MAX_CRL as u32 });
    }
    let signed = Signed::read(der).ok_or(Error::DocumentEncoding { document })?;
    // Nobody but the issuer has a long list read to its end.
    let name = issuer_name(signed.tbs).ok_or(Error::DocumentEncoding { document })?;
    if name != issuer.name || issuer.kind == IssuerKind::TcbSigner {
        return Err(Error::CrlSigner { expected: issuer.kind });
    }
    issuer.check(at)?;
    if !signed.verify(&issuer.public_key) {
        return Err(Error::DocumentSignature { document });
    }
    let list = TbsCertList::<x509_cert::certificate::Rfc5280>::from_der(signed.tbs)
        .map_err(|_| Error::DocumentEncoding { document })?;
    // What was read is what stands there: nothing was left out, sorted or otherwise forgiven.
    if list.to_der().ok().as_deref() != Some(signed.tbs) {
        return Err(Error::DocumentEncoding { document });
    }
    let crl = parse(&list, issuer, document)?;
    crl.check(at)?;
    if issuer.kind == IssuerKind::Root && crl.revokes(&issuer.serial) {
        return Err(Error::CertificateRevoked { certificate: CertificateKind::Root, serial: issuer.serial.into() });
    }
    Ok(crl)
}

impl Crl {
    /// Whether it takes the place of one that is kept: it is the same issuer's, and later.
    pub fn supersedes(&self, before: &Crl) -> bool {
        (self.issuer, self.issuer_name) == (before.issuer, before.issuer_name) && self.this_update > before.this_update
    }

    /// Whether it revokes a certificate of its issuer.
    pub fn revokes(&self, serial: &Serial) -> bool {
        self.revoked.contains(serial)
    }

    /// Checks that it is good at a time.
    pub(crate) fn check(&self, at: Moment) -> Result<(), Error> {
        at.check_document(document(self.issuer), self.this_update, self.next_update)
    }

    /// Checks that it is good, that it is the list of `issuer`, and that it does not revoke what that issued.
    pub(crate) fn check_not_revoked(
        &self,
        certificate: CertificateKind,
        issuer: &Issuer,
        serial: &Serial,
        at: Moment,
    ) -> Result<(), Error> {
        self.check_not_revoked_by(certificate, (issuer.kind, &issuer.id()), serial, at)
    }

    pub(crate) fn check_not_revoked_by(
        &self,
        certificate: CertificateKind,
        (kind, name): (IssuerKind, &[u8; 32]),
        serial: &Serial,
        at: Moment,
    ) -> Result<(), Error> {
        if self.issuer != kind || self.issuer_name != *name {
            return Err(Error::CrlIssuer { found: self.issuer, expected: kind });
        }
        self.check(at)?;
        if self.revokes(serial) {
            return Err(Error::CertificateRevoked { certificate, serial: (*serial).into() });
        }
        Ok(())
    }
}

fn document(issuer: IssuerKind) -> Document {
    match issuer {
        IssuerKind::Root => Document::RootCrl,
        _ => Document::PckCrl,
    }
}

/// SHA-256 of the name of whoever says that he issued the list: after its version, if it has one, and the algorithm (RFC
/// 5280, 5.1.2).
fn issuer_name(tbs: &[u8]) -> Option<[u8; 32]> {
    let whole = AnyRef::from_der(tbs).ok()?;
    let mut elements = SliceReader::new(whole.value()).ok()?;
    if Tag::peek(&elements).ok()? == Tag::Integer {
        elements.tlv_bytes().ok()?;
    }
    elements.tlv_bytes().ok()?;
    Some(Sha256::digest(elements.tlv_bytes().ok()?).into())
}

fn parse(list: &TbsCertList, issuer: &Issuer, document: Document) -> Result<Crl, Error> {
    let encoding = || Error::DocumentEncoding { document };
    if list.version != Version::V2 || list.signature.oid != ECDSA_WITH_SHA256 || list.signature.parameters.is_some() {
        return Err(encoding());
    }
    let entries = list.revoked_certificates.as_deref().unwrap_or_default();
    let extensions = list.crl_extensions.as_deref().unwrap_or_default();
    check_extensions(document, extensions)?;
    // Every list has one (RFC 5280, 5.2.3), though Intel's are all the same.
    if !extensions.iter().any(|extension| extension.extn_id == CrlNumber::OID) {
        return Err(encoding());
    }
    for entry in entries {
        check_extensions(document, entry.crl_entry_extensions.as_deref().unwrap_or_default())?;
    }
    let serials = entries.iter().map(|entry| super::serial(entry.serial_number.as_bytes()));
    let revoked = serials.collect::<Option<Vec<Serial>>>().ok_or_else(encoding)?;
    let found = revoked.len() as u32;
    let revoked = revoked.try_into().map_err(|_| Error::TooMany { document, found, most: MAX_REVOKED })?;
    let next_update = list.next_update.ok_or_else(encoding)?;
    Ok(Crl {
        issuer: issuer.kind,
        issuer_name: issuer.id(),
        this_update: list.this_update.to_unix_duration().as_secs(),
        next_update: next_update.to_unix_duration().as_secs(),
        revoked,
    })
}

/// Everything critical narrows down what a list says: to some kinds of certificates, or to changes since another list.
/// Intel's lists are whole. What is known is well formed, and nothing is there twice.
fn check_extensions(document: Document, extensions: &[Extension]) -> Result<(), Error> {
    /// Delta CRL indicator, issuing distribution point and certificate issuer, RFC 5280 5.2.4, 5.2.5 and 5.3.3: critical,
    /// by the RFC.
    const NARROWING: [ObjectIdentifier; 3] = [
        ObjectIdentifier::new_unwrap("2.5.29.27"),
        ObjectIdentifier::new_unwrap("2.5.29.28"),
        ObjectIdentifier::new_unwrap("2.5.29.29"),
    ];
    /// RFC 5280, 5.3.2.
    const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");
    if extensions.len() > MAX_EXTENSIONS {
        let (found, most) = (extensions.len() as u32, MAX_EXTENSIONS as u32);
        return Err(Error::TooMany { document, found, most });
    }
    for (index, Extension { extn_id, critical, extn_value }) in extensions.iter().enumerate() {
        if *critical || NARROWING.contains(extn_id) {
            return Err(Error::CrlExtension { document, found: extn_id.to_string() });
        }
        let value = extn_value.as_bytes();
        let well_formed = match *extn_id {
            // RFC 5280, 5.2.3: of at most 20 bytes.
            CrlNumber::OID => UintRef::from_der(value).is_ok_and(|number| number.as_bytes().len() <= 20),
            CrlReason::OID => CrlReason::from_der(value).is_ok(),
            INVALIDITY_DATE => GeneralizedTime::from_der(value).is_ok(),
            _ => true,
        };
        if !well_formed || extensions.iter().take(index).any(|before| before.extn_id == *extn_id) {
            return Err(Error::DocumentEncoding { document });
        }
    }
    Ok(())
}
