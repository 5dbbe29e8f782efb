//! Every kind of evidence, as it is handed to whoever judges it.

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{OpteeEvidence, MAX_QUOTE};

/// Evidence of one kind. Indices 2 and 3 are for AMD SEV-SNP and for Microsoft Azure Attestation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[non_exhaustive]
pub enum Evidence {
    /// An Intel quote, of SGX or TDX: see [`crate::Quote`].
    #[codec(index = 0)]
    Quote(BoundedVec<u8, ConstU32<{ MAX_QUOTE as u32 }>>),
    /// A measurement that OP-TEE signed: see [`crate::verify_optee`].
    #[codec(index = 1)]
    Optee(OpteeEvidence),
}
