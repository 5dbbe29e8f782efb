//! Rule 5: a key states one thing for each slot, and for each stage of a round.

use holdfast_ta::{BadRequest, Command, Context, Error, GrandpaRound, KeyId, Position, Rule};
use sp_crypto_hashing::blake2_256;

use super::policy::{aura, gran};
use crate::bench::{sign, Bench};
use crate::finding::{equal, equal_bytes, holds, Finding, Outcome};
use crate::material::{kinds, target, verify, vote_for, Header, TEST};

/// More rounds than any application remembers.
const MANY_ROUNDS: u64 = 20;

pub(super) fn double_vote(bench: &mut Bench<'_>) -> Outcome {
    let id = gran(bench)?;
    let at = bench.random.round();
    let (one, two) = (target(&mut bench.random), target(&mut bench.random));
    for stage in 0..3 {
        let first = bench.sign(&id, &vote_for(at, stage, one), Context::None)?;
        for other in [two, (one.0, one.1 ^ 1), (two.0, one.1)] {
            bench.refuses_by(sign(&id, &vote_for(at, stage, other), Context::None), Rule::GrandpaDoubleVote)?;
        }
        let again = bench.sign(&id, &vote_for(at, stage, one), Context::None)?;
        equal_bytes("the same vote after another was refused", &first, &again)?;
    }
    // Another key has votes of its own.
    let other = gran(bench)?;
    bench.sign(&other, &vote_for(at, 0, two), Context::None).map(drop)
}

pub(super) fn old_round(bench: &mut Bench<'_>) -> Outcome {
    let id = gran(bench)?;
    let one = target(&mut bench.random);
    let first = bench.random.round();
    let mut last = first;
    bench.sign(&id, &vote_for(first, 0, one), Context::None)?;
    for _ in 0..MANY_ROUNDS {
        last = bench.random.round();
        bench.sign(&id, &vote_for(last, 0, one), Context::None)?;
    }
    for stage in 0..3 {
        bench.refuses_by(sign(&id, &vote_for(first, stage, one), Context::None), Rule::GrandpaOldRound)?;
    }
    let before = GrandpaRound { round: last.round - 1, ..last };
    for round in [before, last] {
        bench.sign(&id, &vote_for(round, 0, one), Context::None)?;
    }
    Ok(())
}

pub(super) fn double_seal(bench: &mut Bench<'_>) -> Outcome {
    let id = aura(bench)?;
    let slot = bench.random.slot();
    let [one, two] = [(); 2].map(|()| Header::with_slot(&mut bench.random, slot).encode());
    let first = seal(bench, &id, &one)?;
    verify(&id, &blake2_256(&one), &first)?;
    bench.refuses_by(sign(&id, &blake2_256(&two), Context::Header(two.clone())), Rule::AuraDoubleSeal)?;
    equal_bytes("the seal of the same header", &first, &seal(bench, &id, &one)?)?;
    let other = aura(bench)?;
    seal(bench, &other, &two).map(drop)
}

pub(super) fn old_slot(bench: &mut Bench<'_>) -> Outcome {
    let id = aura(bench)?;
    let [before, after] = [(); 2].map(|()| Header::next(&mut bench.random).encode());
    seal(bench, &id, &after)?;
    bench.refuses_by(sign(&id, &blake2_256(&before), Context::Header(before)), Rule::AuraOldSlot)
}

/// A retired key leaves its position to all others.
pub(super) fn below_ceiling(bench: &mut Bench<'_>) -> Outcome {
    let (old_gran, old_aura) = (gran(bench)?, aura(bench)?);
    let (at, one) = (bench.random.round(), target(&mut bench.random));
    let header = Header::next(&mut bench.random).encode();
    bench.sign(&old_gran, &vote_for(at, 0, one), Context::None)?;
    seal(bench, &old_aura, &header)?;
    for id in [&old_gran, &old_aura] {
        bench.retire(id)?;
    }
    let (new_gran, new_aura) = (gran(bench)?, aura(bench)?);
    bench.refuses_by(sign(&new_gran, &vote_for(at, 0, one), Context::None), Rule::BelowCeiling)?;
    bench.refuses_by(sign(&new_aura, &blake2_256(&header), Context::Header(header)), Rule::BelowCeiling)?;
    let at = bench.random.round();
    bench.sign(&new_gran, &vote_for(at, 0, one), Context::None)?;
    let header = Header::next(&mut bench.random).encode();
    seal(bench, &new_aura, &header).map(drop)
}

pub(super) fn raised(bench: &mut Bench<'_>) -> Outcome {
    let (gran, aura) = (gran(bench)?, aura(bench)?);
    let told = |bench: &mut Bench<'_>, id: &KeyId| -> Result<Option<Position>, Finding> {
        let (_, watermarks) = bench.watermarks()?;
        Ok(watermarks.into_iter().find(|watermark| watermark.id == *id).map(|watermark| watermark.highest))
    };
    equal("the watermark of a new key", None, told(bench, &gran)?)?;

    let (low, high) = (bench.random.round(), bench.random.round());
    for to in [high, low, high] {
        bench.raise(&gran, Position::Grandpa(to))?;
        equal("a raised watermark", Some(Position::Grandpa(high)), told(bench, &gran)?)?;
    }
    let one = target(&mut bench.random);
    for round in [low, high] {
        bench.refuses_by(sign(&gran, &vote_for(round, 0, one), Context::None), Rule::GrandpaOldRound)?;
    }
    let above = bench.random.round();
    bench.sign(&gran, &vote_for(above, 0, one), Context::None)?;
    equal("the watermark after a vote", Some(Position::Grandpa(above)), told(bench, &gran)?)?;

    let header = Header::next(&mut bench.random).encode();
    let slot = bench.random.slot();
    bench.raise(&aura, Position::Aura(slot))?;
    bench.refuses_by(sign(&aura, &blake2_256(&header), Context::Header(header)), Rule::AuraOldSlot)?;
    let header = Header::next(&mut bench.random).encode();
    seal(bench, &aura, &header)?;

    let wrong = Error::BadRequest(BadRequest::WrongPosition);
    let (round, slot) = (Position::Grandpa(bench.random.round()), Position::Aura(bench.random.slot()));
    bench.refuses(Command::RaiseWatermark { id: gran.clone(), to: slot }, wrong)?;
    bench.refuses(Command::RaiseWatermark { id: aura, to: round }, wrong)?;
    let never_made = KeyId { public: vec![0; 32], ..gran };
    bench.refuses(Command::RaiseWatermark { id: never_made, to: round }, Error::NoSuchKey)?;
    for (scheme, key_type, usage) in kinds(bench.expect).into_iter().filter(|(_, key_type, _)| *key_type == TEST) {
        let id = bench.generate(scheme, key_type, usage, None)?.id;
        bench.refuses(Command::RaiseWatermark { id: id.clone(), to: round }, wrong)?;
        bench.refuses(Command::RaiseWatermark { id: id.clone(), to: slot }, wrong)?;
        holds("a key that signs anything has no watermark", told(bench, &id)?.is_none())?;
    }
    Ok(())
}

fn seal(bench: &mut Bench<'_>, id: &KeyId, header: &[u8]) -> Result<Vec<u8>, Finding> {
    bench.sign(id, &blake2_256(header), Context::Header(header.to_vec()))
}
