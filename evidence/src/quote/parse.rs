//! Takes the bytes of a quote apart.

use alloc::vec::Vec;

use super::{
    report::TdFormat, Certification, EnclaveReport, Header, Quote, Report, SignedReport, TdReport, AUTH_DATA, MAX_QUOTE,
};
use crate::{reader::Reader, Error, Part, Tee};

/// Intel's QE.
const QE_VENDOR: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];
/// ECDSA over P-256, the one kind of attestation key that Intel's QE makes.
const ECDSA_P256: u16 = 2;
/// Certification data: a chain of certificates in PEM.
pub(super) const PCK_CHAIN: u16 = 5;
/// Certification data: the QE's report, and more certification data.
const QE_REPORT: u16 = 6;

pub(super) fn quote(bytes: &[u8]) -> Result<Quote, Error> {
    if bytes.len() > MAX_QUOTE {
        return Err(Error::TooLong { part: Part::Quote, found: bytes.len() as u32, most: MAX_QUOTE as u32 });
    }
    let mut reader = Reader::new(Part::Quote, bytes);
    let (header, report) = header_and_report(&mut reader)?;
    let signed = bytes.len() - reader.left();
    let length = reader.u32()?;
    // What follows is padding.
    let mut data = Reader::new(Part::SignatureData, reader.bytes(length as usize)?);

    let signature = data.array()?;
    let attestation_key = data.array()?;
    let certified = match header.tee {
        Tee::Sgx => data,
        Tee::Tdx => nested(&mut data)?,
    };
    let (certification, certification_data) = certification(header.tee, certified, attestation_key)?;
    let bytes = bytes[..signed].to_vec().try_into().map_err(|_| Error::TooLong {
        part: Part::Quote,
        found: signed as u32,
        most: super::MAX_SIGNED,
    })?;
    let signed = SignedReport { bytes, signature };
    Ok(Quote { header, report, signed, certification, certification_data })
}

pub(super) fn signed(bytes: &[u8]) -> Result<(Header, Report), Error> {
    let mut reader = Reader::new(Part::Quote, bytes);
    let parsed = header_and_report(&mut reader)?;
    reader.end()?;
    Ok(parsed)
}

fn header_and_report(reader: &mut Reader<'_>) -> Result<(Header, Report), Error> {
    let version = reader.u16()?;
    if !(3..=5).contains(&version) {
        return Err(Error::QuoteVersion { found: version });
    }
    let key_type = reader.u16()?;
    if key_type != ECDSA_P256 {
        return Err(Error::AttestationKeyType { found: key_type, expected: ECDSA_P256 });
    }
    let tee_type = reader.u32()?;
    let tee = match (version, Tee::of(tee_type)) {
        (3, Some(Tee::Sgx)) => Tee::Sgx,
        (4 | 5, Some(Tee::Tdx)) => Tee::Tdx,
        _ => return Err(Error::TeeType { version, found: tee_type }),
    };
    let (qe_svn, pce_svn) = (reader.u16()?, reader.u16()?);
    let vendor = reader.array()?;
    if vendor != QE_VENDOR {
        return Err(Error::QeVendor { found: vendor.into(), expected: QE_VENDOR.into() });
    }
    let header = Header { version, tee, qe_svn, pce_svn, user_data: reader.array()? };

    let report = match version {
        3 => Report::Sgx(EnclaveReport::read(reader)?),
        4 => Report::Tdx(TdReport::read(reader, TdFormat::Tdx10)?),
        _ => {
            let body_type = reader.u16()?;
            let (format, expected) = match body_type {
                2 => (TdFormat::Tdx10, 584),
                3 => (TdFormat::Tdx15, 648),
                4 => (TdFormat::Tdx15Ex, 885),
                found => return Err(Error::BodyType { found }),
            };
            let found = reader.u32()?;
            if found != expected {
                return Err(Error::BodySize { body_type, found, expected });
            }
            Report::Tdx(TdReport::read(reader, format)?)
        }
    };
    Ok((header, report))
}

/// From version 4 on, the certification lies in certification data of its own.
fn nested<'a>(data: &mut Reader<'a>) -> Result<Reader<'a>, Error> {
    let found = data.u16()?;
    if found != QE_REPORT {
        return Err(Error::CertificationDataType { found, expected: QE_REPORT });
    }
    let length = data.u32()?;
    let nested = data.bytes(length as usize)?;
    data.end()?;
    Ok(Reader::new(Part::CertificationData, nested))
}

fn certification(
    tee: Tee,
    mut data: Reader<'_>,
    attestation_key: [u8; 64],
) -> Result<(Certification, (u16, Vec<u8>)), Error> {
    let qe_report = data.array()?;
    let qe_report_signature = data.array()?;
    let length = data.u16()?;
    if usize::from(length) != AUTH_DATA {
        return Err(Error::AuthDataLength { found: length, expected: AUTH_DATA as u16 });
    }
    let auth_data = data.array()?;
    let data_type = data.u16()?;
    let length = data.u32()?;
    let content = data.bytes(length as usize)?.to_vec();
    data.end()?;
    Ok((Certification { tee, attestation_key, qe_report, qe_report_signature, auth_data }, (data_type, content)))
}
