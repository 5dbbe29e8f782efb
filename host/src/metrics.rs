//! What the daemon counts, for Prometheus.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use holdfast_protocol::{lease::Identity, message::TeeInfo};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// Seconds: from what a signature takes in software to what no TEE should take.
const BUCKETS: [f64; 12] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];

/// All of them, in a registry of their own.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    wait: Histogram,
    tee: IntGaugeVec,
    described: Mutex<Option<TeeInfo>>,
    lease: IntGaugeVec,
    refusals: IntCounterVec,
    /// How often the lease was given to a process that did not hold it last.
    pub(crate) lease_changes: IntCounter,
    /// Lines that the audit log lacks.
    pub(crate) audit_lines_lost: IntCounter,
    /// Requests in the queue.
    pub(crate) queued: IntGauge,
    /// Whether the trusted application answered the last time it was called.
    pub(crate) tee_up: IntGauge,
    /// Connections of nodes and operators.
    pub(crate) connections: IntGauge,
    /// Connections that ended, by why.
    pub(crate) closed: IntCounterVec,
}

impl Metrics {
    /// Registers them all.
    pub(crate) fn new() -> Metrics {
        let requests = Opts::new("holdfast_host_requests_total", "Requests answered, by call and result.");
        let seconds = HistogramOpts::new("holdfast_host_ta_seconds", "Time in the trusted application, by call.");
        let wait = HistogramOpts::new("holdfast_host_queue_seconds", "Time that requests waited in the queue.");
        let tee = Opts::new("holdfast_host_tee_info", "What the trusted application says of itself; always 1.");
        let lease = Opts::new("holdfast_host_lease", "1 if the node of this name holds the lease, else 0.");
        let refusals = Opts::new("holdfast_host_refusals_total", "Requests refused, by rule.");
        let closed = Opts::new("holdfast_host_connections_closed_total", "Connections that ended, by why.");
        let metrics = Metrics {
            registry: Registry::new(),
            requests: made(IntCounterVec::new(requests, &["call", "result"])),
            seconds: made(HistogramVec::new(seconds.buckets(BUCKETS.to_vec()), &["call"])),
            wait: made(Histogram::with_opts(wait.buckets(BUCKETS.to_vec()))),
            tee: made(IntGaugeVec::new(tee, &["kind", "simulated", "ta_version"])),
            described: Mutex::new(None),
            lease: made(IntGaugeVec::new(lease, &["holder"])),
            refusals: made(IntCounterVec::new(refusals, &["rule"])),
            lease_changes: made(IntCounter::new(
                "holdfast_host_lease_changes_total",
                "How often the lease was given to a process that did not hold it last.",
            )),
            audit_lines_lost: made(IntCounter::new(
                "holdfast_host_audit_lines_lost_total",
                "Lines that the audit log lacks.",
            )),
            queued: made(IntGauge::new("holdfast_host_queue", "Requests in the queue.")),
            tee_up: made(IntGauge::new(
                "holdfast_host_tee_up",
                "1 if the trusted application answered when it was last called, else 0.",
            )),
            connections: made(IntGauge::new("holdfast_host_connections", "Open connections of nodes and operators.")),
            closed: made(IntCounterVec::new(closed, &["reason"])),
        };
        metrics.leased(None);
        let all: [Box<dyn prometheus::core::Collector>; 12] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.seconds.clone()),
            Box::new(metrics.wait.clone()),
            Box::new(metrics.tee.clone()),
            Box::new(metrics.lease.clone()),
            Box::new(metrics.refusals.clone()),
            Box::new(metrics.lease_changes.clone()),
            Box::new(metrics.audit_lines_lost.clone()),
            Box::new(metrics.queued.clone()),
            Box::new(metrics.tee_up.clone()),
            Box::new(metrics.connections.clone()),
            Box::new(metrics.closed.clone()),
        ];
        for collector in all {
            made(metrics.registry.register(collector));
        }
        metrics
    }

    /// In Prometheus' text format.
    pub(crate) fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// A request was answered.
    pub(crate) fn answered(&self, call: &str, result: &str) {
        self.requests.with_label_values(&[call, result]).inc();
    }

    /// The trusted application worked on a request.
    pub(crate) fn worked(&self, call: &str, time: Duration) {
        self.seconds.with_label_values(&[call]).observe(time.as_secs_f64());
    }

    /// A request was in the queue.
    pub(crate) fn waited(&self, time: Duration) {
        self.wait.observe(time.as_secs_f64());
    }

    /// A request was refused by this rule. Rules are the daemon's and the trusted application's, so there are few.
    pub(crate) fn refused(&self, rule: &str) {
        self.refusals.with_label_values(&[rule]).inc();
    }

    /// This node holds the lease, or nobody does. There is one series at a time: names come from clients.
    pub(crate) fn leased(&self, holder: Option<&Identity>) {
        self.lease.reset();
        let name = holder.map(Identity::name).unwrap_or_default();
        self.lease.with_label_values(&[&name]).set(holder.is_some().into());
    }

    /// The trusted application told what it is.
    pub(crate) fn describe(&self, info: &TeeInfo) {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        let same = described.as_ref().is_some_and(|known| {
            (&known.kind, known.simulated, known.ta_version) == (&info.kind, info.simulated, info.ta_version)
        });
        if !same {
            self.tee.reset();
            let (simulated, version) = (info.simulated.to_string(), info.ta_version.to_string());
            self.tee.with_label_values(&[&info.kind, &simulated, &version]).set(1);
            *described = Some(info.clone());
        }
    }
}

/// Names, labels and buckets above are constants, and distinct.
fn made<T>(result: Result<T, prometheus::Error>) -> T {
    result.expect("metrics are well-formed and distinct")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(kind: &str, simulated: bool) -> TeeInfo {
        TeeInfo {
            ta_version: 1,
            schema: 1,
            kind: kind.into(),
            simulated,
            development: simulated,
            keys: None,
            catalogue: 0,
            rollback_protected: false,
        }
    }

    #[test]
    fn each_metric_is_rendered_with_its_labels() {
        let metrics = Metrics::new();
        metrics.answered("sign", "ok");
        metrics.worked("sign", Duration::from_micros(70));
        metrics.waited(Duration::from_micros(20));
        metrics.closed.with_label_values(&["limit"]).inc();
        metrics.queued.set(3);
        metrics.tee_up.set(1);
        metrics.connections.set(2);
        metrics.refused("NotHolder");
        metrics.lease_changes.inc();
        metrics.audit_lines_lost.inc();
        let text = metrics.render().expect("renders");
        for line in [
            r#"holdfast_host_requests_total{call="sign",result="ok"} 1"#,
            r#"holdfast_host_ta_seconds_bucket{call="sign",le="0.0001"} 1"#,
            r#"holdfast_host_queue_seconds_bucket{le="0.00005"} 1"#,
            r#"holdfast_host_connections_closed_total{reason="limit"} 1"#,
            "holdfast_host_queue 3",
            "holdfast_host_tee_up 1",
            "holdfast_host_connections 2",
            r#"holdfast_host_refusals_total{rule="NotHolder"} 1"#,
            "holdfast_host_lease_changes_total 1",
            "holdfast_host_audit_lines_lost_total 1",
            r#"holdfast_host_lease{holder=""} 0"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nin\n{text}");
        }
    }

    #[test]
    fn the_lease_is_one_series_whatever_the_holders_name() {
        let metrics = Metrics::new();
        for name in ["first", "\x1b[2J\n\"}", "last"] {
            metrics.leased(Some(&Identity::new([1; 32], name)));
            let text = metrics.render().expect("renders");
            let lines = text.lines().filter(|line| line.starts_with("holdfast_host_lease{")).count();
            assert_eq!(lines, 1, "{text}");
            assert!(!text.contains('\x1b'), "{text}");
        }
        let text = metrics.render().expect("renders");
        assert!(text.lines().any(|line| line == r#"holdfast_host_lease{holder="last"} 1"#), "{text}");
        metrics.leased(None);
        let text = metrics.render().expect("renders");
        assert!(text.lines().any(|line| line == r#"holdfast_host_lease{holder=""} 0"#), "{text}");
    }

    // Rule 9: a software TEE says so.
    #[test]
    fn rule_9_the_kind_of_tee_is_a_metric_and_the_last_one_counts() {
        let metrics = Metrics::new();
        metrics.describe(&info("OP-TEE", false));
        metrics.describe(&info("software TEE, not a TEE", true));
        metrics.describe(&info("software TEE, not a TEE", true));
        let text = metrics.render().expect("renders");
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("holdfast_host_tee_info{")).collect();
        assert_eq!(
            lines,
            [r#"holdfast_host_tee_info{kind="software TEE, not a TEE",simulated="true",ta_version="1"} 1"#]
        );
    }
}
