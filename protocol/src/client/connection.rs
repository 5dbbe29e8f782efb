//! The client's thread: connects, reads answers, connects again.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::hub::{Hub, Link};
use super::{State, Unreachable};
use crate::channel::{self, ChannelError, Received, Receiver, Stream};
use crate::codec;
use crate::message::{Hello, Rejection, Visitor, VERSION};

/// The daemon has so long to accept, greet and say welcome.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The waits between attempts grow from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// After so long without an answer the daemon is asked whether it is there, and has as long again to say so.
const PROBE: Duration = Duration::from_secs(2);

/// Runs until the client is closed.
pub(super) fn run(hub: Arc<Hub>, visitor: Visitor) {
    let _guard = hub.options.thread_setup.map(|setup| setup());
    // However this ends, nobody is left waiting.
    let hub = Ending(hub);
    let hub = &hub.0;
    let mut backoff = BACKOFF.0;
    let mut reported = None;
    loop {
        let reason = match open(hub, visitor) {
            Ok((link, mut receiver)) => {
                if !hub.up(&link) {
                    return;
                }
                log::debug!("the daemon at {} answers", hub.endpoint);
                reported = None;
                let (answered, error) = read(hub, &link, &mut receiver);
                if answered {
                    backoff = BACKOFF.0;
                }
                let reason = Unreachable::Connection(error.to_string());
                hub.down(Some(&link), reason.clone());
                reason
            }
            Err(reason) => {
                hub.down(None, reason.clone());
                reason
            }
        };
        if hub.state() != State::Closed && reported.as_ref() != Some(&reason) {
            log::debug!("no daemon at {}: {reason:?}; trying again", hub.endpoint);
            reported = Some(reason);
        }
        if !hub.rest(backoff) {
            return;
        }
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

struct Ending(Arc<Hub>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Makes a connection and opens the conversation.
fn open(hub: &Hub, visitor: Visitor) -> Result<(Arc<Link>, Receiver), Unreachable> {
    let deadline = Instant::now() + HANDSHAKE;
    let stream = Arc::new(hub.endpoint.connect().map_err(|error| Unreachable::Connection(error.to_string()))?);
    hub.connecting(&stream);
    match greet(stream, visitor, deadline) {
        Ok((link, receiver)) => Ok((Arc::new(link), receiver)),
        Err(Refusal::Rejected(rejection)) => Err(rejection.into()),
        Err(Refusal::Failed(error)) => Err(Unreachable::Connection(error.to_string())),
    }
}

enum Refusal {
    Rejected(Rejection),
    Failed(ChannelError),
}

impl From<ChannelError> for Refusal {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Version(version) => Refusal::Rejected(Rejection::Version(version)),
            error => Refusal::Failed(error),
        }
    }
}

fn greet(stream: Arc<Stream>, visitor: Visitor, deadline: Instant) -> Result<(Link, Receiver), Refusal> {
    let (mut sender, mut receiver) = channel::open_shared(stream.clone(), deadline)?;
    let hello = codec::encode_hello(Hello { version: VERSION, visitor });
    sender.send(hello.map_err(|_| ChannelError::Protocol("an overlong hello"))?, Some(deadline))?;
    let info = codec::decode_opening(&receiver.expect("welcome", deadline)?)?.map_err(Refusal::Rejected)?;
    let crowded = sender.crowded();
    Ok((Link { sender: Mutex::new(sender), stream, crowded, info: Mutex::new(info) }, receiver))
}

/// Reads answers until the connection ends. Says whether there were any, and why it ended.
fn read(hub: &Hub, link: &Arc<Link>, receiver: &mut Receiver) -> (bool, ChannelError) {
    let mut answered = false;
    let mut silent = Duration::ZERO;
    loop {
        match receiver.recv(Some(PROBE)) {
            Ok(Received::Message(message)) => {
                match codec::decode_response(&message).map(|response| hub.arrived(link, response)) {
                    Ok(true) => {}
                    Ok(false) => return (answered, ChannelError::Protocol("an answer that was not asked for")),
                    Err(error) => return (answered, error),
                }
                answered = true;
                silent = Duration::ZERO;
            }
            Ok(Received::Nothing) => {
                silent += PROBE;
                hub.probe(link);
                if silent >= hub.options.give_up && (link.stream.is_tcp() || link.crowded.load(Ordering::Relaxed)) {
                    return (answered, ChannelError::Deadline("answer"));
                }
            }
            Ok(Received::End) => return (answered, ChannelError::Cut),
            Err(error) => return (answered, error),
        }
    }
}
