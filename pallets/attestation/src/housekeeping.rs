//! What each block does by itself: it ends whose time is over, forgets what nobody needs, and judges again what may have
//! changed. A bounded part of each.

#[cfg(any(feature = "try-runtime", test))]
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use frame_support::{traits::Get, weights::Weight};
use sp_runtime::Saturating;

use crate::{
    AttestationKeys, Attestations, Config, Generation, Kept, LastBlocks, NextPlace, Pallet, Place, PlatformId,
    Platforms, Queue, Shelf, Subject, Sweep, WeightInfo,
};

/// How long, in seconds, until it is asked again whether any block of a subject's last evidence's age is too old.
const ASK_AGAIN: u64 = 600;

impl<T: Config> Pallet<T> {
    pub(crate) fn enqueue(at: u64, subject: Subject<T::AccountId>) -> Place {
        let place = Self::next_place(at);
        Queue::<T>::insert(place, subject);
        place
    }

    pub(crate) fn shelve(at: u64, kept: Kept<T::AccountId>) {
        Shelf::<T>::insert(Self::next_place(at), kept);
    }

    fn next_place(at: u64) -> Place {
        let number = NextPlace::<T>::mutate(|next| {
            let number = *next;
            *next = number.wrapping_add(1);
            number
        });
        Place::new(at, number)
    }

    /// Everything that is attested is to be judged again.
    pub(crate) fn judge_all_again() {
        let generation = Generation::<T>::mutate(|generation| {
            *generation = generation.wrapping_add(1);
            *generation
        });
        // A sweep that is on its way goes on, and then goes round once more: whoever comes last is not put off for ever.
        if Sweep::<T>::get().is_none() {
            Sweep::<T>::put((generation, None::<Subject<T::AccountId>>));
        }
    }

    /// Ends whose time is over, the oldest first.
    pub(crate) fn end_what_is_due() -> Weight {
        let now = Self::now();
        let due = Queue::<T>::iter_keys().take_while(|place| place.at() < now);
        let due: Vec<Place> = due.take(T::MaxEndedPerBlock::get() as usize).collect();
        for place in &due {
            let Some(subject) = Queue::<T>::get(place) else { continue };
            match Attestations::<T>::get(&subject) {
                Some(attestation) => {
                    let reason = attestation.expired();
                    Self::end(&subject, attestation, reason);
                }
                None => Queue::<T>::remove(place),
            }
        }
        T::WeightInfo::end_what_is_due(due.len() as u32)
    }

    /// Forgets what nobody needs any more.
    pub(crate) fn forget_what_is_due() -> Weight {
        let now = Self::now();
        let due = Shelf::<T>::iter_keys().take_while(|place| place.at() < now);
        let due: Vec<Place> = due.take(T::MaxEndedPerBlock::get() as usize).collect();
        for place in &due {
            match Shelf::<T>::take(place) {
                Some(Kept::Platform(id)) => Self::forget_platform(id, now),
                Some(Kept::LastBlock(subject)) => Self::forget_last_block(subject, now),
                None => {}
            }
        }
        T::WeightInfo::forget_what_is_due(due.len() as u32)
    }

    fn forget_platform(id: PlatformId, now: u64) {
        match Platforms::<T>::get(id) {
            // Whoever is attested on it may still stand in the queue.
            Some(kept) if kept.until >= now || kept.subjects > 0 => {
                Self::shelve(kept.until.max(now.saturating_add(ASK_AGAIN)), Kept::Platform(id));
            }
            Some(kept) => {
                kept.certifications.iter().for_each(AttestationKeys::<T>::remove);
                Platforms::<T>::remove(id);
            }
            None => {}
        }
    }

    fn forget_last_block(subject: Subject<T::AccountId>, now: u64) {
        let here = frame_system::Pallet::<T>::block_number();
        let too_old =
            LastBlocks::<T>::get(&subject).is_none_or(|last| here.saturating_sub(last) > T::MaxEvidenceAge::get());
        match Attestations::<T>::get(&subject) {
            None if too_old => LastBlocks::<T>::remove(&subject),
            attestation => {
                let soon = now.saturating_add(ASK_AGAIN);
                let at = attestation.map_or(soon, |attestation| attestation.until.max(soon));
                Self::shelve(at, Kept::LastBlock(subject));
            }
        }
    }

    /// Judges again who is next.
    pub(crate) fn sweep() -> Weight {
        let Some((generation, last)) = Sweep::<T>::get() else { return T::WeightInfo::sweep(0) };
        let rest = match last {
            Some(last) => Attestations::<T>::iter_from(Attestations::<T>::hashed_key_for(last)),
            None => Attestations::<T>::iter(),
        };
        let most = T::MaxJudgedPerBlock::get();
        let next: Vec<_> = rest.take(most as usize).collect();
        let (judged, last) = (next.len() as u32, next.last().map(|(subject, _)| subject.clone()));
        let now = Self::now();
        for (subject, attestation) in next {
            // Whose time is over is ended by the queue, in his turn.
            if attestation.until >= now {
                Self::judge(&subject, attestation);
            }
        }
        let newest = Generation::<T>::get();
        if judged == most {
            Sweep::<T>::put((generation, last));
        } else if generation == newest {
            Sweep::<T>::kill();
        } else {
            Sweep::<T>::put((newest, None::<Subject<T::AccountId>>));
        }
        T::WeightInfo::sweep(judged)
    }

    /// That maps, queue and lists agree.
    #[cfg(any(feature = "try-runtime", test))]
    pub(crate) fn check_state() -> Result<(), sp_runtime::TryRuntimeError> {
        use frame_support::ensure;

        use crate::{Basis, Devices, Members, Workloads, MAX_CERTIFICATIONS};

        let (mut platforms, mut devices) = (BTreeMap::new(), BTreeMap::new());
        let mut attestations = 0;
        for (subject, attestation) in Attestations::<T>::iter() {
            attestations += 1;
            ensure!(Queue::<T>::get(attestation.place) == Some(subject.clone()), "it has its place in the queue");
            ensure!(attestation.place.at() == attestation.until, "at the time at which it ends");
            ensure!(Workloads::<T>::contains_key(attestation.workload), "its workload is known");
            ensure!(Members::<T>::contains_key(attestation.workload, &subject), "and has it on its list");
            ensure!(LastBlocks::<T>::get(&subject) >= Some(attestation.block), "no older evidence is taken");
            let ends = attestation.until <= attestation.lease
                && attestation.requested.is_none_or(|(by, _)| attestation.until <= by);
            ensure!(ends, "it ends no later than its lease, or than was asked for");
            match attestation.basis {
                Basis::Quote { platform, .. } => {
                    let kept = Platforms::<T>::get(platform).ok_or("its platform is kept")?;
                    ensure!(kept.until >= attestation.until, "as long as it lasts");
                    *platforms.entry(platform).or_insert(0) += 1;
                }
                Basis::Device { device, .. } => *devices.entry(device).or_insert(0) += 1,
            }
        }
        ensure!(attestations == Attestations::<T>::count(), "attestations are counted");
        ensure!(attestations == Queue::<T>::count(), "the queue has each once");
        ensure!(Members::<T>::iter().count() as u32 == attestations, "lists have nobody else");

        let mut keys = 0;
        for (id, kept) in Platforms::<T>::iter() {
            ensure!(kept.subjects == platforms.remove(&id).unwrap_or_default(), "who is on a platform is counted");
            ensure!(kept.certifications.len() <= MAX_CERTIFICATIONS as usize, "it has few keys");
            for certification in &kept.certifications {
                let key = AttestationKeys::<T>::get(certification).ok_or("its keys are kept")?;
                ensure!(key.platform == id, "they are its own");
                keys += 1;
            }
        }
        ensure!(keys == AttestationKeys::<T>::count(), "no key is kept without its platform");
        for (id, kept) in Devices::<T>::iter() {
            // One that was removed and enrolled again has lost count of those who are to be ended.
            ensure!(kept.subjects <= devices.remove(&id).unwrap_or_default(), "who is attested by a device is counted");
        }

        let mut shelf = BTreeSet::new();
        for (place, kept) in Shelf::<T>::iter() {
            let known = match &kept {
                Kept::Platform(id) => Platforms::<T>::get(id).map(|kept| kept.until),
                Kept::LastBlock(subject) => LastBlocks::<T>::get(subject).map(|_| u64::MAX),
            };
            ensure!(known.is_some(), "what is to be forgotten is known");
            ensure!(place.at() <= known.unwrap_or_default().max(Self::now().saturating_add(ASK_AGAIN)), "and in time");
            ensure!(shelf.insert(kept), "once");
        }
        let kept = Platforms::<T>::count() + LastBlocks::<T>::count();
        ensure!(shelf.len() as u32 == kept, "everything that is kept is to be forgotten");
        Ok(())
    }
}
