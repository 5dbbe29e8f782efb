//! `tee self-test`.

use std::time::Instant;

use holdfast_protocol::{Call, Context, KeyInfo, Reply, Scheme};
use keystore_tee::{shown, Endpoint};
use serde::Serialize;
use sp_core::{crypto::Pair, ecdsa, ed25519, sr25519};

use super::{advice, keys, Daemon};

/// What a key of this type signs here, and nothing that counts anywhere: a proof of possession for the account of all
/// zeros.
const PROOF: [u8; 36] = {
    let mut proof = [0; 36];
    (proof[0], proof[1], proof[2], proof[3]) = (b'P', b'O', b'P', b'_');
    proof
};
/// The types of session keys.
const SESSION: [[u8; 4]; 2] = [*b"aura", *b"gran"];
/// How many round trips are timed.
const TRIPS: usize = 10;

/// How it went.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    uri: String,
    ok: bool,
    steps: Vec<Step>,
}

/// One thing that was tried.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Step {
    name: String,
    ok: bool,
    /// What was found, or what is wrong and what to do.
    detail: String,
}

impl Report {
    /// An error if anything failed.
    pub(super) fn result(&self) -> Result<(), String> {
        let failed: Vec<&str> = self.steps.iter().filter(|step| !step.ok).map(|step| step.name.as_str()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(format!("the self-test of {} failed: {}", self.uri, failed.join(", ")))
    }
}

/// Tries everything, as far as it gets until `end`.
pub(super) fn run(endpoint: &Endpoint, end: Instant) -> Report {
    let mut steps = Vec::new();
    let daemon = Daemon::connect(endpoint, end);
    steps.push(step("connect", daemon.as_ref().map(|daemon| shown(&daemon.info.kind)).map_err(Clone::clone)));
    if let Ok(daemon) = daemon {
        steps.push(step("store", store(&daemon)));
        steps.push(step("round trip", round_trip(&daemon)));
        let keys = keys::read(&daemon);
        steps.push(step("keys", keys.as_ref().map_err(Clone::clone).and_then(|keys| held(&daemon, keys))));
        steps.extend(signatures(&daemon, &keys.unwrap_or_default()));
    }
    Report { uri: endpoint.to_string(), ok: steps.iter().all(|step| step.ok), steps }
}

/// For people: one line for each step.
pub(super) fn text(report: &Report) -> String {
    let width = report.steps.iter().map(|step| step.name.len()).max().unwrap_or_default();
    let line = |step: &Step| {
        let mark = if step.ok { "ok  " } else { "FAIL" };
        format!("{mark}  {:<width$}  {}\n", step.name, step.detail)
    };
    report.steps.iter().map(line).collect()
}

fn step(name: impl Into<String>, result: Result<String, String>) -> Step {
    let ok = result.is_ok();
    Step { name: name.into(), ok, detail: result.unwrap_or_else(|why| why) }
}

fn store(daemon: &Daemon) -> Result<String, String> {
    let schema = daemon.info.schema;
    match daemon.info.keys {
        Some(keys) => Ok(format!("schema {schema}, {keys} keys")),
        None => Err(advice::unusable(daemon.endpoint())),
    }
}

fn round_trip(daemon: &Daemon) -> Result<String, String> {
    let mut times = Vec::with_capacity(TRIPS);
    for _ in 0..TRIPS {
        let start = Instant::now();
        match daemon.ask(Call::Info) {
            Ok(Reply::Info(_)) => times.push(start.elapsed()),
            Ok(_) => return Err(advice::strange(daemon.endpoint())),
            Err(error) => return Err(daemon.explain(&error)),
        }
    }
    times.sort();
    let median = times.get(TRIPS / 2).copied().unwrap_or_default();
    Ok(format!("{:.2} ms, the median of {TRIPS}", median.as_secs_f64() * 1e3))
}

fn held(daemon: &Daemon, keys: &[KeyInfo]) -> Result<String, String> {
    keys::complete(daemon, keys.len())?;
    Ok(match keys.iter().filter(|key| SESSION.contains(&key.id.key_type)).count() {
        0 => "no session keys: a validator's node makes them with author_rotateKeysWithOwner".into(),
        session => format!("{} keys, of them {session} session keys", keys.len()),
    })
}

/// One step for each session key, as far as there is time.
fn signatures(daemon: &Daemon, keys: &[KeyInfo]) -> Vec<Step> {
    let mut steps = Vec::new();
    for key in keys.iter().filter(|key| SESSION.contains(&key.id.key_type)) {
        let name = format!("sign with {} 0x{}", key.id.key_type.escape_ascii(), start_of(&key.id.public));
        steps.push(step(name, sign(daemon, key)));
        if daemon.out_of_time() {
            break;
        }
    }
    steps
}

fn sign(daemon: &Daemon, key: &KeyInfo) -> Result<String, String> {
    let call = Call::Sign { key: key.id.clone(), message: PROOF.to_vec(), context: Context::None };
    let start = Instant::now();
    let signature = match daemon.ask(call) {
        Ok(Reply::Signature(signature)) => signature,
        Ok(_) => return Err(advice::strange(daemon.endpoint())),
        Err(error) => return Err(daemon.explain(&error)),
    };
    let took = start.elapsed().as_secs_f64() * 1e3;
    let verified = match key.id.scheme {
        Scheme::Sr25519 => verifies::<sr25519::Pair>(&signature, &key.id.public),
        Scheme::Ed25519 => verifies::<ed25519::Pair>(&signature, &key.id.public),
        Scheme::Ecdsa => verifies::<ecdsa::Pair>(&signature, &key.id.public),
    };
    match verified {
        true => Ok(format!("a proof of possession in {took:.2} ms; it verifies")),
        false => Err(format!(
            "the signature does not verify: do not use this signer, and find out what answers at {}",
            daemon.endpoint()
        )),
    }
}

fn verifies<P: Pair>(signature: &[u8], public: &[u8]) -> bool {
    match (P::Signature::try_from(signature), P::Public::try_from(public)) {
        (Ok(signature), Ok(public)) => P::verify(&signature, PROOF, &public),
        _ => false,
    }
}

/// The beginning of a public key in hex.
fn start_of(public: &[u8]) -> String {
    crate::signer::hex(public.get(..4).unwrap_or(public)) + "…"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::testing::{damaged, endless, soon, Served},
        *,
    };

    #[test]
    fn every_session_key_of_a_good_signer_signs() {
        let served = Served::start();
        let empty = run(&served.endpoint, soon());
        assert!(empty.ok && empty.result().is_ok(), "{empty:?}");
        assert!(text(&empty).contains("no session keys: a validator's node makes them"), "{}", text(&empty));
        served.make_session_keys();
        let report = run(&served.endpoint, soon());
        let names: Vec<&str> = report.steps.iter().map(|step| step.name.split(" 0x").next().expect("a name")).collect();
        assert_eq!(names, ["connect", "store", "round trip", "keys", "sign with aura", "sign with gran"]);
        assert!(report.ok && report.result().is_ok(), "{report:?}");
        assert!(text(&report).contains("it verifies"), "{}", text(&report));
    }

    #[test]
    fn a_daemon_that_is_not_there_fails_the_test_and_says_what_to_do() {
        let report = run(&"unix:///nonexistent/host.sock".parse().expect("a valid URI"), soon());
        assert!(!report.ok && report.steps.len() == 1, "{report:?}");
        assert!(text(&report).starts_with("FAIL  connect  there is no daemon"), "{}", text(&report));
        let error = report.result().expect_err("it failed");
        assert_eq!(error, "the self-test of unix:///nonexistent/host.sock failed: connect");
    }

    #[test]
    fn a_key_that_cannot_be_read_fails_the_test_and_says_what_to_do() {
        let (endpoint, _dir) = damaged();
        let report = run(&endpoint, soon());
        let step = report.steps.iter().find(|step| step.name == "keys").expect("it was tried");
        assert!(!step.ok && step.detail.contains("counts 2 keys and 1 can be read"), "{step:?}");
        assert!(step.detail.contains("a new store and rotate the session keys"), "{step:?}");
        assert!(report.result().is_err(), "{report:?}");
    }

    // Rule 7: what comes from a socket is bounded, and does no harm.
    #[test]
    fn rule_7_a_daemon_that_lists_keys_without_end_cannot_hold_the_command_up() {
        let (endpoint, _dir) = endless();
        let report = run(&endpoint, Instant::now() + Duration::from_secs(1));
        let failed: Vec<&Step> = report.steps.iter().filter(|step| !step.ok).collect();
        let [step] = failed[..] else { panic!("{report:?}") };
        assert!(step.name == "keys" && step.detail.contains("30 s were not enough"), "{step:?}");
        assert!(!text(&report).contains(['\u{9b}', '\u{202e}']), "{}", text(&report));
    }

    #[test]
    fn when_the_time_is_up_no_further_key_is_tried() {
        let served = Served::start();
        served.make_session_keys();
        let mut daemon = served.connect();
        let keys = keys::read(&daemon).expect("it answers");
        daemon.end = Instant::now();
        let steps = signatures(&daemon, &keys);
        let [step] = &steps[..] else { panic!("{steps:?}") };
        assert!(!step.ok && step.detail.contains("30 s were not enough"), "{step:?}");
    }

    // Rule 3: a signature that does not verify is none.
    #[test]
    fn rule_3_only_the_keys_own_signature_of_the_proof_passes() {
        let pair = ed25519::Pair::from_seed(&[1; 32]);
        let (public, good) = (pair.public().0, pair.sign(&PROOF).0);
        assert!(verifies::<ed25519::Pair>(&good, &public));
        assert!(!verifies::<ed25519::Pair>(&pair.sign(b"else").0, &public));
        assert!(!verifies::<ed25519::Pair>(&good[..63], &public) && !verifies::<ed25519::Pair>(&good, &public[..31]));
        assert_eq!(&PROOF[..4], b"POP_");
        assert_eq!(PROOF[4..], [0; 32]);
    }
}
