use super::serial;

#[test]
fn serial_numbers_are_padded_in_front() {
    let padded = |digits: &[u8]| {
        let mut serial = [0; 20];
        serial[20 - digits.len()..].copy_from_slice(digits);
        Some(serial)
    };
    assert_eq!(serial(&[0]), padded(&[]));
    assert_eq!(serial(&[1]), padded(&[1]));
    assert_eq!(serial(&[0x7F, 0xFF]), padded(&[0x7F, 0xFF]));
    // The zero that says that what follows is not negative is none of the digits.
    assert_eq!(serial(&[0, 0x80]), padded(&[0x80]));
    assert_eq!(serial(&[0x7F; 20]), padded(&[0x7F; 20]));
    let mut longest = [0xFF; 21];
    longest[0] = 0;
    assert_eq!(serial(&longest), padded(&[0xFF; 20]));
}

#[test]
fn serial_numbers_are_neither_negative_nor_longer_than_20_bytes() {
    for encoded in [&[][..], &[0x80], &[0xFF; 20], &[1; 21], &[0; 22]] {
        assert_eq!(serial(encoded), None, "{encoded:?}");
    }
}
