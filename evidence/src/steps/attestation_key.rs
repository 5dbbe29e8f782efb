//! The attestation key: made and certified by Intel's quoting enclave (QE) on the platform.

use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sha2::{Digest, Sha256};

use crate::{
    collateral::{QeIdentity, QeLevel},
    quote::{Certification, EnclaveReport},
    reader::Reader,
    x509::verify_signature,
    Error, Part, Pck, Serial, Tee,
};

/// DEBUG in an enclave's ATTRIBUTES.
pub(crate) const SGX_DEBUG: u8 = 0x02;

/// An attestation key that was certified: quotes that it signed are from this platform's QE.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct AttestationKey {
    /// P-256, affine: x, then y.
    pub public_key: [u8; 64],
    /// The serial number of the PCK certificate whose key certified it.
    pub pck: Serial,
    /// Who issued that; see [`Pck`].
    pub ca_name: [u8; 32],
    /// The QE that made it.
    pub qe: QeReport,
}

/// What is judged of a QE. It is kept, so that the QE can be judged again by a newer QE identity.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct QeReport {
    /// For quotes of which TEE it was.
    pub tee: Tee,
    /// MISCSELECT.
    pub misc_select: u32,
    /// ATTRIBUTES.
    pub attributes: [u8; 16],
    /// Hash of its signer's key.
    pub mr_signer: [u8; 32],
    /// Its signer's number for it.
    pub isv_prod_id: u16,
    /// Its security version.
    pub isv_svn: u16,
}

/// Verifies that the platform's PCK signed the QE's report, that the report names the attestation key, and that the QE
/// is the one that `identity` describes.
pub fn certify_attestation_key(
    input: &Certification,
    pck: &Pck,
    identity: &QeIdentity,
) -> Result<AttestationKey, Error> {
    let Certification { tee, attestation_key, qe_report, qe_report_signature, auth_data } = input;
    let report = EnclaveReport::read(&mut Reader::new(Part::QeReport, qe_report))?;

    let expected: [u8; 32] = Sha256::new().chain_update(attestation_key).chain_update(auth_data).finalize().into();
    let (named, tail) = report.report_data.split_at(32);
    if *named != expected {
        return Err(Error::AttestationKeyHash { found: named.into(), expected: expected.into() });
    }
    if tail.iter().any(|byte| *byte != 0) {
        return Err(Error::QeReportDataTail { found: tail.into() });
    }
    let EnclaveReport { misc_select, attributes, mr_signer, isv_prod_id, isv_svn, .. } = report;
    let qe = QeReport { tee: *tee, misc_select, attributes, mr_signer, isv_prod_id, isv_svn };
    qe.judge(identity)?;
    if !verify_signature(&pck.public_key, qe_report, qe_report_signature) {
        return Err(Error::QeReportSignature);
    }
    Ok(AttestationKey { public_key: *attestation_key, pck: pck.serial, ca_name: pck.ca_name, qe })
}

impl QeReport {
    /// Checks that it is the QE that `identity` describes, and finds its level.
    pub(crate) fn judge<'a>(&self, identity: &'a QeIdentity) -> Result<&'a QeLevel, Error> {
        if self.tee != identity.tee {
            return Err(Error::QeIdentityTee { found: identity.tee, expected: self.tee });
        }
        if self.mr_signer != identity.mr_signer {
            return Err(Error::QeSigner { found: self.mr_signer.into(), expected: identity.mr_signer.into() });
        }
        if self.isv_prod_id != identity.isv_prod_id {
            return Err(Error::QeProduct { found: self.isv_prod_id, expected: identity.isv_prod_id });
        }
        let mask = identity.misc_select_mask;
        if self.misc_select & mask != identity.misc_select & mask {
            return Err(Error::QeMiscSelect { found: self.misc_select, expected: identity.misc_select, mask });
        }
        if self.attributes[0] & SGX_DEBUG != 0 {
            return Err(Error::QeDebug);
        }
        if !equal_under(&identity.attributes_mask, &self.attributes, &identity.attributes) {
            return Err(Error::QeAttributes {
                found: self.attributes.into(),
                expected: identity.attributes.into(),
                mask: identity.attributes_mask.into(),
            });
        }
        let lowest = identity.levels.last().map(|level| level.isv_svn).unwrap_or_default();
        let level = identity.levels.iter().find(|level| self.isv_svn >= level.isv_svn);
        level.ok_or(Error::QeLevel { found: self.isv_svn, lowest })
    }
}

/// Whether two are equal where the mask has ones.
pub(crate) fn equal_under(mask: &[u8], one: &[u8], other: &[u8]) -> bool {
    mask.iter().zip(one.iter().zip(other)).all(|(mask, (one, other))| (one ^ other) & mask == 0)
}
