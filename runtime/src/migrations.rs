//! What a runtime upgrade changes in storage.
//!
//! A pallet that changes how it stores something raises its storage version and brings a migration,
//! guarded by the version that it starts from (`frame_support::migrations::VersionedMigration`), so
//! that it runs once. It is listed here, in the release that raises `spec_version`, and leaves the list
//! when every chain has passed the release that carried it.
//!
//! All storage is bounded, and a migration has to fit into one block for the largest state there can
//! be. pallet-migrations, which would spread one over many blocks, is published under GPL-3.0-only and
//! cannot be linked here.

/// Migrations that run whole, in the first block of the new runtime, in this order.
pub type SingleBlock = ();
