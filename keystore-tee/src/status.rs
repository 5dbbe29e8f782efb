//! What is known of the TEE at the moment, and everyone who waits for that to change.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use holdfast_protocol::{client::State, message::TeeInfo};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// Shared between the keystore's callers, its listing thread and the client's listener.
pub(crate) struct Status {
    seen: Mutex<Seen>,
    changed: Condvar,
    up: watch::Sender<bool>,
    ready: watch::Sender<bool>,
}

struct Seen {
    state: State,
    /// A connection was made once.
    met: bool,
    /// A connection was made since the list of keys was last asked for.
    fresh: bool,
    /// The list of keys was read at least once.
    listed: bool,
    /// Why the list of keys was not read.
    unread: Option<String>,
    /// It is known whether this node signs.
    decided: bool,
    /// Why it is not.
    undecided: Option<String>,
    released: bool,
}

/// What is wrong with a TEE that answers but has no keys to sign with.
pub(crate) const UNUSABLE: &str = "its store cannot be used; the daemon's log says why";

/// What a new state means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The first connection.
    Met,
    /// A later connection.
    Returned,
    /// The daemon was silent or away before, or an earlier attempt failed for another reason.
    Other,
    /// Nothing that anyone need be told.
    None,
}

/// What the listing thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The connection is new: read the list, whatever the catalogue says.
    List,
    /// Nothing happened: look whether the catalogue changed.
    Look,
    /// The keystore is released.
    End,
}

impl Default for Status {
    fn default() -> Self {
        let seen = Seen {
            state: State::Deferred,
            met: false,
            fresh: false,
            listed: false,
            unread: None,
            decided: false,
            undecided: None,
            released: false,
        };
        Self {
            seen: Mutex::new(seen),
            changed: Condvar::new(),
            up: watch::Sender::new(false),
            ready: watch::Sender::new(false),
        }
    }
}

impl Status {
    /// The client's state changed.
    pub(crate) fn observe(&self, state: &State) -> Change {
        let change = self.update(|seen| {
            let kept = matches!(seen.state, State::Up(_) | State::Unresponsive);
            let change = match state {
                State::Up(_) if !kept && !seen.met => Change::Met,
                State::Up(_) if !kept => Change::Returned,
                State::Up(_) if matches!(seen.state, State::Up(_)) => Change::None,
                _ if seen.state == *state => Change::None,
                _ => Change::Other,
            };
            if matches!(change, Change::Met | Change::Returned) {
                seen.met = true;
                seen.fresh = true;
            }
            seen.state = state.clone();
            change
        });
        let up = matches!(state, State::Up(tee) if can_sign(tee));
        self.up.send_if_modified(|was| std::mem::replace(was, up) != up);
        change
    }

    /// The list of keys was read, or could not be.
    pub(crate) fn listed(&self, result: Result<(), String>) {
        self.update_ready(|seen| {
            seen.unread = result.err();
            seen.listed |= seen.unread.is_none();
        });
    }

    /// It was said whether this node signs, or why that cannot be said yet.
    pub(crate) fn decided(&self, result: Result<(), Option<String>>) {
        self.update_ready(|seen| {
            seen.decided |= result.is_ok();
            seen.undecided = result.err().flatten();
        });
    }

    /// Nobody waits any longer.
    pub(crate) fn release(&self) {
        self.update(|seen| seen.released = true);
    }

    /// The TEE that answers now.
    pub(crate) fn tee(&self) -> Option<TeeInfo> {
        self.seen.lock().tee().cloned()
    }

    /// Whether the TEE can sign now.
    pub(crate) fn can_sign(&self) -> bool {
        *self.up.borrow()
    }

    /// Resolves when the TEE can sign; never after a release.
    pub(crate) fn up(&self) -> impl Future<Output = ()> + Send + 'static {
        until_true(self.up.subscribe())
    }

    /// Resolves when the list of keys was read once, and it is known whether this node signs.
    pub(crate) fn ready(&self) -> impl Future<Output = ()> + Send + 'static {
        until_true(self.ready.subscribe())
    }

    /// Waits until the TEE can sign, the list of keys was read once and it is known whether this node signs; else says
    /// what is in the way.
    pub(crate) fn wait_ready(&self, timeout: Duration) -> Result<TeeInfo, String> {
        let mut seen = self.seen.lock();
        let waits = |seen: &mut Seen| !(seen.released || seen.ready() && seen.tee().is_some_and(can_sign));
        self.changed.wait_while_for(&mut seen, waits, timeout);
        match &seen.state {
            _ if seen.released => Err("the keystore was released".into()),
            State::Up(tee) if !can_sign(tee) => Err(UNUSABLE.into()),
            State::Up(tee) if seen.ready() => Ok(tee.clone()),
            State::Up(_) => Err(seen.missing()),
            State::Down(reason) => Err(reason.to_string()),
            State::Deferred => Err("the connection has not been started".into()),
            State::Connecting => Err("the connection is still being made".into()),
            State::Unresponsive => Err("it stopped answering".into()),
            State::Closed => Err("the keystore was released".into()),
        }
    }

    /// Waits for a new connection, or for `pause` to pass while the TEE is up, or for the release.
    pub(crate) fn next(&self, pause: Duration) -> Next {
        let mut seen = self.seen.lock();
        let until = Instant::now() + pause;
        loop {
            if seen.released {
                return Next::End;
            }
            let up = seen.tee().is_some();
            if up && std::mem::take(&mut seen.fresh) {
                return Next::List;
            }
            if !up {
                self.changed.wait(&mut seen);
            } else if Instant::now() >= until {
                return Next::Look;
            } else {
                self.changed.wait_until(&mut seen, until);
            }
        }
    }

    /// Sleeps, and says whether the keystore is still wanted.
    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let mut seen = self.seen.lock();
        self.changed.wait_while_for(&mut seen, |seen| !seen.released, pause);
        !seen.released
    }

    fn update_ready(&self, change: impl FnOnce(&mut Seen)) {
        let ready = self.update(|seen| {
            change(seen);
            seen.ready()
        });
        self.ready.send_if_modified(|was| std::mem::replace(was, ready) != ready);
    }

    fn update<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let mut seen = self.seen.lock();
        let result = change(&mut seen);
        drop(seen);
        self.changed.notify_all();
        result
    }
}

impl Seen {
    fn tee(&self) -> Option<&TeeInfo> {
        match &self.state {
            State::Up(tee) => Some(tee),
            _ => None,
        }
    }

    fn ready(&self) -> bool {
        self.listed && self.decided
    }

    /// What there is still to be had from a TEE that answers.
    fn missing(&self) -> String {
        match (&self.unread, &self.undecided) {
            (Some(why), _) if !self.listed => why.clone(),
            _ if !self.listed => "its list of keys is still being read".into(),
            (_, Some(why)) => why.clone(),
            _ => "it is still being asked for the lease on the keys".into(),
        }
    }
}

/// Whether the TEE's store can be used: without it there are no keys to sign with.
fn can_sign(tee: &TeeInfo) -> bool {
    tee.keys.is_some()
}

async fn until_true(mut receiver: watch::Receiver<bool>) {
    if receiver.wait_for(|value| *value).await.is_err() {
        // The keystore is gone: what was waited for never comes.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::client::Unreachable;
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    fn up() -> State {
        State::Up(TeeInfo {
            ta_version: 1,
            schema: 1,
            kind: "software TEE, not a TEE".into(),
            simulated: true,
            development: true,
            keys: Some(0),
            catalogue: 0,
            rollback_protected: false,
        })
    }

    fn without_store() -> State {
        let State::Up(tee) = up() else { panic!("it is up") };
        State::Up(TeeInfo { keys: None, ..tee })
    }

    fn down() -> State {
        State::Down(Unreachable::Connection("no such file".into()))
    }

    fn resolves(future: impl Future<Output = ()>) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn the_first_connection_later_ones_and_mere_silence_are_told_apart() {
        let status = Status::default();
        let states = [State::Connecting, down(), down(), up(), up(), State::Unresponsive, up(), down(), up()];
        use Change::*;
        let changes = [Other, Other, None, Met, None, Other, Other, Other, Returned];
        assert_eq!(states.map(|state| status.observe(&state)), changes);
    }

    #[test]
    fn the_list_is_read_on_every_new_connection_and_looked_at_in_between() {
        let status = Status::default();
        status.observe(&up());
        assert_eq!(status.next(Duration::ZERO), Next::List);
        assert_eq!(status.next(Duration::ZERO), Next::Look);
        status.observe(&State::Unresponsive);
        status.observe(&up());
        assert_eq!(status.next(Duration::ZERO), Next::Look);
        status.observe(&down());
        status.observe(&up());
        assert_eq!(status.next(Duration::from_secs(600)), Next::List);
        status.release();
        assert_eq!(status.next(Duration::from_secs(600)), Next::End);
    }

    #[test]
    fn a_wait_ends_with_the_release_whatever_the_state() {
        let status = Status::default();
        std::thread::scope(|scope| {
            let listing = scope.spawn(|| status.next(Duration::ZERO));
            let waiting = scope.spawn(|| status.wait_ready(Duration::from_secs(600)));
            let pausing = scope.spawn(|| status.pause(Duration::from_secs(600)));
            status.release();
            assert_eq!(listing.join().ok(), Some(Next::End));
            assert_eq!(waiting.join().ok(), Some(Err("the keystore was released".into())));
            assert_eq!(pausing.join().ok(), Some(false));
        });
    }

    #[test]
    fn a_tee_whose_store_cannot_be_used_is_not_up() {
        let status = Status::default();
        status.observe(&without_store());
        status.listed(Err("the trusted application failed: storage".into()));
        assert!(!resolves(status.up()));
        assert_eq!(status.wait_ready(Duration::ZERO), Err(UNUSABLE.into()));
        assert!(status.tee().is_some(), "it answers");
        status.observe(&up());
        status.listed(Ok(()));
        status.decided(Ok(()));
        assert!(resolves(status.up()) && status.wait_ready(Duration::ZERO).is_ok());
        status.observe(&without_store());
        assert!(!resolves(status.up()));
        assert_eq!(status.wait_ready(Duration::ZERO), Err(UNUSABLE.into()));
    }

    // Rule 4: down is not empty.
    #[test]
    fn rule_4_up_follows_the_connection_and_ready_stays() {
        let status = Status::default();
        assert!(!resolves(status.up()) && !resolves(status.ready()));
        status.observe(&up());
        assert!(resolves(status.up()) && !resolves(status.ready()));
        status.listed(Err("the daemon went away".into()));
        assert_eq!(status.wait_ready(Duration::ZERO), Err("the daemon went away".into()));
        status.listed(Ok(()));
        assert!(!resolves(status.ready()));
        status.decided(Err(Some("another holds the lease".into())));
        assert_eq!(status.wait_ready(Duration::ZERO), Err("another holds the lease".into()));
        status.decided(Ok(()));
        status.decided(Err(None));
        status.observe(&State::Unresponsive);
        assert!(!resolves(status.up()) && resolves(status.ready()));
        assert_eq!(status.wait_ready(Duration::ZERO), Err("it stopped answering".into()));
        status.observe(&down());
        assert_eq!(status.wait_ready(Duration::ZERO), Err("no such file".into()));
        assert!(!resolves(status.up()) && resolves(status.ready()) && status.tee().is_none());
        status.observe(&up());
        assert!(resolves(status.up()) && status.wait_ready(Duration::ZERO).is_ok());
    }
}
