//! What the mock PKI makes, as somebody else's verifier judges it.

use dcap_qvl::{configs::RustCryptoConfig, verify::QuoteVerifier, QuoteCollateralV3};
use holdfast_evidence::mock::{
    development_root, root, Ca, CertificateName, Extension, Key, KeyIdentifier, Kind, Parts, Plan, Platform, Revoked,
    Seed, Signed, TdxModule, Unsigned, DEVELOPMENT_SEED,
};

/// Unix seconds: 2026-09-21T14:13:20Z.
const NOW: u64 = 1_790_000_000;
/// Seconds.
const DAY: i64 = 24 * 60 * 60;

#[test]
fn quotes_of_every_kind_are_up_to_date() {
    for (kind, ca) in kinds() {
        let signed = plan(kind, ca).unsigned().sign();
        assert_eq!(verdict(&signed), "UpToDate", "{kind:?} {ca:?}");
        assert_eq!(signed.root, development_root());
    }
    assert_eq!(judged(&Plan::default().unsigned().sign(), 1_767_225_600), "UpToDate");
}

#[test]
fn what_was_signed_cannot_be_changed() {
    for (kind, ca) in kinds() {
        let parts = plan(kind, ca).unsigned().parts();
        for (name, thing) in signed_things() {
            let length = thing(&mut parts.clone()).len();
            // Some bytes of each, the first and the last among them.
            for index in (0..length).step_by(length.div_ceil(5)).chain([length - 1]) {
                let mut parts = parts.clone();
                thing(&mut parts).flip(index);
                assert!(fails(&parts.assemble()), "{kind:?} {ca:?} {name} {index}");
            }
        }
    }
}

#[test]
fn everything_has_to_be_signed_with_its_own_key() {
    const STRANGER: Key = Key::Other("stranger");
    type Change = fn(&mut Unsigned);
    let changes: [(&str, Change); 9] = [
        ("PCK CA", |it| it.certificates.platform_ca.signed_by = STRANGER),
        ("PCK", |it| it.certificates.pck.signed_by = STRANGER),
        ("TCB signer", |it| it.certificates.tcb_signer.signed_by = STRANGER),
        ("root CRL", |it| it.crls.root.signed_by = STRANGER),
        ("PCK CRL", |it| it.crls.pck.signed_by = STRANGER),
        ("TCB info", |it| it.tcb_info_signed_by = STRANGER),
        ("QE identity", |it| it.qe_identity_signed_by = STRANGER),
        ("QE report", |it| it.qe_report_signed_by = STRANGER),
        ("quote", |it| it.quote_signed_by = STRANGER),
    ];
    for (name, change) in changes {
        let mut unsigned = plan(Kind::Td15, Ca::Platform).unsigned();
        change(&mut unsigned);
        assert!(fails(&unsigned.sign()), "{name}");
    }
}

#[test]
fn one_thing_at_a_time_can_be_made_different() {
    type Change = fn(&mut Plan);
    // The oracle says exactly what is different, so nothing else was wrong before it.
    let changes: [(&str, Change); 24] = [
        ("Debug mode is enabled", |it| it.td.td_attributes[0] |= 1),
        ("Invalid MR service TD", |it| it.td.mr_service_td = [1; 48]),
        ("TDX module MRSIGNER mismatch", |it| it.td.mr_signer_seam = [1; 48]),
        ("TDX module SEAMATTRIBUTES mismatch", |it| it.td.seam_attributes[7] = 1),
        ("No TDX module identity with id TDX_03", |it| it.td.tee_tcb_svn[1] = 3),
        ("Fmspc mismatch", |it| it.tcb_info.fmspc[0] ^= 1),
        ("missing tdxModule", |it| it.tcb_info.tdx_module = None),
        ("TCBInfo expired", |it| it.tcb_info.next_update = NOW - 1),
        ("TCBInfo issue date is in the future", |it| it.tcb_info.issue_date = NOW + 1),
        ("non-TDX TCB info", |it| it.tcb_info.id = "SGX".into()),
        ("No matching TCB level found", |it| it.tcb_info.tcb_levels.clear()),
        ("QE Identity expired", |it| it.qe_identity.next_update = NOW - 1),
        ("Unsupported QE Identity id/version", |it| it.qe_identity.id = "QE".into()),
        ("QE MRSIGNER mismatch", |it| it.qe_report.mr_signer[31] ^= 1),
        ("QE ATTRIBUTES mismatch", |it| it.qe_report.attributes[0] ^= 1),
        ("QE report hash mismatch", |it| it.qe_report_data = Some([0; 64])),
        ("Unknown QE vendor ID", |it| it.header.qe_vendor_id[0] ^= 1),
        ("CertRevoked", |it| it.crls.pck.revoked = vec![Revoked::new(it.certificates.pck.serial.clone(), NOW)]),
        ("CrlExpired", |it| it.crls.pck.next_update = Some(NOW - 1)),
        ("CertExpired", |it| it.certificates.platform_ca.not_after = NOW - 1),
        ("CertNotValidYet", |it| it.certificates.pck.not_before = NOW + 1),
        ("UnknownIssuer", |it| it.chains.quote.retain(|name| *name != CertificateName::PlatformCa)),
        ("EndEntityUsedAsCa", |it| it.certificates.platform_ca.basic_constraints = None),
        ("Intel extension not found", |it| it.certificates.pck.sgx = None),
    ];
    for (says, change) in changes {
        let mut plan = plan(Kind::Td15, Ca::Platform);
        change(&mut plan);
        let verdict = verdict(&plan.unsigned().sign());
        assert!(verdict.contains(says), "{says}: {verdict}");
    }
}

#[test]
fn an_older_platform_is_out_of_date() {
    for (kind, ca) in kinds() {
        let mut older = plan(kind, ca);
        let sgx = older.certificates.pck.sgx.as_mut().expect("a PCK certificate");
        sgx.pce_svn = Some(10);
        assert_eq!(verdict(&older.unsigned().sign()), "OutOfDate", "{kind:?}");

        let mut older = plan(kind, ca);
        older.qe_report.isv_svn -= 1;
        assert_eq!(verdict(&older.unsigned().sign()), "OutOfDate", "{kind:?}");
    }
    for kind in [Kind::TdV4, Kind::Td10, Kind::Td15, Kind::Td15Ex] {
        let mut older = plan(kind, Ca::Platform);
        older.td.tee_tcb_svn[0] -= 1;
        older.td.tee_tcb_svn2[0] -= 1;
        assert_eq!(verdict(&older.unsigned().sign()), "OutOfDate", "{kind:?}");
    }
}

#[test]
fn any_byte_can_be_changed_before_it_is_signed() {
    let mut unsigned = plan(Kind::Td15, Ca::Platform).unsigned();
    let name = b"Intel SGX PCK Certificate";
    let tbs = &mut unsigned.certificates.pck.tbs;
    let at = tbs.windows(name.len()).position(|bytes| bytes == name).expect("the subject's common name");
    tbs[at] = b'i';
    assert_eq!(verdict(&unsigned.sign()), "UpToDate");

    // What is no DER any more is signed too.
    unsigned.certificates.pck.tbs[0] = 0xFF;
    assert!(fails(&unsigned.sign()));

    let mut unsigned = plan(Kind::Td15, Ca::Platform).unsigned();
    unsigned.tcb_info = unsigned.tcb_info.replace(r#""tcbStatus":"UpToDate""#, r#""tcbStatus":"Revoked""#);
    assert!(verdict(&unsigned.sign()).contains("Revoked"));
}

#[test]
fn further_certificates_and_extensions_can_be_added() {
    // Another TCB signer for QE identities, another signer than the one of TCB infos.
    let mut plan = plan(Kind::Td15, Ca::Platform);
    let key = Key::Other("second TCB signing");
    let mut second = plan.certificates.tcb_signer.clone();
    (second.key, second.serial, second.subject_key_identifier) = (key, vec![9; 20], Some(KeyIdentifier::Of(key)));
    plan.certificates.others.push(second);
    plan.chains.qe_identity_issuer[0] = CertificateName::Other(0);
    plan.qe_identity_signed_by = key;
    assert_eq!(verdict(&plan.unsigned().sign()), "UpToDate");

    let oid = "1.2.3.4".parse().expect("an object identifier");
    plan.certificates.pck.extra.push(Extension { oid, critical: false, value: vec![5, 0] });
    assert_eq!(verdict(&plan.unsigned().sign()), "UpToDate");
    plan.certificates.pck.extra[0].critical = true;
    assert!(verdict(&plan.unsigned().sign()).contains("UnsupportedCriticalExtension"));
}

#[test]
fn the_chain_can_be_in_the_collateral() {
    let mut plan = plan(Kind::TdV4, Ca::Platform);
    plan.chains.pck = Some(plan.chains.quote.clone());
    plan.framing.certification_type = 3;
    plan.framing.certification_data = Some(vec![0; 36]);
    let signed = plan.unsigned().sign();
    assert_eq!(verdict(&signed), "UpToDate");
    assert!(signed.collateral.pck_certificate_chain.is_some());
}

#[test]
fn lengths_can_be_wrong() {
    for kind in Kind::ALL {
        let mut plan = plan(kind, Ca::Platform);
        plan.framing.trailing = vec![0; 64];
        assert_eq!(verdict(&plan.unsigned().sign()), "UpToDate");
        plan.framing.certification_length = Some(u32::MAX);
        assert!(fails(&plan.unsigned().sign()));
    }
}

#[test]
fn one_seed_gives_the_same_bytes_and_others_give_others() {
    for (kind, ca) in kinds() {
        let first = plan(kind, ca).unsigned();
        assert_eq!(first.sign(), plan(kind, ca).unsigned().sign());

        let mut other = plan(kind, ca);
        other.seed = Seed::from("another");
        let (mut first, other) = (first.parts(), other.unsigned().parts());
        assert_ne!(first.certificates.root, other.certificates.root);
        for (name, thing) in signed_things() {
            // What is in them is the same; the keys are not.
            if !["TCB info", "QE identity", "quote", "authentication data"].contains(&name) {
                assert_ne!(thing(&mut first).bytes(), thing(&mut other.clone()).bytes(), "{name}");
            }
        }
        assert!(fails(&Signed { root: development_root(), ..other.assemble() }));
    }
    assert_eq!(root(DEVELOPMENT_SEED), development_root());
    assert_ne!(root("another"), development_root());
    assert_ne!(root([7; 32]), development_root());
}

#[test]
fn the_windows_are_around_now() {
    for (kind, ca) in kinds() {
        let signed = plan(kind, ca).unsigned().sign();
        for (now, valid) in [(-DAY - 1, false), (-DAY, true), (29 * DAY - 1, true), (29 * DAY + 1, false)] {
            let verdict = judged(&signed, NOW.saturating_add_signed(now));
            assert_eq!(verdict == "UpToDate", valid, "{now}: {verdict}");
        }
    }
}

#[test]
fn json_is_as_intel_writes_it() {
    let platform = Platform { fmspc: [0, 0xA0, 0x67, 0x11, 0, 0], ..Platform::default() };
    let sgx = Plan::of(Kind::Sgx, &platform, NOW).unsigned();
    let begins = concat!(
        r#"{"id":"SGX","version":3,"issueDate":"2026-09-20T14:13:20Z","nextUpdate":"2026-10-20T14:13:20Z","#,
        r#""fmspc":"00A067110000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":20,"#,
        r#""tcbLevels":[{"tcb":{"sgxtcbcomponents":[{"svn":4},{"svn":4},{"svn":2},"#
    );
    assert!(sgx.tcb_info.starts_with(begins), "{}", sgx.tcb_info);
    let ends = concat!(
        r#"{"svn":0}],"pcesvn":5},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"OutOfDate","#,
        r#""advisoryIDs":["INTEL-SA-00477","INTEL-SA-00837"]}]}"#
    );
    assert!(sgx.tcb_info.ends_with(ends), "{}", sgx.tcb_info);
    let whole = concat!(
        r#"{"id":"QE","version":2,"issueDate":"2026-09-20T14:13:20Z","nextUpdate":"2026-10-20T14:13:20Z","#,
        r#""tcbEvaluationDataNumber":20,"miscselect":"00000000","miscselectMask":"FFFFFFFF","#,
        r#""attributes":"11000000000000000000000000000000","#,
        r#""attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","#,
        r#""mrsigner":"8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF","isvprodid":1,"#,
        r#""tcbLevels":[{"tcb":{"isvsvn":8},"tcbDate":"2025-08-13T00:00:00Z","tcbStatus":"UpToDate"},"#,
        r#"{"tcb":{"isvsvn":7},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"OutOfDate","#,
        r#""advisoryIDs":["INTEL-SA-00615"]}]}"#
    );
    assert_eq!(sgx.qe_identity, whole);

    let mut plan = plan(Kind::Td15, Ca::Platform);
    let module = TdxModule { mrsigner: vec![0xAB], attributes: vec![], attributes_mask: vec![] };
    plan.tcb_info.tdx_module = Some(module);
    let tcb_info = plan.unsigned().tcb_info;
    assert!(tcb_info.contains(concat!(
        r#""tcbEvaluationDataNumber":20,"tdxModule":{"mrsigner":"AB","attributes":"","attributesMask":""},"#,
        r#""tdxModuleIdentities":[{"id":"TDX_01","mrsigner":"0000"#
    )));
    assert!(tcb_info.contains(concat!(
        r#"{"svn":0}],"pcesvn":11,"tdxtcbcomponents":[{"svn":10,"category":"OS/VMM","type":"TDX Module"},"#,
        r#"{"svn":0,"category":"OS/VMM","type":"TDX Module"},"#
    )));
}

fn kinds() -> impl Iterator<Item = (Kind, Ca)> {
    Kind::ALL.into_iter().flat_map(|kind| [Ca::Platform, Ca::Processor].map(|ca| (kind, ca)))
}

fn plan(kind: Kind, ca: Ca) -> Plan {
    Plan::of(kind, &Platform { ca, ..Platform::default() }, NOW)
}

fn verdict(signed: &Signed) -> String {
    judged(signed, NOW)
}

fn fails(signed: &Signed) -> bool {
    !["UpToDate", "OutOfDate"].contains(&verdict(signed).as_str())
}

/// The status, or why there is none.
fn judged(signed: &Signed, now: u64) -> String {
    let it = signed.collateral.clone();
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
    let verifier = QuoteVerifier::new(signed.root.clone()).with_config::<RustCryptoConfig>();
    match verifier.verify(&signed.quote, &collateral, now) {
        Ok(report) => report.status,
        Err(why) => format!("{why:#}"),
    }
}

/// Something whose bytes can be flipped.
trait Thing {
    fn bytes(&self) -> &[u8];
    fn flip(&mut self, index: usize);

    fn len(&self) -> usize {
        self.bytes().len()
    }
}

impl Thing for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn flip(&mut self, index: usize) {
        self[index] ^= 1;
    }
}

impl<const N: usize> Thing for [u8; N] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn flip(&mut self, index: usize) {
        self[index] ^= 1;
    }
}

impl Thing for String {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn flip(&mut self, index: usize) {
        let mut bytes = std::mem::take(self).into_bytes();
        bytes[index] ^= 1;
        *self = String::from_utf8(bytes).expect("ASCII before and after");
    }
}

type Get = fn(&mut Parts) -> &mut dyn Thing;

/// All that is signed, and the signatures.
fn signed_things() -> [(&'static str, Get); 15] {
    [
        ("PCK CA", |parts| {
            let name = parts.chains.quote[1];
            &mut parts.certificates[name]
        }),
        ("PCK", |parts| &mut parts.certificates.pck),
        ("TCB signer", |parts| &mut parts.certificates.tcb_signer),
        ("root CRL", |parts| &mut parts.crls.root),
        ("PCK CRL", |parts| &mut parts.crls.pck),
        ("TCB info", |parts| &mut parts.tcb_info),
        ("its signature", |parts| &mut parts.tcb_info_signature),
        ("QE identity", |parts| &mut parts.qe_identity),
        ("its signature", |parts| &mut parts.qe_identity_signature),
        ("quote", |parts| &mut parts.quote),
        ("its signature", |parts| &mut parts.quote_signature),
        ("attestation key", |parts| &mut parts.attestation_key),
        ("QE report", |parts| &mut parts.qe_report),
        ("its signature", |parts| &mut parts.qe_report_signature),
        ("authentication data", |parts| &mut parts.auth_data),
    ]
}
