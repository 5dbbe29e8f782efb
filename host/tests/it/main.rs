//! The daemon as nodes, operators and strangers meet it: over its sockets, with the protocol's own client.

mod audit;
mod clients;
mod hostile;
mod http;
mod lease;
mod limits;
mod options;
mod process;
mod sockets;
mod stop;
mod store;
mod support;
mod watermarks;
