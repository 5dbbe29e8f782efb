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
    shown::shown,
    status::Status,
    takeover::Round,
    TARGET,
};

/// The longest pause between two questions.
const SELDOM: Duration = Duration::from_secs(1);
/// The shortest, however short the lease.
const OFTEN: Duration = Duration::from_millis(50);

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
    /// The daemon is to be asked without a pause.
    urgent: bool,
    released: bool,
}

impl Keeper {
    pub(crate) fn new(mine: Identity) -> Self {
        let candidate = Candidate::new(mine, Role::Unknown);
        let inner = Inner { candidate, heard: None, active: None, up: false, urgent: false, released: false };
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
        inner.up = up;
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
        inner.heard = Some((lease, now));
        inner.active = (role == Role::Active).then(|| inner.active.unwrap_or(now));
        self.role.send_if_modified(|was| std::mem::replace(was, role) != role);
        standing
    }

    fn is_up(&self) -> bool {
        self.inner.lock().up
    }
}

/// Asks for the lease until the keystore is released.
pub(crate) fn keep(client: &Client, keeper: &Keeper, status: &Status) {
    let mut pause = SELDOM;
    let mut told = Standing::Quiet;
    let mut failed = None;
    while let Some(claim) = keeper.next(pause) {
        let why = match client.call(Call::Lease(claim), Until::Deadline(Instant::now() + PATIENCE)) {
            Ok(Reply::Lease(lease)) => {
                let standing = keeper.judge(lease);
                let news = news(standing, &lease);
                if let Some(news) = news.as_deref().filter(|_| standing != told) {
                    log::info!(target: TARGET, "{news}");
                }
                status.decided(if keeper.role() == Role::Unknown { Err(news) } else { Ok(()) });
                (told, failed, pause) = (standing, None, interval(lease.lasts_ms));
                continue;
            }
            Ok(_) => "the daemon answered something else".into(),
            Err(CallError::Closed) => return,
            Err(error) => shown(error),
        };
        // That the daemon is away is told elsewhere.
        let level = if keeper.is_up() && failed.as_ref() != Some(&why) { Level::Warn } else { Level::Debug };
        log::log!(target: TARGET, level, "the lease on the keys could not be asked for: {why}; trying again");
        (failed, pause) = (Some(why), SELDOM);
    }
}

/// Often enough for a lease of this length.
fn interval(lasts_ms: u32) -> Duration {
    (Duration::from_millis(lasts_ms.into()) / 4).clamp(OFTEN, SELDOM)
}

/// What an operator is told.
fn news(standing: Standing, lease: &Lease) -> Option<String> {
    let lasts = f64::from(lease.lasts_ms) / 1e3;
    Some(match standing {
        Standing::Active => "this node holds the lease on the keys: it is active".into(),
        Standing::AfterItself => format!(
            "the lease on the keys is held by this node's previous process; it ends {lasts} s after that process, and \
             if that still runs, stop it"
        ),
        Standing::Reserved => format!(
            "the daemon has just started: for {lasts} s it keeps the lease on the keys for whoever held it before"
        ),
        Standing::Behind(holder) => {
            format!("on standby: {holder} holds the lease on the keys, and this node follows the chain")
        }
        Standing::Next => "on standby: nobody holds the lease on the keys, and this node takes over after two more \
                           rounds of GRANDPA"
            .into(),
        Standing::Quiet => return None,
    })
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
        assert_eq!(pauses, [50, 250, 750, 1_000, 1_000]);
    }

    #[test]
    fn an_operator_is_told_who_is_waited_for() {
        let lease = Lease { tenure: Tenure::Yours, lasts_ms: 10_000, last_vote: None, last_slot: None };
        let told = news(Standing::Behind(Identity::new([0xab; 32], "one")), &lease).expect("it is told");
        assert!(told.contains("`one` (node abababab…) holds the lease"), "{told}");
        let told = news(Standing::AfterItself, &lease).expect("it is told");
        assert!(told.contains("it ends 10 s after"), "{told}");
        assert_eq!(news(Standing::Quiet, &lease), None);
    }
}
