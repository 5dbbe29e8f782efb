//! The form of a quote: what is looked at before any signature.

use holdfast_evidence::{
    mock::{BodyKind, Kind, Parts, Plan, Signed},
    verify, verify_quote, Error, Part, Policy, Quote, ReportData, SignedReport,
};

use crate::case::{changed, judge, refused, Kept, Row, Stage, NOW, TDS};

const INTEL_QE: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];

#[test]
fn versions_3_to_5_are_known() {
    refused::<Plan>(
        &Kind::ALL,
        &[
            (|it| it.header.version = 0, Error::QuoteVersion { found: 0 }),
            (|it| it.header.version = 2, Error::QuoteVersion { found: 2 }),
            (|it| it.header.version = 6, Error::QuoteVersion { found: 6 }),
            (|it| it.header.version = u16::MAX, Error::QuoteVersion { found: u16::MAX }),
        ],
    );
}

#[test]
fn the_attestation_key_is_on_p256() {
    let expected = 2;
    refused::<Plan>(
        &Kind::ALL,
        &[
            (|it| it.header.attestation_key_type = 0, Error::AttestationKeyType { found: 0, expected }),
            // ECDSA over P-384, which Intel's library names but no QE makes.
            (|it| it.header.attestation_key_type = 3, Error::AttestationKeyType { found: 3, expected }),
            (|it| it.header.attestation_key_type = 0x0200, Error::AttestationKeyType { found: 0x0200, expected }),
        ],
    );
}

#[test]
fn the_tee_fits_the_version() {
    for (kind, version) in [(Kind::Sgx, 3), (Kind::TdV4, 4), (Kind::Td10, 5), (Kind::Td15, 5), (Kind::Td15Ex, 5)] {
        let other = if version == 3 { 0x81 } else { 0 };
        for found in [other, 1, 0x80, 0x8100, u32::MAX] {
            let error = changed::<Plan>(kind, |it| it.header.tee_type = found).unwrap_err();
            assert_eq!(error, Error::TeeType { version, found });
        }
    }
    // A version says which TEE it is for, whatever the body.
    refused::<Plan>(&[Kind::Sgx], &[(|it| it.header.version = 4, Error::TeeType { version: 4, found: 0 })]);
    refused::<Plan>(&TDS, &[(|it| it.header.version = 3, Error::TeeType { version: 3, found: 0x81 })]);
}

#[test]
fn the_quoting_enclave_is_intels() {
    for kind in Kind::ALL {
        for byte in 0..16 {
            let mut found = INTEL_QE;
            found[byte] ^= 0x80;
            let error = changed::<Plan>(kind, |it| it.header.qe_vendor_id = found).unwrap_err();
            assert_eq!(error, Error::QeVendor { found: found.into(), expected: INTEL_QE.into() });
        }
    }
}

#[test]
fn what_the_header_says_of_versions_and_users_is_not_judged() {
    for kind in Kind::ALL {
        let verified = changed::<Plan>(kind, |it| {
            (it.header.qe_svn, it.header.pce_svn, it.header.user_data) = (0xFFFF, 0, [7; 20]);
        });
        assert!(verified.is_ok(), "{verified:?}");
    }
    let mut plan = Plan::new(Kind::Sgx, NOW);
    (plan.header.qe_svn, plan.header.pce_svn, plan.header.user_data) = (0x0102, 0x0304, [7; 20]);
    let header = Quote::parse(&plan.finish().quote).expect("a quote").header;
    assert_eq!((header.version, header.qe_svn, header.pce_svn, header.user_data), (3, 0x0102, 0x0304, [7; 20]));
}

#[test]
fn bodies_have_a_known_type_and_its_size() {
    for kind in [Kind::Td10, Kind::Td15, Kind::Td15Ex] {
        // 1 is an enclave's, which no quoting enclave puts into version 5 with a TD's TEE type.
        for found in [0, 1, 5, u16::MAX] {
            let error =
                changed::<Plan>(kind, |it| it.descriptor.as_mut().expect("version 5").body_type = found).unwrap_err();
            assert_eq!(error, Error::BodyType { found });
        }
        let descriptor = Plan::new(kind, NOW).descriptor.expect("version 5");
        let (body_type, expected) = (descriptor.body_type, descriptor.size);
        for found in [0, 1, expected - 1, expected + 1, u32::MAX - 1, u32::MAX] {
            let error =
                changed::<Plan>(kind, |it| it.descriptor.as_mut().expect("version 5").size = found).unwrap_err();
            assert_eq!(error, Error::BodySize { body_type, found, expected });
        }
    }
    // A TDX 1.5 body that calls itself one of TDX 1.0, with the size of that: what follows is read as lengths.
    let error = changed::<Plan>(Kind::Td15, |it| it.descriptor = it.body.descriptor().into()).err();
    assert_eq!(error, None);
    let error = changed::<Plan>(Kind::Td15, |it| {
        it.descriptor = Some(BodyKind::Td10.descriptor());
        it.td.tee_tcb_svn2 = [0xFF; 16];
    });
    assert!(matches!(error, Err(Error::Truncated { part: Part::Quote, needed: u32::MAX, .. })), "{error:?}");
}

#[test]
fn certification_data_has_the_type_that_is_read() {
    for kind in TDS {
        for found in [0, 1, 5, 7, u16::MAX] {
            let error = changed::<Plan>(kind, |it| it.framing.outer_type = found).unwrap_err();
            assert_eq!(error, Error::CertificationDataType { found, expected: 6 });
        }
    }
    for kind in Kind::ALL {
        // 1 to 3 name a platform whose chain is elsewhere, 4 is a leaf alone.
        for found in [0, 1, 2, 3, 4, 6, 7, u16::MAX] {
            let error = changed::<Plan>(kind, |it| it.framing.certification_type = found).unwrap_err();
            assert_eq!(error, Error::CertificationDataType { found, expected: 5 });
        }
    }
}

#[test]
fn a_quote_without_a_chain_takes_that_of_the_collateral() {
    for kind in Kind::ALL {
        let verified = changed::<Plan>(kind, |it| {
            it.chains.pck = Some(it.chains.quote.clone());
            it.framing.certification_type = 3;
            it.framing.certification_data = Some(vec![0; 36]);
        });
        assert!(verified.is_ok(), "{verified:?}");
        // And where both have one, the collateral's counts.
        let error = changed::<Plan>(kind, |it| it.chains.pck = Some(vec![])).unwrap_err();
        assert_eq!(error, Error::Pem { part: Part::PckChain });
    }
}

#[test]
fn authentication_data_is_32_bytes() {
    for kind in Kind::ALL {
        for found in [0, 1, 31, 33, u16::MAX - 1, u16::MAX] {
            let expected = Error::AuthDataLength { found, expected: 32 };
            let error = changed::<Plan>(kind, |it| it.framing.auth_data_length = Some(found)).unwrap_err();
            assert_eq!(error, expected);
        }
        for found in [0, 31, 33] {
            let error = changed::<Plan>(kind, |it| it.auth_data.resize(found.into(), 1)).unwrap_err();
            assert_eq!(error, Error::AuthDataLength { found, expected: 32 });
        }
    }
}

#[test]
fn what_follows_the_last_length_is_no_part_of_a_quote() {
    for kind in Kind::ALL {
        let plain = changed::<Plan>(kind, |_| ()).expect("good");
        for trailing in [vec![0; 70], vec![0xFF; 1], b"-----BEGIN CERTIFICATE-----".to_vec()] {
            let padded = changed::<Parts>(kind, |it| it.framing.trailing = trailing);
            assert_eq!(padded.as_ref(), Ok(&plain));
        }
    }
}

#[test]
fn nothing_follows_inside_a_quote() {
    refused::<Parts>(
        &TDS,
        &[(
            |it| it.framing.outer_trailing = vec![0; 2],
            Error::TrailingBytes { part: Part::CertificationData, found: 2 },
        )],
    );
    refused::<Parts>(
        &Kind::ALL,
        &[(
            |it| it.framing.signature_data_trailing = vec![0; 3],
            Error::TrailingBytes { part: Part::SignatureData, found: 3 },
        )],
    );
    // What is signed is header and report, and ends there.
    let kept = Kept::new(&Plan::new(Kind::Td15, NOW));
    let SignedReport { mut bytes, signature } =
        Quote::parse(&Plan::new(Kind::Td15, NOW).finish().quote).expect("a quote").signed;
    bytes.try_push(0).expect("room for 885 bytes");
    let longer = verify_quote(&SignedReport { bytes, signature }, &kept.attestation_key);
    assert_eq!(longer, Err(Error::TrailingBytes { part: Part::Quote, found: 1 }));
}

#[test]
fn quotes_are_at_most_16_kib_long() {
    let most = 16 * 1024;
    for kind in Kind::ALL {
        let mut signed = Plan::new(kind, NOW).finish();
        signed.quote.resize(most, 0);
        assert!(judge(&signed, NOW, &Policy::strict()).is_ok());
        for found in [most + 1, most * 16] {
            let error = changed::<Signed>(kind, |it| it.quote.resize(found, 0)).unwrap_err();
            assert_eq!(error, Error::TooLong { part: Part::Quote, found: found as u32, most: most as u32 });
        }
    }
}

/// Where the lengths of a mock quote stand, and what follows each.
struct Lengths {
    signature_data: u32,
    outer: u32,
    chain: u32,
}

fn lengths(kind: Kind) -> Lengths {
    let quote = Quote::parse(&Plan::new(kind, NOW).finish().quote).expect("a quote");
    let chain = quote.certification_data.1.len() as u32;
    // The QE's report, its signature, the authentication data with its length, and type and length of the chain.
    let outer = 384 + 64 + 2 + 32 + 6 + chain;
    let nested = if kind == Kind::Sgx { 0 } else { 6 };
    Lengths { signature_data: 64 + 64 + nested + outer, outer, chain }
}

#[test]
fn the_length_of_the_signature_data_is_exact() {
    for kind in Kind::ALL {
        let Lengths { signature_data: length, outer, chain } = lengths(kind);
        let ends = |part, needed, found| Error::Truncated { part, needed, found };
        let short = match kind {
            Kind::Sgx => ends(Part::SignatureData, chain, chain - 1),
            _ => ends(Part::SignatureData, outer, outer - 1),
        };
        for (found, error) in [
            (0, ends(Part::SignatureData, 64, 0)),
            (1, ends(Part::SignatureData, 64, 1)),
            (length - 1, short),
            (length + 1, ends(Part::Quote, length + 1, length)),
            (u32::MAX - 1, ends(Part::Quote, u32::MAX - 1, length)),
            (u32::MAX, ends(Part::Quote, u32::MAX, length)),
        ] {
            let refused = changed::<Parts>(kind, |it| it.framing.signature_data_length = Some(found));
            assert_eq!(refused.unwrap_err(), error, "{kind:?} {found}");
        }
        // With something behind it that it can cover.
        let refused = changed::<Parts>(kind, |it| {
            it.framing.signature_data_length = Some(length + 1);
            it.framing.trailing = vec![0];
        });
        assert_eq!(refused.unwrap_err(), Error::TrailingBytes { part: Part::SignatureData, found: 1 });
    }
}

#[test]
fn the_length_of_the_certification_data_is_exact() {
    for kind in TDS {
        let Lengths { outer: length, chain, .. } = lengths(kind);
        let ends = |part, needed, found| Error::Truncated { part, needed, found };
        for (found, error) in [
            (0, Error::TrailingBytes { part: Part::SignatureData, found: length }),
            (1, Error::TrailingBytes { part: Part::SignatureData, found: length - 1 }),
            (length - 1, Error::TrailingBytes { part: Part::SignatureData, found: 1 }),
            (length + 1, ends(Part::SignatureData, length + 1, length)),
            (u32::MAX - 1, ends(Part::SignatureData, u32::MAX - 1, length)),
            (u32::MAX, ends(Part::SignatureData, u32::MAX, length)),
        ] {
            let refused = changed::<Parts>(kind, |it| it.framing.outer_length = Some(found));
            assert_eq!(refused.unwrap_err(), error, "{kind:?} {found}");
        }
        // One that is too short, with the others made to fit it.
        let refused = changed::<Parts>(kind, |it| {
            it.framing.outer_length = Some(length - 1);
            it.framing.signature_data_length = Some(64 + 64 + 6 + length - 1);
        });
        assert_eq!(refused.unwrap_err(), ends(Part::CertificationData, chain, chain - 1));
    }
}

#[test]
fn the_length_of_the_chain_is_exact() {
    for kind in Kind::ALL {
        let length = lengths(kind).chain;
        let part = if kind == Kind::Sgx { Part::SignatureData } else { Part::CertificationData };
        for (found, error) in [
            (0, Error::TrailingBytes { part, found: length }),
            (1, Error::TrailingBytes { part, found: length - 1 }),
            (length - 1, Error::TrailingBytes { part, found: 1 }),
            (length + 1, Error::Truncated { part, needed: length + 1, found: length }),
            (u32::MAX - 1, Error::Truncated { part, needed: u32::MAX - 1, found: length }),
            (u32::MAX, Error::Truncated { part, needed: u32::MAX, found: length }),
        ] {
            let refused = changed::<Parts>(kind, |it| it.framing.certification_length = Some(found));
            assert_eq!(refused.unwrap_err(), error, "{kind:?} {found}");
        }
    }
}

#[test]
fn whatever_a_mock_quote_is_cut_to_is_refused() {
    for kind in Kind::ALL {
        let mut signed = Plan::new(kind, NOW).finish();
        while signed.quote.pop().is_some() {
            let error = judge(&signed, NOW, &Policy::strict()).unwrap_err();
            assert!(matches!(error, Error::Truncated { part: Part::Quote, .. }), "{}: {error:?}", signed.quote.len());
        }
    }
}

#[test]
fn whatever_is_left_out_inside_a_mock_quote_is_refused() {
    let rows: [Row<Parts>; 3] = [
        (|it| it.framing.certification_data = Some(vec![]), Error::Pem { part: Part::PckChain }),
        (|it| it.framing.certification_data = Some(vec![0]), Error::Pem { part: Part::PckChain }),
        (|it| it.chains.quote.clear(), Error::Pem { part: Part::PckChain }),
    ];
    refused(&Kind::ALL, &rows);
}

#[test]
fn a_quote_says_what_it_has_to_say_or_is_not_looked_at() {
    for kind in Kind::ALL {
        let Signed { quote, collateral, root } = Plan::new(kind, NOW).finish();
        let with = |expected| verify(&quote, &collateral, &root, NOW, &Policy::strict(), expected);
        let found = *with(ReportData::Any).expect("a good quote").report.report_data();
        assert_eq!(with(ReportData::Exactly(found)), with(ReportData::Any));
        for byte in [0, 31, 32, 63] {
            let mut expected = found;
            expected[byte] ^= 1;
            let error = Error::ReportData { found: found.into(), expected: expected.into() };
            assert_eq!(with(ReportData::Exactly(expected)), Err(error));
        }
    }
}
