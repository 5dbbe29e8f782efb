//! Processes that never outlive their test, and what they print.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, PipeReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc, Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    },
    time::Duration,
};

use anyhow::{bail, Context, Result};
use rustix::process::{kill_process, Pid, Signal};
use tokio::sync::watch;

use crate::within;

/// As many of the last lines as a reason may have: a fault in a configuration is shown with its line.
const REASON: usize = 8;
/// How many of the last lines a process leaves behind for whoever reads a failed test.
const TAIL: usize = 60;
/// How many lines are kept in memory: more than a test's process prints, and a bound for a network that runs for days.
const KEPT: usize = 50_000;
/// Whether a process that did not end with success leaves its last lines on the standard error.
static SHOWS_TAILS: AtomicBool = AtomicBool::new(true);

/// From now on, no process leaves its last lines on the standard error: for a program whose user has the files.
pub fn leave_logs_in_files() {
    SHOWS_TAILS.store(false, Ordering::Relaxed);
}

/// A child process whose output is kept. It is killed when this is dropped, and by the kernel when this process dies.
/// Signals from a terminal do not reach it: who started it decides in what order things end.
pub struct Process {
    name: String,
    child: Child,
    log: Log,
    /// It has ended with success, and nobody needs to read what it said.
    succeeded: bool,
}

impl Process {
    /// Starts `program` with `arguments`. What it prints on both of its streams also goes to `name.log` in
    /// `directory`, after what is there, and temporary directories that it makes lie in `directory`.
    pub fn start(name: &str, program: &Path, arguments: &[String], directory: &Path) -> Result<Process> {
        let (reader, writer) = io::pipe()?;
        // setpriv (util-linux) asks the kernel for the signal and becomes the shell, which becomes the program: the
        // process id stays the same. The shell starts nothing if this process died before the kernel was asked.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "/bin/sh", "-c", r#"[ "$PPID" = "$0" ] && exec "$@""#])
            .arg(std::process::id().to_string())
            .arg(program)
            .args(arguments)
            .env("TMPDIR", directory)
            .env("NO_COLOR", "1")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = spawn_from_lasting_thread(command)
            .with_context(|| format!("cannot start {} through setpriv", program.display()))?;
        let log = Log::read(reader, &directory.join(format!("{name}.log")))?;
        Ok(Process { name: name.to_owned(), child, log, succeeded: false })
    }

    /// What it was called at its start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot send {signal:?} to {}", self.name))
    }

    /// Ends it at once (SIGKILL), even if it is stopped.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// An error once it has ended, with its status.
    pub fn check_running(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} has ended: {status}", self.name),
        }
    }

    /// Its status once it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end.
    pub async fn wait_exit(&mut self, limit: Duration) -> Result<ExitStatus> {
        within(limit, format!("the end of {}", self.name), self.log.closed()).await?;
        // The last of its streams is closed, so it is ending.
        let status = self.child.wait()?;
        self.succeeded = status.success();
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already is no failure here.
        let _ = self.kill();
        if self.succeeded || !SHOWS_TAILS.load(Ordering::Relaxed) {
            return;
        }
        let lines = self.log.lines();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        // Test runners show this for a failed test only.
        eprintln!("--- the last {} lines of {} ---\n{}", tail.len(), self.name, tail.join("\n"));
    }
}

/// What a process prints, line by line, as it comes.
#[derive(Clone)]
pub struct Log {
    file: Arc<PathBuf>,
    lines: Arc<Mutex<Lines>>,
    /// Number of lines; its sender is dropped when the process has closed its streams.
    count: watch::Receiver<usize>,
}

#[derive(Default)]
struct Lines {
    /// How many were there before the first that is kept.
    forgotten: usize,
    kept: VecDeque<String>,
}

impl Log {
    fn read(reader: PipeReader, path: &Path) -> Result<Log> {
        let mut file = std::fs::File::options().create(true).append(true).open(path)?;
        let (grown, count) = watch::channel(0);
        let log = Log { file: Arc::new(path.to_owned()), lines: Arc::default(), count };
        let lines = log.lines.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || {
            let mut reader = BufReader::new(reader);
            let mut bytes = Vec::new();
            while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                // A full disk must not keep a test from seeing the line.
                let _ = file.write_all(&bytes);
                locked(&lines).push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
                grown.send_modify(|count| *count += 1);
                bytes.clear();
            }
        })?;
        Ok(log)
    }

    /// Where it is kept.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// All lines so far; the last 50,000 if there are more.
    pub fn lines(&self) -> Vec<String> {
        locked(&self.lines).kept.iter().cloned().collect()
    }

    /// All lines so far, as one text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The first line that contains `text`, when it comes. An error if the process ends without it.
    pub async fn wait_for(&self, text: &str, limit: Duration) -> Result<String> {
        self.wait_for_line(&format!("a line with `{text}`"), limit, |line| line.contains(text)).await
    }

    /// The first line that fulfils `condition`, when it comes. An error if the process ends without it, which begins
    /// with what it said last.
    pub async fn wait_for_line(&self, what: &str, limit: Duration, condition: impl Fn(&str) -> bool) -> Result<String> {
        let found = within(limit, what, self.find(condition)).await;
        let file = self.file.display();
        match found {
            Ok(Some(line)) => Ok(line),
            Ok(None) => {
                let lines: Vec<String> = self.lines().into_iter().filter(|line| !line.is_empty()).collect();
                let reason = match &lines[lines.len().saturating_sub(REASON)..] {
                    [] => "it said nothing".into(),
                    reason => reason.join("\n"),
                };
                bail!("{reason} (it ended without {what}; its log: {file})")
            }
            Err(late) => bail!("{late:#} (its log: {file})"),
        }
    }

    /// Nothing if the process ends before.
    async fn find(&self, condition: impl Fn(&str) -> bool) -> Option<String> {
        let mut count = self.count.clone();
        let mut seen = 0_usize;
        loop {
            // Read before the lines are: a line that comes in between is seen, or changes it again.
            let ended = count.has_changed().is_err();
            count.mark_unchanged();
            {
                let lines = locked(&self.lines);
                let mut unseen = lines.kept.iter().skip(seen.saturating_sub(lines.forgotten));
                if let Some(line) = unseen.find(|line| condition(line)) {
                    return Some(line.clone());
                }
                seen = lines.forgotten + lines.kept.len();
            }
            if ended {
                return None;
            }
            // An error here says that the streams are closed; the last lines are looked at once more.
            let _ = count.changed().await;
        }
    }

    /// Resolves when the process has closed its streams, which it does at its end.
    pub async fn closed(&self) {
        let mut count = self.count.clone();
        while count.changed().await.is_ok() {}
    }
}

impl Lines {
    fn push(&mut self, line: String) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(line);
    }
}

fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kernel sends the death signal when the *thread* that started the child ends (prctl(2), PR_SET_PDEATHSIG), so
/// all children are started by one that lasts as long as this process.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                // Nobody waits for the answer only if the waiting thread is gone, and the process with it.
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let (answer, answered) = mpsc::channel();
    spawner.send((command, answer)).map_err(io::Error::other)?;
    answered.recv().map_err(io::Error::other)?
}
