//! The node as a process.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
    time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
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
    ports: Ports,
    arguments: Vec<String>,
}

/// Where a node listens on the loopback address; 0 is any free port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// For other nodes.
    pub p2p: u16,
    /// For RPC.
    pub rpc: u16,
    /// For metrics.
    pub prometheus: u16,
}

impl Setup {
    /// A node named `name` on `chain`, with its data in `directory`/`name`.
    pub fn new(directory: &Path, name: &str, chain: &Chain) -> Setup {
        Setup::bare(directory, name).with(&["--chain", &chain.argument()]).at(&directory.join(name))
    }

    /// A node that is told nothing of chain, data or signer: the caller says `--dev`, or what it wants refused.
    /// Temporary directories that it makes lie in `directory`.
    pub fn bare(directory: &Path, name: &str) -> Setup {
        Setup { name: name.to_owned(), directory: directory.to_owned(), ports: Ports::default(), arguments: Vec::new() }
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

    /// Listening on these ports, after every restart too.
    pub fn listening_on(self, ports: Ports) -> Setup {
        Setup { ports, ..self }
    }

    /// Starts it, and waits until its RPC serves.
    pub async fn start(self) -> Result<NodeProcess> {
        let process = self.launch()?;
        self.started(process).await
    }

    /// Waits until the RPC of a node that was launched from this serves.
    pub async fn started(self, process: Process) -> Result<NodeProcess> {
        let rpc = connect(&process).await?;
        Ok(NodeProcess { setup: self, process, rpc })
    }

    /// Starts it without waiting for anything: for command lines that it refuses.
    pub fn launch(&self) -> Result<Process> {
        let mut arguments = self.arguments.clone();
        let Ports { p2p, rpc, prometheus } = self.ports;
        // No other test's node on this machine is found.
        let common = format!(
            "--rpc-port {rpc} --prometheus-port {prometheus} --listen-addr /ip4/127.0.0.1/tcp/{p2p} --no-mdns \
             --no-telemetry --unsafe-force-node-key-generation"
        );
        arguments.extend(common.split(' ').map(Into::into));
        Process::start(&self.name, &binaries::node()?, &arguments, &self.directory)
    }
}

/// Makes a network key in this file, and says the peer id that belongs to it; one that is there already is kept.
pub fn network_key(file: &Path) -> Result<String> {
    let name = file.display().to_string();
    if !file.exists() {
        printed(&["key", "generate-node-key", "--file", &name])?;
    }
    Ok(printed(&["key", "inspect-node-key", "--file", &name])?.trim().to_owned())
}

fn printed(arguments: &[&str]) -> Result<String> {
    let output = subcommand(arguments)?;
    ensure!(output.status.success(), "{}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a subcommand of the node to its end.
pub fn subcommand(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::node()?).args(arguments).output()?)
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

    /// The address of its RPC.
    pub async fn rpc_address(&self) -> Result<String> {
        rpc_address(&self.process).await
    }

    /// The address of its metrics.
    pub async fn metrics_address(&self) -> Result<String> {
        let line = self.process.log().wait_for("Prometheus exporter started at ", SOON).await?;
        let (_, address) = line.split_once(" started at ").context("the line names the address")?;
        Ok(address.trim().to_owned())
    }

    /// Its metrics, in Prometheus' text format.
    pub async fn metrics(&self) -> Result<String> {
        http::get(&self.metrics_address().await?, "/metrics").await
    }

    /// How many signatures its signer has given it for keys of this type, since the node started.
    pub async fn signatures(&self, key_type: &str) -> Result<u64> {
        let label = format!("key_type=\"{key_type}\"");
        let page = self.metrics().await?;
        Ok(http::metric(&page, &["holdfast_signatures_total", &label, "result=\"ok\""]).unwrap_or(0.0) as u64)
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

    /// Makes it stand still (SIGSTOP): its sockets stay open, and nothing answers.
    pub fn stop(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    pub fn cont(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Starts it again as it was started before, after killing it if it still runs, and waits until its RPC serves.
    pub async fn restart(&mut self) -> Result<()> {
        self.launch_again()?;
        self.rpc = connect(&self.process).await?;
        Ok(())
    }

    /// The same, without waiting for anything: for a node that may end at any moment. Its RPC is not there to be asked.
    pub fn launch_again(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = self.setup.launch()?;
        Ok(())
    }
}

/// Connects to the node's RPC, as long as the node runs.
async fn connect(process: &Process) -> Result<Rpc> {
    let url = format!("ws://{}", rpc_address(process).await?);
    tokio::select! {
        rpc = Rpc::connect(&url) => rpc,
        () = process.log().closed() => {
            bail!("it ended before anything was asked at {url}; its log: {}", process.log().file().display())
        }
    }
}

async fn rpc_address(process: &Process) -> Result<String> {
    let line = process.log().wait_for("Running JSON-RPC server: addr=", SOON).await?;
    let address = line.split_once("addr=").and_then(|(_, rest)| rest.split([',', ' ']).next());
    Ok(address.context("the line names an address")?.to_owned())
}
