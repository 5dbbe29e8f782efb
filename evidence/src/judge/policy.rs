//! What somebody demands of a workload and of the platform under it.

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use super::td_attributes;
use crate::{collateral::Advisory, TcbStatus};

/// The most advisories that a policy denies.
pub const MAX_DENIED: u32 = 64;

/// What is demanded.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Policy {
    /// How up to date the platform may be.
    pub statuses: Statuses,
    /// What must not be known to be wrong with it.
    pub denied_advisories: BoundedVec<Advisory, ConstU32<MAX_DENIED>>,
    /// The lowest number of an evaluation by Intel that is taken.
    pub min_evaluation_data_number: u32,
    /// See [`crate::Moment`].
    pub grace: u64,
    /// What a trust domain may use.
    pub td: TdFeatures,
    /// What the workload must be; anything, if it is not said.
    pub measurements: Option<Measurements>,
}

impl Policy {
    /// Only what is up to date and has no unusual feature; any workload.
    pub fn strict() -> Policy {
        Policy {
            statuses: Statuses::of(&[TcbStatus::UpToDate]),
            denied_advisories: BoundedVec::new(),
            min_evaluation_data_number: 0,
            grace: 0,
            td: TdFeatures::strict(),
            measurements: None,
        }
    }
}

/// Some statuses. [`TcbStatus::Revoked`] is never one of them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Statuses(u16);

impl Statuses {
    /// These, but for `Revoked`.
    pub fn of(statuses: &[TcbStatus]) -> Statuses {
        let allowed = statuses.iter().filter(|status| **status != TcbStatus::Revoked);
        Statuses(allowed.fold(0, |bits, status| bits | 1 << *status as u16))
    }

    /// Whether it is one of them.
    pub fn contain(self, status: TcbStatus) -> bool {
        status != TcbStatus::Revoked && self.0 & 1 << status as u16 != 0
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = TcbStatus> {
        TcbStatus::ALL.into_iter().filter(move |status| self.contain(*status))
    }
}

/// What a trust domain may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct TdFeatures {
    /// Which of [`td_attributes::OPTIONAL`] may be set.
    pub attributes: u64,
    /// Which extended features it may have. [`td_attributes::XFAM_ALWAYS`] is part of it, whether it is said or not.
    pub xfam: u64,
    /// Service trust domains may be bound to it, which can read its state.
    pub service_td: bool,
}

impl TdFeatures {
    /// No optional attribute, no service trust domain; every extended feature that can be reported.
    pub fn strict() -> TdFeatures {
        TdFeatures { attributes: 0, xfam: td_attributes::XFAM_OPTIONAL, service_td: false }
    }
}

/// What a workload must be.
// There are few of them, and each is stored once.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Measurements {
    /// An enclave.
    #[codec(index = 0)]
    Sgx(SgxMeasurements),
    /// A trust domain.
    #[codec(index = 1)]
    Tdx(TdxMeasurements),
}

/// What an enclave must be. What is not said can be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SgxMeasurements {
    /// Its code and data.
    pub mr_enclave: Option<[u8; 32]>,
    /// Its signer.
    pub mr_signer: Option<[u8; 32]>,
    /// Its signer's number for it.
    pub isv_prod_id: Option<u16>,
    /// The lowest security version.
    pub min_isv_svn: u16,
}

/// What a trust domain must be. What is not said can be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct TdxMeasurements {
    /// What it started from.
    pub mr_td: Option<[u8; 48]>,
    /// What was measured while it ran.
    pub rtmr: [Option<[u8; 48]>; 4],
    /// What its owner configured.
    pub mr_config_id: Option<[u8; 48]>,
    /// Its owner.
    pub mr_owner: Option<[u8; 48]>,
    /// What its owner configured for himself.
    pub mr_owner_config: Option<[u8; 48]>,
}
