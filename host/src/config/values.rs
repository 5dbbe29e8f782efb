//! The values that options take, each read from the text that the file and the flags share.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use holdfast_ta_soft::SoftTee;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::MAX_SOCKET_PATH;
use crate::optee::Application;

/// Where the trusted application runs: `software`, `optee` or `optee-development`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TeeKind {
    /// In the daemon's process, which protects nothing.
    #[default]
    Software,
    /// On the OP-TEE beside this Linux.
    OpTee(Application),
}

/// Permissions of the socket: `0600` or `0660`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SocketMode(u32);

/// A TCP address of this machine's loopback interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Loopback(SocketAddr);

/// A TCP address of any interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Anywhere(pub SocketAddr);

/// An address for HTTP, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Http(pub Option<SocketAddr>);

/// The file of the audit log, or `off`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AuditLog(pub Option<PathBuf>);

/// The hash of a genesis block, written as `0x` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Genesis(pub [u8; 32]);

/// What is logged, as `tracing_subscriber::EnvFilter` reads it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LogFilter(String);

/// A value that an option cannot take, and what it can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Not a TEE.
    #[error(
        "`{0}` is no TEE: write software (for development), optee (OP-TEE's trusted application), or \
         optee-development (the one that takes seeds)"
    )]
    Tee(String),
    /// Not an address.
    #[error("`{0}` is not an address: write an IP address and a port, such as 127.0.0.1:9617")]
    Address(String),
    /// Not this machine only.
    #[error(
        "{0} is not a loopback address: TCP is neither encrypted nor authenticated, so it is served on 127.0.0.1 or \
         [::1] only; to reach the daemon from another machine, tunnel it (ssh -L, WireGuard)"
    )]
    NotLoopback(SocketAddr),
    /// Not a mode.
    #[error("`{0}` is not a mode for the socket: write \"0600\" (this user only) or \"0660\" (its group too)")]
    SocketMode(String),
    /// No file.
    #[error("the audit log's path is empty: name a file, or write off")]
    NoAuditLog,
    /// Not a hash.
    #[error("`{0}` is not a genesis hash: write 0x and 64 hexadecimal digits")]
    Genesis(String),
    /// Not a filter.
    #[error("`{0}` is no log filter: write a level such as info, or directives such as info,holdfast_host=debug")]
    Log(String),
    /// No path.
    #[error("the socket's path is empty: give an absolute path, such as /run/holdfast/host.sock")]
    EmptyPath,
    /// Too long for a socket.
    #[error("the socket's path has {0} bytes and a Unix socket's holds {MAX_SOCKET_PATH}: choose a shorter directory")]
    LongPath(usize),
}

impl TeeKind {
    /// The option's value.
    pub fn as_str(self) -> &'static str {
        match self {
            TeeKind::Software => "software",
            TeeKind::OpTee(Application::Production) => "optee",
            TeeKind::OpTee(Application::Development) => "optee-development",
        }
    }

    /// What it is, for people.
    pub fn description(self) -> String {
        match self {
            TeeKind::Software => SoftTee::DESCRIPTION.into(),
            TeeKind::OpTee(application) => application.to_string(),
        }
    }
}

impl fmt::Display for TeeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TeeKind {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<TeeKind, ValueError> {
        [TeeKind::Software, TeeKind::OpTee(Application::Production), TeeKind::OpTee(Application::Development)]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| ValueError::Tee(text.into()))
    }
}

impl SocketMode {
    /// The permission bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for SocketMode {
    fn default() -> SocketMode {
        SocketMode(0o600)
    }
}

impl Loopback {
    /// The address.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl Default for LogFilter {
    fn default() -> LogFilter {
        LogFilter("info".into())
    }
}

impl LogFilter {
    /// The filter itself.
    pub fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<LogFilter, ValueError> {
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(LogFilter(text.into())),
            Err(_) => Err(ValueError::Log(text.into())),
        }
    }
}

impl FromStr for SocketMode {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<SocketMode, ValueError> {
        match text {
            "0600" => Ok(SocketMode(0o600)),
            "0660" => Ok(SocketMode(0o660)),
            _ => Err(ValueError::SocketMode(text.into())),
        }
    }
}

impl FromStr for Loopback {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Loopback, ValueError> {
        let address = address(text)?;
        if address.ip().is_loopback() {
            Ok(Loopback(address))
        } else {
            Err(ValueError::NotLoopback(address))
        }
    }
}

impl FromStr for Anywhere {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Anywhere, ValueError> {
        address(text).map(Anywhere)
    }
}

impl FromStr for Http {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Http, ValueError> {
        match text {
            "off" => Ok(Http(None)),
            _ => address(text).map(|address| Http(Some(address))),
        }
    }
}

impl FromStr for AuditLog {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<AuditLog, ValueError> {
        match text {
            "" => Err(ValueError::NoAuditLog),
            "off" => Ok(AuditLog(None)),
            _ => Ok(AuditLog(Some(text.into()))),
        }
    }
}

impl FromStr for Genesis {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Genesis, ValueError> {
        let mut hash = [0; 32];
        text.strip_prefix("0x")
            .and_then(|digits| hex::decode_to_slice(digits, &mut hash).ok())
            .map(|()| Genesis(hash))
            .ok_or_else(|| ValueError::Genesis(text.into()))
    }
}

impl fmt::Display for Genesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

macro_rules! try_from_string {
    ($($type:ty),*) => { $(
        impl TryFrom<String> for $type {
            type Error = ValueError;

            fn try_from(text: String) -> Result<$type, ValueError> {
                text.parse()
            }
        }
    )* };
}

try_from_string!(TeeKind, SocketMode, Loopback, Anywhere, Http, AuditLog, Genesis, LogFilter);

/// Whether a Unix socket can have this path.
pub fn check_socket_path(path: &Path) -> Result<(), ValueError> {
    match path.as_os_str().len() {
        0 => Err(ValueError::EmptyPath),
        length if length > MAX_SOCKET_PATH => Err(ValueError::LongPath(length)),
        _ => Ok(()),
    }
}

fn address(text: &str) -> Result<SocketAddr, ValueError> {
    text.parse().map_err(|_| ValueError::Address(text.into()))
}
