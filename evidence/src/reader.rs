//! Reads fields one after the other, and never beyond the end.

use crate::{Error, Part};

/// What is left of a part of a quote.
pub(crate) struct Reader<'a> {
    part: Part,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; an error names the part.
    pub(crate) fn new(part: Part, bytes: &'a [u8]) -> Reader<'a> {
        Reader { part, rest: bytes }
    }

    /// The next `length` bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            let (part, found) = (self.part, self.rest.len() as u32);
            return Err(Error::Truncated { part, needed: u32::try_from(length).unwrap_or(u32::MAX), found });
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        // As long as was asked for, so this copies all of it.
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// The next two bytes, as a number.
    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// The next four bytes, as a number.
    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next eight bytes, as a number.
    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Says that nothing is left.
    pub(crate) fn end(&self) -> Result<(), Error> {
        match self.rest.len() as u32 {
            0 => Ok(()),
            found => Err(Error::TrailingBytes { part: self.part, found }),
        }
    }
}
