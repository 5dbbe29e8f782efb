//! What every trusted application must hold, whatever TEE it runs on, asked over a [`Link`].
//!
//! [`run`] asks everything that one life of the application can answer; [`Kept`] is the part that needs it stopped and
//! started between. A production application is asked the same, but where a development one takes a seed or signs
//! anything it must refuse, and the checks that compare what was made of a seed are not asked of it, nor is its
//! measurement of a development one; the report says so, and also what the platform says that it cannot do. Signatures
//! and outputs are judged by `sp_core` and by the keystore of Substrate's client, never by the code under test.
//!
//! Keys that the suite makes are retired by it, and keys that it found are left alone; but a development application
//! may well know `//Alice` already, so run it on one that can be lost.

#![forbid(unsafe_code)]

mod bench;
mod checks;
mod finding;
mod kept;
mod material;
mod measurement;
mod random;
mod report;

use std::time::Instant;

use holdfast_host::Link;

use bench::Bench;
use checks::{Asks, Check};
pub use finding::Finding;
pub use kept::Kept;
pub use measurement::verify_measurement;
pub use report::{Checked, Failure, Report, Tee, Verdict};

/// Where the suite's random requests come from, so that a run can be repeated: it is printed with each report.
pub const SEED: u64 = u64::from_be_bytes(*b"holdfast");

/// What the application under test is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// A development one: it takes seeds and makes keys of type `test`.
    pub development: bool,
}

/// Asks everything. The report is of every check, whether it passed or not.
pub fn run(link: &mut dyn Link, expect: Expect) -> Result<Report, Failure> {
    let mut bench = Bench::new(link, expect).map_err(Failure::NoStart)?;
    let tee = Tee::new(bench.link_name(), bench.info().map_err(Failure::NoStart)?);
    let checks = checks::ALL.iter().map(|check| made(&mut bench, check)).collect();
    Report::new(tee, SEED, checks).passed()
}

fn made(bench: &mut Bench<'_>, check: &Check) -> Checked {
    let begun = Instant::now();
    let verdict = ask(bench, check);
    Checked { name: check.name, verdict, took: begun.elapsed() }
}

fn ask(bench: &mut Bench<'_>, check: &Check) -> Verdict {
    let asked = match check.asks {
        Asks::All => true,
        Asks::Development => bench.expect.development,
        Asks::Production => !bench.expect.development,
    };
    if !asked {
        return Verdict::NotAsked;
    }
    let outcome = (check.run)(bench);
    let cleared = bench.retire_made();
    match outcome.and(cleared) {
        Ok(()) => Verdict::Passed,
        Err(Finding::Unsupported) => Verdict::Unsupported,
        Err(finding) => Verdict::Failed(finding),
    }
}
