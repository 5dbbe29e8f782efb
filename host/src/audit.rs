//! The audit log: what was asked to be signed, by whom, and what came of it. A line of JSON for each, in files that turn.
//!
//! It is evidence for people, and nothing is decided by it: what may be signed twice is the trusted application's affair.

mod file;
mod record;

use std::{
    path::Path,
    sync::{
        mpsc::{sync_channel, Receiver, SyncSender},
        Arc,
    },
    thread::JoinHandle,
};

use holdfast_protocol::message::{Failure, Reply};

use crate::{config::Config, lease::Caller, metrics::Metrics};

pub use file::AuditError;
use file::Turning;
pub(crate) use record::Asked;

/// Lines that wait for the disk; each is under 8 KiB.
const WAITING: usize = 1024;

/// Writes the lines on a thread of its own. Dropping it waits until all of them are written.
pub(crate) struct Auditor {
    lines: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
}

impl Auditor {
    /// As the configuration says; `None` if there is to be no log.
    pub(crate) fn open(config: &Config, metrics: Arc<Metrics>) -> Result<Option<Auditor>, AuditError> {
        let Some(path) = config.audit_path() else { return Ok(None) };
        Auditor::start(&path, config.audit_log_size.saturating_mul(1 << 20), metrics).map(Some)
    }

    fn start(path: &Path, most: u64, metrics: Arc<Metrics>) -> Result<Auditor, AuditError> {
        let file = Turning::open(path, most)?;
        let (lines, waiting) = sync_channel(WAITING);
        let counted = metrics.clone();
        let thread = std::thread::Builder::new()
            .name("holdfast-audit".into())
            .spawn(move || keep(&waiting, file, &counted))
            .map_err(AuditError::Thread)?;
        Ok(Auditor { lines: Some(lines), thread: Some(thread), metrics })
    }

    /// Writes down what came of a request.
    ///
    /// When the disk is so slow that [`WAITING`] lines wait, this waits too: a flood of requests must not be a way to
    /// keep one out of the log. A disk that stands still holds up the trusted application's watermarks as well.
    pub(crate) fn record(&self, caller: &Caller, asked: &Asked, result: &Result<Reply, Failure>) {
        let line = record::line(&record::now(), caller, asked, result);
        // Only a thread that panicked takes no more.
        if self.lines.as_ref().is_none_or(|lines| lines.send(line).is_err()) {
            self.metrics.audit_lines_lost.inc();
        }
    }
}

impl Drop for Auditor {
    fn drop(&mut self) {
        self.lines.take();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the audit log ended before its time");
        }
    }
}

/// Writes until no more lines come. What cannot be written is lost, and keeps nobody from signing.
fn keep(lines: &Receiver<String>, mut file: Turning, metrics: &Metrics) {
    let mut lost = 0_u64;
    for line in lines {
        match file.write(&line) {
            Ok(()) if lost > 0 => {
                tracing::warn!(lost, file = %file.path().display(), "the audit log is written again");
                lost = 0;
            }
            Ok(()) => {}
            Err(error) => {
                metrics.audit_lines_lost.inc();
                if lost == 0 {
                    tracing::error!(
                        %error,
                        file = %file.path().display(),
                        "the audit log cannot be written: make room, or let the daemon's user write there. Signing goes \
                         on, and what is signed meanwhile is missing from it"
                    );
                }
                lost += 1;
            }
        }
    }
    if let Err(error) = file.sync() {
        tracing::warn!(%error, file = %file.path().display(), "the end of the audit log may not be on the disk");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::message::{Call, Context, KeyId, Scheme};

    fn asked() -> Asked {
        let key = KeyId { scheme: Scheme::Ed25519, key_type: *b"test", public: vec![1; 32] };
        let call = Call::Sign { key, message: vec![1], context: Context::None };
        Asked::of(&call).expect("it asks for a signature")
    }

    fn lines(path: &Path) -> usize {
        std::fs::read_to_string(path).expect("readable").lines().count()
    }

    #[test]
    fn what_was_recorded_is_in_the_file_once_the_auditor_is_gone() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("audit");
        let metrics = Arc::new(Metrics::new());
        let auditor = Auditor::start(&path, 1 << 20, metrics.clone()).expect("a new file");
        for _ in 0..WAITING + 10 {
            auditor.record(&Caller::Operator, &asked(), &Ok(Reply::Signature(vec![])));
        }
        drop(auditor);
        assert_eq!(lines(&path), WAITING + 10);
        assert_eq!(metrics.audit_lines_lost.get(), 0);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_those_after_it_are_written_again() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("audit");
        let metrics = Metrics::new();
        // So that each line but the first needs a new file.
        let file = Turning::open(&path, 1).expect("a new file");
        // No file takes the place of a directory, not even for root.
        std::fs::write(home.path().join("audit.3"), "").expect("written");
        let barred = home.path().join("audit.4");
        std::fs::create_dir(&barred).expect("made");
        let (sender, receiver) = sync_channel(1);
        std::thread::scope(|scope| {
            let metrics = &metrics;
            scope.spawn(move || keep(&receiver, file, metrics));
            sender.send("first\n".to_owned()).expect("taken");
            sender.send("lost\n".to_owned()).expect("taken");
            while metrics.audit_lines_lost.get() == 0 {
                std::thread::yield_now();
            }
            std::fs::remove_dir(&barred).expect("ours");
            sender.send("second\n".to_owned()).expect("taken");
            drop(sender);
        });
        assert_eq!(metrics.audit_lines_lost.get(), 1);
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "second\n");
        assert_eq!(std::fs::read_to_string(home.path().join("audit.1")).expect("readable"), "first\n");
    }

    #[test]
    fn a_daemon_whose_log_is_off_has_no_auditor() {
        let config = Config::embedded("/x".into());
        assert!(Auditor::open(&config, Arc::new(Metrics::new())).expect("nothing to open").is_none());
    }
}
