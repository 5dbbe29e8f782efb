//! Why evidence is refused: one variant for each check. `docs/evidence.md` lists them with the checks' sources.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use codec::{Decode, Encode};
use der::DateTime;
use scale_info::TypeInfo;

use crate::{
    collateral::Advisory, td_attributes, CertificateKind, Document, Hex, IssuerKind, Part, Register, TcbStatus, Tee,
};

/// What was found, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Each field is named for what it is, and the text says the rest.
pub enum Error {
    // The quote's form.
    #[error("{part} has {found} bytes, and {most} are the most that are looked at")]
    TooLong { part: Part, found: u32, most: u32 },
    #[error("{part} ends too early: {needed} bytes should follow, and {found} do")]
    Truncated { part: Part, needed: u32, found: u32 },
    #[error("{found} bytes follow in {part} where it should end")]
    TrailingBytes { part: Part, found: u32 },
    #[error("the quote is of version {found}; 3, 4 and 5 are known")]
    QuoteVersion { found: u16 },
    #[error("the attestation key is of type {found}; only {expected}, ECDSA over P-256, is known")]
    AttestationKeyType { found: u16, expected: u16 },
    #[error("the quote is for a TEE of type {found:#x}; in version 3 it is 0 (SGX), in 4 and 5 0x81 (TDX); this is version {version}")]
    TeeType { version: u16, found: u32 },
    #[error("the quoting enclave's vendor is {found}, not Intel ({expected})")]
    QeVendor { found: Hex, expected: Hex },
    #[error("the quote's body is of type {found}; 2 (TDX 1.0), 3 (TDX 1.5) and 4 (TDX 1.5ex) are known")]
    BodyType { found: u16 },
    #[error("the quote's body of type {body_type} has {found} bytes, not {expected}")]
    BodySize { body_type: u16, found: u32, expected: u32 },
    #[error("the quote's certification data is of type {found}, not {expected}")]
    CertificationDataType { found: u16, expected: u16 },
    #[error("the QE's authentication data has {found} bytes, not {expected}")]
    AuthDataLength { found: u16, expected: u16 },

    // Certificates.
    #[error("{part} is not PEM, or has something else than certificates in it")]
    Pem { part: Part },
    #[error("{part} has more than {most} certificates")]
    CertificateCount { part: Part, most: u32 },
    #[error("{part} has no certificate of the one who issued the first")]
    IssuerMissing { part: Part },
    #[error("{part} ends with another certificate than the root that is trusted")]
    RootDiffers { part: Part },
    #[error("{certificate} has {found} bytes, and {most} are the most that are looked at")]
    CertificateTooLong { certificate: CertificateKind, found: u32, most: u32 },
    #[error("{certificate} is no X.509 certificate of version 3 with an ECDSA key and signature over P-256")]
    CertificateEncoding { certificate: CertificateKind },
    #[error("{certificate} is for \"{found}\"")]
    CertificateName { certificate: CertificateKind, found: String },
    #[error("{certificate} was not issued by {}", expected.common_name())]
    CertificateIssuer { certificate: CertificateKind, expected: IssuerKind },
    #[error("{certificate} has an extension that is critical or limits it, and is not known here, {found}")]
    CriticalExtension { certificate: CertificateKind, found: String },
    #[error("{certificate} {} a CA, against what it is for", if *expected { "is not that of" } else { "is that of" })]
    BasicConstraints { certificate: CertificateKind, is_ca: Option<bool>, expected: bool },
    #[error("the key usage of {certificate} does not allow what it is for")]
    KeyUsage { certificate: CertificateKind },
    #[error("{certificate} is good from {} on, and it is {}", time(*not_before), time(*now))]
    CertificateNotYetValid { certificate: CertificateKind, not_before: u64, now: u64 },
    #[error("{certificate} was good until {}, and it is {}", time(*not_after), time(*now))]
    CertificateExpired { certificate: CertificateKind, not_after: u64, now: u64 },
    #[error("the signature of {certificate} is not that of its issuer")]
    CertificateSignature { certificate: CertificateKind },
    #[error("{certificate}, serial number {serial}, was revoked")]
    CertificateRevoked { certificate: CertificateKind, serial: Hex },
    #[error("the PCK certificate's extension for SGX lacks {what}, or it is damaged")]
    SgxExtension { what: String },

    // Revocation lists, TCB info, QE identity.
    #[error("{document} has {found} bytes, and {most} are the most that are looked at")]
    DocumentTooLong { document: Document, found: u32, most: u32 },
    #[error("{document} cannot be read")]
    DocumentEncoding { document: Document },
    #[error("{document} has {found} entries of one kind, and {most} are the most that are looked at")]
    TooMany { document: Document, found: u32, most: u32 },
    #[error("{document} was made at {}, and it is {}", time(*issued), time(*now))]
    DocumentNotYetValid { document: Document, issued: u64, now: u64 },
    #[error("{document} was good until {} (with a grace of {grace} s), and it is {}",
        time(document.last_second(*next_update)), time(*now))]
    DocumentExpired { document: Document, next_update: u64, grace: u64, now: u64 },
    #[error("the signature of {document} is not that of its signer")]
    DocumentSignature { document: Document },
    #[error("{document} calls itself \"{found}\"")]
    DocumentId { document: Document, found: String },
    #[error("{document} is of version {found}, which is not known")]
    DocumentVersion { document: Document, found: u16 },
    #[error("the levels of {document} are not in descending order")]
    LevelOrder { document: Document },
    #[error("{document} has a level of status {found}, which none of its levels can have")]
    LevelStatus { document: Document, found: TcbStatus },
    #[error("the list of revoked certificates is not signed by {}", expected.common_name())]
    CrlSigner { expected: IssuerKind },
    #[error("{document} has an extension that narrows down what it says, {found}")]
    CrlExtension { document: Document, found: String },
    #[error("the list of revoked certificates is that of {}, not that of {}", found.common_name(), expected.common_name())]
    CrlIssuer { found: IssuerKind, expected: IssuerKind },
    #[error("the TCB info's security versions are of type {found}, which is not known")]
    TcbType { found: u32 },
    #[error("the TCB info says nothing of TDX modules")]
    TdxModuleMissing,

    // The quoting enclave and its attestation key.
    #[error("the QE's report is not signed by the platform's PCK")]
    QeReportSignature,
    #[error("the QE's report names another attestation key: its hash is {found}, not {expected}")]
    AttestationKeyHash { found: Hex, expected: Hex },
    #[error("the second half of the QE's report data is not zero but {found}")]
    QeReportDataTail { found: Hex },
    #[error("the QE identity is for {found}, and the quote for {expected}")]
    QeIdentityTee { found: Tee, expected: Tee },
    #[error("the QE's MRSIGNER is {found}, and Intel's {expected}")]
    QeSigner { found: Hex, expected: Hex },
    #[error("the QE's ISVPRODID is {found}, and Intel's {expected}")]
    QeProduct { found: u16, expected: u16 },
    #[error("the QE's MISCSELECT is {found:#010x}, and Intel's {expected:#010x} (under {mask:#010x})")]
    QeMiscSelect { found: u32, expected: u32, mask: u32 },
    #[error("the QE can be debugged")]
    QeDebug,
    #[error("the QE's ATTRIBUTES are {found}, and Intel's {expected} (under {mask})")]
    QeAttributes { found: Hex, expected: Hex, mask: Hex },
    #[error("the QE's ISVSVN is {found}, lower than any of the QE identity's levels (the lowest is {lowest})")]
    QeLevel { found: u16, lowest: u16 },
    #[error("the attestation key was certified for quotes of {found}, and this one is of {expected}")]
    AttestationKeyTee { found: Tee, expected: Tee },
    #[error("the attestation key was certified by the platform with PCK certificate {found}, not {expected}")]
    AttestationKeyPck { found: Hex, expected: Hex },
    #[error("the quote is not signed by its attestation key")]
    QuoteSignature,
    #[error("the quote is signed by attestation key {found}, and judged with {expected}")]
    AttestationKey { found: Hex, expected: Hex },

    // The platform.
    #[error("the TCB info is for {found}, and the quote of {expected}")]
    TcbInfoTee { found: Tee, expected: Tee },
    #[error("the TCB info is for platforms with FMSPC {found}, and this one has {expected}")]
    Fmspc { found: Hex, expected: Hex },
    #[error("the TCB info is for platforms with PCE-ID {found}, and this one has {expected}")]
    PceId { found: Hex, expected: Hex },
    #[error("the platform's security versions (SGX {components}, PCE {pce_svn}{}) are below all levels of the TCB info",
        tee_tcb_svn.as_ref().map(|svn| format!(", TDX {svn}")).unwrap_or_default())]
    TcbLevel { components: Hex, pce_svn: u16, tee_tcb_svn: Option<Hex> },
    #[error("the TCB info knows no TDX modules of line {line}")]
    TdxModuleIdentity { line: u8 },
    #[error("the TDX module of line {line} has security version {found}, and the lowest level is {lowest}")]
    TdxModuleLevel { line: u8, found: u8, lowest: u8 },
    #[error("the TDX module's MRSIGNERSEAM is {found}, and Intel's {expected}")]
    TdxModuleSigner { found: Hex, expected: Hex },
    #[error(
        "the TDX module's SEAMATTRIBUTES are {found}, and should be {expected} (under {mask}, and zero elsewhere)"
    )]
    SeamAttributes { found: Hex, expected: Hex, mask: Hex },
    #[error("the platform, its QE or its TDX module was revoked")]
    TcbRevoked,

    // The workload, and what is demanded.
    #[error("the workload can be debugged")]
    Debug,
    #[error("the enclave was not initialised")]
    NotInitialised,
    #[error("the trust domain can be profiled by its host: its attributes are {found:#018x}")]
    Profiling { found: u64 },
    #[error("the trust domain has attributes that nobody knows: {found:#018x} (under {reserved:#018x})")]
    ReservedAttributes { found: u64, reserved: u64 },
    #[error("the trust domain lacks SEPT_VE_DISABLE: its attributes are {found:#018x}")]
    SeptVeDisable { found: u64 },
    #[error("the trust domain has the optional attributes {}; allowed: {}", attributes(*found), attributes(*allowed))]
    TdAttributes { found: u64, allowed: u64 },
    #[error("the trust domain's XFAM, {found:#018x}, has bits that cannot be, or lacks those that must be")]
    ReservedXfam { found: u64 },
    #[error("the trust domain's XFAM is {found:#018x}, and {allowed:#018x} is allowed")]
    Xfam { found: u64, allowed: u64 },
    #[error("a service trust domain is bound to the trust domain: {found}")]
    ServiceTd { found: Hex },
    #[error("the platform is {found}; allowed: {}", listed(allowed))]
    TcbStatus { found: TcbStatus, allowed: Vec<TcbStatus> },
    #[error("what is known of the platform was good until {}, and it is {}", time(*until), time(*now))]
    VerdictExpired { until: u64, now: u64 },
    #[error("{found} is known of the platform, and denied")]
    AdvisoryDenied { found: Advisory },
    #[error("the collateral is of Intel's evaluation {found}, and {least} is the lowest that is taken")]
    EvaluationDataNumber { found: u32, least: u32 },
    #[error("the workload runs in {found}, not in {expected}")]
    WorkloadTee { found: Tee, expected: Tee },
    #[error("{register} is {}, not {}", measured(*register, found), measured(*register, expected))]
    Measurement { register: Register, found: Hex, expected: Hex },
    #[error("ISVSVN is {found}, and {least} is the lowest that is taken")]
    IsvSvn { found: u16, least: u16 },

    // What evidence is bound to.
    #[error("the evidence is bound to something else: it says {found}, and {expected} is expected")]
    ReportData { found: Hex, expected: Hex },

    // OP-TEE.
    #[error("no device with this key is enrolled: {found}")]
    DeviceNotEnrolled { found: Hex },
    #[error("the device's key is no RSA public key")]
    DeviceKeyEncoding,
    #[error("the device's key has {found} bits, and {least} to {most} are taken")]
    DeviceKeyLength { found: u32, least: u32, most: u32 },
    #[error("the trusted application names other keys: {found} of them, and {expected} are expected")]
    Keys { found: u32, expected: u32 },
    #[error("the measurement is not signed by the device, or was not taken by the trusted application itself")]
    MeasurementSignature,
}

impl Error {
    /// The name of the variant, as programs tell errors apart.
    pub fn name(&self) -> String {
        let shown = format!("{self:?}");
        shown.split(|byte: char| !byte.is_ascii_alphanumeric()).next().unwrap_or_default().to_string()
    }
}

fn listed(statuses: &[TcbStatus]) -> String {
    let names: Vec<String> = statuses.iter().map(TcbStatus::to_string).collect();
    names.join(", ")
}

/// As RFC 3339 has it; a number where that has none.
fn time(seconds: u64) -> String {
    match DateTime::from_unix_duration(Duration::from_secs(seconds)) {
        Ok(date) => date.to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}

/// As a policy names them.
fn attributes(bits: u64) -> String {
    let names = td_attributes::NAMES.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name);
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

/// ISVPRODID is a number, and all others are hashes.
fn measured(register: Register, bytes: &Hex) -> String {
    match (register, bytes.0.as_slice()) {
        (Register::IsvProdId, [high, low]) => u16::from_be_bytes([*high, *low]).to_string(),
        _ => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests;
