//! The time by which evidence is judged.

use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{CertificateKind, Document, Error};

/// When something is judged. There is no clock here: whoever asks says what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Moment {
    /// Seconds since the Unix epoch.
    pub now: u64,
    /// Seconds for which collateral is still good after the date at which Intel said that there would be newer.
    /// Certificates have no such grace.
    pub grace: u64,
}

impl Moment {
    /// At a time, without grace.
    pub fn at(now: u64) -> Moment {
        Moment { now, grace: 0 }
    }

    /// From `issued` on and until `next_update` with the grace. That second itself is the last of TCB info and QE identity,
    /// as in Intel's quote verification library, and too late for a revocation list: by then there is a newer one (RFC
    /// 5280, 5.1.2.5).
    pub(crate) fn check_document(self, document: Document, issued: u64, next_update: u64) -> Result<(), Error> {
        let Moment { now, grace } = self;
        if now < issued {
            return Err(Error::DocumentNotYetValid { document, issued, now });
        }
        let end = next_update.saturating_add(grace);
        let expired = match document {
            Document::TcbInfo | Document::QeIdentity => now > end,
            Document::RootCrl | Document::PckCrl => now >= end,
        };
        if expired {
            return Err(Error::DocumentExpired { document, next_update, grace, now });
        }
        Ok(())
    }

    /// Both dates included.
    pub(crate) fn check_certificate(
        self,
        certificate: CertificateKind,
        not_before: u64,
        not_after: u64,
    ) -> Result<(), Error> {
        let now = self.now;
        if now < not_before {
            return Err(Error::CertificateNotYetValid { certificate, not_before, now });
        }
        if now > not_after {
            return Err(Error::CertificateExpired { certificate, not_after, now });
        }
        Ok(())
    }
}

impl Document {
    /// The last second at which one is good that says `next_update`, without grace.
    pub fn last_second(self, next_update: u64) -> u64 {
        match self {
            Document::TcbInfo | Document::QeIdentity => next_update,
            Document::RootCrl | Document::PckCrl => next_update.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests;
