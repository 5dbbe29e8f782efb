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
    // Response (2) to 7: error (1), deadline (5).
    let late = [&2u32.to_le_bytes()[..], &7u64.to_le_bytes(), &1u32.to_le_bytes(), &5u32.to_le_bytes()].concat();
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

#[test]
fn too_many_requests_without_an_answer_close_their_connection_only() {
    let (link, strings) = puppet();
    let daemon = Running::start(link);
    let good = Arc::new(daemon.client());
    let (mut greedy, _) = greet(daemon.raw());
    for id in 0..=256 {
        // The last may already find the connection closed.
        let _ = greedy.write_all(&list(id));
    }
    read_to_end(&mut greedy);
    drop(strings.tell);
    let result = good.call(has(), soon());
    assert!(matches!(result, Err(CallError::Failed(Failure::Tee(_)))), "{result:?}");
}
