//! The machine that quotes are made on.

use super::{CertificateName, Key};

/// Who issued a PCK certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ca {
    /// For servers of several packages, which every TD runs on.
    Platform,
    /// For machines of one package.
    Processor,
}

/// A machine, as its PCK certificate, the TCB info and its reports have it. Those can be made to differ in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Who issued its PCK certificate.
    pub ca: Ca,
    /// Family and model.
    pub fmspc: [u8; 6],
    /// Which provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// The 16 components of its TCB, and CPUSVN, which is the same on this one.
    pub cpu_svn: [u8; 16],
    /// Of its provisioning certification enclave.
    pub pce_svn: u16,
    /// Of its TDX module, and of what is below it.
    pub tee_tcb_svn: [u8; 16],
    /// Its provisioning identity.
    pub ppid: [u8; 16],
    /// 0 for standard, 1 for scalable, 2 for scalable with integrity.
    pub sgx_type: u8,
    /// Only certificates of the platform CA have it.
    pub platform_instance_id: [u8; 16],
    /// Packages can be added to it; only certificates of the platform CA say so.
    pub dynamic_platform: bool,
    /// Intel keeps its root keys; only certificates of the platform CA say so.
    pub cached_keys: bool,
    /// A core runs several threads; only certificates of the platform CA say so.
    pub smt_enabled: bool,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            ca: Ca::Platform,
            fmspc: *b"\0MOCK\0",
            pce_id: [0; 2],
            cpu_svn: [4, 4, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
            pce_svn: 11,
            tee_tcb_svn: [11, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ppid: *b"mock machine 001",
            sgx_type: 1,
            platform_instance_id: *b"mock instance 01",
            dynamic_platform: false,
            cached_keys: true,
            smt_enabled: true,
        }
    }
}

impl Ca {
    /// CN.
    pub fn common_name(self) -> &'static str {
        match self {
            Self::Platform => "Intel SGX PCK Platform CA",
            Self::Processor => "Intel SGX PCK Processor CA",
        }
    }

    /// Its key.
    pub fn key(self) -> Key {
        match self {
            Self::Platform => Key::PlatformCa,
            Self::Processor => Key::ProcessorCa,
        }
    }

    /// Its certificate.
    pub fn certificate(self) -> CertificateName {
        match self {
            Self::Platform => CertificateName::PlatformCa,
            Self::Processor => CertificateName::ProcessorCa,
        }
    }

    /// As Intel's addresses have it.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Processor => "processor",
        }
    }
}
