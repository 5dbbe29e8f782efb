//! Every rule of the signing policy, met from outside.

use holdfast_ta::{BadRequest, Command, Context, Error, KeyId, Rule, Scheme, Usage};
use sp_crypto_hashing::blake2_256;

use super::{seeds, vrf};
use crate::bench::{generate, sign, Bench};
use crate::finding::{equal, equal_bytes, holds, Finding, Outcome};
use crate::material::{
    kinds, possession, statement, target, verify, vote, vote_for, Header, Item, AURA, GRAN, SCHEMES, TEST,
};

const NEEDS_HEADER: Error = Error::Refused(Rule::AuraNeedsHeader);
const HEADER_MISMATCH: Error = Error::Refused(Rule::AuraHeaderMismatch);
const MALFORMED_VOTE: Error = Error::Refused(Rule::GrandpaMalformedVote);
const MALFORMED_POSSESSION: Error = Error::Refused(Rule::MalformedProofOfPossession);

/// A development application takes seeds and makes keys of type `test`, which sign anything; any other refuses both.
pub(super) fn development_only(bench: &mut Bench<'_>) -> Outcome {
    if bench.expect.development {
        for scheme in SCHEMES {
            let id = bench.generate(scheme, TEST, Usage::Sign, None)?.id;
            for message in [possession(&[1; 28]), bench.random.bytes(53), vec![0; 20_000]] {
                let signature = bench.sign(&id, &message, Context::None)?;
                verify(&id, &message, &signature)?;
            }
            bench.generate(scheme, TEST, Usage::Sign, Some(&[7; 32]))?;
        }
        return Ok(());
    }
    let before = bench.info()?;
    for scheme in SCHEMES {
        bench.refuses_by(generate(scheme, TEST, Usage::Sign, None), Rule::DevelopmentOnly)?;
        bench.refuses_by(generate(scheme, TEST, Usage::Sign, Some(&[7; 32])), Rule::DevelopmentOnly)?;
    }
    bench.refuses_by(generate(Scheme::Sr25519, TEST, Usage::SignAndVrf, None), Rule::DevelopmentOnly)?;
    for secret in seeds::secrets(bench) {
        for (scheme, key_type, usage) in kinds(bench.expect) {
            bench.refuses_by(generate(scheme, key_type, usage, Some(&secret)), Rule::DevelopmentOnly)?;
        }
    }
    equal("Info after refusals", before, bench.info()?)
}

pub(super) fn unknown_key_type(bench: &mut Bench<'_>) -> Outcome {
    let unknown = [*b"babe", *b"imon", *b"audi", *b"acco", *b"Aura", *b"AURA", *b"tesu", [0; 4], [0xff; 4]];
    let of_another_scheme = SCHEMES.into_iter().flat_map(|scheme| [(scheme, AURA), (scheme, GRAN)]);
    let pairs = SCHEMES
        .into_iter()
        .flat_map(|scheme| unknown.map(|key_type| (scheme, key_type)))
        .chain(of_another_scheme.filter(|pair| *pair != (Scheme::Sr25519, AURA) && *pair != (Scheme::Ed25519, GRAN)));
    for (scheme, key_type) in pairs {
        bench.refuses_by(generate(scheme, key_type, Usage::Sign, None), Rule::UnknownKeyType)?;
    }
    Ok(())
}

pub(super) fn aura_needs_header(bench: &mut Bench<'_>) -> Outcome {
    let id = aura(bench)?;
    let header = Header::with_slot(&mut bench.random, 7).encode();
    let vote = vote(&mut bench.random, 0);
    for message in [vec![], vec![1; 31], blake2_256(&header).to_vec(), vec![1; 33], vote, vec![0; 20_000]] {
        bench.refuses_by(sign(&id, &message, Context::None), Rule::AuraNeedsHeader)?;
    }
    // A header helps nothing that is not a hash, not even itself.
    for message in [&[][..], &[1; 31], &[1; 33], &header] {
        let command = sign(&id, message, Context::Header(header.clone()));
        bench.refuses_as_one_of(command, &[NEEDS_HEADER, HEADER_MISMATCH])?;
    }
    Ok(())
}

pub(super) fn aura_header_mismatch(bench: &mut Bench<'_>) -> Outcome {
    let id = aura(bench)?;
    let header = Header::with_slot(&mut bench.random, 7).encode();
    let hash = blake2_256(&header);
    for at in 0..hash.len() {
        let mut other = hash;
        other[at] ^= 1;
        bench.refuses_by(sign(&id, &other, Context::Header(header.clone())), Rule::AuraHeaderMismatch)?;
    }
    for at in 0..header.len() {
        let mut other = header.clone();
        other[at] ^= 1;
        bench.refuses_by(sign(&id, &hash, Context::Header(other)), Rule::AuraHeaderMismatch)?;
    }
    bench.refuses_by(sign(&id, &hash, Context::Header(vec![])), Rule::AuraHeaderMismatch)
}

pub(super) fn aura_malformed_header(bench: &mut Bench<'_>) -> Outcome {
    let id = aura(bench)?;
    let good = Header::with_slot(&mut bench.random, 7);
    let with = |digest: Vec<Item>| Header { digest, ..good.clone() }.encode();
    let seal = Item::Seal(AURA, vec![1; 64]);
    let mut malformed = vec![
        with(vec![]),
        with(vec![Item::slot(7), Item::slot(8)]),
        with(vec![Item::slot(7), seal.clone()]),
        with(vec![seal]),
        with(vec![Item::Consensus(AURA, vec![7, 0, 0, 0, 0, 0, 0, 0])]),
        with(vec![Item::PreRuntime(*b"BABE", vec![7, 0, 0, 0, 0, 0, 0, 0])]),
        with(vec![Item::PreRuntime(AURA, vec![])]),
        with(vec![Item::PreRuntime(AURA, vec![7; 7])]),
        with(vec![Item::PreRuntime(AURA, vec![7; 9])]),
        [good.encode(), vec![0]].concat(),
        // sc-consensus-aura takes the slot of the genesis header to be 0, whatever its digest says.
        Header { number: 0, ..good.clone() }.encode(),
        bench.random.bytes(200),
    ];
    let whole = good.encode();
    malformed.extend((0..whole.len()).map(|end| whole[..end].to_vec()));
    for header in malformed {
        let hash = blake2_256(&header);
        bench.refuses_by(sign(&id, &hash, Context::Header(header)), Rule::AuraMalformedHeader)?;
    }
    Ok(())
}

pub(super) fn aura_seals(bench: &mut Bench<'_>) -> Outcome {
    let id = aura(bench)?;
    let [first, second, third, ..] = [(); 3].map(|()| Header::next(&mut bench.random));
    let mut next = || Item::slot(bench.random.slot());
    let with = |digest: Vec<Item>| Header { digest, ..first.clone() };
    let large = Item::Consensus(*b"FRNK", vec![7; 24 * 1024]);
    let headers = [
        first.clone(),
        Header { number: 1, ..second },
        Header { number: u32::MAX, ..third },
        with(vec![Item::Other(vec![1; 10]), next(), Item::RuntimeEnvironmentUpdated]),
        with(vec![Item::PreRuntime(*b"BABE", vec![1; 40]), next(), Item::Consensus(AURA, vec![1; 40])]),
        with(vec![next(), large]),
    ];
    for header in headers {
        let header = header.encode();
        let hash = blake2_256(&header);
        let signature = bench.sign(&id, &hash, Context::Header(header))?;
        verify(&id, &hash, &signature)?;
    }
    Ok(())
}

pub(super) fn grandpa_malformed_vote(bench: &mut Bench<'_>) -> Outcome {
    let id = gran(bench)?;
    let vote = vote(&mut bench.random, 0);
    let mut malformed: Vec<Vec<u8>> = (0..vote.len()).map(|end| vote[..end].to_vec()).collect();
    malformed.extend([[vote.as_slice(), &[0]].concat(), vec![0; 20_000]]);
    malformed.extend((3..=u8::MAX).map(|stage| [&[stage], &vote[1..]].concat()));
    for message in malformed {
        bench.refuses_by(sign(&id, &message, Context::None), Rule::GrandpaMalformedVote)?;
    }
    // A header that would let an aura key sign lets no gran key.
    let header = Header::with_slot(&mut bench.random, 7).encode();
    bench.refuses_by(sign(&id, &blake2_256(&header), Context::Header(header)), Rule::GrandpaMalformedVote)
}

pub(super) fn grandpa_votes(bench: &mut Bench<'_>) -> Outcome {
    let id = gran(bench)?;
    for stage in 0..3 {
        for target in [target(&mut bench.random), ([0; 32], 0), ([0xff; 32], u32::MAX)] {
            let vote = vote_for(bench.random.round(), stage, target);
            let signature = bench.sign(&id, &vote, Context::None)?;
            verify(&id, &vote, &signature)?;
            // A node that starts again sends its votes again and relies on that.
            equal_bytes("the same vote signed again", &signature, &bench.sign(&id, &vote, Context::None)?)?;
        }
    }
    Ok(())
}

pub(super) fn malformed_possession(bench: &mut Bench<'_>) -> Outcome {
    let of_nobody = possession(&[]);
    for (id, either) in [(aura(bench)?, [NEEDS_HEADER, HEADER_MISMATCH]), (gran(bench)?, [MALFORMED_VOTE; 2])] {
        let owner = bench.random.block();
        for proof in [possession(&owner), possession(&[0; 32])] {
            let signature = bench.sign(&id, &proof, Context::None)?;
            verify(&id, &proof, &signature)?;
        }
        if bench.expect.development {
            let signature = bench.sign(&id, &of_nobody, Context::None)?;
            verify(&id, &of_nobody, &signature)?;
        } else {
            bench.refuses(sign(&id, &of_nobody, Context::None), MALFORMED_POSSESSION)?;
        }

        let header = Header::with_slot(&mut bench.random, 7).encode();
        for length in (1..=100).filter(|length| *length != 32) {
            let command = |context| sign(&id, &possession(&vec![1; length]), context);
            // Two rules forbid it where the length is that of a hash or of a vote.
            if length + 4 == 32 || length + 4 == 53 {
                let rules = [MALFORMED_POSSESSION, either[0], either[1]];
                bench.refuses_as_one_of(command(Context::None), &rules)?;
                bench.refuses_as_one_of(command(Context::Header(header.clone())), &rules)?;
            } else {
                bench.refuses(command(Context::None), MALFORMED_POSSESSION)?;
                bench.refuses(command(Context::Header(header.clone())), MALFORMED_POSSESSION)?;
            }
        }
    }
    Ok(())
}

pub(super) fn vrf_not_allowed(bench: &mut Bench<'_>) -> Outcome {
    bench.refuses_by(generate(Scheme::Sr25519, AURA, Usage::SignAndVrf, None), Rule::VrfNotAllowed)?;
    let mut ids = vec![aura(bench)?];
    if bench.expect.development {
        ids.push(bench.generate(Scheme::Sr25519, TEST, Usage::Sign, None)?.id);
    }
    for id in ids {
        let input = vrf::input(&id.public, b"data")?;
        bench.refuses_by(Command::VrfSign { id: id.clone(), input }, Rule::VrfNotAllowed)?;
        bench.refuses_by(Command::VrfPreOutput { id, input }, Rule::VrfNotAllowed)?;
    }
    Ok(())
}

/// A hash shows nothing that could be judged. The types that restrict their messages have no ecdsa keys, so their keys
/// are refused for their scheme before the rule is asked.
pub(super) fn prehashed_not_allowed(bench: &mut Bench<'_>) -> Outcome {
    for (scheme, key_type, usage) in kinds(bench.expect) {
        let id = bench.generate(scheme, key_type, usage, None)?.id;
        let hash = bench.random.block();
        let command = Command::SignPrehashed { id: id.clone(), hash };
        if key_type == TEST && scheme == Scheme::Ecdsa {
            holds("a test key signs a hash", bench.sign_prehashed(&id, hash)?.len() == 65)?;
        } else if scheme == Scheme::Ecdsa {
            bench.refuses_by(command, Rule::PrehashedNotAllowed)?;
        } else {
            bench.refuses(command, Error::BadRequest(BadRequest::WrongScheme))?;
        }
        // Nor does a session key sign the hash of what it would sign, as if it were the message.
        let (message, context) = statement(&id, &mut bench.random);
        if key_type == GRAN {
            bench.refuses(sign(&id, &blake2_256(&message), context), MALFORMED_VOTE)?;
        }
    }
    Ok(())
}

pub(super) fn aura(bench: &mut Bench<'_>) -> Result<KeyId, Finding> {
    Ok(bench.generate(Scheme::Sr25519, AURA, Usage::Sign, None)?.id)
}

pub(super) fn gran(bench: &mut Bench<'_>) -> Result<KeyId, Finding> {
    Ok(bench.generate(Scheme::Ed25519, GRAN, Usage::Sign, None)?.id)
}
