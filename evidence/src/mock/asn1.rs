//! DER, written by hand: what is written here must be able to be wrong.

use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

use der::{asn1::ObjectIdentifier, DateTime};

/// ecdsa-with-SHA256.
pub(super) const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0A;
pub(super) const UTF8_STRING: u8 = 0x0C;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[number]` around something else.
pub(super) const fn explicit(number: u8) -> u8 {
    0xA0 | number
}

/// The tag `[number]` in place of a primitive type's.
pub(super) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// A value of less than 16 MiB: tag, length, the parts.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = Vec::with_capacity(content.len() + 4);
    out.push(tag);
    match content.len() {
        short @ 0..=0x7F => out.push(short as u8),
        byte @ 0x80..=0xFF => out.extend([0x81, byte as u8]),
        word @ 0x100..=0xFFFF => {
            out.push(0x82);
            out.extend((word as u16).to_be_bytes());
        }
        long => {
            let [0, length @ ..] = (long as u32).to_be_bytes() else { unreachable!("nothing here is that long") };
            out.push(0x83);
            out.extend(length);
        }
    }
    out.extend(content);
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, parts)
}

pub(super) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    tlv(OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// A number that is not negative, big endian; leading zeros are left out.
pub(super) fn unsigned(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let number = &number[start..];
    // Without a zero before it, a first byte from 0x80 on would make it negative; and no byte at all is no number.
    let sign: &[u8] = if number.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    tlv(INTEGER, &[sign, number])
}

pub(super) fn boolean(value: bool) -> Vec<u8> {
    tlv(BOOLEAN, &[&[if value { 0xFF } else { 0 }]])
}

/// An algorithm without parameters.
pub(super) fn algorithm(identifier: ObjectIdentifier) -> Vec<u8> {
    sequence(&[&oid(identifier)])
}

/// A bit string of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], bytes])
}

/// A bit string with named bits, the first of which is the lowest of `flags`.
pub(super) fn named_bits(flags: u16) -> Vec<u8> {
    let reversed = flags.reverse_bits().to_be_bytes();
    let used = 16 - flags.leading_zeros();
    let bytes = used.div_ceil(8);
    let unused = (bytes * 8 - used) as u8;
    tlv(BIT_STRING, &[&[unused], &reversed[..bytes as usize]])
}

/// A signature: r, then s, as the sequence of two numbers that certificates hold.
pub(super) fn ecdsa_signature(signature: &[u8; 64]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    sequence(&[&unsigned(r), &unsigned(s)])
}

/// UTCTime until 2049 and GeneralizedTime from then on, as certificates hold it (RFC 5280, 4.1.2.5).
pub(super) fn time(unix_seconds: u64) -> Vec<u8> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let time = date_time(unix_seconds);
    let rest =
        format!("{:02}{:02}{:02}{:02}{:02}Z", time.month(), time.day(), time.hour(), time.minutes(), time.seconds());
    match time.year() {
        year @ ..=2049 => tlv(UTC_TIME, &[format!("{:02}", year % 100).as_bytes(), rest.as_bytes()]),
        year => tlv(GENERALIZED_TIME, &[format!("{year:04}").as_bytes(), rest.as_bytes()]),
    }
}

/// As Intel's JSON has it: "2025-06-19T10:56:11Z".
pub(super) fn iso_8601(unix_seconds: u64) -> String {
    let time = date_time(unix_seconds);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minutes(),
        time.seconds()
    )
}

fn date_time(unix_seconds: u64) -> DateTime {
    DateTime::from_unix_duration(Duration::from_secs(unix_seconds)).expect("a date until the year 9999")
}
