//! Whether a workload, on a platform that was judged, is what somebody demands.

use super::{policy::TdFeatures, td_attributes::*, Measurements, Policy, TcbVerdict};
use crate::{
    quote::{EnclaveReport, Report, TdReport},
    steps::SGX_DEBUG,
    Error, Register, Tee,
};

/// INIT in an enclave's ATTRIBUTES.
const SGX_INIT: u8 = 0x01;

/// Judges a workload: its attributes, its measurements, and its platform's verdict, `now` in seconds since the Unix epoch.
/// The verdict is that of this very report. One that was kept is good as long as what it rests on, with the policy's grace.
pub fn judge_workload(report: &Report, verdict: &TcbVerdict, policy: &Policy, now: u64) -> Result<(), Error> {
    let until = verdict.good_until.saturating_add(policy.grace).min(verdict.certificates_until);
    if now > until {
        return Err(Error::VerdictExpired { until, now });
    }
    match report {
        Report::Sgx(report) => check_enclave(report)?,
        Report::Tdx(report) => check_trust_domain(report, &policy.td)?,
    }
    if !policy.statuses.contain(verdict.status) {
        return Err(Error::TcbStatus { found: verdict.status, allowed: policy.statuses.iter().collect() });
    }
    if let Some(denied) = verdict.advisories.iter().find(|advisory| policy.denied_advisories.contains(advisory)) {
        return Err(Error::AdvisoryDenied { found: denied.clone() });
    }
    let (found, least) = (verdict.evaluation_data_number, policy.min_evaluation_data_number);
    if found < least {
        return Err(Error::EvaluationDataNumber { found, least });
    }
    match (&policy.measurements, report) {
        (None, _) => Ok(()),
        (Some(Measurements::Sgx(expected)), Report::Sgx(found)) => {
            equal(Register::MrEnclave, &found.mr_enclave, &expected.mr_enclave)?;
            equal(Register::MrSigner, &found.mr_signer, &expected.mr_signer)?;
            let product = found.isv_prod_id.to_be_bytes();
            equal(Register::IsvProdId, &product, &expected.isv_prod_id.map(u16::to_be_bytes))?;
            if found.isv_svn < expected.min_isv_svn {
                return Err(Error::IsvSvn { found: found.isv_svn, least: expected.min_isv_svn });
            }
            Ok(())
        }
        (Some(Measurements::Tdx(expected)), Report::Tdx(found)) => {
            equal(Register::MrTd, &found.mr_td, &expected.mr_td)?;
            let registers = [Register::Rtmr0, Register::Rtmr1, Register::Rtmr2, Register::Rtmr3];
            for ((register, found), expected) in registers.into_iter().zip(&found.rtmr).zip(&expected.rtmr) {
                equal(register, found, expected)?;
            }
            equal(Register::MrConfigId, &found.mr_config_id, &expected.mr_config_id)?;
            equal(Register::MrOwner, &found.mr_owner, &expected.mr_owner)?;
            equal(Register::MrOwnerConfig, &found.mr_owner_config, &expected.mr_owner_config)
        }
        (Some(Measurements::Sgx(_)), Report::Tdx(_)) => Err(Error::WorkloadTee { found: Tee::Tdx, expected: Tee::Sgx }),
        (Some(Measurements::Tdx(_)), Report::Sgx(_)) => Err(Error::WorkloadTee { found: Tee::Sgx, expected: Tee::Tdx }),
    }
}

fn check_enclave(report: &EnclaveReport) -> Result<(), Error> {
    let flags = report.attributes[0];
    if flags & SGX_DEBUG != 0 {
        return Err(Error::Debug);
    }
    if flags & SGX_INIT == 0 {
        return Err(Error::NotInitialised);
    }
    Ok(())
}

fn check_trust_domain(report: &TdReport, allowed: &TdFeatures) -> Result<(), Error> {
    let attributes = report.td_attributes;
    if attributes & DEBUG != 0 {
        return Err(Error::Debug);
    }
    if attributes & PROFILING != 0 {
        return Err(Error::Profiling { found: attributes });
    }
    if attributes & RESERVED != 0 {
        return Err(Error::ReservedAttributes { found: attributes, reserved: RESERVED });
    }
    if attributes & SEPT_VE_DISABLE == 0 {
        return Err(Error::SeptVeDisable { found: attributes });
    }
    let allowed_attributes = allowed.attributes & OPTIONAL;
    if attributes & OPTIONAL & !allowed_attributes != 0 {
        return Err(Error::TdAttributes { found: attributes & OPTIONAL, allowed: allowed_attributes });
    }
    // A report of TDX 1.0 cannot say what service trust domains there are.
    if report.tdx_15.is_none() && attributes & SERVTD_EXT != 0 {
        return Err(Error::TdAttributes { found: attributes & OPTIONAL, allowed: allowed_attributes & !SERVTD_EXT });
    }
    if report.xfam & XFAM_ALWAYS != XFAM_ALWAYS || report.xfam & !XFAM_OPTIONAL != 0 {
        return Err(Error::ReservedXfam { found: report.xfam });
    }
    let allowed_xfam = allowed.xfam | XFAM_ALWAYS;
    if report.xfam & !allowed_xfam != 0 {
        return Err(Error::Xfam { found: report.xfam, allowed: allowed_xfam });
    }
    // From TDX 1.5ex on those that were bound at the start and those that are bound now are told apart.
    let at_start = report.tdx_15.iter().map(|report| &report.mr_service_td);
    let ever = report.tdx_15_ex.iter().flat_map(|report| [&report.initial_service_td.0, &report.current_service_td.0]);
    match at_start.chain(ever).find(|hash| **hash != [0; 48]) {
        Some(found) if !allowed.service_td => Err(Error::ServiceTd { found: (*found).into() }),
        _ => Ok(()),
    }
}

fn equal<const N: usize>(register: Register, found: &[u8; N], expected: &Option<[u8; N]>) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != found => {
            Err(Error::Measurement { register, found: (*found).into(), expected: (*expected).into() })
        }
        _ => Ok(()),
    }
}
