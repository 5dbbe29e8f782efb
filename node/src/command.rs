//! Carries out what was typed.

use holdfast_runtime::opaque::Block;
use sc_cli::SubstrateCli;
use sc_network::config::NetworkBackendType;
use sc_service::{ChainType, Configuration, PartialComponents};

use crate::{
    chain_spec,
    cli::{Cli, Command},
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

/// Parses the command line and runs it to its end.
pub(crate) fn run() -> sc_cli::Result<()> {
    let cli = Cli::from_args();
    match &cli.subcommand {
        None => run_node(&cli),
        Some(Command::Key(sc_cli::KeySubcommand::Insert(_))) => Err(sc_cli::Error::Input(
            "session keys are made by the trusted application and cannot be inserted: call \
             author_rotateKeysWithOwner on the running node, then session.setKeys"
                .into(),
        )),
        Some(Command::Key(cmd)) => cmd.run(&cli),
        #[allow(deprecated)]
        Some(Command::BuildSpec(cmd)) => {
            let runner = cli.create_runner(cmd)?;
            runner.sync_run(|config| cmd.run(config.chain_spec, config.network))
        }
        Some(Command::ExportChainSpec(cmd)) => {
            let spec = cli.load_spec(&cmd.chain)?;
            cmd.run(spec)
        }
        Some(Command::CheckBlock(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, import_queue, .. } = partial(config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Command::ExportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let database = config.database.clone();
            let PartialComponents { client, task_manager, .. } = partial(config)?;
            Ok((cmd.run(client, database), task_manager))
        }),
        Some(Command::ExportState(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let spec = config.chain_spec.cloned_box();
            let PartialComponents { client, task_manager, .. } = partial(config)?;
            Ok((cmd.run(client, spec), task_manager))
        }),
        Some(Command::ImportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, import_queue, .. } = partial(config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Command::PurgeChain(cmd)) => cli.create_runner(cmd)?.sync_run(|config| purge(cmd, config)),
        Some(Command::Revert(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents { client, task_manager, backend, .. } = partial(config)?;
            let revert_grandpa = Box::new(|client, _, blocks| {
                sc_consensus_grandpa::revert(client, blocks)?;
                Ok(())
            });
            Ok((cmd.run(client, backend, Some(revert_grandpa)), task_manager))
        }),
        Some(Command::ChainInfo(cmd)) => cli.create_runner(cmd)?.sync_run(|config| cmd.run::<Block>(&config)),
    }
}

fn run_node(cli: &Cli) -> sc_cli::Result<()> {
    let runner = cli.create_runner(&cli.run)?;
    let arguments = cli.signer.clone();
    runner.run_node_until_exit(|config| async move {
        let plan = signer::plan_for(&arguments, &config).map_err(|e| sc_cli::Error::Input(e.to_string()))?;
        start(config, plan).await.map_err(sc_cli::Error::Service)
    })
}

async fn start(config: Configuration, plan: Plan) -> Result<sc_service::TaskManager, sc_service::Error> {
    match config.network.network_backend {
        NetworkBackendType::Libp2p => service::new_full::<sc_network::NetworkWorker<_, _>>(config, plan).await,
        NetworkBackendType::Litep2p => service::new_full::<sc_network::Litep2pNetworkBackend>(config, plan).await,
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
    cmd.run(config.database)?;
    let agreed = cmd.yes || (existed && !database.is_some_and(|path| path.exists()));
    if development && agreed {
        signer::purge(&store)?;
    }
    Ok(())
}
