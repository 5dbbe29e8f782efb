//! Values on the command line and in policy files.

/// So many bytes in hexadecimal, with 0x in front or without.
pub(crate) fn bytes<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if let Some(other) = digits.chars().find(|character| !character.is_ascii_hexdigit()) {
        return Err(format!("this is not hexadecimal: it has `{}` in it", other.escape_default()));
    }
    let array = hex::decode(digits).ok().and_then(|bytes| bytes.try_into().ok());
    array.ok_or_else(|| format!("this has {} hexadecimal digits, and {} are needed", digits.len(), 2 * N))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_hexadecimal_digits_and_there_are_as_many_as_there_should_be() {
        assert_eq!(bytes("0x00fF"), Ok([0, 255]));
        assert_eq!(bytes("00fF"), Ok([0, 255]));
        for (text, says) in [
            ("", "has 0 hexadecimal digits, and 4 are needed"),
            ("0x00f", "has 3 hexadecimal digits, and 4 are needed"),
            ("00ff00", "has 6 hexadecimal digits, and 4 are needed"),
            ("00 ff", "it has ` ` in it"),
            ("0X00ff", "it has `X` in it"),
            ("é0", "it has `\\u{e9}` in it"),
        ] {
            let error = bytes::<2>(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
