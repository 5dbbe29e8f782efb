//! Secret URIs, for a development TEE only: resolved here with `sp_core`, so that a seed means the same key as in any
//! other keystore.

use holdfast_protocol::message::{Scheme, Seed};
use sp_core::{
    crypto::{Pair, SecretStringError},
    ecdsa, ed25519, sr25519,
};
use zeroize::Zeroize;

/// The seed that a secret URI stands for, and its public key.
pub(crate) struct Resolved<P: Pair> {
    pub(crate) seed: Seed,
    pub(crate) public: P::Public,
}

/// Resolves a secret URI: 32 bytes of seed, or the 64 of the expanded key after a soft junction of sr25519.
///
/// The buffers made here are wiped. `sp_core`'s own copies (an ed25519 pair is `Copy`) are not: what a seed makes is a
/// development key.
pub(crate) fn resolve<P: Pair>(suri: &str) -> Result<Resolved<P>, SecretStringError> {
    let (pair, mut seed) = P::from_string_with_seed(suri, None)?;
    let bytes = match seed.as_mut() {
        Some(seed) => {
            let bytes = seed.as_ref().to_vec();
            seed.as_mut().zeroize();
            bytes
        }
        None => pair.to_raw_vec(),
    };
    Ok(Resolved { seed: Seed(bytes), public: pair.public() })
}

/// Finds the scheme in which a secret URI makes this public key.
pub(crate) fn resolve_public(suri: &str, public: &[u8]) -> Option<(Scheme, Seed)> {
    fn matching<P: Pair>(scheme: Scheme, suri: &str, public: &[u8]) -> Option<(Scheme, Seed)> {
        let found = resolve::<P>(suri).ok()?;
        let matches = AsRef::<[u8]>::as_ref(&found.public) == public;
        matches.then_some((scheme, found.seed))
    }
    matching::<sr25519::Pair>(Scheme::Sr25519, suri, public)
        .or_else(|| matching::<ed25519::Pair>(Scheme::Ed25519, suri, public))
        .or_else(|| matching::<ecdsa::Pair>(Scheme::Ecdsa, suri, public))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn the_seed_makes_the_key<P: Pair>(suri: &str, length: usize) {
        let found = resolve::<P>(suri).expect("a valid URI");
        assert_eq!(found.seed.0.len(), length, "{suri}");
        let pair = P::from_seed_slice(&found.seed.0).expect("a valid seed");
        assert!(pair.public() == found.public, "{suri}");
        assert!(P::from_string(suri, None).expect("a valid URI").public() == found.public, "{suri}");
    }

    #[test]
    fn a_seed_makes_the_same_key_as_its_uri() {
        let hex = "0x0101010101010101010101010101010101010101010101010101010101010101";
        for suri in ["//Alice", "//Alice//stash", "///password", hex] {
            the_seed_makes_the_key::<sr25519::Pair>(suri, 32);
            the_seed_makes_the_key::<ed25519::Pair>(suri, 32);
            the_seed_makes_the_key::<ecdsa::Pair>(suri, 32);
        }
    }

    #[test]
    fn a_soft_junction_gives_the_expanded_key_of_sr25519_and_an_error_elsewhere() {
        the_seed_makes_the_key::<sr25519::Pair>("//Alice/soft", 64);
        assert!(resolve::<ed25519::Pair>("//Alice/soft").is_err());
        assert!(resolve::<ecdsa::Pair>("//Alice/soft").is_err());
    }

    #[test]
    fn what_is_no_uri_is_an_error() {
        for suri in ["not a phrase", "0x01", "0x", "bottom drive obey lake"] {
            assert!(resolve::<sr25519::Pair>(suri).is_err(), "{suri}");
            assert!(resolve_public(suri, &[0; 32]).is_none(), "{suri}");
        }
    }

    #[test]
    fn the_scheme_is_found_by_the_public_key() {
        fn check<P: Pair>(scheme: Scheme) {
            let public = P::from_string("//Alice", None).expect("a valid URI").public();
            assert_eq!(resolve_public("//Alice", public.as_ref()).map(|found| found.0), Some(scheme));
        }
        check::<sr25519::Pair>(Scheme::Sr25519);
        check::<ed25519::Pair>(Scheme::Ed25519);
        check::<ecdsa::Pair>(Scheme::Ecdsa);
        assert!(resolve_public("//Bob", &[7; 32]).is_none());
    }
}
