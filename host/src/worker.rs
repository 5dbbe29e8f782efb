//! One thread owns the link to the trusted application and the lease on its keys, behind a bounded queue. Whoever has a
//! question puts it there, and is never made to wait for room.
//!
//! Since one thread gives the lease, has the signatures made and hands them on, one after the other, no signature for a
//! node leaves the daemon once another has been given the lease.

use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{
        mpsc::{sync_channel, Receiver, RecvTimeoutError, SyncSender, TrySendError},
        Arc, PoisonError, RwLock,
    },
    time::{Duration, Instant},
};

use holdfast_protocol::{
    lease::Claim,
    message::{Call, Failure, Reply},
};
use tokio::sync::oneshot;

use crate::{
    config::Config,
    holder::{HolderError, HolderFile},
    lease::{Caller, Change, End, Leases, Node, Right, Statement},
    link::{Link, LinkError},
    metrics::Metrics,
    stuck::Busy,
    translate::{call_name, outcome_name, Question},
};

/// How often the end of the lease is looked for when nobody asks anything.
const WATCH: Duration = Duration::from_secs(1);

/// Where questions are put. Clones share one queue.
#[derive(Clone)]
pub(crate) struct Signer {
    queue: Arc<RwLock<Option<SyncSender<Job>>>>,
    metrics: Arc<Metrics>,
}

/// The thread behind a [`Signer`]. Dropping it closes the queue: what is in it is still answered.
pub(crate) struct Worker {
    signer: Signer,
    finished: oneshot::Receiver<()>,
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
    queued: Instant,
    deadline: Instant,
    answer: Answer,
}

enum Task {
    /// For the trusted application, with what it will have signed.
    Ask(Question, Option<Statement>),
    /// For the daemon itself.
    Claim(Claim),
}

/// Gives the lease, and writes down to whom.
pub(crate) struct Lessor {
    leases: Leases,
    file: Option<HolderFile>,
}

/// What the thread owns.
struct Desk {
    link: Box<dyn Link>,
    leases: Leases,
    file: Option<HolderFile>,
    /// The trusted application has said how many keys it holds.
    counted: bool,
    /// For who watches that calls come back.
    busy: Busy,
    metrics: Arc<Metrics>,
}

impl Lessor {
    /// Of a lease that lasts so long, and of which nothing is written down.
    pub(crate) fn new(lasts: Duration) -> Lessor {
        Lessor { leases: Leases::new(lasts, Instant::now()), file: None }
    }

    /// As the configuration says. Who held the lease before is read from the file.
    pub(crate) fn open(config: &Config) -> Result<Lessor, HolderError> {
        let lasts = Duration::from_millis(config.lease_ms);
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
    busy: Busy,
    metrics: Arc<Metrics>,
) -> std::io::Result<(Signer, Worker)> {
    let (sender, jobs) = sync_channel(capacity);
    let signer = Signer { queue: Arc::new(RwLock::new(Some(sender))), metrics: metrics.clone() };
    let (tell_finished, finished) = oneshot::channel();
    let Lessor { leases, file } = lessor;
    let mut desk = Desk { link, leases, file, counted: false, busy, metrics };
    std::thread::Builder::new().name("holdfast-ta".into()).spawn(move || {
        desk.work(&jobs);
        drop(desk);
        let _ = tell_finished.send(());
    })?;
    Ok((signer.clone(), Worker { signer, finished }))
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
        let task = match task(call) {
            Ok(task) => task,
            Err(failure) => {
                let result = Err(failure);
                self.metrics.answered(name, outcome_name(&result));
                answer(result);
                return Ok(());
            }
        };
        let job = Job { caller, name, right, task, queued: Instant::now(), deadline, answer: Box::new(answer) };
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
        self.submit(Caller::Operator, call, deadline, answer).map_err(Failure::from)?;
        let left = deadline.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).unwrap_or(Err(Failure::Deadline))
    }

    /// Asks for the daemon itself, and waits for the answer so long.
    pub(crate) async fn ask(&self, call: Call, patience: Duration) -> Result<Reply, Failure> {
        let (sender, receiver) = oneshot::channel();
        let answer = move |result| drop(sender.send(result));
        self.submit(Caller::Operator, call, Instant::now() + patience, answer).map_err(Failure::from)?;
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
    /// Closes the queue and waits for what is in it to be answered, so long at most. When it returns `true` the thread
    /// has let go of the trusted application.
    pub(crate) async fn drain(mut self, patience: Duration) -> bool {
        self.signer.close();
        tokio::time::timeout(patience, &mut self.finished).await.is_ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.signer.close();
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
    let statement = Statement::of(&call);
    Ok(Task::Ask(Question::new(call)?, statement))
}

impl Desk {
    fn work(&mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(WATCH) {
                Ok(job) => self.serve(job),
                Err(RecvTimeoutError::Timeout) => self.watch(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn serve(&mut self, job: Job) {
        let Job { caller, name, right, task, queued, deadline, answer } = job;
        self.metrics.queued.dec();
        let begun = Instant::now();
        self.metrics.waited(begun - queued);
        if let Caller::Node(node) = &caller {
            let change = self.leases.heard(node, queued, begun);
            self.report(change);
        }
        self.watch(begun);
        let result =
            if begun >= deadline { Err(Failure::Deadline) } else { self.done(&caller, name, right, &task, begun) };
        self.metrics.answered(name, outcome_name(&result));
        match &result {
            Ok(_) => tracing::debug!(call = name, "answered"),
            Err(Failure::Tee(reason)) => tracing::error!(call = name, reason, "the trusted application failed"),
            Err(failure @ Failure::NotHolder { .. }) => self.not_holder(&caller, name, failure),
            Err(failure) => tracing::debug!(call = name, %failure, "not done"),
        }
        if let Err(Failure::Refused { rule }) = &result {
            self.metrics.refused(rule);
        }
        if catch_unwind(AssertUnwindSafe(|| answer(result))).is_err() {
            tracing::error!(call = name, "an answer could not be handed on");
        }
    }

    /// Does what is asked, if this caller may ask for it.
    fn done(
        &mut self,
        caller: &Caller,
        name: &'static str,
        right: Right,
        task: &Task,
        now: Instant,
    ) -> Result<Reply, Failure> {
        self.leases.permit(right, caller, now)?;
        match (task, caller) {
            (Task::Ask(question, statement), _) => {
                let result = self.call(question);
                self.metrics.worked(name, now.elapsed());
                if let (Ok(_), Some(statement)) = (&result, statement) {
                    self.leases.signed(*statement);
                }
                result
            }
            (Task::Claim(claim), Caller::Node(node)) => {
                if self.leases.grants(*claim, node, now) {
                    self.write_down(node)?;
                    let change = self.leases.give(node, now);
                    self.report(Some(change));
                }
                Ok(Reply::Lease(self.leases.seen_by(caller, now)))
            }
            (Task::Claim(_), Caller::Operator) => Ok(Reply::Lease(self.leases.seen_by(caller, now))),
        }
    }

    /// Before the lease is given. Another node than the one that is written down gets it only once that is done; where
    /// it is the same, or nobody's name is there, a daemon that cannot write is of no danger.
    fn write_down(&self, node: &Node) -> Result<(), Failure> {
        let Some(Err(error)) = self.file.as_ref().map(|file| file.save(&node.identity)) else { return Ok(()) };
        if self.leases.was_anothers(node) {
            tracing::error!(node = %node.identity, "the lease is not given: {error}");
            return Err(Failure::Daemon(error.to_string()));
        }
        tracing::error!(node = %node.identity, "{error}; the lease is given all the same, to who held it last");
        Ok(())
    }

    fn call(&mut self, question: &Question) -> Result<Reply, Failure> {
        let link = &mut self.link;
        self.busy.send_replace(Some(Instant::now().into()));
        let answer =
            catch_unwind(AssertUnwindSafe(|| link.call(question.request()))).unwrap_or(Err(LinkError::Panicked));
        self.busy.send_replace(None);
        self.metrics.tee_up.set(answer.is_ok().into());
        let reply = question.reply(&answer.map_err(|error| Failure::Tee(error.to_string()))?)?;
        if let Reply::Info(info) = &reply {
            self.metrics.describe(info);
            if !std::mem::replace(&mut self.counted, true) && info.keys == Some(0) {
                self.leases.nobody_before(Instant::now());
            }
        }
        Ok(reply)
    }

    fn watch(&mut self, now: Instant) {
        let change = self.leases.watch(now);
        self.report(change);
    }

    /// Tells the log and the metrics what became of the lease.
    fn report(&self, change: Option<Change>) {
        match change {
            None => {}
            Some(Change::Given { to, from: None }) => {
                tracing::info!(holder = %to, "the lease is given");
                self.metrics.lease_changes.inc();
                self.metrics.leased(Some(&to));
            }
            Some(Change::Given { to, from: Some(from) }) => {
                tracing::info!(holder = %to, %from, "the lease is taken over");
                self.metrics.lease_changes.inc();
                self.metrics.leased(Some(&to));
            }
            Some(Change::Ended { holder, why }) => {
                match why {
                    End::Closed => tracing::info!(%holder, "the lease ends: its holder's connection closed"),
                    End::Silent(time) => {
                        tracing::info!(%holder, silent = ?time, "the lease ends: its holder is silent")
                    }
                }
                self.metrics.leased(None);
            }
            Some(Change::Resumed(holder)) => {
                tracing::info!(%holder, "the lease goes on: its holder is back");
                self.metrics.leased(Some(&holder));
            }
        }
    }

    /// Once for each connection in the log: a node that was replaced may ask for a while.
    fn not_holder(&self, caller: &Caller, name: &'static str, failure: &Failure) {
        self.metrics.refused("NotHolder");
        if let Caller::Node(node) = caller {
            let (node, connection) = (&node.identity, &node.connection);
            if connection.first_refusal() {
                tracing::warn!(connection = connection.number, call = name, %node, "refused: {failure}");
            } else {
                tracing::debug!(connection = connection.number, call = name, %node, "refused again: {failure}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
