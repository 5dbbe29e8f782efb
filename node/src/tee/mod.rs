//! `holdfast-node tee …`: what an operator asks of the signer daemon, on any chain or none.
//!
//! Nothing here makes a key: a chain admits only those that a running node made for its own account
//! (`author_rotateKeysWithOwner`).

mod advice;
mod keys;
mod self_test;
mod status;

use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand, ValueEnum};
use holdfast_protocol::{Call, CallError, Client, Reply, TeeInfo, Until};
use keystore_tee::Endpoint;
use serde::Serialize;

use crate::cli::endpoint;

/// How long a daemon may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The command line of `holdfast-node tee`.
#[derive(Debug, Parser)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what kind of TEE answers, in which versions, and which node holds the lease on its keys
    Status(Options),

    /// List the keys that the trusted application holds: public halves only
    Keys(Options),

    /// Try everything that a validator needs of its signer, and end with an error if anything fails
    ///
    /// Each session key signs a proof of possession for an account that nobody has, and the signature is verified. No
    /// vote and no block is signed, and a node that is running is not disturbed.
    SelfTest(Options),
}

#[derive(Debug, Args)]
struct Options {
    /// The signer daemon: unix:///path/to/socket, or tcp://127.0.0.1:PORT
    #[arg(long, value_name = "URI", value_parser = endpoint, default_value = "unix:///run/holdfast/host.sock")]
    keystore_uri: Endpoint,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl Command {
    /// Prints what was asked for. The error says what to do.
    pub(crate) fn run(&self) -> Result<(), String> {
        match &self.action {
            Action::Status(options) => {
                let status = Daemon::connect(&options.keystore_uri).and_then(|daemon| status::ask(&daemon))?;
                print(options, &status, status::text)
            }
            Action::Keys(options) => {
                let keys = Daemon::connect(&options.keystore_uri).and_then(|daemon| keys::ask(&daemon))?;
                print(options, &keys, |keys| keys::text(keys))
            }
            Action::SelfTest(options) => {
                let report = self_test::run(&options.keystore_uri);
                print(options, &report, self_test::text)?;
                report.result()
            }
        }
    }
}

fn print<T: Serialize>(options: &Options, value: &T, text: impl Fn(&T) -> String) -> Result<(), String> {
    let text = match options.format {
        Format::Text => text(value),
        Format::Json => serde_json::to_string_pretty(value).map_err(|e| format!("cannot write JSON: {e}"))?,
    };
    println!("{}", text.trim_end());
    Ok(())
}

/// An open conversation with a daemon, as an operator.
struct Daemon {
    client: Client,
    info: TeeInfo,
}

impl Daemon {
    /// Connects. The error says what is in the way, and what to do.
    fn connect(endpoint: &Endpoint) -> Result<Daemon, String> {
        let client = Client::new(endpoint.clone());
        client.connect_as_operator().map_err(|e| format!("cannot start a thread: {e}"))?;
        let info = match client.call(Call::Info, Until::Deadline(Instant::now() + PATIENCE)) {
            Ok(Reply::Info(info)) => info,
            Ok(_) => return Err(advice::strange(endpoint)),
            Err(error) => return Err(advice::on(&error, endpoint)),
        };
        Ok(Daemon { client, info })
    }

    fn ask(&self, call: Call) -> Result<Reply, CallError> {
        self.client.call(call, Until::Deadline(Instant::now() + PATIENCE))
    }

    fn endpoint(&self) -> &Endpoint {
        self.client.endpoint()
    }

    /// What to do about an error.
    fn explain(&self, error: &CallError) -> String {
        advice::on(error, self.endpoint())
    }
}

/// A daemon inside this process, for the tests beside the commands.
#[cfg(test)]
mod testing {
    use holdfast_host::{Config, InProcess};
    use holdfast_ta_soft::SoftTee;

    use super::*;

    pub(super) struct Served {
        runtime: tokio::runtime::Runtime,
        daemon: Option<holdfast_host::Daemon>,
        pub(super) endpoint: Endpoint,
        _dir: tempfile::TempDir,
    }

    impl Served {
        pub(super) fn start() -> Self {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let dir = tempfile::tempdir().expect("a temporary directory");
            let socket = dir.path().join("host.sock");
            let link = Box::new(InProcess::new(SoftTee::in_memory()));
            let daemon = runtime.block_on(holdfast_host::Daemon::start(&Config::embedded(socket.clone()), link));
            let endpoint = Endpoint::unix(socket).expect("a short path");
            Self { runtime, daemon: Some(daemon.expect("a socket of its own")), endpoint, _dir: dir }
        }

        pub(super) fn connect(&self) -> Daemon {
            Daemon::connect(&self.endpoint).expect("it is there")
        }

        /// Makes an `aura` and a `gran` key.
        pub(super) fn make_session_keys(&self) {
            use holdfast_protocol::{Scheme, Usage};
            for (scheme, key_type) in [(Scheme::Sr25519, *b"aura"), (Scheme::Ed25519, *b"gran")] {
                let call = Call::Generate { scheme, key_type, usage: Usage::Sign, seed: None };
                assert!(matches!(self.connect().ask(call), Ok(Reply::Generated(_))));
            }
        }
    }

    impl Drop for Served {
        fn drop(&mut self) {
            if let Some(daemon) = self.daemon.take() {
                self.runtime.block_on(daemon.stop());
            }
        }
    }
}
