//! Reads the list of keys from the TEE, page by page, without trusting the daemon that hands it on.

use std::time::{Duration, Instant};

use holdfast_protocol::{
    client::{CallError, Client, Until},
    message::{Call, KeyInfo, Reply},
};

use log::Level;

use crate::{
    ask::PATIENCE,
    cache::{Cache, Replaced},
    scheme::public_length,
    shown::shown,
    status::{Next, Status},
    TARGET,
};

/// The most keys that are believed, so that a list without end takes no memory without end.
pub(crate) const MAX_KEYS: usize = 65_536;

/// Keys that somebody else made or retired are noticed within this time.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause after a list that could not be read.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Why a list could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The daemon did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It answered something else.
    #[error("the daemon answered something else than a list of keys")]
    Reply,
    /// A public key has so many bytes, and its scheme another number.
    #[error("the daemon listed a public key of {0} bytes")]
    Length(usize),
    /// Keys do not rise.
    #[error("the daemon listed keys out of order, so that the list would have no end")]
    Order,
    /// More than a keystore takes.
    #[error("the daemon listed more than {MAX_KEYS} keys: retire those that are no longer used")]
    TooMany,
}

/// Keeps the cache as the TEE's catalogue is, until the keystore is released: reads the list on every new connection,
/// and whenever the catalogue has changed.
pub(crate) fn keep_current(client: &Client, cache: &Cache, status: &Status) {
    let ask = |call| client.call(call, Until::Deadline(Instant::now() + PATIENCE));
    let mut catalogue = None;
    let mut held = 0;
    let mut failed = None;
    let mut pause = LOOK_EVERY;
    loop {
        match status.next(pause) {
            Next::End => return,
            Next::List => catalogue = None,
            Next::Look => {}
        }
        pause = match refresh(ask, cache, &mut catalogue) {
            Ok(replaced) => {
                if let Some(replaced) = replaced {
                    let (level, line) = news(held, replaced);
                    log::log!(target: TARGET, level, "{line}");
                    held = replaced.holds;
                }
                failed = None;
                status.listed(Ok(()));
                LOOK_EVERY
            }
            Err(ListError::Call(CallError::Closed)) => return,
            Err(error) => {
                let error = shown(error);
                let level = if failed.as_ref() == Some(&error) { Level::Debug } else { Level::Warn };
                log::log!(target: TARGET, level, "the list of keys could not be read: {error}; trying again");
                failed = Some(error.clone());
                status.listed(Err(error));
                AGAIN_AFTER
            }
        };
    }
}

/// What an operator is told of a listing, when the one before found `held` keys.
fn news(held: usize, replaced: Replaced) -> (Level, String) {
    let Replaced { held: before, gone, holds, .. } = replaced;
    if gone == 0 {
        let level = if holds > 0 && holds != held { Level::Info } else { Level::Debug };
        return (level, format!("the TEE holds {holds} keys"));
    }
    let missing = if before - gone == holds { String::new() } else { format!(", but {gone} are gone") };
    let line = format!("the TEE held {before} keys and holds {holds} now{missing}");
    (Level::Error, format!("{line}: is --store of the daemon the right one?"))
}

/// Reads the list if it is not the one of this catalogue. The catalogue is asked for first: what changes while the
/// list is read is noticed the next time. So is a key that was made here meanwhile, and perhaps retired by another.
fn refresh(
    mut ask: impl FnMut(Call) -> Result<Reply, CallError>,
    cache: &Cache,
    catalogue: &mut Option<u64>,
) -> Result<Option<Replaced>, ListError> {
    let Reply::Info(tee) = ask(Call::Info)? else { return Err(ListError::Reply) };
    if *catalogue == Some(tee.catalogue) {
        return Ok(None);
    }
    cache.begin();
    let replaced = cache.replace(read(ask)?.into_iter().map(|key| key.id).collect());
    *catalogue = (!replaced.unsure).then_some(tee.catalogue);
    Ok(Some(replaced))
}

/// Reads the whole list, in the order of [`KeyInfo::id`]. Every page must go on where the one before ended.
pub fn read(mut ask: impl FnMut(Call) -> Result<Reply, CallError>) -> Result<Vec<KeyInfo>, ListError> {
    let mut keys = Vec::<KeyInfo>::new();
    loop {
        let after = keys.last().map(|key| key.id.clone());
        let Reply::Keys { keys: page, more } = ask(Call::List { after })? else {
            return Err(ListError::Reply);
        };
        if more && page.is_empty() {
            return Err(ListError::Order);
        }
        for key in page {
            if key.id.public.len() != public_length(key.id.scheme) {
                return Err(ListError::Length(key.id.public.len()));
            }
            if keys.last().is_some_and(|last| last.id >= key.id) {
                return Err(ListError::Order);
            }
            if keys.len() == MAX_KEYS {
                return Err(ListError::TooMany);
            }
            keys.push(key);
        }
        if !more {
            return Ok(keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::message::{KeyId, Scheme, Usage};

    fn key(number: u32) -> KeyInfo {
        let mut public = vec![0; 32];
        public[..4].copy_from_slice(&number.to_be_bytes());
        KeyInfo { id: KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public }, usage: Usage::Sign, seeded: false }
    }

    fn page(numbers: impl IntoIterator<Item = u32>, more: bool) -> Reply {
        Reply::Keys { keys: numbers.into_iter().map(key).collect(), more }
    }

    #[test]
    fn a_thousand_keys_are_read_page_by_page_and_none_twice() {
        let mut asked = 0_u32;
        let keys = read(|call| {
            let Call::List { after } = call else { panic!("asked for something else") };
            assert_eq!(after, asked.checked_sub(1).map(|last| key(last).id));
            let from = asked;
            asked = (asked + 64).min(1000);
            Ok(page(from..asked, asked < 1000))
        });
        assert_eq!(keys.expect("a good list").len(), 1000);
    }

    #[test]
    fn a_key_that_was_made_and_retired_during_one_listing_is_gone_after_the_next() {
        let (cache, mut catalogue) = (Cache::default(), None);
        let info = Reply::Info(holdfast_protocol::message::TeeInfo {
            ta_version: 1,
            schema: 1,
            kind: "fake".into(),
            simulated: true,
            development: true,
            keys: Some(1),
            catalogue: 3,
            rollback_protected: false,
        });
        let mut list = |made: Option<u32>| {
            refresh(
                |call| match call {
                    Call::Info => Ok(info.clone()),
                    _ => {
                        made.into_iter().for_each(|made| cache.add(key(made).id));
                        Ok(page([1], false))
                    }
                },
                &cache,
                &mut catalogue,
            )
            .expect("a good list")
        };
        let counts = |replaced: Option<Replaced>| replaced.map(|replaced| (replaced.holds, replaced.gone));
        assert_eq!(counts(list(Some(2))), Some((2, 0)));
        // The catalogue is the same, and yet it is read again.
        assert_eq!(counts(list(None)), Some((1, 1)));
        assert_eq!(list(None), None);
    }

    #[test]
    fn keys_that_are_gone_are_an_error_and_the_count_is_told_when_it_changes() {
        let told = |last, held, gone, holds| news(last, Replaced { held, gone, holds, unsure: false });
        let right = "is --store of the daemon the right one?";
        assert_eq!(told(2, 2, 2, 0), (Level::Error, format!("the TEE held 2 keys and holds 0 now: {right}")));
        let line = format!("the TEE held 2 keys and holds 3 now, but 2 are gone: {right}");
        assert_eq!(told(2, 2, 2, 3), (Level::Error, line));
        assert_eq!(told(0, 0, 0, 2), (Level::Info, "the TEE holds 2 keys".into()));
        // One was made here, and the listing finds it.
        assert_eq!(told(2, 3, 0, 3).0, Level::Info);
        assert_eq!(told(2, 2, 0, 2).0, Level::Debug);
        assert_eq!(told(0, 0, 0, 0).0, Level::Debug);
    }

    // Rule 7: a bad byte is an error.
    #[test]
    fn rule_7_a_list_that_goes_round_in_circles_is_an_error() {
        assert!(matches!(read(|_| Ok(page([1, 2], true))), Err(ListError::Order)));
        assert!(matches!(read(|_| Ok(page([2, 1], false))), Err(ListError::Order)));
        assert!(matches!(read(|_| Ok(page([], true))), Err(ListError::Order)));
    }

    #[test]
    fn rule_7_a_list_without_end_is_an_error() {
        let mut next = 0;
        let endless = read(|_| {
            next += 64;
            Ok(page(next - 64..next, true))
        });
        assert!(matches!(endless, Err(ListError::TooMany)));
    }

    #[test]
    fn rule_7_keys_of_a_wrong_length_and_other_answers_are_errors() {
        let mut short = key(1);
        short.id.public.pop();
        let reply = Reply::Keys { keys: vec![short], more: false };
        assert!(matches!(read(|_| Ok(reply.clone())), Err(ListError::Length(31))));
        assert!(matches!(read(|_| Ok(Reply::Has(true))), Err(ListError::Reply)));
        assert!(matches!(read(|_| Err(CallError::Deadline)), Err(ListError::Call(CallError::Deadline))));
    }
}
