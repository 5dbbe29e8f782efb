//! What the daemon is told: a TOML file, flags over it, defaults under it.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{
    de::{Deserializer, Error as _},
    Deserialize,
};
use tracing_subscriber::EnvFilter;

/// A commented configuration file with every option and its default.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The longest path of a Unix socket in bytes: `sun_path` less its terminating zero.
pub const MAX_SOCKET_PATH: usize = 107;

/// The shortest lease in milliseconds: a node asks four times as often.
pub const MIN_LEASE_MS: u64 = 1000;
/// The longest lease in milliseconds.
pub const MAX_LEASE_MS: u64 = 600_000;

/// Everything the daemon can be told. [`EXAMPLE`] says what each option means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The Unix socket.
    #[serde(deserialize_with = "socket_path")]
    pub socket: PathBuf,
    /// Its permissions.
    pub socket_mode: SocketMode,
    /// A loopback TCP address beside it.
    pub tcp: Option<Loopback>,
    /// The directory of the software TEE.
    pub store: PathBuf,
    /// Where health and metrics are served.
    pub http: Http,
    /// The only chain that is served.
    pub genesis: Option<Genesis>,
    /// Milliseconds without a request after which the lease on the keys ends.
    #[serde(deserialize_with = "within::<_, MIN_LEASE_MS, MAX_LEASE_MS>")]
    pub lease_ms: u64,
    /// The file that tells a daemon after a restart who held the lease; `None` is the store's name and `.lease`.
    pub lease_file: Option<PathBuf>,
    /// Whether there is such a file at all.
    #[serde(skip)]
    pub remembers: bool,
    /// Whether it is removed at the start.
    #[serde(skip)]
    pub forget_holder: bool,
    /// What is logged.
    pub log: LogFilter,
    /// Bounds.
    pub limits: Limits,
}

/// Bounds on what clients can take, and on waiting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at the same time.
    #[serde(deserialize_with = "within::<_, 1, 1024>")]
    pub connections: u64,
    /// Requests that wait for the trusted application.
    #[serde(deserialize_with = "within::<_, 1, 65536>")]
    pub queue: u64,
    /// Milliseconds for a handshake.
    #[serde(deserialize_with = "within::<_, 10, 60_000>")]
    pub handshake_ms: u64,
    /// Milliseconds for the answer behind `/health`.
    #[serde(deserialize_with = "within::<_, 10, 60_000>")]
    pub health_ms: u64,
    /// Milliseconds that a stop waits for queued requests.
    #[serde(deserialize_with = "within::<_, 10, 600_000>")]
    pub drain_ms: u64,
}

/// Permissions of the socket: `0600` or `0660`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SocketMode(u32);

/// A TCP address of this machine's loopback interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Loopback(SocketAddr);

/// An address for HTTP, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Http(pub Option<SocketAddr>);

/// The hash of a genesis block, written as `0x` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Genesis(pub [u8; 32]);

/// What is logged, as `tracing_subscriber::EnvFilter` reads it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LogFilter(String);

/// A configuration that cannot be used. The message holds its cause, which is not in the chain of sources again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not TOML, or says something unknown or impossible; the message names the line.
    #[error("{}: {cause}`holdfast-host example-config` prints every option with its default.", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What and where.
        cause: Box<toml::de::Error>,
    },
}

/// A value that an option cannot take, and what it can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
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

impl Config {
    /// For use inside another process: one Unix socket, no TCP, no HTTP; the shortest lease and no memory of its holder,
    /// since one node uses it.
    pub fn embedded(socket: PathBuf) -> Config {
        Config { socket, http: Http(None), lease_ms: MIN_LEASE_MS, remembers: false, ..Config::default() }
    }

    /// Where the holder of the lease is remembered.
    pub fn lease_path(&self) -> Option<PathBuf> {
        let beside_the_store = || {
            // Without a slash at its end, which would put the file into the store.
            let mut path = self.store.components().collect::<PathBuf>().into_os_string();
            path.push(".lease");
            path.into()
        };
        self.remembers.then(|| self.lease_file.clone().unwrap_or_else(beside_the_store))
    }

    /// Reads a configuration file.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
        toml::from_str(&text).map_err(|cause| ConfigError::Parse { path: path.to_owned(), cause: Box::new(cause) })
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            socket: "/run/holdfast/host.sock".into(),
            socket_mode: SocketMode::default(),
            tcp: None,
            store: "/var/lib/holdfast/soft-tee".into(),
            http: Http(Some(SocketAddr::from(([127, 0, 0, 1], 9616)))),
            genesis: None,
            lease_ms: 10_000,
            lease_file: None,
            remembers: true,
            forget_holder: false,
            log: LogFilter("info".into()),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections: 32, queue: 1024, handshake_ms: 5000, health_ms: 2000, drain_ms: 10_000 }
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

impl FromStr for Http {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Http, ValueError> {
        match text {
            "off" => Ok(Http(None)),
            _ => address(text).map(|address| Http(Some(address))),
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

try_from_string!(SocketMode, Loopback, Http, Genesis, LogFilter);

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

fn socket_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    check_socket_path(&path).map_err(D::Error::custom)?;
    Ok(path)
}

fn within<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<u64, D::Error> {
    let value = i64::deserialize(deserializer)?;
    u64::try_from(value)
        .ok()
        .filter(|value| (MIN..=MAX).contains(value))
        .ok_or_else(|| D::Error::custom(format!("{value} is out of range: write {MIN} to {MAX}")))
}

#[cfg(test)]
mod tests;
