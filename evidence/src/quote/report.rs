//! The two kinds of report: of an SGX enclave, and of a TDX trust domain (TD).

use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{reader::Reader, Error};

/// What a quote says.
// One is held at a time.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Report {
    /// Of an enclave.
    #[codec(index = 0)]
    Sgx(EnclaveReport),
    /// Of a trust domain.
    #[codec(index = 1)]
    Tdx(TdReport),
}

/// An SGX report (`sgx_report_body_t`).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct EnclaveReport {
    /// The platform's own word for its TCB; the PCK certificate's is judged instead.
    pub cpu_svn: [u8; 16],
    /// MISCSELECT.
    pub misc_select: u32,
    /// ATTRIBUTES: flags, then XFRM.
    pub attributes: [u8; 16],
    /// Measurement of the enclave's code and data.
    pub mr_enclave: [u8; 32],
    /// Hash of its signer's key.
    pub mr_signer: [u8; 32],
    /// Its signer's number for it.
    pub isv_prod_id: u16,
    /// Its security version.
    pub isv_svn: u16,
    /// What the enclave had put there.
    pub report_data: [u8; 64],
}

/// A TD report (`sgx_report2_body_t`).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct TdReport {
    /// Security versions of the TDX module (0: its version, 1: its line) and of what it stands on.
    pub tee_tcb_svn: [u8; 16],
    /// Measurement of the TDX module.
    pub mr_seam: [u8; 48],
    /// Its signer; zero for Intel's.
    pub mr_signer_seam: [u8; 48],
    /// Its attributes.
    pub seam_attributes: [u8; 8],
    /// The trust domain's attributes; see [`crate::td_attributes`].
    pub td_attributes: u64,
    /// The CPU's extended features that it may use.
    pub xfam: u64,
    /// Measurement of what it started from.
    pub mr_td: [u8; 48],
    /// What its owner configured.
    pub mr_config_id: [u8; 48],
    /// Its owner.
    pub mr_owner: [u8; 48],
    /// What its owner configured for himself.
    pub mr_owner_config: [u8; 48],
    /// Measurements extended while it ran.
    pub rtmr: [[u8; 48]; 4],
    /// What the trust domain had put there.
    pub report_data: [u8; 64],
    /// From TDX 1.5 on.
    pub tdx_15: Option<Tdx15>,
    /// From TDX 1.5ex on.
    pub tdx_15_ex: Option<Tdx15Ex>,
}

/// What TDX 1.5 added.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Tdx15 {
    /// As `tee_tcb_svn`, of the module that runs now; that one is of the module with which the trust domain started.
    pub tee_tcb_svn2: [u8; 16],
    /// Of the service trust domains that are bound to this one; zero if none is.
    pub mr_service_td: [u8; 48],
}

/// What TDX 1.5ex added (`sgx_report2_body_v1_5_ex_t` in Intel's `sgx_quote_5.h`).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Tdx15Ex {
    /// Number of the virtual machine in a partitioned trust domain; 0 if it is not.
    pub vm_id: u8,
    /// Of this launch of the trust domain.
    pub td_id: [u8; 32],
    /// Hash of what is said of its devices.
    pub device_info: [u8; 48],
    /// Service trust domains at its start: hash, and attributes.
    pub initial_service_td: ([u8; 48], [u8; 8]),
    /// The platform at its start: CPUSVN, TEE_TCB_SVN and FMSPC with what goes with it.
    pub initial_platform: ([u8; 16], [u8; 16], [u8; 12]),
    /// Service trust domains now: hash, and attributes.
    pub current_service_td: ([u8; 48], [u8; 8]),
}

impl Report {
    /// What the workload had put there.
    pub fn report_data(&self) -> &[u8; 64] {
        match self {
            Report::Sgx(report) => &report.report_data,
            Report::Tdx(report) => &report.report_data,
        }
    }

    /// Checks what the workload had put there.
    pub fn check_report_data(&self, expected: &[u8; 64]) -> Result<(), Error> {
        let found = self.report_data();
        if found != expected {
            return Err(Error::ReportData { found: (*found).into(), expected: (*expected).into() });
        }
        Ok(())
    }
}

impl EnclaveReport {
    /// Reads 384 bytes. Reserved ones are not looked at: newer CPUs give them a meaning.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<EnclaveReport, Error> {
        let cpu_svn = reader.array()?;
        let misc_select = reader.u32()?;
        reader.bytes(28)?;
        let attributes = reader.array()?;
        let mr_enclave = reader.array()?;
        reader.bytes(32)?;
        let mr_signer = reader.array()?;
        reader.bytes(96)?;
        let isv_prod_id = reader.u16()?;
        let isv_svn = reader.u16()?;
        reader.bytes(60)?;
        let report_data = reader.array()?;
        Ok(EnclaveReport { cpu_svn, misc_select, attributes, mr_enclave, mr_signer, isv_prod_id, isv_svn, report_data })
    }
}

impl TdReport {
    /// Reads 584 bytes, 648 with what TDX 1.5 added, 885 with what 1.5ex added.
    pub(crate) fn read(reader: &mut Reader<'_>, format: TdFormat) -> Result<TdReport, Error> {
        let mut report = TdReport {
            tee_tcb_svn: reader.array()?,
            mr_seam: reader.array()?,
            mr_signer_seam: reader.array()?,
            seam_attributes: reader.array()?,
            td_attributes: reader.u64()?,
            xfam: reader.u64()?,
            mr_td: reader.array()?,
            mr_config_id: reader.array()?,
            mr_owner: reader.array()?,
            mr_owner_config: reader.array()?,
            rtmr: [reader.array()?, reader.array()?, reader.array()?, reader.array()?],
            report_data: reader.array()?,
            tdx_15: None,
            tdx_15_ex: None,
        };
        if format >= TdFormat::Tdx15 {
            report.tdx_15 = Some(Tdx15 { tee_tcb_svn2: reader.array()?, mr_service_td: reader.array()? });
        }
        if format >= TdFormat::Tdx15Ex {
            report.tdx_15_ex = Some(Tdx15Ex {
                vm_id: reader.array::<1>()?[0],
                td_id: reader.array()?,
                device_info: reader.array()?,
                initial_service_td: (reader.array()?, reader.array()?),
                initial_platform: (reader.array()?, reader.array()?, reader.array()?),
                current_service_td: (reader.array()?, reader.array()?),
            });
        }
        Ok(report)
    }
}

/// The formats of a TD report, each with all of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TdFormat {
    Tdx10,
    Tdx15,
    Tdx15Ex,
}
