use frame_support::traits::Hooks;

use super::*;

#[test]
fn an_attestation_ends_by_itself_and_counts_no_second_longer() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        assert_ok!(attest(7, workload));
        let until = of(7).expect("attested").until;
        wait(LIFETIME);
        assert_eq!(crate::Pallet::<Test>::now(), until);
        assert!(is_attested(7));
        run(1);
        // Nothing ended it yet, and it counts no more.
        assert!(of(7).is_some() && !is_attested(7));
        assert_eq!(crate::Pallet::<Test>::members(workload, None, 9), []);
        let state = crate::Pallet::<Test>::state(7, Role::VALIDATOR).expect("still stored");
        assert_eq!(state.ends, Some(Ended::Expired));
        run(1);
        assert_eq!(of(7), None);
        let ended = Event::AttestationEnded { operator: 7, role: Role::VALIDATOR, workload, reason: Ended::Expired };
        assert!(events().contains(&ended));
        assert_eq!(Recorded::take().last(), Some(&Told::Ended(7)));
        assert_ok!(attest(7, workload));
    });
}

#[test]
fn many_that_are_due_at_once_end_in_their_order_a_bounded_number_in_each_block() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let operators: Vec<u64> = (1..=100).collect();
        for operator in &operators {
            assert_ok!(attest(*operator, workload));
        }
        wait(LIFETIME);
        run(1);
        Recorded::take();
        let (mut order, mut blocks) = (Vec::new(), 0);
        while Attestations::<Test>::count() > 0 {
            run(1);
            blocks += 1;
            let ended = Recorded::take();
            assert!(ended.len() <= 32, "{}", ended.len());
            order.extend(ended);
        }
        assert_eq!(order, operators.into_iter().map(Told::Ended).collect::<Vec<_>>());
        assert!(blocks <= 8, "{blocks}");
    });
}

#[test]
fn housekeeping_costs_what_it_did_and_never_more_than_its_share() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        for operator in 1..=100 {
            assert_ok!(attest(operator, workload));
        }
        run(1);
        crate::Pallet::<Test>::judge_all_again();
        let most = 32 + 32 + 8 * 1_000;
        pallet_timestamp::Now::<Test>::mutate(|now| *now += (LIFETIME + SLOT) * 1_000);
        let mut total = 0;
        for _ in 0..30 {
            let weight = <crate::Pallet<Test> as Hooks<u64>>::on_initialize(System::block_number()).ref_time();
            assert!(weight <= most, "{weight}");
            total += weight;
        }
        assert!(total > 100);
        assert_eq!(Attestations::<Test>::count(), 0);
        assert_eq!(<crate::Pallet<Test> as Hooks<u64>>::on_initialize(System::block_number()).ref_time(), 0);
    });
}

#[test]
fn a_request_that_is_not_answered_ends_an_attestation_and_new_evidence_answers_it() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let ask = |operator, within| {
            Attestation::request_attestation(RuntimeOrigin::root(), operator, Role::VALIDATOR, within)
        };
        assert_noop!(ask(7, 60), Failure::NotAttested);
        assert_ok!(attest(7, workload));
        assert_ok!(attest(8, workload));
        assert_ok!(ask(7, 10 * SLOT));
        assert_ok!(ask(8, 10 * SLOT));
        // It can be hastened, and not put off.
        assert_ok!(ask(8, 20 * SLOT));
        let now = crate::Pallet::<Test>::now();
        assert_eq!(of(8).expect("attested").until, now + 10 * SLOT);
        run(1);
        assert_ok!(attest(7, workload));
        run(12);
        assert!(is_attested(7));
        assert_eq!(of(8), None);
        // Reevaluating is no answer either.
        assert_ok!(ask(7, 2 * SLOT));
        assert_ok!(Attestation::reevaluate(RuntimeOrigin::signed(1), 7, Role::VALIDATOR));
        run(4);
        assert_eq!(of(7), None);
        assert_noop!(Attestation::reevaluate(RuntimeOrigin::signed(1), 7, Role::VALIDATOR), Failure::NotAttested);
        let signed = RuntimeOrigin::signed(7);
        let refused = Attestation::request_attestation(signed, 7, Role::VALIDATOR, 1);
        assert_noop!(refused, sp_runtime::DispatchError::BadOrigin);
    });
}

#[test]
fn what_is_kept_for_the_next_time_goes_when_nobody_needs_it_any_more() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        assert_ok!(attest(7, workload));
        assert_eq!((Platforms::<Test>::count(), AttestationKeys::<Test>::count()), (1, 1));
        wait(LIFETIME + DAY);
        run(3);
        assert_eq!((Platforms::<Test>::count(), AttestationKeys::<Test>::count()), (1, 1));
        wait(PlatformLifetime::get());
        // It is asked every ten minutes whether the last block is too old.
        run(400);
        let left = [Platforms::<Test>::count(), AttestationKeys::<Test>::count(), LastBlocks::<Test>::count()];
        assert_eq!((left, Queue::<Test>::count(), Shelf::<Test>::count()), ([0; 3], 0, 0));
    });
}
