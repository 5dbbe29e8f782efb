//! What a node answers to whoever asks.

// `decl_runtime_apis!` says the bound of a type again where it is used.
#![allow(clippy::multiple_bound_locations)]

use alloc::{string::String, vec::Vec};

use codec::{Codec, Decode, Encode};
use holdfast_evidence::{Policy, Report, Role, TcbVerdict, Tee};
use scale_info::TypeInfo;

use crate::{Ended, Keys, Path, Subject, Tier, WorkloadId};

/// An attestation as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct State {
    /// What it runs.
    pub workload: WorkloadId,
    /// What its evidence is worth.
    pub tier: Tier,
    /// Which keys live in it.
    pub keys: Keys,
    /// Since when, in seconds since the Unix epoch.
    pub since: u64,
    /// By when new evidence was asked for.
    pub requested: Option<u64>,
    /// Until when.
    pub until: u64,
    /// `None` if its time is not over, and it would be judged as good now; else why it ends.
    pub ends: Option<Ended>,
}

/// How fresh a document or a list is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Freshness {
    /// Which.
    pub what: What,
    /// When it was made, in seconds since the Unix epoch.
    pub issued: u64,
    /// When there should be a newer one.
    pub next_update: u64,
}

/// A document or a list that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum What {
    /// The root's list.
    #[codec(index = 0)]
    RootCrl,
    /// That of a CA of PCK certificates, by its common name.
    #[codec(index = 1)]
    PckCrl(String),
    /// TCB info of platforms of a kind.
    #[codec(index = 2)]
    TcbInfo {
        /// For quotes of which TEE.
        tee: Tee,
        /// The platforms' FMSPC.
        fmspc: [u8; 6],
        /// Their PCE-ID.
        pce_id: [u8; 2],
        /// Rises whenever Intel evaluates anew.
        evaluation_data_number: u32,
    },
    /// A QE identity.
    #[codec(index = 3)]
    QeIdentity {
        /// For quotes of which TEE.
        tee: Tee,
        /// As above.
        evaluation_data_number: u32,
    },
}

/// What a quote comes to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Verified {
    /// What the workload is.
    pub report: Report,
    /// How up to date its platform is.
    pub verdict: TcbVerdict,
    /// How much was known of it.
    pub path: Path,
}

/// Why a quote is refused: the name of the error of [`crate::Error`], and what its documentation says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Refusal {
    /// The name.
    pub name: String,
}

sp_api::decl_runtime_apis! {
    /// What is attested, and by what.
    pub trait AttestationApi<AccountId: Codec> {
        /// Whether everything that is attested here is simulated; `None` if nothing can be.
        fn simulated() -> Option<bool>;

        /// What is known of a subject.
        fn attestation(operator: AccountId, role: Role) -> Option<State>;

        /// Who is attested now to run a workload: up to `limit` (at most 256) after `after`.
        fn attested(workload: WorkloadId, after: Option<Subject<AccountId>>, limit: u32) -> Vec<(Subject<AccountId>, u64)>;

        /// What is stored of collateral.
        fn collateral() -> Vec<Freshness>;

        /// Judges a quote by this chain's collateral and a policy, without looking at what it was made for. Changes nothing.
        fn verify(quote: Vec<u8>, policy: Policy) -> Result<Verified, Refusal>;
    }
}
