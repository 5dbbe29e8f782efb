//! What the node's Prometheus registry learns of the keystore. Without a registry nothing is counted.

use std::{sync::OnceLock, time::Duration};

use substrate_prometheus_endpoint::{
    exponential_buckets, register, Counter, CounterVec, Gauge, HistogramOpts, HistogramVec, Opts, PrometheusError,
    Registry, U64,
};

/// Key types that have a label of their own; all others share `other`, so that no caller can make labels.
const KEY_TYPES: [[u8; 4]; 8] = [*b"aura", *b"gran", *b"babe", *b"beef", *b"imon", *b"audi", *b"acco", *b"test"];

/// What came of one question for a signature or a VRF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A signature that verified.
    Ok,
    /// The policy forbade it.
    Refused,
    /// The TEE was away.
    Away,
    /// The TEE did not answer in time.
    Deadline,
    /// The answer was wrong, and was not used.
    Invalid,
    /// The TEE holds no such key.
    NoKey,
    /// The TEE failed, or could make nothing of the request.
    Failed,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Away => "away",
            Self::Deadline => "deadline",
            Self::Invalid => "invalid",
            Self::NoKey => "no_key",
            Self::Failed => "failed",
        }
    }
}

/// Metrics that count once they are registered.
#[derive(Default)]
pub(crate) struct Metrics(OnceLock<Registered>);

struct Registered {
    signatures: CounterVec<U64>,
    seconds: HistogramVec,
    connected: Gauge<U64>,
    reconnects: Counter<U64>,
}

impl Metrics {
    /// Registers all of them, once.
    pub(crate) fn register(&self, registry: &Registry) -> Result<(), PrometheusError> {
        if self.0.get().is_some() {
            return Err(PrometheusError::AlreadyReg);
        }
        let signatures = Opts::new("holdfast_signatures_total", "Signatures asked of the TEE, by key type and result");
        let seconds = HistogramOpts::new("holdfast_signature_seconds", "Time to a verified signature, by key type")
            .buckets(exponential_buckets(0.000_05, 2.0, 18)?);
        let registered = Registered {
            signatures: register(CounterVec::new(signatures, &["key_type", "result"])?, registry)?,
            seconds: register(HistogramVec::new(seconds, &["key_type"])?, registry)?,
            connected: register(Gauge::new("holdfast_tee_connected", "1 while the TEE answers, else 0")?, registry)?,
            reconnects: register(
                Counter::new("holdfast_tee_reconnects_total", "Times the TEE came back after it was away")?,
                registry,
            )?,
        };
        self.0.set(registered).map_err(|_| PrometheusError::AlreadyReg)
    }

    /// A question for a signature came to an end.
    pub(crate) fn signature(&self, key_type: [u8; 4], outcome: Outcome, took: Duration) {
        let Some(metrics) = self.0.get() else { return };
        let key_type = label(&key_type);
        metrics.signatures.with_label_values(&[key_type, outcome.label()]).inc();
        if outcome == Outcome::Ok {
            metrics.seconds.with_label_values(&[key_type]).observe(took.as_secs_f64());
        }
    }

    /// The connection changed.
    pub(crate) fn connected(&self, up: bool) {
        if let Some(metrics) = self.0.get() {
            metrics.connected.set(up.into());
        }
    }

    /// The TEE is back.
    pub(crate) fn reconnected(&self) {
        if let Some(metrics) = self.0.get() {
            metrics.reconnects.inc();
        }
    }
}

fn label(key_type: &[u8; 4]) -> &'static str {
    let known = KEY_TYPES.iter().find(|known| *known == key_type);
    known.and_then(|known| std::str::from_utf8(known).ok()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded_whatever_key_types_are_asked_for() {
        let (metrics, registry) = (Metrics::default(), Registry::new());
        metrics.register(&registry).expect("an empty registry takes them");
        for byte in 0..=255 {
            metrics.signature([byte; 4], Outcome::Ok, Duration::ZERO);
        }
        metrics.signature(*b"gran", Outcome::Refused, Duration::ZERO);
        let families = registry.gather();
        let counted = families.iter().find(|f| f.get_name() == "holdfast_signatures_total").expect("is registered");
        let rows: Vec<(Vec<&str>, f64)> = counted
            .get_metric()
            .iter()
            .map(|m| (m.get_label().iter().map(|l| l.get_value()).collect(), m.get_counter().get_value()))
            .collect();
        assert_eq!(rows, vec![(vec!["gran", "refused"], 1.0), (vec!["other", "ok"], 256.0)]);
    }

    #[test]
    fn a_second_registration_is_an_error_and_no_panic() {
        let (metrics, registry) = (Metrics::default(), Registry::new());
        metrics.register(&registry).expect("an empty registry takes them");
        assert!(metrics.register(&registry).is_err());
        assert!(metrics.register(&Registry::new()).is_err());
    }
}
