//! Tells what is done for the first time from what is done again. What is had for nothing is no news, so that nobody
//! can fill a log of news with it.

use std::collections::HashMap;

use holdfast_protocol::message::{GrandpaRound, Position, Watermark};

use super::record::{Asked, What};

/// So much is remembered of a key. What it may sign again are three votes in each of eight rounds, one seal, and proofs
/// of its possession; for a key for tests there are a few kinds of lines.
const REMEMBERED: usize = 32;

/// Of each key what it did last, since the daemon's start. There are no more than the trusted application holds.
#[derive(Debug, Default)]
pub(crate) struct News(HashMap<([u8; 4], Vec<u8>), Past>);

#[derive(Debug, Default)]
struct Past {
    /// Raising the watermark so far changes nothing.
    floor: Option<(u64, u64)>,
    /// The oldest first.
    latest: Vec<What>,
}

impl News {
    /// These keys have come so far. Those that vote can still be kept from voting in the rounds just before.
    pub(crate) fn know(&mut self, watermarks: &[Watermark]) {
        for Watermark { id, highest } in watermarks {
            if let Position::Aura(_) = highest {
                self.0.entry((id.key_type, id.public.clone())).or_default().reach(Some(place(*highest)));
            }
        }
    }

    /// Whether what was done changes anything, or gives away something that was not given away before.
    pub(crate) fn is(&mut self, done: &Asked) -> bool {
        let key = (done.key_type, done.public.clone());
        if done.what == What::Retire {
            self.0.remove(&key);
            return true;
        }
        let past = self.0.entry(key).or_default();
        match &done.what {
            What::Raise(to) => return past.reach(Some(place(*to))),
            What::Seal { slot, .. } => {
                past.reach(Some((0, *slot)));
            }
            What::Vote(_) | What::Retire | What::Other(_) => {}
        }
        if past.latest.contains(&done.what) {
            return false;
        }
        if past.latest.len() == REMEMBERED {
            past.latest.remove(0);
        }
        past.latest.push(done.what.clone());
        true
    }
}

impl Past {
    /// Says whether it was not there before.
    fn reach(&mut self, place: Option<(u64, u64)>) -> bool {
        let higher = place > self.floor;
        self.floor = self.floor.max(place);
        higher
    }
}

/// Positions of one kind in their order.
fn place(position: Position) -> (u64, u64) {
    match position {
        Position::Grandpa(GrandpaRound { set_id, round }) => (set_id, round),
        Position::Aura(slot) => (0, slot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::message::{Call, Context, KeyId, Scheme};

    fn key(number: u8) -> KeyId {
        KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![number; 32] }
    }

    fn asked(call: &Call) -> Asked {
        Asked::of(call).expect("written down")
    }

    fn sign(key: KeyId, message: &[u8]) -> Asked {
        asked(&Call::Sign { key, message: message.into(), context: Context::None })
    }

    fn vote(round: u64, stage: u8, target: u8) -> Asked {
        let message = [&[stage][..], &[target; 32], &[0; 4], &round.to_le_bytes(), &[0; 8]].concat();
        sign(key(1), &message)
    }

    fn raise(round: u64) -> Asked {
        let to = Position::Grandpa(GrandpaRound { set_id: 0, round });
        asked(&Call::RaiseWatermark { key: key(1), to })
    }

    #[test]
    fn what_is_signed_again_is_no_news_and_another_statement_is_even_where_the_policy_would_have_failed() {
        let mut news = News::default();
        // All that a key signs again.
        let votes = || (1..=8).flat_map(|round| (0..3).map(move |stage| vote(round, stage, 1)));
        let proof = sign(key(1), &[&b"POP_"[..], &[0; 32]].concat());
        assert!(votes().all(|vote| news.is(&vote)) && news.is(&proof));
        for _ in 0..20 {
            assert!(votes().all(|vote| !news.is(&vote)) && !news.is(&proof));
        }
        // An equivocation, and a vote in a round before them.
        assert!(news.is(&vote(5, 1, 2)) && news.is(&vote(0, 1, 1)));
        let other = sign(key(2), &[&b"POP_"[..], &[0; 32]].concat());
        assert!(news.is(&other), "that of another key");
    }

    #[test]
    fn that_a_watermark_was_raised_is_news_only_if_nothing_had_brought_it_so_far() {
        let mut news = News::default();
        assert!(news.is(&raise(3)) && !news.is(&raise(3)) && !news.is(&raise(2)));
        assert!(news.is(&vote(7, 0, 1)), "which leaves votes in the rounds before it");
        news.know(&[Watermark { id: key(1), highest: Position::Grandpa(GrandpaRound { set_id: 0, round: 7 }) }]);
        assert!(news.is(&raise(6)) && news.is(&raise(8)) && !news.is(&raise(7)));

        let aura = KeyId { key_type: *b"aura", ..key(1) };
        let raise = |slot| asked(&Call::RaiseWatermark { key: aura.clone(), to: Position::Aura(slot) });
        news.know(&[Watermark { id: aura.clone(), highest: Position::Aura(5) }]);
        assert!(!news.is(&raise(5)) && news.is(&raise(6)));
        let header = [&[1; 32][..], &[4], &[2; 64], &[4], b"\x06aura\x20", &9u64.to_le_bytes()].concat();
        let context = Context::Header(header);
        let seal = asked(&Call::Sign { key: aura.clone(), message: vec![8; 32], context });
        assert!(news.is(&seal) && !news.is(&seal) && !news.is(&raise(9)) && news.is(&raise(10)));
    }

    #[test]
    fn that_a_key_is_retired_is_news_and_nothing_of_it_is_remembered() {
        let mut news = News::default();
        assert!(news.is(&raise(3)) && news.is(&asked(&Call::Retire(key(1)))));
        assert!(news.0.is_empty());
    }
}
