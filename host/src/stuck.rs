//! Whether the trusted application is still coming back. OP-TEE's may not: Linux keeps a call for ever if tee-supplicant
//! dies at the wrong moment, and lets go of it when the process that made it ends.

use std::{
    panic::resume_unwind,
    sync::mpsc::{channel, RecvTimeoutError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// The way to the trusted application does not come back, and only the end of the process frees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the trusted application has not come back for {waited:?}, and may never: Linux can keep a call for ever when \
     tee-supplicant dies in the middle of it. This process ends, which frees the call; its service manager is to start \
     it again. See that tee-supplicant runs"
)]
pub struct Stuck {
    /// `limits.stuck_ms`.
    pub waited: Duration,
}

/// Since when a call is under way.
pub(crate) type Busy = watch::Sender<Option<Instant>>;

/// Comes back when one call has been under way for so long.
pub(crate) async fn stuck(mut busy: watch::Receiver<Option<Instant>>, patience: Duration) -> Stuck {
    loop {
        let since = *busy.borrow_and_update();
        let changed = match since {
            None => busy.changed().await,
            Some(since) => match tokio::time::timeout_at(since + patience, busy.changed()).await {
                Ok(changed) => changed,
                Err(_) => return Stuck { waited: patience },
            },
        };
        if changed.is_err() {
            // The worker has let go of the trusted application.
            std::future::pending::<()>().await;
        }
    }
}

/// What `open` gives, unless that takes so long. Then its thread is left behind, for the end of the process.
pub fn opened<T: Send + 'static>(patience: Duration, open: impl FnOnce() -> T + Send + 'static) -> Result<T, Stuck> {
    let (done, wait) = channel::<()>();
    let thread = std::thread::spawn(move || {
        let opened = open();
        drop(done);
        opened
    });
    match wait.recv_timeout(patience) {
        Err(RecvTimeoutError::Timeout) => Err(Stuck { waited: patience }),
        _ => Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::Sender;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Whether it is noticed without waiting.
    async fn noticed(watched: &watch::Receiver<Option<Instant>>) -> bool {
        tokio::time::timeout(Duration::ZERO, stuck(watched.clone(), PATIENCE)).await == Ok(Stuck { waited: PATIENCE })
    }

    #[tokio::test]
    async fn a_call_that_takes_too_long_is_noticed_and_one_that_has_just_begun_is_not() {
        let (busy, watched) = watch::channel(None);
        assert!(!noticed(&watched).await);
        busy.send_replace(Some(Instant::now()));
        assert!(!noticed(&watched).await);
        busy.send_replace(Some(Instant::now() - PATIENCE));
        assert!(noticed(&watched).await);
        busy.send_replace(None);
        assert!(!noticed(&watched).await);
    }

    #[tokio::test]
    async fn each_call_is_watched_from_its_own_beginning() {
        let (busy, watched) = watch::channel(Some(Instant::now()));
        let watching = tokio::spawn(stuck(watched, PATIENCE));
        busy.send_replace(None);
        busy.send_replace(Some(Instant::now() - PATIENCE));
        assert_eq!(watching.await.expect("no panic"), Stuck { waited: PATIENCE });
    }

    #[tokio::test]
    async fn a_worker_that_has_ended_is_not_stuck() {
        let (busy, watched) = watch::channel(Some(Instant::now()));
        drop(busy);
        assert!(!noticed(&watched).await);
    }

    #[test]
    fn what_is_opened_in_time_is_given_and_what_is_not_is_left_behind() {
        assert_eq!(opened(PATIENCE, || 7), Ok(7));
        let (hold, held): (Sender<()>, _) = channel();
        let waited = Duration::from_millis(1);
        assert_eq!(opened(waited, move || held.recv().is_ok()), Err(Stuck { waited }));
        drop(hold);
    }
}
