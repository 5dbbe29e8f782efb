//! The command line: the options of the configuration file, over what it says.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use holdfast_host::{
    config::{
        check_socket_path, Anywhere, AuditLog, Genesis, Http, LogFilter, Loopback, SocketMode, TeeKind, ValueError,
        MAX_AUDIT_MIB, MAX_LEASE_MS, MIN_AUDIT_MIB, MIN_LEASE_MS,
    },
    Config, ConfigError,
};

/// The signer daemon of Holdfast: nodes connect to it, and a trusted application signs.
///
/// The trusted application runs in a software TEE, which is not a TEE and for development, or on OP-TEE.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print a commented configuration file with every option and its default.
    ExampleConfig,
    /// Check the configuration file and flags, and start nothing.
    CheckConfig,
}

/// Flags override the configuration file, which overrides the defaults.
#[derive(Args)]
pub(crate) struct Options {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Unix socket on which nodes connect.
    #[arg(long, value_name = "PATH", value_parser = socket, global = true)]
    socket: Option<PathBuf>,
    /// Who may connect to it: 0600 (this user) or 0660 (its group too).
    #[arg(long, value_name = "MODE", global = true)]
    socket_mode: Option<SocketMode>,
    /// TCP address as well, on loopback only: nothing authenticates it.
    #[arg(long, value_name = "127.0.0.1:PORT", global = true)]
    tcp: Option<Loopback>,
    /// TCP address of any interface. WHOEVER CAN REACH IT CAN HAVE ANYTHING SIGNED: for a guest whose port its emulator
    /// forwards to the host's loopback.
    #[arg(long, value_name = "ADDR", global = true)]
    unauthenticated_tcp: Option<Anywhere>,
    /// Where the trusted application runs: `software` (for development); `optee`; or `optee-development`, which takes
    /// seeds. The last two need a program that was built for OP-TEE.
    #[arg(long, value_name = "KIND", global = true)]
    tee: Option<TeeKind>,
    /// Directory of the software TEE's keys.
    #[arg(long, value_name = "DIR", global = true)]
    store: Option<PathBuf>,
    /// Address of /health and /metrics, or `off`.
    #[arg(long, value_name = "ADDR|off", global = true)]
    http: Option<Http>,
    /// Genesis hash of the only chain that is served.
    #[arg(long, value_name = "0xHASH", global = true)]
    genesis: Option<Genesis>,
    /// After so many milliseconds without a request from the node that may sign, another one may take its place.
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(MIN_LEASE_MS..=MAX_LEASE_MS), global = true)]
    lease_ms: Option<u64>,
    /// File that tells a daemon after a restart which node may sign; by default named after the store, or the TEE.
    #[arg(long, value_name = "FILE", global = true)]
    lease_file: Option<PathBuf>,
    /// Forget which node was the last to sign: only when that node is gone for good.
    #[arg(long)]
    forget_holder: bool,
    /// Tell every node that it holds the lease, for a test of what keeps two nodes apart without one.
    #[arg(long, hide = true)]
    test_only_without_leases: bool,
    /// File that tells, line by line, what was signed, raised and retired, or `off`; by default named after the store, or
    /// the TEE. Beside it are FILE.rest, of what was refused or changed nothing, and full files as FILE.1 to FILE.4.
    #[arg(long, value_name = "FILE|off", global = true)]
    audit_log: Option<AuditLog>,
    /// How much a file of the audit log holds.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(MIN_AUDIT_MIB..=MAX_AUDIT_MIB), global = true)]
    audit_log_size: Option<u64>,
    /// What is logged: a level, or directives such as `info,holdfast_host=debug`.
    #[arg(long, value_name = "FILTER", global = true)]
    log: Option<LogFilter>,
}

impl Options {
    /// What the file and the flags say together, checked.
    pub(crate) fn config(self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        let config = Config {
            socket: self.socket.unwrap_or(file.socket),
            socket_mode: self.socket_mode.unwrap_or(file.socket_mode),
            tcp: self.tcp.or(file.tcp),
            unauthenticated_tcp: self.unauthenticated_tcp.or(file.unauthenticated_tcp),
            tee: self.tee.unwrap_or(file.tee),
            store: self.store.or(file.store),
            http: self.http.unwrap_or(file.http),
            genesis: self.genesis.or(file.genesis),
            lease_ms: self.lease_ms.unwrap_or(file.lease_ms),
            lease_file: self.lease_file.or(file.lease_file),
            remembers: file.remembers,
            forget_holder: self.forget_holder,
            test_only_without_leases: self.test_only_without_leases,
            audit_log: self.audit_log.or(file.audit_log),
            audit_log_size: self.audit_log_size.unwrap_or(file.audit_log_size),
            log: self.log.unwrap_or(file.log),
            limits: file.limits,
        };
        config.check()?;
        Ok(config)
    }
}

fn socket(text: &str) -> Result<PathBuf, ValueError> {
    let path = PathBuf::from(text);
    check_socket_path(&path)?;
    Ok(path)
}
