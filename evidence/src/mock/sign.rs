//! From bytes to signatures, and from those to a quote and its collateral.

use alloc::{string::String, vec::Vec};

use sha2::{Digest, Sha256};

use super::{
    asn1::{algorithm, bits, ecdsa_signature, sequence, ECDSA_WITH_SHA256},
    plan::Chains,
    quote::Framing,
    text::pem,
    CertificateName, Certificates, Crls, Key, Seed,
};
use crate::Collateral;

/// What is signed, as bytes: any of them can be changed, and each signature is still valid. Nothing is recomputed from
/// what was changed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// Gives all keys.
    pub seed: Seed,
    /// DER, whether valid or not.
    pub certificates: Certificates<ToBeSigned>,
    /// DER, whether valid or not.
    pub crls: Crls<ToBeSigned>,
    /// JSON, whether valid or not.
    pub tcb_info: String,
    /// Signs [`Self::tcb_info`].
    pub tcb_info_signed_by: Key,
    /// JSON, whether valid or not.
    pub qe_identity: String,
    /// Signs [`Self::qe_identity`].
    pub qe_identity_signed_by: Key,
    /// Which certificates are where.
    pub chains: Chains,
    /// Header, descriptor and body of the quote.
    pub quote: Vec<u8>,
    /// Signs [`Self::quote`].
    pub quote_signed_by: Key,
    /// As it is in the quote: x, then y, big endian.
    pub attestation_key: [u8; 64],
    /// The quoting enclave's report.
    pub qe_report: [u8; 384],
    /// Signs [`Self::qe_report`].
    pub qe_report_signed_by: Key,
    /// The quoting enclave's own.
    pub auth_data: Vec<u8>,
    /// Lengths, types and what is between and behind.
    pub framing: Framing,
}

/// A certificate or a list of revoked ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToBeSigned {
    /// What is signed.
    pub tbs: Vec<u8>,
    /// DER: what it says, outside, that it is signed with.
    pub algorithm: Vec<u8>,
    /// The key that signs it.
    pub signed_by: Key,
}

/// What is signed, with the signatures: what is changed here is no longer what was signed. Signatures are r, then s, 32
/// bytes each, big endian, except those inside certificates and lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// DER.
    pub certificates: Certificates<Vec<u8>>,
    /// DER.
    pub crls: Crls<Vec<u8>>,
    /// JSON.
    pub tcb_info: String,
    /// Of it.
    pub tcb_info_signature: [u8; 64],
    /// JSON.
    pub qe_identity: String,
    /// Of it.
    pub qe_identity_signature: [u8; 64],
    /// Which certificates are where.
    pub chains: Chains,
    /// Header, descriptor and body.
    pub quote: Vec<u8>,
    /// Of them.
    pub quote_signature: [u8; 64],
    /// x, then y, big endian.
    pub attestation_key: [u8; 64],
    /// The quoting enclave's.
    pub qe_report: [u8; 384],
    /// Of it.
    pub qe_report_signature: [u8; 64],
    /// The quoting enclave's own.
    pub auth_data: Vec<u8>,
    /// Lengths, types and what is between and behind.
    pub framing: Framing,
}

/// What a verifier is handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// As a quoting enclave makes it.
    pub quote: Vec<u8>,
    /// As Intel's service answers.
    pub collateral: Collateral,
    /// DER: the root certificate.
    pub root: Vec<u8>,
}

/// With what a quoting enclave's report vouches for its attestation key: SHA-256 of key and authentication data, then
/// 32 zeros.
pub fn qe_report_data(attestation_key: &[u8; 64], auth_data: &[u8]) -> [u8; 64] {
    let mut report_data = [0; 64];
    report_data[..32].copy_from_slice(&Sha256::new().chain_update(attestation_key).chain_update(auth_data).finalize());
    report_data
}

impl Unsigned {
    /// Signs and puts all together.
    pub fn sign(&self) -> Signed {
        self.parts().assemble()
    }

    /// Signs.
    pub fn parts(&self) -> Parts {
        let seed = &self.seed;
        Parts {
            certificates: self.certificates.map(|certificate| certificate.sign(seed)),
            crls: self.crls.map(|crl| crl.sign(seed)),
            tcb_info: self.tcb_info.clone(),
            tcb_info_signature: seed.sign(self.tcb_info_signed_by, self.tcb_info.as_bytes()),
            qe_identity: self.qe_identity.clone(),
            qe_identity_signature: seed.sign(self.qe_identity_signed_by, self.qe_identity.as_bytes()),
            chains: self.chains.clone(),
            quote: self.quote.clone(),
            quote_signature: seed.sign(self.quote_signed_by, &self.quote),
            attestation_key: self.attestation_key,
            qe_report: self.qe_report,
            qe_report_signature: seed.sign(self.qe_report_signed_by, &self.qe_report),
            auth_data: self.auth_data.clone(),
            framing: self.framing.clone(),
        }
    }
}

impl ToBeSigned {
    /// With ECDSA and SHA-256.
    pub fn new(tbs: Vec<u8>, signed_by: Key) -> Self {
        Self { tbs, algorithm: algorithm(ECDSA_WITH_SHA256), signed_by }
    }

    /// DER, as far as [`Self::tbs`] is.
    pub fn sign(&self, seed: &Seed) -> Vec<u8> {
        let signature = bits(&ecdsa_signature(&seed.sign(self.signed_by, &self.tbs)));
        sequence(&[&self.tbs, &self.algorithm, &signature])
    }
}

impl Parts {
    /// Puts all together.
    pub fn assemble(&self) -> Signed {
        let collateral = Collateral {
            pck_crl_issuer_chain: self.chain(&self.chains.pck_crl_issuer),
            root_ca_crl: self.crls.root.clone(),
            pck_crl: self.crls.pck.clone(),
            tcb_info_issuer_chain: self.chain(&self.chains.tcb_info_issuer),
            tcb_info: self.tcb_info.clone(),
            tcb_info_signature: self.tcb_info_signature.to_vec(),
            qe_identity_issuer_chain: self.chain(&self.chains.qe_identity_issuer),
            qe_identity: self.qe_identity.clone(),
            qe_identity_signature: self.qe_identity_signature.to_vec(),
            pck_certificate_chain: self.chains.pck.as_ref().map(|names| self.chain(names)),
        };
        Signed { quote: self.quote(), collateral, root: self.certificates.root.clone() }
    }

    /// The quote alone.
    pub fn quote(&self) -> Vec<u8> {
        let framing = &self.framing;
        let certification_data = framing
            .certification_data
            .clone()
            .unwrap_or_else(|| [self.chain(&self.chains.quote).as_bytes(), &framing.chain_end].concat());
        let auth_data_length = framing.auth_data_length.unwrap_or(self.auth_data.len() as u16);
        let qe_part = [
            &self.qe_report[..],
            &self.qe_report_signature,
            &auth_data_length.to_le_bytes(),
            &self.auth_data,
            &typed(framing.certification_type, framing.certification_length, &certification_data),
            &framing.outer_trailing,
        ]
        .concat();
        let qe_part = if framing.nested { typed(framing.outer_type, framing.outer_length, &qe_part) } else { qe_part };
        let signature_data =
            [&self.quote_signature[..], &self.attestation_key, &qe_part, &framing.signature_data_trailing].concat();
        let length = framing.signature_data_length.unwrap_or(signature_data.len() as u32);
        [&self.quote[..], &length.to_le_bytes(), &signature_data, &framing.trailing].concat()
    }

    fn chain(&self, names: &[CertificateName]) -> String {
        pem(names.iter().map(|name| &self.certificates[*name]))
    }
}

/// Certification data: type, length, itself.
fn typed(kind: u16, length: Option<u32>, data: &[u8]) -> Vec<u8> {
    let length = length.unwrap_or(data.len() as u32);
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), data].concat()
}
