//! `holdfast-node tee …`: what an operator asks of the signer daemon, on any chain or none.
//!
//! Nothing here makes a key: a chain admits only those that a running node made for its own account
//! (`author_rotateKeysWithOwner`).

mod advice;
mod export;
mod far;
mod import;
mod interchange;
mod keys;
mod self_test;
mod status;
mod watermarks;

use std::{
    io::{self, ErrorKind, Write},
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use holdfast_protocol::{Call, CallError, Claim, Client, Reply, TeeInfo, Tenure, Until};
use keystore_tee::{Endpoint, Identity};
use serde::Serialize;

use crate::cli::endpoint;
use export::Export;
use import::Import;

/// How long a daemon may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take for all that a command asks: there may be many keys, and many pages of them.
const COMMAND: Duration = Duration::from_secs(30);

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

    /// Write down how far each key has come in what it may sign once only, as JSON
    ///
    /// What is written is right until the next vote or block is signed: stop the nodes first.
    ExportWatermarks(Export),

    /// Have the keys sign nothing new up to what a file of export-watermarks says. Nothing is ever lowered
    ///
    /// Keys of the file that the TEE does not hold are skipped. The file's floor is for all keys of the TEE. What would
    /// raise a key so far that it may be a mistake is refused unless --far is given. Stop the nodes first.
    ImportWatermarks(Import),
}

#[derive(Debug, Args)]
struct Target {
    /// The signer daemon: unix:///path/to/socket, or tcp://127.0.0.1:PORT
    #[arg(long, value_name = "URI", value_parser = endpoint, default_value = "unix:///run/holdfast/host.sock")]
    keystore_uri: Endpoint,
}

#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    target: Target,

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
        let (end, mut out) = (Instant::now() + COMMAND, io::stdout().lock());
        match &self.action {
            Action::Status(options) => {
                let status = options.target.connect(end).and_then(|daemon| status::ask(&daemon))?;
                print(&mut out, options.format, &status, status::text)?;
                status.result()
            }
            Action::Keys(options) => {
                let daemon = options.target.connect(end)?;
                let keys = keys::ask(&daemon)?;
                print(&mut out, options.format, &keys, |keys| keys::text(keys))?;
                if let (Format::Text, Err(why)) = (options.format, keys::complete(&daemon, keys.len())) {
                    let _ = writeln!(io::stderr(), "warning: {why}");
                }
                Ok(())
            }
            Action::SelfTest(options) => {
                let report = self_test::run(&options.target.keystore_uri, end);
                print(&mut out, options.format, &report, self_test::text)?;
                report.result()
            }
            Action::ExportWatermarks(export) => export.run(&export.target.connect(end)?, &mut out),
            Action::ImportWatermarks(import) => {
                let file = import.read()?;
                import.run(&file, &import.options.target.connect(end)?, &mut out)
            }
        }
    }
}

impl Target {
    fn connect(&self, end: Instant) -> Result<Daemon, String> {
        Daemon::connect(&self.keystore_uri, end)
    }
}

fn print<T: Serialize>(
    out: &mut impl Write,
    format: Format,
    value: &T,
    text: impl Fn(&T) -> String,
) -> Result<(), String> {
    let text = match format {
        Format::Text => text(value),
        Format::Json => serde_json::to_string_pretty(value).map_err(|e| format!("cannot write JSON: {e}"))?,
    };
    put(out, &text)
}

/// Whoever reads no further (`| head -1`) has what he wants.
fn put(out: &mut impl Write, text: &str) -> Result<(), String> {
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("cannot write the answer: {error}")),
        _ => Ok(()),
    }
}

/// An open conversation with a daemon, as an operator.
struct Daemon {
    client: Client,
    info: TeeInfo,
    /// When the command ends, whatever the daemon does.
    end: Instant,
}

impl Daemon {
    /// Connects. The error says what is in the way, and what to do.
    fn connect(endpoint: &Endpoint, end: Instant) -> Result<Daemon, String> {
        let client = Client::new(endpoint.clone());
        client.connect_as_operator().map_err(|e| format!("cannot start a thread: {e}"))?;
        let info = match client.call(Call::Info, until(end)) {
            Ok(Reply::Info(info)) => info,
            Ok(_) => return Err(advice::strange(endpoint)),
            Err(error) => return Err(advice::on(&error, endpoint)),
        };
        Ok(Daemon { client, info, end })
    }

    fn ask(&self, call: Call) -> Result<Reply, CallError> {
        self.client.call(call, until(self.end))
    }

    /// The node that holds the lease, if one does: it runs, and signs.
    fn holder(&self) -> Option<Identity> {
        match self.ask(Call::Lease(Claim::Look)) {
            Ok(Reply::Lease(lease)) => match lease.tenure {
                Tenure::Held { holder, .. } => Some(holder),
                Tenure::Yours | Tenure::Free { .. } => None,
            },
            _ => None,
        }
    }

    /// There is no time left for another question.
    fn out_of_time(&self) -> bool {
        Instant::now() >= self.end
    }

    fn endpoint(&self) -> &Endpoint {
        self.client.endpoint()
    }

    /// What to do about an error.
    fn explain(&self, error: &CallError) -> String {
        match error {
            CallError::Deadline if self.out_of_time() => advice::slow(self.endpoint(), COMMAND),
            error => advice::on(error, self.endpoint()),
        }
    }
}

fn until(end: Instant) -> Until {
    Until::Deadline(end.min(Instant::now() + PATIENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes nothing, and says why.
    struct Closed(ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printed(out: &mut impl Write, format: Format) -> Result<(), String> {
        print(out, format, &["one"], |words| words.concat() + "\n")
    }

    #[test]
    fn an_answer_ends_with_one_newline_in_either_format() {
        let mut out = Vec::new();
        printed(&mut out, Format::Text).expect("a vector takes it");
        printed(&mut out, Format::Json).expect("a vector takes it");
        assert_eq!(String::from_utf8_lossy(&out), "one\n[\n  \"one\"\n]\n");
    }

    #[test]
    fn a_reader_who_has_left_is_no_error_and_a_full_disk_is_one() {
        assert_eq!(printed(&mut Closed(ErrorKind::BrokenPipe), Format::Text), Ok(()));
        let error = printed(&mut Closed(ErrorKind::StorageFull), Format::Json).expect_err("nothing was written");
        assert!(error.starts_with("cannot write the answer: "), "{error}");
    }
}

/// A daemon inside this process, for the tests beside the commands.
#[cfg(test)]
mod testing {
    use std::{os::unix::net::UnixListener, thread};

    use holdfast_host::{Config, InProcess};
    use holdfast_protocol::{
        server, Failure, Floor, GrandpaRound, KeyId, KeyInfo, Lease, Position, Response, Scheme, Tenure, Usage,
        Watermark, Welcome, VERSION,
    };
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
            Daemon::connect(&self.endpoint, soon()).expect("it is there")
        }

        /// Makes an `aura` and a `gran` key.
        pub(super) fn make_session_keys(&self) {
            for (scheme, key_type) in [(Scheme::Sr25519, *b"aura"), (Scheme::Ed25519, *b"gran")] {
                let call = Call::Generate { scheme, key_type, usage: Usage::Sign, seed: None };
                assert!(matches!(self.connect().ask(call), Ok(Reply::Generated(_))));
            }
        }
    }

    impl Served {
        /// Raises the watermarks of its keys to this slot, or this round of set 0.
        pub(super) fn raise_session_keys(&self, to: u64) {
            let daemon = self.connect();
            for key in keys::read(&daemon).expect("it answers") {
                let to = match &key.id.key_type {
                    b"gran" => Position::Grandpa(GrandpaRound { set_id: 0, round: to }),
                    _ => Position::Aura(to),
                };
                assert_eq!(daemon.ask(Call::RaiseWatermark { key: key.id, to }), Ok(Reply::WatermarkRaised));
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
    /// An end that no test waits for.
    pub(super) fn soon() -> Instant {
        Instant::now() + COMMAND
    }

    /// What a hostile daemon says of its TEE.
    pub(super) const HOSTILE: &str = "OP-TEE\u{9b}2J\u{202e}\n";

    /// Lists a key and a watermark on each page, and always one more; and answers whatever is asked of a lease.
    pub(super) fn endless() -> (Endpoint, tempfile::TempDir) {
        listing(u32::MAX, u32::MAX)
    }

    /// Counts two keys and lists one of them.
    pub(super) fn damaged() -> (Endpoint, tempfile::TempDir) {
        listing(2, 1)
    }

    /// Says that it has `counted` keys, and lists one on each of so many pages.
    fn listing(counted: u32, pages: u32) -> (Endpoint, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let socket = dir.path().join("host.sock");
        let listener = UnixListener::bind(&socket).expect("a free path");
        thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let (_, pending) = server::accept(stream, soon()).expect("it says hello");
            let welcome = Welcome { version: VERSION, tee: hostile(counted) };
            let (mut requests, responder) = pending.welcome(welcome).expect("it listens");
            // The next key, and its number.
            let next = |after: Option<KeyId>| {
                let start = after.and_then(|key| key.public.first_chunk().copied());
                let number = start.map_or(1, |start| u32::from_be_bytes(start) + 1);
                let public = [&number.to_be_bytes()[..], &[0; 28]].concat();
                (KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public }, number)
            };
            while let Ok(Some(request)) = requests.next() {
                let result = match request.call {
                    Call::Info => Ok(Reply::Info(hostile(counted))),
                    Call::Lease(_) => {
                        let tenure = Tenure::Free { last: None, reserved_ms: 0 };
                        Ok(Reply::Lease(Lease { tenure, lasts_ms: 1, last_vote: None, last_slot: None }))
                    }
                    Call::List { after } => {
                        // So that not even the most keys that are believed come in time.
                        thread::sleep(Duration::from_millis(1));
                        let (id, number) = next(after);
                        let key = KeyInfo { id, usage: Usage::Sign, seeded: false };
                        Ok(Reply::Keys { keys: vec![key], more: number < pages })
                    }
                    Call::Watermarks { after } => {
                        thread::sleep(Duration::from_millis(1));
                        let (id, number) = next(after);
                        let highest = Position::Grandpa(GrandpaRound { set_id: 0, round: 2 });
                        let watermarks = vec![Watermark { id, highest }];
                        Ok(Reply::Watermarks { floor: Floor::default(), watermarks, more: number < pages })
                    }
                    _ => Err(Failure::NoSuchKey),
                };
                if responder.send(Response { id: request.id, result }).is_err() {
                    return;
                }
            }
        });
        (Endpoint::unix(socket).expect("a short path"), dir)
    }

    fn hostile(counted: u32) -> TeeInfo {
        TeeInfo {
            ta_version: 1,
            schema: 1,
            kind: HOSTILE.into(),
            simulated: false,
            development: false,
            keys: Some(counted),
            catalogue: 0,
            rollback_protected: false,
        }
    }
}
