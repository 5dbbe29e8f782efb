//! How up to date a platform's trusted computing base (TCB) is.

use core::fmt;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::Deserialize;

/// Intel's words for it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Deserialize,
)]
pub enum TcbStatus {
    /// Nothing is to be done.
    #[codec(index = 0)]
    UpToDate,
    /// The workload needs hardening in software.
    #[codec(index = 1)]
    SWHardeningNeeded,
    /// The platform needs to be configured otherwise.
    #[codec(index = 2)]
    ConfigurationNeeded,
    /// Both.
    #[codec(index = 3)]
    ConfigurationAndSWHardeningNeeded,
    /// There is a security update that the platform has not.
    #[codec(index = 4)]
    OutOfDate,
    /// And it needs to be configured otherwise.
    #[codec(index = 5)]
    OutOfDateConfigurationNeeded,
    /// A TD that started on an outdated platform which is not outdated any more: it should start anew. Never in
    /// collateral; it comes of judging both.
    #[codec(index = 6)]
    #[serde(skip_deserializing)]
    TDRelaunchAdvised,
    /// And the platform needs to be configured otherwise.
    #[codec(index = 7)]
    #[serde(skip_deserializing)]
    TDRelaunchAdvisedConfigurationNeeded,
    /// Its keys are compromised.
    #[codec(index = 8)]
    Revoked,
}

impl TcbStatus {
    /// All of them.
    pub const ALL: [TcbStatus; 9] = [
        TcbStatus::UpToDate,
        TcbStatus::SWHardeningNeeded,
        TcbStatus::ConfigurationNeeded,
        TcbStatus::ConfigurationAndSWHardeningNeeded,
        TcbStatus::OutOfDate,
        TcbStatus::OutOfDateConfigurationNeeded,
        TcbStatus::TDRelaunchAdvised,
        TcbStatus::TDRelaunchAdvisedConfigurationNeeded,
        TcbStatus::Revoked,
    ];

    /// A platform's status together with that of a part with levels of its own, the QE or the TDX module: a revoked
    /// part revokes, an outdated one makes outdated, and any other changes nothing (Intel's quote verification library,
    /// `convergeTcbStatuses`).
    pub(crate) fn with_part(self, part: TcbStatus) -> TcbStatus {
        use TcbStatus::*;
        match (part, self) {
            (Revoked, _) => Revoked,
            (OutOfDate, UpToDate | SWHardeningNeeded) => OutOfDate,
            (OutOfDate, ConfigurationNeeded | ConfigurationAndSWHardeningNeeded) => OutOfDateConfigurationNeeded,
            _ => self,
        }
    }

    /// The status of a TD that started with this one and runs with another now (the same library, `checkForRelaunch`).
    pub(crate) fn with_current(self, current: TcbStatus) -> TcbStatus {
        use TcbStatus::*;
        if current == Revoked {
            return Revoked;
        }
        let outdated = |status| matches!(status, OutOfDate | OutOfDateConfigurationNeeded);
        let configuration = |status| {
            matches!(status, ConfigurationNeeded | ConfigurationAndSWHardeningNeeded | OutOfDateConfigurationNeeded)
        };
        match (outdated(self), outdated(current)) {
            (true, false) if configuration(self) || configuration(current) => TDRelaunchAdvisedConfigurationNeeded,
            (true, false) => TDRelaunchAdvised,
            _ => self,
        }
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
