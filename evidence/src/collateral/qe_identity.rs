//! QE identity: which quoting enclave is Intel's. Whoever leaves this out lets any enclave on a platform sign quotes.
//!
//! Source: Intel's Provisioning Certification Service API, version 4, "Get Quoting Enclave Identity" and "Get TD Quoting
//! Enclave Identity".

use alloc::{string::String, vec::Vec};

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::Deserialize;

use super::{
    json::{advisories, bounded, check_order, Date, Dated, IsvSvn},
    tcb_info::LevelJson,
    Advisories, SignedDocument, TcbStatus,
};
use crate::{
    x509::{Issuer, Signer},
    Document, Error, Moment, Tee,
};

/// The most levels of a QE identity. Intel's has at most 6.
pub const MAX_QE_LEVELS: u32 = 32;

const DOCUMENT: Document = Document::QeIdentity;

/// A QE identity that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct QeIdentity {
    /// For quotes of which TEE.
    pub tee: Tee,
    /// When it was made, in seconds since the Unix epoch.
    pub issued: u64,
    /// When there will be a newer one.
    pub next_update: u64,
    /// As in [`crate::TcbInfo`].
    pub evaluation_data_number: u32,
    /// MISCSELECT, as far as the mask goes.
    pub misc_select: u32,
    /// Which bits of it are compared.
    pub misc_select_mask: u32,
    /// ATTRIBUTES, as far as the mask goes.
    pub attributes: [u8; 16],
    /// Which bits of it are compared.
    pub attributes_mask: [u8; 16],
    /// Hash of its signer's key.
    pub mr_signer: [u8; 32],
    /// Its signer's number for it.
    pub isv_prod_id: u16,
    /// From the highest security version to the lowest.
    pub levels: BoundedVec<QeLevel, ConstU32<MAX_QE_LEVELS>>,
    /// As in [`crate::TcbInfo`].
    pub signer: Signer,
}

/// What is known of QEs that have at least this security version.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct QeLevel {
    /// ISVSVN.
    pub isv_svn: u16,
    /// As in [`crate::TcbLevel`].
    pub date: u64,
    /// As in [`crate::TcbLevel`].
    pub status: TcbStatus,
    /// As in [`crate::TcbLevel`].
    pub advisories: Advisories,
}

/// Verifies a QE identity, which `signer` signed.
pub fn verify_qe_identity(input: &SignedDocument, signer: &Issuer, at: Moment) -> Result<QeIdentity, Error> {
    input.verify(DOCUMENT, signer, at, |json: Json| json.parse(signer))
}

impl QeIdentity {
    /// Whether it takes the place of one for the same TEE that is kept: it is of a later day, and of no earlier
    /// evaluation. Intel publishes two evaluations side by side, and goes on dating both anew. One that another root signed
    /// gives way to any.
    pub fn supersedes(&self, before: &QeIdentity) -> bool {
        self.tee == before.tee
            && (self.signer.root != before.signer.root
                || self.issued > before.issued && self.evaluation_data_number >= before.evaluation_data_number)
    }
}

impl Dated for QeIdentity {
    fn dates(&self) -> (u64, u64) {
        (self.issued, self.next_update)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    id: String,
    version: u16,
    issue_date: Date,
    next_update: Date,
    tcb_evaluation_data_number: u32,
    #[serde(with = "hex::serde")]
    miscselect: [u8; 4],
    #[serde(with = "hex::serde")]
    miscselect_mask: [u8; 4],
    #[serde(with = "hex::serde")]
    attributes: [u8; 16],
    #[serde(with = "hex::serde")]
    attributes_mask: [u8; 16],
    #[serde(with = "hex::serde")]
    mrsigner: [u8; 32],
    isvprodid: u16,
    tcb_levels: Vec<LevelJson<IsvSvn<u16>>>,
}

impl Json {
    fn parse(self, signer: &Issuer) -> Result<QeIdentity, Error> {
        let tee = match (self.id.as_str(), self.version) {
            ("QE", 2) => Tee::Sgx,
            ("TD_QE", 2 | 3) => Tee::Tdx,
            ("QE" | "TD_QE", found) => return Err(Error::DocumentVersion { document: DOCUMENT, found }),
            _ => return Err(Error::DocumentId { document: DOCUMENT, found: self.id }),
        };
        let levels = self.tcb_levels.into_iter().map(|level| {
            // Intel's QE identities have no others, and its library takes any other for outdated.
            use TcbStatus::{OutOfDate, Revoked, UpToDate};
            if ![UpToDate, OutOfDate, Revoked].contains(&level.tcb_status) {
                return Err(Error::LevelStatus { document: DOCUMENT, found: level.tcb_status });
            }
            let advisories = advisories(DOCUMENT, level.advisory_ids)?;
            let (date, status) = (level.tcb_date.0, level.tcb_status);
            Ok(QeLevel { isv_svn: level.tcb.isvsvn, date, status, advisories })
        });
        let levels = levels.collect::<Result<Vec<_>, Error>>()?;
        check_order(DOCUMENT, levels.iter().map(|level| level.isv_svn))?;
        Ok(QeIdentity {
            tee,
            issued: self.issue_date.0,
            next_update: self.next_update.0,
            evaluation_data_number: self.tcb_evaluation_data_number,
            misc_select: u32::from_le_bytes(self.miscselect),
            misc_select_mask: u32::from_le_bytes(self.miscselect_mask),
            attributes: self.attributes,
            attributes_mask: self.attributes_mask,
            mr_signer: self.mrsigner,
            isv_prod_id: self.isvprodid,
            levels: bounded(DOCUMENT, levels)?,
            signer: signer.signer(),
        })
    }
}
