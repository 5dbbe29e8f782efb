//! How the process ends.

use std::sync::{
    atomic::{AtomicU8, Ordering},
    Arc,
};

/// Another node holds the lease on the signer's keys. Started again, this one is a standby.
pub(crate) const SUPERSEDED: u8 = 10;
/// The signer's policy refused a vote, or a round waits for one that was not asked for. Started again, this node follows
/// until the round of a refused vote has passed, and votes in one that waits for it.
pub(crate) const POLICY: u8 = 11;

/// What `--help` says.
pub(crate) const HELP: &str = "\
Exit codes:
  0   the node ended as it was asked to
  1   an error, which is printed
  2   a command line that cannot be
  10  another node has taken over on the same signer: started again, this one is its standby
  11  the signer's policy refused a vote that contradicts one which the key has signed: started
      again, the node follows without voting until that round has passed. Or a round waits for a
      vote of this node, which it abstained from too long: started again, the node votes in it";

/// What a task leaves behind that ends the service. The first word is the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastWord(Arc<AtomicU8>);

impl LastWord {
    /// The service ends because another node has taken over.
    pub(crate) fn superseded(&self) {
        self.say(SUPERSEDED);
    }

    /// The service ends because the signer's policy refused a vote, or a vote that a round waits for is not asked for.
    pub(crate) fn policy(&self) {
        self.say(POLICY);
    }

    /// The exit code, if there was a word.
    pub(crate) fn code(&self) -> Option<u8> {
        Some(self.0.load(Ordering::SeqCst)).filter(|code| *code != 0)
    }

    fn say(&self, code: u8) {
        // If there was a word before, that one stays.
        let _ = self.0.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_the_exit_code() {
        let word = LastWord::default();
        assert_eq!(word.code(), None);
        word.clone().policy();
        word.superseded();
        assert_eq!(word.code(), Some(POLICY));
    }
}
