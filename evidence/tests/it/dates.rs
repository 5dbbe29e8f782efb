//! From which second on, and until which, each thing is good; and what grace there is.

use holdfast_evidence::{
    mock::{CertificateName, Kind, Plan},
    CertificateKind, Document, Error, Policy,
};

use crate::case::{changed, judge, Stage, DAY, NOW};

const CERTIFICATES: [(CertificateKind, CertificateName); 4] = [
    (CertificateKind::Root, CertificateName::Root),
    (CertificateKind::PckCa, CertificateName::PlatformCa),
    (CertificateKind::TcbSigner, CertificateName::TcbSigner),
    (CertificateKind::Pck, CertificateName::Pck),
];

const DOCUMENTS: [Document; 4] = [Document::RootCrl, Document::PckCrl, Document::TcbInfo, Document::QeIdentity];

/// One whose dates are these; all others are wider.
fn dated(kind: Kind, document: Document, issued: u64, next_update: u64) -> Plan {
    let mut plan = Plan::new(kind, NOW);
    match document {
        Document::RootCrl => (plan.crls.root.this_update, plan.crls.root.next_update) = (issued, Some(next_update)),
        Document::PckCrl => (plan.crls.pck.this_update, plan.crls.pck.next_update) = (issued, Some(next_update)),
        Document::TcbInfo => (plan.tcb_info.issue_date, plan.tcb_info.next_update) = (issued, next_update),
        Document::QeIdentity => (plan.qe_identity.issue_date, plan.qe_identity.next_update) = (issued, next_update),
    }
    plan
}

/// How long after its date a document is still good.
fn included(document: Document) -> u64 {
    match document {
        Document::TcbInfo | Document::QeIdentity => 0,
        Document::RootCrl | Document::PckCrl => 1,
    }
}

#[test]
fn certificates_are_good_from_their_first_to_their_last_second() {
    for kind in [Kind::Sgx, Kind::Td15] {
        for (certificate, name) in CERTIFICATES {
            let with = |not_before, not_after| {
                let change = |it: &mut Plan| {
                    let certificate = &mut it.certificates[name];
                    (certificate.not_before, certificate.not_after) = (not_before, not_after);
                };
                changed::<Plan>(kind, change).err()
            };
            let now = NOW;
            assert_eq!(with(NOW, NOW), None);
            let (early, late) = (NOW + 1, NOW - 1);
            assert_eq!(with(early, early), Some(Error::CertificateNotYetValid { certificate, not_before: early, now }));
            assert_eq!(with(0, late), Some(Error::CertificateExpired { certificate, not_after: late, now }));
        }
    }
}

#[test]
fn certificates_have_no_grace() {
    let lenient = Policy { grace: u64::MAX, ..Policy::strict() };
    for (certificate, name) in CERTIFICATES {
        let mut plan = Plan::new(Kind::Td15, NOW);
        plan.certificates[name].not_after = NOW - 1;
        let error = judge(&plan.finish(), NOW, &lenient).unwrap_err();
        assert_eq!(error, Error::CertificateExpired { certificate, not_after: NOW - 1, now: NOW });
    }
}

#[test]
fn documents_are_good_from_their_first_to_their_last_second() {
    for kind in [Kind::Sgx, Kind::Td15] {
        for document in DOCUMENTS {
            let with = |issued, next_update| {
                let plan = dated(kind, document, issued, next_update);
                judge(&plan.finish(), NOW, &Policy::strict()).err()
            };
            let now = NOW;
            let last = NOW + included(document);
            assert_eq!(with(NOW, last), None);
            let next_update = last - 1;
            let expired = Some(Error::DocumentExpired { document, next_update, grace: 0, now });
            assert_eq!(with(NOW - 5, next_update), expired);
            let issued = NOW + 1;
            assert_eq!(with(issued, NOW + 5), Some(Error::DocumentNotYetValid { document, issued, now }));
        }
    }
}

#[test]
fn grace_is_how_long_documents_are_good_afterwards() {
    for document in DOCUMENTS {
        for grace in [1, DAY, 5 * DAY] {
            let with = |next_update, grace| {
                let plan = dated(Kind::Td15, document, NOW - 7 * DAY, next_update);
                judge(&plan.finish(), NOW, &Policy { grace, ..Policy::strict() }).err()
            };
            let now = NOW;
            let next_update = NOW + included(document) - grace;
            assert_eq!(with(next_update, grace), None);
            let expired = |next_update, grace| Some(Error::DocumentExpired { document, next_update, grace, now });
            assert_eq!(with(next_update, grace - 1), expired(next_update, grace - 1));
            assert_eq!(with(next_update - 1, grace), expired(next_update - 1, grace));
            assert_eq!(with(next_update - 1, u64::MAX), None);
        }
        // There is none before.
        let plan = dated(Kind::Td15, document, NOW + 1, NOW + 9);
        let error = judge(&plan.finish(), NOW, &Policy { grace: u64::MAX, ..Policy::strict() }).unwrap_err();
        assert_eq!(error, Error::DocumentNotYetValid { document, issued: NOW + 1, now: NOW });
    }
}

#[test]
fn the_verdict_says_which_is_the_last_second_at_which_all_is_good() {
    let until = |plan: Plan| judge(&plan.finish(), NOW, &Policy::strict()).expect("good").verdict.good_until;
    let lists = NOW + 29 * DAY - 1;
    assert_eq!(until(Plan::new(Kind::Td15, NOW)), lists);
    for document in DOCUMENTS {
        let plan = dated(Kind::Td15, document, NOW, NOW + 5);
        let last = until(plan.clone());
        assert_eq!(last, NOW + 5 - included(document));
        let signed = plan.finish();
        assert_eq!(judge(&signed, last, &Policy::strict()).err(), None);
        let (next_update, now) = (NOW + 5, last + 1);
        let expired = Error::DocumentExpired { document, next_update, grace: 0, now };
        assert_eq!(judge(&signed, now, &Policy::strict()).err(), Some(expired));
    }
    for (certificate, name) in CERTIFICATES {
        let mut plan = Plan::new(Kind::Td15, NOW);
        plan.certificates[name].not_after = NOW + 5;
        assert_eq!(until(plan), NOW + 5, "{certificate}");
    }
    // Grace is no part of it.
    let plan = dated(Kind::Sgx, Document::TcbInfo, NOW - 9, NOW - 1);
    let verified = judge(&plan.finish(), NOW, &Policy { grace: 7, ..Policy::strict() }).expect("good");
    assert_eq!(verified.verdict.good_until, NOW - 1);
}

#[test]
fn at_the_ends_of_time_nothing_is_good() {
    for kind in Kind::ALL {
        let signed = Plan::new(kind, NOW).finish();
        let (certificate, not_before, not_after) = (CertificateKind::Root, 1_526_899_510, 2_524_607_999);
        let early = judge(&signed, 0, &Policy::strict()).unwrap_err();
        assert_eq!(early, Error::CertificateNotYetValid { certificate, not_before, now: 0 });
        let late = judge(&signed, u64::MAX, &Policy { grace: u64::MAX, ..Policy::strict() }).unwrap_err();
        assert_eq!(late, Error::CertificateExpired { certificate, not_after, now: u64::MAX });
    }
}
