//! Inputs for what judges evidence: mock evidence before it is signed, and Intel's.

use codec::Encode;
use holdfast_evidence::{
    certificates, certify_attestation_key, judge_tcb,
    mock::{Ca, Extension, Kind, Plan, Platform, Revoked},
    verify, verify_crl, verify_issuer, verify_pck, verify_qe_identity, verify_quote, verify_tcb_info, CertificateKind,
    Collateral, Document, Facts, Issuer, Moment, Part, Policy, Quote, Register, ReportData, SignedDocument, INTEL_ROOT,
};

type Input = (&'static str, &'static str, Vec<u8>);

/// When mock evidence is judged; see `World`.
const NOW: u64 = 1_790_000_000;

macro_rules! samples {
    ($($name:literal),*) => {
        [$((
            $name,
            &include_bytes!(concat!("../../../../evidence/tests/data/dcap-qvl/", $name))[..],
            include_str!(concat!("../../../../evidence/tests/data/dcap-qvl/", $name, "_collateral.json")),
        )),*]
    };
}

/// Target, name and bytes of each.
pub(crate) fn seeds() -> Vec<Input> {
    let mut seeds = quotes();
    seeds.extend(certificates_and_lists());
    seeds.extend(documents());
    seeds.extend(whole());
    seeds.extend(stored());
    seeds
}

fn real() -> Vec<(&'static str, &'static [u8], Collateral)> {
    let samples = samples!("sgx_quote", "tdx_quote", "tdx_quote_outdated", "tdx_quote_td15ex");
    let read = |text| serde_json::from_str(text).expect("a collateral file");
    samples.into_iter().map(|(name, quote, collateral)| (name, quote, read(collateral))).collect()
}

fn mocks() -> Vec<(&'static str, Plan)> {
    let names = ["mock-sgx", "mock-v4", "mock-10", "mock-15", "mock-15ex"];
    names.into_iter().zip(Kind::ALL.map(|kind| Plan::new(kind, NOW))).collect()
}

fn quotes() -> Vec<Input> {
    let mut quotes: Vec<_> = real().into_iter().map(|(name, quote, _)| ("quote", name, quote.to_vec())).collect();
    // A short one has everything that is read but a chain.
    for (name, mut plan) in mocks() {
        plan.framing.certification_data = Some(vec![]);
        quotes.push(("quote", name, plan.unsigned().sign().quote));
    }
    let (_, mut plan) = mocks().remove(3);
    plan.framing.trailing = vec![0; 20];
    plan.framing.certification_type = 3;
    quotes.push(("quote", "padded", plan.unsigned().sign().quote));
    quotes
}

fn certificates_and_lists() -> Vec<Input> {
    let plan = Plan::new(Kind::Td15, NOW);
    let unsigned = plan.unsigned();
    let der = |kind: u8, tbs: &[u8]| [&[kind, 0], tbs].concat();
    let pem = |kind: u8, text: &str| [&[kind, 1], text.as_bytes()].concat();
    let (_, _, collateral) = real().remove(3);
    let all = &unsigned.certificates;
    let processor = Plan::of(Kind::Sgx, &Platform { ca: Ca::Processor, ..Platform::default() }, NOW).unsigned();

    let mut lists = Plan::new(Kind::Sgx, NOW);
    let oid = "2.5.29.24".parse().expect("an identifier");
    let extra = vec![Extension { oid, critical: false, value: b"\x18\x0f20260921141320Z".to_vec() }];
    lists.crls.root.revoked = vec![Revoked::new(vec![9; 20], NOW - 1), Revoked::new(vec![3], NOW - 2)];
    lists.crls.pck.revoked = vec![Revoked { extra, ..Revoked::new(vec![7; 20], NOW - 1) }];
    let lists = lists.unsigned().crls;
    vec![
        ("certificate", "platform-ca", der(0, &all.platform_ca.tbs)),
        ("certificate", "processor-ca", der(0, &all.processor_ca.tbs)),
        ("certificate", "tcb-signer", der(1, &all.tcb_signer.tbs)),
        ("certificate", "pck", der(2, &all.pck.tbs)),
        ("certificate", "pck-of-processor", der(2, &processor.certificates.pck.tbs)),
        ("certificate", "root", der(3, &all.root.tbs)),
        ("certificate", "chain", pem(1, &collateral.tcb_info_issuer_chain)),
        ("certificate", "mock-chain", pem(0, &unsigned.sign().collateral.pck_crl_issuer_chain)),
        ("crl", "root", [&[0], &lists.root.tbs[..]].concat()),
        ("crl", "pck", [&[1], &lists.pck.tbs[..]].concat()),
        ("crl", "intel-root", [&[0], &collateral.root_ca_crl[..]].concat()),
        ("crl", "intel-pck", [&[1], &collateral.pck_crl[..]].concat()),
    ]
}

fn documents() -> Vec<Input> {
    let mut inputs = vec![];
    for (name, plan) in mocks().into_iter().take(2) {
        let mut plan = plan;
        plan.qe_identity.tcb_levels[0].advisory_ids = vec!["INTEL-SA-00615".into()];
        inputs.push(("tcb_info", name, plan.tcb_info.json().into_bytes()));
        inputs.push(("qe_identity", name, plan.qe_identity.json().into_bytes()));
        plan.tcb_info.tcb_levels[0].tcb_status = "Revoked".into();
        plan.qe_identity.tcb_levels[0].tcb_status = "OutOfDate".into();
        let name = if name == "mock-sgx" { "mock-sgx-worse" } else { "mock-v4-worse" };
        inputs.push(("tcb_info", name, plan.tcb_info.json().into_bytes()));
        inputs.push(("qe_identity", name, plan.qe_identity.json().into_bytes()));
    }
    for (name, _, collateral) in real() {
        inputs.push(("tcb_info", name, collateral.tcb_info.into_bytes()));
        inputs.push(("qe_identity", name, collateral.qe_identity.into_bytes()));
    }
    inputs
}

/// Which evidence, hours, then changes.
fn whole() -> Vec<Input> {
    let names = ["mock-sgx", "mock-v4", "mock-10", "mock-15", "mock-15ex", "sgx", "tdx", "tdx-outdated", "td15ex"];
    let mut inputs: Vec<Input> = (0u8..).zip(names).map(|(base, name)| ("evidence", name, vec![base, 0, 0])).collect();
    inputs.extend([
        ("evidence", "late", vec![0, 0, 3]),
        ("evidence", "early", vec![6, 0, 0xF0]),
        ("evidence", "longer", vec![1, 0, 0, 0, 3, 4, 1, 2, 3, 4]),
        ("evidence", "shorter", vec![1, 0, 0, 0, 2, 0, 16]),
        ("evidence", "other-attributes", vec![1, 0, 0, 0, 1, 168, 0, 1, 1]),
        ("evidence", "other-qe-identity", vec![3, 0, 0, 10, 5, 0, 4, 5, 0]),
        ("evidence", "other-platform", vec![5, 0, 0, 0, 5, 6, 9, 5, 6, 3, 5, 6]),
        ("evidence", "not-the-root", vec![2, 0, 0, 5, 5, 5]),
        ("evidence", "chain-beside", vec![4, 0, 0, 11, 4, 0, 0, 0]),
        ("evidence", "white-space", vec![4, 0, 0, 6, 3, 2, 10, 10]),
    ]);
    inputs
}

/// What each step gave: the number of its type after that of the TEE.
fn stored() -> Vec<Input> {
    let signed = Plan::new(Kind::Td15, NOW).unsigned().sign();
    let (at, it) = (Moment::at(NOW), &signed.collateral);
    let quote = Quote::parse(&signed.quote).expect("a quote");
    let chain = certificates(Part::PckChain, quote.pck_chain().expect("in it")).expect("PEM");
    let signer = certificates(Part::TcbInfoIssuerChain, it.tcb_info_issuer_chain.as_bytes()).expect("PEM");
    let root = Issuer::root(&signed.root).expect("a root");
    let root_crl = verify_crl(&it.root_ca_crl, &root, at).expect("a list");
    let ca = verify_issuer(CertificateKind::PckCa, &chain[1], &root, &root_crl, at).expect("a CA");
    let signer = verify_issuer(CertificateKind::TcbSigner, &signer[0], &root, &root_crl, at).expect("a signer");
    let pck_crl = verify_crl(&it.pck_crl, &ca, at).expect("a list");
    let document =
        |which, json: &str, signature: &[u8]| SignedDocument::new(which, json.as_bytes(), signature).expect("short");
    let tcb_info = document(Document::TcbInfo, &it.tcb_info, &it.tcb_info_signature);
    let tcb_info = verify_tcb_info(&tcb_info, &signer, at).expect("TCB info");
    let qe_identity = document(Document::QeIdentity, &it.qe_identity, &it.qe_identity_signature);
    let qe_identity = verify_qe_identity(&qe_identity, &signer, at).expect("a QE identity");
    let pck = verify_pck(&chain[0], &ca, &pck_crl, at).expect("a platform");
    let attestation_key = certify_attestation_key(&quote.certification, &pck, &qe_identity).expect("a key");
    let verified = verify(&signed.quote, it, &signed.root, NOW, &Policy::strict(), ReportData::Any).expect("all of it");
    let facts = Facts {
        root: &root,
        root_crl: &root_crl,
        pck_crl: &pck_crl,
        tcb_info: &tcb_info,
        qe_identity: &qe_identity,
        pck: &pck,
        attestation_key: &attestation_key,
    };
    let quoted = verify_quote(&quote.signed, &attestation_key).expect("signed");
    assert_eq!(judge_tcb(&quoted, &facts, at).as_ref(), Ok(&verified.verdict));
    let error =
        verify(&signed.quote, it, INTEL_ROOT, NOW, &Policy::strict(), ReportData::Any).expect_err("another root");
    let measurement = holdfast_evidence::Error::Measurement {
        register: Register::MrTd,
        found: [1; 48].into(),
        expected: [2; 48].into(),
    };
    let of = |kind: u8, encoded: Vec<u8>| [&[1, kind], &encoded[..]].concat();
    let mut inputs = vec![
        ("root", of(0, root.encode())),
        ("root_crl", of(1, root_crl.encode())),
        ("pck_crl", of(2, pck_crl.encode())),
        ("tcb_info", of(3, tcb_info.encode())),
        ("qe_identity", of(4, qe_identity.encode())),
        ("pck", of(5, pck.encode())),
        ("attestation_key", of(6, attestation_key.encode())),
        ("quoted", of(7, quoted.encode())),
        ("signed_report", of(8, quote.signed.encode())),
        ("certification", of(9, quote.certification.encode())),
        ("policy", of(10, Policy::strict().encode())),
        ("verified", of(11, verified.encode())),
        ("moment", of(12, at.encode())),
        ("error", of(13, error.encode())),
        ("measurement", of(13, measurement.encode())),
    ];
    // Such lists are not what a step gives, and can still be what somebody decodes.
    let mut unsorted = root_crl.clone();
    unsorted.revoked = vec![[9; 20], [1; 20], [9; 20]].try_into().expect("three");
    inputs.push(("crl_in_no_order", of(1, unsorted.encode())));
    inputs.into_iter().map(|(name, bytes)| ("stored", name, bytes)).collect()
}
