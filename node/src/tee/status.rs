//! `tee status`.

use holdfast_protocol::{Call, Claim, Lease, Reply, TeeInfo, VERSION};
use keystore_tee::shown;
use serde::Serialize;

use super::{
    advice,
    watermarks::{self, Shown, ShownFloor, Watermarks},
    Daemon,
};
use crate::signer::{LeaseStatus, Vote};

/// What the daemon and its TEE say of themselves.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    uri: String,
    /// `OP-TEE`, or `software TEE, not a TEE`.
    kind: String,
    /// It protects nothing.
    simulated: bool,
    /// It takes seeds, and signs anything with `test` keys.
    development: bool,
    ta_version: u32,
    /// Version of the store.
    schema: u16,
    /// Version of the protocol between node and daemon.
    protocol: u16,
    /// How many keys there are; nothing if the store cannot be used.
    keys: Option<u32>,
    /// Its platform has a cell that outlives a disk put back from a copy.
    rollback_protected: bool,
    lease: LeaseStatus,
    /// Nothing if it cannot be read.
    never_two: Option<NeverTwo>,
    /// Why.
    #[serde(skip)]
    unknown: Option<String>,
}

/// How far the keys have come in what they may sign once only.
#[derive(Debug, Serialize)]
struct NeverTwo {
    /// No key signs anything new there or below.
    floor: ShownFloor,
    /// Of each key that has come anywhere.
    watermarks: Vec<Shown>,
}

impl Status {
    /// An error if the store cannot be used.
    pub(super) fn result(&self) -> Result<(), String> {
        match (self.keys, &self.unknown) {
            (None, _) => Err(advice::unusable(&self.uri)),
            (Some(_), Some(why)) => Err(why.clone()),
            (Some(_), None) => Ok(()),
        }
    }
}

impl From<Watermarks> for NeverTwo {
    fn from(Watermarks { floor, keys }: Watermarks) -> NeverTwo {
        NeverTwo { floor: floor.into(), watermarks: keys.iter().map(Shown::from).collect() }
    }
}

/// Asks for it.
pub(super) fn ask(daemon: &Daemon) -> Result<Status, String> {
    let lease = match daemon.ask(Call::Lease(Claim::Look)) {
        Ok(Reply::Lease(lease)) => lease,
        Ok(_) => return Err(advice::strange(daemon.endpoint())),
        Err(error) => return Err(daemon.explain(&error)),
    };
    Ok(status(daemon.endpoint().to_string(), &daemon.info, lease, watermarks::read(daemon)))
}

fn status(uri: String, tee: &TeeInfo, lease: Lease, watermarks: Result<Watermarks, String>) -> Status {
    let (never_two, unknown) = match watermarks {
        Ok(watermarks) => (Some(watermarks.into()), None),
        Err(why) => (None, Some(why)),
    };
    Status {
        uri,
        kind: shown(&tee.kind),
        simulated: tee.simulated,
        development: tee.development,
        ta_version: tee.ta_version,
        schema: tee.schema,
        protocol: VERSION,
        keys: tee.keys,
        rollback_protected: tee.rollback_protected,
        lease: lease.into(),
        never_two,
        unknown,
    }
}

/// For people: one line for each.
pub(super) fn text(status: &Status) -> String {
    let lease = &status.lease;
    let kind = match (status.simulated, status.development) {
        (true, _) => format!("{} (it protects nothing: for development only)", status.kind),
        (false, true) => format!("{} (for development)", status.kind),
        (false, false) => status.kind.clone(),
    };
    let keys = status
        .keys
        .map_or_else(|| "unknown: the store cannot be used; the daemon's log says why".into(), |keys| keys.to_string());
    let rollback =
        if status.rollback_protected { "protected" } else { "not protected: a restored disk is not noticed" };
    let none = || "none since the daemon started".to_owned();
    let vote = lease.last_vote.map_or_else(none, |Vote { set, round }| format!("round {round} of set {set}"));
    let mut rows = vec![
        ("daemon", status.uri.clone()),
        ("TEE", kind),
        ("TA version", status.ta_version.to_string()),
        ("store", format!("schema {}", status.schema)),
        ("rollback", rollback.into()),
        ("protocol", status.protocol.to_string()),
        ("keys", keys),
        ("lease", holder(lease)),
        ("last vote", vote),
        ("last seal", lease.last_slot.map_or_else(none, |slot| format!("slot {slot}"))),
    ];
    match &status.never_two {
        None => rows.push(("watermarks", "unknown: they cannot be read".into())),
        Some(NeverTwo { floor, watermarks }) => {
            rows.extend(floor.lines().iter().map(|line| ("floor", format!("{line}: nothing new up to there"))));
            rows.extend(watermarks.iter().map(|shown| ("watermark", shown.to_string())));
        }
    }
    rows.iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect()
}

fn holder(lease: &LeaseStatus) -> String {
    let lasts = seconds(lease.lasts_ms.into());
    match (&lease.holder, &lease.node) {
        (Some(name), Some(node)) => format!(
            "held by `{name}` (node {node}) for {}, last heard of {} ago; it ends after {lasts} of silence",
            seconds(lease.since_ms.unwrap_or_default()),
            seconds(lease.silent_ms.unwrap_or_default()),
        ),
        _ => "held by nobody: no validator is active".into(),
    }
}

fn seconds(millis: u64) -> String {
    match millis {
        0..60_000 => format!("{:.1} s", millis as f64 / 1e3),
        60_000..7_200_000 => format!("{} min", millis / 60_000),
        _ => format!("{} h", millis / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{damaged, soon, Served},
        *,
    };
    use holdfast_protocol::{Floor, GrandpaRound, Identity, KeyId, Position, Scheme, Tenure, Watermark};

    fn sample(tenure: Tenure, keys: Option<u32>) -> Status {
        let tee = TeeInfo {
            ta_version: 3,
            schema: 2,
            kind: "OP-TEE".into(),
            simulated: false,
            development: false,
            keys,
            catalogue: 1,
            rollback_protected: true,
        };
        let lease = Lease { tenure, lasts_ms: 10_000, last_vote: Some((4, 17)), last_slot: None };
        status("unix:///run/h.sock".into(), &tee, lease, Ok(Watermarks::default()))
    }

    /// With a floor, and with the watermark of a key.
    fn marked() -> Status {
        let id = KeyId { scheme: Scheme::Ed25519, key_type: *b"gran", public: vec![0xcd; 32] };
        let at = |round| GrandpaRound { set_id: 4, round };
        let keys = vec![Watermark { id, highest: Position::Grandpa(at(17)) }];
        let mut status = sample(Tenure::Free { last: None, reserved_ms: 0 }, Some(1));
        let floor = Floor { grandpa: Some(at(9)), slot: Some(5) };
        status.never_two = Some(NeverTwo::from(Watermarks { floor, keys }));
        status
    }

    #[test]
    fn the_floor_and_each_keys_watermark_are_told_where_there_are_any() {
        let status = marked();
        assert!(
            text(&status).ends_with(
                "floor       round 9 of set 4: nothing new up to there\n\
                 floor       slot 5: nothing new up to there\n\
                 watermark   round 17 of set 4, of gran 0xcdcdcdcd…\n"
            ),
            "{}",
            text(&status)
        );
        let value = serde_json::to_value(&status).expect("plain data");
        assert_eq!(value["never_two"]["floor"], serde_json::json!({ "grandpa": { "set": 4, "round": 9 }, "slot": 5 }));
        assert_eq!(value["never_two"]["watermarks"][0]["round"], 17);
    }

    #[test]
    fn watermarks_that_cannot_be_read_are_an_error_and_hide_nothing_else() {
        let mut status = sample(Tenure::Free { last: None, reserved_ms: 0 }, Some(4));
        (status.never_two, status.unknown) = (None, Some("it is of another version".into()));
        assert!(text(&status).ends_with("watermarks  unknown: they cannot be read\n"), "{}", text(&status));
        assert_eq!(status.result(), Err("it is of another version".into()));
        assert!(serde_json::to_value(&status).expect("plain data")["never_two"].is_null());
    }

    #[test]
    fn a_status_is_read_at_a_glance() {
        let holder = Identity::new([0xab; 32], "alice");
        let status = sample(Tenure::Held { holder, since_ms: 125_000, silent_ms: 250 }, Some(4));
        let node = "ab".repeat(32);
        let wanted = format!(
            "daemon      unix:///run/h.sock\n\
             TEE         OP-TEE\n\
             TA version  3\n\
             store       schema 2\n\
             rollback    protected\n\
             protocol    {VERSION}\n\
             keys        4\n\
             lease       held by `alice` (node {node}) for 2 min, last heard of 0.2 s ago; it ends after 10.0 s of \
             silence\n\
             last vote   round 17 of set 4\n\
             last seal   none since the daemon started\n"
        );
        assert_eq!(text(&status), wanted);
    }

    #[test]
    fn a_store_that_cannot_be_used_and_a_lease_of_nobody_are_told() {
        let status = sample(Tenure::Free { last: None, reserved_ms: 0 }, None);
        let text = text(&status);
        assert!(text.contains("the store cannot be used") && text.contains("held by nobody"), "{text}");
        let error = status.result().expect_err("no key can be used");
        assert!(error.starts_with("the store behind unix:///run/h.sock cannot be used"), "{error}");
        assert_eq!(sample(Tenure::Free { last: None, reserved_ms: 0 }, Some(0)).result(), Ok(()));
    }

    #[test]
    fn json_has_the_same_in_plain_names() {
        let status = sample(Tenure::Free { last: None, reserved_ms: 0 }, Some(4));
        let value = serde_json::to_value(&status).expect("plain data");
        assert_eq!(value["kind"], "OP-TEE");
        assert_eq!(value["keys"], 4);
        assert_eq!(value["rollback_protected"], true);
        assert_eq!(value["lease"]["last_vote"]["round"], 17);
        assert!(value["lease"]["holder"].is_null());
    }

    // Rule 7: what comes from a socket does no harm.
    #[test]
    fn rule_7_a_daemon_can_steer_no_terminal_in_either_format() {
        let (endpoint, _dir) = damaged();
        let daemon = Daemon::connect(&endpoint, soon()).expect("it answers");
        assert!(daemon.info.kind.contains(['\u{9b}', '\u{202e}']));
        let status = ask(&daemon).expect("it answers");
        for text in [text(&status), serde_json::to_string_pretty(&status).expect("plain data")] {
            assert!(text.contains("OP-TEE"), "{text}");
            assert!(text.chars().all(|c| matches!(c, '\n' | ' ' | '…') || c.is_ascii_graphic()), "{text:?}");
        }
    }

    // Rule 9: simulated says so.
    #[test]
    fn rule_9_a_running_daemon_tells_what_it_is() {
        let served = Served::start();
        let status = ask(&served.connect()).expect("it answers");
        assert!(status.simulated && status.development && status.keys == Some(0));
        assert!(text(&status).contains("software TEE, not a TEE (it protects nothing"), "{}", text(&status));
        assert!(
            text(&status).contains("rollback    not protected: a restored disk is not noticed"),
            "{}",
            text(&status)
        );
    }
}
