//! The trusted application on OP-TEE, for a daemon that runs on the Linux beside it.
//!
//! Only what calls libteec is behind the feature `optee`: words for errors, and what becomes of a lost session, are
//! the same on every machine.

#[cfg(any(feature = "optee", test))]
mod claim;
mod codes;
#[cfg(any(feature = "optee", test))]
mod sessions;
#[cfg(feature = "optee")]
mod teec;

use std::fmt;

use holdfast_ta::{
    optee::{DEVELOPMENT_UUID, PRODUCTION_UUID},
    MAX_ANSWER,
};

use crate::link::LinkError;
use codes::{explain, Stage, TARGET_DEAD};
#[cfg(feature = "optee")]
pub use teec::OpTee;

pub(crate) use codes::of_storage;

/// One of the two trusted applications. OP-TEE keeps their keys apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// Takes no seeds.
    Production,
    /// Takes seeds, and signs anything with `test` keys.
    Development,
}

/// What OP-TEE did not do. Codes are GlobalPlatform's `TEEC_Result` and origins its `TEEC_ORIGIN_*`; 0 is an origin that
/// was not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpTeeError {
    /// There is no OP-TEE, or it is not for this user.
    #[error("cannot reach OP-TEE: {}", explain(*code, *origin, Stage::Context))]
    Context {
        /// What went wrong.
        code: u32,
        /// Where.
        origin: u32,
    },
    /// It does not start the application, or not for this program.
    #[error("cannot open a session with {application}: {}", explain(*code, *origin, Stage::Session))]
    Session {
        /// Which.
        application: Application,
        /// What went wrong.
        code: u32,
        /// Where.
        origin: u32,
    },
    /// A call failed.
    #[error("{}", explain(*code, *origin, Stage::Call))]
    Call {
        /// What went wrong.
        code: u32,
        /// Where.
        origin: u32,
    },
    /// Another daemon is there.
    #[error("another holdfast-host uses this OP-TEE: one OP-TEE, one daemon; stop the other")]
    Claimed,
    /// Whether another daemon is there cannot be told.
    #[error("cannot lock {device} against another daemon: {cause}")]
    Claim {
        /// The device.
        device: String,
        /// Why.
        cause: String,
    },
    /// An answer that cannot be one.
    #[error("its answer has {0} bytes, more than {MAX_ANSWER}: install the daemon and the application of one release")]
    Length(usize),
}

impl Application {
    /// The UUID under which OP-TEE knows it.
    pub fn uuid(self) -> &'static str {
        match self {
            Application::Production => PRODUCTION_UUID,
            Application::Development => DEVELOPMENT_UUID,
        }
    }
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Application::Production => "production",
            Application::Development => "development",
        };
        write!(f, "OP-TEE's {name} application {}", self.uuid())
    }
}

impl OpTeeError {
    /// The application panicked. Its keys are in secure storage, and a new session has them.
    fn is_panic(&self) -> bool {
        matches!(self, OpTeeError::Call { code: TARGET_DEAD, .. })
    }
}

impl From<OpTeeError> for LinkError {
    fn from(error: OpTeeError) -> LinkError {
        if error.is_panic() {
            LinkError::Panicked
        } else {
            LinkError::Broken(error.to_string())
        }
    }
}
