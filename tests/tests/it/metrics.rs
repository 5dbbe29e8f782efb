//! What operators watch.

use anyhow::{Context, Result};
use holdfast_e2e::{chain::Kind, directory, http::metric, node::Setup, Chain, HostProcess, SOON};
use serde_json::Value;

// Rule 9.
#[tokio::test]
async fn node_and_daemon_count_signatures_and_say_what_kind_of_tee_makes_them() -> Result<()> {
    let directory = directory()?;
    let chain = Chain::new(directory.path(), Kind::Local, &["Alice"])?;
    let mut host = HostProcess::start(directory.path(), "host").await?;
    let node =
        Setup::new(directory.path(), "node", &chain).with(&["--alice", "--keystore-uri", &host.uri()]).start().await?;
    node.rpc().wait_finalised(2, SOON).await?;

    let page = node.metrics().await?;
    for (key_type, least) in [("aura", 2.0), ("gran", 2.0)] {
        let label = format!("key_type=\"{key_type}\"");
        let signed = metric(&page, &["holdfast_signatures_total", &label, "result=\"ok\""]);
        assert!(signed >= Some(least), "{key_type}: {signed:?}");
        assert!(metric(&page, &["holdfast_signature_seconds_count", &label]) >= Some(least));
    }
    assert_eq!(metric(&page, &["holdfast_tee_connected"]), Some(1.0));

    let health: Value = serde_json::from_str(&host.page("/health").await?)?;
    assert_eq!(health["status"], "up");
    assert_eq!(health["simulated"], true);
    assert_eq!(health["kind"], "software TEE, not a TEE");
    let page = host.page("/metrics").await?;
    let signed = metric(&page, &["holdfast_host_requests_total", "call=\"sign\"", "result=\"ok\""]);
    assert!(signed >= Some(4.0), "{signed:?}");

    host.kill()?;
    node.rpc().wait_connected(false, SOON).await?;
    assert_eq!(metric(&node.metrics().await?, &["holdfast_tee_connected"]), Some(0.0));
    host.restart().await?;
    node.rpc().wait_connected(true, SOON).await?;
    let reconnects = metric(&node.metrics().await?, &["holdfast_tee_reconnects_total"]).context("it is counted")?;
    assert!(reconnects >= 1.0);
    Ok(())
}
