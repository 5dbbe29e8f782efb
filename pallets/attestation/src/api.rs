//! What the runtime API answers.

use alloc::{string::ToString, vec::Vec};

use holdfast_evidence::{Policy, Quote, Role};

use crate::{
    attest::Judged,
    runtime_api::{Freshness, Refusal, State, Verified, What},
    Anchor, Attestations, Config, Ended, Members, Pallet, PckCas, QeIdentities, RootCrl, Subject, TcbInfos, WorkloadId,
};

/// The most subjects that one answer names.
const PAGE: usize = 256;

impl<T: Config> Pallet<T> {
    /// Whether everything that is attested here is simulated; `None` if nothing can be.
    pub fn simulated() -> Option<bool> {
        Anchor::<T>::get().map(|anchor| anchor.simulated)
    }

    /// What is known of a subject.
    pub fn state(operator: T::AccountId, role: Role) -> Option<State> {
        let mut attestation = Attestations::<T>::get(Subject { operator, role })?;
        let attested = attestation.attested();
        let now = Self::now();
        let judged = Self::until_now(&mut attestation);
        let over = |until: u64| until < now;
        let ends = match judged {
            _ if over(attestation.until) => Some(attestation.expired()),
            Err(error) => Some(Ended::Refused(error.into())),
            Ok(until) => over(until).then_some(Ended::Expired),
        };
        let (since, requested) = (attestation.since, attestation.requested.map(|(by, _)| by));
        Some(State {
            workload: attested.workload,
            tier: attested.tier,
            keys: attested.keys,
            since,
            requested,
            until: attested.until,
            ends,
        })
    }

    /// Who is attested now to run a workload, and until when: up to `limit` after `after`, and 256 at most.
    pub fn members(
        workload: WorkloadId,
        after: Option<Subject<T::AccountId>>,
        limit: u32,
    ) -> Vec<(Subject<T::AccountId>, u64)> {
        let all = match after {
            Some(subject) => {
                Members::<T>::iter_key_prefix_from(workload, Members::<T>::hashed_key_for(workload, subject))
            }
            None => Members::<T>::iter_key_prefix(workload),
        };
        let live = all.filter_map(|subject| {
            let attestation = Attestations::<T>::get(&subject)?;
            Self::counts(&attestation).then_some((subject, attestation.until))
        });
        live.take(PAGE.min(limit as usize)).collect()
    }

    /// What is stored of collateral.
    pub fn freshness() -> Vec<Freshness> {
        let root = RootCrl::<T>::get().map(|crl| Freshness {
            what: What::RootCrl,
            issued: crl.this_update,
            next_update: crl.next_update,
        });
        let lists = PckCas::<T>::iter_values().map(|ca| Freshness {
            what: What::PckCrl(ca.issuer.kind.common_name().to_string()),
            issued: ca.crl.this_update,
            next_update: ca.crl.next_update,
        });
        let infos = TcbInfos::<T>::iter_values().map(|info| Freshness {
            what: What::TcbInfo {
                tee: info.tee,
                fmspc: info.fmspc,
                pce_id: info.pce_id,
                evaluation_data_number: info.evaluation_data_number,
            },
            issued: info.issued,
            next_update: info.next_update,
        });
        let identities = QeIdentities::<T>::iter_values().map(|identity| Freshness {
            what: What::QeIdentity { tee: identity.tee, evaluation_data_number: identity.evaluation_data_number },
            issued: identity.issued,
            next_update: identity.next_update,
        });
        root.into_iter().chain(lists).chain(infos).chain(identities).collect()
    }

    /// Judges a quote by this chain's collateral and a policy, without looking at what it was made for.
    pub fn dry_run(quote: &[u8], policy: &Policy) -> Result<Verified, Refusal> {
        let refusal = |error: crate::Error<T>| Refusal { name: name(error) };
        let quote = Quote::parse(quote).map_err(|error| refusal(error.into()))?;
        let Judged { quoted, verdict, path, .. } = Self::judge_quote(&quote, policy).map_err(refusal)?;
        Ok(Verified { report: quoted.report, verdict, path })
    }
}

/// The name of an error's variant.
fn name<T: Config>(error: crate::Error<T>) -> alloc::string::String {
    let name: &'static str = error.into();
    name.to_string()
}
