//! The steps of a verification, one by one, so that whoever reads the answer sees how far it came.

use holdfast_evidence::{
    certificates, certify_attestation_key, judge_tcb, judge_workload, verify_crl, verify_issuer, verify_pck,
    verify_qe_identity, verify_quote, verify_tcb_info, CertificateKind, Crl, Document, Error, Facts, Issuer,
    Measurements, Moment, Part, Pck, Policy, Quote, Report, SgxMeasurements, SignedDocument, TcbVerdict,
    TdxMeasurements, Tee, Verified,
};

use super::Given;
use crate::{certificate, time, workload};

/// The steps' names, in their order.
pub(super) const NAMES: [&str; 16] = [
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
    REPORT_DATA,
];

/// The last, and only where it is demanded.
const REPORT_DATA: &str = "report data";

/// Each step that was taken, and what those that held established.
#[derive(Default)]
pub(super) struct Steps {
    taken: Vec<Result<String, Error>>,
    demands_report_data: bool,
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
    let mut steps = Steps { demands_report_data: given.report_data.is_some(), ..Steps::default() };
    let verdict = steps.run(given);
    (steps, verdict)
}

impl Steps {
    /// All of them, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, Went<'_>)> {
        let names = NAMES.into_iter().filter(|name| *name != REPORT_DATA || self.demands_report_data);
        names.enumerate().map(|(number, name)| match self.taken.get(number) {
            Some(Ok(established)) => (name, Went::Held(established)),
            Some(Err(error)) => (name, Went::Failed(error)),
            None => (name, Went::NotReached),
        })
    }

    /// The one that failed.
    pub(super) fn failed(&self) -> Option<(&'static str, &Error)> {
        self.all().find_map(|(name, went)| match went {
            Went::Failed(error) => Some((name, error)),
            Went::Held(_) | Went::NotReached => None,
        })
    }

    /// Compares what a good quote says with what somebody asked for.
    pub(super) fn compare(&mut self, verified: Verified, report_data: &Option<[u8; 64]>) -> Result<Verified, Error> {
        let Some(expected) = report_data else { return Ok(verified) };
        let found = verified.report.report_data();
        let compared = match found == expected {
            true => Ok(()),
            false => Err(Error::ReportData { found: (*found).into(), expected: (*expected).into() }),
        };
        self.take(compared, |()| "as expected".into()).map(|()| verified)
    }

    fn run(&mut self, given: &Given) -> Result<Verified, Error> {
        let Given { quote, collateral, root: root_der, now, policy, .. } = given;
        let at = Moment { now: *now, grace: policy.grace };
        let quote = self.take(Quote::parse(quote), say_quote)?;
        let root = &self.take(Issuer::root(root_der), |_| certificate::line(root_der))?;
        let root_crl = verify_crl(&collateral.root_ca_crl, root, at);
        // A root that is not good at this time is found with its list, and is no fault of that.
        if matches!(
            root_crl,
            Err(Error::CertificateNotYetValid { certificate: CertificateKind::Root, .. }
                | Error::CertificateExpired { certificate: CertificateKind::Root, .. })
        ) {
            self.taken.pop();
        }
        let root_crl = &self.take(root_crl, |crl| say_crl(crl, at))?;
        let trust = &Trust { root, root_der, root_crl, at };

        let (chain, kind) = (collateral.pck_crl_issuer_chain.as_bytes(), CertificateKind::PckCa);
        let crl_signer = self.take(trust.first(Part::PckCrlIssuerChain, chain, kind), say_issuer)?;
        let pck_crl = &self.take(verify_crl(&collateral.pck_crl, &crl_signer, at), |crl| say_crl(crl, at))?;

        let (chain, kind) = (collateral.tcb_info_issuer_chain.as_bytes(), CertificateKind::TcbSigner);
        let signer = self.take(trust.first(Part::TcbInfoIssuerChain, chain, kind), say_issuer)?;
        let (json, signature) = (collateral.tcb_info.as_bytes(), &collateral.tcb_info_signature);
        let signed = SignedDocument::new(Document::TcbInfo, json, signature);
        let tcb_info = &self.take(signed.and_then(|signed| verify_tcb_info(&signed, &signer, at)), |info| {
            let (tee, fmspc) = (info.tee, hex::encode(info.fmspc));
            let number = info.evaluation_data_number;
            let until = until(at, Document::TcbInfo, info.next_update);
            format!("{tee}, FMSPC {fmspc}, evaluation {number}; {until}")
        })?;

        let chain = collateral.qe_identity_issuer_chain.as_bytes();
        let signer = self.take(trust.first(Part::QeIdentityIssuerChain, chain, kind), say_issuer)?;
        let (json, signature) = (collateral.qe_identity.as_bytes(), &collateral.qe_identity_signature);
        let signed = SignedDocument::new(Document::QeIdentity, json, signature);
        let qe_identity =
            &self.take(signed.and_then(|signed| verify_qe_identity(&signed, &signer, at)), |identity| {
                let (tee, number) = (identity.tee, identity.evaluation_data_number);
                format!("{tee}, evaluation {number}; {}", until(at, Document::QeIdentity, identity.next_update))
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
        let quoted = self.take(verify_quote(&quote.signed, attestation_key), |_| "by the attestation key".into())?;
        self.report = Some(quoted.report.clone());

        let facts = Facts { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key };
        let verdict = self.take(judge_tcb(&quoted, &facts, at), say_verdict)?;
        self.verdict = Some(verdict.clone());
        self.take(judge_workload(&quoted.report, &verdict, policy, at.now), |()| say_policy(policy))?;
        Ok(Verified { report: quoted.report, pck: pck.clone(), verdict })
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

fn say_crl(crl: &Crl, at: Moment) -> String {
    // The lists of both kinds end in the same way.
    format!("revokes {} certificates; {}", crl.revoked.len(), until(at, Document::PckCrl, crl.next_update))
}

/// Until when a document is good; since when it is not, if only the policy's grace holds it.
fn until(at: Moment, document: Document, next_update: u64) -> String {
    let last = document.last_second(next_update);
    if at.now <= last {
        return format!("good until {}", time::shown(last));
    }
    let since = time::shown(last.saturating_add(1));
    format!("overdue since {since}, within the grace of {}", time::duration_shown(at.grace))
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
    let (tee, demanded) = match &policy.measurements {
        None => return "holds; it demands no measurements".into(),
        Some(Measurements::Sgx(sgx)) => (Tee::Sgx, demanded_of_enclave(sgx)),
        Some(Measurements::Tdx(tdx)) => (Tee::Tdx, demanded_of_td(tdx)),
    };
    match demanded.as_slice() {
        [] => format!("holds; it demands {tee}, and no measurements"),
        [one] => format!("holds; {one} is as demanded"),
        [first @ .., last] => format!("holds; {} and {last} are as demanded", first.join(", ")),
    }
}

/// The names of what is demanded, as Intel writes them.
fn demanded_of_enclave(demanded: &SgxMeasurements) -> Vec<&'static str> {
    let SgxMeasurements { mr_enclave, mr_signer, isv_prod_id, min_isv_svn } = demanded;
    let all = [
        ("MRENCLAVE", mr_enclave.is_some()),
        ("MRSIGNER", mr_signer.is_some()),
        ("ISVPRODID", isv_prod_id.is_some()),
        ("ISVSVN", *min_isv_svn > 0),
    ];
    all.into_iter().filter(|(_, is_demanded)| *is_demanded).map(|(name, _)| name).collect()
}

fn demanded_of_td(demanded: &TdxMeasurements) -> Vec<&'static str> {
    let TdxMeasurements { mr_td, rtmr: [rtmr0, rtmr1, rtmr2, rtmr3], mr_config_id, mr_owner, mr_owner_config } =
        demanded;
    let all = [
        ("MRTD", mr_td),
        ("RTMR0", rtmr0),
        ("RTMR1", rtmr1),
        ("RTMR2", rtmr2),
        ("RTMR3", rtmr3),
        ("MRCONFIGID", mr_config_id),
        ("MROWNER", mr_owner),
        ("MROWNERCONFIG", mr_owner_config),
    ];
    all.into_iter().filter(|(_, register)| register.is_some()).map(|(name, _)| name).collect()
}
