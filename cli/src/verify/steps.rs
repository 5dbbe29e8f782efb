//! The steps of a verification, one by one, so that whoever reads the answer sees how far it came.

use holdfast_evidence::{
    certificates, certify_attestation_key, judge_tcb, judge_workload, verify_crl, verify_issuer, verify_pck,
    verify_qe_identity, verify_quote, verify_tcb_info, CertificateKind, Crl, Document, Error, Facts, Issuer, Moment,
    Part, Pck, Policy, Quote, Report, SignedDocument, TcbVerdict, Verified,
};

use super::Given;
use crate::{certificate, time, workload, workload::tee};

/// The steps' names, in their order.
const NAMES: [&str; 15] = [
    "quote",
    "root",
    "root's CRL",
    "PCK CRL's signer",
    "PCK CRL",
    "TCB info's signer",
    "TCB info",
    "QE identity's signer",
    "QE identity",
    "PCK's issuer",
    "PCK certificate",
    "attestation key",
    "quote's signature",
    "platform",
    "policy",
];

/// Each step that was taken, and what those that held established.
#[derive(Default)]
pub(super) struct Steps {
    taken: Vec<Result<String, Error>>,
    /// The platform that the quote is from.
    pub(super) pck: Option<Pck>,
    /// What was signed there.
    pub(super) report: Option<Report>,
    /// How up to date that platform is.
    pub(super) verdict: Option<TcbVerdict>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Went<'a> {
    /// It held, and what it established.
    Held(&'a str),
    Failed(&'a Error),
    /// One before it failed.
    NotReached,
}

/// Takes all steps, up to the first that fails. They are those of [`holdfast_evidence::verify`], in its order.
pub(super) fn take(given: &Given) -> (Steps, Result<Verified, Error>) {
    let mut steps = Steps::default();
    let verdict = steps.run(given);
    (steps, verdict)
}

impl Steps {
    /// All of them, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, Went<'_>)> {
        NAMES.into_iter().enumerate().map(|(number, name)| match self.taken.get(number) {
            Some(Ok(established)) => (name, Went::Held(established)),
            Some(Err(error)) => (name, Went::Failed(error)),
            None => (name, Went::NotReached),
        })
    }

    fn run(&mut self, given: &Given) -> Result<Verified, Error> {
        let Given { quote, collateral, root: root_der, now, policy } = given;
        let at = Moment { now: *now, grace: policy.grace };
        let quote = self.take(Quote::parse(quote), say_quote)?;
        let root = &self.take(Issuer::root(root_der), |_| certificate::line(root_der))?;
        let root_crl = &self.take(verify_crl(&collateral.root_ca_crl, root, at), say_crl)?;
        let trust = &Trust { root, root_der, root_crl, at };

        let (chain, kind) = (collateral.pck_crl_issuer_chain.as_bytes(), CertificateKind::PckCa);
        let crl_signer = self.take(trust.first(Part::PckCrlIssuerChain, chain, kind), say_issuer)?;
        let pck_crl = &self.take(verify_crl(&collateral.pck_crl, &crl_signer, at), say_crl)?;

        let (chain, kind) = (collateral.tcb_info_issuer_chain.as_bytes(), CertificateKind::TcbSigner);
        let signer = self.take(trust.first(Part::TcbInfoIssuerChain, chain, kind), say_issuer)?;
        let (json, signature) = (collateral.tcb_info.as_bytes(), &collateral.tcb_info_signature);
        let signed = SignedDocument::new(Document::TcbInfo, json, signature);
        let tcb_info = &self.take(signed.and_then(|signed| verify_tcb_info(&signed, &signer, at)), |info| {
            let (tee, fmspc) = (tee(info.tee), hex::encode(info.fmspc));
            let number = info.evaluation_data_number;
            format!("{tee}, FMSPC {fmspc}, evaluation {number}; good until {}", time::shown(info.next_update))
        })?;

        let chain = collateral.qe_identity_issuer_chain.as_bytes();
        let signer = self.take(trust.first(Part::QeIdentityIssuerChain, chain, kind), say_issuer)?;
        let (json, signature) = (collateral.qe_identity.as_bytes(), &collateral.qe_identity_signature);
        let signed = SignedDocument::new(Document::QeIdentity, json, signature);
        let qe_identity =
            &self.take(signed.and_then(|signed| verify_qe_identity(&signed, &signer, at)), |identity| {
                let (tee, number) = (tee(identity.tee), identity.evaluation_data_number);
                format!("{tee}, evaluation {number}; good until {}", time::shown(identity.next_update))
            })?;

        let chain = match &collateral.pck_certificate_chain {
            Some(chain) => Ok(chain.as_bytes()),
            None => quote.pck_chain(),
        };
        let issued = chain.and_then(|chain| trust.pck(chain));
        let (pck_der, ca) = self.take(issued, |(_, ca)| say_issuer(ca))?;
        let pck = &self.take(verify_pck(&pck_der, &ca, pck_crl, at), say_pck)?;
        self.pck = Some(pck.clone());

        let certified = certify_attestation_key(&quote.certification, pck, qe_identity);
        let attestation_key = &self.take(certified, |key| {
            format!("made and certified by Intel's quoting enclave, ISVSVN {}, on this platform", key.qe.isv_svn)
        })?;
        let report = self.take(verify_quote(&quote.signed, attestation_key), |_| "by the attestation key".into())?;
        self.report = Some(report.clone());

        let facts = Facts { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key };
        let verdict = self.take(judge_tcb(&report, &facts, at), say_verdict)?;
        self.verdict = Some(verdict.clone());
        self.take(judge_workload(&report, &verdict, policy), |()| say_policy(policy))?;
        Ok(Verified { report, pck: pck.clone(), verdict })
    }

    /// Writes down how a step went.
    fn take<T>(&mut self, result: Result<T, Error>, say: impl FnOnce(&T) -> String) -> Result<T, Error> {
        self.taken.push(result.as_ref().map(say).map_err(Clone::clone));
        result
    }
}

/// Whom everything is traced back to.
struct Trust<'a> {
    root: &'a Issuer,
    root_der: &'a [u8],
    root_crl: &'a Crl,
    at: Moment,
}

impl Trust<'_> {
    /// The first of a chain of an issuer and the root.
    fn first(&self, part: Part, pem: &[u8], kind: CertificateKind) -> Result<Issuer, Error> {
        let chain = certificates(part, pem)?;
        let (first, above) = chain.split_first().ok_or(Error::Pem { part })?;
        self.check_root(part, above)?;
        verify_issuer(kind, first, self.root, self.root_crl, self.at)
    }

    /// The PCK certificate at the start of a chain of it, its issuer and the root, unverified; and that issuer.
    fn pck(&self, pem: &[u8]) -> Result<(Vec<u8>, Issuer), Error> {
        let part = Part::PckChain;
        let chain = certificates(part, pem)?;
        let [pck, ca, above @ ..] = chain.as_slice() else { return Err(Error::IssuerMissing { part }) };
        self.check_root(part, above)?;
        let ca = verify_issuer(CertificateKind::PckCa, ca, self.root, self.root_crl, self.at)?;
        Ok((pck.clone(), ca))
    }

    /// What stands above the last issuer can only be the root, and need not stand there.
    fn check_root(&self, part: Part, above: &[Vec<u8>]) -> Result<(), Error> {
        match above {
            [] => Ok(()),
            [root] if root == self.root_der => Ok(()),
            _ => Err(Error::RootDiffers { part }),
        }
    }
}

fn say_quote(quote: &Quote) -> String {
    format!("well formed, version {}: {}", quote.header.version, workload::kind(&quote.report))
}

fn say_crl(crl: &Crl) -> String {
    format!("revokes {} certificates; good until {}", crl.revoked.len(), time::shown(crl.next_update))
}

fn say_issuer(issuer: &Issuer) -> String {
    format!("{}; good until {}", issuer.kind.common_name(), time::shown(issuer.not_after))
}

fn say_pck(pck: &Pck) -> String {
    let fmspc = hex::encode(pck.platform.fmspc);
    let serial = certificate::serial(&pck.serial);
    format!("not revoked, FMSPC {fmspc}, serial number {serial}; good until {}", time::shown(pck.not_after))
}

fn say_verdict(verdict: &TcbVerdict) -> String {
    let advisories = verdict.advisories.iter().count();
    let known = if advisories == 0 { String::new() } else { format!("; {advisories} advisories") };
    format!("{}: TCB of {}{known}", verdict.status, time::shown(verdict.date))
}

fn say_policy(policy: &Policy) -> String {
    match &policy.measurements {
        Some(_) => "holds, and so do the measurements that it demands".into(),
        None => "holds; it demands no measurements".into(),
    }
}
