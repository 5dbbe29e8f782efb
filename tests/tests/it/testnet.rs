//! `make testnet`: what its program starts, it ends, in every way in which it can end itself.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use holdfast_e2e::{binaries, directory, process::Process, within, SOON};
use rustix::process::{kill_process, Pid, Signal};

#[tokio::test]
async fn the_testnet_goes_on_where_it_was_and_leaves_nothing_running() -> Result<()> {
    let directory = directory()?;
    let net = directory.path().join("net");
    let mut best = 0;
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut testnet = start(directory.path(), &net, &[])?;
        let first = testnet.log().wait_for("  best #", SOON).await?;
        assert!(number_in(&first, "best #")? >= best, "block {best} was there before: {first}");
        assert!(first.contains("alice "), "{first}");
        best = number_in(&first, "best #")?.max(1) + 2;
        let there = |line: &str| number_in(line, "  best #").is_ok_and(|number| number >= best);
        let line = testnet.log().wait_for_line(&format!("block {best}"), SOON, there).await?;
        assert!(line.contains("by alice"), "{line}");
        assert_eq!(running(&net)?.len(), 3, "testnet, node and daemon: {:?}", running(&net)?);
        testnet.signal(signal)?;
        assert!(testnet.wait_exit(SOON).await?.success(), "{:?}", testnet.log().lines());
        assert!(running(&net)?.is_empty(), "{:?}", running(&net)?);
    }

    let mut testnet = start(directory.path(), &net, &[])?;
    testnet.log().wait_for("  best #", SOON).await?;
    testnet.kill()?;
    // The kernel tells nobody but the parent, so this asks.
    let asking = async {
        while !running(&net)?.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    within(SOON, "the end of all that the testnet had started", asking).await?
}

#[tokio::test]
async fn a_daemon_that_was_killed_by_its_printed_id_is_told_of_in_one_line() -> Result<()> {
    let directory = directory()?;
    let mut testnet = start(directory.path(), &directory.path().join("net"), &[])?;
    let table = testnet.log().wait_for("ws://", SOON).await?;
    let words: Vec<&str> = table.split_whitespace().collect();
    let (node, daemon) = (words.get(1).context("a node's id")?, words.last().context("a daemon's id")?);
    for (id, name) in [(node, "alice-node"), (daemon, "alice-host")] {
        let command = fs::read(format!("/proc/{id}/cmdline"))?;
        assert!(String::from_utf8_lossy(&command).contains(name), "{table}");
    }
    kill_process(Pid::from_raw(daemon.parse()?).context("an id")?, Signal::KILL)?;
    testnet.log().wait_for("alice signer away", SOON).await?;
    testnet.signal(Signal::INT)?;
    assert!(testnet.wait_exit(SOON).await?.success(), "{}", testnet.log().text());
    let log = testnet.log().text();
    assert!(log.contains("alice's daemon had ended before (its log: "), "{log}");
    assert!(!log.contains("alice's node had ended") && !log.contains("--- the last"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_testnet_that_cannot_be_says_why_and_what_to_do() -> Result<()> {
    let directory = directory()?;
    let net = directory.path().join("net");
    let mut testnet = start(directory.path(), &net, &[])?;
    let table = testnet.log().wait_for("ws://", SOON).await?;
    let rpc_port = number_in(&table, "ws://127.0.0.1:")?.to_string();

    let other = directory.path().join("other");
    let long = directory.path().join("d".repeat(120));
    let cases: [(&Path, &[&str], &str); 8] = [
        (&net, &[], "another network runs in"),
        (&other, &["--rpc-port", &rpc_port], "or choose other ports with --rpc-port"),
        (&other, &["--validators", "7"], "1..=6"),
        (&other, &["--slot-ms", "998"], "write an even number"),
        (&other, &["--slot-ms", "1001"], "write an even number"),
        (&other, &["--rpc-port", "30000", "--prometheus-port", "30000"], "at least 1 apart"),
        (&other, &["--validators", "4", "--rpc-port", "30000", "--prometheus-port", "29997"], "at least 4 apart"),
        (&long, &[], "choose a shorter directory"),
    ];
    for (directory_of_it, arguments, says) in cases {
        refuses(directory.path(), directory_of_it, arguments, says).await?;
    }
    testnet.signal(Signal::INT)?;
    assert!(testnet.wait_exit(SOON).await?.success());
    refuses(directory.path(), &net, &["--slot-ms", "2000"], "ask for the same").await?;
    fs::remove_dir_all(net.join("alice/alice-host-store"))?;
    refuses(directory.path(), &net, &[], "to begin a new chain").await?;
    assert!(!net.join("alice/alice-host.sock").exists(), "its daemon was asked to end");
    Ok(())
}

/// Starts a testnet of one validator, unless the arguments say otherwise, with its files in `net`.
fn start(directory: &Path, net: &Path, arguments: &[&str]) -> Result<Process> {
    let mut all = vec!["--dir".into(), net.display().to_string()];
    for (option, value) in [("--validators", "1"), ("--rpc-port", "0"), ("--prometheus-port", "0")] {
        if !arguments.contains(&option) {
            all.extend([option.into(), value.into()]);
        }
    }
    all.extend(arguments.iter().map(|argument| (*argument).into()));
    Process::start("testnet", &binaries::testnet()?, &all, directory)
}

async fn refuses(directory: &Path, net: &Path, arguments: &[&str], says: &str) -> Result<()> {
    let mut testnet = start(directory, net, arguments)?;
    let status = testnet.wait_exit(SOON).await?;
    let log = testnet.log().text();
    assert!(!status.success() && log.contains(says), "{status}: {log}");
    assert!(!log.contains("panicked") && !log.contains("--- the last"), "{log}");
    Ok(())
}

/// The command lines of all processes in which this directory is named.
fn running(directory: &Path) -> Result<Vec<String>> {
    let named = directory.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        // Of a zombie it is empty; what ends meanwhile has none.
        let command = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&named) {
            found.push(command);
        }
    }
    Ok(found)
}

/// The number that follows `before`.
fn number_in(line: &str, before: &str) -> Result<u32> {
    let (_, rest) = line.split_once(before).with_context(|| format!("`{before}` is not in: {line}"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("no number follows `{before}` in: {line}"))
}
