//! Intel's extension of PCK certificates: which platform it is, and with which security versions it was provisioned.
//!
//! Source: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, section 1.3.5.

use der::{
    asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef},
    Decode, Reader, SliceReader, Tag, Tagged,
};

use super::pck::{Configuration, SgxExtension};

/// 1.2.840.113741.1.13.1, below which all others lie.
pub(super) const SGX_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");

/// Reads the extension's value. `Err` names what is missing or is not as it should be.
pub(super) fn read(der: &[u8]) -> Result<SgxExtension, &'static str> {
    let mut ppid = None;
    let mut tcb = None;
    let mut pce_id = None;
    let mut fmspc = None;
    let mut sgx_type = None;
    let mut platform_instance_id = None;
    let mut configuration = None;
    for_each(der, &[], |arc, value| {
        match arc {
            1 => once(&mut ppid, octets(value)?),
            2 => once(&mut tcb, read_tcb(value)?),
            3 => once(&mut pce_id, octets(value)?),
            4 => once(&mut fmspc, octets(value)?),
            5 => once(&mut sgx_type, enumerated(value)?),
            6 => once(&mut platform_instance_id, octets(value)?),
            7 => once(&mut configuration, read_configuration(value)?),
            // What Intel may add.
            _ => Some(()),
        }
    })
    .ok_or("its structure")?;
    let (components, pce_svn) = tcb.ok_or("TCB")?;
    Ok(SgxExtension {
        ppid: ppid.ok_or("PPID")?,
        components,
        pce_svn,
        pce_id: pce_id.ok_or("PCE-ID")?,
        fmspc: fmspc.ok_or("FMSPC")?,
        sgx_type: sgx_type.ok_or("SGX type")?,
        platform_instance_id,
        configuration,
    })
}

/// The components' security versions, and the PCE's.
fn read_tcb(value: AnyRef<'_>) -> Option<([u8; 16], u16)> {
    let mut components = [None; 16];
    let mut pce_svn = None;
    let mut cpu_svn = None::<[u8; 16]>;
    for_each_in(value, &[2], |arc, value| match arc {
        // Two bytes in DER, the sign's bit among them; other verifiers read no third one.
        17 => once(&mut pce_svn, i16::try_from(number(value)?).ok()?.unsigned_abs()),
        18 => once(&mut cpu_svn, octets(value)?),
        arc => once(components.get_mut(usize::from(arc).checked_sub(1)?)?, u8::try_from(number(value)?).ok()?),
    })?;
    let mut lowest = cpu_svn?;
    // CPUSVN says the same in one piece. Were it ever to say less, the platform would have that.
    for (lowest, component) in lowest.iter_mut().zip(components) {
        *lowest = (*lowest).min(component?);
    }
    Some((lowest, pce_svn?))
}

fn read_configuration(value: AnyRef<'_>) -> Option<Configuration> {
    let mut configuration = Configuration::default();
    for_each_in(value, &[7], |arc, value| match arc {
        1 => once(&mut configuration.dynamic_platform, boolean(value)?),
        2 => once(&mut configuration.cached_keys, boolean(value)?),
        3 => once(&mut configuration.smt_enabled, boolean(value)?),
        _ => Some(()),
    })?;
    Some(configuration)
}

/// `SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, value }`, whose identifiers are those of the extension, `path` and one
/// number more.
fn for_each<'a>(der: &'a [u8], path: &[u8], each: impl FnMut(u8, AnyRef<'a>) -> Option<()>) -> Option<()> {
    for_each_in(AnyRef::from_der(der).ok()?, path, each)
}

fn for_each_in<'a>(
    sequence: AnyRef<'a>,
    path: &[u8],
    mut each: impl FnMut(u8, AnyRef<'a>) -> Option<()>,
) -> Option<()> {
    let mut entries = inside(sequence)?;
    while !entries.is_finished() {
        let mut entry = inside(AnyRef::decode(&mut entries).ok()?)?;
        let oid: ObjectIdentifier = ObjectIdentifier::decode(&mut entry).ok()?;
        let value = AnyRef::decode(&mut entry).ok()?;
        entry.finish().ok()?;
        let below = oid.as_bytes().strip_prefix(SGX_EXTENSION.as_bytes())?.strip_prefix(path)?;
        let [arc] = below else { return None };
        each(*arc, value)?;
    }
    Some(())
}

fn inside(sequence: AnyRef<'_>) -> Option<SliceReader<'_>> {
    (sequence.tag() == Tag::Sequence).then(|| SliceReader::new(sequence.value()).ok())?
}

/// `None` if there was one already.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

fn octets<const N: usize>(value: AnyRef<'_>) -> Option<[u8; N]> {
    value.decode_as::<&OctetStringRef>().ok()?.as_bytes().try_into().ok()
}

fn number(value: AnyRef<'_>) -> Option<u32> {
    let number: UintRef<'_> = value.decode_as().ok()?;
    let mut wide = [0; 4];
    let from = wide.len().checked_sub(number.as_bytes().len())?;
    wide.get_mut(from..)?.copy_from_slice(number.as_bytes());
    Some(u32::from_be_bytes(wide))
}

fn enumerated(value: AnyRef<'_>) -> Option<u8> {
    match (value.tag(), value.value()) {
        (Tag::Enumerated, [kind @ 0..=0x7f]) => Some(*kind),
        _ => None,
    }
}

fn boolean(value: AnyRef<'_>) -> Option<bool> {
    value.decode_as().ok()
}
