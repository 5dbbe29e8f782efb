//! The harness itself: what it starts ends with it.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use holdfast_e2e::{directory, process::Process, within, SOON};
use rustix::process::Signal;

/// Printed by the helper below, with the id of its child.
const CHILD: &str = "child has id";

#[tokio::test]
async fn a_process_dies_with_the_killed_test_that_started_it() -> Result<()> {
    let directory = directory()?;
    let arguments = ["--exact", "process::starts_a_child_and_waits", "--ignored", "--nocapture"];
    let mut test = Process::start("test", &std::env::current_exe()?, &arguments.map(Into::into), directory.path())?;
    let line = test.log().wait_for(CHILD, SOON).await?;
    let id: u32 = line.rsplit(' ').next().and_then(|id| id.parse().ok()).context("the line ends with an id")?;
    assert!(runs(id));
    test.kill()?;
    ends(id).await
}

#[tokio::test]
async fn a_dropped_process_is_gone_even_if_it_was_stopped() -> Result<()> {
    let directory = directory()?;
    let process = sleeper(directory.path())?;
    let id = process.id();
    process.signal(Signal::STOP)?;
    assert!(runs(id));
    drop(process);
    assert!(!runs(id));
    Ok(())
}

#[tokio::test]
async fn a_process_that_ends_without_the_awaited_line_is_an_error() -> Result<()> {
    let directory = directory()?;
    let script = ["-c", "echo one; echo two >&2; exit 3"];
    let mut process = Process::start("sh", Path::new("/bin/sh"), &script.map(Into::into), directory.path())?;
    assert_eq!(process.log().wait_for("two", SOON).await?, "two");
    assert!(process.log().wait_for("three", SOON).await.is_err());
    assert_eq!(process.wait_exit(SOON).await?.code(), Some(3));
    assert!(process.check_running().is_err());
    Ok(())
}

/// No test of its own: the first test above runs it as a process, and kills that.
#[tokio::test]
#[ignore = "waits until it is killed"]
async fn starts_a_child_and_waits() -> Result<()> {
    let directory = directory()?;
    // Started from a thread that ends at once, as a test's helper may.
    let path = directory.path().to_owned();
    let child = std::thread::spawn(move || sleeper(&path)).join().expect("it does not panic")?;
    println!("{CHILD} {}", child.id());
    std::future::pending().await
}

fn sleeper(directory: &Path) -> Result<Process> {
    Process::start("sleep", Path::new("/bin/sleep"), &["600".into()], directory)
}

/// Whether a process is there and not a zombie, which nobody may have reaped (proc(5), `stat`).
fn runs(id: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .ok()
        .and_then(|stat| Some(!stat.rsplit_once(") ")?.1.starts_with('Z')))
        .unwrap_or(false)
}

/// The kernel tells nobody but the parent, so this asks.
async fn ends(id: u32) -> Result<()> {
    let asking = async {
        while runs(id) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(SOON, format!("the end of process {id}"), asking).await
}
