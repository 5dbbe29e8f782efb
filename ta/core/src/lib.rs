//! The trusted application: commands, keys and signing policy, without a platform.
//!
//! A platform implements [`Tee`] and hands every request to [`dispatch`]; bytes in, bytes out, and no panic on any
//! input. What the bytes say is in [`Request`] and [`Answer`]. The caller is not trusted with anything: it can keep
//! requests back, and it can send any bytes it likes, but no answer carries a secret, and no key signs what the policy
//! of its type forbids.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod api;
mod cache;
mod dispatch;
mod hash;
mod keys;
mod ledger;
mod measurement;
mod memory;
pub mod optee;
mod policy;
mod store;
mod tee;
#[cfg(test)]
mod testing;

pub use api::*;
pub use dispatch::dispatch;
pub use measurement::{measurement_nonce, Measured, Measurement, RsaPublicKey, MAX_MEASURED_KEYS, MEASUREMENT_DOMAIN};
pub use memory::Memory;
pub use policy::{proves_possession, read_slot, read_vote, Vote};
pub use tee::{CellWrites, Fault, Tee};
