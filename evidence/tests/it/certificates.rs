//! What certificates are, whom they name, what they may be used for, and who signed them: each of the four.

use holdfast_evidence::{
    mock::{
        root, BasicConstraints, Certificate, CertificateName, DistinguishedName, Extension, Key, Kind, Parts, Plan,
        Signed, Unsigned, KEY_USAGE_ISSUES, KEY_USAGE_SIGNS,
    },
    verify_issuer, verify_pck, CertificateKind, Document, Error, Issuer, IssuerKind, Moment, Policy,
};

use crate::{
    case::{changed, judge, refused, Kept, Stage, NOW},
    der::replace,
};

const STRANGER: Key = Key::Other("stranger");
const KINDS: [Kind; 2] = [Kind::Sgx, Kind::Td15];

/// Each certificate: what errors call it, which of a plan's it is, whether it issues others.
const ALL: [(CertificateKind, CertificateName, bool); 4] = [
    (CertificateKind::Root, CertificateName::Root, true),
    (CertificateKind::PckCa, CertificateName::PlatformCa, true),
    (CertificateKind::TcbSigner, CertificateName::TcbSigner, false),
    (CertificateKind::Pck, CertificateName::Pck, false),
];

/// Why a quote is refused that is good but for this change of a certificate.
fn with(name: CertificateName, change: impl Fn(&mut Certificate)) -> Option<Error> {
    changed::<Plan>(Kind::Td15, |it| change(&mut it.certificates[name])).err()
}

/// The same of its bytes, before it is signed.
fn with_bytes(name: CertificateName, change: impl Fn(&mut Vec<u8>)) -> Option<Error> {
    changed::<Unsigned>(Kind::Td15, |it| change(&mut it.certificates[name].tbs)).err()
}

fn extension(oid: &str, critical: bool, value: &[u8]) -> Extension {
    Extension { oid: oid.parse().expect("an object identifier"), critical, value: value.to_vec() }
}

#[test]
fn certificates_are_of_version_3() {
    for (certificate, name, _) in ALL {
        for version in [None, Some(0), Some(1), Some(3)] {
            let error = with(name, |it| it.version = version);
            assert_eq!(error, Some(Error::CertificateEncoding { certificate }), "{version:?}");
        }
        // One of version 1 has no extensions.
        let error = with(name, |it| {
            (it.version, it.key_usage, it.basic_constraints, it.sgx) = (None, None, None, None);
            (it.authority_key_identifier, it.crl_distribution_point, it.subject_key_identifier) = (None, None, None);
        });
        assert_eq!(error, Some(Error::CertificateEncoding { certificate }));
    }
}

#[test]
fn certificates_are_signed_with_ecdsa_and_sha_256() {
    let ecdsa_with_sha384 = "1.2.840.10045.4.3.3".parse().expect("an object identifier");
    // The algorithm that is expected, alone and with parameters, of which it has none (RFC 5758, 3.2).
    let plain = [&[0x30, 0x0A, 0x06, 0x08][..], &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02]].concat();
    let null = [&[0x30, 0x0C, 0x06, 0x08][..], &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02, 0x05, 0x00]].concat();
    let other = [&[0x30, 0x0A, 0x06, 0x08][..], &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03]].concat();
    for (certificate, name, _) in ALL {
        let error = Some(Error::CertificateEncoding { certificate });
        // Inside, where it is signed.
        assert_eq!(with(name, |it| it.algorithm = ecdsa_with_sha384), error);
        assert_eq!(with_bytes(name, |tbs| replace(tbs, &plain, &null)), error);
        // Outside.
        for algorithm in [&null, &other] {
            let refused = changed::<Unsigned>(Kind::Td15, |it| it.certificates[name].algorithm.clone_from(algorithm));
            assert_eq!(refused.err(), error);
        }
    }
}

#[test]
fn keys_are_on_p256() {
    let p256 = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    let ec = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
    // SubjectPublicKeyInfo of a key type, a curve, and the bits of a point.
    let info = |ec: &[u8], curve: &[u8], point: &[u8]| {
        let algorithm = [&[0x30, (ec.len() + curve.len()) as u8], ec, curve].concat();
        let bits = [&[0x03, point.len() as u8 + 1, 0], point].concat();
        [&[0x30, (algorithm.len() + bits.len()) as u8], &algorithm[..], &bits].concat()
    };
    for (certificate, name, _) in ALL {
        let key = Plan::default().certificates[name].key;
        let point = [&[4][..], &Plan::default().seed.public_key(key)].concat();
        assert_eq!(with(name, |it| it.public_key_info = Some(info(&ec, &p256, &point))), None);

        let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
        let mut off_the_curve = point.clone();
        off_the_curve[64] ^= 1;
        let secp256k1 = [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A];
        let ecdh = [0x06, 0x05, 0x2B, 0x81, 0x04, 0x01, 0x0C];
        for other in [
            info(&ec, &secp256k1, &point),
            info(&ec, &[], &point),
            info(&ecdh, &p256, &point),
            info(&ec, &p256, &compressed),
            info(&ec, &p256, &off_the_curve),
            info(&ec, &p256, &[&[4][..], &[0; 64]].concat()),
            info(&ec, &p256, &point[..64]),
            info(&ec, &p256, &[&point[..], &[0]].concat()),
            info(&ec, &p256, &[0]),
        ] {
            let error = with(name, |it| it.public_key_info = Some(other.clone()));
            assert_eq!(error, Some(Error::CertificateEncoding { certificate }));
        }
    }
}

#[test]
fn serial_numbers_are_at_most_20_bytes_and_not_negative() {
    for (certificate, name, _) in ALL {
        for serial in [vec![0], vec![1], vec![0xFF; 20]] {
            assert_eq!(with(name, |it| it.serial.clone_from(&serial)), None);
        }
        let error = Some(Error::CertificateEncoding { certificate });
        assert_eq!(with(name, |it| it.serial = vec![1; 21]), error);
        let byte = Plan::default().certificates[name].serial[0];
        let negative = [0x02, 0x01, 0x80];
        assert_eq!(with_bytes(name, |tbs| replace(tbs, &[&[0x02, 20][..], &[byte; 20]].concat(), &negative)), error);
    }
}

#[test]
fn certificates_are_der_from_their_first_to_their_last_byte() {
    for (certificate, name, _) in ALL {
        let error = Some(Error::CertificateEncoding { certificate });
        assert_eq!(with_bytes(name, |tbs| tbs[0] = 0x31), error);
        assert_eq!(with_bytes(name, |tbs| tbs.truncate(tbs.len() - 1)), error);
        type Change = fn(&mut Vec<u8>);
        let changes: [Change; 7] = [
            |der| *der = vec![0x30, 0],
            |der| der.push(0),
            // Something after the signature, and part of the whole.
            |der| {
                der.extend([5, 0]);
                der[3] += 2;
            },
            |der| der[0] = 0x31,
            |der| der.truncate(der.len() - 1),
            |der| der[3] ^= 1,
            // The signature's bits are bytes: none of the last one's is left over.
            |der| {
                let end = der.len();
                let at = (end - 80..end - 64).find(|at| der[*at..].starts_with(&[0x03])).expect("a bit string");
                der[at + 2] = 1;
            },
        ];
        for change in changes {
            let refused = changed::<Parts>(Kind::Td15, |it| change(&mut it.certificates[name]));
            assert_eq!(refused.err(), error);
        }
    }
}

#[test]
fn certificates_are_at_most_4096_bytes_long() {
    const MOST: usize = 4096;
    let length = |plan: &Plan, name| plan.clone().unsigned().parts().certificates[name].len();
    for (certificate, name, _) in ALL {
        let mut plan = Plan::new(Kind::Td15, NOW);
        // Signatures have 70 to 72 bytes, so that the length of what is signed does not say that of the certificate.
        let paddings = (MOST - length(&plan, name) - 20..).flat_map(|size| (0..4).map(move |first| (size, first)));
        let exact = paddings.map(|(size, first)| {
            let mut value = vec![0; size];
            value[0] = first;
            extension("1.2.3.4", false, &value)
        });
        let exact = exact.into_iter().find(|extra| {
            plan.certificates[name].extra = vec![extra.clone()];
            length(&plan, name) == MOST
        });
        assert!(exact.is_some());
        let good = judge(&plan.clone().finish(), NOW, &Policy::strict());
        assert!(good.is_ok(), "{good:?}");

        plan.certificates[name].extra[0].value.extend([0; 8]);
        let found = length(&plan, name) as u32;
        let error = judge(&plan.finish(), NOW, &Policy::strict()).unwrap_err();
        assert_eq!(error, Error::CertificateTooLong { certificate, found, most: MOST as u32 });
    }
}

#[test]
fn each_certificate_has_intels_name_for_it() {
    for (certificate, name, _) in ALL {
        for found in ["Intel SGX", "intel sgx root ca", "Intel SGX Root CA ", "Intel SGX PCK Processor CB", ""] {
            let error = with(name, |it| it.subject.common_name = found.into());
            assert_eq!(error, Some(Error::CertificateName { certificate, found: found.into() }));
        }
    }
    let named = |name: CertificateName, found: &'static str| with(name, |it| it.subject.common_name = found.into());
    // What another of Intel's is called.
    for (certificate, name, found) in [
        (CertificateKind::PckCa, CertificateName::PlatformCa, "Intel SGX Root CA"),
        (CertificateKind::PckCa, CertificateName::PlatformCa, "Intel SGX TCB Signing"),
        (CertificateKind::PckCa, CertificateName::PlatformCa, "Intel SGX PCK Certificate"),
        (CertificateKind::TcbSigner, CertificateName::TcbSigner, "Intel SGX PCK Platform CA"),
        (CertificateKind::TcbSigner, CertificateName::TcbSigner, "Intel SGX Root CA"),
        (CertificateKind::Pck, CertificateName::Pck, "Intel SGX TCB Signing"),
    ] {
        assert_eq!(named(name, found), Some(Error::CertificateName { certificate, found: found.into() }));
    }
    // The organization is whatever it is, as long as issuer and subject are the same.
    let verified = changed::<Plan>(Kind::Td15, |it| it.certificates.pck.subject.organization = "Intel".into());
    assert!(verified.is_ok(), "{verified:?}");
}

#[test]
fn only_the_two_uses_may_be_critical() {
    for (certificate, name, _) in ALL {
        assert_eq!(with(name, |it| it.extra = vec![extension("1.2.3.4", false, &[5, 0])]), None);
        // Name constraints, policy constraints, and one that nobody knows.
        for found in ["2.5.29.30", "2.5.29.36", "1.2.3.4"] {
            let error = with(name, |it| it.extra = vec![extension(found, true, &[5, 0])]);
            assert_eq!(error, Some(Error::CriticalExtension { certificate, found: found.into() }));
        }
        // Extended key usage and name constraints limit what it is good for, whether they are critical or not.
        for found in ["2.5.29.37", "2.5.29.30"] {
            let error = with(name, |it| it.extra = vec![extension(found, false, &[0x30, 0])]);
            assert_eq!(error, Some(Error::CriticalExtension { certificate, found: found.into() }));
        }
    }
}

#[test]
fn extensions_are_there_once_and_well_formed() {
    for (certificate, name, issues) in ALL {
        let error = Some(Error::CertificateEncoding { certificate });
        let constraints = if issues { &[0x30, 3, 1, 1, 0xFF][..] } else { &[0x30, 0] };
        for twice in [
            vec![extension("2.5.29.19", true, constraints)],
            vec![extension("2.5.29.15", true, &[3, 2, 0, 0xFF])],
            vec![extension("1.2.3.4", false, &[5, 0]), extension("1.2.3.4", false, &[5, 0])],
        ] {
            assert_eq!(with(name, |it| it.extra.clone_from(&twice)), error);
        }
        // Sixteen at most.
        let there = if certificate == CertificateKind::Pck { 6 } else { 5 };
        let many =
            |count: u32| (0..count).map(|number| extension(&format!("1.2.3.{number}"), false, &[5, 0])).collect();
        assert_eq!(with(name, |it| it.extra = many(16 - there)), None);
        assert_eq!(with(name, |it| it.extra = many(17 - there)), error);
        // Distribution points of CRLs, and other names of the subject.
        assert_eq!(with(name, |it| it.extra = vec![extension("2.5.29.17", false, &[0x30, 0])]), None);
        for oid in ["2.5.29.31", "2.5.29.17"] {
            let error_of = |value: &[u8]| {
                with(name, |it| {
                    it.crl_distribution_point = None;
                    it.extra = vec![extension(oid, false, value)];
                })
            };
            assert_eq!(error_of(&[0x30, 0]), None);
            assert_eq!(error_of(&[5, 0]), error);
            assert_eq!(error_of(&[0x30, 0, 0]), error);
        }
    }
    // Numbers that tell its issuer, or its subject, from others of the same name, which nobody uses.
    let unreadable = Some(Error::CertificateEncoding { certificate: CertificateKind::Pck });
    for number in [0x81, 0x82] {
        let unique = [number, 2, 0, 1, 0xA3, 0x82];
        assert_eq!(with_bytes(CertificateName::Pck, |tbs| replace(tbs, &[0xA3, 0x82], &unique)), unreadable);
    }
}

#[test]
fn what_der_leaves_out_is_left_out() {
    // The subject key identifier's extension, and that it is not critical, which is so if nothing is said.
    let plain = [0x06, 3, 0x55, 0x1D, 0x0E];
    let said = [0x06, 3, 0x55, 0x1D, 0x0E, 0x01, 1, 0];
    for (certificate, name, _) in ALL {
        let error = with_bytes(name, |tbs| replace(tbs, &plain, &said));
        assert_eq!(error, Some(Error::CertificateEncoding { certificate }));
    }
}

#[test]
fn a_ca_says_that_it_is_one_and_nobody_else_does() {
    for (certificate, name, expected) in ALL {
        for (constraints, is_ca) in
            [(None, None), (Some(BasicConstraints { ca: !expected, path_length: None }), Some(!expected))]
        {
            let error = with(name, |it| it.basic_constraints = constraints);
            assert_eq!(error, Some(Error::BasicConstraints { certificate, is_ca, expected }));
        }
        // Something else in its place is not there.
        let error = with(name, |it| {
            it.basic_constraints = None;
            it.extra = vec![extension("2.5.29.19", true, &[5, 0])];
        });
        assert_eq!(error, Some(Error::BasicConstraints { certificate, is_ca: None, expected }));
    }
}

#[test]
fn the_key_usage_allows_what_the_key_is_used_for() {
    for (certificate, name, issues) in ALL {
        let (enough, too_little) = if issues {
            (vec![KEY_USAGE_ISSUES, KEY_USAGE_ISSUES | KEY_USAGE_SIGNS], vec![1 << 5, 1 << 6, KEY_USAGE_SIGNS])
        } else {
            (vec![1, KEY_USAGE_SIGNS], vec![1 << 1, KEY_USAGE_ISSUES, 1 << 7])
        };
        for usage in enough {
            assert_eq!(with(name, |it| it.key_usage = Some(usage)), None);
        }
        for usage in too_little.into_iter().map(Some).chain([None]) {
            let error = with(name, |it| it.key_usage = usage);
            assert_eq!(error, Some(Error::KeyUsage { certificate }), "{usage:?}");
        }
        let error = with(name, |it| {
            it.key_usage = None;
            it.extra = vec![extension("2.5.29.15", true, &[5, 0])];
        });
        assert_eq!(error, Some(Error::KeyUsage { certificate }));
    }
}

#[test]
fn each_certificate_names_its_issuer() {
    let other = || DistinguishedName::new("Intel SGX PCK Processor CA");
    for (certificate, name, _) in ALL {
        let expected = if name == CertificateName::Pck { IssuerKind::PlatformCa } else { IssuerKind::Root };
        let error = Some(Error::CertificateIssuer { certificate, expected });
        assert_eq!(with(name, |it| it.issuer = other()), error);
        // The same common name, but another organization, in the middle of which nobody looks.
        assert_eq!(with(name, |it| it.issuer.organization = "Intel Corporation".into()), error);
    }
}

#[test]
fn each_certificate_is_signed_by_its_issuer() {
    for (certificate, name, _) in ALL.into_iter().skip(1) {
        let error = Some(Error::CertificateSignature { certificate });
        for key in [STRANGER, Key::Attestation, Key::TcbSigner, Key::Pck, Key::ProcessorCa] {
            assert_eq!(with(name, |it| it.signed_by = key), error, "{key:?}");
        }
        // By another with the same name, and by itself.
        let own = Plan::default().certificates[name].key;
        assert_eq!(with(name, |it| it.signed_by = own), error);
    }
    // The root's own signature is nobody's word for anything; who gives the root vouches for it.
    assert_eq!(with(CertificateName::Root, |it| it.signed_by = STRANGER), None);
}

#[test]
fn another_root_signs_nothing() {
    let other = root("another");
    refused::<Signed>(
        &KINDS,
        &[
            (|it| it.root.clear(), Error::CertificateEncoding { certificate: CertificateKind::Root }),
            (
                |it| it.root = root("another"),
                // It has the same name.
                Error::DocumentSignature { document: Document::RootCrl },
            ),
        ],
    );
    let found = Issuer::root(&other).expect("a root");
    assert_eq!((found.kind, found.not_after), (IssuerKind::Root, 2_524_607_999));
    let error = verify_issuer_of(CertificateName::PlatformCa, CertificateKind::PckCa, &found);
    assert_eq!(error, Some(Error::CertificateSignature { certificate: CertificateKind::PckCa }));
}

fn verify_issuer_of(name: CertificateName, kind: CertificateKind, root: &Issuer) -> Option<Error> {
    let plan = Plan::new(Kind::Td15, NOW);
    let kept = Kept::new(&plan);
    let der = &plan.unsigned().parts().certificates[name];
    verify_issuer(kind, der, root, &kept.root_crl, Moment::at(NOW)).err()
}

#[test]
fn an_issuer_is_one_of_three() {
    let root = Kept::new(&Plan::new(Kind::Td15, NOW)).root;
    for (certificate, name, _) in ALL {
        let found = Plan::default().certificates[name].subject.common_name.clone();
        for kind in [CertificateKind::Root, CertificateKind::PckCa, CertificateKind::Pck, CertificateKind::TcbSigner] {
            let fits = kind == certificate && [CertificateKind::PckCa, CertificateKind::TcbSigner].contains(&kind);
            let expected = (!fits).then(|| Error::CertificateName { certificate: kind, found: found.clone() });
            assert_eq!(verify_issuer_of(name, kind, &root), expected);
        }
    }
}

#[test]
fn only_pck_cas_issue_pck_certificates() {
    let plan = Plan::new(Kind::Td15, NOW);
    let kept = Kept::new(&plan);
    let der = &plan.unsigned().parts().certificates.pck;
    let certificate = CertificateKind::Pck;
    for ca in [&kept.root, &kept.tcb_signer] {
        let error = verify_pck(der, ca, &kept.pck_crl, Moment::at(NOW)).unwrap_err();
        assert_eq!(error, Error::CertificateIssuer { certificate, expected: IssuerKind::PlatformCa });
    }
    let processor = Issuer { kind: IssuerKind::ProcessorCa, name: [7; 32], ..kept.ca.clone() };
    let error = verify_pck(der, &processor, &kept.pck_crl, Moment::at(NOW)).unwrap_err();
    assert_eq!(error, Error::CertificateIssuer { certificate, expected: IssuerKind::ProcessorCa });
    assert_eq!(verify_pck(der, &kept.ca, &kept.pck_crl, Moment::at(NOW)).as_ref(), Ok(&kept.pck));
}
