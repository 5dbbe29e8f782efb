//! The binary, as an operator runs it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use holdfast_protocol::{
    message::{Call, Reply, Scheme, Seed, Usage},
    Endpoint,
};
use rustix::process::{kill_process, Pid, Signal};
use tempfile::TempDir;

use crate::support::*;

/// A daemon in a process of its own, ended with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn start(home: &Path, more: &[&str]) -> Process {
        let child = host()
            .args(["--http", "off", "--socket"])
            .arg(home.join("host.sock"))
            .arg("--store")
            .arg(home.join("store"))
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        Process(child)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Sends a signal, and waits for the end: exit code and standard error.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(self.pid(), signal).expect("sent");
        let mut log = String::new();
        self.0.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
        (self.0.wait().expect("ended").code(), log)
    }
}

pub(crate) fn host() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast-host"));
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    host().args(args).output().expect("runs")
}

pub(crate) fn home() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_example_configuration_passes_the_check() {
    let example = run(&["example-config"]);
    assert!(example.status.success());
    assert_eq!(text(&example.stdout), holdfast_host::config::EXAMPLE);
    let home = home();
    let file = home.path().join("host.toml");
    std::fs::write(&file, &example.stdout).expect("written");
    let checked = run(&["check-config", "--config", file.to_str().expect("text")]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("tried when the daemon starts"), "{}", text(&checked.stdout));
}

#[test]
fn every_error_is_printed_once_and_its_cause_before_the_remedy() {
    let home = home();
    let path = |name: &str| home.path().join(name).to_str().expect("text").to_owned();
    std::fs::write(path("bad.toml"), "queue = 3\n").expect("written");
    std::fs::write(path("file"), "").expect("written");
    std::os::unix::fs::symlink(path("file"), path("link")).expect("linked");
    // In the way of the socket's lock, also for root.
    std::fs::create_dir(path("barred.sock.lock")).expect("made");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let start = |socket: &str, store: &str, http: &str, more: &[&str]| -> Vec<String> {
        let args = ["--socket", socket, "--store", store, "--http", http];
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    };
    let check = |file: &str| -> Vec<String> { vec!["check-config".into(), "--config".into(), path(file)] };
    let (socket, store) = (&path("host.sock"), &path("store"));
    for (args, cause, remedy) in [
        (check("bad.toml"), "unknown field", "example-config"),
        (check("missing.toml"), "No such file", ""),
        (start(socket, store, "off", &["--tcp", &address]), "Address already in use", "choose another port with --tcp"),
        (start(socket, store, &address, &[]), "Address already in use", "--http off"),
        (start(&path("barred.sock"), store, "off", &[]), "barred.sock: ", "must be able to write"),
        (start(socket, &path("file/store"), "off", &[]), "Not a directory", ""),
        (
            start(socket, store, "off", &["--lease-file", &path("file/x/lease")]),
            "Not a directory",
            "another --lease-file",
        ),
        (
            start(socket, store, "off", &["--audit-log", &path("file/x/audit")]),
            "Not a directory",
            "another --audit-log",
        ),
        (start(socket, store, "off", &["--audit-log", &path("link")]), "symbolic link", "name the file itself"),
    ] {
        let output = host().args(["--log", "off"]).args(&args).output().expect("runs");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let error = text(&output.stderr);
        let (_, rest) = error.split_once(cause).unwrap_or_else(|| panic!("no {cause} in {error}"));
        assert!(!rest.contains(cause), "twice: {error}");
        assert!(rest.contains(remedy), "{error}");
    }
}

#[test]
fn a_wrong_configuration_is_an_error_that_names_its_line() {
    let home = home();
    let file = home.path().join("host.toml");
    std::fs::write(&file, "\nsokcet = \"/x\"\n").expect("written");
    for args in [&["check-config"][..], &[]] {
        let output = host().args(args).arg("--config").arg(&file).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains("line 2") && error.contains("sokcet") && error.contains("example-config"), "{error}");
    }
}

#[test]
fn a_wrong_flag_is_a_usage_error_that_says_why() {
    for (args, says) in [
        (&["--tcp", "0.0.0.0:9617"][..], "neither encrypted nor authenticated"),
        (&["--socket-mode", "0666"], "0660"),
        (&["--http", "yes"], "IP address"),
        (&["--unauthenticated-tcp", "guest:9617"], "IP address"),
        (&["--tee", "tz"], "optee-development"),
        (&["--socket", &format!("/{}", "x".repeat(107))], "107"),
        (&["--genesis", "0x00"], "64 hexadecimal digits"),
        (&["--log", "=,="], "write a level"),
        (&["--lease-ms", "999"], "1000"),
        (&["--lease-ms", "forever"], "--lease-ms"),
        (&["--audit-log", ""], "write off"),
        (&["--audit-log-size", "0"], "--audit-log-size"),
        (&["--nonsense"], "--nonsense"),
    ] {
        let output = host().arg("check-config").args(args).output().expect("runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(says), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn the_socket_has_its_mode_whatever_the_umask() {
    for (umask, mode) in [("000", "0600"), ("077", "0660")] {
        let home = home();
        let child = Command::new("sh")
            .args(["-c", &format!("umask {umask} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_holdfast-host")])
            .args(["--http", "off", "--socket-mode", mode, "--socket"])
            .arg(home.path().join("host.sock"))
            .arg("--store")
            .arg(home.path().join("store"))
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let _process = Process(child);
        drop(client(&home.path().join("host.sock")));
        let found = std::fs::metadata(home.path().join("host.sock")).expect("there").permissions().mode();
        assert_eq!(format!("{:04o}", found & 0o7777), mode);
    }
}

#[test]
fn a_store_that_others_can_read_is_refused() {
    let home = home();
    let store = home.path().join("store");
    std::fs::create_dir(&store).expect("made");
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o755)).expect("opened to others");
    let output = host().arg("--socket").arg(home.path().join("host.sock")).arg("--store").arg(&store).output();
    let output = output.expect("runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("chmod go="), "{}", text(&output.stderr));
    assert!(!home.path().join("host.sock").exists());
}

#[test]
fn a_relative_socket_is_logged_as_the_uri_that_a_node_can_be_given() {
    let home = home();
    let child = host()
        .current_dir(home.path())
        .args(["--http", "off", "--socket", "host.sock", "--store", "store"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut process = Process(child);
    let mut log = BufReader::new(process.0.stderr.take().expect("piped")).lines();
    let line = log.find_map(|line| line.ok().filter(|line| line.contains(" listening "))).expect("it listens");
    let uri = line.split(' ').find_map(|field| field.strip_prefix("uri=")).expect("in the line");
    let client = connecting(uri.parse().expect("a node takes it"), GENESIS);
    client.wait_up(LONG).expect("up");
}

#[test]
fn a_node_that_is_rejected_again_and_again_is_warned_of_once_for_each_reason() {
    let home = home();
    let process = Process::start(home.path(), &["--genesis", &format!("0x{}", "11".repeat(32))]);
    let socket = home.path().join("host.sock");
    drop(client(&socket));
    let rejected = |version, genesis| {
        let mut stream = UnixStream::connect(&socket).expect("connects");
        stream.set_read_timeout(Some(LONG)).expect("set");
        stream.write_all(&[&MAGIC[..], &hello(version, genesis)].concat()).expect("sent");
        read_to_end(&mut stream);
    };
    let other = [2; 32];
    for (version, genesis) in
        [(VERSION, other), (VERSION, other), (VERSION, other), (77, GENESIS), (77, GENESIS), (VERSION, other)]
    {
        rejected(version, genesis);
    }
    // Once one was welcome, the next that is rejected is news.
    drop(client(&socket));
    rejected(VERSION, other);
    let (code, log) = process.end(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("rejected a node").count(), 4, "{log}");
    assert!(log.lines().filter(|line| line.contains("rejected a node")).all(|line| line.contains("WARN")), "{log}");
}

// The attack: names and floods that fill or forge the log.
#[test]
fn what_a_node_calls_itself_forges_no_line_of_the_log_and_its_refusals_are_one_line_for_each_connection() {
    let home = home();
    let process = Process::start(home.path(), &["--log", "info"]);
    let socket = home.path().join("host.sock");
    let key = make_gran(&client(&socket));
    let mut name = [0; 32];
    name[..25].copy_from_slice(b"\x1b[2J\r\n2030 INFO the lease");
    for claims in [false, false, true] {
        let stream = UnixStream::connect(&socket).expect("connects");
        stream.set_read_timeout(Some(LONG)).expect("set");
        let (mut stream, _) = greet_with(stream, &hello_as(VERSION, GENESIS, [1; 32], [2; 16], name));
        for id in 0..5 {
            stream.write_all(&sign_frame(id, &key, &vote(id))).expect("sent");
            assert!(!is_signature(&read_frame(&mut stream), id));
        }
        if claims {
            stream.write_all(&claim_frame(5, 1)).expect("sent");
            assert!(is_yours(&read_frame(&mut stream), 5));
        }
    }
    let (code, log) = process.end(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.chars().any(|c| c.is_control() && c != '\n'), "{log:?}");
    assert!(!log.lines().any(|line| line.starts_with("2030")), "{log}");
    let refused: Vec<_> = log.lines().filter(|line| line.contains("refused: this node does not hold")).collect();
    assert_eq!(refused.len(), 3, "{log}");
    assert!(refused.iter().all(|line| line.contains("WARN")), "{log}");
    assert!(log.contains("the lease is given"), "{log}");
}

#[test]
fn flags_override_the_file() {
    let home = home();
    let file = home.path().join("host.toml");
    let (wrong, right) = (home.path().join("missing/a.sock"), home.path().join("host.sock"));
    std::fs::write(&file, format!("socket = {wrong:?}\nhttp = \"off\"\n")).expect("written");
    let process = Process::start(home.path(), &["--config", file.to_str().expect("text")]);
    drop(client(&right));
    assert_eq!(process.end(Signal::TERM).0, Some(0));
}

#[test]
fn rule_9_it_says_in_its_log_that_it_is_no_tee_and_stops_on_sigterm_and_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = home();
        let process = Process::start(home.path(), &[]);
        let client = client(&home.path().join("host.sock"));
        make_key(&client);
        let (code, log) = process.end(signal);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("software TEE, not a TEE"), "{log}");
        assert!(!home.path().join("host.sock").exists());
    }
}

#[test]
fn after_a_kill_it_takes_over_its_socket_and_has_its_keys() {
    let home = home();
    let socket = home.path().join("host.sock");
    let process = Process::start(home.path(), &[]);
    let client = client(&socket);
    let key = make_key(&client).id;
    process.end(Signal::KILL);
    assert!(socket.exists(), "left behind");
    let _process = Process::start(home.path(), &[]);
    // The client finds its way back by itself.
    sign_in_the_end(&client, &key, b"after the kill");
}

#[test]
fn a_second_one_on_the_same_store_or_socket_is_refused_and_the_first_goes_on() {
    let (home, other) = (home(), self::home());
    let socket = home.path().join("host.sock");
    let _process = Process::start(home.path(), &[]);
    let client = client(&socket);
    let store = home.path().join("store");
    let elsewhere = other.path().join("store");
    for (socket, store, says) in [(&other.path().join("host.sock"), &store, "store"), (&socket, &elsewhere, "--socket")]
    {
        let output =
            host().args(["--http", "off", "--socket"]).arg(socket).arg("--store").arg(store).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    }
    make_key(&client);
}

#[test]
fn rule_1_no_core_dump_is_written_and_no_seed_is_logged() {
    let home = home();
    let socket = home.path().join("host.sock");
    let process = Process::start(home.path(), &["--log", "trace"]);
    let client = connecting(Endpoint::unix(&socket).expect("an endpoint"), GENESIS);
    client.wait_up(LONG).expect("up");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid().as_raw_nonzero())).expect("readable");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("listed");
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");

    // What belongs to root is what no other process of this user may look into (when root runs this test, it always is).
    let environment = std::fs::metadata(format!("/proc/{}/environ", process.pid().as_raw_nonzero())).expect("there");
    assert_eq!(environment.uid(), 0);

    let seed = [0xc5; 32];
    let call = Call::Generate {
        scheme: Scheme::Ed25519,
        key_type: *b"test",
        usage: Usage::Sign,
        seed: Some(Seed(seed.to_vec())),
    };
    let Ok(Reply::Generated(_)) = client.call(call, soon()) else { panic!("no key") };
    let (code, log) = process.end(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("generate"), "the call itself is logged:\n{log}");
    for trace in ["c5c5c5c5", "C5C5C5C5", "197, 197, 197"] {
        assert!(!log.contains(trace), "{log}");
    }
}
