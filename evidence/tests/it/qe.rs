//! The quoting enclave: that it is Intel's, that the platform's PCK vouches for it, and it for the attestation key, and
//! that key for the quote.

use holdfast_evidence::{
    mock::{qe_report_data, EnclaveReport, Key, Kind, Parts, Plan, Platform, QeIdentity, Unsigned},
    Error, Hex, TcbStatus, Tee,
};

use crate::case::{any_status, changed, changed_by, refused, Row, DAY, NOW, TDS};

fn hex(bytes: &[u8]) -> Hex {
    bytes.into()
}

/// SHA-256 of the attestation key and the authentication data of every mock quote.
fn named() -> Vec<u8> {
    let plan = Plan::new(Kind::Sgx, NOW);
    qe_report_data(&plan.seed.public_key(Key::Attestation), &plan.auth_data)[..32].to_vec()
}

#[test]
fn the_platforms_pck_signs_the_report() {
    let rows: [Row<Plan>; 4] = [
        // A rogue QE: of another platform, of whoever only has this one's certificate, or itself.
        (|it| it.qe_report_signed_by = Key::Other("another PCK"), Error::QeReportSignature),
        (|it| it.qe_report_signed_by = Key::Attestation, Error::QeReportSignature),
        (|it| it.qe_report_signed_by = Key::PlatformCa, Error::QeReportSignature),
        (|it| it.certificates.pck.key = Key::Other("another PCK"), Error::QeReportSignature),
    ];
    refused(&Kind::ALL, &rows);
    let rows: [Row<Parts>; 4] = [
        (|it| it.qe_report_signature[0] ^= 1, Error::QeReportSignature),
        (|it| it.qe_report_signature.fill(0), Error::QeReportSignature),
        (|it| it.qe_report_signature.rotate_left(32), Error::QeReportSignature),
        // Its CPUSVN and MRENCLAVE, which nobody else looks at.
        (|it| it.qe_report[0] ^= 1, Error::QeReportSignature),
    ];
    refused(&Kind::ALL, &rows);
}

#[test]
fn whatever_is_changed_in_the_report_is_not_what_was_signed() {
    for index in (0..384).step_by(3) {
        let error = changed::<Parts>(Kind::Td15, |it| it.qe_report[index] ^= 0x80).unwrap_err();
        let looked_at = match index {
            16..20 => matches!(error, Error::QeMiscSelect { .. }),
            // ATTRIBUTES: the flags are compared, XFRM is not.
            48..56 => matches!(error, Error::QeAttributes { .. }),
            128..160 => matches!(error, Error::QeSigner { .. }),
            256 | 257 => matches!(error, Error::QeProduct { .. }),
            320..352 => matches!(error, Error::AttestationKeyHash { .. }),
            352..384 => matches!(error, Error::QeReportDataTail { .. }),
            _ => error == Error::QeReportSignature,
        };
        assert!(looked_at, "{index}: {error:?}");
    }
}

#[test]
fn the_report_names_the_attestation_key() {
    let expected = Hex(named());
    for kind in Kind::ALL {
        for found in [[0; 64], [0xFF; 64]] {
            let error = changed::<Plan>(kind, |it| it.qe_report_data = Some(found)).unwrap_err();
            assert_eq!(error, Error::AttestationKeyHash { found: hex(&found[..32]), expected: expected.clone() });
        }
        // Another key, which nobody certified, signs the quote.
        let plan = Plan::new(kind, NOW);
        let other = plan.seed.public_key(Key::Other("another attestation key"));
        let error = changed::<Unsigned>(kind, |it| {
            it.attestation_key = other;
            it.quote_signed_by = Key::Other("another attestation key");
        });
        let expected = Hex(qe_report_data(&other, &plan.auth_data)[..32].to_vec());
        assert_eq!(error.unwrap_err(), Error::AttestationKeyHash { found: Hex(named()), expected });
        // Other authentication data.
        let error = changed::<Unsigned>(kind, |it| it.auth_data[31] ^= 1).unwrap_err();
        let mut data = plan.auth_data.clone();
        data[31] ^= 1;
        let expected = Hex(qe_report_data(&plan.seed.public_key(Key::Attestation), &data)[..32].to_vec());
        assert_eq!(error, Error::AttestationKeyHash { found: Hex(named()), expected });
        let verified = changed::<Plan>(kind, |it| it.auth_data = vec![0xEE; 32]);
        assert!(verified.is_ok(), "{verified:?}");
    }
}

#[test]
fn the_second_half_of_the_reports_data_is_zero() {
    for kind in Kind::ALL {
        for index in 32..64 {
            let mut data = [0; 64];
            data[..32].copy_from_slice(&named());
            data[index] = 1;
            let error = changed::<Plan>(kind, |it| it.qe_report_data = Some(data)).unwrap_err();
            assert_eq!(error, Error::QeReportDataTail { found: hex(&data[32..]) });
        }
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_is_no_key() {
    for kind in Kind::ALL {
        let key = [7; 64];
        let error = changed::<Unsigned>(kind, |it| {
            it.attestation_key = key;
            it.qe_report[320..].copy_from_slice(&qe_report_data(&key, &it.auth_data));
        });
        assert_eq!(error.unwrap_err(), Error::QuoteSignature);
    }
}

#[test]
fn the_identity_is_that_of_the_quotes_tee() {
    let (issued, next_update) = (NOW - DAY, NOW + DAY);
    let qe = EnclaveReport::qe(&Platform::default());
    let td_qe = EnclaveReport::td_qe(&Platform::default());
    let error = changed::<Plan>(Kind::Sgx, |it| it.qe_identity = QeIdentity::new("TD_QE", &td_qe, issued, next_update));
    assert_eq!(error.unwrap_err(), Error::QeIdentityTee { found: Tee::Tdx, expected: Tee::Sgx });
    for kind in TDS {
        let expected = Error::QeIdentityTee { found: Tee::Sgx, expected: Tee::Tdx };
        let error = changed::<Plan>(kind, |it| it.qe_identity = QeIdentity::new("QE", &qe, issued, next_update));
        assert_eq!(error.unwrap_err(), expected);
        // Even if the enclave is the one that it describes: one that quotes enclaves says nothing of TDs.
        let error = changed::<Plan>(kind, |it| {
            it.qe_identity = QeIdentity::new("QE", &qe, issued, next_update);
            it.qe_report = qe;
        });
        assert_eq!(error.unwrap_err(), expected);
        let error = changed::<Plan>(kind, |it| it.qe_identity.id = "QE".into());
        assert_eq!(error.unwrap_err(), expected);
    }
}

#[test]
fn the_enclave_is_intels() {
    for kind in Kind::ALL {
        let plan = Plan::new(kind, NOW);
        let expected = plan.qe_report.mr_signer;
        for byte in [0, 15, 31] {
            let mut found = expected;
            found[byte] ^= 1;
            let error = changed::<Plan>(kind, |it| it.qe_report.mr_signer = found).unwrap_err();
            assert_eq!(error, Error::QeSigner { found: found.into(), expected: expected.into() });
        }
        let expected = plan.qe_report.isv_prod_id;
        for found in [0, expected + 1, expected | 0x100, u16::MAX] {
            let error = changed::<Plan>(kind, |it| it.qe_report.isv_prod_id = found).unwrap_err();
            assert_eq!(error, Error::QeProduct { found, expected });
        }
    }
}

#[test]
fn miscselect_is_compared_under_its_mask() {
    for bit in 0..32 {
        let found = 1 << bit;
        let error = changed::<Plan>(Kind::Td15, |it| it.qe_report.misc_select = found).unwrap_err();
        assert_eq!(error, Error::QeMiscSelect { found, expected: 0, mask: u32::MAX });
        let mask = !found;
        let verified = changed::<Plan>(Kind::Td15, |it| {
            it.qe_report.misc_select = found;
            it.qe_identity.miscselect_mask = mask.to_le_bytes().to_vec();
        });
        assert!(verified.is_ok(), "{verified:?}");
    }
    // What the identity says outside the mask is not compared either.
    let verified = changed::<Plan>(Kind::Sgx, |it| {
        it.qe_identity.miscselect = vec![0xFF; 4];
        it.qe_identity.miscselect_mask = vec![0; 4];
    });
    assert!(verified.is_ok(), "{verified:?}");
    let error = changed::<Plan>(Kind::Sgx, |it| it.qe_identity.miscselect = vec![0, 0, 0, 0x80]).unwrap_err();
    assert_eq!(error, Error::QeMiscSelect { found: 0, expected: 1 << 31, mask: u32::MAX });
}

#[test]
fn attributes_are_compared_under_their_mask() {
    let plan = Plan::new(Kind::Td15, NOW);
    let own = plan.qe_report.attributes;
    let (expected, mask) = (plan.qe_identity.attributes.clone(), plan.qe_identity.attributes_mask.clone());
    for bit in 0..128 {
        let mut found = own;
        found[bit / 8] ^= 1 << (bit % 8);
        let error = changed::<Plan>(Kind::Td15, |it| it.qe_report.attributes = found).err();
        let compared = mask[bit / 8] & 1 << (bit % 8) != 0;
        let expected = match bit {
            1 => Some(Error::QeDebug),
            _ if compared => {
                Some(Error::QeAttributes { found: found.into(), expected: hex(&expected), mask: hex(&mask) })
            }
            _ => None,
        };
        assert_eq!(error, expected, "{bit}");
    }
}

#[test]
fn an_enclave_that_can_be_debugged_is_refused_whatever_the_mask() {
    for kind in Kind::ALL {
        let error = changed::<Plan>(kind, |it| {
            it.qe_report.attributes[0] |= 2;
            it.qe_identity.attributes[0] |= 2;
        });
        assert_eq!(error.unwrap_err(), Error::QeDebug);
        let error = changed::<Plan>(kind, |it| {
            it.qe_report.attributes[0] |= 2;
            it.qe_identity.attributes_mask = vec![0; 16];
        });
        assert_eq!(error.unwrap_err(), Error::QeDebug);
    }
}

#[test]
fn the_enclaves_version_has_a_level() {
    for kind in Kind::ALL {
        let isv_svn = Plan::new(kind, NOW).qe_report.isv_svn;
        let status = |found| {
            let verified = changed_by::<Plan>(kind, &any_status(), |it| it.qe_report.isv_svn = found);
            verified.map(|verified| verified.verdict.status)
        };
        let lowest = isv_svn - 1;
        assert_eq!(status(u16::MAX), Ok(TcbStatus::UpToDate));
        assert_eq!(status(isv_svn), Ok(TcbStatus::UpToDate));
        assert_eq!(status(lowest), Ok(TcbStatus::OutOfDate));
        assert_eq!(status(lowest - 1), Err(Error::QeLevel { found: lowest - 1, lowest }));
        assert_eq!(status(0), Err(Error::QeLevel { found: 0, lowest }));
        let none = changed::<Plan>(kind, |it| it.qe_identity.tcb_levels.clear()).unwrap_err();
        assert_eq!(none, Error::QeLevel { found: isv_svn, lowest: 0 });
    }
}

#[test]
fn a_revoked_enclave_revokes_the_platform() {
    let rows: [Row<Plan>; 1] = [(|it| it.qe_identity.tcb_levels[0].tcb_status = "Revoked".into(), Error::TcbRevoked)];
    refused(&Kind::ALL, &rows);
}

#[test]
fn the_attestation_key_signs_the_quote() {
    let rows: [Row<Plan>; 3] = [
        (|it| it.quote_signed_by = Key::Other("stranger"), Error::QuoteSignature),
        (|it| it.quote_signed_by = Key::Pck, Error::QuoteSignature),
        (|it| it.quote_signed_by = Key::Root, Error::QuoteSignature),
    ];
    refused(&Kind::ALL, &rows);
    let rows: [Row<Parts>; 5] = [
        (|it| it.quote_signature[0] ^= 1, Error::QuoteSignature),
        (|it| it.quote_signature[63] ^= 1, Error::QuoteSignature),
        (|it| it.quote_signature.fill(0), Error::QuoteSignature),
        (|it| it.quote_signature.fill(0xFF), Error::QuoteSignature),
        (|it| it.quote_signature.rotate_left(32), Error::QuoteSignature),
    ];
    refused(&Kind::ALL, &rows);
}

#[test]
fn whatever_is_changed_in_header_or_report_is_not_what_was_signed() {
    for kind in Kind::ALL {
        let length = Plan::new(kind, NOW).unsigned().quote.len();
        for index in (0..length).step_by(5) {
            let error = changed::<Parts>(kind, |it| it.quote[index] ^= 1).unwrap_err();
            let form = match index {
                0..8 | 12..28 => true,
                48..54 => !matches!(kind, Kind::Sgx | Kind::TdV4),
                _ => false,
            };
            assert_eq!(error != Error::QuoteSignature, form, "{kind:?} {index}: {error:?}");
        }
    }
}
