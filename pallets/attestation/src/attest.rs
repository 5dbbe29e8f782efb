//! Evidence: judged, and what follows when it is good.

use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use frame_system::pallet_prelude::BlockNumberFor;
use holdfast_evidence::{
    certificates, certify_attestation_key, judge_optee, judge_tcb, judge_workload, report_data, verify_optee,
    verify_quote, AttestationKey, Audience, Binding, BoundKey, Certification, Evidence, Facts, Moment, OpteeEvidence,
    Part, Pck, Policy, Quote, Quoted, Report, TcbVerdict, Tee,
};
use sp_io::hashing::blake2_256;
use sp_runtime::{
    traits::{One, Zero},
    Saturating,
};

use crate::{
    Accepts, Attestation, AttestationInfo, AttestationKeys, Attestations, Attested, Basis, CertificationId,
    CertifiedKey, Config, DeviceId, Devices, Ended, Error, Event, Kept, Keys, LastBlocks, Members, OnAttestationChange,
    Pallet, Path, PckCas, PlatformId, Platforms, QeIdentities, Queue, RevokedPlatforms, Subject, TcbInfos, Workload,
    WorkloadId, Workloads,
};

/// A quote that was found good, with what is worth keeping of it.
pub(crate) struct Judged {
    pub(crate) quoted: Quoted,
    pub(crate) key: AttestationKey,
    pub(crate) pck: Pck,
    pub(crate) platform: PlatformId,
    pub(crate) certification: CertificationId,
    pub(crate) verdict: TcbVerdict,
    pub(crate) path: Path,
}

/// What good evidence comes to.
struct Found {
    basis: Basis,
    path: Path,
    /// When what it rests on ends.
    until: u64,
    /// What was not known before.
    learned: Option<(CertificationId, Pck)>,
}

impl<T: Config> Pallet<T> {
    pub(crate) fn take_evidence(
        operator: T::AccountId,
        evidence: &Evidence,
        block: BlockNumberFor<T>,
        id: WorkloadId,
        keys: Keys,
    ) -> Result<Path, sp_runtime::DispatchError> {
        let workload = Self::accepted(id)?;
        let subject = Subject { operator, role: workload.role };
        let fresh = Self::fresh(&subject, block)?;
        ensure!(are_distinct(&keys), Error::<T>::KeysTwice);
        let mut before = Attestations::<T>::get(&subject);
        if let Some(over) = before.take_if(|before| before.until < Self::now()) {
            let reason = over.expired();
            Self::end(&subject, over, reason);
        }
        ensure!(before.is_some() || Attestations::<T>::count() < T::MaxSubjects::get(), Error::<T>::TooManySubjects);

        let expected = Self::expected(&subject, &keys, fresh)?;
        let Found { basis, path, until, learned } = match (&workload.accepts, evidence) {
            (Accepts::Intel(policy), Evidence::Quote(quote)) => Self::take_quote(quote, &expected, policy)?,
            (Accepts::Device(allowed), Evidence::Optee(evidence)) => {
                Self::take_measurement(evidence, &expected, &keys, allowed)?
            }
            _ => return Err(Error::<T>::EvidenceKind.into()),
        };

        let now = Self::now();
        let lease = now.saturating_add(workload.lifetime);
        let until = until.min(lease).min(workload.retired_at.unwrap_or(u64::MAX));
        if let Some(before) = before {
            Self::leave(&subject, &before);
        }
        Self::learn(&basis, learned);
        if LastBlocks::<T>::get(&subject).is_none() {
            Self::shelve(now, Kept::LastBlock(subject.clone()));
        }
        LastBlocks::<T>::insert(&subject, block);
        let place = Self::enqueue(until, subject.clone());
        let status = basis.status();
        let attestation =
            Attestation { workload: id, keys, basis, block, since: now, lease, requested: None, until, place };
        Self::enter(&attestation)?;
        let attested = attestation.attested();
        Members::<T>::insert(id, &subject, ());
        Attestations::<T>::insert(&subject, attestation);
        let Subject { operator, role } = subject;
        T::OnAttestationChange::on_attested(&operator, role, &attested);
        let tier = attested.tier;
        Self::deposit_event(Event::Attested { operator, role, workload: id, tier, path, status, until });
        Ok(path)
    }

    /// A workload that is accepted now.
    fn accepted(id: WorkloadId) -> Result<Workload<BlockNumberFor<T>>, Error<T>> {
        let workload = Workloads::<T>::get(id).ok_or(Error::<T>::UnknownWorkload)?;
        ensure!(workload.active_from <= frame_system::Pallet::<T>::block_number(), Error::<T>::WorkloadNotActive);
        ensure!(!workload.is_retired(Self::now()), Error::<T>::WorkloadRetired);
        Ok(workload)
    }

    /// The hash of a block that is recent, and newer than that of the subject's last evidence.
    fn fresh(subject: &Subject<T::AccountId>, block: BlockNumberFor<T>) -> Result<[u8; 32], Error<T>> {
        let here = frame_system::Pallet::<T>::block_number();
        ensure!(block < here, Error::<T>::BlockNotYet);
        ensure!(here.saturating_sub(block) <= T::MaxEvidenceAge::get(), Error::<T>::BlockTooOld);
        let asked = Attestations::<T>::get(subject).and_then(|before| before.requested);
        ensure!(asked.is_none_or(|(_, first)| first <= block), Error::<T>::EvidenceBeforeRequest);
        ensure!(LastBlocks::<T>::get(subject).is_none_or(|last| last < block), Error::<T>::EvidenceNotNewer);
        let hash = frame_system::Pallet::<T>::block_hash(block);
        // The first block's is not kept on a chain that is older than its hashes are.
        let hash: [u8; 32] = hash.as_ref().try_into().map_err(|_| Error::<T>::BlockTooOld)?;
        ensure!(hash != [0; 32], Error::<T>::BlockTooOld);
        Ok(hash)
    }

    /// What evidence has to say.
    fn expected(subject: &Subject<T::AccountId>, keys: &[BoundKey], fresh: [u8; 32]) -> Result<[u8; 64], Error<T>> {
        let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
        let genesis: [u8; 32] = genesis.as_ref().try_into().map_err(|_| Error::<T>::BlockTooOld)?;
        ensure!(genesis != [0; 32], Error::<T>::BlockTooOld);
        let operator = codec::Encode::using_encoded(&subject.operator, |account| match account.try_into() {
            Ok(account) => account,
            Err(_) => blake2_256(account),
        });
        Ok(report_data(&Binding { audience: Audience::Chain, genesis, role: subject.role, operator, keys }, fresh))
    }

    fn take_quote(quote: &[u8], expected: &[u8; 64], policy: &Policy) -> Result<Found, Error<T>> {
        let quote = Quote::parse(quote)?;
        quote.report.check_report_data(expected)?;
        let Judged { quoted, key, pck, platform, certification, verdict, path } = Self::judge_quote(&quote, policy)?;
        let ppid = pck.platform.ppid;
        let learned = (path != Path::KnownKey).then_some((certification, pck));
        let basis = Basis::Quote { quoted, key, platform, ppid, status: verdict.status };
        Ok(Found { basis, path, until: ends(&verdict, policy), learned })
    }

    /// Judges a quote by what the chain knows, but for what it was made for. Writes nothing.
    pub(crate) fn judge_quote(quote: &Quote, policy: &Policy) -> Result<Judged, Error<T>> {
        let chain = certificates(Part::PckChain, quote.pck_chain()?)?;
        let certificate = chain.first().ok_or(Error::<T>::Pem)?;
        let id = certification_id(&quote.certification, certificate);
        let known = AttestationKeys::<T>::get(id)
            .and_then(|CertifiedKey { key, platform }| Platforms::<T>::get(platform).map(|it| (key, platform, it.pck)));
        let (key, platform, pck, path) = match known {
            Some((key, platform, pck)) => (key, platform, pck, Path::KnownKey),
            None => {
                let platform = blake2_256(certificate);
                let at = Moment { now: Self::now(), grace: policy.grace };
                let (pck, path) = match Platforms::<T>::get(platform) {
                    Some(known) => (known.pck, Path::KnownPlatform),
                    None => (Self::verify_platform(certificate, at)?, Path::NewPlatform),
                };
                let tee = quote.certification.tee;
                let identity = QeIdentities::<T>::get(tee).ok_or(Error::<T>::NoQeIdentity)?;
                (certify_attestation_key(&quote.certification, &pck, &identity)?, platform, pck, path)
            }
        };
        let quoted = verify_quote(&quote.signed, &key)?;
        let verdict = Self::judge_quoted(&quoted, &key, &pck, policy)?;
        Ok(Judged { quoted, key, pck, platform, certification: id, verdict, path })
    }

    /// Judges what was verified, by the collateral, the policy and the time of now.
    pub(crate) fn judge_quoted(
        quoted: &Quoted,
        attestation_key: &AttestationKey,
        pck: &Pck,
        policy: &Policy,
    ) -> Result<TcbVerdict, Error<T>> {
        ensure!(!RevokedPlatforms::<T>::contains_key(pck.platform.ppid), Error::<T>::PlatformRevoked);
        let (root, root_crl) = Self::root()?;
        let ca = PckCas::<T>::get(pck.ca_name).ok_or(Error::<T>::NoPckCrl)?;
        let tee = match quoted.report {
            Report::Sgx(_) => Tee::Sgx,
            Report::Tdx(_) => Tee::Tdx,
        };
        let kind = (tee, pck.platform.fmspc, pck.platform.pce_id);
        let tcb_info = TcbInfos::<T>::get(kind).ok_or(Error::<T>::NoTcbInfo)?;
        let qe_identity = QeIdentities::<T>::get(tee).ok_or(Error::<T>::NoQeIdentity)?;
        let facts = Facts {
            root: &root,
            root_crl: &root_crl,
            pck_crl: &ca.crl,
            tcb_info: &tcb_info,
            qe_identity: &qe_identity,
            pck,
            attestation_key,
        };
        let now = Self::now();
        let verdict = judge_tcb(quoted, &facts, Moment { now, grace: policy.grace })?;
        judge_workload(&quoted.report, &verdict, policy, now)?;
        Ok(verdict)
    }

    fn take_measurement(
        evidence: &OpteeEvidence,
        expected: &[u8; 64],
        keys: &[BoundKey],
        allowed: &[[u8; 32]],
    ) -> Result<Found, Error<T>> {
        let device = device_id(&evidence.signer);
        let known = Devices::<T>::get(device).ok_or(Error::<T>::DeviceNotEnrolled)?;
        let report = verify_optee(evidence, &known.key, expected, keys, allowed)?;
        let basis = Basis::Device { device, report };
        Ok(Found { basis, path: Path::Device, until: u64::MAX, learned: None })
    }

    /// Judges an attestation that is stored: it ends, or it ends at another time, or nothing changes.
    pub(crate) fn judge(subject: &Subject<T::AccountId>, mut attestation: Attestation<BlockNumberFor<T>>) {
        let now = Self::now();
        if attestation.until < now {
            let reason = attestation.expired();
            return Self::end(subject, attestation, reason);
        }
        let before = (attestation.until, attestation.basis.status());
        let until = match Self::until_now(&mut attestation) {
            Ok(until) if until >= now => until,
            Ok(_) => return Self::end(subject, attestation, Ended::Expired),
            Err(error) => return Self::end(subject, attestation, Ended::Refused(error.into())),
        };
        let status = attestation.basis.status();
        if (until, status) == before {
            return;
        }
        Queue::<T>::remove(attestation.place);
        attestation.until = until;
        attestation.place = Self::enqueue(until, subject.clone());
        Self::keep_basis(&attestation);
        let attested = attestation.attested();
        Attestations::<T>::insert(subject, attestation);
        let Subject { operator, role } = subject.clone();
        T::OnAttestationChange::on_attested(&operator, role, &attested);
        Self::deposit_event(Event::AttestationJudged { operator, role, status, until });
    }

    /// When an attestation ends, as things are now.
    pub(crate) fn until_now(attestation: &mut Attestation<BlockNumberFor<T>>) -> Result<u64, Error<T>> {
        let workload = Workloads::<T>::get(attestation.workload).ok_or(Error::<T>::UnknownWorkload)?;
        let rests_until = match (&workload.accepts, &mut attestation.basis) {
            (Accepts::Intel(policy), Basis::Quote { quoted, key, platform, status, .. }) => {
                let platform = Platforms::<T>::get(*platform).ok_or(Error::<T>::UnknownPlatform)?;
                let verdict = Self::judge_quoted(quoted, key, &platform.pck, policy)?;
                *status = verdict.status;
                ends(&verdict, policy)
            }
            (Accepts::Device(allowed), Basis::Device { device, report }) => {
                ensure!(Devices::<T>::contains_key(*device), Error::<T>::DeviceNotEnrolled);
                judge_optee(report, allowed)?;
                u64::MAX
            }
            _ => return Err(Error::<T>::EvidenceKind),
        };
        let lease = attestation.lease.min(attestation.since.saturating_add(workload.lifetime));
        let requested = attestation.requested.map(|(by, _)| by);
        let ends = [Some(rests_until), Some(lease), requested, workload.retired_at];
        Ok(ends.into_iter().flatten().fold(u64::MAX, u64::min))
    }

    /// Keeps what evidence told of its platform.
    fn learn(basis: &Basis, learned: Option<(CertificationId, Pck)>) {
        let (Some((certification, pck)), Basis::Quote { key, platform, .. }) = (learned, basis) else { return };
        if !Platforms::<T>::contains_key(platform) {
            Self::keep_platform(*platform, pck);
        }
        Self::keep_key(certification, CertifiedKey { key: key.clone(), platform: *platform });
    }

    /// The platform of an attestation is kept as long as that lasts.
    fn keep_basis(attestation: &Attestation<BlockNumberFor<T>>) {
        let Basis::Quote { platform, .. } = &attestation.basis else { return };
        let Some(mut kept) = Platforms::<T>::get(platform) else { return };
        if kept.until < attestation.until {
            kept.until = attestation.until;
            Platforms::<T>::insert(platform, kept);
        }
    }

    /// Counts a new attestation on its platform, or device.
    fn enter(attestation: &Attestation<BlockNumberFor<T>>) -> Result<(), Error<T>> {
        let one_more = |subjects: u32| -> Result<u32, Error<T>> {
            ensure!(subjects < T::MaxSubjectsPerPlatform::get(), Error::<T>::TooManyOnPlatform);
            Ok(subjects.saturating_add(1))
        };
        match &attestation.basis {
            Basis::Quote { platform, .. } => {
                let mut kept = Platforms::<T>::get(platform).ok_or(Error::<T>::UnknownPlatform)?;
                kept.subjects = one_more(kept.subjects)?;
                kept.until = kept.until.max(attestation.until);
                Platforms::<T>::insert(platform, kept);
            }
            Basis::Device { device, .. } => {
                let mut kept = Devices::<T>::get(device).ok_or(Error::<T>::DeviceNotEnrolled)?;
                kept.subjects = one_more(kept.subjects)?;
                Devices::<T>::insert(device, kept);
            }
        }
        Ok(())
    }

    pub(crate) fn request(subject: &Subject<T::AccountId>, within: u64) -> DispatchResult {
        let mut attestation = Attestations::<T>::get(subject).ok_or(Error::<T>::NotAttested)?;
        let by = Self::now().saturating_add(within);
        let by = attestation.requested.map_or(by, |(before, _)| before.min(by));
        let here = frame_system::Pallet::<T>::block_number();
        attestation.requested = Some((by, here));
        // Also once the request has ended the attestation.
        LastBlocks::<T>::insert(subject, here.saturating_sub(One::one()));
        if by < attestation.until {
            Queue::<T>::remove(attestation.place);
            attestation.until = by;
            attestation.place = Self::enqueue(by, subject.clone());
        }
        let until = attestation.until;
        let attested = attestation.attested();
        Attestations::<T>::insert(subject, attestation);
        let Subject { operator, role } = subject.clone();
        T::OnAttestationChange::on_attested(&operator, role, &attested);
        Self::deposit_event(Event::AttestationRequested { operator, role, until });
        Ok(())
    }

    /// Ends an attestation that is stored.
    pub(crate) fn end(subject: &Subject<T::AccountId>, attestation: Attestation<BlockNumberFor<T>>, reason: Ended) {
        Self::leave(subject, &attestation);
        Attestations::<T>::remove(subject);
        let Subject { operator, role } = subject.clone();
        T::OnAttestationChange::on_ended(&operator, role);
        let workload = attestation.workload;
        Self::deposit_event(Event::AttestationEnded { operator, role, workload, reason });
    }

    /// Takes an attestation out of queue, list and count.
    fn leave(subject: &Subject<T::AccountId>, attestation: &Attestation<BlockNumberFor<T>>) {
        Queue::<T>::remove(attestation.place);
        Members::<T>::remove(attestation.workload, subject);
        match &attestation.basis {
            Basis::Quote { platform, .. } => {
                let Some(mut kept) = Platforms::<T>::get(platform) else { return };
                kept.subjects = kept.subjects.saturating_sub(1);
                Platforms::<T>::insert(platform, kept);
            }
            Basis::Device { device, .. } => {
                let Some(mut kept) = Devices::<T>::get(device) else { return };
                kept.subjects = kept.subjects.saturating_sub(1);
                Devices::<T>::insert(device, kept);
            }
        }
    }

    /// Whether an attestation counts now, by the time and by what governance says.
    pub(crate) fn counts(attestation: &Attestation<BlockNumberFor<T>>) -> bool {
        let now = Self::now();
        let retired = Workloads::<T>::get(attestation.workload).is_none_or(|workload| workload.is_retired(now));
        let revoked = match &attestation.basis {
            Basis::Quote { ppid, .. } => RevokedPlatforms::<T>::contains_key(ppid),
            Basis::Device { device, .. } => !Devices::<T>::contains_key(device),
        };
        now <= attestation.until && !retired && !revoked
    }
}

impl<T: Config> AttestationInfo<T::AccountId> for Pallet<T> {
    fn attested(operator: &T::AccountId, role: holdfast_evidence::Role) -> Option<Attested> {
        let attestation = Attestations::<T>::get(Subject { operator: operator.clone(), role })?;
        Self::counts(&attestation).then(|| attestation.attested())
    }
}

impl<BlockNumber> Attestation<BlockNumber> {
    /// Why it ends when its time is over.
    pub(crate) fn expired(&self) -> Ended {
        match self.requested {
            Some((by, _)) if by == self.until => Ended::NotRenewed,
            _ => Ended::Expired,
        }
    }

    /// What others may know of it.
    pub fn attested(&self) -> Attested {
        let tier = match self.basis {
            Basis::Device { .. } => crate::Tier::EnrolledDevice,
            Basis::Quote { .. } => crate::Tier::Intel,
        };
        Attested { workload: self.workload, tier, keys: self.keys.clone(), until: self.until }
    }
}

impl Basis {
    /// Of a quote's platform.
    pub fn status(&self) -> Option<holdfast_evidence::TcbStatus> {
        match self {
            Basis::Quote { status, .. } => Some(*status),
            Basis::Device { .. } => None,
        }
    }
}

/// The last second at which a verdict counts.
fn ends(verdict: &TcbVerdict, policy: &Policy) -> u64 {
    verdict.good_until.saturating_add(policy.grace).min(verdict.certificates_until)
}

/// What certified an attestation key. The signature is left out: there are two for each.
fn certification_id(certification: &Certification, certificate: &[u8]) -> CertificationId {
    let parts = [&certification.attestation_key[..], &certification.qe_report, &certification.auth_data, certificate];
    blake2_256(&parts.concat())
}

/// What a device is called.
pub(crate) fn device_id(key: &holdfast_evidence::DeviceKey) -> DeviceId {
    codec::Encode::using_encoded(key, blake2_256)
}

fn are_distinct(keys: &[BoundKey]) -> bool {
    // There are sixteen at most.
    keys.iter().enumerate().all(|(index, key)| !keys.iter().take(index).any(|before| before == key))
}
