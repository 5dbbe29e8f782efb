//! What callers of a client may rely on.

use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use holdfast_protocol::{
    server, Call, CallError, Client, Endpoint, Failure, Rejection, Reply, Response, State, Unreachable, Until,
    MAX_DEADLINE_MS, MAX_IN_FLIGHT, MAX_MESSAGE, VERSION,
};

use crate::daemon::{client, echo, info, sign, soon, until_soon, Daemon, GENESIS};

// Rule 3.
#[test]
fn each_of_64_threads_gets_the_answers_to_its_own_questions() {
    let (_directory, path, client) = client();
    // Answers leave in another order than the questions came in.
    let held = Mutex::new(Vec::new());
    let count = AtomicUsize::new(0);
    let _daemon = Daemon::start(&path, move |request, responder| {
        let mut held = held.lock().unwrap();
        let flush = request.call == Call::Info;
        held.push(request);
        if flush || !count.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            held.drain(..).rev().for_each(|request| echo(request, responder));
        }
    });
    client.connect(GENESIS).unwrap();
    client.wait_up(Duration::from_secs(20)).unwrap();
    thread::scope(|scope| {
        // Keeps the held ones moving until all others are done.
        let mut threads = Vec::new();
        for thread in 0..64u32 {
            let client = &client;
            threads.push(scope.spawn(move || {
                for round in 0..100u32 {
                    let message = [thread.to_le_bytes(), round.to_le_bytes()].concat();
                    let reply = client.call(sign(&message), until_soon()).unwrap();
                    assert_eq!(reply, Reply::Signature(message));
                }
            }));
        }
        while threads.iter().any(|thread| !thread.is_finished()) {
            client.call(Call::Info, until_soon()).unwrap();
        }
    });
}

#[test]
fn more_callers_than_may_be_in_flight_are_all_answered() {
    let (_directory, path, client) = client();
    let (held, release) = (Arc::new(Mutex::new(Some(Vec::new()))), mpsc::channel::<()>());
    let holding = held.clone();
    let full = release.0.clone();
    let _daemon = Daemon::start(&path, move |request, responder| match &mut *holding.lock().unwrap() {
        Some(held) => {
            held.push((request, responder.clone()));
            if held.len() == MAX_IN_FLIGHT {
                full.send(()).unwrap();
            }
        }
        None => echo(request, responder),
    });
    client.connect(GENESIS).unwrap();
    client.wait_up(Duration::from_secs(20)).unwrap();
    thread::scope(|scope| {
        for thread in 0..MAX_IN_FLIGHT as u32 + 40 {
            let client = &client;
            scope.spawn(move || {
                let message = thread.to_le_bytes();
                let reply = client.call(sign(&message), until_soon()).unwrap();
                assert_eq!(reply, Reply::Signature(message.into()));
            });
        }
        release.1.recv_timeout(Duration::from_secs(20)).unwrap();
        // One more is not even sent.
        let soon = Until::Deadline(Instant::now() + Duration::from_millis(50));
        assert_eq!(client.call(sign(b"one more"), soon), Err(CallError::Deadline));
        let all = held.lock().unwrap().take().unwrap();
        all.into_iter().for_each(|(request, responder)| echo(request, &responder));
    });
}

#[test]
fn a_call_fails_at_once_without_a_connection() {
    let (_directory, _path, client) = client();
    assert_eq!(client.state(), State::Deferred);
    assert_eq!(client.call(Call::Info, until_soon()), Err(Unreachable::Deferred.into()));
    assert_eq!(client.wait_up(Duration::ZERO), Err(Unreachable::Deferred.into()));
    client.connect(GENESIS).unwrap();
    assert!(matches!(client.call(Call::Info, until_soon()), Err(CallError::Unreachable(Unreachable::Connection(_)))));
    assert!(matches!(client.state(), State::Down(_)));
}

#[test]
fn a_late_answer_is_dropped_and_the_connection_kept() {
    let (_directory, path, client) = client();
    let connections = Arc::new(AtomicUsize::new(0));
    let (send, late) = mpsc::channel();
    let send = Mutex::new(send);
    let _daemon = Daemon::start(&path, move |request, responder| match &request.call {
        Call::Sign { message, .. } if message == b"late" => {
            send.lock().unwrap().send((request, responder.clone())).unwrap();
        }
        _ => echo(request, responder),
    });
    let seen = connections.clone();
    client.on_change(move |state| {
        if matches!(state, State::Down(_)) {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    client.connect(GENESIS).unwrap();
    client.wait_up(Duration::from_secs(20)).unwrap();
    let soon = Until::Deadline(Instant::now() + Duration::from_millis(50));
    assert_eq!(client.call(sign(b"late"), soon), Err(CallError::Deadline));
    assert_eq!(client.state(), State::Unresponsive);
    let (request, responder) = late.recv().unwrap();
    echo(request, &responder);
    client.wait_up(Duration::from_secs(20)).unwrap();
    assert_eq!(client.call(sign(b"next"), until_soon()), Ok(Reply::Signature(b"next".to_vec())));
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[test]
fn a_deadline_that_has_passed_sends_nothing() {
    let (_directory, path, client) = client();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let _daemon = Daemon::start(&path, move |request, responder| {
        count.fetch_add(1, Ordering::SeqCst);
        echo(request, responder);
    });
    client.connect(GENESIS).unwrap();
    client.wait_up(Duration::from_secs(20)).unwrap();
    assert_eq!(client.call(Call::Info, Until::Deadline(Instant::now())), Err(CallError::Deadline));
    client.call(Call::Info, until_soon()).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_call_without_a_deadline_survives_every_absence() {
    let (_directory, path, client) = client();
    client.connect(GENESIS).unwrap();
    thread::scope(|scope| {
        let vote = scope.spawn(|| client.call(sign(b"vote"), Until::Answered));
        // Twice the daemon takes the question and goes away.
        for _ in 0..2 {
            let (send, asked) = mpsc::channel();
            let send = Mutex::new(send);
            let daemon = Daemon::start(&path, move |request, _| {
                if matches!(request.call, Call::Sign { .. }) {
                    let _ = send.lock().unwrap().send(());
                }
            });
            asked.recv_timeout(Duration::from_secs(20)).unwrap();
            drop(daemon);
        }
        // Once it is too busy, and once it comes to it too late.
        let refusals = Mutex::new(vec![Failure::Deadline, Failure::Busy]);
        let _daemon =
            Daemon::start(&path, move |request, responder| match (&request.call, refusals.lock().unwrap().pop()) {
                (Call::Sign { .. }, Some(failure)) => {
                    responder.send(Response { id: request.id, result: Err(failure) }).unwrap();
                }
                _ => echo(request, responder),
            });
        assert_eq!(vote.join().unwrap(), Ok(Reply::Signature(b"vote".to_vec())));
    });
}

// Rule 4.
#[test]
fn a_call_without_a_deadline_is_put_again_if_the_daemon_answers_everything_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let ask_again = Duration::from_millis(20);
    let options = holdfast_protocol::ClientOptions { ask_again, ..Default::default() };
    assert!(holdfast_protocol::ClientOptions::default().ask_again > Duration::from_millis(MAX_DEADLINE_MS.into()));
    let client = Client::with_options(Endpoint::unix(&path).unwrap(), options);
    let (ids, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (asked, seen) = (ids.clone(), connections.clone());
    let _daemon = Daemon::start(&path, move |request, responder| {
        if let Call::Sign { .. } = request.call {
            let mut asked = asked.lock().unwrap();
            asked.push(request.id);
            if asked.len() < 3 {
                return;
            }
        }
        echo(request, responder);
    });
    client.on_change(move |state| {
        if matches!(state, State::Down(_)) {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    client.connect(GENESIS).unwrap();
    assert_eq!(client.call(sign(b"vote"), Until::Answered), Ok(Reply::Signature(b"vote".to_vec())));
    // However slow the machine, the third is the first that is answered, and each has an id of its own.
    let ids = ids.lock().unwrap();
    assert!(ids.len() >= 3 && ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 0, "the connection is kept");
}

#[test]
fn a_call_that_never_had_a_connection_is_not_blamed_on_a_slow_daemon() {
    let (_directory, path, client) = client();
    let _listener = UnixListener::bind(path).unwrap();
    client.connect(GENESIS).unwrap();
    let soon = Until::Deadline(Instant::now() + Duration::from_millis(50));
    assert!(matches!(client.call(Call::Info, soon), Err(CallError::Unreachable(_))));
}

#[test]
fn a_call_with_a_deadline_fails_when_the_connection_breaks_and_the_next_one_works() {
    let (_directory, path, client) = client();
    let broken = Mutex::new(false);
    let _daemon = Daemon::start(&path, move |request, responder| {
        if std::mem::replace(&mut *broken.lock().unwrap(), true) {
            echo(request, responder);
        } else {
            responder.close();
        }
    });
    client.connect(GENESIS).unwrap();
    client.wait_up(Duration::MAX).unwrap();
    assert!(matches!(client.call(Call::Info, until_soon()), Err(CallError::Unreachable(Unreachable::Connection(_)))));
    client.wait_up(Duration::from_secs(20)).unwrap();
    assert_eq!(client.call(Call::Info, until_soon()), Ok(Reply::Info(info())));
}

#[test]
fn callers_are_answered_though_the_daemon_hangs_up_on_them_again_and_again() {
    let (_directory, path, client) = client();
    let count = AtomicUsize::new(0);
    let _daemon = Daemon::start(&path, move |request, responder| match count.fetch_add(1, Ordering::Relaxed) % 200 {
        199 => responder.close(),
        _ => echo(request, responder),
    });
    client.connect(GENESIS).unwrap();
    thread::scope(|scope| {
        for thread in 0..16u32 {
            let client = &client;
            scope.spawn(move || {
                for round in 0..100u32 {
                    let message = [thread.to_le_bytes(), round.to_le_bytes()].concat();
                    assert_eq!(client.call(sign(&message), Until::Answered), Ok(Reply::Signature(message)));
                }
            });
        }
    });
}

#[test]
fn closing_releases_every_waiter() {
    let (_directory, path, client) = client();
    let (send, asked) = mpsc::channel();
    let send = Mutex::new(send);
    let daemon = Daemon::start(&path, move |_, _| {
        let _ = send.lock().unwrap().send(());
    });
    client.connect(GENESIS).unwrap();
    thread::scope(|scope| {
        let waiting = [
            scope.spawn(|| client.call(sign(b"vote"), Until::Answered)),
            scope.spawn(|| client.call(sign(b"vote"), Until::Answered)),
        ];
        let up = client.wait_up(Duration::from_secs(20));
        let seal = scope.spawn(|| client.call(sign(b"seal"), until_soon()));
        (0..3).for_each(|_| asked.recv_timeout(Duration::from_secs(20)).unwrap());
        client.close();
        for waiter in waiting {
            assert_eq!(waiter.join().unwrap(), Err(CallError::Closed));
        }
        assert_eq!(seal.join().unwrap(), Err(CallError::Closed));
        assert_eq!(up, Ok(info()));
    });
    assert_eq!(client.state(), State::Closed);
    assert_eq!(client.call(Call::Info, Until::Answered), Err(CallError::Closed));
    assert_eq!(client.wait_up(Duration::ZERO), Err(CallError::Closed));
    client.connect(GENESIS).unwrap();
    assert_eq!(client.state(), State::Closed);
    drop(daemon);
}

#[test]
fn closing_releases_a_waiter_without_a_connection() {
    let (_directory, _path, client) = client();
    thread::scope(|scope| {
        let deferred = scope.spawn(|| client.call(sign(b"vote"), Until::Answered));
        client.connect(GENESIS).unwrap();
        let absent = scope.spawn(|| client.call(sign(b"vote"), Until::Answered));
        client.close();
        assert_eq!(deferred.join().unwrap(), Err(CallError::Closed));
        assert_eq!(absent.join().unwrap(), Err(CallError::Closed));
    });
}

#[test]
fn closing_does_not_wait_for_a_handshake() {
    let (_directory, path, client) = client();
    let listener = UnixListener::bind(&path).unwrap();
    client.connect(GENESIS).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let begun = Instant::now();
    client.close();
    // A silent daemon has five seconds for its greeting.
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert!(crate::raw::closed(&stream));
}

#[test]
fn a_daemon_of_another_chain_or_version_says_so() {
    let (_directory, path, client) = client();
    let _daemon = Daemon::start(&path, echo);
    client.connect([8; 32]).unwrap();
    let rejected = CallError::Unreachable(Unreachable::Rejected(Rejection::Genesis(GENESIS)));
    assert_eq!(client.call(Call::Info, until_soon()), Err(rejected.clone()));
    assert_eq!(client.wait_up(Duration::ZERO), Err(rejected));
    // Read after "the signer at … is away: ".
    let said = Rejection::Genesis(GENESIS).to_string();
    assert!(said.starts_with("the daemon serves the chain with genesis 0x0707") && said.contains("own chain's daemon"));

    let (_directory, path, client) = crate::daemon::client();
    let listener = UnixListener::bind(path).unwrap();
    client.connect(GENESIS).unwrap();
    let (_, pending) = server::accept(listener.accept().unwrap().0, soon()).unwrap();
    pending.reject(Rejection::Version(VERSION + 1)).unwrap();
    let rejected = Err(CallError::Unreachable(Unreachable::Rejected(Rejection::Version(VERSION + 1))));
    assert_eq!(client.call(Call::Info, until_soon()), rejected);
}

#[test]
fn a_listener_hears_of_coming_and_going_in_order() {
    let (_directory, path, client) = client();
    let (send, heard) = mpsc::channel();
    client.on_change(move |state| drop(send.send(state.clone())));
    let daemon = Daemon::start(&path, echo);
    client.connect(GENESIS).unwrap();
    let next = || heard.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!([next(), next(), next()], [State::Deferred, State::Connecting, State::Up(info())]);
    drop(daemon);
    assert!(matches!(next(), State::Down(_)));
    let _daemon = Daemon::start(&path, echo);
    loop {
        match next() {
            State::Down(_) => {}
            state => break assert_eq!(state, State::Up(info())),
        }
    }
    client.close();
    assert_eq!(next(), State::Closed);
}

#[test]
fn a_daemon_that_stops_while_idle_is_noticed_and_so_is_its_return() {
    let (_directory, path, client) = client();
    let held = Arc::new(Mutex::new(Some(Vec::new())));
    let holding = held.clone();
    let _daemon = Daemon::start(&path, move |request, responder| match &mut *holding.lock().unwrap() {
        Some(held) => held.push((request, responder.clone())),
        None => echo(request, responder),
    });
    let (send, heard) = mpsc::channel();
    client.connect(GENESIS).unwrap();
    client.wait_up(Duration::from_secs(20)).unwrap();
    client.on_change(move |state| drop(send.send(state.clone())));
    let next = || heard.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!([next(), next()], [State::Up(info()), State::Unresponsive]);
    let all = held.lock().unwrap().take().unwrap();
    assert_eq!(all.len(), 1);
    all.into_iter().for_each(|(request, responder)| echo(request, &responder));
    assert_eq!(next(), State::Up(info()));
}

#[test]
fn what_a_probe_learns_is_told() {
    let (_directory, path, client) = client();
    let mut changed = info();
    changed.catalogue += 1;
    let answer = changed.clone();
    let _daemon = Daemon::start(&path, move |request, responder| {
        let result = Ok(Reply::Info(answer.clone()));
        drop(responder.send(Response { id: request.id, result }));
    });
    let (send, heard) = mpsc::channel();
    client.on_change(move |state| drop(send.send(state.clone())));
    client.connect(GENESIS).unwrap();
    while heard.recv_timeout(Duration::from_secs(20)).unwrap() != State::Up(changed.clone()) {}
}

#[test]
fn a_request_that_is_too_long_is_refused_here_and_harms_nothing() {
    let (_directory, path, client) = client();
    let _daemon = Daemon::start(&path, echo);
    client.connect(GENESIS).unwrap();
    client.wait_up(Duration::from_secs(20)).unwrap();
    let overlong = client.call(sign(&[0; MAX_MESSAGE]), until_soon());
    assert!(matches!(overlong, Err(CallError::Protocol(_))), "{overlong:?}");
    let long = vec![3; 32 * 1024];
    assert_eq!(client.call(sign(&long), until_soon()), Ok(Reply::Signature(long)));
}

#[test]
fn the_hook_runs_on_the_thread_of_the_client() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            assert_eq!(RAN.fetch_add(1, Ordering::SeqCst), 1);
        }
    }
    let setup: fn() -> Box<dyn std::any::Any> = || {
        assert_eq!(thread::current().name(), Some("holdfast-client"));
        RAN.fetch_add(1, Ordering::SeqCst);
        Box::new(Guard)
    };
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::unix(directory.path().join("s")).unwrap();
    let options = holdfast_protocol::ClientOptions { thread_setup: Some(setup), ..Default::default() };
    let client = Client::with_options(endpoint, options);
    client.connect(GENESIS).unwrap();
    client.close();
    assert_eq!(RAN.load(Ordering::SeqCst), 2);
}
