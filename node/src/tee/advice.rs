//! What an operator reads when the daemon could not be asked, and what to do about it.

use std::{fmt::Display, fs, os::unix::fs::FileTypeExt, time::Duration};

use holdfast_protocol::{CallError, ChannelError, Failure, Rejection, Unreachable};
use keystore_tee::{shown, Endpoint};

/// What is wrong, and what to do.
pub(super) fn on(error: &CallError, endpoint: &Endpoint) -> String {
    match error {
        CallError::Unreachable(Unreachable::Rejected(rejection)) => rejected(rejection, endpoint),
        CallError::Unreachable(Unreachable::Connection(why)) => unconnected(why, endpoint),
        CallError::Unreachable(Unreachable::Deferred) | CallError::Closed => {
            format!("the connection to {endpoint} was closed by this program")
        }
        CallError::Deadline => silent(endpoint),
        CallError::Failed(failure) => failed(failure, endpoint),
        CallError::Protocol(_) => strange(endpoint),
    }
}

/// For an answer that does not belong to the question.
pub(super) fn strange(endpoint: &Endpoint) -> String {
    format!("what listens at {endpoint} does not answer as a holdfast-host does: is the address right?")
}

/// For a TEE that answers and has no store.
pub(super) fn unusable(endpoint: &impl Display) -> String {
    format!(
        "the store behind {endpoint} cannot be used; the daemon's log says why: look at its disk, its permissions and \
         its version"
    )
}

/// For a command whose time is up although the daemon answers.
pub(super) fn slow(endpoint: &Endpoint, command: Duration) -> String {
    format!(
        "the daemon at {endpoint} answers so slowly, or so much, that {} s were not enough: look at its load, at its log \
         and at whether the address is right",
        command.as_secs()
    )
}

fn silent(endpoint: &Endpoint) -> String {
    format!("the daemon at {endpoint} takes the connection and does not answer: it was stopped, or hangs. Restart it")
}

fn rejected(rejection: &Rejection, endpoint: &Endpoint) -> String {
    let why = shown(rejection);
    match rejection {
        Rejection::Version(_) => format!("{endpoint}: {why}, holdfast-host or holdfast-node"),
        Rejection::Genesis(_) => format!("{endpoint}: {why}"),
        Rejection::Tee(_) => format!("{endpoint}: {why}. Its log says more; it has to run with the right --store"),
    }
}

fn unconnected(why: &str, endpoint: &Endpoint) -> String {
    let why = shown(why);
    // With another store it would have other keys.
    let (start, right) = match endpoint {
        Endpoint::Unix(_) => (
            "start it as it was started before (the same --config, or --socket and --store)",
            "is this the daemon's --socket?",
        ),
        Endpoint::Tcp(_) => (
            "start it as it was started before (the same --config, or --tcp and --store)",
            "is this the daemon's --tcp address, not its --http?",
        ),
    };
    match os_error(&why).map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOENT) => {
            format!("there is no daemon at {endpoint}: {start}, or name the one that runs with --keystore-uri")
        }
        Some(rustix::io::Errno::CONNREFUSED) if no_socket(endpoint) => {
            format!("what is at {endpoint} is no socket: name the daemon's socket with --keystore-uri")
        }
        Some(rustix::io::Errno::CONNREFUSED) => {
            format!("nobody listens at {endpoint}, where a daemon was or should be: {start}")
        }
        Some(rustix::io::Errno::ACCESS) => format!(
            "this user may not open {endpoint}: run as the daemon's user, or give the daemon `--socket-mode 0660` and \
             join its group, and let both enter the socket's directory"
        ),
        _ if why == ChannelError::NotDuctile.to_string() => format!("{endpoint} cannot be used: {why}: {right}"),
        _ if ["greeting", "welcome"].into_iter().any(|what| why == ChannelError::Deadline(what).to_string()) => {
            format!("{endpoint} cannot be used: {why}: it hangs or is overloaded: look at its process")
        }
        _ => format!("{endpoint} cannot be used: {why}"),
    }
}

/// Something is there that no daemon made.
fn no_socket(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Unix(path) => fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket()),
        Endpoint::Tcp(_) => false,
    }
}

/// The number of the system's error in its text, as the standard library writes it.
fn os_error(text: &str) -> Option<i32> {
    text.rsplit_once("(os error ")?.1.split_once(')')?.0.parse().ok()
}

fn failed(failure: &Failure, endpoint: &Endpoint) -> String {
    match failure {
        Failure::Tee(why) => format!(
            "the trusted application behind {endpoint} failed: {}. The daemon's log says more; look at the disk, the \
             permissions and the version of its --store",
            shown(why)
        ),
        Failure::Daemon(why) => format!("the daemon at {endpoint} failed: {}. Its log says more", shown(why)),
        Failure::Busy => format!("{endpoint}: {failure}"),
        Failure::Deadline => silent(endpoint),
        Failure::NotHolder { .. } | Failure::Refused { .. } | Failure::NoSuchKey | Failure::BadRequest(_) => {
            format!("{endpoint}: {}", shown(failure))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(uri: &str) -> Endpoint {
        uri.parse().expect("a valid URI")
    }

    fn says(error: CallError, wanted: &[&str]) {
        let text = on(&error, &at("unix:///run/h.sock"));
        for part in wanted {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
        assert!(!text.contains('\n') && text.len() < 2_000, "{text}");
    }

    fn connection(number: i32) -> CallError {
        let text = std::io::Error::from_raw_os_error(number).to_string();
        CallError::Unreachable(Unreachable::Connection(text))
    }

    #[test]
    fn every_way_not_to_reach_a_daemon_says_what_to_do() {
        says(connection(2), &["no daemon at unix:///run/h.sock", "as it was started before", "--socket and --store"]);
        says(connection(111), &["nobody listens", "as it was started before", "--socket and --store"]);
        says(connection(13), &["may not open", "the daemon's user", "--socket-mode 0660"]);
        says(connection(24), &["cannot be used", "Too many open files"]);
        says(CallError::Deadline, &["does not answer", "Restart it"]);
        says(Failure::Deadline.into(), &["does not answer"]);
        let tcp = on(&connection(111), &at("tcp://127.0.0.1:9617"));
        assert!(tcp.contains("--tcp and --store"), "{tcp}");
    }

    #[test]
    fn what_is_no_daemon_or_does_not_greet_says_what_to_look_at() {
        let broken = |error: ChannelError| CallError::Unreachable(Unreachable::Connection(error.to_string()));
        for what in ["greeting", "welcome"] {
            says(broken(ChannelError::Deadline(what)), &[what, "it hangs or is overloaded: look at its process"]);
        }
        says(broken(ChannelError::NotDuctile), &["is this the daemon's --socket?"]);
        let tcp = on(&broken(ChannelError::NotDuctile), &at("tcp://127.0.0.1:9616"));
        assert!(tcp.contains("is this the daemon's --tcp address, not its --http?"), "{tcp}");

        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("host.sock");
        fs::write(&file, "").expect("ours");
        let plain = on(&connection(111), &Endpoint::unix(file).expect("a short path"));
        assert!(plain.contains("is no socket"), "{plain}");
    }

    #[test]
    fn a_daemon_that_does_not_want_or_cannot_says_what_to_do() {
        let rejected = |rejection| CallError::Unreachable(Unreachable::Rejected(rejection));
        says(
            rejected(Rejection::Version(99)),
            &["version 99", "upgrade the older one, holdfast-host or holdfast-node"],
        );
        says(rejected(Rejection::Tee("storage".into())), &["storage", "--store"]);
        says(Failure::Tee("no space left".into()).into(), &["no space left", "--store"]);
        says(Failure::Daemon("no space left".into()).into(), &["no space left", "log says more"]);
        says(Failure::Busy.into(), &["try again"]);
        says(CallError::Protocol("longer than".into()), &["is the address right?"]);
    }

    // Rule 7: what comes from a socket does no harm.
    #[test]
    fn rule_7_a_daemon_cannot_steer_the_terminal() {
        says(Failure::Tee("\x1b[2J\n".repeat(50)).into(), &["\\u{1b}[2J"]);
        says(Failure::Daemon("\u{9b}2J\u{202e}\n".into()).into(), &["\\u{9b}2J\\u{202e}"]);
    }
}
