use super::Moment;
use crate::{CertificateKind, Document, Error};

const NOW: u64 = 1_000;

#[test]
fn a_document_is_good_up_to_its_last_second_with_its_grace() {
    for (document, last) in [
        (Document::TcbInfo, NOW),
        (Document::QeIdentity, NOW),
        (Document::RootCrl, NOW - 1),
        (Document::PckCrl, NOW - 1),
    ] {
        for grace in [0, 1, 10] {
            let check = |now| Moment { now, grace }.check_document(document, 900, NOW);
            let now = last + grace + 1;
            assert_eq!(check(last + grace), Ok(()));
            assert_eq!(check(now), Err(Error::DocumentExpired { document, next_update: NOW, grace, now }));
            assert_eq!(document.last_second(NOW), last);
            assert_eq!(check(900), Ok(()));
            assert_eq!(check(899), Err(Error::DocumentNotYetValid { document, issued: 900, now: 899 }));
        }
    }
}

#[test]
fn grace_without_end_ends_with_time() {
    let at = Moment { now: u64::MAX, grace: u64::MAX };
    assert_eq!(at.check_document(Document::TcbInfo, 0, 1), Ok(()));
    let late =
        Err(Error::DocumentExpired { document: Document::RootCrl, next_update: 1, grace: u64::MAX, now: u64::MAX });
    assert_eq!(at.check_document(Document::RootCrl, 0, 1), late);
    assert_eq!(Moment { now: u64::MAX - 1, ..at }.check_document(Document::RootCrl, 0, 1), Ok(()));
}

#[test]
fn a_certificate_is_good_in_both_its_seconds_and_has_no_grace() {
    let certificate = CertificateKind::Pck;
    let check = |now| Moment { now, grace: u64::MAX }.check_certificate(certificate, 900, NOW);
    assert_eq!((check(900), check(NOW)), (Ok(()), Ok(())));
    assert_eq!(check(899), Err(Error::CertificateNotYetValid { certificate, not_before: 900, now: 899 }));
    assert_eq!(check(NOW + 1), Err(Error::CertificateExpired { certificate, not_after: NOW, now: NOW + 1 }));
}
