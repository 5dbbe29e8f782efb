//! What one step gave is judged again by the next, later: dates, revocations, and whether things belong together. With
//! what is made by hand here, each check of a step is reached that the steps before it would have made.

use holdfast_evidence::{
    certify_attestation_key, judge_tcb, judge_workload,
    mock::{CertificateName, Key, Kind, Plan, Revoked, Seed},
    verify_crl, verify_issuer, verify_pck, verify_qe_identity, verify_quote, verify_tcb_info, AttestationKey,
    CertificateKind, Crl, Document, Error, Issuer, IssuerKind, Moment, Part, Pck, Policy, QeIdentity, Quote,
    SignedDocument, Signer, TcbInfo, TcbStatus, TcbVerdict, Tee,
};

use sha2::{Digest, Sha256};

use crate::case::{Kept, Stage, DAY, NOW};

const KINDS: [Kind; 2] = [Kind::Sgx, Kind::Td15];

fn kept(kind: Kind) -> Kept {
    Kept::new(&Plan::new(kind, NOW))
}

/// Why it is not judged as good at this time.
fn judged(kept: &Kept, at: Moment) -> Option<Error> {
    judge_tcb(&kept.quoted, &kept.facts(), at).err()
}

/// What is kept, but for this.
fn with(kind: Kind, change: impl FnOnce(&mut Kept)) -> Option<Error> {
    let mut kept = kept(kind);
    assert_eq!(judged(&kept, Moment::at(NOW)), None);
    change(&mut kept);
    judged(&kept, Moment::at(NOW))
}

#[test]
fn what_is_kept_expires() {
    type Shorten = fn(&mut Kept, u64);
    let documents: [(Document, u64, Shorten); 4] = [
        (Document::RootCrl, 1, |it, date| it.root_crl.next_update = date),
        (Document::PckCrl, 1, |it, date| it.pck_crl.next_update = date),
        (Document::TcbInfo, 0, |it, date| it.tcb_info.next_update = date),
        (Document::QeIdentity, 0, |it, date| it.qe_identity.next_update = date),
    ];
    for kind in KINDS {
        for (document, included, shorten) in documents {
            let mut kept = kept(kind);
            shorten(&mut kept, NOW + 9);
            let next_update = NOW + 9;
            let now = next_update + 1 - included;
            assert_eq!(judged(&kept, Moment::at(now - 1)), None);
            assert_eq!(
                judged(&kept, Moment::at(now)),
                Some(Error::DocumentExpired { document, next_update, grace: 0, now })
            );
            assert_eq!(judged(&kept, Moment { now, grace: 1 }), None);
            let issued = NOW - DAY;
            let now = issued - 1;
            let early = Some(Error::DocumentNotYetValid { document, issued, now });
            let wide = |crl: &mut Crl| crl.this_update = 0;
            if document != Document::RootCrl {
                wide(&mut kept.root_crl);
            }
            if ![Document::RootCrl, Document::PckCrl].contains(&document) {
                wide(&mut kept.pck_crl);
            }
            if document == Document::QeIdentity {
                kept.tcb_info.issued = 0;
            }
            assert_eq!(judged(&kept, Moment::at(now)), early);
        }
        for (certificate, shorten) in [
            (CertificateKind::Root, (|it, date| it.root.not_after = date) as Shorten),
            (CertificateKind::Pck, |it, date| it.pck.not_after = date),
        ] {
            let mut kept = kept(kind);
            let (not_after, now) = (NOW + 9, NOW + 10);
            shorten(&mut kept, not_after);
            assert_eq!(judged(&kept, Moment::at(not_after)), None);
            let late = Some(Error::CertificateExpired { certificate, not_after, now });
            assert_eq!(judged(&kept, Moment { now, grace: DAY }), late);
        }
        let (certificate, not_before, now) = (CertificateKind::Pck, NOW + 1, NOW);
        let error = with(kind, |it| it.pck.not_before = not_before);
        assert_eq!(error, Some(Error::CertificateNotYetValid { certificate, not_before, now }));
        let certificate = CertificateKind::Root;
        let error = with(kind, |it| it.root.not_before = not_before);
        assert_eq!(error, Some(Error::CertificateNotYetValid { certificate, not_before, now }));
    }
}

#[test]
fn a_platform_is_good_while_both_its_certificates_are() {
    let dates = |change: fn(&mut Plan)| {
        let mut plan = Plan::new(Kind::Sgx, NOW);
        change(&mut plan);
        let pck = Kept::new(&plan).pck;
        (pck.not_before, pck.not_after)
    };
    let (first, last) = dates(|_| ());
    assert_eq!(dates(|it| it.certificates.pck.not_before = NOW), (NOW, last));
    assert_eq!(dates(|it| it.certificates.platform_ca.not_before = NOW), (NOW, last));
    assert_eq!(dates(|it| it.certificates.pck.not_after = NOW), (first, NOW));
    assert_eq!(dates(|it| it.certificates.platform_ca.not_after = NOW), (first, NOW));
}

#[test]
fn what_is_kept_is_revoked_by_newer_lists() {
    for kind in KINDS {
        let newer = |change: fn(&mut Plan)| {
            let mut plan = Plan::new(kind, NOW);
            change(&mut plan);
            let collateral = plan.finish().collateral;
            let kept = kept(kind);
            let root_crl = verify_crl(&collateral.root_ca_crl, &kept.root, Moment::at(NOW)).expect("a list");
            let pck_crl = verify_crl(&collateral.pck_crl, &kept.ca, Moment::at(NOW)).expect("a list");
            with(kind, |it| (it.root_crl, it.pck_crl) = (root_crl, pck_crl))
        };
        let revoked = |certificate, byte| Some(Error::CertificateRevoked { certificate, serial: [byte; 20].into() });
        assert_eq!(newer(|_| ()), None);
        let error =
            newer(|it| it.crls.root.revoked = vec![Revoked::new(it.certificates.platform_ca.serial.clone(), NOW)]);
        assert_eq!(error, revoked(CertificateKind::PckCa, 0x15));
        let error =
            newer(|it| it.crls.root.revoked = vec![Revoked::new(it.certificates.tcb_signer.serial.clone(), NOW)]);
        assert_eq!(error, revoked(CertificateKind::TcbSigner, 0x7E));
        let error = newer(|it| it.crls.pck.revoked = vec![Revoked::new(it.certificates.pck.serial.clone(), NOW)]);
        assert_eq!(error, revoked(CertificateKind::Pck, 0x3C));
        // Each of the two signers of collateral, where they are two.
        let list = |it: &Kept| Crl { revoked: vec![[9; 20]].try_into().expect("one"), ..it.root_crl.clone() };
        let error = with(kind, |it| (it.root_crl, it.tcb_info.signer.serial) = (list(it), [9; 20]));
        assert_eq!(error, revoked(CertificateKind::TcbSigner, 9));
        let error = with(kind, |it| (it.root_crl, it.qe_identity.signer.serial) = (list(it), [9; 20]));
        assert_eq!(error, revoked(CertificateKind::TcbSigner, 9));
    }
}

#[test]
fn lists_in_each_others_places_are_refused() {
    let (root, platform) = (IssuerKind::Root, IssuerKind::PlatformCa);
    for kind in KINDS {
        let error = with(kind, |it| it.root_crl = it.pck_crl.clone());
        assert_eq!(error, Some(Error::CrlIssuer { found: platform, expected: root }));
        let error = with(kind, |it| it.pck_crl = it.root_crl.clone());
        assert_eq!(error, Some(Error::CrlIssuer { found: root, expected: platform }));
        // Of another PKI: the same kind, another name.
        let error = with(kind, |it| it.root_crl.issuer_name = [7; 32]);
        assert_eq!(error, Some(Error::CrlIssuer { found: root, expected: root }));
        let error = with(kind, |it| it.pck_crl.issuer_name = [7; 32]);
        assert_eq!(error, Some(Error::CrlIssuer { found: platform, expected: platform }));
        let error = with(kind, |it| it.pck.ca = IssuerKind::ProcessorCa);
        assert_eq!(error, Some(Error::CrlIssuer { found: platform, expected: IssuerKind::ProcessorCa }));
    }
}

#[test]
fn an_attestation_key_is_that_of_one_platform() {
    for kind in KINDS {
        let pck = kept(kind).pck;
        let error = with(kind, |it| it.attestation_key.pck = [7; 20]);
        assert_eq!(error, Some(Error::AttestationKeyPck { found: [7; 20].into(), expected: pck.serial.into() }));
        let error = with(kind, |it| it.pck.serial = [7; 20]);
        assert_eq!(error, Some(Error::AttestationKeyPck { found: pck.serial.into(), expected: [7; 20].into() }));
        // Serial numbers are those of one issuer.
        let error = with(kind, |it| it.attestation_key.ca_name = [7; 32]);
        assert_eq!(error, Some(Error::AttestationKeyPck { found: pck.serial.into(), expected: pck.serial.into() }));
    }
}

#[test]
fn an_attestation_key_is_for_quotes_of_one_tee() {
    for (kind, expected, found) in [(Kind::Sgx, Tee::Sgx, Tee::Tdx), (Kind::Td15, Tee::Tdx, Tee::Sgx)] {
        let wrong = Some(Error::AttestationKeyTee { found, expected });
        assert_eq!(with(kind, |it| it.attestation_key.qe.tee = found), wrong);
        let mut key: AttestationKey = kept(kind).attestation_key;
        key.qe.tee = found;
        let signed = Quote::parse(&Plan::new(kind, NOW).finish().quote).expect("a quote").signed;
        assert_eq!(verify_quote(&signed, &key).err(), wrong);
        // And its QE is described by an identity for the same.
        let error = with(kind, |it| it.qe_identity.tee = found);
        assert_eq!(error, Some(Error::QeIdentityTee { found, expected }));
        let error = with(kind, |it| it.tcb_info.tee = found);
        assert_eq!(error, Some(Error::TcbInfoTee { found, expected }));
    }
}

#[test]
fn a_quoting_enclave_is_judged_by_a_newer_identity() {
    for kind in KINDS {
        let own = kept(kind).attestation_key.qe;
        let found = own.mr_signer.into();
        let error = with(kind, |it| it.qe_identity.mr_signer = [7; 32]);
        assert_eq!(error, Some(Error::QeSigner { found, expected: [7; 32].into() }));
        let newer = |status| {
            with(kind, |it| {
                let mut levels = it.qe_identity.levels.to_vec();
                levels[0].status = status;
                it.qe_identity.levels = levels.try_into().expect("as many as before");
            })
        };
        assert_eq!(newer(TcbStatus::Revoked), Some(Error::TcbRevoked));
        assert_eq!(newer(TcbStatus::OutOfDate), None);
        let error = with(kind, |it| {
            let mut levels = it.qe_identity.levels.to_vec();
            levels.iter_mut().for_each(|level| level.isv_svn += 2);
            it.qe_identity.levels = levels.try_into().expect("as many as before");
        });
        let lowest = own.isv_svn + 1;
        assert_eq!(error, Some(Error::QeLevel { found: own.isv_svn, lowest }));
    }
}

#[test]
fn tcb_info_of_tdx_without_a_module_judges_no_td() {
    assert_eq!(with(Kind::Td15, |it| it.tcb_info.tdx_module = None), Some(Error::TdxModuleMissing));
    let error = with(Kind::Td15, |it| {
        let mut levels = it.tcb_info.levels.to_vec();
        levels.iter_mut().for_each(|level| level.tdx = None);
        it.tcb_info.levels = levels.try_into().expect("as many as before");
    });
    assert!(matches!(error, Some(Error::TcbLevel { .. })), "{error:?}");
}

#[test]
fn an_issuer_that_expired_signs_nothing() {
    let (not_after, now, at) = (NOW - 1, NOW, Moment::at(NOW));
    let expired = |certificate| Some(Error::CertificateExpired { certificate, not_after, now });
    let plan = Plan::new(Kind::Td15, NOW);
    let parts = plan.unsigned().parts();
    let Kept { root, root_crl, ca, pck_crl, tcb_signer, .. } = Kept::new(&plan);
    let old = |issuer: &Issuer| Issuer { not_after, ..issuer.clone() };

    assert_eq!(verify_crl(&parts.crls.root, &old(&root), at).err(), expired(CertificateKind::Root));
    assert_eq!(verify_crl(&parts.crls.pck, &old(&ca), at).err(), expired(CertificateKind::PckCa));
    let (kind, der) = (CertificateKind::PckCa, &parts.certificates.platform_ca);
    assert_eq!(verify_issuer(kind, der, &old(&root), &root_crl, at).err(), expired(CertificateKind::Root));
    let der = &parts.certificates.pck;
    assert_eq!(verify_pck(der, &old(&ca), &pck_crl, at).err(), expired(CertificateKind::PckCa));
    let document = |document, json: &str, signature| {
        SignedDocument::new(document, json.as_bytes(), signature).expect("short enough")
    };
    let tcb_info = document(Document::TcbInfo, &parts.tcb_info, &parts.tcb_info_signature);
    assert_eq!(verify_tcb_info(&tcb_info, &old(&tcb_signer), at).err(), expired(CertificateKind::TcbSigner));
    let identity = document(Document::QeIdentity, &parts.qe_identity, &parts.qe_identity_signature);
    assert_eq!(verify_qe_identity(&identity, &old(&tcb_signer), at).err(), expired(CertificateKind::TcbSigner));

    // Nor does a list that expired say that something was not revoked.
    let late = |document| Some(Error::DocumentExpired { document, next_update: NOW, grace: 0, now });
    let old = |crl: &Crl| Crl { next_update: NOW, ..crl.clone() };
    let der = &parts.certificates.tcb_signer;
    let error = verify_issuer(CertificateKind::TcbSigner, der, &root, &old(&root_crl), at).err();
    assert_eq!(error, late(Document::RootCrl));
    let der = &parts.certificates.pck;
    assert_eq!(verify_pck(der, &ca, &old(&pck_crl), at).err(), late(Document::PckCrl));
}

#[test]
fn each_step_refuses_what_is_not_good_at_its_time() {
    let (issued, next_update) = (NOW - DAY, NOW + 29 * DAY);
    let plan = Plan::new(Kind::Td15, NOW);
    let parts = plan.unsigned().parts();
    let Kept { root, root_crl, ca, pck_crl, tcb_signer, .. } = Kept::new(&plan);
    let document = |document, json: &str, signature| {
        SignedDocument::new(document, json.as_bytes(), signature).expect("short enough")
    };
    let tcb_info = document(Document::TcbInfo, &parts.tcb_info, &parts.tcb_info_signature);
    let identity = document(Document::QeIdentity, &parts.qe_identity, &parts.qe_identity_signature);
    type Step<'a> = &'a dyn Fn(Moment) -> Option<Error>;
    let steps: [(Document, u64, Step); 4] = [
        (Document::RootCrl, 1, &|at| verify_crl(&parts.crls.root, &root, at).err()),
        (Document::PckCrl, 1, &|at| verify_crl(&parts.crls.pck, &ca, at).err()),
        (Document::TcbInfo, 0, &|at| verify_tcb_info(&tcb_info, &tcb_signer, at).err()),
        (Document::QeIdentity, 0, &|at| verify_qe_identity(&identity, &tcb_signer, at).err()),
    ];
    for (document, excluded, step) in steps {
        let (early, late) = (issued - 1, next_update + 1 - excluded);
        assert_eq!(step(Moment::at(early)), Some(Error::DocumentNotYetValid { document, issued, now: early }));
        assert_eq!((step(Moment::at(issued)), step(Moment::at(late - 1))), (None, None));
        let expired = |grace, now| Some(Error::DocumentExpired { document, next_update, grace, now });
        assert_eq!(step(Moment::at(late)), expired(0, late));
        assert_eq!(step(Moment { now: late, grace: 1 }), None);
        assert_eq!(step(Moment { now: late + 1, grace: 1 }), expired(1, late + 1));
    }

    // Certificates, whose issuers and lists are good for longer.
    let lasting = |crl: &Crl| Crl { this_update: 0, next_update: u64::MAX, ..crl.clone() };
    let (root_crl, pck_crl) = (lasting(&root_crl), lasting(&pck_crl));
    let of = |certificate, name, not_before, not_after| {
        let mut plan = Plan::new(Kind::Td15, NOW);
        (plan.certificates[name].not_before, plan.certificates[name].not_after) = (not_before, not_after);
        let der = &plan.unsigned().parts().certificates[name];
        match certificate {
            CertificateKind::Pck => verify_pck(der, &ca, &pck_crl, Moment::at(NOW)).err(),
            _ => verify_issuer(certificate, der, &root, &root_crl, Moment::at(NOW)).err(),
        }
    };
    for (certificate, name) in [
        (CertificateKind::PckCa, CertificateName::PlatformCa),
        (CertificateKind::TcbSigner, CertificateName::TcbSigner),
        (CertificateKind::Pck, CertificateName::Pck),
    ] {
        let (not_before, not_after, now) = (NOW + 1, NOW - 1, NOW);
        assert_eq!(of(certificate, name, NOW, NOW), None);
        let early = Some(Error::CertificateNotYetValid { certificate, not_before, now });
        assert_eq!(of(certificate, name, not_before, u64::from(u32::MAX)), early);
        assert_eq!(
            of(certificate, name, 0, not_after),
            Some(Error::CertificateExpired { certificate, not_after, now })
        );
    }
}

#[test]
fn what_is_kept_says_who_signed_it_and_when() {
    for kind in KINDS {
        let Kept { root, root_crl, ca, pck_crl, tcb_signer, tcb_info, qe_identity, pck, attestation_key, quoted } =
            kept(kind);
        let (issued, next_update) = (NOW - DAY, NOW + 29 * DAY);
        // Name and key: what one of the same name with another key revoked says nothing of this one.
        let id =
            |it: &Issuer| <[u8; 32]>::from(Sha256::new().chain_update(it.name).chain_update(it.public_key).finalize());
        assert_eq!((root_crl.issuer, root_crl.issuer_name), (IssuerKind::Root, id(&root)));
        assert_eq!((pck_crl.issuer, pck_crl.issuer_name), (IssuerKind::PlatformCa, id(&ca)));
        assert_eq!((root_crl.this_update, root_crl.next_update), (issued, next_update));
        assert_eq!((tcb_info.issued, tcb_info.next_update), (issued, next_update));
        assert_eq!((qe_identity.issued, qe_identity.next_update), (issued, next_update));
        for signer in [&tcb_info.signer, &qe_identity.signer] {
            let Issuer { serial, not_before, not_after, .. } = tcb_signer;
            assert_eq!(*signer, Signer { root: id(&root), serial, not_before, not_after });
        }
        for below in [root.root, ca.root, tcb_signer.root, pck.root] {
            assert_eq!(below, id(&root));
        }
        assert_eq!((pck.ca, pck.ca_name, pck.ca_serial), (ca.kind, id(&ca), ca.serial));
        assert_eq!((attestation_key.pck, attestation_key.ca_name), (pck.serial, pck.ca_name));
        assert_eq!(
            [root.serial, ca.serial, tcb_signer.serial, pck.serial],
            [[0x22; 20], [0x15; 20], [0x7E; 20], [0x3C; 20]]
        );
        let again = Quote::parse(&Plan::new(kind, NOW).finish().quote).expect("a quote");
        assert_eq!(certify_attestation_key(&again.certification, &pck, &qe_identity), Ok(attestation_key));
        assert_eq!((again.report, again.certification.attestation_key), (quoted.report, quoted.attestation_key));
    }
}

#[test]
fn what_is_kept_of_another_platform_does_not_fit() {
    let plan = Plan::new(Kind::Td15, NOW);
    let other: Pck = Pck { public_key: kept(Kind::Td15).ca.public_key, ..kept(Kind::Td15).pck };
    let identity: QeIdentity = kept(Kind::Td15).qe_identity;
    let certification = Quote::parse(&plan.finish().quote).expect("a quote").certification;
    assert_eq!(certify_attestation_key(&certification, &other, &identity), Err(Error::QeReportSignature));
    let tcb_info: TcbInfo = kept(Kind::Td15).tcb_info;
    let error = with(Kind::Td15, |it| it.pck.platform.fmspc = [7; 6]);
    assert_eq!(error, Some(Error::Fmspc { found: tcb_info.fmspc.into(), expected: [7; 6].into() }));
    let error = with(Kind::Td15, |it| it.pck.platform.pce_id = [7; 2]);
    assert_eq!(error, Some(Error::PceId { found: tcb_info.pce_id.into(), expected: [7; 2].into() }));
}

// Keys of a mock root are everybody's: what was kept under one is worth nothing under another.
#[test]
fn what_was_kept_under_another_root_is_refused_part_by_part() {
    let other = Kept::new(&Plan { seed: Seed([7; 32]), ..Plan::new(Kind::Td15, NOW) });
    let root = other.root.id();
    assert_ne!(root, kept(Kind::Td15).root.id());
    let whole = with(Kind::Td15, |it| (it.root, it.root_crl) = (other.root.clone(), other.root_crl.clone()));
    assert_eq!(whole, Some(Error::RootDiffers { part: Part::PckChain }));
    let error = with(Kind::Td15, |it| it.pck.root = root);
    assert_eq!(error, Some(Error::RootDiffers { part: Part::PckChain }));
    let error = with(Kind::Td15, |it| it.tcb_info.signer.root = root);
    assert_eq!(error, Some(Error::RootDiffers { part: Part::TcbInfoIssuerChain }));
    let error = with(Kind::Td15, |it| it.qe_identity.signer.root = root);
    assert_eq!(error, Some(Error::RootDiffers { part: Part::QeIdentityIssuerChain }));
}

#[test]
fn only_a_root_is_taken_for_one() {
    let found = IssuerKind::PlatformCa.common_name().to_string();
    let expected = Error::CertificateName { certificate: CertificateKind::Root, found };
    let error = with(Kind::Td15, |it| it.root.kind = IssuerKind::PlatformCa);
    assert_eq!(error, Some(expected.clone()));
    let parts = Plan::new(Kind::Td15, NOW).unsigned().parts();
    let Kept { ca, pck_crl, .. } = kept(Kind::Td15);
    let below = verify_issuer(CertificateKind::PckCa, &parts.certificates.platform_ca, &ca, &pck_crl, Moment::at(NOW));
    assert_eq!(below, Err(expected));
}

#[test]
fn collateral_is_good_no_longer_than_the_certificate_of_whoever_signed_it() {
    let certificate = CertificateKind::TcbSigner;
    type Change = fn(&mut Kept) -> &mut Signer;
    for signer in [(|it| &mut it.tcb_info.signer) as Change, |it| &mut it.qe_identity.signer] {
        let (not_before, not_after, now) = (NOW + 1, NOW - 1, NOW);
        let error = with(Kind::Td15, |it| signer(it).not_after = not_after);
        assert_eq!(error, Some(Error::CertificateExpired { certificate, not_after, now }));
        let error = with(Kind::Td15, |it| signer(it).not_before = not_before);
        assert_eq!(error, Some(Error::CertificateNotYetValid { certificate, not_before, now }));
        let mut short = kept(Kind::Td15);
        signer(&mut short).not_after = NOW + 5;
        let verdict = judge_tcb(&short.quoted, &short.facts(), Moment::at(NOW)).expect("still good");
        assert_eq!((verdict.good_until, verdict.certificates_until), (NOW + 5, NOW + 5));
    }
}

#[test]
fn a_verdict_that_is_kept_is_good_as_long_as_what_it_rests_on() {
    let it = kept(Kind::Td15);
    let verdict = judge_tcb(&it.quoted, &it.facts(), Moment::at(NOW)).expect("good");
    let good_until = verdict.good_until;
    assert_eq!(good_until, NOW + 29 * DAY - 1);
    let by = |verdict: &TcbVerdict, grace, now| {
        judge_workload(&it.quoted.report, verdict, &Policy { grace, ..Policy::strict() }, now)
    };
    for grace in [0, 7, u64::MAX] {
        assert_eq!(by(&verdict, grace, good_until.saturating_add(grace).min(verdict.certificates_until)), Ok(()));
    }
    let now = good_until + 8;
    assert_eq!(by(&verdict, 7, now), Err(Error::VerdictExpired { until: now - 1, now }));
    // No certificate has a grace.
    let ended = TcbVerdict { certificates_until: good_until, ..verdict };
    let now = good_until + 1;
    assert_eq!(by(&ended, 7, now), Err(Error::VerdictExpired { until: good_until, now }));
}

#[test]
fn a_report_is_judged_with_the_platform_whose_key_signed_it() {
    let other =
        Kept::new(&Plan { attestation_key: Key::Root, quote_signed_by: Key::Root, ..Plan::new(Kind::Td15, NOW) });
    let (found, expected) = (other.quoted.attestation_key, kept(Kind::Td15).quoted.attestation_key);
    assert_ne!(found, expected);
    let error = with(Kind::Td15, |it| it.quoted = other.quoted.clone());
    assert_eq!(error, Some(Error::AttestationKey { found: found.into(), expected: expected.into() }));
}

#[test]
fn what_is_kept_gives_way_only_to_what_is_later_and_of_no_earlier_evaluation() {
    let Kept { tcb_info, qe_identity, root_crl, pck_crl, .. } = kept(Kind::Td15);
    for (later, evaluation, expected) in
        [(0, 0, false), (0, 1, false), (1, 0, true), (1, 1, true), (1, -1, false), (-1, 1, false)]
    {
        let issued = |issued: u64| issued.saturating_add_signed(later);
        let number = |number: u32| number.saturating_add_signed(evaluation);
        let mut newer = tcb_info.clone();
        newer.issued = issued(newer.issued);
        newer.evaluation_data_number = number(newer.evaluation_data_number);
        assert_eq!(newer.supersedes(&tcb_info), expected, "{later} {evaluation}");
        let mut newer = qe_identity.clone();
        newer.issued = issued(newer.issued);
        newer.evaluation_data_number = number(newer.evaluation_data_number);
        assert_eq!(newer.supersedes(&qe_identity), expected, "{later} {evaluation}");
    }
    let later = TcbInfo { issued: tcb_info.issued + 1, ..tcb_info.clone() };
    assert!(!TcbInfo { fmspc: [7; 6], ..later.clone() }.supersedes(&tcb_info));
    assert!(!TcbInfo { pce_id: [7; 2], ..later.clone() }.supersedes(&tcb_info));
    assert!(!TcbInfo { tee: Tee::Sgx, ..later }.supersedes(&tcb_info));
    assert!(!QeIdentity { tee: Tee::Sgx, issued: NOW, ..qe_identity.clone() }.supersedes(&qe_identity));
    // What another root signed is worth nothing, and stands in nobody's way.
    let mut others = (tcb_info.clone(), qe_identity.clone());
    (others.0.signer.root, others.1.signer.root) = ([7; 32], [7; 32]);
    assert!(tcb_info.supersedes(&others.0) && qe_identity.supersedes(&others.1));
    let later = Crl { this_update: root_crl.this_update + 1, ..root_crl.clone() };
    assert!(later.supersedes(&root_crl) && !root_crl.supersedes(&root_crl) && !root_crl.supersedes(&later));
    assert!(!later.supersedes(&pck_crl));
    assert!(!Crl { issuer_name: [7; 32], ..later }.supersedes(&root_crl));
}

#[test]
fn what_is_revoked_is_found_in_whatever_order_it_is_kept() {
    let revoked = vec![[9; 20], [1; 20], [5; 20]].try_into().expect("three");
    let crl = Crl { revoked, ..kept(Kind::Td15).root_crl };
    assert!([9, 1, 5].into_iter().all(|byte| crl.revokes(&[byte; 20])));
    assert!(!crl.revokes(&[2; 20]));
}
