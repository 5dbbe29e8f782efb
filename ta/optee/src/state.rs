//! What the application keeps between two commands.

use core::cell::RefCell;

use crate::platform::OpTee;

/// Reached by one command at a time.
struct OneAtATime(RefCell<OpTee>);

// SAFETY: the header that build.rs writes asks for a single instance without concurrent commands
// (TA_FLAG_SINGLE_INSTANCE, and not TA_FLAG_CONCURRENT), so OP-TEE runs one command in it at a time, on one thread. No
// command calls into another, and if one did the RefCell would panic.
#[allow(unsafe_code)]
unsafe impl Sync for OneAtATime {}

static STATE: OneAtATime = OneAtATime(RefCell::new(OpTee::new()));

/// Lends the platform out for one command.
pub(crate) fn with_platform<T>(command: impl FnOnce(&mut OpTee) -> T) -> T {
    command(&mut STATE.0.borrow_mut())
}
