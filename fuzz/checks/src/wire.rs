//! The protocol between node and daemon.

use std::{
    io::Write,
    net::Shutdown,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use holdfast_protocol::{
    channel::frame, codec, server, Endpoint, FromDaemon, Hello, TeeInfo, Visitor, Welcome, MAX_DEADLINE_MS,
    MAX_IN_FLIGHT, MAX_MESSAGE, VERSION,
};

/// The greeting of a ductile that does not encrypt.
const GREETING: [u8; 4] = [2, 104, 108, 57];

/// What a client says, of which the first may be a hello. Each message has one encoding.
pub fn to_daemon(data: &[u8]) -> bool {
    let hello = codec::decode_hello(data);
    match &hello {
        Ok(hello) => {
            assert_eq!(hello.version, VERSION);
            assert_eq!(codec::encode_hello(hello.clone()).as_deref(), Ok(data));
            let _ = format!("{hello:?}");
        }
        Err(error) => drop(error.to_string()),
    }
    let request = codec::decode_request(data);
    match &request {
        Ok(request) => {
            assert_eq!(codec::encode_request(request).as_deref(), Ok(data));
            let _ = format!("{request:?}");
        }
        Err(error) => drop(error.to_string()),
    }
    assert!(hello.is_err() || request.is_err());
    assert!(data.len() <= MAX_MESSAGE || (hello.is_err() && request.is_err()));
    hello.is_ok() || request.is_ok()
}

/// What a daemon says, of which the first may be a welcome or a rejection. Each message has one encoding.
pub fn from_daemon(data: &[u8]) -> bool {
    let opening = codec::decode_opening(data);
    match &opening {
        Ok(opening) => {
            let message = match opening.clone() {
                Ok(tee) => FromDaemon::Welcome(Welcome { version: VERSION, tee }),
                Err(rejection) => {
                    let _ = rejection.to_string();
                    FromDaemon::Rejected(rejection)
                }
            };
            assert_eq!(codec::encode_from_daemon(&message).as_deref(), Ok(data));
        }
        Err(error) => drop(error.to_string()),
    }
    let response = codec::decode_response(data);
    match &response {
        Ok(response) => {
            if let Err(failure) = &response.result {
                let _ = failure.to_string();
            }
            let _ = format!("{response:?}");
            let message = FromDaemon::Response(response.clone());
            assert_eq!(codec::encode_from_daemon(&message).as_deref(), Ok(data));
        }
        Err(error) => drop(error.to_string()),
    }
    assert!(opening.is_err() || response.is_err());
    assert!(data.len() <= MAX_MESSAGE || (opening.is_err() && response.is_err()));
    opening.is_ok() || response.is_ok()
}

/// Everything that a client sends, as the daemon's half of a connection reads it: greeting, frames, hello, requests.
/// By its lowest bits the first byte says how much of a proper beginning goes before the others.
pub fn frames(data: &[u8]) -> bool {
    let Some((begin, rest)) = data.split_first() else { return false };
    if frame::length(rest).is_ok_and(|length| length.is_some_and(|length| length > frame::MAX_FRAME)) {
        panic!("a frame beyond the limit");
    }
    let mut sent = vec![];
    if begin & 1 != 0 {
        sent.extend(GREETING);
    }
    if begin & 2 != 0 {
        let hello = Hello { version: VERSION, visitor: Visitor::Operator };
        sent.extend(framed(&codec::encode_hello(hello).expect("short")));
    }
    sent.extend(rest);
    let (mut client, daemon) = UnixStream::pair().expect("a pair of sockets");
    // What the socket does not hold at once would wait for a reader.
    client.set_nonblocking(true).expect("set");
    if client.write_all(&sent).is_err() {
        return false;
    }
    client.shutdown(Shutdown::Write).expect("open until now");

    // A client that has ended is never waited for.
    let deadline = Instant::now() + Duration::from_secs(60);
    let accepted = server::accept(daemon, deadline).and_then(|(hello, pending)| {
        assert_eq!(hello.version, VERSION);
        pending.welcome(Welcome { version: VERSION, tee: tee() })
    });
    let Ok((mut requests, _responder)) = accepted else { return false };
    let mut ids = vec![];
    while let Ok(Some(request)) = requests.next() {
        assert!(ids.last().is_none_or(|last| *last < request.id));
        assert!(request.deadline_ms <= MAX_DEADLINE_MS);
        ids.push(request.id);
    }
    assert!(ids.len() <= MAX_IN_FLIGHT);
    !ids.is_empty()
}

/// The address of a daemon, as an operator writes it.
pub fn endpoint(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    match text.parse::<Endpoint>() {
        Ok(endpoint) => {
            match &endpoint {
                Endpoint::Unix(path) => assert!(path.is_absolute() && path.as_os_str().len() <= 107),
                Endpoint::Tcp(address) => assert!(address.ip().is_loopback()),
            }
            assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0; 4][..], &(message.len() as u64).to_le_bytes(), message].concat()
}

fn tee() -> TeeInfo {
    TeeInfo {
        ta_version: 1,
        schema: 1,
        kind: "OP-TEE".into(),
        simulated: false,
        development: false,
        keys: Some(2),
        catalogue: 3,
        rollback_protected: false,
    }
}
