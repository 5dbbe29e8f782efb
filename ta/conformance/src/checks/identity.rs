//! What the application says of itself.

use holdfast_ta::{Command, Error, KeyId, Kind, Rule, Usage};

use crate::bench::{sign, Bench};
use crate::finding::{differs, equal, holds, Outcome};
use crate::material::{kinds, statement};

pub(super) fn says_what_it_is(bench: &mut Bench<'_>) -> Outcome {
    let info = bench.info()?;
    equal("whether it is a development one", bench.expect.development, info.development)?;
    holds("its version counts from 1", info.ta_version >= 1)?;
    holds("its store's schema counts from 1", info.schema >= 1)?;
    let keys = u32::try_from(bench.found().len()).ok();
    equal("the number of its keys", keys, info.keys)?;
    if info.kind == Kind::Software {
        // Whoever has its disk puts all of it back.
        holds("a software TEE claims no protection against a restored disk", !info.rollback_protected)?;
    }
    equal("Info again", info, bench.info()?)
}

pub(super) fn catalogue_changes(bench: &mut Bench<'_>) -> Outcome {
    let mut seen = vec![bench.info()?.catalogue];
    for (scheme, key_type, usage) in kinds(bench.expect) {
        let id = bench.generate(scheme, key_type, usage, None)?.id;
        let made = bench.info()?.catalogue;
        if seen.contains(&made) {
            return Err(differs("the catalogue number after a key was made", &"a new one", &made));
        }
        seen.push(made);

        let (message, context) = statement(&id, &mut bench.random);
        bench.sign(&id, &message, context.clone())?;
        bench.has(&id)?;
        let other = KeyId { key_type: *b"none", ..id.clone() };
        bench.refuses(sign(&other, &message, context), Error::NoSuchKey)?;
        bench.refuses(
            Command::Generate { scheme, key_type: *b"none", usage: Usage::Sign, seed: None },
            Error::Refused(Rule::UnknownKeyType),
        )?;
        equal("the catalogue number after what changes no key", made, bench.info()?.catalogue)?;
    }
    let before = bench.info()?;
    let id = bench.list(1)?.into_iter().map(|key| key.id).find(|id| !bench.found().contains(id));
    let Some(id) = id else { return Err(differs("the list", &"a key that was just made", &"none")) };
    bench.retire(&id)?;
    let after = bench.info()?;
    holds("the catalogue number changes when a key is retired", before.catalogue != after.catalogue)?;
    equal("the number of keys after one was retired", before.keys.and_then(|n| n.checked_sub(1)), after.keys)
}
