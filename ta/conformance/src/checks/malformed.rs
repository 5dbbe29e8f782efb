//! Rule 7: bytes that are no request, or make no sense, are errors that change nothing.

use codec::{Compact, DecodeAll, Encode};
use holdfast_ta::{BadRequest, Command, Context, Error, KeyId, Position, Request, Scheme, Usage, MAX_REQUEST};

use super::vrf;
use crate::bench::{generate, sign, Bench};
use crate::finding::{differs, equal, hex, Finding, Outcome};
use crate::material::{kinds, statement, AURA, GRAN};

/// So many commands there are.
const COMMANDS: u8 = 13;
const RANDOM_REQUESTS: usize = 500;
const ALTERED_REQUESTS: usize = 1_000;
/// As many altered requests to be measured are sent that differ from a valid one by their challenge alone: each is
/// granted, and an RSA signature and a counter that is stored take the better part of a second in a secure world.
const OTHER_CHALLENGES: usize = 10;

pub(super) fn truncated(bench: &mut Bench<'_>) -> Outcome {
    changes_nothing(bench, |bench, requests| {
        for request in requests {
            for end in 0..request.len() {
                malformed(bench, &request[..end])?;
            }
        }
        Ok(())
    })
}

pub(super) fn trailing(bench: &mut Bench<'_>) -> Outcome {
    changes_nothing(bench, |bench, requests| {
        for request in requests {
            for extra in [&[0][..], &[1], &[0xff], request, &[0; 1_000]] {
                malformed(bench, &[request.as_slice(), extra].concat())?;
            }
        }
        Ok(())
    })
}

pub(super) fn too_long(bench: &mut Bench<'_>) -> Outcome {
    changes_nothing(bench, |bench, requests| {
        for length in [MAX_REQUEST + 1, MAX_REQUEST + 2, 1 << 20] {
            let zeros = vec![0; length];
            refused(bench, &zeros, BadRequest::TooLong)?;
            for request in requests {
                let mut long = request.clone();
                long.resize(length, 0);
                refused(bench, &long, BadRequest::TooLong)?;
            }
        }
        Ok(())
    })?;

    let id = bench.generate(Scheme::Ed25519, GRAN, Usage::Sign, None)?.id;
    let of = |length| Request::V1(sign(&id, &vec![0; length], Context::None)).encode();
    let overhead = of(MAX_REQUEST).len() - MAX_REQUEST;
    let longest = of(MAX_REQUEST - overhead);
    equal("the length of the longest request", MAX_REQUEST, longest.len())?;
    match bench.send(&longest, "the longest request")? {
        Err(Error::Refused(_)) => Ok(()),
        other => Err(differs("the longest request", &"refused by the policy", &other)),
    }
}

/// Allocating what such a length names would end the application.
pub(super) fn false_lengths(bench: &mut Bench<'_>) -> Outcome {
    changes_nothing(bench, |bench, _| {
        let scheme = Scheme::Ed25519;
        for length in [100, 0x3fff, 0x4000, 0x3fff_ffff, 0x4000_0000, u32::MAX] {
            let promised = Compact(length).encode();
            let id = |public: &[u8]| (scheme, GRAN, public.to_vec()).encode();
            let requests = [
                // A seed, a public key, a message, a header, keys to measure with.
                [&[1, 1][..], &(scheme, GRAN, Usage::Sign).encode(), &[1], &promised].concat(),
                [&[1, 3][..], &(scheme, GRAN).encode(), &promised].concat(),
                [&[1, 4][..], &id(&[0; 32]), &promised].concat(),
                [&[1, 4][..], &id(&[0; 32]), &[0; 1], &[1], &promised].concat(),
                [&[1, 9][..], &[0; 64], &promised].concat(),
            ];
            for request in requests {
                malformed(bench, &request)?;
                malformed(bench, &[request, vec![0; 99]].concat())?;
            }
        }
        Ok(())
    })
}

pub(super) fn unknown_variants(bench: &mut Bench<'_>) -> Outcome {
    changes_nothing(bench, |bench, requests| {
        for version in (0..=u8::MAX).filter(|version| *version != 1) {
            malformed(bench, &[version, 0])?;
        }
        for command in COMMANDS..=u8::MAX {
            malformed(bench, &[1, command])?;
        }
        // The bytes of a request are none of another version or command.
        for request in requests {
            for version in [0, 2, 0x7f, 0x80, u8::MAX] {
                malformed(bench, &[&[version], &request[1..]].concat())?;
            }
            for command in [COMMANDS, 0x7f, 0x80, u8::MAX] {
                malformed(bench, &[&[request[0], command], &request[2..]].concat())?;
            }
        }
        for scheme in 3..=u8::MAX {
            malformed(bench, &[&[1, 1, scheme][..], &GRAN, &[0, 0]].concat())?;
            malformed(bench, &[&[1, 3, scheme][..], &GRAN, &vec![0u8; 32].encode()].concat())?;
        }
        for usage in 2..=u8::MAX {
            malformed(bench, &[&[1, 1, 1][..], &GRAN, &[usage, 0]].concat())?;
        }
        Ok(())
    })
}

pub(super) fn random(bench: &mut Bench<'_>) -> Outcome {
    changes_nothing(bench, |bench, requests| {
        for _ in 0..RANDOM_REQUESTS {
            let length = bench.random.below(300);
            let request = bench.random.bytes(length);
            answered(bench, &request)?;
        }
        let mut other_challenges = 0;
        for _ in 0..ALTERED_REQUESTS {
            let valid = &requests[bench.random.below(requests.len())];
            let mut request = valid.clone();
            for _ in 0..=bench.random.below(3) {
                let at = bench.random.below(request.len());
                request[at] = bench.random.block()[0];
            }
            if named_in_measure(&request).is_some_and(|keys| named_in_measure(valid) == Some(keys)) {
                other_challenges += 1;
                if other_challenges > OTHER_CHALLENGES {
                    continue;
                }
            }
            answered(bench, &request)?;
        }
        Ok(())
    })
}

pub(super) fn wrong_keys(bench: &mut Bench<'_>) -> Outcome {
    let bad_key = Error::BadRequest(BadRequest::BadKey);
    let wrong_scheme = Error::BadRequest(BadRequest::WrongScheme);
    for (scheme, key_type, usage) in kinds(bench.expect) {
        let id = bench.generate(scheme, key_type, usage, None)?.id;
        let right = id.public.len();
        for length in (0..100).chain([1_000, 30_000]).filter(|length| *length != right) {
            let mut public = id.public.clone();
            public.resize(length, 0);
            let id = KeyId { public, ..id.clone() };
            bench.refuses(Command::Has { id: id.clone() }, bad_key)?;
            bench.refuses(Command::Retire { id: id.clone() }, bad_key)?;
            bench.refuses(Command::List { after: Some(id.clone()), limit: 1 }, bad_key)?;
            bench.refuses(sign(&id, b"", Context::None), bad_key)?;
            bench.refuses(Command::Measure { challenge: [7; 64], keys: vec![id] }, bad_key)?;
        }
        if scheme != Scheme::Sr25519 {
            bench.refuses(Command::VrfSign { id: id.clone(), input: [1; 32] }, wrong_scheme)?;
            bench.refuses(Command::VrfPreOutput { id: id.clone(), input: [1; 32] }, wrong_scheme)?;
            bench.refuses(generate(scheme, key_type, Usage::SignAndVrf, None), wrong_scheme)?;
        }
        if scheme != Scheme::Ecdsa {
            bench.refuses(Command::SignPrehashed { id, hash: [1; 32] }, wrong_scheme)?;
        }
    }
    Ok(())
}

/// Runs a check with valid requests of every command to spoil, and has the application be as before it afterwards.
fn changes_nothing(bench: &mut Bench<'_>, check: impl FnOnce(&mut Bench<'_>, &[Vec<u8>]) -> Outcome) -> Outcome {
    let requests = valid_requests(bench)?;
    let before = bench.info()?;
    let keys = bench.list(64)?;
    check(bench, &requests)?;
    equal("Info after malformed requests", before, bench.info()?)?;
    equal("the keys after malformed requests", keys, bench.list(64)?)
}

/// At least one of each command, naming keys that exist.
fn valid_requests(bench: &mut Bench<'_>) -> Result<Vec<Vec<u8>>, Finding> {
    let aura = bench.generate(Scheme::Sr25519, AURA, Usage::Sign, None)?.id;
    let gran = bench.generate(Scheme::Ed25519, GRAN, Usage::Sign, None)?.id;
    let (hash, header) = statement(&aura, &mut bench.random);
    let (vote, none) = statement(&gran, &mut bench.random);
    let input = vrf::input(&aura.public, b"data")?;
    let ecdsa = KeyId { scheme: Scheme::Ecdsa, key_type: *b"test", public: vec![2; 33] };
    let commands = [
        Command::Info,
        generate(Scheme::Sr25519, AURA, Usage::Sign, None),
        generate(Scheme::Ecdsa, *b"test", Usage::Sign, Some(&[7; 32])),
        Command::List { after: None, limit: 64 },
        Command::List { after: Some(aura.clone()), limit: 64 },
        Command::Has { id: gran.clone() },
        sign(&aura, &hash, header),
        sign(&gran, &vote, none),
        Command::SignPrehashed { id: ecdsa, hash: [7; 32] },
        Command::VrfSign { id: aura.clone(), input },
        Command::VrfPreOutput { id: aura.clone(), input },
        Command::Measure { challenge: [7; 64], keys: vec![] },
        Command::Measure { challenge: [7; 64], keys: vec![aura.clone(), gran.clone()] },
        Command::Watermarks { after: Some(aura.clone()), limit: 64 },
        Command::RaiseWatermark { id: aura, to: Position::Aura(bench.random.slot()) },
        Command::RaiseWatermark { id: gran.clone(), to: Position::Grandpa(bench.random.round()) },
        Command::Close,
        Command::Retire { id: gran },
    ];
    Ok(commands.map(|command| Request::V1(command).encode()).into())
}

fn malformed(bench: &mut Bench<'_>, request: &[u8]) -> Outcome {
    refused(bench, request, BadRequest::Malformed)
}

fn refused(bench: &mut Bench<'_>, request: &[u8], wanted: BadRequest) -> Outcome {
    let shown = format!("{} bytes 0x{}", request.len(), hex(&request[..request.len().min(100)]));
    match bench.send(request, &shown)? {
        Err(Error::BadRequest(why)) if why == wanted => Ok(()),
        other => Err(differs(shown, &wanted, &other)),
    }
}

/// The keys that a request to be measured names.
fn named_in_measure(request: &[u8]) -> Option<Vec<KeyId>> {
    match Request::decode_all(&mut &*request) {
        Ok(Request::V1(Command::Measure { keys, .. })) => Some(keys),
        _ => None,
    }
}

/// Malformed if it is no request, else answered in any way. What would make or retire a key is not sent, nor what could
/// take one to a position far ahead.
fn answered(bench: &mut Bench<'_>, request: &[u8]) -> Outcome {
    match Request::decode_all(&mut &*request) {
        Ok(Request::V1(Command::Generate { .. } | Command::Retire { .. })) => Ok(()),
        Ok(Request::V1(Command::Sign { .. } | Command::RaiseWatermark { .. })) => Ok(()),
        Ok(_) => bench.send(request, &hex(request)).map(|_| ()),
        Err(_) => malformed(bench, request),
    }
}
