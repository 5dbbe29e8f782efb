//! What Intel says of a platform in its PCK certificate.

use alloc::{format, vec, vec::Vec};

use der::asn1::ObjectIdentifier;

use super::{
    asn1::{boolean, oid, sequence, tlv, unsigned, ENUMERATED, OCTET_STRING},
    Ca, Platform,
};

/// The extension 1.2.840.113741.1.13.1: a list of pairs of an object identifier and a value, in the order of the
/// fields here. What is `None` is left out. Source: Intel's "PCK Certificate and CRL Profile Specification", 1.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SgxExtension {
    /// `.1`: 16 bytes.
    pub ppid: Option<Vec<u8>>,
    /// `.2.1` to `.2.16`: the platform's TCB components; Intel's are 16 of at most 255.
    pub components: Vec<u16>,
    /// `.2.17`
    pub pce_svn: Option<u16>,
    /// `.2.18`: 16 bytes.
    pub cpu_svn: Option<Vec<u8>>,
    /// `.3`: 2 bytes.
    pub pce_id: Option<Vec<u8>>,
    /// `.4`: 6 bytes.
    pub fmspc: Option<Vec<u8>>,
    /// `.5`: 0 for standard, 1 for scalable, 2 for scalable with integrity.
    pub sgx_type: Option<u8>,
    /// `.6`: 16 bytes, which only certificates of the platform CA have.
    pub platform_instance_id: Option<Vec<u8>>,
    /// `.7`, which only certificates of the platform CA have.
    pub configuration: Option<Configuration>,
    /// DER of further elements of the list, at its end.
    pub extra: Vec<Vec<u8>>,
}

/// How a platform is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// `.7.1`: packages can be added to it.
    pub dynamic_platform: Option<bool>,
    /// `.7.2`: Intel keeps its root keys.
    pub cached_keys: Option<bool>,
    /// `.7.3`: a core runs several threads.
    pub smt_enabled: Option<bool>,
}

impl SgxExtension {
    /// What Intel would say of this platform.
    pub fn new(platform: &Platform) -> Self {
        let (platform_instance_id, configuration) = match platform.ca {
            Ca::Processor => (None, None),
            Ca::Platform => {
                let configuration = Configuration {
                    dynamic_platform: Some(platform.dynamic_platform),
                    cached_keys: Some(platform.cached_keys),
                    smt_enabled: Some(platform.smt_enabled),
                };
                (Some(platform.platform_instance_id.to_vec()), Some(configuration))
            }
        };
        Self {
            ppid: Some(platform.ppid.to_vec()),
            components: platform.cpu_svn.map(u16::from).to_vec(),
            pce_svn: Some(platform.pce_svn),
            cpu_svn: Some(platform.cpu_svn.to_vec()),
            pce_id: Some(platform.pce_id.to_vec()),
            fmspc: Some(platform.fmspc.to_vec()),
            sgx_type: Some(platform.sgx_type),
            platform_instance_id,
            configuration,
            extra: vec![],
        }
    }

    /// DER.
    pub fn der(&self) -> Vec<u8> {
        let octets = |arc, bytes: &Option<Vec<u8>>| optional(arc, bytes, |bytes| tlv(OCTET_STRING, &[bytes]));
        let mut tcb: Vec<_> = (1..)
            .zip(&self.components)
            .map(|(n, svn)| entry(&format!("2.{n}"), &unsigned(&svn.to_be_bytes())))
            .collect();
        tcb.push(optional("2.17", &self.pce_svn, |svn| unsigned(&svn.to_be_bytes())));
        tcb.push(octets("2.18", &self.cpu_svn));
        sequence(&[
            &octets("1", &self.ppid),
            &entry("2", &sequence(&[&tcb.concat()])),
            &octets("3", &self.pce_id),
            &octets("4", &self.fmspc),
            &optional("5", &self.sgx_type, |sgx_type| tlv(ENUMERATED, &[&[*sgx_type]])),
            &octets("6", &self.platform_instance_id),
            &optional("7", &self.configuration, Configuration::der),
            &self.extra.concat(),
        ])
    }
}

impl Configuration {
    fn der(&self) -> Vec<u8> {
        let flag = |arc, value| optional(arc, value, |value| boolean(*value));
        sequence(&[
            &flag("7.1", &self.dynamic_platform),
            &flag("7.2", &self.cached_keys),
            &flag("7.3", &self.smt_enabled),
        ])
    }
}

fn optional<T>(arc: &str, value: &Option<T>, der: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
    value.as_ref().map(|value| entry(arc, &der(value))).unwrap_or_default()
}

/// A pair; `arc` comes after the extension's own object identifier.
fn entry(arc: &str, value: &[u8]) -> Vec<u8> {
    let number = ObjectIdentifier::new(&format!("1.2.840.113741.1.13.1.{arc}")).expect("a number and a few digits");
    sequence(&[&oid(number), value])
}
