use std::{fmt, time::Duration};

use holdfast_ta::{Info, Kind};

use crate::Finding;

/// What was asked of which TEE, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    tee: Tee,
    seed: u64,
    checks: Vec<Checked>,
}

/// The TEE that answered, by its own account: no caller can name it otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tee {
    link: String,
    info: Info,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What must hold.
    pub name: &'static str,
    /// Whether it does.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not.
    Failed(Finding),
    /// It is for development applications, since it needs a seed or a key of type `test`, and this is a production one;
    /// or it is for production ones, since it needs evidence, and this is a development one.
    NotAsked,
    /// The platform says that it cannot do this, so nothing was checked.
    Unsupported,
}

/// A trusted application that does not conform.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It does not even say what it is and which keys it holds.
    #[error("the trusted application cannot be asked anything: {0}")]
    NoStart(#[source] Finding),
    /// At least one check failed.
    #[error("{0}")]
    Checks(Box<Report>),
}

impl Report {
    pub(crate) fn new(tee: Tee, seed: u64, checks: Vec<Checked>) -> Self {
        Self { tee, seed, checks }
    }

    /// The TEE that answered.
    pub fn tee(&self) -> &Tee {
        &self.tee
    }

    /// Every check, in the order in which they were made.
    pub fn checks(&self) -> &[Checked] {
        &self.checks
    }

    pub(crate) fn passed(self) -> Result<Self, Failure> {
        if self.checks.iter().any(|check| matches!(check.verdict, Verdict::Failed(_))) {
            return Err(Failure::Checks(Box::new(self)));
        }
        Ok(self)
    }
}

impl Tee {
    pub(crate) fn new(link: String, info: Info) -> Self {
        Self { link, info }
    }

    /// What it said of itself when the suite began.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// What kind it is.
    pub fn kind(&self) -> &'static str {
        match self.info.kind {
            Kind::Software => "software TEE, not a TEE",
            Kind::OpTee => "OP-TEE",
        }
    }
}

impl fmt::Display for Tee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = if self.info.development { "development" } else { "production" };
        let Info { ta_version, schema, .. } = self.info;
        write!(f, "{} ({build}, version {ta_version}, store schema {schema}; link: {})", self.kind(), self.link)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Conformance of a trusted application on: {}", self.tee)?;
        writeln!(f, "Random requests from seed {:#018x}", self.seed)?;
        let (mut passed, mut not_asked, mut unsupported) = (0, 0, 0);
        let others = if self.tee.info.development { "production" } else { "development" };
        for Checked { name, verdict, took } in &self.checks {
            let took = format!("{:7.1} s", took.as_secs_f32());
            match verdict {
                Verdict::Passed => {
                    passed += 1;
                    writeln!(f, "  ok         {took}  {name}")?;
                }
                Verdict::Failed(finding) => writeln!(f, "  FAILED     {took}  {name}\n             {finding}")?,
                Verdict::NotAsked => {
                    not_asked += 1;
                    writeln!(f, "  not asked  {name} ({others} only)")?;
                }
                Verdict::Unsupported => {
                    unsupported += 1;
                    writeln!(f, "  NOT SHOWN  {name} (its platform says that it cannot)")?;
                }
            }
        }
        let failed = self.checks.len() - passed - not_asked - unsupported;
        write!(f, "{passed} checks passed, {failed} failed, {not_asked} not asked, {unsupported} not shown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tee(kind: Kind, link: &str) -> Tee {
        let info = Info {
            ta_version: 3,
            schema: 2,
            kind,
            development: true,
            keys: Some(0),
            catalogue: 0,
            rollback_protected: false,
            capacity: 4096,
        };
        Tee::new(link.into(), info)
    }

    /// Rule 9.
    #[test]
    fn a_software_tee_is_never_reported_as_op_tee_whatever_its_link_is_called() {
        let report = Report::new(tee(Kind::Software, "OP-TEE"), 1, vec![]).to_string();
        assert!(report.contains("on: software TEE, not a TEE (development, version 3, store schema 2;"), "{report}");
        let report = Report::new(tee(Kind::OpTee, "/dev/tee0"), 1, vec![]).to_string();
        assert!(report.contains("on: OP-TEE (development, version 3, store schema 2; link: /dev/tee0)"), "{report}");
    }

    #[test]
    fn one_failed_check_fails_the_report_and_each_check_is_in_it() {
        let checked = |name, verdict| Checked { name, verdict, took: Duration::from_millis(1500) };
        let passed = checked("one holds", Verdict::Passed);
        let not_asked = checked("two holds", Verdict::NotAsked);
        let unsupported = checked("four holds", Verdict::Unsupported);
        let failed = checked("three holds", Verdict::Failed(Finding::Reference("why".into())));
        let of = |checks| Report::new(tee(Kind::Software, "a link"), 1, checks).passed();
        let passing = vec![passed.clone(), not_asked.clone(), unsupported.clone()];
        assert_eq!(of(passing.clone()).unwrap().checks(), passing);
        let text = of(vec![passed, not_asked, failed, unsupported]).unwrap_err().to_string();
        assert!(text.contains("ok             1.5 s  one holds\n"), "{text}");
        assert!(text.contains("not asked  two holds (production only)\n"), "{text}");
        assert!(text.contains("FAILED         1.5 s  three holds\n             the reference failed: why\n"), "{text}");
        assert!(text.contains("NOT SHOWN  four holds (its platform says that it cannot)\n"), "{text}");
        assert!(text.ends_with("1 checks passed, 1 failed, 1 not asked, 1 not shown"), "{text}");
    }
}
