//! Ours beside dcap-qvl, an independent verifier, on evidence with something changed in it.
//!
//! Half of it is changed before a mock PKI signs it, so that it gets past the signatures. `HOLDFAST_MUTATIONS` says how
//! many; `HOLDFAST_SEED` repeats a run, and `HOLDFAST_CASE` one of its cases. What ours accepts the other accepts, and
//! says the same of it. Where ours alone refuses, [`classes::STRICTER`] has the reason.

mod after;
mod cases;
mod classes;
mod der;
mod documents;
mod found;
mod json;
mod plan;
mod random;
mod verdicts;

use std::{
    collections::BTreeMap,
    num::NonZero,
    panic::{catch_unwind, AssertUnwindSafe},
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use cases::{case, Case};
use classes::{class, is_known, LONG, STRICTER};

pub(crate) use crate::case::NOW;
/// Seconds.
const DAY: u64 = 24 * 60 * 60;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What came of the cases, by what it is.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<String, u64>,
    failures: Vec<String>,
}

impl Tally {
    fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn with(mut self, other: Tally) -> Tally {
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
        self.failures.extend(other.failures);
        self
    }

    fn judge(&mut self, index: u64, case: &Case) {
        match verdicts::compare_parsed(&case.signed.quote) {
            Some(true) => self.count("quote of version 4: tdx-quote reads the same"),
            Some(false) => self.count("quote of version 4: tdx-quote cannot read it"),
            None => {}
        }
        match (verdicts::ours(case), verdicts::theirs(case)) {
            (Ok(ours), Ok(theirs)) => {
                let whole = verdicts::compare(case, &ours, &theirs);
                self.count(if whole { "both accept" } else { "both accept, not compared in full" });
            }
            (Err(_), Err(_)) => self.count("both refuse"),
            (Ok(_), Err(theirs)) => {
                self.failures.push(format!("{index}: WE ACCEPT, THEY REFUSE: {theirs}: {:?}", case.story));
            }
            (Err(ours), Ok(_)) => {
                let class = class(&ours);
                if !is_known(case, &class, &ours) {
                    self.failures.push(format!("{index}: only we refuse, {class}: {ours}: {:?}", case.story));
                }
                self.count(format!("only we refuse: {class}"));
            }
        }
    }
}

fn judge_all(seed: u64, indices: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for index in indices {
        if catch_unwind(AssertUnwindSafe(|| tally.judge(index, &case(seed, index)))).is_err() {
            tally.failures.push(format!("{index}: a comparison failed, see above"));
        }
    }
    tally
}

#[test]
fn nothing_is_accepted_that_another_verifier_refuses() {
    let mutations = number("HOLDFAST_MUTATIONS").unwrap_or(5000);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
    // A short run is the same each time, so that it says something of what was changed here; a long one looks further.
    let seed = number("HOLDFAST_SEED").unwrap_or(if mutations < LONG { 1 } else { now });
    println!("HOLDFAST_SEED={seed} HOLDFAST_MUTATIONS={mutations}");
    let begun = Instant::now();

    let indices = match number("HOLDFAST_CASE") {
        Some(case) => case..case + 1,
        None => 0..mutations,
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let tally = thread::scope(|scope| {
        let share = |worker| indices.clone().skip(worker).step_by(workers);
        let running: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn({
                    let share = share(worker);
                    move || judge_all(seed, share)
                })
            })
            .collect();
        let tallies = running.into_iter().map(|worker| worker.join().expect("what it judges is caught"));
        tallies.fold(Tally::default(), Tally::with)
    });
    for (what, count) in &tally.counts {
        println!("{count:7}  {what}");
    }
    println!("{:7}  seconds", begun.elapsed().as_secs());
    assert!(tally.failures.is_empty(), "with HOLDFAST_SEED={seed}:\n{}", tally.failures.join("\n"));
    if mutations >= LONG {
        for (class, _) in STRICTER {
            assert!(tally.counts.contains_key(&format!("only we refuse: {class}")), "{class} was not seen");
        }
    }
}

#[test]
fn what_nothing_was_changed_in_is_the_same_to_both() {
    let mut tally = Tally::default();
    for (index, mock) in cases::mocks().iter().enumerate() {
        let case = Case { signed: mock.signed.clone(), now: NOW, service_td: false, story: vec![] };
        tally.judge(index as u64, &case);
    }
    for (index, (signed, first, last)) in cases::real().iter().enumerate() {
        for now in [*first, first + (last - first) / 2, *last] {
            let case = Case { signed: signed.clone(), now, service_td: false, story: vec![] };
            tally.judge(index as u64, &case);
        }
    }
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert_eq!(tally.counts.get("both accept"), Some(&(10 + 3 * 3)));
    // The platform of `tdx_quote_outdated` is on none of the levels.
    assert_eq!(tally.counts.get("both refuse"), Some(&3));
}
