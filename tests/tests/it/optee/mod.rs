//! The trusted application on OP-TEE in QEMU.

mod chain;
mod conformance;
mod faults;
mod measurement;
mod power;
mod refusals;
