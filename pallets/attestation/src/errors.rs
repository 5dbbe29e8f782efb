//! Why a call is refused. Each says what its caller should do; the command line prints that from the metadata.

use frame_support::pallet_macros::pallet_section;

/// The errors. Those of evidence have the names of [`holdfast_evidence::Error`]'s variants, and `docs/evidence.md` says of
/// each which check it is of.
#[pallet_section]
mod errors {
    #[pallet::error]
    pub enum Error<T> {
        // What the chain knows, and lacks.
        /// This chain's genesis names no root, so that nothing can be attested on it.
        NoTrustAnchor,
        /// The root's list of revoked certificates was not submitted yet: do so first (`holdfast collateral submit`).
        NoRootCrl,
        /// No CA's list of revoked PCK certificates fits: submit that of the platform's CA (`holdfast collateral
        /// submit`).
        NoPckCrl,
        /// There is no TCB info for the platform's FMSPC and the quote's TEE: submit it (`holdfast collateral submit`).
        NoTcbInfo,
        /// There is no QE identity for the quote's TEE: submit it (`holdfast collateral submit`).
        NoQeIdentity,
        /// What is stored is as new, or of a later evaluation: there is nothing to do.
        NotNewer,
        /// The platform is registered already: there is nothing to do.
        AlreadyRegistered,
        /// The platform is not kept any more: bring new evidence.
        UnknownPlatform,
        /// Governance has revoked the platform: bring evidence from another one.
        PlatformRevoked,
        // Evidence.
        /// There is no workload of this number: list them (`holdfast attestation list`), or have governance propose it.
        UnknownWorkload,
        /// The workload is accepted from a later block on: try again then.
        WorkloadNotActive,
        /// The workload is accepted no longer: attest the one that came after it.
        WorkloadRetired,
        /// The block is this one or a later one: name one that was built already.
        BlockNotYet,
        /// The block is too old, or its hash is not known any more: make the evidence anew with a recent one's.
        BlockTooOld,
        /// New evidence was asked for after this was made: make it anew with a recent block's hash.
        EvidenceBeforeRequest,
        /// As many subjects are attested on this platform, or by this device, as this chain allows: use another, or
        /// wait until one has ended.
        TooManyOnPlatform,
        /// The subject brought evidence of this block, or of a later one, already: make it anew with a recent one's.
        EvidenceNotNewer,
        /// A key is named twice: name each once.
        KeysTwice,
        /// The workload accepts evidence of another kind: a quote, or the measurement of an enrolled device.
        EvidenceKind,
        /// As many subjects are attested as this chain allows: try again when one has ended.
        TooManySubjects,
        /// The subject is not attested, so there is nothing to judge or to ask for.
        NotAttested,
        // Governance.
        /// The workload would accept any code: demand MRTD, MRENCLAVE, MRSIGNER with ISVPRODID, or a measurement.
        AnyCode,
        /// An attestation lasts for 1 second to 90 days.
        Lifetime,
        /// A grace is a year at most.
        GraceTooLong,
        /// There are as many workloads as this chain allows: remove one that is retired.
        TooManyWorkloads,
        /// The workload is not retired yet, or somebody is attested to run it: wait for its end.
        WorkloadInUse,
        /// The device is enrolled already: there is nothing to do.
        AlreadyEnrolled,
        /// There are as many devices as this chain allows: remove one.
        TooManyDevices,
        /// No such device is enrolled: compare the id with those in `Devices`.
        UnknownDevice,
        /// The platform is revoked already: there is nothing to do.
        AlreadyRevoked,
        /// The platform is not revoked: there is nothing to do.
        NotRevoked,
        // The quote's form.
        /// It is something else, or carries something else: look what was given.
        TooLong,
        /// It is no quote, or was cut or changed on its way: get it anew. `holdfast quote inspect` shows what can be
        /// read of it.
        Truncated,
        /// It is no quote, or was cut or changed on its way: get it anew. `holdfast quote inspect` shows what can be
        /// read of it.
        TrailingBytes,
        /// It is no quote, or was cut or changed on its way: get it anew. `holdfast quote inspect` shows what can be
        /// read of it.
        QuoteVersion,
        /// No quoting enclave of Intel's makes such a quote for SGX or TDX with a key on P-256: look what makes it, and
        /// whether it is a quote at all.
        AttestationKeyType,
        /// No quoting enclave of Intel's makes such a quote for SGX or TDX with a key on P-256: look what makes it, and
        /// whether it is a quote at all.
        TeeType,
        /// No quoting enclave of Intel's makes such a quote for SGX or TDX with a key on P-256: look what makes it, and
        /// whether it is a quote at all.
        QeVendor,
        /// No quoting enclave of Intel's makes such a quote for SGX or TDX with a key on P-256: look what makes it, and
        /// whether it is a quote at all.
        BodyType,
        /// No quoting enclave of Intel's makes such a quote for SGX or TDX with a key on P-256: look what makes it, and
        /// whether it is a quote at all.
        BodySize,
        /// The quote does not carry its platform's certificates: have it made with them.
        CertificationDataType,
        /// No quoting enclave of Intel's makes such a quote for SGX or TDX with a key on P-256: look what makes it, and
        /// whether it is a quote at all.
        AuthDataLength,
        // Certificates.
        /// Take the chain as Intel's service sends it, in PEM, with the percent-encoding of the header undone, and
        /// nothing else.
        Pem,
        /// Take the chain as Intel's service sends it, in PEM, with the percent-encoding of the header undone, and
        /// nothing else.
        CertificateCount,
        /// Take the chain as Intel's service sends it, in PEM, with the percent-encoding of the header undone, and
        /// nothing else.
        IssuerMissing,
        /// It belongs to another root than this chain trusts: look where it is from.
        RootDiffers,
        /// Intel issues no such certificate for this place: look where it is from, and whether a chain stands under
        /// another's key.
        CertificateTooLong,
        /// Intel issues no such certificate for this place: look where it is from, and whether a chain stands under
        /// another's key.
        CertificateEncoding,
        /// Intel issues no such certificate for this place: look where it is from, and whether a chain stands under
        /// another's key.
        CertificateName,
        /// Intel issues no such certificate for this place: look where it is from, and whether a chain stands under
        /// another's key.
        CertificateIssuer,
        /// Intel issues no such certificate for this place: look where it is from, and whether a chain stands under
        /// another's key.
        CriticalExtension,
        /// Intel issues no such certificate for this place: look where it is from, and whether a chain stands under
        /// another's key.
        BasicConstraints,
        /// Intel issues no such certificate for this place: look where it is from, and whether a chain stands under
        /// another's key.
        KeyUsage,
        /// The chain's clock is behind: try again later.
        CertificateNotYetValid,
        /// If it is the PCK certificate, the platform needs a new one from Intel, and a new quote; else submit the
        /// collateral anew.
        CertificateExpired,
        /// It belongs to another root than this chain trusts, or its CA's list is missing: look where it is from.
        CertificateSignature,
        /// Intel has withdrawn it. If it is the PCK certificate, its platform cannot be trusted any more; else fetch
        /// the collateral anew.
        CertificateRevoked,
        /// Intel issues no such certificate for this place: look where it is from, and whether a chain stands under
        /// another's key.
        SgxExtension,
        // Revocation lists, TCB info, QE identity.
        /// This is no such document of API version 4: fetch it anew from there, for this quote's TEE.
        DocumentTooLong,
        /// Take a list in DER, TCB info and QE identity as JSON of API version 4, and each as Intel's service sent it:
        /// a program that reads and writes JSON changes the bytes that Intel signed.
        DocumentEncoding,
        /// Intel makes none of that length: look what was given.
        TooMany,
        /// The chain's clock is behind: try again later.
        DocumentNotYetValid,
        /// Intel has made a newer one: fetch that, and submit it (`holdfast collateral submit`).
        DocumentExpired,
        /// If the collateral went through a program that reads and writes JSON, that changed the bytes that Intel
        /// signed: take them as Intel's service sent them. Else its parts are of different signers.
        DocumentSignature,
        /// This is no such document of API version 4: fetch it anew from there, for this quote's TEE.
        DocumentId,
        /// This is no such document of API version 4: fetch it anew from there, for this quote's TEE.
        DocumentVersion,
        /// This is no such document of API version 4: fetch it anew from there, for this quote's TEE.
        LevelOrder,
        /// This is no such document of API version 4: fetch it anew from there, for this quote's TEE.
        LevelStatus,
        /// The list is another's than `ca` says, or belongs to another root: look where it is from.
        CrlSigner,
        /// This is no list as Intel makes them: fetch it anew, in DER.
        CrlExtension,
        /// The list is of another CA: submit the list of the platform's own CA.
        CrlIssuer,
        /// This is no such document of API version 4: fetch it anew from there, for this quote's TEE.
        TcbType,
        /// This is no such document of API version 4: fetch it anew from there, for this quote's TEE.
        TdxModuleMissing,
        // The quoting enclave and its attestation key.
        /// The quote was changed after it was made, or put together of several: get it anew from its platform.
        QeReportSignature,
        /// The quote was changed after it was made, or put together of several: get it anew from its platform.
        AttestationKeyHash,
        /// The quote was made by another enclave than Intel's quoting enclave, or the QE identity is of another one:
        /// nothing that it says can be believed.
        QeReportDataTail,
        /// The QE identity is for the other TEE: submit that for the quote's.
        QeIdentityTee,
        /// The quote was made by another enclave than Intel's quoting enclave, or the QE identity is of another one:
        /// nothing that it says can be believed.
        QeSigner,
        /// The quote was made by another enclave than Intel's quoting enclave, or the QE identity is of another one:
        /// nothing that it says can be believed.
        QeProduct,
        /// The quote was made by another enclave than Intel's quoting enclave, or the QE identity is of another one:
        /// nothing that it says can be believed.
        QeMiscSelect,
        /// The quote was made by another enclave than Intel's quoting enclave, or the QE identity is of another one:
        /// nothing that it says can be believed.
        QeDebug,
        /// The quote was made by another enclave than Intel's quoting enclave, or the QE identity is of another one:
        /// nothing that it says can be believed.
        QeAttributes,
        /// The quoting enclave is older than all that Intel knows: update the platform's software for attestation.
        QeLevel,
        /// The attestation key belongs to the other TEE's quoting enclave: get a new quote from its platform.
        AttestationKeyTee,
        /// The attestation key was certified by another platform: get a new quote from its platform.
        AttestationKeyPck,
        /// The quote was changed after it was made, or put together of several: get it anew from its platform.
        QuoteSignature,
        /// The quote is judged with another platform than its own: get a new quote from its platform.
        AttestationKey,
        // The platform.
        /// The TCB info is for the other TEE: submit that for the quote's.
        TcbInfoTee,
        /// The TCB info is of other platforms: submit that of the platform's FMSPC.
        Fmspc,
        /// The TCB info is of other platforms: submit that of the platform's FMSPC.
        PceId,
        /// The platform is older than all that Intel's TCB info knows, and no policy accepts that: update its firmware
        /// and its TDX module.
        TcbLevel,
        /// The TDX module is none that the TCB info knows: update it, and fetch the TCB info anew.
        TdxModuleIdentity,
        /// The platform is older than all that Intel's TCB info knows, and no policy accepts that: update its firmware
        /// and its TDX module.
        TdxModuleLevel,
        /// The TDX module is none that the TCB info knows: update it, and fetch the TCB info anew.
        TdxModuleSigner,
        /// The TDX module is none that the TCB info knows: update it, and fetch the TCB info anew.
        SeamAttributes,
        /// Intel has withdrawn what the platform runs, and no policy accepts that: update its firmware, its TDX module
        /// and its software for attestation.
        TcbRevoked,
        // The workload, and what is demanded.
        /// Its host can read all of its memory: build or start the workload without debugging.
        Debug,
        /// No policy accepts that: start the workload otherwise.
        NotInitialised,
        /// No policy accepts that: start the workload otherwise.
        Profiling,
        /// Nobody here knows what the attribute means: start the trust domain without it.
        ReservedAttributes,
        /// No policy accepts that: start the workload otherwise.
        SeptVeDisable,
        /// The workload's policy does not allow an attribute of the trust domain: start it without.
        TdAttributes,
        /// Nobody here knows what the feature means: start the trust domain without it.
        ReservedXfam,
        /// The workload's policy does not allow an extended feature: start the trust domain without.
        Xfam,
        /// It could read the workload's state, and the workload's policy does not allow it: start the trust domain
        /// without one.
        ServiceTd,
        /// The platform needs to be updated or configured, or the workload's policy allows too little.
        TcbStatus,
        /// What was known of the platform is past: submit the collateral anew (`holdfast collateral submit`).
        VerdictExpired,
        /// The platform is open to an advisory that the workload denies: update the platform.
        AdvisoryDenied,
        /// Submit the collateral of Intel's latest evaluation (`update=early`).
        EvaluationDataNumber,
        /// The workload is for the other TEE: attest another workload.
        WorkloadTee,
        /// It is other code than the workload's: compare with `holdfast quote inspect`, or attest another workload.
        Measurement,
        /// The enclave is older than the workload allows: update it.
        IsvSvn,
        // What evidence is bound to.
        /// The evidence is for another account, role, chain, block or other keys: make it anew with what `holdfast
        /// report-data` prints.
        ReportData,
        // OP-TEE.
        /// Governance has not enrolled the device's key (`enroll_device`): ask for it, and compare the key.
        DeviceNotEnrolled,
        /// It is no RSA public key: enrol the device's own, as its public key command gives it.
        DeviceKeyEncoding,
        /// Only RSA keys of 2,048 to 4,096 bits are enrolled: have the device make one.
        DeviceKeyLength,
        /// Name the keys as the evidence does, in its order.
        Keys,
        /// The measurement was not taken by the trusted application itself, or not signed by the device: have it taken
        /// anew.
        MeasurementSignature,
    }

    impl<T> From<holdfast_evidence::Error> for Error<T> {
        fn from(error: holdfast_evidence::Error) -> Error<T> {
            use holdfast_evidence::Error as Evidence;

            match error {
                Evidence::TooLong { .. } => Error::TooLong,
                Evidence::Truncated { .. } => Error::Truncated,
                Evidence::TrailingBytes { .. } => Error::TrailingBytes,
                Evidence::QuoteVersion { .. } => Error::QuoteVersion,
                Evidence::AttestationKeyType { .. } => Error::AttestationKeyType,
                Evidence::TeeType { .. } => Error::TeeType,
                Evidence::QeVendor { .. } => Error::QeVendor,
                Evidence::BodyType { .. } => Error::BodyType,
                Evidence::BodySize { .. } => Error::BodySize,
                Evidence::CertificationDataType { .. } => Error::CertificationDataType,
                Evidence::AuthDataLength { .. } => Error::AuthDataLength,
                Evidence::Pem { .. } => Error::Pem,
                Evidence::CertificateCount { .. } => Error::CertificateCount,
                Evidence::IssuerMissing { .. } => Error::IssuerMissing,
                Evidence::RootDiffers { .. } => Error::RootDiffers,
                Evidence::CertificateTooLong { .. } => Error::CertificateTooLong,
                Evidence::CertificateEncoding { .. } => Error::CertificateEncoding,
                Evidence::CertificateName { .. } => Error::CertificateName,
                Evidence::CertificateIssuer { .. } => Error::CertificateIssuer,
                Evidence::CriticalExtension { .. } => Error::CriticalExtension,
                Evidence::BasicConstraints { .. } => Error::BasicConstraints,
                Evidence::KeyUsage { .. } => Error::KeyUsage,
                Evidence::CertificateNotYetValid { .. } => Error::CertificateNotYetValid,
                Evidence::CertificateExpired { .. } => Error::CertificateExpired,
                Evidence::CertificateSignature { .. } => Error::CertificateSignature,
                Evidence::CertificateRevoked { .. } => Error::CertificateRevoked,
                Evidence::SgxExtension { .. } => Error::SgxExtension,
                Evidence::DocumentTooLong { .. } => Error::DocumentTooLong,
                Evidence::DocumentEncoding { .. } => Error::DocumentEncoding,
                Evidence::TooMany { .. } => Error::TooMany,
                Evidence::DocumentNotYetValid { .. } => Error::DocumentNotYetValid,
                Evidence::DocumentExpired { .. } => Error::DocumentExpired,
                Evidence::DocumentSignature { .. } => Error::DocumentSignature,
                Evidence::DocumentId { .. } => Error::DocumentId,
                Evidence::DocumentVersion { .. } => Error::DocumentVersion,
                Evidence::LevelOrder { .. } => Error::LevelOrder,
                Evidence::LevelStatus { .. } => Error::LevelStatus,
                Evidence::CrlSigner { .. } => Error::CrlSigner,
                Evidence::CrlExtension { .. } => Error::CrlExtension,
                Evidence::CrlIssuer { .. } => Error::CrlIssuer,
                Evidence::TcbType { .. } => Error::TcbType,
                Evidence::TdxModuleMissing { .. } => Error::TdxModuleMissing,
                Evidence::QeReportSignature { .. } => Error::QeReportSignature,
                Evidence::AttestationKeyHash { .. } => Error::AttestationKeyHash,
                Evidence::QeReportDataTail { .. } => Error::QeReportDataTail,
                Evidence::QeIdentityTee { .. } => Error::QeIdentityTee,
                Evidence::QeSigner { .. } => Error::QeSigner,
                Evidence::QeProduct { .. } => Error::QeProduct,
                Evidence::QeMiscSelect { .. } => Error::QeMiscSelect,
                Evidence::QeDebug { .. } => Error::QeDebug,
                Evidence::QeAttributes { .. } => Error::QeAttributes,
                Evidence::QeLevel { .. } => Error::QeLevel,
                Evidence::AttestationKeyTee { .. } => Error::AttestationKeyTee,
                Evidence::AttestationKeyPck { .. } => Error::AttestationKeyPck,
                Evidence::QuoteSignature { .. } => Error::QuoteSignature,
                Evidence::AttestationKey { .. } => Error::AttestationKey,
                Evidence::TcbInfoTee { .. } => Error::TcbInfoTee,
                Evidence::Fmspc { .. } => Error::Fmspc,
                Evidence::PceId { .. } => Error::PceId,
                Evidence::TcbLevel { .. } => Error::TcbLevel,
                Evidence::TdxModuleIdentity { .. } => Error::TdxModuleIdentity,
                Evidence::TdxModuleLevel { .. } => Error::TdxModuleLevel,
                Evidence::TdxModuleSigner { .. } => Error::TdxModuleSigner,
                Evidence::SeamAttributes { .. } => Error::SeamAttributes,
                Evidence::TcbRevoked { .. } => Error::TcbRevoked,
                Evidence::Debug { .. } => Error::Debug,
                Evidence::NotInitialised { .. } => Error::NotInitialised,
                Evidence::Profiling { .. } => Error::Profiling,
                Evidence::ReservedAttributes { .. } => Error::ReservedAttributes,
                Evidence::SeptVeDisable { .. } => Error::SeptVeDisable,
                Evidence::TdAttributes { .. } => Error::TdAttributes,
                Evidence::ReservedXfam { .. } => Error::ReservedXfam,
                Evidence::Xfam { .. } => Error::Xfam,
                Evidence::ServiceTd { .. } => Error::ServiceTd,
                Evidence::TcbStatus { .. } => Error::TcbStatus,
                Evidence::VerdictExpired { .. } => Error::VerdictExpired,
                Evidence::AdvisoryDenied { .. } => Error::AdvisoryDenied,
                Evidence::EvaluationDataNumber { .. } => Error::EvaluationDataNumber,
                Evidence::WorkloadTee { .. } => Error::WorkloadTee,
                Evidence::Measurement { .. } => Error::Measurement,
                Evidence::IsvSvn { .. } => Error::IsvSvn,
                Evidence::ReportData { .. } => Error::ReportData,
                Evidence::DeviceNotEnrolled { .. } => Error::DeviceNotEnrolled,
                Evidence::DeviceKeyEncoding { .. } => Error::DeviceKeyEncoding,
                Evidence::DeviceKeyLength { .. } => Error::DeviceKeyLength,
                Evidence::Keys { .. } => Error::Keys,
                Evidence::MeasurementSignature { .. } => Error::MeasurementSignature,
                // `holdfast_evidence::Error` may get more, and then this list does (a test holds them together).
                _ => Error::EvidenceKind,
            }
        }
    }
}
