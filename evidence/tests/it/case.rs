//! How a case is judged: all at once and step by step, which must agree. Every test here that judges goes through
//! [`judge`].

use std::{cell::RefCell, collections::HashMap, sync::OnceLock};

use codec::{DecodeAll, Encode, MaxEncodedLen};
use holdfast_evidence::{
    certificates, certify_attestation_key, judge_tcb, judge_workload,
    mock::{qe_report_data, BodyKind, EnclaveReport, Key, Kind, Parts, Plan, Signed, Unsigned},
    verify, verify_crl, verify_issuer, verify_pck, verify_qe_identity, verify_quote, verify_tcb_info, AttestationKey,
    CertificateKind, Collateral, Crl, Document, Error, Facts, Issuer, Moment, Part, Pck, Policy, QeIdentity, Quote,
    Quoted, ReportData, SignedDocument, Statuses, TcbInfo, TcbStatus, Verified,
};
use sha2::{Digest, Sha256};

/// Unix seconds: 2026-09-21T14:13:20Z. What mock quotes are made for.
pub(crate) const NOW: u64 = 1_790_000_000;
/// Seconds.
pub(crate) const DAY: u64 = 24 * 60 * 60;
/// Quotes of trust domains.
pub(crate) const TDS: [Kind; 4] = [Kind::TdV4, Kind::Td10, Kind::Td15, Kind::Td15Ex];

/// Judges in both ways.
pub(crate) fn judge(signed: &Signed, now: u64, policy: &Policy) -> Result<Verified, Error> {
    judge_by(&signed.quote, &signed.collateral, &signed.root, now, policy)
}

pub(crate) fn judge_by(
    quote: &[u8],
    collateral: &Collateral,
    root: &[u8],
    now: u64,
    policy: &Policy,
) -> Result<Verified, Error> {
    let policy = &kept(policy);
    let at_once = verify(quote, collateral, root, now, policy, ReportData::Any);
    let by_steps = steps(quote, collateral, root, now, policy);
    assert_eq!(at_once, by_steps, "all at once, and step by step");
    if let Err(error) = &at_once {
        assert_eq!(Error::decode_all(&mut &error.encode()[..]).as_ref(), Ok(error));
    }
    at_once.map(|verified| kept(&verified))
}

/// What it is after it was kept somewhere: encoded, no longer than its type allows, and decoded.
pub(crate) fn kept<T: Encode + DecodeAll + MaxEncodedLen + PartialEq + std::fmt::Debug>(value: &T) -> T {
    let encoded = value.encode();
    assert!(encoded.len() <= T::max_encoded_len(), "{} bytes, at most {}", encoded.len(), T::max_encoded_len());
    let decoded = T::decode_all(&mut &encoded[..]).expect("what was encoded");
    assert_eq!(decoded, *value);
    decoded
}

/// What a step gave for these very inputs before, or gives now: as whoever keeps it does.
fn known<I, T>(step: &str, inputs: &I, verify: impl FnOnce() -> Result<T, Error>) -> Result<T, Error>
where
    I: Encode,
    T: Encode + DecodeAll + MaxEncodedLen + PartialEq + std::fmt::Debug,
{
    thread_local!(static KNOWN: RefCell<HashMap<Vec<u8>, Vec<u8>>> = RefCell::default());
    let key = (step, Sha256::digest(inputs.encode()).to_vec()).encode();
    if let Some(encoded) = KNOWN.with_borrow(|known| known.get(&key).cloned()) {
        return Ok(T::decode_all(&mut &encoded[..]).expect("what was encoded"));
    }
    let value = kept(&verify()?);
    KNOWN.with_borrow_mut(|known| known.insert(key, value.encode()));
    Ok(value)
}

/// What the steps give, up to the judgement.
pub(crate) struct Kept {
    pub(crate) root: Issuer,
    pub(crate) root_crl: Crl,
    /// Who signed the PCK CRL.
    pub(crate) ca: Issuer,
    pub(crate) pck_crl: Crl,
    /// Who signed the TCB info.
    pub(crate) tcb_signer: Issuer,
    pub(crate) tcb_info: TcbInfo,
    pub(crate) qe_identity: QeIdentity,
    pub(crate) pck: Pck,
    pub(crate) attestation_key: AttestationKey,
    pub(crate) quoted: Quoted,
}

impl Kept {
    /// The steps on a mock quote at which nothing is wrong.
    pub(crate) fn new(plan: &Plan) -> Kept {
        let Signed { quote, collateral, root } = plan.unsigned().sign();
        Kept::of(&quote, &collateral, &root, Moment::at(NOW)).expect("a quote at which nothing is wrong")
    }

    /// In the order in which [`verify`] takes them. What a step gives is encoded and decoded before the next takes it.
    pub(crate) fn of(quote: &[u8], collateral: &Collateral, root_der: &[u8], at: Moment) -> Result<Kept, Error> {
        let at = kept(&at);
        let quote = Quote::parse(quote)?;
        let (signed, certification) = (kept(&quote.signed), kept(&quote.certification));
        let root = known("root", &root_der, || Issuer::root(root_der))?;
        let crl = |der: &[u8], issuer: &Issuer| known("CRL", &(der, issuer, at), || verify_crl(der, issuer, at));
        let root_crl = crl(&collateral.root_ca_crl, &root)?;
        let below_root = |kind: CertificateKind, der: &[u8]| {
            known("issuer", &(kind, der, &root, &root_crl, at), || verify_issuer(kind, der, &root, &root_crl, at))
        };
        let first = |part, pem: &str, kind| {
            let chain = certificates(part, pem.as_bytes())?;
            check_root(part, &chain[1..], root_der)?;
            below_root(kind, &chain[0])
        };

        let ca = first(Part::PckCrlIssuerChain, &collateral.pck_crl_issuer_chain, CertificateKind::PckCa)?;
        let pck_crl = crl(&collateral.pck_crl, &ca)?;

        let kind = CertificateKind::TcbSigner;
        let tcb_signer = first(Part::TcbInfoIssuerChain, &collateral.tcb_info_issuer_chain, kind)?;
        let (json, signature) = (collateral.tcb_info.as_bytes(), &collateral.tcb_info_signature);
        let document = kept(&SignedDocument::new(Document::TcbInfo, json, signature)?);
        let inputs = (&document, &tcb_signer, at);
        let tcb_info = known("TCB info", &inputs, || verify_tcb_info(&document, &tcb_signer, at))?;

        let signer = first(Part::QeIdentityIssuerChain, &collateral.qe_identity_issuer_chain, kind)?;
        let (json, signature) = (collateral.qe_identity.as_bytes(), &collateral.qe_identity_signature);
        let document = kept(&SignedDocument::new(Document::QeIdentity, json, signature)?);
        let inputs = (&document, &signer, at);
        let qe_identity = known("QE identity", &inputs, || verify_qe_identity(&document, &signer, at))?;

        let part = Part::PckChain;
        let pem = match &collateral.pck_certificate_chain {
            Some(pem) => pem.as_bytes(),
            None => quote.pck_chain()?,
        };
        let chain = certificates(part, pem)?;
        if chain.len() < 2 {
            return Err(Error::IssuerMissing { part });
        }
        check_root(part, &chain[2..], root_der)?;
        let pck_ca = below_root(CertificateKind::PckCa, &chain[1])?;
        let inputs = (&chain[0], &pck_ca, &pck_crl, at);
        let pck = known("PCK", &inputs, || verify_pck(&chain[0], &pck_ca, &pck_crl, at))?;

        let inputs = (&certification, &pck, &qe_identity);
        let certify = || certify_attestation_key(&certification, &pck, &qe_identity);
        let attestation_key = known("attestation key", &inputs, certify)?;
        let quoted = kept(&verify_quote(&signed, &attestation_key)?);
        assert_eq!(quoted.report, quote.report);
        Ok(Kept { root, root_crl, ca, pck_crl, tcb_signer, tcb_info, qe_identity, pck, attestation_key, quoted })
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        let Kept { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key, .. } = self;
        Facts { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key }
    }
}

fn steps(quote: &[u8], collateral: &Collateral, root: &[u8], now: u64, policy: &Policy) -> Result<Verified, Error> {
    let at = Moment { now, grace: policy.grace };
    let found = Kept::of(quote, collateral, root, at)?;
    let verdict = kept(&judge_tcb(&found.quoted, &found.facts(), at)?);
    judge_workload(&found.quoted.report, &verdict, policy, now)?;
    Ok(Verified { report: found.quoted.report, pck: found.pck, verdict })
}

fn check_root(part: Part, above: &[Vec<u8>], root: &[u8]) -> Result<(), Error> {
    match above {
        [] => Ok(()),
        [last] if last == root => Ok(()),
        _ => Err(Error::RootDiffers { part }),
    }
}

/// A stage of making a quote at which something can be changed with all the rest still valid.
pub(crate) trait Stage: Sized {
    /// Of a quote that is good at [`NOW`].
    fn new(kind: Kind) -> Self;
    fn finish(self) -> Signed;
}

impl Stage for Plan {
    fn new(kind: Kind) -> Plan {
        Plan::new(kind, NOW)
    }

    /// What was not changed is not signed again: that is most of it, and most of the work.
    fn finish(self) -> Signed {
        let alike = |kind: &Kind| {
            let plan = Plan::new(*kind, NOW);
            (plan.seed, plan.header.version, plan.body) == (self.seed, self.header.version, self.body)
        };
        let Some(kind) = Kind::ALL.into_iter().find(alike) else { return self.unsigned().sign() };
        let good = <Plan as Stage>::new(kind);
        let mut parts = <Parts as Stage>::new(kind);
        if self.certificates != good.certificates || self.crls != good.crls {
            return self.unsigned().sign();
        }
        let signature = |same: bool, signature: [u8; 64], key, bytes: &[u8]| {
            if same {
                signature
            } else {
                self.seed.sign(key, bytes)
            }
        };
        let same = (&self.tcb_info, self.tcb_info_signed_by) == (&good.tcb_info, good.tcb_info_signed_by);
        let json = self.tcb_info.json();
        parts.tcb_info_signature = signature(same, parts.tcb_info_signature, self.tcb_info_signed_by, json.as_bytes());
        parts.tcb_info = json;

        let (json, key) = (self.qe_identity.json(), self.qe_identity_signed_by);
        let same = (&json, key) == (&parts.qe_identity, good.qe_identity_signed_by);
        parts.qe_identity_signature = signature(same, parts.qe_identity_signature, key, json.as_bytes());
        parts.qe_identity = json;

        let body = match self.body {
            BodyKind::Enclave => self.enclave.bytes().to_vec(),
            BodyKind::Td10 => self.td.bytes_10(),
            BodyKind::Td15 => self.td.bytes_15(),
            BodyKind::Td15Ex => self.td.bytes_15ex(),
        };
        let descriptor = self.descriptor.map(|descriptor| descriptor.bytes().to_vec()).unwrap_or_default();
        let (quote, key) = ([&self.header.bytes()[..], &descriptor, &body].concat(), self.quote_signed_by);
        let same = (&quote, key) == (&parts.quote, good.quote_signed_by);
        parts.quote_signature = signature(same, parts.quote_signature, key, &quote);

        if self.attestation_key != good.attestation_key {
            parts.attestation_key = self.seed.public_key(self.attestation_key);
        }
        let named = || qe_report_data(&parts.attestation_key, &self.auth_data);
        let report_data = self.qe_report_data.unwrap_or_else(named);
        let (qe_report, key) = (EnclaveReport { report_data, ..self.qe_report }.bytes(), self.qe_report_signed_by);
        let same = (qe_report, key) == (parts.qe_report, good.qe_report_signed_by);
        parts.qe_report_signature = signature(same, parts.qe_report_signature, key, &qe_report);
        let Plan { chains, auth_data, framing, .. } = self;
        Parts { chains, quote, qe_report, auth_data, framing, ..parts }.assemble()
    }
}

impl Stage for Unsigned {
    fn new(kind: Kind) -> Unsigned {
        Plan::new(kind, NOW).unsigned()
    }

    fn finish(self) -> Signed {
        self.sign()
    }
}

impl Stage for Parts {
    fn new(kind: Kind) -> Parts {
        // Nothing is signed any more after this stage, so that it is done once.
        static ALL: [OnceLock<Parts>; 5] = [const { OnceLock::new() }; 5];
        ALL[kind as usize].get_or_init(|| Plan::new(kind, NOW).unsigned().parts()).clone()
    }

    fn finish(self) -> Signed {
        self.assemble()
    }
}

impl Stage for Signed {
    fn new(kind: Kind) -> Signed {
        <Parts as Stage>::new(kind).assemble()
    }

    fn finish(self) -> Signed {
        self
    }
}

/// A quote that is good but for one change, by the strict policy.
pub(crate) fn changed<S: Stage>(kind: Kind, change: impl FnOnce(&mut S)) -> Result<Verified, Error> {
    changed_by(kind, &Policy::strict(), change)
}

/// A quote that is good but for one change.
pub(crate) fn changed_by<S: Stage>(
    kind: Kind,
    policy: &Policy,
    change: impl FnOnce(&mut S),
) -> Result<Verified, Error> {
    let mut stage = S::new(kind);
    change(&mut stage);
    judge(&stage.finish(), NOW, policy)
}

/// A change, and why the quote is refused with it.
pub(crate) type Row<S> = (fn(&mut S), Error);

/// Each change, and nothing else, refuses a quote of each of these kinds that is accepted without it.
pub(crate) fn refused<S: Stage>(kinds: &[Kind], rows: &[Row<S>]) {
    refused_by(kinds, &Policy::strict(), rows);
}

pub(crate) fn refused_by<S: Stage>(kinds: &[Kind], policy: &Policy, rows: &[Row<S>]) {
    for kind in kinds {
        let good = changed_by::<Plan>(*kind, policy, |_| ());
        assert!(good.is_ok(), "{kind:?}: {good:?}");
        for (change, error) in rows {
            let found = changed_by(*kind, policy, change);
            assert_eq!(found.as_ref().err(), Some(error), "{kind:?}: found, expected");
        }
    }
}

/// Every status but the revoked one.
pub(crate) fn any_status() -> Policy {
    Policy { statuses: Statuses::of(&TcbStatus::ALL), ..Policy::strict() }
}

#[test]
fn what_is_not_signed_again_is_signed_the_same() {
    type Change = fn(&mut Plan);
    let changes: [Change; 12] = [
        |_| (),
        |it| it.td.mr_td = [7; 48],
        |it| it.enclave.mr_enclave = [7; 32],
        |it| it.header.user_data = [7; 20],
        |it| it.tcb_info.tcb_evaluation_data_number = 7,
        |it| it.tcb_info_signed_by = Key::Pck,
        |it| it.qe_identity.isvprodid = 7,
        |it| it.qe_identity_signed_by = Key::Pck,
        |it| (it.qe_report.isv_svn, it.auth_data) = (7, vec![7; 32]),
        |it| (it.attestation_key, it.quote_signed_by, it.qe_report_signed_by) = (Key::Root, Key::Pck, Key::Root),
        |it| it.certificates.pck.serial = vec![7],
        |it| (it.crls.root.number, it.qe_report_data) = (Some(vec![7]), Some([7; 64])),
    ];
    for kind in Kind::ALL {
        for change in changes {
            let mut plan = Plan::new(kind, NOW);
            change(&mut plan);
            assert_eq!(plan.clone().finish(), plan.unsigned().sign());
        }
    }
}
