//! What callers and the client's thread share.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::calls::{Asker, Calls, Outcome, Slot};
use super::{CallError, ClientOptions, State, Unreachable, Until};
use crate::channel::{ChannelError, Sender, Stream};
use crate::codec;
use crate::endpoint::Endpoint;
use crate::message::{Call, Failure, Reply, Request, Response, TeeInfo, MAX_DEADLINE_MS, MAX_MESSAGE};

/// How long a call without a deadline waits before it looks again: for room on the connection, or for a busy daemon.
const AGAIN: Duration = Duration::from_millis(50);

pub(super) struct Hub {
    pub(super) endpoint: Endpoint,
    pub(super) options: ClientOptions,
    inner: Mutex<Inner>,
    /// The state has changed, or there is room for another question.
    changed: Condvar,
    listeners: Mutex<Listeners>,
}

struct Inner {
    state: State,
    link: Option<Arc<Link>>,
    /// A stream whose handshake is under way.
    connecting: Option<Arc<Stream>>,
    calls: Calls,
    /// How many answers have come.
    arrivals: u64,
    /// How many callers wait for room.
    crowd: usize,
}

/// A connection on which the daemon has said welcome.
pub(super) struct Link {
    pub(super) sender: Mutex<Sender>,
    pub(super) stream: Arc<Stream>,
    /// [`Sender::crowded`].
    pub(super) crowded: Arc<AtomicBool>,
    /// What the daemon last said of its trusted application.
    pub(super) info: Mutex<TeeInfo>,
}

/// Told of every change.
pub(super) type Listener = Box<dyn FnMut(&State) + Send>;

struct Listeners {
    told: Option<State>,
    listeners: Vec<Listener>,
}

/// A question on its way.
struct Sent {
    id: u64,
    slot: Arc<Slot>,
    /// [`Inner::arrivals`] when it was sent.
    arrivals: u64,
    /// It was the only one without an answer.
    alone: bool,
}

impl Hub {
    pub(super) fn new(endpoint: Endpoint, options: ClientOptions) -> Hub {
        let calls = Calls::default();
        let inner = Inner { state: State::Deferred, link: None, connecting: None, calls, arrivals: 0, crowd: 0 };
        let listeners = Listeners { told: None, listeners: Vec::new() };
        let (inner, listeners) = (Mutex::new(inner), Mutex::new(listeners));
        Hub { endpoint, options, inner, changed: Condvar::new(), listeners }
    }

    pub(super) fn state(&self) -> State {
        self.inner.lock().state.clone()
    }

    pub(super) fn listen(&self, mut listener: Listener) {
        let mut listeners = self.listeners.lock();
        let state = self.state();
        // The others may not have heard of it yet; this one must not hear of it twice.
        listeners.tell(&state);
        listener(&state);
        listeners.listeners.push(listener);
    }

    /// Asks, and waits for the answer.
    pub(super) fn call(&self, call: Call, until: Until) -> Result<Reply, CallError> {
        let deadline = match until {
            Until::Deadline(deadline) => Some(deadline),
            Until::Answered => None,
        };
        let mut request = Request { id: 0, deadline_ms: MAX_DEADLINE_MS, call };
        loop {
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(CallError::Deadline);
            }
            let link = self.link(deadline)?;
            let Some(sent) = self.send(&link, &mut request, deadline)? else { continue };
            let until = deadline.unwrap_or_else(|| Instant::now() + self.options.ask_again);
            match (sent.slot.wait(until, sent.alone), deadline) {
                (Some(Outcome::Answer(Err(Failure::Busy | Failure::Deadline))), None) => self.pause(),
                (Some(Outcome::Lost(_)), None) => {}
                (Some(Outcome::Answer(Ok(reply))), _) => return Ok(reply),
                (Some(Outcome::Answer(Err(Failure::Deadline))), _) => return Err(CallError::Deadline),
                (Some(Outcome::Answer(Err(failure))), _) => return Err(failure.into()),
                (Some(Outcome::Lost(reason)), _) => return Err(reason.into()),
                (Some(Outcome::Closed), _) => return Err(CallError::Closed),
                (None, _) => {
                    self.inner.lock().calls.give_up(sent.id);
                    self.overdue(&link, sent.arrivals);
                    if deadline.is_some() {
                        return Err(CallError::Deadline);
                    }
                    let (endpoint, waited) = (&self.endpoint, self.options.ask_again);
                    log::warn!(
                        "the daemon at {endpoint} left a question without an answer for {waited:?}; asking again"
                    );
                }
            }
        }
    }

    pub(super) fn wait_up(&self, deadline: Instant) -> Result<TeeInfo, CallError> {
        let mut inner = self.inner.lock();
        loop {
            match &inner.state {
                State::Up(info) => return Ok(info.clone()),
                State::Closed => return Err(CallError::Closed),
                _ => {}
            }
            if self.changed.wait_until(&mut inner, deadline).timed_out() {
                return match &inner.state {
                    State::Up(info) => Ok(info.clone()),
                    State::Closed => Err(CallError::Closed),
                    State::Deferred => Err(Unreachable::Deferred.into()),
                    State::Down(reason) => Err(reason.clone().into()),
                    State::Connecting | State::Unresponsive => Err(CallError::Deadline),
                };
            }
        }
    }

    /// From [`State::Deferred`] to [`State::Connecting`]; false in any other state.
    pub(super) fn begin(&self) -> bool {
        let inner = self.inner.lock();
        let begun = inner.state == State::Deferred;
        if begun {
            self.set(inner, State::Connecting);
        }
        begun
    }

    /// Back to [`State::Deferred`]: there is no thread to connect with.
    pub(super) fn defer(&self) {
        let inner = self.inner.lock();
        if inner.state == State::Connecting {
            self.set(inner, State::Deferred);
        }
    }

    /// Ends everything.
    pub(super) fn close(&self) {
        let mut inner = self.inner.lock();
        if let Some(link) = inner.link.take() {
            link.stream.close();
        }
        if let Some(stream) = inner.connecting.take() {
            stream.close();
        }
        inner.calls.lose(&Outcome::Closed);
        self.set(inner, State::Closed);
    }

    /// Remembers a stream whose handshake begins, so that [`Hub::close`] can end it.
    pub(super) fn connecting(&self, stream: &Arc<Stream>) {
        let mut inner = self.inner.lock();
        if inner.state == State::Closed {
            return stream.close();
        }
        inner.connecting = Some(stream.clone());
    }

    /// The daemon has said welcome; false if the client was closed meanwhile.
    pub(super) fn up(&self, link: &Arc<Link>) -> bool {
        let mut inner = self.inner.lock();
        inner.connecting = None;
        if inner.state == State::Closed {
            return false;
        }
        inner.link = Some(link.clone());
        let info = link.info.lock().clone();
        self.set(inner, State::Up(info));
        true
    }

    /// There is no connection, or (with `link`) this one is no longer any use.
    pub(super) fn down(&self, link: Option<&Arc<Link>>, reason: Unreachable) {
        let mut inner = self.inner.lock();
        if let Some(link) = link {
            link.stream.close();
            if !inner.has(link) {
                return;
            }
        }
        inner.link = None;
        inner.connecting = None;
        inner.calls.lose(&Outcome::Lost(reason.clone()));
        if inner.state != State::Closed {
            self.set(inner, State::Down(reason));
        }
    }

    /// Waits for so long; false as soon as the client is closed.
    pub(super) fn rest(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut inner = self.inner.lock();
        while inner.state != State::Closed {
            if self.changed.wait_until(&mut inner, end).timed_out() {
                return inner.state != State::Closed;
            }
        }
        false
    }

    /// Hands an answer to who asked. False if nobody did.
    pub(super) fn arrived(&self, link: &Link, response: Response) -> bool {
        let mut inner = self.inner.lock();
        let Some(asker) = inner.calls.answered(response.id) else { return false };
        inner.arrivals = inner.arrivals.wrapping_add(1);
        if inner.crowd > 0 {
            self.changed.notify_all();
        }
        let mut news = None;
        if let Ok(Reply::Info(info)) = &response.result {
            let mut known = link.info.lock();
            if *known != *info {
                *known = info.clone();
                news = Some(info.clone());
            }
        }
        if inner.state == State::Unresponsive {
            news = Some(link.info.lock().clone());
        }
        match news {
            Some(info) if inner.state != State::Closed => self.set(inner, State::Up(info)),
            _ => drop(inner),
        }
        if let Asker::Waiting(slot) = asker {
            slot.fill(Outcome::Answer(response.result));
        }
        true
    }

    /// Nothing has come for a while: asks the daemon whether it is there, once.
    pub(super) fn probe(&self, link: &Arc<Link>) {
        let mut inner = self.inner.lock();
        if inner.calls.probing() {
            let arrivals = inner.arrivals;
            drop(inner);
            return self.overdue(link, arrivals);
        }
        drop(inner);
        let sender = link.sender.try_lock_for(AGAIN);
        inner = self.inner.lock();
        let arrivals = inner.arrivals;
        let id = sender.is_some().then(|| inner.calls.ask(Asker::Probe)).flatten();
        drop(inner);
        let (Some(mut sender), Some(id)) = (sender, id) else { return self.overdue(link, arrivals) };
        let request = Request { id, deadline_ms: MAX_DEADLINE_MS, call: Call::Info };
        let sent = codec::encode_request(&request).map(|message| sender.send(message, None));
        drop(sender);
        if !matches!(sent, Ok(Ok(()))) {
            self.inner.lock().calls.take_back(id);
            self.overdue(link, arrivals);
        }
    }

    /// The connection, once there is one.
    fn link(&self, deadline: Option<Instant>) -> Result<Arc<Link>, CallError> {
        let mut inner = self.inner.lock();
        loop {
            if let Some(link) = &inner.link {
                return Ok(link.clone());
            }
            match (&inner.state, deadline) {
                (State::Closed, _) => return Err(CallError::Closed),
                (State::Down(reason), Some(_)) => return Err(reason.clone().into()),
                (State::Deferred, Some(_)) => return Err(Unreachable::Deferred.into()),
                (_, None) => self.changed.wait(&mut inner),
                (_, Some(deadline)) => {
                    if self.changed.wait_until(&mut inner, deadline).timed_out() && inner.link.is_none() {
                        let reason = match &inner.state {
                            State::Down(reason) => reason.clone(),
                            _ => Unreachable::Connection("no connection was made in time".into()),
                        };
                        return Err(reason.into());
                    }
                }
            }
        }
    }

    /// Sends a request; `None` if it was not sent and should be tried again from the start.
    fn send(
        &self,
        link: &Arc<Link>,
        request: &mut Request,
        deadline: Option<Instant>,
    ) -> Result<Option<Sent>, CallError> {
        let patience = deadline.unwrap_or_else(|| Instant::now() + AGAIN);
        // Without room the lock is held, and waited for, no longer than this.
        let Some(mut sender) = link.sender.try_lock_until(patience) else {
            return self.no_room(link, deadline);
        };
        let slot = Arc::new(Slot::default());
        let mut inner = self.inner.lock();
        if !inner.has(link) {
            return Ok(None);
        }
        let Some(id) = inner.calls.ask(Asker::Waiting(slot.clone())) else {
            drop(sender);
            inner.crowd += 1;
            let timed_out = self.changed.wait_until(&mut inner, patience).timed_out();
            inner.crowd -= 1;
            drop(inner);
            return if timed_out { self.no_room(link, deadline) } else { Ok(None) };
        };
        let (arrivals, alone) = (inner.arrivals, inner.calls.single());
        drop(inner);

        request.id = id;
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now()).as_millis();
            request.deadline_ms = u32::try_from(left).map_or(MAX_DEADLINE_MS, |left| left.min(MAX_DEADLINE_MS));
        }
        let Ok(message) = codec::encode_request(request) else {
            self.inner.lock().calls.take_back(id);
            return Err(CallError::Protocol(format!("the request is longer than {MAX_MESSAGE} bytes")));
        };
        let sent = sender.send(message, Some(patience));
        drop(sender);
        match sent {
            Ok(()) => Ok(Some(Sent { id, slot, arrivals, alone })),
            Err(ChannelError::Full) => {
                self.inner.lock().calls.take_back(id);
                self.no_room(link, deadline)
            }
            Err(error) => {
                self.inner.lock().calls.take_back(id);
                let reason = Unreachable::Connection(error.to_string());
                self.down(Some(link), reason.clone());
                deadline.map_or(Ok(None), |_| Err(reason.into()))
            }
        }
    }

    /// There was no room for a request: a caller with a deadline has reached it, another tries again.
    fn no_room(&self, link: &Arc<Link>, deadline: Option<Instant>) -> Result<Option<Sent>, CallError> {
        if deadline.is_none() {
            return Ok(None);
        }
        let arrivals = self.inner.lock().arrivals;
        self.overdue(link, arrivals);
        Err(CallError::Deadline)
    }

    /// An answer should have come and has not, nor has any other since there were so many.
    fn overdue(&self, link: &Arc<Link>, arrivals: u64) {
        let inner = self.inner.lock();
        if inner.has(link) && inner.arrivals == arrivals && matches!(inner.state, State::Up(_)) {
            self.set(inner, State::Unresponsive);
        }
    }

    fn pause(&self) {
        self.rest(AGAIN);
    }

    /// Changes the state and tells everybody.
    fn set(&self, mut inner: MutexGuard<'_, Inner>, state: State) {
        inner.state = state;
        self.changed.notify_all();
        drop(inner);
        let mut listeners = self.listeners.lock();
        // Read under the lock of the listeners: who comes last tells the latest.
        let state = self.state();
        listeners.tell(&state);
    }
}

impl Listeners {
    fn tell(&mut self, state: &State) {
        if self.told.as_ref() == Some(state) {
            return;
        }
        for listener in &mut self.listeners {
            // A panic of theirs has been reported by the panic hook, and is no reason to leave callers waiting.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(state)));
        }
        self.told = Some(state.clone());
    }
}

impl Inner {
    fn has(&self, link: &Arc<Link>) -> bool {
        self.link.as_ref().is_some_and(|current| Arc::ptr_eq(current, link))
    }
}
