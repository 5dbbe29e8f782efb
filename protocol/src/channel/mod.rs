//! ductile on a leash: its wire, with limits, deadlines and an end.
//!
//! ductile neither limits nor times what it reads, and cannot be closed. So the socket to the peer is ours, and
//! ductile talks to a private one whose other end we hold too (`leash.rs`): each frame passes through ductile whole, in
//! the thread that sends or receives it. Every wait has a deadline, nothing longer than [`crate::MAX_MESSAGE`] is
//! stored, and closing the socket ends everything. A peer with bare ductile and `Vec<u8>` as the type of its messages
//! sees no difference.
//!
//! Seeds cross this channel for development trusted applications only; ductile does not wipe its buffers.

pub mod frame;
mod leash;
mod stream;

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use stream::Stream;

use frame::MAX_FRAME;
use leash::{Decoder, Encoder, MAGIC};

use crate::message::{MAX_MESSAGE, VERSION};

/// The rest of a frame has to follow its first byte within this time.
pub(crate) const FRAME_DEADLINE: Duration = Duration::from_secs(5);

/// Why a connection cannot go on, or could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The peer was silent when it had to say something.
    #[error("the peer sent no {0} in time")]
    Deadline(&'static str),
    /// The connection ended where it may not: within a frame, before the conversation was open, or (for a client) at
    /// all.
    #[error("the peer closed the connection")]
    Cut,
    /// The peer does not read: there is no room for a message. Nothing of it was sent.
    #[error("the peer does not read what it is sent")]
    Full,
    /// The peer's first bytes are not ductile's.
    #[error("the peer does not speak this protocol (ductile's greeting was expected)")]
    NotDuctile,
    /// A frame of ductile that holds no message, by its kind.
    #[error("the peer sent a frame of kind {0}, which holds no message")]
    NotAMessage(u32),
    /// A message of so many bytes.
    #[error("the peer announced a message of {0} bytes; {MAX_MESSAGE} are allowed")]
    TooLong(u64),
    /// A message that does not decode.
    #[error("the peer sent a message that cannot be read: {0}")]
    Malformed(String),
    /// A message that decodes, at the wrong time or with wrong values.
    #[error("the peer broke the protocol: {0}")]
    Protocol(&'static str),
    /// The peer speaks another version of the protocol.
    #[error("the peer speaks version {0} of the protocol and this program version {VERSION}: upgrade the older one")]
    Version(u16),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// This program's own end of ductile failed.
    #[error("cannot set up ductile: {0}")]
    Leash(String),
}

/// Shakes hands with the peer by the deadline; both ends do the same.
pub(crate) fn open(stream: Stream, deadline: Instant) -> Result<(Sender, Receiver), ChannelError> {
    open_shared(Arc::new(stream), deadline)
}

/// As [`open`], for one who wants to close the stream from elsewhere meanwhile.
pub(crate) fn open_shared(stream: Arc<Stream>, deadline: Instant) -> Result<(Sender, Receiver), ChannelError> {
    stream.prepare()?;
    let (encoder, decoder) = leash::open(|magic| greet(&stream, magic, deadline))?;
    let sender = Sender { encoder, stream: stream.clone(), frame: Vec::new(), crowded: Arc::default() };
    let receiver =
        Receiver { decoder, stream, buffer: vec![0; MAX_FRAME], start: 0, end: 0, begun: None, timeout: None };
    receiver.stream.set_read_timeout(None)?;
    Ok((sender, receiver))
}

/// The sending half. For one thread at a time.
pub(crate) struct Sender {
    encoder: Encoder,
    stream: Arc<Stream>,
    frame: Vec<u8>,
    crowded: Arc<AtomicBool>,
}

impl Sender {
    /// Sends a message of at most [`crate::MAX_MESSAGE`] bytes.
    ///
    /// Waits for room until `patience`, if that is given; then fails with [`ChannelError::Full`], which harms nothing.
    /// After any other error the connection is closed: a frame of which the beginning was sent has until `patience`
    /// too, but at least [`FRAME_DEADLINE`].
    pub(crate) fn send(&mut self, message: Vec<u8>, patience: Option<Instant>) -> Result<(), ChannelError> {
        let result = self.try_send(message, patience);
        if !matches!(result, Ok(()) | Err(ChannelError::Full)) {
            self.stream.close();
        }
        result
    }

    /// The socket, to close it.
    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// True while there was no room the last time that something was to be sent.
    pub(crate) fn crowded(&self) -> Arc<AtomicBool> {
        self.crowded.clone()
    }

    fn try_send(&mut self, message: Vec<u8>, patience: Option<Instant>) -> Result<(), ChannelError> {
        self.encoder.encode(message, &mut self.frame)?;
        let mut rest = &self.frame[..];
        let mut result = self.stream.write_now(rest);
        let mut patience = patience;
        loop {
            match result {
                Ok(sent) => {
                    let begun = rest.len() == self.frame.len() && sent > 0;
                    rest = rest.get(sent..).unwrap_or_default();
                    if rest.is_empty() {
                        self.crowded.store(false, Ordering::Relaxed);
                        return Ok(());
                    }
                    if begun {
                        patience = patience.map(|patience| patience.max(Instant::now() + FRAME_DEADLINE));
                    }
                }
                Err(error) if timed_out(&error) => {
                    self.crowded.store(true, Ordering::Relaxed);
                    let waited = patience.is_none_or(|patience| Instant::now() >= patience);
                    if waited && rest.len() == self.frame.len() {
                        return Err(ChannelError::Full);
                    }
                    if waited {
                        return Err(ChannelError::Deadline("room for the rest of a message"));
                    }
                }
                Err(error) => return Err(error.into()),
            }
            result = match patience {
                Some(patience) => self.stream.write_until(rest, patience),
                None => self.stream.write_now(rest),
            };
        }
    }
}

/// What there was to receive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A message, of at most [`crate::MAX_MESSAGE`] bytes.
    Message(Vec<u8>),
    /// Nothing, for as long as was asked.
    Nothing,
    /// The end, between two frames.
    End,
}

/// The receiving half. For one thread.
pub(crate) struct Receiver {
    decoder: Decoder,
    stream: Arc<Stream>,
    /// What has been read and not yet taken is at `start..end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// When the frame at `start` was first seen to be incomplete.
    begun: Option<Instant>,
    /// The read timeout that the stream has now.
    timeout: Option<Duration>,
}

impl Receiver {
    /// Waits for a message to begin, for `idle` at most or without limit. One that has begun must be complete within
    /// [`FRAME_DEADLINE`]. After an error nothing more can be received.
    pub(crate) fn recv(&mut self, idle: Option<Duration>) -> Result<Received, ChannelError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Received::Message(message));
            }
            let timeout = match self.begun {
                None => idle,
                Some(begun) => Some(remaining(begun + FRAME_DEADLINE).ok_or(ChannelError::Deadline("whole message"))?),
            };
            match self.fill(timeout) {
                Ok(0) if self.start == self.end => return Ok(Received::End),
                Ok(0) => return Err(ChannelError::Cut),
                Ok(_) => {}
                Err(error) if timed_out(&error) && self.begun.is_none() => return Ok(Received::Nothing),
                Err(error) if timed_out(&error) => {}
                // A peer that ends without having read everything.
                Err(error) if error.kind() == ErrorKind::ConnectionReset && self.begun.is_none() => {
                    return Ok(Received::End)
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Receives a message that must be complete by `deadline`; `what` names it in the error.
    pub(crate) fn expect(&mut self, what: &'static str, deadline: Instant) -> Result<Vec<u8>, ChannelError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            let timeout = remaining(deadline).ok_or(ChannelError::Deadline(what))?;
            match self.fill(Some(timeout)) {
                Ok(0) => return Err(ChannelError::Cut),
                Ok(_) => {}
                Err(error) if timed_out(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes a message out of what has been read, if it is whole.
    fn take(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let frame = frame::length(unread)?.and_then(|length| unread.get(..length));
        let Some(frame) = frame else {
            if !unread.is_empty() && self.begun.is_none() {
                self.begun = Some(Instant::now());
            }
            return Ok(None);
        };
        let message = self.decoder.decode(frame)?;
        self.start += frame.len();
        self.begun = None;
        Ok(Some(message))
    }

    /// Reads more. There is always room: the buffer holds the longest frame, and `take` has found none.
    fn fill(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.timeout != timeout {
            self.stream.set_read_timeout(timeout)?;
            self.timeout = timeout;
        }
        let read = self.stream.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
        self.end += read;
        Ok(read)
    }
}

/// Sends our greeting and receives the peer's. They are the same, so another is no ductile, or one with encryption.
fn greet(stream: &Stream, magic: [u8; MAGIC], deadline: Instant) -> Result<[u8; MAGIC], ChannelError> {
    if stream.write_now(&magic)? != MAGIC {
        return Err(ChannelError::Full);
    }
    let mut peers = [0; MAGIC];
    let mut missing = &mut peers[..];
    while !missing.is_empty() {
        stream.set_read_timeout(Some(remaining(deadline).ok_or(ChannelError::Deadline("greeting"))?))?;
        match stream.read(missing) {
            Ok(0) => return Err(ChannelError::Cut),
            Ok(read) => missing = missing.get_mut(read..).unwrap_or_default(),
            Err(error) if timed_out(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if peers != magic {
        return Err(ChannelError::NotDuctile);
    }
    Ok(peers)
}

fn remaining(deadline: Instant) -> Option<Duration> {
    Some(deadline.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
}

fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests;
