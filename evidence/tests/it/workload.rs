//! What a policy demands of a workload: attributes, extended features, measurements, and its platform's status.

use codec::DecodeAll;
use holdfast_evidence::{
    mock::{Kind, Plan},
    td_attributes, Advisory, Error, Hex, Measurements, Policy, Register, SgxMeasurements, Statuses, TcbStatus,
    TdFeatures, TdxMeasurements, Tee,
};

use crate::case::{any_status, changed, changed_by, judge, refused_by, Row, Stage, NOW, TDS};

const SEPT_VE_DISABLE: u64 = 1 << 28;

/// Allows all that any policy can allow.
fn lenient() -> Policy {
    let td = TdFeatures { attributes: u64::MAX, xfam: u64::MAX, service_td: true };
    Policy { td, ..any_status() }
}

fn td_policy(change: impl FnOnce(&mut TdFeatures)) -> Policy {
    let mut td = TdFeatures::strict();
    change(&mut td);
    Policy { td, ..Policy::strict() }
}

/// A TD with these attributes.
fn with_attributes(kind: Kind, policy: &Policy, attributes: u64) -> Option<Error> {
    changed_by::<Plan>(kind, policy, |it| it.td.td_attributes = attributes.to_le_bytes()).err()
}

fn with_xfam(kind: Kind, policy: &Policy, xfam: u64) -> Option<Error> {
    changed_by::<Plan>(kind, policy, |it| it.td.xfam = xfam.to_le_bytes()).err()
}

#[test]
fn a_workload_that_can_be_debugged_is_refused_by_every_policy() {
    for policy in [Policy::strict(), lenient()] {
        let rows: [Row<Plan>; 1] = [(|it| it.enclave.attributes[0] |= 2, Error::Debug)];
        refused_by(&[Kind::Sgx], &policy, &rows);
        let rows: [Row<Plan>; 1] = [(|it| it.td.td_attributes[0] |= 1, Error::Debug)];
        refused_by(&TDS, &policy, &rows);
    }
}

#[test]
fn an_enclave_is_initialised() {
    let rows: [Row<Plan>; 2] = [
        (|it| it.enclave.attributes[0] &= !1, Error::NotInitialised),
        (|it| it.enclave.attributes = [0; 16], Error::NotInitialised),
    ];
    refused_by(&[Kind::Sgx], &lenient(), &rows);
    // Its other attributes are whatever they are: its measurement has them.
    for bit in 2..128 {
        let verified = changed::<Plan>(Kind::Sgx, |it| it.enclave.attributes[bit / 8] ^= 1 << (bit % 8));
        assert!(verified.is_ok(), "{bit}: {verified:?}");
    }
}

#[test]
fn each_attribute_of_a_td_is_known_or_refused() {
    // Written out from the table in the TDX module's ABI specification: what it is, and which policies allow it.
    let optional = [
        (16, td_attributes::ICSSD),
        (17, td_attributes::SERVTD_EXT),
        (27, td_attributes::LASS),
        (29, td_attributes::MIGRATABLE),
        (30, td_attributes::PKS),
        (31, td_attributes::KL),
        (62, td_attributes::TPA),
        (63, td_attributes::PERFMON),
    ];
    let reserved = !(1 | 0x70 | SEPT_VE_DISABLE | optional.iter().fold(0, |all, (bit, _)| all | 1u64 << bit));
    for kind in [Kind::TdV4, Kind::Td15Ex] {
        assert_eq!(with_attributes(kind, &Policy::strict(), SEPT_VE_DISABLE), None);
        for bit in 0..64 {
            let one = 1 << bit;
            let found = SEPT_VE_DISABLE ^ one;
            let (strict, by_lenient) = match bit {
                0 => (Some(Error::Debug), Some(Error::Debug)),
                4..=6 => (Some(Error::Profiling { found }), Some(Error::Profiling { found })),
                28 => (Some(Error::SeptVeDisable { found: 0 }), Some(Error::SeptVeDisable { found: 0 })),
                // A report of TDX 1.0 has no room for what SERVTD_EXT says that it reports.
                17 if kind == Kind::TdV4 => {
                    let refused = |allowed| Some(Error::TdAttributes { found: one, allowed });
                    (refused(0), refused(td_attributes::OPTIONAL & !one))
                }
                _ if optional.contains(&(bit, one)) => (Some(Error::TdAttributes { found: one, allowed: 0 }), None),
                _ => {
                    let error = Some(Error::ReservedAttributes { found, reserved });
                    (error.clone(), error)
                }
            };
            assert_eq!(with_attributes(kind, &Policy::strict(), found), strict, "{bit}");
            assert_eq!(with_attributes(kind, &lenient(), found), by_lenient, "{bit}");
        }
    }
}

#[test]
fn a_policy_allows_attributes_one_by_one() {
    let all = [16, 17, 27, 29, 30, 31, 62, 63].map(|bit| 1u64 << bit);
    for one in all {
        let policy = td_policy(|td| td.attributes = one);
        assert_eq!(with_attributes(Kind::Td15, &policy, SEPT_VE_DISABLE | one), None);
        assert_eq!(with_attributes(Kind::Td15, &policy, SEPT_VE_DISABLE), None);
        for other in all.into_iter().filter(|other| *other != one) {
            let error = with_attributes(Kind::Td15, &policy, SEPT_VE_DISABLE | other);
            assert_eq!(error, Some(Error::TdAttributes { found: other, allowed: one }));
            let error = with_attributes(Kind::Td15, &policy, SEPT_VE_DISABLE | one | other);
            assert_eq!(error, Some(Error::TdAttributes { found: one | other, allowed: one }));
        }
    }
    // What is no attribute that a policy may allow is no part of it.
    let policy = td_policy(|td| td.attributes = !(1 << 30));
    let allowed = all.iter().fold(0, |all, one| all | one) & !(1 << 30);
    let error = with_attributes(Kind::Td15, &policy, SEPT_VE_DISABLE | 1 << 30);
    assert_eq!(error, Some(Error::TdAttributes { found: 1 << 30, allowed }));
}

#[test]
fn each_extended_feature_is_known_or_refused() {
    // AVX, AVX-512 (three), PT, PKRU, CET (two), UINTR, LBR, AMX (two).
    let optional = [2, 5, 6, 7, 8, 9, 11, 12, 14, 15, 17, 18];
    let none = td_policy(|td| td.xfam = 0);
    for kind in [Kind::TdV4, Kind::Td15Ex] {
        assert_eq!(with_xfam(kind, &none, 3), None);
        for bit in 0..64 {
            let found = 3 ^ 1 << bit;
            if optional.contains(&bit) {
                assert_eq!(with_xfam(kind, &Policy::strict(), found), None, "{bit}");
                assert_eq!(with_xfam(kind, &none, found), Some(Error::Xfam { found, allowed: 3 }), "{bit}");
                let one = td_policy(|td| td.xfam = 1 << bit);
                assert_eq!(with_xfam(kind, &one, found), None, "{bit}");
                let all_but_one = td_policy(|td| td.xfam &= !(1 << bit));
                let allowed = td_attributes::XFAM_OPTIONAL & !(1 << bit);
                assert_eq!(with_xfam(kind, &all_but_one, found), Some(Error::Xfam { found, allowed }), "{bit}");
            } else {
                // Among them x87 and SSE, which are always there.
                for policy in [Policy::strict(), lenient()] {
                    assert_eq!(with_xfam(kind, &policy, found), Some(Error::ReservedXfam { found }), "{bit}");
                }
            }
        }
    }
}

#[test]
fn a_service_td_is_bound_to_no_td() {
    for kind in [Kind::Td15, Kind::Td15Ex] {
        for byte in [0, 47] {
            let mut found = [0; 48];
            found[byte] = 1;
            let bound = |policy: &Policy| changed_by::<Plan>(kind, policy, |it| it.td.mr_service_td = found).err();
            assert_eq!(bound(&Policy::strict()), Some(Error::ServiceTd { found: found.into() }));
            assert_eq!(bound(&td_policy(|td| td.service_td = true)), None);
        }
    }
    // TDX 1.5ex tells apart those at the start and those that were bound since.
    for byte in [0, 47] {
        let mut found = [0; 48];
        found[byte] = 1;
        let places: [fn(&mut Plan) -> &mut [u8; 48]; 2] =
            [|it| &mut it.td.init_service_td_hash, |it| &mut it.td.cur_service_td_hash];
        for place in places {
            let bound = |policy: &Policy| changed_by::<Plan>(Kind::Td15Ex, policy, |it| *place(it) = found).err();
            assert_eq!(bound(&Policy::strict()), Some(Error::ServiceTd { found: found.into() }));
            assert_eq!(bound(&td_policy(|td| td.service_td = true)), None);
        }
    }
}

#[test]
fn the_platforms_status_is_one_that_is_allowed() {
    let names =
        ["UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate"];
    let statuses = [
        TcbStatus::UpToDate,
        TcbStatus::SWHardeningNeeded,
        TcbStatus::ConfigurationNeeded,
        TcbStatus::ConfigurationAndSWHardeningNeeded,
        TcbStatus::OutOfDate,
        TcbStatus::OutOfDateConfigurationNeeded,
    ];
    for kind in Kind::ALL {
        for (found, name) in statuses.into_iter().zip(names.into_iter().chain(["OutOfDateConfigurationNeeded"])) {
            for allowed in statuses {
                let policy = Policy { statuses: Statuses::of(&[allowed, TcbStatus::Revoked]), ..Policy::strict() };
                let set = |it: &mut Plan| it.tcb_info.tcb_levels[0].tcb_status = name.into();
                let error = changed_by::<Plan>(kind, &policy, set).err();
                let refused = Error::TcbStatus { found, allowed: vec![allowed] };
                assert_eq!(error, (found != allowed).then_some(refused));
            }
        }
        let none = Policy { statuses: Statuses::default(), ..Policy::strict() };
        let error = changed_by::<Plan>(kind, &none, |_| ()).unwrap_err();
        assert_eq!(error, Error::TcbStatus { found: TcbStatus::UpToDate, allowed: vec![] });
    }
}

#[test]
fn no_policy_allows_what_was_revoked() {
    let all = Statuses::of(&TcbStatus::ALL);
    assert!(!all.contain(TcbStatus::Revoked));
    assert_eq!(all.iter().collect::<Vec<_>>(), &TcbStatus::ALL[..8]);
    assert_eq!(Statuses::of(&[TcbStatus::Revoked]), Statuses::default());
    // Not even one that was written down by hand, with a bit for every status.
    let written = Statuses::decode_all(&mut &[0xFF; 2][..]).expect("16 bits");
    assert!(written.contain(TcbStatus::UpToDate) && !written.contain(TcbStatus::Revoked));
}

#[test]
fn advisories_can_be_denied() {
    let denied = Advisory::new("INTEL-SA-00002").expect("an id");
    let mut policy = any_status();
    policy.denied_advisories.try_push(Advisory::new("INTEL-SA-00009").expect("an id")).expect("room");
    policy.denied_advisories.try_push(denied.clone()).expect("room");
    let rows: [Row<Plan>; 2] = [
        (
            |it| it.tcb_info.tcb_levels[0].advisory_ids = vec!["INTEL-SA-00001".into(), "INTEL-SA-00002".into()],
            Error::AdvisoryDenied { found: denied.clone() },
        ),
        (
            |it| it.qe_identity.tcb_levels[0].advisory_ids = vec!["intel-sa-00002".into()],
            Error::AdvisoryDenied { found: denied.clone() },
        ),
    ];
    refused_by(&Kind::ALL, &policy, &rows);
    let rows: [Row<Plan>; 1] = [(
        |it| {
            let modules = it.tcb_info.tdx_module_identities.as_mut().expect("TDX");
            modules[0].tcb_levels[0].advisory_ids = vec!["INTEL-SA-00002".into()];
        },
        Error::AdvisoryDenied { found: denied },
    )];
    refused_by(&TDS, &policy, &rows);
    // Others, and those of levels that are not the platform's.
    let verified = changed_by::<Plan>(Kind::Td15, &policy, |it| {
        it.tcb_info.tcb_levels[0].advisory_ids = vec!["INTEL-SA-00001".into(), "INTEL-SA-000021".into()];
        it.tcb_info.tcb_levels[1].advisory_ids = vec!["INTEL-SA-00002".into()];
    });
    assert!(verified.is_ok(), "{verified:?}");
}

#[test]
fn the_collateral_is_of_an_evaluation_that_is_late_enough() {
    for kind in Kind::ALL {
        let numbers = |tcb_info, qe_identity, least| {
            let policy = Policy { min_evaluation_data_number: least, ..Policy::strict() };
            let verified = changed_by::<Plan>(kind, &policy, |it| {
                it.tcb_info.tcb_evaluation_data_number = tcb_info;
                it.qe_identity.tcb_evaluation_data_number = qe_identity;
            });
            verified.map(|verified| verified.verdict.evaluation_data_number)
        };
        assert_eq!(numbers(20, 20, 20), Ok(20));
        assert_eq!(numbers(u32::MAX, u32::MAX, u32::MAX), Ok(u32::MAX));
        assert_eq!(numbers(20, 20, 21), Err(Error::EvaluationDataNumber { found: 20, least: 21 }));
        assert_eq!(numbers(19, 20, 20), Err(Error::EvaluationDataNumber { found: 19, least: 20 }));
        assert_eq!(numbers(20, 19, 20), Err(Error::EvaluationDataNumber { found: 19, least: 20 }));
        assert_eq!(numbers(0, 7, 0), Ok(0));
    }
}

fn measured(measurements: Measurements) -> Policy {
    Policy { measurements: Some(measurements), ..Policy::strict() }
}

#[test]
fn the_workload_runs_in_the_tee_that_is_demanded() {
    let sgx = measured(Measurements::Sgx(SgxMeasurements::default()));
    let tdx = measured(Measurements::Tdx(TdxMeasurements::default()));
    let judged = |kind, policy| judge(&<Plan as Stage>::new(kind).finish(), NOW, policy).err();
    assert_eq!(judged(Kind::Sgx, &sgx), None);
    assert_eq!(judged(Kind::Sgx, &tdx), Some(Error::WorkloadTee { found: Tee::Sgx, expected: Tee::Tdx }));
    for kind in TDS {
        assert_eq!(judged(kind, &tdx), None);
        assert_eq!(judged(kind, &sgx), Some(Error::WorkloadTee { found: Tee::Tdx, expected: Tee::Sgx }));
    }
}

#[test]
fn each_measurement_of_a_td_is_what_is_demanded() {
    type Field = fn(&mut Plan) -> &mut [u8; 48];
    type Demand = fn(&mut TdxMeasurements) -> &mut Option<[u8; 48]>;
    let registers: [(Register, Field, Demand); 8] = [
        (Register::MrTd, |it| &mut it.td.mr_td, |it| &mut it.mr_td),
        (Register::Rtmr0, |it| &mut it.td.rtmr0, |it| &mut it.rtmr[0]),
        (Register::Rtmr1, |it| &mut it.td.rtmr1, |it| &mut it.rtmr[1]),
        (Register::Rtmr2, |it| &mut it.td.rtmr2, |it| &mut it.rtmr[2]),
        (Register::Rtmr3, |it| &mut it.td.rtmr3, |it| &mut it.rtmr[3]),
        (Register::MrConfigId, |it| &mut it.td.mr_config_id, |it| &mut it.mr_config_id),
        (Register::MrOwner, |it| &mut it.td.mr_owner, |it| &mut it.mr_owner),
        (Register::MrOwnerConfig, |it| &mut it.td.mr_owner_config, |it| &mut it.mr_owner_config),
    ];
    for kind in TDS {
        let mut all = TdxMeasurements::default();
        for (_, field, demand) in registers {
            *demand(&mut all) = Some(*field(&mut Plan::new(kind, NOW)));
        }
        let all = measured(Measurements::Tdx(all));
        assert_eq!(changed_by::<Plan>(kind, &all, |_| ()).err(), None);
        for (register, field, demand) in registers {
            let expected = *field(&mut Plan::new(kind, NOW));
            let mut alone = TdxMeasurements::default();
            *demand(&mut alone) = Some(expected);
            let alone = measured(Measurements::Tdx(alone));
            for byte in [0, 23, 47] {
                let mut found = expected;
                found[byte] ^= 0x80;
                let error = Error::Measurement { register, found: found.into(), expected: expected.into() };
                for policy in [&all, &alone] {
                    let refused = changed_by::<Plan>(kind, policy, |it| *field(it) = found).unwrap_err();
                    assert_eq!(refused, error);
                }
                // Nobody demands it.
                let verified = changed::<Plan>(kind, |it| *field(it) = found);
                assert!(verified.is_ok(), "{verified:?}");
            }
        }
    }
}

#[test]
fn each_measurement_of_an_enclave_is_what_is_demanded() {
    let enclave = Plan::new(Kind::Sgx, NOW).enclave;
    let all = SgxMeasurements {
        mr_enclave: Some(enclave.mr_enclave),
        mr_signer: Some(enclave.mr_signer),
        isv_prod_id: Some(enclave.isv_prod_id),
        min_isv_svn: enclave.isv_svn,
    };
    let none = SgxMeasurements::default();
    let policies = |alone: SgxMeasurements| [all.clone(), alone].map(|it| measured(Measurements::Sgx(it)));
    for byte in [0, 15, 31] {
        let mut found = enclave.mr_enclave;
        found[byte] ^= 0x80;
        let expected = enclave.mr_enclave;
        for policy in policies(SgxMeasurements { mr_enclave: Some(expected), ..none.clone() }) {
            let error = changed_by::<Plan>(Kind::Sgx, &policy, |it| it.enclave.mr_enclave = found).unwrap_err();
            let register = Register::MrEnclave;
            assert_eq!(error, Error::Measurement { register, found: found.into(), expected: expected.into() });
        }
        let mut found = enclave.mr_signer;
        found[byte] ^= 0x80;
        let expected = enclave.mr_signer;
        for policy in policies(SgxMeasurements { mr_signer: Some(expected), ..none.clone() }) {
            let error = changed_by::<Plan>(Kind::Sgx, &policy, |it| it.enclave.mr_signer = found).unwrap_err();
            let register = Register::MrSigner;
            assert_eq!(error, Error::Measurement { register, found: found.into(), expected: expected.into() });
        }
    }
    for policy in policies(SgxMeasurements { isv_prod_id: Some(0), ..none.clone() }) {
        assert_eq!(changed_by::<Plan>(Kind::Sgx, &policy, |_| ()).err(), None);
        let error = changed_by::<Plan>(Kind::Sgx, &policy, |it| it.enclave.isv_prod_id = 0x0102).unwrap_err();
        let register = Register::IsvProdId;
        assert_eq!(error, Error::Measurement { register, found: Hex(vec![1, 2]), expected: Hex(vec![0, 0]) });
    }
    let least = 0x0100;
    let policy = measured(Measurements::Sgx(SgxMeasurements { min_isv_svn: least, ..none }));
    for found in [0, 1, 0xFF] {
        let error = changed_by::<Plan>(Kind::Sgx, &policy, |it| it.enclave.isv_svn = found).unwrap_err();
        assert_eq!(error, Error::IsvSvn { found, least });
    }
    for found in [least, least + 1, u16::MAX] {
        let verified = changed_by::<Plan>(Kind::Sgx, &policy, |it| it.enclave.isv_svn = found);
        assert!(verified.is_ok(), "{verified:?}");
    }
}

#[test]
fn the_report_is_what_the_workload_had_put_there() {
    for kind in Kind::ALL {
        let verified = changed::<Plan>(kind, |it| {
            it.enclave.report_data = std::array::from_fn(|index| index as u8);
            it.td.report_data = it.enclave.report_data;
        });
        let found = *verified.expect("good").report.report_data();
        assert_eq!(found, std::array::from_fn(|index| index as u8));
    }
}
