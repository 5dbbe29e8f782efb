//! `sp_keystore::Keystore`, method by method.

use std::{sync::atomic::Ordering, time::Instant};

use holdfast_protocol::{
    client::Until,
    message::{Call, Context, KeyId, Reply, Scheme, Seed, Usage},
};
use sp_core::{
    crypto::{key_types, ByteArray, KeyTypeId},
    ecdsa, ed25519, sr25519,
};
use sp_keystore::{Error, Keystore};

use crate::{
    ask::{keystore_error, Patience, PATIENCE},
    lease::Role,
    scheme::{public_length, Signing},
    seed,
    shown::shown,
    verify::{self, Vrf, Wrong},
    waiting, TEEKeystore, TARGET,
};

/// Keys of this type sign anything, and only a development TEE makes them.
pub(crate) const TEST: KeyTypeId = KeyTypeId(*b"test");
/// How a proof of possession begins.
pub(crate) const POSSESSION: &[u8] = b"POP_";

impl Keystore for TEEKeystore {
    fn sr25519_public_keys(&self, key_type: KeyTypeId) -> Vec<sr25519::Public> {
        self.public_keys::<sr25519::Pair>(key_type)
    }

    fn sr25519_generate_new(&self, key_type: KeyTypeId, seed: Option<&str>) -> Result<sr25519::Public, Error> {
        self.generate::<sr25519::Pair>(key_type, seed)
    }

    fn sr25519_sign(
        &self,
        key_type: KeyTypeId,
        public: &sr25519::Public,
        msg: &[u8],
    ) -> Result<Option<sr25519::Signature>, Error> {
        self.sign::<sr25519::Pair>(key_type, public, msg)
    }

    /// Verified with the data that was given, so that extra data, which cannot be carried to the TEE, is an error.
    fn sr25519_vrf_sign(
        &self,
        key_type: KeyTypeId,
        public: &sr25519::Public,
        data: &sr25519::vrf::VrfSignData,
    ) -> Result<Option<sr25519::vrf::VrfSignature>, Error> {
        let key = sr25519::Pair::id(key_type, public);
        let input = vrf_input(public, data.as_ref())?;
        let call = || Call::VrfSign { key: key.clone(), input };
        let made = self.ask(&key, soon(), call, |reply| match reply {
            Reply::VrfSignature { pre_output, proof } => verify::vrf(pre_output, &proof, data, public),
            _ => Err(Wrong::Reply),
        })?;
        match made {
            Some(Vrf::Verified(signature)) => Ok(Some(signature)),
            Some(Vrf::WithoutExtra) => {
                Err(Error::Other("a TEE makes no VRF signature with extra data: sign the extra data apart".into()))
            }
            None => Ok(None),
        }
    }

    /// Nothing proves a pre-output: a hostile daemon can answer any point of the curve. Where it counts, ask for a
    /// VRF signature, whose proof covers it.
    fn sr25519_vrf_pre_output(
        &self,
        key_type: KeyTypeId,
        public: &sr25519::Public,
        input: &sr25519::vrf::VrfInput,
    ) -> Result<Option<sr25519::vrf::VrfPreOutput>, Error> {
        let key = sr25519::Pair::id(key_type, public);
        let input = vrf_input(public, input)?;
        let call = || Call::VrfPreOutput { key: key.clone(), input };
        self.ask(&key, soon(), call, |reply| match reply {
            Reply::VrfPreOutput(raw) => verify::vrf_pre_output(raw),
            _ => Err(Wrong::Reply),
        })
    }

    fn ed25519_public_keys(&self, key_type: KeyTypeId) -> Vec<ed25519::Public> {
        self.public_keys::<ed25519::Pair>(key_type)
    }

    fn ed25519_generate_new(&self, key_type: KeyTypeId, seed: Option<&str>) -> Result<ed25519::Public, Error> {
        self.generate::<ed25519::Pair>(key_type, seed)
    }

    /// A vote of a `gran` key waits for as long as the TEE is away; [`TEEKeystore::release`] lets it go.
    fn ed25519_sign(
        &self,
        key_type: KeyTypeId,
        public: &ed25519::Public,
        msg: &[u8],
    ) -> Result<Option<ed25519::Signature>, Error> {
        self.sign::<ed25519::Pair>(key_type, public, msg)
    }

    fn ecdsa_public_keys(&self, key_type: KeyTypeId) -> Vec<ecdsa::Public> {
        self.public_keys::<ecdsa::Pair>(key_type)
    }

    fn ecdsa_generate_new(&self, key_type: KeyTypeId, seed: Option<&str>) -> Result<ecdsa::Public, Error> {
        self.generate::<ecdsa::Pair>(key_type, seed)
    }

    fn ecdsa_sign(
        &self,
        key_type: KeyTypeId,
        public: &ecdsa::Public,
        msg: &[u8],
    ) -> Result<Option<ecdsa::Signature>, Error> {
        self.sign::<ecdsa::Pair>(key_type, public, msg)
    }

    fn ecdsa_sign_prehashed(
        &self,
        key_type: KeyTypeId,
        public: &ecdsa::Public,
        msg: &[u8; 32],
    ) -> Result<Option<ecdsa::Signature>, Error> {
        let key = ecdsa::Pair::id(key_type, public);
        let call = || Call::SignPrehashed { key: key.clone(), hash: *msg };
        self.ask(&key, soon(), call, |reply| match reply {
            Reply::Signature(raw) => verify::prehashed(&raw, msg, public),
            _ => Err(Wrong::Reply),
        })
    }

    /// Refused unless [`TEEKeystore::allow_insert`] was called and the TEE is a simulated one for development.
    fn insert(&self, key_type: KeyTypeId, suri: &str, public: &[u8]) -> Result<(), ()> {
        self.take_secret(key_type, suri, public)
            .map_err(|why| log::warn!(target: TARGET, "a secret was not inserted: {why}"))
    }

    fn keys(&self, key_type: KeyTypeId) -> Result<Vec<Vec<u8>>, Error> {
        self.cache.all(key_type.0).ok_or(Error::Unavailable)
    }

    /// Whether this node signs with all of these: a standby does not, whatever the TEE holds, nor does one vote that is
    /// in a round which its key has left behind ([`TEEKeystore::follow`]). Aura asks in each slot; GRANDPA once for
    /// each round, and once for each voter that it makes, for its commits.
    fn has_keys(&self, public_keys: &[(Vec<u8>, KeyTypeId)]) -> bool {
        let active = self.role() == Role::Active;
        let has = |(public, key_type): &(Vec<u8>, KeyTypeId)| {
            (active || *key_type == TEST)
                && self.cache.has(key_type.0, public)
                && (*key_type != key_types::GRANDPA || self.votes.allow(public))
        };
        self.cache.loaded() && public_keys.iter().all(has)
    }
}

impl TEEKeystore {
    fn public_keys<P: Signing>(&self, key_type: KeyTypeId) -> Vec<P::Public> {
        let keys = self.cache.public_keys(P::SCHEME, key_type.0);
        keys.iter().filter_map(|public| P::Public::from_slice(public).ok()).collect()
    }

    fn sign<P: Signing>(
        &self,
        key_type: KeyTypeId,
        public: &P::Public,
        message: &[u8],
    ) -> Result<Option<P::Signature>, Error> {
        let key = P::id(key_type, public);
        let mut header = None;
        let patience = match key_type {
            key_types::GRANDPA if P::SCHEME == Scheme::Ed25519 && !message.starts_with(POSSESSION) => Patience::Vote,
            key_types::AURA => match self.headers.find(message) {
                Some(offer) => {
                    header = Some(offer.header);
                    Patience::Seal(offer.deadline)
                }
                None => soon(),
            },
            _ => soon(),
        };
        let call = || Call::Sign {
            key: key.clone(),
            message: message.to_vec(),
            context: header.clone().map_or(Context::None, Context::Header),
        };
        let made = self.ask(&key, patience, call, |reply| match reply {
            Reply::Signature(raw) => verify::signature::<P>(&raw, message, public),
            _ => Err(Wrong::Reply),
        })?;
        match (&made, patience, &header) {
            (Some(_), Patience::Vote, _) => self.metrics.voted(message),
            (Some(_), Patience::Seal(_), Some(header)) => self.metrics.sealed(header),
            _ => {}
        }
        Ok(made)
    }

    fn generate<P: Signing>(&self, key_type: KeyTypeId, suri: Option<&str>) -> Result<P::Public, Error> {
        let seed = match suri {
            None => None,
            Some(suri) => {
                let tee = self.status.tee().ok_or(Error::Unavailable)?;
                if !tee.development {
                    return Err(Error::Other(
                        "this TEE takes no seeds: only one for development does. Let it make its own key".into(),
                    ));
                }
                // What is wrong with it is not said, since it is a secret.
                let found = seed::resolve::<P>(suri)
                    .map_err(|_| Error::ValidationError("the seed is no valid secret URI for this scheme".into()))?;
                Some((found.seed, P::id(key_type, &found.public)))
            }
        };
        let made = self.make(P::SCHEME, key_type, seed)?;
        P::Public::from_slice(&made.public).map_err(|()| Error::Other(Wrong::Key.to_string()))
    }

    /// Hands a secret to a development TEE, as the key that it makes. The error says why not.
    fn take_secret(&self, key_type: KeyTypeId, suri: &str, public: &[u8]) -> Result<(), String> {
        if !self.insert_allowed.load(Ordering::Relaxed) {
            return Err("keys are made in the TEE; use author_rotateKeysWithOwner".into());
        }
        if !self.status.tee().is_some_and(|tee| tee.simulated && tee.development) {
            return Err("only a simulated TEE for development takes one, and none is connected".into());
        }
        let (scheme, seed) =
            seed::resolve_public(suri, public).ok_or("the secret URI does not make this public key in any scheme")?;
        let wanted = KeyId { scheme, key_type: key_type.0, public: public.to_vec() };
        self.make(scheme, key_type, Some((seed, wanted))).map(drop).map_err(|error| error.to_string())
    }

    /// Makes a key in the TEE, from a seed and the name that it will have, or from nothing.
    fn make(&self, scheme: Scheme, key_type: KeyTypeId, seed: Option<(Seed, KeyId)>) -> Result<KeyId, Error> {
        let usage = match (scheme, key_type) {
            (Scheme::Sr25519, TEST) => Usage::SignAndVrf,
            _ => Usage::Sign,
        };
        let (seed, wanted) = seed.unzip();
        let seeded = seed.is_some();
        let call = Call::Generate { scheme, key_type: key_type.0, usage, seed };
        let until = Until::Deadline(Instant::now() + PATIENCE);
        let asked = match self.absence() {
            Some(why) => Err(why),
            None => waiting::aside(|| self.client.call(call, until)),
        };
        let reply = asked.map_err(|error| {
            log::warn!(target: TARGET, "no key of type {} was made: {}", key_type.0.escape_ascii(), shown(&error));
            keystore_error(&error)
        })?;
        match reply {
            Reply::Generated(key)
                if key.seeded == seeded
                    && wanted.is_none_or(|wanted| wanted == key.id)
                    && (key.id.scheme, key.id.key_type) == (scheme, key_type.0)
                    && key.id.public.len() == public_length(scheme) =>
            {
                self.cache.add(key.id.clone());
                Ok(key.id)
            }
            _ => {
                let (kind, endpoint) = (key_type.0.escape_ascii(), self.client.endpoint());
                log::error!(target: TARGET, "the daemon at {endpoint} made another key than one of type {kind}");
                Err(Error::Other(Wrong::Key.to_string()))
            }
        }
    }
}

fn soon() -> Patience {
    Patience::Other(Instant::now() + PATIENCE)
}

/// The point that a VRF of this key and transcript is made from.
fn vrf_input(public: &sr25519::Public, transcript: &sr25519::vrf::VrfInput) -> Result<[u8; 32], Error> {
    let public = schnorrkel::PublicKey::from_bytes(public.as_slice())
        .map_err(|_| Error::ValidationError("the public key is no point of the curve".into()))?;
    Ok(public.vrf_hash(transcript.0.clone()).as_compressed().to_bytes())
}
