//! What certificates say, unverified.

use holdfast_evidence::{certificates, mock::ORGANIZATION, Part};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use crate::{fields::Fields, output::shown, sgx_extension, time};

/// Each certificate of a chain in PEM, or what is wrong with the chain.
pub(crate) fn chain(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    certificates(Part::PckChain, pem).map_err(|error| error.to_string())
}

/// What one says.
pub(crate) fn fields(der: &[u8]) -> Fields {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Fields::default().with("damaged", "this is no X.509 certificate").with_bytes("der", der);
    };
    let serial = certificate.raw_serial();
    let validity = certificate.validity();
    let dated = |fields: Fields, name, date: ASN1Time| match u64::try_from(date.timestamp()) {
        Ok(seconds) => fields.with_time(name, seconds),
        Err(_) => fields.with(name, self::date(date)),
    };
    let fields = Fields::default()
        .with("subject", shown(&certificate.subject().to_string()))
        .with("issuer", shown(&certificate.issuer().to_string()))
        // DER has a zero in front of what would be negative without.
        .with_bytes("serial", serial.strip_prefix(&[0]).unwrap_or(serial));
    let fields = dated(dated(fields, "not_before", validity.not_before), "not_after", validity.not_after);
    let is_sgx = |oid: &str| oid == sgx_extension::OID;
    match certificate.extensions().iter().find(|extension| is_sgx(&extension.oid.to_id_string())) {
        Some(extension) => match sgx_extension::fields(extension.value) {
            Some(sgx) => fields.and(sgx),
            None => fields.with("sgx_extension", "damaged"),
        },
        None => fields,
    }
}

/// Its subject, and until when it is good: in one line.
pub(crate) fn line(der: &[u8]) -> String {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => {
            let subject = shown(&certificate.subject().to_string());
            format!("{subject}; good until {}", date(certificate.validity().not_after))
        }
        Err(_) => "this is no X.509 certificate".into(),
    }
}

/// Whether it says that it is simulated.
pub(crate) fn is_simulated(der: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    let names = [certificate.subject(), certificate.issuer()];
    names.iter().any(|name| name.iter_organization().any(|organization| organization.as_str() == Ok(ORGANIZATION)))
}

/// Without the zeros in front with which it was padded.
pub(crate) fn serial(serial: &[u8]) -> String {
    hex::encode(serial).trim_start_matches("00").to_string()
}

fn date(date: ASN1Time) -> String {
    match u64::try_from(date.timestamp()) {
        Ok(seconds) => time::shown(seconds),
        Err(_) => shown(&date.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_evidence::{mock, INTEL_ROOT};

    use super::*;

    #[test]
    fn intels_root_is_shown_and_is_not_simulated() {
        let text = fields(INTEL_ROOT).text();
        assert!(text.contains("  subject     CN=Intel SGX Root CA, O=Intel Corporation, "), "{text}");
        assert!(text.contains("  serial      22650cd65a9d3489f383b49552bf501b392706ac\n"), "{text}");
        assert!(text.contains("  not_after   2049-12-31T23:59:59Z\n"), "{text}");
        assert!(!is_simulated(INTEL_ROOT));
        for seed in ["", "another"] {
            assert!(is_simulated(&mock::root(seed)));
        }
    }

    // In place of a fuzzer.
    #[test]
    fn nothing_that_is_read_ends_in_a_panic() {
        let plan = mock::Plan::default();
        let pck = plan.unsigned().parts().certificates.pck;
        let text = fields(&pck).text();
        assert!(text.contains("fmspc") && text.contains("smt_enabled"), "{text}");
        for at in 0..pck.len() {
            assert!(fields(&pck[..at]).text().contains("this is no X.509 certificate"));
            for byte in [0, 1, 0x30, 0x7f, 0x80, 0xff] {
                let mut changed = pck.clone();
                changed[at] = byte;
                let (_, _, _) = (fields(&changed).text(), line(&changed), is_simulated(&changed));
            }
        }
    }
}
