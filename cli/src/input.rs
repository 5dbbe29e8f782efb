//! Reads what is given, each with a bound, and says what to do where it is something else.

mod collateral;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{anyhow, bail, ensure, Context};
use holdfast_evidence::{certificates, Issuer, Part};

use crate::values;

pub(crate) use collateral::collateral;

/// The longest file of a quote, which in hexadecimal has twice as many bytes as the quote, and white space.
const MAX_QUOTE: usize = 64 * 1024;
/// The longest file of a policy.
const MAX_POLICY: usize = 64 * 1024;
/// The longest file of a root certificate.
const MAX_ROOT: usize = 64 * 1024;

/// How standard input is called in place of a file.
const STANDARD_INPUT: &str = "-";

/// A quote: raw, or in hexadecimal with 0x in front or without, and white space anywhere.
pub(crate) fn quote(file: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(file, "quote", MAX_QUOTE)?;
    raw(&bytes, "a quote").with_context(|| unusable("quote", file))
}

/// A root certificate, in DER; given so, in PEM or in hexadecimal.
pub(crate) fn root(file: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(file, "root certificate", MAX_ROOT)?;
    root_of(&bytes).with_context(|| unusable("root certificate", file))
}

/// The text of a policy.
pub(crate) fn policy(file: &Path) -> anyhow::Result<String> {
    let bytes = read(file, "policy", MAX_POLICY)?;
    let text = String::from_utf8(bytes).context("it is no text");
    text.with_context(|| unusable("policy", file))
}

/// Standard input can be read once only.
pub(crate) fn check_one_standard_input<'a>(files: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
    let standard = files.into_iter().filter(|file| is_standard(file)).count();
    ensure!(standard <= 1, "standard input (-) can stand for one file only: give the others by name");
    Ok(())
}

/// A file's name, for pages and errors.
pub(crate) fn name(file: &Path) -> String {
    match is_standard(file) {
        true => "standard input".into(),
        false => crate::output::shown(&file.display().to_string()),
    }
}

/// Whether it stands for standard input or output.
pub(crate) fn is_standard(file: &Path) -> bool {
    file.as_os_str() == STANDARD_INPUT
}

fn unusable(what: &str, file: &Path) -> String {
    format!("the {what} in {} cannot be used", name(file))
}

fn read(file: &Path, what: &str, most: usize) -> anyhow::Result<Vec<u8>> {
    let context = || format!("cannot read the {what} from {}", name(file));
    let read = match is_standard(file) {
        true => bounded(io::stdin().lock(), most),
        false => File::open(file).and_then(|open| bounded(open, most)),
    };
    let bytes = read.map_err(|error| anyhow!("{error}{}", remedy(error.kind()))).with_context(context)?;
    let (too_long, most_kib) = (bytes.len() > most, most / 1024);
    ensure!(!too_long, "{}: it is longer than {most_kib} KiB; is it another file?", unusable(what, file));
    ensure!(!bytes.is_empty(), "{}: it is empty; see why what writes it wrote nothing", unusable(what, file));
    Ok(bytes)
}

/// What to do about a file that cannot be read.
fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => ": look how its name is written; it is looked for from the working directory",
        io::ErrorKind::IsADirectory => ": name the file in it that is meant",
        io::ErrorKind::PermissionDenied => ": let the user who runs this read it",
        _ => "",
    }
}

/// Up to one byte more than may be there.
fn bounded(from: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Takes what is text for hexadecimal, and everything else as it is: quotes and certificates begin with bytes that text
/// does not have.
fn raw(bytes: &[u8], what: &str) -> anyhow::Result<Vec<u8>> {
    let Some(text) = text(bytes) else { return Ok(bytes.to_vec()) };
    let digits: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let (digits, all) = (values::without_prefix(&digits), digits.len());
    if let Some(other) = digits.chars().find(|character| !character.is_ascii_hexdigit()) {
        let forms = format!("{what} is given as raw bytes, or in hexadecimal");
        match text.trim_start().chars().next() {
            _ if text.trim_start().starts_with("-----BEGIN") => bail!("it is PEM, and {forms}"),
            Some('{' | '[' | '"') => bail!("it is JSON, and {forms}: take it out of the JSON first"),
            _ if is_nearly_hexadecimal(digits) => {
                let begin = if digits.len() < all { text.find(['x', 'X']).map_or(0, |at| at + 1) } else { 0 };
                let at = text[begin..].find(|digit: char| !digit.is_ascii_hexdigit() && !digit.is_whitespace());
                let (at, other) = (begin + at.unwrap_or_default(), other.escape_default());
                bail!("`{other}` at offset {at} is no hexadecimal digit, and nearly all else is one")
            }
            _ if digits.chars().all(|character| character.is_ascii_alphanumeric() || "+/-_=".contains(character)) => {
                bail!("it looks like base64, and {forms}: decode it first (base64 -d)")
            }
            _ => bail!("it is text with `{}` in it, and {forms}", other.escape_default()),
        }
    }
    ensure!(!digits.is_empty(), "it is nothing but white space");
    ensure!(
        digits.len().is_multiple_of(2),
        "it has {} hexadecimal digits, an odd number: one at least is missing",
        digits.len()
    );
    hex::decode(digits).context("it is not hexadecimal")
}

/// A tenth at most is something else; of base64 it is two thirds.
fn is_nearly_hexadecimal(digits: &str) -> bool {
    let others = digits.chars().filter(|digit| !digit.is_ascii_hexdigit()).count();
    others * 10 <= digits.chars().count()
}

/// `None` if it is something else.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|character| !character.is_control() || character.is_whitespace()).then_some(text)
}

fn root_of(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let der = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        // Whose chain it is plays no part: the error that names it is not shown.
        let mut all = certificates(Part::PckChain, bytes).ok().context("it is PEM, but not of one certificate")?;
        ensure!(all.len() == 1, "it has {} certificates: give the root's alone, the last of a chain", all.len());
        all.swap_remove(0)
    } else {
        raw(bytes, "a root certificate (also in PEM)")?
    };
    Issuer::root(&der).context("it is no root of Intel's kind")?;
    Ok(der)
}

#[cfg(test)]
mod tests {
    use holdfast_evidence::INTEL_ROOT;

    use super::*;

    fn error<T: std::fmt::Debug>(result: anyhow::Result<T>) -> String {
        format!("{:#}", result.expect_err("it cannot be used"))
    }

    #[test]
    fn a_quote_is_raw_or_hexadecimal_with_white_space_anywhere() {
        for given in [
            &b"\x04\x00\x02\xff"[..],
            b"040002ff",
            b"0x040002FF\n",
            b"0X040002ff",
            b" 0x04 00\r\n02\tff ",
            b"0 x040002ff",
        ] {
            assert_eq!(raw(given, "a quote").expect("a quote"), [4, 0, 2, 255], "{given:?}");
        }
    }

    #[test]
    fn what_is_no_quote_is_told_with_what_to_do() {
        for (given, says) in [
            ("040", "3 hexadecimal digits, an odd number"),
            (" \n", "nothing but white space"),
            ("0x", "nothing but white space"),
            ("-----BEGIN CERTIFICATE-----\n", "it is PEM, and a quote is given as raw bytes, or in hexadecimal"),
            ("{\"quote\": \"0400\"}", "take it out of the JSON first"),
            ("\"0400\"", "take it out of the JSON first"),
            ("BAACAIEAAAAAAAAAk5pyM/ecTKmUCg2zlX8GB==", "decode it first (base64 -d)"),
            ("Error: no quote", "it is text with `r` in it"),
            ("0x0400 02ff 939a z2 33 f7", "`z` at offset 17 is no hexadecimal digit, and nearly all else is one"),
            (&["0x040002ff939a7233f79c4ca9\n"; 3].concat(), "`x` at offset 28 is no hexadecimal digit"),
            ("0400\u{202e}", "it is text with `\\u{202e}` in it"),
        ] {
            let error = error(raw(given.as_bytes(), "a quote"));
            assert!(error.contains(says), "{given}: {error}");
        }
    }

    #[test]
    fn a_root_is_der_pem_or_hexadecimal_and_alone() {
        let pem = include_str!("../../evidence/tests/data/dcap-qvl/tdx_quote_collateral.json");
        let collateral: holdfast_evidence::Collateral = serde_json::from_str(pem).expect("collateral");
        let chain = &collateral.tcb_info_issuer_chain;
        let root = &chain[chain.rfind("-----BEGIN").expect("PEM")..];
        for given in [INTEL_ROOT, root.as_bytes(), hex::encode(INTEL_ROOT).as_bytes()] {
            assert_eq!(root_of(given).expect("a root"), INTEL_ROOT);
        }
        assert!(error(root_of(chain.as_bytes())).contains("2 certificates: give the root's alone"));
        let signer = &chain[..chain.rfind("-----BEGIN").expect("PEM")];
        assert!(error(root_of(signer.as_bytes())).starts_with("it is no root of Intel's kind: "));
        assert!(error(root_of(b"-----BEGIN PRIVATE KEY-----")).contains("PEM, but not of one certificate"));
        assert!(error(root_of(&INTEL_ROOT[..100])).contains("no root of Intel's kind"));
        assert!(error(root_of(b"root.der")).contains("a root certificate (also in PEM) is given as raw bytes"));
    }

    #[test]
    fn nothing_is_read_beyond_its_bound() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("quote");
        std::fs::write(&file, vec![b'0'; MAX_QUOTE]).expect("written");
        assert_eq!(quote(&file).expect("as long as it may be").len(), MAX_QUOTE / 2);
        std::fs::write(&file, vec![b'0'; MAX_QUOTE + 2]).expect("written");
        assert!(error(quote(&file)).contains("/quote cannot be used: it is longer than 64 KiB; is it another"));
        assert!(error(policy(&file)).contains("/quote cannot be used: it is longer than 64 KiB; is it another"));
        std::fs::write(&file, "").expect("written");
        assert!(error(quote(&file)).contains("/quote cannot be used: it is empty; see why"));
        std::fs::write(&file, [0xff]).expect("written");
        assert!(error(policy(&file)).contains("/quote cannot be used: it is no text: "));
        let directory = error(quote(home.path()));
        assert!(directory.starts_with("cannot read the quote from "), "{directory}");
        assert!(directory.ends_with(": name the file in it that is meant"), "{directory}");
        let none = error(quote(&home.path().join("none")));
        assert!(none.contains("No such file") && none.contains("look how its name is written"), "{none}");
    }

    // In place of a fuzzer: cut anywhere, and with any one byte changed.
    #[test]
    fn nothing_that_is_read_ends_in_a_panic() {
        let chain = include_bytes!("../../evidence/tests/data/dcap-qvl/tdx_quote");
        let pem = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".as_slice();
        for whole in [b"0x040002ff \n".as_slice(), &chain[..700], INTEL_ROOT, pem, "é0x\u{feff}".as_bytes()] {
            for at in 0..whole.len() {
                let (_, _) = (raw(&whole[..at], "a quote"), root_of(&whole[..at]));
                for byte in [0, b' ', b'-', b'"', 0x7f, 0x80, 0xff] {
                    let mut changed = whole.to_vec();
                    changed[at] = byte;
                    let (_, _) = (raw(&changed, "a quote"), root_of(&changed));
                }
            }
        }
    }
}
