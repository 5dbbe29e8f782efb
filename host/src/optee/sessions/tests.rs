use std::{
    collections::VecDeque,
    io,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        Arc, Mutex,
    },
};

use super::*;
use crate::optee::Application;

/// OP-TEE under the test's control, with an application that has one session at a time.
#[derive(Default)]
struct Fake {
    /// The code with which each opening fails; those after them succeed.
    openings: VecDeque<Option<u32>>,
    /// What becomes of each call.
    calls: VecDeque<Outcome>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    opened: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<Vec<u8>>>,
}

enum Outcome {
    Answers(&'static [u8]),
    Claims(usize),
    Fails(u32, u32),
}

struct Opened(Arc<Seen>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Client for Fake {
    type Session = Opened;

    fn open(&mut self) -> Result<Opened, OpTeeError> {
        self.seen.opened.fetch_add(1, Ordering::SeqCst);
        if let Some(Some(code)) = self.openings.pop_front() {
            return Err(OpTeeError::Session { application: Application::Production, code, origin: 3 });
        }
        assert_eq!(self.seen.open.fetch_add(1, Ordering::SeqCst), 0, "the session before is still open");
        Ok(Opened(self.seen.clone()))
    }

    fn invoke(&mut self, _: &mut Opened, request: &[u8], answer: &mut [u8]) -> Result<usize, OpTeeError> {
        self.seen.requests.lock().expect("no panic").push(request.to_vec());
        match self.calls.pop_front().expect("no call more than was meant") {
            Outcome::Answers(bytes) => {
                answer[..bytes.len()].copy_from_slice(bytes);
                Ok(bytes.len())
            }
            Outcome::Claims(length) => Ok(length),
            Outcome::Fails(code, origin) => Err(OpTeeError::Call { code, origin }),
        }
    }
}

impl Seen {
    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

fn sessions(openings: &[Option<u32>], calls: impl IntoIterator<Item = Outcome>) -> (Sessions<Fake>, Arc<Seen>) {
    let fake =
        Fake { openings: openings.iter().copied().collect(), calls: calls.into_iter().collect(), seen: Arc::default() };
    let seen = fake.seen.clone();
    (Sessions::open(fake).expect("it opens"), seen)
}

const PANICS: Outcome = Outcome::Fails(0xffff_3024, 3);
const NO_SUPPLICANT: Outcome = Outcome::Fails(0xffff_000e, 3);
/// A session that the driver does not know.
const NO_SESSION: Outcome = Outcome::Fails(0xffff_0000, 2);

#[track_caller]
fn broken(result: Result<Vec<u8>, LinkError>, says: &str) {
    let Err(LinkError::Broken(words)) = result else { panic!("{result:?}") };
    assert!(words.contains(says), "{words}");
}

#[test]
fn an_answer_has_the_length_that_the_application_gave_it() {
    let (mut sessions, seen) =
        sessions(&[], [Outcome::Answers(b"yes"), Outcome::Answers(b""), Outcome::Answers(b"no")]);
    for answer in [&b"yes"[..], b"", b"no"] {
        assert_eq!(sessions.call(b"ask"), Ok(answer.to_vec()));
    }
    assert_eq!(seen.opened(), 1);
}

#[test]
fn an_application_that_panicked_is_reported_and_asked_again_in_a_new_session() {
    let (mut sessions, seen) = sessions(&[], [PANICS, Outcome::Answers(b"yes")]);
    assert_eq!(sessions.call(b"first"), Err(LinkError::Panicked));
    assert_eq!((seen.opened(), seen.open.load(Ordering::SeqCst)), (1, 0), "it is closed, and opened when it is needed");
    assert_eq!(sessions.call(b"second"), Ok(b"yes".to_vec()));
    assert_eq!(seen.opened(), 2);
}

// The attack: a request that kills the application.
#[test]
fn a_request_is_handed_over_once_whatever_becomes_of_it() {
    for failure in [PANICS, NO_SUPPLICANT, NO_SESSION, Outcome::Fails(0xffff_0006, 4), Outcome::Claims(usize::MAX)] {
        let (mut sessions, seen) = sessions(&[], [failure, Outcome::Answers(b"yes")]);
        sessions.call(b"first").expect_err("failed");
        sessions.call(b"second").expect("answered");
        assert_eq!(*seen.requests.lock().expect("no panic"), [b"first".to_vec(), b"second".to_vec()]);
    }
}

#[test]
fn a_session_that_is_lost_twice_is_opened_twice() {
    let (mut sessions, seen) = sessions(&[], [NO_SUPPLICANT, NO_SESSION, Outcome::Answers(b"yes")]);
    broken(sessions.call(b"first"), "tee-supplicant is not running");
    broken(sessions.call(b"second"), "the driver (origin 2)");
    assert_eq!(sessions.call(b"third"), Ok(b"yes".to_vec()));
    assert_eq!(seen.opened(), 3);
}

#[test]
fn an_opening_that_fails_is_tried_again_at_each_call_until_it_succeeds() {
    let openings = [None, Some(0xffff_0008), Some(0xffff_000d)];
    let (mut sessions, seen) = sessions(&openings, [PANICS, Outcome::Answers(b"yes")]);
    assert_eq!(sessions.call(b"first"), Err(LinkError::Panicked));
    broken(sessions.call(b"second"), "install it in /lib/optee_armtz");
    broken(sessions.call(b"third"), "end that one");
    assert_eq!(sessions.call(b"fourth"), Ok(b"yes".to_vec()));
    assert_eq!(seen.opened(), 4);
    assert_eq!(*seen.requests.lock().expect("no panic"), [b"first".to_vec(), b"fourth".to_vec()]);
}

#[test]
fn what_the_application_itself_says_ends_no_session() {
    let (mut sessions, seen) = sessions(&[], [Outcome::Fails(0xffff_0006, 4), Outcome::Answers(b"yes")]);
    broken(sessions.call(b"first"), "of one release");
    assert_eq!(sessions.call(b"second"), Ok(b"yes".to_vec()));
    assert_eq!(seen.opened(), 1);
}

// The attack: an application that says it wrote more than there is room for.
#[test]
fn an_answer_longer_than_any_is_an_error_and_one_of_all_bytes_is_none() {
    let (mut sessions, _) = sessions(&[], [MAX_ANSWER + 1, usize::MAX, MAX_ANSWER].map(Outcome::Claims));
    for _ in 0..2 {
        broken(sessions.call(b"ask"), "more than 8192: install the daemon and the application of one release");
    }
    assert_eq!(sessions.call(b"ask").map(|answer| answer.len()), Ok(MAX_ANSWER));
}

#[test]
fn a_first_opening_that_fails_says_which_application_and_what_to_do() {
    let fake = Fake { openings: [Some(0xffff_000f)].into(), ..Fake::default() };
    let error = Sessions::open(fake).map(drop).expect_err("refused").to_string();
    assert!(error.contains(Application::Production.uuid()) && error.contains("signed with another key"), "{error}");
    let error = OpTeeError::Context { code: 0xffff_0008, origin: 0 }.to_string();
    assert!(error.contains("cannot reach OP-TEE") && error.contains("/dev/tee0"), "{error}");
}

#[test]
fn every_new_session_is_one_line_of_the_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let openings = [None, Some(0xffff_000e), None, None];
        let calls =
            [PANICS, Outcome::Answers(b"yes"), NO_SUPPLICANT, Outcome::Answers(b"yes"), Outcome::Answers(b"yes")];
        let (mut sessions, _) = sessions(&openings, calls);
        for _ in 0..6 {
            let _ = sessions.call(b"ask");
        }
    });
    let log = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    assert_eq!(log.matches("a new session with the trusted application").count(), 2, "{log}");
}

#[test]
fn what_takes_too_long_is_noticed_while_it_goes_on_and_what_does_not_never_is() {
    let (noticed, told) = channel();
    noticing(Duration::ZERO, move || noticed.send(()).expect("awaited"), || told.recv().expect("noticed"));
    let noticed = AtomicBool::new(false);
    assert_eq!(noticing(Duration::from_secs(3600), || noticed.store(true, Ordering::SeqCst), || 7), 7);
    assert!(!noticed.into_inner());
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
