//! Mock evidence at which nothing is wrong, and what its steps gave.

use std::{fmt::Debug, sync::OnceLock};

use codec::{DecodeAll, Encode, MaxEncodedLen};
use holdfast_evidence::{
    certificates, certify_attestation_key, judge_tcb, judge_workload,
    mock::{Key, Kind, Plan, Seed, Signed, ToBeSigned, DEVELOPMENT_SEED},
    verify_crl, verify_issuer, verify_pck, verify_qe_identity, verify_quote, verify_tcb_info, AttestationKey,
    CertificateKind, Crl, Document, Error, Facts, Issuer, Moment, Part, Pck, Policy, QeIdentity, Quote, Quoted,
    SignedDocument, Statuses, TcbInfo, TcbStatus,
};

/// Unix seconds: 2026-09-21T14:13:20Z, when it is always here.
pub(super) const NOW: u64 = 1_790_000_000;
pub(super) const AT: Moment = Moment { now: NOW, grace: 0 };
pub(super) const SEED: Seed = DEVELOPMENT_SEED;

/// Everything that a quote is judged by.
#[derive(Clone)]
pub(super) struct World {
    pub(super) signed: Signed,
    pub(super) quote: Quote,
    pub(super) root: Issuer,
    pub(super) root_crl: Crl,
    pub(super) ca: Issuer,
    pub(super) pck_crl: Crl,
    pub(super) tcb_signer: Issuer,
    pub(super) tcb_info: TcbInfo,
    pub(super) qe_identity: QeIdentity,
    pub(super) pck: Pck,
    pub(super) attestation_key: AttestationKey,
    pub(super) quoted: Quoted,
}

/// An enclave's, and a trust domain's.
pub(super) fn worlds() -> &'static [World; 2] {
    static WORLDS: OnceLock<[World; 2]> = OnceLock::new();
    WORLDS.get_or_init(|| {
        [Kind::Sgx, Kind::Td15].map(|kind| world(kind).unwrap_or_else(|error| panic!("{kind:?}: {error}")))
    })
}

fn world(kind: Kind) -> Result<World, Error> {
    let signed = Plan::new(kind, NOW).unsigned().sign();
    let it = &signed.collateral;
    let quote = Quote::parse(&signed.quote)?;
    let root = Issuer::root(&signed.root)?;
    let root_crl = verify_crl(&it.root_ca_crl, &root, AT)?;
    let first = |chain: &str, kind| {
        let chain = certificates(Part::PckChain, chain.as_bytes())?;
        verify_issuer(kind, &chain[0], &root, &root_crl, AT)
    };
    let ca = first(&it.pck_crl_issuer_chain, CertificateKind::PckCa)?;
    let tcb_signer = first(&it.tcb_info_issuer_chain, CertificateKind::TcbSigner)?;
    let pck_crl = verify_crl(&it.pck_crl, &ca, AT)?;
    let document = SignedDocument::new(Document::TcbInfo, it.tcb_info.as_bytes(), &it.tcb_info_signature)?;
    let tcb_info = verify_tcb_info(&document, &tcb_signer, AT)?;
    let document = SignedDocument::new(Document::QeIdentity, it.qe_identity.as_bytes(), &it.qe_identity_signature)?;
    let qe_identity = verify_qe_identity(&document, &tcb_signer, AT)?;
    let pck = verify_pck(&certificates(Part::PckChain, quote.pck_chain()?)?[0], &ca, &pck_crl, AT)?;
    let attestation_key = certify_attestation_key(&quote.certification, &pck, &qe_identity)?;
    let quoted = verify_quote(&quote.signed, &attestation_key)?;
    let world = World {
        signed: signed.clone(),
        quote,
        root,
        root_crl,
        ca,
        pck_crl,
        tcb_signer,
        tcb_info,
        qe_identity,
        pck,
        attestation_key,
        quoted,
    };
    assert!(world.judge(&any_status())?);
    Ok(world)
}

impl World {
    /// Judges the report by the rest. Never is anything good that was revoked.
    pub(super) fn judge(&self, policy: &Policy) -> Result<bool, Error> {
        let World { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key, .. } = self;
        let facts = Facts { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key };
        let verdict = judge_tcb(&self.quoted, &facts, AT)?;
        assert_ne!(verdict.status, TcbStatus::Revoked);
        assert!(verdict.good_until >= NOW);
        assert!(!root_crl.revokes(&pck.ca_serial) && !pck_crl.revokes(&pck.serial));
        kept(&verdict);
        judge_workload(&self.quoted.report, &verdict, policy, AT.now)?;
        assert!(policy.statuses.contain(verdict.status));
        Ok(true)
    }
}

pub(super) fn any_status() -> Policy {
    Policy { statuses: Statuses::of(&TcbStatus::ALL), ..Policy::strict() }
}

/// Everything that is kept is encoded no longer than its type allows, and decodes to the same.
pub(super) fn kept<T: Encode + DecodeAll + MaxEncodedLen + PartialEq + Debug>(value: &T) {
    let encoded = value.encode();
    assert!(encoded.len() <= T::max_encoded_len());
    assert_eq!(T::decode_all(&mut &encoded[..]).as_ref(), Ok(value));
}

/// A certificate or a list around bytes which a fuzzer made up: with a signature that is none of them, and signed.
pub(super) struct Wrapped<'a> {
    tbs: &'a [u8],
    by: Key,
}

impl<'a> Wrapped<'a> {
    pub(super) fn new(tbs: &'a [u8], by: Key) -> Wrapped<'a> {
        Wrapped { tbs, by }
    }

    /// Signing takes longer than everything else, and what cannot be read need not be signed.
    pub(super) fn unsigned(&self) -> Vec<u8> {
        static TAIL: OnceLock<Vec<u8>> = OnceLock::new();
        // Algorithm and signature of nothing, without the sequence around them: its length takes one byte.
        let tail = TAIL.get_or_init(|| ToBeSigned::new(vec![], Key::Other("nobody")).sign(&SEED)[2..].to_vec());
        let length = self.tbs.len() + tail.len();
        let mut der = vec![0x30];
        match length {
            0..=0x7F => der.push(length as u8),
            0x80..=0xFF => der.extend([0x81, length as u8]),
            0x100..=0xFFFF => der.extend([&[0x82][..], &(length as u16).to_be_bytes()].concat()),
            _ => der.extend([&[0x83][..], &(length as u32).to_be_bytes()[1..]].concat()),
        }
        [&der, self.tbs, tail].concat()
    }

    pub(super) fn signed(&self) -> Vec<u8> {
        ToBeSigned::new(self.tbs.to_vec(), self.by).sign(&SEED)
    }
}
