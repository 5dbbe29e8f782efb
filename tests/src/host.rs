//! The signer daemon as a process of its own.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{audit::Audit, binaries, http, process::Process, SOON};

/// Logged once the daemon listens everywhere.
const READY: &str = " listening ";

/// A daemon with a socket, a store and a health page of its own.
pub struct HostProcess {
    name: String,
    directory: PathBuf,
    leases: Leases,
    process: Process,
}

/// How a daemon leases its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leases {
    /// To one node at a time. A lease ends so long after the last request from its holder: 1 to 600 seconds.
    Of(Duration),
    /// Not at all: every node has its signatures made. A daemon does this for a development TEE only.
    Without,
}

impl Default for Leases {
    fn default() -> Leases {
        Leases::Of(Duration::from_secs(10))
    }
}

impl HostProcess {
    /// Starts a daemon named `name` in `directory`, with the store that an earlier one of that name left there, and
    /// waits until it serves.
    pub async fn start(directory: &Path, name: &str) -> Result<HostProcess> {
        HostProcess::start_with(directory, name, Leases::default()).await
    }

    /// The same, with leases of another kind.
    pub async fn start_with(directory: &Path, name: &str, leases: Leases) -> Result<HostProcess> {
        let configuration = directory.join(format!("{name}.toml"));
        let mut options = format!(
            "socket = {:?}\nstore = {:?}\naudit_log = {:?}\nhttp = \"127.0.0.1:0\"\n",
            socket_of(directory, name),
            store_of(directory, name),
            audit_of(directory, name),
        );
        if let Leases::Of(lease) = leases {
            options += &format!("lease_ms = {}\n", lease.as_millis());
        }
        std::fs::write(&configuration, options)?;
        let process = launch(directory, name, leases)?;
        let host = HostProcess { name: name.to_owned(), directory: directory.to_owned(), leases, process };
        host.wait_ready().await?;
        Ok(host)
    }

    /// What a node's `--keystore-uri` is given.
    pub fn uri(&self) -> String {
        uri_of(&self.directory, &self.name)
    }

    /// The directory of its software TEE: the only place where session keys may lie.
    pub fn store(&self) -> PathBuf {
        store_of(&self.directory, &self.name)
    }

    /// What it was asked to sign since its store was new, by whom, and how it judged.
    pub fn audit(&self) -> Result<Audit> {
        Audit::read(&audit_of(&self.directory, &self.name))
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again on the same store and socket, and waits until it serves.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = launch(&self.directory, &self.name, self.leases)?;
        self.wait_ready().await
    }

    /// Makes it stand still (SIGSTOP): its sockets stay open, and nothing answers.
    pub fn stop(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    pub fn cont(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::TERM)?;
        self.process.wait_exit(limit).await
    }

    /// A page of its HTTP server, such as `/health`.
    pub async fn page(&self, path: &str) -> Result<String> {
        http::get(&self.http_address().await?, path).await
    }

    /// The address of its HTTP server.
    pub async fn http_address(&self) -> Result<String> {
        let line = self.process.log().wait_for(READY, SOON).await?;
        let (_, rest) = line.split_once("http=").context("the line names the address")?;
        Ok(rest.split(' ').next().unwrap_or(rest).to_owned())
    }

    async fn wait_ready(&self) -> Result<()> {
        self.process.log().wait_for(READY, SOON).await.map(drop)
    }
}

/// The address of a daemon that may not run yet.
pub fn uri_of(directory: &Path, name: &str) -> String {
    format!("unix://{}", socket_of(directory, name).display())
}

fn socket_of(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.sock"))
}

fn store_of(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}-store"))
}

fn audit_of(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}-audit.jsonl"))
}

fn launch(directory: &Path, name: &str, leases: Leases) -> Result<Process> {
    let configuration = directory.join(format!("{name}.toml")).display().to_string();
    let mut arguments = vec!["--config".into(), configuration];
    if leases == Leases::Without {
        arguments.push("--test-only-without-leases".into());
    }
    Process::start(name, &binaries::host()?, &arguments, directory)
}
