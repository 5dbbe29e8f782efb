//! Carries out what was typed.

use std::{fs::File, io::ErrorKind, path::Path, process::ExitCode};

use holdfast_runtime::opaque::Block;
use sc_cli::SubstrateCli;
use sc_network::config::NetworkBackendType;
use sc_service::{ChainType, Configuration, PartialComponents};

use crate::{
    chain_spec,
    cli::{Cli, Command},
    exit::LastWord,
    service,
    signer::{self, Plan},
};

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "Holdfast Node".into()
    }

    fn impl_version() -> String {
        env!("SUBSTRATE_CLI_IMPL_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        env!("CARGO_PKG_AUTHORS").into()
    }

    fn support_url() -> String {
        "the documentation in docs/".into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
        chain_spec::load(id)
    }
}

/// What the node logs of the daemon inside it: the keystore says the same of it from the other end.
const QUIET_DAEMON: &str = "holdfast_host=warn,holdfast_host::daemon=error";

/// Parses the command line and runs it to its end. The exit code, unless there is an error.
pub(crate) fn run() -> sc_cli::Result<ExitCode> {
    let mut cli = Cli::from_args();
    // Of the daemon inside the node its faults are news; whoever wants the rest says so with --log, which comes later.
    cli.run.shared_params.log.insert(0, QUIET_DAEMON.into());
    match &cli.subcommand {
        None => run_node(&cli),
        Some(command) => run_command(&cli, command).map(|()| ExitCode::SUCCESS),
    }
}

fn run_command(cli: &Cli, command: &Command) -> sc_cli::Result<()> {
    match command {
        Command::Tee(cmd) => cmd.run().map_err(sc_cli::Error::Input),
        Command::Key(sc_cli::KeySubcommand::Insert(_)) => Err(sc_cli::Error::Input(
            "session keys are made by the trusted application and cannot be inserted: call \
             author_rotateKeysWithOwner on the running node, then session.setKeys"
                .into(),
        )),
        Command::Key(cmd) => cmd.run(cli),
        #[allow(deprecated)]
        Command::BuildSpec(cmd) => {
            let runner = cli.create_runner(cmd)?;
            runner.sync_run(|config| cmd.run(config.chain_spec, config.network))
        }
        Command::ExportChainSpec(cmd) => {
            let spec = cli.load_spec(&cmd.chain)?;
            cmd.run(spec)
        }
        Command::CheckBlock(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, import_queue, .. } = partial(config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Command::ExportBlocks(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let database = config.database.clone();
            let PartialComponents { client, task_manager, .. } = partial(config)?;
            Ok((cmd.run(client, database), task_manager))
        }),
        Command::ExportState(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let spec = config.chain_spec.cloned_box();
            let PartialComponents { client, task_manager, .. } = partial(config)?;
            Ok((cmd.run(client, spec), task_manager))
        }),
        Command::ImportBlocks(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, import_queue, .. } = partial(config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Command::PurgeChain(cmd) => cli.create_runner(cmd)?.sync_run(|config| purge(cmd, config)),
        Command::Revert(cmd) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, backend, .. } = partial(config)?;
            let revert_grandpa = Box::new(|client, _, blocks| {
                sc_consensus_grandpa::revert(client, blocks)?;
                Ok(())
            });
            Ok((cmd.run(client, backend, Some(revert_grandpa)), task_manager))
        }),
        Command::ChainInfo(cmd) => cli.create_runner(cmd)?.sync_run(|config| cmd.run::<Block>(&config)),
    }
}

/// What an operator reads when it went wrong.
pub(crate) fn explain(error: sc_cli::Error) -> String {
    match error {
        sc_cli::Error::Input(text) | sc_cli::Error::Service(sc_service::Error::Other(text)) => text,
        sc_cli::Error::NetworkKeyNotFound(path) => format!(
            "this validator has no network key at {}: make one with `holdfast-node key generate-node-key` and the same \
             --chain and --base-path (on a chain that is thrown away, --unsafe-force-node-key-generation makes it)",
            path.display()
        ),
        error => error.to_string(),
    }
}

fn run_node(cli: &Cli) -> sc_cli::Result<ExitCode> {
    let runner = cli.create_runner(&cli.run)?;
    let plan = signer::plan_for(&cli.signer, runner.config()).map_err(|e| sc_cli::Error::Input(e.to_string()))?;
    let last_word = LastWord::default();
    let told = last_word.clone();
    let ended = runner
        .run_node_until_exit(|config| async move { start(config, plan, told).await.map_err(sc_cli::Error::Service) });
    match (ended, last_word.code()) {
        // The log has said it all.
        (Err(_), Some(code)) => Ok(ExitCode::from(code)),
        (ended, _) => ended.map(|()| ExitCode::SUCCESS),
    }
}

async fn start(
    config: Configuration,
    plan: Plan,
    last_word: LastWord,
) -> Result<sc_service::TaskManager, sc_service::Error> {
    use sc_network::{Litep2pNetworkBackend as Litep2p, NetworkWorker as Libp2p};
    match config.network.network_backend {
        NetworkBackendType::Libp2p => service::new_full::<Libp2p<_, _>>(config, plan, last_word).await,
        NetworkBackendType::Litep2p => service::new_full::<Litep2p>(config, plan, last_word).await,
    }
}

/// The parts that a subcommand works on. None of them signs, so none of them needs a directory of keys.
fn partial(mut config: Configuration) -> Result<service::Service, sc_service::Error> {
    config.keystore = sc_service::config::KeystoreConfig::InMemory;
    service::new_partial(&config)
}

/// Removes the database, and with a development chain's also what its software TEE has stored: a key that has signed
/// for blocks which are no more must not sign for their successors.
fn purge(cmd: &sc_cli::PurgeChainCmd, config: Configuration) -> sc_cli::Result<()> {
    let store = signer::store_of(&config);
    let development = config.chain_spec.chain_type() == ChainType::Development;
    let database = config.database.path().map(ToOwned::to_owned);
    let existed = database.as_ref().is_some_and(|path| path.exists());
    let _database = database.as_deref().map(hold_database).transpose()?;
    let held = if development { signer::hold(&store)? } else { None };
    if held.is_some() {
        println!("The keys of this development chain in {store:?} go with its database.");
    }
    cmd.run(config.database)?;
    let agreed = cmd.yes || (existed && !database.is_some_and(|path| path.exists()));
    match held {
        Some(held) if agreed => signer::purge(&store, held),
        _ => Ok(()),
    }
}

/// Takes the lock that ParityDB takes, so that no database is removed under a running node.
fn hold_database(path: &Path) -> sc_cli::Result<Option<File>> {
    let lock = match File::open(path.join("lock")) {
        Ok(lock) => lock,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(sc_cli::Error::Input(format!(
            "a node is running on {}: stop it first; nothing was removed",
            path.display()
        ))),
        Err(e) => Err(std::io::Error::from(e).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_in_use_is_not_purged() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(hold_database(dir.path()).expect("there is none").is_none());
        std::fs::write(dir.path().join("lock"), "").expect("the directory is writable");
        let held = hold_database(dir.path()).expect("nobody holds it");
        assert!(hold_database(dir.path()).is_err_and(|e| explain(e).contains("nothing was removed")));
        drop(held);
        assert!(hold_database(dir.path()).expect("nobody holds it now").is_some());
    }

    #[test]
    fn the_help_can_be_built_and_names_every_way_to_name_a_chain() {
        use crate::exit::{HELP, POLICY, SUPERSEDED};
        use clap::CommandFactory;
        // As sc-cli does.
        let mut command = Cli::command().after_help("Support");
        command.build();
        let help = command.render_long_help().to_string();
        assert!(help.contains("live:FILE") && !help.contains("staging"), "{help}");
        assert!(help.contains(HELP), "{help}");
        assert!([SUPERSEDED, POLICY].iter().all(|code| HELP.contains(&format!("\n  {code}  "))), "{help}");
    }
}
