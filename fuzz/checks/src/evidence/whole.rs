//! A quote and its collateral, real or mock, with parts of them changed.

use std::{collections::BTreeSet, sync::OnceLock};

use holdfast_evidence::{
    mock::{Kind, Plan, Signed},
    verify, Collateral, Error, Issuer, Quote, ReportData, Verified, INTEL_ROOT, MAX_QUOTE,
};

use super::world::{any_status, kept, NOW};
use crate::bytes::Bytes;

/// Evidence at which nothing is wrong, and a second at which it is good.
struct Base {
    signed: Signed,
    now: u64,
}

/// Changes to one input at most.
const MAX_CHANGES: usize = 16;

macro_rules! sample {
    ($name:literal, $now:literal) => {
        Base {
            signed: Signed {
                quote: include_bytes!(concat!("../../../../evidence/tests/data/dcap-qvl/", $name)).to_vec(),
                collateral: serde_json::from_str(include_str!(concat!(
                    "../../../../evidence/tests/data/dcap-qvl/",
                    $name,
                    "_collateral.json"
                )))
                .expect("a collateral file"),
                root: INTEL_ROOT.to_vec(),
            },
            now: $now,
        }
    };
}

fn bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    BASES.get_or_init(|| {
        let mock = |kind| Base { signed: Plan::new(kind, NOW).unsigned().sign(), now: NOW };
        let real = [
            sample!("sgx_quote", 1_751_000_000),
            sample!("tdx_quote", 1_751_000_000),
            sample!("tdx_quote_outdated", 1_772_000_000),
            sample!("tdx_quote_td15ex", 1_792_000_000),
        ];
        Kind::ALL.into_iter().map(mock).chain(real).collect()
    })
}

/// The parts of evidence whose bytes can be changed.
const PARTS: usize = 12;

fn part(signed: &Signed, index: usize) -> Vec<u8> {
    let it = &signed.collateral;
    match index % PARTS {
        0 => signed.quote.clone(),
        1 => it.root_ca_crl.clone(),
        2 => it.pck_crl.clone(),
        3 => it.tcb_info_signature.clone(),
        4 => it.qe_identity_signature.clone(),
        5 => signed.root.clone(),
        6 => it.pck_crl_issuer_chain.clone().into_bytes(),
        7 => it.tcb_info_issuer_chain.clone().into_bytes(),
        8 => it.qe_identity_issuer_chain.clone().into_bytes(),
        9 => it.tcb_info.clone().into_bytes(),
        10 => it.qe_identity.clone().into_bytes(),
        _ => it.pck_certificate_chain.clone().unwrap_or_default().into_bytes(),
    }
}

/// `None` where text belongs and there is none.
fn put(signed: &mut Signed, index: usize, bytes: Vec<u8>) -> Option<()> {
    let it = &mut signed.collateral;
    let text = |bytes| String::from_utf8(bytes).ok();
    match index % PARTS {
        0 => signed.quote = bytes,
        1 => it.root_ca_crl = bytes,
        2 => it.pck_crl = bytes,
        3 => it.tcb_info_signature = bytes,
        4 => it.qe_identity_signature = bytes,
        5 => signed.root = bytes,
        6 => it.pck_crl_issuer_chain = text(bytes)?,
        7 => it.tcb_info_issuer_chain = text(bytes)?,
        8 => it.qe_identity_issuer_chain = text(bytes)?,
        9 => it.tcb_info = text(bytes)?,
        10 => it.qe_identity = text(bytes)?,
        _ => it.pck_certificate_chain = Some(text(bytes)?),
    }
    Some(())
}

/// The first byte says which evidence it is, the next two how far from its time it is judged, in hours; then follow
/// changes: a part, what becomes of it, and what that takes.
pub fn evidence(data: &[u8]) -> bool {
    let mut data = Bytes(data);
    let base = &bases()[usize::from(data.byte()) % bases().len()];
    let mut signed = base.signed.clone();
    let hours = i64::from(i16::from_le_bytes(data.array()));
    let now = base.now.saturating_add_signed(hours * 3600);
    for _ in 0..MAX_CHANGES {
        if data.is_empty() {
            break;
        }
        let index = usize::from(data.byte());
        let bytes = part(&signed, index);
        let bytes = changed(bytes, index, &mut data);
        if put(&mut signed, index, bytes).is_none() {
            return false;
        }
    }
    let Signed { quote, collateral, root } = &signed;
    let verdict = verify(quote, collateral, root, now, &any_status(), ReportData::Any);
    match &verdict {
        Ok(verified) => good(&signed, verified, now),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    verdict.is_ok()
}

fn changed(mut bytes: Vec<u8>, index: usize, data: &mut Bytes<'_>) -> Vec<u8> {
    match data.byte() % 6 {
        0 => data.long().to_vec(),
        // Some bytes are others.
        1 => {
            let at = usize::from(u16::from_le_bytes(data.array()));
            for (place, byte) in bytes.iter_mut().skip(at).zip(data.short()) {
                *place = *byte;
            }
            bytes
        }
        2 => {
            bytes.truncate(usize::from(u16::from_le_bytes(data.array())));
            bytes
        }
        3 => {
            bytes.extend(data.short());
            bytes
        }
        4 => {
            let at = usize::from(u16::from_le_bytes(data.array())).min(bytes.len());
            let tail = bytes.split_off(at);
            [&bytes, data.short(), &tail].concat()
        }
        // Another evidence's in its place.
        _ => part(&bases()[usize::from(data.byte()) % bases().len()].signed, index),
    }
}

/// What is accepted was signed by those who sign: a fuzzer cannot.
fn good(signed: &Signed, verified: &Verified, now: u64) {
    static SIGNED: OnceLock<BTreeSet<Vec<u8>>> = OnceLock::new();
    let known = SIGNED.get_or_init(|| bases().iter().flat_map(|base| signed_parts(&base.signed)).collect());
    let Signed { quote, collateral, root } = signed;
    for part in signed_parts(signed) {
        assert!(known.contains(&part), "accepted, and nobody signed it: {part:02x?}");
    }
    // Nobody vouches for the root but whoever gives it; here it has one of two keys, whatever else it says.
    let key = |root: &[u8]| Issuer::root(root).expect("a root").public_key;
    assert!(bases().iter().any(|base| key(&base.signed.root) == key(root)));
    assert!(quote.len() <= MAX_QUOTE);
    let parsed = Quote::parse(quote).expect("it was accepted");
    assert_eq!(parsed.report, verified.report);
    assert!(verified.verdict.good_until >= now);
    assert!(verified.pck.not_before <= now && now <= verified.pck.not_after);
    kept(verified);
    // The same to whoever asks again, and not without its lists.
    assert_eq!(verify(quote, collateral, root, now, &any_status(), ReportData::Any).as_ref(), Ok(verified));
    let without = Collateral { root_ca_crl: vec![], ..collateral.clone() };
    assert!(matches!(
        verify(quote, &without, root, now, &any_status(), ReportData::Any),
        Err(Error::DocumentEncoding { .. })
    ));
}

fn signed_parts(signed: &Signed) -> Vec<Vec<u8>> {
    let it = &signed.collateral;
    let quote = Quote::parse(&signed.quote).expect("a quote");
    // ECDSA has two signatures for each, and DER around lists has them inside.
    vec![
        quote.signed.bytes.to_vec(),
        quote.certification.qe_report.to_vec(),
        quote.certification.attestation_key.to_vec(),
        it.tcb_info.clone().into_bytes(),
        it.qe_identity.clone().into_bytes(),
        to_be_signed(&it.root_ca_crl),
        to_be_signed(&it.pck_crl),
    ]
}

/// A list without its signature: the first value in the sequence, whose length takes two bytes or three.
fn to_be_signed(list: &[u8]) -> Vec<u8> {
    let inside = |der: &[u8]| match der {
        [_, 0x81, ..] => 3,
        [_, 0x82, ..] => 4,
        [_, 0x83, ..] => 5,
        _ => 2,
    };
    let rest = &list[inside(list)..];
    let length = match rest {
        [_, 0x81, length, ..] => 3 + usize::from(*length),
        [_, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        [_, length, ..] => 2 + usize::from(*length),
        _ => 0,
    };
    rest[..length].to_vec()
}
