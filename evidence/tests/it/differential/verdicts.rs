//! The same question to all three: ours, dcap-qvl and, for what can be asked of it, tdx-quote.

use std::{
    collections::BTreeSet,
    fmt::Display,
    panic::{catch_unwind, AssertUnwindSafe},
};

use dcap_qvl::{
    quote::{Report as TheirReport, TDReport10, TDReport15},
    verify::{QuoteVerifier, VerifiedReport},
    PckCertFlag, QuoteClaims, QuoteCollateralV3, QuotePolicy,
};
use der::Decode;
use holdfast_evidence::{
    certificates, td_attributes, verify, Error, Part, Policy, Quote, Report, ReportData, Statuses, TcbStatus,
    TdFeatures, Tdx15, Verified,
};

use super::cases::Case;

/// The policy under which dcap-qvl judges where nobody gives it one: any status but `Revoked`, any workload.
fn policy(service_td: bool) -> Policy {
    let never = td_attributes::MIGRATABLE | if service_td { 0 } else { td_attributes::SERVTD_EXT };
    let td = TdFeatures { attributes: td_attributes::OPTIONAL & !never, service_td, ..TdFeatures::strict() };
    Policy { statuses: Statuses::of(&TcbStatus::ALL), td, ..Policy::strict() }
}

pub(super) fn ours(case: &Case) -> Result<Verified, Error> {
    let signed = &case.signed;
    verify(&signed.quote, &signed.collateral, &signed.root, case.now, &policy(case.service_td), ReportData::Any)
}

/// `Err` says why not. A panic is none of our business, and no acceptance.
pub(super) fn theirs(case: &Case) -> Result<VerifiedReport, String> {
    asked(case, |verifier, collateral| verifier.verify(&case.signed.quote, collateral, case.now))
}

/// All that they say of what they accept. Of some they cannot say it.
pub(super) fn their_claims(case: &Case) -> Result<QuoteClaims, String> {
    let policy = QuotePolicy::claims_only(case.now);
    asked(case, |verifier, collateral| verifier.verify_with_policy(&case.signed.quote, collateral, case.now, &policy))
}

fn asked<T, E: Display>(
    case: &Case,
    ask: impl Fn(&QuoteVerifier, &QuoteCollateralV3) -> Result<T, E>,
) -> Result<T, String> {
    let it = case.signed.collateral.clone();
    let collateral = QuoteCollateralV3 {
        pck_crl_issuer_chain: it.pck_crl_issuer_chain,
        root_ca_crl: it.root_ca_crl,
        pck_crl: it.pck_crl,
        tcb_info_issuer_chain: it.tcb_info_issuer_chain,
        tcb_info: it.tcb_info,
        tcb_info_signature: it.tcb_info_signature,
        qe_identity_issuer_chain: it.qe_identity_issuer_chain,
        qe_identity: it.qe_identity,
        qe_identity_signature: it.qe_identity_signature,
        pck_certificate_chain: it.pck_certificate_chain,
    };
    let verifier = QuoteVerifier::new(case.signed.root.clone()).allow_service_td(case.service_td);
    match catch_unwind(AssertUnwindSafe(|| ask(&verifier, &collateral))) {
        Ok(verdict) => verdict.map_err(|error| format!("{error:#}")),
        Err(_) => Err("it panicked".into()),
    }
}

/// What both accepted is the same to both. Ours takes the lower of two ways in which a PCK certificate says the
/// platform's security versions: where they differ, `false`, and the status is not compared.
pub(super) fn compare(case: &Case, ours: &Verified, theirs: &VerifiedReport) -> bool {
    same_report(&ours.report, &theirs.report);
    let Ok(claims) = their_claims(case) else { return false };
    assert_eq!(theirs.status, claims.tcb.status.to_string());
    let theirs = claims;
    let Verified { pck, verdict, .. } = ours;
    let (platform, theirs_pck) = (&pck.platform, &theirs.platform.pck);
    assert_eq!(platform.ppid[..], theirs_pck.ppid[..]);
    assert_eq!(platform.pce_svn, theirs_pck.pce_svn);
    assert_eq!(platform.pce_id[..], theirs_pck.pce_id[..]);
    assert_eq!(platform.fmspc, theirs_pck.fmspc);
    assert_eq!(platform.sgx_type, theirs_pck.sgx_type);
    assert_eq!(platform.platform_instance_id, theirs_pck.platform_instance_id);
    let configuration = platform.configuration.unwrap_or_default();
    assert_eq!(PckCertFlag::from(configuration.dynamic_platform), theirs_pck.dynamic_platform);
    assert_eq!(PckCertFlag::from(configuration.cached_keys), theirs_pck.cached_keys);
    assert_eq!(PckCertFlag::from(configuration.smt_enabled), theirs_pck.smt_enabled);
    assert_eq!(verdict.evaluation_data_number, theirs.tcb.eval_data_number);
    let ends = [good_until(case), Some(verdict.good_until)].into_iter().flatten().min();
    // Theirs is when a list ends, ours the last second before.
    let first = theirs.earliest_expiration_date;
    assert_eq!(ends, Some(if lists_end(case).contains(&first) { first - 1 } else { first }));

    if platform.components != theirs_pck.cpu_svn {
        assert!(platform.components.iter().zip(theirs_pck.cpu_svn).all(|(ours, theirs)| *ours <= theirs));
        return false;
    }
    assert_eq!(verdict.status.to_string(), theirs.tcb.status.to_string());
    let ours: BTreeSet<String> = verdict.advisories.iter().map(ToString::to_string).collect();
    let theirs_ids: BTreeSet<String> = theirs.tcb.advisory_ids.iter().map(|id| id.to_uppercase()).collect();
    assert_eq!(ours, theirs_ids);
    assert_eq!(verdict.date, theirs.platform.tcb_date_tag);
    true
}

/// When the first certificate of a signer of collateral ends, which ours does not keep.
fn good_until(case: &Case) -> Option<u64> {
    let it = &case.signed.collateral;
    let ends = [&it.tcb_info_issuer_chain, &it.qe_identity_issuer_chain].map(|chain| {
        let chain = certificates(Part::TcbInfoIssuerChain, chain.as_bytes()).expect("accepted");
        let certificate = x509_cert::Certificate::from_der(&chain[0]).expect("accepted");
        certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs()
    });
    ends.into_iter().min()
}

fn lists_end(case: &Case) -> [u64; 2] {
    let it = &case.signed.collateral;
    [&it.root_ca_crl, &it.pck_crl].map(|list| {
        let list: x509_cert::crl::CertificateList = x509_cert::crl::CertificateList::from_der(list).expect("accepted");
        list.tbs_cert_list.next_update.expect("accepted").to_unix_duration().as_secs()
    })
}

fn same_report(ours: &Report, theirs: &TheirReport) {
    match (ours, theirs) {
        (Report::Sgx(ours), TheirReport::SgxEnclave(theirs)) => {
            assert_eq!((ours.cpu_svn, ours.misc_select), (theirs.cpu_svn, theirs.misc_select));
            assert_eq!((ours.attributes, ours.mr_enclave), (theirs.attributes, theirs.mr_enclave));
            assert_eq!((ours.mr_signer, ours.report_data), (theirs.mr_signer, theirs.report_data));
            assert_eq!((ours.isv_prod_id, ours.isv_svn), (theirs.isv_prod_id, theirs.isv_svn));
        }
        (Report::Tdx(ours), theirs) => {
            let theirs_10 = theirs.as_td10().expect("a trust domain's");
            let TDReport10 { rt_mr0, rt_mr1, rt_mr2, rt_mr3, .. } = *theirs_10;
            assert_eq!((ours.tee_tcb_svn, ours.mr_seam), (theirs_10.tee_tcb_svn, theirs_10.mr_seam));
            assert_eq!((ours.mr_signer_seam, ours.mr_td), (theirs_10.mr_signer_seam, theirs_10.mr_td));
            assert_eq!(ours.seam_attributes, theirs_10.seam_attributes);
            assert_eq!(ours.td_attributes.to_le_bytes(), theirs_10.td_attributes);
            assert_eq!(ours.xfam.to_le_bytes(), theirs_10.xfam);
            assert_eq!((ours.mr_config_id, ours.mr_owner), (theirs_10.mr_config_id, theirs_10.mr_owner));
            assert_eq!(
                (ours.mr_owner_config, ours.rtmr),
                (theirs_10.mr_owner_config, [rt_mr0, rt_mr1, rt_mr2, rt_mr3])
            );
            assert_eq!(ours.report_data, theirs_10.report_data);
            let theirs_15 = theirs.as_td15().map(|TDReport15 { tee_tcb_svn2, mr_service_td, .. }| Tdx15 {
                tee_tcb_svn2: *tee_tcb_svn2,
                mr_service_td: *mr_service_td,
            });
            assert_eq!(ours.tdx_15, theirs_15);
            match (&ours.tdx_15_ex, theirs.as_td15_ex()) {
                (None, None) => {}
                (Some(ours), Some(theirs)) => {
                    assert_eq!(
                        (ours.vm_id, ours.td_id, ours.device_info),
                        (theirs.vmid, theirs.td_id, theirs.dev_info)
                    );
                    let initial = (theirs.init_service_td_hash, theirs.init_service_td_attributes);
                    assert_eq!(ours.initial_service_td, initial);
                    let platform = (theirs.init_cpu_svn, theirs.init_tee_tcb_svn, theirs.init_tee_fmspc);
                    assert_eq!(ours.initial_platform, platform);
                    let current = (theirs.cur_service_td_hash, theirs.cur_service_td_attributes);
                    assert_eq!(ours.current_service_td, current);
                }
                (ours, theirs) => panic!("{ours:?} and {theirs:?}"),
            }
        }
        (ours, theirs) => panic!("{ours:?} and {theirs:?}"),
    }
}

/// A quote of version 4 that we can take apart is the same to a third parser, wherever that can take it apart too.
pub(super) fn compare_parsed(bytes: &[u8]) -> Option<bool> {
    let quote = Quote::parse(bytes).ok().filter(|quote| quote.header.version == 4)?;
    let Report::Tdx(report) = &quote.report else { panic!("a trust domain's") };
    // Where there is less than it expects, or no point of the curve where it expects one, it panics.
    let Ok(Ok(theirs)) = catch_unwind(|| tdx_quote::Quote::from_bytes(bytes)) else { return Some(false) };
    let body = &theirs.body;
    assert_eq!((report.tee_tcb_svn, report.mr_seam), (body.tee_tcb_svn, body.mrseam));
    assert_eq!((report.mr_signer_seam, report.seam_attributes), (body.mrsignerseam, body.seamattributes));
    assert_eq!((report.td_attributes.to_le_bytes(), report.xfam.to_le_bytes()), (body.tdattributes, body.xfam));
    assert_eq!((report.mr_td, report.mr_config_id), (theirs.mrtd(), body.mrconfigid));
    assert_eq!((report.mr_owner, report.mr_owner_config), (body.mrowner, body.mrownerconfig));
    assert_eq!(report.rtmr, [theirs.rtmr0(), theirs.rtmr1(), theirs.rtmr2(), theirs.rtmr3()]);
    assert_eq!(report.report_data, theirs.report_input_data());
    assert_eq!(quote.header.user_data, theirs.header.user_data);
    if let Some(certification) = theirs.qe_report_certification_data() {
        assert_eq!(quote.certification.qe_report, certification.qe_report);
        assert_eq!(quote.certification.auth_data[..], certification.qe_authentication_data[..]);
    }
    if let (Ok(ours), Ok(theirs)) = (quote.pck_chain(), theirs.pck_cert_chain()) {
        assert_eq!(ours, theirs);
    }
    Some(true)
}
