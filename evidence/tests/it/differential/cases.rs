//! Evidence, real and mock, with something changed before or after it was signed.

use std::sync::OnceLock;

use holdfast_evidence::{
    mock::{
        qe_report_data, Ca, CertificateName, Certificates, Crls, Kind, Parts, Plan, Platform, Seed, Signed, ToBeSigned,
        Unsigned,
    },
    INTEL_ROOT,
};

use super::{after, der, json, plan, random::Random, DAY, NOW};
use crate::samples;

/// What both verifiers are given.
pub(super) struct Case {
    pub(super) signed: Signed,
    pub(super) now: u64,
    /// Whether service trust domains are allowed.
    pub(super) service_td: bool,
    /// What was changed, for whoever looks for the reason of a difference.
    pub(super) story: Vec<String>,
}

/// Mock evidence at which nothing is wrong, in each stage.
pub(super) struct Mock {
    plan: Plan,
    unsigned: Unsigned,
    parts: Parts,
    pub(super) signed: Signed,
}

/// Every other case is changed before it is signed.
pub(super) fn case(seed: u64, index: u64) -> Case {
    let mut random = Random::of(seed, index);
    let mut story = vec![];
    let (mut signed, edges) = if index.is_multiple_of(2) {
        (before(&mut random, &mut story), vec![NOW, NOW - DAY, NOW + 29 * DAY])
    } else {
        later(&mut random, &mut story)
    };
    let now = match random.below(8) {
        0 => {
            let edge = random.pick(&[&edges[..], &[1_526_899_510, 2_524_607_999, 0, u64::MAX - 1]].concat());
            (edge + random.pick(&[0, 1, 2])).saturating_sub(1)
        }
        _ => edges[0],
    };
    story.push(format!("at {now}"));
    if random.one_in(50) {
        signed.root = random.pick(&[INTEL_ROOT.to_vec(), holdfast_evidence::mock::root("another")]);
        story.push("another root".into());
    }
    Case { signed, now, service_td: random.one_in(4), story }
}

/// All kinds, on machines of both CAs.
pub(super) fn mocks() -> &'static [Mock] {
    static MOCKS: OnceLock<Vec<Mock>> = OnceLock::new();
    MOCKS.get_or_init(|| {
        let kinds = Kind::ALL.into_iter().flat_map(|kind| [Ca::Platform, Ca::Processor].map(|ca| (kind, ca)));
        let mock = |(kind, ca)| {
            let plan = Plan::of(kind, &Platform { ca, ..Platform::default() }, NOW);
            let unsigned = plan.unsigned();
            let parts = unsigned.parts();
            Mock { signed: parts.assemble(), plan, unsigned, parts }
        };
        kinds.map(mock).collect()
    })
}

/// The real samples, the first second at which each is good, and the last.
pub(super) fn real() -> &'static [(Signed, u64, u64)] {
    static REAL: OnceLock<Vec<(Signed, u64, u64)>> = OnceLock::new();
    REAL.get_or_init(|| {
        let signed = |sample: samples::Sample| {
            let (quote, collateral) = (sample.quote.to_vec(), sample.collateral());
            (Signed { quote, collateral, root: INTEL_ROOT.to_vec() }, sample.first, sample.last)
        };
        samples::all().into_iter().map(signed).collect()
    })
}

fn before(random: &mut Random, story: &mut Vec<String>) -> Signed {
    let mock = &mocks()[random.below(mocks().len())];
    story.push(format!("{:?}", mock.plan.header.version));
    if random.one_in(2) {
        let mut plan = mock.plan.clone();
        story.push(plan::change(&mut plan, random).into());
        if random.one_in(3) {
            story.push(plan::change(&mut plan, random).into());
        }
        return signed(&plan.unsigned(), mock);
    }
    let mut unsigned = mock.unsigned.clone();
    let of = |name| format!("bytes of {name}");
    match random.below(12) {
        0..=2 => {
            use CertificateName::{Pck, Root, TcbSigner};
            let ca = unsigned.chains.pck_crl_issuer[0];
            let name = random.pick(&[Root, ca, ca, Pck, Pck, Pck, TcbSigner]);
            let certificate = &mut unsigned.certificates[name];
            certificate.tbs = der::changed(&certificate.tbs, random);
            story.push(of(format!("{name:?}")));
        }
        3 | 4 => {
            // With something to revoke in it.
            let mut plan = mock.plan.clone();
            for crl in [&mut plan.crls.root, &mut plan.crls.pck] {
                crl.revoked = vec![holdfast_evidence::mock::Revoked::new(vec![0x77; 20], NOW - DAY)];
            }
            unsigned = plan.unsigned();
            let of_root = random.one_in(2);
            let crl = if of_root { &mut unsigned.crls.root } else { &mut unsigned.crls.pck };
            crl.tbs = der::changed(&crl.tbs, random);
            story.push(of(format!("list, root's {of_root}")));
        }
        5 => {
            let names = [&mut unsigned.certificates.pck, &mut unsigned.certificates.tcb_signer, &mut unsigned.crls.pck];
            let [one, two, three] = names;
            let it = [one, two, three].into_iter().nth(random.below(3)).expect("one of three");
            it.algorithm = der::changed(&it.algorithm, random);
            story.push(of("an algorithm".into()));
        }
        6 | 7 => {
            unsigned.tcb_info = json::changed(&unsigned.tcb_info, random);
            story.push(of(format!("TCB info: {}", unsigned.tcb_info)));
        }
        8 | 9 => {
            unsigned.qe_identity = json::changed(&unsigned.qe_identity, random);
            story.push(of(format!("QE identity: {}", unsigned.qe_identity)));
        }
        10 => {
            if random.one_in(2) {
                random.change(&mut unsigned.auth_data);
                let data = qe_report_data(&unsigned.attestation_key, &unsigned.auth_data);
                unsigned.qe_report[320..].copy_from_slice(&data);
            } else {
                random.flip(&mut unsigned.qe_report);
            }
            story.push(of("the QE's report".into()));
        }
        _ => {
            // The fields that are judged, as often as all others together.
            let start = if unsigned.quote[0] == 5 { 54 } else { 48 };
            let judged = [0..8, start..start + 16, start + 112..start + 136, start + 584..start + 648];
            let field = random.pick(&judged);
            match unsigned.quote.get_mut(field).filter(|_| random.one_in(2)) {
                Some(field) => random.flip(field),
                None => random.change(&mut unsigned.quote),
            }
            story.push(of("the quote".into()));
        }
    }
    signed(&unsigned, mock)
}

fn later(random: &mut Random, story: &mut Vec<String>) -> (Signed, Vec<u64>) {
    let (mut signed, edges) = if random.one_in(2) {
        let (signed, first, last) = &real()[random.below(4)];
        (signed.clone(), vec![first + (last - first) / 2, *first, *last, last - 1])
    } else {
        let mock = &mocks()[random.below(mocks().len())];
        (mock.signed.clone(), vec![NOW, NOW - DAY, NOW + 29 * DAY])
    };
    story.push("signed".into());
    after::change(&mut signed, random, story);
    if random.one_in(4) {
        after::change(&mut signed, random, story);
    }
    (signed, edges)
}

/// Signs what is not as it was.
fn signed(unsigned: &Unsigned, mock: &Mock) -> Signed {
    let Unsigned { seed, certificates, crls, .. } = unsigned;
    let (were, parts) = (&mock.unsigned, &mock.parts);
    let again = |it: &ToBeSigned, was: &ToBeSigned, signed: &Vec<u8>| {
        if it == was {
            signed.clone()
        } else {
            it.sign(seed)
        }
    };
    let certificate =
        |name: CertificateName| again(&certificates[name], &were.certificates[name], &parts.certificates[name]);
    let sign = |it: &[u8], key, was: (&[u8], _), signature| {
        if (it, key) == was {
            signature
        } else {
            Seed::sign(seed, key, it)
        }
    };
    Parts {
        certificates: Certificates {
            root: certificate(CertificateName::Root),
            platform_ca: certificate(CertificateName::PlatformCa),
            processor_ca: certificate(CertificateName::ProcessorCa),
            pck: certificate(CertificateName::Pck),
            tcb_signer: certificate(CertificateName::TcbSigner),
            others: certificates.others.iter().map(|other| other.sign(seed)).collect(),
        },
        crls: Crls {
            root: again(&crls.root, &were.crls.root, &parts.crls.root),
            pck: again(&crls.pck, &were.crls.pck, &parts.crls.pck),
        },
        tcb_info: unsigned.tcb_info.clone(),
        tcb_info_signature: sign(
            unsigned.tcb_info.as_bytes(),
            unsigned.tcb_info_signed_by,
            (were.tcb_info.as_bytes(), were.tcb_info_signed_by),
            parts.tcb_info_signature,
        ),
        qe_identity: unsigned.qe_identity.clone(),
        qe_identity_signature: sign(
            unsigned.qe_identity.as_bytes(),
            unsigned.qe_identity_signed_by,
            (were.qe_identity.as_bytes(), were.qe_identity_signed_by),
            parts.qe_identity_signature,
        ),
        chains: unsigned.chains.clone(),
        quote: unsigned.quote.clone(),
        quote_signature: sign(
            &unsigned.quote,
            unsigned.quote_signed_by,
            (&were.quote, were.quote_signed_by),
            parts.quote_signature,
        ),
        attestation_key: unsigned.attestation_key,
        qe_report: unsigned.qe_report,
        qe_report_signature: sign(
            &unsigned.qe_report,
            unsigned.qe_report_signed_by,
            (&were.qe_report, were.qe_report_signed_by),
            parts.qe_report_signature,
        ),
        auth_data: unsigned.auth_data.clone(),
        framing: unsigned.framing.clone(),
    }
    .assemble()
}
