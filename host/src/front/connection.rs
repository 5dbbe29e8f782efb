//! One node's connection, on a thread of its own: whatever it does or does not do delays nobody else.

use std::{
    sync::{atomic::Ordering, Arc, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use holdfast_protocol::{
    message::{Call, Hello, Rejection, Reply, Request, Response, Visitor, Welcome, VERSION},
    server::{self, Responder},
    ChannelError,
};

use super::{places::Place, Peer, Shared, Slot, Socket};
use crate::{
    config::Genesis,
    lease::{Caller, Node},
    worker::Stopping,
};

/// Gives a new client a thread, if there is room for it. Of one on TCP nobody knows which process it is.
pub(super) fn open(shared: &Arc<Shared>, socket: Socket, peer: Option<Peer>) {
    let slot = match shared.admit(&socket) {
        Ok(Some(slot)) => slot,
        Ok(None) => {
            tracing::warn!(limit = shared.limit, "closed a new connection: there are as many as may be");
            return shared.closed("limit");
        }
        Err(error) => {
            tracing::warn!(%error, "closed a new connection");
            return shared.closed("system");
        }
    };
    let shared_by_thread = shared.clone();
    let name = format!("holdfast-c{}", slot.connection.number);
    let spawned = std::thread::Builder::new().name(name).spawn(move || run(&shared_by_thread, slot, socket, peer));
    if let Err(error) = spawned {
        tracing::warn!(%error, "closed a new connection: no thread for it");
        shared.closed("system");
    }
}

/// How a connection ended.
#[derive(Clone, Copy)]
enum End {
    Done,
    Rejected,
}

fn run(shared: &Shared, slot: Slot, socket: Socket, peer: Option<Peer>) {
    let connection = slot.connection.number;
    let reason = match converse(shared, &slot, socket, peer) {
        Ok(End::Done) => "done",
        Ok(End::Rejected) => "rejected",
        Err(_) if shared.stopping.load(Ordering::SeqCst) => "done",
        Err(error) => {
            tracing::warn!(connection, %error, "closed a connection");
            "failed"
        }
    };
    shared.closed(reason);
    drop(slot);
}

fn converse(shared: &Shared, slot: &Slot, socket: Socket, peer: Option<Peer>) -> Result<End, ChannelError> {
    let connection = slot.connection.number;
    let deadline = Instant::now() + shared.handshake;
    let (hello, pending) = match server::accept(socket, deadline) {
        // It has been told already.
        Err(error @ ChannelError::Version(_)) => {
            shared.rejected(connection, error.to_string());
            return Ok(End::Rejected);
        }
        accepted => accepted?,
    };
    let welcome = match shared.judge(&hello, deadline) {
        Ok(welcome) => welcome,
        Err(rejection) => {
            shared.rejected(connection, rejection.to_string());
            pending.reject(rejection)?;
            return Ok(End::Rejected);
        }
    };
    let (mut requests, responder) = pending.welcome(welcome)?;
    *shared.rejection() = None;
    let (pid, uid) = (peer.and_then(|peer| peer.pid), peer.map(|peer| peer.uid));
    let caller = match hello.visitor {
        Visitor::Node { identity, .. } => {
            tracing::info!(connection, pid, uid, node = %identity, "a node connected");
            Caller::Node(Node { identity, connection: slot.connection.clone() })
        }
        Visitor::Operator => {
            tracing::info!(connection, pid, uid, "an operator's program connected");
            Caller::Operator(Some(connection))
        }
    };
    let result = loop {
        // Before it is read: what finds no place stays in the socket.
        let Some(place) = slot.places.take() else { break Ok(End::Done) };
        match requests.next() {
            Ok(Some(request)) => {
                if shared.ask(&caller, request, place, &responder).is_err() {
                    shared.wait_until_drained();
                    break Ok(End::Done);
                }
            }
            Ok(None) => break Ok(End::Done),
            Err(error) => break Err(error),
        }
    };
    tracing::info!(connection, "a connection closed");
    result
}

impl Shared {
    /// Whether this client may come in: a node of the chain that is served (the first one decides, unless the
    /// configuration did), or an operator; and only while the trusted application answers.
    fn judge(&self, hello: &Hello, deadline: Instant) -> Result<Welcome, Rejection> {
        let tee = match self.signer.ask_blocking(Call::Info, deadline) {
            Ok(Reply::Info(info)) => info,
            Ok(_) => return Err(Rejection::Tee("it answers something else".into())),
            Err(failure) => return Err(Rejection::Tee(failure.to_string())),
        };
        if let Visitor::Node { genesis, .. } = hello.visitor {
            let pinned = *self.genesis.get_or_init(|| {
                tracing::info!(genesis = %Genesis(genesis), "the first node decides which chain is served");
                genesis
            });
            if genesis != pinned {
                return Err(Rejection::Genesis(pinned));
            }
        }
        Ok(Welcome { version: VERSION, tee })
    }

    /// Puts a request to the signer. When the daemon is stopping nobody will answer it.
    fn ask(&self, caller: &Caller, request: Request, place: Place, responder: &Responder) -> Result<(), Stopping> {
        let Request { id, deadline_ms, call } = request;
        let deadline = Instant::now() + Duration::from_millis(deadline_ms.into());
        let responder = responder.clone();
        let answer = move |result| {
            // Freed also if this is never called.
            let _place = place;
            // A client that is gone, or does not read, has been closed by this; its thread sees to the rest.
            let _ = responder.send(Response { id, result });
        };
        self.signer.submit(caller.clone(), call, deadline, answer)
    }

    /// Says in the log why a node was rejected: once for a node that comes again and again.
    fn rejected(&self, connection: u64, reason: String) {
        let mut last = self.rejection();
        if last.as_ref() == Some(&reason) {
            tracing::debug!(connection, reason, "rejected a node again");
        } else {
            tracing::warn!(connection, reason, "rejected a node");
            *last = Some(reason);
        }
    }

    fn rejection(&self) -> MutexGuard<'_, Option<String>> {
        self.rejection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closed(&self, reason: &str) {
        self.metrics.closed.with_label_values(&[reason]).inc();
    }
}
