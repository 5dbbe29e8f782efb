use holdfast_evidence::mock::Key;

use super::*;

#[test]
fn anyone_submits_what_is_newer_for_nothing_and_nothing_else() {
    let mut chain = chain();
    chain.execute_with(|| {
        let signed = plan().unsigned().sign();
        assert_eq!(submit_crls(&plan()).expect("stored").pays_fee, Pays::No);
        assert_eq!(submit_documents(&signed, &plan()).expect("stored").pays_fee, Pays::No);
        assert_eq!(events().len(), 4, "{:?}", events());
        // The same again.
        assert_noop!(submit_crls(&plan()), Failure::NotNewer);
        assert_noop!(submit_documents(&signed, &plan()), Failure::NotNewer);
        // An earlier one.
        let earlier = Plan::new(Kind::Td15, NOW - DAY);
        assert_noop!(submit_crls(&earlier), Failure::NotNewer);
        assert_noop!(submit_documents(&earlier.unsigned().sign(), &earlier), Failure::NotNewer);
        // A later one of an earlier evaluation.
        let back = newer(|it| it.tcb_info.tcb_evaluation_data_number -= 1);
        assert_noop!(submit_documents(&back.unsigned().sign(), &back), Failure::NotNewer);
        let later = newer(|_| ());
        submit(&later.unsigned().sign(), &later);
    });
}

#[test]
fn what_nobody_signed_is_refused_by_name_and_kept_out() {
    let mut chain = chain();
    chain.execute_with(|| {
        let mut other = plan();
        other.crls.root.signed_by = Key::Pck;
        assert_noop!(submit_crls(&other), Failure::DocumentSignature);
        assert_ok!(submit_crls(&plan()));
        let mut other = plan();
        other.tcb_info_signed_by = Key::Pck;
        assert_noop!(submit_documents(&other.unsigned().sign(), &other), Failure::DocumentSignature);
        let mut other = plan();
        other.certificates.tcb_signer.signed_by = Key::Pck;
        assert_noop!(submit_documents(&other.unsigned().sign(), &other), Failure::CertificateSignature);
        assert_eq!(TcbInfos::<Test>::iter().count() + QeIdentities::<Test>::iter().count(), 0);
    });
}

#[test]
fn what_is_overdue_is_not_stored() {
    let mut chain = chain();
    chain.execute_with(|| {
        wait(30 * DAY);
        assert_noop!(submit_crls(&plan()), Failure::DocumentExpired);
        assert_ok!(submit_crls(&newer(|_| ())));
        assert_noop!(submit_documents(&plan().unsigned().sign(), &plan()), Failure::DocumentExpired);
    });
}

#[test]
fn newer_tcb_info_ends_who_falls_below_the_policy_and_nobody_else() {
    let (mut chain, strict) = ready();
    chain.execute_with(|| {
        let lenient = workload(Accepts::Intel(holdfast_evidence::Policy {
            statuses: holdfast_evidence::Statuses::of(&TcbStatus::ALL),
            ..policy()
        }));
        for operator in 1..=20 {
            assert_ok!(attest(operator, if operator % 2 == 0 { strict } else { lenient }));
        }
        run(1);
        Recorded::take();
        let outdated = newer(|it| it.tcb_info.tcb_levels[0].tcb_status = "OutOfDate".into());
        assert_ok!(submit_documents(&outdated.unsigned().sign(), &outdated));
        let mut ended = Vec::new();
        for _ in 0..5 {
            run(1);
            let now: Vec<_> = Recorded::take().into_iter().filter(|told| matches!(told, Told::Ended(_))).collect();
            assert!(now.len() <= 8);
            ended.extend(now);
        }
        assert_eq!(ended.len(), 10);
        for operator in 1..=20 {
            assert_eq!(is_attested(operator), operator % 2 == 1, "{operator}");
            let status = of(operator).and_then(|it| it.basis.status());
            assert_eq!(status, (operator % 2 == 1).then_some(TcbStatus::OutOfDate));
        }
        assert_eq!(Sweep::<Test>::get(), None);
        run(1);
        assert_noop!(attest(2, strict), Failure::TcbStatus);
    });
}

#[test]
fn a_list_that_revokes_a_platform_ends_who_is_attested_on_it() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        for operator in 1..=12 {
            assert_ok!(attest(operator, workload));
        }
        run(1);
        let revoking = newer(|it| {
            it.crls.pck.revoked = vec![Revoked::new(it.certificates.pck.serial.clone(), NOW)];
        });
        assert_ok!(submit_crls(&revoking));
        run(1);
        let refused = Ended::Refused(Failure::CertificateRevoked.into());
        let named = |event: &Event<Test>| matches!(event, Event::AttestationEnded { reason, .. } if *reason == refused);
        assert!(events().iter().any(named), "{:?}", events());
        run(3);
        assert_eq!(Attestations::<Test>::count(), 0);
        assert_noop!(attest(1, workload), Failure::CertificateRevoked);
    });
}

#[test]
fn newer_collateral_lengthens_what_ended_with_the_older() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        wait(27 * DAY);
        assert_ok!(attest(7, workload));
        // The lists: the second of `nextUpdate` is too late.
        let until = NOW - DAY + 30 * DAY - 1;
        assert_eq!(of(7).expect("attested").until, until);
        let plan = newer(|_| ());
        submit(&plan.unsigned().sign(), &plan);
        run(1);
        let attestation = of(7).expect("attested");
        assert_eq!(attestation.until, attestation.since + LIFETIME);
        wait(5 * DAY);
        assert!(is_attested(7));
    });
}

#[test]
fn a_sweep_that_is_on_its_way_goes_round_once_more_for_what_came_meanwhile() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        for operator in 1..=20 {
            assert_ok!(attest(operator, workload));
        }
        run(5);
        crate::Pallet::<Test>::judge_all_again();
        run(1);
        let (first, last) = Sweep::<Test>::get().expect("on its way");
        // Whoever was judged already is not left out.
        let gone = newer(|it| it.crls.pck.revoked = vec![Revoked::new(it.certificates.pck.serial.clone(), NOW)]);
        assert_ok!(submit_crls(&gone));
        assert_eq!(Sweep::<Test>::get(), Some((first, last)));
        run(8);
        assert_eq!((Attestations::<Test>::count(), Sweep::<Test>::get()), (0, None));
    });
}

// Intel dates everything anew all the time, and says the same.
#[test]
fn another_date_alone_is_free_once_a_day() {
    let (mut chain, _) = ready();
    chain.execute_with(|| {
        run(5);
        let dated = |seconds| {
            let mut plan = Plan::new(Kind::Td15, NOW + seconds);
            plan.tcb_info.tcb_evaluation_data_number = self::plan().tcb_info.tcb_evaluation_data_number;
            plan
        };
        wait(2 * DAY);
        for (seconds, pays, sweeps) in [(3600, Pays::Yes, false), (7200, Pays::Yes, false), (2 * DAY, Pays::No, true)] {
            let plan = dated(seconds);
            assert_eq!(submit_crls(&plan).expect("newer").pays_fee, pays);
            assert_eq!(submit_documents(&plan.unsigned().sign(), &plan).expect("newer").pays_fee, pays);
            assert_eq!(Sweep::<Test>::get().is_some(), sweeps);
        }
        run(3);
        // What says more is free at once.
        let mut plan = dated(2 * DAY + 60);
        plan.tcb_info.tcb_levels[0].tcb_status = "OutOfDate".into();
        plan.crls.pck.revoked = vec![Revoked::new(vec![9; 20], NOW)];
        assert_eq!(submit_crls(&plan).expect("newer").pays_fee, Pays::No);
        assert!(Sweep::<Test>::get().is_some());
    });
}

#[test]
fn a_ca_whose_certificate_has_ended_stands_in_nobodys_way() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        // Whichever comes first.
        for (id, ca) in PckCas::<Test>::iter().collect::<Vec<_>>() {
            for byte in [0, 0xFF] {
                let mut ended = ca.clone();
                ended.issuer.not_after = NOW - 1;
                PckCas::<Test>::insert([byte; 32], ended);
            }
            assert!(PckCas::<Test>::contains_key(id));
        }
        assert_ok!(attest(7, workload));
    });
}
