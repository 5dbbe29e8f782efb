//! What Intel's quoting enclaves look like.

use alloc::{string::String, vec, vec::Vec};

use serde::Serialize;

use super::{
    report::EnclaveReport,
    tcb_info::{IsvTcbLevel, EVALUATION_DATA_NUMBER},
    text::{date, hexadecimal, json},
};

/// The object `enclaveIdentity` of Intel's answer, version 2; the order of its fields is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QeIdentity {
    /// "QE", or "TD_QE" where TDs are quoted.
    pub id: String,
    /// 2.
    pub version: u32,
    /// Unix seconds, until the year 9999.
    #[serde(serialize_with = "date")]
    pub issue_date: u64,
    /// Unix seconds: until when it is to be used.
    #[serde(serialize_with = "date")]
    pub next_update: u64,
    /// As in [`super::TcbInfo`].
    pub tcb_evaluation_data_number: u32,
    /// 4 bytes, as they are in the report.
    #[serde(serialize_with = "hexadecimal")]
    pub miscselect: Vec<u8>,
    /// Where MISCSELECT is compared, likewise.
    #[serde(serialize_with = "hexadecimal")]
    pub miscselect_mask: Vec<u8>,
    /// 16 bytes, as they are in the report.
    #[serde(serialize_with = "hexadecimal")]
    pub attributes: Vec<u8>,
    /// Where they are compared, likewise.
    #[serde(serialize_with = "hexadecimal")]
    pub attributes_mask: Vec<u8>,
    /// 32 bytes.
    #[serde(serialize_with = "hexadecimal")]
    pub mrsigner: Vec<u8>,
    /// Of the enclaves.
    pub isvprodid: u32,
    /// The best first.
    pub tcb_levels: Vec<IsvTcbLevel>,
}

impl QeIdentity {
    /// Of the quoting enclave that made this report, which is up to date.
    pub fn new(id: &str, report: &EnclaveReport, issue_date: u64, next_update: u64) -> Self {
        let mut attributes_mask = vec![0; 16];
        // All flags but the one that says that the enclave has a key of the provisioning enclave's.
        attributes_mask[..8].copy_from_slice(&[0xFB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        let attributes = report.attributes.iter().zip(&attributes_mask).map(|(bits, mask)| bits & mask).collect();
        Self {
            id: id.into(),
            version: 2,
            issue_date,
            next_update,
            tcb_evaluation_data_number: EVALUATION_DATA_NUMBER,
            miscselect: report.misc_select.to_le_bytes().to_vec(),
            miscselect_mask: vec![0xFF; 4],
            attributes,
            attributes_mask,
            mrsigner: report.mr_signer.to_vec(),
            isvprodid: report.isv_prod_id.into(),
            tcb_levels: IsvTcbLevel::levels(report.isv_svn.into()),
        }
    }

    /// What is signed.
    pub fn json(&self) -> String {
        json(self)
    }
}
