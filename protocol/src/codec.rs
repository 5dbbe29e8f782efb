//! Messages to bytes and back.
//!
//! bincode 1 is unmaintained (RUSTSEC-2025-0141); it is here because it is ductile's wire, and only this file knows
//! it. Bytes decode from a slice of at most [`MAX_MESSAGE`], with nothing left over; lengths in it are believed only as
//! far as bytes follow.

use bincode::Options;
use serde::{Deserialize, Serialize};

use crate::channel::ChannelError;
use crate::message::{
    FromDaemon, Hello, Rejection, Request, Response, TeeInfo, ToDaemon, Welcome, MAX_MESSAGE, VERSION,
};

/// A message that would be longer than [`MAX_MESSAGE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of more than {MAX_MESSAGE} bytes")]
pub struct TooLong;

/// The bytes of a hello.
pub fn encode_hello(hello: Hello) -> Result<Vec<u8>, TooLong> {
    encode(&ToDaemon::Hello(hello))
}

/// The bytes of a request, which stays with the caller: it may have to be sent again.
pub fn encode_request(request: &Request) -> Result<Vec<u8>, TooLong> {
    /// [`ToDaemon`], borrowed.
    #[derive(Serialize)]
    enum Borrowed<'a> {
        #[allow(dead_code)]
        Hello,
        Request(&'a Request),
    }
    encode(&Borrowed::Request(request))
}

/// The bytes of anything that a daemon says.
pub fn encode_from_daemon(message: &FromDaemon) -> Result<Vec<u8>, TooLong> {
    encode(message)
}

/// Reads the first message of a client. The version comes first in every version of this protocol, and is looked at
/// before anything else.
pub fn decode_hello(bytes: &[u8]) -> Result<Hello, ChannelError> {
    check_version(bytes)?;
    match decode(bytes)? {
        ToDaemon::Hello(hello) => Ok(hello),
        ToDaemon::Request(_) => Err(ChannelError::Protocol("a request came before the hello")),
    }
}

/// Reads a later message of a client.
pub fn decode_request(bytes: &[u8]) -> Result<Request, ChannelError> {
    match decode(bytes)? {
        ToDaemon::Request(request) => Ok(request),
        ToDaemon::Hello(_) => Err(ChannelError::Protocol("a second hello")),
    }
}

/// Reads the first message of a daemon.
pub fn decode_opening(bytes: &[u8]) -> Result<Result<TeeInfo, Rejection>, ChannelError> {
    check_version(bytes)?;
    match decode(bytes)? {
        FromDaemon::Welcome(Welcome { tee, .. }) => Ok(Ok(tee)),
        FromDaemon::Rejected(rejection) => Ok(Err(rejection)),
        FromDaemon::Response(_) => Err(ChannelError::Protocol("a response came before the welcome")),
    }
}

/// Reads a later message of a daemon.
pub fn decode_response(bytes: &[u8]) -> Result<Response, ChannelError> {
    match decode(bytes)? {
        FromDaemon::Response(response) => Ok(response),
        FromDaemon::Welcome(_) | FromDaemon::Rejected(_) => Err(ChannelError::Protocol("a second welcome")),
    }
}

/// [`Hello`] and [`Welcome`] both are variant 0 and begin with the version.
fn check_version(bytes: &[u8]) -> Result<(), ChannelError> {
    let Some((&[0, 0, 0, 0], rest)) = bytes.split_first_chunk::<4>() else { return Ok(()) };
    match rest.first_chunk::<2>().map(|version| u16::from_le_bytes(*version)) {
        Some(version) if version != VERSION => Err(ChannelError::Version(version)),
        _ => Ok(()),
    }
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_limit(MAX_MESSAGE as u64)
}

fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, TooLong> {
    options().serialize(message).map_err(|_| TooLong)
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ChannelError> {
    options().deserialize(bytes).map_err(|error| ChannelError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests;
