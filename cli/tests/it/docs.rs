//! `docs/cli.md` says what is.

use std::{
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::*;

const DOCS: &str = include_str!("../../../docs/cli.md");

#[test]
fn every_example_in_the_documentation_prints_what_it_says() {
    let (home, sources) = (home(), Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    symlink(env!("CARGO_BIN_EXE_holdfast"), bin.join("holdfast")).expect("linked");
    symlink(sources.join("evidence"), home.path().join("evidence")).expect("linked");
    let paths = format!("{}:{}", path(&bin), std::env::var("PATH").expect("set"));
    let mut examples = 0;
    for block in DOCS.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("something");
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            let command = line.strip_prefix("$ ").expect("a command");
            let mut expected = String::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected += &format!("{line}\n");
            }
            let shell = Command::new("sh")
                .args(["-c", command])
                .current_dir(home.path())
                .env("PATH", &paths)
                .stdin(Stdio::null())
                .output()
                .expect("runs");
            assert_eq!(text(&shell.stdout), expected, "{command}: {}", text(&shell.stderr));
            assert!(shell.stderr.is_empty(), "{command}: {}", text(&shell.stderr));
            examples += 1;
        }
    }
    assert!(examples >= 7);
}

#[test]
fn the_documentation_lists_every_key() {
    let home = home();
    let files = mock_files(home.path(), "tdx-v4");
    let verify = ["quote", "verify", &files.quote, "--collateral", &files.collateral, "--root", &files.root];
    let answer = json(&run(&[&verify[..], &["--format", "json"]].concat()));
    let collateral = std::fs::read(&files.collateral).expect("made");
    let collateral: serde_json::Value = serde_json::from_slice(&collateral).expect("JSON");
    let keys = [&answer, &collateral].map(|object| object.as_object().expect("an object").keys().cloned());
    for key in keys.into_iter().flatten() {
        assert!(DOCS.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn the_policy_in_the_documentation_is_one() {
    let home = home();
    let files = mock_files(home.path(), "tdx-v4");
    let policy = DOCS.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a policy");
    let policy = write(home.path(), "policy.toml", policy);
    let verify = ["quote", "verify", &files.quote, "--collateral", &files.collateral, "--root", &files.root];
    let verified = run(&[&verify[..], &["--policy", &policy]].concat());
    assert_eq!(code(&verified), 0, "{}{}", text(&verified.stdout), text(&verified.stderr));
}
