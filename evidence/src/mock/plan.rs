//! What is to be made, as structures.

use alloc::{vec, vec::Vec};

use super::{
    quote::{BodyDescriptor, BodyKind, Framing, QuoteHeader},
    report::{EnclaveReport, TdReport},
    sign::{qe_report_data, ToBeSigned, Unsigned},
    Ca, Certificate, CertificateName, Certificates, Crl, Crls, Key, Platform, QeIdentity, Seed, SgxExtension, TcbInfo,
    DEVELOPMENT_SEED,
};

/// Seconds.
const DAY: u64 = 24 * 60 * 60;

/// The shape of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Version 3, of an enclave.
    Sgx,
    /// Version 4, of a TD; the body is TDX 1.0's.
    TdV4,
    /// Version 5, body type 2: TDX 1.0.
    Td10,
    /// Version 5, body type 3: TDX 1.5.
    Td15,
    /// Version 5, body type 4: TDX 1.5ex.
    Td15Ex,
}

/// Which certificates are in each chain of PEM, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chains {
    /// In the quote.
    pub quote: Vec<CertificateName>,
    /// [`crate::Collateral::pck_certificate_chain`]
    pub pck: Option<Vec<CertificateName>>,
    /// [`crate::Collateral::pck_crl_issuer_chain`]
    pub pck_crl_issuer: Vec<CertificateName>,
    /// [`crate::Collateral::tcb_info_issuer_chain`]
    pub tcb_info_issuer: Vec<CertificateName>,
    /// [`crate::Collateral::qe_identity_issuer_chain`]
    pub qe_identity_issuer: Vec<CertificateName>,
}

/// All that goes into a quote, its collateral and the root. Nothing here follows from anything else here, except where
/// it says so: to make a consistent one of another platform, use [`Self::of`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Gives all keys.
    pub seed: Seed,
    /// Key, signer and content of each.
    pub certificates: Certificates<Certificate>,
    /// Signer and content of each.
    pub crls: Crls<Crl>,
    /// SGX's or TDX's.
    pub tcb_info: TcbInfo,
    /// Signs [`Self::tcb_info`].
    pub tcb_info_signed_by: Key,
    /// "QE" or "TD_QE".
    pub qe_identity: QeIdentity,
    /// Signs [`Self::qe_identity`].
    pub qe_identity_signed_by: Key,
    /// Which certificates are where.
    pub chains: Chains,
    /// The quote's first bytes.
    pub header: QuoteHeader,
    /// Between header and body: only quotes of version 5 have it.
    pub descriptor: Option<BodyDescriptor>,
    /// Which body follows.
    pub body: BodyKind,
    /// The body, if it is an enclave's.
    pub enclave: EnclaveReport,
    /// The body, if it is a TD's.
    pub td: TdReport,
    /// The key that is in the quote.
    pub attestation_key: Key,
    /// The key that signs header, descriptor and body.
    pub quote_signed_by: Key,
    /// Of the quoting enclave. Its `report_data` is [`Self::qe_report_data`].
    pub qe_report: EnclaveReport,
    /// `None` for [`qe_report_data`] of attestation key and authentication data.
    pub qe_report_data: Option<[u8; 64]>,
    /// The key that signs [`Self::qe_report`].
    pub qe_report_signed_by: Key,
    /// Intel's are 32 bytes, 0 to 31.
    pub auth_data: Vec<u8>,
    /// Lengths, types and what is between and behind.
    pub framing: Framing,
}

impl Plan {
    /// On a machine of the platform CA, at this time: see [`Self::of`].
    pub fn new(kind: Kind, now: u64) -> Self {
        Self::of(kind, &Platform::default(), now)
    }

    /// One that verifies at `now` (Unix seconds), with [`DEVELOPMENT_SEED`]. Certificates are valid from 2018 to 2049;
    /// all else is from the day before `now` and valid for 30 days.
    pub fn of(kind: Kind, platform: &Platform, now: u64) -> Self {
        let issued = now.saturating_sub(DAY);
        let next_update = issued + 30 * DAY;
        let (version, tee_type, body) = kind.shape();
        let (tcb_info, qe_id, qe_report) = match kind {
            Kind::Sgx => (TcbInfo::sgx(platform, issued, next_update), "QE", EnclaveReport::qe(platform)),
            _ => (TcbInfo::tdx(platform, issued, next_update), "TD_QE", EnclaveReport::td_qe(platform)),
        };
        Self {
            seed: DEVELOPMENT_SEED,
            certificates: Certificates {
                root: Certificate::root(),
                platform_ca: Certificate::pck_ca(Ca::Platform),
                processor_ca: Certificate::pck_ca(Ca::Processor),
                pck: Certificate::pck(platform.ca, SgxExtension::new(platform)),
                tcb_signer: Certificate::tcb_signer(),
                others: vec![],
            },
            crls: Crls { root: Crl::root(issued, next_update), pck: Crl::pck(platform.ca, issued, next_update) },
            tcb_info,
            tcb_info_signed_by: Key::TcbSigner,
            qe_identity: QeIdentity::new(qe_id, &qe_report, issued, next_update),
            qe_identity_signed_by: Key::TcbSigner,
            chains: Chains::new(platform.ca),
            header: QuoteHeader::new(version, tee_type),
            descriptor: (version == 5).then(|| body.descriptor()),
            body,
            enclave: EnclaveReport::new(platform),
            td: TdReport::new(platform),
            attestation_key: Key::Attestation,
            quote_signed_by: Key::Attestation,
            qe_report,
            qe_report_data: None,
            qe_report_signed_by: Key::Pck,
            auth_data: (0..32).collect(),
            framing: Framing::new(version),
        }
    }

    /// The same as bytes.
    pub fn unsigned(&self) -> Unsigned {
        let seed = &self.seed;
        let body = match self.body {
            BodyKind::Enclave => self.enclave.bytes().to_vec(),
            BodyKind::Td10 => self.td.bytes_10(),
            BodyKind::Td15 => self.td.bytes_15(),
            BodyKind::Td15Ex => self.td.bytes_15ex(),
        };
        let descriptor = self.descriptor.map(|descriptor| descriptor.bytes().to_vec()).unwrap_or_default();
        let attestation_key = seed.public_key(self.attestation_key);
        let report_data = self.qe_report_data.unwrap_or_else(|| qe_report_data(&attestation_key, &self.auth_data));
        Unsigned {
            seed: *seed,
            certificates: self.certificates.map(|plan| ToBeSigned::new(plan.tbs(seed), plan.signed_by)),
            crls: self.crls.map(|plan| ToBeSigned::new(plan.tbs(seed), plan.signed_by)),
            tcb_info: self.tcb_info.json(),
            tcb_info_signed_by: self.tcb_info_signed_by,
            qe_identity: self.qe_identity.json(),
            qe_identity_signed_by: self.qe_identity_signed_by,
            chains: self.chains.clone(),
            quote: [&self.header.bytes()[..], &descriptor, &body].concat(),
            quote_signed_by: self.quote_signed_by,
            attestation_key,
            qe_report: EnclaveReport { report_data, ..self.qe_report }.bytes(),
            qe_report_signed_by: self.qe_report_signed_by,
            auth_data: self.auth_data.clone(),
            framing: self.framing.clone(),
        }
    }
}

impl Default for Plan {
    /// A quote of version 4 on 2026-01-01.
    fn default() -> Self {
        Self::new(Kind::TdV4, 1_767_225_600)
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sgx, Self::TdV4, Self::Td10, Self::Td15, Self::Td15Ex];

    /// The quote's version, what it says it runs in, and its body.
    fn shape(self) -> (u16, u32, BodyKind) {
        const SGX: u32 = 0;
        const TDX: u32 = 0x81;
        match self {
            Self::Sgx => (3, SGX, BodyKind::Enclave),
            Self::TdV4 => (4, TDX, BodyKind::Td10),
            Self::Td10 => (5, TDX, BodyKind::Td10),
            Self::Td15 => (5, TDX, BodyKind::Td15),
            Self::Td15Ex => (5, TDX, BodyKind::Td15Ex),
        }
    }
}

impl Chains {
    /// As Intel's.
    pub fn new(ca: Ca) -> Self {
        let tcb_signer = vec![CertificateName::TcbSigner, CertificateName::Root];
        Self {
            quote: vec![CertificateName::Pck, ca.certificate(), CertificateName::Root],
            pck: None,
            pck_crl_issuer: vec![ca.certificate(), CertificateName::Root],
            tcb_info_issuer: tcb_signer.clone(),
            qe_identity_issuer: tcb_signer,
        }
    }
}
