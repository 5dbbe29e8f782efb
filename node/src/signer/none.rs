//! The keystore of a node that is no validator: it holds nothing, makes nothing and signs nothing.

use sp_core::{
    crypto::KeyTypeId,
    ecdsa, ed25519,
    sr25519::{self, vrf},
};
use sp_keystore::{Error, Keystore};

/// A keystore without keys. Keys made in memory would be lost at the next start, so it makes none.
pub(super) struct NoKeys;

type Answer<T> = Result<Option<T>, Error>;

fn refuse<T>() -> Result<T, Error> {
    Err(Error::Other("this node has no signer: start it with --keystore-uri to make and use session keys".into()))
}

impl Keystore for NoKeys {
    fn sr25519_public_keys(&self, _: KeyTypeId) -> Vec<sr25519::Public> {
        Vec::new()
    }

    fn sr25519_generate_new(&self, _: KeyTypeId, _: Option<&str>) -> Result<sr25519::Public, Error> {
        refuse()
    }

    fn sr25519_sign(&self, _: KeyTypeId, _: &sr25519::Public, _: &[u8]) -> Answer<sr25519::Signature> {
        Ok(None)
    }

    fn sr25519_vrf_sign(&self, _: KeyTypeId, _: &sr25519::Public, _: &vrf::VrfSignData) -> Answer<vrf::VrfSignature> {
        Ok(None)
    }

    fn sr25519_vrf_pre_output(
        &self,
        _: KeyTypeId,
        _: &sr25519::Public,
        _: &vrf::VrfInput,
    ) -> Answer<vrf::VrfPreOutput> {
        Ok(None)
    }

    fn ed25519_public_keys(&self, _: KeyTypeId) -> Vec<ed25519::Public> {
        Vec::new()
    }

    fn ed25519_generate_new(&self, _: KeyTypeId, _: Option<&str>) -> Result<ed25519::Public, Error> {
        refuse()
    }

    fn ed25519_sign(&self, _: KeyTypeId, _: &ed25519::Public, _: &[u8]) -> Answer<ed25519::Signature> {
        Ok(None)
    }

    fn ecdsa_public_keys(&self, _: KeyTypeId) -> Vec<ecdsa::Public> {
        Vec::new()
    }

    fn ecdsa_generate_new(&self, _: KeyTypeId, _: Option<&str>) -> Result<ecdsa::Public, Error> {
        refuse()
    }

    fn ecdsa_sign(&self, _: KeyTypeId, _: &ecdsa::Public, _: &[u8]) -> Answer<ecdsa::Signature> {
        Ok(None)
    }

    fn ecdsa_sign_prehashed(&self, _: KeyTypeId, _: &ecdsa::Public, _: &[u8; 32]) -> Answer<ecdsa::Signature> {
        Ok(None)
    }

    fn insert(&self, _: KeyTypeId, _: &str, _: &[u8]) -> Result<(), ()> {
        Err(())
    }

    fn keys(&self, _: KeyTypeId) -> Result<Vec<Vec<u8>>, Error> {
        Ok(Vec::new())
    }

    fn has_keys(&self, public_keys: &[(Vec<u8>, KeyTypeId)]) -> bool {
        public_keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_core::testing::SR25519;

    #[test]
    fn it_makes_no_key_and_says_what_to_do() {
        let error = NoKeys.sr25519_generate_new(SR25519, None).expect_err("refused");
        assert!(error.to_string().contains("--keystore-uri"), "{error}");
        assert!(NoKeys.insert(SR25519, "//Alice", &[0; 32]).is_err());
        assert!(!NoKeys.has_keys(&[(vec![0; 32], SR25519)]));
    }
}
