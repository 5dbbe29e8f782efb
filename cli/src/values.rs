//! Values on the command line and in policy files.

/// So many bytes in hexadecimal, with 0x in front or without, and white space anywhere.
pub(crate) fn bytes<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let digits: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let digits = without_prefix(&digits);
    if let Some(other) = digits.chars().find(|character| !character.is_ascii_hexdigit()) {
        return Err(format!("this is not hexadecimal: it has `{}` in it", other.escape_default()));
    }
    let array = hex::decode(digits).ok().and_then(|bytes| bytes.try_into().ok());
    array.ok_or_else(|| format!("this has {} hexadecimal digits, and {} are needed", digits.len(), 2 * N))
}

/// Hexadecimal digits without the 0x in front of them.
pub(crate) fn without_prefix(digits: &str) -> &str {
    digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_hexadecimal_digits_and_there_are_as_many_as_there_should_be() {
        for text in ["0x00fF", "00fF", "0X00ff", " 0x00 ff\n"] {
            assert_eq!(bytes(text), Ok([0, 255]), "{text}");
        }
        for (text, says) in [
            ("", "has 0 hexadecimal digits, and 4 are needed"),
            ("0x00f", "has 3 hexadecimal digits, and 4 are needed"),
            ("00ff00", "has 6 hexadecimal digits, and 4 are needed"),
            ("00x0ff", "it has `x` in it"),
            ("é0", "it has `\\u{e9}` in it"),
        ] {
            let error = bytes::<2>(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
