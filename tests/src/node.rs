//! The node as a process.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{
    binaries, http,
    process::{Log, Process},
    rpc::Rpc,
    Chain, SOON,
};

/// A running node and a connection to its RPC.
pub struct NodeProcess {
    setup: Setup,
    process: Process,
    rpc: Rpc,
}

/// How a node is started, and started again.
#[derive(Clone, Debug)]
pub struct Setup {
    name: String,
    directory: PathBuf,
    arguments: Vec<String>,
}

impl Setup {
    /// A node named `name` on `chain`, with its data in `directory`/`name`.
    pub fn new(directory: &Path, name: &str, chain: &Chain) -> Setup {
        Setup::bare(directory, name).with(&["--chain", &chain.argument()]).at(&directory.join(name))
    }

    /// A node that is told nothing of chain, data or signer: the caller says `--dev`, or what it wants refused.
    /// Temporary directories that it makes lie in `directory`.
    pub fn bare(directory: &Path, name: &str) -> Setup {
        Setup { name: name.to_owned(), directory: directory.to_owned(), arguments: Vec::new() }
    }

    /// With further arguments.
    pub fn with(mut self, arguments: &[&str]) -> Setup {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// With its data in `base_path`.
    pub fn at(self, base_path: &Path) -> Setup {
        self.with(&["--base-path", &base_path.display().to_string()])
    }

    /// Starts it, and waits until its RPC serves.
    pub async fn start(self) -> Result<NodeProcess> {
        let process = self.launch()?;
        let rpc = connect(&process).await?;
        Ok(NodeProcess { setup: self, process, rpc })
    }

    /// Starts it without waiting for anything: for command lines that it refuses.
    pub fn launch(&self) -> Result<Process> {
        let mut arguments = self.arguments.clone();
        // Every port is a free one, and no other test's node on this machine is found.
        let common = "--rpc-port 0 --prometheus-port 0 --listen-addr /ip4/127.0.0.1/tcp/0 --no-mdns --no-telemetry \
                      --unsafe-force-node-key-generation";
        arguments.extend(common.split(' ').map(Into::into));
        Process::start(&self.name, &binaries::node(), &arguments, &self.directory)
    }
}

/// Runs a subcommand of the node to its end.
pub fn subcommand(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::node()).args(arguments).output()?)
}

impl NodeProcess {
    /// Its RPC.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// What it has printed.
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where other nodes reach it, as a multiaddress with its identity.
    pub async fn address(&self) -> Result<String> {
        let addresses: Vec<String> = self.rpc.call("system_localListenAddresses", &[]).await?;
        addresses.into_iter().find(|a| a.contains("/ip4/127.0.0.1/tcp/")).context("it listens on the loopback address")
    }

    /// Its metrics, in Prometheus' text format.
    pub async fn metrics(&self) -> Result<String> {
        let line = self.process.log().wait_for("Prometheus exporter started at ", SOON).await?;
        let (_, address) = line.split_once(" started at ").context("the line names the address")?;
        http::get(address.trim(), "/metrics").await
    }

    /// Asks it to end (SIGINT) and waits until it has.
    pub async fn interrupt(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::INT)?;
        self.process.wait_exit(limit).await
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again as it was started before, after killing it if it still runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = self.setup.launch()?;
        self.rpc = connect(&self.process).await?;
        Ok(())
    }
}

async fn connect(process: &Process) -> Result<Rpc> {
    let line = process.log().wait_for("Running JSON-RPC server: addr=", SOON).await?;
    let address = line
        .split_once("addr=")
        .and_then(|(_, rest)| rest.split([',', ' ']).next())
        .context("the line names an address")?;
    Rpc::connect(&format!("ws://{address}")).await
}
