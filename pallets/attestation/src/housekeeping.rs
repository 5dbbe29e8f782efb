//! What each block does by itself: it ends what is due, and judges again what may have changed. A bounded part of either.

use alloc::vec::Vec;

use frame_support::{traits::Get, weights::Weight};
use sp_runtime::Saturating;

use crate::{
    AttestationKeys, Attestations, Config, Due, Generation, LastBlocks, NextPlace, Pallet, Place, Platforms, Queue,
    Sweep, WeightInfo,
};

/// How long, in seconds, until it is asked again whether any block of a subject's last evidence's age is too old.
const ASK_AGAIN: u64 = 600;

impl<T: Config> Pallet<T> {
    pub(crate) fn enqueue(at: u64, due: Due<T::AccountId>) -> Place {
        let number = NextPlace::<T>::mutate(|next| {
            let number = *next;
            *next = number.wrapping_add(1);
            number
        });
        let place = Place::new(at, number);
        Queue::<T>::insert(place, due);
        place
    }

    /// Everything that is attested is to be judged again.
    pub(crate) fn judge_all_again() {
        let generation = Generation::<T>::mutate(|generation| {
            *generation = generation.wrapping_add(1);
            *generation
        });
        // A sweep that is on its way goes on, and then goes round once more: whoever comes last is not put off for ever.
        if Sweep::<T>::get().is_none() {
            Sweep::<T>::put((generation, None::<crate::Subject<T::AccountId>>));
        }
    }

    /// Ends what is due, the oldest first.
    pub(crate) fn end_what_is_due() -> Weight {
        let now = Self::now();
        let mut ended = 0;
        while ended < T::MaxEndedPerBlock::get() {
            let Some(place) = Queue::<T>::iter_keys().next().filter(|place| place.at() < now) else { break };
            ended.saturating_inc();
            let Some(due) = Queue::<T>::take(place) else { break };
            match due {
                Due::Attestation(subject) => {
                    let Some(attestation) = Attestations::<T>::get(&subject) else { continue };
                    let reason = attestation.expired();
                    Self::end(&subject, attestation, reason);
                }
                Due::AttestationKey(key) => match AttestationKeys::<T>::get(key) {
                    Some(kept) if kept.until >= now => drop(Self::enqueue(kept.until, Due::AttestationKey(key))),
                    _ => AttestationKeys::<T>::remove(key),
                },
                Due::Platform(id) => match Platforms::<T>::get(id) {
                    Some(kept) if kept.until >= now => drop(Self::enqueue(kept.until, Due::Platform(id))),
                    _ => Platforms::<T>::remove(id),
                },
                Due::LastBlock(subject) => {
                    let here = frame_system::Pallet::<T>::block_number();
                    let too_old = LastBlocks::<T>::get(&subject)
                        .is_none_or(|last| here.saturating_sub(last) > T::MaxEvidenceAge::get());
                    match Attestations::<T>::get(&subject) {
                        None if too_old => LastBlocks::<T>::remove(&subject),
                        attestation => {
                            let soon = now.saturating_add(ASK_AGAIN);
                            let at = attestation.map_or(soon, |attestation| attestation.until.max(soon));
                            Self::enqueue(at, Due::LastBlock(subject));
                        }
                    }
                }
            }
        }
        T::WeightInfo::end_what_is_due(ended)
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
        for (subject, attestation) in next {
            Self::judge(&subject, attestation);
        }
        let newest = Generation::<T>::get();
        if judged == most {
            Sweep::<T>::put((generation, last));
        } else if generation == newest {
            Sweep::<T>::kill();
        } else {
            Sweep::<T>::put((newest, None::<crate::Subject<T::AccountId>>));
        }
        T::WeightInfo::sweep(judged)
    }

    /// That maps, queue and lists agree.
    #[cfg(any(feature = "try-runtime", test))]
    pub(crate) fn check_state() -> Result<(), sp_runtime::TryRuntimeError> {
        use frame_support::ensure;

        use crate::{Basis, Members};

        let mut attestations = 0;
        for (subject, attestation) in Attestations::<T>::iter() {
            attestations += 1;
            let due = Queue::<T>::get(attestation.place);
            ensure!(due == Some(Due::Attestation(subject.clone())), "an attestation has its place in the queue");
            ensure!(attestation.place.at() == attestation.until, "at the time at which it ends");
            ensure!(Members::<T>::contains_key(attestation.workload, &subject), "and is on its workload's list");
            ensure!(LastBlocks::<T>::get(&subject) == Some(attestation.block), "no older evidence is taken");
            let ends = attestation.until <= attestation.lease
                && attestation.requested.is_none_or(|requested| attestation.until <= requested);
            ensure!(ends, "it ends no later than its lease, or than was asked for");
            // What is over may have lost what it rests on.
            let live = attestation.until >= Self::now();
            if let (true, Basis::Quote { quoted, .. }) = (live, &attestation.basis) {
                let kept = AttestationKeys::<T>::get(quoted.attestation_key).ok_or("its attestation key is kept")?;
                let platform = Platforms::<T>::get(kept.platform).ok_or("and its platform")?;
                ensure!(kept.until >= attestation.until && platform.until >= kept.until, "as long as it lasts");
            }
        }
        ensure!(attestations == Attestations::<T>::count(), "attestations are counted");
        ensure!(Members::<T>::iter().count() as u32 == attestations, "lists have nobody else");
        let (mut of, mut keys, mut platforms, mut blocks) = (0, 0, 0, 0);
        for due in Queue::<T>::iter_values() {
            match due {
                Due::Attestation(_) => of += 1,
                Due::AttestationKey(key) => {
                    ensure!(AttestationKeys::<T>::contains_key(key), "a key that ends is kept");
                    keys += 1;
                }
                Due::Platform(id) => {
                    ensure!(Platforms::<T>::contains_key(id), "a platform that ends is kept");
                    platforms += 1;
                }
                Due::LastBlock(subject) => {
                    ensure!(LastBlocks::<T>::contains_key(subject), "a last block that is forgotten is known");
                    blocks += 1;
                }
            }
        }
        ensure!(of == attestations, "the queue has each attestation once");
        ensure!(keys == AttestationKeys::<T>::count(), "each key");
        ensure!(platforms == Platforms::<T>::count(), "each platform");
        ensure!(blocks == LastBlocks::<T>::count(), "and each last block");
        Ok(())
    }
}
