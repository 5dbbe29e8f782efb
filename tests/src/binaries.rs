//! The programs under test.

use std::path::{Path, PathBuf};

/// The node, as the workspace builds it.
pub fn node() -> PathBuf {
    binary("holdfast-node")
}

/// The signer daemon, as the workspace builds it.
pub fn host() -> PathBuf {
    binary("holdfast-host")
}

/// Cargo puts test programs into `deps`, beside which the workspace's binaries lie.
fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let path = own
        .ancestors()
        .skip(1)
        .find(|directory| !directory.ends_with("deps") && !directory.ends_with("examples"))
        .unwrap_or(Path::new("."))
        .join(name);
    assert!(
        path.is_file(),
        "{} is not there: build it first with `cargo build --release --workspace --bins`, and run the tests with \
         --release",
        path.display()
    );
    path
}
