use std::fmt::{Debug, Display};

use holdfast_host::LinkError;
use sp_core::hexdisplay::HexDisplay;

/// How a trusted application fell short.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// No answer came.
    #[error("no answer to {asked}: {reason}")]
    NoAnswer {
        /// The request.
        asked: String,
        /// What the link said.
        reason: LinkError,
    },
    /// What came is no answer.
    #[error("the answer to {asked} is {length} bytes that are not an answer: {reason}")]
    NotAnAnswer {
        /// The request.
        asked: String,
        /// How long what came is.
        length: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Another answer than the only right one.
    #[error("{what}: expected {wanted}, got {got}")]
    Differs {
        /// Of what.
        what: String,
        /// The right one.
        wanted: String,
        /// The one that came.
        got: String,
    },
    /// A signature that does not verify.
    #[error("{what}: the signature 0x{signature} does not verify")]
    DoesNotVerify {
        /// Of what.
        what: String,
        /// In hexadecimal.
        signature: String,
    },
    /// The platform says that it cannot do this, so nothing was checked.
    #[error("the platform says that it cannot do this")]
    Unsupported,
    /// The reference could not be made, so nothing was compared.
    #[error("the reference failed: {0}")]
    Reference(String),
}

/// What a check comes to.
pub(crate) type Outcome = Result<(), Finding>;

/// Long enough to know a request again, short enough to read.
const SHOWN: usize = 240;

/// An error unless both are equal.
pub(crate) fn equal<T: PartialEq + Debug>(what: impl Display, wanted: T, got: T) -> Outcome {
    if wanted == got {
        return Ok(());
    }
    Err(differs(what, &wanted, &got))
}

/// An error unless the bytes are equal, which it shows in hexadecimal.
pub(crate) fn equal_bytes(what: impl Display, wanted: &[u8], got: &[u8]) -> Outcome {
    if wanted == got {
        return Ok(());
    }
    Err(Finding::Differs { what: what.to_string(), wanted: hex(wanted), got: hex(got) })
}

/// An error unless it holds.
pub(crate) fn holds(what: impl Display, it_does: bool) -> Outcome {
    equal(what, true, it_does)
}

pub(crate) fn differs(what: impl Display, wanted: &dyn Debug, got: &dyn Debug) -> Finding {
    Finding::Differs { what: what.to_string(), wanted: shown(wanted), got: shown(got) }
}

pub(crate) fn reference(error: impl Debug) -> Finding {
    Finding::Reference(format!("{error:?}"))
}

pub(crate) fn shown(value: &dyn Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    HexDisplay::from(&bytes).to_string()
}
