//! What a daemon may rely on, and deadlines on both sides.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use holdfast_protocol::server::{self, Requests, Responder};
use holdfast_protocol::{
    Call, CallError, ChannelError, Client, ClientOptions, Endpoint, FromDaemon, Hello, Reply, Request, Response, State,
    ToDaemon, Unreachable, Until, Visitor, Welcome, MAX_IN_FLIGHT, VERSION,
};
use rustix::net::{self as net, AddressFamily, SocketAddrUnix, SocketType};

use crate::daemon::{client, echo, info, sign, soon, until_soon, Daemon, GENESIS, VISITOR};
use crate::raw;

/// A server's half and the socket of a client that has been welcomed.
fn welcomed() -> (Requests, Responder, UnixStream) {
    let (mut client, stream) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let (_, pending) = server::accept(stream, soon()).unwrap();
        pending.welcome(Welcome { version: VERSION, tee: info() }).unwrap()
    });
    raw::greet(&client);
    client.write_all(&raw::hello()).unwrap();
    assert!(matches!(raw::read(&client), Some(FromDaemon::Welcome(_))));
    let (requests, responder) = server.join().unwrap();
    (requests, responder, client)
}

fn signature(id: u64, length: usize) -> Response {
    Response { id, result: Ok(Reply::Signature(vec![1; length])) }
}

#[test]
fn a_bare_ductile_client_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _daemon = Daemon::start(&path, echo);
    let (sender, receiver) = ductile::connect_unix_channel::<_, Vec<u8>, Vec<u8>>(path).unwrap();
    sender.send(raw::encode(&ToDaemon::Hello(Hello { version: VERSION, visitor: *VISITOR }))).unwrap();
    assert_eq!(
        raw::decode::<FromDaemon>(&receiver.recv().unwrap()),
        FromDaemon::Welcome(Welcome { version: VERSION, tee: info() })
    );
    let call = sign(&[5; 20_000]);
    sender.send(raw::encode(&ToDaemon::Request(Request { id: 9, deadline_ms: 1000, call }))).unwrap();
    let result = Ok(Reply::Signature(vec![5; 20_000]));
    assert_eq!(raw::decode::<FromDaemon>(&receiver.recv().unwrap()), FromDaemon::Response(Response { id: 9, result }));
}

#[test]
fn a_bare_ductile_server_is_understood() {
    let (_directory, path, client) = client();
    let mut server = ductile::ChannelServer::<Vec<u8>, Vec<u8>>::bind_unix(&path).unwrap();
    client.connect(GENESIS).unwrap();
    let (sender, receiver, _) = server.next().unwrap();
    assert_eq!(
        raw::decode::<ToDaemon>(&receiver.recv().unwrap()),
        ToDaemon::Hello(Hello { version: VERSION, visitor: *VISITOR })
    );
    sender.send(raw::encode(&FromDaemon::Welcome(Welcome { version: VERSION, tee: info() }))).unwrap();
    thread::scope(|scope| {
        let call = scope.spawn(|| client.call(sign(b"message"), until_soon()));
        let ToDaemon::Request(request) = raw::decode(&receiver.recv().unwrap()) else { panic!("no request") };
        assert_eq!(request.call, sign(b"message"));
        let result = Ok(Reply::Signature(b"signature".to_vec()));
        sender.send(raw::encode(&FromDaemon::Response(Response { id: request.id, result }))).unwrap();
        assert_eq!(call.join().unwrap(), Ok(Reply::Signature(b"signature".to_vec())));
    });
}

#[test]
fn a_node_says_the_same_of_itself_on_every_connection_and_an_operator_says_that_it_is_one() {
    let (_directory, path, node) = client();
    let listener = UnixListener::bind(&path).unwrap();
    node.connect(GENESIS).unwrap();
    for _ in 0..2 {
        let (hello, _) = server::accept(listener.accept().unwrap().0, soon()).unwrap();
        assert_eq!(hello.visitor, *VISITOR);
    }
    node.close();
    let operator = Client::new(Endpoint::unix(&path).unwrap());
    operator.connect_as_operator().unwrap();
    // What the node left behind in the backlog comes first.
    let hello = (0..10).find_map(|_| server::accept(listener.accept().unwrap().0, soon()).ok()).unwrap().0;
    assert_eq!(hello.visitor, Visitor::Operator);
}

#[test]
fn many_clients_are_served_though_others_are_silent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _daemon = Daemon::start(&path, echo);
    let silent: Vec<_> = (0..8).map(|_| UnixStream::connect(&path).unwrap()).collect();
    thread::scope(|scope| {
        for number in 0..24u32 {
            let endpoint = Endpoint::unix(&path).unwrap();
            scope.spawn(move || {
                let client = Client::new(endpoint);
                client.connect(GENESIS).unwrap();
                for round in 0..20u32 {
                    let message = [number.to_le_bytes(), round.to_le_bytes()].concat();
                    assert_eq!(client.call(sign(&message), until_soon()), Ok(Reply::Signature(message)));
                }
            });
        }
    });
    drop(silent);
}

#[test]
fn tcp_on_loopback_works_as_a_unix_socket_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(Endpoint::tcp(listener.local_addr().unwrap()).unwrap());
    client.connect(GENESIS).unwrap();
    let server = thread::spawn(move || {
        let (_, pending) = server::accept(listener.accept().unwrap().0, soon()).unwrap();
        let (mut requests, responder) = pending.welcome(Welcome { version: VERSION, tee: info() }).unwrap();
        while let Some(request) = requests.next().unwrap() {
            echo(request, &responder);
        }
    });
    for length in [0, 64, 9_000, 32_000] {
        let message = vec![3; length];
        assert_eq!(client.call(sign(&message), until_soon()), Ok(Reply::Signature(message)));
    }
    client.close();
    server.join().unwrap();
}

#[test]
fn a_client_that_reads_late_still_gets_the_answers_to_all_it_may_ask() {
    let (_requests, responder, client) = welcomed();
    for id in 0..MAX_IN_FLIGHT as u64 {
        // Longer than any signature or proof.
        responder.send(signature(id, 500)).unwrap();
    }
    for expected in 0..MAX_IN_FLIGHT as u64 {
        assert!(matches!(raw::read(&client), Some(FromDaemon::Response(Response { id, .. })) if id == expected));
    }
}

#[test]
fn a_client_that_never_reads_is_closed_and_holds_up_nobody() {
    let (mut requests, responder, client) = welcomed();
    let sent = (0..1000).map_while(|id| responder.send(signature(id, 30_000)).ok()).count();
    assert!(sent > 0 && sent < 1000, "{sent} answers were sent to nobody");
    assert!(requests.next().unwrap().is_none());
    assert!(responder.send(signature(0, 0)).is_err());
    drop(client);
}

#[test]
fn an_answer_that_is_too_long_becomes_an_error() {
    let (_requests, responder, client) = welcomed();
    responder.send(signature(3, 40_000)).unwrap();
    assert!(matches!(raw::read(&client), Some(FromDaemon::Response(Response { id: 3, result: Err(_) }))));
}

#[test]
fn either_half_closes_the_connection() {
    let (mut requests, responder, client) = welcomed();
    responder.close();
    assert!(requests.next().unwrap().is_none());
    assert!(raw::closed(&client));

    let (requests, responder, client) = welcomed();
    drop(requests);
    assert!(raw::closed(&client));
    assert!(responder.send(signature(0, 0)).is_err());
}

#[test]
fn closing_wakes_the_thread_that_reads() {
    let (mut requests, responder, _client) = welcomed();
    let reader = thread::spawn(move || requests.next());
    responder.close();
    assert!(reader.join().unwrap().unwrap().is_none());
}

/// What a server makes, within a second, of a client that says these pieces and is silent then.
fn accept_in_a_second(pieces: &[&[u8]]) -> Option<ChannelError> {
    let (mut client, stream) = UnixStream::pair().unwrap();
    client.write_all(&pieces.concat()).unwrap();
    let error = server::accept(stream, Instant::now() + Duration::from_secs(1)).err();
    assert!(raw::closed(&client));
    error
}

#[test]
fn a_server_does_not_wait_for_a_silent_client() {
    let (magic, hello) = (&raw::magic()[..], &raw::hello()[..]);
    thread::scope(|scope| {
        for (pieces, missing) in [
            (vec![], "greeting"),
            (vec![&magic[..2]], "greeting"),
            (vec![magic], "hello"),
            (vec![magic, &hello[..5]], "hello"),
            (vec![magic, &hello[..40]], "hello"),
        ] {
            scope.spawn(move || {
                let error = accept_in_a_second(&pieces);
                assert!(matches!(error, Some(ChannelError::Deadline(what)) if what == missing), "{error:?}");
            });
        }
    });
}

#[test]
fn a_server_does_not_wait_for_a_client_that_drips() {
    let (mut requests, _responder, mut client) = welcomed();
    client.write_all(&raw::request(1)).unwrap();
    let request = raw::request(2);
    client.write_all(&request[..1]).unwrap();
    let server = thread::spawn(move || (requests.next(), requests.next()));
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut byte = [0];
    for next in &request[1..] {
        // Waits for the server to close, or for the time of the next drop.
        if client.read_exact(&mut byte).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            client.write_all(&[*next]).unwrap_or_default();
        } else {
            break;
        }
    }
    let (whole, dripped) = server.join().unwrap();
    assert_eq!(whole.unwrap().unwrap().id, 1);
    assert!(matches!(dripped, Err(ChannelError::Deadline(_))), "{dripped:?}");
}

#[test]
fn a_client_does_not_wait_for_a_silent_daemon() {
    let welcome = raw::say(&FromDaemon::Welcome(Welcome { version: VERSION, tee: info() }));
    let magic = raw::magic();
    thread::scope(|scope| {
        for (says, missing) in [
            (vec![], "greeting"),
            (magic.to_vec(), "welcome"),
            ([&magic[..], &welcome[..20]].concat(), "welcome"),
            ([&magic[..], &welcome, &raw::request(1)[..13]].concat(), "whole message"),
        ] {
            scope.spawn(move || {
                let (_directory, path, client) = client();
                let (send, heard) = mpsc::channel();
                client.on_change(move |state| drop(send.send(state.clone())));
                let listener = UnixListener::bind(path).unwrap();
                client.connect(GENESIS).unwrap();
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(&says).unwrap();
                let reason = loop {
                    let state = heard.recv_timeout(Duration::from_secs(20)).unwrap();
                    if let State::Down(Unreachable::Connection(reason)) = state {
                        break reason;
                    }
                };
                assert!(reason.contains(missing), "{reason}");
                assert!(raw::closed(&stream));
                // And it comes again.
                listener.accept().unwrap();
            });
        }
    });
}

#[test]
fn a_daemon_that_accepts_nobody_does_not_hold_up_the_client() {
    let (_directory, path, client) = client();
    let listener = net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    net::listen(&listener, 0).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    client.connect(GENESIS).unwrap();
    let error = client.call(Call::Info, until_soon()).unwrap_err().to_string();
    assert!(error.contains("accepts no connections"), "{error}");
}

/// Says welcome, and then neither reads nor writes.
fn freeze(stream: impl Into<holdfast_protocol::Stream>) -> (Requests, Responder) {
    let (_, pending) = server::accept(stream, soon()).unwrap();
    pending.welcome(Welcome { version: VERSION, tee: info() }).unwrap()
}

#[test]
fn only_a_connection_that_cannot_recover_is_given_up() {
    let options = ClientOptions { give_up: Duration::from_secs(6), ..Default::default() };
    let directory = tempfile::tempdir().unwrap();
    let [idle, full] = ["idle", "full"].map(|name| directory.path().join(name));
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let [idle_listener, full_listener] = [&idle, &full].map(|path| UnixListener::bind(path).unwrap());
    let endpoints = [
        Endpoint::unix(idle).unwrap(),
        Endpoint::unix(full).unwrap(),
        Endpoint::tcp(tcp.local_addr().unwrap()).unwrap(),
    ];
    let [idle, full, network] = endpoints.map(|endpoint| {
        let client = Client::with_options(endpoint, options);
        client.connect(GENESIS).unwrap();
        client
    });
    let _idle = freeze(idle_listener.accept().unwrap().0);
    let _full = freeze(full_listener.accept().unwrap().0);
    let _network = freeze(tcp.accept().unwrap().0);
    for client in [&idle, &full, &network] {
        client.wait_up(Duration::from_secs(20)).unwrap();
    }

    // Fills what the daemon does not read.
    for _ in 0..20 {
        let moment = Until::Deadline(Instant::now() + Duration::from_millis(5));
        assert_eq!(full.call(sign(&[0; 30_000]), moment), Err(CallError::Deadline));
    }
    assert_eq!(full.state(), State::Unresponsive);
    let [full_down, network_down] = [&full, &network].map(|client| {
        let (send, down) = mpsc::channel();
        client.on_change(move |state| {
            if matches!(state, State::Down(_)) {
                let _ = send.send(());
            }
        });
        down
    });
    full_down.recv_timeout(Duration::from_secs(30)).unwrap();
    // The second time comes long after the idle one would have been given up too.
    network_down.recv_timeout(Duration::from_secs(30)).unwrap();
    let _network_again = freeze(tcp.accept().unwrap().0);
    network_down.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(idle.state(), State::Unresponsive);
}
