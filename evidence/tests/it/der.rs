//! Changes inside DER that a mock has no field for.

/// Something else in place of the first bytes that are these, with the lengths of all that is around them set anew.
pub(crate) fn replace(der: &mut Vec<u8>, bytes: &[u8], others: &[u8]) {
    let at = der.windows(bytes.len()).position(|window| window == bytes).expect("those bytes");
    let mut around = vec![];
    let mut start = 0;
    while at >= content(der, start).0 {
        around.push(start);
        // Into what has parts, as far as the one in which they are.
        if der[start] & 0x20 == 0 {
            break;
        }
        start = content(der, start).0;
        while content(der, start).1 <= at {
            start = content(der, start).1;
        }
    }
    for start in around {
        let (from, to) = content(der, start);
        let length = to - from + others.len() - bytes.len();
        match (der[start + 1], length) {
            (0..=0x7F, 0..=0x7F) => der[start + 1] = length as u8,
            (0x81, 0x80..=0xFF) => der[start + 2] = length as u8,
            (0x82, 0x100..=0xFFFF) => der[start + 2..start + 4].copy_from_slice(&(length as u16).to_be_bytes()),
            _ => panic!("the length itself would be longer"),
        }
    }
    der.splice(at..at + bytes.len(), others.iter().copied());
}

/// Where the content of what begins here begins, and where it ends.
fn content(der: &[u8], start: usize) -> (usize, usize) {
    let (header, length) = match der[start + 1] {
        short @ 0..=0x7F => (2, usize::from(short)),
        0x81 => (3, der[start + 2].into()),
        0x82 => (4, u16::from_be_bytes([der[start + 2], der[start + 3]]).into()),
        other => panic!("a length of {other:#x}"),
    };
    (start + header, start + header + length)
}
