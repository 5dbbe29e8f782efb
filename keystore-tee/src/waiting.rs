//! Waits for the daemon without holding up the node's runtime.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

/// Runs what may block. On a worker of a multi-threaded runtime, as an RPC handler is, another thread takes the
/// worker's other tasks over first. Not for a task of a `LocalSet`, which cannot be moved aside: tokio panics.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => block_in_place(work),
        _ => work(),
    }
}
