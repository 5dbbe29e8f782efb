//! # Attestation
//!
//! Turns evidence that a TEE runs what it says into facts that expire.
//!
//! - **Collateral** (what Intel signs) is submitted by anyone, verified once, stored as it was read, and replaced only by
//!   what is newer ([`Pallet::submit_crl`], [`Pallet::submit_collateral`], [`Pallet::register_pck`]).
//! - **Evidence** attests an operator's account for a role ([`Pallet::attest`]). It is bound to chain, account, role and keys,
//!   and fresh by the hash of a recent block that is newer than the subject's last.
//! - **Governance** says which workloads are accepted, which devices are enrolled, and which platforms are revoked.
//! - **Every fact ends.** A queue, ordered by time, ends what is due; a sweep judges everything again when something moved
//!   that it rests on. Both do a bounded part of their work in each block. Whoever asks ([`AttestationInfo`]) is answered by
//!   the time, and by what governance has retired, removed or revoked, as they are now; what newer collateral comes to he sees
//!   when the sweep has come by, or when somebody sends [`Pallet::reevaluate`].
//!
//! A mock quote goes the very same way: only the [`TrustAnchor`] in genesis differs, and says so.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod api;
mod attest;
mod collateral;
mod errors;
mod governance;
mod housekeeping;
pub mod runtime_api;
mod types;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use frame_support::pallet_macros::import_section;
use holdfast_evidence::Role;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

/// What others may ask: is this operator attested for this role now, by what, with which keys, until when?
pub trait AttestationInfo<AccountId> {
    /// `None` if it is not attested at this moment.
    fn attested(operator: &AccountId, role: Role) -> Option<Attested>;
}

/// Told of every change of what [`AttestationInfo`] says, but for the passing of time.
pub trait OnAttestationChange<AccountId> {
    /// It is attested: for the first time, or anew.
    fn on_attested(operator: &AccountId, role: Role, attested: &Attested);
    /// It is attested no longer.
    fn on_ended(operator: &AccountId, role: Role);
}

impl<AccountId> OnAttestationChange<AccountId> for () {
    fn on_attested(_: &AccountId, _: Role, _: &Attested) {}
    fn on_ended(_: &AccountId, _: Role) {}
}

#[import_section(errors::errors)]
#[allow(missing_docs)] // FRAME's macros generate public items that carry none.
#[frame_support::pallet]
pub mod pallet {
    use alloc::vec::Vec;

    use frame_support::{pallet_prelude::*, traits::UnixTime};
    use frame_system::pallet_prelude::*;
    use holdfast_evidence::{
        Crl, DeviceKey, Evidence, Issuer, QeIdentity, Role, SignedDocument, TcbInfo, TcbStatus, Tee, INTEL_ROOT,
        MAX_CRL,
    };
    use sp_runtime::Saturating;

    use super::*;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Who says what may run, which devices are enrolled, and which platforms are revoked.
        type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// What time it is.
        type Time: UnixTime;

        /// Told of every change.
        type OnAttestationChange: OnAttestationChange<Self::AccountId>;

        /// How old the block may be whose hash makes evidence fresh, in blocks. At most `BlockHashCount`.
        #[pallet::constant]
        type MaxEvidenceAge: Get<BlockNumberFor<Self>>;

        /// The most subjects that are attested at once.
        #[pallet::constant]
        type MaxSubjects: Get<u32>;

        /// The most of them on one platform, or by one device: nobody takes all places with one machine.
        #[pallet::constant]
        type MaxSubjectsPerPlatform: Get<u32>;

        /// The most workloads.
        #[pallet::constant]
        type MaxWorkloads: Get<u32>;

        /// The most devices that are enrolled.
        #[pallet::constant]
        type MaxDevices: Get<u32>;

        /// How long a platform is kept on which nobody is attested, in seconds.
        #[pallet::constant]
        type PlatformLifetime: Get<u64>;

        /// How many attestations a block ends at most, and how many of what else is kept it looks at.
        #[pallet::constant]
        type MaxEndedPerBlock: Get<u32>;

        /// How many attestations a block judges again at most.
        #[pallet::constant]
        type MaxJudgedPerBlock: Get<u32>;

        /// What calls and housekeeping cost.
        type WeightInfo: WeightInfo;
    }

    /// Whom everything is traced back to; set in genesis.
    #[pallet::storage]
    pub type Anchor<T> = StorageValue<_, TrustAnchor>;

    /// What the root has revoked.
    #[pallet::storage]
    pub type RootCrl<T> = StorageValue<_, Crl>;

    /// CAs of PCK certificates with their lists, by [`Issuer::id`]. Only the root makes them.
    #[pallet::storage]
    pub type PckCas<T> = StorageMap<_, Identity, [u8; 32], PckCa>;

    /// TCB info by TEE, FMSPC and PCE-ID. Only Intel makes them.
    #[pallet::storage]
    pub type TcbInfos<T> = StorageMap<_, Blake2_128Concat, (Tee, [u8; 6], [u8; 2]), TcbInfo>;

    /// QE identities by TEE.
    #[pallet::storage]
    pub type QeIdentities<T> = StorageMap<_, Twox64Concat, Tee, QeIdentity>;

    /// Platforms that were verified. They are kept while somebody is attested on them, and some time longer.
    #[pallet::storage]
    pub type Platforms<T> = CountedStorageMap<_, Identity, PlatformId, Platform>;

    /// Attestation keys, by what certified them. They go with their platforms, or when those have many.
    #[pallet::storage]
    pub type AttestationKeys<T> = CountedStorageMap<_, Identity, CertificationId, CertifiedKey>;

    /// Platforms that governance has revoked, because somebody has got at their keys.
    #[pallet::storage]
    pub type RevokedPlatforms<T> = StorageMap<_, Blake2_128Concat, Ppid, ()>;

    /// Devices whose measurements count.
    #[pallet::storage]
    pub type Devices<T> = CountedStorageMap<_, Identity, DeviceId, Device>;

    /// The number of the next workload.
    #[pallet::storage]
    pub type NextWorkload<T> = StorageValue<_, WorkloadId, ValueQuery>;

    /// What may be attested.
    #[pallet::storage]
    pub type Workloads<T> = CountedStorageMap<_, Twox64Concat, WorkloadId, Workload<BlockNumberFor<T>>>;

    /// Who is attested. An entry whose time is over is none, though it may stay until the queue comes to it.
    #[pallet::storage]
    pub type Attestations<T: Config> =
        CountedStorageMap<_, Blake2_128Concat, Subject<T::AccountId>, Attestation<BlockNumberFor<T>>>;

    /// The same by workload.
    #[pallet::storage]
    pub type Members<T: Config> =
        StorageDoubleMap<_, Twox64Concat, WorkloadId, Blake2_128Concat, Subject<T::AccountId>, ()>;

    /// Of which block a subject's last evidence was, as long as it could be sent again.
    #[pallet::storage]
    pub type LastBlocks<T: Config> = CountedStorageMap<_, Blake2_128Concat, Subject<T::AccountId>, BlockNumberFor<T>>;

    /// Whose attestations end, in the order in which they do.
    #[pallet::storage]
    pub type Queue<T: Config> = CountedStorageMap<_, Identity, Place, Subject<T::AccountId>>;

    /// What else is kept for a time, in the order in which it is asked whether that is over. It never keeps an attestation
    /// waiting.
    #[pallet::storage]
    pub type Shelf<T: Config> = CountedStorageMap<_, Identity, Place, Kept<T::AccountId>>;

    /// How many places were ever given.
    #[pallet::storage]
    pub type NextPlace<T> = StorageValue<_, u64, ValueQuery>;

    /// How often something moved by which attestations are judged.
    #[pallet::storage]
    pub type Generation<T> = StorageValue<_, u64, ValueQuery>;

    /// The sweep that judges attestations again: the generation by which it does, and whom it judged last. None is on its
    /// way if there is no entry.
    #[pallet::storage]
    pub type Sweep<T: Config> = StorageValue<_, (u64, Option<Subject<T::AccountId>>)>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// There is a newer list of revoked certificates: the root's, or a CA's.
        CrlStored { issuer: [u8; 32], this_update: u64, next_update: u64, revoked: u32 },
        /// There is newer TCB info.
        TcbInfoStored { tee: Tee, fmspc: [u8; 6], pce_id: [u8; 2], evaluation_data_number: u32, next_update: u64 },
        /// There is a newer QE identity.
        QeIdentityStored { tee: Tee, evaluation_data_number: u32, next_update: u64 },
        /// A platform was verified.
        PlatformRegistered { platform: PlatformId, fmspc: [u8; 6], until: u64 },
        /// A subject is attested: for the first time, or anew.
        Attested {
            operator: T::AccountId,
            role: Role,
            workload: WorkloadId,
            tier: Tier,
            path: Path,
            status: Option<TcbStatus>,
            until: u64,
        },
        /// A subject is attested no longer.
        AttestationEnded { operator: T::AccountId, role: Role, workload: WorkloadId, reason: Ended },
        /// A subject was judged again, and its attestation ends at another time.
        AttestationJudged { operator: T::AccountId, role: Role, status: Option<TcbStatus>, until: u64 },
        /// A subject has to bring new evidence.
        AttestationRequested { operator: T::AccountId, role: Role, until: u64 },
        /// A workload will be accepted.
        WorkloadProposed { workload: WorkloadId, role: Role, active_from: BlockNumberFor<T> },
        /// What a workload accepts has changed.
        WorkloadChanged { workload: WorkloadId },
        /// A workload is accepted no longer from then on.
        WorkloadRetired { workload: WorkloadId, retired_at: u64 },
        /// A workload that nobody runs any more is forgotten.
        WorkloadRemoved { workload: WorkloadId },
        /// A device's measurements count.
        DeviceEnrolled { device: DeviceId },
        /// They count no longer.
        DeviceRemoved { device: DeviceId },
        /// A platform is not trusted any more, whatever Intel says of it.
        PlatformRevoked { ppid: Ppid },
        /// It is trusted again as far as Intel says so.
        PlatformReinstated { ppid: Ppid },
    }

    /// What genesis says of trust. In JSON `{"root": "0x…"}`.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The certificate of the root, in DER. With none nothing can be attested.
        #[serde(with = "sp_core::bytes")]
        pub root: Vec<u8>,
        #[doc(hidden)]
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            if self.root.is_empty() {
                return;
            }
            // A panic is the only way in which a genesis can be refused.
            let root = Issuer::root(&self.root).unwrap_or_else(|error| panic!("attestation.root: {error}"));
            let certificate = self.root.clone().try_into().expect("a certificate that was read is short enough");
            Anchor::<T>::put(TrustAnchor { root, certificate, simulated: self.root != INTEL_ROOT });
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            Self::end_what_is_due().saturating_add(Self::forget_what_is_due()).saturating_add(Self::sweep())
        }

        fn integrity_test() {
            assert!(T::MaxEvidenceAge::get() <= T::BlockHashCount::get(), "a block's hash is known for so long only");
            assert!(T::MaxEndedPerBlock::get() > 0 && T::MaxJudgedPerBlock::get() > 0, "nothing would ever end");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::check_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Submits a list of revoked certificates in DER: the root's, or with `ca` that of the CA whose certificate this is.
        ///
        /// Anyone may. It replaces an earlier one only, and then costs nothing if it says more than another date, or the
        /// earlier one is a day old.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::submit_crl(crl.len() as u32))]
        pub fn submit_crl(
            origin: OriginFor<T>,
            crl: BoundedVec<u8, ConstU32<{ MAX_CRL as u32 }>>,
            ca: Option<Certificate>,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            Ok(Self::store_crl(&crl, ca.as_ref().map(|certificate| &certificate[..]))?.into())
        }

        /// Submits TCB info or a QE identity, as Intel signed it, with the certificate of whoever signed.
        ///
        /// Anyone may. It replaces an earlier one only, and then costs nothing if it says more than another date, or the
        /// earlier one is a day old.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::submit_collateral(document.json.len() as u32))]
        pub fn submit_collateral(
            origin: OriginFor<T>,
            kind: CollateralKind,
            document: SignedDocument,
            signer: Certificate,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            Ok(Self::store_collateral(kind, &document, &signer)?.into())
        }

        /// Registers a platform by its PCK certificate in DER, so that the first quote on it costs less.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::register_pck())]
        pub fn register_pck(origin: OriginFor<T>, certificate: Certificate) -> DispatchResult {
            ensure_signed(origin)?;
            Self::register(&certificate)
        }

        /// Attests the caller to run a workload, with keys that live in it. `block` is the one whose hash the evidence
        /// contains; `keys` are in the order in which the evidence names them.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::attest(evidence))]
        pub fn attest(
            origin: OriginFor<T>,
            evidence: alloc::boxed::Box<Evidence>,
            block: BlockNumberFor<T>,
            workload: WorkloadId,
            keys: Keys,
        ) -> DispatchResultWithPostInfo {
            let operator = ensure_signed(origin)?;
            let path = Self::take_evidence(operator, &evidence, block, workload, keys)?;
            Ok(Some(T::WeightInfo::attest_by(path)).into())
        }

        /// Judges a subject's attestation again by the collateral, policy and time of now. Anyone may.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::reevaluate())]
        pub fn reevaluate(origin: OriginFor<T>, operator: T::AccountId, role: Role) -> DispatchResult {
            ensure_signed(origin)?;
            let subject = Subject { operator, role };
            let attestation = Attestations::<T>::get(&subject).ok_or(Error::<T>::NotAttested)?;
            Self::judge(&subject, attestation);
            Ok(())
        }

        /// Asks a subject for new evidence within so many seconds; else its attestation ends.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::request_attestation())]
        pub fn request_attestation(
            origin: OriginFor<T>,
            operator: T::AccountId,
            role: Role,
            within: u64,
        ) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            Self::request(&Subject { operator, role }, within)
        }

        /// Accepts a workload from a block on.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::propose_workload())]
        pub fn propose_workload(
            origin: OriginFor<T>,
            role: Role,
            accepts: alloc::boxed::Box<Accepts>,
            lifetime: u64,
            active_from: BlockNumberFor<T>,
        ) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            let active_from = active_from.max(Self::next_block());
            Self::add_workload(Workload { role, accepts: *accepts, lifetime, active_from, retired_at: None })
        }

        /// Changes what a workload accepts and how long an attestation lasts. Who is attested is judged again.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::propose_workload())]
        pub fn change_workload(
            origin: OriginFor<T>,
            workload: WorkloadId,
            accepts: alloc::boxed::Box<Accepts>,
            lifetime: u64,
        ) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            Self::replace_workload(workload, *accepts, lifetime)
        }

        /// Accepts a workload for `grace` seconds only. What is attested then ends.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::propose_workload())]
        pub fn retire_workload(origin: OriginFor<T>, workload: WorkloadId, grace: u64) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            Self::retire(workload, grace)
        }

        /// Forgets a workload that is retired and that nobody is attested to run.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::propose_workload())]
        pub fn remove_workload(origin: OriginFor<T>, workload: WorkloadId) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            Self::forget_workload(workload)
        }

        /// Enrols a device: measurements that its key signs count from now on.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::enroll_device())]
        pub fn enroll_device(origin: OriginFor<T>, key: DeviceKey) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            Self::enroll(key)
        }

        /// Removes a device. Who is attested by it is so no longer.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::enroll_device())]
        pub fn remove_device(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            ensure!(Devices::<T>::take(device).is_some(), Error::<T>::UnknownDevice);
            Self::deposit_event(Event::DeviceRemoved { device });
            Self::judge_all_again();
            Ok(())
        }

        /// Revokes a platform whose keys somebody has got at, whatever Intel says of it. Who is attested on it is so no longer.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::revoke_platform())]
        pub fn revoke_platform(origin: OriginFor<T>, ppid: Ppid) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            ensure!(!RevokedPlatforms::<T>::contains_key(ppid), Error::<T>::AlreadyRevoked);
            RevokedPlatforms::<T>::insert(ppid, ());
            Self::deposit_event(Event::PlatformRevoked { ppid });
            Self::judge_all_again();
            Ok(())
        }

        /// Takes back what [`Pallet::revoke_platform`] did. New evidence is needed.
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::revoke_platform())]
        pub fn reinstate_platform(origin: OriginFor<T>, ppid: Ppid) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            ensure!(RevokedPlatforms::<T>::take(ppid).is_some(), Error::<T>::NotRevoked);
            Self::deposit_event(Event::PlatformReinstated { ppid });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        pub(crate) fn now() -> u64 {
            T::Time::now().as_secs()
        }

        fn next_block() -> BlockNumberFor<T> {
            frame_system::Pallet::<T>::block_number().saturating_add(1u32.into())
        }
    }
}
