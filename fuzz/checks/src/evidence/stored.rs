//! What a chain stores of evidence, were it any bytes at all.

use codec::{DecodeAll, Encode, MaxEncodedLen};
use holdfast_evidence::{
    certify_attestation_key, judge_workload, verify_pck, verify_quote, Error, Facts, Moment, Verified,
};

use super::world::{any_status, worlds, World, AT};
use crate::bytes::Bytes;

/// The first byte says of which TEE the rest of the world is, the second of which type the bytes are. What decodes has
/// this one encoding, and takes its place in a judgement.
pub fn stored(data: &[u8]) -> bool {
    let mut data = Bytes(data);
    let mut world = data.choose(worlds());
    let (kind, bytes) = (data.byte() % 14, data.0);
    let whole = match kind {
        0 => take(bytes, &mut world.root),
        1 => take(bytes, &mut world.root_crl),
        2 => take(bytes, &mut world.pck_crl),
        3 => take(bytes, &mut world.tcb_info),
        4 => take(bytes, &mut world.qe_identity),
        5 => take(bytes, &mut world.pck),
        6 => take(bytes, &mut world.attestation_key),
        7 => take(bytes, &mut world.quoted),
        8 => take(bytes, &mut world.quote.signed),
        9 => take(bytes, &mut world.quote.certification),
        10 => {
            let mut policy = any_status();
            let whole = take(bytes, &mut policy);
            let _ = world.judge(&policy);
            whole
        }
        11 => {
            return decoded::<Verified>(bytes).is_some_and(|verified| {
                let _ = judge_workload(&verified.report, &verified.verdict, &any_status(), AT.now);
                true
            })
        }
        12 => {
            return decoded::<Moment>(bytes).is_some_and(|at| {
                let World { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key, .. } = &world;
                let facts = Facts { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key };
                let good = holdfast_evidence::judge_tcb(&world.quoted, &facts, at);
                assert!(good.is_err() || at.now >= tcb_info.issued && at.now <= root.not_after);
                true
            })
        }
        _ => {
            return Error::decode_all(&mut &bytes[..]).is_ok_and(|error| {
                assert_eq!(error.encode(), bytes);
                !error.to_string().is_empty()
            })
        }
    };
    if whole {
        judge(&world);
    }
    whole
}

/// Every step that takes something stored.
fn judge(world: &World) {
    let _ = world.judge(&any_status());
    let _ = verify_quote(&world.quote.signed, &world.attestation_key);
    if let Ok(key) = certify_attestation_key(&world.quote.certification, &world.pck, &world.qe_identity) {
        assert_eq!((key.pck, key.public_key), (world.pck.serial, world.quote.certification.attestation_key));
    }
    let _ = verify_pck(&world.signed.root, &world.root, &world.root_crl, AT);
}

fn take<T: Encode + DecodeAll + MaxEncodedLen>(bytes: &[u8], place: &mut T) -> bool {
    match decoded(bytes) {
        Some(value) => {
            *place = value;
            true
        }
        None => false,
    }
}

fn decoded<T: Encode + DecodeAll + MaxEncodedLen>(bytes: &[u8]) -> Option<T> {
    let value = T::decode_all(&mut &bytes[..]).ok()?;
    assert_eq!(value.encode(), bytes);
    assert!(bytes.len() <= T::max_encoded_len());
    Some(value)
}
