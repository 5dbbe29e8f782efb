//! The audit log: what was asked of the keys, by whom, and what came of it. A line of JSON for each, in files that
//! turn.
//!
//! It is evidence for people, and nothing is decided by it: what may be signed twice is the trusted application's
//! affair.
//!
//! What was done is in files of its own, and everything else in others beside them: whoever can ask is refused as often
//! as they like, and would otherwise push out what was done. A bound on lines per connection would only slow them down.

mod file;
mod news;
mod record;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        mpsc::{sync_channel, Receiver, SyncSender, TrySendError},
        Arc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use holdfast_protocol::message::{Failure, Reply};

use crate::{config::Config, lease::Caller, metrics::Metrics};

pub use file::AuditError;
use file::Turning;
pub(crate) use news::News;
pub(crate) use record::Asked;

/// Lines that wait for the disk; each is under 8 KiB.
const WAITING: usize = 1024;
/// How often the daemon's log tells of lines for which there was no room, at most.
const TELL: Duration = Duration::from_secs(60);

/// Writes the lines on a thread of its own. Dropping it waits until all of them are written.
pub(crate) struct Auditor {
    lines: Option<SyncSender<Line>>,
    thread: Option<JoinHandle<()>>,
    crowded: Crowded,
    metrics: Arc<Metrics>,
}

struct Line {
    text: String,
    /// Of something that was done for the first time.
    done: bool,
}

/// Lines that were left out since they would have had to wait.
#[derive(Default)]
struct Crowded {
    /// Of those the daemon's log has not told yet.
    lines: u64,
    told: Option<Instant>,
}

/// One of the two logs.
struct Kept {
    file: Turning,
    /// Lines that it lacks after the last one that could be written.
    lost: u64,
}

impl Auditor {
    /// As the configuration says; `None` if there is to be no log.
    pub(crate) fn open(config: &Config, metrics: Arc<Metrics>) -> Result<Option<Auditor>, AuditError> {
        let Some(path) = config.audit_path() else { return Ok(None) };
        Auditor::start(&path, config.audit_log_size.saturating_mul(1 << 20), metrics).map(Some)
    }

    fn start(path: &Path, most: u64, metrics: Arc<Metrics>) -> Result<Auditor, AuditError> {
        let open = |path: &Path| Ok(Kept { file: Turning::open(path, most)?, lost: 0 });
        let (done, rest) = (open(path)?, open(&beside(path))?);
        let (lines, waiting) = sync_channel(WAITING);
        let counted = metrics.clone();
        let thread = std::thread::Builder::new()
            .name("holdfast-audit".into())
            .spawn(move || keep(&waiting, done, rest, &counted))
            .map_err(AuditError::Thread)?;
        Ok(Auditor { lines: Some(lines), thread: Some(thread), crowded: Crowded::default(), metrics })
    }

    /// Writes down what came of a request, and whether it was something `new` that was done.
    ///
    /// When the disk is so slow that [`WAITING`] lines wait, what was done waits too, and whoever asked with it: nobody
    /// has a signature of which no line is on its way. The disk need not be the one that the trusted application writes
    /// to, so it may be this one alone that holds up signing. The rest is left out then: a flood of it must delay
    /// nobody.
    pub(crate) fn record(&mut self, caller: &Caller, asked: &Asked, result: &Result<Reply, Failure>, new: bool) {
        let line = Line { text: record::line(&record::now(), caller, asked, result), done: new };
        let Some(lines) = &self.lines else { return };
        let sent = match line.done {
            true => lines.send(line).map_err(|error| TrySendError::Disconnected(error.0)),
            false => lines.try_send(line),
        };
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.metrics.audit_lines_lost.inc();
                self.crowded.add();
            }
            // Only a thread that panicked takes no more.
            Err(TrySendError::Disconnected(_)) => self.metrics.audit_lines_lost.inc(),
        }
    }
}

impl Drop for Auditor {
    fn drop(&mut self) {
        self.lines.take();
        self.crowded.tell();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the audit log ended before its time");
        }
    }
}

impl Crowded {
    fn add(&mut self) {
        self.lines += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TELL) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if self.lines > 0 {
            tracing::warn!(
                lost = self.lines,
                "more is asked in vain than the disk takes lines of: the audit log lacks some of what was not done. \
                 Find out who asks"
            );
            *self = Crowded { lines: 0, told: Some(Instant::now()) };
        }
    }
}

/// Writes until no more lines come.
fn keep(lines: &Receiver<Line>, mut done: Kept, mut rest: Kept, metrics: &Metrics) {
    for line in lines {
        let log = if line.done { &mut done } else { &mut rest };
        log.write(&line.text, metrics);
    }
    for Kept { file, .. } in [done, rest] {
        if let Err(error) = file.sync() {
            tracing::warn!(%error, file = %file.path().display(), "the end of the audit log may not be on the disk");
        }
    }
}

impl Kept {
    /// What cannot be written is lost, and keeps nobody from signing.
    fn write(&mut self, line: &str, metrics: &Metrics) {
        let path = self.file.path().to_owned();
        match self.file.write(line) {
            Ok(()) if self.lost > 0 => {
                tracing::warn!(lost = self.lost, file = %path.display(), "the audit log is written again");
                self.lost = 0;
            }
            Ok(()) => {}
            Err(error) => {
                metrics.audit_lines_lost.inc();
                if self.lost == 0 {
                    tracing::error!(
                        %error,
                        file = %path.display(),
                        "the audit log cannot be written: make room, or let the daemon's user write there. Signing goes \
                         on, and what is asked meanwhile is missing from it"
                    );
                }
                self.lost += 1;
            }
        }
    }
}

/// Where everything else is, for what was done is at `path`.
fn beside(path: &Path) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(".rest");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::message::{Call, Context, KeyId, Scheme};

    const OPERATOR: Caller = Caller::Operator(None);

    fn asked() -> Asked {
        let key = KeyId { scheme: Scheme::Ed25519, key_type: *b"test", public: vec![1; 32] };
        let call = Call::Sign { key, message: vec![1], context: Context::None };
        Asked::of(&call).expect("it asks for a signature")
    }

    fn signed() -> Result<Reply, Failure> {
        Ok(Reply::Signature(vec![]))
    }

    fn refused() -> Result<Reply, Failure> {
        Err(Failure::Refused { rule: "GrandpaDoubleVote".into() })
    }

    fn lines(path: &Path) -> usize {
        std::fs::read_to_string(path).expect("readable").lines().count()
    }

    fn kept(path: &Path, most: u64) -> Kept {
        Kept { file: Turning::open(path, most).expect("a new file"), lost: 0 }
    }

    fn home() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("audit");
        (home, path)
    }

    #[test]
    fn what_was_done_is_in_the_file_once_the_auditor_is_gone_and_the_rest_beside_it() {
        let (_home, path) = home();
        let metrics = Arc::new(Metrics::new());
        let mut auditor = Auditor::start(&path, 1 << 20, metrics.clone()).expect("a new file");
        for _ in 0..WAITING + 10 {
            auditor.record(&OPERATOR, &asked(), &signed(), true);
        }
        auditor.record(&OPERATOR, &asked(), &signed(), false);
        while lines(&path) < WAITING + 10 {
            std::thread::yield_now();
        }
        auditor.record(&OPERATOR, &asked(), &refused(), false);
        drop(auditor);
        assert_eq!(lines(&path), WAITING + 10);
        let rest = std::fs::read_to_string(beside(&path)).expect("readable");
        assert!(rest.ends_with('\n') && rest.lines().last().is_some_and(|line| line.contains("refused")), "{rest}");
        let in_vain = u64::try_from(rest.lines().count()).expect("few");
        assert_eq!(metrics.audit_lines_lost.get() + in_vain, 2);
    }

    // The attack: whoever was signed for is refused again and again, until no file tells of the signature.
    #[test]
    fn however_much_is_refused_what_was_done_stays() {
        let (_home, path) = home();
        let mut auditor = Auditor::start(&path, 4096, Arc::new(Metrics::new())).expect("a new file");
        auditor.record(&OPERATOR, &asked(), &signed(), true);
        let oldest = PathBuf::from(format!("{}.4", beside(&path).display()));
        while !oldest.exists() {
            auditor.record(&OPERATOR, &asked(), &refused(), false);
        }
        drop(auditor);
        let kept = std::fs::read_to_string(&path).expect("readable");
        assert!(kept.lines().count() == 1 && kept.contains("\"signed\""), "{kept}");
    }

    #[test]
    fn while_the_disk_stands_still_what_was_not_done_is_counted_as_lost_and_what_was_done_waits() {
        let (lines, waiting) = sync_channel(1);
        let metrics = Arc::new(Metrics::new());
        let crowded = Crowded::default();
        let mut auditor = Auditor { lines: Some(lines), thread: None, crowded, metrics: metrics.clone() };
        for _ in 0..5 {
            auditor.record(&OPERATOR, &asked(), &refused(), false);
        }
        assert_eq!(metrics.audit_lines_lost.get(), 4);
        assert_eq!(auditor.crowded.lines, 3, "the first was told at once, and the others are for later");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                auditor.record(&OPERATOR, &asked(), &signed(), true);
                drop(auditor);
            });
            let written: Vec<_> = waiting.iter().map(|line| line.done).collect();
            assert_eq!(written, [false, true]);
        });
        assert_eq!(metrics.audit_lines_lost.get(), 4);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_those_after_it_are_written_again() {
        let (_home, path) = home();
        let metrics = Metrics::new();
        // So that each line but the first needs a new file.
        let (done, rest) = (kept(&path, 1), kept(&beside(&path), 1));
        // No file takes the place of a directory, not even for root.
        let barred = path.with_extension("0");
        std::fs::create_dir(&barred).expect("made");
        let (sender, receiver) = sync_channel(1);
        let line = |text: &str, done| Line { text: text.to_owned(), done };
        std::thread::scope(|scope| {
            let metrics = &metrics;
            scope.spawn(move || keep(&receiver, done, rest, metrics));
            sender.send(line("first\n", true)).expect("taken");
            sender.send(line("lost\n", true)).expect("taken");
            sender.send(line("refused\n", false)).expect("taken");
            while metrics.audit_lines_lost.get() == 0 {
                std::thread::yield_now();
            }
            std::fs::remove_dir(&barred).expect("ours");
            sender.send(line("second\n", true)).expect("taken");
            drop(sender);
        });
        assert_eq!(metrics.audit_lines_lost.get(), 1);
        let read = |path: &Path| std::fs::read_to_string(path).expect("readable");
        assert_eq!((read(&path).as_str(), read(&path.with_extension("1")).as_str()), ("second\n", "first\n"));
        assert_eq!(read(&beside(&path)), "refused\n");
    }

    #[test]
    fn a_daemon_whose_log_is_off_has_no_auditor() {
        let config = Config::embedded("/x".into());
        assert!(Auditor::open(&config, Arc::new(Metrics::new())).expect("nothing to open").is_none());
    }
}
