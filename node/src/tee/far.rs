//! What an import does not do unless it is told to go far: nothing that it raises can be lowered again, and a key that was
//! raised past all that its chain comes to is spent. Pure.

use std::fmt;

use holdfast_protocol::{Floor, Position};

use super::{
    interchange::{Step, What},
    keys,
};

/// Rounds or slots by which a key is raised at most: some days of either.
const FAR: u64 = 100_000;
/// Sets, which change with the sessions of a chain: some days of those too.
const SETS: u64 = 100;
/// So many keys are named, and the others counted.
const NAMED: usize = 3;

/// Why a position is far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Far {
    /// In the same set, or in a later one, where rounds begin at 1.
    Rounds,
    Sets,
    Slots,
    /// A slot to which no chain has come, be its slots as short as a millisecond.
    Future,
}

impl fmt::Display for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Far::Rounds => write!(f, "more than {FAR} rounds further"),
            Far::Sets => write!(f, "more than {SETS} sets further"),
            Far::Slots => write!(f, "more than {FAR} slots further"),
            Far::Future => write!(f, "to which no chain has come yet"),
        }
    }
}

/// Whether it is far from one position to another, at this time in milliseconds since 1970. A key without a position has
/// not come anywhere: its rounds count from the first, and of its slots nothing is known but that there is time for them.
fn far(from: Option<Position>, to: Position, now_ms: u64) -> Option<Far> {
    match (from, to) {
        (from, Position::Grandpa(to)) => {
            let (set_id, round) = match from {
                Some(Position::Grandpa(from)) => (from.set_id, from.round),
                _ => (0, 0),
            };
            let before = if to.set_id == set_id { round } else { 0 };
            let rounds = to.set_id >= set_id && to.round.saturating_sub(before) > FAR;
            let sets = to.set_id.saturating_sub(set_id) > SETS;
            sets.then_some(Far::Sets).or(rounds.then_some(Far::Rounds))
        }
        (_, Position::Aura(to)) if to > now_ms => Some(Far::Future),
        (Some(Position::Aura(from)), Position::Aura(to)) if to.saturating_sub(from) > FAR => Some(Far::Slots),
        (_, Position::Aura(_)) => None,
    }
}

/// Where the key of a step signs nothing new already, by what it has signed or by the floor of its TEE.
fn present(step: &Step, floor: &Floor) -> Option<Position> {
    let own = match step.what {
        What::Raise(from) => from,
        What::Already(at) => Some(at),
        What::NotHeld => None,
    };
    match (own, floor.of(step.key.key_type)) {
        (Some(own), Some(floor)) if floor > own => Some(floor),
        (own, floor) => own.or(floor),
    }
}

/// Why a step is not taken, if it raises a key and is far.
pub(super) fn judge(step: &Step, floor: &Floor, now_ms: u64) -> Option<Far> {
    match step.what {
        What::Raise(_) => far(present(step, floor), step.to, now_ms),
        What::Already(_) | What::NotHeld => None,
    }
}

/// Why none of these steps is taken, and what to do. `named` says whether the file names any key: one with a floor alone
/// is for every key of every TEE, and nothing shows that it belongs to this one.
pub(super) fn refusal(named: bool, steps: &[Step], floor: &Floor, now_ms: u64) -> Option<String> {
    let found: Vec<(&Step, Far)> =
        steps.iter().filter_map(|step| judge(step, floor, now_ms).map(|far| (step, far))).collect();
    let raises = steps.iter().any(|step| matches!(step.what, What::Raise(_)));
    let mut reasons = Vec::new();
    if !named && raises {
        reasons.push("it names no key, and its floor is for all keys of whatever TEE".to_owned());
    }
    reasons.extend(found.iter().take(NAMED).map(|(step, far)| {
        let key = keys::named(&step.key);
        match present(step, floor) {
            Some(at) => format!("{key} is at {at}, and it says {}, {far}", step.to),
            None => format!("{key} has signed nothing here, and it says {}, {far}", step.to),
        }
    }));
    if let Some(more) = found.len().checked_sub(NAMED).filter(|more| *more > 0) {
        reasons.push(format!("{more} more keys would be raised as far"));
    }
    if reasons.is_empty() {
        return None;
    }
    Some(format!(
        "{}. A key that is raised signs nothing until its chain has come so far, and cannot be lowered again. Look \
         whether this is the right file, of the right chain, for this TEE; if all of it is meant, import it with --far. \
         Nothing was raised",
        reasons.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use holdfast_protocol::{GrandpaRound, KeyId, Scheme};

    use super::*;

    /// A time in the year 2026.
    const NOW: u64 = 1_790_000_000_000;

    fn round(set_id: u64, round: u64) -> Position {
        Position::Grandpa(GrandpaRound { set_id, round })
    }

    fn gran(number: u8) -> KeyId {
        KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![number; 32] }
    }

    fn raise(from: Option<Position>, to: Position) -> Step {
        Step { key: gran(1), to, what: What::Raise(from) }
    }

    #[test]
    fn some_days_of_rounds_or_sets_are_not_far_and_one_more_is() {
        for (from, near, too_far, why) in [
            (round(7, 5), round(7, 100_005), round(7, 100_006), Far::Rounds),
            (round(7, 500_000), round(8, 100_000), round(8, 100_001), Far::Rounds),
            (round(7, 5), round(107, 1), round(108, 1), Far::Sets),
            (round(7, 5), round(107, 100_000), round(u64::MAX, u64::MAX), Far::Sets),
        ] {
            assert_eq!(far(Some(from), near, NOW), None, "{from} to {near}");
            assert_eq!(far(Some(from), too_far, NOW), Some(why), "{from} to {too_far}");
        }
        assert_eq!(far(Some(round(7, 5)), round(3, u64::MAX), NOW), None, "it is lower");
        for (to, why) in [
            (round(0, 100_000), None),
            (round(100, 1), None),
            (round(0, 100_001), Some(Far::Rounds)),
            (round(101, 1), Some(Far::Sets)),
        ] {
            assert_eq!(far(None, to, NOW), why, "from nowhere to {to}");
        }
    }

    #[test]
    fn a_slot_is_far_if_it_is_some_days_ahead_of_the_keys_last_or_ahead_of_time() {
        let slot = |from: Option<u64>, to| far(from.map(Position::Aura), Position::Aura(to), NOW);
        assert_eq!(
            (slot(Some(290_000_000), 290_100_000), slot(Some(290_000_000), 290_100_001)),
            (None, Some(Far::Slots))
        );
        assert_eq!((slot(None, 290_000_000), slot(None, NOW), slot(None, NOW + 1)), (None, None, Some(Far::Future)));
        assert_eq!(slot(Some(NOW), NOW + 1), Some(Far::Future));
        assert_eq!(slot(Some(5), 3), None);
    }

    #[test]
    fn what_is_not_raised_is_never_far_and_the_floor_counts_as_what_was_signed() {
        let floor = |at: u64| Floor { grandpa: Some(GrandpaRound { set_id: 0, round: at }), slot: None };
        let step = raise(Some(round(0, 5)), round(0, 200_000));
        assert_eq!(judge(&step, &Floor::default(), NOW), Some(Far::Rounds));
        assert_eq!(judge(&step, &floor(150_000), NOW), None);
        assert_eq!(judge(&step, &floor(3), NOW), Some(Far::Rounds));
        for what in [What::NotHeld, What::Already(round(0, 300_000))] {
            assert_eq!(judge(&Step { what, ..step.clone() }, &Floor::default(), NOW), None);
        }
    }

    #[test]
    fn a_refusal_says_what_was_found_where_the_key_is_and_what_to_do() {
        let floor = Floor::default();
        let steps = [raise(Some(round(0, 5)), round(900, 7))];
        let key = format!("gran 0x{}", "01".repeat(32));
        assert_eq!(
            refusal(true, &steps, &floor, NOW).expect("it is far"),
            key.clone()
                + " is at round 5 of set 0, and it says round 7 of set 900, more than 100 sets further. A key that is \
                   raised signs nothing until its chain has come so far, and cannot be lowered again. Look whether this \
                   is the right file, of the right chain, for this TEE; if all of it is meant, import it with --far. \
                   Nothing was raised"
        );
        let fresh = refusal(true, &[raise(None, round(0, 100_001))], &floor, NOW).expect("it is far");
        assert!(fresh.starts_with(&(key + " has signed nothing here, and it says round 100001 of set 0")), "{fresh}");
        let many = refusal(true, &vec![steps[0].clone(); 9], &floor, NOW).expect("they are far");
        assert!(
            many.matches("is at round 5").count() == NAMED && many.contains("6 more keys would be raised"),
            "{many}"
        );
        assert_eq!(refusal(true, &[raise(Some(round(0, 5)), round(0, 9))], &floor, NOW), None);
    }

    #[test]
    fn a_file_that_names_no_key_is_refused_if_its_floor_raises_one() {
        let near = raise(Some(round(0, 5)), round(0, 9));
        let error = refusal(false, std::slice::from_ref(&near), &Floor::default(), NOW).expect("it names none");
        assert!(error.starts_with("it names no key") && error.contains("--far"), "{error}");
        let already = Step { what: What::Already(near.to), ..near };
        assert_eq!(refusal(false, &[already], &Floor::default(), NOW), None);
        assert_eq!(refusal(false, &[], &Floor::default(), NOW), None);
    }
}
