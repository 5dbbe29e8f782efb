//! Client and server against each other, and each against a hostile peer.

mod alone;
mod client;
mod daemon;
mod hostile;
mod raw;
mod server;
