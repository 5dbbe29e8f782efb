//! VRF pre-outputs and proofs, for points that the caller makes of a transcript as Substrate's keystore does.

use codec::Encode;
use holdfast_ta::{BadRequest, Command, Error, KeyId, Reply, Scheme, Usage};
use schnorrkel::vrf::{VRFPreOut, VRFProof};
use sp_core::crypto::{KeyTypeId, VrfPublic};
use sp_core::sr25519;
use sp_core::sr25519::vrf::{VrfPreOutput, VrfProof, VrfSignData, VrfSignature, VrfTranscript};
use sp_keystore::Keystore;

use super::equality::{seeded, Seeded};
use crate::bench::Bench;
use crate::finding::{differs, equal_bytes, hex, reference, Finding, Outcome};
use crate::material::{name, public_of, TEST};

const DATA: [&[u8]; 3] = [b"", b"slot 7, epoch 3", &[0xa5; 300]];

pub(super) fn pre_outputs(bench: &mut Bench<'_>) -> Outcome {
    for Seeded { suri, key, local } in seeded(bench, Scheme::Sr25519, TEST, Usage::SignAndVrf)? {
        let public = public(&key.id)?;
        for data in DATA {
            let expected = local
                .sr25519_vrf_pre_output(KeyTypeId(TEST), &public, &transcript(data))
                .map_err(reference)?
                .ok_or_else(|| Finding::Reference(format!("LocalKeystore has no key of {suri}")))?;
            let got = pre_output(bench, &key.id, data)?;
            equal_bytes(format!("the VRF pre-output of {suri}"), &expected.encode(), &got)?;
            let (in_signature, _) = sign(bench, &key.id, data)?;
            equal_bytes(format!("the pre-output in the VRF signature of {suri}"), &expected.encode(), &in_signature)?;
        }
    }
    Ok(())
}

pub(super) fn signatures(bench: &mut Bench<'_>) -> Outcome {
    for _ in 0..4 {
        let id = bench.generate(Scheme::Sr25519, TEST, Usage::SignAndVrf, None)?.id;
        for data in DATA {
            let (pre_output, proof) = sign(bench, &id, data)?;
            let signature = VrfSignature {
                pre_output: VrfPreOutput(VRFPreOut::from_bytes(&pre_output).map_err(reference)?),
                proof: VrfProof(VRFProof::from_bytes(&proof).map_err(reference)?),
            };
            if !public(&id)?.vrf_verify(&VrfSignData::new(transcript(data)), &signature) {
                return Err(Finding::DoesNotVerify { what: format!("VRF of {}", name(&id)), signature: hex(&proof) });
            }
        }
    }
    Ok(())
}

pub(super) fn no_point(bench: &mut Bench<'_>) -> Outcome {
    let id = bench.generate(Scheme::Sr25519, TEST, Usage::SignAndVrf, None)?.id;
    // The identity, which would prove nothing; a negative field element; and those above the field's prime.
    let mut odd = [0; 32];
    odd[0] = 1;
    for input in [[0; 32], odd, [0xff; 32], [0xfe; 32]] {
        let error = Error::BadRequest(BadRequest::BadKey);
        bench.refuses(Command::VrfSign { id: id.clone(), input }, error)?;
        bench.refuses(Command::VrfPreOutput { id: id.clone(), input }, error)?;
    }
    Ok(())
}

/// The compressed input point of `data` for a public key.
pub(super) fn input(public: &[u8], data: &[u8]) -> Result<[u8; 32], Finding> {
    match schnorrkel::PublicKey::from_bytes(public) {
        Ok(public) => Ok(public.vrf_hash(transcript(data).0).as_compressed().to_bytes()),
        Err(error) => Err(reference(error)),
    }
}

/// An input point of nobody's in particular.
pub(super) fn some_input() -> Result<[u8; 32], Finding> {
    let public =
        public_of(Scheme::Sr25519, &[1; 32]).ok_or_else(|| Finding::Reference("sp_core's key of a seed".into()))?;
    input(&public, b"data")
}

fn sign(bench: &mut Bench<'_>, id: &KeyId, data: &[u8]) -> Result<([u8; 32], [u8; 64]), Finding> {
    let input = input(&id.public, data)?;
    match bench.reply(Command::VrfSign { id: id.clone(), input })? {
        Reply::VrfSignature { pre_output, proof } => Ok((pre_output, proof)),
        other => Err(differs("VrfSign", &"Reply::VrfSignature", &other)),
    }
}

fn pre_output(bench: &mut Bench<'_>, id: &KeyId, data: &[u8]) -> Result<[u8; 32], Finding> {
    let input = input(&id.public, data)?;
    match bench.reply(Command::VrfPreOutput { id: id.clone(), input })? {
        Reply::VrfPreOutput(pre_output) => Ok(pre_output),
        other => Err(differs("VrfPreOutput", &"Reply::VrfPreOutput", &other)),
    }
}

fn transcript(data: &[u8]) -> VrfTranscript {
    VrfTranscript::new(b"conformance", &[(b"data", data)])
}

fn public(id: &KeyId) -> Result<sr25519::Public, Finding> {
    sr25519::Public::try_from(id.public.as_slice()).map_err(|()| Finding::Reference(name(id)))
}
