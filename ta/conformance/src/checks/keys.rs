//! Keys from their making to their end.

use std::collections::BTreeSet;

use codec::Encode;
use holdfast_ta::{Command, Context, Error, KeyId, KeyInfo, Origin, Rule, Scheme, MAX_PAGE};

use crate::bench::{sign, Bench};
use crate::finding::{equal, holds, Outcome};
use crate::material::{kinds, name, statement, verify, SCHEMES};

const THOUSAND: usize = 1_000;

pub(super) fn every_kind(bench: &mut Bench<'_>) -> Outcome {
    for (scheme, key_type, usage) in kinds(bench.expect) {
        let key = bench.generate(scheme, key_type, usage, None)?;
        let public = key.id.public.clone();
        let expected = KeyInfo { id: KeyId { scheme, key_type, public }, usage, origin: Origin::Generated };
        equal("a generated key", &expected, &key)?;
        equal(format!("the length of {}", name(&key.id)), length(scheme), key.id.public.len())?;

        let another = bench.generate(scheme, key_type, usage, None)?;
        holds("two generated keys differ", another.id != key.id)?;
        for key in [key, another] {
            holds(format!("{} is there", name(&key.id)), bench.has(&key.id)?)?;
            holds(format!("{} is listed as it was made", name(&key.id)), bench.list(MAX_PAGE)?.contains(&key))?;
            let (message, context) = statement(&key.id, &mut bench.random);
            let signature = bench.sign(&key.id, &message, context)?;
            verify(&key.id, &message, &signature)?;
        }
    }
    Ok(())
}

/// A thousand keys, or as many as there is room for: then the next one is refused, and those that are there go on.
pub(super) fn many(bench: &mut Bench<'_>) -> Outcome {
    let kinds = kinds(bench.expect);
    let room = (bench.info()?.capacity as usize).saturating_sub(bench.found().len());
    let many = room.min(THOUSAND);
    let mut expected: BTreeSet<Vec<u8>> = bench.found().iter().map(Encode::encode).collect();
    let mut missing = many;
    for (scheme, key_type, usage) in kinds.iter().cycle().copied() {
        if missing == 0 {
            break;
        }
        expected.insert(bench.generate(scheme, key_type, usage, None)?.id.encode());
        missing -= 1;
    }
    equal("how many different keys were made", bench.found().len() + many, expected.len())?;
    equal("the number of keys", u32::try_from(expected.len()).ok(), bench.info()?.keys)?;

    if let (true, Some((scheme, key_type, usage))) = (many == room, kinds.first().copied()) {
        bench.refuses(Command::Generate { scheme, key_type, usage, seed: None }, Error::Full)?;
    }

    // As a sorted list without duplicates: equal only if each is there, once, in order.
    let expected: Vec<Vec<u8>> = expected.into_iter().collect();
    for limit in [1, 7, MAX_PAGE - 1, MAX_PAGE, u16::MAX] {
        let listed: Vec<Vec<u8>> = bench.list(limit)?.iter().map(|key| key.id.encode()).collect();
        holds(format!("pages of {limit} list {} keys, each once, in order", expected.len()), listed == expected)?;
    }
    let (keys, more) = bench.page(None, 0)?;
    holds("a page of 0 is empty, and there are more", keys.is_empty() && more)
}

pub(super) fn retired_is_gone(bench: &mut Bench<'_>) -> Outcome {
    for (scheme, key_type, usage) in kinds(bench.expect) {
        let before = bench.generate(scheme, key_type, usage, None)?.id;
        let id = bench.generate(scheme, key_type, usage, None)?.id;
        let after = bench.generate(scheme, key_type, usage, None)?.id;
        bench.retire(&id)?;

        holds(format!("{} is gone", name(&id)), !bench.has(&id)?)?;
        refuses_all(bench, &id)?;
        let listed: Vec<KeyId> = bench.list(MAX_PAGE)?.into_iter().map(|key| key.id).collect();
        holds("the others stay", listed.contains(&before) && listed.contains(&after) && !listed.contains(&id))?;

        // A page goes on after a key that was retired since the page before.
        let expected: Vec<KeyId> = listed.into_iter().filter(|other| other.encode() > id.encode()).take(64).collect();
        let (page, _) = bench.page(Some(id), 64)?;
        equal("the page after a retired key", expected, page.into_iter().map(|key| key.id).collect())?;
    }
    Ok(())
}

pub(super) fn others_are_not_there(bench: &mut Bench<'_>) -> Outcome {
    for (scheme, key_type, usage) in kinds(bench.expect) {
        let id = bench.generate(scheme, key_type, usage, None)?.id;
        let mut others =
            vec![KeyId { key_type: *b"none", ..id.clone() }, KeyId { public: vec![0; length(scheme)], ..id.clone() }];
        let of_same_length = SCHEMES.into_iter().filter(|other| *other != scheme && length(*other) == length(scheme));
        others.extend(of_same_length.map(|scheme| KeyId { scheme, ..id.clone() }));
        for other in others {
            holds(format!("{} was never made", name(&other)), !bench.has(&other)?)?;
            refuses_all(bench, &other)?;
        }
        holds(format!("{} is still there", name(&id)), bench.has(&id)?)?;
    }
    Ok(())
}

/// Every command on a key that is not there says so.
fn refuses_all(bench: &mut Bench<'_>, id: &KeyId) -> Outcome {
    let (message, context) = statement(id, &mut bench.random);
    bench.refuses(sign(id, &message, context), Error::NoSuchKey)?;
    bench.refuses(sign(id, b"", Context::None), Error::NoSuchKey)?;
    bench.refuses(Command::Retire { id: id.clone() }, Error::NoSuchKey)?;
    let measure = Command::Measure { challenge: [1; 64], keys: vec![id.clone()] };
    if bench.expect.development {
        bench.refuses_by(measure, Rule::DevelopmentNotMeasured)?;
    } else {
        bench.refuses(measure, Error::NoSuchKey)?;
    }
    match id.scheme {
        Scheme::Sr25519 => {
            let input = super::vrf::some_input()?;
            bench.refuses(Command::VrfSign { id: id.clone(), input }, Error::NoSuchKey)?;
            bench.refuses(Command::VrfPreOutput { id: id.clone(), input }, Error::NoSuchKey)
        }
        Scheme::Ed25519 => Ok(()),
        Scheme::Ecdsa => bench.refuses(Command::SignPrehashed { id: id.clone(), hash: [1; 32] }, Error::NoSuchKey),
    }
}

fn length(scheme: Scheme) -> usize {
    match scheme {
        Scheme::Sr25519 | Scheme::Ed25519 => 32,
        Scheme::Ecdsa => 33,
    }
}
