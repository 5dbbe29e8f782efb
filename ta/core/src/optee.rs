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

/// Bytes of the record in which the cell lies in RPMB. It never grows or shrinks, and with OP-TEE's head of 24 bytes it
/// lies in one block of 256, so that OP-TEE replaces it with one authenticated write of that block: whole, or not at all.
pub const CELL_RECORD: usize = 128;
/// The longest cell that fits its record.
pub const MAX_CELL: usize = CELL_RECORD - size_of::<u16>();

/// The record of a cell: its length in two bytes (little endian), the cell, and zeros. None if it is too long.
pub fn encode_cell(cell: &[u8]) -> Option<[u8; CELL_RECORD]> {
    let mut record = [0; CELL_RECORD];
    let (length, data) = record.split_first_chunk_mut()?;
    *length = u16::try_from(cell.len()).ok()?.to_le_bytes();
    data.get_mut(..cell.len())?.copy_from_slice(cell);
    Some(record)
}

/// The cell of a record. None if that is no record: of another length, or with anything but zeros after the cell.
pub fn decode_cell(record: &[u8]) -> Option<&[u8]> {
    let (length, data) = <&[u8; CELL_RECORD]>::try_from(record).ok()?.split_first_chunk()?;
    let (cell, rest) = data.split_at_checked(u16::from_le_bytes(*length).into())?;
    rest.iter().all(|byte| *byte == 0).then_some(cell)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_cell_of_any_length_that_fits_comes_back_from_its_record_and_a_longer_one_has_none() {
        for length in 0..=MAX_CELL {
            let cell = vec![7; length];
            let record = encode_cell(&cell).expect("it fits");
            assert_eq!(decode_cell(&record), Some(&cell[..]));
        }
        for length in [MAX_CELL + 1, CELL_RECORD, 1 << 16, (1 << 16) + 5] {
            assert_eq!(encode_cell(&vec![7; length]), None);
        }
    }

    #[test]
    fn what_is_no_record_has_no_cell() {
        let record = encode_cell(&[7; 100]).expect("it fits");
        for length in 0..CELL_RECORD {
            assert_eq!(decode_cell(&record[..length]), None);
        }
        assert_eq!(decode_cell(&[&record[..], &[0]].concat()), None, "the rest of a longer one after it");
        for (length, cell) in [(126, true), (127, false), (u16::MAX, false), (99, false)] {
            let mut other = record;
            other[..2].copy_from_slice(&length.to_le_bytes());
            assert_eq!(decode_cell(&other).is_some(), cell, "{length}");
        }
        let mut other = record;
        other[CELL_RECORD - 1] = 1;
        assert_eq!(decode_cell(&other), None);
    }
}
