//! The answer, for people and for programs.

use std::fmt::Write as _;

use holdfast_evidence::{Error, TcbVerdict, Verified};
use serde_json::{json, Value};

use super::{
    advice,
    steps::{Steps, Went},
    Given, Root,
};
use crate::{
    certificate,
    fields::Fields,
    output::{shown, UNUSABLE},
    time, workload,
};

/// The keys of the answer for programs, in their order.
const KEYS: [&str; 21] = [
    "verified",
    "error",
    "detail",
    "advice",
    "simulated",
    "root",
    "at",
    "overdue",
    "good_until",
    "tcb_status",
    "advisories",
    "evaluation_data_number",
    "tcb_date",
    "qe_tcb_date",
    "fmspc",
    "ppid",
    "pck_serial",
    "tee",
    "measurements",
    "report_data",
    "steps",
];

/// The answer for programs where there is nothing to judge.
pub(super) fn unusable(detail: &str, at: u64) -> Fields {
    KEYS.into_iter().fold(Fields::default(), |fields, key| match key {
        "verified" => fields.with(key, false),
        "error" => fields.with(key, UNUSABLE),
        "detail" => fields.with(key, shown(detail)),
        "at" => fields.with(key, at),
        _ => fields.with(key, Value::Null),
    })
}

/// What came of judging a quote.
pub(super) struct Answer<'a> {
    pub(super) given: &'a Given,
    pub(super) root: Root,
    pub(super) steps: &'a Steps,
    pub(super) verdict: &'a Result<Verified, Error>,
}

impl Answer<'_> {
    /// Every key is always there. What no step established that held is null.
    pub(super) fn json(&self) -> Fields {
        let Steps { pck, report, verdict, .. } = self.steps;
        let error = self.verdict.as_ref().err();
        let verdict = verdict.as_ref();
        let advisories = verdict.map(|verdict| verdict.advisories.iter().map(|id| id.to_string()).collect());
        let measurements = report.as_ref().map(workload::measurements);
        Fields::default()
            .with("verified", self.verdict.is_ok())
            .with("error", error.map(Error::name))
            .with("detail", error.map(|error| shown(&error.to_string())))
            .with("advice", self.advice())
            .with("simulated", self.root == Root::Simulated)
            .with("root", self.root.name())
            .with("at", self.given.now)
            .with("overdue", verdict.map(|verdict| self.is_overdue(verdict)))
            .with("good_until", verdict.map(|verdict| verdict.good_until))
            .with("tcb_status", verdict.map(|verdict| verdict.status.to_string()))
            .with("advisories", advisories.map_or(Value::Null, Vec::<String>::into))
            .with("evaluation_data_number", verdict.map(|verdict| verdict.evaluation_data_number))
            .with("tcb_date", verdict.map(|verdict| verdict.date))
            .with("qe_tcb_date", verdict.map(|verdict| verdict.qe_date))
            .with("fmspc", pck.as_ref().map(|pck| hex::encode(pck.platform.fmspc)))
            .with("ppid", pck.as_ref().map(|pck| hex::encode(pck.platform.ppid)))
            .with("pck_serial", pck.as_ref().map(|pck| certificate::serial(&pck.serial)))
            .with("tee", report.as_ref().map(workload::tee_of))
            .with("measurements", measurements.map_or(Value::Null, |fields| fields.object()))
            .with("report_data", report.as_ref().map(|report| hex::encode(report.report_data())))
            .with("steps", self.steps.all().map(|(name, went)| step(name, went)).collect::<Vec<_>>())
    }

    /// What was checked, what held, where it stopped and why.
    pub(super) fn text(&self, file: &str, policy: &str) -> String {
        let verdict = match self.verdict {
            Ok(_) if self.root == Root::Simulated => "VERIFIED, BUT SIMULATED",
            Ok(_) => "VERIFIED",
            Err(_) => "REFUSED",
        };
        let root = match self.root {
            Root::Intel => "Intel's root",
            Root::Simulated => "A SIMULATED ROOT, whose keys anybody can make",
            Root::Other => "the root that was given, which is not Intel's",
        };
        let at = time::shown(self.given.now);
        let mut out = format!("{verdict}: {file}\nat {at}, by {root}, and by {policy}\n");
        if self.steps.verdict.as_ref().is_some_and(|verdict| self.is_overdue(verdict)) {
            out += "by collateral that is overdue, within the policy's grace\n";
        }
        out.push('\n');
        let steps: Vec<_> = self.steps.all().collect();
        let width = steps.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, went) in steps {
            let mark = match went {
                Went::Held(_) => "ok  ",
                Went::Failed(_) => "FAIL",
                Went::NotReached => "-   ",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {mark}  {name:<width$}  {}", said(went));
        }
        if let Some(advice) = self.advice() {
            let _ = write!(out, "\n{advice}\n");
        }
        self.sections(&mut out);
        out
    }

    fn advice(&self) -> Option<String> {
        self.steps.failed().and_then(|(step, error)| advice::on(error, step, self.given, self.root))
    }

    /// Certificates have no grace: what holds in spite of its date is collateral.
    fn is_overdue(&self, verdict: &TcbVerdict) -> bool {
        verdict.good_until < self.given.now
    }

    /// What the steps that held established.
    fn sections(&self, out: &mut String) {
        let Steps { pck, report, verdict, .. } = self.steps;
        let mut platform = Fields::default();
        if let Some(verdict) = verdict {
            let advisories: Vec<String> = verdict.advisories.iter().map(|id| id.to_string()).collect();
            platform = platform
                .with("tcb_status", verdict.status.to_string())
                .with("advisories", advisories)
                .with("evaluation_data_number", verdict.evaluation_data_number)
                .with_time("tcb_date", verdict.date)
                .with_time("qe_tcb_date", verdict.qe_date)
                .with_time("good_until", verdict.good_until);
        }
        if let Some(pck) = pck {
            platform = platform
                .with_bytes("fmspc", &pck.platform.fmspc)
                .with_bytes("ppid", &pck.platform.ppid)
                .with("pck_serial", certificate::serial(&pck.serial));
            let _ = write!(out, "\nplatform\n{}", platform.text());
        }
        if let Some(report) = report {
            let fields = Fields::default().with("tee", workload::tee_of(report));
            let fields = fields.and(workload::measurements(report)).with_bytes("report_data", report.report_data());
            let refused = if self.verdict.is_err() { ", which was refused" } else { "" };
            let _ = write!(out, "\nworkload{refused}\n{}", fields.text());
        }
    }
}

fn said(went: Went<'_>) -> String {
    match went {
        Went::Held(established) => established.to_string(),
        Went::Failed(error) => format!("{}: {}", error.name(), shown(&error.to_string())),
        Went::NotReached => "not reached".into(),
    }
}

fn step(name: &str, went: Went<'_>) -> Value {
    let (holds, detail) = match went {
        Went::Held(_) => (Some(true), Some(said(went))),
        Went::Failed(_) => (Some(false), Some(said(went))),
        Went::NotReached => (None, None),
    };
    json!({ "name": name, "holds": holds, "detail": detail })
}
