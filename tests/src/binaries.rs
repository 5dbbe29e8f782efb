//! The programs under test.

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};

/// The node, as the workspace builds it.
pub fn node() -> Result<PathBuf> {
    binary("holdfast-node")
}

/// The signer daemon, as the workspace builds it.
pub fn host() -> Result<PathBuf> {
    binary("holdfast-host")
}

/// The network of validators for people, as the workspace builds it.
pub fn testnet() -> Result<PathBuf> {
    binary("holdfast-testnet")
}

/// Where something lies that is built beside the workspace's own profile, in the same build directory.
pub fn beside(name: &str) -> Result<PathBuf> {
    Ok(profile()?.parent().unwrap_or(Path::new(".")).join(name))
}

fn binary(name: &str) -> Result<PathBuf> {
    let path = profile()?.join(name);
    ensure!(
        path.is_file(),
        "{} is not there: build it first with `make build` (tests are built and run with --release)",
        path.display()
    );
    Ok(path)
}

/// Cargo puts test programs into `deps`, beside which the workspace's binaries lie.
fn profile() -> Result<PathBuf> {
    let own = std::env::current_exe().context("a running program has a path")?;
    let directory = own
        .ancestors()
        .skip(1)
        .find(|directory| !directory.ends_with("deps") && !directory.ends_with("examples"))
        .unwrap_or(Path::new("."));
    Ok(directory.to_owned())
}
