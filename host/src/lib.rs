//! The signer daemon: nodes connect in front, a trusted application (TA) holds their keys behind.
//!
//! - [`Daemon`]: a front, a worker and HTTP, started and stopped together; the binary runs one, and so can a process
//!   that embeds it.
//! - [`Link`]: the way to one TA, bytes in and bytes out. [`InProcess`] is one to a TA in this process; `OpTee` (feature
//!   `optee`, which links libteec) one to a TA on the OP-TEE beside this Linux.
//! - [`Config`]: a TOML file with flags over it.
//!
//! Front and link know nothing of each other. Between them are the worker, one thread with a bounded queue that owns
//! the link and the lease (which of several nodes may sign), and the translation of the protocol's calls into the TA's
//! commands; beside them an audit log tells what was done and refused. The daemon is trusted neither with keys nor with
//! what is signed: it can only refuse service. A software TEE in this process is the exception, and says so.

#![forbid(unsafe_code)]

mod audit;
pub mod config;
mod daemon;
mod front;
mod holder;
mod http;
mod lease;
mod link;
mod metrics;
mod optee;
mod stuck;
mod translate;
mod worker;

use holdfast_protocol::message;

pub use audit::AuditError;
pub use config::{Config, ConfigError};
pub use daemon::{Daemon, StartError};
pub use front::ListenError;
pub use holder::HolderError;
pub use link::{InProcess, Link, LinkError};
#[cfg(feature = "optee")]
pub use optee::OpTee;
pub use optee::{Application, OpTeeError};
pub use stuck::{opened, Stuck};

/// For the fuzzer: what the worker hands on of the trusted application's answer to a call.
#[doc(hidden)]
pub fn judge_answer(call: message::Call, answer: &[u8]) -> Result<message::Reply, message::Failure> {
    translate::Question::new(call)?.reply(answer)
}
