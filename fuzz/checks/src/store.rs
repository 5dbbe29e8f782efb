//! What a trusted application finds in its store, were it any bytes at all.

use std::{collections::BTreeMap, sync::OnceLock};

use codec::{DecodeAll, Encode};
use holdfast_ta::{Command, Context, Error, KeyId, Reply, Scheme, Usage, MAX_PAGE};

use crate::{bytes::Bytes, platform::Platform};

const META: &[u8] = b"meta";
const COUNTER: &[u8] = b"measurements";
/// Objects beyond `meta` that are read from one input.
const MAX_OBJECTS: usize = 8;

/// A store with two keys, whose `meta`, cell and objects are what the bytes say in place of what they were. The first
/// byte says whether it is a development application's; one for production has been measured.
pub fn store(data: &[u8]) -> bool {
    let mut data = Bytes(data);
    let development = data.byte() & 1 != 0;
    let (mut platform, keys) = tampered_with(development, &mut data);
    let found = (platform.objects.clone(), platform.cell.clone());

    let usable = match platform.command(Command::Info) {
        Ok(Reply::Info(info)) => info.keys.is_some(),
        other => panic!("Info failed: {other:?}"),
    };
    let listed = match platform.command(Command::List { after: None, limit: MAX_PAGE }) {
        Ok(Reply::Keys { keys, more }) => {
            assert!(usable && !more);
            keys
        }
        Ok(other) => panic!("not a page: {other:?}"),
        Err(error) => {
            assert!(!usable && matches!(error, Error::NewerStore | Error::OtherStore | Error::Corrupt), "{error:?}");
            vec![]
        }
    };
    for id in &keys {
        let whole = listed.iter().any(|info| info.id == *id);
        let has = platform.command(Command::Has { id: id.clone() });
        assert_eq!(has == Ok(Reply::Has(true)), whole, "{has:?}");
        let (message, context) = ([&b"POP_"[..], &[1; 32]].concat(), Context::None);
        let sign = Command::Sign { id: id.clone(), message, context };
        assert_eq!(platform.command(sign).is_ok(), whole);
    }
    // Nothing has changed, but that an older store is this version's now, and an empty one has become one.
    assert_eq!(keys_of(&platform.objects), keys_of(&found.0));
    if !usable {
        assert_eq!((&platform.objects, &platform.cell), (&found.0, &found.1));
    }

    let found = (platform.objects.clone(), platform.cell.clone());
    let counted = number(found.0.get(COUNTER));
    match platform.command(Command::Measure { challenge: [1; 64], keys: vec![] }) {
        Ok(Reply::Measured(measured)) => {
            assert!(usable && !development);
            assert_eq!(Some(measured.counter), counted.and_then(|last| last.checked_add(1)));
            assert_eq!(number(platform.objects.get(COUNTER)), Some(measured.counter));
        }
        Ok(other) => panic!("not a measurement: {other:?}"),
        Err(error) => {
            let damaged = counted.is_none_or(|last| last == u64::MAX);
            assert!(!usable || development || damaged, "{error:?}");
            assert_eq!((&platform.objects, &platform.cell), (&found.0, &found.1));
        }
    }
    let found = (platform.objects.clone(), platform.cell.clone());

    // A key that is retired is gone, and a new one there, in a store that can be used; nothing happens in another.
    let mut expected = keys_of(&platform.objects);
    let retired = platform.command(Command::Retire { id: keys[0].clone() });
    if retired == Ok(Reply::Retired) {
        assert!(usable);
        expected.remove(&name_of(&keys[0]));
    }
    let generate = Command::Generate { scheme: Scheme::Ed25519, key_type: *b"gran", usage: Usage::Sign, seed: None };
    match platform.command(generate) {
        Ok(Reply::Generated(info)) => {
            assert!(usable);
            let after = keys_of(&platform.objects);
            let mut others = after.keys().filter(|name| !expected.contains_key(*name));
            assert_eq!((others.next(), others.next()), (Some(&name_of(&info.id)), None));
        }
        Ok(other) => panic!("not a key: {other:?}"),
        Err(error) => {
            assert!(!usable, "{error:?}");
            assert_eq!((&platform.objects, &platform.cell), (&found.0, &found.1));
        }
    }
    for (name, data) in &expected {
        assert_eq!(platform.objects.get(name), Some(data));
    }
    let before = platform.command(Command::Info);
    platform.restart();
    assert_eq!(platform.command(Command::Info), before);
    usable
}

fn name_of(id: &KeyId) -> Vec<u8> {
    (b'k', id).encode()
}

/// The number in the object of the counter: 0 without one, and none if it is damaged.
fn number(object: Option<&Vec<u8>>) -> Option<u64> {
    match object.map(|object| <(u8, u64)>::decode_all(&mut &object[..])) {
        None => Some(0),
        Some(Ok((1, last))) => Some(last),
        Some(_) => None,
    }
}

/// The objects that are neither `meta` nor watermarks.
fn keys_of(objects: &BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let others = objects.iter().filter(|(name, _)| *name != META && !name.starts_with(b"w"));
    others.map(|(name, data)| (name.clone(), data.clone())).collect()
}

/// For `meta`, the cell and each further object a byte says what becomes of it.
fn tampered_with(development: bool, data: &mut Bytes<'_>) -> (Platform, Vec<KeyId>) {
    static WHOLE: OnceLock<[(Platform, Vec<KeyId>); 2]> = OnceLock::new();
    let [production, of_development] = WHOLE.get_or_init(|| [false, true].map(whole));
    let (whole, keys) = if development { of_development } else { production };
    let mut platform = whole.copy();
    let names: Vec<Vec<u8>> = platform.objects.keys().cloned().collect();
    platform.cell = tampered(data, platform.cell.clone(), &platform.objects);
    let meta = tampered(data, platform.objects.remove(META), &whole.objects);
    platform.objects.extend(meta.map(|meta| (META.to_vec(), meta)));
    for _ in 0..MAX_OBJECTS {
        if data.is_empty() {
            break;
        }
        let name = match data.byte() % 4 {
            0 => data.short().iter().copied().take(64).collect(),
            // The name of a key that is another's, but for one byte.
            1 => {
                let mut name = data.choose(&names);
                let at = usize::from(data.byte()) % name.len();
                name[at] ^= data.byte();
                name
            }
            _ => data.choose(&names),
        };
        if name == META {
            continue;
        }
        match tampered(data, platform.objects.remove(&name), &whole.objects) {
            Some(object) => drop(platform.objects.insert(name, object)),
            None => drop(platform.objects.remove(&name)),
        }
    }
    (platform, keys.clone())
}

fn whole(development: bool) -> (Platform, Vec<KeyId>) {
    let mut platform = Platform::new(development);
    let ed25519 = if development { *b"test" } else { *b"gran" };
    let made = [(Scheme::Ed25519, ed25519), (Scheme::Sr25519, *b"aura")].map(|(scheme, key_type)| {
        match platform.command(Command::Generate { scheme, key_type, usage: Usage::Sign, seed: None }) {
            Ok(Reply::Generated(info)) => info.id,
            other => panic!("no key: {other:?}"),
        }
    });
    let measured = platform.command(Command::Measure { challenge: [0; 64], keys: made.to_vec() });
    assert_eq!(measured.is_ok(), !development);
    (platform, made.to_vec())
}

fn tampered(data: &mut Bytes<'_>, object: Option<Vec<u8>>, objects: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<Vec<u8>> {
    match data.byte() % 6 {
        0 => object,
        1 => None,
        2 => Some(data.short().to_vec()),
        3 => Some(data.long().to_vec()),
        // A bit of it is another.
        4 => object.map(|mut object| {
            let (at, bits) = (usize::from(data.byte()), data.byte());
            if let Some(byte) = object.get_mut(at) {
                *byte ^= bits;
            }
            object
        }),
        // Another one's in its place.
        _ => Some(data.choose(&objects.values().cloned().collect::<Vec<_>>())),
    }
}
