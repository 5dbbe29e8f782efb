//! How the process ends.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    Arc,
};

/// Another node holds the lease on the signer's keys. Started again, this one is a standby.
pub(crate) const SUPERSEDED: u8 = 10;

/// What `--help` says.
pub(crate) const HELP: &str = "\
Exit codes:
  0   the node ended as it was asked to
  1   an error, which is printed
  2   a command line that cannot be
  10  another node has taken over on the same signer: started again, this one is its standby";

/// What a task leaves behind that ends the service.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastWord(Arc<AtomicBool>);

impl LastWord {
    /// The service ends because another node has taken over.
    pub(crate) fn superseded(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it did.
    pub(crate) fn is_superseded(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
