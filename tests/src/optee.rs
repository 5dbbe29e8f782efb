//! OP-TEE in QEMU: machines with a disk, and the guest beside OP-TEE's secure world.
//!
//! What is booted lies beside the workspace's programs, and is built by `scripts/optee/build`.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use codec::{DecodeAll, Encode};
use holdfast_host::{Link, LinkError};
use holdfast_ta::{Answer, Command, Reply, Request};

use crate::{
    binaries,
    ports::Port,
    process::{Log, Process},
    SOON,
};

/// For an answer of the guest: it is emulated, and some of what it is asked writes to a disk many times.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where programs of the guest listen.
const BRIDGE: u16 = 9618;
const DAEMON: u16 = 9617;
const HTTP: u16 = 9616;
/// No answer and no output of a command is longer.
const MAX_ANSWER: usize = 1024 * 1024;

/// A variant of the trusted application, as `scripts/optee/applications` builds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Takes seeds.
    Development,
    /// Takes none.
    Production,
    /// The development application, which crashes on request.
    Faults,
    /// The production application of the next version.
    Next,
    /// The production application, signed as one of the version before.
    Older,
    /// The production application with one bit changed after it was signed.
    Changed,
    /// The production application, signed by somebody else.
    OtherKey,
    /// The production application, signed with the key in OP-TEE's source.
    PublicKey,
}

/// A machine that can be booted again on the same disk.
pub struct Machine {
    name: String,
    directory: PathBuf,
    bridge: Port,
    daemon: Port,
    http: Port,
    /// What `scripts/optee/boot` is told to boot.
    kind: &'static str,
}

/// A booted machine, and a connection to the bridge in its guest. Dropping it cuts its power.
pub struct Guest<'a> {
    machine: &'a Machine,
    variant: Variant,
    process: Process,
    bridge: TcpStream,
}

impl Variant {
    fn directory(self) -> &'static str {
        match self {
            Variant::Development => "development",
            Variant::Production => "production",
            Variant::Faults => "faults",
            Variant::Next => "next",
            Variant::Older => "older",
            Variant::Changed => "changed",
            Variant::OtherKey => "other-key",
            Variant::PublicKey => "public-key",
        }
    }

    /// Which of the two applications it is a variant of.
    pub fn is_development(self) -> bool {
        matches!(self, Variant::Development | Variant::Faults)
    }

    /// Its file, as it is installed in the guest.
    pub fn file(self) -> Result<PathBuf> {
        let directory = built("applications")?.join(self.directory());
        let entry = std::fs::read_dir(&directory)?.next().context("an application has a file")?;
        Ok(entry?.path())
    }
}

impl Machine {
    /// A machine named `name` with its disk in `directory`, which is made at the first boot.
    pub fn new(directory: &Path, name: &str) -> Result<Machine> {
        let (bridge, daemon, http) = (Port::free()?, Port::free()?, Port::free()?);
        Ok(Machine { name: name.to_owned(), directory: directory.to_owned(), bridge, daemon, http, kind: "plain" })
    }

    /// The same with a card that has RPMB, an OP-TEE that uses it, and applications that keep their cell there.
    pub fn with_rpmb(directory: &Path, name: &str) -> Result<Machine> {
        Ok(Machine { kind: "rpmb", ..Machine::new(directory, name)? })
    }

    /// That machine with an OP-TEE that takes a disk of any age, so that only the application's cell can tell.
    pub fn with_rpmb_for_the_cell(directory: &Path, name: &str) -> Result<Machine> {
        Ok(Machine { kind: "rpmb-cell", ..Machine::new(directory, name)? })
    }

    /// Boots it with this variant of the application, and waits until its guest answers.
    pub async fn boot(&self, variant: Variant) -> Result<Guest<'_>> {
        let forwards: Vec<String> = [(&self.bridge, BRIDGE), (&self.daemon, DAEMON), (&self.http, HTTP)]
            .iter()
            .map(|(here, there)| format!("{}:{there}", here.number()))
            .collect();
        let application = if variant.is_development() { "development" } else { "production" };
        let arguments = [
            self.kind,
            &self.disk().display().to_string(),
            &forwards.join(","),
            variant.directory(),
            "holdfast-optee-bridge",
            "serve",
            application,
            &BRIDGE.to_string(),
        ];
        let arguments = arguments.map(String::from);
        let process = Process::start(&self.name, &built("boot")?, &arguments, &self.directory)?;
        process.log().wait_for("bridge: listening", SOON).await?;
        let bridge = TcpStream::connect((Ipv4Addr::LOCALHOST, self.bridge.number()))?;
        bridge.set_nodelay(true)?;
        bridge.set_read_timeout(Some(PATIENCE))?;
        Ok(Guest { machine: self, variant, process, bridge })
    }

    /// What the machine stores: OP-TEE's files in a file system.
    pub fn disk(&self) -> PathBuf {
        self.directory.join(format!("{}.img", self.name))
    }
}

impl Guest<'_> {
    /// Runs a command in the guest's shell, and gives what it printed.
    pub fn run(&mut self, command: &str) -> Result<String> {
        let printed = self.converse(b'r', command.as_bytes())?;
        let printed = printed.map_err(|reason| anyhow::anyhow!("`{command}` in the guest: {reason}"))?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// Asks the application.
    pub fn ask(&mut self, command: Command) -> Result<Result<Reply, holdfast_ta::Error>> {
        let answer = self.call(&Request::V1(command).encode())?;
        let Answer::V1(result) = Answer::decode_all(&mut answer.as_slice())?;
        Ok(result)
    }

    /// Asks the application for what it must do.
    pub fn expect(&mut self, command: Command) -> Result<Reply> {
        self.ask(command)?.map_err(|error| anyhow::anyhow!("the application says {error:?}"))
    }

    /// Starts the daemon in the guest, over the application that was booted, and waits until it serves. As a service
    /// manager would, the guest starts it again when it ends. Gives what a node's `--keystore-uri` is given.
    pub async fn start_daemon(&mut self) -> Result<String> {
        self.start_daemon_with("").await
    }

    /// The same with these lines in its configuration file.
    pub async fn start_daemon_with(&mut self, options: &str) -> Result<String> {
        let tee = if self.variant.is_development() { "optee-development" } else { "optee" };
        self.run(&format!(
            "echo '{options}' >/tmp/host.toml
             while :; do
               holdfast-host --config /tmp/host.toml --tee {tee} --socket /run/holdfast/host.sock \
                 --http 0.0.0.0:{HTTP} --unauthenticated-tcp 0.0.0.0:{DAEMON}
               echo \"guest: the daemon ended with $?\"
               sleep 0.1
             done </dev/null >/dev/console 2>&1 &"
        ))?;
        self.process.log().wait_for(" listening ", SOON).await?;
        Ok(format!("tcp://127.0.0.1:{}", self.machine.daemon.number()))
    }

    /// Where the daemon serves health and metrics.
    pub fn http_address(&self) -> String {
        format!("127.0.0.1:{}", self.machine.http.number())
    }

    /// What the guest wrote to its console since it was booted.
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// Cuts the power (SIGKILL of QEMU): what the guest had not written to its disk is lost.
    pub fn cut_power(mut self) -> Result<()> {
        self.process.kill()
    }

    /// QEMU's process, for whoever cuts the power while this is asked something.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The answer, or the bridge's reason for none.
    fn converse(&mut self, kind: u8, question: &[u8]) -> Result<Result<Vec<u8>, String>> {
        let mut message = vec![kind];
        message.extend(u32::try_from(question.len())?.to_le_bytes());
        message.extend(question);
        self.bridge.write_all(&message)?;
        let mut head = [0; 5];
        self.bridge.read_exact(&mut head)?;
        let [outcome, length @ ..] = head;
        let length = u32::from_le_bytes(length) as usize;
        ensure!(length <= MAX_ANSWER, "the bridge announces {length} bytes");
        let mut answer = vec![0; length];
        self.bridge.read_exact(&mut answer)?;
        match outcome {
            0 => Ok(Ok(answer)),
            1 => Ok(Err(String::from_utf8_lossy(&answer).into_owned())),
            _ => bail!("the bridge answers with {outcome}"),
        }
    }
}

impl Link for Guest<'_> {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.converse(b'c', request)
            .map_err(|error| LinkError::Broken(format!("the guest is gone: {error:#}")))?
            .map_err(LinkError::Broken)
    }

    fn name(&self) -> String {
        format!("the {} application of OP-TEE in QEMU", self.variant.directory())
    }
}

/// Something of the environment: `boot` is the script that boots it.
fn built(name: &str) -> Result<PathBuf> {
    let path = if name == "boot" {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/optee/boot")
    } else {
        binaries::beside("optee")?.join(name)
    };
    ensure!(path.exists(), "{} is not there: build it first with `scripts/optee/build`", path.display());
    Ok(path)
}
