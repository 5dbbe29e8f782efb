//! The wire between a node's keystore and the daemon that holds its trusted application, written once for both ends.
//!
//! - [`message`]: what is said; [`lease`]: who may sign; [`rule`]: what the signing policy forbids, in words. bincode, one
//!   message in one frame of ductile.
//! - [`codec`]: its bytes. Pure.
//! - [`client`]: the node's half. One connection for any number of callers, with deadlines and reconnection.
//! - [`server`]: the daemon's half of one connection.
//! - [`channel`]: ductile on a leash: limits and deadlines around a library that has neither.

#![forbid(unsafe_code)]

pub mod channel;
pub mod client;
pub mod codec;
pub mod endpoint;
pub mod lease;
pub mod message;
pub mod rule;
pub mod server;
mod watermark;

pub use channel::{ChannelError, Stream};
pub use client::{CallError, Client, ClientOptions, State, Unreachable, Until};
pub use endpoint::{Endpoint, UriError};
pub use lease::{Claim, Identity, Lease, Tenure};
pub use message::*;
