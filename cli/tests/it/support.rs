//! Runs the binary.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// Where mock files are.
pub(crate) struct MockFiles {
    pub(crate) quote: String,
    pub(crate) collateral: String,
    pub(crate) root: String,
}

pub(crate) fn holdfast(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    holdfast(args).output().expect("runs")
}

/// With something on standard input.
pub(crate) fn run_with(args: &[&str], input: &[u8]) -> Output {
    let mut child = holdfast(args).stdin(Stdio::piped()).spawn().expect("starts");
    // It may end without reading all of it.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("ends")
}

/// With a standard output that nobody reads.
pub(crate) fn run_closed(args: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    holdfast(args).stdout(writer).output().expect("runs")
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {}", text(&output.stderr)))
}

pub(crate) fn home() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A file of a real quote, or of its collateral.
pub(crate) fn sample(name: &str) -> String {
    path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/tests/data/dcap-qvl").join(name))
}

pub(crate) fn path(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

/// Writes a file, and says where it is.
pub(crate) fn write(home: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let file = home.join(name);
    std::fs::write(&file, content).expect("written");
    path(&file)
}

/// A mock quote, its collateral and its root, good at present.
pub(crate) fn mock_files(home: &Path, kind: &str) -> MockFiles {
    let file = |name: &str| path(&home.join(format!("{kind}-{name}")));
    let files = MockFiles { quote: file("quote.bin"), collateral: file("collateral.json"), root: file("root.der") };
    for args in [
        &["mock", "root", "--out", &files.root][..],
        &["mock", "collateral", "--kind", kind, "--out", &files.collateral],
        &["mock", "quote", "--kind", kind, "--out", &files.quote],
    ] {
        let made = run(&[args, &["--force"]].concat());
        assert_eq!(code(&made), 0, "{args:?}: {}", text(&made.stderr));
        assert!(text(&made.stderr).starts_with("SIMULATED: ") && made.stdout.is_empty(), "{}", text(&made.stderr));
    }
    files
}
