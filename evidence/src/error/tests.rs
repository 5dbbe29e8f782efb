use super::*;

#[test]
fn times_are_said_as_people_write_them() {
    let (document, next_update, now) = (Document::PckCrl, 1_752_919_235, 1_752_919_235);
    let error = Error::DocumentExpired { document, next_update, grace: 0, now };
    let says = "the PCK CRL was good until 2025-07-19T10:00:34Z (with a grace of 0 s), and it is 2025-07-19T10:00:35Z";
    assert_eq!(error.to_string(), says);
    let certificate = CertificateKind::Root;
    let early = Error::CertificateNotYetValid { certificate, not_before: 1_526_899_510, now: 0 }.to_string();
    assert!(early.ends_with("from 2018-05-21T10:45:10Z on, and it is 1970-01-01T00:00:00Z"), "{early}");
    let late = Error::CertificateExpired { certificate, not_after: 1, now: u64::MAX }.to_string();
    assert!(late.ends_with("until 1970-01-01T00:00:01Z, and it is 18446744073709551615 s after 1970"), "{late}");
}

#[test]
fn what_a_policy_names_has_the_same_name_in_errors() {
    let tee = Error::WorkloadTee { found: Tee::Tdx, expected: Tee::Sgx }.to_string();
    assert_eq!(tee, "the workload runs in TDX, not in SGX");
    let (found, expected) = (0u16.to_be_bytes().into(), 1000u16.to_be_bytes().into());
    let product = Error::Measurement { register: Register::IsvProdId, found, expected }.to_string();
    assert_eq!(product, "ISVPRODID is 0, not 1000");
    let (found, expected) = ([1; 2].into(), [2; 2].into());
    let other = Error::Measurement { register: Register::MrTd, found, expected }.to_string();
    assert_eq!(other, "MRTD is 0101, not 0202");
    let found = td_attributes::PKS | td_attributes::PERFMON;
    let attributes = Error::TdAttributes { found, allowed: td_attributes::PKS }.to_string();
    assert_eq!(attributes, "the trust domain has the optional attributes pks, perfmon; allowed: pks");
    let none = Error::TdAttributes { found, allowed: 0 }.to_string();
    assert!(none.ends_with("allowed: none"), "{none}");
    assert_eq!(td_attributes::NAMES.iter().fold(0, |bits, (_, bit)| bits | bit), td_attributes::OPTIONAL);
}
