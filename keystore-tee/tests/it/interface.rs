//! `sp_keystore::Keystore` as its callers know it, held against `LocalKeystore`.

use keystore_tee::{Identity, TEEKeystore};
use sc_keystore::LocalKeystore;
use sp_core::{
    crypto::{
        key_types::{AURA, GRANDPA},
        ByteArray, KeyTypeId, Pair, VrfPublic,
    },
    ecdsa, ed25519, sr25519,
    sr25519::vrf::{VrfSignData, VrfTranscript},
};
use sp_keystore::{Error, Keystore};
use std::{
    sync::mpsc,
    time::{Duration, Instant},
};
use substrate_prometheus_endpoint::Registry;

use crate::{
    counted,
    fake::{tee, FakeDaemon},
    real::{header, RealDaemon},
    LONG,
};

const TEST: KeyTypeId = KeyTypeId(*b"test");
const HEX: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

// Rule 2: bytes equal.
#[test]
fn rule_2_seeds_make_the_keys_and_signatures_of_the_local_keystore() {
    let daemon = RealDaemon::start();
    let (keystore, local) = (daemon.keystore(), LocalKeystore::in_memory());
    for seed in ["//Alice", "//Alice//stash", "//Bob///password", HEX] {
        let ours = keystore.ed25519_generate_new(TEST, Some(seed)).expect("a development TEE");
        assert_eq!(ours, local.ed25519_generate_new(TEST, Some(seed)).expect("a valid seed"));
        let signature = keystore.ed25519_sign(TEST, &ours, b"message").expect("the daemon is there");
        assert_eq!(signature, local.ed25519_sign(TEST, &ours, b"message").expect("it is local"));
        assert!(signature.is_some());

        let ours = keystore.ecdsa_generate_new(TEST, Some(seed)).expect("a development TEE");
        assert_eq!(ours, local.ecdsa_generate_new(TEST, Some(seed)).expect("a valid seed"));
        let signature = keystore.ecdsa_sign(TEST, &ours, b"message").expect("the daemon is there");
        assert_eq!(signature, local.ecdsa_sign(TEST, &ours, b"message").expect("it is local"));
        let signature = keystore.ecdsa_sign_prehashed(TEST, &ours, &[5; 32]).expect("the daemon is there");
        assert_eq!(signature, local.ecdsa_sign_prehashed(TEST, &ours, &[5; 32]).expect("it is local"));
        assert!(signature.is_some());
    }
    for seed in ["//Alice", "//Alice/soft", "/soft//hard", HEX] {
        let ours = keystore.sr25519_generate_new(TEST, Some(seed)).expect("a development TEE");
        assert_eq!(ours, local.sr25519_generate_new(TEST, Some(seed)).expect("a valid seed"));
        let signature = keystore.sr25519_sign(TEST, &ours, b"message").expect("the daemon is there");
        assert!(sr25519::Pair::verify(&signature.expect("it holds the key"), b"message", &ours));
    }
    assert_eq!(keystore.keys(TEST).expect("the list was read").len(), 12);
}

#[test]
fn a_seed_that_is_none_is_an_error_and_is_not_repeated() {
    let daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    for seed in ["bottom drive obey lake", "0x01", "//Alice/soft"] {
        let error = keystore.ed25519_generate_new(TEST, Some(seed)).expect_err("no seed of ed25519").to_string();
        assert!(error.contains("no valid secret URI") && !error.contains(seed), "{error}");
    }
}

// Rule 1: a secret goes to a development TEE only.
#[test]
fn rule_1_a_tee_that_is_not_for_development_is_sent_no_secret() {
    let (calls, heard) = mpsc::channel();
    let daemon = FakeDaemon::start(move |_, mut peer| {
        let served = peer.serve_tee(keystore_tee::TeeInfo { development: false, simulated: false, ..tee() });
        calls.send(served).expect("the test waits");
    });
    let keystore = daemon.keystore();
    keystore.wait_ready(LONG).expect("the daemon is there");
    keystore.allow_insert();
    let error = keystore.sr25519_generate_new(AURA, Some("//Alice")).expect_err("is refused").to_string();
    assert!(error.contains("takes no seeds"), "{error}");
    let alice = sr25519::Pair::from_string("//Alice", None).expect("a valid URI").public();
    assert_eq!(keystore.insert(AURA, "//Alice", &alice), Err(()));
    keystore.release();
    let sent = heard.recv().expect("the connection is closed");
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|call| !matches!(call, holdfast_protocol::message::Call::Generate { .. })), "{sent:?}");
}

#[test]
fn rule_1_a_secret_is_inserted_on_a_development_chain_only_and_only_as_the_key_it_makes() {
    let daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    fn alice<P: Pair>() -> P::Public {
        P::from_string("//Alice", None).expect("a valid URI").public()
    }
    let (sr, ed, ec) = (alice::<sr25519::Pair>(), alice::<ed25519::Pair>(), alice::<ecdsa::Pair>());
    assert_eq!(keystore.insert(TEST, "//Alice", &sr), Err(()), "was not allowed");
    keystore.allow_insert();
    assert_eq!(keystore.insert(TEST, "//Bob", &sr), Err(()), "makes another key");
    assert_eq!(keystore.insert(TEST, "no secret", &sr), Err(()));
    for public in [sr.as_slice(), ed.as_slice(), ec.as_slice()] {
        assert_eq!(keystore.insert(TEST, "//Alice", public), Ok(()));
        assert!(keystore.has_keys(&[(public.to_vec(), TEST)]));
    }
    assert!(keystore.sr25519_sign(TEST, &sr, b"message").expect("the daemon is there").is_some());
    assert!(keystore.ed25519_sign(TEST, &ed, b"message").expect("the daemon is there").is_some());
    assert!(keystore.ecdsa_sign(TEST, &ec, b"message").expect("the daemon is there").is_some());
}

#[test]
fn vrf_signatures_verify_and_pre_outputs_equal_the_local_keystores() {
    let daemon = RealDaemon::start();
    let (keystore, local) = (daemon.keystore(), LocalKeystore::in_memory());
    let key = keystore.sr25519_generate_new(TEST, Some("//Alice")).expect("a development TEE");
    local.sr25519_generate_new(TEST, Some("//Alice")).expect("a valid seed");
    let input = VrfTranscript::new(b"label", &[(b"slot", b"1"), (b"epoch", b"2")]);
    let data = VrfSignData::new(input.clone());
    let signature = keystore.sr25519_vrf_sign(TEST, &key, &data).expect("the daemon is there").expect("it has the key");
    assert!(key.vrf_verify(&data, &signature));
    let pre_output = keystore.sr25519_vrf_pre_output(TEST, &key, &input).expect("the daemon is there");
    assert_eq!(pre_output.as_ref(), Some(&signature.pre_output));
    assert_eq!(pre_output, local.sr25519_vrf_pre_output(TEST, &key, &input).expect("it is local"));

    let extra = data.with_extra(VrfTranscript::new(b"extra", &[]));
    let error = keystore.sr25519_vrf_sign(TEST, &key, &extra).expect_err("cannot be carried").to_string();
    assert!(error.contains("extra data"), "{error}");

    let unknown = sr25519::Pair::from_string("//Bob", None).expect("a valid URI").public();
    assert!(matches!(keystore.sr25519_vrf_pre_output(TEST, &unknown, &input), Ok(None)));
    let no_point = sr25519::Public::from_raw([0xff; 32]);
    assert!(matches!(keystore.sr25519_vrf_sign(TEST, &no_point, &extra), Err(Error::ValidationError(_))));
}

#[test]
fn keys_that_the_tee_does_not_hold_sign_nothing_and_are_no_error() {
    let daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let (sr, ed) = (sr25519::Public::from_raw([0; 32]), ed25519::Public::from_raw([1; 32]));
    let ec = ecdsa::Pair::from_seed(&[1; 32]).public();
    assert!(matches!(keystore.sr25519_sign(TEST, &sr, b"message"), Ok(None)));
    assert!(matches!(keystore.ecdsa_sign(TEST, &ec, b"message"), Ok(None)));
    assert!(matches!(keystore.ecdsa_sign_prehashed(TEST, &ec, &[0; 32]), Ok(None)));
    // Of a key of type `gran` a proof of possession; a vote waits.
    assert!(matches!(keystore.ed25519_sign(GRANDPA, &ed, &[b"POP_", &[1; 32][..]].concat()), Ok(None)));
    assert!(!keystore.has_keys(&[(ed.0.to_vec(), GRANDPA)]));
    assert!(keystore.has_keys(&[]));
}

#[test]
fn what_the_policy_refuses_is_an_error_at_once_that_names_the_rule() {
    let daemon = RealDaemon::start();
    let (keystore, registry) = (daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    let aura = keystore.sr25519_generate_new(AURA, None).expect("the daemon is there");
    let gran = keystore.ed25519_generate_new(GRANDPA, None).expect("the daemon is there");
    let (good, hash) = header(7);
    let refused = |result: Result<bool, Error>| {
        let error = result.expect_err("is refused").to_string();
        assert!(error.contains("refused by the signing policy, rule "), "{error}");
    };
    refused(keystore.ed25519_sign(GRANDPA, &gran, b"no vote").map(|s| s.is_some()));
    refused(keystore.sr25519_sign(AURA, &aura, &hash).map(|s| s.is_some()));
    keystore.offer_header([9; 32], good.clone(), Instant::now() + LONG);
    refused(keystore.sr25519_sign(AURA, &aura, &[9; 32]).map(|s| s.is_some()));
    keystore.offer_header(hash, good, Instant::now() + LONG);
    assert!(keystore.sr25519_sign(AURA, &aura, &hash).expect("it has its header").is_some());
    assert!(keystore.ed25519_sign(GRANDPA, &gran, &[b"POP_", &[1; 32][..]].concat()).expect("a proof").is_some());
    assert_eq!((counted(&registry, "gran", "refused"), counted(&registry, "gran", "ok")), (1, 1));
    assert_eq!((counted(&registry, "aura", "refused"), counted(&registry, "aura", "ok")), (2, 1));
}

#[test]
fn a_thousand_keys_are_listed_to_whoever_connects_later() {
    let daemon = RealDaemon::start();
    let keystore = daemon.keystore();
    let mut made: Vec<Vec<u8>> =
        (0..1000).map(|_| keystore.ed25519_generate_new(TEST, None).expect("the daemon is there").0.to_vec()).collect();
    made.sort();
    assert_eq!(daemon.keystore().keys(TEST).expect("the list was read"), made);
}

#[test]
fn the_node_hears_of_the_connection_through_its_metrics() {
    let mut daemon = RealDaemon::start();
    let (keystore, registry) = (daemon.keystore(), Registry::new());
    keystore.register_metrics(&registry).expect("an empty registry");
    assert!(keystore.register_metrics(&Registry::new()).is_err(), "once only");
    let value = |name: &str| -> f64 {
        let families = registry.gather();
        let metric = &families.iter().find(|family| family.get_name() == name).expect("is registered").get_metric()[0];
        metric.get_gauge().get_value() + metric.get_counter().get_value()
    };
    let wait = |name: &str, wanted: f64| {
        let end = Instant::now() + LONG;
        while value(name) != wanted {
            assert!(Instant::now() < end, "{name} is {}", value(name));
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait("holdfast_tee_connected", 1.0);
    daemon.stop();
    wait("holdfast_tee_connected", 0.0);
    daemon.start_again();
    wait("holdfast_tee_connected", 1.0);
    wait("holdfast_tee_reconnects_total", 1.0);
}

#[test]
fn tcp_on_loopback_carries_a_seal_with_a_large_header() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut config = holdfast_host::Config::embedded(dir.path().join("host.sock"));
    config.tcp = Some("127.0.0.1:0".parse().expect("an address"));
    let link = Box::new(holdfast_host::InProcess::new(holdfast_ta_soft::SoftTee::in_memory()));
    let daemon = runtime.block_on(holdfast_host::Daemon::start(&config, link)).expect("a free port");
    let uri = format!("tcp://{}", daemon.tcp().expect("it was asked for"));
    let keystore = TEEKeystore::deferred(&uri, Identity::default()).expect("a valid URI");
    keystore.connect([7; 32]).expect("threads start");
    keystore.wait_ready(LONG).expect("the daemon is there");
    let aura = keystore.sr25519_generate_new(AURA, None).expect("the daemon is there");
    let (mut header, _) = header(7);
    // One more digest item, of 20,000 bytes: a change of many authorities.
    header[97] = 2 << 2;
    header.extend([4]);
    header.extend(b"aura");
    header.extend((20_000_u32 << 2 | 2).to_le_bytes());
    header.extend([0; 20_000]);
    let hash = sp_crypto_hashing::blake2_256(&header);
    keystore.offer_header(hash, header, Instant::now() + LONG);
    let seal = keystore.sr25519_sign(AURA, &aura, &hash).expect("in time").expect("it holds the key");
    assert!(sr25519::Pair::verify(&seal, hash, &aura));
    drop(keystore);
    assert!(runtime.block_on(daemon.stop()));
}
