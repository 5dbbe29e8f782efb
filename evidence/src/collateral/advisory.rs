//! Intel's security advisories.

use alloc::string::String;
use core::fmt;

use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, Input, MaxEncodedLen};
use scale_info::TypeInfo;

/// The most advisories of a verdict.
const MAX_ADVISORIES: u32 = 64;

/// The id of an advisory, `INTEL-SA-00615` for instance: 1 to 24 letters, digits and dashes, in upper case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, MaxEncodedLen, TypeInfo)]
pub struct Advisory(BoundedVec<u8, ConstU32<24>>);

impl Advisory {
    /// `None` if it is no id.
    pub fn new(id: &str) -> Option<Advisory> {
        let fits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| id.to_ascii_uppercase().into_bytes().try_into().ok().map(Advisory))?
    }
}

impl Decode for Advisory {
    /// Only what [`Advisory::new`] makes: one that is written otherwise would never be found among those of a platform.
    fn decode<I: Input>(input: &mut I) -> Result<Advisory, codec::Error> {
        let id = BoundedVec::<u8, ConstU32<24>>::decode(input)?;
        let advisory = core::str::from_utf8(&id).ok().and_then(Advisory::new);
        advisory.filter(|advisory| advisory.0 == id).ok_or_else(|| "no id of an advisory".into())
    }
}

impl DecodeWithMemTracking for Advisory {}

impl fmt::Display for Advisory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Advisory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Advisories, each once, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Advisories(BoundedVec<Advisory, ConstU32<MAX_ADVISORIES>>);

impl Advisories {
    /// Adds one if it is not there. `Err` says how many there may be.
    pub(crate) fn add(&mut self, advisory: Advisory) -> Result<(), u32> {
        if self.0.contains(&advisory) {
            return Ok(());
        }
        self.0.try_push(advisory).map_err(|_| MAX_ADVISORIES)
    }

    /// Adds what is not there.
    pub(crate) fn add_all(&mut self, others: &Advisories) -> Result<(), u32> {
        others.iter().try_for_each(|advisory| self.add(advisory.clone()))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Advisory> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One that is written otherwise would be denied, and never found.
    #[test]
    fn an_id_decodes_as_it_is_compared() {
        let encoded = |id: &str| id.as_bytes().encode();
        let good = Advisory::new("intel-sa-00615").expect("an id");
        assert_eq!(Advisory::decode(&mut &encoded("INTEL-SA-00615")[..]), Ok(good));
        for bad in ["intel-sa-00615", "INTEL-SA-00615 ", "INTEL-SA-00615\0", "", "ÄÖ", "INTEL-SA-0061500000000000000"]
        {
            assert!(Advisory::decode(&mut &encoded(bad)[..]).is_err(), "{bad}");
        }
    }
}
