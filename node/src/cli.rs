//! What an operator types.

use clap::{Args, Parser, Subcommand, ValueEnum};
use keystore_tee::Endpoint;
use sc_cli::RunCmd;

use crate::tee;

const CHAIN: &str = "The chain: dev, local (the default), live:FILE with a JSON list of the first validators, or the \
     path of a specification that export-chain-spec has written";
const DEV: &str = "A development chain of one validator, with a software TEE inside the node; its base path is \
     temporary unless --base-path names one";

/// The command line of `holdfast-node`.
#[derive(Debug, Parser)]
#[command(
    // sc-cli sets the short one.
    after_long_help = crate::exit::HELP,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    mut_arg("chain", |arg| arg.help(CHAIN).long_help(CHAIN)),
    mut_arg("dev", |arg| arg.help(DEV).long_help(DEV)),
    // It always refuses: the trusted application makes session keys.
    mut_subcommand("key", |key| key.mut_subcommand("insert", |insert| insert.hide(true))),
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) subcommand: Option<Command>,

    #[command(flatten)]
    pub(crate) run: RunCmd,

    #[command(flatten)]
    pub(crate) signer: SignerArgs,
}

/// Where the session keys are.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Signer")]
pub(crate) struct SignerArgs {
    /// The signer daemon (holdfast-host) that holds this validator's session keys:
    /// unix:///run/holdfast/host.sock, or tcp://127.0.0.1:PORT.
    ///
    /// A validator needs it. A development chain without it runs the daemon inside the node, with a software TEE
    /// that protects nothing.
    #[arg(long, value_name = "URI", value_parser = endpoint, conflicts_with_all = ["keystore_path", "password", "password_interactive", "password_filename"])]
    pub(crate) keystore_uri: Option<Endpoint>,

    /// What kind of keystore signs. `local` keeps keys in files, as other Substrate nodes do, and is there to compare
    /// with: a chain of type Live refuses it.
    #[arg(long, value_enum, value_name = "KIND", default_value_t, conflicts_with = "keystore_uri")]
    pub(crate) keystore: KeystoreKind,
}

/// An address of a daemon.
pub(crate) fn endpoint(text: &str) -> Result<Endpoint, String> {
    text.parse().map_err(|e: keystore_tee::UriError| e.to_string())
}

/// The kinds of keystore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeystoreKind {
    /// A trusted application signs.
    #[default]
    Tee,
    /// Files sign: no TEE.
    Local,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Account and node key utilities. Session keys are made by the trusted application: see author_rotateKeysWithOwner
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),

    /// Look at the signer daemon and its trusted application. No node needs to run
    Tee(tee::Command),

    /// Build a chain specification (export-chain-spec is its successor)
    #[allow(deprecated)]
    BuildSpec(sc_cli::BuildSpecCmd),

    /// Write the chain specification as JSON
    ExportChainSpec(sc_cli::ExportChainSpecCmd),

    /// Validate blocks
    CheckBlock(sc_cli::CheckBlockCmd),

    /// Export blocks
    ExportBlocks(sc_cli::ExportBlocksCmd),

    /// Export the state of a given block as a chain specification
    ExportState(sc_cli::ExportStateCmd),

    /// Import blocks
    ImportBlocks(sc_cli::ImportBlocksCmd),

    /// Remove the chain's database; of a development chain also the store of its software TEE
    PurgeChain(sc_cli::PurgeChainCmd),

    /// Revert the chain to a previous state
    Revert(sc_cli::RevertCmd),

    /// Show the meta information of the chain's database
    ChainInfo(sc_cli::ChainInfoCmd),
}
