//! BLAKE2b with 32 bytes of output, which Substrate calls `blake2_256`.

use blake2::{digest::consts::U32, Blake2b, Digest};

/// BLAKE2b-256 of `data`.
pub(crate) fn blake2_256(data: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(data).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    #[test]
    fn the_empty_hash_is_the_published_one() {
        let expected = hex("0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
        assert_eq!(blake2_256(b"").to_vec(), expected);
    }
}
