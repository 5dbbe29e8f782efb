//! What the two JSON documents have in common: how they are signed, dated, and how they write bytes.

use alloc::{string::String, vec::Vec};

use bounded_collections::{BoundedVec, ConstU32, Get};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use der::DateTime;
use scale_info::TypeInfo;
use serde::{de::DeserializeOwned, Deserialize, Deserializer};

use super::{Advisories, Advisory};
use crate::{
    x509::{verify_signature, Issuer, IssuerKind},
    CertificateKind, Document, Error, Moment,
};

/// The longest document that is looked at, in bytes. Intel's longest have some 20,000.
pub const MAX_DOCUMENT: u32 = 64 * 1024;

/// TCB info or QE identity as Intel signed it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SignedDocument {
    /// The JSON object, byte for byte.
    pub json: BoundedVec<u8, ConstU32<MAX_DOCUMENT>>,
    /// ECDSA over P-256 with SHA-256, by Intel's signer of collateral: r, then s.
    pub signature: [u8; 64],
}

impl SignedDocument {
    /// Takes a document and its signature as collateral carries them.
    pub fn new(document: Document, json: &[u8], signature: &[u8]) -> Result<SignedDocument, Error> {
        let (found, most) = (json.len() as u32, MAX_DOCUMENT);
        let json = json.to_vec().try_into().map_err(|_| Error::DocumentTooLong { document, found, most })?;
        let signature = signature.try_into().map_err(|_| Error::DocumentSignature { document })?;
        Ok(SignedDocument { json, signature })
    }

    /// Checks who signed, then the signature, then reads, then checks the dates: nobody but the signer has a long document
    /// read to its end.
    pub(super) fn verify<T: DeserializeOwned, U: Dated>(
        &self,
        document: Document,
        signer: &Issuer,
        at: Moment,
        parse: impl FnOnce(T) -> Result<U, Error>,
    ) -> Result<U, Error> {
        if signer.kind != IssuerKind::TcbSigner {
            let (certificate, found) = (CertificateKind::TcbSigner, signer.kind.common_name().into());
            return Err(Error::CertificateName { certificate, found });
        }
        // Serde would take a list of an object's values for the object.
        if !self.json.starts_with(b"{") {
            return Err(Error::DocumentEncoding { document });
        }
        signer.check(at)?;
        if !verify_signature(&signer.public_key, &self.json, &self.signature) {
            return Err(Error::DocumentSignature { document });
        }
        let json = serde_json::from_slice(&self.json).map_err(|_| Error::DocumentEncoding { document })?;
        let parsed = parse(json)?;
        let (issued, next_update) = parsed.dates();
        at.check_document(document, issued, next_update)?;
        Ok(parsed)
    }
}

/// What says from when to when it is good.
pub(super) trait Dated {
    fn dates(&self) -> (u64, u64);
}

/// A date as Intel writes it, `2026-10-08T00:09:46Z`, as seconds since the Unix epoch.
#[derive(Clone, Copy)]
pub(super) struct Date(pub(super) u64);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        let text = String::deserialize(deserializer)?;
        let date: DateTime = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Date(date.unix_duration().as_secs()))
    }
}

/// The security version of a component.
#[derive(Deserialize)]
pub(super) struct Component {
    pub(super) svn: u8,
}

/// The number in a level that has one.
#[derive(Deserialize)]
pub(super) struct IsvSvn<T> {
    pub(super) isvsvn: T,
}

/// What can be left out, but is not `null`.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Checks that levels of one number each descend, as Intel documents it. Verifiers take the first one that is met, and
/// some sort them before.
pub(super) fn check_order(document: Document, mut numbers: impl Iterator<Item = u16>) -> Result<(), Error> {
    let mut before = numbers.next();
    for number in numbers {
        if before.replace(number).is_some_and(|before| before <= number) {
            return Err(Error::LevelOrder { document });
        }
    }
    Ok(())
}

/// As many as may be, or an error that says how many there are.
pub(super) fn bounded<T, Bound: Get<u32>>(document: Document, all: Vec<T>) -> Result<BoundedVec<T, Bound>, Error> {
    let (found, most) = (all.len() as u32, Bound::get());
    all.try_into().map_err(|_| Error::TooMany { document, found, most })
}

/// Ids of advisories, each once.
pub(super) fn advisories(document: Document, ids: Vec<String>) -> Result<Advisories, Error> {
    let mut all = Advisories::default();
    for id in ids {
        let id = Advisory::new(&id).ok_or(Error::DocumentEncoding { document })?;
        all.add(id).map_err(|most| Error::TooMany { document, found: most.saturating_add(1), most })?;
    }
    Ok(all)
}
