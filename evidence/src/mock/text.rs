//! How Intel writes things in JSON and PEM.

use alloc::{string::String, vec::Vec};

use pem_rfc7468::LineEnding;
use serde::{Serialize, Serializer};

use super::asn1::iso_8601;

/// In hexadecimal, with capitals.
pub(super) fn hexadecimal<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode_upper(bytes))
}

/// Unix seconds.
pub(super) fn date<S: Serializer>(unix_seconds: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso_8601(*unix_seconds))
}

/// Without spaces, the fields in the order in which they are declared.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of strings, numbers and lists")
}

/// One after another, each line at most 64 characters long and ended.
pub(super) fn pem<'a>(certificates: impl Iterator<Item = &'a Vec<u8>>) -> String {
    certificates
        .map(|der| pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, der).expect("not as long as memory is"))
        .collect()
}
