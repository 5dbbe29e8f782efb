//! Revocation lists: what they are, whose they are, and what they revoke.

use holdfast_evidence::{
    mock::{
        Ca, CertificateName, Crl, DistinguishedName, Extension, Key, Kind, Parts, Plan, Platform, Revoked, Signed,
        Unsigned,
    },
    verify_crl, CertificateKind, Document, Error, IssuerKind, Moment, Part, Policy,
};

use crate::{
    case::{changed, judge, Kept, Stage, NOW},
    der::replace,
};

type Which = fn(&mut Plan) -> &mut Crl;

/// Each list, who signs it, and which of a plan's it is.
const ALL: [(Document, IssuerKind, Which); 2] = [
    (Document::RootCrl, IssuerKind::Root, |it| &mut it.crls.root),
    (Document::PckCrl, IssuerKind::PlatformCa, |it| &mut it.crls.pck),
];

/// Why a quote is refused that is good but for this change of a list.
fn with(which: Which, change: impl Fn(&mut Crl)) -> Option<Error> {
    changed::<Plan>(Kind::Td15, |it| change(which(it))).err()
}

fn extension(oid: &str, critical: bool) -> Extension {
    Extension { oid: oid.parse().expect("an object identifier"), critical, value: vec![5, 0] }
}

fn serial(number: u16) -> Vec<u8> {
    [&[0x55; 2][..], &number.to_be_bytes()].concat()
}

#[test]
fn lists_are_of_version_2_and_say_when_there_is_a_newer_one() {
    for (document, _, which) in ALL {
        let error = Some(Error::DocumentEncoding { document });
        for version in [None, Some(0), Some(2)] {
            assert_eq!(with(which, |it| it.version = version), error, "{version:?}");
        }
        assert_eq!(with(which, |it| it.next_update = None), error);
        let ecdsa_with_sha384 = "1.2.840.10045.4.3.3".parse().expect("an object identifier");
        assert_eq!(with(which, |it| it.algorithm = ecdsa_with_sha384), error);
        assert_eq!(with(which, |it| it.revoked = vec![Revoked::new(vec![1; 21], NOW)]), error);
        // Whatever else it says of itself is not looked at.
        assert_eq!(with(which, |it| it.authority_key_identifier = None), None);
        // Its number, of at most 20 bytes, is there (RFC 5280, 5.2.3); Intel's are all the same.
        assert_eq!(with(which, |it| it.number = Some(vec![0xFF; 20])), None);
        assert_eq!(with(which, |it| it.number = Some(vec![1; 21])), error);
        assert_eq!(with(which, |it| it.number = None), error);
        // Nothing is there twice, and what is known is well formed.
        let twice = || vec![extension("1.2.3.4", false), extension("1.2.3.4", false)];
        assert_eq!(with(which, |it| it.extra = twice()), error);
        let entry = |reason, extra| Revoked { reason, extra, ..Revoked::new(serial(1), NOW) };
        assert_eq!(with(which, |it| it.revoked = vec![entry(Some(6), vec![])]), None);
        assert_eq!(with(which, |it| it.revoked = vec![entry(Some(7), vec![])]), error);
        assert_eq!(with(which, |it| it.revoked = vec![entry(None, twice())]), error);
        let when = |value: &[u8]| Extension { value: value.to_vec(), ..extension("2.5.29.24", false) };
        assert_eq!(with(which, |it| it.revoked = vec![entry(None, vec![when(b"\x18\x0f20260921141320Z")])]), None);
        assert_eq!(with(which, |it| it.revoked = vec![entry(None, vec![when(b"\x18\x0f20261321141320Z")])]), error);
    }
}

#[test]
fn lists_are_der_and_signed_with_ecdsa_and_sha_256() {
    type Which = fn(&mut Parts) -> &mut Vec<u8>;
    let all: [(Document, Which); 2] =
        [(Document::RootCrl, |it| &mut it.crls.root), (Document::PckCrl, |it| &mut it.crls.pck)];
    for (document, which) in all {
        type Change = fn(&mut Vec<u8>);
        let changes: [Change; 7] = [
            Vec::clear,
            |der| der.push(0),
            // Something after the signature, and part of the whole.
            |der| {
                der.extend([5, 0]);
                der[3] += 2;
            },
            |der| der[0] = 0x31,
            |der| der.truncate(der.len() - 1),
            |der| *der = b"-----BEGIN X509 CRL-----".to_vec(),
            // A certificate's worth of nothing.
            |der| *der = vec![0x30, 0],
        ];
        for change in changes {
            let refused = changed::<Parts>(Kind::Td15, |it| change(which(it)));
            assert_eq!(refused.err(), Some(Error::DocumentEncoding { document }));
        }
    }
    let null = [&[0x30, 0x0C, 0x06, 0x08][..], &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02, 0x05, 0x00]].concat();
    let plain = [&[0x30, 0x0A][..], &null[2..12]].concat();
    let refused = changed::<Unsigned>(Kind::Td15, |it| it.crls.root.algorithm.clone_from(&null));
    assert_eq!(refused.err(), Some(Error::DocumentEncoding { document: Document::RootCrl }));
    // The same inside, where it is signed.
    let refused = changed::<Unsigned>(Kind::Td15, |it| replace(&mut it.crls.root.tbs, &plain, &null));
    assert_eq!(refused.err(), Some(Error::DocumentEncoding { document: Document::RootCrl }));
    // The extension for its number, and that it is not critical, which is so if nothing is said.
    let (number, said) = ([0x06, 3, 0x55, 0x1D, 0x14], [0x06, 3, 0x55, 0x1D, 0x14, 0x01, 1, 0]);
    let refused = changed::<Unsigned>(Kind::Td15, |it| replace(&mut it.crls.pck.tbs, &number, &said));
    assert_eq!(refused.err(), Some(Error::DocumentEncoding { document: Document::PckCrl }));
}

#[test]
fn lists_revoke_at_most_4096_certificates() {
    for (document, _, which) in ALL {
        let revoke = |count| {
            let revoked = |number| Revoked { reason: None, ..Revoked::new(serial(number), NOW) };
            with(which, |it| it.revoked = (0..count).map(revoked).collect())
        };
        assert_eq!(revoke(4096), None);
        assert_eq!(revoke(4097), Some(Error::TooMany { document, found: 4097, most: 4096 }));
    }
}

#[test]
fn lists_are_at_most_256_kib_long() {
    const MOST: usize = 256 * 1024;
    for (_, _, which) in ALL {
        let padded = |padding, first| {
            let mut plan = Plan::new(Kind::Td15, NOW);
            let mut value = vec![0; padding];
            value[0] = first;
            which(&mut plan).extra = vec![Extension { value, ..extension("1.2.3.4", false) }];
            plan.finish()
        };
        let length = |signed: &Signed| signed.collateral.root_ca_crl.len().max(signed.collateral.pck_crl.len());
        let around = 2 * MOST - length(&padded(MOST, 0));
        // Signatures have 70 to 72 bytes, so that the length of what is signed does not say that of the list.
        let mut near = (around - 3..around + 3).flat_map(|size| (0..8).map(move |first| padded(size, first)));
        let good = near.find(|signed| length(signed) == MOST).expect("one of that length");
        let verified = judge(&good, NOW, &Policy::strict());
        assert!(verified.is_ok(), "{verified:?}");

        let long = padded(around + 8, 0);
        let found = length(&long) as u32;
        let error = judge(&long, NOW, &Policy::strict()).unwrap_err();
        assert_eq!(error, Error::TooLong { part: Part::Crl, found, most: MOST as u32 });
    }
}

#[test]
fn lists_are_whole() {
    // Delta CRL indicator and issuing distribution point narrow a list down even if they are not critical.
    let narrowing = [("2.5.29.27", true), ("2.5.29.27", false), ("2.5.29.28", true), ("2.5.29.28", false)];
    let unknown = [("1.2.3.4", true), ("2.5.29.20", true)];
    for (document, _, which) in ALL {
        assert_eq!(with(which, |it| it.extra = vec![extension("1.2.3.4", false)]), None);
        for (found, critical) in narrowing.into_iter().chain(unknown) {
            let error = Some(Error::CrlExtension { document, found: found.into() });
            assert_eq!(with(which, |it| it.extra = vec![extension(found, critical)]), error);
        }
        // Of an entry: certificate issuer, by which an indirect list revokes what others issued.
        let entry = |extra| Revoked { extra: vec![extra], ..Revoked::new(serial(1), NOW) };
        assert_eq!(with(which, |it| it.revoked = vec![entry(extension("1.2.3.4", false))]), None);
        for (found, critical) in [("2.5.29.29", true), ("2.5.29.29", false), ("1.2.3.4", true)] {
            let error = Some(Error::CrlExtension { document, found: found.into() });
            assert_eq!(with(which, |it| it.revoked = vec![entry(extension(found, critical))]), error);
        }
    }
}

#[test]
fn lists_are_signed_by_those_whose_they_are() {
    for (document, expected, which) in ALL {
        for key in [Key::Other("stranger"), Key::TcbSigner, Key::Pck, Key::ProcessorCa] {
            assert_eq!(with(which, |it| it.signed_by = key), Some(Error::DocumentSignature { document }));
        }
        let other = DistinguishedName::new("Intel SGX PCK Processor CA");
        assert_eq!(with(which, |it| it.issuer.clone_from(&other)), Some(Error::CrlSigner { expected }));
        let error = with(which, |it| it.issuer.organization = "Intel Corporation".into());
        assert_eq!(error, Some(Error::CrlSigner { expected }));
    }
    // The one in the place of the other.
    let error = changed::<Plan>(Kind::Td15, |it| it.crls.root = it.crls.pck.clone()).unwrap_err();
    assert_eq!(error, Error::CrlSigner { expected: IssuerKind::Root });
    let error = changed::<Plan>(Kind::Td15, |it| it.crls.pck = it.crls.root.clone()).unwrap_err();
    assert_eq!(error, Error::CrlSigner { expected: IssuerKind::PlatformCa });
    // Nor does a signer of collateral revoke anything.
    let plan = Plan::new(Kind::Td15, NOW);
    let signer = Kept::new(&plan).tcb_signer;
    let mut list = plan.crls.root.clone();
    (list.issuer, list.signed_by) = (plan.certificates.tcb_signer.subject.clone(), Key::TcbSigner);
    let mut plan = plan;
    plan.crls.root = list;
    let error = verify_crl(&plan.finish().collateral.root_ca_crl, &signer, Moment::at(NOW)).unwrap_err();
    assert_eq!(error, Error::CrlSigner { expected: IssuerKind::TcbSigner });
}

#[test]
fn each_certificate_can_be_revoked_by_its_issuer() {
    for kind in Kind::ALL {
        for ca in [Ca::Platform, Ca::Processor] {
            let plan = || Plan::of(kind, &Platform { ca, ..Platform::default() }, NOW);
            assert!(judge(&plan().finish(), NOW, &Policy::strict()).is_ok());
            let by_root =
                [(CertificateKind::PckCa, ca.certificate()), (CertificateKind::TcbSigner, CertificateName::TcbSigner)];
            for (certificate, name) in by_root {
                let mut plan = plan();
                let number = plan.certificates[name].serial.clone();
                let others = (0..9).map(|at| Revoked::new(serial(at), NOW - 1));
                plan.crls.root.revoked = [Revoked::new(number.clone(), NOW)].into_iter().chain(others).collect();
                let error = judge(&plan.finish(), NOW, &Policy::strict()).unwrap_err();
                assert_eq!(error, Error::CertificateRevoked { certificate, serial: (&number[..]).into() });
            }
            let mut plan = plan();
            let number = plan.certificates.pck.serial.clone();
            // Even one that is to be revoked only later, and whatever the reason.
            let revoked = Revoked { reason: None, ..Revoked::new(number.clone(), NOW + 1) };
            plan.crls.pck.revoked = vec![Revoked::new(serial(7), NOW), revoked, Revoked::new(serial(3), NOW)];
            let error = judge(&plan.finish(), NOW, &Policy::strict()).unwrap_err();
            let certificate = CertificateKind::Pck;
            assert_eq!(error, Error::CertificateRevoked { certificate, serial: (&number[..]).into() });
        }
    }
}

#[test]
fn a_root_that_revokes_itself_is_no_root() {
    for kind in Kind::ALL {
        let error = changed::<Plan>(kind, |it| {
            it.crls.root.revoked = vec![Revoked::new(it.certificates.root.serial.clone(), NOW)];
        });
        let certificate = CertificateKind::Root;
        assert_eq!(error.err(), Some(Error::CertificateRevoked { certificate, serial: [0x22; 20].into() }));
    }
}

#[test]
fn serial_numbers_are_those_of_one_issuer() {
    let verified = changed::<Plan>(Kind::Td15, |it| {
        let numbers = |names: &[CertificateName]| {
            names.iter().map(|name| Revoked::new(it.certificates[*name].serial.clone(), NOW)).collect::<Vec<_>>()
        };
        let by_root = numbers(&[CertificateName::Pck, CertificateName::ProcessorCa]);
        let by_ca = numbers(&[CertificateName::PlatformCa, CertificateName::TcbSigner, CertificateName::Root]);
        (it.crls.root.revoked, it.crls.pck.revoked) = (by_root, by_ca);
    });
    assert!(verified.is_ok(), "{verified:?}");
}

#[test]
fn the_list_is_that_of_the_certificates_own_issuer() {
    let processor = Platform { ca: Ca::Processor, ..Platform::default() };
    for kind in Kind::ALL {
        // A processor CA's certificate, with a good list of the platform CA, on which it cannot be.
        let mut plan = Plan::of(kind, &processor, NOW);
        let other = Plan::new(kind, NOW);
        plan.chains.pck_crl_issuer = other.chains.pck_crl_issuer;
        plan.crls.pck = other.crls.pck;
        let error = judge(&plan.finish(), NOW, &Policy::strict()).unwrap_err();
        let (found, expected) = (IssuerKind::PlatformCa, IssuerKind::ProcessorCa);
        assert_eq!(error, Error::CrlIssuer { found, expected });
    }
    // The PCK CA's list in the place of the root's, and another CA's with the same common name.
    let kept = Kept::new(&Plan::new(Kind::Td15, NOW));
    let certificates = Plan::new(Kind::Td15, NOW).unsigned().parts().certificates;
    let at = Moment::at(NOW);
    let refused = holdfast_evidence::verify_issuer(
        CertificateKind::PckCa,
        &certificates.platform_ca,
        &kept.root,
        &kept.pck_crl,
        at,
    );
    let (found, expected) = (IssuerKind::PlatformCa, IssuerKind::Root);
    assert_eq!(refused, Err(Error::CrlIssuer { found, expected }));
    let namesake = holdfast_evidence::Crl { issuer_name: [7; 32], ..kept.pck_crl.clone() };
    let refused = holdfast_evidence::verify_pck(&certificates.pck, &kept.ca, &namesake, at);
    let both = IssuerKind::PlatformCa;
    assert_eq!(refused, Err(Error::CrlIssuer { found: both, expected: both }));
}

#[test]
fn what_is_revoked_is_found_wherever_it_stands() {
    let kept = Kept::new(&Plan::new(Kind::Td15, NOW));
    let mut plan = Plan::new(Kind::Td15, NOW);
    // In no order, and of all lengths.
    let numbers = [vec![9], vec![1; 20], vec![], vec![0xFF; 20], vec![3, 0], vec![3], vec![0x80]];
    plan.crls.root.revoked = numbers.iter().map(|number| Revoked::new(number.clone(), NOW)).collect();
    let list = verify_crl(&plan.finish().collateral.root_ca_crl, &kept.root, Moment::at(NOW)).expect("a list");
    for number in &numbers {
        let mut serial = [0; 20];
        serial[20 - number.len()..].copy_from_slice(number);
        assert!(list.revokes(&serial), "{number:?}");
        serial[19] ^= 0x10;
        assert!(!list.revokes(&serial), "{number:?}");
    }
    assert_eq!(list.revoked.len(), numbers.len());
}

#[test]
fn lists_and_their_entries_have_at_most_sixteen_extensions() {
    let extra = |count: u32| (0..count).map(|number| extension(&format!("1.2.3.{number}"), false)).collect::<Vec<_>>();
    for (document, _, which) in ALL {
        // Two others are there: its number, and the key of its issuer.
        for (count, error) in [(14, None), (15, Some(Error::TooMany { document, found: 17, most: 16 }))] {
            assert_eq!(with(which, |it| it.extra = extra(count)), error);
        }
        let entry = |count| Revoked { reason: None, extra: extra(count), ..Revoked::new(serial(1), NOW) };
        for (count, error) in [(16, None), (17, Some(Error::TooMany { document, found: 17, most: 16 }))] {
            assert_eq!(with(which, |it| it.revoked = vec![entry(count)]), error);
        }
    }
}

// Whoever can name an issuer can write a list that costs much to read: nobody reads it but for the issuer's signature.
#[test]
fn a_list_that_its_issuer_did_not_sign_is_not_read() {
    for (document, _, which) in ALL {
        let unsigned = with(which, |it| {
            it.signed_by = Key::Other("somebody");
            it.version = Some(7);
        });
        assert_eq!(unsigned, Some(Error::DocumentSignature { document }));
    }
}
