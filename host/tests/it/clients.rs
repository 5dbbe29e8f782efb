use std::{sync::mpsc::channel, thread};

use holdfast_host::config::Genesis;
use holdfast_protocol::{
    lease::Claim,
    message::{Call, Context, Failure, Rejection, Reply, Scheme, Usage},
    CallError, Client, Endpoint, State, Unreachable,
};

use crate::support::*;

#[test]
fn many_clients_at_once_each_get_the_signatures_of_their_own_messages() {
    let daemon = Running::start(soft());
    thread::scope(|scope| {
        for number in 0..16u8 {
            let daemon = &daemon;
            scope.spawn(move || {
                let client = daemon.client();
                let key = make_key(&client).id;
                for round in 0..20u8 {
                    sign(&client, &key, &[number, round]);
                }
            });
        }
    });
    let client = daemon.client();
    let Ok(Reply::Keys { keys, more: false }) = client.call(Call::List { after: None }, soon()) else {
        panic!("no list");
    };
    assert_eq!(keys.len(), 16);
}

#[test]
fn threads_share_one_connection_and_no_answer_is_mixed_up() {
    let daemon = Running::start(soft());
    let client = daemon.client();
    let key = make_key(&client).id;
    thread::scope(|scope| {
        for number in 0..16u8 {
            let (client, key) = (&client, &key);
            scope.spawn(move || (0..20u8).for_each(|round| sign(client, key, &[number, round])));
        }
    });
}

#[test]
fn tcp_serves_as_the_unix_socket_does() {
    let daemon = Running::with(soft(), |config| config.tcp = Some("127.0.0.1:0".parse().expect("loopback")));
    let client = connecting(Endpoint::tcp(daemon.tcp()).expect("an endpoint"), GENESIS);
    client.wait_up(LONG).expect("up");
    let key = make_key(&client).id;
    sign(&daemon.client(), &key, b"made over TCP, used over the Unix socket");
}

#[test]
fn rule_9_a_client_is_told_that_a_software_tee_is_not_a_tee() {
    let daemon = Running::start(soft());
    let info = daemon.client().wait_up(LONG).expect("up");
    assert_eq!(info.kind, "software TEE, not a TEE");
    assert!(info.simulated && info.development);
}

fn rejection(client: &Client) -> Rejection {
    let (tell, told) = channel();
    client.on_change(move |state| {
        if let State::Down(Unreachable::Rejected(rejection)) = state {
            let _ = tell.send(rejection.clone());
        }
    });
    told.recv_timeout(LONG).expect("rejected")
}

#[test]
fn the_first_client_decides_which_chain_is_served() {
    let daemon = Running::start(soft());
    let endpoint = Endpoint::unix(daemon.socket()).expect("an endpoint");
    drop(daemon.client());
    assert_eq!(rejection(&connecting(endpoint, [2; 32])), Rejection::Genesis(GENESIS));
    drop(daemon.client());
}

#[test]
fn the_configuration_decides_before_any_client() {
    let daemon = Running::with(soft(), |config| config.genesis = Some(Genesis([3; 32])));
    let endpoint = Endpoint::unix(daemon.socket()).expect("an endpoint");
    assert_eq!(rejection(&connecting(endpoint.clone(), GENESIS)), Rejection::Genesis([3; 32]));
    connecting(endpoint, [3; 32]).wait_up(LONG).expect("up");
}

#[test]
fn a_refusal_names_its_rule() {
    let daemon = Running::start(soft());
    let client = daemon.client();
    let call = Call::Generate { scheme: Scheme::Ed25519, key_type: *b"gran", usage: Usage::Sign, seed: None };
    let Ok(Reply::Generated(info)) = client.call(call, soon()) else { panic!("no key") };
    assert!(gets(&client, Claim::Take));
    let call = Call::Sign { key: info.id, message: b"no vote".to_vec(), context: Context::None };
    let refused = Failure::Refused { rule: "GrandpaMalformedVote".into() };
    assert_eq!(client.call(call, soon()), Err(CallError::Failed(refused)));
    assert_eq!(client.call(Call::Retire(missing()), soon()), Err(CallError::Failed(Failure::NoSuchKey)));
}

fn missing() -> holdfast_protocol::message::KeyId {
    match has() {
        Call::Has(key) => key,
        _ => unreachable!("has() asks for a key"),
    }
}

#[test]
fn a_trusted_application_that_panics_or_lies_fails_its_own_call_and_the_next_one_works() {
    let (link, strings) = puppet();
    let daemon = Running::start(link);
    let client = daemon.client();
    for told in [Told::Panic, Told::Bytes(vec![]), Told::Bytes(vec![0xff; 100]), Told::Bytes(vec![0; 100_000])] {
        strings.tell(told);
        let result = client.call(has(), soon());
        assert!(matches!(result, Err(CallError::Failed(Failure::Tee(_)))), "{result:?}");
        strings.tell(Told::Answer);
        assert_eq!(client.call(has(), soon()), Ok(Reply::Has(true)));
    }
}

#[test]
fn a_trusted_application_that_is_gone_rejects_nobody_else_than_its_callers() {
    let (link, strings) = puppet();
    let daemon = Running::start(link);
    drop(strings.tell);
    let client = daemon.client();
    let result = client.call(has(), soon());
    let Err(CallError::Failed(Failure::Tee(reason))) = result else { panic!("{result:?}") };
    assert!(reason.contains("strings"), "{reason}");
}
