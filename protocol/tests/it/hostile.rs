//! What a hostile peer may send, to either side. Rule 7: each bad byte is an error, nothing panics, and nothing is
//! stored without bound.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use holdfast_protocol::{
    server, Call, CallError, ChannelError, FromDaemon, Hello, Rejection, Reply, Request, Response, ToDaemon,
    Unreachable, Welcome, MAX_DEADLINE_MS, MAX_IN_FLIGHT, MAX_MESSAGE, VERSION,
};
use proptest::prelude::*;

use crate::daemon::{client, echo, info, sign, soon, until_soon, GENESIS, VISITOR};
use crate::raw::{self, encode, frame, head};

/// What a server makes of a client that sends these bytes and closes: how many requests it took, and how it ended.
fn serve(bytes: &[u8]) -> (usize, Result<(), ChannelError>) {
    let (mut client, stream) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let mut taken = 0;
        let run = || {
            let (_, pending) = server::accept(stream, soon())?;
            let (mut requests, responder) = pending.welcome(Welcome { version: VERSION, tee: info() })?;
            while let Some(request) = requests.next()? {
                taken += 1;
                echo(request, &responder);
            }
            Ok(())
        };
        let result = run();
        (taken, result)
    });
    // The server may close first.
    let _ = client.write_all(bytes);
    let _ = client.shutdown(Shutdown::Write);
    server.join().expect("the server panicked")
}

/// What a client makes of a daemon that sends these bytes, the second part once it has been asked, and closes.
fn ask(opening: &[u8], answer: Option<&[u8]>) -> Result<Reply, CallError> {
    let (_directory, path, client) = client();
    let listener = UnixListener::bind(&path).unwrap();
    client.connect(GENESIS).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let result = thread::scope(|scope| {
        let call = scope.spawn(|| client.call(sign(b"mine"), until_soon()));
        let _ = stream.write_all(opening);
        if let Some(answer) = answer {
            let mut magic = [0; 4];
            stream.read_exact(&mut magic).unwrap();
            assert!(matches!(raw::read(&stream), Some(ToDaemon::Hello(_))));
            assert!(matches!(raw::read(&stream), Some(ToDaemon::Request(Request { id: 1, .. }))));
            let _ = stream.write_all(answer);
        }
        let _ = stream.shutdown(Shutdown::Write);
        call.join().expect("the caller panicked")
    });
    // The client's thread closes the client where it panics.
    assert_ne!(result, Err(CallError::Closed));
    result
}

fn magic() -> &'static [u8] {
    static MAGIC: OnceLock<[u8; 4]> = OnceLock::new();
    MAGIC.get_or_init(raw::magic)
}

/// What an honest client sends, in its pieces.
fn client_stream() -> Vec<Vec<u8>> {
    vec![magic().to_vec(), raw::hello(), raw::request(1), raw::request(5), raw::request(6)]
}

fn welcome() -> Vec<u8> {
    raw::say(&FromDaemon::Welcome(Welcome { version: VERSION, tee: info() }))
}

fn response(id: u64) -> Vec<u8> {
    raw::say(&FromDaemon::Response(Response { id, result: Ok(Reply::Signature(b"mine".to_vec())) }))
}

/// What an honest daemon sends before it is asked.
fn opening() -> Vec<u8> {
    [magic(), &welcome()].concat()
}

fn broken(reply: &Result<Reply, CallError>) -> bool {
    matches!(reply, Err(CallError::Unreachable(Unreachable::Connection(_))))
}

/// Broken off by the client, and not because the daemon closed.
fn refused(reply: &Result<Reply, CallError>) -> bool {
    let closed = Unreachable::Connection(ChannelError::Cut.to_string());
    broken(reply) && *reply != Err(closed.into())
}

/// Changes a byte, leaves bytes out, or puts some in.
fn mutate(bytes: &mut Vec<u8>, place: prop::sample::Index, change: u8, inserted: &[u8]) {
    let place = place.index(bytes.len());
    match change {
        0 => drop(bytes.drain(place..(place + 1 + inserted.len()).min(bytes.len()))),
        change if inserted.is_empty() => bytes[place] ^= change,
        _ => drop(bytes.splice(place..place, inserted.iter().copied())),
    }
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

proptest! {
    #[test]
    fn a_server_survives_any_bytes(honest in 0usize..6, bytes in bytes(300)) {
        let stream = client_stream().into_iter().take(honest).chain([bytes]).collect::<Vec<_>>().concat();
        let (taken, _) = serve(&stream);
        prop_assert!(taken >= honest.saturating_sub(2).min(3));
    }

    #[test]
    fn a_server_survives_any_change_to_an_honest_stream(
        place: prop::sample::Index, change: u8, inserted in bytes(12), twice: prop::sample::Index, again: u8,
    ) {
        let mut stream = client_stream().concat();
        mutate(&mut stream, place, change, &inserted);
        mutate(&mut stream, twice, again, &[]);
        let _ = serve(&stream);
    }

    #[test]
    fn a_client_survives_any_bytes(honest in 0usize..3, bytes in bytes(300)) {
        let result = match honest {
            0 => ask(&bytes, None),
            1 => ask(&[magic(), &bytes].concat(), None),
            _ => ask(&opening(), Some(&bytes)),
        };
        prop_assert!(result.is_err());
    }

    #[test]
    fn a_client_survives_any_change_to_an_honest_stream(
        place: prop::sample::Index, change: u8, inserted in bytes(12), late: bool,
    ) {
        let (mut opening, mut answer) = (opening(), response(1));
        if late {
            mutate(&mut answer, place, change, &inserted);
            // A changed byte in the signature is found by who asked for it.
            let _ = ask(&opening, Some(&answer));
        } else {
            mutate(&mut opening, place, change, &inserted);
            prop_assert!(ask(&opening, None).is_err());
        }
    }
}

#[test]
fn a_server_takes_what_came_whole_wherever_the_stream_is_cut() {
    let pieces = client_stream();
    let stream = pieces.concat();
    let mut ends = vec![0];
    for piece in &pieces {
        ends.push(ends.last().unwrap() + piece.len());
    }
    for cut in 0..=stream.len() {
        let (taken, result) = serve(&stream[..cut]);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(taken, whole.saturating_sub(3), "cut at {cut}");
        assert_eq!(result.is_ok(), whole >= 3 && ends.contains(&cut), "cut at {cut}: {result:?}");
    }
}

#[test]
fn a_client_loses_the_connection_wherever_the_stream_is_cut() {
    let (opening, answer) = (opening(), response(1));
    for cut in 0..opening.len() {
        let result = ask(&opening[..cut], None);
        assert!(broken(&result), "cut at {cut}: {result:?}");
    }
    for cut in 0..answer.len() {
        let result = ask(&opening, Some(&answer[..cut]));
        assert!(broken(&result), "cut at {cut}: {result:?}");
    }
    assert_eq!(ask(&opening, Some(&answer)), Ok(Reply::Signature(b"mine".to_vec())));
}

/// Frames that neither side takes, whatever they were to hold.
fn bad_frames() -> Vec<Vec<u8>> {
    vec![
        head(1, 3, b"raw"),                   // RawData
        head(2, 3, b"raw"),                   // RawDataStart
        head(3, 0, b""),                      // no such kind
        head(0, MAX_MESSAGE as u64 + 1, b""), // one too many
        head(0, 1 << 32, b""),                // 4 GiB
        head(0, u64::MAX, b""),               // more than there is
        frame(b""),                           // no message in it
        frame(&[0xff; 64]),                   // no such message
        frame(&vec![0xff; MAX_MESSAGE]),      // as long as may be, and nonsense
    ]
}

#[test]
fn a_server_refuses_bad_frames_as_hello_and_as_request() {
    for bad in bad_frames() {
        let (_, result) = serve(&[magic(), &bad].concat());
        assert!(!matches!(result, Ok(()) | Err(ChannelError::Cut)), "{:?}", &bad[..12]);
        let (taken, result) = serve(&[magic(), &raw::hello(), &raw::request(1), &bad, &raw::request(2)].concat());
        assert!(taken == 1 && !matches!(result, Ok(()) | Err(ChannelError::Cut)), "{:?}", &bad[..12]);
    }
}

#[test]
fn a_client_refuses_bad_frames_as_welcome_and_as_answer() {
    for bad in bad_frames() {
        assert!(refused(&ask(&[magic(), &bad].concat(), None)), "{:?}", &bad[..12]);
        assert!(refused(&ask(&opening(), Some(&bad))), "{:?}", &bad[..12]);
    }
}

/// Messages with a length inside that lies, or with bytes left over.
fn bad_messages(honest: &[u8], length_at: usize) -> Vec<Vec<u8>> {
    let mut bad = vec![[honest, b"x"].concat()];
    for lie in [1 << 20, 1 << 32, u64::MAX] {
        let mut message = honest.to_vec();
        message[length_at..length_at + 8].copy_from_slice(&u64::to_le_bytes(lie));
        bad.push(message);
    }
    bad
}

#[test]
fn lengths_within_a_message_are_not_believed() {
    let request = encode(&ToDaemon::Request(Request { id: 1, deadline_ms: 1, call: sign(b"message") }));
    // Variant, id, deadline, variant, scheme, key type; then the length of the public key.
    for bad in bad_messages(&request, 4 + 8 + 4 + 4 + 4 + 4) {
        let (taken, result) = serve(&[magic(), &raw::hello(), &frame(&bad)].concat());
        assert!(taken == 0 && matches!(result, Err(ChannelError::Malformed(_))), "{result:?}");
    }
    let answer = encode(&FromDaemon::Response(Response { id: 1, result: Ok(Reply::Signature(vec![1; 64])) }));
    // Variant, id, Ok, variant; then the length of the signature.
    for bad in bad_messages(&answer, 4 + 8 + 4 + 4) {
        assert!(refused(&ask(&opening(), Some(&frame(&bad)))));
    }
    let welcome = encode(&FromDaemon::Welcome(Welcome { version: VERSION, tee: info() }));
    // Variant, version, version, schema; then the length of a string.
    for bad in bad_messages(&welcome, 4 + 2 + 4 + 2) {
        assert!(refused(&ask(&[magic(), &frame(&bad)].concat(), None)));
    }
}

#[test]
fn a_server_refuses_what_a_client_may_not_do() {
    let request = |id, deadline_ms| frame(&encode(&ToDaemon::Request(Request { id, deadline_ms, call: Call::Info })));
    let refused = |pieces: &[Vec<u8>], takes: usize| {
        let (taken, result) = serve(&[magic(), &pieces.concat()].concat());
        assert!(matches!(result, Err(ChannelError::Protocol(_))), "{result:?}");
        assert_eq!(taken, takes);
    };
    refused(&[request(1, 0)], 0);
    refused(&[raw::hello(), raw::hello()], 0);
    refused(&[raw::hello(), request(4, 0), request(4, 0)], 1);
    refused(&[raw::hello(), request(4, 0), request(3, 0)], 1);
    refused(&[raw::hello(), request(0, MAX_DEADLINE_MS), request(1, MAX_DEADLINE_MS + 1)], 1);
    let (_, result) = serve(&[0; 100]);
    assert!(matches!(result, Err(ChannelError::NotDuctile)));
}

#[test]
fn a_server_limits_what_is_unanswered() {
    let (mut client, stream) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let (_, pending) = server::accept(stream, soon()).unwrap();
        let (mut requests, responder) = pending.welcome(Welcome { version: VERSION, tee: info() }).unwrap();
        // One is answered, and leaves room for one.
        echo(requests.next().unwrap().unwrap(), &responder);
        for _ in 0..MAX_IN_FLIGHT {
            requests.next().unwrap().unwrap();
        }
        requests.next()
    });
    client.write_all(&[magic(), &raw::hello()].concat()).unwrap();
    for id in 1..=MAX_IN_FLIGHT as u64 + 2 {
        client.write_all(&raw::request(id)).unwrap();
    }
    assert!(matches!(server.join().unwrap(), Err(ChannelError::Protocol(_))));
    assert!(raw::closed(&client));
}

#[test]
fn a_server_tells_a_client_of_another_version() {
    // Nothing but the version is as it is now.
    let mut hello = encode(&ToDaemon::Hello(Hello { version: VERSION + 1, visitor: *VISITOR }));
    hello.truncate(10);
    let (mut client, stream) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || server::accept(stream, soon()).err());
    client.write_all(&[magic(), &frame(&hello)].concat()).unwrap();
    let mut magic = [0; 4];
    client.read_exact(&mut magic).unwrap();
    assert_eq!(raw::read(&client), Some(FromDaemon::Rejected(Rejection::Version(VERSION))));
    assert!(raw::closed(&client));
    assert!(matches!(server.join().unwrap(), Some(ChannelError::Version(version)) if version == VERSION + 1));
}

#[test]
fn a_client_knows_a_daemon_of_another_version() {
    let mut welcome = encode(&FromDaemon::Welcome(Welcome { version: VERSION + 1, tee: info() }));
    welcome.truncate(10);
    let rejected = Unreachable::Rejected(Rejection::Version(VERSION + 1));
    assert_eq!(ask(&[magic(), &frame(&welcome)].concat(), None), Err(rejected.into()));
}

// Rule 3.
#[test]
fn a_client_refuses_what_a_daemon_may_not_do() {
    for answer in [response(2), response(0), response(u64::MAX), welcome(), raw::hello()] {
        assert!(refused(&ask(&opening(), Some(&answer))));
    }
    for opening in [response(1), raw::hello()] {
        assert!(refused(&ask(&[magic(), &opening].concat(), None)));
    }
    assert!(refused(&ask(&[0; 100], None)));
}

// Rule 3.
#[test]
fn a_second_answer_to_one_question_closes_the_connection() {
    let (_directory, path, client) = client();
    let listener = UnixListener::bind(&path).unwrap();
    client.connect(GENESIS).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(&opening()).unwrap();
    client.wait_up(Duration::from_secs(20)).unwrap();
    thread::scope(|scope| {
        let call = scope.spawn(|| client.call(sign(b"mine"), until_soon()));
        stream.read_exact(&mut [0; 4]).unwrap();
        assert!(raw::read::<ToDaemon>(&stream).is_some() && raw::read::<ToDaemon>(&stream).is_some());
        stream.write_all(&[response(1), response(1)].concat()).unwrap();
        assert_eq!(call.join().unwrap(), Ok(Reply::Signature(b"mine".to_vec())));
    });
    assert!(raw::closed(&stream));
}
