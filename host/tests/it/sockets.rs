use std::{net::TcpListener, os::unix::fs::PermissionsExt, os::unix::net::UnixListener, path::Path};

use holdfast_host::{Config, Daemon, ListenError, StartError};
use holdfast_protocol::Endpoint;

use crate::support::*;

fn refused(edit: impl FnOnce(&mut Config)) -> StartError {
    Running::try_with(soft(), edit).map(drop).expect_err("refused")
}

#[test]
fn the_socket_is_for_its_owner_only() {
    let daemon = Running::start(soft());
    let mode = std::fs::metadata(daemon.socket()).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn a_second_daemon_on_the_same_socket_is_refused_and_the_first_goes_on() {
    let daemon = Running::start(soft());
    let client = daemon.client();
    let error = refused(|config| config.socket = daemon.socket());
    assert!(matches!(error, StartError::Listen(ListenError::Locked(_))), "{error}");
    let key = make_key(&client).id;
    sign(&client, &key, b"on the old connection");
    sign(&daemon.client(), &key, b"on a new one");
}

#[test]
fn a_socket_on_which_somebody_else_answers_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("host.sock");
    let _somebody = UnixListener::bind(&path).expect("binds");
    let error = refused(|config| config.socket = path.clone());
    assert!(matches!(error, StartError::Listen(ListenError::Taken(_))), "{error}");
}

#[test]
fn a_socket_that_a_dead_daemon_left_is_taken_over() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("host.sock");
    drop(UnixListener::bind(&path).expect("binds"));
    let daemon = Running::with(soft(), |config| config.socket = path);
    make_key(&daemon.client());
}

#[test]
fn a_file_in_the_sockets_place_is_refused_and_kept() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("host.sock");
    std::fs::write(&path, "precious").expect("written");
    let error = refused(|config| config.socket = path.clone());
    assert!(matches!(error, StartError::Listen(ListenError::NotASocket(_))), "{error}");
    assert_eq!(std::fs::read(&path).expect("there"), b"precious");
}

#[test]
fn where_no_socket_can_be_made_the_error_says_what_to_do() {
    let home = tempfile::tempdir().expect("a directory");
    // In the way of the socket's lock, also for root.
    std::fs::create_dir(home.path().join("host.sock.lock")).expect("made");
    let error = refused(|config| config.socket = home.path().join("host.sock")).to_string();
    assert!(error.contains("host.sock: ") && error.contains("must be able to write"), "{error}");
    let error = refused(|config| config.socket = "/nowhere/holdfast.sock".into()).to_string();
    assert!(error.contains("`install -d -m 0700 /nowhere`"), "{error}");
    let error = refused(|config| config.socket = Path::new("/tmp").join("x".repeat(200))).to_string();
    assert!(error.contains("107"), "{error}");
}

#[test]
fn an_address_in_use_is_refused_and_nothing_is_left_behind() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("bound").to_string();
    let home = tempfile::tempdir().expect("a directory");
    let socket = home.path().join("host.sock");
    let error = refused(|config| {
        config.socket = socket.clone();
        config.tcp = Some(address.parse().expect("loopback"));
    });
    assert!(matches!(error, StartError::Listen(ListenError::Tcp { .. })), "{error}");
    assert!(error.to_string().ends_with("choose another port with --tcp"), "{error}");
    let error = refused(|config| {
        config.socket = socket.clone();
        config.unauthenticated_tcp = Some(address.parse().expect("an address"));
    });
    assert!(error.to_string().ends_with("choose another port with --unauthenticated-tcp"), "{error}");
    let error = refused(|config| {
        config.socket = socket.clone();
        config.http = address.parse().expect("an address");
    });
    assert!(matches!(error, StartError::Http { .. }), "{error}");
    assert!(error.to_string().contains("--http off"), "{error}");
    assert_eq!(std::fs::read_dir(home.path()).expect("readable").count(), 0);
}

#[test]
fn both_kinds_of_tcp_can_be_served_beside_each_other() {
    let daemon = Running::with(soft(), |config| {
        config.tcp = Some("127.0.0.1:0".parse().expect("loopback"));
        config.unauthenticated_tcp = Some("0.0.0.0:0".parse().expect("an address"));
    });
    let anywhere = daemon.daemon.as_ref().and_then(Daemon::unauthenticated_tcp).expect("on");
    assert!(anywhere.ip().is_unspecified() && daemon.tcp().ip().is_loopback());
    let key = make_key(&daemon.client()).id;
    for port in [daemon.tcp().port(), anywhere.port()] {
        let client = connecting(Endpoint::tcp(([127, 0, 0, 1], port).into()).expect("loopback"), GENESIS);
        client.wait_up(LONG).expect("up");
        sign(&client, &key, b"over TCP");
    }
}
