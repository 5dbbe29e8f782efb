use std::{io::Write, net::Shutdown};

use crate::support::*;
use holdfast_host::Config;
use proptest::test_runner::TestRunner;

fn patient(config: &mut Config) {
    config.limits.connections = 16;
    config.limits.handshake_ms = 60_000;
    config.http = "127.0.0.1:0".parse().expect("an address");
}

#[test]
fn silent_and_slow_clients_delay_nobody() {
    let daemon = Running::with(soft(), patient);
    let silent: Vec<_> = (0..4).map(|_| daemon.raw()).collect();
    let mut slow: Vec<_> = (0..4).map(|_| daemon.raw()).collect();
    let whole = [&MAGIC[..], &hello(VERSION, GENESIS), &list(0)].concat();
    for byte in whole {
        for stream in &mut slow {
            stream.write_all(&[byte]).expect("sent");
        }
        let client = daemon.client();
        let key = make_key(&client).id;
        sign(&client, &key, &[byte]);
    }
    drop(silent);
}

#[test]
fn a_client_that_says_nothing_is_closed_at_the_handshake_deadline() {
    let daemon = Running::with(soft(), |config| config.limits.handshake_ms = 30);
    let mut silent = daemon.raw();
    assert_eq!(read_to_end(&mut silent), MAGIC, "a greeting, and then the end");
    let mut half = daemon.raw();
    half.write_all(&[&MAGIC[..], &hello(VERSION, GENESIS)[..20]].concat()).expect("sent");
    assert_eq!(read_to_end(&mut half), MAGIC);
}

#[test]
fn rule_7_whatever_is_malformed_closes_its_own_connection_only() {
    let daemon = Running::with(soft(), patient);
    let good = daemon.client();
    let key = make_key(&good).id;
    let announced = |kind: u32, length: u64| [&kind.to_le_bytes()[..], &length.to_le_bytes()].concat();
    let openings: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        [&MAGIC[..], &announced(1, 12)].concat(),
        [&MAGIC[..], &announced(0, 4 << 30)].concat(),
        [&MAGIC[..], &announced(0, u64::MAX)].concat(),
        [&MAGIC[..], &frame(&[])].concat(),
        [&MAGIC[..], &list(0)].concat(),
        // An operator (1) with a byte too many, a visitor of an unknown kind, a node without its name.
        [&MAGIC[..], &frame(&[&[0; 4][..], &VERSION.to_le_bytes(), &[1, 0, 0, 0, 0]].concat())].concat(),
        [&MAGIC[..], &frame(&[&[0; 4][..], &VERSION.to_le_bytes(), &[2; 4], &[0; 112]].concat())].concat(),
        [&MAGIC[..], &frame(&[&[0; 4][..], &VERSION.to_le_bytes(), &[0; 84]].concat())].concat(),
    ];
    for bytes in openings {
        let mut stream = daemon.raw();
        let _ = stream.write_all(&bytes);
        read_to_end(&mut stream);
        sign(&good, &key, &bytes);
    }
    let requests: Vec<Vec<u8>> = vec![
        hello(VERSION, GENESIS),
        announced(2, 1),
        announced(0, u64::MAX),
        frame(&[0xff; 64]),
        request(0, 99, &[]),
        request(0, 9, &[]),
        claim_frame(0, 4),
        request(0, 10, &[9]),
        request(0, 10, &[0, 0]),
        // A position of an unknown kind, and one without its slot.
        request(
            0,
            11,
            &[&1u32.to_le_bytes()[..], b"gran", &0u64.to_le_bytes(), &2u32.to_le_bytes(), &[0; 16]].concat(),
        ),
        request(0, 11, &[&1u32.to_le_bytes()[..], b"gran", &0u64.to_le_bytes(), &1u32.to_le_bytes()].concat()),
        request(0, 2, &[0, 0]),
        request(0, 2, &[9]),
        // A public key of 4 GiB, of which nothing follows.
        request(0, 3, &[&0u32.to_le_bytes()[..], b"gran", &(4u64 << 30).to_le_bytes()].concat()),
        [list(5), list(5)].concat(),
        [list(5), list(4)].concat(),
    ];
    for bytes in requests {
        let (mut stream, _) = greet(daemon.raw());
        let _ = stream.write_all(&bytes);
        read_to_end(&mut stream);
        sign(&good, &key, &bytes);
    }
}

#[test]
fn a_client_of_another_version_is_told_so() {
    let daemon = Running::with(soft(), patient);
    let mut stream = daemon.raw();
    stream.write_all(&[&MAGIC[..], &hello(77, GENESIS)].concat()).expect("sent");
    // Rejected (1), for its version (0): we speak 4.
    let rejected = [&1u32.to_le_bytes()[..], &0u32.to_le_bytes(), &4u16.to_le_bytes()].concat();
    assert_eq!(read_to_end(&mut stream), [&MAGIC[..], &frame(&rejected)].concat());
}

#[test]
fn a_client_that_dies_at_any_byte_is_forgotten() {
    let daemon = Running::with(soft(), patient);
    let good = daemon.client();
    let key = make_key(&good).id;
    let whole = [&MAGIC[..], &hello(VERSION, GENESIS), &list(0), &list(1)].concat();
    for length in 0..whole.len() {
        let mut stream = daemon.raw();
        let _ = stream.write_all(&whole[..length]);
        drop(stream);
        wait_for_metric(daemon.http(), "holdfast_host_connections 1");
    }
    sign(&good, &key, b"still there");
}

#[test]
fn a_client_that_dies_with_requests_in_the_queue_delays_nobody() {
    let (link, strings) = puppet();
    let daemon = Running::with(link, patient);
    let good = daemon.client();
    let (mut dying, _) = greet(daemon.raw());
    let requests: Vec<u8> = (0..8).flat_map(has_frame).collect();
    dying.write_all(&requests).expect("sent");
    strings.wait_for_call();
    wait_for_metric(daemon.http(), "holdfast_host_queue 7");
    drop(dying);
    for _ in 0..9 {
        strings.tell(Told::Answer);
    }
    assert!(good.call(has(), soon()).is_ok());
}

#[test]
fn a_client_that_does_not_read_is_closed_and_delays_nobody() {
    let daemon = Running::with(soft(), patient);
    let good = daemon.client();
    let key = (0..40).map(|_| make_key(&good).id).last().expect("a key");
    let (mut deaf, _) = greet(daemon.raw());
    let mut id = 0;
    // Until the daemon has closed it: each answer is a page of keys, and nobody reads one.
    while deaf.write_all(&list(id)).is_ok() {
        id += 1;
        if id % 64 == 0 {
            sign(&good, &key, &id.to_le_bytes());
        }
        assert!(id < 1_000_000, "the daemon keeps answers without bound");
    }
    sign(&good, &key, b"still there");
    wait_for_metric(daemon.http(), "holdfast_host_connections 1");
}

#[test]
fn rule_7_no_stream_of_bytes_harms_the_daemon() {
    use proptest::{collection::vec, prelude::*};
    let daemon = Running::with(soft(), patient);
    let good = daemon.client();
    let key = make_key(&good).id;
    let bytes = (0..3u8, vec(any::<u8>(), 0..300), any::<bool>());
    let mut runner = TestRunner::new(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() });
    runner
        .run(&bytes, |(depth, bytes, framed)| {
            let mut stream = daemon.raw();
            let tail = if framed { frame(&bytes) } else { bytes };
            let head: &[&[u8]] = &[&MAGIC, &hello(VERSION, GENESIS)];
            let _ = stream.write_all(&[&head[..usize::from(depth)].concat()[..], &tail].concat());
            let _ = stream.shutdown(Shutdown::Write);
            read_to_end(&mut stream);
            sign(&good, &key, &tail);
            Ok(())
        })
        .expect("no stream harms it");
    wait_for_metric(daemon.http(), "holdfast_host_connections 1");
}
