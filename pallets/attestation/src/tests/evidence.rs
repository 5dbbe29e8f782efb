use holdfast_evidence::{mock::Key, BoundKey, KeyScheme};

use super::*;

#[test]
fn good_evidence_attests_its_sender_with_its_keys_for_the_workloads_lifetime() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        assert_ok!(attest(7, workload));
        let attestation = of(7).expect("attested");
        let now = crate::Pallet::<Test>::now();
        assert_eq!((attestation.since, attestation.until), (now, now + LIFETIME));
        assert_eq!(attestation.keys, keys(7));
        let attested = Attested { workload, tier: Tier::Intel, keys: keys(7), until: now + LIFETIME };
        let found = <crate::Pallet<Test> as AttestationInfo<u64>>::attested(&7, Role::VALIDATOR);
        assert_eq!(found, Some(attested.clone()));
        assert_eq!(Recorded::take(), [Told::Attested(7, attested)]);
        let (operator, role, tier, until) = (7, Role::VALIDATOR, Tier::Intel, now + LIFETIME);
        let (path, status) = (Path::NewPlatform, Some(TcbStatus::UpToDate));
        let event = Event::Attested { operator, role, workload, tier, path, status, until };
        assert_eq!(events().last(), Some(&event));
        assert_eq!(crate::Pallet::<Test>::members(workload, None, 9), [(Subject { operator, role }, until)]);
    });
}

#[test]
fn the_second_time_costs_one_verification_and_another_key_of_a_known_platform_two() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let path = |done: frame_support::pallet_prelude::DispatchResultWithPostInfo| {
            done.expect("attested").actual_weight.expect("less than the most").ref_time() - 10
        };
        assert_eq!(path(attest(7, workload)), Path::NewPlatform as u64);
        run(1);
        assert_eq!(path(attest(7, workload)), Path::KnownKey as u64);
        // Somebody else on the same platform.
        assert_eq!(path(attest(8, workload)), Path::KnownKey as u64);
        run(1);
        let other = Plan { attestation_key: Key::Other("second"), quote_signed_by: Key::Other("second"), ..plan() };
        assert_eq!(path(attest_by(other.clone(), 7, workload)), Path::KnownPlatform as u64);
        run(1);
        assert_eq!(path(attest_by(other, 7, workload)), Path::KnownKey as u64);
    });
}

#[test]
fn a_platform_that_was_registered_is_known_to_its_first_quote() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let pck = certificate(&plan(), CertificateName::Pck);
        assert_ok!(Attestation::register_pck(RuntimeOrigin::signed(1), pck.clone()));
        assert_noop!(Attestation::register_pck(RuntimeOrigin::signed(1), pck), Failure::AlreadyRegistered);
        let weight = attest(7, workload).expect("attested").actual_weight.expect("less");
        assert_eq!(weight.ref_time() - 10, Path::KnownPlatform as u64);
    });
}

#[test]
fn evidence_is_good_once_and_for_one_block_account_role_key_and_chain() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let block = latest();
        let other_role = {
            let (accepts, from) = (Box::new(Accepts::Intel(policy())), System::block_number() + 1);
            let role = Role(*b"work");
            assert_ok!(Attestation::propose_workload(RuntimeOrigin::root(), role, accepts, LIFETIME, from));
            workload + 1
        };
        run(1);
        let good = quote_of(plan(), said(7, Role::VALIDATOR, &keys(7), block));
        let send = |operator, block, workload, keys: Keys| {
            Attestation::attest(RuntimeOrigin::signed(operator), Box::new(good.clone()), block, workload, keys)
        };
        assert_noop!(send(8, block, workload, keys(7)), Failure::ReportData);
        assert_noop!(send(7, block + 1, workload, keys(7)), Failure::ReportData);
        assert_noop!(send(7, block, other_role, keys(7)), Failure::ReportData);
        assert_noop!(send(7, block, workload, keys(9)), Failure::ReportData);
        assert_noop!(send(7, block, workload, Keys::default()), Failure::ReportData);
        let genesis = frame_system::BlockHash::<Test>::get(0);
        frame_system::BlockHash::<Test>::insert(0, sp_core::H256([0xDD; 32]));
        assert_noop!(send(7, block, workload, keys(7)), Failure::ReportData);
        frame_system::BlockHash::<Test>::insert(0, genesis);

        assert_ok!(send(7, block, workload, keys(7)));
        assert_noop!(send(7, block, workload, keys(7)), Failure::EvidenceNotNewer);
        // Nor when the attestation has ended in between.
        assert_ok!(Attestation::request_attestation(RuntimeOrigin::root(), 7, Role::VALIDATOR, 0));
        run(2);
        assert_eq!(of(7), None);
        assert_noop!(send(7, block, workload, keys(7)), Failure::EvidenceNotNewer);
    });
}

#[test]
fn a_block_is_recent_and_before_this_one() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let of_block = |block| {
            let evidence = quote_of(plan(), said(7, Role::VALIDATOR, &keys(7), block));
            Attestation::attest(RuntimeOrigin::signed(7), Box::new(evidence), block, workload, keys(7))
        };
        let here = System::block_number();
        assert_noop!(of_block(here), Failure::BlockNotYet);
        assert_noop!(of_block(here + 9), Failure::BlockNotYet);
        assert_noop!(of_block(u64::MAX), Failure::BlockNotYet);
        let block = latest();
        run(256);
        assert_noop!(of_block(block), Failure::BlockTooOld);
        assert_noop!(of_block(0), Failure::BlockTooOld);
        assert_ok!(of_block(block + 1));
    });
}

#[test]
fn a_quote_that_was_changed_fails_by_name_and_changes_nothing() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        type Change = fn(&mut Plan);
        let changes: [(Change, Failure); 7] = [
            (|it| it.quote_signed_by = Key::Pck, Failure::QuoteSignature),
            (|it| it.td.mr_td[0] ^= 1, Failure::Measurement),
            (|it| it.td.td_attributes[0] |= 1, Failure::Debug),
            (|it| it.qe_report_signed_by = Key::Root, Failure::QeReportSignature),
            (|it| it.qe_report.mr_signer = [7; 32], Failure::QeSigner),
            (|it| it.header.version = 6, Failure::QuoteVersion),
            (|it| it.certificates.pck.signed_by = Key::Root, Failure::CertificateSignature),
        ];
        for (change, error) in changes {
            let mut changed = plan();
            change(&mut changed);
            assert_noop!(attest_by(changed, 7, workload), error);
        }
        let block = latest();
        let Evidence::Quote(quote) = quote_of(plan(), said(7, Role::VALIDATOR, &keys(7), block)) else {
            unreachable!("a quote")
        };
        for cut in [0, 1, 47, 600, quote.len() - 1] {
            let cut = Evidence::Quote(quote[..cut].to_vec().try_into().expect("shorter"));
            let sent = Attestation::attest(RuntimeOrigin::signed(7), Box::new(cut), block, workload, keys(7));
            assert_noop!(sent, Failure::Truncated);
        }
    });
}

#[test]
fn a_workload_is_known_active_not_retired_and_takes_its_kind_of_evidence() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        assert_noop!(attest(7, workload + 1), Failure::UnknownWorkload);
        let accepts = Box::new(Accepts::Intel(policy()));
        let from = System::block_number() + 3;
        assert_ok!(Attestation::propose_workload(RuntimeOrigin::root(), Role::VALIDATOR, accepts, LIFETIME, from));
        run(2);
        assert_noop!(attest(7, workload + 1), Failure::WorkloadNotActive);
        run(1);
        assert_ok!(attest(7, workload + 1));
        let device = self::workload(Accepts::Device(vec![[1; 32]].try_into().expect("one")));
        assert_noop!(attest(7, device), Failure::EvidenceKind);
        assert_ok!(Attestation::retire_workload(RuntimeOrigin::root(), workload + 1, 2 * SLOT));
        run(1);
        assert_ok!(attest(7, workload + 1));
        run(1);
        assert_noop!(attest(7, workload + 1), Failure::WorkloadRetired);
    });
}

#[test]
fn keys_are_named_once_each_and_subjects_are_counted() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let twice: Keys = vec![key(7), key(7)].try_into().expect("two");
        let block = latest();
        let evidence = quote_of(plan(), said(7, Role::VALIDATOR, &twice, block));
        let sent = Attestation::attest(RuntimeOrigin::signed(7), Box::new(evidence), block, workload, twice);
        assert_noop!(sent, Failure::KeysTwice);
        // The same bytes under another scheme are another key.
        let other = BoundKey::new(KeyScheme::Sr25519, *b"aura", &[7; 32]).expect("32 bytes");
        let both: Keys = vec![key(7), other].try_into().expect("two");
        let evidence = quote_of(plan(), said(7, Role::VALIDATOR, &both, block));
        assert_ok!(Attestation::attest(RuntimeOrigin::signed(7), Box::new(evidence), block, workload, both));

        MaxSubjects::set(2);
        assert_ok!(attest(8, workload));
        assert_noop!(attest(9, workload), Failure::TooManySubjects);
        run(1);
        // Who is attested already takes no more room.
        assert_ok!(attest(8, workload));
    });
}

#[test]
fn without_collateral_each_error_says_what_is_missing() {
    let mut chain = chain();
    chain.execute_with(|| {
        let workload = workload(Accepts::Intel(policy()));
        let signed = plan().unsigned().sign();
        assert_noop!(attest(7, workload), Failure::NoPckCrl);
        assert_noop!(submit_documents(&signed, &plan()), Failure::NoRootCrl);
        assert_ok!(submit_crls(&plan()));
        assert_noop!(attest(7, workload), Failure::NoQeIdentity);
        let sgx = Plan::new(Kind::Sgx, NOW);
        assert_ok!(submit_documents(&sgx.unsigned().sign(), &sgx));
        assert_noop!(attest(7, workload), Failure::NoQeIdentity);
        assert_ok!(submit_documents(&signed, &plan()));
        assert_ok!(attest(7, workload));
    });
    chain_that_trusts(Vec::new()).execute_with(|| {
        assert_eq!(crate::Pallet::<Test>::simulated(), None);
        assert_noop!(submit_crls(&plan()), Failure::NoTrustAnchor);
    });
}

#[test]
fn a_simulated_chain_says_so_and_intels_does_not() {
    chain().execute_with(|| assert_eq!(crate::Pallet::<Test>::simulated(), Some(true)));
    chain_that_trusts(holdfast_evidence::INTEL_ROOT.to_vec())
        .execute_with(|| assert_eq!(crate::Pallet::<Test>::simulated(), Some(false)));
}

#[test]
#[should_panic(expected = "attestation.root: the root certificate is no X.509 certificate")]
fn a_genesis_whose_root_is_none_is_refused() {
    chain_that_trusts(vec![1, 2, 3]);
}

// An update has the quoting enclave certify the same key under another PCK certificate. And whoever has got at the keys of
// some platform can certify anybody's key on his: that is another certification, and changes nothing for its owner.
#[test]
fn a_key_that_is_certified_anew_counts_as_it_is_certified() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let path = |done: frame_support::pallet_prelude::DispatchResultWithPostInfo| {
            done.expect("attested").actual_weight.expect("less than the most").ref_time() - 10
        };
        let updated = {
            let mut plan = plan();
            plan.certificates.pck.serial = vec![0x44; 20];
            plan
        };
        assert_eq!(path(attest(7, workload)), Path::NewPlatform as u64);
        run(1);
        assert_eq!(path(attest_by(updated.clone(), 8, workload)), Path::NewPlatform as u64);
        run(1);
        assert_eq!(path(attest(7, workload)), Path::KnownKey as u64);
        assert_eq!(path(attest_by(updated.clone(), 8, workload)), Path::KnownKey as u64);
        let serials = |operator| match of(operator).expect("attested").basis {
            Basis::Quote { key, .. } => key.pck,
            Basis::Device { .. } => unreachable!("a quote"),
        };
        assert_ne!(serials(7), serials(8));
        // What the list revokes of the one does not touch the other.
        let revoking = newer(|it| it.crls.pck.revoked = vec![Revoked::new(it.certificates.pck.serial.clone(), NOW)]);
        assert_ok!(submit_crls(&revoking));
        run(2);
        assert!(!is_attested(7) && is_attested(8));
        assert_eq!(path(attest_by(updated, 7, workload)), Path::KnownKey as u64);
    });
}

#[test]
fn a_platform_has_few_keys_and_few_subjects() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        for (name, operator) in names.into_iter().zip(1..) {
            let key = Key::Other(name);
            assert_ok!(attest_by(Plan { attestation_key: key, quote_signed_by: key, ..plan() }, operator, workload));
        }
        assert_eq!(AttestationKeys::<Test>::count(), MAX_CERTIFICATIONS);
        // Whoever's key is not kept any more is attested all the same.
        crate::Pallet::<Test>::judge_all_again();
        run(4);
        assert!((1..=10).all(is_attested));
        MaxSubjectsPerPlatform::set(11);
        assert_ok!(attest(11, workload));
        assert_noop!(attest(12, workload), Failure::TooManyOnPlatform);
        run(1);
        assert_ok!(attest(11, workload));
        // Somebody leaves.
        assert_ok!(Attestation::request_attestation(RuntimeOrigin::root(), 1, Role::VALIDATOR, 0));
        run(2);
        assert_ok!(attest(12, workload));
    });
}

#[test]
fn a_request_is_answered_by_nothing_that_was_made_before_it() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        assert_ok!(attest(7, workload));
        run(3);
        let block = latest();
        let early = quote_of(plan(), said(7, Role::VALIDATOR, &keys(7), block));
        run(3);
        assert_ok!(Attestation::request_attestation(RuntimeOrigin::root(), 7, Role::VALIDATOR, 10 * SLOT));
        let send = || Attestation::attest(RuntimeOrigin::signed(7), Box::new(early.clone()), block, workload, keys(7));
        assert_noop!(send(), Failure::EvidenceBeforeRequest);
        run(1);
        assert_ok!(attest(7, workload));
        assert_noop!(send(), Failure::EvidenceNotNewer);
        // Nor once a request that nobody answered has ended the attestation.
        run(2);
        let block = latest();
        let early = quote_of(plan(), said(7, Role::VALIDATOR, &keys(7), block));
        run(1);
        assert_ok!(Attestation::request_attestation(RuntimeOrigin::root(), 7, Role::VALIDATOR, 0));
        run(2);
        assert_eq!(of(7), None);
        let sent = Attestation::attest(RuntimeOrigin::signed(7), Box::new(early), block, workload, keys(7));
        assert_noop!(sent, Failure::EvidenceNotNewer);
        assert_ok!(attest(7, workload));
    });
}
