//! Where a daemon listens.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::channel::Stream;

/// A Unix socket's path holds so many bytes.
const MAX_PATH: usize = 107;

/// Where a daemon listens: `unix:///absolute/path`, or `tcp://127.0.0.1:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket, by its absolute path of at most 107 bytes.
    Unix(PathBuf),
    /// TCP on a loopback address: nothing authenticates it yet.
    Tcp(SocketAddr),
}

/// What is wrong with the address of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Neither `unix://` nor `tcp://`.
    #[error("`{0}` is no address of a daemon: write unix:///path/to/socket or tcp://127.0.0.1:port")]
    Scheme(String),
    /// A path that is not absolute.
    #[error("`{0}`: the path of the socket must be absolute, as in unix:///run/holdfast/host.sock")]
    RelativePath(String),
    /// A path that no Unix socket can have.
    #[error(
        "the path of a Unix socket holds at most {MAX_PATH} bytes and no zero, and `{0}` has {1}: use a shorter one"
    )]
    Path(String, usize),
    /// Not an address and a port.
    #[error("`{0}`: write the address in numbers, with a port, as in tcp://127.0.0.1:9617")]
    Address(String),
    /// An address on a network.
    #[error("`{0}` is not a loopback address: TCP is not authenticated, so the daemon must be on this machine")]
    NotLoopback(SocketAddr),
}

impl Endpoint {
    /// The endpoint of a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Result<Endpoint, UriError> {
        let path = path.into();
        let bytes = path.as_os_str().as_encoded_bytes();
        if !path.is_absolute() {
            return Err(UriError::RelativePath(path.display().to_string()));
        }
        if bytes.len() > MAX_PATH || bytes.contains(&0) {
            return Err(UriError::Path(path.display().to_string(), bytes.len()));
        }
        Ok(Endpoint::Unix(path))
    }

    /// The endpoint of a TCP socket.
    pub fn tcp(address: SocketAddr) -> Result<Endpoint, UriError> {
        if !address.ip().is_loopback() {
            return Err(UriError::NotLoopback(address));
        }
        Ok(Endpoint::Tcp(address))
    }

    /// Connects, within a second.
    ///
    /// A Unix socket is not waited for at all: a daemon that was stopped, and so accepts nobody, would block a waiting
    /// connect for ever once its backlog is full.
    pub(crate) fn connect(&self) -> io::Result<Stream> {
        match self {
            Endpoint::Tcp(address) => Ok(TcpStream::connect_timeout(address, Duration::from_secs(1))?.into()),
            Endpoint::Unix(path) => {
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
                match net::connect(&socket, &SocketAddrUnix::new(path.as_path())?) {
                    Ok(()) => Ok(UnixStream::from(socket).into()),
                    Err(Errno::AGAIN) => {
                        Err(io::Error::new(ErrorKind::WouldBlock, "the daemon accepts no connections"))
                    }
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

impl FromStr for Endpoint {
    type Err = UriError;

    fn from_str(uri: &str) -> Result<Endpoint, UriError> {
        if let Some(path) = uri.strip_prefix("unix://") {
            Endpoint::unix(Path::new(path))
        } else if let Some(address) = uri.strip_prefix("tcp://") {
            Endpoint::tcp(address.parse().map_err(|_| UriError::Address(uri.into()))?)
        } else {
            Err(UriError::Scheme(uri.into()))
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
            Endpoint::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        for uri in ["unix:///run/holdfast/host.sock", "tcp://127.0.0.1:9617", "tcp://[::1]:1", "tcp://127.3.2.1:65535"]
        {
            assert_eq!(uri.parse::<Endpoint>().unwrap().to_string(), uri);
        }
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        let long = format!("unix:///{}", "x".repeat(107));
        for (uri, says) in [
            ("", "write unix:///"),
            ("http://127.0.0.1:1", "write unix:///"),
            ("/run/host.sock", "write unix:///"),
            ("unix://run/host.sock", "must be absolute"),
            ("unix://", "must be absolute"),
            ("unix:///a\0b", "no zero"),
            (&long, "has 108"),
            ("tcp://localhost:1", "in numbers"),
            ("tcp://127.0.0.1", "with a port"),
            ("tcp://127.0.0.1:65536", "with a port"),
            ("tcp://10.0.0.1:9617", "not a loopback"),
            ("tcp://0.0.0.0:9617", "not a loopback"),
        ] {
            let error = uri.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(says), "{uri}: {error}");
        }
        assert!(format!("unix:///{}", "x".repeat(106)).parse::<Endpoint>().is_ok());
    }
}
