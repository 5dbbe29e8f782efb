//! The keystore against the real daemon with a software TEE, and against daemons that are not what they should be.

mod abstaining;
mod away;
mod fake;
mod hostile;
mod interface;
mod lease;
mod logged;
mod real;
mod threads;
mod workers;

use std::time::Duration;

use substrate_prometheus_endpoint::Registry;

/// Long enough for anything that comes about at all.
const LONG: Duration = Duration::from_secs(120);

/// What the counter of signatures says.
fn counted(registry: &Registry, key_type: &str, result: &str) -> u64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.get_name() == "holdfast_signatures_total");
    let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
    let row = metrics.iter().find(|row| {
        let labels: Vec<(&str, &str)> =
            row.get_label().iter().map(|label| (label.get_name(), label.get_value())).collect();
        labels == [("key_type", key_type), ("result", result)]
    });
    row.map_or(0, |row| row.get_counter().get_value() as u64)
}
