//! What to do about an error of a quote that is refused. `docs/cli.md` has the same table.

/// One error, by its name.
pub(crate) struct Remedy {
    pub(crate) error: &'static str,
    /// The steps of `quote verify` that can fail so. Only the documentation shows them.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) steps: &'static str,
    pub(crate) advice: &'static str,
}

/// Of an error; `None` of those that no step of `quote verify` has.
pub(crate) fn of(error: &str) -> Option<&'static Remedy> {
    TABLE.iter().find(|remedy| remedy.error == error)
}

const SIGNERS: &str = "PCK CRL's signer, TCB info's signer, QE identity's signer, PCK's issuer";
const CERTIFICATES: &str =
    "root, PCK CRL's signer, TCB info's signer, QE identity's signer, PCK's issuer, PCK certificate";
const ISSUED: &str = "PCK CRL's signer, TCB info's signer, QE identity's signer, PCK's issuer, PCK certificate";
const LISTS: &str = "root's CRL, PCK CRL";
const DOCUMENTS: &str = "TCB info, QE identity";
const ALL_DOCUMENTS: &str = "root's CRL, PCK CRL, TCB info, QE identity";
const REVOCABLE: &str =
    "root's CRL, PCK CRL's signer, TCB info's signer, QE identity's signer, PCK's issuer, PCK certificate";

const UNREADABLE: &str = "It is no quote, or was cut or changed on its way: get it anew. `holdfast quote inspect` \
     shows what can be read of it.";
const OTHER_MAKER: &str = "No quoting enclave of Intel's makes such a quote for SGX or TDX with a key on P-256: \
     look what makes it, and whether it is a quote at all.";
const ALTERED: &str =
    "The quote was changed after it was made, or put together of several: get it anew from its platform.";
const CHAIN: &str = "Take the chain as Intel's service sends it, in PEM, with the percent-encoding of the header \
     undone, and nothing else.";
const NOT_INTELS: &str = "Intel issues no such certificate for this place: look where it is from, and whether a \
     chain stands under another's key.";
const OTHER_ROOT: &str =
    "The collateral, or the quote, belongs to another root: look where it is from, and what --root says.";
const OTHER_PLATFORM: &str =
    "The collateral is of other platforms, or of the other TEE: fetch that of this quote's FMSPC, CA and TEE.";
const CLOCK: &str = "Look whether this machine's clock is right, or what --at says.";
const OTHER_DOCUMENT: &str =
    "This is no such document of API version 4: fetch it anew from there, for this quote's TEE.";
const OTHER_LIST: &str = "This is no list as Intel makes them: fetch it anew, in DER.";
const NOT_INTELS_QE: &str = "The quote was made by another enclave than Intel's quoting enclave, or the QE \
     identity is of another one: nothing that it says can be believed.";
const UPDATE: &str = "The platform is older than all that Intel's TCB info knows, and no policy accepts that: \
     update its firmware and its TDX module.";
const NOT_INTELS_MODULE: &str =
    "The TDX module is none that the TCB info knows: update it, and fetch the TCB info anew.";
const NEVER: &str = "No policy accepts that: start the workload otherwise.";
const MEASURED: &str = "It is another workload, or the policy is of another version of it: compare the two with \
     `holdfast quote inspect`.";

#[rustfmt::skip]
pub(crate) const TABLE: &[Remedy] = &[
    on("AdvisoryDenied", "policy",
        "The platform is open to it: update the platform, or, if the workload is hardened against it, take it out \
         of `denied_advisories` in the policy."),
    on("AttestationKeyHash", "attestation key", ALTERED),
    on("AttestationKeyType", "quote", OTHER_MAKER),
    on("AuthDataLength", "quote", OTHER_MAKER),
    on("BasicConstraints", CERTIFICATES, NOT_INTELS),
    on("BodySize", "quote", OTHER_MAKER),
    on("BodyType", "quote", OTHER_MAKER),
    on("CertificateCount", SIGNERS, CHAIN),
    on("CertificateEncoding", CERTIFICATES, NOT_INTELS),
    on("CertificateExpired", CERTIFICATES,
        "If it is the PCK certificate, the platform needs a new one from Intel, and a new quote; if it is the \
         root, look what --at says; else fetch the collateral anew."),
    on("CertificateIssuer", CERTIFICATES, NOT_INTELS),
    on("CertificateName", CERTIFICATES, NOT_INTELS),
    on("CertificateNotYetValid", CERTIFICATES, CLOCK),
    on("CertificateRevoked", REVOCABLE,
        "Intel has withdrawn it. If it is the PCK certificate, its platform cannot be trusted any more; else fetch \
         the collateral anew."),
    on("CertificateSignature", ISSUED, OTHER_ROOT),
    on("CertificateTooLong", CERTIFICATES, NOT_INTELS),
    on("CertificationDataType", "quote, PCK's issuer",
        "The quote does not carry its platform's certificates: put them into the collateral, as \
         `pck_certificate_chain`."),
    on("CriticalExtension", CERTIFICATES, NOT_INTELS),
    on("CrlExtension", LISTS, OTHER_LIST),
    on("CrlIssuer", "PCK certificate", OTHER_PLATFORM),
    on("CrlSigner", LISTS,
        "The list is another's, or the collateral belongs to another root: look where it is from, and what --root \
         says."),
    on("Debug", "policy",
        "Its host can read all of its memory: build or start the workload without debugging."),
    on("DocumentEncoding", ALL_DOCUMENTS,
        "Take a list in DER, TCB info and QE identity as JSON of API version 4, and each as Intel's service sent \
         it: a program that reads and writes JSON changes the bytes that Intel signed."),
    on("DocumentExpired", ALL_DOCUMENTS,
        "Fetch the collateral anew. To judge by the time at which it was good, say so with --at; to take it for \
         longer, say so with `grace` in the policy."),
    on("DocumentId", DOCUMENTS, OTHER_DOCUMENT),
    on("DocumentNotYetValid", ALL_DOCUMENTS, CLOCK),
    on("DocumentSignature", ALL_DOCUMENTS,
        "If the collateral went through a program that reads and writes JSON, that changed the bytes that Intel \
         signed: take them as Intel's service sent them. Else its parts are of different signers."),
    on("DocumentTooLong", DOCUMENTS, OTHER_DOCUMENT),
    on("DocumentVersion", DOCUMENTS, OTHER_DOCUMENT),
    on("EvaluationDataNumber", "policy",
        "Fetch the collateral with Intel's latest evaluation (update=early), or lower `min_evaluation_data_number` \
         in the policy."),
    on("Fmspc", "platform", OTHER_PLATFORM),
    on("IssuerMissing", "PCK's issuer", CHAIN),
    on("IsvSvn", "policy",
        "The workload is older than `min_isv_svn` in the policy: update it, or compare the two with `holdfast \
         quote inspect`."),
    on("KeyUsage", CERTIFICATES, NOT_INTELS),
    on("LevelOrder", DOCUMENTS, OTHER_DOCUMENT),
    on("LevelStatus", DOCUMENTS, OTHER_DOCUMENT),
    on("Measurement", "policy", MEASURED),
    on("NotInitialised", "policy", NEVER),
    on("PceId", "platform", OTHER_PLATFORM),
    on("Pem", SIGNERS, CHAIN),
    on("Profiling", "policy", NEVER),
    on("QeAttributes", "attestation key", NOT_INTELS_QE),
    on("QeDebug", "attestation key", NOT_INTELS_QE),
    on("QeIdentityTee", "attestation key", OTHER_PLATFORM),
    on("QeLevel", "attestation key",
        "The quoting enclave is older than all that Intel knows: update the platform's software for attestation."),
    on("QeMiscSelect", "attestation key", NOT_INTELS_QE),
    on("QeProduct", "attestation key", NOT_INTELS_QE),
    on("QeReportDataTail", "attestation key", NOT_INTELS_QE),
    on("QeReportSignature", "attestation key", ALTERED),
    on("QeSigner", "attestation key", NOT_INTELS_QE),
    on("QeVendor", "quote", OTHER_MAKER),
    on("QuoteSignature", "quote's signature", ALTERED),
    on("QuoteVersion", "quote", UNREADABLE),
    on("ReportData", "report data",
        "The evidence is for somebody or something else, or old: ask for it anew, and look how the expected value \
         was made (`holdfast report-data`)."),
    on("ReservedAttributes", "policy",
        "No policy accepts what nobody here knows: look for a newer `holdfast`, or start the trust domain without \
         it."),
    on("ReservedXfam", "policy",
        "No policy accepts what nobody here knows: look for a newer `holdfast`, or start the trust domain without \
         it."),
    on("RootDiffers", SIGNERS, OTHER_ROOT),
    on("SeamAttributes", "platform", NOT_INTELS_MODULE),
    on("SeptVeDisable", "policy", NEVER),
    on("ServiceTd", "policy",
        "It can read the workload's state. To accept that, say `service_td = true` under [td] in the policy."),
    on("SgxExtension", "PCK certificate", NOT_INTELS),
    on("TcbInfoTee", "platform", OTHER_PLATFORM),
    on("TcbLevel", "platform", UPDATE),
    on("TcbRevoked", "platform",
        "Intel has withdrawn what the platform runs, and no policy accepts that: update its firmware, its TDX \
         module and its software for attestation."),
    on("TcbStatus", "policy",
        "The platform needs to be updated or configured. To accept it as it is, say so with `statuses` in a \
         policy."),
    on("TcbType", "TCB info", OTHER_DOCUMENT),
    on("TdAttributes", "policy",
        "To accept these, name them with `attributes` under [td] in the policy."),
    on("TdxModuleIdentity", "platform", NOT_INTELS_MODULE),
    on("TdxModuleLevel", "platform", UPDATE),
    on("TdxModuleMissing", "TCB info", OTHER_DOCUMENT),
    on("TdxModuleSigner", "platform", NOT_INTELS_MODULE),
    on("TeeType", "quote", OTHER_MAKER),
    on("TooLong", "quote, root's CRL, PCK CRL, PCK CRL's signer, TCB info's signer, QE identity's signer, PCK's issuer",
        "It is something else, or carries something else: look what was given."),
    on("TooMany", "root's CRL, PCK CRL, TCB info, QE identity, platform",
        "Intel makes none of that length: fetch the collateral anew."),
    on("TrailingBytes", "quote", UNREADABLE),
    on("Truncated", "quote", UNREADABLE),
    on("WorkloadTee", "policy",
        "The policy is for the other TEE: it has [tdx] where this needs [sgx], or the reverse."),
    on("Xfam", "policy",
        "To accept these extended features, add their bits to `xfam` under [td] in the policy."),
];

const fn on(error: &'static str, steps: &'static str, advice: &'static str) -> Remedy {
    Remedy { error, steps, advice }
}
