//! Between the two languages: a node's [`Call`] becomes a SCALE request, and the trusted application's answer becomes
//! a [`Reply`] after it was held against the question. Pure.

mod platform;
mod watermarks;

use codec::{DecodeAll, Encode};
use holdfast_protocol::message::{self, Call, Failure, KeyId, KeyInfo, Reply, Seed, TeeInfo};
use holdfast_ta::{self as ta, BadRequest, Command, Error, Kind, Origin, Rule, MAX_ANSWER, MAX_PAGE, MAX_REQUEST};
use holdfast_ta_soft::SoftTee;
use zeroize::Zeroizing;

/// A request as the trusted application reads it, with what its answer must look like.
pub(crate) struct Question {
    /// May hold a seed, and so is wiped.
    request: Zeroizing<Vec<u8>>,
    name: &'static str,
    expected: Expected,
}

enum Expected {
    Info,
    Generated { scheme: message::Scheme, key_type: [u8; 4] },
    Keys { after: Option<Vec<u8>> },
    Has,
    Signature { length: usize },
    VrfSignature,
    VrfPreOutput,
    Retired,
    Watermarks { after: Option<Vec<u8>> },
    WatermarkRaised,
}

impl Question {
    /// Translates a call; one that no trusted application can read is a bad request.
    pub(crate) fn new(call: Call) -> Result<Question, Failure> {
        let name = call_name(&call);
        let Some((command, expected)) = command(call) else {
            return Err(Failure::BadRequest("the lease is the daemon's, and the trusted application has none".into()));
        };
        let request = ta::Request::V1(command);
        let length = request.encoded_size();
        if length > MAX_REQUEST {
            return Err(Failure::BadRequest(format!("{length} bytes; the trusted application reads {MAX_REQUEST}")));
        }
        // With room for all of it, so that growing leaves no copy of a seed behind.
        let mut encoded = Zeroizing::new(Vec::with_capacity(length));
        request.encode_to(&mut *encoded);
        Ok(Question { request: encoded, name, expected })
    }

    /// The SCALE-encoded request, at most [`MAX_REQUEST`] bytes.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request
    }

    /// Reads the answer. One that does not decode, or does not belong to this question, is the TEE's failure.
    pub(crate) fn reply(&self, answer: &[u8]) -> Result<Reply, Failure> {
        self.expected.check(decoded(answer)?).ok_or_else(|| stray(self.name))
    }
}

/// The last request of all, for which no call stands: it tells the trusted application that its end is an orderly one.
pub(crate) fn farewell() -> Vec<u8> {
    ta::Request::V1(Command::Close).encode()
}

/// Whether this is the answer to [`farewell`].
pub(crate) fn took_leave(answer: &[u8]) -> Result<(), Failure> {
    match decoded(answer)? {
        ta::Reply::Closed => Ok(()),
        _ => Err(stray("close")),
    }
}

impl Expected {
    fn check(&self, reply: ta::Reply) -> Option<Reply> {
        match (self, reply) {
            (Expected::Info, ta::Reply::Info(info)) => Some(Reply::Info(tee_info(info))),
            (Expected::Generated { scheme, key_type }, ta::Reply::Generated(info)) => {
                let info = key_info(info)?;
                (info.id.scheme == *scheme && info.id.key_type == *key_type).then_some(Reply::Generated(info))
            }
            (Expected::Keys { after }, ta::Reply::Keys { keys, more }) => page(after.as_deref(), keys, more),
            (Expected::Has, ta::Reply::Has(has)) => Some(Reply::Has(has)),
            (Expected::Signature { length }, ta::Reply::Signature(signature)) => {
                (signature.len() == *length).then_some(Reply::Signature(signature))
            }
            (Expected::VrfSignature, ta::Reply::VrfSignature { pre_output, proof }) => {
                Some(Reply::VrfSignature { pre_output, proof: proof.to_vec() })
            }
            (Expected::VrfPreOutput, ta::Reply::VrfPreOutput(output)) => Some(Reply::VrfPreOutput(output)),
            (Expected::Retired, ta::Reply::Retired) => Some(Reply::Retired),
            (Expected::Watermarks { after }, ta::Reply::Watermarks { floor, watermarks, more }) => {
                watermarks::page(after.as_deref(), floor, watermarks, more)
            }
            (Expected::WatermarkRaised, ta::Reply::WatermarkRaised) => Some(Reply::WatermarkRaised),
            _ => None,
        }
    }
}

/// The name of a call, as metrics and logs use it.
pub(crate) fn call_name(call: &Call) -> &'static str {
    match call {
        Call::Info => "info",
        Call::Generate { .. } => "generate",
        Call::List { .. } => "list",
        Call::Has(_) => "has",
        Call::Sign { .. } => "sign",
        Call::SignPrehashed { .. } => "sign_prehashed",
        Call::VrfSign { .. } => "vrf_sign",
        Call::VrfPreOutput { .. } => "vrf_pre_output",
        Call::Retire(_) => "retire",
        Call::Lease(_) => "lease",
        Call::Watermarks { .. } => "watermarks",
        Call::RaiseWatermark { .. } => "raise_watermark",
    }
}

/// The name of what came of a call, as metrics and logs use it.
pub(crate) fn outcome_name(result: &Result<Reply, Failure>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Failure::Refused { .. }) => "refused",
        Err(Failure::NotHolder { .. }) => "not_holder",
        Err(Failure::NoSuchKey) => "no_such_key",
        Err(Failure::BadRequest(_)) => "bad_request",
        Err(Failure::Tee(_)) => "tee",
        Err(Failure::Busy) => "busy",
        Err(Failure::Deadline) => "deadline",
        Err(Failure::Daemon(_)) => "daemon",
    }
}

/// What a kind of TEE calls itself.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Software => SoftTee::DESCRIPTION,
        Kind::OpTee => "OP-TEE",
    }
}

/// `None` for a call that is not the trusted application's.
fn command(call: Call) -> Option<(Command, Expected)> {
    Some(match call {
        Call::Info => (Command::Info, Expected::Info),
        Call::Generate { scheme, key_type, usage, seed } => (
            Command::Generate {
                scheme: to_scheme(scheme),
                key_type,
                usage: match usage {
                    message::Usage::Sign => ta::Usage::Sign,
                    message::Usage::SignAndVrf => ta::Usage::SignAndVrf,
                },
                seed: seed.map(|Seed(ref mut bytes)| ta::Seed(std::mem::take(bytes))),
            },
            Expected::Generated { scheme, key_type },
        ),
        Call::List { after } => {
            let after = after.map(to_key_id);
            let encoded = after.as_ref().map(Encode::encode);
            (Command::List { after, limit: MAX_PAGE }, Expected::Keys { after: encoded })
        }
        Call::Has(key) => (Command::Has { id: to_key_id(key) }, Expected::Has),
        Call::Sign { key, message, context } => {
            let length = match key.scheme {
                message::Scheme::Sr25519 | message::Scheme::Ed25519 => 64,
                message::Scheme::Ecdsa => 65,
            };
            let context = match context {
                message::Context::None => ta::Context::None,
                message::Context::Header(header) => ta::Context::Header(header),
            };
            (Command::Sign { id: to_key_id(key), message, context }, Expected::Signature { length })
        }
        Call::SignPrehashed { key, hash } => {
            (Command::SignPrehashed { id: to_key_id(key), hash }, Expected::Signature { length: 65 })
        }
        Call::VrfSign { key, input } => (Command::VrfSign { id: to_key_id(key), input }, Expected::VrfSignature),
        Call::VrfPreOutput { key, input } => {
            (Command::VrfPreOutput { id: to_key_id(key), input }, Expected::VrfPreOutput)
        }
        Call::Retire(key) => (Command::Retire { id: to_key_id(key) }, Expected::Retired),
        Call::Watermarks { after } => {
            let after = after.map(to_key_id);
            let encoded = after.as_ref().map(Encode::encode);
            (Command::Watermarks { after, limit: MAX_PAGE }, Expected::Watermarks { after: encoded })
        }
        Call::RaiseWatermark { key, to } => {
            (Command::RaiseWatermark { id: to_key_id(key), to: watermarks::to_position(to) }, Expected::WatermarkRaised)
        }
        Call::Lease(_) => return None,
    })
}

fn decoded(answer: &[u8]) -> Result<ta::Reply, Failure> {
    if answer.len() > MAX_ANSWER {
        return Err(Failure::Tee(format!("its answer has {} bytes, more than {MAX_ANSWER}", answer.len())));
    }
    let ta::Answer::V1(result) = ta::Answer::decode_all(&mut &answer[..])
        .map_err(|_| Failure::Tee("its answer does not decode: is it of another version?".into()))?;
    result.map_err(failure)
}

fn stray(question: &str) -> Failure {
    Failure::Tee(format!("its answer does not belong to the question ({question})"))
}

fn page(after: Option<&[u8]>, keys: Vec<ta::KeyInfo>, more: bool) -> Option<Reply> {
    if !rises(after, keys.iter().map(|key| key.id.encode()), more) {
        return None;
    }
    let keys = keys.into_iter().map(key_info).collect::<Option<Vec<_>>>()?;
    Some(Reply::Keys { keys, more })
}

/// A page is in the order of the encoded names, after the one asked for, and never empty when there is more: otherwise
/// whoever walks the pages could walk for ever.
fn rises(after: Option<&[u8]>, names: impl ExactSizeIterator<Item = Vec<u8>>, more: bool) -> bool {
    if names.len() > usize::from(MAX_PAGE) || (more && names.len() == 0) {
        return false;
    }
    let mut last = after.map(<[u8]>::to_vec);
    for name in names {
        if last.is_some_and(|last| last >= name) {
            return false;
        }
        last = Some(name);
    }
    true
}

fn to_key_id(id: KeyId) -> ta::KeyId {
    ta::KeyId { scheme: to_scheme(id.scheme), key_type: id.key_type, public: id.public }
}

fn to_scheme(scheme: message::Scheme) -> ta::Scheme {
    match scheme {
        message::Scheme::Sr25519 => ta::Scheme::Sr25519,
        message::Scheme::Ed25519 => ta::Scheme::Ed25519,
        message::Scheme::Ecdsa => ta::Scheme::Ecdsa,
    }
}

/// `None` if the public key is not of its scheme's length.
fn from_key_id(ta::KeyId { scheme, key_type, public }: ta::KeyId) -> Option<KeyId> {
    let (scheme, length) = match scheme {
        ta::Scheme::Sr25519 => (message::Scheme::Sr25519, 32),
        ta::Scheme::Ed25519 => (message::Scheme::Ed25519, 32),
        ta::Scheme::Ecdsa => (message::Scheme::Ecdsa, 33),
    };
    (public.len() == length).then_some(KeyId { scheme, key_type, public })
}

fn key_info(info: ta::KeyInfo) -> Option<KeyInfo> {
    Some(KeyInfo {
        id: from_key_id(info.id)?,
        usage: match info.usage {
            ta::Usage::Sign => message::Usage::Sign,
            ta::Usage::SignAndVrf => message::Usage::SignAndVrf,
        },
        seeded: match info.origin {
            Origin::Generated => false,
            Origin::Seeded => true,
        },
    })
}

fn tee_info(info: ta::Info) -> TeeInfo {
    TeeInfo {
        ta_version: info.ta_version,
        schema: info.schema,
        kind: kind_name(info.kind).into(),
        simulated: match info.kind {
            Kind::Software => true,
            Kind::OpTee => false,
        },
        development: info.development,
        keys: info.keys,
        catalogue: info.catalogue,
        rollback_protected: info.rollback_protected,
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::BadRequest(what) => Failure::BadRequest(
            match what {
                BadRequest::TooLong => "longer than the trusted application reads",
                BadRequest::Malformed => "the trusted application cannot read it: is it of another version?",
                BadRequest::BadKey => "a public key, seed or point that its scheme does not know",
                BadRequest::WrongScheme => "the key's scheme cannot do this",
                BadRequest::TooManyKeys => "more keys than a measurement names",
                BadRequest::RepeatedKey => "a key is named twice",
                BadRequest::WrongPosition => {
                    "the position is not of the key's kind: a `gran` key has rounds, an `aura` key slots, and no other \
                     key has a watermark"
                }
            }
            .into(),
        ),
        Error::NoSuchKey => Failure::NoSuchKey,
        Error::Refused(rule) => Failure::Refused { rule: rule_name(rule).into() },
        Error::NewerStore => {
            Failure::Tee("its store was written by a newer trusted application: start that one again".into())
        }
        Error::OtherStore => Failure::Tee(
            "its store belongs to a production trusted application and this is a development one, or to one whose cell \
             is in RPMB and this one's is not, or the other way round: give each its own store"
                .into(),
        ),
        Error::Corrupt => {
            Failure::Tee(
                "an object in its store is damaged, or the store is a copy of one that was made anew since: retire the \
                 store and rotate the session keys"
                    .into(),
            )
        }
        Error::Full => {
            Failure::Tee("its store is full: retire the keys that are not used, and find out who made so many".into())
        }
        Error::Platform(code) => Failure::Tee(platform::failure(code)),
    }
}

fn rule_name(rule: Rule) -> &'static str {
    match rule {
        Rule::DevelopmentOnly => "DevelopmentOnly",
        Rule::UnknownKeyType => "UnknownKeyType",
        Rule::AuraNeedsHeader => "AuraNeedsHeader",
        Rule::AuraHeaderMismatch => "AuraHeaderMismatch",
        Rule::AuraMalformedHeader => "AuraMalformedHeader",
        Rule::GrandpaMalformedVote => "GrandpaMalformedVote",
        Rule::MalformedProofOfPossession => "MalformedProofOfPossession",
        Rule::VrfNotAllowed => "VrfNotAllowed",
        Rule::PrehashedNotAllowed => "PrehashedNotAllowed",
        Rule::DevelopmentNotMeasured => "DevelopmentNotMeasured",
        Rule::NotMeasurable => "NotMeasurable",
        Rule::GrandpaDoubleVote => "GrandpaDoubleVote",
        Rule::GrandpaOldRound => "GrandpaOldRound",
        Rule::AuraDoubleSeal => "AuraDoubleSeal",
        Rule::AuraOldSlot => "AuraOldSlot",
        Rule::BelowCeiling => "BelowCeiling",
    }
}

#[cfg(test)]
mod tests;
