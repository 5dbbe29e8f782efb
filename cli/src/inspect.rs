//! `holdfast quote inspect`: what a quote says, which need not be true.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use clap::Args;
use holdfast_evidence::{Error, Quote, Report};
use serde::Serialize;

use crate::{
    certificate,
    fields::Fields,
    input, output,
    output::{Format, UNUSABLE},
    remedies, workload, Outcome,
};

const NOTICE: &str =
    "NOT VERIFIED: this is what the quote says of itself, and anybody can write one that says anything";

/// Show what a quote says, unverified
///
/// The quote is raw bytes, or hexadecimal with 0x in front or without and white space anywhere. Everything in it is
/// shown: header, body, the quoting enclave's (QE) report, and who certified the QE's key. Of what is no quote, or a
/// damaged one, as much of the header is shown as there is, and it ends with 2.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  holdfast quote inspect quote.bin
  holdfast mock quote --kind tdx-1.5 --hex | holdfast quote inspect -
  holdfast quote inspect quote.bin --format json | jq -r .body.mrtd")]
pub(crate) struct Inspect {
    /// The quote; - for standard input
    file: PathBuf,

    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is printed. Every key is always there; what could not be read is null.
#[derive(Debug, Default, Serialize)]
struct Page {
    /// Never. It is the first key, so that nobody overlooks it.
    verified: bool,
    notice: &'static str,
    error: Option<String>,
    detail: Option<String>,
    /// Whether its own certificates say that they are simulated.
    says_simulated: Option<bool>,
    header: Option<Fields>,
    body: Option<Fields>,
    signature: Option<Fields>,
    qe_report: Option<Fields>,
    certification: Option<Fields>,
    certificates: Option<Vec<Fields>>,
}

impl Inspect {
    pub(crate) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let bytes = match input::quote(&self.file) {
            Ok(bytes) => bytes,
            Err(error) => {
                if self.format == Format::Json {
                    output::print(out, self.format, &unusable(&format!("{error:#}")), |_| String::new())?;
                }
                return Err(error);
            }
        };
        let name = input::name(&self.file);
        let error = match Quote::parse(&bytes) {
            Ok(quote) => {
                output::print(out, self.format, &page(&quote), |page| text(page, &self.file))?;
                return Ok(Outcome::Good);
            }
            Err(error) => error,
        };
        let what = format!("{name} is no quote, or a damaged one ({} bytes)", bytes.len());
        output::print(out, self.format, &damaged(&bytes, &error), |page| text(page, &self.file))?;
        let advice = remedies::of(&error.name()).map(|remedy| format!("\n{}", remedy.advice)).unwrap_or_default();
        Err(anyhow!("{what}: {error}{advice}"))
    }
}

/// What is printed for programs where there is nothing to look at.
pub(crate) fn unusable(detail: &str) -> impl Serialize {
    let (error, detail) = (Some(UNUSABLE.into()), Some(output::shown(detail)));
    Page { notice: NOTICE, error, detail, ..Page::default() }
}

/// What can be read of what is no quote.
fn damaged(bytes: &[u8], error: &Error) -> Page {
    let (name, detail) = (Some(error.name()), Some(error.to_string()));
    Page { notice: NOTICE, error: name, detail, header: Some(rest_of_header(bytes)), ..Page::default() }
}

/// As many fields of a header as there are, whatever they say.
fn rest_of_header(bytes: &[u8]) -> Fields {
    let number = |at: usize, size: usize| {
        let bytes = bytes.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let numbers =
        [("version", 0, 2), ("attestation_key_type", 2, 2), ("tee_type", 4, 4), ("qe_svn", 8, 2), ("pce_svn", 10, 2)];
    let there = numbers.into_iter().filter_map(|(name, at, size)| Some((name, number(at, size)?)));
    let fields = there.fold(Fields::default(), |fields, (name, number)| fields.with(name, number));
    let arrays = [("qe_vendor", 12..28), ("user_data", 28..48)];
    let there = arrays.into_iter().filter_map(|(name, range)| Some((name, bytes.get(range)?)));
    there.fold(fields, |fields, (name, bytes)| fields.with_bytes(name, bytes))
}

fn page(quote: &Quote) -> Page {
    let (data_type, data) = &quote.certification_data;
    let chain = quote.pck_chain().map(certificate::chain);
    let certification = Fields::default().with("type", certification_type(*data_type)).with("bytes", data.len());
    let (certification, chain) = match chain {
        Ok(Ok(chain)) => (certification, chain),
        Ok(Err(damaged)) => (certification.with("damaged", damaged).with_bytes("data", data), vec![]),
        Err(_) => (certification.with_bytes("data", data), vec![]),
    };
    let certified = &quote.certification;
    Page {
        verified: false,
        notice: NOTICE,
        error: None,
        detail: None,
        says_simulated: Some(chain.iter().any(|der| certificate::is_simulated(der))),
        header: Some(header(quote)),
        body: Some(body(quote)),
        signature: Some(
            Fields::default()
                .with_bytes("attestation_key", &certified.attestation_key)
                .with_bytes("signature", &quote.signed.signature),
        ),
        qe_report: Some(
            workload::enclave(&certified.qe_report)
                .with_bytes("signature", &certified.qe_report_signature)
                .with_bytes("authentication_data", &certified.auth_data),
        ),
        certification: Some(certification),
        certificates: Some(chain.iter().map(|der| certificate::fields(der)).collect()),
    }
}

fn header(quote: &Quote) -> Fields {
    let header = &quote.header;
    // Parsing lets no other key type and no other vendor through.
    let vendor = quote.signed.bytes.get(12..28).unwrap_or_default();
    Fields::default()
        .with("version", header.version)
        .with("tee", header.tee.to_string())
        .with("attestation_key_type", "2 (ECDSA over P-256)")
        .with("qe_vendor", format!("{} (Intel)", hex::encode(vendor)))
        .with("qe_svn", header.qe_svn)
        .with("pce_svn", header.pce_svn)
        .with_bytes("user_data", &header.user_data)
}

fn body(quote: &Quote) -> Fields {
    let kind = workload::kind(&quote.report);
    match &quote.report {
        Report::Sgx(_) => {
            let body: Option<&[u8; 384]> = quote.signed.bytes.last_chunk();
            Fields::default().with("kind", kind).and(body.map(workload::enclave).unwrap_or_default())
        }
        Report::Tdx(report) => Fields::default().with("kind", kind).and(workload::trust_domain(report)),
    }
}

/// As Intel's quote library reference numbers them.
fn certification_type(number: u16) -> String {
    let name = match number {
        1 => "PPID in the clear",
        2 => "PPID, encrypted with RSA-2048",
        3 => "PPID, encrypted with RSA-3072",
        4 => "PCK certificate",
        5 => "chain of the PCK certificate",
        6 => "QE report",
        7 => "platform manifest",
        _ => "unknown",
    };
    format!("{number} ({name})")
}

fn text(page: &Page, file: &Path) -> String {
    let name = input::name(file);
    let mut out = match (&page.error, &page.detail) {
        (Some(error), Some(detail)) => {
            format!("{NOTICE}.\nDAMAGED: {name} is no whole quote. {error}: {detail}\n")
        }
        _ => format!("{NOTICE}.\nholdfast quote verify tells whether it is true of {name}.\n"),
    };
    if page.says_simulated == Some(true) {
        out += "SIMULATED: its own certificates say that they are Holdfast's mock.\n";
    }
    for (title, section) in [
        ("header", &page.header),
        ("body", &page.body),
        ("signature", &page.signature),
        ("report of the quoting enclave (QE)", &page.qe_report),
        ("certification data", &page.certification),
    ] {
        if let Some(section) = section {
            // Writing to a string cannot fail.
            let _ = write!(out, "\n{title}\n{}", section.text());
        }
    }
    let certificates = page.certificates.as_deref().unwrap_or_default();
    for (number, certificate) in (1..).zip(certificates) {
        let _ = write!(out, "\ncertificate {number} of {}\n{}", certificates.len(), certificate.text());
    }
    out
}

#[cfg(test)]
mod tests {
    use holdfast_evidence::mock::{Kind, Plan};

    use super::*;

    fn quote(kind: Kind, change: impl Fn(&mut Plan)) -> Quote {
        let mut plan = Plan::new(kind, 1_790_000_000);
        change(&mut plan);
        Quote::parse(&plan.unsigned().sign().quote).expect("a quote")
    }

    /// Without what aligns them.
    fn lines(text: &str) -> Vec<String> {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn the_first_thing_that_is_said_in_either_format_is_that_nothing_is_verified() {
        for kind in Kind::ALL {
            let page = page(&quote(kind, |_| ()));
            assert!(text(&page, Path::new("q")).starts_with("NOT VERIFIED: "));
            let json = serde_json::to_string(&page).expect("plain data");
            assert!(json.starts_with(r#"{"verified":false,"notice":"NOT VERIFIED: "#), "{json}");
            assert!(page.says_simulated == Some(true) && text(&page, Path::new("q")).contains("\nSIMULATED: "));
        }
    }

    #[test]
    fn every_field_of_a_body_is_shown() {
        let ex = quote(Kind::Td15Ex, |plan| {
            plan.td.report_data = [0x11; 64];
            plan.td.td_attributes = 0x8000_0000_5000_0004u64.to_le_bytes();
            plan.td.cur_service_td_attributes = [0x77; 8];
        });
        let lines = lines(&text(&page(&ex), Path::new("q")));
        for line in [
            format!("mrtd {}", "d0".repeat(48)),
            format!("report_data {}", "11".repeat(64)),
            "td_attributes 0x8000000050000004".into(),
            "td_attributes_named bit 2, SEPT_VE_DISABLE, PKS, PERFMON".into(),
            "xfam 0x602e7".into(),
            format!("td_id {}", "1d".repeat(32)),
            format!("current_service_td_attributes {}", "77".repeat(8)),
            "kind trust domain, TDX 1.5ex".into(),
        ] {
            assert!(lines.contains(&line), "{line}: {lines:#?}");
        }
        let sgx = quote(Kind::Sgx, |plan| (plan.enclave.isv_svn, plan.enclave.reserved_4[0]) = (258, 7));
        let lines = self::lines(&page(&sgx).body.expect("read").text());
        for line in [
            format!("mrenclave {}", "e0".repeat(32)),
            format!("mrsigner {}", "e1".repeat(32)),
            "isv_svn 258".into(),
            "attributes_named INIT, MODE64BIT".into(),
            "config_svn 7".into(),
        ] {
            assert!(lines.contains(&line), "{line}: {lines:#?}");
        }
    }

    #[test]
    fn who_certified_the_key_is_shown_however_it_is_told() {
        let page_of = |change: &dyn Fn(&mut Plan)| page(&quote(Kind::TdV4, change));
        let whole = page_of(&|_| ());
        let certificates = whole.certificates.expect("read");
        assert_eq!(certificates.len(), 3);
        let pck = lines(&certificates[0].text());
        for line in [
            "fmspc 004d4f434b00",
            "pce_id 0000",
            "pce_svn 11",
            "tcb_component_svns 4, 4, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0",
            "sgx_type 1 (scalable)",
            "smt_enabled yes",
        ] {
            assert!(pck.iter().any(|found| found == line), "{line}: {pck:#?}");
        }
        let other = page_of(&|plan| {
            plan.framing.certification_type = 3;
            plan.framing.certification_data = Some(vec![0xab; 36]);
        });
        assert_eq!(other.certificates, Some(vec![]));
        let text = other.certification.expect("read").text();
        assert!(text.contains("3 (PPID, encrypted with RSA-3072)") && text.contains("data   abab"), "{text}");
        let damaged = page_of(&|plan| plan.framing.certification_data = Some(b"no PEM".to_vec()));
        assert!(damaged.certification.expect("read").text().contains("damaged  the PCK certificate chain is not PEM"));
    }
}
