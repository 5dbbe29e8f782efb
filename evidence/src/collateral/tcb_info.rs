//! TCB info: which security versions platforms of one kind should have, and what is known of those that have lower ones.
//!
//! Source: Intel's Provisioning Certification Service API, version 4, "Get TCB Info".

use alloc::{string::String, vec::Vec};

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::Deserialize;

use super::{
    json::{advisories, bounded, check_order, present, Component, Date, Dated, IsvSvn},
    Advisories, SignedDocument, TcbStatus,
};
use crate::{
    x509::{Issuer, Signer},
    Document, Error, Moment, Tee,
};

/// The most levels of TCB info. Intel's has some 20.
pub const MAX_LEVELS: u32 = 64;
/// The most identities of TDX modules, and levels of each.
pub const MAX_MODULES: u32 = 16;

const DOCUMENT: Document = Document::TcbInfo;
const VERSION: u16 = 3;

/// TCB info that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct TcbInfo {
    /// For quotes of which TEE.
    pub tee: Tee,
    /// When it was made, in seconds since the Unix epoch.
    pub issued: u64,
    /// When there will be a newer one.
    pub next_update: u64,
    /// For which platforms.
    pub fmspc: [u8; 6],
    /// With which PCE.
    pub pce_id: [u8; 2],
    /// Rises whenever Intel evaluates anew.
    pub evaluation_data_number: u32,
    /// Whose TDX module, where the quote's names no line of modules (TDX).
    pub tdx_module: Option<TdxModule>,
    /// Lines of TDX modules (TDX).
    pub tdx_module_identities: BoundedVec<TdxModuleIdentity, ConstU32<MAX_MODULES>>,
    /// From the highest security versions to the lowest.
    pub levels: BoundedVec<TcbLevel, ConstU32<MAX_LEVELS>>,
    /// Who signed it.
    pub signer: Signer,
}

/// What is known of platforms that have at least these security versions.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct TcbLevel {
    /// Of the SGX TCB components.
    pub sgx: [u8; 16],
    /// Of the PCE.
    pub pce_svn: u16,
    /// Of the TDX TCB components (TDX).
    pub tdx: Option<[u8; 16]>,
    /// Up to when all that was known then was mended, in seconds since the Unix epoch.
    pub date: u64,
    /// How up to date that is.
    pub status: TcbStatus,
    /// What is known to be wrong.
    pub advisories: Advisories,
}

/// Who signed a TDX module, and how it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct TdxModule {
    /// MRSIGNERSEAM.
    pub mr_signer: [u8; 48],
    /// SEAMATTRIBUTES, as far as the mask goes.
    pub attributes: [u8; 8],
    /// Which of them are compared; all others are zero.
    pub attributes_mask: [u8; 8],
}

/// A line of TDX modules.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct TdxModuleIdentity {
    /// The line: byte 1 of TEE_TCB_SVN. Intel writes `TDX_03`.
    pub line: u8,
    /// Who signed it.
    pub module: TdxModule,
    /// From the highest security version to the lowest.
    pub levels: BoundedVec<TdxModuleLevel, ConstU32<MAX_MODULES>>,
}

/// What is known of TDX modules that have at least this security version.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct TdxModuleLevel {
    /// Byte 0 of TEE_TCB_SVN.
    pub isv_svn: u8,
    /// As in [`TcbLevel`].
    pub date: u64,
    /// As in [`TcbLevel`]: up to date, outdated or revoked.
    pub status: TcbStatus,
    /// As in [`TcbLevel`].
    pub advisories: Advisories,
}

/// Verifies TCB info, which `signer` signed.
pub fn verify_tcb_info(input: &SignedDocument, signer: &Issuer, at: Moment) -> Result<TcbInfo, Error> {
    input.verify(DOCUMENT, signer, at, |json: Json| json.parse(signer))
}

impl TcbInfo {
    /// Whether it takes the place of one for the same platforms that is kept: it is of a later day, and of no earlier
    /// evaluation. Intel publishes two evaluations side by side, and goes on dating both anew. One that another root signed
    /// gives way to any.
    pub fn supersedes(&self, before: &TcbInfo) -> bool {
        (self.tee, self.fmspc, self.pce_id) == (before.tee, before.fmspc, before.pce_id)
            && (self.signer.root != before.signer.root
                || self.issued > before.issued && self.evaluation_data_number >= before.evaluation_data_number)
    }
}

impl Dated for TcbInfo {
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
    #[serde(with = "hex::serde")]
    fmspc: [u8; 6],
    #[serde(with = "hex::serde")]
    pce_id: [u8; 2],
    tcb_type: u32,
    tcb_evaluation_data_number: u32,
    tdx_module: Option<ModuleJson>,
    #[serde(default)]
    tdx_module_identities: Vec<IdentityJson>,
    tcb_levels: Vec<LevelJson<TcbJson>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModuleJson {
    #[serde(with = "hex::serde")]
    mrsigner: [u8; 48],
    #[serde(with = "hex::serde")]
    attributes: [u8; 8],
    #[serde(with = "hex::serde")]
    attributes_mask: [u8; 8],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityJson {
    id: String,
    #[serde(with = "hex::serde")]
    mrsigner: [u8; 48],
    #[serde(with = "hex::serde")]
    attributes: [u8; 8],
    #[serde(with = "hex::serde")]
    attributes_mask: [u8; 8],
    tcb_levels: Vec<LevelJson<IsvSvn<u8>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LevelJson<T> {
    pub(super) tcb: T,
    pub(super) tcb_date: Date,
    pub(super) tcb_status: TcbStatus,
    #[serde(rename = "advisoryIDs", default)]
    pub(super) advisory_ids: Vec<String>,
}

#[derive(Deserialize)]
struct TcbJson {
    sgxtcbcomponents: [Component; 16],
    #[serde(default, deserialize_with = "present")]
    tdxtcbcomponents: Option<[Component; 16]>,
    pcesvn: u16,
}

impl Json {
    fn parse(self, signer: &Issuer) -> Result<TcbInfo, Error> {
        let tee = match self.id.as_str() {
            "SGX" => Tee::Sgx,
            "TDX" => Tee::Tdx,
            _ => return Err(Error::DocumentId { document: DOCUMENT, found: self.id }),
        };
        if self.version != VERSION {
            return Err(Error::DocumentVersion { document: DOCUMENT, found: self.version });
        }
        // How security versions are compared; there is no other type.
        if self.tcb_type != 0 {
            return Err(Error::TcbType { found: self.tcb_type });
        }
        let mut levels =
            self.tcb_levels.into_iter().map(|level| level.parse(tee)).collect::<Result<Vec<_>, Error>>()?;
        // In whatever order Intel writes them: its quote verification library compares them in this one.
        levels.sort_by(|a, b| (&b.sgx, b.pce_svn, &b.tdx).cmp(&(&a.sgx, a.pce_svn, &a.tdx)));
        let identities = self.tdx_module_identities.into_iter().map(IdentityJson::parse);
        let identities = identities.collect::<Result<Vec<_>, Error>>()?;
        if tee == Tee::Tdx && self.tdx_module.is_none() {
            return Err(Error::TdxModuleMissing);
        }
        Ok(TcbInfo {
            tee,
            issued: self.issue_date.0,
            next_update: self.next_update.0,
            fmspc: self.fmspc,
            pce_id: self.pce_id,
            evaluation_data_number: self.tcb_evaluation_data_number,
            tdx_module: self.tdx_module.map(ModuleJson::parse),
            tdx_module_identities: bounded(DOCUMENT, identities)?,
            levels: bounded(DOCUMENT, levels)?,
            signer: signer.signer(),
        })
    }
}

impl LevelJson<TcbJson> {
    fn parse(self, tee: Tee) -> Result<TcbLevel, Error> {
        let TcbJson { sgxtcbcomponents, tdxtcbcomponents, pcesvn } = self.tcb;
        let svns = |components: [Component; 16]| components.map(|component| component.svn);
        let tdx = tdxtcbcomponents.map(svns);
        if tee == Tee::Tdx && tdx.is_none() {
            return Err(Error::DocumentEncoding { document: DOCUMENT });
        }
        let (date, status) = (self.tcb_date.0, self.tcb_status);
        let advisories = advisories(DOCUMENT, self.advisory_ids)?;
        Ok(TcbLevel { sgx: svns(sgxtcbcomponents), pce_svn: pcesvn, tdx, date, status, advisories })
    }
}

impl ModuleJson {
    fn parse(self) -> TdxModule {
        let ModuleJson { mrsigner, attributes, attributes_mask } = self;
        TdxModule { mr_signer: mrsigner, attributes, attributes_mask }
    }
}

impl IdentityJson {
    fn parse(self) -> Result<TdxModuleIdentity, Error> {
        let IdentityJson { id, mrsigner, attributes, attributes_mask, tcb_levels } = self;
        let line = line(&id).ok_or(Error::DocumentId { document: DOCUMENT, found: id })?;
        let levels = tcb_levels.into_iter().map(|level| {
            use TcbStatus::{OutOfDate, Revoked, UpToDate};
            if ![UpToDate, OutOfDate, Revoked].contains(&level.tcb_status) {
                return Err(Error::LevelStatus { document: DOCUMENT, found: level.tcb_status });
            }
            let advisories = advisories(DOCUMENT, level.advisory_ids)?;
            let (date, status) = (level.tcb_date.0, level.tcb_status);
            Ok(TdxModuleLevel { isv_svn: level.tcb.isvsvn, date, status, advisories })
        });
        let levels = levels.collect::<Result<Vec<_>, Error>>()?;
        check_order(DOCUMENT, levels.iter().map(|level| level.isv_svn.into()))?;
        let module = ModuleJson { mrsigner, attributes, attributes_mask }.parse();
        Ok(TdxModuleIdentity { line, module, levels: bounded(DOCUMENT, levels)? })
    }
}

/// `TDX_` and two hexadecimal digits.
fn line(id: &str) -> Option<u8> {
    let digits = id.strip_prefix("TDX_")?;
    let [line] = <[u8; 1]>::try_from(hex::decode(digits).ok()?).ok()?;
    Some(line)
}
