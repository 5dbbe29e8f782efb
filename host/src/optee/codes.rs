//! What OP-TEE's codes mean to whoever runs the daemon, and what to do. Pure.

/// The trusted application panicked.
pub(super) const TARGET_DEAD: u32 = 0xffff_3024;

const CORRUPT_OBJECT: u32 = 0xf010_0001;
const CORRUPT_OBJECT_2: u32 = 0xf010_0002;
const STORAGE_NOT_AVAILABLE: u32 = 0xf010_0003;
const STORAGE_NOT_AVAILABLE_2: u32 = 0xf010_0004;
const GENERIC: u32 = 0xffff_0000;
const ACCESS_CONFLICT: u32 = 0xffff_0003;
const BAD_FORMAT: u32 = 0xffff_0005;
const BAD_PARAMETERS: u32 = 0xffff_0006;
pub(super) const ITEM_NOT_FOUND: u32 = 0xffff_0008;
const NOT_SUPPORTED: u32 = 0xffff_000a;
const OUT_OF_MEMORY: u32 = 0xffff_000c;
const BUSY: u32 = 0xffff_000d;
const COMMUNICATION: u32 = 0xffff_000e;
const SECURITY: u32 = 0xffff_000f;
const SHORT_BUFFER: u32 = 0xffff_0010;
const STORAGE_NO_SPACE: u32 = 0xffff_3041;

/// What was being done. The same code means different things on the way to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Opening `/dev/tee0`.
    Context,
    /// Starting the trusted application.
    Session,
    /// Handing it a request.
    Call,
    /// Its own use of secure storage, of which its answer tells.
    Storage,
}

use Stage::{Call, Context, Session, Storage};

/// A code, in words for these stages.
struct Meaning {
    codes: &'static [u32],
    stages: &'static [Stage],
    words: &'static str,
}

/// The first that fits is meant.
const MEANINGS: &[Meaning] = &[
    Meaning {
        codes: &[ITEM_NOT_FOUND],
        stages: &[Context],
        words: "no /dev/tee0 can be opened: see with `ls -l /dev/tee*` that the kernel has its OP-TEE driver, and run \
                the daemon as a member of the group that the device belongs to",
    },
    Meaning {
        codes: &[ITEM_NOT_FOUND],
        stages: &[Session],
        words: "its file is not there: install it in /lib/optee_armtz, named after this UUID and .ta",
    },
    Meaning {
        codes: &[SECURITY, ACCESS_CONFLICT],
        stages: &[Session],
        words: "OP-TEE does not accept its file: it was changed, or is signed with another key than this OP-TEE was \
                built for, or is older than one that ran here before; install the right one in /lib/optee_armtz",
    },
    Meaning {
        codes: &[BAD_FORMAT],
        stages: &[Session],
        words: "its file is no trusted application for this OP-TEE: it was built for another version, or imports what \
                OP-TEE has not; install the one that was built for it in /lib/optee_armtz",
    },
    Meaning { codes: &[BUSY], stages: &[Session, Call], words: "it is busy with another program: end that one" },
    Meaning {
        codes: &[TARGET_DEAD],
        stages: &[Session],
        words: "it panicked as it started: please report it, with what OP-TEE wrote to its console",
    },
    Meaning {
        codes: &[SHORT_BUFFER, BAD_PARAMETERS, NOT_SUPPORTED],
        stages: &[Call],
        words: "it does not know the daemon's way of asking: install the daemon and the application of one release",
    },
    Meaning {
        codes: &[COMMUNICATION],
        stages: &[Session, Call, Storage],
        words: "tee-supplicant is not running, or ended meanwhile: start it again",
    },
    Meaning {
        codes: &[OUT_OF_MEMORY],
        stages: &[Session, Call, Storage],
        words: "there is no secure memory left: end other programs that use OP-TEE, or build OP-TEE with more of it",
    },
    Meaning {
        codes: &[CORRUPT_OBJECT, CORRUPT_OBJECT_2],
        stages: &[Session, Call, Storage],
        words: "secure storage is damaged, or was put back to an older state: put the right files into \
                tee-supplicant's directory (such as /var/lib/tee); if they are lost so are the keys: clear it, and \
                rotate the session keys",
    },
    Meaning {
        codes: &[STORAGE_NOT_AVAILABLE, STORAGE_NOT_AVAILABLE_2],
        stages: &[Session, Call, Storage],
        words: "OP-TEE does not reach its secure storage: see that tee-supplicant runs and can write to its directory \
                (such as /var/lib/tee), and to the RPMB if this OP-TEE uses one",
    },
    Meaning {
        codes: &[STORAGE_NO_SPACE],
        stages: &[Session, Call, Storage],
        words:
            "secure storage is full: make room on the disk of tee-supplicant's directory (such as /var/lib/tee), or \
                in the RPMB if this OP-TEE uses one",
    },
    Meaning {
        codes: &[ACCESS_CONFLICT, BUSY],
        stages: &[Storage],
        words: "another program has its objects in secure storage open: stop the other daemon",
    },
    // tee-supplicant's answer to most of what goes wrong with its files.
    Meaning {
        codes: &[GENERIC],
        stages: &[Storage],
        words: "secure storage cannot be used: see that tee-supplicant can write to its directory (such as \
                /var/lib/tee), that its disk has room, and what it wrote to the system's log",
    },
];

/// What it means and what to do, with the code as GlobalPlatform's documents write it.
pub(super) fn explain(code: u32, origin: u32, stage: Stage) -> String {
    match meaning(code, stage) {
        Some(words) => format!("{words} (code {code:#x})"),
        None => format!(
            "code {code:#x} from {}: see what OP-TEE wrote to its console, and the kernel to its log",
            origin_name(origin)
        ),
    }
}

/// What a code of the trusted application's secure storage means and what to do, if that is known.
pub(crate) fn of_storage(code: u32) -> Option<String> {
    meaning(code, Storage).map(|words| format!("{words} (code {code:#x})"))
}

fn meaning(code: u32, stage: Stage) -> Option<&'static str> {
    MEANINGS.iter().find(|row| row.codes.contains(&code) && row.stages.contains(&stage)).map(|row| row.words)
}

fn origin_name(origin: u32) -> &'static str {
    match origin {
        1 => "libteec (origin 1)",
        2 => "the driver (origin 2)",
        3 => "OP-TEE (origin 3)",
        4 => "the trusted application (origin 4)",
        _ => "an unknown place",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_an_operator_can_mend_says_how() {
        for (code, stage, remedy) in [
            (0xffff_0008, Context, "group"),
            (0xffff_0008, Session, "install it in /lib/optee_armtz"),
            (0xffff_000f, Session, "signed with another key"),
            (0xffff_0003, Session, "older than one that ran here before"),
            (0xffff_0005, Session, "imports what OP-TEE has not"),
            (0xffff_000d, Session, "end that one"),
            (0xffff_3024, Session, "report it"),
            (0xffff_000e, Session, "tee-supplicant is not running"),
            (0xffff_000e, Call, "tee-supplicant is not running"),
            (0xffff_000e, Storage, "tee-supplicant is not running"),
            (0xffff_000c, Call, "end other programs"),
            (0xffff_0010, Call, "of one release"),
            (0xf010_0001, Session, "put the right files"),
            (0xf010_0002, Storage, "rotate the session keys"),
            (0xf010_0003, Storage, "tee-supplicant runs"),
            (0xf010_0004, Call, "RPMB"),
            (0xffff_3041, Storage, "make room"),
            (0xffff_0003, Storage, "stop the other daemon"),
            (0xffff_0000, Storage, "its disk has room"),
        ] {
            let said = explain(code, 3, stage);
            assert!(said.contains(remedy) && said.contains(&format!("{code:#x}")), "{stage:?}: {said}");
        }
    }

    #[test]
    fn the_same_code_means_what_it_means_where_it_came_up() {
        let said: Vec<_> = [Context, Session, Call].map(|stage| explain(0xffff_0008, 3, stage)).to_vec();
        assert!(said[0].contains("/dev/tee0") && said[1].contains(".ta") && said[2].contains("console"), "{said:?}");
        assert_ne!(explain(0xffff_0003, 3, Session), explain(0xffff_0003, 3, Storage));
    }

    #[test]
    fn an_unknown_code_is_shown_with_its_origin() {
        for (origin, place) in [(0, "unknown"), (1, "libteec"), (2, "driver"), (3, "OP-TEE"), (4, "application")] {
            let said = explain(0xffff_1234, origin, Call);
            assert!(said.contains("0xffff1234") && said.contains(place), "{said}");
        }
        assert_eq!(of_storage(0xffff_1234), None);
        assert_eq!(of_storage(0), None);
    }

    #[test]
    fn no_meaning_is_hidden_by_one_before_it() {
        for (index, row) in MEANINGS.iter().enumerate() {
            for code in row.codes {
                for stage in row.stages {
                    let found = MEANINGS.iter().position(|row| row.codes.contains(code) && row.stages.contains(stage));
                    assert_eq!(found, Some(index), "{code:#x} in {stage:?}");
                }
            }
        }
    }
}
