//! `holdfast`: what an operator or an outside verifier types. It asks nobody anything: whatever it says of a quote
//! follows from the files that it is given, the time, and Intel's root certificate.

#![forbid(unsafe_code)]

mod certificate;
mod fields;
mod input;
mod inspect;
mod mock;
mod output;
mod policy;
mod remedies;
mod report_data;
mod sgx_extension;
mod time;
mod values;
mod verify;
mod workload;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use output::Format;

/// Of a quote that is not verified.
const REFUSED: u8 = 1;
/// Of what cannot be used or read; it is clap's too.
const UNUSABLE: u8 = 2;

/// Shows and verifies evidence that a TEE runs what it says. Nothing is fetched: files are all that it needs.
///
/// Ends with 0 if all is well, with 1 if a quote was refused, with 2 if something given cannot be used or read.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  holdfast quote verify quote.bin --collateral collateral.json --policy policy.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what an Intel quote says, or verify it
    #[command(after_help = "Example:\n  holdfast quote inspect quote.bin")]
    Quote(Quote),

    /// What is demanded of a workload and its platform
    #[command(after_help = "Example:\n  holdfast policy example > policy.toml")]
    Policy(Policy),

    /// SIMULATED quotes, collateral and roots, for development: nothing that they say is true
    #[command(after_help = "Example:\n  holdfast mock root --out root.der")]
    Mock(mock::Mock),

    ReportData(report_data::ReportData),
}

#[derive(Debug, Args)]
struct Quote {
    #[command(subcommand)]
    action: QuoteAction,
}

#[derive(Debug, Subcommand)]
enum QuoteAction {
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
}

#[derive(Debug, Args)]
struct Policy {
    #[command(subcommand)]
    action: PolicyAction,
}

#[derive(Debug, Subcommand)]
enum PolicyAction {
    /// Print a commented policy file with every key, what it means and what holds where it is left out
    #[command(after_help = "Example:\n  holdfast policy example > policy.toml")]
    Example,
}

/// How it went, where nothing was in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Good,
    Refused,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return mistyped(&error),
    };
    match run(&cli) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(REFUSED),
        Err(error) => {
            // Not eprintln, which panics where standard error is closed.
            let _ = writeln!(io::stderr(), "holdfast: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

/// What clap says, or help; programs get an answer of theirs too.
fn mistyped(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let args: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let [action @ ("verify" | "inspect"), ..] = args.as_slice() {
        let _ = writeln!(io::stderr(), "\nDid you mean `holdfast quote {action}`?");
    }
    let json = args.contains(&"--format=json") || args.windows(2).any(|pair| pair == ["--format", "json"]);
    if error.use_stderr() && json {
        let (out, detail) = (&mut io::stdout().lock(), error.to_string());
        let _ = match args.as_slice() {
            ["quote", "inspect", ..] | ["inspect", ..] => {
                output::print(out, Format::Json, &inspect::unusable(&detail), |_| String::new())
            }
            _ => output::print(out, Format::Json, &verify::unusable(&detail), |_| String::new()),
        };
    }
    if error.use_stderr() {
        ExitCode::from(UNUSABLE)
    } else {
        ExitCode::SUCCESS
    }
}

fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let out = &mut io::stdout().lock();
    match &cli.command {
        Command::Quote(Quote { action: QuoteAction::Inspect(inspect) }) => inspect.run(out),
        Command::Quote(Quote { action: QuoteAction::Verify(verify) }) => verify.run(out),
        Command::Policy(Policy { action: PolicyAction::Example }) => {
            output::put(out, policy::EXAMPLE)?;
            Ok(Outcome::Good)
        }
        Command::Mock(mock) => mock.run(out),
        Command::ReportData(report_data) => report_data.run(out),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_of_every_command_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path}{}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains("Example:\n  holdfast ") || help.contains("Examples:\n  holdfast "),
                "{path}: {help}"
            );
            command.get_subcommands().for_each(|below| check(below, &format!("{path} ")));
        }
        let command = Cli::command();
        command.clone().debug_assert();
        check(&command, "");
    }
}
