//! What keys are made of and what they sign.

use codec::{Compact, Encode};
use holdfast_ta::{Context, GrandpaRound, KeyId, KeyType, Scheme, Usage};
use sp_core::{ecdsa, ed25519, sr25519, Pair};
use sp_crypto_hashing::blake2_256;

use crate::finding::{hex, reference, Finding, Outcome};
use crate::random::Random;
use crate::Expect;

pub(crate) const AURA: KeyType = *b"aura";
pub(crate) const GRAN: KeyType = *b"gran";
pub(crate) const TEST: KeyType = *b"test";
pub(crate) const SCHEMES: [Scheme; 3] = [Scheme::Sr25519, Scheme::Ed25519, Scheme::Ecdsa];

/// A kind of key that a trusted application makes.
pub(crate) type KeyKind = (Scheme, KeyType, Usage);

/// All kinds that this trusted application makes.
pub(crate) fn kinds(expect: Expect) -> Vec<KeyKind> {
    let mut kinds = vec![(Scheme::Sr25519, AURA, Usage::Sign), (Scheme::Ed25519, GRAN, Usage::Sign)];
    if expect.development {
        kinds.extend(SCHEMES.map(|scheme| (scheme, TEST, Usage::Sign)));
        kinds.push((Scheme::Sr25519, TEST, Usage::SignAndVrf));
    }
    kinds
}

/// A message that a key may sign, with what it is judged with.
pub(crate) fn statement(id: &KeyId, random: &mut Random) -> (Vec<u8>, Context) {
    match id.key_type {
        AURA => {
            let header = Header::next(random).encode();
            (blake2_256(&header).to_vec(), Context::Header(header))
        }
        GRAN => (vote(random, 0), Context::None),
        _ => (random.bytes(100), Context::None),
    }
}

/// A GRANDPA vote in a round above all before.
pub(crate) fn vote(random: &mut Random, stage: u8) -> Vec<u8> {
    let (target, at) = (target(random), random.round());
    vote_for(at, stage, target)
}

/// A GRANDPA vote: stage, target's hash and number, round, set.
pub(crate) fn vote_for(GrandpaRound { set_id, round }: GrandpaRound, stage: u8, target: ([u8; 32], u32)) -> Vec<u8> {
    (stage, target, round, set_id).encode()
}

/// Hash and number of some block.
pub(crate) fn target(random: &mut Random) -> ([u8; 32], u32) {
    let [number, ..] = random.block();
    (random.block(), u32::from(number))
}

/// A proof of possession of this owner.
pub(crate) fn possession(owner: &[u8]) -> Vec<u8> {
    [b"POP_", owner].concat()
}

/// A block header, as `sp_runtime::generic::Header<u32, BlakeTwo256>` encodes it.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) parent: [u8; 32],
    pub(crate) number: u32,
    pub(crate) state_root: [u8; 32],
    pub(crate) extrinsics_root: [u8; 32],
    pub(crate) digest: Vec<Item>,
}

/// An item of a header's digest.
#[derive(Clone)]
pub(crate) enum Item {
    Other(Vec<u8>),
    Consensus([u8; 4], Vec<u8>),
    Seal([u8; 4], Vec<u8>),
    PreRuntime([u8; 4], Vec<u8>),
    RuntimeEnvironmentUpdated,
}

impl Header {
    /// In a slot above all before.
    pub(crate) fn next(random: &mut Random) -> Self {
        let slot = random.slot();
        Self::with_slot(random, slot)
    }

    /// As it is before Aura seals it.
    pub(crate) fn with_slot(random: &mut Random, slot: u64) -> Self {
        Self {
            parent: random.block(),
            number: 70_000,
            state_root: random.block(),
            extrinsics_root: random.block(),
            digest: vec![Item::slot(slot)],
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.parent);
        Compact(self.number).encode_to(&mut bytes);
        bytes.extend(self.state_root);
        bytes.extend(self.extrinsics_root);
        self.digest.iter().map(Item::encode).collect::<Encoded>().encode_to(&mut bytes);
        bytes
    }
}

impl Item {
    /// What Aura puts in before the block is made.
    pub(crate) fn slot(slot: u64) -> Self {
        Self::PreRuntime(AURA, slot.encode())
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Other(data) => (0u8, data).encode(),
            Self::Consensus(engine, data) => (4u8, engine, data).encode(),
            Self::Seal(engine, data) => (5u8, engine, data).encode(),
            Self::PreRuntime(engine, data) => (6u8, engine, data).encode(),
            Self::RuntimeEnvironmentUpdated => 8u8.encode(),
        }
    }
}

/// Items that are encoded already, as the sequence that they are.
struct Encoded(Vec<Vec<u8>>);

impl FromIterator<Vec<u8>> for Encoded {
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl Encoded {
    fn encode_to(&self, bytes: &mut Vec<u8>) {
        Compact(self.0.len() as u32).encode_to(bytes);
        bytes.extend(self.0.concat());
    }
}

/// The secret of a SURI as a trusted application takes it, and its public key: 32 bytes, or the 64 of an expanded key
/// for one that a soft path led to, which has no shorter form.
pub(crate) fn secret_of(scheme: Scheme, suri: &str) -> Result<(Vec<u8>, Vec<u8>), Finding> {
    match scheme {
        Scheme::Sr25519 => {
            let (pair, seed) = sr25519::Pair::from_string_with_seed(suri, None).map_err(reference)?;
            Ok((seed.map_or_else(|| pair.to_raw_vec(), |seed| seed.to_vec()), pair.public().to_vec()))
        }
        Scheme::Ed25519 => {
            let pair = ed25519::Pair::from_string(suri, None).map_err(reference)?;
            Ok((pair.to_raw_vec(), pair.public().to_vec()))
        }
        Scheme::Ecdsa => {
            let pair = ecdsa::Pair::from_string(suri, None).map_err(reference)?;
            Ok((pair.to_raw_vec(), pair.public().to_vec()))
        }
    }
}

/// The public key that `sp_core` makes of a secret, if it takes it.
pub(crate) fn public_of(scheme: Scheme, secret: &[u8]) -> Option<Vec<u8>> {
    match scheme {
        Scheme::Sr25519 => sr25519::Pair::from_seed_slice(secret).ok().map(|pair| pair.public().to_vec()),
        Scheme::Ed25519 => ed25519::Pair::from_seed_slice(secret).ok().map(|pair| pair.public().to_vec()),
        Scheme::Ecdsa => ecdsa::Pair::from_seed_slice(secret).ok().map(|pair| pair.public().to_vec()),
    }
}

/// An error unless `sp_core` holds the signature to be the key's over the message.
pub(crate) fn verify(id: &KeyId, message: &[u8], signature: &[u8]) -> Outcome {
    let verified = match id.scheme {
        Scheme::Sr25519 => verify_as::<sr25519::Pair>(&id.public, message, signature),
        Scheme::Ed25519 => verify_as::<ed25519::Pair>(&id.public, message, signature),
        Scheme::Ecdsa => verify_as::<ecdsa::Pair>(&id.public, message, signature),
    };
    if verified {
        return Ok(());
    }
    Err(Finding::DoesNotVerify { what: name(id), signature: hex(signature) })
}

/// A key, for a reader.
pub(crate) fn name(id: &KeyId) -> String {
    format!("{:?} key 0x{} of type {}", id.scheme, hex(&id.public), String::from_utf8_lossy(&id.key_type))
}

fn verify_as<P: Pair>(public: &[u8], message: &[u8], signature: &[u8]) -> bool
where
    P::Public: for<'a> TryFrom<&'a [u8]>,
    P::Signature: for<'a> TryFrom<&'a [u8]>,
{
    let (Ok(public), Ok(signature)) = (P::Public::try_from(public), P::Signature::try_from(signature)) else {
        return false;
    };
    P::verify(&signature, message, &public)
}

#[cfg(test)]
mod tests {
    use sp_consensus_grandpa::{localized_payload, Message, Precommit, Prevote, PrimaryPropose};
    use sp_runtime::generic::{Digest, DigestItem};
    use sp_runtime::traits::BlakeTwo256;

    use super::*;

    type SdkHeader = sp_runtime::generic::Header<u32, BlakeTwo256>;

    #[test]
    fn a_header_is_encoded_as_the_sdk_does() {
        for number in [0, 63, 64, 16_384, u32::MAX] {
            let mut header = Header::with_slot(&mut Random::new(1), 0x0102_0304_0506_0708);
            header.number = number;
            let slot = header.digest.clone();
            header.digest = vec![
                Item::Other(vec![1; 100]),
                Item::Consensus(*b"FRNK", vec![2; 70_000]),
                Item::Seal(*b"aura", vec![3; 64]),
                Item::RuntimeEnvironmentUpdated,
            ];
            header.digest.extend(slot);
            let logs = vec![
                DigestItem::Other(vec![1; 100]),
                DigestItem::Consensus(*b"FRNK", vec![2; 70_000]),
                DigestItem::Seal(*b"aura", vec![3; 64]),
                DigestItem::RuntimeEnvironmentUpdated,
                DigestItem::PreRuntime(*b"aura", vec![8, 7, 6, 5, 4, 3, 2, 1]),
            ];
            let sdk = SdkHeader {
                parent_hash: header.parent.into(),
                number,
                state_root: header.state_root.into(),
                extrinsics_root: header.extrinsics_root.into(),
                digest: Digest { logs },
            };
            assert_eq!(header.encode(), sdk.encode());
        }
    }

    #[test]
    fn a_vote_is_encoded_as_the_sdk_does() {
        let (round, set_id) = (0x0102_0304_0506_0708, 0x1112_1314_1516_1718);
        let mut random = Random::new(1);
        let (hash, target_number) = target(&mut random);
        let target_hash = hash.into();
        let votes: [Message<SdkHeader>; 3] = [
            Message::<SdkHeader>::Prevote(Prevote::<SdkHeader> { target_hash, target_number }),
            Message::<SdkHeader>::Precommit(Precommit::<SdkHeader> { target_hash, target_number }),
            Message::<SdkHeader>::PrimaryPropose(PrimaryPropose::<SdkHeader> { target_hash, target_number }),
        ];
        for (stage, message) in (0..).zip(votes) {
            let ours = vote_for(GrandpaRound { set_id, round }, stage, (hash, target_number));
            assert_eq!(ours, localized_payload(round, set_id, &message));
            assert_eq!(ours.len(), 53);
        }
    }

    #[test]
    fn a_signature_of_another_message_key_or_length_does_not_verify() {
        let pair = ed25519::Pair::from_seed(&[1; 32]);
        let id = KeyId { scheme: Scheme::Ed25519, key_type: TEST, public: pair.public().to_vec() };
        let other = KeyId { public: vec![2; 32], ..id.clone() };
        let signature = pair.sign(b"this").to_vec();
        assert_eq!(verify(&id, b"this", &signature), Ok(()));
        assert!(verify(&id, b"that", &signature).is_err());
        assert!(verify(&other, b"this", &signature).is_err());
        assert!(verify(&id, b"this", &signature[..63]).is_err());
    }
}
