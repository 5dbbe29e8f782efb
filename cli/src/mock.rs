//! `holdfast mock`: a simulated Intel, for developers. Whatever a verifier says of what it makes, nothing of it is
//! true.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, IsTerminal, Write},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use anyhow::{bail, ensure, Context};
use clap::{Args, Subcommand, ValueEnum};
use holdfast_evidence::{
    mock::{self, Plan, Seed, DEVELOPMENT_SEED},
    td_attributes,
};

use crate::{input, output, time, values, Outcome};

/// The security version of the provisioning enclave (PCE) of a platform that is to be out of date: the mock's TCB info
/// has a level for it that is OutOfDate.
const OUTDATED_PCE: u16 = 10;

/// When a mock's certificates begin and end to be good.
const CERTIFICATES: RangeInclusive<u64> = 1_526_899_510..=2_524_607_999;

#[derive(Debug, Args)]
pub(crate) struct Mock {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Root(Root),
    Collateral(Collateral),
    Quote(Box<Quote>),
}

/// A SIMULATED root certificate, in DER: the same for the same seed
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  holdfast mock root --out root.der")]
struct Root {
    #[command(flatten)]
    from: Seeded,
    #[command(flatten)]
    to: Binary,
}

/// SIMULATED collateral, as JSON: the same for the same seed, kind and time
///
/// It is of the day before, and good for 29 days more.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  holdfast mock collateral --kind sgx --out collateral.json
  holdfast mock collateral --at 2026-01-01T00:00:00Z > collateral.json")]
struct Collateral {
    #[command(flatten)]
    from: Seeded,

    /// The quotes that it is for: only whether they are SGX's or TDX's matters here
    #[arg(long, value_enum, default_value_t)]
    kind: CollateralKind,

    /// When it is good: seconds since 1970, or a time such as 2026-01-01T00:00:00Z [default: now]
    #[arg(long, value_name = "UNIX|RFC3339", value_parser = time::parse, allow_hyphen_values = true)]
    at: Option<u64>,

    #[command(flatten)]
    to: Destination,
}

/// A SIMULATED quote: the same for the same options
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  holdfast mock quote --kind tdx-1.5 --out quote.bin
  holdfast mock quote --hex | holdfast quote verify - --collateral collateral.json --root root.der")]
struct Quote {
    #[command(flatten)]
    from: Seeded,

    /// Its shape
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,

    /// What the workload had put there: 64 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<64>)]
    report_data: Option<[u8; 64]>,

    /// Of a trust domain: 48 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<48>)]
    mrtd: Option<[u8; 48]>,
    /// Of a trust domain: 48 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<48>)]
    rtmr0: Option<[u8; 48]>,
    /// Of a trust domain: 48 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<48>)]
    rtmr1: Option<[u8; 48]>,
    /// Of a trust domain: 48 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<48>)]
    rtmr2: Option<[u8; 48]>,
    /// Of a trust domain: 48 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<48>)]
    rtmr3: Option<[u8; 48]>,

    /// Of an enclave: 32 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<32>)]
    mrenclave: Option<[u8; 32]>,
    /// Of an enclave: 32 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<32>)]
    mrsigner: Option<[u8; 32]>,

    /// The workload can be debugged, so that it is refused
    #[arg(long)]
    debug: bool,

    /// The platform is out of date, so that it is refused unless a policy accepts OutOfDate
    #[arg(long)]
    outdated: bool,

    #[command(flatten)]
    to: Binary,
}

#[derive(Debug, Args)]
struct Seeded {
    /// Any text; it gives all keys, and is no secret [default: the seed of development chains]
    #[arg(long, value_name = "TEXT")]
    seed: Option<String>,
}

#[derive(Debug, Args)]
struct Binary {
    #[command(flatten)]
    to: Destination,

    /// Write it in hexadecimal
    #[arg(long)]
    hex: bool,
}

#[derive(Debug, Args)]
struct Destination {
    /// The file that it goes to, in place of standard output (-)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write over a file that is there already
    #[arg(long)]
    force: bool,
}

/// What collateral is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CollateralKind {
    /// Enclaves
    Sgx,
    /// Trust domains; a quote's kind will do too
    #[default]
    #[value(aliases = ["tdx-v4", "tdx-v5", "tdx-1.5", "tdx-1.5ex"])]
    Tdx,
}

/// The shape of a quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Version 3, of an enclave
    Sgx,
    /// Version 4, of a trust domain, TDX 1.0
    #[default]
    TdxV4,
    /// Version 5, TDX 1.0
    TdxV5,
    /// Version 5, TDX 1.5
    #[value(name = "tdx-1.5")]
    Tdx15,
    /// Version 5, TDX 1.5ex
    #[value(name = "tdx-1.5ex")]
    Tdx15Ex,
}

impl Mock {
    pub(crate) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let terminal = io::stdout().is_terminal();
        match &self.action {
            Action::Root(root) => root.to.write(out, &mock::root(root.from.seed()), terminal),
            Action::Collateral(collateral) => {
                let json = collateral.json()?;
                collateral.to.write(out, json.as_bytes())
            }
            Action::Quote(quote) => quote.to.write(out, &quote.bytes()?, terminal),
        }?;
        // On standard error, since the other is what is simulated.
        let _ = writeln!(io::stderr(), "SIMULATED: {}", self.action.says());
        Ok(Outcome::Good)
    }
}

impl Action {
    fn says(&self) -> &'static str {
        match self {
            Action::Root(_) => "whoever trusts this root trusts everybody, since everybody can have its keys",
            Action::Collateral(_) => "Intel has not said this; only the mock root of the same seed verifies it",
            Action::Quote(_) => "no TEE has said this; only the mock root of the same seed verifies it",
        }
    }
}

impl Collateral {
    fn json(&self) -> anyhow::Result<String> {
        let at = self.at.unwrap_or_else(time::now);
        let (first, last) = (time::shown(*CERTIFICATES.start()), time::shown(*CERTIFICATES.end()));
        ensure!(
            CERTIFICATES.contains(&at),
            "a mock's certificates are good from {first} to {last}: choose a time between"
        );
        let kind = match self.kind {
            CollateralKind::Sgx => mock::Kind::Sgx,
            CollateralKind::Tdx => mock::Kind::TdV4,
        };
        let mut plan = Plan::new(kind, at);
        plan.seed = self.from.seed();
        let json = serde_json::to_string_pretty(&plan.unsigned().sign().collateral).context("cannot write JSON")?;
        Ok(json + "\n")
    }
}

impl Quote {
    fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        // Nothing in a quote depends on the time.
        let mut plan = Plan::new(self.kind.shape(), 0);
        plan.seed = self.from.seed();
        let registers = [&self.mrtd, &self.rtmr0, &self.rtmr1, &self.rtmr2, &self.rtmr3];
        if self.kind == Kind::Sgx {
            let none = registers.iter().all(|register| register.is_none());
            ensure!(none, "an enclave has neither MRTD nor RTMRs: leave them out, or choose another --kind");
        } else {
            let none = self.mrenclave.is_none() && self.mrsigner.is_none();
            ensure!(none, "a trust domain has neither MRENCLAVE nor MRSIGNER: leave them out, or choose --kind sgx");
        }
        let (td, enclave) = (&mut plan.td, &mut plan.enclave);
        let places = [&mut td.mr_td, &mut td.rtmr0, &mut td.rtmr1, &mut td.rtmr2, &mut td.rtmr3];
        for (place, given) in places.into_iter().zip(registers) {
            *place = given.unwrap_or(*place);
        }
        enclave.mr_enclave = self.mrenclave.unwrap_or(enclave.mr_enclave);
        enclave.mr_signer = self.mrsigner.unwrap_or(enclave.mr_signer);
        td.report_data = self.report_data.unwrap_or(td.report_data);
        enclave.report_data = self.report_data.unwrap_or(enclave.report_data);
        if self.debug {
            td.td_attributes = (u64::from_le_bytes(td.td_attributes) | td_attributes::DEBUG).to_le_bytes();
            enclave.attributes[0] |= 2;
        }
        if let Some(sgx) = plan.certificates.pck.sgx.as_mut().filter(|_| self.outdated) {
            sgx.pce_svn = Some(OUTDATED_PCE);
        }
        Ok(plan.unsigned().sign().quote)
    }
}

impl Seeded {
    fn seed(&self) -> Seed {
        self.seed.as_deref().map_or(DEVELOPMENT_SEED, Seed::from)
    }
}

impl Binary {
    fn write(&self, out: &mut impl Write, bytes: &[u8], terminal: bool) -> anyhow::Result<()> {
        if self.hex {
            return self.to.write(out, format!("{}\n", hex::encode(bytes)).as_bytes());
        }
        ensure!(
            self.to.file().is_some() || !terminal,
            "these are bytes that a terminal cannot show: write them to a file with --out FILE, or as text with --hex"
        );
        self.to.write(out, bytes)
    }
}

impl Destination {
    /// `None` for standard output.
    fn file(&self) -> Option<&Path> {
        self.out.as_deref().filter(|file| !input::is_standard(file))
    }

    fn write(&self, out: &mut impl Write, bytes: &[u8]) -> anyhow::Result<()> {
        let Some(file) = self.file() else { return output::put_bytes(out, bytes) };
        let cannot = || format!("cannot write {}", input::name(file));
        // What is no file, a pipe or a terminal, holds nothing that could be lost.
        let holds_something = file.metadata().is_ok_and(|known| known.is_file());
        let opened = match self.force || !holds_something && file.exists() {
            true => File::create(file),
            false => OpenOptions::new().write(true).create_new(true).open(file),
        };
        match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("{}: it is there already; write over it with --force", cannot())
            }
            opened => opened.and_then(|mut opened| opened.write_all(bytes)).with_context(cannot),
        }
    }
}

impl Kind {
    fn shape(self) -> mock::Kind {
        match self {
            Kind::Sgx => mock::Kind::Sgx,
            Kind::TdxV4 => mock::Kind::TdV4,
            Kind::TdxV5 => mock::Kind::Td10,
            Kind::Tdx15 => mock::Kind::Td15,
            Kind::Tdx15Ex => mock::Kind::Td15Ex,
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_evidence::{verify, Policy, ReportData};

    use super::*;

    #[test]
    fn collateral_is_made_for_every_time_at_which_the_certificates_are_good_and_for_no_other() {
        let seeded = || Seeded { seed: Some("a seed".into()) };
        let made = |at| {
            let to = Destination { out: None, force: false };
            Collateral { from: seeded(), kind: CollateralKind::Tdx, at: Some(at), to }.json()
        };
        let quote = Plan { seed: seeded().seed(), ..Plan::new(mock::Kind::TdV4, 0) }.unsigned().sign().quote;
        for at in [*CERTIFICATES.start(), *CERTIFICATES.end()] {
            let collateral = serde_json::from_str(&made(at).expect("between")).expect("collateral");
            assert!(
                verify(&quote, &collateral, &mock::root(seeded().seed()), at, &Policy::strict(), ReportData::Any)
                    .is_ok(),
                "{at}"
            );
        }
        // The last of them is the last that there is, and none of them ends in a panic.
        for at in [0, CERTIFICATES.start() - 1, CERTIFICATES.end() + 1, 253_402_300_799, u64::MAX] {
            let error = made(at).expect_err("not between").to_string();
            assert!(
                error.ends_with("from 2018-05-21T10:45:10Z to 2049-12-31T23:59:59Z: choose a time between"),
                "{error}"
            );
        }
    }

    #[test]
    fn bytes_go_to_no_terminal_unless_as_text() {
        let written = |name: Option<&str>, hex, terminal| {
            let mut out = Vec::new();
            let to = Destination { out: name.map(PathBuf::from), force: false };
            Binary { to, hex }.write(&mut out, &[0, 0xff], terminal).map(|()| out)
        };
        for name in [None, Some("-")] {
            assert_eq!(written(name, false, false).expect("a pipe"), [0, 0xff]);
            assert_eq!(written(name, true, false).expect("a pipe"), b"00ff\n");
            assert_eq!(written(name, true, true).expect("text"), b"00ff\n");
            let error = written(name, false, true).expect_err("a terminal").to_string();
            assert!(error.ends_with("write them to a file with --out FILE, or as text with --hex"), "{error}");
        }
    }
}
