//! A ductile connection whose other end is held by the same thread.
//!
//! ductile hides its socket, waits without limit, and panics on a frame it did not expect. Here it only ever sees a
//! private Unix socket: what it writes is read back at once and goes to the peer, and what comes from the peer is
//! checked and complete before ductile sees it, so that it never waits.

use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ductile::{connect_unix_channel, ChannelReceiver, ChannelSender};
use rustix::net::sockopt;

use super::frame::{HEAD, MAX_FRAME};
use super::ChannelError;

/// Bytes of ductile's greeting, the same in both directions.
pub(super) const MAGIC: usize = 4;

/// The private socket's other end is this very program: what takes longer is a fault.
const PROMPT: Duration = Duration::from_secs(1);

/// Turns messages into ductile's frames.
pub(super) struct Encoder {
    ductile: ChannelSender<Vec<u8>>,
    private: Arc<UnixStream>,
}

/// Turns ductile's frames into messages.
pub(super) struct Decoder {
    ductile: ChannelReceiver<Vec<u8>>,
    private: Arc<UnixStream>,
}

impl Encoder {
    /// Makes a frame in `frame`, of a message of at most [`crate::MAX_MESSAGE`] bytes.
    pub(super) fn encode(&mut self, message: Vec<u8>, frame: &mut Vec<u8>) -> Result<(), ChannelError> {
        frame.resize(HEAD + message.len(), 0);
        self.ductile.send(message).map_err(|error| ChannelError::Leash(error.to_string()))?;
        (&*self.private).read_exact(frame).map_err(failed)
    }
}

impl Decoder {
    /// Reads the message of one whole frame, whose head has been checked.
    pub(super) fn decode(&mut self, frame: &[u8]) -> Result<Vec<u8>, ChannelError> {
        (&*self.private).write_all(frame).map_err(failed)?;
        // ductile panics on raw data, and the head says that this is none: the guard is for what we have overlooked.
        match catch_unwind(AssertUnwindSafe(|| self.ductile.recv())) {
            Ok(message) => message.map_err(|error| ChannelError::Leash(error.to_string())),
            Err(_) => Err(ChannelError::Leash("ductile panicked".into())),
        }
    }
}

/// Connects ductile to a private socket, and lets `greet` turn ductile's greeting into the peer's.
///
/// ductile waits for the peer's greeting on a thread of its own, which has ended when this returns: if `greet` fails,
/// its socket is closed.
pub(super) fn open(
    greet: impl FnOnce([u8; MAGIC]) -> Result<[u8; MAGIC], ChannelError>,
) -> Result<(Encoder, Decoder), ChannelError> {
    let directory = tempfile::Builder::new()
        .prefix("holdfast-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(unusable)?;
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).map_err(unusable)?;
    thread::scope(|scope| {
        let ductile = thread::Builder::new()
            .name("ductile-greets".into())
            .spawn_scoped(scope, || connect_unix_channel::<_, Vec<u8>, Vec<u8>>(&path))
            .map_err(failed)?;
        let private = meet(listener, greet);
        let connected = ductile.join().map_err(|_| ChannelError::Leash("ductile panicked".into()))?;
        let private = Arc::new(private?);
        let (sender, receiver) = connected.map_err(|error| ChannelError::Leash(error.to_string()))?;
        let encoder = Encoder { ductile: sender, private: private.clone() };
        Ok((encoder, Decoder { ductile: receiver, private }))
    })
}

/// Accepts ductile's connection and relays the greetings.
fn meet(
    listener: UnixListener,
    greet: impl FnOnce([u8; MAGIC]) -> Result<[u8; MAGIC], ChannelError>,
) -> Result<UnixStream, ChannelError> {
    // Linux lets accept() time out as a read does.
    sockopt::set_socket_timeout(&listener, sockopt::Timeout::Recv, Some(PROMPT)).map_err(|e| failed(e.into()))?;
    let (private, _) = listener.accept().map_err(failed)?;
    private.set_read_timeout(Some(PROMPT)).map_err(failed)?;
    private.set_write_timeout(Some(PROMPT)).map_err(failed)?;
    // A frame has to fit the buffer of either end. The kernel gives both ends the same, and counts its own overhead.
    let room = sockopt::socket_send_buffer_size(&private).map_err(|e| failed(e.into()))?;
    if room < 2 * MAX_FRAME {
        return Err(ChannelError::Leash(format!(
            "sockets hold {room} bytes by default and {} are needed: raise net.core.wmem_default",
            2 * MAX_FRAME
        )));
    }
    let mut magic = [0; MAGIC];
    (&private).read_exact(&mut magic).map_err(failed)?;
    let magic = greet(magic)?;
    (&private).write_all(&magic).map_err(failed)?;
    Ok(private)
}

fn failed(error: io::Error) -> ChannelError {
    ChannelError::Leash(error.to_string())
}

fn unusable(error: io::Error) -> ChannelError {
    ChannelError::Leash(format!("{error}: set TMPDIR to a directory with a short path that can be written to"))
}
