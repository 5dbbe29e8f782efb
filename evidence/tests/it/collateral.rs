//! TCB info and QE identity: what they say of themselves, how much of it there may be, and who signed it.

use holdfast_evidence::{
    mock::{IsvTcb, IsvTcbLevel, Key, Kind, Parts, Plan, Signed, TcbLevel},
    verify_qe_identity, verify_tcb_info, CertificateKind, Document, Error, IssuerKind, Moment, SignedDocument,
    TcbStatus,
};
use serde_json::json;

use crate::{
    case::{any_status, changed, changed_by, refused, Kept, Row, Stage, NOW, TDS},
    documents::{unreadable, with, with_text, BOTH},
};

#[test]
fn documents_say_for_which_tee_they_are() {
    for found in ["", "tdx", "TDX ", "QE", "SGX\u{0}", "TD_QE"] {
        let error = with(Document::TcbInfo, |it| it["id"] = json!(found));
        assert_eq!(error, Some(Error::DocumentId { document: Document::TcbInfo, found: found.into() }));
    }
    for found in ["", "qe", "QVE", "TDX", "TD-QE"] {
        let error = with(Document::QeIdentity, |it| it["id"] = json!(found));
        assert_eq!(error, Some(Error::DocumentId { document: Document::QeIdentity, found: found.into() }));
    }
    for found in ["", "TDX", "TDX_", "TDX_1", "TDX_001", "TDX_0G", "tdx_01", "TDX-01", "TDX_+1"] {
        let error = with(Document::TcbInfo, |it| it["tdxModuleIdentities"][0]["id"] = json!(found));
        assert_eq!(error, Some(Error::DocumentId { document: Document::TcbInfo, found: found.into() }));
    }
}

#[test]
fn documents_are_of_a_version_that_is_known() {
    for kind in Kind::ALL {
        let document = Document::TcbInfo;
        for found in [0, 1, 2, 4, u16::MAX] {
            let error = changed::<Plan>(kind, |it| it.tcb_info.version = found.into()).err();
            assert_eq!(error, Some(Error::DocumentVersion { document, found }));
        }
        let document = Document::QeIdentity;
        let known: &[u16] = if kind == Kind::Sgx { &[2] } else { &[2, 3] };
        for found in 0..5 {
            let error = changed::<Plan>(kind, |it| it.qe_identity.version = found.into()).err();
            let expected = (!known.contains(&found)).then_some(Error::DocumentVersion { document, found });
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn security_versions_are_of_the_type_that_is_known() {
    for kind in Kind::ALL {
        for found in [1, 2, u32::MAX] {
            let error = changed::<Plan>(kind, |it| it.tcb_info.tcb_type = found).err();
            assert_eq!(error, Some(Error::TcbType { found }));
        }
    }
}

#[test]
fn tcb_info_of_tdx_says_what_its_module_is() {
    let rows: [Row<Plan>; 2] = [
        (|it| it.tcb_info.tdx_module = None, Error::TdxModuleMissing),
        (
            |it| it.tcb_info.tcb_levels[1].tcb.tdx_components = None,
            Error::DocumentEncoding { document: Document::TcbInfo },
        ),
    ];
    refused(&TDS, &rows);
    // Which is so as soon as it is verified, and not only when a TD is judged by it.
    let plan = Plan::new(Kind::Td15, NOW);
    let signer = Kept::new(&plan).tcb_signer;
    let mut without = plan;
    without.tcb_info.tdx_module = None;
    let collateral = without.finish().collateral;
    let (json, signature) = (collateral.tcb_info.as_bytes(), &collateral.tcb_info_signature);
    let document = SignedDocument::new(Document::TcbInfo, json, signature).expect("short enough");
    assert_eq!(verify_tcb_info(&document, &signer, Moment::at(NOW)), Err(Error::TdxModuleMissing));
}

#[test]
fn levels_have_a_status_that_they_can_have() {
    use TcbStatus::*;
    let none =
        [SWHardeningNeeded, ConfigurationAndSWHardeningNeeded, ConfigurationNeeded, OutOfDateConfigurationNeeded];
    for found in none {
        for level in 0..2 {
            let error = with(Document::QeIdentity, |it| it["tcbLevels"][level]["tcbStatus"] = json!(found.to_string()));
            assert_eq!(error, Some(Error::LevelStatus { document: Document::QeIdentity, found }));
        }
    }
    for found in none {
        let error = with(Document::TcbInfo, |it| {
            it["tdxModuleIdentities"][0]["tcbLevels"][1]["tcbStatus"] = json!(found.to_string());
        });
        assert_eq!(error, Some(Error::LevelStatus { document: Document::TcbInfo, found }));
    }
    // No level is to be launched anew: that comes of two.
    for status in ["", "uptodate", "Fine", "TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded"] {
        for document in BOTH {
            let error = with(document, |it| it["tcbLevels"][0]["tcbStatus"] = json!(status));
            assert_eq!(error, unreadable(document), "{status}");
        }
        let error = with(Document::TcbInfo, |it| {
            it["tdxModuleIdentities"][0]["tcbLevels"][0]["tcbStatus"] = json!(status);
        });
        assert_eq!(error, unreadable(Document::TcbInfo), "{status}");
    }
}

#[test]
fn advisories_are_ids_each_once() {
    for document in BOTH {
        for id in ["", " INTEL-SA-00001", "INTEL_SA", "INTEL-SA-00001.", "Ä", "A234567890123456789012345"] {
            let error = with(document, |it| it["tcbLevels"][0]["advisoryIDs"] = json!([id]));
            assert_eq!(error, unreadable(document), "{id}");
        }
        assert_eq!(with(document, |it| it["tcbLevels"][0]["advisoryIDs"] = json!([])), None);
        assert_eq!(with(document, |it| it["tcbLevels"][0]["advisoryIDs"] = json!(null)), unreadable(document));
        assert_eq!(with(document, |it| it["tcbLevels"][0]["advisoryIDs"] = json!(["B23456789012345678901234"])), None);
    }
    let verified = changed::<Plan>(Kind::Td15, |it| {
        it.tcb_info.tcb_levels[0].advisory_ids = ["intel-sa-2", "INTEL-SA-1", "INTEL-SA-2"].map(String::from).to_vec();
        it.qe_identity.tcb_levels[0].advisory_ids = ["INTEL-SA-1", "INTEL-SA-3"].map(String::from).to_vec();
        let modules = it.tcb_info.tdx_module_identities.as_mut().expect("TDX");
        modules[0].tcb_levels[0].advisory_ids = ["INTEL-SA-4"].map(String::from).to_vec();
    });
    let verdict = verified.expect("good").verdict;
    let advisories: Vec<String> = verdict.advisories.iter().map(ToString::to_string).collect();
    assert_eq!(advisories, ["INTEL-SA-2", "INTEL-SA-1", "INTEL-SA-4", "INTEL-SA-3"]);
}

#[test]
fn there_are_at_most_so_many_of_everything() {
    let some = |count: u32| (0..count).map(|number| format!("INTEL-SA-{number:05}")).collect::<Vec<_>>();
    let levels = |level: &IsvTcbLevel, count: u32| {
        let level = |isv_svn| IsvTcbLevel { tcb: IsvTcb { isv_svn }, ..level.clone() };
        (0..count).rev().map(level).collect::<Vec<_>>()
    };
    type Change<'a> = &'a dyn Fn(&mut Plan, u32);
    let limits: [(Document, u32, Change); 6] = [
        (Document::TcbInfo, 64, &|it, count| {
            let level = it.tcb_info.tcb_levels[0].clone();
            it.tcb_info.tcb_levels.resize(count as usize, level);
        }),
        (Document::TcbInfo, 64, &|it, count| it.tcb_info.tcb_levels[1].advisory_ids = some(count)),
        (Document::TcbInfo, 16, &|it, count| {
            let modules = it.tcb_info.tdx_module_identities.as_mut().expect("TDX");
            let first = modules[0].clone();
            modules.extend((1..count).map(|line| {
                let mut module = first.clone();
                module.id = format!("TDX_{:02X}", line + 1);
                module
            }));
        }),
        (Document::TcbInfo, 16, &|it, count| {
            let modules = it.tcb_info.tdx_module_identities.as_mut().expect("TDX");
            modules[0].tcb_levels = levels(&modules[0].tcb_levels[0], count);
        }),
        (Document::QeIdentity, 32, &|it, count| {
            it.qe_identity.tcb_levels = levels(&it.qe_identity.tcb_levels[0], count);
        }),
        (Document::QeIdentity, 64, &|it, count| it.qe_identity.tcb_levels[1].advisory_ids = some(count)),
    ];
    for (row, (document, most, change)) in limits.into_iter().enumerate() {
        let with = |count| changed::<Plan>(Kind::Td15, |it| change(it, count)).err();
        assert_eq!(with(most), None, "{row}");
        assert_eq!(with(most + 1), Some(Error::TooMany { document, found: most + 1, most }), "{row}");
    }
    // Together: the platform's, its module's and its QE's.
    let together = |qe: u32, module: u32| {
        let verdict = changed::<Plan>(Kind::Td15, |it| {
            it.tcb_info.tcb_levels[0].advisory_ids = some(60);
            let modules = it.tcb_info.tdx_module_identities.as_mut().expect("TDX");
            modules[0].tcb_levels[0].advisory_ids = some(module);
            it.qe_identity.tcb_levels[0].advisory_ids = some(qe);
        });
        verdict.map(|verified| verified.verdict.advisories.iter().count())
    };
    let too_many = Error::TooMany { document: Document::TcbInfo, found: 65, most: 64 };
    assert_eq!(together(64, 60), Ok(64));
    assert_eq!(together(60, 64), Ok(64));
    assert_eq!(together(64, 64), Ok(64));
    let other = |it: &mut Plan| it.qe_identity.tcb_levels[0].advisory_ids = vec!["INTEL-SA-X".into()];
    let error = changed::<Plan>(Kind::Sgx, |it| {
        it.tcb_info.tcb_levels[0].advisory_ids = some(64);
        other(it);
    });
    assert_eq!(error, Err(too_many.clone()));
    let error = changed::<Plan>(Kind::Td15, |it| {
        it.tcb_info.tcb_levels[0].advisory_ids = some(64);
        let modules = it.tcb_info.tdx_module_identities.as_mut().expect("TDX");
        modules[0].tcb_levels[0].advisory_ids = vec!["INTEL-SA-X".into()];
    });
    assert_eq!(error, Err(too_many));
}

#[test]
fn documents_are_at_most_64_kib_long() {
    let most = 64 * 1024;
    for document in BOTH {
        let padded = |length: usize| {
            with_text(document, |text| {
                let spaces = length - text.len();
                text.insert_str(1, &" ".repeat(spaces));
            })
        };
        assert_eq!(padded(most), None);
        for length in [most + 1, 16 * most] {
            let (found, most) = (length as u32, most as u32);
            assert_eq!(padded(length), Some(Error::DocumentTooLong { document, found, most }));
        }
    }
}

#[test]
fn documents_are_signed_by_the_signer_of_collateral() {
    for document in BOTH {
        let error = Some(Error::DocumentSignature { document });
        for key in [Key::Pck, Key::PlatformCa, Key::ProcessorCa, Key::Root, Key::Attestation, Key::Other("stranger")] {
            let by = |it: &mut Plan| match document {
                Document::TcbInfo => it.tcb_info_signed_by = key,
                _ => it.qe_identity_signed_by = key,
            };
            for kind in [Kind::Sgx, Kind::Td15] {
                assert_eq!(changed::<Plan>(kind, by).err(), error, "{key:?}");
            }
        }
        type Change = fn(&mut [u8; 64]);
        let changes: [Change; 6] = [
            |signature| signature[0] ^= 1,
            |signature| signature[63] ^= 1,
            |signature| signature.fill(0),
            |signature| signature.fill(0xFF),
            |signature| signature[..32].fill(0),
            |signature| signature.rotate_left(32),
        ];
        for change in changes {
            let changed = changed::<Parts>(Kind::Td15, |it| match document {
                Document::TcbInfo => change(&mut it.tcb_info_signature),
                _ => change(&mut it.qe_identity_signature),
            });
            assert_eq!(changed.err(), error);
        }
        for length in [0, 63, 65, 71] {
            let changed = changed::<Signed>(Kind::Td15, |it| match document {
                Document::TcbInfo => it.collateral.tcb_info_signature.resize(length, 0),
                _ => it.collateral.qe_identity_signature.resize(length, 0),
            });
            assert_eq!(changed.err(), error, "{length}");
        }
        // What is signed are bytes, not what they say.
        let changed = changed::<Parts>(Kind::Td15, |it| match document {
            Document::TcbInfo => it.tcb_info.push(' '),
            _ => it.qe_identity.push(' '),
        });
        assert_eq!(changed.err(), error);
    }
}

#[test]
fn no_other_issuer_signs_documents() {
    let plan = Plan::new(Kind::Td15, NOW);
    let kept = Kept::new(&plan);
    let at = Moment::at(NOW);
    let certificate = CertificateKind::TcbSigner;
    // Even with his own signature.
    for (issuer, key) in [(&kept.root, Key::Root), (&kept.ca, Key::PlatformCa)] {
        let parts = Plan { tcb_info_signed_by: key, qe_identity_signed_by: key, ..plan.clone() }.unsigned().parts();
        let found = issuer.kind.common_name().into();
        let error = Error::CertificateName { certificate, found };
        let (json, signature) = (parts.tcb_info.as_bytes(), parts.tcb_info_signature);
        let document = SignedDocument::new(Document::TcbInfo, json, &signature).expect("short enough");
        assert_eq!(verify_tcb_info(&document, issuer, at), Err(error.clone()));
        let (json, signature) = (parts.qe_identity.as_bytes(), parts.qe_identity_signature);
        let document = SignedDocument::new(Document::QeIdentity, json, &signature).expect("short enough");
        assert_eq!(verify_qe_identity(&document, issuer, at), Err(error));
    }
    assert_eq!((kept.root.kind, kept.ca.kind), (IssuerKind::Root, IssuerKind::PlatformCa));
}

#[test]
fn levels_of_a_platform_can_have_any_order() {
    for kind in Kind::ALL {
        let older = |it: &mut Plan| {
            it.certificates.pck.sgx.as_mut().expect("a PCK certificate's").pce_svn = Some(10);
            let more = |pce_svn, status: &str| {
                let mut level = it.tcb_info.tcb_levels[0].clone();
                (level.tcb.pce_svn, level.tcb_status) = (pce_svn, status.into());
                level
            };
            let more: Vec<TcbLevel> = vec![more(10, "SWHardeningNeeded"), more(9, "OutOfDate"), more(8, "Revoked")];
            it.tcb_info.tcb_levels.extend(more);
        };
        let verdict = |change: &dyn Fn(&mut Plan)| {
            changed_by::<Plan>(kind, &any_status(), |it| {
                older(it);
                change(it);
            })
        };
        let first = verdict(&|_| ()).expect("good");
        assert_eq!(first.verdict.status, TcbStatus::SWHardeningNeeded);
        for turn in 0..5 {
            let turned = verdict(&|it| {
                it.tcb_info.tcb_levels.rotate_left(turn);
            });
            assert_eq!(turned.as_ref(), Ok(&first));
        }
    }
}

#[test]
fn levels_of_one_number_descend() {
    let order = |document| Some(Error::LevelOrder { document });
    for kind in Kind::ALL {
        let reversed = changed::<Plan>(kind, |it| it.qe_identity.tcb_levels.reverse());
        assert_eq!(reversed.err(), order(Document::QeIdentity));
        let twice = changed::<Plan>(kind, |it| it.qe_identity.tcb_levels[1].tcb = it.qe_identity.tcb_levels[0].tcb);
        assert_eq!(twice.err(), order(Document::QeIdentity));
    }
    for kind in TDS {
        type Change = fn(&mut Vec<IsvTcbLevel>);
        let changes: [Change; 2] = [|levels| levels.reverse(), |levels| levels[1].tcb = levels[0].tcb];
        for change in changes {
            let error = changed::<Plan>(kind, |it| {
                let modules = it.tcb_info.tdx_module_identities.as_mut().expect("TDX");
                change(&mut modules[0].tcb_levels);
            });
            assert_eq!(error.err(), order(Document::TcbInfo));
        }
    }
}
