//! Judges what was verified: the platform by the collateral, the workload by what somebody demands of it. No
//! cryptography, so that it can be done again whenever either changes.

mod policy;
mod tcb;
pub mod td_attributes;
mod workload;

pub use policy::{Measurements, Policy, SgxMeasurements, Statuses, TdFeatures, TdxMeasurements, MAX_DENIED};
pub use tcb::{judge_tcb, Facts, TcbVerdict};
pub use workload::judge_workload;
