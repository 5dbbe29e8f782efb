//! All steps at once, for whoever keeps nothing in between.

use alloc::vec::Vec;

use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{
    certify_attestation_key, judge_tcb, judge_workload, verify_crl, verify_issuer, verify_pck, verify_qe_identity,
    verify_quote, verify_tcb_info, x509::certificates, CertificateKind, Collateral, Crl, Document, Error, Facts,
    Issuer, Moment, Part, Pck, Policy, Quote, Report, SignedDocument, TcbVerdict,
};

/// What was found good.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Verified {
    /// What the workload is.
    pub report: Report,
    /// What it runs on.
    pub pck: Pck,
    /// How up to date that is.
    pub verdict: TcbVerdict,
}

/// What a quote has to say of what it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportData {
    /// This: see [`crate::report_data`].
    Exactly([u8; 64]),
    /// Whoever asks looks at it himself. A quote proves nothing to somebody who does not: anyone may pass it on.
    Any,
}

/// Judges a quote by its collateral: `root` is the trust anchor in DER, `now` in seconds since the Unix epoch.
pub fn verify(
    quote: &[u8],
    collateral: &Collateral,
    root: &[u8],
    now: u64,
    policy: &Policy,
    expected: ReportData,
) -> Result<Verified, Error> {
    let at = Moment { now, grace: policy.grace };
    let quote = Quote::parse(quote)?;
    if let ReportData::Exactly(expected) = expected {
        quote.report.check_report_data(&expected)?;
    }
    let (root_der, root) = (root, &Issuer::root(root)?);
    let root_crl = &verify_crl(&collateral.root_ca_crl, root, at)?;
    let mut issuers = Issuers { root, root_der, root_crl, at, known: Vec::new(), last: None };

    let chain = Part::PckCrlIssuerChain;
    let crl_signer = issuers.first(chain, collateral.pck_crl_issuer_chain.as_bytes(), CertificateKind::PckCa)?;
    let pck_crl = &verify_crl(&collateral.pck_crl, &crl_signer, at)?;

    let (chain, kind) = (Part::TcbInfoIssuerChain, CertificateKind::TcbSigner);
    let signer = issuers.first(chain, collateral.tcb_info_issuer_chain.as_bytes(), kind)?;
    let (json, signature) = (collateral.tcb_info.as_bytes(), &collateral.tcb_info_signature);
    let tcb_info = &verify_tcb_info(&SignedDocument::new(Document::TcbInfo, json, signature)?, &signer, at)?;

    let chain = Part::QeIdentityIssuerChain;
    let signer = issuers.first(chain, collateral.qe_identity_issuer_chain.as_bytes(), kind)?;
    let (json, signature) = (collateral.qe_identity.as_bytes(), &collateral.qe_identity_signature);
    let qe_identity = &verify_qe_identity(&SignedDocument::new(Document::QeIdentity, json, signature)?, &signer, at)?;

    let pck = &issuers.pck(&quote, collateral, pck_crl)?;
    let attestation_key = &certify_attestation_key(&quote.certification, pck, qe_identity)?;
    let quoted = verify_quote(&quote.signed, attestation_key)?;
    let facts = Facts { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key };
    let verdict = judge_tcb(&quoted, &facts, at)?;
    judge_workload(&quoted.report, &verdict, policy, now)?;
    Ok(Verified { report: quoted.report, pck: pck.clone(), verdict })
}

/// Issuers below the root. The same certificate stands in several chains; it is verified once.
struct Issuers<'a> {
    root: &'a Issuer,
    root_der: &'a [u8],
    root_crl: &'a Crl,
    at: Moment,
    known: Vec<(Vec<u8>, Issuer)>,
    /// The chain that was read last, what the first of it is, and who.
    last: Option<(Vec<u8>, CertificateKind, Issuer)>,
}

impl Issuers<'_> {
    /// The first of a chain of an issuer and the root.
    fn first(&mut self, part: Part, pem: &[u8], kind: CertificateKind) -> Result<Issuer, Error> {
        // TCB info and QE identity come with the same one.
        if let Some((_, _, issuer)) = self.last.as_ref().filter(|(last, of, _)| last == pem && *of == kind) {
            return Ok(issuer.clone());
        }
        let chain = certificates(part, pem)?;
        let (first, above) = chain.split_first().ok_or(Error::Pem { part })?;
        self.check_root(part, above)?;
        let issuer = self.issuer(kind, first)?;
        self.last = Some((pem.to_vec(), kind, issuer.clone()));
        Ok(issuer)
    }

    /// The PCK certificate at the start of a chain of it, its issuer and the root.
    fn pck(&mut self, quote: &Quote, collateral: &Collateral, crl: &Crl) -> Result<Pck, Error> {
        let part = Part::PckChain;
        let pem = match &collateral.pck_certificate_chain {
            Some(chain) => chain.as_bytes(),
            None => quote.pck_chain()?,
        };
        let chain = certificates(part, pem)?;
        let [pck, ca, above @ ..] = chain.as_slice() else { return Err(Error::IssuerMissing { part }) };
        self.check_root(part, above)?;
        let ca = self.issuer(CertificateKind::PckCa, ca)?;
        verify_pck(pck, &ca, crl, self.at)
    }

    fn issuer(&mut self, kind: CertificateKind, der: &[u8]) -> Result<Issuer, Error> {
        if let Some((_, issuer)) =
            self.known.iter().find(|(known, issuer)| known == der && issuer.certificate() == kind)
        {
            return Ok(issuer.clone());
        }
        let issuer = verify_issuer(kind, der, self.root, self.root_crl, self.at)?;
        self.known.push((der.to_vec(), issuer.clone()));
        Ok(issuer)
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
