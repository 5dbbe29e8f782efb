//! What a platform's code says, and what to do about it.

use std::io;

use holdfast_ta::Fault;
use rustix::io::Errno;

use crate::optee;

/// Beyond every `errno` of Linux.
const ERRNOS: u32 = 4096;

/// For whoever asked: the reason of an `errno`, which is a software TEE's code, or of OP-TEE's, a `TEE_Result`
/// (GlobalPlatform's, all of them above `0xf0000000`).
pub(super) fn failure(code: u32) -> String {
    if code == Fault::RANDOMNESS.0 {
        return "its platform's random numbers are zero or repeat themselves: no key can be made on this machine"
            .into();
    }
    if code == Fault::NO_MEASUREMENT.0 {
        return "its platform measures no application, so there is no evidence of what runs in it".into();
    }
    match i32::try_from(code) {
        Ok(errno) if (1..ERRNOS).contains(&code) => {
            format!("its platform failed: {}{}", io::Error::from_raw_os_error(errno), remedy(errno))
        }
        _ => match optee::of_storage(code) {
            Some(reason) => format!("its platform failed: {reason}"),
            None => format!("its platform failed with code {code:#x}"),
        },
    }
}

fn remedy(errno: i32) -> &'static str {
    match Errno::from_raw_os_error(errno) {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => "; make room on the disk of its store",
        Errno::ROFS | Errno::ACCESS | Errno::PERM => "; make its store writable for the daemon's user",
        Errno::IO => "; check the disk of its store, then restart the daemon",
        Errno::NOENT => "; put its store back where it was, then restart the daemon",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_its_reason_and_what_to_do() {
        for (errno, reason, remedy) in [
            (Errno::NOSPC, "No space left on device", "make room"),
            (Errno::ROFS, "Read-only file system", "writable"),
            (Errno::NOENT, "No such file", "put its store back"),
        ] {
            let said = failure(errno.raw_os_error().unsigned_abs());
            assert!(said.contains(reason) && said.contains(remedy), "{said}");
        }
    }

    #[test]
    fn a_code_of_optee_is_its_reason_and_what_to_do() {
        for (code, remedy) in [(0xffff_3041, "make room"), (0xf010_0001, "rotate"), (0xffff_000e, "start it again")] {
            let said = failure(code);
            assert!(said.contains(remedy) && said.contains(&format!("{code:#x}")), "{said}");
        }
    }

    #[test]
    fn an_unknown_code_is_shown_as_its_documentation_writes_it() {
        assert!(failure(0xffff_3072).ends_with("code 0xffff3072"));
        assert!(failure(0).ends_with("code 0x0"));
        assert!(failure(Fault::RANDOMNESS.0).contains("random numbers"));
        assert!(failure(Fault::NO_MEASUREMENT.0).contains("measures no application"));
    }
}
