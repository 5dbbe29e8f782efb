//! What needs a process of its own: counting threads.

use std::env;
use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use holdfast_protocol::{server, CallError, Unreachable, Until, Welcome, VERSION};

use crate::daemon::{client, info, sign, soon, GENESIS};

const ALONE: &str = "HOLDFAST_TEST_ALONE";

/// Runs `test`, which must be the test of this name, in a process of its own.
fn alone(name: &str, test: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return test();
    }
    let run = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// A thread that was joined may still be listed for a moment.
fn comes_back_to(before: usize) {
    let deadline = soon();
    while threads() != before {
        assert!(Instant::now() < deadline, "{} threads instead of {before}", threads());
        thread::yield_now();
    }
}

#[test]
fn a_stopped_daemon_leaves_no_thread_behind() {
    alone("alone::a_stopped_daemon_leaves_no_thread_behind", || {
        let before = threads();

        // Stopped before it accepts: the kernel completes the connection.
        let (_directory, path, absent) = client();
        let _listener = UnixListener::bind(path).unwrap();
        absent.connect(GENESIS).unwrap();
        let moment = Until::Deadline(Instant::now() + Duration::from_millis(50));
        let unanswered = absent.call(sign(b"message"), moment);
        assert!(matches!(unanswered, Err(CallError::Unreachable(Unreachable::Connection(_)))), "{unanswered:?}");
        absent.close();
        comes_back_to(before);

        // Stopped after its welcome: nobody reads, until no caller can write either.
        let (_directory, path, stuck) = client();
        let listener = UnixListener::bind(path).unwrap();
        stuck.connect(GENESIS).unwrap();
        let (_, pending) = server::accept(listener.accept().unwrap().0, soon()).unwrap();
        let _connection = pending.welcome(Welcome { version: VERSION, tee: info() }).unwrap();
        stuck.wait_up(Duration::from_secs(20)).unwrap();
        assert_eq!(threads(), before + 1, "one thread for one connection");
        thread::scope(|scope| {
            let callers: Vec<_> =
                (0..24).map(|_| scope.spawn(|| stuck.call(sign(&[0; 30_000]), Until::Answered))).collect();
            let moment = Until::Deadline(Instant::now() + Duration::from_millis(200));
            assert_eq!(stuck.call(sign(b"message"), moment), Err(CallError::Deadline));
            stuck.close();
            callers.into_iter().for_each(|caller| assert_eq!(caller.join().unwrap(), Err(CallError::Closed)));
        });
        comes_back_to(before);
    });
}

#[test]
fn silent_clients_leave_no_thread_behind() {
    alone("alone::silent_clients_leave_no_thread_behind", || {
        let before = threads();
        for _ in 0..20 {
            let (_silent, stream) = UnixStream::pair().unwrap();
            assert!(server::accept(stream, Instant::now() + Duration::from_millis(5)).is_err());
        }
        comes_back_to(before);
    });
}
