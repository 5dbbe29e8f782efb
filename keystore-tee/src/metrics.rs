//! What the node's Prometheus registry learns of the keystore. Without a registry nothing is counted.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use substrate_prometheus_endpoint::{
    exponential_buckets, register, Counter, CounterVec, Gauge, HistogramOpts, HistogramVec, MetricSource, Opts,
    PrometheusError, Registry, SourcedGauge, U64,
};

use crate::{keeper::Keeper, last::Last, lease::Role, votes::Votes};

/// Key types that have a label of their own; all others share `other`, so that no caller can make labels.
const KEY_TYPES: [[u8; 4]; 8] = [*b"aura", *b"gran", *b"babe", *b"beef", *b"imon", *b"audi", *b"acco", *b"test"];

/// The rules of the signing policy that have a label of their own; all others share `other`.
const RULES: [&str; 15] = [
    "DevelopmentOnly",
    "UnknownKeyType",
    "AuraNeedsHeader",
    "AuraHeaderMismatch",
    "AuraMalformedHeader",
    "GrandpaMalformedVote",
    "MalformedProofOfPossession",
    "VrfNotAllowed",
    "PrehashedNotAllowed",
    "GrandpaDoubleVote",
    "GrandpaOldRound",
    "AuraDoubleSeal",
    "AuraOldSlot",
    "BelowCeiling",
    NOT_HOLDER,
];
/// What the daemon refuses by itself: this node does not hold the lease.
pub(crate) const NOT_HOLDER: &str = "NotHolder";

/// What came of one question for a signature or a VRF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A signature that verified.
    Ok,
    /// The policy forbade it.
    Refused,
    /// This node does not hold the lease.
    NotHolder,
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
            Self::NotHolder => "not_holder",
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
    refusals: CounterVec<U64>,
    waiting: Gauge<U64>,
    connected: Gauge<U64>,
    reconnects: Counter<U64>,
    last: Arc<Last>,
}

/// A question for a signature is under way. Dropped at its end.
pub(crate) struct Waiting(Option<Gauge<U64>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(waiting) = &self.0 {
            waiting.dec();
        }
    }
}

impl Metrics {
    /// Registers all of them, once, with those that are read from the keeper of the lease and from what is known of
    /// votes.
    pub(crate) fn register(
        &self,
        registry: &Registry,
        keeper: &Arc<Keeper>,
        votes: &Arc<Votes>,
    ) -> Result<(), PrometheusError> {
        if self.0.get().is_some() {
            return Err(PrometheusError::AlreadyReg);
        }
        let signatures = Opts::new("holdfast_signatures_total", "Signatures asked of the TEE, by key type and result");
        let seconds = HistogramOpts::new("holdfast_signature_seconds", "Time to a verified signature, by key type")
            .buckets(exponential_buckets(0.000_05, 2.0, 18)?);
        let refusals = Opts::new("holdfast_refusals_total", "Requests that the signer refused, by rule");
        let role = Opts::new("holdfast_tee_role", "1 for the role that this node has, else 0").variable_label("role");
        register(SourcedGauge::new(&role, Roles(keeper.clone()))?, registry)?;
        let abstaining =
            Opts::new("holdfast_abstaining", "1 while what its key has signed keeps the node from voting, else 0");
        register(SourcedGauge::new(&abstaining, Abstaining(votes.clone()))?, registry)?;
        let last = Arc::<Last>::default();
        last.register(registry)?;
        let registered = Registered {
            signatures: register(CounterVec::new(signatures, &["key_type", "result"])?, registry)?,
            seconds: register(HistogramVec::new(seconds, &["key_type"])?, registry)?,
            refusals: register(CounterVec::new(refusals, &["rule"])?, registry)?,
            waiting: register(
                Gauge::new("holdfast_signatures_waiting", "Signatures that were asked for and have not come yet")?,
                registry,
            )?,
            connected: register(Gauge::new("holdfast_tee_connected", "1 while the TEE answers, else 0")?, registry)?,
            reconnects: register(
                Counter::new("holdfast_tee_reconnects_total", "Connections to the daemon after the first")?,
                registry,
            )?,
            last,
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

    /// A question for a signature begins.
    pub(crate) fn waiting(&self) -> Waiting {
        let waiting = self.0.get().map(|metrics| metrics.waiting.clone());
        if let Some(waiting) = &waiting {
            waiting.inc();
        }
        Waiting(waiting)
    }

    /// The signer refused a request.
    pub(crate) fn refused(&self, rule: &str) {
        if let Some(metrics) = self.0.get() {
            let rule = RULES.into_iter().find(|known| *known == rule).unwrap_or("other");
            metrics.refusals.with_label_values(&[rule]).inc();
        }
    }

    /// A vote was signed.
    pub(crate) fn voted(&self, vote: &[u8]) {
        if let Some(metrics) = self.0.get() {
            metrics.last.voted(vote);
        }
    }

    /// A header, SCALE-encoded without its seal, was sealed.
    pub(crate) fn sealed(&self, header: &[u8]) {
        if let Some(metrics) = self.0.get() {
            metrics.last.sealed(header);
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

/// The node's role, one row for each that there is.
#[derive(Clone)]
struct Roles(Arc<Keeper>);

impl MetricSource for Roles {
    type N = u64;

    fn collect(&self, mut set: impl FnMut(&[&str], u64)) {
        let role = self.0.role();
        for each in Role::ALL {
            set(&[each.name()], (each == role).into());
        }
    }
}

/// Whether the node abstains because of what its key has signed before.
#[derive(Clone)]
struct Abstaining(Arc<Votes>);

impl MetricSource for Abstaining {
    type N = u64;

    fn collect(&self, mut set: impl FnMut(&[&str], u64)) {
        set(&[], self.0.abstains_until().is_some().into());
    }
}

fn label(key_type: &[u8; 4]) -> &'static str {
    let known = KEY_TYPES.iter().find(|known| *known == key_type);
    known.and_then(|known| std::str::from_utf8(known).ok()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_protocol::lease::Identity;

    fn registered() -> (Metrics, Registry) {
        let (metrics, registry) = (Metrics::default(), Registry::new());
        let keeper = Arc::new(Keeper::new(Identity::default()));
        metrics.register(&registry, &keeper, &Arc::default()).expect("an empty registry takes them");
        (metrics, registry)
    }

    /// The rows of one metric: the values of its labels, and its own.
    fn rows(registry: &Registry, name: &str) -> Vec<(Vec<String>, f64)> {
        let families = registry.gather();
        let family = families.iter().find(|family| family.get_name() == name);
        let row = |metric: &substrate_prometheus_endpoint::prometheus::proto::Metric| {
            let labels = metric.get_label().iter().map(|label| label.get_value().to_owned()).collect();
            (labels, metric.get_counter().get_value() + metric.get_gauge().get_value())
        };
        family.map(|family| family.get_metric().iter().map(row).collect()).unwrap_or_default()
    }

    fn row<const N: usize>(labels: [&str; N], value: f64) -> (Vec<String>, f64) {
        (labels.map(str::to_owned).to_vec(), value)
    }

    #[test]
    fn labels_are_bounded_whatever_key_types_are_asked_for_and_rules_answered() {
        let (metrics, registry) = registered();
        for byte in 0..=255 {
            metrics.signature([byte; 4], Outcome::Ok, Duration::ZERO);
            metrics.refused(&format!("Rule{byte}"));
        }
        metrics.signature(*b"gran", Outcome::Refused, Duration::ZERO);
        metrics.refused("AuraNeedsHeader");
        let signatures = vec![row(["gran", "refused"], 1.0), row(["other", "ok"], 256.0)];
        assert_eq!(rows(&registry, "holdfast_signatures_total"), signatures);
        let refusals = vec![row(["AuraNeedsHeader"], 1.0), row(["other"], 256.0)];
        assert_eq!(rows(&registry, "holdfast_refusals_total"), refusals);
    }

    #[test]
    fn what_waits_is_counted_until_it_ends() {
        let (metrics, registry) = registered();
        let waiting = [metrics.waiting(), metrics.waiting()];
        assert_eq!(rows(&registry, "holdfast_signatures_waiting"), vec![row([], 2.0)]);
        drop(waiting);
        assert_eq!(rows(&registry, "holdfast_signatures_waiting"), vec![row([], 0.0)]);
    }

    #[test]
    fn a_node_has_one_role() {
        let (_, registry) = registered();
        let roles = rows(&registry, "holdfast_tee_role");
        assert_eq!(roles.len(), Role::ALL.len());
        let held: Vec<_> = roles.into_iter().filter(|(_, value)| *value > 0.0).collect();
        assert_eq!(held, vec![row(["unknown"], 1.0)]);
    }

    #[test]
    fn the_last_vote_and_seal_are_told_once_there_are_any() {
        let (metrics, registry) = registered();
        let names = ["holdfast_last_vote_set", "holdfast_last_vote_round", "holdfast_last_seal_slot"];
        assert_eq!(names.map(|name| rows(&registry, name)), [vec![], vec![], vec![]]);
        assert_eq!(rows(&registry, "holdfast_seconds_since_last_vote"), vec![]);
        let (round, set) = (9_u64.to_le_bytes(), 3_u64.to_le_bytes());
        metrics.voted(&[&[1][..], &[7; 32], &[0; 4], &round, &set].concat());
        assert_eq!(names.map(|name| rows(&registry, name)), [vec![row([], 3.0)], vec![row([], 9.0)], vec![]]);
        assert_eq!(rows(&registry, "holdfast_seconds_since_last_vote").len(), 1);
        assert_eq!(rows(&registry, "holdfast_seconds_since_last_seal"), vec![]);
    }

    #[test]
    fn a_second_registration_is_an_error_and_no_panic() {
        let (metrics, registry) = registered();
        let keeper = Arc::new(Keeper::new(Identity::default()));
        assert!(metrics.register(&registry, &keeper, &Arc::default()).is_err());
        assert!(metrics.register(&Registry::new(), &keeper, &Arc::default()).is_err());
    }
}
