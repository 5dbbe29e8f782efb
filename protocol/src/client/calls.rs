//! Which questions wait for an answer on the connection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{hint, mem};

use parking_lot::{Condvar, Mutex};

use super::Unreachable;
use crate::message::{Failure, Reply, MAX_IN_FLIGHT};

/// How long a caller watches for its answer before it sleeps.
const WATCH: Duration = Duration::from_micros(100);

/// The questions that the daemon has not answered yet, those included that nobody waits for any longer.
#[derive(Default)]
pub(super) struct Calls {
    last_id: u64,
    open: BTreeMap<u64, Asker>,
}

/// Who asked.
pub(super) enum Asker {
    /// A caller that waits.
    Waiting(Arc<Slot>),
    /// A caller that has stopped waiting: the answer will be dropped.
    Gone,
    /// The client itself, to see whether the daemon is there.
    Probe,
}

impl Calls {
    /// Enters a question and gives it an id, higher than any before; `None` if too many are unanswered.
    pub(super) fn ask(&mut self, asker: Asker) -> Option<u64> {
        if self.open.len() >= MAX_IN_FLIGHT {
            return None;
        }
        self.last_id += 1;
        self.open.insert(self.last_id, asker);
        Some(self.last_id)
    }

    /// Takes out who is to have this answer; `None` if it was not asked for, or answered before.
    pub(super) fn answered(&mut self, id: u64) -> Option<Asker> {
        self.open.remove(&id)
    }

    /// The caller waits no longer, but the answer may still come.
    pub(super) fn give_up(&mut self, id: u64) {
        if let Some(asker) = self.open.get_mut(&id) {
            *asker = Asker::Gone;
        }
    }

    /// Whether a single question is unanswered.
    pub(super) fn single(&self) -> bool {
        self.open.len() == 1
    }

    /// The question was not sent after all.
    pub(super) fn take_back(&mut self, id: u64) {
        self.open.remove(&id);
    }

    /// Whether a probe is unanswered.
    pub(super) fn probing(&self) -> bool {
        self.open.values().any(|asker| matches!(asker, Asker::Probe))
    }

    /// No answer will come to any of them.
    pub(super) fn lose(&mut self, outcome: &Outcome) {
        for asker in mem::take(&mut self.open).into_values() {
            if let Asker::Waiting(slot) = asker {
                slot.fill(outcome.clone());
            }
        }
    }
}

/// How a wait ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// The daemon answered.
    Answer(Result<Reply, Failure>),
    /// The connection is gone.
    Lost(Unreachable),
    /// The client was closed.
    Closed,
}

/// Where one caller waits.
#[derive(Default)]
pub(super) struct Slot {
    outcome: Mutex<Option<Outcome>>,
    filled: Condvar,
    /// There was an outcome.
    full: AtomicBool,
}

impl Slot {
    /// Wakes the caller. Called once.
    pub(super) fn fill(&self, outcome: Outcome) {
        *self.outcome.lock() = Some(outcome);
        self.full.store(true, Ordering::Release);
        self.filled.notify_one();
    }

    /// Waits until it is filled; `None` after the deadline. A caller that is `alone` watches it for a moment before it
    /// sleeps: on an idle machine to be woken takes as long as a signature.
    pub(super) fn wait(&self, deadline: Instant, alone: bool) -> Option<Outcome> {
        let watched = deadline.min(Instant::now() + WATCH);
        while alone && !self.full.load(Ordering::Acquire) && Instant::now() < watched {
            hint::spin_loop();
        }
        let mut outcome = self.outcome.lock();
        loop {
            if let Some(outcome) = outcome.take() {
                return Some(outcome);
            }
            if self.filled.wait_until(&mut outcome, deadline).timed_out() {
                return outcome.take();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    // Rule 3.
    #[test]
    fn an_answer_reaches_its_asker_once() {
        let mut calls = Calls::default();
        let slots = [Arc::new(Slot::default()), Arc::new(Slot::default())];
        let ids = slots.each_ref().map(|slot| calls.ask(Asker::Waiting(slot.clone())).unwrap());
        let Some(Asker::Waiting(slot)) = calls.answered(ids[1]) else { panic!("nobody waits") };
        assert!(Arc::ptr_eq(&slot, &slots[1]));
        assert!(calls.answered(ids[1]).is_none());
        calls.give_up(ids[0]);
        assert!(matches!(calls.answered(ids[0]), Some(Asker::Gone)));
    }

    proptest! {
        #[test]
        fn ids_rise_and_only_unanswered_ones_are_known(steps in proptest::collection::vec((0u8..4, any::<u8>()), 0..600)) {
            let mut calls = Calls::default();
            let (mut open, mut highest) = (BTreeSet::new(), 0);
            for (step, choice) in steps {
                let chosen = open.iter().nth(choice as usize % open.len().max(1)).copied();
                match (step, chosen) {
                    (0, Some(id)) => {
                        prop_assert!(calls.answered(id).is_some());
                        prop_assert!(calls.answered(id).is_none());
                        open.remove(&id);
                    }
                    (1, Some(id)) => calls.give_up(id),
                    _ => match calls.ask(Asker::Probe) {
                        Some(id) => {
                            prop_assert!(id > highest);
                            highest = id;
                            open.insert(id);
                        }
                        None => prop_assert_eq!(open.len(), MAX_IN_FLIGHT),
                    },
                }
                prop_assert!(open.len() <= MAX_IN_FLIGHT);
                prop_assert!(calls.answered(highest + 1).is_none());
            }
        }
    }

    #[test]
    fn a_lost_connection_wakes_everybody() {
        let mut calls = Calls::default();
        let slot = Arc::new(Slot::default());
        calls.ask(Asker::Waiting(slot.clone())).unwrap();
        calls.ask(Asker::Probe).unwrap();
        let lost = Outcome::Lost(Unreachable::Connection("gone".into()));
        calls.lose(&lost);
        assert_eq!(slot.wait(Instant::now(), false), Some(lost));
        assert!(!calls.probing());
    }
}
