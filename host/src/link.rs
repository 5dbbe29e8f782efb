//! The way to a trusted application: bytes in, bytes out.

use std::panic::{catch_unwind, AssertUnwindSafe};

use holdfast_ta::{dispatch, Memory, Tee};

use crate::translate::kind_name;

/// A way to one trusted application. One thread owns it and makes one call at a time.
pub trait Link: Send {
    /// Carries a SCALE-encoded `holdfast_ta::Request` there and its `holdfast_ta::Answer` back.
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError>;

    /// What is at the other end, for logs.
    fn name(&self) -> String;

    /// What may be the matter when a call does not come back, and what to do; `None` if there is no telling.
    fn silence(&self) -> Option<&'static str> {
        None
    }
}

/// Why no answer came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The trusted application panicked; it starts again from its store.
    #[error("it panicked, and starts again from its store")]
    Panicked,
    /// The way is broken; the reason in the platform's words.
    #[error("{0}")]
    Broken(String),
}

/// A trusted application in this process.
pub struct InProcess<T>(T);

impl<T: Tee + Send> InProcess<T> {
    /// Over this platform.
    pub fn new(tee: T) -> InProcess<T> {
        InProcess(tee)
    }
}

impl<T: Tee + Send> Link for InProcess<T> {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        catch_unwind(AssertUnwindSafe(|| dispatch(&mut self.0, request))).map_err(|_| {
            // What it had in memory may be half changed; its store, where each write is whole, is not.
            *self.0.memory() = Memory::default();
            LinkError::Panicked
        })
    }

    fn name(&self) -> String {
        format!("{}, in this process", kind_name(self.0.kind()))
    }
}
