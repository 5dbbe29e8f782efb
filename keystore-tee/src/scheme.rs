//! The three signature schemes, by the pair that `sp_core` has for each.

use holdfast_protocol::message::{KeyId, Scheme};
use sp_core::{
    crypto::{ByteArray, KeyTypeId, Pair},
    ecdsa, ed25519, sr25519,
};

/// A scheme of the wire.
pub(crate) trait Signing: Pair<Public: ByteArray> {
    /// Its name on the wire.
    const SCHEME: Scheme;

    /// The name of a key.
    fn id(key_type: KeyTypeId, public: &Self::Public) -> KeyId {
        KeyId { scheme: Self::SCHEME, key_type: key_type.0, public: public.to_raw_vec() }
    }
}

impl Signing for sr25519::Pair {
    const SCHEME: Scheme = Scheme::Sr25519;
}

impl Signing for ed25519::Pair {
    const SCHEME: Scheme = Scheme::Ed25519;
}

impl Signing for ecdsa::Pair {
    const SCHEME: Scheme = Scheme::Ecdsa;
}

/// Length of a scheme's public keys in bytes.
pub(crate) fn public_length(scheme: Scheme) -> usize {
    match scheme {
        Scheme::Sr25519 => sr25519::PUBLIC_KEY_SERIALIZED_SIZE,
        Scheme::Ed25519 => ed25519::PUBLIC_KEY_SERIALIZED_SIZE,
        Scheme::Ecdsa => ecdsa::PUBLIC_KEY_SERIALIZED_SIZE,
    }
}
