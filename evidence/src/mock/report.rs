//! What quotes say of an enclave or a TD. All numbers are little endian.

use alloc::vec::Vec;

use super::Platform;

/// Of an enclave: 384 bytes, the fields in this order and bytes that are reserved between them. Source: Intel's
/// "SGX ECDSA Quote Library API", `sgx_report_body_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnclaveReport {
    /// The processor's.
    pub cpu_svn: [u8; 16],
    /// Which parts of the state are saved when the enclave is left.
    pub misc_select: u32,
    /// With Intel's own fields in it.
    pub reserved_1: [u8; 28],
    /// Flags, then XFRM, 8 bytes each. Bit 1 of the first byte is DEBUG.
    pub attributes: [u8; 16],
    /// The measurement.
    pub mr_enclave: [u8; 32],
    /// Zeros.
    pub reserved_2: [u8; 32],
    /// Who signed the enclave.
    pub mr_signer: [u8; 32],
    /// With Intel's own fields in it.
    pub reserved_3: [u8; 96],
    /// Which of its signer's enclaves it is.
    pub isv_prod_id: u16,
    /// In which version.
    pub isv_svn: u16,
    /// With Intel's own fields in it.
    pub reserved_4: [u8; 60],
    /// What it says itself.
    pub report_data: [u8; 64],
}

/// Of a TD: 584 bytes for TDX 1.0, 648 for 1.5, 885 for 1.5ex, the fields in this order, without gaps. Source: Intel's
/// "TDX DCAP Quoting Library API", `sgx_report2_body_v1_5_ex_t` and those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdReport {
    /// Versions of the TDX module and of what is below it, when the TD was started.
    pub tee_tcb_svn: [u8; 16],
    /// The TDX module's measurement.
    pub mr_seam: [u8; 48],
    /// Who signed the TDX module; zeros are Intel.
    pub mr_signer_seam: [u8; 48],
    /// Zeros.
    pub seam_attributes: [u8; 8],
    /// Bit 0 is DEBUG.
    pub td_attributes: [u8; 8],
    /// Which extended features of the processor the TD may use.
    pub xfam: [u8; 8],
    /// The measurement of what the TD was started with.
    pub mr_td: [u8; 48],
    /// From the host.
    pub mr_config_id: [u8; 48],
    /// From the host.
    pub mr_owner: [u8; 48],
    /// From the host.
    pub mr_owner_config: [u8; 48],
    /// Extended by firmware.
    pub rtmr0: [u8; 48],
    /// Extended by firmware and boot loader.
    pub rtmr1: [u8; 48],
    /// Extended by the boot loader and the operating system.
    pub rtmr2: [u8; 48],
    /// Extended by applications.
    pub rtmr3: [u8; 48],
    /// What the TD says itself.
    pub report_data: [u8; 64],

    /// As [`Self::tee_tcb_svn`], but at present. From here on from TDX 1.5 on.
    pub tee_tcb_svn2: [u8; 16],
    /// Of service TDs that are bound to it.
    pub mr_service_td: [u8; 48],

    /// Which part of a partitioned TD it is. From here on only TDX 1.5ex.
    pub vm_id: u8,
    /// Drawn when the TD was started.
    pub td_id: [u8; 32],
    /// A hash of what is said of its devices.
    pub dev_info: [u8; 48],
    /// Of the service TDs that were bound to it when it was made.
    pub init_service_td_hash: [u8; 48],
    /// Theirs.
    pub init_service_td_attributes: [u8; 8],
    /// CPUSVN of the platform where it was made.
    pub init_cpu_svn: [u8; 16],
    /// TEE_TCB_SVN there.
    pub init_tee_tcb_svn: [u8; 16],
    /// That platform's model.
    pub init_tee_fmspc: [u8; 12],
    /// Of the service TDs that are bound to it at present.
    pub cur_service_td_hash: [u8; 48],
    /// Theirs.
    pub cur_service_td_attributes: [u8; 8],
}

impl EnclaveReport {
    /// Of an enclave on a platform.
    pub fn new(platform: &Platform) -> Self {
        Self {
            cpu_svn: platform.cpu_svn,
            misc_select: 0,
            reserved_1: [0; 28],
            // INITTED and MODE64BIT; x87, SSE, AVX and AVX-512 with what they need.
            attributes: [0x05, 0, 0, 0, 0, 0, 0, 0, 0xE7, 0, 0, 0, 0, 0, 0, 0],
            mr_enclave: [0xE0; 32],
            reserved_2: [0; 32],
            mr_signer: [0xE1; 32],
            reserved_3: [0; 96],
            isv_prod_id: 0,
            isv_svn: 0,
            reserved_4: [0; 60],
            report_data: [0; 64],
        }
    }

    /// Of Intel's enclave that quotes enclaves.
    pub fn qe(platform: &Platform) -> Self {
        const MR_SIGNER: [u8; 32] = [
            0x8C, 0x4F, 0x57, 0x75, 0xD7, 0x96, 0x50, 0x3E, 0x96, 0x13, 0x7F, 0x77, 0xC6, 0x8A, 0x82, 0x9A, 0x00, 0x56,
            0xAC, 0x8D, 0xED, 0x70, 0x14, 0x0B, 0x08, 0x1B, 0x09, 0x44, 0x90, 0xC5, 0x7B, 0xFF,
        ];
        Self { mr_enclave: [0x9E; 32], mr_signer: MR_SIGNER, isv_prod_id: 1, isv_svn: 8, ..Self::quoting(platform) }
    }

    /// Of Intel's enclave that quotes TDs.
    pub fn td_qe(platform: &Platform) -> Self {
        const MR_SIGNER: [u8; 32] = [
            0xDC, 0x9E, 0x2A, 0x7C, 0x6F, 0x94, 0x8F, 0x17, 0x47, 0x4E, 0x34, 0xA7, 0xFC, 0x43, 0xED, 0x03, 0x0F, 0x7C,
            0x15, 0x63, 0xF1, 0xBA, 0xBD, 0xDF, 0x63, 0x40, 0xC8, 0x2E, 0x0E, 0x54, 0xA8, 0xC5,
        ];
        Self { mr_enclave: [0x9F; 32], mr_signer: MR_SIGNER, isv_prod_id: 2, isv_svn: 4, ..Self::quoting(platform) }
    }

    /// As it is in a quote.
    pub fn bytes(&self) -> [u8; 384] {
        let parts: [&[u8]; 12] = [
            &self.cpu_svn,
            &self.misc_select.to_le_bytes(),
            &self.reserved_1,
            &self.attributes,
            &self.mr_enclave,
            &self.reserved_2,
            &self.mr_signer,
            &self.reserved_3,
            &self.isv_prod_id.to_le_bytes(),
            &self.isv_svn.to_le_bytes(),
            &self.reserved_4,
            &self.report_data,
        ];
        parts.concat().try_into().expect("the lengths add up to 384")
    }

    fn quoting(platform: &Platform) -> Self {
        let mut report = Self::new(platform);
        // PROVISIONKEY: it may derive keys that only Intel's enclaves have.
        report.attributes[0] |= 0x10;
        report
    }
}

impl TdReport {
    /// Of a TD on a platform.
    pub fn new(platform: &Platform) -> Self {
        Self {
            tee_tcb_svn: platform.tee_tcb_svn,
            mr_seam: [0x5E; 48],
            mr_signer_seam: [0; 48],
            seam_attributes: [0; 8],
            // SEPT_VE_DISABLE.
            td_attributes: (1u64 << 28).to_le_bytes(),
            // x87, SSE, AVX, AVX-512 and PKRU, CET, AMX with what they need.
            xfam: 0x0006_02E7u64.to_le_bytes(),
            mr_td: [0xD0; 48],
            mr_config_id: [0; 48],
            mr_owner: [0; 48],
            mr_owner_config: [0; 48],
            rtmr0: [0xA0; 48],
            rtmr1: [0xA1; 48],
            rtmr2: [0xA2; 48],
            rtmr3: [0xA3; 48],
            report_data: [0; 64],
            tee_tcb_svn2: platform.tee_tcb_svn,
            mr_service_td: [0; 48],
            vm_id: 0,
            td_id: [0x1D; 32],
            dev_info: [0; 48],
            init_service_td_hash: [0; 48],
            init_service_td_attributes: [0; 8],
            init_cpu_svn: [0; 16],
            init_tee_tcb_svn: [0; 16],
            init_tee_fmspc: [0; 12],
            cur_service_td_hash: [0; 48],
            cur_service_td_attributes: [0; 8],
        }
    }

    /// As it is in a quote of TDX 1.0.
    pub fn bytes_10(&self) -> Vec<u8> {
        let parts: [&[u8]; 15] = [
            &self.tee_tcb_svn,
            &self.mr_seam,
            &self.mr_signer_seam,
            &self.seam_attributes,
            &self.td_attributes,
            &self.xfam,
            &self.mr_td,
            &self.mr_config_id,
            &self.mr_owner,
            &self.mr_owner_config,
            &self.rtmr0,
            &self.rtmr1,
            &self.rtmr2,
            &self.rtmr3,
            &self.report_data,
        ];
        parts.concat()
    }

    /// As it is in a quote of TDX 1.5.
    pub fn bytes_15(&self) -> Vec<u8> {
        [&self.bytes_10()[..], &self.tee_tcb_svn2, &self.mr_service_td].concat()
    }

    /// As it is in a quote of TDX 1.5ex.
    pub fn bytes_15ex(&self) -> Vec<u8> {
        let before = self.bytes_15();
        let parts: [&[u8]; 11] = [
            &before,
            &[self.vm_id],
            &self.td_id,
            &self.dev_info,
            &self.init_service_td_hash,
            &self.init_service_td_attributes,
            &self.init_cpu_svn,
            &self.init_tee_tcb_svn,
            &self.init_tee_fmspc,
            &self.cur_service_td_hash,
            &self.cur_service_td_attributes,
        ];
        parts.concat()
    }
}
