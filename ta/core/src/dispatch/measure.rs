//! The measurement of the application, by its platform and for an outsider.

use super::well_formed;
use crate::{
    measurement, measurement_nonce, memory::Attributes, policy, store, BadRequest, Error, KeyId, Measured, Measurement,
    Memory, Tee, MAX_MEASURED_KEYS,
};

/// Has the application measured with these keys, if the policy allows it. The number is stored before the platform
/// hears of it, so no nonce is ever signed twice: whatever fails afterwards costs the number.
pub(super) fn measure(
    tee: &mut impl Tee,
    memory: &mut Memory,
    challenge: &[u8; 64],
    keys: &[KeyId],
) -> Result<Measured, Error> {
    check_names(keys)?;
    let opened = memory.opened(tee)?;
    policy::judge_application(tee.development()).map_err(Error::Refused)?;
    for id in keys {
        // The key itself, not only what is known of it: a secret that cannot be read is no key that is held.
        let (Attributes { usage, origin }, _) = opened.key(tee, id)?;
        policy::judge_key(id.scheme, id.key_type, usage, origin).map_err(Error::Refused)?;
    }
    let counter = store::next_measurement(tee)?;
    let said = tee.measure(&measurement_nonce(challenge, keys, counter))?;
    let Measurement { measurement, signature, signer } = measurement::checked(said)?;
    Ok(Measured { counter, measurement, signature, signer })
}

fn check_names(keys: &[KeyId]) -> Result<(), Error> {
    if keys.len() > MAX_MEASURED_KEYS {
        return Err(Error::BadRequest(BadRequest::TooManyKeys));
    }
    for (at, id) in keys.iter().enumerate() {
        well_formed(id)?;
        if keys[..at].contains(id) {
            return Err(Error::BadRequest(BadRequest::RepeatedKey));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
