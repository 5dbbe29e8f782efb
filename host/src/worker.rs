//! One thread owns the link to the trusted application, behind a bounded queue. Whoever has a question puts it there,
//! and is never made to wait for room.

use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{
        mpsc::{sync_channel, Receiver, SyncSender, TrySendError},
        Arc, PoisonError, RwLock,
    },
    time::{Duration, Instant},
};

use holdfast_protocol::message::{Call, Failure, Reply};
use tokio::sync::oneshot;

use crate::{
    link::{Link, LinkError},
    metrics::Metrics,
    translate::{call_name, outcome_name, Question},
};

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
    question: Question,
    queued: Instant,
    deadline: Instant,
    answer: Answer,
}

/// Starts the thread that owns `link`, with room for `capacity` questions.
pub(crate) fn start(link: Box<dyn Link>, capacity: usize, metrics: Arc<Metrics>) -> std::io::Result<(Signer, Worker)> {
    let (sender, jobs) = sync_channel(capacity);
    let signer = Signer { queue: Arc::new(RwLock::new(Some(sender))), metrics: metrics.clone() };
    let (tell_finished, finished) = oneshot::channel();
    std::thread::Builder::new().name("holdfast-ta".into()).spawn(move || {
        work(link, &jobs, &metrics);
        let _ = tell_finished.send(());
    })?;
    Ok((signer.clone(), Worker { signer, finished }))
}

impl Signer {
    /// Puts a question and returns at once. `answer` is called exactly once, from the worker's thread, or from this one
    /// if the call cannot be put; unless the daemon is stopping, when it is never called.
    pub(crate) fn submit(
        &self,
        call: Call,
        deadline: Instant,
        answer: impl FnOnce(Result<Reply, Failure>) + Send + 'static,
    ) -> Result<(), Stopping> {
        let name = call_name(&call);
        let question = match Question::new(call) {
            Ok(question) => question,
            Err(failure) => {
                let result = Err(failure);
                self.metrics.answered(name, outcome_name(&result));
                answer(result);
                return Ok(());
            }
        };
        let job = Job { question, queued: Instant::now(), deadline, answer: Box::new(answer) };
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

    /// Asks, and waits on this thread for the answer until `deadline`.
    pub(crate) fn ask_blocking(&self, call: Call, deadline: Instant) -> Result<Reply, Failure> {
        let (sender, receiver) = sync_channel(1);
        self.submit(call, deadline, move |result| drop(sender.try_send(result))).map_err(Failure::from)?;
        let left = deadline.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).unwrap_or(Err(Failure::Deadline))
    }

    /// Asks, and waits for the answer so long.
    pub(crate) async fn ask(&self, call: Call, patience: Duration) -> Result<Reply, Failure> {
        let (sender, receiver) = oneshot::channel();
        self.submit(call, Instant::now() + patience, move |result| drop(sender.send(result))).map_err(Failure::from)?;
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

fn work(mut link: Box<dyn Link>, jobs: &Receiver<Job>, metrics: &Metrics) {
    while let Ok(job) = jobs.recv() {
        metrics.queued.dec();
        let name = job.question.name();
        let begun = Instant::now();
        metrics.waited(begun - job.queued);
        let result = if begun >= job.deadline {
            Err(Failure::Deadline)
        } else {
            let result = call(link.as_mut(), &job.question, metrics);
            metrics.worked(name, begun.elapsed());
            result
        };
        metrics.answered(name, outcome_name(&result));
        match &result {
            Ok(_) => tracing::debug!(call = name, "answered"),
            Err(Failure::Tee(reason)) => tracing::error!(call = name, reason, "the trusted application failed"),
            Err(failure) => tracing::debug!(call = name, %failure, "not done"),
        }
        if catch_unwind(AssertUnwindSafe(|| (job.answer)(result))).is_err() {
            tracing::error!(call = name, "an answer could not be handed on");
        }
    }
}

fn call(link: &mut dyn Link, question: &Question, metrics: &Metrics) -> Result<Reply, Failure> {
    let answer = catch_unwind(AssertUnwindSafe(|| link.call(question.request()))).unwrap_or(Err(LinkError::Panicked));
    metrics.tee_up.set(answer.is_ok().into());
    let reply = question.reply(&answer.map_err(|error| Failure::Tee(error.to_string()))?)?;
    if let Reply::Info(info) = &reply {
        metrics.describe(info);
    }
    Ok(reply)
}

#[cfg(test)]
mod tests;
