//! Who of several nodes may sign: the lease on all keys together. Pure rules; the worker, which alone has them, applies
//! them between one request and the next.
//!
//! | state | the holder's process | another process of its node | another node |
//! |---|---|---|---|
//! | nobody is known to have held it, reserved | | `Keep` | `Keep` |
//! | nobody is known to have held it | | any claim | any claim |
//! | held | goes on | – | – |
//! | ended: connection closed, or silent | goes on | `Take`, `TakeOver` | `TakeOver` |
//! | ended before the daemon's start, reserved | goes on | `Take` | – |
//!
//! `TakeOver` is for a claimant that has seen the lease as it is: one that has not heard of the last vote or seal has
//! counted from another.
//!
//! Nothing here authenticates anybody: what a client says of itself is believed. Two clients that say the same are one.

mod rights;

use std::{
    fmt,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use holdfast_protocol::{
    lease::{Claim, Identity, Lease, Tenure},
    message::Failure,
};

pub(crate) use rights::{Right, Statement};

/// A remembered holder has at least so long to come back: its client pauses for up to a second between two attempts, and
/// shakes hands.
const RETURN: Duration = Duration::from_secs(5);

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A node.
    Node(Node),
    /// An operator's program, on the connection of this number; without one the daemon itself.
    Operator(Option<u64>),
}

/// A node, on one of its connections.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// What it says of itself.
    pub(crate) identity: Identity,
    /// The connection.
    pub(crate) connection: Arc<Connection>,
}

/// What must be known of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Higher than those of all connections before it.
    pub(crate) number: u64,
    open: AtomicBool,
    refused: AtomicBool,
    /// [`Leases::statements`] when its client was last told how the lease stands; none before.
    seen: AtomicU64,
}

/// No number of statements.
const NONE_SEEN: u64 = u64::MAX;

/// The lease.
#[derive(Debug)]
pub(crate) struct Leases {
    lasts: Duration,
    /// For a test: every node is told that it holds the lease, and may do what its holder may.
    everybodys: bool,
    state: State,
    /// How many votes and seals were signed.
    statements: u64,
    last_vote: Option<(u64, u64)>,
    last_slot: Option<u64>,
}

/// What has become of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was given.
    Given {
        /// To this node.
        to: Identity,
        /// Which took it from this one.
        from: Option<Identity>,
    },
    /// It ended; its holder goes on if it comes back before another has taken it.
    Ended {
        /// Who held it.
        holder: Identity,
        /// Why.
        why: End,
    },
    /// Its holder came back before another had taken it.
    Resumed(Identity),
}

/// Why a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The holder's connection closed.
    Closed,
    /// The holder was silent for so long.
    Silent(Duration),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Node(node) => write!(f, "{} on connection {}", node.identity, node.connection.number),
            Caller::Operator(Some(connection)) => write!(f, "an operator's program on connection {connection}"),
            Caller::Operator(None) => f.write_str("the daemon"),
        }
    }
}

#[derive(Debug)]
enum State {
    /// Nobody is known to have held it.
    New { reserved_until: Instant },
    /// This one holds it, or did last.
    Taken(Holder),
}

#[derive(Debug)]
struct Holder {
    node: Node,
    since: Instant,
    last_seen: Instant,
    /// Its end has been told.
    ended: bool,
    /// Until then no other node is given it.
    reserved_until: Instant,
}

impl Connection {
    /// One that is open.
    pub(crate) fn new(number: u64) -> Connection {
        Connection {
            number,
            open: AtomicBool::new(true),
            refused: AtomicBool::new(false),
            seen: AtomicU64::new(NONE_SEEN),
        }
    }

    /// It is closed.
    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// Whether this is the first time that a request on it is refused for want of the lease.
    pub(crate) fn first_refusal(&self) -> bool {
        !self.refused.swap(true, Ordering::Relaxed)
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }
}

impl Leases {
    /// A lease that nobody is known to have held, and that ends after so long without a request. For as long from now
    /// it is reserved: whoever held it before the daemon started may not have come back yet.
    pub(crate) fn new(lasts: Duration, now: Instant) -> Leases {
        let state = State::New { reserved_until: now + lasts };
        Leases { lasts, everybodys: false, state, statements: 0, last_vote: None, last_slot: None }
    }

    /// None at all, for a test of what keeps two nodes apart without one.
    pub(crate) fn everybodys(lasts: Duration, now: Instant) -> Leases {
        Leases { everybodys: true, ..Leases::new(lasts, now) }
    }

    /// A lease that this process held when the daemon ended.
    pub(crate) fn remembered(lasts: Duration, holder: Identity, now: Instant) -> Leases {
        let connection = Connection::new(0);
        connection.close();
        let node = Node { identity: holder, connection: Arc::new(connection) };
        let reserved_until = now + lasts.max(RETURN);
        let holder = Holder { node, since: now, last_seen: now, ended: true, reserved_until };
        Leases { state: State::Taken(holder), ..Leases::new(lasts, now) }
    }

    /// There were no keys when the daemon started: nobody can have held the lease on them.
    pub(crate) fn nobody_before(&mut self, now: Instant) {
        if let State::New { reserved_until } = &mut self.state {
            *reserved_until = now;
        }
    }

    /// A request of this node came at this time.
    pub(crate) fn heard(&mut self, node: &Node, at: Instant, now: Instant) -> Option<Change> {
        let holder = self.held_by(node)?;
        holder.last_seen = holder.last_seen.max(at);
        let bound = &holder.node.connection;
        // What an old connection still had under way does not replace a newer one.
        if node.connection.is_open() && (node.connection.number > bound.number || !bound.is_open()) {
            holder.node.connection = node.connection.clone();
        }
        let (resumed, identity) = (holder.ended, holder.node.identity);
        if resumed && self.end(now).is_none() {
            self.held_by(node)?.ended = false;
            return Some(Change::Resumed(identity));
        }
        None
    }

    /// Whether this claim is to be granted, with [`Leases::give`].
    pub(crate) fn grants(&self, claim: Claim, node: &Node, now: Instant) -> bool {
        // One whose connection is closed could not be told, and would only be in the way.
        if self.everybodys || claim == Claim::Look || !node.connection.is_open() || self.is_held(now) {
            return false;
        }
        match &self.state {
            State::New { reserved_until } => claim == Claim::Keep || *reserved_until <= now,
            State::Taken(holder) if holder.is(node) => false,
            State::Taken(holder) if holder.node.identity.node == node.identity.node => claim != Claim::Keep,
            State::Taken(holder) => {
                let seen = node.connection.seen.load(Ordering::Relaxed);
                claim == Claim::TakeOver && holder.reserved_until <= now && seen == self.statements
            }
        }
    }

    /// Whether another node held it last.
    pub(crate) fn was_anothers(&self, node: &Node) -> bool {
        matches!(&self.state, State::Taken(holder) if holder.node.identity.node != node.identity.node)
    }

    /// Gives the lease to this node.
    pub(crate) fn give(&mut self, node: &Node, now: Instant) -> Change {
        let from = match &self.state {
            State::New { .. } => None,
            State::Taken(holder) => Some(holder.node.identity),
        };
        let (since, last_seen, reserved_until) = (now, now, now);
        self.state = State::Taken(Holder { node: node.clone(), since, last_seen, ended: false, reserved_until });
        Change::Given { to: node.identity, from }
    }

    /// Whether the lease has ended since it was last asked.
    pub(crate) fn watch(&mut self, now: Instant) -> Option<Change> {
        let why = self.end(now)?;
        let State::Taken(holder) = &mut self.state else { return None };
        let told = std::mem::replace(&mut holder.ended, true);
        (!told).then_some(Change::Ended { holder: holder.node.identity, why })
    }

    /// Whether this caller may make a call of this kind.
    pub(crate) fn permit(&self, right: Right, caller: &Caller, now: Instant) -> Result<(), Failure> {
        match (right, caller) {
            (Right::Anybody, _) | (Right::Node, Caller::Node(_)) | (Right::Operator, Caller::Operator(_)) => Ok(()),
            (Right::Holder, Caller::Node(_)) if self.everybodys => Ok(()),
            (Right::Holder, Caller::Node(node)) => match &self.state {
                State::Taken(holder) if holder.is(node) => Ok(()),
                _ => Err(Failure::NotHolder { holder: self.holder(now) }),
            },
            (Right::Node | Right::Holder, Caller::Operator(_)) => Err(Failure::BadRequest(
                "an operator's program looks, makes keys, has them prove possession and raises watermarks; only a node \
                 signs and retires"
                    .into(),
            )),
            (Right::Operator, Caller::Node(_)) => Err(Failure::BadRequest(
                "a node raises no watermark: an operator does, with `holdfast-node tee import-watermarks`".into(),
            )),
        }
    }

    /// How the lease stands, as this caller sees it.
    pub(crate) fn seen_by(&self, caller: &Caller, now: Instant) -> Lease {
        if let Caller::Node(node) = caller {
            node.connection.seen.store(self.statements, Ordering::Relaxed);
        }
        let tenure = match (&self.state, caller) {
            (_, Caller::Node(_)) if self.everybodys => Tenure::Yours,
            (State::Taken(holder), Caller::Node(node)) if holder.is(node) => Tenure::Yours,
            (State::Taken(holder), _) if self.is_held(now) => Tenure::Held {
                holder: holder.node.identity,
                since_ms: millis(now.saturating_duration_since(holder.since)),
                silent_ms: millis(holder.silent(now)),
            },
            (State::Taken(Holder { node, reserved_until, .. }), _) => {
                Tenure::Free { last: Some(node.identity), reserved_ms: millis_until(*reserved_until, now) }
            }
            (State::New { reserved_until }, _) => {
                Tenure::Free { last: None, reserved_ms: millis_until(*reserved_until, now) }
            }
        };
        let lasts_ms = u32::try_from(self.lasts.as_millis()).unwrap_or(u32::MAX);
        Lease { tenure, lasts_ms, last_vote: self.last_vote, last_slot: self.last_slot }
    }

    /// Who holds it now.
    pub(crate) fn holder(&self, now: Instant) -> Option<Identity> {
        match &self.state {
            State::Taken(holder) if self.is_held(now) => Some(holder.node.identity),
            _ => None,
        }
    }

    /// This was signed.
    pub(crate) fn signed(&mut self, statement: Statement) {
        self.statements += 1;
        match statement {
            Statement::Vote { set_id, round } => self.last_vote = Some((set_id, round)),
            Statement::Seal(slot) => self.last_slot = Some(slot),
        }
    }

    fn is_held(&self, now: Instant) -> bool {
        matches!(self.state, State::Taken(_)) && self.end(now).is_none()
    }

    /// Why nobody holds it any more; `None` if somebody does, or nobody ever did.
    fn end(&self, now: Instant) -> Option<End> {
        let State::Taken(holder) = &self.state else { return None };
        let silent = holder.silent(now);
        if !holder.node.connection.is_open() {
            Some(End::Closed)
        } else if silent >= self.lasts {
            Some(End::Silent(silent))
        } else {
            None
        }
    }

    fn held_by(&mut self, node: &Node) -> Option<&mut Holder> {
        match &mut self.state {
            State::Taken(holder) if holder.is(node) => Some(holder),
            _ => None,
        }
    }
}

impl Holder {
    /// Whether this is the same process of the same node; its name is for people only.
    fn is(&self, node: &Node) -> bool {
        let (ours, theirs) = (&self.node.identity, &node.identity);
        (ours.node, ours.process) == (theirs.node, theirs.process)
    }

    fn silent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_seen)
    }
}

/// Rounded up: zero says that it is over.
fn millis_until(then: Instant, now: Instant) -> u32 {
    let left = then.saturating_duration_since(now).as_nanos().div_ceil(1_000_000);
    u32::try_from(left).unwrap_or(u32::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
