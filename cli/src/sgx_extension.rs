//! Intel's extension of PCK certificates, as it stands there: for people to look at. What is judged by it,
//! `holdfast_evidence` reads for itself.
//!
//! Source: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, section 1.3.5.

use der::{
    asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef},
    Decode, Reader, SliceReader, Tag, Tagged,
};
use serde_json::Value;

use crate::fields::Fields;

/// Below which all others lie.
pub(crate) const OID: &str = "1.2.840.113741.1.13.1";

/// What it says, in the order in which it does. `None` if it is damaged.
pub(crate) fn fields(der: &[u8]) -> Option<Fields> {
    let mut fields = Fields::default();
    for (arc, value) in entries(AnyRef::from_der(der).ok()?, &[])? {
        fields = match arc {
            1 => fields.with_bytes("ppid", octets(value)?),
            2 => fields.and(tcb(value)?),
            3 => fields.with_bytes("pce_id", octets(value)?),
            4 => fields.with_bytes("fmspc", octets(value)?),
            5 => fields.with("sgx_type", sgx_type(value)?),
            6 => fields.with_bytes("platform_instance_id", octets(value)?),
            7 => fields.and(configuration(value)?),
            // What Intel may add.
            _ => fields,
        };
    }
    Some(fields)
}

fn tcb(value: AnyRef<'_>) -> Option<Fields> {
    let mut components = Vec::new();
    let mut fields = Fields::default();
    for (arc, value) in entries(value, &[2])? {
        match arc {
            1..=16 => components.push((arc, number(value)?)),
            17 => fields = fields.with("pce_svn", number(value)?),
            18 => fields = fields.with_bytes("pck_cpu_svn", octets(value)?),
            _ => {}
        }
    }
    components.sort_unstable();
    let components: Vec<Value> = components.into_iter().map(|(_, svn)| svn.into()).collect();
    Some(Fields::default().with("tcb_component_svns", components).and(fields))
}

fn configuration(value: AnyRef<'_>) -> Option<Fields> {
    let mut fields = Fields::default();
    for (arc, value) in entries(value, &[7])? {
        let name = match arc {
            1 => "dynamic_platform",
            2 => "cached_keys",
            3 => "smt_enabled",
            _ => continue,
        };
        fields = fields.with(name, value.decode_as::<bool>().ok()?);
    }
    Some(fields)
}

fn sgx_type(value: AnyRef<'_>) -> Option<String> {
    match (value.tag(), value.value()) {
        (Tag::Enumerated, [0]) => Some("0 (standard)".into()),
        (Tag::Enumerated, [1]) => Some("1 (scalable)".into()),
        (Tag::Enumerated, [2]) => Some("2 (scalable with integrity)".into()),
        (Tag::Enumerated, [other]) => Some(other.to_string()),
        _ => None,
    }
}

/// `SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, value }`, whose identifiers are those of the extension, `path` and one
/// number more; none is there twice.
fn entries<'a>(sequence: AnyRef<'a>, path: &[u8]) -> Option<Vec<(u8, AnyRef<'a>)>> {
    let extension: ObjectIdentifier = ObjectIdentifier::new(OID).ok()?;
    let mut all = Vec::new();
    let mut reader = inside(sequence)?;
    while !reader.is_finished() {
        let mut entry = inside(AnyRef::decode(&mut reader).ok()?)?;
        let oid: ObjectIdentifier = ObjectIdentifier::decode(&mut entry).ok()?;
        let value = AnyRef::decode(&mut entry).ok()?;
        let [arc] = oid.as_bytes().strip_prefix(extension.as_bytes())?.strip_prefix(path)? else { return None };
        if all.iter().any(|(known, _)| known == arc) {
            return None;
        }
        all.push((*arc, value));
    }
    Some(all)
}

fn inside(sequence: AnyRef<'_>) -> Option<SliceReader<'_>> {
    (sequence.tag() == Tag::Sequence).then(|| SliceReader::new(sequence.value()).ok())?
}

fn octets(value: AnyRef<'_>) -> Option<&[u8]> {
    value.decode_as::<&OctetStringRef>().ok().map(OctetStringRef::as_bytes)
}

fn number(value: AnyRef<'_>) -> Option<u64> {
    let number: UintRef<'_> = value.decode_as().ok()?;
    let bytes = number.as_bytes();
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
