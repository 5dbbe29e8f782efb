use super::*;
use crate::{
    lease::{Connection, Node},
    link::LinkError,
    translate::farewell,
};
use codec::Encode;
use holdfast_protocol::{
    lease::{Identity, Tenure},
    message::{Context, KeyId, Scheme},
};
use holdfast_ta as ta;
use std::sync::mpsc::{channel, Sender};

/// Longer than any test.
const LEASE: Duration = Duration::from_secs(3600);

/// Says when it is called, and answers what it is told. It tells its floor and takes its leave by itself.
struct Puppet {
    called: Sender<()>,
    told: Receiver<Told>,
}

enum Told {
    Has(bool),
    Signature,
    Keys(u32),
    Bytes(Vec<u8>),
    Break,
    Panic,
}

impl Link for Puppet {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        if request == farewell() {
            return Ok(ta::Answer::V1(Ok(ta::Reply::Closed)).encode());
        }
        if request == watermarks() {
            let (floor, watermarks) = (ta::Positions::default(), Vec::new());
            return Ok(ta::Answer::V1(Ok(ta::Reply::Watermarks { floor, watermarks, more: false })).encode());
        }
        let _ = self.called.send(());
        match self.told.recv() {
            Ok(Told::Has(has)) => Ok(ta::Answer::V1(Ok(ta::Reply::Has(has))).encode()),
            Ok(Told::Signature) => Ok(ta::Answer::V1(Ok(ta::Reply::Signature(vec![1; 64]))).encode()),
            Ok(Told::Keys(keys)) => {
                let (kind, keys) = (ta::Kind::OpTee, Some(keys));
                let info = ta::Info {
                    ta_version: 1,
                    schema: 1,
                    kind,
                    development: false,
                    keys,
                    catalogue: 0,
                    rollback_protected: true,
                    capacity: ta::MAX_KEYS,
                };
                Ok(ta::Answer::V1(Ok(ta::Reply::Info(info))).encode())
            }
            Ok(Told::Bytes(bytes)) => Ok(bytes),
            Ok(Told::Break) => Err(LinkError::Broken("pulled".into())),
            Ok(Told::Panic) => panic!("as told"),
            Err(_) => Err(LinkError::Broken("nobody tells".into())),
        }
    }

    fn name(&self) -> String {
        "a puppet".into()
    }
}

struct Stage {
    signer: Signer,
    metrics: Arc<Metrics>,
    called: Receiver<()>,
    /// Dropped before the worker, so that no call is left hanging.
    tell: Sender<Told>,
    worker: Worker,
    answers: Receiver<(u32, Result<Reply, Failure>)>,
    answer: Sender<(u32, Result<Reply, Failure>)>,
}

fn stage(capacity: usize) -> Stage {
    let (report, called) = channel();
    let (tell, told) = channel();
    let (answer, answers) = channel();
    let metrics = Arc::new(Metrics::new());
    let link = Box::new(Puppet { called: report, told });
    let (signer, worker) =
        start(link, capacity, Lessor::new(LEASE), None, Busy::new(None), metrics.clone()).expect("a thread");
    Stage { signer, metrics, called, tell, worker, answers, answer }
}

impl Stage {
    fn ask(&self, id: u32, deadline: Instant) -> Result<(), Stopping> {
        self.put(id, &Caller::Operator(None), has(), deadline)
    }

    fn put(&self, id: u32, caller: &Caller, call: Call, deadline: Instant) -> Result<(), Stopping> {
        let answer = self.answer.clone();
        self.signer.submit(caller.clone(), call, deadline, move |result| drop(answer.send((id, result))))
    }

    /// Claims the lease that nobody has, on a daemon that held no keys.
    fn give_lease_to(&self, caller: &Caller) {
        self.tell(Told::Keys(0));
        self.put(100, caller, Call::Info, later()).expect("taken");
        self.put(101, caller, Call::Lease(Claim::Take), later()).expect("taken");
        assert!(matches!(self.next(), (100, Ok(Reply::Info(_)))));
        assert_eq!(tenure(self.next().1), Tenure::Yours);
        self.called.recv().expect("for the information");
    }

    fn next(&self) -> (u32, Result<Reply, Failure>) {
        self.answers.recv_timeout(Duration::from_secs(120)).expect("an answer")
    }

    fn tell(&self, told: Told) {
        self.tell.send(told).expect("the puppet listens");
    }
}

fn has() -> Call {
    Call::Has(KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![1; 32] })
}

fn tenure(result: Result<Reply, Failure>) -> Tenure {
    match result {
        Ok(Reply::Lease(lease)) => lease.tenure,
        other => panic!("{other:?}"),
    }
}

/// A node on a connection of its own.
fn node(number: u64) -> (Caller, Node) {
    let identity = Identity::new([u8::try_from(number).expect("small"); 32], "");
    let node = Node { identity, connection: Arc::new(Connection::new(number)) };
    (Caller::Node(node.clone()), node)
}

/// A vote in this round of this set.
fn vote(round: u64, set_id: u64) -> Call {
    let key = KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![1; 32] };
    let message = [&[0][..], &[2; 36], &round.to_le_bytes(), &set_id.to_le_bytes()].concat();
    Call::Sign { key, message, context: Context::None }
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[test]
fn answers_come_in_the_order_of_the_questions_each_to_its_own() {
    let stage = stage(8);
    for id in 0..8 {
        stage.tell(Told::Has(id % 2 == 0));
        stage.ask(id, later()).expect("taken");
    }
    for id in 0..8 {
        assert_eq!(stage.next(), (id, Ok(Reply::Has(id % 2 == 0))));
    }
}

#[test]
fn a_full_queue_is_busy_at_once_and_takes_questions_again_when_there_is_room() {
    let stage = stage(2);
    stage.ask(0, later()).expect("taken");
    stage.called.recv().expect("the worker has it");
    stage.ask(1, later()).expect("taken");
    stage.ask(2, later()).expect("taken");
    assert_eq!(stage.metrics.queued.get(), 2);
    stage.ask(3, later()).expect("answered");
    assert_eq!(stage.next(), (3, Err(Failure::Busy)));
    assert_eq!(stage.metrics.queued.get(), 2);
    for id in 0..3 {
        stage.tell(Told::Has(true));
        assert_eq!(stage.next(), (id, Ok(Reply::Has(true))));
    }
    stage.tell(Told::Has(true));
    stage.ask(4, later()).expect("taken");
    assert_eq!(stage.next(), (4, Ok(Reply::Has(true))));
    assert_eq!(stage.metrics.queued.get(), 0);
}

#[test]
fn a_question_whose_deadline_passed_in_the_queue_is_not_asked() {
    let stage = stage(4);
    stage.ask(0, later()).expect("taken");
    stage.called.recv().expect("the worker has it");
    stage.ask(1, Instant::now()).expect("taken");
    stage.ask(2, later()).expect("taken");
    stage.tell(Told::Has(true));
    assert_eq!(stage.next(), (0, Ok(Reply::Has(true))));
    assert_eq!(stage.next(), (1, Err(Failure::Deadline)));
    stage.tell(Told::Has(false));
    assert_eq!(stage.next(), (2, Ok(Reply::Has(false))));
    assert_eq!(stage.called.try_iter().count(), 1, "two of three reached the link");
}

#[test]
fn a_panic_a_broken_link_and_a_false_answer_fail_their_own_question_only() {
    let stage = stage(8);
    let wrong = ta::Answer::V1(Ok(ta::Reply::Retired)).encode();
    for (id, told) in [Told::Panic, Told::Break, Told::Bytes(vec![]), Told::Bytes(vec![0xff; 40]), Told::Bytes(wrong)]
        .into_iter()
        .enumerate()
    {
        stage.tell(told);
        stage.ask(id as u32, later()).expect("taken");
        let (answered, result) = stage.next();
        assert_eq!(answered, id as u32);
        assert!(matches!(result, Err(Failure::Tee(_))), "{id} {result:?}");
    }
    stage.tell(Told::Has(true));
    stage.ask(9, later()).expect("taken");
    assert_eq!(stage.next(), (9, Ok(Reply::Has(true))));
    assert_eq!(stage.metrics.tee_up.get(), 1);
}

#[test]
fn an_answer_that_panics_does_not_stop_the_worker() {
    let stage = stage(2);
    stage.tell(Told::Has(true));
    stage.signer.submit(Caller::Operator(None), has(), later(), |_| panic!("as told")).expect("taken");
    stage.tell(Told::Has(true));
    stage.ask(1, later()).expect("taken");
    assert_eq!(stage.next(), (1, Ok(Reply::Has(true))));
}

#[tokio::test]
async fn a_stop_answers_what_is_queued_takes_no_more_and_lets_go_of_the_link() {
    let Stage { signer, worker, called, tell, answers, answer, .. } = stage(4);
    for id in 0..3 {
        let answer = answer.clone();
        signer
            .submit(Caller::Operator(None), has(), later(), move |result| drop(answer.send((id, result))))
            .expect("taken");
    }
    called.recv().expect("the worker has one");
    let draining = tokio::spawn(worker.drain(Duration::from_secs(3600)));
    while signer.submit(Caller::Operator(None), has(), Instant::now(), |_| ()).is_ok() {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        tell.send(Told::Has(true)).expect("the puppet listens");
    }
    assert!(draining.await.expect("no panic"));
    let ids: Vec<_> = answers.try_iter().map(|(id, result)| (id, result.is_ok())).collect();
    assert_eq!(ids, [(0, true), (1, true), (2, true)]);
    assert!(tell.send(Told::Panic).is_err(), "the link is gone");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever_for_a_trusted_application_that_hangs() {
    let stage = stage(2);
    stage.ask(0, later()).expect("taken");
    stage.called.recv().expect("the worker has it");
    assert!(!stage.worker.drain(Duration::from_millis(1)).await);
    assert_eq!(stage.signer.submit(Caller::Operator(None), has(), later(), |_| ()), Err(Stopping));
}

/// The request for the floor.
fn watermarks() -> Vec<u8> {
    ta::Request::V1(ta::Command::Watermarks { after: None, limit: ta::MAX_PAGE }).encode()
}

/// Tells of each request that it is asked to carry, and carries it.
struct Watched(Sender<Vec<u8>>, Box<dyn Link>);

impl Link for Watched {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        let _ = self.0.send(request.to_vec());
        self.1.call(request)
    }

    fn name(&self) -> String {
        self.1.name()
    }
}

#[tokio::test]
async fn the_trusted_application_is_told_of_an_orderly_end_last_and_once_whatever_ends_it() {
    for dropped in [false, true] {
        let (report, carried) = channel();
        let tee = crate::InProcess::new(holdfast_ta_soft::SoftTee::in_memory());
        let link = Box::new(Watched(report, Box::new(tee)));
        let metrics = Arc::new(Metrics::new());
        let (signer, worker) = start(link, 4, Lessor::new(LEASE), None, Busy::new(None), metrics).expect("a thread");
        let (answer, answers) = channel();
        signer
            .submit(Caller::Operator(None), Call::Info, later(), move |result| drop(answer.send(result)))
            .expect("taken");
        if dropped {
            drop(worker);
        } else {
            assert!(worker.drain(Duration::from_secs(3600)).await);
        }
        assert!(matches!(answers.recv(), Ok(Ok(Reply::Info(_)))));
        let info = ta::Request::V1(ta::Command::Info).encode();
        assert_eq!(carried.iter().collect::<Vec<_>>(), [info, watermarks(), farewell()]);
    }
}

#[tokio::test]
async fn whoever_waits_for_an_answer_gives_up_at_the_deadline() {
    let stage = stage(2);
    assert_eq!(stage.signer.ask(has(), Duration::from_millis(1)).await, Err(Failure::Deadline));
    let soon = Instant::now() + Duration::from_millis(1);
    assert_eq!(stage.signer.ask_blocking(has(), soon), Err(Failure::Deadline));
}

#[test]
fn a_call_that_is_too_long_is_answered_without_the_link() {
    let stage = stage(1);
    let long = Call::Has(KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![1; ta::MAX_REQUEST] });
    assert!(matches!(stage.signer.ask_blocking(long, later()), Err(Failure::BadRequest(_))));
    assert_eq!(stage.called.try_iter().count(), 0);
}

// What must hold: two nodes on one daemon never sign at the same time.
#[test]
fn what_waits_behind_a_takeover_is_not_signed_and_what_is_signed_is_answered_before_it() {
    let stage = stage(8);
    let ((first, node), (second, _)) = (self::node(1), self::node(2));
    stage.give_lease_to(&first);
    stage.put(9, &second, Call::Lease(Claim::Look), later()).expect("taken");
    assert!(matches!(tenure(stage.next().1), Tenure::Held { .. }));
    // Neither a vote nor a seal, of which the second would have to hear.
    let Call::Sign { key, message, context } = vote(1, 1) else { panic!("a vote is signed") };
    let neither = Call::Sign { key: KeyId { key_type: *b"aura", ..key }, message, context };
    stage.put(0, &first, neither, later()).expect("taken");
    stage.called.recv().expect("it is being signed");
    // The connection breaks, the second takes over, and more of the first was under way.
    node.connection.close();
    stage.put(1, &second, Call::Lease(Claim::TakeOver), later()).expect("taken");
    stage.put(2, &first, vote(2, 1), later()).expect("taken");
    stage.put(3, &second, vote(2, 1), later()).expect("taken");
    stage.tell(Told::Signature);
    stage.tell(Told::Signature);
    assert!(matches!(stage.next(), (0, Ok(Reply::Signature(_)))));
    let (id, result) = stage.next();
    assert_eq!((id, tenure(result)), (1, Tenure::Yours));
    assert!(matches!(stage.next(), (2, Err(Failure::NotHolder { holder: Some(holder) })) if holder.node == [2; 32]));
    assert!(matches!(stage.next(), (3, Ok(Reply::Signature(_)))));
    assert_eq!(stage.called.try_iter().count(), 1, "of the last two, one reached the link");
}

#[test]
fn the_last_vote_that_was_signed_is_told_and_none_that_was_not() {
    let stage = stage(8);
    let ((first, _), (second, _)) = (node(1), node(2));
    stage.give_lease_to(&first);
    for (id, caller, round, told) in
        [(0, &first, 5, Told::Signature), (1, &first, 6, Told::Break), (2, &second, 7, Told::Has(true))]
    {
        stage.put(id, caller, vote(round, 3), later()).expect("taken");
        stage.tell(told);
        assert_eq!(stage.next().0, id);
    }
    let Ok(Reply::Lease(lease)) = stage.signer.ask_blocking(Call::Lease(Claim::Look), later()) else {
        panic!("no lease")
    };
    assert_eq!(lease.last_vote, Some((3, 5)));
    assert_eq!(lease.last_slot, None);
}

#[test]
fn a_claim_whose_deadline_passed_in_the_queue_is_not_granted() {
    let stage = stage(8);
    let ((first, _), (second, _)) = (node(1), node(2));
    stage.tell(Told::Keys(0));
    stage.put(0, &first, Call::Info, later()).expect("taken");
    stage.put(1, &first, Call::Lease(Claim::Take), Instant::now()).expect("taken");
    stage.put(2, &second, Call::Lease(Claim::Take), later()).expect("taken");
    assert!(matches!(stage.next(), (0, Ok(_))));
    assert_eq!(stage.next(), (1, Err(Failure::Deadline)));
    assert_eq!(tenure(stage.next().1), Tenure::Yours);
}

#[test]
fn a_lease_is_reserved_after_the_start_unless_the_first_that_is_heard_of_the_keys_is_that_there_are_none() {
    for (keys, reserved) in [([0, 0], false), ([2, 0], true), ([0, 2], false)] {
        let stage = stage(8);
        for keys in keys {
            stage.tell(Told::Keys(keys));
            assert!(matches!(stage.signer.ask_blocking(Call::Info, later()), Ok(Reply::Info(_))));
        }
        let lease = stage.signer.ask_blocking(Call::Lease(Claim::Look), later());
        let Tenure::Free { last: None, reserved_ms } = tenure(lease) else { panic!("somebody has it") };
        assert_eq!(reserved_ms > 0, reserved, "{keys:?}");
    }
}

// The attack: a stranger claims without end.
#[test]
fn no_number_of_claims_takes_the_lease_from_a_node_that_is_there_or_keeps_it_from_signing() {
    let stage = stage(64);
    let ((first, _), (stranger, _)) = (node(1), node(2));
    stage.give_lease_to(&first);
    stage.put(0, &first, vote(1, 1), later()).expect("taken");
    for id in 1..60 {
        let claim = [Claim::Take, Claim::Keep, Claim::TakeOver][id as usize % 3];
        stage.put(id, &stranger, Call::Lease(claim), later()).expect("taken");
    }
    stage.put(60, &first, vote(2, 1), later()).expect("taken");
    stage.tell(Told::Signature);
    stage.tell(Told::Signature);
    assert!(matches!(stage.next(), (0, Ok(Reply::Signature(_)))));
    for _ in 1..60 {
        assert!(matches!(tenure(stage.next().1), Tenure::Held { .. }));
    }
    assert!(matches!(stage.next(), (60, Ok(Reply::Signature(_)))));
}
