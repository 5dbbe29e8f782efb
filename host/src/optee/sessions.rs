//! A session with the trusted application that is opened again after it was lost.

use std::{
    sync::mpsc::{channel, RecvTimeoutError},
    time::Duration,
};

use holdfast_ta::MAX_ANSWER;

use super::OpTeeError;
use crate::link::LinkError;

/// What to say of a call that goes on and on.
pub(super) const SILENCE: &str = "tee-supplicant may not be running, and what needs secure storage waits until it is: \
                                  start it again";

/// The origin of a code that the application itself returned.
const ORIGIN_APPLICATION: u32 = 4;
/// How long the application may take to start before the log says so: some 0.2 s under emulation.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens sessions with one trusted application, and calls it.
pub(super) trait Client: Send {
    /// Closed when it is dropped.
    type Session: Send;

    /// Starts the application if need be.
    fn open(&mut self) -> Result<Self::Session, OpTeeError>;

    /// Hands over a request. The application writes its answer from the beginning of `answer`; returned is how many
    /// bytes it says that it has.
    fn invoke(&mut self, session: &mut Self::Session, request: &[u8], answer: &mut [u8]) -> Result<usize, OpTeeError>;
}

/// One session at a time.
pub(super) struct Sessions<C: Client> {
    client: C,
    session: Option<C::Session>,
}

impl<C: Client> Sessions<C> {
    /// Opens the first one.
    pub(super) fn open(mut client: C) -> Result<Sessions<C>, OpTeeError> {
        let late = || tracing::warn!("the trusted application does not start: {SILENCE}");
        let session = noticing(PATIENCE, late, || client.open())?;
        Ok(Sessions { client, session: Some(session) })
    }

    /// As `Link::call`. A request is handed over once at most, whatever becomes of it: it may be what the application
    /// does not survive.
    pub(super) fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        let session = match &mut self.session {
            Some(session) => session,
            lost => {
                let session = self.client.open()?;
                tracing::info!("a new session with the trusted application, since the one before was lost");
                lost.insert(session)
            }
        };
        let mut answer = vec![0; MAX_ANSWER];
        match self.client.invoke(session, request, &mut answer) {
            Ok(length) if length <= answer.len() => {
                answer.truncate(length);
                Ok(answer)
            }
            Ok(length) => Err(OpTeeError::Length(length).into()),
            Err(error) => {
                if ends_session(&error) {
                    self.session = None;
                }
                Err(error.into())
            }
        }
    }
}

/// Only what the application itself says leaves the session as it was.
fn ends_session(error: &OpTeeError) -> bool {
    error.is_panic() || !matches!(error, OpTeeError::Call { origin: ORIGIN_APPLICATION, .. })
}

/// Does `what`, and `late` meanwhile if it takes longer than that.
fn noticing<T>(patience: Duration, late: impl FnOnce() + Send, what: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (done, wait) = channel::<()>();
        let waiting = move || {
            if wait.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                late();
            }
        };
        // Without a thread for it nothing is noticed.
        let _ = std::thread::Builder::new().spawn_scoped(scope, waiting);
        let result = what();
        drop(done);
        result
    })
}

#[cfg(test)]
mod tests;
