use std::collections::BTreeSet;

use holdfast_host::Link;
use holdfast_ta::{Context, Error, KeyId, KeyInfo, Scheme, MAX_PAGE};

use crate::bench::{sign, Bench};
use crate::checks;
use crate::finding::{equal, equal_bytes, holds, Finding};
use crate::material::{kinds, name, statement, verify, AURA};
use crate::Expect;

/// Keys that must be as they were after the application has been stopped and started again.
///
/// Whoever owns the link makes them, starts the application again, as often and as roughly as its TEE allows, and has
/// them checked over a new link.
pub struct Kept {
    expect: Expect,
    signed: Vec<Signed>,
    retired: KeyId,
    /// The number of a measurement, where there was one.
    measured: Option<u64>,
}

struct Signed {
    key: KeyInfo,
    message: Vec<u8>,
    context: Context,
    signature: Vec<u8>,
}

impl Kept {
    /// Makes keys of every kind, signs with each, and retires one.
    pub fn make(link: &mut dyn Link, expect: Expect) -> Result<Self, Finding> {
        let mut bench = Bench::new(link, expect)?;
        let mut signed = Vec::new();
        for (scheme, key_type, usage) in kinds(expect) {
            let key = bench.generate(scheme, key_type, usage, None)?;
            let (message, context) = statement(&key.id, &mut bench.random);
            let signature = bench.sign(&key.id, &message, context.clone())?;
            signed.push(Signed { key, message, context, signature });
        }
        let Some(last) = signed.pop() else { return Err(Finding::Reference("no kind of key".into())) };
        bench.retire(&last.key.id)?;
        let measured = measured(&mut bench)?;
        Ok(Self { expect, signed, retired: last.key.id, measured })
    }

    /// Every key is there, with the same attributes, and signs as it did; the retired one stays retired, and the counter
    /// of measurements has not gone back.
    pub fn check(&self, link: &mut dyn Link) -> Result<(), Finding> {
        let mut bench = Bench::new(link, self.expect)?;
        let listed = bench.list(MAX_PAGE)?;
        for Signed { key, message, context, signature } in &self.signed {
            holds(format!("{} is listed as it was made", name(&key.id)), listed.contains(key))?;
            let again = bench.sign(&key.id, message, context.clone())?;
            verify(&key.id, message, &again)?;
            // A seal that is asked for again is the one that was made.
            if key.id.scheme != Scheme::Sr25519 || key.id.key_type == AURA {
                equal_bytes(format!("the signature by {}", name(&key.id)), signature, &again)?;
            }
        }
        holds(format!("{} stays retired", name(&self.retired)), !bench.has(&self.retired)?)?;
        bench.refuses(sign(&self.retired, b"", Context::None), Error::NoSuchKey)?;
        let measured = measured(&mut bench)?;
        equal("whether it is measured", self.measured.is_some(), measured.is_some())?;
        holds("no measurement has the number of one before", self.measured.is_none() || self.measured < measured)?;
        equal("the number of its keys", u32::try_from(listed.len()).ok(), bench.info()?.keys)
    }

    /// Retires them, so that the application is as it was before.
    pub fn retire(self, link: &mut dyn Link) -> Result<(), Finding> {
        let mut bench = Bench::new(link, self.expect)?;
        let ours: BTreeSet<KeyId> = self.signed.into_iter().map(|signed| signed.key.id).collect();
        ours.iter().try_for_each(|id| bench.retire(id))
    }
}

/// The number of a new measurement; none of a development application, or where the platform cannot.
fn measured(bench: &mut Bench<'_>) -> Result<Option<u64>, Finding> {
    if bench.expect.development {
        return Ok(None);
    }
    match checks::measured(bench, [9; 64], &[]) {
        Ok(measured) => Ok(Some(measured.counter)),
        Err(Finding::Unsupported) => Ok(None),
        Err(finding) => Err(finding),
    }
}
