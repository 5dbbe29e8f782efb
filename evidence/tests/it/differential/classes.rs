//! Where ours is stricter than dcap-qvl, and why.

use dcap_qvl::intel::parse_pck_extension;
use holdfast_evidence::{certificates, Error, Part, Quote};

use super::cases::Case;

/// A run of as many cases sees every class.
pub(super) const LONG: u64 = 100_000;

/// The name of an error, and of the document, the certificate or the part that it is about.
pub(super) fn class(error: &Error) -> String {
    let shown = format!("{error:?}");
    let about = ["document: ", "certificate: ", "part: "].iter().find_map(|field| {
        let (_, rest) = shown.split_once(field)?;
        rest.split(|byte: char| !byte.is_ascii_alphanumeric()).next()
    });
    match about {
        Some(about) => format!("{} {about}", error.name()),
        None => error.name(),
    }
}

/// Whether it is known that ours alone refuses for this, and it does so for the reason that is given.
pub(super) fn is_known(case: &Case, class: &str, error: &Error) -> bool {
    STRICTER.iter().chain(RARE).any(|(known, _)| *known == class)
        && match error {
            Error::TcbLevel { components, .. } => cpu_svn(case).is_some_and(|svn| components.0 != svn),
            _ => true,
        }
}

/// What the PCK certificate says in one piece.
fn cpu_svn(case: &Case) -> Option<[u8; 16]> {
    let quote = Quote::parse(&case.signed.quote).ok()?;
    let chain = match &case.signed.collateral.pck_certificate_chain {
        Some(chain) => chain.as_bytes(),
        None => quote.pck_chain().ok()?,
    };
    let chain = certificates(Part::PckChain, chain).ok()?;
    Some(parse_pck_extension(&chain[0]).ok()?.cpu_svn)
}

const DER: &str = "webpki takes DER apart as far as it needs it, and lets pass what is malformed elsewhere";
const NOT_READ: &str = "dcap-qvl does not read this chain: it looks for the list's signer in that of the PCK";
const ROOT: &str = "of a trust anchor webpki takes key and name, and looks at nothing else";
const BEFORE: &str = "webpki does not look at the date at which a list was made";
const SAYS_SO: &str = "webpki takes a certificate that does not say what it may do for one that may do it";
const NAMES: &str = "webpki compares names, and does not care what they are";
const TEXT: &str = "the other parser of PEM forgives line ends, labels, and what stands between";
const SHORT: &str = "a chain has three certificates; webpki looks among up to five for some that fit";
const LAST: &str = "what stands above an issuer is the root; webpki ignores what it does not need";
const ALL_OF_IT: &str = "dcap-qvl looks only at what the case at hand needs, and reads dates in any form of RFC 3339";
const FORM: &str = "dcap-qvl reads what it needs and skips the rest";

/// Each class, and why what ours refuses should be refused.
pub(super) const STRICTER: &[(&str, &str)] = &[
    ("BasicConstraints Pck", SAYS_SO),
    ("BasicConstraints Root", ROOT),
    ("BasicConstraints TcbSigner", SAYS_SO),
    ("CertificateCount PckChain", SHORT),
    ("CertificateEncoding Pck", DER),
    ("CertificateEncoding PckCa", NOT_READ),
    ("CertificateEncoding Root", ROOT),
    ("CertificateEncoding TcbSigner", DER),
    ("CertificateName Pck", NAMES),
    ("CertificateName PckCa", NAMES),
    ("CertificateName TcbSigner", NAMES),
    ("CertificateExpired Root", ROOT),
    ("CertificateNotYetValid Root", ROOT),
    ("CertificateRevoked PckCa", NOT_READ),
    ("CertificateSignature PckCa", NOT_READ),
    ("CertificationDataType", FORM),
    ("CriticalExtension Pck", "webpki knows critical extensions that no certificate of Intel's has"),
    ("CriticalExtension PckCa", NOT_READ),
    ("CriticalExtension TcbSigner", "webpki knows critical extensions that no certificate of Intel's has"),
    ("CrlExtension RootCrl", "webpki takes lists for a part of all certificates, if it finds that part"),
    ("DocumentEncoding PckCrl", DER),
    ("DocumentEncoding QeIdentity", ALL_OF_IT),
    ("DocumentEncoding RootCrl", DER),
    ("DocumentEncoding TcbInfo", ALL_OF_IT),
    ("DocumentNotYetValid PckCrl", BEFORE),
    ("DocumentNotYetValid RootCrl", BEFORE),
    ("DocumentVersion TcbInfo", "version 2 has no TDX, and what later ones will say nobody knows; the API has 3"),
    ("KeyUsage Pck", SAYS_SO),
    ("KeyUsage PckCa", SAYS_SO),
    ("KeyUsage Root", ROOT),
    ("KeyUsage TcbSigner", SAYS_SO),
    ("LevelOrder QeIdentity", "dcap-qvl takes the first that is met, Intel documents that they descend"),
    ("LevelOrder TcbInfo", "dcap-qvl takes the first that is met, Intel documents that they descend"),
    ("LevelStatus QeIdentity", ALL_OF_IT),
    ("PceId", "TCB info is for platforms with one PCE; dcap-qvl compares FMSPC alone"),
    ("Pem PckChain", TEXT),
    ("Pem PckCrlIssuerChain", NOT_READ),
    ("Pem QeIdentityIssuerChain", TEXT),
    ("Pem TcbInfoIssuerChain", TEXT),
    (
        "QeReportDataTail",
        "Intel's QE puts zeros there, and what is signed and not looked at is room for a second meaning",
    ),
    ("ReservedAttributes", "bits of attributes that have a name by now, and that no policy here can allow"),
    ("ReservedXfam", "dcap-qvl does not look at XFAM"),
    ("RootDiffers PckChain", LAST),
    ("RootDiffers PckCrlIssuerChain", NOT_READ),
    ("RootDiffers QeIdentityIssuerChain", LAST),
    ("RootDiffers TcbInfoIssuerChain", LAST),
    ("ServiceTd", "dcap-qvl looks at MRSERVICETD alone; TDX 1.5ex reports those at the start and those of now apart"),
    ("SgxExtension", "dcap-qvl takes the first of each entry, and of any type"),
    ("TcbLevel", "the components are lower than CPUSVN, and dcap-qvl does not look at them"),
    ("TcbType", "how security versions of other types are compared nobody has said"),
    ("TrailingBytes CertificationData", FORM),
    ("TrailingBytes SignatureData", FORM),
];

/// The same, of classes that take one change among many, or two that fit: a long run may see none.
pub(super) const RARE: &[(&str, &str)] = &[
    ("BasicConstraints PckCa", NOT_READ),
    ("CertificateCount PckCrlIssuerChain", NOT_READ),
    ("CertificateCount QeIdentityIssuerChain", SHORT),
    ("CertificateCount TcbInfoIssuerChain", SHORT),
    ("CertificateExpired PckCa", NOT_READ),
    ("CertificateIssuer PckCa", NOT_READ),
    ("CertificateName Root", NAMES),
    ("CertificateNotYetValid PckCa", NOT_READ),
    ("CriticalExtension Root", ROOT),
    ("CrlExtension PckCrl", "webpki takes lists for a part of all certificates, if it finds that part"),
    ("CrlIssuer", NOT_READ),
    ("DocumentId TcbInfo", ALL_OF_IT),
    ("LevelStatus TcbInfo", ALL_OF_IT),
    ("NotInitialised", "an enclave that was not initialised cannot run, and so not be reported"),
];
