use proptest::prelude::*;

use super::*;

/// What anybody may do, or what happens.
#[derive(Clone, Copy, Debug)]
enum Act {
    Attest { operator: u64, workload: u32, age: u64, plan: u8 },
    Register,
    Reevaluate { operator: u64 },
    Request { operator: u64, within: u64 },
    Collateral { kind: u8, later: u64 },
    Propose { lenient: bool, lifetime: u64 },
    Retire { workload: u32, grace: u64 },
    Remove { workload: u32 },
    Change { workload: u32, lifetime: u64 },
    Revoke { back: bool },
    Wait { seconds: u64 },
    Blocks { number: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1..6u64, 0..4u32, 0..4u64, 0..5u8)
            .prop_map(|(operator, workload, age, plan)| Act::Attest { operator, workload, age, plan }),
        1 => Just(Act::Register),
        1 => (1..6u64).prop_map(|operator| Act::Reevaluate { operator }),
        1 => (1..6u64, 0..100u64).prop_map(|(operator, within)| Act::Request { operator, within }),
        2 => (0..5u8, 0..3u64).prop_map(|(kind, later)| Act::Collateral { kind, later }),
        1 => (any::<bool>(), 1..DAY).prop_map(|(lenient, lifetime)| Act::Propose { lenient, lifetime }),
        1 => (0..4u32, 0..DAY).prop_map(|(workload, grace)| Act::Retire { workload, grace }),
        1 => (0..4u32).prop_map(|workload| Act::Remove { workload }),
        1 => (0..4u32, 1..DAY).prop_map(|(workload, lifetime)| Act::Change { workload, lifetime }),
        1 => any::<bool>().prop_map(|back| Act::Revoke { back }),
        2 => (SLOT..5 * DAY).prop_map(|seconds| Act::Wait { seconds }),
        3 => (1..5u64).prop_map(|number| Act::Blocks { number }),
    ]
}

fn take(act: Act) {
    let root = RuntimeOrigin::root;
    let now = crate::Pallet::<Test>::now();
    let _ = match act {
        Act::Attest { operator, workload, age, plan: which } => {
            let mut plan = plan();
            match which {
                4 => plan.certificates.pck.serial = vec![0x44; 20],
                1 => plan.td.mr_td[0] ^= 1,
                2 => plan.quote_signed_by = holdfast_evidence::mock::Key::Pck,
                3 => {
                    let other = holdfast_evidence::mock::Key::Other("another");
                    (plan.attestation_key, plan.quote_signed_by) = (other, other);
                }
                _ => {}
            }
            let block = latest().saturating_sub(age);
            let evidence = Box::new(quote_of(plan, said(operator, Role::VALIDATOR, &keys(operator), block)));
            let origin = RuntimeOrigin::signed(operator);
            Attestation::attest(origin, evidence, block, workload, keys(operator)).map(drop).map_err(|it| it.error)
        }
        Act::Register => {
            Attestation::register_pck(RuntimeOrigin::signed(1), certificate(&plan(), CertificateName::Pck))
        }
        Act::Reevaluate { operator } => Attestation::reevaluate(RuntimeOrigin::signed(1), operator, Role::VALIDATOR),
        Act::Request { operator, within } => {
            Attestation::request_attestation(root(), operator, Role::VALIDATOR, within)
        }
        Act::Collateral { kind, later } => {
            let mut plan = Plan::new(Kind::Td15, now + later * DAY);
            match kind {
                1 => plan.tcb_info.tcb_levels[0].tcb_status = "OutOfDate".into(),
                2 => plan.crls.pck.revoked = vec![Revoked::new(plan.certificates.pck.serial.clone(), NOW)],
                3 => plan.tcb_info.tcb_evaluation_data_number -= 1,
                _ => {}
            }
            let _ = submit_crls(&plan);
            submit_documents(&plan.unsigned().sign(), &plan).map(drop).map_err(|it| it.error)
        }
        Act::Propose { lenient, lifetime } => {
            let statuses = if lenient { &TcbStatus::ALL[..] } else { &[TcbStatus::UpToDate] };
            let statuses = holdfast_evidence::Statuses::of(statuses);
            let accepts = Box::new(Accepts::Intel(holdfast_evidence::Policy { statuses, grace: lifetime, ..policy() }));
            Attestation::propose_workload(root(), Role::VALIDATOR, accepts, lifetime, 0)
        }
        Act::Retire { workload, grace } => Attestation::retire_workload(root(), workload, grace),
        Act::Remove { workload } => Attestation::remove_workload(root(), workload),
        Act::Change { workload, lifetime } => {
            Attestation::change_workload(root(), workload, Box::new(Accepts::Intel(policy())), lifetime)
        }
        Act::Revoke { back } => {
            let ppid = plan_ppid();
            if back {
                Attestation::reinstate_platform(root(), ppid)
            } else {
                Attestation::revoke_platform(root(), ppid)
            }
        }
        Act::Wait { seconds } => {
            wait(seconds);
            Ok(())
        }
        Act::Blocks { number } => {
            run(number);
            Ok(())
        }
    };
}

fn plan_ppid() -> Ppid {
    Platforms::<Test>::iter_values().next().map(|it| it.pck.platform.ppid).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // Everything is in order after each block (`run` looks), and after each call.
    #[test]
    fn whatever_is_done_in_whatever_order_maps_queue_and_lists_agree(acts in prop::collection::vec(act(), 1..60)) {
        let (mut chain, _) = ready();
        chain.execute_with(|| {
            // So that everything takes several blocks.
            MaxEndedPerBlock::set(2);
            MaxJudgedPerBlock::set(2);
            for act in acts {
                take(act);
                crate::Pallet::<Test>::check_state().expect("everything is in order");
                // Who counts for others would be judged as good now, or is still to be judged again.
                for operator in 1..6 {
                    let state = crate::Pallet::<Test>::state(operator, Role::VALIDATOR);
                    let ends = state.and_then(|state| state.ends);
                    let waits = Sweep::<Test>::get().is_some();
                    assert!(!is_attested(operator) || ends.is_none() || waits, "{operator}: {ends:?}");
                }
            }
        });
    }
}
