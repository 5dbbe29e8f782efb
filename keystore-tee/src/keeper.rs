//! Asks the daemon for the lease, again and again, and tells everyone who waits what came of it.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use holdfast_protocol::{
    client::{CallError, Client, State, Until},
    lease::{Claim, Identity, Lease, Tenure},
    message::{Call, Reply},
};
use log::Level;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::{
    ask::PATIENCE,
    lease::{Candidate, Role, Standing},
    news::{self, News},
    shown::shown,
    status::Status,
    takeover::Round,
    votes::Votes,
    watermarks, TARGET,
};

/// The longest pause between two questions.
const SELDOM: Duration = Duration::from_secs(1);
/// The shortest, however short the lease: a quarter of the shortest that a daemon can be told to give.
const OFTEN: Duration = Duration::from_millis(250);
/// How long all watermarks together may take to be read: a daemon may give each page of them in time, and many pages.
const ALL_WATERMARKS: Duration = Duration::from_secs(30);

/// Shared between the keystore's callers, the node that feeds it rounds, and the thread that asks.
pub(crate) struct Keeper {
    inner: Mutex<Inner>,
    changed: Condvar,
    role: watch::Sender<Role>,
}

struct Inner {
    candidate: Candidate,
    /// What the daemon said last, and when.
    heard: Option<(Lease, Instant)>,
    /// Since when this node is active.
    active: Option<Instant>,
    up: bool,
    /// There is a connection, be it silent.
    kept: bool,
    /// The watermarks are to be read: the TEE may have signed for another node, or forgotten something.
    unread: bool,
    /// The daemon is to be asked without a pause.
    urgent: bool,
    released: bool,
}

impl Keeper {
    pub(crate) fn new(mine: Identity) -> Self {
        let candidate = Candidate::new(mine, Role::Unknown);
        let inner = Inner {
            candidate,
            heard: None,
            active: None,
            up: false,
            kept: false,
            unread: false,
            urgent: false,
            released: false,
        };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), role: watch::Sender::new(Role::Unknown) }
    }

    /// This node is no validator, and only looks on. For the time before the connection is made.
    pub(crate) fn only_look(&self) {
        let mut inner = self.inner.lock();
        inner.candidate = Candidate::new(*inner.candidate.mine(), Role::Observer);
        self.role.send_replace(Role::Observer);
    }

    /// The connection's state changed.
    pub(crate) fn connection(&self, state: &State) {
        let mut inner = self.inner.lock();
        let up = matches!(state, State::Up(_));
        inner.urgent |= up && !inner.up;
        inner.unread |= up && !inner.kept;
        inner.up = up;
        inner.kept = up || *state == State::Unresponsive;
        self.changed.notify_all();
    }

    /// The node has come to this round of GRANDPA.
    pub(crate) fn observe(&self, round: Round) {
        let mut inner = self.inner.lock();
        if inner.candidate.observe(round) {
            inner.urgent = true;
            self.changed.notify_all();
        }
    }

    /// Something was refused for want of the lease: whoever holds it should be known at once.
    pub(crate) fn look(&self) {
        self.inner.lock().urgent = true;
        self.changed.notify_all();
    }

    /// The TEE has failed: it may have ended without being told, and have forgotten something when it was started again,
    /// be the connection to its daemon the same.
    pub(crate) fn reread(&self) {
        let mut inner = self.inner.lock();
        (inner.unread, inner.urgent) = (true, true);
        self.changed.notify_all();
    }

    /// Nobody waits any longer.
    pub(crate) fn release(&self) {
        self.inner.lock().released = true;
        self.changed.notify_all();
    }

    pub(crate) fn role(&self) -> Role {
        *self.role.borrow()
    }

    /// Resolves when another node has taken over.
    pub(crate) fn superseded(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut role = self.role.subscribe();
        async move {
            if role.wait_for(|role| *role == Role::Superseded).await.is_err() {
                // The keystore is gone: what was waited for never comes.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The lease as the daemon described it last, with the time since added; this node's own as others see it.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let inner = self.inner.lock();
        let (mut lease, heard) = inner.heard?;
        let age = millis(heard.elapsed());
        match &mut lease.tenure {
            Tenure::Yours => {
                let since_ms = inner.active.map_or(0, |since| millis(since.elapsed()));
                lease.tenure = Tenure::Held { holder: *inner.candidate.mine(), since_ms, silent_ms: age };
            }
            Tenure::Held { since_ms, silent_ms, .. } => {
                *since_ms = since_ms.saturating_add(age);
                *silent_ms = silent_ms.saturating_add(age);
            }
            Tenure::Free { reserved_ms, .. } => {
                *reserved_ms = reserved_ms.saturating_sub(u32::try_from(age).unwrap_or(u32::MAX));
            }
        }
        Some(lease)
    }

    /// Who else holds the lease, as far as is known.
    pub(crate) fn holder(&self) -> Option<Identity> {
        match self.inner.lock().heard?.0.tenure {
            Tenure::Held { holder, .. } => Some(holder),
            Tenure::Yours | Tenure::Free { .. } => None,
        }
    }

    /// Waits for the next question's time, and says what to ask for; `None` at the end.
    fn next(&self, pause: Duration) -> Option<Claim> {
        let mut inner = self.inner.lock();
        let until = Instant::now() + pause;
        loop {
            if inner.released {
                return None;
            }
            if inner.up && (inner.urgent || Instant::now() >= until) {
                inner.urgent = false;
                return Some(inner.candidate.claim());
            }
            if inner.up {
                self.changed.wait_until(&mut inner, until);
            } else {
                self.changed.wait(&mut inner);
            }
        }
    }

    /// The daemon has answered.
    fn judge(&self, lease: Lease) -> Standing {
        let mut inner = self.inner.lock();
        let standing = inner.candidate.judge(&lease);
        let (role, now) = (inner.candidate.role(), Instant::now());
        inner.unread |= role == Role::Active && inner.active.is_none();
        inner.heard = Some((lease, now));
        inner.active = (role == Role::Active).then(|| inner.active.unwrap_or(now));
        self.role.send_if_modified(|was| std::mem::replace(was, role) != role);
        standing
    }

    /// Whether the watermarks are to be read now. Only an active node's votes depend on them.
    fn take_unread(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.candidate.role() == Role::Active && std::mem::take(&mut inner.unread)
    }

    /// The watermarks could not be read.
    fn still_unread(&self) {
        self.inner.lock().unread = true;
    }

    fn round(&self) -> Option<Round> {
        self.inner.lock().candidate.round()
    }

    fn is_up(&self) -> bool {
        self.inner.lock().up
    }
}

/// Asks for the lease until the keystore is released, and whenever the node becomes active or is connected anew, for
/// how far its keys have come.
pub(crate) fn keep(client: &Client, keeper: &Keeper, votes: &Votes, status: &Status) {
    let ask = |call, end| client.call(call, Until::Deadline(end));
    let mut pause = SELDOM;
    let mut told = News::default();
    let mut unread = None;
    while let Some(claim) = keeper.next(pause) {
        let why = match ask(Call::Lease(claim), Instant::now() + PATIENCE) {
            Ok(Reply::Lease(lease)) => {
                let standing = keeper.judge(lease);
                for (level, line) in told.of(standing, &lease, keeper.round(), Instant::now()) {
                    log::log!(target: TARGET, level, "{line}");
                }
                read_watermarks(ask, keeper, votes, &mut unread);
                if keeper.role() == Role::Active && status.can_sign() {
                    votes.look(Instant::now());
                }
                status.decided(match keeper.role() {
                    Role::Unknown => Err(news::line(standing, &lease)),
                    Role::Active if !votes.marked() => Err(unread.as_ref().map(unreadable)),
                    _ => Ok(()),
                });
                pause = interval(lease.lasts_ms);
                continue;
            }
            Ok(_) => "the daemon answered something else".into(),
            Err(CallError::Closed) => return,
            Err(error) => shown(error),
        };
        // That the daemon is away is told elsewhere.
        let level = if keeper.is_up() { told.of_failure(&why, Instant::now()) } else { Level::Debug };
        log::log!(target: TARGET, level, "the lease on the keys could not be asked for: {why}; trying again");
        pause = SELDOM;
    }
}

/// Reads how far the keys have come, if that is due. `unread` is why it could not be read before.
fn read_watermarks(
    mut ask: impl FnMut(Call, Instant) -> Result<Reply, CallError>,
    keeper: &Keeper,
    votes: &Votes,
    unread: &mut Option<String>,
) {
    if !keeper.take_unread() {
        return;
    }
    let end = Instant::now() + ALL_WATERMARKS;
    match watermarks::read(end, |call| ask(call, end.min(Instant::now() + PATIENCE))) {
        Ok(marks) => {
            votes.mark(marks.into());
            *unread = None;
        }
        Err(error) => {
            keeper.still_unread();
            let why = shown(error);
            let level = if unread.as_ref() == Some(&why) || !keeper.is_up() { Level::Debug } else { Level::Warn };
            log::log!(target: TARGET, level, "{}; trying again", unreadable(&why));
            *unread = Some(why);
        }
    }
}

fn unreadable(why: &String) -> String {
    format!("what the keys have signed so far could not be read: {why}")
}

/// Often enough for a lease of this length.
fn interval(lasts_ms: u32) -> Duration {
    (Duration::from_millis(lasts_ms.into()) / 4).clamp(OFTEN, SELDOM)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: [u8; 32] = [1; 32];

    fn heard(keeper: &Keeper, tenure: Tenure) -> Standing {
        keeper.judge(Lease { tenure, lasts_ms: 10_000, last_vote: Some((0, 5)), last_slot: Some(9) })
    }

    fn keeper() -> Keeper {
        let keeper = Keeper::new(Identity::new(MINE, "mine"));
        keeper.connection(&State::Up(holdfast_protocol::message::TeeInfo {
            ta_version: 1,
            schema: 1,
            kind: "fake".into(),
            simulated: true,
            development: true,
            keys: Some(0),
            catalogue: 0,
            rollback_protected: false,
        }));
        keeper
    }

    #[test]
    fn the_daemon_is_asked_at_once_on_a_new_connection_after_a_refusal_and_when_enough_rounds_have_passed() {
        let (keeper, other) = (keeper(), Identity::new([2; 32], "other"));
        let long = Duration::from_secs(600);
        assert_eq!(keeper.next(long), Some(Claim::Take));
        heard(&keeper, Tenure::Free { last: Some(other), reserved_ms: 0 });
        keeper.look();
        assert_eq!(keeper.next(long), Some(Claim::Look));
        for round in 5..8 {
            keeper.observe((0, round));
        }
        assert_eq!(keeper.next(long), Some(Claim::TakeOver));
        assert_eq!(keeper.next(Duration::ZERO), Some(Claim::TakeOver));
        keeper.release();
        assert_eq!(keeper.next(long), None);
    }

    #[test]
    fn nothing_is_asked_while_the_daemon_is_away() {
        let keeper = keeper();
        keeper.next(Duration::ZERO);
        keeper.connection(&State::Unresponsive);
        std::thread::scope(|scope| {
            let next = scope.spawn(|| keeper.next(Duration::ZERO));
            keeper.release();
            assert_eq!(next.join().ok(), Some(None));
        });
    }

    #[test]
    fn a_lease_of_ones_own_is_described_as_others_see_it() {
        let keeper = keeper();
        assert_eq!(keeper.lease(), None);
        heard(&keeper, Tenure::Yours);
        let lease = keeper.lease().expect("it was heard of");
        let Tenure::Held { holder, .. } = lease.tenure else { panic!("{lease:?}") };
        assert_eq!((holder.node, holder.name().as_str()), (MINE, "mine"));
        assert_eq!((lease.last_vote, lease.last_slot), (Some((0, 5)), Some(9)));
        assert_eq!(keeper.holder(), None, "nobody else");
    }

    #[test]
    fn whoever_only_looks_on_never_asks_for_the_lease() {
        let keeper = keeper();
        keeper.only_look();
        for tenure in [Tenure::Yours, Tenure::Free { last: None, reserved_ms: 0 }] {
            heard(&keeper, tenure);
            keeper.observe((0, 1));
            assert_eq!((keeper.role(), keeper.next(Duration::ZERO)), (Role::Observer, Some(Claim::Look)));
        }
    }

    #[test]
    fn short_leases_are_asked_for_often_and_long_ones_every_second() {
        let pauses = [1, 1_000, 3_000, 10_000, u32::MAX].map(|lasts| interval(lasts).as_millis());
        assert_eq!(pauses, [250, 250, 750, 1_000, 1_000]);
    }
}
