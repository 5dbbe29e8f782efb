//! What the daemon is told: a TOML file, flags over it, defaults under it.

mod values;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{
    de::{Deserializer, Error as _},
    Deserialize,
};

pub use self::values::{
    check_socket_path, Anywhere, AuditLog, Genesis, Http, LogFilter, Loopback, SocketMode, TeeKind, ValueError,
};

/// A commented configuration file with every option and its default.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The longest path of a Unix socket in bytes: `sun_path` less its terminating zero.
pub const MAX_SOCKET_PATH: usize = 107;

/// The directory of the software TEE where none is named.
pub const DEFAULT_STORE: &str = "/var/lib/holdfast/soft-tee";

/// The shortest lease in milliseconds: a node asks four times as often.
pub const MIN_LEASE_MS: u64 = 1000;
/// The longest lease in milliseconds.
pub const MAX_LEASE_MS: u64 = 600_000;

/// The least that a file of the audit log holds, in MiB.
pub const MIN_AUDIT_MIB: u64 = 1;
/// The most that a file of the audit log holds, in MiB.
pub const MAX_AUDIT_MIB: u64 = 4096;

/// Where the daemon keeps what it writes, unless it is told otherwise.
const STATE: &str = "/var/lib/holdfast";

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
    /// A TCP address on which whoever can reach it is served.
    pub unauthenticated_tcp: Option<Anywhere>,
    /// Where the trusted application runs.
    pub tee: TeeKind,
    /// The directory of the software TEE; `None` is [`DEFAULT_STORE`]. No other TEE has one.
    pub store: Option<PathBuf>,
    /// Where health and metrics are served.
    pub http: Http,
    /// The only chain that is served.
    pub genesis: Option<Genesis>,
    /// Milliseconds without a request after which the lease on the keys ends.
    #[serde(deserialize_with = "within::<_, MIN_LEASE_MS, MAX_LEASE_MS>")]
    pub lease_ms: u64,
    /// The file that tells a daemon after a restart who held the lease; for `None` see [`Config::lease_path`].
    pub lease_file: Option<PathBuf>,
    /// Whether there is such a file at all.
    #[serde(skip)]
    pub remembers: bool,
    /// Whether it is removed at the start.
    #[serde(skip)]
    pub forget_holder: bool,
    /// Whether every node is told that it holds the lease. For tests, over a development TEE only.
    #[serde(skip)]
    pub test_only_without_leases: bool,
    /// Where it is written what was signed, raised and retired, and beside it what was refused; for `None` see
    /// [`Config::audit_path`].
    pub audit_log: Option<AuditLog>,
    /// MiB in each of its files.
    #[serde(deserialize_with = "within::<_, MIN_AUDIT_MIB, MAX_AUDIT_MIB>")]
    pub audit_log_size: u64,
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
    /// Milliseconds that a call of a trusted application on OP-TEE, or its start, may take before the daemon ends.
    #[serde(deserialize_with = "within::<_, 1000, 3_600_000>")]
    pub stuck_ms: u64,
}

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
    /// Keys on OP-TEE are in no directory of the daemon's.
    #[error(
        "`store` (--store) is the software TEE's, and with `{0}` the keys are in OP-TEE's secure storage: leave \
         `store` out, or choose --tee software"
    )]
    StoreBesideOpTee(TeeKind),
    /// The program lacks the way to OP-TEE.
    #[error(
        "this holdfast-host was built without OP-TEE, and --tee {0} needs it: on OP-TEE's Linux start the one that \
         `make optee` makes (cross-compiled with --features optee), or choose --tee software, which is for development"
    )]
    WithoutOpTee(TeeKind),
}

impl Config {
    /// For use inside another process: one Unix socket, no TCP, no HTTP, no audit log; the shortest lease and no memory
    /// of its holder, since one node uses it.
    pub fn embedded(socket: PathBuf) -> Config {
        let audit_log = Some(AuditLog(None));
        let (http, lease_ms, remembers) = (Http(None), MIN_LEASE_MS, false);
        Config { socket, http, lease_ms, remembers, audit_log, ..Config::default() }
    }

    /// The directory of the software TEE.
    pub fn store(&self) -> &Path {
        self.store.as_deref().unwrap_or(Path::new(DEFAULT_STORE))
    }

    /// Where the holder of the lease is remembered: in `lease_file`; without one in the software TEE's store with
    /// `.lease` at the end of its name, or in a file of its own for each application on OP-TEE, whose keys are apart.
    pub fn lease_path(&self) -> Option<PathBuf> {
        self.remembers.then(|| self.lease_file.clone().unwrap_or_else(|| self.beside(".lease")))
    }

    /// Where the audit log is written, if it is: in `audit_log`; without one beside the file of the lease, with `.audit`
    /// at the end of its name.
    pub fn audit_path(&self) -> Option<PathBuf> {
        match &self.audit_log {
            Some(AuditLog(path)) => path.clone(),
            None => Some(self.beside(".audit")),
        }
    }

    /// A file that is named after the store or, where the keys are on OP-TEE, after the application.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = match self.tee {
            // Without a slash at its end, which would put the file into the store.
            TeeKind::Software => self.store().components().collect::<PathBuf>(),
            TeeKind::OpTee(_) => Path::new(STATE).join(self.tee.as_str()),
        }
        .into_os_string();
        path.push(ending);
        path.into()
    }

    /// Whether the options go together, and this program can do what they say.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self.tee {
            TeeKind::OpTee(_) if self.store.is_some() => Err(ConfigError::StoreBesideOpTee(self.tee)),
            TeeKind::OpTee(_) if cfg!(not(feature = "optee")) => Err(ConfigError::WithoutOpTee(self.tee)),
            _ => Ok(()),
        }
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
            unauthenticated_tcp: None,
            tee: TeeKind::default(),
            store: None,
            http: Http(Some(SocketAddr::from(([127, 0, 0, 1], 9616)))),
            genesis: None,
            lease_ms: 10_000,
            lease_file: None,
            remembers: true,
            forget_holder: false,
            test_only_without_leases: false,
            audit_log: None,
            audit_log_size: 64,
            log: LogFilter::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections: 32, queue: 1024, handshake_ms: 5000, health_ms: 2000, drain_ms: 10_000, stuck_ms: 60_000 }
    }
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
