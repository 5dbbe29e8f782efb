//! `holdfast quote verify`: whether a quote is true, and what is demanded.

mod advice;
mod page;
mod steps;

use std::{io::Write, path::PathBuf};

use clap::Args;
use holdfast_evidence::{mock, verify, Collateral, Error, Policy, ReportData, Verified, INTEL_ROOT};
use serde::Serialize;

use crate::{certificate, input, output, output::Format, policy, time, values, Outcome};
use steps::Steps;

/// Verify a quote by its collateral, and judge it by a policy
///
/// Nothing is fetched. The collateral is what Intel publishes about platforms of this kind, in one JSON file of the
/// shape that dcap-qvl calls QuoteCollateralV3, with the keys tcb_info, tcb_info_signature, tcb_info_issuer_chain,
/// qe_identity, qe_identity_signature, qe_identity_issuer_chain, pck_crl, pck_crl_issuer_chain, root_ca_crl and, where
/// the quote does not carry it, pck_certificate_chain; docs/cli.md says how to get them. Without a policy only a platform that is up
/// to date will do, and any workload: compare its measurements and its report data with what you expect.
///
/// Ends with 0 if the quote is verified, with 1 if it is refused, with 2 if something given cannot be used or read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  holdfast quote verify quote.bin --collateral collateral.json --policy policy.toml
  holdfast quote verify quote.hex --collateral collateral.json --at 2025-07-01T00:00:00Z --format json")]
pub(crate) struct Verify {
    /// The quote: raw bytes, or hexadecimal with 0x in front or without and white space anywhere; - for standard input
    file: PathBuf,

    /// What Intel publishes about platforms of this kind, as JSON
    #[arg(long, value_name = "FILE")]
    collateral: PathBuf,

    /// The root certificate to trust in place of Intel's: DER, PEM or hexadecimal
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,

    /// When it is judged: seconds since 1970, or a time such as 2025-07-01T00:00:00Z [default: now]
    #[arg(long, value_name = "UNIX|RFC3339", value_parser = time::parse, allow_hyphen_values = true)]
    at: Option<u64>,

    /// What is demanded, in TOML: `holdfast policy example` prints one with every key
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// What the quote's report data has to be, 64 bytes: it is refused if they differ
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<64>)]
    report_data: Option<[u8; 64]>,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// All that a quote is judged by.
struct Given {
    quote: Vec<u8>,
    collateral: Collateral,
    root: Vec<u8>,
    now: u64,
    policy: Policy,
    report_data: Option<[u8; 64]>,
}

/// Whose the root certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Intel,
    /// A seed's, and not a secret one.
    Simulated,
    Other,
}

impl Verify {
    pub(crate) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let now = self.at.unwrap_or_else(time::now);
        let judged = self.read(now).and_then(|given| judge(&given).map(|(steps, verdict)| (given, steps, verdict)));
        if let (Err(error), Format::Json) = (&judged, self.format) {
            output::print(out, self.format, &page::unusable(&format!("{error:#}"), now), |_| String::new())?;
        }
        let (given, steps, verdict) = judged?;
        let answer = page::Answer { given: &given, root: Root::of(&given.root), steps: &steps, verdict: &verdict };
        output::print(out, self.format, &answer.json(), |_| self.text(&answer))?;
        Ok(if verdict.is_ok() { Outcome::Good } else { Outcome::Refused })
    }

    fn read(&self, now: u64) -> anyhow::Result<Given> {
        let more = [&self.root, &self.policy].into_iter().flatten();
        let files = [&self.file, &self.collateral].into_iter().chain(more);
        input::check_one_standard_input(files.map(PathBuf::as_path))?;
        Ok(Given {
            // What is typed most often wrong, and cheapest to read, first.
            policy: self.policy.as_deref().map_or_else(|| Ok(Policy::strict()), policy::load)?,
            root: self.root.as_deref().map_or_else(|| Ok(INTEL_ROOT.to_vec()), input::root)?,
            collateral: input::collateral(&self.collateral)?,
            quote: input::quote(&self.file)?,
            now,
            report_data: self.report_data,
        })
    }

    fn text(&self, answer: &page::Answer<'_>) -> String {
        let policy = match &self.policy {
            Some(file) => format!("the policy in {}", input::name(file)),
            None => "the strict policy, as none is given".into(),
        };
        answer.text(&input::name(&self.file), &policy)
    }
}

/// What is printed for programs where there is nothing to judge.
pub(crate) fn unusable(detail: &str) -> impl Serialize {
    page::unusable(detail, time::now())
}

/// The verdict is [`verify`]'s; the steps say how it came about.
fn judge(given: &Given) -> anyhow::Result<(Steps, Result<Verified, Error>)> {
    let Given { quote, collateral, root, now, policy, report_data } = given;
    let (mut steps, explained) = steps::take(given);
    let verdict = verify(quote, collateral, root, *now, policy, ReportData::Any);
    let verdict = agreed(explained, verdict)?.and_then(|verified| steps.compare(verified, report_data));
    Ok((steps, verdict))
}

/// A quote about which the two disagree is not verified, whichever of them is wrong.
fn agreed(
    explained: Result<Verified, Error>,
    verdict: Result<Verified, Error>,
) -> anyhow::Result<Result<Verified, Error>> {
    anyhow::ensure!(
        explained == verdict,
        "the quote is not verified: step by step it comes to another verdict than at once, which is a mistake in this \
         program. Please report it with the files"
    );
    Ok(verdict)
}

impl Root {
    fn of(der: &[u8]) -> Root {
        if der == INTEL_ROOT {
            Root::Intel
        } else if der == mock::development_root() || certificate::is_simulated(der) {
            Root::Simulated
        } else {
            Root::Other
        }
    }

    /// For programs.
    fn name(self) -> &'static str {
        match self {
            Root::Intel => "intel",
            Root::Simulated => "simulated",
            Root::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests;
