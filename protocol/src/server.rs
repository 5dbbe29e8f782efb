//! The daemon's half of one connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::channel::{self, ChannelError, Received, Receiver, Sender, Stream};
use crate::codec;
use crate::message::{
    Failure, FromDaemon, Hello, Rejection, Request, Response, Welcome, MAX_DEADLINE_MS, MAX_IN_FLIGHT, VERSION,
};

/// Shakes hands with a client that has just connected, and reads its hello. Blocks, until `deadline` at most: give
/// each connection a thread of its own, and limit how many there are.
///
/// `stream` is a `std` `UnixStream` or `TcpStream`, blocking or not (one from tokio's `into_std` will do). A client of
/// another protocol version has been told so when this returns [`ChannelError::Version`].
pub fn accept(stream: impl Into<Stream>, deadline: Instant) -> Result<(Hello, Pending), ChannelError> {
    let (sender, mut receiver) = channel::open(stream.into(), deadline)?;
    let hello = codec::decode_hello(&receiver.expect("hello", deadline)?);
    let pending = Pending { sender, receiver };
    match hello {
        Ok(hello) => Ok((hello, pending)),
        Err(ChannelError::Version(theirs)) => {
            pending.reject(Rejection::Version(VERSION))?;
            Err(ChannelError::Version(theirs))
        }
        Err(error) => Err(error),
    }
}

/// A client that has said hello and waits for its answer. Dropping it closes the connection.
pub struct Pending {
    sender: Sender,
    receiver: Receiver,
}

impl Pending {
    /// Opens the conversation.
    pub fn welcome(mut self, welcome: Welcome) -> Result<(Requests, Responder), ChannelError> {
        self.say(&FromDaemon::Welcome(welcome))?;
        let stream = self.sender.stream().clone();
        let in_flight = AtomicUsize::new(0);
        let answers = Arc::new(Answers { sender: Mutex::new(self.sender), stream, in_flight });
        let requests = Requests { receiver: self.receiver, answers: answers.clone(), last_id: None };
        Ok((requests, Responder { answers }))
    }

    /// Says why not, and closes the connection.
    pub fn reject(mut self, rejection: Rejection) -> Result<(), ChannelError> {
        self.say(&FromDaemon::Rejected(rejection))
    }

    fn say(&mut self, message: &FromDaemon) -> Result<(), ChannelError> {
        let message = codec::encode_from_daemon(message).map_err(|_| ChannelError::Protocol("an overlong welcome"))?;
        self.sender.send(message, None)
    }
}

/// The questions of one client, for the connection's own thread. Dropping it closes the connection.
pub struct Requests {
    receiver: Receiver,
    answers: Arc<Answers>,
    last_id: Option<u64>,
}

impl Requests {
    /// Waits for the next request; `None` once the client or a [`Responder`] has closed the connection.
    ///
    /// There is no deadline while the client is idle, and a short one for the rest of a request whose first byte has
    /// come. That ids rise, deadlines are at most [`MAX_DEADLINE_MS`], and no more than [`MAX_IN_FLIGHT`] requests are
    /// unanswered has been checked. After an error the connection is closed.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Request>, ChannelError> {
        let request = self.receive();
        if !matches!(request, Ok(Some(_))) {
            self.answers.stream.close();
        }
        request
    }

    fn receive(&mut self) -> Result<Option<Request>, ChannelError> {
        let message = loop {
            match self.receiver.recv(None)? {
                Received::Message(message) => break message,
                Received::Nothing => {}
                Received::End => return Ok(None),
            }
        };
        let request = codec::decode_request(&message)?;
        if self.last_id.is_some_and(|last| request.id <= last) {
            return Err(ChannelError::Protocol("the id of a request is not higher than the one before"));
        }
        if request.deadline_ms > MAX_DEADLINE_MS {
            return Err(ChannelError::Protocol("the deadline of a request is too far away"));
        }
        if self.answers.in_flight.fetch_add(1, Ordering::Relaxed) >= MAX_IN_FLIGHT {
            return Err(ChannelError::Protocol("too many requests without an answer"));
        }
        self.last_id = Some(request.id);
        Ok(Some(request))
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.answers.stream.close();
    }
}

/// Where answers go, from any thread. Every request is to be answered exactly once.
#[derive(Clone)]
pub struct Responder {
    answers: Arc<Answers>,
}

impl Responder {
    /// Sends an answer and never blocks. A client that does not read, and so has no room for it, is closed; an error
    /// says that the connection is closed now, and needs no handling.
    pub fn send(&self, response: Response) -> Result<(), ChannelError> {
        let id = response.id;
        let message = codec::encode_from_daemon(&FromDaemon::Response(response)).or_else(|_| {
            let result = Err(Failure::Tee("the answer is longer than a message may be".into()));
            codec::encode_from_daemon(&FromDaemon::Response(Response { id, result }))
        });
        let message = message.map_err(|_| ChannelError::Protocol("an overlong answer"))?;
        // Before it is sent: the client may ask again as soon as it has the answer.
        let fewer = |count: usize| Some(count.saturating_sub(1));
        let _ = self.answers.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
        let sent = self.answers.sender.lock().send(message, None);
        if sent.is_err() {
            self.close();
        }
        sent
    }

    /// Closes the connection: [`Requests::next`] returns `None`, and nothing more is sent.
    pub fn close(&self) {
        self.answers.stream.close();
    }
}

struct Answers {
    /// Whoever holds it does not wait for the peer.
    sender: Mutex<Sender>,
    stream: Arc<Stream>,
    in_flight: AtomicUsize,
}
