//! One daemon for one OP-TEE: two would each lease the same keys to a node of theirs.

use std::{fs::File, io::ErrorKind, path::Path};

use rustix::{
    fs::{flock, FlockOperation},
    io::Errno,
};

use super::{codes::ITEM_NOT_FOUND, OpTeeError};

/// The device of OP-TEE's clients. Who may not open it can neither use OP-TEE nor keep others from it.
#[cfg(feature = "optee")]
pub(super) const DEVICE: &str = "/dev/tee0";

/// Lasts until it is dropped, or the process ends in any way. No file is left behind.
pub(super) struct Claim {
    _device: File,
}

impl Claim {
    /// Takes the device for this daemon. Programs that are none go on using it.
    pub(super) fn on(device: &Path) -> Result<Claim, OpTeeError> {
        let cannot = |cause: String| OpTeeError::Claim { device: device.display().to_string(), cause };
        let file = File::open(device).map_err(|cause| match cause.kind() {
            // As libteec says it, with what to do.
            ErrorKind::NotFound | ErrorKind::PermissionDenied => {
                OpTeeError::Context { code: ITEM_NOT_FOUND, origin: 0 }
            }
            _ => cannot(cause.to_string()),
        })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Claim { _device: file }),
            Err(Errno::WOULDBLOCK) => Err(OpTeeError::Claimed),
            Err(errno) => Err(cannot(errno.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_until_the_first_one_is_gone() {
        let device = tempfile::NamedTempFile::new().expect("a temporary file");
        let first = Claim::on(device.path()).expect("nobody has it");
        assert_eq!(Claim::on(device.path()).err(), Some(OpTeeError::Claimed));
        drop(first);
        assert!(Claim::on(device.path()).is_ok());
    }

    #[test]
    fn where_there_is_no_device_the_operator_is_told_what_to_look_at() {
        let said = Claim::on(Path::new("/nowhere/tee0")).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("ls -l /dev/tee") && said.contains("group"), "{said}");
    }
}
