//! How answers are printed.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Write},
};

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

/// The error's name, for programs, where something that was given cannot be used or read.
pub(crate) const UNUSABLE: &str = "Unusable";

/// For whom an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Prints an answer in one of its formats.
pub(crate) fn print<T: Serialize>(
    out: &mut impl Write,
    format: Format,
    answer: &T,
    text: impl Fn(&T) -> String,
) -> anyhow::Result<()> {
    match format {
        Format::Text => put(out, &text(answer)),
        Format::Json => put(out, &serde_json::to_string_pretty(answer).context("cannot write JSON")?),
    }
}

/// Prints text, and one newline at its end.
pub(crate) fn put(out: &mut impl Write, text: &str) -> anyhow::Result<()> {
    put_bytes(out, format!("{}\n", text.trim_end()).as_bytes())
}

/// Whoever reads no further (`| head -1`) has what he wants.
pub(crate) fn put_bytes(out: &mut impl Write, bytes: &[u8]) -> anyhow::Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write the answer"),
        _ => Ok(()),
    }
}

/// What somebody else wrote, so that it can neither forge a line of a page nor steer a terminal.
pub(crate) fn shown(text: &str) -> String {
    /// Names in certificates are shorter by far.
    const MOST: usize = 1000;
    let mut out = String::new();
    for character in text.chars().take(MOST) {
        if character.is_control() || !(character.is_ascii() || character.is_alphanumeric()) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Takes nothing, and says why.
    struct Closed(ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_answer_ends_with_one_newline_in_either_format() {
        let mut out = Vec::new();
        for format in [Format::Text, Format::Json] {
            print(&mut out, format, &["one"], |words| words.concat() + "\n\n").expect("a vector takes it");
        }
        assert_eq!(String::from_utf8_lossy(&out), "one\n[\n  \"one\"\n]\n");
    }

    #[test]
    fn a_reader_who_has_left_is_no_error_and_a_full_disk_is_one() {
        assert!(put(&mut Closed(ErrorKind::BrokenPipe), "one").is_ok());
        let error = put(&mut Closed(ErrorKind::StorageFull), "one").expect_err("nothing was written");
        assert_eq!(error.to_string(), "cannot write the answer");
    }

    #[test]
    fn what_others_wrote_can_neither_forge_a_line_nor_steer_a_terminal() {
        assert_eq!(shown("fine: 1 µs?"), "fine: 1 µs?");
        assert_eq!(shown("a\nVERIFIED\x1b[2J\u{202e}"), "a\\nVERIFIED\\u{1b}[2J\\u{202e}");
        assert!(shown(&"\u{0}".repeat(100_000)).len() <= 10_000);
    }
}
