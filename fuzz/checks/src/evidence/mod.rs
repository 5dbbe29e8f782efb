//! What judges evidence reads: quotes, certificates, revocation lists, TCB info, QE identities, all of them at once, and
//! what of them was stored.
//!
//! A fuzzer cannot sign. So whatever is refused for its signature alone is signed here with a mock PKI's keys, and must
//! then be accepted.

mod certificates;
mod documents;
mod quote;
mod stored;
mod whole;
mod world;

pub use certificates::{certificate, crl};
pub use documents::{qe_identity, tcb_info};
pub use quote::quote;
pub use stored::stored;
pub use whole::evidence;
