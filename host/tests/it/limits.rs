use std::{
    io::Write,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use holdfast_protocol::{
    message::{Failure, Reply},
    CallError, Client, Until,
};

use crate::support::*;

fn ask(client: &Arc<Client>, until: Until) -> JoinHandle<Result<Reply, CallError>> {
    let client = client.clone();
    thread::spawn(move || client.call(has(), until))
}

#[test]
fn a_full_queue_is_busy_at_once_and_loses_nothing() {
    let (link, strings) = puppet();
    let daemon = Running::with(link, |config| {
        config.limits.queue = 2;
        config.http = "127.0.0.1:0".parse().expect("an address");
    });
    let client = Arc::new(daemon.client());
    let first = ask(&client, soon());
    strings.wait_for_call();
    // The link is held, so two fit, and one more does not.
    let second = ask(&client, soon());
    let third = ask(&client, soon());
    wait_for_metric(daemon.http(), "holdfast_host_queue 2");
    assert_eq!(client.call(has(), soon()), Err(CallError::Failed(Failure::Busy)));
    for _ in 0..3 {
        strings.tell(Told::Answer);
    }
    for thread in [first, second, third] {
        assert_eq!(thread.join().expect("no panic"), Ok(Reply::Has(true)));
    }
    wait_for_metric(daemon.http(), r#"holdfast_host_requests_total{call="has",result="busy"} 1"#);
    wait_for_metric(daemon.http(), r#"holdfast_host_requests_total{call="has",result="ok"} 3"#);
}

#[test]
fn a_request_whose_deadline_passes_in_the_queue_never_reaches_the_trusted_application() {
    let (link, strings) = puppet();
    let daemon = Running::with(link, |config| config.http = "127.0.0.1:0".parse().expect("an address"));
    let (client, (mut other, _)) = (Arc::new(daemon.client()), greet(daemon.raw()));
    let first = ask(&client, soon());
    strings.wait_for_call();
    other.write_all(&request_within(1, 7, 2, &[0])).expect("sent");
    wait_for_metric(daemon.http(), "holdfast_host_queue 1");
    // It has been in the queue since before now: its one millisecond is over after this one.
    thread::sleep(Duration::from_millis(1));
    strings.tell(Told::Answer);
    // Response (2) to 7: error (1), deadline (6).
    let late = [&2u32.to_le_bytes()[..], &7u64.to_le_bytes(), &1u32.to_le_bytes(), &6u32.to_le_bytes()].concat();
    assert_eq!(read_frame(&mut other), late);
    assert_eq!(first.join().expect("no panic"), Ok(Reply::Has(true)));
    assert_eq!(strings.called.try_iter().count(), 0);
}

#[test]
fn a_connection_too_many_is_closed_at_once_and_there_is_room_when_one_ends() {
    let daemon = Running::with(soft(), |config| {
        config.limits.connections = 2;
        config.http = "127.0.0.1:0".parse().expect("an address");
    });
    let (first, second) = (daemon.client(), daemon.client());
    assert!(read_to_end(&mut daemon.raw()).is_empty());
    drop(first);
    wait_for_metric(daemon.http(), "holdfast_host_connections 1");
    let third = daemon.client();
    let key = make_key(&third).id;
    sign(&second, &key, b"still there");
    wait_for_metric(daemon.http(), r#"holdfast_host_connections_closed_total{reason="limit"} 1"#);
}

/// Whether a response is to this id, and says that the key is there.
fn is_yes(response: &[u8], id: u64) -> bool {
    // Response (2): ok (0), has (3), true.
    response == [&2u32.to_le_bytes()[..], &id.to_le_bytes(), &0u32.to_le_bytes(), &3u32.to_le_bytes(), &[1]].concat()
}

#[test]
fn a_client_that_asks_without_end_delays_another_by_eight_requests_at_most_and_gets_every_answer() {
    let (link, strings) = puppet();
    let daemon = Running::with(link, |config| config.http = "127.0.0.1:0".parse().expect("an address"));
    let ((mut greedy, _), (mut other, _)) = (greet(daemon.raw()), greet(daemon.raw()));
    let requests: Vec<u8> = (0..256).flat_map(has_frame).collect();
    greedy.write_all(&requests).expect("sent");
    strings.wait_for_call();
    wait_for_metric(daemon.http(), "holdfast_host_queue 7");
    other.write_all(&has_frame(1000)).expect("sent");
    wait_for_metric(daemon.http(), "holdfast_host_queue 8");
    for _ in 0..9 {
        strings.tell(Told::Answer);
    }
    assert!(is_yes(&read_frame(&mut other), 1000));
    // The nine answers are spent: the other one did not wait for the rest.
    for id in 0..8 {
        assert!(is_yes(&read_frame(&mut greedy), id));
    }
    wait_for_metric(daemon.http(), "holdfast_host_queue 7");
    for id in 8..256 {
        strings.tell(Told::Answer);
        assert!(is_yes(&read_frame(&mut greedy), id));
    }
}

#[test]
fn a_queue_that_several_clients_fill_is_busy_for_all_of_them() {
    let (link, strings) = puppet();
    let daemon = Running::with(link, |config| {
        config.limits.queue = 15;
        config.http = "127.0.0.1:0".parse().expect("an address");
    });
    let mut greedy: Vec<_> = (0..2).map(|_| greet(daemon.raw()).0).collect();
    let (mut other, _) = greet(daemon.raw());
    let requests: Vec<u8> = (0..20).flat_map(has_frame).collect();
    greedy[0].write_all(&requests).expect("sent");
    strings.wait_for_call();
    greedy[1].write_all(&requests).expect("sent");
    // One of sixteen is with the trusted application.
    wait_for_metric(daemon.http(), "holdfast_host_queue 15");
    other.write_all(&has_frame(5)).expect("sent");
    // Response (2) to 5: error (1), busy (5).
    let busy = [&2u32.to_le_bytes()[..], &5u64.to_le_bytes(), &1u32.to_le_bytes(), &5u32.to_le_bytes()].concat();
    assert_eq!(read_frame(&mut other), busy);
}

#[test]
fn a_trusted_application_that_panics_again_and_again_leaves_no_connection_waiting() {
    let (link, strings) = puppet();
    let daemon = Running::start(link);
    let (mut client, _) = greet(daemon.raw());
    let requests: Vec<u8> = (0..20).flat_map(has_frame).collect();
    client.write_all(&requests).expect("sent");
    for _ in 0..19 {
        strings.tell(Told::Panic);
    }
    strings.tell(Told::Answer);
    for id in 0..19u64 {
        let failed = [&2u32.to_le_bytes()[..], &id.to_le_bytes(), &1u32.to_le_bytes()].concat();
        assert!(read_frame(&mut client).starts_with(&failed), "{id}");
    }
    assert!(is_yes(&read_frame(&mut client), 19));
}
