//! Who signs certificates, revocation lists and collateral: the root, and those to whom it gave a certificate.

use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sha2::{Digest, Sha256};

use super::{
    certificate::{Certificate, Use},
    Crl, Serial,
};
use crate::{CertificateKind, Error, Moment, Part};

/// What somebody whose certificate was verified may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum IssuerKind {
    /// Everything.
    #[codec(index = 0)]
    Root,
    /// PCK certificates of platforms with several packages, and what is revoked of them.
    #[codec(index = 1)]
    PlatformCa,
    /// PCK certificates of platforms with one package, and what is revoked of them.
    #[codec(index = 2)]
    ProcessorCa,
    /// TCB info and QE identity.
    #[codec(index = 3)]
    TcbSigner,
}

impl IssuerKind {
    const ALL: [IssuerKind; 4] =
        [IssuerKind::Root, IssuerKind::PlatformCa, IssuerKind::ProcessorCa, IssuerKind::TcbSigner];

    /// The common name in its certificate.
    pub fn common_name(self) -> &'static str {
        match self {
            IssuerKind::Root => "Intel SGX Root CA",
            IssuerKind::PlatformCa => "Intel SGX PCK Platform CA",
            IssuerKind::ProcessorCa => "Intel SGX PCK Processor CA",
            IssuerKind::TcbSigner => "Intel SGX TCB Signing",
        }
    }

    fn of(common_name: &str) -> Option<IssuerKind> {
        IssuerKind::ALL.into_iter().find(|kind| kind.common_name() == common_name)
    }

    fn key_use(self) -> Use {
        match self {
            IssuerKind::TcbSigner => Use::Signs,
            IssuerKind::Root | IssuerKind::PlatformCa | IssuerKind::ProcessorCa => Use::Issues,
        }
    }

    /// Whether it issues PCK certificates.
    pub fn is_pck_ca(self) -> bool {
        matches!(self, IssuerKind::PlatformCa | IssuerKind::ProcessorCa)
    }
}

/// Somebody whose certificate was verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Issuer {
    /// What it may sign.
    pub kind: IssuerKind,
    /// SHA-256 of its name in DER.
    pub name: [u8; 32],
    /// P-256, affine: x, then y.
    pub public_key: [u8; 64],
    /// [`Self::id`] of the root that issued its certificate; the root's own, if it is one.
    pub root: [u8; 32],
    /// The serial number of its certificate.
    pub serial: Serial,
    /// From when on its certificate is good, in seconds since the Unix epoch.
    pub not_before: u64,
    /// Until when.
    pub not_after: u64,
}

/// Whose signature something rests on that is kept: enough to ask later whether that is still good.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Signer {
    /// As in [`Issuer`].
    pub root: [u8; 32],
    /// As in [`Issuer`].
    pub serial: Serial,
    /// As in [`Issuer`].
    pub not_before: u64,
    /// As in [`Issuer`].
    pub not_after: u64,
}

impl Issuer {
    /// The trust anchor. Nothing vouches for it but whoever gives it: only that it is fit for one is checked.
    pub fn root(der: &[u8]) -> Result<Issuer, Error> {
        let certificate = Certificate::read(CertificateKind::Root, der)?;
        certificate.check_use(Use::Issues)?;
        let root = issuer(&certificate, CertificateKind::Root, IssuerKind::Root, None)?;
        if certificate.issuer() != Some(root.name) {
            return Err(Error::CertificateIssuer { certificate: CertificateKind::Root, expected: IssuerKind::Root });
        }
        Ok(root)
    }

    /// What tells it from all others, those of the same name with another key among them: SHA-256 of SHA-256 of its name
    /// in DER, and its key. What it issued and what it revoked belong together by this.
    pub fn id(&self) -> [u8; 32] {
        id(&self.name, &self.public_key)
    }

    /// What is kept of it with what it signed.
    pub(crate) fn signer(&self) -> Signer {
        let Issuer { root, serial, not_before, not_after, .. } = *self;
        Signer { root, serial, not_before, not_after }
    }

    /// Checks that it is a root, and good at a time.
    pub(crate) fn check_root(&self, at: Moment) -> Result<(), Error> {
        if self.kind != IssuerKind::Root {
            let (certificate, found) = (CertificateKind::Root, self.kind.common_name().into());
            return Err(Error::CertificateName { certificate, found });
        }
        self.check(at)
    }

    /// Checks that its certificate is good at a time.
    pub(crate) fn check(&self, at: Moment) -> Result<(), Error> {
        at.check_certificate(self.certificate(), self.not_before, self.not_after)
    }

    pub(crate) fn certificate(&self) -> CertificateKind {
        match self.kind {
            IssuerKind::Root => CertificateKind::Root,
            IssuerKind::PlatformCa | IssuerKind::ProcessorCa => CertificateKind::PckCa,
            IssuerKind::TcbSigner => CertificateKind::TcbSigner,
        }
    }
}

/// Verifies the certificate of a CA of PCK certificates, or of a signer of collateral. `certificate` is what it should
/// be, DER its certificate; the root signed it, and has not revoked it.
pub fn verify_issuer(
    certificate: CertificateKind,
    der: &[u8],
    root: &Issuer,
    root_crl: &Crl,
    at: Moment,
) -> Result<Issuer, Error> {
    let read = Certificate::read(certificate, der)?;
    let fits = |kind: &IssuerKind| match certificate {
        CertificateKind::PckCa => kind.is_pck_ca(),
        CertificateKind::TcbSigner => *kind == IssuerKind::TcbSigner,
        CertificateKind::Root | CertificateKind::Pck => false,
    };
    let name = read.common_name();
    let kind = IssuerKind::of(&name).filter(fits).ok_or(Error::CertificateName { certificate, found: name })?;
    read.check_use(kind.key_use())?;
    let issuer = issuer(&read, certificate, kind, Some(root))?;
    root.check_root(at)?;
    read.check_issued(root, at)?;
    root_crl.check_not_revoked(certificate, root, &issuer.serial, at)?;
    Ok(issuer)
}

impl Signer {
    /// Checks that its certificate is one of this root's, good at a time, and not revoked.
    pub(crate) fn check(&self, part: Part, root: &Issuer, root_crl: &Crl, at: Moment) -> Result<(), Error> {
        if self.root != root.id() {
            return Err(Error::RootDiffers { part });
        }
        at.check_certificate(CertificateKind::TcbSigner, self.not_before, self.not_after)?;
        root_crl.check_not_revoked(CertificateKind::TcbSigner, root, &self.serial, at)
    }
}

fn id(name: &[u8; 32], public_key: &[u8; 64]) -> [u8; 32] {
    Sha256::new().chain_update(name).chain_update(public_key).finalize().into()
}

fn issuer(
    read: &Certificate<'_>,
    certificate: CertificateKind,
    kind: IssuerKind,
    root: Option<&Issuer>,
) -> Result<Issuer, Error> {
    let found = read.common_name();
    if found != kind.common_name() {
        return Err(Error::CertificateName { certificate, found });
    }
    let name = read.subject().ok_or(Error::CertificateEncoding { certificate })?;
    let Certificate { public_key, serial, not_before, not_after, .. } = *read;
    let root = root.map_or_else(|| id(&name, &public_key), Issuer::id);
    Ok(Issuer { kind, name, public_key, root, serial, not_before, not_after })
}
