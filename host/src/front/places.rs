//! What one connection may take of the queue that all share, so that a client that asks without end delays the others
//! by so many requests at most.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The most requests of one connection that are in the queue or with the trusted application.
pub(super) const PLACES: usize = 8;

/// The places of one connection.
#[derive(Default)]
pub(super) struct Places {
    state: Mutex<State>,
    changed: Condvar,
}

/// One place taken. Dropping it frees it, whatever became of the request.
pub(super) struct Place(Arc<Places>);

#[derive(Default)]
struct State {
    taken: usize,
    closed: bool,
}

impl Places {
    /// Waits for a place; `None` once they are closed.
    pub(super) fn take(self: &Arc<Places>) -> Option<Place> {
        let full = |state: &mut State| state.taken >= PLACES && !state.closed;
        let mut state = self.changed.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        state.taken += 1;
        Some(Place(self.clone()))
    }

    /// Gives out no more, and lets go whoever waits.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().taken -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
        sync::mpsc::{channel, TryRecvError},
    };

    fn taken(places: &Places) -> usize {
        places.state().taken
    }

    #[test]
    fn whoever_finds_all_taken_waits_until_one_is_free() {
        let places = Arc::new(Places::default());
        let mut held: Vec<Place> = (0..PLACES).filter_map(|_| places.take()).collect();
        let (tell, told) = channel();
        let waiting = {
            let places = places.clone();
            std::thread::spawn(move || {
                let place = places.take();
                tell.send(()).expect("the test waits");
                place
            })
        };
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
        drop(held.pop());
        told.recv().expect("no panic");
        assert_eq!(taken(&places), PLACES);
        drop((held, waiting.join().expect("no panic")));
        assert_eq!(taken(&places), 0);
    }

    #[test]
    fn an_answer_that_is_dropped_or_panics_frees_its_place() {
        let places = Arc::new(Places::default());
        let answer = || {
            let place = places.take().expect("free");
            move || {
                let _place = place;
                panic!("as told");
            }
        };
        drop(answer());
        assert_eq!(taken(&places), 0);
        assert!(catch_unwind(AssertUnwindSafe(answer())).is_err());
        assert_eq!(taken(&places), 0);
    }
}
