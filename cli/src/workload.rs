//! What reports say, field by field. What a policy can demand has the name that it has in a policy file.

use holdfast_evidence::{td_attributes, EnclaveReport, Report, TdReport, Tee};

use crate::fields::Fields;

/// The bits of a trust domain's attributes, in the words of Intel's TDX module specification.
const TD_ATTRIBUTES: [(u64, &str); 13] = [
    (td_attributes::DEBUG, "DEBUG"),
    (1 << 4, "HGS_PLUS_PROF"),
    (1 << 5, "PERF_PROF"),
    (1 << 6, "PMT_PROF"),
    (td_attributes::ICSSD, "ICSSD"),
    (td_attributes::SERVTD_EXT, "SERVTD_EXT"),
    (td_attributes::LASS, "LASS"),
    (td_attributes::SEPT_VE_DISABLE, "SEPT_VE_DISABLE"),
    (td_attributes::MIGRATABLE, "MIGRATABLE"),
    (td_attributes::PKS, "PKS"),
    (td_attributes::KL, "KL"),
    (td_attributes::TPA, "TPA"),
    (td_attributes::PERFMON, "PERFMON"),
];

/// The bits of XFAM and of XFRM: Intel's Software Developer's Manual, volume 1, "XSAVE-managed state".
const EXTENDED_FEATURES: [(u64, &str); 16] = [
    (1 << 0, "x87"),
    (1 << 1, "SSE"),
    (1 << 2, "AVX"),
    (1 << 3, "BNDREGS"),
    (1 << 4, "BNDCSR"),
    (1 << 5, "OPMASK"),
    (1 << 6, "ZMM_HI256"),
    (1 << 7, "HI16_ZMM"),
    (1 << 8, "PT"),
    (1 << 9, "PKRU"),
    (1 << 11, "CET_U"),
    (1 << 12, "CET_S"),
    (1 << 14, "UINTR"),
    (1 << 15, "LBR"),
    (1 << 17, "TILECFG"),
    (1 << 18, "TILEDATA"),
];

/// The flags in an enclave's ATTRIBUTES.
const ENCLAVE_FLAGS: [(u64, &str); 8] = [
    (1 << 0, "INIT"),
    (1 << 1, "DEBUG"),
    (1 << 2, "MODE64BIT"),
    (1 << 4, "PROVISIONKEY"),
    (1 << 5, "EINITTOKEN_KEY"),
    (1 << 6, "CET"),
    (1 << 7, "KSS"),
    (1 << 10, "AEXNOTIFY"),
];

/// The TEE whose report it is.
pub(crate) fn tee_of(report: &Report) -> String {
    let tee = match report {
        Report::Sgx(_) => Tee::Sgx,
        Report::Tdx(_) => Tee::Tdx,
    };
    tee.to_string()
}

/// What made the report, and in which format.
pub(crate) fn kind(report: &Report) -> &'static str {
    match report {
        Report::Sgx(_) => "SGX enclave",
        Report::Tdx(TdReport { tdx_15_ex: Some(_), .. }) => "trust domain, TDX 1.5ex",
        Report::Tdx(TdReport { tdx_15: Some(_), .. }) => "trust domain, TDX 1.5",
        Report::Tdx(_) => "trust domain, TDX 1.0",
    }
}

/// What a policy can demand of a workload, beside its attributes.
pub(crate) fn measurements(report: &Report) -> Fields {
    match report {
        Report::Sgx(report) => enclave_measurements(report),
        Report::Tdx(report) => td_measurements(report),
    }
}

/// Everything that a trust domain's report says.
pub(crate) fn trust_domain(report: &TdReport) -> Fields {
    let fields = td_measurements(report)
        .with_bytes("report_data", &report.report_data)
        .with("td_attributes", format!("{:#018x}", report.td_attributes))
        .with("td_attributes_named", named(report.td_attributes, &TD_ATTRIBUTES))
        .with("xfam", format!("{:#x}", report.xfam))
        .with("xfam_named", named(report.xfam, &EXTENDED_FEATURES))
        .with_bytes("tee_tcb_svn", &report.tee_tcb_svn)
        .with_bytes("mrseam", &report.mr_seam)
        .with_bytes("mrsignerseam", &report.mr_signer_seam)
        .with_bytes("seam_attributes", &report.seam_attributes);
    let fields = match &report.tdx_15 {
        Some(more) => {
            fields.with_bytes("tee_tcb_svn2", &more.tee_tcb_svn2).with_bytes("mrservicetd", &more.mr_service_td)
        }
        None => fields,
    };
    let Some(more) = &report.tdx_15_ex else { return fields };
    let (hash, attributes) = &more.initial_service_td;
    let (cpu_svn, tee_tcb_svn, fmspc) = &more.initial_platform;
    let (current_hash, current_attributes) = &more.current_service_td;
    fields
        .with("vm_id", more.vm_id)
        .with_bytes("td_id", &more.td_id)
        .with_bytes("device_info", &more.device_info)
        .with_bytes("initial_service_td", hash)
        .with_bytes("initial_service_td_attributes", attributes)
        .with_bytes("initial_cpu_svn", cpu_svn)
        .with_bytes("initial_tee_tcb_svn", tee_tcb_svn)
        .with_bytes("initial_fmspc", fmspc)
        .with_bytes("current_service_td", current_hash)
        .with_bytes("current_service_td_attributes", current_attributes)
}

/// Everything that an enclave's report says, as Intel's `sgx_report_body_t` lays it out.
pub(crate) fn enclave(report: &[u8; 384]) -> Fields {
    let u16_at = |at: usize| u16::from_le_bytes([report[at], report[at + 1]]);
    let u64_at = |at: usize| report[at..at + 8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let (flags, xfrm) = (u64_at(48), u64_at(56));
    Fields::default()
        .with_bytes("mrenclave", &report[64..96])
        .with_bytes("mrsigner", &report[128..160])
        .with("isv_prod_id", u16_at(256))
        .with("isv_svn", u16_at(258))
        .with_bytes("report_data", &report[320..384])
        .with("attributes", format!("{flags:#018x}"))
        .with("attributes_named", named(flags, &ENCLAVE_FLAGS))
        .with("xfrm", format!("{xfrm:#x}"))
        .with("xfrm_named", named(xfrm, &EXTENDED_FEATURES))
        .with("misc_select", format!("{:#010x}", u64_at(16) as u32))
        .with_bytes("cpu_svn", &report[..16])
        .with_bytes("isv_ext_prod_id", &report[32..48])
        .with_bytes("config_id", &report[192..256])
        .with("config_svn", u16_at(260))
        .with_bytes("isv_family_id", &report[304..320])
}

fn td_measurements(report: &TdReport) -> Fields {
    let [rtmr0, rtmr1, rtmr2, rtmr3] = &report.rtmr;
    Fields::default()
        .with_bytes("mrtd", &report.mr_td)
        .with_bytes("rtmr0", rtmr0)
        .with_bytes("rtmr1", rtmr1)
        .with_bytes("rtmr2", rtmr2)
        .with_bytes("rtmr3", rtmr3)
        .with_bytes("mrconfigid", &report.mr_config_id)
        .with_bytes("mrowner", &report.mr_owner)
        .with_bytes("mrownerconfig", &report.mr_owner_config)
}

fn enclave_measurements(report: &EnclaveReport) -> Fields {
    Fields::default()
        .with_bytes("mrenclave", &report.mr_enclave)
        .with_bytes("mrsigner", &report.mr_signer)
        .with("isv_prod_id", report.isv_prod_id)
        .with("isv_svn", report.isv_svn)
}

/// The names of the bits that are set, and the numbers of those that have none.
fn named(bits: u64, names: &[(u64, &str)]) -> Vec<String> {
    let set = (0..64).map(|number| (number, 1u64 << number)).filter(|(_, bit)| bits & bit != 0);
    set.map(|(number, bit)| match names.iter().find(|(known, _)| *known == bit) {
        Some((_, name)) => (*name).to_string(),
        None => format!("bit {number}"),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_named_and_those_without_a_name_numbered() {
        assert_eq!(named(0x9000_0001, &TD_ATTRIBUTES), ["DEBUG", "SEPT_VE_DISABLE", "KL"]);
        assert_eq!(named(1 << 63 | 1 << 2, &TD_ATTRIBUTES), ["bit 2", "PERFMON"]);
        assert!(named(0, &TD_ATTRIBUTES).is_empty());
    }

    #[test]
    fn every_bit_that_is_judged_has_a_name() {
        let all = |names: &[(u64, &str)]| names.iter().fold(0, |bits, (bit, _)| bits | bit);
        assert_eq!(all(&TD_ATTRIBUTES), !td_attributes::RESERVED);
        assert_eq!(all(&EXTENDED_FEATURES) & td_attributes::XFAM_OPTIONAL, td_attributes::XFAM_OPTIONAL);
    }
}
