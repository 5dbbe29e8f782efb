//! What the comparison found: each of these ours accepted once, and dcap-qvl did not.

use holdfast_evidence::{
    mock::{CertificateName, Extension, Key, Kind, Plan, Revoked, Signed},
    Error,
};

use super::{cases::Case, classes::class, der, verdicts, NOW};

const SECOND: Key = Key::Other("second CA");

/// Both refuse it, ours for this.
fn refused(story: &str, signed: Signed, for_this: &str) {
    let case = Case { signed, now: NOW, service_td: true, story: vec![story.into()] };
    let error = verdicts::ours(&case).expect_err(story);
    assert_eq!(class(&error), for_this, "{story}: {error}");
    verdicts::theirs(&case).expect_err(story);
}

fn changed(kind: Kind, change: impl Fn(&mut Plan)) -> Signed {
    let mut plan = Plan::new(kind, NOW);
    change(&mut plan);
    plan.unsigned().sign()
}

fn extension(oid: &str, value: &[u8]) -> Extension {
    Extension { oid: oid.parse().expect("an identifier"), critical: false, value: value.to_vec() }
}

#[test]
fn a_list_revokes_what_was_issued_with_the_key_that_signed_it_and_not_a_namesakes() {
    let second = |it: &mut Plan| {
        let mut second = it.certificates.platform_ca.clone();
        (second.key, second.serial) = (SECOND, vec![9; 20]);
        it.certificates.others.push(second);
    };
    let signed = changed(Kind::Td15, |it| {
        second(it);
        it.chains.pck_crl_issuer[0] = CertificateName::Other(0);
        it.crls.pck.signed_by = SECOND;
    });
    refused("another one's list", signed, "CrlIssuer");
    let signed = changed(Kind::Td15, |it| {
        second(it);
        it.chains.quote[1] = CertificateName::Other(0);
        it.certificates.pck.signed_by = SECOND;
    });
    refused("issued by another", signed, "CrlIssuer");
}

#[test]
fn a_root_that_revoked_itself_is_trusted_no_more() {
    let signed = changed(Kind::Sgx, |it| {
        it.crls.root.revoked.push(Revoked::new(it.certificates.root.serial.clone(), NOW));
    });
    refused("its own number in its list", signed, "CertificateRevoked Root");
}

#[test]
fn a_list_has_a_number_and_all_that_it_says_is_well_formed() {
    type Change = fn(&mut Plan);
    let changes: [(&str, Change, &str); 9] = [
        (
            "no extension",
            |it| (it.crls.pck.number, it.crls.pck.authority_key_identifier) = (None, None),
            "DocumentEncoding PckCrl",
        ),
        ("a long number", |it| it.crls.pck.number = Some(vec![1; 21]), "DocumentEncoding PckCrl"),
        (
            "a number that is none",
            |it| it.crls.root.extra.push(extension("2.5.29.20", &[2, 1, 0xFF])),
            "DocumentEncoding RootCrl",
        ),
        ("no known reason", |it| revoke(it, Some(7), &[]), "DocumentEncoding PckCrl"),
        ("no date", |it| revoke(it, None, &[extension("2.5.29.24", &[5, 0])]), "DocumentEncoding PckCrl"),
        ("two reasons", |it| revoke(it, Some(1), &[extension("2.5.29.21", &[10, 1, 1])]), "DocumentEncoding PckCrl"),
        ("another one's", |it| revoke(it, None, &[extension("2.5.29.29", &[0x30, 0])]), "CrlExtension PckCrl"),
        ("changes only", |it| it.crls.pck.extra.push(extension("2.5.29.27", &[2, 1, 1])), "CrlExtension PckCrl"),
        ("scope", |it| it.crls.pck.extra.push(extension("2.5.29.28", &[0x30, 0])), "CrlExtension PckCrl"),
    ];
    for (story, change, for_this) in changes {
        refused(story, changed(Kind::Sgx, change), for_this);
    }
}

fn revoke(plan: &mut Plan, reason: Option<u8>, extra: &[Extension]) {
    plan.crls.pck.revoked.push(Revoked { reason, extra: extra.to_vec(), ..Revoked::new(vec![7; 20], NOW) });
}

#[test]
fn what_limits_a_certificate_counts_though_it_is_not_critical() {
    // Client authentication; and constraints that are none.
    let client = [0x30, 10, 6, 8, 0x2B, 6, 1, 5, 5, 7, 3, 2];
    let signed = changed(Kind::Td10, |it| it.certificates.pck.extra.push(extension("2.5.29.37", &client)));
    refused("extended key usage", signed, "CriticalExtension Pck");
    let names = [0x30, 2, 5, 0];
    let signed = changed(Kind::Td10, |it| it.certificates.platform_ca.extra.push(extension("2.5.29.30", &names)));
    refused("name constraints", signed, "CriticalExtension PckCa");
}

#[test]
fn an_extension_is_there_once_and_lists_are_lists() {
    let signed = changed(Kind::Td10, |it| it.certificates.pck.extra.push(extension("2.5.29.31", &[0x30, 0])));
    refused("two distribution points", signed, "CertificateEncoding Pck");
    let signed = changed(Kind::Td10, |it| it.certificates.tcb_signer.extra.push(extension("2.5.29.17", &[5, 0])));
    refused("no list of names", signed, "CertificateEncoding TcbSigner");
}

#[test]
fn what_is_read_of_a_certificate_is_all_that_stands_there() {
    let mut unsigned = Plan::new(Kind::Td10, NOW).unsigned();
    let tbs = &mut unsigned.certificates.pck.tbs;
    *tbs = der::with_unique_identifier(tbs);
    refused("a unique identifier", unsigned.sign(), "CertificateEncoding Pck");

    // Sets are sorted when they are read, and then the name of this issuer is that of another.
    let (issuer, subject, list_issuer) = (3, 5, 2);
    let mut unsigned = Plan::new(Kind::Td10, NOW).unsigned();
    let (ca, pck) = (&mut unsigned.certificates.platform_ca.tbs, &mut unsigned.certificates.pck.tbs);
    *ca = der::with_a_set(ca, subject, false);
    *pck = der::with_a_set(pck, issuer, true);
    let list = &mut unsigned.crls.pck.tbs;
    *list = der::with_a_set(list, list_issuer, true);
    refused("a set out of order", unsigned.sign(), "CertificateEncoding PckCa");
}

#[test]
fn a_pce_has_a_version_of_two_bytes() {
    let signed = changed(Kind::Sgx, |it| it.certificates.pck.sgx.as_mut().expect("a PCK's").pce_svn = Some(0x8000));
    refused("a third byte", signed, "SgxExtension");
}

#[test]
fn a_document_is_an_object_and_what_it_leaves_out_is_not_there() {
    let unsigned = Plan::new(Kind::Td10, NOW).unsigned();
    let mut null = unsigned.clone();
    null.tcb_info = null.tcb_info.replace(r#""tcbStatus":"UpToDate""#, r#""tcbStatus":"UpToDate","advisoryIDs":null"#);
    refused("null for a list", null.sign(), "DocumentEncoding TcbInfo");

    let mut values = unsigned.clone();
    let tcb_info: serde_json::Value = serde_json::from_str(&unsigned.tcb_info).expect("JSON");
    let keys = [
        "id",
        "version",
        "issueDate",
        "nextUpdate",
        "fmspc",
        "pceId",
        "tcbType",
        "tcbEvaluationDataNumber",
        "tdxModule",
        "tdxModuleIdentities",
        "tcbLevels",
    ];
    values.tcb_info = serde_json::Value::from(keys.map(|key| tcb_info[key].clone()).to_vec()).to_string();
    refused("a list for an object", values.sign(), "DocumentEncoding TcbInfo");

    let signed = changed(Kind::Sgx, |_| {});
    let mut unsigned = Plan::new(Kind::Sgx, NOW).unsigned();
    unsigned.tcb_info = unsigned.tcb_info.replace(r#""pcesvn":11"#, r#""pcesvn":11,"tdxtcbcomponents":null"#);
    assert_ne!(signed.collateral.tcb_info, unsigned.tcb_info);
    refused("null for components", unsigned.sign(), "DocumentEncoding TcbInfo");
}

/// Who takes the first that is met and who sorts them before found different ones.
#[test]
fn levels_of_quoting_enclaves_and_modules_descend() {
    let signed = changed(Kind::Td10, |it| {
        it.qe_identity.tcb_levels.reverse();
        it.qe_identity.tcb_levels[0].tcb_status = "Revoked".into();
    });
    refused("the revoked one first", signed, "LevelOrder QeIdentity");
    let signed = changed(Kind::Td10, |it| {
        let levels = &mut it.tcb_info.tdx_module_identities.as_mut().expect("TDX's")[0].tcb_levels;
        levels.reverse();
        levels[0].tcb_status = "Revoked".into();
    });
    refused("the revoked one first", signed, "LevelOrder TcbInfo");
}

#[test]
fn a_trust_domain_with_service_ones_has_a_report_that_can_name_them() {
    let bit = 1u64 << 17;
    for (kind, good) in [(Kind::TdV4, false), (Kind::Td10, false), (Kind::Td15, true), (Kind::Td15Ex, true)] {
        let signed = changed(kind, |it| {
            it.td.td_attributes = (u64::from_le_bytes(it.td.td_attributes) | bit).to_le_bytes();
        });
        if good {
            let case = Case { signed, now: NOW, service_td: true, story: vec![] };
            let ours = verdicts::ours(&case).map(|_| ()).map_err(|error: Error| error.to_string());
            assert_eq!((ours, verdicts::theirs(&case).is_ok()), (Ok(()), true));
        } else {
            refused("SERVTD_EXT", signed, "TdAttributes");
        }
    }
}
