//! Certificates as Intel issues them.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use der::asn1::ObjectIdentifier;

use super::{
    asn1::{
        algorithm, bits, boolean, explicit, implicit, named_bits, oid, sequence, time, tlv, unsigned,
        ECDSA_WITH_SHA256, OCTET_STRING, PRINTABLE_STRING, SET, UTF8_STRING,
    },
    Ca, Key, Seed, SgxExtension, ORGANIZATION,
};

/// digitalSignature and nonRepudiation: what a certificate that issues none has.
pub const KEY_USAGE_SIGNS: u16 = 0b11;
/// keyCertSign and cRLSign: what a CA has.
pub const KEY_USAGE_ISSUES: u16 = 1 << 5 | 1 << 6;

/// Unix seconds: 2018-05-21T10:45:10Z, when Intel's root began to be valid.
const NOT_BEFORE: u64 = 1_526_899_510;
/// Unix seconds: 2049-12-31T23:59:59Z, when Intel's root ends.
const NOT_AFTER: u64 = 2_524_607_999;

const ROOT_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

/// What a certificate is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// 2 for X.509 v3; `None` leaves the field out.
    pub version: Option<u8>,
    /// A positive number, big endian. Intel's have 20 bytes.
    pub serial: Vec<u8>,
    /// What it says that it is signed with. [`super::ToBeSigned::algorithm`] says it again, outside.
    pub algorithm: ObjectIdentifier,
    /// Who it says has signed it.
    pub issuer: DistinguishedName,
    /// Unix seconds, as all dates here, until the year 9999.
    pub not_before: u64,
    /// It is valid until here, including this second.
    pub not_after: u64,
    /// Whose it is.
    pub subject: DistinguishedName,
    /// The key in it.
    pub key: Key,
    /// DER, in place of [`Self::key`]'s SubjectPublicKeyInfo.
    pub public_key_info: Option<Vec<u8>>,
    /// The key that signs it.
    pub signed_by: Key,
    /// Extension 2.5.29.35; this and the ones below are left out if `None`, and otherwise in this order, as Intel's.
    pub authority_key_identifier: Option<KeyIdentifier>,
    /// Extension 2.5.29.31: one URI.
    pub crl_distribution_point: Option<String>,
    /// Extension 2.5.29.14.
    pub subject_key_identifier: Option<KeyIdentifier>,
    /// Extension 2.5.29.15, critical: bit n of RFC 5280, 4.2.1.3 is `1 << n`.
    pub key_usage: Option<u16>,
    /// Extension 2.5.29.19, critical.
    pub basic_constraints: Option<BasicConstraints>,
    /// Extension 1.2.840.113741.1.13.1, which PCK certificates have.
    pub sgx: Option<SgxExtension>,
    /// After the others.
    pub extra: Vec<Extension>,
}

/// A name: common name, organization, locality, state and country, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName {
    /// CN
    pub common_name: String,
    /// O
    pub organization: String,
    /// L
    pub locality: String,
    /// ST
    pub state: String,
    /// C, the only one that is a PrintableString; the others are UTF8String.
    pub country: String,
}

/// How a key is identified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyIdentifier {
    /// By what [`Seed::key_identifier`] says.
    Of(Key),
    /// By these bytes.
    Bytes(Vec<u8>),
}

/// Whether a certificate may issue others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Left out where it is `false`, which is the default.
    pub ca: bool,
    /// How many CAs may be between it and the last certificate of a chain.
    pub path_length: Option<u8>,
}

/// Any extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What it is.
    pub oid: ObjectIdentifier,
    /// Whether who does not know it must refuse the certificate.
    pub critical: bool,
    /// The content of the octet string.
    pub value: Vec<u8>,
}

impl Certificate {
    /// Intel SGX Root CA.
    pub fn root() -> Self {
        Self::issued_by_root("Intel SGX Root CA", Key::Root, 0x22).issuing(1)
    }

    /// One of the two CAs that issue PCK certificates.
    pub fn pck_ca(ca: Ca) -> Self {
        let serial = match ca {
            Ca::Platform => 0x15,
            Ca::Processor => 0x50,
        };
        Self::issued_by_root(ca.common_name(), ca.key(), serial).issuing(0)
    }

    /// Intel SGX TCB Signing.
    pub fn tcb_signer() -> Self {
        Self::issued_by_root("Intel SGX TCB Signing", Key::TcbSigner, 0x7E)
    }

    /// Of a platform, with what Intel says of it.
    pub fn pck(ca: Ca, sgx: SgxExtension) -> Self {
        let crl =
            format!("https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca={}&encoding=der", ca.id());
        Self {
            issuer: DistinguishedName::new(ca.common_name()),
            signed_by: ca.key(),
            authority_key_identifier: Some(KeyIdentifier::Of(ca.key())),
            crl_distribution_point: Some(crl),
            sgx: Some(sgx),
            ..Self::issued_by_root("Intel SGX PCK Certificate", Key::Pck, 0x3C)
        }
    }

    /// DER: what is signed.
    pub fn tbs(&self, seed: &Seed) -> Vec<u8> {
        let version = self.version.map(|version| tlv(explicit(0), &[&unsigned(&[version])]));
        let extensions = self.extensions(seed).concat();
        sequence(&[
            &version.unwrap_or_default(),
            &unsigned(&self.serial),
            &algorithm(self.algorithm),
            &self.issuer.der(),
            &sequence(&[&time(self.not_before), &time(self.not_after)]),
            &self.subject.der(),
            &self.public_key_info.clone().unwrap_or_else(|| public_key_info(seed, self.key)),
            // An empty list of extensions is not DER.
            &if extensions.is_empty() { vec![] } else { tlv(explicit(3), &[&sequence(&[&extensions])]) },
        ])
    }

    fn issued_by_root(subject: &str, key: Key, serial: u8) -> Self {
        Self {
            version: Some(2),
            serial: vec![serial; 20],
            algorithm: ECDSA_WITH_SHA256,
            issuer: DistinguishedName::new("Intel SGX Root CA"),
            not_before: NOT_BEFORE,
            not_after: NOT_AFTER,
            subject: DistinguishedName::new(subject),
            key,
            public_key_info: None,
            signed_by: Key::Root,
            authority_key_identifier: Some(KeyIdentifier::Of(Key::Root)),
            crl_distribution_point: Some(ROOT_CRL.to_string()),
            subject_key_identifier: Some(KeyIdentifier::Of(key)),
            key_usage: Some(KEY_USAGE_SIGNS),
            basic_constraints: Some(BasicConstraints { ca: false, path_length: None }),
            sgx: None,
            extra: vec![],
        }
    }

    fn issuing(self, path_length: u8) -> Self {
        let basic_constraints = Some(BasicConstraints { ca: true, path_length: Some(path_length) });
        Self { key_usage: Some(KEY_USAGE_ISSUES), basic_constraints, ..self }
    }

    fn extensions(&self, seed: &Seed) -> Vec<Vec<u8>> {
        let mut out = vec![];
        let mut push = |oid: &str, critical, value| {
            out.push(Extension { oid: ObjectIdentifier::new_unwrap(oid), critical, value }.der());
        };
        if let Some(identifier) = &self.authority_key_identifier {
            push("2.5.29.35", false, identifier.authority(seed));
        }
        if let Some(uri) = &self.crl_distribution_point {
            // A list of one point, whose full name is a list of one URI.
            let name = tlv(explicit(0), &[&tlv(implicit(6), &[uri.as_bytes()])]);
            push("2.5.29.31", false, sequence(&[&sequence(&[&tlv(explicit(0), &[&name])])]));
        }
        if let Some(identifier) = &self.subject_key_identifier {
            push("2.5.29.14", false, tlv(OCTET_STRING, &[&identifier.bytes(seed)]));
        }
        if let Some(usage) = self.key_usage {
            push("2.5.29.15", true, named_bits(usage));
        }
        if let Some(constraints) = self.basic_constraints {
            let ca = if constraints.ca { boolean(true) } else { vec![] };
            let path_length = constraints.path_length.map(|length| unsigned(&[length])).unwrap_or_default();
            push("2.5.29.19", true, sequence(&[&ca, &path_length]));
        }
        if let Some(sgx) = &self.sgx {
            push("1.2.840.113741.1.13.1", false, sgx.der());
        }
        out.extend(self.extra.iter().map(Extension::der));
        out
    }
}

impl DistinguishedName {
    /// As in Intel's certificates, but of [`ORGANIZATION`].
    pub fn new(common_name: &str) -> Self {
        Self {
            common_name: common_name.into(),
            organization: ORGANIZATION.into(),
            locality: "Santa Clara".into(),
            state: "CA".into(),
            country: "US".into(),
        }
    }

    /// DER.
    pub fn der(&self) -> Vec<u8> {
        let part = |number: &str, tag, value: &str| {
            let number = oid(ObjectIdentifier::new_unwrap(number));
            tlv(SET, &[&sequence(&[&number, &tlv(tag, &[value.as_bytes()])])])
        };
        sequence(&[
            &part("2.5.4.3", UTF8_STRING, &self.common_name),
            &part("2.5.4.10", UTF8_STRING, &self.organization),
            &part("2.5.4.7", UTF8_STRING, &self.locality),
            &part("2.5.4.8", UTF8_STRING, &self.state),
            &part("2.5.4.6", PRINTABLE_STRING, &self.country),
        ])
    }
}

impl KeyIdentifier {
    /// The identifier itself.
    pub fn bytes(&self, seed: &Seed) -> Vec<u8> {
        match self {
            Self::Of(key) => seed.key_identifier(*key),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }

    /// As the content of an authority key identifier.
    pub(super) fn authority(&self, seed: &Seed) -> Vec<u8> {
        sequence(&[&tlv(implicit(0), &[&self.bytes(seed)])])
    }
}

impl Extension {
    /// DER.
    pub fn der(&self) -> Vec<u8> {
        let critical = if self.critical { boolean(true) } else { vec![] };
        sequence(&[&oid(self.oid), &critical, &tlv(OCTET_STRING, &[&self.value])])
    }
}

fn public_key_info(seed: &Seed, key: Key) -> Vec<u8> {
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    let point = [&[4][..], &seed.public_key(key)].concat();
    sequence(&[&sequence(&[&oid(EC_PUBLIC_KEY), &oid(P256)]), &bits(&point)])
}
