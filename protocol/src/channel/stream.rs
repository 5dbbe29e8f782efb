//! A connected socket of either kind, with what is the same for both.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{recv, send, sockopt, RecvFlags, SendFlags};

/// Room for the answers to [`crate::MAX_IN_FLIGHT`] signatures, so that one who answers them all never has to wait.
/// Every Linux allows it: it is the default of `net.core.wmem_max`.
const SEND_BUFFER: usize = 212_992;

/// A connected stream socket.
#[derive(Debug)]
pub enum Stream {
    /// On this machine.
    Unix(UnixStream),
    /// On this machine too, but through the loopback interface.
    Tcp(TcpStream),
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Stream {
        Stream::Unix(stream)
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream::Tcp(stream)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Stream {
    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self, Stream::Tcp(_))
    }

    /// Sets what the channel relies on, whatever was set before.
    pub(super) fn prepare(&self) -> io::Result<()> {
        match self {
            Stream::Unix(stream) => stream.set_nonblocking(false)?,
            Stream::Tcp(stream) => {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
            }
        }
        sockopt::set_socket_send_buffer_size(self, SEND_BUFFER)?;
        Ok(())
    }

    /// Ends both directions, for every holder of the stream. Who is waiting in a read or write wakes up.
    pub(crate) fn close(&self) {
        // Fails only where the peer has closed it already.
        let _ = match self {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    /// How long a read waits; `None` is for ever.
    pub(super) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(at_least_a_moment);
        match self {
            Stream::Unix(stream) => stream.set_read_timeout(timeout),
            Stream::Tcp(stream) => stream.set_read_timeout(timeout),
        }
    }

    /// Reads what is there, or waits for something. 0 is the end of the stream.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| recv(self, &mut *buffer, RecvFlags::empty()).map(|(_, received)| received))
    }

    /// Writes as much as there is room for, and does not wait.
    pub(super) fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| send(self, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL))
    }

    /// Writes as much as there is room for, and waits for room until the deadline. For one writer at a time.
    pub(super) fn write_until(&self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        let timeout = Some(at_least_a_moment(deadline.saturating_duration_since(Instant::now())));
        match self {
            Stream::Unix(stream) => stream.set_write_timeout(timeout)?,
            Stream::Tcp(stream) => stream.set_write_timeout(timeout)?,
        }
        retry(|| send(self, bytes, SendFlags::NOSIGNAL))
    }
}

/// A socket takes a timeout of zero for none at all.
fn at_least_a_moment(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}

fn retry(mut call: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
