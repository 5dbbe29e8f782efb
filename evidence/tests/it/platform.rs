//! How up to date a platform is: which TCB info is for it, which level it has all of, and what its TDX module is.

use holdfast_evidence::{
    mock::{IsvTcb, Kind, Plan, Platform, TcbComponent, TcbInfo, TcbLevel, TdxModuleIdentity},
    Error, TcbStatus, Tee,
};

use crate::case::{any_status, changed, changed_by, refused, Row, DAY, NOW, TDS};

const KINDS_15: [Kind; 2] = [Kind::Td15, Kind::Td15Ex];

/// The status, whatever it is, of a platform at which nothing is wrong but this.
fn status(kind: Kind, change: impl FnOnce(&mut Plan)) -> Result<TcbStatus, Error> {
    changed_by::<Plan>(kind, &any_status(), change).map(|verified| verified.verdict.status)
}

fn components(it: &mut Plan) -> &mut Vec<u16> {
    &mut it.certificates.pck.sgx.as_mut().expect("a PCK certificate's").components
}

fn pce_svn(it: &mut Plan) -> &mut u16 {
    it.certificates.pck.sgx.as_mut().and_then(|sgx| sgx.pce_svn.as_mut()).expect("a PCK certificate's")
}

fn modules(it: &mut Plan) -> &mut Vec<TdxModuleIdentity> {
    it.tcb_info.tdx_module_identities.as_mut().expect("TDX")
}

/// TEE_TCB_SVN at the start, and now, if that is said.
fn svns(it: &mut Plan, start: [u8; 3], now: [u8; 3]) {
    it.td.tee_tcb_svn[..3].copy_from_slice(&start);
    it.td.tee_tcb_svn2[..3].copy_from_slice(&now);
}

/// None of the levels.
fn below(it: &Platform, tee_tcb_svn: Option<[u8; 16]>) -> Error {
    let (components, pce_svn) = (it.cpu_svn.into(), it.pce_svn);
    Error::TcbLevel { components, pce_svn, tee_tcb_svn: tee_tcb_svn.map(Into::into) }
}

#[test]
fn tcb_info_is_that_of_the_quotes_tee() {
    let (platform, issued, next_update) = (Platform::default(), NOW - DAY, NOW + DAY);
    let error = changed::<Plan>(Kind::Sgx, |it| it.tcb_info = TcbInfo::tdx(&platform, issued, next_update));
    assert_eq!(error.unwrap_err(), Error::TcbInfoTee { found: Tee::Tdx, expected: Tee::Sgx });
    for kind in TDS {
        let error = changed::<Plan>(kind, |it| it.tcb_info = TcbInfo::sgx(&platform, issued, next_update));
        assert_eq!(error.unwrap_err(), Error::TcbInfoTee { found: Tee::Sgx, expected: Tee::Tdx });
        // What calls itself SGX's is that, whatever else is in it.
        let error = changed::<Plan>(kind, |it| it.tcb_info.id = "SGX".into());
        assert_eq!(error.unwrap_err(), Error::TcbInfoTee { found: Tee::Sgx, expected: Tee::Tdx });
    }
}

#[test]
fn tcb_info_is_that_of_the_platforms_model() {
    let Platform { fmspc, pce_id, .. } = Platform::default();
    for kind in Kind::ALL {
        for byte in 0..6 {
            let mut found = fmspc;
            found[byte] ^= 1;
            let error = changed::<Plan>(kind, |it| it.tcb_info.fmspc = found.to_vec()).unwrap_err();
            assert_eq!(error, Error::Fmspc { found: found.into(), expected: fmspc.into() });
        }
        for byte in 0..2 {
            let mut found = pce_id;
            found[byte] ^= 1;
            let error = changed::<Plan>(kind, |it| it.tcb_info.pce_id = found.to_vec()).unwrap_err();
            assert_eq!(error, Error::PceId { found: found.into(), expected: pce_id.into() });
        }
    }
    // The certificate's in place of the TCB info's.
    for kind in Kind::ALL {
        let certificate =
            |it: &mut Plan| it.certificates.pck.sgx.as_mut().expect("a PCK certificate's").fmspc = Some(vec![7; 6]);
        let error = changed::<Plan>(kind, certificate).unwrap_err();
        assert_eq!(error, Error::Fmspc { found: fmspc.into(), expected: [7; 6].into() });
    }
}

#[test]
fn a_platform_that_is_below_all_levels_is_refused() {
    for kind in Kind::ALL {
        let tdx = (kind != Kind::Sgx).then_some(Platform::default().tee_tcb_svn);
        // Each of the components that is not zero already.
        for index in [0, 1, 2, 3, 4, 5, 7] {
            let mut platform = Platform::default();
            platform.cpu_svn[index] -= 1;
            let error = changed::<Plan>(kind, |it| components(it)[index] -= 1).unwrap_err();
            assert_eq!(error, below(&platform, tdx), "{index}");
        }
        for index in 8..16 {
            let error = changed::<Plan>(kind, |it| {
                it.tcb_info.tcb_levels.iter_mut().for_each(|level| level.tcb.sgx_components[index].svn = 1);
            });
            assert_eq!(error.unwrap_err(), below(&Platform::default(), tdx), "{index}");
        }
        let platform = Platform { pce_svn: 4, ..Platform::default() };
        assert_eq!(changed::<Plan>(kind, |it| *pce_svn(it) = 4).unwrap_err(), below(&platform, tdx));
        let error = changed::<Plan>(kind, |it| it.tcb_info.tcb_levels.clear()).unwrap_err();
        assert_eq!(error, below(&Platform::default(), tdx));
        // More than is needed is enough.
        assert_eq!(status(kind, |it| components(it).iter_mut().for_each(|svn| *svn += 1)), Ok(TcbStatus::UpToDate));
    }
    for kind in TDS {
        for index in 2..16 {
            let error = changed::<Plan>(kind, |it| {
                for level in &mut it.tcb_info.tcb_levels {
                    level.tcb.tdx_components.as_mut().expect("TDX")[index].svn += 1;
                }
            });
            let tdx = Some(Platform::default().tee_tcb_svn);
            assert_eq!(error.unwrap_err(), below(&Platform::default(), tdx), "{index}");
        }
    }
}

#[test]
fn a_platform_has_the_first_level_all_of_which_it_has() {
    // Three levels, each the one before with one thing less; what is less is another thing each time.
    let levels = |it: &mut Plan| {
        let top = it.tcb_info.tcb_levels[0].clone();
        let mut middle = TcbLevel { tcb_status: "ConfigurationNeeded".into(), ..top.clone() };
        middle.tcb.pce_svn = 7;
        let mut bottom = TcbLevel { tcb_status: "OutOfDateConfigurationNeeded".into(), ..middle.clone() };
        bottom.tcb.sgx_components[0].svn = 1;
        it.tcb_info.tcb_levels = vec![top, middle, bottom];
    };
    for kind in Kind::ALL {
        let with = |first: u16, pce: u16| {
            status(kind, |it| {
                levels(it);
                components(it)[0] = first;
                it.certificates.pck.sgx.as_mut().expect("a PCK certificate's").cpu_svn.as_mut().expect("CPUSVN")[0] =
                    255;
                *pce_svn(it) = pce;
            })
        };
        assert_eq!(with(4, 11), Ok(TcbStatus::UpToDate));
        assert_eq!(with(4, 10), Ok(TcbStatus::ConfigurationNeeded));
        assert_eq!(with(4, 7), Ok(TcbStatus::ConfigurationNeeded));
        // The components of the bottom level and the PCE of the top one, or more.
        assert_eq!(with(3, 11), Ok(TcbStatus::OutOfDateConfigurationNeeded));
        assert_eq!(with(1, 99), Ok(TcbStatus::OutOfDateConfigurationNeeded));
        // The components of the top level, and a PCE that none has.
        assert!(matches!(with(99, 6), Err(Error::TcbLevel { pce_svn: 6, .. })));
        assert!(matches!(with(0, 99), Err(Error::TcbLevel { pce_svn: 99, .. })));
    }
}

#[test]
fn versions_that_are_high_in_one_level_and_low_in_another_meet_neither() {
    // Two levels neither of which has all of the other: A wants more of the SGX components, B more of the rest.
    let error = changed::<Plan>(Kind::Sgx, |it| {
        let [a, b] = &mut it.tcb_info.tcb_levels[..] else { panic!("two levels") };
        (a.tcb.sgx_components[0].svn, a.tcb.pce_svn) = (5, 11);
        (b.tcb.sgx_components[0].svn, b.tcb.pce_svn) = (4, 12);
    });
    assert_eq!(error.unwrap_err(), below(&Platform::default(), None));
    for kind in TDS {
        let spread = |it: &mut Plan, sgx: [u32; 2], tdx: [u32; 2]| {
            for (level, (sgx, tdx)) in it.tcb_info.tcb_levels.iter_mut().zip(sgx.into_iter().zip(tdx)) {
                level.tcb.sgx_components[0].svn = sgx;
                level.tcb.tdx_components.as_mut().expect("TDX")[2] = TcbComponent::plain(tdx);
            }
        };
        let tdx = Platform::default().tee_tcb_svn;
        // The platform has 4 and 4.
        let error = changed::<Plan>(kind, |it| spread(it, [5, 4], [4, 5])).unwrap_err();
        assert_eq!(error, below(&Platform::default(), Some(tdx)));
        // The TDX components of the first level are not enough: it falls to the second, all of which it has.
        assert_eq!(status(kind, |it| spread(it, [4, 4], [5, 4])), Ok(TcbStatus::OutOfDate));
        assert_eq!(status(kind, |it| spread(it, [5, 4], [4, 4])), Ok(TcbStatus::OutOfDate));
        assert_eq!(status(kind, |it| spread(it, [4, 0], [4, 0])), Ok(TcbStatus::UpToDate));
        // A TD is judged by its platform's SGX components and PCE, too.
        let platform = Platform { pce_svn: 4, ..Platform::default() };
        assert_eq!(changed::<Plan>(kind, |it| *pce_svn(it) = 4).unwrap_err(), below(&platform, Some(tdx)));
    }
}

#[test]
fn a_module_without_a_line_is_judged_with_the_platform() {
    let tee_tcb_svn = |first: u8| {
        let mut svn = Platform::default().tee_tcb_svn;
        (svn[0], svn[1]) = (first, 0);
        svn
    };
    for kind in TDS {
        let with = |first| status(kind, |it| svns(it, [first, 0, 4], [first, 0, 4]));
        // The levels want 10 and 0.
        assert_eq!(with(10), Ok(TcbStatus::UpToDate));
        assert_eq!(with(9), Err(below(&Platform::default(), Some(tee_tcb_svn(9)))));
        // Without lines there is nothing to name.
        let error = status(kind, |it| {
            svns(it, [10, 0, 4], [10, 0, 4]);
            it.tcb_info.tdx_module_identities = None;
        });
        assert_eq!(error, Ok(TcbStatus::UpToDate));
        let error = status(kind, |it| {
            svns(it, [11, 0, 4], [11, 0, 4]);
            for level in &mut it.tcb_info.tcb_levels {
                level.tcb.tdx_components.as_mut().expect("TDX")[1].svn = 1;
            }
        });
        assert_eq!(error, Err(below(&Platform::default(), Some(tee_tcb_svn(11)))));
    }
}

#[test]
fn a_module_of_a_line_is_judged_by_that_line() {
    for kind in TDS {
        let with = |first| status(kind, |it| svns(it, [first, 1, 4], [first, 1, 4]));
        assert_eq!(with(255), Ok(TcbStatus::UpToDate));
        assert_eq!(with(11), Ok(TcbStatus::UpToDate));
        assert_eq!(with(10), Ok(TcbStatus::OutOfDate));
        assert_eq!(with(9), Err(Error::TdxModuleLevel { line: 1, found: 9, lowest: 10 }));
        assert_eq!(with(0), Err(Error::TdxModuleLevel { line: 1, found: 0, lowest: 10 }));
        let none = status(kind, |it| modules(it)[0].tcb_levels.clear());
        assert_eq!(none, Err(Error::TdxModuleLevel { line: 1, found: 11, lowest: 0 }));
        for line in [2, 3, 0x10, 255] {
            let error = status(kind, |it| svns(it, [11, line, 4], [11, line, 4]));
            assert_eq!(error, Err(Error::TdxModuleIdentity { line }));
        }
        let error = status(kind, |it| it.tcb_info.tdx_module_identities = None);
        assert_eq!(error, Err(Error::TdxModuleIdentity { line: 1 }));
        // The line is two digits of hexadecimal.
        let other = status(kind, |it| {
            svns(it, [11, 0xAB, 4], [11, 0xAB, 4]);
            modules(it)[0].id = "TDX_AB".into();
        });
        assert_eq!(other, Ok(TcbStatus::UpToDate));
    }
}

#[test]
fn a_revoked_level_of_anything_revokes_the_platform() {
    let rows: [Row<Plan>; 2] = [
        (|it| it.tcb_info.tcb_levels[0].tcb_status = "Revoked".into(), Error::TcbRevoked),
        (|it| it.qe_identity.tcb_levels[0].tcb_status = "Revoked".into(), Error::TcbRevoked),
    ];
    refused(&Kind::ALL, &rows);
    let rows: [Row<Plan>; 1] = [(|it| modules(it)[0].tcb_levels[0].tcb_status = "Revoked".into(), Error::TcbRevoked)];
    refused(&TDS, &rows);
    // No policy allows it.
    let error = status(Kind::Td15, |it| it.tcb_info.tcb_levels[0].tcb_status = "Revoked".into());
    assert_eq!(error, Err(Error::TcbRevoked));
}

#[test]
fn a_td_that_started_on_an_outdated_module_should_start_anew() {
    for kind in KINDS_15 {
        let relaunch = |change: fn(&mut Plan)| {
            status(kind, |it| {
                svns(it, [10, 1, 4], [11, 1, 4]);
                change(it);
            })
        };
        assert_eq!(relaunch(|_| ()), Ok(TcbStatus::TDRelaunchAdvised));
        let configure = |it: &mut Plan| it.tcb_info.tcb_levels[0].tcb_status = "ConfigurationNeeded".into();
        assert_eq!(relaunch(configure), Ok(TcbStatus::TDRelaunchAdvisedConfigurationNeeded));
        // Not if what runs now is outdated, too.
        assert_eq!(relaunch(|it| svns(it, [10, 1, 4], [10, 1, 4])), Ok(TcbStatus::OutOfDate));
        assert_eq!(relaunch(|it| *pce_svn(it) = 10), Ok(TcbStatus::OutOfDate));
        assert_eq!(relaunch(|it| it.qe_report.isv_svn -= 1), Ok(TcbStatus::OutOfDate));
        // And not if only what runs now is.
        assert_eq!(relaunch(|it| svns(it, [11, 1, 4], [10, 1, 4])), Ok(TcbStatus::UpToDate));
        // The strict policy allows neither.
        let error = changed::<Plan>(kind, |it| svns(it, [10, 1, 4], [11, 1, 4])).unwrap_err();
        let (found, allowed) = (TcbStatus::TDRelaunchAdvised, vec![TcbStatus::UpToDate]);
        assert_eq!(error, Error::TcbStatus { found, allowed });
    }
    // TDX 1.0 says nothing of what runs now.
    for kind in [Kind::TdV4, Kind::Td10] {
        assert_eq!(status(kind, |it| svns(it, [10, 1, 4], [11, 1, 4])), Ok(TcbStatus::OutOfDate));
    }
}

#[test]
fn what_runs_now_is_judged_as_what_it_started_with() {
    for kind in KINDS_15 {
        let now = |svn: [u8; 3]| status(kind, |it| svns(it, [11, 1, 4], svn));
        assert_eq!(now([9, 1, 4]), Err(Error::TdxModuleLevel { line: 1, found: 9, lowest: 10 }));
        assert_eq!(now([11, 2, 4]), Err(Error::TdxModuleIdentity { line: 2 }));
        let mut tee_tcb_svn = Platform::default().tee_tcb_svn;
        tee_tcb_svn[2] = 3;
        assert_eq!(now([11, 1, 3]), Err(below(&Platform::default(), Some(tee_tcb_svn))));
        // Revoked at the start, or now.
        let revoked = |start, now| {
            status(kind, |it| {
                svns(it, start, now);
                modules(it)[0].tcb_levels[0].tcb = IsvTcb { isv_svn: 12 };
                modules(it)[0].tcb_levels[0].tcb_status = "Revoked".into();
                modules(it)[0].tcb_levels[1].tcb_status = "UpToDate".into();
            })
        };
        assert_eq!(revoked([11, 1, 4], [11, 1, 4]), Ok(TcbStatus::UpToDate));
        assert_eq!(revoked([11, 1, 4], [12, 1, 4]), Err(Error::TcbRevoked));
        assert_eq!(revoked([12, 1, 4], [11, 1, 4]), Err(Error::TcbRevoked));
    }
}

#[test]
fn the_module_is_intels() {
    for kind in TDS {
        for byte in [0, 23, 47] {
            let mut found = [0; 48];
            found[byte] = 1;
            let error = changed::<Plan>(kind, |it| it.td.mr_signer_seam = found).unwrap_err();
            assert_eq!(error, Error::TdxModuleSigner { found: found.into(), expected: [0; 48].into() });
        }
        // By its line, not by the module without one, and the other way round.
        let line = |it: &mut Plan| modules(it)[0].module.mrsigner = vec![7; 48];
        let base = |it: &mut Plan| it.tcb_info.tdx_module.as_mut().expect("TDX").mrsigner = vec![7; 48];
        let signer = Error::TdxModuleSigner { found: [0; 48].into(), expected: [7; 48].into() };
        assert_eq!(changed::<Plan>(kind, line).unwrap_err(), signer);
        assert_eq!(changed::<Plan>(kind, base).err(), None);
        let without = |change: fn(&mut Plan)| {
            changed::<Plan>(kind, |it| {
                svns(it, [10, 0, 4], [10, 0, 4]);
                change(it);
            })
        };
        assert_eq!(without(line).err(), None);
        assert_eq!(without(base).unwrap_err(), signer);
    }
}

#[test]
fn the_modules_attributes_are_those_that_it_should_have() {
    for kind in TDS {
        for bit in (0..64).step_by(if kind == Kind::TdV4 { 1 } else { 21 }) {
            let found = (1u64 << bit).to_le_bytes();
            let error = changed::<Plan>(kind, |it| it.td.seam_attributes = found).unwrap_err();
            let (expected, mask) = ([0; 8].into(), [0xFF; 8].into());
            assert_eq!(error, Error::SeamAttributes { found: found.into(), expected, mask });
        }
    }
    // What is not compared must be zero.
    let masked = |found: u8, expected: u8, mask: u8| {
        changed::<Plan>(Kind::Td15, |it| {
            it.td.seam_attributes[3] = found;
            (modules(it)[0].module.attributes[3], modules(it)[0].module.attributes_mask[3]) = (expected, mask);
        })
    };
    assert_eq!(masked(1, 1, 0xFF).err(), None);
    assert_eq!(masked(1, 1, 0x01).err(), None);
    assert_eq!(masked(0, 2, 0x01).err(), None);
    for (found, expected, mask) in [(3, 1, 0x01), (1, 1, 0x00), (1, 0, 0x01), (0, 1, 0x01)] {
        let at = |byte, others| [others, others, others, byte, others, others, others, others];
        let (found_all, expected_all, mask_all) = (at(found, 0), at(expected, 0), at(mask, 0xFF));
        let error = masked(found, expected, mask).unwrap_err();
        let (expected, mask) = (expected_all.into(), mask_all.into());
        assert_eq!(error, Error::SeamAttributes { found: found_all.into(), expected, mask });
    }
}

#[test]
fn the_verdict_has_the_dates_of_the_levels() {
    for kind in Kind::ALL {
        let (platform, module, qe) = (NOW - 3, NOW - 2, NOW - 1);
        let with = |platform, module, qe| {
            let verified = changed::<Plan>(kind, |it| {
                it.tcb_info.tcb_levels[0].tcb_date = platform;
                if kind != Kind::Sgx {
                    modules(it)[0].tcb_levels[0].tcb_date = module;
                }
                it.qe_identity.tcb_levels[0].tcb_date = qe;
            });
            let verdict = verified.expect("good").verdict;
            (verdict.date, verdict.qe_date)
        };
        assert_eq!(with(platform, module, qe), (platform, qe));
        let lower = if kind == Kind::Sgx { module } else { platform };
        assert_eq!(with(module, platform, qe), (lower, qe));
    }
}
