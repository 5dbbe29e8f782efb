//! What each fuzz target checks: a function from any bytes, one for each decoder that faces a socket, a file or the
//! trusted application's boundary, one for the trusted application as a whole, and those of what judges evidence.
//!
//! `fuzz/fuzz_targets` hands them to libFuzzer; the tests here replay `fuzz/corpus` on every run. A check panics when
//! something does not hold, and otherwise says whether the bytes were accepted, so that a corpus which no longer gets
//! anywhere is noticed.

#![forbid(unsafe_code)]

mod bytes;
mod dispatch;
mod evidence;
mod host;
mod platform;
mod store;
mod wire;

pub use dispatch::dispatch;
pub use evidence::{certificate, crl, evidence, qe_identity, quote, stored, tcb_info};
pub use host::{config, entry, translate};
pub use store::store;
pub use wire::{endpoint, frames, from_daemon, to_daemon};

/// A fuzz target.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// What it checks; whether the bytes were accepted.
    pub check: fn(&[u8]) -> bool,
}

/// All targets, by name.
pub const TARGETS: [Target; 16] = [
    Target { name: "certificate", check: certificate },
    Target { name: "config", check: config },
    Target { name: "crl", check: crl },
    Target { name: "dispatch", check: dispatch },
    Target { name: "endpoint", check: endpoint },
    Target { name: "entry", check: entry },
    Target { name: "evidence", check: evidence },
    Target { name: "frames", check: frames },
    Target { name: "from_daemon", check: from_daemon },
    Target { name: "qe_identity", check: qe_identity },
    Target { name: "quote", check: quote },
    Target { name: "store", check: store },
    Target { name: "stored", check: stored },
    Target { name: "tcb_info", check: tcb_info },
    Target { name: "to_daemon", check: to_daemon },
    Target { name: "translate", check: translate },
];
