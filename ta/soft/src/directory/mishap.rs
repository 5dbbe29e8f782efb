//! What a test lets happen between two steps of a change.

use std::cell::Cell;
use std::panic::resume_unwind;

use rustix::io::Errno;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The disk says that it is full.
    Fails,
    /// The process ends there, and cleans nothing up.
    Dies,
}

pub(crate) const MISHAPS: [Mishap; 2] = [Mishap::Fails, Mishap::Dies];

/// What is thrown to end everything up to a test's `catch_unwind`.
pub(crate) struct Died;

/// A mishap after so many steps more.
#[derive(Default)]
pub(crate) struct Planned(Cell<Option<(usize, Mishap)>>);

impl Planned {
    pub(crate) fn plan(&self, steps: usize, mishap: Mishap) {
        self.0.set(Some((steps, mishap)));
    }

    /// Whether it has happened; clears it.
    pub(crate) fn happened(&self) -> bool {
        self.0.take().is_none()
    }

    /// A step is reached.
    pub(super) fn befall(&self) -> Result<(), Errno> {
        match self.0.take() {
            None => Ok(()),
            Some((0, Mishap::Fails)) => Err(Errno::NOSPC),
            Some((0, Mishap::Dies)) => resume_unwind(Box::new(Died)),
            Some((steps, mishap)) => {
                self.0.set(Some((steps - 1, mishap)));
                Ok(())
            }
        }
    }
}
