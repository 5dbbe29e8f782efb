//! The signer daemon as a process of its own.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{binaries, http, process::Process, SOON};

/// Logged once the daemon listens everywhere.
const READY: &str = " listening ";

/// A daemon with a socket, a store and a health page of its own.
pub struct HostProcess {
    name: String,
    directory: PathBuf,
    process: Process,
}

/// For how long a daemon's lease lasts without a request from its holder, unless a test says otherwise.
const LEASE: Duration = Duration::from_secs(10);

impl HostProcess {
    /// Starts a daemon named `name` in `directory`, with the store that an earlier one of that name left there, and
    /// waits until it serves.
    pub async fn start(directory: &Path, name: &str) -> Result<HostProcess> {
        HostProcess::start_with_lease(directory, name, LEASE).await
    }

    /// The same, with a lease that ends after `lease` without a request from its holder: 1 to 600 seconds.
    pub async fn start_with_lease(directory: &Path, name: &str, lease: Duration) -> Result<HostProcess> {
        let configuration = directory.join(format!("{name}.toml"));
        std::fs::write(
            &configuration,
            format!(
                "socket = {:?}\nstore = {:?}\nhttp = \"127.0.0.1:0\"\nlease_ms = {}\n",
                socket_of(directory, name),
                store_of(directory, name),
                lease.as_millis()
            ),
        )?;
        let process = launch(directory, name)?;
        let host = HostProcess { name: name.to_owned(), directory: directory.to_owned(), process };
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
        self.process = launch(&self.directory, &self.name)?;
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

fn launch(directory: &Path, name: &str) -> Result<Process> {
    let configuration = directory.join(format!("{name}.toml")).display().to_string();
    Process::start(name, &binaries::host()?, &["--config".into(), configuration], directory)
}
