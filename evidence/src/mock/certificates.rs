//! A thing for each certificate of the PKI.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// Which of a plan's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateName {
    /// [`Certificates::root`]
    Root,
    /// [`Certificates::platform_ca`]
    PlatformCa,
    /// [`Certificates::processor_ca`]
    ProcessorCa,
    /// [`Certificates::pck`]
    Pck,
    /// [`Certificates::tcb_signer`]
    TcbSigner,
    /// One of [`Certificates::others`], by its index.
    Other(usize),
}

/// One thing for each certificate: a [`super::Certificate`] in a plan, its bytes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates<T> {
    /// Intel SGX Root CA.
    pub root: T,
    /// Intel SGX PCK Platform CA.
    pub platform_ca: T,
    /// Intel SGX PCK Processor CA.
    pub processor_ca: T,
    /// The platform's.
    pub pck: T,
    /// Intel SGX TCB Signing, for TCB infos and QE identities.
    pub tcb_signer: T,
    /// Any further ones: none in a new plan.
    pub others: Vec<T>,
}

impl<T> Certificates<T> {
    /// The same of something else.
    pub fn map<U>(&self, change: impl Fn(&T) -> U) -> Certificates<U> {
        Certificates {
            root: change(&self.root),
            platform_ca: change(&self.platform_ca),
            processor_ca: change(&self.processor_ca),
            pck: change(&self.pck),
            tcb_signer: change(&self.tcb_signer),
            others: self.others.iter().map(change).collect(),
        }
    }
}

impl<T> Index<CertificateName> for Certificates<T> {
    type Output = T;

    fn index(&self, name: CertificateName) -> &T {
        match name {
            CertificateName::Root => &self.root,
            CertificateName::PlatformCa => &self.platform_ca,
            CertificateName::ProcessorCa => &self.processor_ca,
            CertificateName::Pck => &self.pck,
            CertificateName::TcbSigner => &self.tcb_signer,
            CertificateName::Other(index) => &self.others[index],
        }
    }
}

impl<T> IndexMut<CertificateName> for Certificates<T> {
    fn index_mut(&mut self, name: CertificateName) -> &mut T {
        match name {
            CertificateName::Root => &mut self.root,
            CertificateName::PlatformCa => &mut self.platform_ca,
            CertificateName::ProcessorCa => &mut self.processor_ca,
            CertificateName::Pck => &mut self.pck,
            CertificateName::TcbSigner => &mut self.tcb_signer,
            CertificateName::Other(index) => &mut self.others[index],
        }
    }
}
