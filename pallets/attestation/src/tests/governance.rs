use holdfast_evidence::{DeviceKey, Measurements, OpteeEvidence, Policy, SgxMeasurements, TdxMeasurements};
use sp_runtime::DispatchError::BadOrigin;

use super::*;

fn propose(accepts: Accepts, lifetime: u64) -> frame_support::pallet_prelude::DispatchResult {
    Attestation::propose_workload(RuntimeOrigin::root(), Role::VALIDATOR, Box::new(accepts), lifetime, 0)
}

#[test]
fn only_governance_says_what_may_run_and_what_is_trusted() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        let one = || RuntimeOrigin::signed(1);
        let accepts = || Box::new(Accepts::Intel(policy()));
        let role = Role::VALIDATOR;
        let modulus = vec![0xC1; 256].try_into().expect("short");
        let key = DeviceKey { exponent: vec![1, 0, 1].try_into().expect("short"), modulus };
        assert_noop!(Attestation::propose_workload(one(), role, accepts(), LIFETIME, 0), BadOrigin);
        assert_noop!(Attestation::change_workload(one(), workload, accepts(), LIFETIME), BadOrigin);
        assert_noop!(Attestation::retire_workload(one(), workload, 0), BadOrigin);
        assert_noop!(Attestation::remove_workload(one(), workload), BadOrigin);
        assert_noop!(Attestation::enroll_device(one(), key), BadOrigin);
        assert_noop!(Attestation::remove_device(one(), [0; 32]), BadOrigin);
        assert_noop!(Attestation::revoke_platform(one(), [0; 16]), BadOrigin);
        assert_noop!(Attestation::reinstate_platform(one(), [0; 16]), BadOrigin);
    });
}

#[test]
fn a_workload_demands_some_code_a_lifetime_and_a_grace_that_end() {
    chain().execute_with(|| {
        let any = |measurements| Accepts::Intel(Policy { measurements, ..Policy::strict() });
        let rtmr = TdxMeasurements { rtmr: [Some([1; 48]); 4], ..Default::default() };
        let firmware = TdxMeasurements { mr_td: Some([1; 48]), ..Default::default() };
        let signer = SgxMeasurements { mr_signer: Some([1; 32]), ..Default::default() };
        for accepts in [
            any(None),
            any(Some(Measurements::Tdx(TdxMeasurements::default()))),
            any(Some(Measurements::Tdx(rtmr))),
            any(Some(Measurements::Tdx(firmware))),
            any(Some(Measurements::Sgx(SgxMeasurements::default()))),
            any(Some(Measurements::Sgx(signer.clone()))),
            Accepts::Device(Default::default()),
        ] {
            assert_noop!(propose(accepts, LIFETIME), Failure::AnyCode);
        }
        assert_ok!(propose(any(Some(Measurements::Sgx(SgxMeasurements { isv_prod_id: Some(1), ..signer }))), LIFETIME));
        for lifetime in [0, MAX_LIFETIME + 1, u64::MAX] {
            assert_noop!(propose(Accepts::Intel(policy()), lifetime), Failure::Lifetime);
        }
        let grace = |grace| Accepts::Intel(Policy { grace, ..policy() });
        assert_noop!(propose(grace(MAX_GRACE + 1), LIFETIME), Failure::GraceTooLong);
        assert_ok!(propose(grace(MAX_GRACE), MAX_LIFETIME));
        MaxWorkloads::set(2);
        assert_noop!(propose(Accepts::Intel(policy()), 1), Failure::TooManyWorkloads);
    });
}

#[test]
fn a_workload_that_changes_is_judged_again_by_what_it_accepts_now() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        assert_ok!(attest(7, workload));
        run(1);
        let change = |policy, lifetime| {
            Attestation::change_workload(RuntimeOrigin::root(), workload, Box::new(Accepts::Intel(policy)), lifetime)
        };
        assert_ok!(change(policy(), DAY));
        run(1);
        let attestation = of(7).expect("attested");
        assert_eq!(attestation.until, attestation.since + DAY);
        // No longer than it was attested for.
        assert_ok!(change(policy(), LIFETIME + DAY));
        run(1);
        let attestation = of(7).expect("attested");
        assert_eq!(attestation.until, attestation.since + LIFETIME);
        let mut other = policy();
        let rtmr = [None, Some([7; 48]), None, None];
        let mr_td = Some(plan().td.mr_td);
        other.measurements = Some(Measurements::Tdx(TdxMeasurements { mr_td, rtmr, ..Default::default() }));
        assert_ok!(change(other, LIFETIME));
        run(1);
        assert_eq!(of(7), None);
        assert_noop!(attest(7, workload), Failure::Measurement);
        let none = Attestation::change_workload(RuntimeOrigin::root(), 9, Box::new(Accepts::Intel(policy())), LIFETIME);
        assert_noop!(none, Failure::UnknownWorkload);
    });
}

#[test]
fn a_workload_is_retired_with_a_grace_and_forgotten_when_nobody_runs_it() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        assert_ok!(attest(7, workload));
        let retire = |grace| Attestation::retire_workload(RuntimeOrigin::root(), workload, grace);
        let remove = || Attestation::remove_workload(RuntimeOrigin::root(), workload);
        assert_noop!(remove(), Failure::WorkloadInUse);
        assert_noop!(retire(MAX_GRACE + 1), Failure::GraceTooLong);
        assert_ok!(retire(4 * SLOT));
        // It can be hastened, and not put off.
        assert_ok!(retire(40 * SLOT));
        run(1);
        let end = Workloads::<Test>::get(workload).expect("there").retired_at.expect("retired");
        assert_eq!(of(7).expect("attested").until, end);
        run(3);
        assert_noop!(remove(), Failure::WorkloadInUse);
        run(2);
        assert_eq!(of(7), None);
        assert_ok!(remove());
        assert_noop!(remove(), Failure::UnknownWorkload);
        assert_noop!(attest(7, workload), Failure::UnknownWorkload);
    });
}

#[test]
fn a_platform_that_is_revoked_ends_who_is_on_it_whatever_intel_says() {
    let (mut chain, workload) = ready();
    chain.execute_with(|| {
        assert_ok!(attest(7, workload));
        let ppid = Platforms::<Test>::iter_values().next().expect("one").pck.platform.ppid;
        let root = RuntimeOrigin::root;
        assert_noop!(Attestation::reinstate_platform(root(), ppid), Failure::NotRevoked);
        assert_ok!(Attestation::revoke_platform(root(), ppid));
        assert!(!is_attested(7), "at once");
        assert_noop!(Attestation::revoke_platform(root(), ppid), Failure::AlreadyRevoked);
        run(1);
        assert_eq!(of(7), None);
        assert_noop!(attest(7, workload), Failure::PlatformRevoked);
        assert_ok!(Attestation::reinstate_platform(root(), ppid));
        assert_ok!(attest(7, workload));
    });
}

/// What an enrolled device signed, from the vectors of `holdfast-evidence` (made with OpenSSL): for a challenge of its own.
fn device() -> DeviceKey {
    let modulus = [&[0xC1][..], &[0x5A; 254], &[1]].concat().try_into().expect("short");
    DeviceKey { exponent: vec![1, 0, 1].try_into().expect("short"), modulus }
}

#[test]
fn devices_are_enrolled_once_and_with_keys_that_are_long_enough() {
    let (mut chain, _) = ready();
    chain.execute_with(|| {
        let enroll = |key| Attestation::enroll_device(RuntimeOrigin::root(), key);
        let short = DeviceKey { modulus: vec![0xC1; 128].try_into().expect("short"), ..device() };
        assert_noop!(enroll(short), Failure::DeviceKeyLength);
        let even = DeviceKey { exponent: Default::default(), ..device() };
        assert_noop!(enroll(even), Failure::DeviceKeyEncoding);
        assert_ok!(enroll(device()));
        assert_noop!(enroll(device()), Failure::AlreadyEnrolled);
        MaxDevices::set(1);
        let other = DeviceKey { exponent: vec![3].try_into().expect("short"), ..device() };
        assert_noop!(enroll(other), Failure::TooManyDevices);
        let id = Devices::<Test>::iter_keys().next().expect("one");
        assert_ok!(Attestation::remove_device(RuntimeOrigin::root(), id));
        assert_noop!(Attestation::remove_device(RuntimeOrigin::root(), id), Failure::UnknownDevice);
    });
}

#[test]
fn a_measurement_of_a_device_that_is_not_enrolled_or_for_another_challenge_attests_nobody() {
    let (mut chain, _) = ready();
    chain.execute_with(|| {
        let workload = workload(Accepts::Device(vec![[1; 32]].try_into().expect("one")));
        let block = latest();
        let evidence = |challenge, keys, measurement| {
            Box::new(Evidence::Optee(OpteeEvidence {
                challenge,
                keys,
                counter: 1,
                measurement,
                signature: vec![1; 256].try_into().expect("short"),
                signer: device(),
            }))
        };
        let good = said(7, Role::VALIDATOR, &keys(7), block);
        let send = |evidence| Attestation::attest(RuntimeOrigin::signed(7), evidence, block, workload, keys(7));
        assert_noop!(send(evidence(good, keys(7), [1; 32])), Failure::DeviceNotEnrolled);
        assert_ok!(Attestation::enroll_device(RuntimeOrigin::root(), device()));
        assert_noop!(send(evidence([0; 64], keys(7), [1; 32])), Failure::ReportData);
        assert_noop!(send(evidence(good, keys(8), [1; 32])), Failure::Keys);
        assert_noop!(send(evidence(good, keys(7), [2; 32])), Failure::Measurement);
        assert_noop!(send(evidence(good, keys(7), [1; 32])), Failure::MeasurementSignature);
    });
}
