use std::{
    io::Write,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use holdfast_host::{Daemon, InProcess};
use holdfast_protocol::message::Reply;
use holdfast_ta_soft::SoftTee;

use crate::support::*;

#[test]
fn a_stop_answers_what_is_queued_closes_and_removes_the_socket() {
    let (link, strings) = puppet();
    let mut daemon = Running::with(link, |config| {
        config.http = "127.0.0.1:0".parse().expect("an address");
        config.limits.drain_ms = 600_000;
    });
    let (socket, http) = (daemon.socket(), daemon.http());
    let client = Arc::new(daemon.client());
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || client.call(has(), soon()))
        })
        .collect();
    strings.wait_for_call();
    wait_for_metric(http, "holdfast_host_queue 3");

    let stopping = daemon.runtime.spawn(daemon.daemon.take().expect("running").stop());
    // The first that a stop does: nobody is accepted any more.
    let end = Instant::now() + LONG;
    while std::os::unix::net::UnixStream::connect(&socket).is_ok() {
        assert!(Instant::now() < end, "still accepts");
    }
    for _ in 0..4 {
        strings.tell(Told::Answer);
    }
    for thread in waiting {
        assert_eq!(thread.join().expect("no panic"), Ok(Reply::Has(true)));
    }
    assert!(daemon.runtime.block_on(stopping).expect("no panic"));
    assert_eq!(std::fs::read_dir(daemon.home.path()).expect("readable").count(), 0);
    assert!(std::net::TcpStream::connect(http).is_err());
}

#[test]
fn a_client_that_asks_on_during_a_stop_still_gets_what_it_asked_before() {
    let (link, strings) = puppet();
    let mut daemon = Running::with(link, |config| config.limits.drain_ms = 600_000);
    let (mut client, _) = greet(daemon.raw());
    client.write_all(&has_frame(0)).expect("sent");
    strings.wait_for_call();
    let socket = daemon.socket();
    let stopping = daemon.runtime.spawn(daemon.daemon.take().expect("running").stop());
    let end = Instant::now() + LONG;
    while std::os::unix::net::UnixStream::connect(&socket).is_ok() {
        assert!(Instant::now() < end, "still accepts");
    }
    // Some of these may still be taken; those that come later get no answer, and close nothing too early.
    for id in 1..=100 {
        client.write_all(&has_frame(id)).expect("the connection stands");
    }
    for _ in 0..=100 {
        // The link is gone once all that were taken have been answered.
        let _ = strings.tell.send(Told::Answer);
    }
    // Response (2) to 0: ok (0), has (3), true.
    let yes = [&2u32.to_le_bytes()[..], &0u64.to_le_bytes(), &0u32.to_le_bytes(), &3u32.to_le_bytes(), &[1]].concat();
    assert_eq!(read_frame(&mut client), yes);
    read_to_end(&mut client);
    assert!(daemon.runtime.block_on(stopping).expect("no panic"));
}

#[test]
fn a_stop_waits_for_no_silent_idle_or_deaf_client() {
    let mut daemon = Running::with(soft(), |config| config.limits.handshake_ms = 60_000);
    let (idle, mut silent) = (daemon.client(), daemon.raw());
    let (mut deaf, _) = greet(daemon.raw());
    assert!(daemon.stop());
    assert!(read_to_end(&mut silent).len() <= MAGIC.len());
    assert!(read_to_end(&mut deaf).is_empty());
    assert!(idle.call(has(), soon()).is_err());
}

#[test]
fn a_stop_gives_a_hanging_trusted_application_its_time_and_no_more() {
    let (link, strings) = puppet();
    let mut daemon = Running::with(link, |config| config.limits.drain_ms = 10);
    let client = Arc::new(daemon.client());
    let waiting = {
        let client = client.clone();
        thread::spawn(move || client.call(has(), soon()))
    };
    strings.wait_for_call();
    assert!(!daemon.stop());
    assert!(waiting.join().expect("no panic").is_err());
    assert!(!daemon.home.path().join("host.sock").exists());
}

#[test]
fn a_call_that_does_not_come_back_is_told_and_the_daemon_can_be_stopped_or_dropped_all_the_same() {
    for drop_it in [false, true] {
        let (link, strings) = puppet();
        let mut daemon = Running::with(Box::new(Quiet(link)), |config| {
            (config.limits.stuck_ms, config.limits.drain_ms) = (50, 10);
        });
        let mut client = greet(daemon.raw()).0;
        client.write_all(&has_frame(0)).expect("sent");
        strings.wait_for_call();
        let stuck = daemon.runtime.block_on(daemon.daemon.as_ref().expect("running").stuck());
        assert_eq!(stuck.waited, Duration::from_millis(50));
        if drop_it {
            // As the program ends: the runtime waits for nothing.
            drop((daemon.daemon.take(), daemon.runtime));
        } else {
            assert!(!daemon.stop());
        }
        assert_eq!(std::fs::read_dir(daemon.home.path()).expect("readable").count(), 0);
    }
}

#[test]
fn a_link_that_cannot_get_stuck_is_never_said_to_be() {
    let (link, strings) = puppet();
    let daemon = Running::with(link, |config| config.limits.stuck_ms = 1);
    let mut client = greet(daemon.raw()).0;
    client.write_all(&has_frame(0)).expect("sent");
    strings.wait_for_call();
    let stuck = daemon.daemon.as_ref().expect("running").stuck();
    let patience = Duration::from_millis(50);
    assert!(daemon.runtime.block_on(async { tokio::time::timeout(patience, stuck).await }).is_err());
}

#[test]
fn a_stop_ends_a_connection_that_waits_for_a_place_in_the_queue() {
    let (link, strings) = puppet();
    let mut daemon = Running::with(link, |config| {
        config.http = "127.0.0.1:0".parse().expect("an address");
        config.limits.drain_ms = 10;
    });
    let (mut greedy, _) = greet(daemon.raw());
    let requests: Vec<u8> = (0..100).flat_map(has_frame).collect();
    greedy.write_all(&requests).expect("sent");
    strings.wait_for_call();
    wait_for_metric(daemon.http(), "holdfast_host_queue 7");
    assert!(!daemon.stop());
    assert!(read_to_end(&mut greedy).is_empty());
}

#[test]
fn after_a_stop_the_same_store_and_socket_serve_again_with_the_same_keys() {
    let home = tempfile::tempdir().expect("a directory");
    let (store, socket) = (home.path().join("store"), home.path().join("host.sock"));
    let open = || Box::new(InProcess::new(SoftTee::open(&store).expect("a store")));
    let mut daemon = Running::with(open(), |config| config.socket = socket.clone());
    let client = daemon.client();
    let key = make_key(&client).id;
    assert!(SoftTee::open(&store).is_err(), "a second one on the same store is refused");
    assert!(daemon.stop());
    let mut daemon = Running::with(open(), |config| config.socket = socket.clone());
    // The client finds its way back by itself.
    sign_in_the_end(&client, &key, b"after the restart");
    assert!(daemon.stop());
}

#[test]
fn dropping_a_daemon_closes_its_sockets() {
    let mut daemon = Running::with(soft(), |config| config.limits.handshake_ms = 60_000);
    let (idle, mut silent) = (daemon.client(), daemon.raw());
    let socket = daemon.socket();
    daemon.daemon.take();
    read_to_end(&mut silent);
    assert!(!socket.exists());
    assert!(idle.call(has(), holdfast_protocol::Until::Deadline(Instant::now() + Duration::from_secs(5))).is_err());
}

#[test]
fn a_daemon_can_be_sent_to_another_thread() {
    fn sendable<T: Send>() {}
    sendable::<Daemon>();
}
