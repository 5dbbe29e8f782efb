//! Which versions of a platform's parts Intel thinks well of.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use serde::Serialize;

use super::{
    text::{date, hexadecimal, json},
    Platform,
};

/// Unix seconds: 2025-08-13T00:00:00Z, of the levels that are up to date.
const UP_TO_DATE_SINCE: u64 = 1_755_043_200;
/// Unix seconds: 2024-03-13T00:00:00Z, of the levels that are not.
const OUT_OF_DATE_SINCE: u64 = 1_710_288_000;
/// A new plan's evaluation data number.
pub(super) const EVALUATION_DATA_NUMBER: u32 = 20;

/// The object `tcbInfo` of Intel's answer, version 3; the order of its fields is theirs. What is `None` or, of lists of
/// advisories, empty, is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbInfo {
    /// "SGX" or "TDX".
    pub id: String,
    /// 3.
    pub version: u32,
    /// Unix seconds, as all dates here, until the year 9999.
    #[serde(serialize_with = "date")]
    pub issue_date: u64,
    /// Until when it is to be used.
    #[serde(serialize_with = "date")]
    pub next_update: u64,
    /// Of which platforms: 6 bytes, as in their PCK certificates.
    #[serde(serialize_with = "hexadecimal")]
    pub fmspc: Vec<u8>,
    /// 2 bytes, as in their PCK certificates.
    #[serde(serialize_with = "hexadecimal")]
    pub pce_id: Vec<u8>,
    /// 0: components of the TCB are compared one by one.
    pub tcb_type: u32,
    /// Intel counts its evaluations; the same in the QE identities of the same evaluation.
    pub tcb_evaluation_data_number: u32,
    /// What TDX modules are compared with whose version is 0. Only TDX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tdx_module: Option<TdxModule>,
    /// What the other TDX modules are compared with. Only TDX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tdx_module_identities: Option<Vec<TdxModuleIdentity>>,
    /// The best first.
    pub tcb_levels: Vec<TcbLevel>,
}

/// A TDX module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModule {
    /// 48 bytes; zeros are Intel's.
    #[serde(serialize_with = "hexadecimal")]
    pub mrsigner: Vec<u8>,
    /// 8 bytes.
    #[serde(serialize_with = "hexadecimal")]
    pub attributes: Vec<u8>,
    /// 8 bytes: where the attributes are compared.
    #[serde(serialize_with = "hexadecimal")]
    pub attributes_mask: Vec<u8>,
}

/// TDX modules of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TdxModuleIdentity {
    /// "TDX_" and the version, which is the second byte of a TD's TEE_TCB_SVN, as two digits of hexadecimal.
    pub id: String,
    /// What they are compared with.
    #[serde(flatten)]
    pub module: TdxModule,
    /// By the first byte of TEE_TCB_SVN; the best first.
    pub tcb_levels: Vec<IsvTcbLevel>,
}

/// A level of the platform: who has all of it, or more, has its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TcbLevel {
    /// What there has to be.
    pub tcb: Tcb,
    /// From when on Intel counts it.
    #[serde(serialize_with = "date")]
    pub tcb_date: u64,
    /// "UpToDate", "OutOfDate" and so on.
    pub tcb_status: String,
    /// "INTEL-SA-00615" and the like.
    #[serde(rename = "advisoryIDs", skip_serializing_if = "Vec::is_empty")]
    pub advisory_ids: Vec<String>,
}

/// What a platform has to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub struct Tcb {
    /// 16, compared with those of the PCK certificate.
    #[serde(rename = "sgxtcbcomponents")]
    pub sgx_components: Vec<TcbComponent>,
    /// Compared with that of the PCK certificate.
    #[serde(rename = "pcesvn")]
    pub pce_svn: u32,
    /// 16, compared with a TD's TEE_TCB_SVN. Only TDX.
    #[serde(rename = "tdxtcbcomponents", skip_serializing_if = "Option::is_none")]
    pub tdx_components: Option<Vec<TcbComponent>>,
}

/// One part of a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TcbComponent {
    /// At most 255 in Intel's.
    pub svn: u32,
    /// "BIOS" or "OS/VMM": how it is updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What it is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// A level of something that has one number: a TDX module or a quoting enclave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IsvTcbLevel {
    /// What there has to be.
    pub tcb: IsvTcb,
    /// From when on Intel counts it.
    #[serde(serialize_with = "date")]
    pub tcb_date: u64,
    /// "UpToDate", "OutOfDate" and so on.
    pub tcb_status: String,
    /// "INTEL-SA-00615" and the like.
    #[serde(rename = "advisoryIDs", skip_serializing_if = "Vec::is_empty")]
    pub advisory_ids: Vec<String>,
}

/// What a TDX module or a quoting enclave has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct IsvTcb {
    /// Of a quoting enclave, compared with ISVSVN in its report; of a TDX module, with the first byte of TEE_TCB_SVN.
    #[serde(rename = "isvsvn")]
    pub isv_svn: u32,
}

impl TcbInfo {
    /// For enclaves: the platform is up to date; with an older PCE, it is not.
    pub fn sgx(platform: &Platform, issue_date: u64, next_update: u64) -> Self {
        let tcb =
            Tcb { sgx_components: plain(&platform.cpu_svn), pce_svn: platform.pce_svn.into(), tdx_components: None };
        Self {
            id: "SGX".into(),
            version: 3,
            issue_date,
            next_update,
            fmspc: platform.fmspc.to_vec(),
            pce_id: platform.pce_id.to_vec(),
            tcb_type: 0,
            tcb_evaluation_data_number: EVALUATION_DATA_NUMBER,
            tdx_module: None,
            tdx_module_identities: None,
            tcb_levels: levels(tcb),
        }
    }

    /// For TDs: the platform and its TDX module are up to date; with an older PCE or module, they are not.
    pub fn tdx(platform: &Platform, issue_date: u64, next_update: u64) -> Self {
        let [isv_svn, version, ..] = platform.tee_tcb_svn;
        // Of a module that has a version, its identity judges the first two.
        let mut tdx_components = plain(&platform.tee_tcb_svn);
        tdx_components[0] = TcbComponent::labelled(isv_svn.saturating_sub(1).into(), "OS/VMM", "TDX Module");
        tdx_components[1] = TcbComponent::labelled(0, "OS/VMM", "TDX Module");
        tdx_components[2] =
            TcbComponent::labelled(platform.tee_tcb_svn[2].into(), "OS/VMM", "TDX Late Microcode Update");
        let mut sgx_components = plain(&platform.cpu_svn);
        sgx_components[0] = TcbComponent::labelled(platform.cpu_svn[0].into(), "BIOS", "Early Microcode Update");
        sgx_components[1] = TcbComponent::labelled(platform.cpu_svn[1].into(), "OS/VMM", "SGX Late Microcode Update");
        let tcb = Tcb { sgx_components, pce_svn: platform.pce_svn.into(), tdx_components: Some(tdx_components) };
        let module = TdxModule { mrsigner: vec![0; 48], attributes: vec![0; 8], attributes_mask: vec![0xFF; 8] };
        let identity = TdxModuleIdentity {
            id: format!("TDX_{version:02X}"),
            module: module.clone(),
            tcb_levels: IsvTcbLevel::levels(isv_svn.into()),
        };
        Self {
            id: "TDX".into(),
            tdx_module: Some(module),
            tdx_module_identities: Some(vec![identity]),
            tcb_levels: levels(tcb),
            ..Self::sgx(platform, issue_date, next_update)
        }
    }

    /// What is signed.
    pub fn json(&self) -> String {
        json(self)
    }
}

impl TcbComponent {
    /// Without a word of what it is.
    pub fn plain(svn: u32) -> Self {
        Self { svn, category: None, kind: None }
    }

    /// With it.
    pub fn labelled(svn: u32, category: &str, kind: &str) -> Self {
        Self { svn, category: Some(category.into()), kind: Some(kind.into()) }
    }
}

impl IsvTcbLevel {
    /// Up to date from this number on; out of date from the one before on.
    pub(super) fn levels(isv_svn: u32) -> Vec<Self> {
        let up_to_date = Self {
            tcb: IsvTcb { isv_svn },
            tcb_date: UP_TO_DATE_SINCE,
            tcb_status: "UpToDate".into(),
            advisory_ids: vec![],
        };
        let out_of_date = Self {
            tcb: IsvTcb { isv_svn: isv_svn.saturating_sub(1) },
            tcb_date: OUT_OF_DATE_SINCE,
            tcb_status: "OutOfDate".into(),
            advisory_ids: vec!["INTEL-SA-00615".into()],
        };
        vec![up_to_date, out_of_date]
    }
}

fn plain(svns: &[u8; 16]) -> Vec<TcbComponent> {
    svns.iter().map(|svn| TcbComponent::plain((*svn).into())).collect()
}

fn levels(tcb: Tcb) -> Vec<TcbLevel> {
    let older = Tcb { pce_svn: 5.min(tcb.pce_svn.saturating_sub(1)), ..tcb.clone() };
    let up_to_date = TcbLevel { tcb, tcb_date: UP_TO_DATE_SINCE, tcb_status: "UpToDate".into(), advisory_ids: vec![] };
    let advisory_ids = ["INTEL-SA-00477", "INTEL-SA-00837"].map(ToString::to_string).to_vec();
    let out_of_date =
        TcbLevel { tcb: older, tcb_date: OUT_OF_DATE_SINCE, tcb_status: "OutOfDate".into(), advisory_ids };
    vec![up_to_date, out_of_date]
}
