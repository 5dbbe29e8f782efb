//! `holdfast-testnet`: a network of validators on this machine, for people to look at and to play with.

#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use clap::Parser;
use holdfast_e2e::{
    binaries,
    chain::{Timing, SESSION_BLOCKS},
    network::{Network, Settings, Validator, NAMES},
    ports,
    process::leave_logs_in_files,
    proof,
    rpc::Rpc,
    NodeProcess,
};
use tokio::{
    signal::unix::{signal, Signal, SignalKind},
    task::JoinHandle,
    time::{interval, timeout, MissedTickBehavior},
};

/// How many of the last blocks' authors a line names.
const AUTHORS: usize = 4;
/// A node that does not answer within this time is silent.
const PATIENCE: Duration = Duration::from_millis(900);
/// What does not end within this time is killed.
const FAREWELL: Duration = Duration::from_secs(15);

/// Runs a network of validators on this machine, each a node and a signer daemon with a store of its own.
///
/// Each validator's own trusted application makes its session keys at the first start. It is a software TEE, not a
/// TEE. Every second a line shows the chain and the signers; Ctrl-C ends everything.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Where keys, chain and logs lie. The next start goes on from there; to begin a new chain, remove it.
    #[arg(long, value_name = "DIR", default_value = "target/testnet")]
    dir: PathBuf,
    /// How many validators, 1 to 6. GRANDPA needs more than two thirds of them: three of three, three of four.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=NAMES.len() as i64))]
    validators: u16,
    /// Milliseconds of a slot, an even number, 1000 to 60000.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = slot_millis)]
    slot_ms: u64,
    /// The first validator gets a second node on its daemon, on standby.
    #[arg(long)]
    standby: bool,
    /// The first node's port for RPC; the others have the next ones. 0: any.
    #[arg(long, value_name = "PORT", default_value_t = 9944, value_parser = first_port)]
    rpc_port: u16,
    /// The same for Prometheus.
    #[arg(long, value_name = "PORT", default_value_t = 9615, value_parser = first_port)]
    prometheus_port: u16,
}

fn main() -> ExitCode {
    let run = || tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(Cli::parse()));
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The terminal may be gone.
            let _ = writeln!(io::stderr(), "holdfast-testnet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    leave_logs_in_files();
    let mut end = End::new()?;
    let settings = check(&cli)?;
    let directory = std::path::absolute(&cli.dir)?;
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let validators = if cli.validators == 1 { "validator" } else { "validators" };
    writeln!(io::stdout(), "Starting {} {validators} in {} …", cli.validators, directory.display())?;
    let mut network = {
        let mut starting = pin!(begin(&directory, settings, cli.standby));
        tokio::select! {
            network = &mut starting => network?,
            () = end.asked() => tokio::select! {
                network = &mut starting => return network?.stop(FAREWELL).await,
                () = end.asked() => bail!("ended before everything had started"),
            },
        }
    };
    let shown = tokio::select! {
        shown = show(&mut network) => shown,
        () = end.asked() => Ok(()),
    };
    let _ = writeln!(io::stdout(), "Stopping …");
    for line in ended_before(&mut network) {
        let _ = writeln!(io::stdout(), "{line}");
    }
    tokio::select! {
        stopped = network.stop(FAREWELL) => stopped?,
        () = end.asked() => bail!("asked again: killed what still ran"),
    }
    shown
}

async fn begin(directory: &Path, settings: Settings, standby: bool) -> Result<Network> {
    let mut network = Network::start(directory, settings).await?;
    let started = if standby { network.start_standby(0).await } else { Ok(()) };
    if let Err(reason) = started {
        // However the others end, this is why.
        let _ = network.stop(FAREWELL).await;
        return Err(reason);
    }
    Ok(network)
}

/// A line for each process that has ended without being asked here.
fn ended_before(network: &mut Network) -> Vec<String> {
    let mut lines = Vec::new();
    for Validator { name, host, node, standby, .. } in &mut network.validators {
        let standby = standby.as_mut().map(|standby| ("standby node", standby.process()));
        for (part, process) in [("node", node.process()), ("daemon", host.process())].into_iter().chain(standby) {
            if process.check_running().is_err() {
                let log = process.log().file().display();
                lines.push(format!("{name}'s {part} had ended before (its log: {log})"));
            }
        }
    }
    lines
}

/// What can be known to be wrong before anything starts.
fn check(cli: &Cli) -> Result<Settings> {
    binaries::node()?;
    binaries::host()?;
    let (rpc, prometheus) = (cli.rpc_port, cli.prometheus_port);
    if rpc != 0 && prometheus != 0 && rpc.abs_diff(prometheus) < cli.validators {
        bail!(
            "--rpc-port {rpc} and --prometheus-port {prometheus} overlap: each validator takes the next port after \
             either, so choose them at least {} apart (0 takes any)",
            cli.validators
        );
    }
    for (first, of, option) in [(rpc, "RPC", "--rpc-port"), (prometheus, "metrics", "--prometheus-port")] {
        for port in (first..).take(cli.validators.into()).take_while(|_| first != 0) {
            ports::can_listen(port).with_context(|| {
                format!(
                    "port {port}, for a node's {of}, cannot be used: end what listens there (another node or network?), \
                     or choose other ports with {option} (0 takes any)"
                )
            })?;
        }
    }
    let timing = Timing { slot: Duration::from_millis(cli.slot_ms), session_blocks: SESSION_BLOCKS };
    Ok(Settings {
        validators: cli.validators.into(),
        timing,
        rpc_port: rpc,
        prometheus_port: prometheus,
        ..Settings::default()
    })
}

/// Says where everything is, then a line every second.
async fn show(network: &mut Network) -> Result<()> {
    let start = Instant::now();
    let mut out = io::stdout();
    writeln!(out, "\n{:<16}{:<9}{:<22}{:<32}{:<31}its PID", "node", "PID", "RPC", "metrics", "signer daemon")?;
    for Validator { host, node, standby, .. } in &mut network.validators {
        let health = format!("http://{}/health", host.http_address().await?);
        let daemon = host.process().id();
        for node in std::iter::once(node).chain(standby) {
            let (rpc, metrics) = (node.rpc_address().await?, node.metrics_address().await?);
            let process = node.process();
            writeln!(
                out,
                "{:<16}{:<9}{:<22}{:<32}{health:<31}{daemon}",
                process.name(),
                process.id(),
                format!("ws://{rpc}"),
                format!("http://{metrics}/metrics")
            )?;
        }
    }
    writeln!(out, "\nKeys, chain and logs stay there for the next start. Ctrl-C ends everything.\n")?;
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        second.tick().await;
        let line = line(network).await;
        writeln!(out, "{:>5}s  {line}", start.elapsed().as_secs())?;
    }
}

async fn line(network: &mut Network) -> String {
    let names: Vec<_> =
        network.validators.iter().map(|validator| (validator.keys.aura, validator.name.clone())).collect();
    let mut signers = Vec::new();
    for Validator { name, node, standby, .. } in &mut network.validators {
        signers.push((name.clone(), signer(node)));
        if let Some(standby) = standby {
            signers.push((standby.process().name().to_owned(), signer(standby)));
        }
    }
    let mut states = Vec::new();
    for (name, state) in signers {
        states.push(format!("{name} {}", state.await.unwrap_or_else(|error| error.to_string())));
    }
    let mut chain = None;
    for node in network.validators.iter_mut().map(|validator| &mut validator.node) {
        if chain.is_none() && node.process().check_running().is_ok() {
            chain = timeout(PATIENCE, blocks(node.rpc())).await.ok().and_then(Result::ok);
        }
    }
    let Some(Blocks { best, finalised, authors }) = chain else {
        return format!("no node answers  |  {}", states.join(", "));
    };
    let author = |key| names.iter().find(|(known, _)| known == key).map_or("another", |(_, name)| name);
    let authors: Vec<&str> = authors.iter().map(author).collect();
    let by = if authors.is_empty() { String::new() } else { format!("  by {}", authors.join(" ")) };
    format!("best #{best}  finalised #{finalised}{by}  |  {}", states.join(", "))
}

struct Blocks {
    best: u32,
    finalised: u32,
    /// Of the last blocks, in their order.
    authors: Vec<sp_core::sr25519::Public>,
}

async fn blocks(rpc: &Rpc) -> Result<Blocks> {
    let mut header = rpc.best().await?;
    let best = header.number;
    let mut authors = Vec::new();
    while authors.len() < AUTHORS && header.number > 0 {
        authors.push(proof::author_of(rpc, &header).await?);
        header = rpc.header(header.parent_hash).await?;
    }
    authors.reverse();
    Ok(Blocks { best, finalised: rpc.finalised().await?.number, authors })
}

/// Finds out how a node and its signer are.
fn signer(node: &mut NodeProcess) -> JoinHandle<String> {
    let running = node.process().check_running().is_ok();
    let rpc = node.rpc().clone();
    tokio::spawn(async move {
        if !running {
            return "has ended".into();
        }
        match timeout(PATIENCE, rpc.tee_status()).await {
            Ok(Ok(status)) if status["connected"] == false => "signer away".into(),
            Ok(Ok(status)) => status["role"].as_str().unwrap_or("up").to_owned(),
            Ok(Err(_)) | Err(_) => "silent".into(),
        }
    })
}

/// Milliseconds of a slot. The chain needs half of it too: pallet-timing refuses a slot without a whole half.
fn slot_millis(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(slot) if (1000..=60_000).contains(&slot) && slot.is_multiple_of(2) => Ok(slot),
        _ => Err("write an even number, 1000 to 60000: half a slot is a whole number of milliseconds".into()),
    }
}

/// A port, or 0, with five more after it.
fn first_port(text: &str) -> Result<u16, String> {
    let port: u16 = text.parse().map_err(|_| format!("`{text}` is no port: write 0 to 65530"))?;
    if port > 65_530 {
        return Err("the next validators have the next ports: write 0 to 65530".into());
    }
    Ok(port)
}

/// The ways in which a person or a terminal ends a program.
struct End([Signal; 3]);

impl End {
    fn new() -> io::Result<End> {
        Ok(End([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            // The terminal was closed.
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn asked(&mut self) {
        let End([interrupt, terminate, hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
