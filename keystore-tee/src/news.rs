//! What an operator is told of the lease, and how often. Pure.

use std::time::{Duration, Instant};

use holdfast_protocol::lease::{Lease, Tenure};
use log::Level;

use crate::{lease::Standing, takeover::Round};

/// A daemon that lets the lease change hands all the time is told of once in this time.
const QUIET: Duration = Duration::from_secs(10);
/// A standby whose turn it is waits so long for a round without a word.
const ROUND: Duration = Duration::from_secs(60);
/// What stays wrong is told again after this time.
const AGAIN: Duration = Duration::from_secs(600);

/// Remembers what was told.
#[derive(Default)]
pub(crate) struct News {
    told: Option<Topic>,
    /// When a standing of each kind was told last.
    standings: [Option<Instant>; KINDS],
    /// Why the lease could not be asked for, if that was told since it last could.
    failure: Option<String>,
    /// When it was told last that it could not.
    failed: Option<Instant>,
    /// No round of GRANDPA passes.
    stuck: Alarm<Option<Round>>,
    /// Another process uses this node's network key.
    twin: Alarm<[u8; 16]>,
}

/// Which line a standing gets, and of which node it speaks: whatever else differs is no news.
type Topic = (usize, Option<[u8; 32]>);
const KINDS: usize = 5;

/// Rings when something has been the same for too long, and then seldom.
struct Alarm<T> {
    same: Option<(T, Instant)>,
    rang: Option<Instant>,
}

impl News {
    /// The lines that are due now that the lease stands like this and the node is in this round of GRANDPA.
    pub(crate) fn of(
        &mut self,
        standing: Standing,
        lease: &Lease,
        round: Option<Round>,
        now: Instant,
    ) -> Vec<(Level, String)> {
        let mut lines = Vec::new();
        self.failure = None;
        if self.changed(topic(standing), now) {
            lines.extend(line(standing, lease).map(|line| (Level::Info, line)));
        }
        let waits = matches!(standing, Standing::Next(_)).then_some(round);
        if self.stuck.rings(waits, ROUND, now) {
            lines.push((Level::Warn, stuck(standing)));
        }
        if self.twin.rings(renewed(standing, lease), Duration::from_millis(lease.lasts_ms.into()), now) {
            lines.push((Level::Warn, TWIN.into()));
        }
        lines
    }

    /// How loudly to say why the lease could not be asked for.
    pub(crate) fn of_failure(&mut self, why: &str, now: Instant) -> Level {
        if self.failure.as_deref() == Some(why) || recently(self.failed, QUIET, now) {
            return Level::Debug;
        }
        (self.failure, self.failed) = (Some(why.into()), Some(now));
        Level::Warn
    }

    fn changed(&mut self, topic: Topic, now: Instant) -> bool {
        let Some(last) = self.standings.get_mut(topic.0) else { return false };
        if self.told == Some(topic) || recently(*last, QUIET, now) {
            return false;
        }
        (self.told, *last) = (Some(topic), Some(now));
        true
    }
}

impl<T: PartialEq> Alarm<T> {
    /// `what` is the same thing as long as it is equal; `None` is nothing.
    fn rings(&mut self, what: Option<T>, after: Duration, now: Instant) -> bool {
        let Some(what) = what else {
            self.same = None;
            return false;
        };
        let since = match &self.same {
            Some((same, since)) if *same == what => *since,
            _ => {
                self.same = Some((what, now));
                return false;
            }
        };
        let rings = now.saturating_duration_since(since) >= after && !recently(self.rang, AGAIN, now);
        if rings {
            self.rang = Some(now);
        }
        rings
    }
}

impl<T> Default for Alarm<T> {
    fn default() -> Self {
        Self { same: None, rang: None }
    }
}

fn recently(then: Option<Instant>, within: Duration, now: Instant) -> bool {
    then.is_some_and(|then| now.saturating_duration_since(then) < within)
}

fn topic(standing: Standing) -> Topic {
    match standing {
        Standing::Quiet => (0, None),
        Standing::Active => (1, None),
        Standing::AfterItself(_) => (2, None),
        Standing::Behind(holder) => (3, Some(holder.node)),
        Standing::Next(_) => (4, None),
    }
}

/// What is told of a standing.
pub(crate) fn line(standing: Standing, lease: &Lease) -> Option<String> {
    let lasts = f64::from(lease.lasts_ms) / 1e3;
    Some(match standing {
        Standing::Active => "this node holds the lease on the keys: it is active".into(),
        Standing::AfterItself(_) => format!(
            "the lease on the keys is held by this node's previous process; it ends {lasts} s after that process, and \
             if that still runs, stop it"
        ),
        Standing::Behind(holder) => {
            format!("on standby: {holder} holds the lease on the keys, and this node follows the chain")
        }
        Standing::Next(_) => "on standby: nobody holds the lease on the keys, and this node takes over after two more \
                              rounds of GRANDPA"
            .into(),
        Standing::Quiet => return None,
    })
}

/// What is told of a standby that waits for rounds in vain.
fn stuck(standing: Standing) -> String {
    let last = match standing {
        Standing::Next(Some(last)) => last.to_string(),
        _ => "the node that held it last".into(),
    };
    format!(
        "on standby: nobody holds the lease on the keys, and no round of GRANDPA has passed for {} s, so that this node \
         cannot take over. If the chain needs this validator's vote, start {last} again. If that is gone for good, stop \
         both nodes, start the daemon once with --forget-holder, and then this node",
        ROUND.as_secs()
    )
}

const TWIN: &str =
    "another process with this node's network key is running, and keeps the lease on the keys: stop one \
                    of the two. A network key belongs to one node; a standby needs its own";

/// The other process of this node that holds the lease, if it goes on asking for it.
fn renewed(standing: Standing, lease: &Lease) -> Option<[u8; 16]> {
    match (standing, lease.tenure) {
        (Standing::AfterItself(holder), Tenure::Held { silent_ms, .. }) if silent_ms <= (lease.lasts_ms / 2).into() => {
            Some(holder.process)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::lease::Identity;

    const LASTS: u32 = 10_000;

    fn lease(tenure: Tenure) -> Lease {
        Lease { tenure, lasts_ms: LASTS, last_vote: None, last_slot: None }
    }

    fn node(number: u8) -> Identity {
        Identity::new([number; 32], "one")
    }

    /// A log, and a clock that is set by hand.
    struct Told {
        news: News,
        start: Instant,
    }

    impl Told {
        fn new() -> Self {
            Self { news: News::default(), start: Instant::now() }
        }

        /// What is told at this second.
        fn at(&mut self, second: u64, standing: Standing, round: u64) -> Vec<(Level, String)> {
            let silent_ms = if second >= 5_000 { 9_000 } else { 100 };
            let tenure = match standing {
                Standing::AfterItself(holder) | Standing::Behind(holder) => {
                    Tenure::Held { holder, since_ms: 1, silent_ms }
                }
                _ => Tenure::Free { last: None, reserved_ms: 0 },
            };
            let now = self.start + Duration::from_secs(second);
            self.news.of(standing, &lease(tenure), Some((0, round)), now)
        }

        /// The seconds at which a warning is told, of those in which the lease stands like this.
        fn warned(&mut self, seconds: std::ops::Range<u64>, standing: Standing, round: u64) -> Vec<u64> {
            let warns = |told: Vec<(Level, String)>| told.iter().any(|(level, _)| *level == Level::Warn);
            seconds.filter(|second| warns(self.at(*second, standing, round))).collect()
        }
    }

    #[test]
    fn an_operator_is_told_who_is_waited_for() {
        let lease = lease(Tenure::Yours);
        let told = line(Standing::Behind(Identity::new([0xab; 32], "one")), &lease).expect("it is told");
        assert!(told.contains("`one` (node abababab…) holds the lease"), "{told}");
        let told = line(Standing::AfterItself(node(1)), &lease).expect("it is told");
        assert!(told.contains("it ends 10 s after"), "{told}");
        assert_eq!(line(Standing::Quiet, &lease), None);
    }

    #[test]
    fn a_change_is_told_at_once_and_only_once() {
        let mut told = Told::new();
        let mut lines = |second, standing| told.at(second, standing, 0).len();
        assert_eq!(lines(0, Standing::Behind(node(1))), 1);
        // The node was restarted: it is still the same one.
        assert_eq!((lines(1, Standing::Behind(node(1))), lines(2, Standing::Behind(node(1)))), (0, 0));
        assert_eq!((lines(3, Standing::Next(Some(node(1)))), lines(4, Standing::Next(None))), (1, 0));
        assert_eq!((lines(5, Standing::Active), lines(6, Standing::Active)), (1, 0));
    }

    // Rule 7: a hostile daemon does not fill the disk.
    #[test]
    fn rule_7_a_lease_that_changes_hands_all_the_time_is_told_of_every_ten_seconds() {
        let mut told = Told::new();
        let holders = (0..100).map(|second| told.at(second, Standing::Behind(node(second as u8)), second).len());
        assert_eq!(holders.sum::<usize>(), 10);
        let mut told = Told::new();
        let standings = [Standing::Behind(node(1)), Standing::Next(None), Standing::AfterItself(node(2))];
        let lines = (0..90).map(|second| told.at(second, standings[second as usize % 3], second).len());
        assert!(lines.sum::<usize>() <= 3 * 9);
        // What was held back is told if it is still so.
        assert_eq!(
            told.at(90, Standing::Behind(node(7)), 0).len() + told.at(101, Standing::Behind(node(7)), 0).len(),
            1
        );
    }

    #[test]
    fn rule_7_failures_are_told_of_every_ten_seconds_however_they_differ_and_once_if_they_do_not() {
        let mut told = Told::new();
        let (levels, start) = (|levels: [Level; 3]| levels.map(|level| level == Level::Warn), told.start);
        let mut fails = |second, why: &str| told.news.of_failure(why, start + Duration::from_secs(second));
        let differ = (0..30).filter(|second| fails(*second, &second.to_string()) == Level::Warn);
        assert_eq!(differ.count(), 3);
        assert_eq!(levels([fails(30, "same"), fails(50, "same"), fails(90, "same")]), [true, false, false]);
        told.at(100, Standing::Active, 0);
        assert_eq!(told.news.of_failure("same", start + Duration::from_secs(101)), Level::Warn);
    }

    #[test]
    fn a_standby_whose_turn_it_is_says_after_a_minute_that_no_round_passes_and_what_to_do() {
        let mut told = Told::new();
        assert_eq!(told.warned(0..1_300, Standing::Next(Some(node(1))), 5), vec![60, 660, 1_260]);
        let text = stuck(Standing::Next(Some(node(1))));
        assert!(text.contains("start `one` (node 01010101…) again") && text.contains("--forget-holder"), "{text}");
        assert!(stuck(Standing::Next(None)).contains("start the node that held it last again"));
    }

    #[test]
    fn a_round_that_passes_begins_the_minute_anew_and_a_holder_ends_it() {
        let mut told = Told::new();
        for round in 0..10 {
            let seconds = round * 59..(round + 1) * 59;
            assert_eq!(told.warned(seconds, Standing::Next(None), round), Vec::<u64>::new());
        }
        assert_eq!(told.warned(590..2_000, Standing::Behind(node(1)), 9), Vec::<u64>::new());
        assert_eq!(told.warned(2_000..2_060, Standing::Next(None), 9), Vec::<u64>::new());
        assert_eq!(told.warned(2_060..2_061, Standing::Next(None), 9), vec![2_060]);
        // Not more often than every ten minutes, whatever happens in between.
        told.at(2_061, Standing::Behind(node(1)), 9);
        assert_eq!(told.warned(2_062..2_700, Standing::Next(None), 9), vec![2_660]);
    }

    #[test]
    fn a_process_of_the_same_node_that_goes_on_is_warned_of_and_one_that_ends_is_not() {
        let mut told = Told::new();
        assert_eq!(told.warned(0..700, Standing::AfterItself(node(1)), 0), vec![10, 610]);
        assert!(TWIN.contains("another process with this node's network key is running"));
        // It says nothing any more: its lease is about to end.
        let mut told = Told::new();
        assert_eq!(told.warned(5_000..5_100, Standing::AfterItself(node(1)), 0), Vec::<u64>::new());
        // Every time another one: a node that is started again and again.
        let mut told = Told::new();
        let warned = |second| told.warned(second..second + 1, Standing::AfterItself(node(1)), 0);
        assert_eq!((0..100).flat_map(warned).count(), 0);
    }
}
