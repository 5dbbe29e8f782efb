//! How up to date the platform is on which a quote was made.
//!
//! Source: Intel SGX and TDX DCAP quote verification library, `TCBLevels` and `TdxModuleIdentity`; Provisioning
//! Certification Service API, "TCB status of a platform".

use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    collateral::{Advisories, QeIdentity, TcbInfo, TcbStatus, TdxModule, TdxModuleIdentity},
    quote::{Report, TdReport},
    steps::equal_under,
    AttestationKey, Crl, Document, Error, Issuer, Moment, Part, Pck, Quoted, Tee,
};

/// What was verified before, and by which a report is judged.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Whom everything else is traced back to.
    pub root: &'a Issuer,
    /// What the root has revoked.
    pub root_crl: &'a Crl,
    /// What the issuer of the PCK certificate has revoked.
    pub pck_crl: &'a Crl,
    /// For platforms of this kind.
    pub tcb_info: &'a TcbInfo,
    /// For the QE of this TEE.
    pub qe_identity: &'a QeIdentity,
    /// The platform.
    pub pck: &'a Pck,
    /// The key that signed the quote.
    pub attestation_key: &'a AttestationKey,
}

/// How up to date a platform is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct TcbVerdict {
    /// Of platform, TDX module and QE together. Never [`TcbStatus::Revoked`].
    pub status: TcbStatus,
    /// What is known to be wrong with any of them.
    pub advisories: Advisories,
    /// The lower of those of TCB info and QE identity.
    pub evaluation_data_number: u32,
    /// Up to when all that was known then was mended in platform and TDX module, in seconds since the Unix epoch.
    pub date: u64,
    /// The same of the QE.
    pub qe_date: u64,
    /// The last second at which all that this rests on is good, without grace.
    pub good_until: u64,
    /// The last second at which all certificates among that are good. These have no grace.
    pub certificates_until: u64,
}

/// Judges a platform. Dates and revocations are checked again: what was good when it was verified may not be any more.
pub fn judge_tcb(quoted: &Quoted, facts: &Facts<'_>, at: Moment) -> Result<TcbVerdict, Error> {
    let Quoted { report, attestation_key: signed_by } = quoted;
    if *signed_by != facts.attestation_key.public_key {
        let expected = facts.attestation_key.public_key.into();
        return Err(Error::AttestationKey { found: (*signed_by).into(), expected });
    }
    facts.check(at)?;
    let Facts { tcb_info, qe_identity, pck, attestation_key, .. } = *facts;
    let tee = match report {
        Report::Sgx(_) => Tee::Sgx,
        Report::Tdx(_) => Tee::Tdx,
    };
    if tcb_info.tee != tee {
        return Err(Error::TcbInfoTee { found: tcb_info.tee, expected: tee });
    }
    if attestation_key.qe.tee != tee {
        return Err(Error::AttestationKeyTee { found: attestation_key.qe.tee, expected: tee });
    }
    let platform = &pck.platform;
    if tcb_info.fmspc != platform.fmspc {
        return Err(Error::Fmspc { found: tcb_info.fmspc.into(), expected: platform.fmspc.into() });
    }
    if tcb_info.pce_id != platform.pce_id {
        return Err(Error::PceId { found: tcb_info.pce_id.into(), expected: platform.pce_id.into() });
    }

    let qe = attestation_key.qe.judge(qe_identity)?;
    let mut level = match report {
        Report::Sgx(_) => level(tcb_info, pck, None)?,
        Report::Tdx(report) => {
            check_module(tcb_info, report)?;
            level(tcb_info, pck, Some(&report.tee_tcb_svn))?
        }
    };
    let mut status = level.status.with_part(qe.status);
    if let Report::Tdx(TdReport { tdx_15: Some(now), .. }) = report {
        let current = self::level(tcb_info, pck, Some(&now.tee_tcb_svn2))?;
        status = status.with_current(current.status.with_part(qe.status));
    }
    if status == TcbStatus::Revoked {
        return Err(Error::TcbRevoked);
    }
    level.add(&qe.advisories)?;
    Ok(TcbVerdict {
        status,
        advisories: level.advisories,
        evaluation_data_number: tcb_info.evaluation_data_number.min(qe_identity.evaluation_data_number),
        date: level.date,
        qe_date: qe.date,
        good_until: facts.documents_until().min(facts.certificates_until()),
        certificates_until: facts.certificates_until(),
    })
}

impl Facts<'_> {
    /// Checks that they belong together, and that all of them are still good.
    fn check(&self, at: Moment) -> Result<(), Error> {
        let Facts { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key } = *self;
        root.check_root(at)?;
        if (attestation_key.pck, attestation_key.ca_name) != (pck.serial, pck.ca_name) {
            return Err(Error::AttestationKeyPck { found: attestation_key.pck.into(), expected: pck.serial.into() });
        }
        pck.check(root, root_crl, pck_crl, at)?;
        tcb_info.signer.check(Part::TcbInfoIssuerChain, root, root_crl, at)?;
        qe_identity.signer.check(Part::QeIdentityIssuerChain, root, root_crl, at)?;
        at.check_document(Document::TcbInfo, tcb_info.issued, tcb_info.next_update)?;
        at.check_document(Document::QeIdentity, qe_identity.issued, qe_identity.next_update)
    }

    fn documents_until(&self) -> u64 {
        let Facts { root_crl, pck_crl, tcb_info, qe_identity, .. } = *self;
        let ends = [
            Document::RootCrl.last_second(root_crl.next_update),
            Document::PckCrl.last_second(pck_crl.next_update),
            Document::TcbInfo.last_second(tcb_info.next_update),
            Document::QeIdentity.last_second(qe_identity.next_update),
        ];
        ends.into_iter().fold(u64::MAX, u64::min)
    }

    fn certificates_until(&self) -> u64 {
        let Facts { root, tcb_info, qe_identity, pck, .. } = *self;
        let ends = [root.not_after, pck.not_after, tcb_info.signer.not_after, qe_identity.signer.not_after];
        ends.into_iter().fold(u64::MAX, u64::min)
    }
}

/// What is known of a platform.
struct Level {
    status: TcbStatus,
    advisories: Advisories,
    date: u64,
}

impl Level {
    fn add(&mut self, advisories: &Advisories) -> Result<(), Error> {
        let too_many = |most: u32| Error::TooMany { document: Document::TcbInfo, found: most.saturating_add(1), most };
        self.advisories.add_all(advisories).map_err(too_many)
    }
}

/// The first level all of whose security versions the platform has, together with that of its TDX module.
fn level(tcb_info: &TcbInfo, pck: &Pck, tee_tcb_svn: Option<&[u8; 16]>) -> Result<Level, Error> {
    let platform = &pck.platform;
    let all = |have: &[u8], needed: &[u8]| have.iter().zip(needed).all(|(have, needed)| have >= needed);
    // A quote that names a line of TDX modules has those judged by that line's own levels.
    let skip = if tee_tcb_svn.is_some_and(|svn| svn[1] > 0) { 2 } else { 0 };
    let met = tcb_info.levels.iter().find(|level| {
        all(&platform.components, &level.sgx)
            && platform.pce_svn >= level.pce_svn
            && match (tee_tcb_svn, &level.tdx) {
                (None, _) => true,
                (Some(have), Some(needed)) => all(&have[skip..], &needed[skip..]),
                (Some(_), None) => false,
            }
    });
    let met = met.ok_or_else(|| Error::TcbLevel {
        components: platform.components.into(),
        pce_svn: platform.pce_svn,
        tee_tcb_svn: tee_tcb_svn.map(|svn| (*svn).into()),
    })?;
    let mut level = Level { status: met.status, advisories: met.advisories.clone(), date: met.date };
    let Some(svn) = tee_tcb_svn else { return Ok(level) };
    let Some(identity) = module_identity(tcb_info, svn)? else { return Ok(level) };
    let lowest = identity.levels.last().map(|level| level.isv_svn).unwrap_or_default();
    let module = identity.levels.iter().find(|level| svn[0] >= level.isv_svn);
    let module = module.ok_or(Error::TdxModuleLevel { line: svn[1], found: svn[0], lowest })?;
    level.status = level.status.with_part(module.status);
    level.date = level.date.min(module.date);
    level.add(&module.advisories)?;
    Ok(level)
}

/// The line of modules that TEE_TCB_SVN names, if it names one.
fn module_identity<'a>(tcb_info: &'a TcbInfo, tee_tcb_svn: &[u8; 16]) -> Result<Option<&'a TdxModuleIdentity>, Error> {
    let line = tee_tcb_svn[1];
    if line == 0 {
        return Ok(None);
    }
    let identity = tcb_info.tdx_module_identities.iter().find(|identity| identity.line == line);
    identity.map(Some).ok_or(Error::TdxModuleIdentity { line })
}

/// Checks who signed the TDX module and how it is configured.
fn check_module(tcb_info: &TcbInfo, report: &TdReport) -> Result<(), Error> {
    let base = tcb_info.tdx_module.as_ref().ok_or(Error::TdxModuleMissing)?;
    let identity = module_identity(tcb_info, &report.tee_tcb_svn)?;
    let TdxModule { mr_signer, attributes, attributes_mask } = identity.map_or(base, |identity| &identity.module);
    if report.mr_signer_seam != *mr_signer {
        return Err(Error::TdxModuleSigner { found: report.mr_signer_seam.into(), expected: (*mr_signer).into() });
    }
    let outside = report.seam_attributes.iter().zip(attributes_mask).any(|(found, mask)| found & !mask != 0);
    if outside || !equal_under(attributes_mask, &report.seam_attributes, attributes) {
        return Err(Error::SeamAttributes {
            found: report.seam_attributes.into(),
            expected: (*attributes).into(),
            mask: (*attributes_mask).into(),
        });
    }
    Ok(())
}
