//! The head of a frame, as ductile writes it: bincode's index of `ChannelMessage::Message` (a little-endian `u32`, 0)
//! and the length of the message (a little-endian `u64`). The message follows.

use super::ChannelError;
use crate::message::MAX_MESSAGE;

/// Bytes before the message.
pub const HEAD: usize = 12;
/// The longest frame.
pub const MAX_FRAME: usize = HEAD + MAX_MESSAGE;

/// The length of the whole frame that begins with these bytes, once they say.
pub fn length(bytes: &[u8]) -> Result<Option<usize>, ChannelError> {
    let Some((kind, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let kind = u32::from_le_bytes(*kind);
    if kind != 0 {
        return Err(ChannelError::NotAMessage(kind));
    }
    let Some(message) = rest.first_chunk() else { return Ok(None) };
    let message = u64::from_le_bytes(*message);
    match usize::try_from(message) {
        Ok(length) if length <= MAX_MESSAGE => Ok(Some(HEAD + length)),
        _ => Err(ChannelError::TooLong(message)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(kind: u32, length: u64) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &length.to_le_bytes()[..]].concat()
    }

    proptest! {
        // Rule 7.
        #[test]
        fn any_bytes_are_a_bounded_length_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            match length(&bytes) {
                Ok(None) => prop_assert!(bytes.len() < HEAD),
                Ok(Some(length)) => prop_assert!((HEAD..=MAX_FRAME).contains(&length)),
                Err(_) => prop_assert!(bytes.len() >= 4),
            }
        }

        #[test]
        fn only_message_frames_within_the_limit_pass(kind in 0u32..4, message in any::<u64>()) {
            let passes = kind == 0 && message <= MAX_MESSAGE as u64;
            prop_assert_eq!(length(&head(kind, message)).is_ok(), passes);
        }
    }

    #[test]
    fn the_limits_are_exact() {
        assert_eq!(length(&head(0, MAX_MESSAGE as u64)).unwrap(), Some(MAX_FRAME));
        assert!(matches!(length(&head(0, MAX_MESSAGE as u64 + 1)), Err(ChannelError::TooLong(_))));
        assert!(matches!(length(&head(0, u64::MAX)), Err(ChannelError::TooLong(u64::MAX))));
        assert!(matches!(length(&head(1, 0)), Err(ChannelError::NotAMessage(1))));
        assert!(matches!(length(&2u32.to_le_bytes()), Err(ChannelError::NotAMessage(2))));
        assert_eq!(length(&head(0, 5)[..11]).unwrap(), None);
    }
}
