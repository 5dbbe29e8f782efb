use super::*;
use crate::audit::Asked;
use holdfast_protocol::message::{Call, Context, KeyId, Position, Scheme, Usage};
use proptest::{collection::vec, prelude::*};

const LASTS: Duration = Duration::from_secs(10);
const CLAIMS: [Claim; 4] = [Claim::Look, Claim::Take, Claim::Keep, Claim::TakeOver];

/// On connections with these numbers: a node, the same after a restart, and another.
struct Cast {
    first: Node,
    restarted: Node,
    other: Node,
}

impl Cast {
    fn new() -> Cast {
        let [first, restarted, other] = [([1; 32], "a"), ([1; 32], "a"), ([2; 32], "b")];
        let node = |(node, name), number| Node {
            identity: Identity::new(node, name),
            connection: Arc::new(Connection::new(number)),
        };
        Cast { first: node(first, 1), restarted: node(restarted, 2), other: node(other, 3) }
    }

    fn all(&self) -> [&Node; 3] {
        [&self.first, &self.restarted, &self.other]
    }
}

/// The same process on a new connection.
fn reconnected(node: &Node, number: u64) -> Node {
    Node { identity: node.identity, connection: Arc::new(Connection::new(number)) }
}

fn tenure(leases: &Leases, node: &Node, now: Instant) -> Tenure {
    leases.seen_by(&Caller::Node(node.clone()), now).tenure
}

fn holds(leases: &Leases, node: &Node, now: Instant) -> bool {
    leases.permit(Right::Holder, &Caller::Node(node.clone()), now).is_ok()
}

impl Leases {
    /// A claim of a node that has just looked.
    fn claim(&mut self, claim: Claim, node: &Node, now: Instant) -> Option<Change> {
        self.seen_by(&Caller::Node(node.clone()), now);
        self.grants(claim, node, now).then(|| self.give(node, now))
    }
}

/// As the worker does it: the request counts, then the claim is judged, then the answer is made.
fn claim(leases: &mut Leases, claim: Claim, node: &Node, now: Instant) -> bool {
    leases.heard(node, now, now);
    leases.claim(claim, node, now);
    let yours = tenure(leases, node, now) == Tenure::Yours;
    assert_eq!(yours, holds(leases, node, now));
    yours
}

/// Every state that the lease can be in, as `Cast::first` left it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Situation {
    Reserved,
    New,
    Held,
    Closed,
    Silent,
    /// By `Cast::first`, before the daemon was restarted.
    Remembered,
    /// The same, some time later.
    LongAgo,
}

const SITUATIONS: [Situation; 7] = [
    Situation::Reserved,
    Situation::New,
    Situation::Held,
    Situation::Closed,
    Situation::Silent,
    Situation::Remembered,
    Situation::LongAgo,
];

/// The lease in this state, with those that claim it, and the time.
fn stage(situation: Situation) -> (Leases, Cast, Instant) {
    let (begin, cast) = (Instant::now(), Cast::new());
    let mut leases = Leases::new(LASTS, begin);
    match situation {
        Situation::Reserved => return (leases, cast, begin + LASTS - Duration::from_nanos(1)),
        Situation::New => return (leases, cast, begin + LASTS),
        Situation::Remembered | Situation::LongAgo => {
            leases = Leases::remembered(LASTS, cast.first.identity, begin);
            let early = Duration::from_nanos((situation == Situation::Remembered).into());
            return (leases, cast, begin + LASTS - early);
        }
        Situation::Held | Situation::Closed | Situation::Silent => {}
    }
    leases.nobody_before(begin);
    assert!(claim(&mut leases, Claim::Take, &cast.first, begin));
    match situation {
        Situation::Closed => {
            cast.first.connection.close();
            (leases, cast, begin)
        }
        Situation::Silent => (leases, cast, begin + LASTS),
        _ => (leases, cast, begin + LASTS - Duration::from_nanos(1)),
    }
}

#[test]
fn every_claim_in_every_state_by_everybody() {
    use Claim::{Keep, Look, Take, TakeOver};
    use Situation::{Closed, Held, LongAgo, New, Remembered, Reserved, Silent};
    let [none, any]: [&[Claim]; 2] = [&[], &[Take, Keep, TakeOver]];
    // Which claims give it to the process that held it, to its node after a restart, and to another node.
    let table: [(Situation, [&[Claim]; 3]); 7] = [
        (Reserved, [&[Keep]; 3]),
        (New, [any; 3]),
        (Held, [&CLAIMS, none, none]),
        (Closed, [&CLAIMS, &[Take, TakeOver], &[TakeOver]]),
        (Silent, [&CLAIMS, &[Take, TakeOver], &[TakeOver]]),
        (Remembered, [&CLAIMS, &[Take, TakeOver], none]),
        (LongAgo, [&CLAIMS, &[Take, TakeOver], &[TakeOver]]),
    ];
    assert_eq!(table.map(|row| row.0), SITUATIONS);
    assert_eq!(CLAIMS[0], Look);
    for (situation, given) in table {
        for (who, given) in given.into_iter().enumerate() {
            for what in CLAIMS {
                let (mut leases, cast, now) = stage(situation);
                let mut node = cast.all()[who].clone();
                if situation == Closed && who == 0 {
                    node = reconnected(&node, 9);
                }
                let expected = given.contains(&what);
                assert_eq!(claim(&mut leases, what, &node, now), expected, "{situation:?} {who} {what:?}");
                for rival in cast.all().into_iter().filter(|rival| rival.identity != node.identity) {
                    let still = !expected && rival.identity == cast.first.identity;
                    let had_it = matches!(situation, Held | Closed | Silent | Remembered | LongAgo);
                    assert_eq!(holds(&leases, rival, now), still && had_it, "{situation:?} {who} {what:?}");
                }
            }
        }
    }
}

#[test]
fn everybody_sees_how_it_stands() {
    for situation in SITUATIONS {
        let (leases, cast, now) = stage(situation);
        let holder = cast.first.identity;
        let millis = 9_999;
        let expected = match situation {
            Situation::Reserved => Tenure::Free { last: None, reserved_ms: 1 },
            Situation::New => Tenure::Free { last: None, reserved_ms: 0 },
            Situation::Held => Tenure::Held { holder, since_ms: millis, silent_ms: millis },
            Situation::Closed | Situation::Silent | Situation::LongAgo => {
                Tenure::Free { last: Some(holder), reserved_ms: 0 }
            }
            Situation::Remembered => Tenure::Free { last: Some(holder), reserved_ms: 1 },
        };
        for node in [&cast.restarted, &cast.other] {
            assert_eq!(tenure(&leases, node, now), expected);
        }
        assert_eq!(leases.seen_by(&Caller::Operator(None), now).tenure, expected);
        assert_eq!(leases.seen_by(&Caller::Operator(None), now).lasts_ms, 10_000);
        assert_eq!(leases.holder(now), (situation == Situation::Held).then_some(holder));
        let refused = leases.permit(Right::Holder, &Caller::Node(cast.other.clone()), now);
        assert_eq!(refused, Err(Failure::NotHolder { holder: leases.holder(now) }));
    }
}

#[test]
fn it_is_not_reserved_when_there_was_nothing_to_hold() {
    let (now, cast) = (Instant::now(), Cast::new());
    let mut leases = Leases::new(LASTS, now);
    assert!(!claim(&mut leases, Claim::Take, &cast.first, now));
    leases.nobody_before(now);
    assert!(claim(&mut leases, Claim::Take, &cast.first, now));
    // Said again it changes nothing.
    leases.nobody_before(now);
    assert!(!claim(&mut leases, Claim::Keep, &cast.other, now));
}

#[test]
fn the_reservation_ends_when_somebody_kept_the_lease() {
    let (now, cast) = (Instant::now(), Cast::new());
    let mut leases = Leases::new(LASTS, now);
    assert!(claim(&mut leases, Claim::Keep, &cast.first, now));
    cast.first.connection.close();
    assert!(!claim(&mut leases, Claim::Keep, &cast.other, now), "it is known who held it");
    assert!(claim(&mut leases, Claim::Take, &cast.restarted, now));
}

// Rule 5: never two.
#[test]
fn rule_5_a_node_that_was_replaced_before_the_daemons_restart_never_gets_the_lease_back_by_itself() {
    let (now, cast) = (Instant::now(), Cast::new());
    let mut leases = Leases::remembered(LASTS, cast.first.identity, now);
    for after in [Duration::ZERO, LASTS, LASTS * 100] {
        assert!(!claim(&mut leases, Claim::Keep, &cast.other, now + after));
        assert!(!claim(&mut leases, Claim::Take, &cast.other, now + after));
    }
    assert!(claim(&mut leases, Claim::Keep, &cast.first, now));
}

#[test]
fn a_remembered_holder_has_time_to_come_back_however_short_the_lease() {
    let (now, cast) = (Instant::now(), Cast::new());
    let mut leases = Leases::remembered(Duration::from_secs(1), cast.first.identity, now);
    assert!(!claim(&mut leases, Claim::TakeOver, &cast.other, now + RETURN - Duration::from_millis(1)));
    assert!(claim(&mut leases, Claim::TakeOver, &cast.other, now + RETURN));
}

// Rule 5.
#[test]
fn rule_5_who_has_not_heard_of_the_last_vote_takes_nothing_over() {
    for statement in [Statement::Vote { set_id: 1, round: 2 }, Statement::Seal(3)] {
        let (mut leases, cast, now) = stage(Situation::Closed);
        assert!(!leases.grants(Claim::TakeOver, &cast.other, now), "it has never looked");
        leases.seen_by(&Caller::Node(cast.other.clone()), now);
        assert!(leases.grants(Claim::TakeOver, &cast.other, now));
        leases.signed(statement);
        assert!(!leases.grants(Claim::TakeOver, &cast.other, now));
        leases.seen_by(&Caller::Node(cast.other.clone()), now);
        assert!(leases.grants(Claim::TakeOver, &cast.other, now));
    }
}

#[test]
fn a_holder_that_asks_for_anything_is_silent_no_more() {
    let (mut leases, cast, now) = stage(Situation::Held);
    leases.heard(&cast.first, now, now);
    // What was asked earlier and comes later takes nothing away.
    leases.heard(&cast.first, now - Duration::from_secs(5), now);
    let later = now + LASTS - Duration::from_millis(1);
    assert!(!claim(&mut leases, Claim::TakeOver, &cast.other, later));
    // What another asks does not count.
    leases.heard(&cast.other, later, later);
    assert!(claim(&mut leases, Claim::TakeOver, &cast.other, later + Duration::from_millis(1)));
}

#[test]
fn a_holder_that_only_lapsed_goes_on_and_then_holds_it_again() {
    for situation in [Situation::Silent, Situation::Closed] {
        let (mut leases, cast, now) = stage(situation);
        assert!(holds(&leases, &cast.first, now));
        let back = reconnected(&cast.first, 4);
        leases.heard(&back, now, now);
        assert!(matches!(tenure(&leases, &cast.other, now), Tenure::Held { silent_ms: 0, .. }));
        assert!(!claim(&mut leases, Claim::TakeOver, &cast.other, now));
    }
}

#[test]
fn a_connection_that_is_replaced_by_a_newer_one_ends_nothing_when_it_closes() {
    let (mut leases, cast, now) = stage(Situation::Held);
    let newer = reconnected(&cast.first, 7);
    leases.heard(&newer, now, now);
    // It was still under way on the old one.
    leases.heard(&cast.first, now, now);
    cast.first.connection.close();
    leases.heard(&cast.first, now, now);
    assert!(!claim(&mut leases, Claim::TakeOver, &cast.other, now));
    newer.connection.close();
    assert!(claim(&mut leases, Claim::TakeOver, &cast.other, now));
}

#[test]
fn of_two_connections_of_one_process_the_one_that_is_left_counts() {
    let (mut leases, cast, now) = stage(Situation::Held);
    let newer = reconnected(&cast.first, 7);
    leases.heard(&newer, now, now);
    newer.connection.close();
    leases.heard(&cast.first, now, now);
    assert!(!claim(&mut leases, Claim::TakeOver, &cast.other, now));
}

#[test]
fn a_claim_of_a_connection_that_is_closed_already_changes_nothing() {
    for situation in SITUATIONS {
        for what in CLAIMS {
            let (mut leases, cast, now) = stage(situation);
            cast.other.connection.close();
            assert_eq!(leases.claim(what, &cast.other, now), None);
            assert!(!holds(&leases, &cast.other, now));
        }
    }
}

#[test]
fn a_name_makes_no_other_of_a_process_and_none_the_same_of_two() {
    let (mut leases, cast, now) = stage(Situation::Held);
    let mut renamed = Identity::new([1; 32], "renamed");
    renamed.process = cast.first.identity.process;
    assert!(holds(&leases, &Node { identity: renamed, ..cast.first.clone() }, now));
    let mut stranger = cast.other.identity;
    stranger.process = cast.first.identity.process;
    let stranger = Node { identity: stranger, ..cast.other };
    assert!(!claim(&mut leases, Claim::Keep, &stranger, now));
}

#[test]
fn each_change_is_told_once() {
    let (now, cast) = (Instant::now(), Cast::new());
    let (first, other) = (cast.first.identity, cast.other.identity);
    let mut leases = Leases::new(LASTS, now);
    assert_eq!(leases.watch(now + LASTS), None);
    leases.nobody_before(now);
    assert_eq!(leases.claim(Claim::Take, &cast.first, now), Some(Change::Given { to: first, from: None }));
    assert_eq!(leases.claim(Claim::Take, &cast.first, now), None);
    assert_eq!(leases.watch(now), None);
    let silent = now + LASTS;
    let ended = Change::Ended { holder: first, why: End::Silent(LASTS) };
    assert_eq!([(); 2].map(|()| leases.watch(silent)), [Some(ended), None]);
    assert_eq!(leases.heard(&cast.other, silent, silent), None);
    // Too old to make up for the silence.
    assert_eq!(leases.heard(&cast.first, now, silent), None);
    assert_eq!([(); 2].map(|()| leases.heard(&cast.first, silent, silent)), [Some(Change::Resumed(first)), None]);
    cast.first.connection.close();
    let ended = Change::Ended { holder: first, why: End::Closed };
    assert_eq!([(); 2].map(|()| leases.watch(silent)), [Some(ended), None]);
    assert_eq!(
        leases.claim(Claim::TakeOver, &cast.other, silent),
        Some(Change::Given { to: other, from: Some(first) })
    );
}

#[test]
fn a_connection_is_refused_for_the_first_time_once() {
    let connection = Connection::new(1);
    assert_eq!([(); 3].map(|()| connection.first_refusal()), [true, false, false]);
}

fn key(key_type: &[u8; 4]) -> KeyId {
    KeyId { scheme: Scheme::Ed25519, key_type: *key_type, public: vec![1; 32] }
}

fn sign(key_type: &[u8; 4], message: &[u8], context: Context) -> Call {
    Call::Sign { key: key(key_type), message: message.into(), context }
}

fn calls(key_type: &[u8; 4]) -> Vec<(Call, Right)> {
    let test = key_type == b"test";
    let guarded = if test { Right::Node } else { Right::Holder };
    let mut calls = vec![
        (Call::Info, Right::Anybody),
        (
            Call::Generate { scheme: Scheme::Ed25519, key_type: *key_type, usage: Usage::Sign, seed: None },
            Right::Anybody,
        ),
        (Call::List { after: None }, Right::Anybody),
        (Call::Has(key(key_type)), Right::Anybody),
        (Call::SignPrehashed { key: key(key_type), hash: [1; 32] }, guarded),
        (Call::VrfSign { key: key(key_type), input: [1; 32] }, guarded),
        (Call::VrfPreOutput { key: key(key_type), input: [1; 32] }, guarded),
        (Call::Retire(key(key_type)), guarded),
        (Call::Watermarks { after: None }, Right::Anybody),
        (Call::RaiseWatermark { key: key(key_type), to: Position::Aura(1) }, Right::Operator),
    ];
    calls.extend(
        CLAIMS.map(|claim| (Call::Lease(claim), if claim == Claim::Look { Right::Anybody } else { Right::Node })),
    );
    for length in 0..80 {
        for fill in [0, 1, b'P'] {
            calls.push((sign(key_type, &vec![fill; length], Context::None), guarded));
        }
        let proof = [b"POP_", &vec![7; length][..]].concat();
        let right = if matches!(length, 0 | 32) { Right::Anybody } else { guarded };
        calls.push((sign(key_type, &proof, Context::Header(vec![1])), right));
    }
    calls
}

#[test]
fn what_signs_needs_the_lease_but_a_proof_of_possession_and_test_keys() {
    for key_type in [b"aura", b"gran", b"test", b"babe", b"TEST"] {
        for (call, right) in calls(key_type) {
            assert_eq!(Right::to(&call), right, "{call:?}");
        }
    }
}

// On the attack surface: whoever can connect can say that it is an operator's program.
#[test]
fn an_operator_can_do_what_anybody_can_and_raise_watermarks_whoever_holds_the_lease() {
    for situation in SITUATIONS {
        let (leases, _cast, now) = stage(situation);
        for (call, right) in calls(b"gran").into_iter().chain(calls(b"test")) {
            match leases.permit(Right::to(&call), &Caller::Operator(None), now) {
                Ok(()) => assert!(matches!(right, Right::Anybody | Right::Operator), "{call:?}"),
                Err(failure) => {
                    assert!(matches!(failure, Failure::BadRequest(_)) && matches!(right, Right::Node | Right::Holder));
                }
            }
        }
    }
}

#[test]
fn a_node_raises_no_watermark_whoever_holds_the_lease() {
    for situation in SITUATIONS {
        let (leases, cast, now) = stage(situation);
        for node in cast.all() {
            let refused = leases.permit(Right::Operator, &Caller::Node(node.clone()), now);
            assert!(matches!(refused, Err(Failure::BadRequest(why)) if why.contains("import-watermarks")));
        }
    }
}

#[test]
fn without_leases_every_node_is_told_that_it_holds_it_and_an_operator_that_nobody_does() {
    let (cast, now) = (Cast::new(), Instant::now());
    let mut leases = Leases::everybodys(LASTS, now);
    for node in cast.all() {
        for what in CLAIMS {
            assert!(!leases.grants(what, node, now) && leases.heard(node, now, now).is_none());
            assert_eq!(tenure(&leases, node, now), Tenure::Yours);
            assert!(holds(&leases, node, now));
        }
    }
    assert!(leases.watch(now + 2 * LASTS).is_none());
    assert!(matches!(leases.seen_by(&Caller::Operator(None), now).tenure, Tenure::Free { last: None, .. }));
    assert!(leases.permit(Right::Holder, &Caller::Operator(None), now).is_err());
}

#[test]
fn only_votes_and_seals_are_remembered_and_nothing_that_anybody_may_sign() {
    let vote = [&[1][..], &[9; 36], &7u64.to_le_bytes(), &3u64.to_le_bytes()].concat();
    let header = [&[1; 32][..], &[4], &[2; 64], &[4], b"\x06aura\x20", &9u64.to_le_bytes()].concat();
    let context = || Context::Header(header.clone());
    let of = |call: &Call| Asked::of(call).and_then(|asked| asked.statement());
    assert_eq!(of(&sign(b"gran", &vote, Context::None)), Some(Statement::Vote { set_id: 3, round: 7 }));
    assert_eq!(of(&sign(b"aura", &[1; 32], context())), Some(Statement::Seal(9)));
    let proof = [&b"POP_"[..], &[7; 32]].concat();
    for call in [
        sign(b"aura", &proof, context()),
        sign(b"aura", b"POP_", context()),
        sign(b"aura", &[1; 32], Context::Header(header[1..].to_vec())),
        sign(b"aura", &vote, Context::None),
        sign(b"gran", &proof, Context::None),
        sign(b"gran", &vote[1..], Context::None),
        sign(b"test", &vote, context()),
        Call::Info,
    ] {
        assert_eq!(of(&call), None, "{call:?}");
    }
    let (mut leases, _cast, now) = stage(Situation::New);
    leases.signed(Statement::Vote { set_id: 3, round: 7 });
    leases.signed(Statement::Seal(9));
    let seen = leases.seen_by(&Caller::Operator(None), now);
    assert_eq!((seen.last_vote, seen.last_slot), (Some((3, 7)), Some(9)));
}

#[derive(Clone, Debug)]
enum Step {
    Claim(usize, Claim),
    /// A signature is asked for.
    Sign(usize),
    /// Something that needs no lease.
    Ask(usize),
    Close(usize),
    Reconnect(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..4usize;
    let claim = prop::sample::select(&CLAIMS[..]);
    let step = prop_oneof![
        4 => (who.clone(), claim).prop_map(|(who, claim)| Step::Claim(who, claim)),
        3 => who.clone().prop_map(Step::Sign),
        1 => who.clone().prop_map(Step::Ask),
        1 => who.clone().prop_map(Step::Close),
        1 => who.prop_map(Step::Reconnect),
        2 => (1..12_000u64).prop_map(Step::Wait),
    ];
    vec(step, 0..60)
}

proptest! {
    // What must hold: two nodes on one daemon never sign at the same time.
    #[test]
    fn tenures_never_overlap_and_who_was_replaced_signs_nothing(steps in steps(), fresh: bool) {
        let mut now = Instant::now();
        let mut leases = Leases::new(LASTS, now);
        if fresh {
            leases.nobody_before(now);
        }
        let mut number = 0;
        let mut connected = |identity| {
            number += 1;
            Node { identity, connection: Arc::new(Connection::new(number)) }
        };
        // Two nodes, two processes each.
        let mut nodes = [1, 1, 2, 2].map(|node| connected(Identity::new([node; 32], "")));
        let mut last_heard = [now; 4];
        let mut heard_on = nodes.each_ref().map(|node| node.connection.clone());
        let mut holder: Option<usize> = None;
        for step in steps {
            let asker = match step {
                Step::Claim(who, _) | Step::Sign(who) | Step::Ask(who) => Some(who),
                _ => None,
            };
            if let Some(who) = asker {
                last_heard[who] = now;
                heard_on[who] = nodes[who].connection.clone();
                leases.heard(&nodes[who], now, now);
            }
            match step {
                Step::Claim(who, what) => {
                    let change = leases.claim(what, &nodes[who], now);
                    if let Some(Change::Given { to, from }) = change {
                        prop_assert_eq!(to, nodes[who].identity);
                        prop_assert_eq!(from, holder.map(|holder| nodes[holder].identity));
                        prop_assert!(what != Claim::Look && nodes[who].connection.is_open());
                        if let Some(old) = holder {
                            // It is taken from nobody who is connected and was heard.
                            let silent = now - last_heard[old] >= LASTS;
                            prop_assert!(old != who && (silent || !heard_on[old].is_open()));
                        }
                        holder = Some(who);
                    }
                }
                Step::Sign(who) => prop_assert_eq!(holds(&leases, &nodes[who], now), holder == Some(who)),
                Step::Ask(_) => {}
                Step::Close(who) => nodes[who].connection.close(),
                Step::Reconnect(who) => {
                    nodes[who].connection.close();
                    nodes[who] = connected(nodes[who].identity);
                }
                Step::Wait(millis) => now += Duration::from_millis(millis),
            }
            let granted: Vec<_> = (0..4).filter(|who| holds(&leases, &nodes[*who], now)).collect();
            prop_assert_eq!(&granted, &holder.into_iter().collect::<Vec<_>>());
            for (who, node) in nodes.iter().enumerate() {
                prop_assert_eq!(tenure(&leases, node, now) == Tenure::Yours, holder == Some(who));
            }
        }
    }
}
