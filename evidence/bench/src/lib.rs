//! What is measured, natively and in wasm: a real quote (TDX 1.5ex) judged by its real collateral.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

use holdfast_evidence::{
    certificates, certify_attestation_key, judge_tcb, judge_workload, verify, verify_crl, verify_issuer, verify_pck,
    verify_qe_identity, verify_quote, verify_tcb_info, AttestationKey, CertificateKind, Collateral, Crl, Document,
    Error, Facts, Issuer, Moment, Part, Pck, Policy, QeIdentity, Quote, ReportData, SignedDocument, TcbInfo,
    INTEL_ROOT,
};

/// When the collateral of the quote was good: 2026-10-20.
pub const NOW: u64 = 1_792_454_400;

/// A quote, its collateral, and what is kept of both between two quotes.
pub struct Case {
    quote: Vec<u8>,
    collateral: Collateral,
    policy: Policy,
    root: Issuer,
    root_crl: Crl,
    pck_crl: Crl,
    tcb_info: TcbInfo,
    qe_identity: QeIdentity,
    pck: Pck,
    attestation_key: AttestationKey,
}

impl Case {
    /// Verifies everything once. `collateral` is JSON.
    pub fn new(quote: &[u8], collateral: &[u8]) -> Result<Case, Error> {
        let at = Moment::at(NOW);
        let malformed = Error::DocumentEncoding { document: Document::TcbInfo };
        let collateral: Collateral = serde_json::from_slice(collateral).map_err(|_| malformed)?;
        let root = Issuer::root(INTEL_ROOT)?;
        let root_crl = verify_crl(&collateral.root_ca_crl, &root, at)?;
        let issuer = |kind, part, index: usize, pem: &[u8]| {
            let chain = certificates(part, pem)?;
            let der = chain.get(index).ok_or(Error::IssuerMissing { part })?;
            verify_issuer(kind, der, &root, &root_crl, at)
        };
        let signer_chain = collateral.tcb_info_issuer_chain.as_bytes();
        let signer = issuer(CertificateKind::TcbSigner, Part::TcbInfoIssuerChain, 0, signer_chain)?;
        let signed = |document, json: &str, signature: &[u8]| SignedDocument::new(document, json.as_bytes(), signature);
        let tcb_info = signed(Document::TcbInfo, &collateral.tcb_info, &collateral.tcb_info_signature)?;
        let tcb_info = verify_tcb_info(&tcb_info, &signer, at)?;
        let qe_identity = signed(Document::QeIdentity, &collateral.qe_identity, &collateral.qe_identity_signature)?;
        let qe_identity = verify_qe_identity(&qe_identity, &signer, at)?;
        let parsed = Quote::parse(quote)?;
        let ca = issuer(CertificateKind::PckCa, Part::PckChain, 1, parsed.pck_chain()?)?;
        let pck_crl = verify_crl(&collateral.pck_crl, &ca, at)?;
        let chain = certificates(Part::PckChain, parsed.pck_chain()?)?;
        let pck = verify_pck(&chain[0], &ca, &pck_crl, at)?;
        let attestation_key = certify_attestation_key(&parsed.certification, &pck, &qe_identity)?;
        let (quote, policy) = (quote.to_vec(), Policy::strict());
        Ok(Case { quote, collateral, policy, root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key })
    }

    /// Nothing is known of platform or collateral: nine verifications.
    pub fn cold(&self) -> Result<(), Error> {
        verify(&self.quote, &self.collateral, INTEL_ROOT, NOW, &self.policy, ReportData::Any).map(drop)
    }

    /// Platform and collateral are known, the attestation key is not: two verifications.
    pub fn new_attestation_key(&self) -> Result<(), Error> {
        let quote = Quote::parse(&self.quote)?;
        let key = certify_attestation_key(&quote.certification, &self.pck, &self.qe_identity)?;
        self.judge(&quote, &key)
    }

    /// The attestation key is known: one verification.
    pub fn re_attestation(&self) -> Result<(), Error> {
        self.judge(&Quote::parse(&self.quote)?, &self.attestation_key)
    }

    fn judge(&self, quote: &Quote, attestation_key: &AttestationKey) -> Result<(), Error> {
        let Case { policy, root, root_crl, pck_crl, tcb_info, qe_identity, pck, .. } = self;
        let quoted = verify_quote(&quote.signed, attestation_key)?;
        let facts = Facts { root, root_crl, pck_crl, tcb_info, qe_identity, pck, attestation_key };
        let verdict = judge_tcb(&quoted, &facts, Moment::at(NOW))?;
        judge_workload(&quoted.report, &verdict, policy, NOW)
    }
}
