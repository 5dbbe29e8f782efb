//! What each file of a store is, told by its name alone. Pure.

use crate::MAX_ID;

const OBJECT: &str = ".object";
const CELL: &str = "cell";
const LOCK: &str = "lock";
const UNFINISHED: &str = "unfinished";

/// A file of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The object with this name, in lower-case hexadecimal before the suffix.
    Object(Vec<u8>),
    /// The cell.
    Cell,
    /// What an instance locks.
    Lock,
    /// A file that is not yet an object or the cell. Found when a store is opened, it is what a cut left behind.
    Unfinished,
}

impl Entry {
    /// Of a file's name; `None` for one that no store uses.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        match name {
            CELL => Some(Self::Cell),
            LOCK => Some(Self::Lock),
            UNFINISHED => Some(Self::Unfinished),
            _ => unhex(name.strip_suffix(OBJECT)?).map(Self::Object),
        }
    }

    /// The file's name: the only one that parses to this entry.
    pub fn file_name(&self) -> String {
        match self {
            Self::Object(id) => id.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + OBJECT,
            Self::Cell => CELL.into(),
            Self::Lock => LOCK.into(),
            Self::Unfinished => UNFINISHED.into(),
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > MAX_ID {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_no_store_uses_are_not_entries() {
        let long = format!("{}.object", "00".repeat(MAX_ID + 1));
        for name in ["", ".", "61", "6.object", "6g.object", "6A.object", "61.object.tmp", "61.objec", "Cell", &long] {
            assert_eq!(Entry::parse(name.as_bytes()), None, "{name}");
        }
        assert_eq!(Entry::parse(b"\xff.object"), None);
    }

    proptest! {
        #[test]
        fn an_entry_has_one_file_name_and_that_name_one_entry(id in proptest::collection::vec(any::<u8>(), 0..=MAX_ID)) {
            for entry in [Entry::Object(id), Entry::Cell, Entry::Lock, Entry::Unfinished] {
                prop_assert_eq!(Entry::parse(entry.file_name().as_bytes()), Some(entry));
            }
        }

        #[test]
        fn whatever_parses_is_named_so(name in "[0-9a-fA-F]{0,8}(\\.object)?|cell|lock|unfinished|\\PC{0,12}") {
            if let Some(entry) = Entry::parse(name.as_bytes()) {
                prop_assert_eq!(entry.file_name(), name);
            }
        }
    }
}
