//! A runtime of system, timestamp and attestation, with a mock PKI.

use std::cell::RefCell;

use frame_support::{derive_impl, parameter_types, traits::Hooks, weights::Weight, BoundedVec};
use frame_system::EnsureRoot;
use holdfast_evidence::{
    mock::{CertificateName, Kind, Plan, Signed},
    report_data, Audience, Binding, BoundKey, Document, Evidence, KeyScheme, Measurements, Policy, Role,
    SignedDocument, TdxMeasurements,
};
use sp_runtime::BuildStorage;

use crate::{Accepts, Attested, Certificate, CollateralKind, OnAttestationChange, Path, WorkloadId};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Timestamp: pallet_timestamp,
        Attestation: crate,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlock<Test>;
    type BlockHashCount = frame_support::traits::ConstU64<300>;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {}

parameter_types! {
    pub const MaxEvidenceAge: u64 = 256;
    pub static MaxSubjects: u32 = 20_000;
    pub static MaxSubjectsPerPlatform: u32 = 10_000;
    pub static MaxWorkloads: u32 = 8;
    pub static MaxDevices: u32 = 8;
    pub const PlatformLifetime: u64 = 30 * DAY;
    pub static MaxEndedPerBlock: u32 = 32;
    pub static MaxJudgedPerBlock: u32 = 8;
}

impl crate::Config for Test {
    type GovernanceOrigin = EnsureRoot<u64>;
    type Time = Timestamp;
    type OnAttestationChange = Recorded;
    type MaxEvidenceAge = MaxEvidenceAge;
    type MaxSubjects = MaxSubjects;
    type MaxSubjectsPerPlatform = MaxSubjectsPerPlatform;
    type MaxWorkloads = MaxWorkloads;
    type MaxDevices = MaxDevices;
    type PlatformLifetime = PlatformLifetime;
    type MaxEndedPerBlock = MaxEndedPerBlock;
    type MaxJudgedPerBlock = MaxJudgedPerBlock;
    type WeightInfo = OneEach;
}

/// One for each thing that is done.
pub struct OneEach;

impl crate::WeightInfo for OneEach {
    fn submit_crl(_: u32) -> Weight {
        Weight::from_parts(1, 0)
    }
    fn submit_collateral(_: u32) -> Weight {
        Weight::from_parts(1, 0)
    }
    fn register_pck() -> Weight {
        Weight::from_parts(1, 0)
    }
    fn attest_by(path: Path) -> Weight {
        Weight::from_parts(10 + path as u64, 0)
    }
    fn reevaluate() -> Weight {
        Weight::from_parts(1, 0)
    }
    fn request_attestation() -> Weight {
        Weight::from_parts(1, 0)
    }
    fn propose_workload() -> Weight {
        Weight::from_parts(1, 0)
    }
    fn enroll_device() -> Weight {
        Weight::from_parts(1, 0)
    }
    fn revoke_platform() -> Weight {
        Weight::from_parts(1, 0)
    }
    fn end_what_is_due(ended: u32) -> Weight {
        Weight::from_parts(ended.into(), 0)
    }
    fn forget_what_is_due(looked_at: u32) -> Weight {
        Weight::from_parts(looked_at.into(), 0)
    }
    fn sweep(judged: u32) -> Weight {
        Weight::from_parts(1_000 * u64::from(judged), 0)
    }
}

/// What others were told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Attested(u64, Attested),
    Ended(u64),
}

thread_local! {
    static TOLD: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
}

pub struct Recorded;

impl Recorded {
    /// What was told since this was asked last.
    pub(crate) fn take() -> Vec<Told> {
        TOLD.take()
    }
}

impl OnAttestationChange<u64> for Recorded {
    fn on_attested(operator: &u64, _: Role, attested: &Attested) {
        TOLD.with_borrow_mut(|told| told.push(Told::Attested(*operator, attested.clone())));
    }

    fn on_ended(operator: &u64, _: Role) {
        TOLD.with_borrow_mut(|told| told.push(Told::Ended(*operator)));
    }
}

/// Unix seconds: 2026-09-21T14:13:20Z.
pub(crate) const NOW: u64 = 1_790_000_000;
pub(crate) const DAY: u64 = 24 * 60 * 60;
/// Seconds between two blocks.
pub(crate) const SLOT: u64 = 6;

/// A chain that trusts the mock root, in its tenth block.
pub(crate) fn chain() -> sp_io::TestExternalities {
    chain_that_trusts(holdfast_evidence::mock::development_root())
}

pub(crate) fn chain_that_trusts(root: Vec<u8>) -> sp_io::TestExternalities {
    let attestation = crate::GenesisConfig { root, ..Default::default() };
    let genesis = RuntimeGenesisConfig { system: Default::default(), attestation };
    let mut chain: sp_io::TestExternalities = genesis.build_storage().expect("a genesis").into();
    chain.execute_with(|| {
        frame_system::BlockHash::<Test>::insert(0, sp_core::H256([0xEE; 32]));
        pallet_timestamp::Now::<Test>::put((NOW - 10 * SLOT) * 1_000);
        run(10);
        assert_eq!(Attestation::now(), NOW);
        TOLD.take();
    });
    chain
}

/// So many blocks later. Everything is in order after each.
pub(crate) fn run(blocks: u64) {
    for _ in 0..blocks {
        let number = System::block_number() + 1;
        System::finalize();
        System::reset_events();
        let hash = sp_core::H256::from_low_u64_be(number);
        System::initialize(&number, &hash, &Default::default());
        Attestation::on_initialize(number);
        pallet_timestamp::Now::<Test>::mutate(|now| *now += SLOT * 1_000);
        Attestation::check_state().expect("everything is in order");
    }
}

/// A block that long after.
pub(crate) fn wait(seconds: u64) {
    pallet_timestamp::Now::<Test>::mutate(|now| *now += (seconds - SLOT) * 1_000);
    run(1);
}

/// The block before this one.
pub(crate) fn latest() -> u64 {
    System::block_number() - 1
}

pub(crate) fn key(fill: u8) -> BoundKey {
    BoundKey::new(KeyScheme::Ed25519, *b"gran", &[fill; 32]).expect("32 bytes")
}

pub(crate) fn keys(operator: u64) -> crate::Keys {
    vec![key(operator as u8)].try_into().expect("one")
}

/// What evidence of an operator has to say in this block.
pub(crate) fn said(operator: u64, role: Role, keys: &[BoundKey], block: u64) -> [u8; 64] {
    let genesis = System::block_hash(0).0;
    let fresh = System::block_hash(block).0;
    let mut account = [0; 32];
    account.copy_from_slice(&codec_account(operator));
    report_data(&Binding { audience: Audience::Chain, genesis, role, operator: account, keys }, fresh)
}

fn codec_account(operator: u64) -> [u8; 32] {
    // An account of eight bytes is none of 32, and hashed.
    sp_io::hashing::blake2_256(&codec::Encode::encode(&operator))
}

/// Evidence by a plan; the report data is put in.
pub(crate) fn quote_of(mut plan: Plan, report_data: [u8; 64]) -> Evidence {
    plan.td.report_data = report_data;
    plan.enclave.report_data = report_data;
    Evidence::Quote(plan.unsigned().sign().quote.try_into().expect("short"))
}

pub(crate) fn plan() -> Plan {
    Plan::new(Kind::Td15, NOW)
}

pub(crate) fn submit(signed: &Signed, plan: &Plan) {
    submit_crls(plan).expect("newer lists");
    submit_documents(signed, plan).expect("newer documents");
}

pub(crate) fn certificate(plan: &Plan, name: CertificateName) -> Certificate {
    plan.unsigned().parts().certificates[name].clone().try_into().expect("short")
}

pub(crate) fn submit_crls(plan: &Plan) -> frame_support::pallet_prelude::DispatchResultWithPostInfo {
    let collateral = plan.unsigned().sign().collateral;
    let crl = |der: &[u8]| BoundedVec::try_from(der.to_vec()).expect("short");
    let one = RuntimeOrigin::signed(1);
    Attestation::submit_crl(one.clone(), crl(&collateral.root_ca_crl), None)?;
    let ca = certificate(plan, CertificateName::PlatformCa);
    Attestation::submit_crl(one, crl(&collateral.pck_crl), Some(ca))
}

pub(crate) fn submit_documents(
    signed: &Signed,
    plan: &Plan,
) -> frame_support::pallet_prelude::DispatchResultWithPostInfo {
    let collateral = &signed.collateral;
    let signer = certificate(plan, CertificateName::TcbSigner);
    let document =
        |kind, json: &str, signature: &[u8]| SignedDocument::new(kind, json.as_bytes(), signature).expect("short");
    let one = RuntimeOrigin::signed(1);
    let info = document(Document::TcbInfo, &collateral.tcb_info, &collateral.tcb_info_signature);
    Attestation::submit_collateral(one.clone(), CollateralKind::TcbInfo, info, signer.clone())?;
    let identity = document(Document::QeIdentity, &collateral.qe_identity, &collateral.qe_identity_signature);
    Attestation::submit_collateral(one, CollateralKind::QeIdentity, identity, signer)
}

/// That of the mock's trust domains.
pub(crate) fn policy() -> Policy {
    let td = plan().td;
    let (mr_td, rtmr) = (Some(td.mr_td), [None, Some(td.rtmr1), Some(td.rtmr2), None]);
    let measurements = Some(Measurements::Tdx(TdxMeasurements { mr_td, rtmr, ..Default::default() }));
    Policy { measurements, ..Policy::strict() }
}

pub(crate) const LIFETIME: u64 = 7 * DAY;

/// A workload of validators that is accepted now.
pub(crate) fn workload(accepts: Accepts) -> WorkloadId {
    let id = crate::NextWorkload::<Test>::get();
    let from = System::block_number() + 1;
    let accepts = Box::new(accepts);
    Attestation::propose_workload(RuntimeOrigin::root(), Role::VALIDATOR, accepts, LIFETIME, from).expect("proposed");
    run(1);
    id
}

/// A chain with collateral, and a workload of trust domains.
pub(crate) fn ready() -> (sp_io::TestExternalities, WorkloadId) {
    let mut chain = chain();
    let workload = chain.execute_with(|| {
        submit(&plan().unsigned().sign(), &plan());
        workload(Accepts::Intel(policy()))
    });
    (chain, workload)
}

/// Brings good evidence of the latest block.
pub(crate) fn attest(operator: u64, workload: WorkloadId) -> frame_support::pallet_prelude::DispatchResultWithPostInfo {
    attest_by(plan(), operator, workload)
}

pub(crate) fn attest_by(
    plan: Plan,
    operator: u64,
    workload: WorkloadId,
) -> frame_support::pallet_prelude::DispatchResultWithPostInfo {
    let block = latest();
    let keys = keys(operator);
    let evidence = quote_of(plan, said(operator, Role::VALIDATOR, &keys, block));
    Attestation::attest(RuntimeOrigin::signed(operator), Box::new(evidence), block, workload, keys)
}
