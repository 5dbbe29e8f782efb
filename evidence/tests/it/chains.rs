//! Chains of certificates: what is PEM, how many there are, and where they end.

use holdfast_evidence::{
    certificates,
    mock::{root, CertificateName, Key, KeyIdentifier, Kind, Parts, Plan, Revoked, Signed, Unsigned, KEY_USAGE_ISSUES},
    CertificateKind, Document, Error, Hex, IssuerKind, Part, Quote,
};

use crate::case::{changed, refused, NOW};

/// A chain of the collateral, or the one in its place that is otherwise in the quote.
type Chain = fn(&mut Signed) -> &mut String;

fn chains() -> [(Part, Chain); 4] {
    [
        (Part::PckCrlIssuerChain, |it| &mut it.collateral.pck_crl_issuer_chain),
        (Part::TcbInfoIssuerChain, |it| &mut it.collateral.tcb_info_issuer_chain),
        (Part::QeIdentityIssuerChain, |it| &mut it.collateral.qe_identity_issuer_chain),
        (Part::PckChain, |it| {
            let quote = Quote::parse(&it.quote).expect("a quote");
            let chain = quote.pck_chain().expect("a chain").strip_suffix(&[0]).expect("a zero at its end");
            let chain = String::from_utf8(chain.to_vec()).expect("ASCII");
            it.collateral.pck_certificate_chain.get_or_insert(chain)
        }),
    ]
}

/// Why a quote is refused that is good but for this change of a chain.
fn with(chain: Chain, change: impl Fn(&mut String)) -> Option<Error> {
    changed::<Signed>(Kind::TdV4, |it| change(chain(it))).err()
}

#[test]
fn chains_are_certificates_in_pem_and_nothing_else() {
    for (part, chain) in chains() {
        assert_eq!(with(chain, |_| ()), None);
        type Change = fn(&mut String);
        let good: [Change; 6] = [
            |pem| pem.insert_str(0, "\n \r\n"),
            |pem| pem.push_str("\r\n\n\t "),
            |pem| *pem = pem.trim_end().into(),
            |pem| *pem = pem.replace('\n', "\r\n"),
            |pem| *pem = pem.replace("-----\n-----", "-----\n\n-----"),
            |pem| pem.push('\0'),
        ];
        for change in good {
            assert_eq!(with(chain, change), None, "{part}");
        }
        let bad: [Change; 12] = [
            String::clear,
            |pem| *pem = " \n".into(),
            |pem| *pem = "\0".into(),
            |pem| pem.insert(0, 'x'),
            |pem| pem.push('x'),
            |pem| pem.push_str("\0\0"),
            |pem| *pem = pem.replace("-----\n-----", "-----\nx\n-----"),
            |pem| *pem = pem.replace("CERTIFICATE", "X509 CRL"),
            |pem| *pem = pem.replacen("BEGIN CERTIFICATE", "BEGIN PUBLIC KEY", 1),
            |pem| *pem = pem.replacen("-----END CERTIFICATE-----", "", 2),
            |pem| *pem = pem.replacen("MI", "M!", 1),
            |pem| {
                pem.pop();
                pem.pop();
            },
        ];
        for change in bad {
            assert_eq!(with(chain, change), Some(Error::Pem { part }));
        }
    }
}

#[test]
fn chains_have_at_most_three_certificates() {
    for (part, chain) in chains() {
        let many = Some(Error::CertificateCount { part, most: 3 });
        assert_eq!(with(chain, |pem| *pem = pem.repeat(2)), many);
        // They are counted before they are decoded, and measured before that, so that a thousand cost no more than four.
        let tiny = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for count in [4, 18 * 1024 / tiny.len()] {
            assert_eq!(with(chain, |pem| *pem = tiny.repeat(count)), many);
        }
        for count in [1000, 100_000] {
            let found = (tiny.len() * count) as u32;
            let long = Some(Error::TooLong { part, found, most: 18 * 1024 });
            assert_eq!(with(chain, |pem| *pem = tiny.repeat(count)), long);
        }
    }
    // As many as fit into a quote.
    for kind in Kind::ALL {
        let tiny = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let refused = changed::<Parts>(kind, |it| it.framing.certification_data = Some(tiny.repeat(200)));
        assert_eq!(refused.err(), Some(Error::CertificateCount { part: Part::PckChain, most: 3 }));
    }
    assert_eq!(certificates(Part::PckChain, b"-----BEGIN CERTIFICATE-----"), Err(Error::Pem { part: Part::PckChain }));
}

#[test]
fn a_pck_certificate_needs_its_issuer() {
    let part = Part::PckChain;
    refused::<Plan>(
        &Kind::ALL,
        &[
            (|it| it.chains.quote.truncate(1), Error::IssuerMissing { part: Part::PckChain }),
            (|it| it.chains.quote = vec![CertificateName::Root], Error::IssuerMissing { part: Part::PckChain }),
        ],
    );
    let error = changed::<Plan>(Kind::Sgx, |it| it.chains.pck = Some(vec![CertificateName::Pck])).unwrap_err();
    assert_eq!(error, Error::IssuerMissing { part });
}

#[test]
fn chains_need_not_have_the_root_and_have_no_other() {
    let names = |it: &mut Plan, part| match part {
        Part::PckChain => it.chains.quote.clone(),
        Part::PckCrlIssuerChain => it.chains.pck_crl_issuer.clone(),
        Part::TcbInfoIssuerChain => it.chains.tcb_info_issuer.clone(),
        _ => it.chains.qe_identity_issuer.clone(),
    };
    let set = |it: &mut Plan, part, names| match part {
        Part::PckChain => it.chains.quote = names,
        Part::PckCrlIssuerChain => it.chains.pck_crl_issuer = names,
        Part::TcbInfoIssuerChain => it.chains.tcb_info_issuer = names,
        _ => it.chains.qe_identity_issuer = names,
    };
    for (part, _) in chains() {
        let without = changed::<Plan>(Kind::TdV4, |it| {
            let mut chain = names(it, part);
            chain.pop();
            set(it, part, chain);
        });
        assert!(without.is_ok(), "{without:?}");
        // Another root with the same name and key; one with another key; any other certificate.
        let mut differs = vec![CertificateName::PlatformCa, CertificateName::Pck, CertificateName::TcbSigner];
        differs.extend([CertificateName::Other(0), CertificateName::Other(1)]);
        for last in differs {
            let refused = changed::<Plan>(Kind::TdV4, |it| {
                let mut same_key = it.certificates.root.clone();
                same_key.serial = vec![7; 20];
                let other = Key::Other("another root");
                let mut other_key = it.certificates.root.clone();
                (other_key.key, other_key.signed_by) = (other, other);
                other_key.subject_key_identifier = Some(KeyIdentifier::Of(other));
                it.certificates.others = vec![same_key, other_key];
                let mut chain = names(it, part);
                *chain.last_mut().expect("a root") = last;
                set(it, part, chain);
            });
            assert_eq!(refused.err(), Some(Error::RootDiffers { part }), "{last:?}");
        }
    }
    // Nor is there anything between an issuer and the root.
    for (part, _) in chains().into_iter().take(3) {
        let refused = changed::<Plan>(Kind::TdV4, |it| {
            let mut chain = names(it, part);
            chain.push(CertificateName::Root);
            set(it, part, chain);
        });
        assert_eq!(refused.err(), Some(Error::RootDiffers { part }));
    }
    assert_ne!(root("another"), root("one"));
}

#[test]
fn a_chain_in_the_wrong_order_is_refused() {
    let certificate = CertificateKind::PckCa;
    let found = |name: &str| Error::CertificateName { certificate, found: name.into() };
    let error = changed::<Plan>(Kind::Td15, |it| it.chains.quote.swap(0, 1)).unwrap_err();
    assert_eq!(error, found("Intel SGX PCK Certificate"));
    // One that was good elsewhere is not good here.
    let error = changed::<Plan>(Kind::Td15, |it| it.chains.quote[1] = CertificateName::TcbSigner).unwrap_err();
    assert_eq!(error, found("Intel SGX TCB Signing"));
    let error = changed::<Plan>(Kind::Td15, |it| it.chains.quote.swap(1, 2)).unwrap_err();
    assert_eq!(error, Error::RootDiffers { part: Part::PckChain });
    let error = changed::<Plan>(Kind::Td15, |it| it.chains.pck_crl_issuer.reverse()).unwrap_err();
    assert_eq!(error, Error::RootDiffers { part: Part::PckCrlIssuerChain });
}

#[test]
fn nobody_below_a_pck_certificate_is_certified() {
    // Whoever has a platform's PCK, or broke into one, signs a certificate for another with it.
    let forge = |it: &mut Plan| {
        let forger = Key::Other("forger");
        let mut forged = it.certificates.pck.clone();
        (forged.key, forged.serial) = (forger, vec![9; 20]);
        forged.issuer = it.certificates.pck.subject.clone();
        forged.signed_by = Key::Pck;
        it.certificates.others = vec![forged];
        it.qe_report_signed_by = forger;
        it.chains.quote = vec![CertificateName::Other(0), CertificateName::Pck, CertificateName::PlatformCa];
    };
    let part = Part::PckChain;
    assert_eq!(changed::<Plan>(Kind::Td15, forge).unwrap_err(), Error::RootDiffers { part });
    let certificate = CertificateKind::PckCa;
    let error = changed::<Plan>(Kind::Td15, |it| {
        forge(it);
        it.chains.quote.pop();
    });
    let found = "Intel SGX PCK Certificate".into();
    assert_eq!(error.unwrap_err(), Error::CertificateName { certificate, found });
    // Issued by the platform CA to itself, that is to whoever calls himself so.
    let error = changed::<Plan>(Kind::Td15, |it| {
        forge(it);
        it.chains.quote.pop();
        it.certificates.pck.subject = it.certificates.platform_ca.subject.clone();
    });
    let refused = Error::BasicConstraints { certificate, is_ca: Some(false), expected: true };
    assert_eq!(error.unwrap_err(), refused);
    let error = changed::<Plan>(Kind::Td15, |it| {
        forge(it);
        it.chains.quote.pop();
        it.certificates.pck.subject = it.certificates.platform_ca.subject.clone();
        it.certificates.pck.basic_constraints = it.certificates.platform_ca.basic_constraints;
        it.certificates.pck.key_usage = Some(KEY_USAGE_ISSUES);
    });
    assert_eq!(error.unwrap_err(), Error::CertificateIssuer { certificate, expected: IssuerKind::Root });
}

#[test]
fn collateral_is_not_signed_by_whoever_has_a_certificate() {
    let certificate = CertificateKind::TcbSigner;
    let named = |found: &str| Error::CertificateName { certificate, found: found.into() };
    let pck = || named("Intel SGX PCK Certificate");
    let platform = || named("Intel SGX PCK Platform CA");
    let stranger = || Error::CertificateSignature { certificate };
    // TCB info, then QE identity: by the platform's PCK, by the CA of PCK certificates, by a stranger who certified
    // himself, by one whom a PCK certified, by one whom the platform CA certified.
    type Change = fn(&mut Plan);
    let tcb_info: [(Change, Error); 3] = [
        (
            |it| {
                it.tcb_info_signed_by = Key::Pck;
                it.chains.tcb_info_issuer = vec![CertificateName::Pck, CertificateName::Root];
            },
            pck(),
        ),
        (
            |it| {
                it.tcb_info_signed_by = Key::PlatformCa;
                it.chains.tcb_info_issuer = vec![CertificateName::PlatformCa, CertificateName::Root];
            },
            platform(),
        ),
        (
            |it| {
                it.tcb_info_signed_by = other_signer(it, Key::Other("stranger"));
                it.chains.tcb_info_issuer = vec![CertificateName::Other(0), CertificateName::Root];
            },
            stranger(),
        ),
    ];
    refused::<Plan>(&Kind::ALL, &tcb_info);
    let qe_identity: [(Change, Error); 3] = [
        (
            |it| {
                it.qe_identity_signed_by = Key::Pck;
                it.chains.qe_identity_issuer = vec![CertificateName::Pck, CertificateName::Root];
            },
            pck(),
        ),
        (
            |it| {
                it.qe_identity_signed_by = Key::PlatformCa;
                it.chains.qe_identity_issuer = vec![CertificateName::PlatformCa, CertificateName::Root];
            },
            platform(),
        ),
        (
            |it| {
                it.qe_identity_signed_by = other_signer(it, Key::Other("stranger"));
                it.chains.qe_identity_issuer = vec![CertificateName::Other(0), CertificateName::Root];
            },
            stranger(),
        ),
    ];
    refused::<Plan>(&Kind::ALL, &qe_identity);
    // Certified by the platform CA or the PCK: said so, or not.
    for by in [Key::PlatformCa, Key::Pck] {
        let refused = changed::<Plan>(Kind::Td15, |it| it.certificates.tcb_signer.signed_by = by).unwrap_err();
        assert_eq!(refused, Error::CertificateSignature { certificate });
        let refused = changed::<Plan>(Kind::Td15, |it| {
            let issuer = if by == Key::Pck { &it.certificates.pck } else { &it.certificates.platform_ca };
            it.certificates.tcb_signer.issuer = issuer.subject.clone();
            it.certificates.tcb_signer.signed_by = by;
        });
        assert_eq!(refused.unwrap_err(), Error::CertificateIssuer { certificate, expected: IssuerKind::Root });
    }
}

/// Adds a certificate of a signer of collateral whose key this is, signed with that key.
fn other_signer(it: &mut Plan, key: Key) -> Key {
    let mut other = it.certificates.tcb_signer.clone();
    (other.key, other.signed_by, other.serial) = (key, key, vec![9; 20]);
    it.certificates.others = vec![other];
    key
}

#[test]
fn two_signers_of_collateral_are_each_verified() {
    let second = |it: &mut Plan| {
        let key = Key::Other("second TCB signing");
        let mut second = it.certificates.tcb_signer.clone();
        (second.key, second.serial) = (key, vec![9; 20]);
        it.certificates.others = vec![second];
        it.chains.qe_identity_issuer[0] = CertificateName::Other(0);
        it.qe_identity_signed_by = key;
    };
    let verified = changed::<Plan>(Kind::Td15, second);
    assert!(verified.is_ok(), "{verified:?}");
    let certificate = CertificateKind::TcbSigner;
    let error = changed::<Plan>(Kind::Td15, |it| {
        second(it);
        it.certificates.others[0].signed_by = Key::Other("stranger");
    });
    assert_eq!(error.unwrap_err(), Error::CertificateSignature { certificate });
    let error = changed::<Plan>(Kind::Td15, |it| {
        second(it);
        it.certificates.others[0].not_after = NOW - 1;
    });
    assert_eq!(error.unwrap_err(), Error::CertificateExpired { certificate, not_after: NOW - 1, now: NOW });
    let serial: Hex = [9; 20].into();
    let error = changed::<Plan>(Kind::Td15, |it| {
        second(it);
        it.crls.root.revoked = vec![Revoked::new(vec![9; 20], NOW)];
    });
    assert_eq!(error.unwrap_err(), Error::CertificateRevoked { certificate, serial });
    let error = changed::<Unsigned>(Kind::Td15, |it| it.qe_identity_signed_by = Key::Other("second TCB signing"));
    let document = Document::QeIdentity;
    assert_eq!(error.unwrap_err(), Error::DocumentSignature { document });
}
