//! What the trusted application on OP-TEE and the programs beside OP-TEE's Linux agree on. GlobalPlatform's interface
//! has a UUID, a command number and parameters; everything else travels as bytes, as to every other platform.

/// The UUID of the production application, as RFC 4122 writes it.
pub const PRODUCTION_UUID: &str = "3f6df8c2-982e-48c0-a4f1-15e6719d85a2";
/// The UUID of the development application. OP-TEE keeps the storage of each UUID apart, so neither opens what the
/// other stored.
pub const DEVELOPMENT_UUID: &str = "73e52ee7-bcc4-4a6f-85a2-e4bbf650c052";
/// The one command: a [`crate::Request`] of at most [`crate::MAX_REQUEST`] bytes in the first parameter (input), its
/// [`crate::Answer`] of at most [`crate::MAX_ANSWER`] bytes in the second (output).
pub const COMMAND: u32 = 1;
