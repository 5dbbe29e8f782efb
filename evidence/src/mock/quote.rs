//! What is around a quote's body. All numbers are little endian.

use alloc::{vec, vec::Vec};

/// Intel's quoting enclaves.
const INTEL_QE_VENDOR_ID: [u8; 16] =
    [0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07];

/// The first 48 bytes of a quote, the fields in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteHeader {
    /// 3, 4 or 5. [`Framing::nested`] belongs to it.
    pub version: u16,
    /// 2 for ECDSA over P-256.
    pub attestation_key_type: u16,
    /// 0 for enclaves, 0x81 for TDs.
    pub tee_type: u32,
    /// In quotes of version 3, the quoting enclave's; reserved in the others.
    pub qe_svn: u16,
    /// In quotes of version 3, the provisioning certification enclave's; reserved in the others.
    pub pce_svn: u16,
    /// Who made the quoting enclave.
    pub qe_vendor_id: [u8; 16],
    /// The quoting enclave's own.
    pub user_data: [u8; 20],
}

/// What is between header and body of a quote of version 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDescriptor {
    /// 1 for an enclave, 2 for TDX 1.0, 3 for 1.5, 4 for 1.5ex.
    pub body_type: u16,
    /// Bytes of the body.
    pub size: u32,
}

/// Which body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// [`super::Plan::enclave`]
    Enclave,
    /// [`super::Plan::td`], the part that TDX 1.0 has.
    Td10,
    /// [`super::Plan::td`], the part that TDX 1.5 has.
    Td15,
    /// [`super::Plan::td`], all of it.
    Td15Ex,
}

/// How signatures and certificates are put behind the body. Lengths are those of what follows them if `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Of all that is signed by somebody else than the TD or the enclave.
    pub signature_data_length: Option<u32>,
    /// Whether the quoting enclave's report, its signature, authentication data and the chain are in certification data
    /// of type 6, as they are from version 4 on.
    pub nested: bool,
    /// 6.
    pub outer_type: u16,
    /// Of the certification data of type 6.
    pub outer_length: Option<u32>,
    /// Of the authentication data.
    pub auth_data_length: Option<u16>,
    /// 5 for a chain in PEM.
    pub certification_type: u16,
    /// Of the chain.
    pub certification_length: Option<u32>,
    /// In place of the chain.
    pub certification_data: Option<Vec<u8>>,
    /// At the end of the chain: a zero, as at the end of Intel's. Not after [`Self::certification_data`].
    pub chain_end: Vec<u8>,
    /// After the certification data of type 5, and counted as part of that of type 6.
    pub outer_trailing: Vec<u8>,
    /// After that, and counted by [`Self::signature_data_length`].
    pub signature_data_trailing: Vec<u8>,
    /// At the very end, and not counted.
    pub trailing: Vec<u8>,
}

impl QuoteHeader {
    /// As Intel's quoting enclaves write it.
    pub fn new(version: u16, tee_type: u32) -> Self {
        let (qe_svn, pce_svn) = if version == 3 { (8, 11) } else { (0, 0) };
        let qe_vendor_id = INTEL_QE_VENDOR_ID;
        Self { version, attestation_key_type: 2, tee_type, qe_svn, pce_svn, qe_vendor_id, user_data: [0; 20] }
    }

    /// As it is in a quote.
    pub fn bytes(&self) -> [u8; 48] {
        let parts: [&[u8]; 7] = [
            &self.version.to_le_bytes(),
            &self.attestation_key_type.to_le_bytes(),
            &self.tee_type.to_le_bytes(),
            &self.qe_svn.to_le_bytes(),
            &self.pce_svn.to_le_bytes(),
            &self.qe_vendor_id,
            &self.user_data,
        ];
        parts.concat().try_into().expect("the lengths add up to 48")
    }
}

impl BodyDescriptor {
    /// As it is in a quote.
    pub fn bytes(&self) -> [u8; 6] {
        let mut bytes = [0; 6];
        bytes[..2].copy_from_slice(&self.body_type.to_le_bytes());
        bytes[2..].copy_from_slice(&self.size.to_le_bytes());
        bytes
    }
}

impl BodyKind {
    /// Type and size, as quotes of version 5 have them.
    pub fn descriptor(self) -> BodyDescriptor {
        let (body_type, size) = match self {
            Self::Enclave => (1, 384),
            Self::Td10 => (2, 584),
            Self::Td15 => (3, 648),
            Self::Td15Ex => (4, 885),
        };
        BodyDescriptor { body_type, size }
    }
}

impl Framing {
    /// As in Intel's quotes of a version.
    pub fn new(version: u16) -> Self {
        Self {
            signature_data_length: None,
            nested: version >= 4,
            outer_type: 6,
            outer_length: None,
            auth_data_length: None,
            certification_type: 5,
            certification_length: None,
            certification_data: None,
            chain_end: vec![0],
            outer_trailing: vec![],
            signature_data_trailing: vec![],
            trailing: vec![],
        }
    }
}
