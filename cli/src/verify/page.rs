//! The answer, for people and for programs.

use std::fmt::Write as _;

use holdfast_evidence::{Error, Verified};
use serde_json::Value;

use super::{
    advice,
    steps::{Steps, Went},
    Given, Root,
};
use crate::{certificate, fields::Fields, output::shown, time, workload};

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
        let advisories = verdict.as_ref().map(|verdict| verdict.advisories.iter().map(|id| id.to_string()).collect());
        let measurements = report.as_ref().map(workload::measurements);
        Fields::default()
            .with("verified", self.verdict.is_ok())
            .with("error", error.map(Error::name))
            .with("detail", error.map(|error| shown(&error.to_string())))
            .with("simulated", self.root == Root::Simulated)
            .with("root", self.root.name())
            .with("at", self.given.now)
            .with("tcb_status", verdict.as_ref().map(|verdict| verdict.status.to_string()))
            .with("advisories", advisories.map_or(Value::Null, Vec::<String>::into))
            .with("evaluation_data_number", verdict.as_ref().map(|verdict| verdict.evaluation_data_number))
            .with("good_until", verdict.as_ref().map(|verdict| verdict.good_until))
            .with("fmspc", pck.as_ref().map(|pck| hex::encode(pck.platform.fmspc)))
            .with("tee", report.as_ref().map(workload::tee_of))
            .with("measurements", measurements.map_or(Value::Null, |fields| fields.object()))
            .with("report_data", report.as_ref().map(|report| hex::encode(report.report_data())))
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
        let mut out = format!("{verdict}: {file}\nat {at}, by {root}, and by {policy}\n\n");
        let steps: Vec<_> = self.steps.all().collect();
        let width = steps.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, went) in steps {
            let (mark, said) = match went {
                Went::Held(established) => ("ok  ", established.to_string()),
                Went::Failed(error) => ("FAIL", format!("{}: {}", error.name(), shown(&error.to_string()))),
                Went::NotReached => ("-   ", "not reached".into()),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {mark}  {name:<width$}  {said}");
        }
        if let Err(error) = self.verdict {
            if let Some(advice) = advice::on(error, self.given, self.root) {
                let _ = write!(out, "\n{advice}\n");
            }
        }
        self.sections(&mut out);
        out
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
                .with("tcb_date", time::shown(verdict.date))
                .with("qe_tcb_date", time::shown(verdict.qe_date))
                .with("good_until", time::shown(verdict.good_until));
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
