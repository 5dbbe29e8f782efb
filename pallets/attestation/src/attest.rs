//! Evidence: judged, and what follows when it is good.

use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use frame_system::pallet_prelude::BlockNumberFor;
use holdfast_evidence::{
    certificates, certify_attestation_key, judge_optee, judge_tcb, judge_workload, report_data, verify_optee,
    verify_quote, AttestationKey, Audience, Binding, BoundKey, Evidence, Facts, Moment, OpteeEvidence, Part, Pck,
    Policy, Quote, Quoted, Report, TcbVerdict, Tee,
};
use sp_io::hashing::blake2_256;
use sp_runtime::{traits::Zero, Saturating};

use crate::{
    Accepts, Attestation, AttestationInfo, AttestationKeys, Attestations, Attested, Basis, CertifiedKey, Config,
    DeviceId, Devices, Due, Error, Event, Keys, LastBlocks, Members, OnAttestationChange, Pallet, Path, PckCas,
    PlatformId, Platforms, QeIdentities, Queue, RevokedPlatforms, Subject, TcbInfos, Workload, WorkloadId, Workloads,
};

/// A quote that was found good, with what is worth keeping of it.
pub(crate) struct Judged {
    pub(crate) quoted: Quoted,
    pub(crate) key: AttestationKey,
    pub(crate) pck: Pck,
    pub(crate) platform: PlatformId,
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
    learned: Option<(AttestationKey, PlatformId, Pck)>,
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
        let before = Attestations::<T>::get(&subject);
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
        if let Some((key, platform, pck)) = learned {
            Self::keep_platform(platform, pck, until);
            Self::keep_key(key, platform, until);
        }
        if let Some(before) = before {
            Self::leave(&subject, &before);
        }
        if LastBlocks::<T>::get(&subject).is_none() {
            Self::enqueue(until, Due::LastBlock(subject.clone()));
        }
        LastBlocks::<T>::insert(&subject, block);
        let place = Self::enqueue(until, Due::Attestation(subject.clone()));
        let status = basis.status();
        let attestation =
            Attestation { workload: id, keys, basis, block, since: now, lease, requested: None, until, place };
        Self::keep_basis(&attestation);
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
        ensure!(workload.retired_at.is_none_or(|end| Self::now() < end), Error::<T>::WorkloadRetired);
        Ok(workload)
    }

    /// The hash of a block that is recent, and newer than that of the subject's last evidence.
    fn fresh(subject: &Subject<T::AccountId>, block: BlockNumberFor<T>) -> Result<[u8; 32], Error<T>> {
        let here = frame_system::Pallet::<T>::block_number();
        ensure!(block < here, Error::<T>::BlockNotYet);
        ensure!(here.saturating_sub(block) <= T::MaxEvidenceAge::get(), Error::<T>::BlockTooOld);
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
        let genesis = genesis.as_ref().try_into().map_err(|_| Error::<T>::BlockTooOld)?;
        let operator = codec::Encode::using_encoded(&subject.operator, |account| match account.try_into() {
            Ok(account) => account,
            Err(_) => blake2_256(account),
        });
        Ok(report_data(&Binding { audience: Audience::Chain, genesis, role: subject.role, operator, keys }, fresh))
    }

    fn take_quote(quote: &[u8], expected: &[u8; 64], policy: &Policy) -> Result<Found, Error<T>> {
        let quote = Quote::parse(quote)?;
        quote.report.check_report_data(expected)?;
        let Judged { quoted, key, pck, platform, verdict, path } = Self::judge_quote(&quote, policy)?;
        let learned = (path != Path::KnownKey).then_some((key, platform, pck));
        let basis = Basis::Quote { quoted, status: verdict.status };
        Ok(Found { basis, path, until: ends(&verdict, policy), learned })
    }

    /// Judges a quote by what the chain knows, but for what it was made for. Writes nothing.
    pub(crate) fn judge_quote(quote: &Quote, policy: &Policy) -> Result<Judged, Error<T>> {
        let public_key = quote.certification.attestation_key;
        let (key, platform, pck, path) = match AttestationKeys::<T>::get(public_key) {
            Some(CertifiedKey { key, platform, .. }) => {
                let pck = Platforms::<T>::get(platform).ok_or(Error::<T>::UnknownPlatform)?.pck;
                (key, platform, pck, Path::KnownKey)
            }
            None => {
                let chain = certificates(Part::PckChain, quote.pck_chain()?)?;
                let certificate = chain.first().ok_or(Error::<T>::Pem)?;
                let platform = blake2_256(certificate);
                let (pck, path) = match Platforms::<T>::get(platform) {
                    Some(known) => (known.pck, Path::KnownPlatform),
                    None => (Self::verify_platform(certificate)?, Path::NewPlatform),
                };
                let tee = quote.certification.tee;
                let identity = QeIdentities::<T>::get(tee).ok_or(Error::<T>::NoQeIdentity)?;
                (certify_attestation_key(&quote.certification, &pck, &identity)?, platform, pck, path)
            }
        };
        let quoted = verify_quote(&quote.signed, &key)?;
        let verdict = Self::judge_quoted(&quoted, &key, &pck, policy)?;
        Ok(Judged { quoted, key, pck, platform, verdict, path })
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

    fn keep_key(key: AttestationKey, platform: PlatformId, until: u64) {
        let public_key = key.public_key;
        Self::enqueue(until, Due::AttestationKey(public_key));
        AttestationKeys::<T>::insert(public_key, CertifiedKey { key, platform, until });
    }

    fn take_measurement(
        evidence: &OpteeEvidence,
        expected: &[u8; 64],
        keys: &[BoundKey],
        allowed: &[[u8; 32]],
    ) -> Result<Found, Error<T>> {
        let device = device_id(&evidence.signer);
        let key = Devices::<T>::get(device).ok_or(Error::<T>::DeviceNotEnrolled)?;
        let report = verify_optee(evidence, &key, expected, keys, allowed)?;
        let basis = Basis::Device { device, report };
        Ok(Found { basis, path: Path::Device, until: u64::MAX, learned: None })
    }

    /// Judges a subject's attestation again: it ends, or it ends at another time, or nothing changes. Says whether there is
    /// one.
    pub(crate) fn judge_again(subject: &Subject<T::AccountId>) -> bool {
        let attestation = Attestations::<T>::get(subject);
        let known = attestation.is_some();
        attestation.into_iter().for_each(|attestation| Self::judge(subject, attestation));
        known
    }

    /// Judges an attestation that is stored, and not over.
    pub(crate) fn judge(subject: &Subject<T::AccountId>, mut attestation: Attestation<BlockNumberFor<T>>) {
        if attestation.until < Self::now() {
            // The queue comes to it, in its turn.
            return;
        }
        match Self::until_now(&mut attestation) {
            Err(error) => Self::end(subject, attestation, crate::Ended::Refused(error.into())),
            Ok(until) if until != attestation.until => {
                Queue::<T>::remove(attestation.place);
                attestation.until = until;
                attestation.place = Self::enqueue(until, Due::Attestation(subject.clone()));
                Self::keep_basis(&attestation);
                let status = attestation.basis.status();
                let Subject { operator, role } = subject.clone();
                T::OnAttestationChange::on_attested(&operator, role, &attestation.attested());
                Attestations::<T>::insert(subject, attestation);
                Self::deposit_event(Event::AttestationJudged { operator, role, status, until });
            }
            Ok(_) => Attestations::<T>::insert(subject, attestation),
        }
    }

    /// When an attestation ends, as things are now.
    pub(crate) fn until_now(attestation: &mut Attestation<BlockNumberFor<T>>) -> Result<u64, Error<T>> {
        let workload = Workloads::<T>::get(attestation.workload).ok_or(Error::<T>::UnknownWorkload)?;
        let rests_until = match (&workload.accepts, &mut attestation.basis) {
            (Accepts::Intel(policy), Basis::Quote { quoted, status }) => {
                let known = AttestationKeys::<T>::get(quoted.attestation_key).ok_or(Error::<T>::UnknownPlatform)?;
                let platform = Platforms::<T>::get(known.platform).ok_or(Error::<T>::UnknownPlatform)?;
                let verdict = Self::judge_quoted(quoted, &known.key, &platform.pck, policy)?;
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
        let ends = [Some(rests_until), Some(lease), attestation.requested, workload.retired_at];
        Ok(ends.into_iter().flatten().fold(u64::MAX, u64::min))
    }

    /// What an attestation rests on is kept as long as it lasts.
    fn keep_basis(attestation: &Attestation<BlockNumberFor<T>>) {
        if let Basis::Quote { quoted, .. } = &attestation.basis {
            Self::keep_until(&quoted.attestation_key, attestation.until);
        }
    }

    pub(crate) fn request(subject: &Subject<T::AccountId>, within: u64) -> DispatchResult {
        let mut attestation = Attestations::<T>::get(subject).ok_or(Error::<T>::NotAttested)?;
        let by = Self::now().saturating_add(within);
        let by = attestation.requested.map_or(by, |before| before.min(by));
        attestation.requested = Some(by);
        if by < attestation.until {
            Queue::<T>::remove(attestation.place);
            attestation.until = by;
            attestation.place = Self::enqueue(by, Due::Attestation(subject.clone()));
        }
        let until = attestation.until;
        Attestations::<T>::insert(subject, attestation);
        let Subject { operator, role } = subject.clone();
        Self::deposit_event(Event::AttestationRequested { operator, role, until });
        Ok(())
    }

    /// Ends an attestation that is stored.
    pub(crate) fn end(
        subject: &Subject<T::AccountId>,
        attestation: Attestation<BlockNumberFor<T>>,
        reason: crate::Ended,
    ) {
        Self::leave(subject, &attestation);
        Attestations::<T>::remove(subject);
        let Subject { operator, role } = subject.clone();
        T::OnAttestationChange::on_ended(&operator, role);
        let workload = attestation.workload;
        Self::deposit_event(Event::AttestationEnded { operator, role, workload, reason });
    }

    /// Takes an attestation out of queue and list.
    fn leave(subject: &Subject<T::AccountId>, attestation: &Attestation<BlockNumberFor<T>>) {
        Queue::<T>::remove(attestation.place);
        Members::<T>::remove(attestation.workload, subject);
    }
}

impl<T: Config> AttestationInfo<T::AccountId> for Pallet<T> {
    fn attested(operator: &T::AccountId, role: holdfast_evidence::Role) -> Option<Attested> {
        let attestation = Attestations::<T>::get(Subject { operator: operator.clone(), role })?;
        (Self::now() <= attestation.until).then(|| attestation.attested())
    }
}

impl<BlockNumber> Attestation<BlockNumber> {
    /// Why it ends when its time is over.
    pub(crate) fn expired(&self) -> crate::Ended {
        match self.requested {
            Some(requested) if requested == self.until => crate::Ended::NotRenewed,
            _ => crate::Ended::Expired,
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

/// What a device is called.
pub(crate) fn device_id(key: &holdfast_evidence::DeviceKey) -> DeviceId {
    codec::Encode::using_encoded(key, blake2_256)
}

fn are_distinct(keys: &[BoundKey]) -> bool {
    // There are sixteen at most.
    keys.iter().enumerate().all(|(index, key)| !keys.iter().take(index).any(|before| before == key))
}
