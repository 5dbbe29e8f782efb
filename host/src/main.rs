//! `holdfast-host`: the signer daemon, over a software TEE or OP-TEE.

#![forbid(unsafe_code)]

mod cli;

#[cfg(feature = "optee")]
use std::time::Duration;
use std::{io::IsTerminal, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use cli::{Cli, Command};
use holdfast_host::{
    config::{TeeKind, EXAMPLE},
    Config, Daemon, InProcess, Link, Stuck,
};
use holdfast_ta_soft::SoftTee;
use rustix::process::{set_dumpable_behavior, setrlimit, DumpableBehavior, Resource, Rlimit};
use tokio::signal::unix::{signal, SignalKind};

/// Of a daemon that its service manager is to start again; 2 is clap's.
const STUCK: u8 = 3;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holdfast-host: {error:#}");
            if error.is::<Stuck>() {
                ExitCode::from(STUCK)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Some(Command::ExampleConfig) => {
            print!("{EXAMPLE}");
            Ok(())
        }
        Some(Command::CheckConfig) => {
            cli.options.config()?;
            println!("The options are valid. Directories and ports are tried when the daemon starts.");
            Ok(())
        }
        None => serve(cli.options.config()?),
    }
}

fn serve(config: Config) -> anyhow::Result<()> {
    forbid_core_dumps()?;
    tracing_subscriber::fmt()
        .with_env_filter(config.log.filter())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()))
        .init();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), tee = config.tee.description(), "holdfast-host starts");
    let link = link(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let daemon = Daemon::start(&config, link).await?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
            // Without a stop, which would wait for the call. The end of the process ends its thread too.
            stuck = daemon.stuck() => return Err(stuck.into()),
        }
        tokio::select! {
            drained = daemon.stop() => anyhow::ensure!(drained, "requests were left without an answer"),
            _ = terminate.recv() => anyhow::bail!("SIGTERM again: stopped at once"),
            _ = interrupt.recv() => anyhow::bail!("SIGINT again: stopped at once"),
        }
        Ok(())
    })
}

/// The way to the trusted application.
fn link(config: &Config) -> anyhow::Result<Box<dyn Link>> {
    match config.tee {
        TeeKind::Software => {
            // Its message holds its cause: without the chain, which would say that a second time.
            let tee = SoftTee::open(config.store()).map_err(anyhow::Error::msg)?;
            Ok(Box::new(InProcess::new(tee)))
        }
        #[cfg(feature = "optee")]
        TeeKind::OpTee(application) => {
            let patience = Duration::from_millis(config.limits.stuck_ms);
            let open = move || holdfast_host::OpTee::open_alone(application);
            Ok(Box::new(holdfast_host::opened(patience, open)??))
        }
        #[cfg(not(feature = "optee"))]
        TeeKind::OpTee(_) => Err(holdfast_host::ConfigError::WithoutOpTee(config.tee).into()),
    }
}

/// Seeds pass through this process, and the software TEE's keys are in it: no core dump may carry them, and no process
/// of the same user may read its memory.
fn forbid_core_dumps() -> anyhow::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("cannot forbid core dumps (PR_SET_DUMPABLE)")?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .context("cannot forbid core dumps (RLIMIT_CORE)")
}
