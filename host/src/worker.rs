//! One thread owns the link to the trusted application and the lease on its keys, behind a bounded queue. Whoever has a
//! question puts it there, and is never made to wait for room.
//!
//! Since one thread gives the lease, has the signatures made and hands them on, one after the other, no signature for a
//! node leaves the daemon once another has been given the lease.

mod desk;

use std::{
    sync::{
        mpsc::{channel, sync_channel, Receiver, SyncSender, TrySendError},
        Arc, Mutex, PoisonError, RwLock,
    },
    time::{Duration, Instant},
};

use holdfast_protocol::{
    lease::Claim,
    message::{Call, Failure, Reply},
};
use tokio::sync::oneshot;

use crate::{
    audit::{Asked, Auditor},
    config::Config,
    holder::{HolderError, HolderFile},
    lease::{Caller, Leases, Right},
    link::Link,
    metrics::Metrics,
    stuck::Busy,
    translate::{call_name, outcome_name, Question},
};
use desk::Desk;

/// How long a worker that is dropped is waited for: long enough for a trusted application in this process to end in
/// order, and of no use for one that hangs.
const PARTING: Duration = Duration::from_secs(1);

/// Where questions are put. Clones share one queue.
#[derive(Clone)]
pub(crate) struct Signer {
    queue: Arc<RwLock<Option<SyncSender<Job>>>>,
    metrics: Arc<Metrics>,
}

/// The thread behind a [`Signer`]. Dropping it closes the queue: what is in it is still answered, and then the trusted
/// application is told of its end; for a moment that is waited for.
pub(crate) struct Worker {
    signer: Signer,
    finished: oneshot::Receiver<()>,
    /// Closed when the thread ends.
    ended: Mutex<Receiver<()>>,
    /// Nobody need wait, or wait again.
    drained: bool,
}

/// The queue is closed, because the daemon stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopping;

type Answer = Box<dyn FnOnce(Result<Reply, Failure>) + Send>;

struct Job {
    caller: Caller,
    name: &'static str,
    right: Right,
    task: Task,
    /// For the audit log, and for standbys.
    asked: Option<Asked>,
    queued: Instant,
    deadline: Instant,
    answer: Answer,
}

enum Task {
    /// For the trusted application.
    Ask(Question),
    /// For the daemon itself.
    Claim(Claim),
}

/// Gives the lease, and writes down to whom.
pub(crate) struct Lessor {
    leases: Leases,
    file: Option<HolderFile>,
}

impl Lessor {
    /// Of a lease that lasts so long, and of which nothing is written down.
    pub(crate) fn new(lasts: Duration) -> Lessor {
        Lessor { leases: Leases::new(lasts, Instant::now()), file: None }
    }

    /// As the configuration says. Who held the lease before is read from the file.
    pub(crate) fn open(config: &Config) -> Result<Lessor, HolderError> {
        let lasts = Duration::from_millis(config.lease_ms);
        if config.test_only_without_leases {
            return Ok(Lessor { leases: Leases::everybodys(lasts, Instant::now()), file: None });
        }
        let Some(file) = config.lease_path().map(|path| HolderFile::at(&path)) else { return Ok(Lessor::new(lasts)) };
        file.prepare()?;
        if config.forget_holder {
            file.forget()?;
        }
        let leases = match file.load()? {
            None => Leases::new(lasts, Instant::now()),
            Some(holder) => {
                tracing::info!(%holder, "the lease is kept for the node that held it last");
                Leases::remembered(lasts, holder, Instant::now())
            }
        };
        Ok(Lessor { leases, file: Some(file) })
    }
}

/// Starts the thread that owns `link`, with room for `capacity` questions. It tells `busy` of each call.
pub(crate) fn start(
    link: Box<dyn Link>,
    capacity: usize,
    lessor: Lessor,
    auditor: Option<Auditor>,
    busy: Busy,
    metrics: Arc<Metrics>,
) -> std::io::Result<(Signer, Worker)> {
    let (sender, jobs) = sync_channel(capacity);
    let signer = Signer { queue: Arc::new(RwLock::new(Some(sender))), metrics: metrics.clone() };
    let (tell_finished, finished) = oneshot::channel();
    let (open, ended) = channel();
    let mut desk = Desk::new(link, lessor, auditor, busy, metrics);
    std::thread::Builder::new().name("holdfast-ta".into()).spawn(move || {
        desk.work(&jobs);
        desk.take_leave();
        drop(desk);
        let _ = tell_finished.send(());
        drop(open);
    })?;
    Ok((signer.clone(), Worker { signer, finished, ended: Mutex::new(ended), drained: false }))
}

impl Signer {
    /// Puts a question and returns at once. `answer` is called exactly once, from the worker's thread, or from this one
    /// if the call cannot be put; unless the daemon is stopping, when it is never called.
    pub(crate) fn submit(
        &self,
        caller: Caller,
        call: Call,
        deadline: Instant,
        answer: impl FnOnce(Result<Reply, Failure>) + Send + 'static,
    ) -> Result<(), Stopping> {
        let name = call_name(&call);
        let right = Right::to(&call);
        let asked = Asked::of(&call);
        let task = match task(call) {
            Ok(task) => task,
            Err(failure) => {
                let result = Err(failure);
                self.metrics.answered(name, outcome_name(&result));
                answer(result);
                return Ok(());
            }
        };
        let (queued, answer) = (Instant::now(), Box::new(answer));
        let job = Job { caller, name, right, task, asked, queued, deadline, answer };
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let sender = queue.as_ref().ok_or(Stopping)?;
        // Counted before the worker can take it out again.
        self.metrics.queued.inc();
        match sender.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job)) => {
                drop(queue);
                self.metrics.queued.dec();
                let result = Err(Failure::Busy);
                self.metrics.answered(name, outcome_name(&result));
                (job.answer)(result);
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => {
                self.metrics.queued.dec();
                Err(Stopping)
            }
        }
    }

    /// Asks for the daemon itself, and waits on this thread for the answer until `deadline`.
    pub(crate) fn ask_blocking(&self, call: Call, deadline: Instant) -> Result<Reply, Failure> {
        let (sender, receiver) = sync_channel(1);
        let answer = move |result| drop(sender.try_send(result));
        self.submit(Caller::Operator(None), call, deadline, answer).map_err(Failure::from)?;
        let left = deadline.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).unwrap_or(Err(Failure::Deadline))
    }

    /// Asks for the daemon itself, and waits for the answer so long.
    pub(crate) async fn ask(&self, call: Call, patience: Duration) -> Result<Reply, Failure> {
        let (sender, receiver) = oneshot::channel();
        let answer = move |result| drop(sender.send(result));
        self.submit(Caller::Operator(None), call, Instant::now() + patience, answer).map_err(Failure::from)?;
        match tokio::time::timeout(patience, receiver).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(Failure::Deadline),
        }
    }

    /// Takes no more questions; those in the queue are still answered, and then the thread ends.
    pub(crate) fn close(&self) {
        self.queue.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Worker {
    /// Closes the queue and waits, so long at most, for what is in it to be answered, for the trusted application to
    /// take its leave, and for the audit log. When it returns `true` the thread has let go of the trusted application.
    pub(crate) async fn drain(mut self, patience: Duration) -> bool {
        self.drained = true;
        self.signer.close();
        tokio::time::timeout(patience, &mut self.finished).await.is_ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.signer.close();
        if !self.drained {
            // Nothing is ever sent: it ends with the thread, or with the time.
            let _ = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(PARTING);
        }
    }
}

impl From<Stopping> for Failure {
    fn from(_: Stopping) -> Failure {
        Failure::Tee("the daemon is stopping".into())
    }
}

fn task(call: Call) -> Result<Task, Failure> {
    if let Call::Lease(claim) = call {
        return Ok(Task::Claim(claim));
    }
    Ok(Task::Ask(Question::new(call)?))
}

#[cfg(test)]
mod tests;
