//! What the pallet stores and says.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{pallet_prelude::ConstU32, BoundedVec};
use holdfast_evidence::{
    AttestationKey, BoundKey, Crl, DeviceKey, Issuer, Measurements, OpteeReport, Pck, Policy, Quoted, Role, TcbStatus,
    MAX_BOUND_KEYS,
};
use scale_info::TypeInfo;
use sp_runtime::DispatchError;

/// The number of a workload, in the order in which they were proposed.
pub type WorkloadId = u32;
/// BLAKE2b-256 of a platform's PCK certificate in DER.
pub type PlatformId = [u8; 32];
/// BLAKE2b-256 of a quoting enclave's report, which names the attestation key, and of the PCK certificate whose key signed
/// that. A platform that was updated has its quoting enclave certify the same key anew, under another PCK certificate.
pub type CertificationId = [u8; 32];
/// BLAKE2b-256 of the SCALE encoding of an enrolled device's key.
pub type DeviceId = [u8; 32];
/// What a platform calls itself, whatever certificate it has: its provisioning id.
pub type Ppid = [u8; 16];
/// A certificate in DER.
pub type Certificate = BoundedVec<u8, ConstU32<4096>>;
/// Public keys that live in a workload.
pub type Keys = BoundedVec<BoundKey, ConstU32<MAX_BOUND_KEYS>>;

/// The most attestation keys that are kept of one platform. It has one for each TEE, and others after each update.
pub const MAX_CERTIFICATIONS: u32 = 8;
/// The most measurements of trusted applications that one workload accepts.
pub const MAX_APPLICATIONS: u32 = 16;
/// The longest grace of a policy, in seconds: a year.
pub const MAX_GRACE: u64 = 365 * 24 * 60 * 60;
/// The longest that an attestation can last, in seconds: 90 days.
pub const MAX_LIFETIME: u64 = 90 * 24 * 60 * 60;

/// Whom everything is traced back to. It is set in genesis, and nothing changes it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct TrustAnchor {
    /// The root, as it was read from its certificate.
    pub root: Issuer,
    /// Its certificate.
    pub certificate: Certificate,
    /// It is not Intel's: everything that is attested here proves nothing outside of a test.
    pub simulated: bool,
}

/// A CA of PCK certificates, and what it has revoked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct PckCa {
    /// Who it is.
    pub issuer: Issuer,
    /// Its list.
    pub crl: Crl,
}

/// A platform, and until when it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Platform {
    /// Its PCK certificate, as it was verified.
    pub pck: Pck,
    /// Seconds since the Unix epoch. It is pushed back with every attestation on it.
    pub until: u64,
    /// How many subjects are attested on it.
    pub subjects: u32,
    /// The certifications of attestation keys that are kept of it, the oldest first.
    pub certifications: BoundedVec<CertificationId, ConstU32<MAX_CERTIFICATIONS>>,
}

/// An attestation key that a platform's quoting enclave certified. It is kept as long as the platform.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct CertifiedKey {
    /// The key.
    pub key: AttestationKey,
    /// The platform's.
    pub platform: PlatformId,
}

/// A device whose measurements count.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Device {
    /// Its key.
    pub key: DeviceKey,
    /// How many subjects are attested by it.
    pub subjects: u32,
}

/// Who is attested: an account, for one role.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Subject<AccountId> {
    /// Who runs the workload.
    pub operator: AccountId,
    /// What it is for.
    pub role: Role,
}

/// How much evidence is worth.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Tier {
    /// A key that governance enrolled signed a measurement: nobody else vouches for the device.
    #[codec(index = 0)]
    EnrolledDevice,
    /// Intel vouches for the platform.
    #[codec(index = 1)]
    Intel,
}

/// What may run.
// There are few of them, and each is stored once.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Accepts {
    /// A trusted application with one of these measurements, on an enrolled device.
    #[codec(index = 0)]
    Device(BoundedVec<[u8; 32], ConstU32<MAX_APPLICATIONS>>),
    /// An enclave or a trust domain, with a quote that this policy accepts. It demands at least one measurement.
    #[codec(index = 1)]
    Intel(Policy),
}

impl Accepts {
    /// What its evidence is worth.
    pub fn tier(&self) -> Tier {
        match self {
            Accepts::Device(_) => Tier::EnrolledDevice,
            Accepts::Intel(_) => Tier::Intel,
        }
    }

    /// Whether it tells one code from another. A workload that anything fits is a mistake.
    pub(crate) fn demands_code(&self) -> bool {
        match self {
            Accepts::Device(measurements) => !measurements.is_empty(),
            Accepts::Intel(Policy { measurements: None, .. }) => false,
            Accepts::Intel(Policy { measurements: Some(Measurements::Sgx(sgx)), .. }) => {
                sgx.mr_enclave.is_some() || sgx.mr_signer.is_some() && sgx.isv_prod_id.is_some()
            }
            Accepts::Intel(Policy { measurements: Some(Measurements::Tdx(tdx)), .. }) => {
                // MRTD is the firmware: what that starts is in the registers.
                tdx.mr_td.is_some() && tdx.rtmr.iter().any(Option::is_some)
            }
        }
    }
}

/// What may be attested, for what, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Workload<BlockNumber> {
    /// What it is for.
    pub role: Role,
    /// What may run.
    pub accepts: Accepts,
    /// How long an attestation lasts at most, in seconds.
    pub lifetime: u64,
    /// The first block in which it is accepted.
    pub active_from: BlockNumber,
    /// When it is accepted no longer, in seconds since the Unix epoch.
    pub retired_at: Option<u64>,
}

impl<BlockNumber> Workload<BlockNumber> {
    /// Whether it is accepted no longer.
    pub fn is_retired(&self, now: u64) -> bool {
        self.retired_at.is_some_and(|end| end <= now)
    }
}

/// What a subject's attestation rests on.
// Most are quotes.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Basis {
    /// A measurement that an enrolled device signed.
    #[codec(index = 0)]
    Device {
        /// The device.
        device: DeviceId,
        /// What it measured.
        report: OpteeReport,
    },
    /// A quote.
    #[codec(index = 1)]
    Quote {
        /// What it says, and the key that signed it.
        quoted: Quoted,
        /// That key, as it was certified.
        key: AttestationKey,
        /// Its platform.
        platform: PlatformId,
        /// What the platform calls itself.
        ppid: Ppid,
        /// How up to date its platform was when that was last judged.
        status: TcbStatus,
    },
}

/// That a subject was attested.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Attestation<BlockNumber> {
    /// What it was attested to run.
    pub workload: WorkloadId,
    /// Which keys live in it.
    pub keys: Keys,
    /// By what.
    pub basis: Basis,
    /// The block whose hash the evidence contains.
    pub block: BlockNumber,
    /// When it was attested, in seconds since the Unix epoch, as all times here.
    pub since: u64,
    /// When its workload's lifetime ends.
    pub lease: u64,
    /// By when new evidence was asked for, and the first block that it may be of.
    pub requested: Option<(u64, BlockNumber)>,
    /// When it ends: the first of lease, request, collateral with the policy's grace, and the workload's retirement.
    pub until: u64,
    /// Where that stands in the queue.
    pub place: Place,
}

/// A place in the queue of what ends: by time, and then in the order in which it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Place([u8; 16]);

impl Place {
    pub(crate) fn new(at: u64, number: u64) -> Place {
        // Big endian: the trie is walked in the order of its keys' bytes.
        Place((u128::from(at) << 64 | u128::from(number)).to_be_bytes())
    }

    /// When it comes up.
    pub fn at(&self) -> u64 {
        (u128::from_be_bytes(self.0) >> 64) as u64
    }
}

/// What is forgotten once nobody needs it any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Kept<AccountId> {
    /// A platform, with its attestation keys.
    #[codec(index = 0)]
    Platform(PlatformId),
    /// Which block a subject's last evidence was of, once any of that age is refused as too old.
    #[codec(index = 1)]
    LastBlock(Subject<AccountId>),
}

/// How much of what evidence rests on was known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Path {
    /// An enrolled device's measurement: one RSA verification.
    #[codec(index = 0)]
    Device,
    /// The attestation key: one P-256 verification.
    #[codec(index = 1)]
    KnownKey,
    /// The platform: two.
    #[codec(index = 2)]
    KnownPlatform,
    /// Nothing but the collateral: three.
    #[codec(index = 3)]
    NewPlatform,
}

/// Why an attestation ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Ended {
    /// Its time was over.
    #[codec(index = 0)]
    Expired,
    /// New evidence was asked for, and did not come in time.
    #[codec(index = 1)]
    NotRenewed,
    /// It was judged again, and refused.
    #[codec(index = 2)]
    Refused(DispatchError),
}

/// What others may know of a subject that is attested now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Attested {
    /// What it runs.
    pub workload: WorkloadId,
    /// What its evidence is worth.
    pub tier: Tier,
    /// Which keys live in it.
    pub keys: Keys,
    /// Until when, in seconds since the Unix epoch.
    pub until: u64,
}

/// Which of Intel's two documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum CollateralKind {
    /// TCB info: which security versions platforms of a kind should have.
    #[codec(index = 0)]
    TcbInfo,
    /// QE identity: which quoting enclave is Intel's.
    #[codec(index = 1)]
    QeIdentity,
}
