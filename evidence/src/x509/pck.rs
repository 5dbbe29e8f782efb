//! PCK certificates: Intel's word for a platform's key, and for the security versions that it had when it got it.

use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use super::{
    certificate::{Certificate, Use},
    extension, Crl, Issuer, IssuerKind, Serial,
};
use crate::{CertificateKind, Error, Moment, Part};

/// The common name in a PCK certificate.
pub(crate) const PCK_NAME: &str = "Intel SGX PCK Certificate";

/// A platform whose PCK certificate was verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Pck {
    /// P-256, affine: x, then y.
    pub public_key: [u8; 64],
    /// Who issued its certificate.
    pub ca: IssuerKind,
    /// SHA-256 of SHA-256 of its name in DER, and its key.
    pub ca_name: [u8; 32],
    /// [`Issuer::id`] of the root that issued that one's certificate.
    pub root: [u8; 32],
    /// The serial number of that one's certificate.
    pub ca_serial: Serial,
    /// The serial number of its own.
    pub serial: Serial,
    /// From when on both certificates are good, in seconds since the Unix epoch.
    pub not_before: u64,
    /// Until when both are.
    pub not_after: u64,
    /// What the certificate says of the platform.
    pub platform: SgxExtension,
}

/// What Intel's extension says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct SgxExtension {
    /// The platform's provisioning id.
    pub ppid: [u8; 16],
    /// The security versions of its SGX TCB components.
    pub components: [u8; 16],
    /// The security version of its provisioning certification enclave (PCE).
    pub pce_svn: u16,
    /// Which PCE that is.
    pub pce_id: [u8; 2],
    /// The platform's family, model and so on: TCB info is for one of these.
    pub fmspc: [u8; 6],
    /// 0 standard, 1 scalable, 2 scalable with integrity.
    pub sgx_type: u8,
    /// Platforms with several packages: which one it is.
    pub platform_instance_id: Option<[u8; 16]>,
    /// Platforms with several packages: how it is configured.
    pub configuration: Option<Configuration>,
}

/// How a platform with several packages is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Configuration {
    /// Packages can be added.
    pub dynamic_platform: Option<bool>,
    /// Intel's registration service keeps its root keys.
    pub cached_keys: Option<bool>,
    /// Simultaneous multithreading is on.
    pub smt_enabled: Option<bool>,
}

/// Verifies a PCK certificate in DER, which `ca` issued and `crl`, of the same CA, does not revoke.
pub fn verify_pck(der: &[u8], ca: &Issuer, crl: &Crl, at: Moment) -> Result<Pck, Error> {
    let certificate = CertificateKind::Pck;
    let read = Certificate::read(certificate, der)?;
    let name = read.common_name();
    if name != PCK_NAME {
        return Err(Error::CertificateName { certificate, found: name });
    }
    read.check_use(Use::Signs)?;
    let extension = read.extension(extension::SGX_EXTENSION).ok_or(Error::SgxExtension { what: "it".into() })?;
    let platform = extension::read(extension).map_err(|what| Error::SgxExtension { what: what.into() })?;
    if !ca.kind.is_pck_ca() {
        return Err(Error::CertificateIssuer { certificate, expected: IssuerKind::PlatformCa });
    }
    ca.check(at)?;
    read.check_issued(ca, at)?;
    crl.check_not_revoked(certificate, ca, &read.serial, at)?;
    Ok(Pck {
        public_key: read.public_key,
        ca: ca.kind,
        ca_name: ca.id(),
        root: ca.root,
        ca_serial: ca.serial,
        serial: read.serial,
        not_before: read.not_before.max(ca.not_before),
        not_after: read.not_after.min(ca.not_after),
        platform,
    })
}

impl Pck {
    /// Checks that both certificates are good at a time, and that neither was revoked: by the root the CA's, by the CA
    /// its own.
    pub(crate) fn check(&self, root: &Issuer, root_crl: &Crl, crl: &Crl, at: Moment) -> Result<(), Error> {
        if self.root != root.id() {
            return Err(Error::RootDiffers { part: Part::PckChain });
        }
        at.check_certificate(CertificateKind::Pck, self.not_before, self.not_after)?;
        root_crl.check_not_revoked(CertificateKind::PckCa, root, &self.ca_serial, at)?;
        crl.check_not_revoked_by(CertificateKind::Pck, (self.ca, &self.ca_name), &self.serial, at)
    }
}
