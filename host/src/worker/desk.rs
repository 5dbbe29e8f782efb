//! What the worker's thread does with a question.

use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{
        mpsc::{Receiver, RecvTimeoutError},
        Arc,
    },
    time::{Duration, Instant},
};

use holdfast_protocol::message::{Call, Failure, Floor, Reply};

use super::{Job, Lessor, Task};
use crate::{
    audit::{Asked, Auditor, News},
    holder::HolderFile,
    lease::{Caller, Change, End, Leases, Node, Right},
    link::{Link, LinkError},
    metrics::Metrics,
    stuck::Busy,
    translate::{farewell, outcome_name, took_leave, Question},
};

/// How often the end of the lease is looked for when nobody asks anything.
const WATCH: Duration = Duration::from_secs(1);

/// What the thread owns.
pub(super) struct Desk {
    link: Box<dyn Link>,
    leases: Leases,
    file: Option<HolderFile>,
    auditor: Option<Auditor>,
    news: News,
    /// The trusted application has said how many keys it holds.
    counted: bool,
    /// It was asked for its floor.
    floor_told: bool,
    /// For who watches that calls come back.
    busy: Busy,
    metrics: Arc<Metrics>,
}

impl Desk {
    pub(super) fn new(
        link: Box<dyn Link>,
        Lessor { leases, file }: Lessor,
        auditor: Option<Auditor>,
        busy: Busy,
        metrics: Arc<Metrics>,
    ) -> Desk {
        Desk { link, leases, file, auditor, news: News::default(), counted: false, floor_told: false, busy, metrics }
    }

    /// Until nobody can put a job any more.
    pub(super) fn work(&mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(WATCH) {
                Ok(job) => self.serve(job),
                Err(RecvTimeoutError::Timeout) => self.watch(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Tells the trusted application that nothing more comes.
    pub(super) fn take_leave(&mut self) {
        if let Err(failure) = self.carry(&farewell()).and_then(|answer| took_leave(&answer)) {
            tracing::warn!(
                %failure,
                "the trusted application could not be told that this end is an orderly one: its next start will be \
                 wary, and sign nothing new for a while"
            );
        }
    }

    fn serve(&mut self, job: Job) {
        let Job { caller, name, right, task, asked, queued, deadline, answer } = job;
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
        if let (Ok(_), Some(statement)) = (&result, asked.as_ref().and_then(Asked::statement)) {
            self.leases.signed(statement);
        }
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
        if let Some(asked) = &asked {
            let new = result.is_ok() && self.news.is(asked);
            if new {
                asked.announce(&caller);
            }
            // Before it is answered: nobody has a signature of which no line is on its way.
            if let Some(auditor) = &mut self.auditor {
                auditor.record(&caller, asked, &result, new);
            }
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
            (Task::Ask(question), _) => {
                let result = self.call(question);
                self.metrics.worked(name, now.elapsed());
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
            (Task::Claim(_), Caller::Operator(_)) => Ok(Reply::Lease(self.leases.seen_by(caller, now))),
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
        let reply = question.reply(&self.carry(question.request())?)?;
        if let Reply::Info(info) = &reply {
            self.metrics.describe(info);
            if !std::mem::replace(&mut self.counted, true) && info.keys == Some(0) {
                self.leases.nobody_before(Instant::now());
            }
            if info.keys.is_some() && !std::mem::replace(&mut self.floor_told, true) {
                self.tell_floor();
            }
        }
        Ok(reply)
    }

    /// Says in the log up to where the trusted application signs nothing new. This takes no place in the queue.
    fn tell_floor(&mut self) {
        match Question::new(Call::Watermarks { after: None }).and_then(|question| self.call(&question)) {
            Ok(Reply::Watermarks { floor, watermarks, .. }) => {
                // Those of the first page. Of the keys after it what is known comes with what they do.
                self.news.know(&watermarks);
                if floor != Floor::default() {
                    tracing::warn!(
                        grandpa = floor.grandpa.map(tracing::field::display),
                        slot = floor.slot,
                        "the trusted application signs nothing new up to this floor: what was signed there may be \
                         forgotten, since it ended without being told, its store was put back from a copy, or a key was \
                         retired. Nothing need be done"
                    );
                }
            }
            Ok(_) => {}
            Err(failure) => tracing::warn!(%failure, "the trusted application does not tell its floor"),
        }
    }

    /// To the trusted application and back.
    fn carry(&mut self, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let link = &mut self.link;
        self.busy.send_replace(Some(Instant::now().into()));
        let answer = catch_unwind(AssertUnwindSafe(|| link.call(request))).unwrap_or(Err(LinkError::Panicked));
        self.busy.send_replace(None);
        self.metrics.tee_up.set(answer.is_ok().into());
        answer.map_err(|error| Failure::Tee(error.to_string()))
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
