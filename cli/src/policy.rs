//! Policy files: what somebody demands, in TOML.

use std::path::Path;

use anyhow::{anyhow, Context};
use holdfast_evidence::{
    td_attributes, Advisory, Measurements, Policy, SgxMeasurements, Statuses, TcbStatus, TdFeatures, TdxMeasurements,
    MAX_DENIED,
};
use serde::Deserialize;

use crate::{input, time, values};

/// A commented policy file with every key.
pub(crate) const EXAMPLE: &str = include_str!("policy.toml");

/// The longest grace. Who means older collateral judges by the time at which it was good.
const MAX_GRACE: u64 = 3650 * 24 * 60 * 60;

/// What serde expects, as people write it.
const WORDS: [(&str, &str); 5] = [
    (", expected a sequence", ": write a list in brackets, such as [\"UpToDate\"]"),
    (", expected a boolean", ": write true or false, without quotes"),
    (", expected a string", ": write it in quotes"),
    (", expected u32", ": write a whole number of at most 32 bits, without quotes"),
    (", expected u16", ": write a whole number of at most 16 bits, without quotes"),
];

/// What a file demands.
pub(crate) fn load(file: &Path) -> anyhow::Result<Policy> {
    let text = input::policy(file)?;
    parse(&text).with_context(|| format!("the policy in {} cannot be used", input::name(file)))
}

fn parse(text: &str) -> anyhow::Result<Policy> {
    let file: File = toml::from_str(text).map_err(|cause| {
        // The cause quotes the file, in lines: each of them is shown as what it is.
        let cause = WORDS.iter().fold(cause.to_string(), |text, (serde, ours)| text.replace(serde, ours));
        let lines: Vec<String> = cause.lines().map(crate::output::shown).collect();
        anyhow!("{}\n`holdfast policy example` prints every key with what it means", lines.join("\n"))
    })?;
    file.policy()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    statuses: Option<Vec<Status>>,
    denied_advisories: Option<Vec<Denied>>,
    min_evaluation_data_number: Option<u32>,
    grace: Option<Grace>,
    #[serde(default)]
    td: Td,
    sgx: Option<Sgx>,
    tdx: Option<Tdx>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Td {
    attributes: Option<Vec<Attribute>>,
    xfam: Option<Xfam>,
    service_td: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sgx {
    mrenclave: Option<Bytes<32>>,
    mrsigner: Option<Bytes<32>>,
    isv_prod_id: Option<u16>,
    min_isv_svn: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tdx {
    mrtd: Option<Bytes<48>>,
    rtmr0: Option<Bytes<48>>,
    rtmr1: Option<Bytes<48>>,
    rtmr2: Option<Bytes<48>>,
    rtmr3: Option<Bytes<48>>,
    mrconfigid: Option<Bytes<48>>,
    mrowner: Option<Bytes<48>>,
    mrownerconfig: Option<Bytes<48>>,
}

impl File {
    /// What is not said is as strict as it can be.
    fn policy(self) -> anyhow::Result<Policy> {
        let strict = Policy::strict();
        let denied: Vec<Advisory> = self.denied_advisories.into_iter().flatten().map(|denied| denied.0).collect();
        let many = denied.len();
        let too_many = || anyhow!("denied_advisories has {many} of them, and {MAX_DENIED} are the most");
        let statuses = self.statuses.map(|all| all.into_iter().map(|status| status.0).collect::<Vec<_>>());
        if statuses.as_ref().is_some_and(Vec::is_empty) {
            return Err(anyhow!(
                "statuses is empty, so that nothing could be verified: leave it out for UpToDate alone"
            ));
        }
        // Nobody means to refuse what is better than all that he accepts.
        if statuses.as_ref().is_some_and(|all| !all.contains(&TcbStatus::UpToDate)) {
            return Err(anyhow!("statuses leaves out UpToDate: list every status that is accepted"));
        }
        let measurements = match (self.sgx, self.tdx) {
            (None, None) => None,
            (Some(sgx), None) => Some(Measurements::Sgx(sgx.measurements())),
            (None, Some(tdx)) => Some(Measurements::Tdx(tdx.measurements())),
            (Some(_), Some(_)) => {
                return Err(anyhow!("it has [sgx] and [tdx], and no workload is both: leave one of the tables out"))
            }
        };
        Ok(Policy {
            statuses: statuses.map_or(strict.statuses, |statuses| Statuses::of(&statuses)),
            denied_advisories: denied.try_into().map_err(|_| too_many())?,
            min_evaluation_data_number: self.min_evaluation_data_number.unwrap_or(strict.min_evaluation_data_number),
            grace: self.grace.map_or(strict.grace, |grace| grace.0),
            td: self.td.features(strict.td)?,
            measurements,
        })
    }
}

impl Td {
    fn features(self, strict: TdFeatures) -> anyhow::Result<TdFeatures> {
        let xfam = self.xfam.map_or(strict.xfam, |xfam| xfam.0);
        let unknown = xfam & !td_attributes::XFAM_OPTIONAL;
        if unknown != 0 {
            let most = td_attributes::XFAM_OPTIONAL;
            return Err(anyhow!("[td] xfam has bits that no trust domain can have, {unknown:#x}; {most:#x} are all"));
        }
        Ok(TdFeatures {
            attributes: self.attributes.map_or(strict.attributes, |all| all.iter().fold(0, |bits, one| bits | one.0)),
            xfam,
            service_td: self.service_td.unwrap_or(strict.service_td),
        })
    }
}

impl Sgx {
    fn measurements(self) -> SgxMeasurements {
        SgxMeasurements {
            mr_enclave: self.mrenclave.map(|bytes| bytes.0),
            mr_signer: self.mrsigner.map(|bytes| bytes.0),
            isv_prod_id: self.isv_prod_id,
            min_isv_svn: self.min_isv_svn.unwrap_or_default(),
        }
    }
}

impl Tdx {
    fn measurements(self) -> TdxMeasurements {
        let bytes = |register: Option<Bytes<48>>| register.map(|bytes| bytes.0);
        TdxMeasurements {
            mr_td: bytes(self.mrtd),
            rtmr: [self.rtmr0, self.rtmr1, self.rtmr2, self.rtmr3].map(bytes),
            mr_config_id: bytes(self.mrconfigid),
            mr_owner: bytes(self.mrowner),
            mr_owner_config: bytes(self.mrownerconfig),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Status(TcbStatus);

impl TryFrom<String> for Status {
    type Error = String;

    fn try_from(name: String) -> Result<Status, String> {
        let mut accepted = TcbStatus::ALL.into_iter().filter(|status| *status != TcbStatus::Revoked);
        match accepted.clone().find(|status| status.to_string() == name) {
            Some(status) => Ok(Status(status)),
            None if name == TcbStatus::Revoked.to_string() => Err("Revoked is never accepted: leave it out".into()),
            None => Err(format!("`{name}` is no status; there are {}", list(&mut accepted))),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Denied(Advisory);

impl TryFrom<String> for Denied {
    type Error = String;

    fn try_from(id: String) -> Result<Denied, String> {
        // What Intel never writes would deny nothing, and nobody would see that.
        let upper = id.to_ascii_uppercase();
        let prefix =
            ["INTEL-SA-", "INTEL-DOC-"].into_iter().find(|prefix| upper.starts_with(prefix)).unwrap_or_default();
        let number = upper.strip_prefix(prefix).filter(|_| !prefix.is_empty()).unwrap_or_default();
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match Advisory::new(&upper) {
            Some(advisory) if digits && number.len() == 5 => Ok(Denied(advisory)),
            _ if digits && number.len() < 5 => {
                Err(format!("`{id}` is no advisory's id: write five digits, {prefix}{number:0>5}"))
            }
            _ => Err(format!("`{id}` is no advisory's id: write INTEL-SA- and five digits, such as INTEL-SA-00615")),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Attribute(u64);

impl TryFrom<String> for Attribute {
    type Error = String;

    fn try_from(name: String) -> Result<Attribute, String> {
        let known = td_attributes::NAMES.iter().find(|(known, _)| *known == name);
        let names = || list(&mut td_attributes::NAMES.iter().map(|(name, _)| name));
        known
            .map(|(_, bit)| Attribute(*bit))
            .ok_or_else(|| format!("`{name}` is no attribute that a policy may allow; there are {}", names()))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> TryFrom<String> for Bytes<N> {
    type Error = String;

    fn try_from(text: String) -> Result<Bytes<N>, String> {
        values::bytes(&text).map(Bytes)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "NumberOrText")]
struct Grace(u64);

impl TryFrom<NumberOrText> for Grace {
    type Error = String;

    fn try_from(given: NumberOrText) -> Result<Grace, String> {
        let seconds = match given {
            NumberOrText::Number(seconds) => seconds.try_into().map_err(|_| "a grace cannot be negative")?,
            NumberOrText::Text(text) => time::duration(&text)?,
        };
        let most = time::duration_shown(MAX_GRACE);
        (seconds <= MAX_GRACE).then_some(Grace(seconds)).ok_or_else(|| format!("a grace is {most} at most"))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "NumberOrText")]
struct Xfam(u64);

impl TryFrom<NumberOrText> for Xfam {
    type Error = String;

    fn try_from(given: NumberOrText) -> Result<Xfam, String> {
        match given {
            NumberOrText::Number(bits) => bits.try_into().map(Xfam).map_err(|_| "xfam cannot be negative".into()),
            NumberOrText::Text(_) => Err("xfam is a number: leave out the quotes, as in xfam = 0x602e7".into()),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, or text in quotes; see the key in `holdfast policy example`")]
enum NumberOrText {
    Number(i64),
    Text(String),
}

fn list<T: ToString>(all: &mut dyn Iterator<Item = T>) -> String {
    all.map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
