//! What a runtime upgrade changes in storage.
//!
//! A pallet that changes how it stores something raises its storage version and brings a migration,
//! guarded by the version that it starts from (`frame_support::migrations::VersionedMigration`), so
//! that it runs once. It is listed here, in the release that raises `spec_version`:
//!
//! - in [`SingleBlock`], where it fits into one block for the largest state there can be;
//! - in [`MultiBlock`], where it does not. Transactions wait until it is through, and the chain
//!   admits inherents alone should it fail.
//!
//! A migration leaves its list when every chain has passed the release that carried it.

/// Migrations that run whole, in the first block of the new runtime, in this order.
pub type SingleBlock = ();

/// Migrations that run in steps, from the first block of the new runtime on, in this order.
pub type MultiBlock = ();
