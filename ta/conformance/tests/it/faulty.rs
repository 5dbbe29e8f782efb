use codec::{Decode, Encode};
use holdfast_host::{InProcess, Link, LinkError};
use holdfast_ta::{Answer, BadRequest, Command, Error, Reply, Request, Rule, Tee};
use holdfast_ta_conformance::{run, Expect, Failure, Finding, Kept, Verdict};
use holdfast_ta_soft::SoftTee;

/// A sound application whose answers are altered on the way: what a faulty one would say.
pub(crate) struct Faulty<T, F> {
    pub(crate) sound: InProcess<T>,
    pub(crate) alter: F,
}

impl<T, F> Link for Faulty<T, F>
where
    T: Tee + Send,
    F: FnMut(Option<&Command>, Result<Reply, Error>) -> Vec<u8> + Send,
{
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, LinkError> {
        let answer = self.sound.call(request)?;
        let Answer::V1(result) = Answer::decode(&mut answer.as_slice()).expect("the sound one answers");
        let command = Request::decode(&mut &*request).ok().map(|Request::V1(command)| command);
        Ok((self.alter)(command.as_ref(), result))
    }

    fn name(&self) -> String {
        "a faulty link".into()
    }
}

/// The names of the checks that an application fails when its answers are altered so.
fn failed(
    mut alter: impl FnMut(Option<&Command>, Result<Reply, Error>) -> Result<Reply, Error> + Send,
) -> Vec<&'static str> {
    let alter = move |command: Option<&Command>, result| Answer::V1(alter(command, result)).encode();
    let mut link = Faulty { sound: InProcess::new(SoftTee::in_memory()), alter };
    match run(&mut link, Expect { development: true }) {
        Ok(report) => panic!("a faulty application conforms\n{report}"),
        Err(Failure::Checks(report)) => {
            let failed = report.checks().iter().filter(|check| matches!(check.verdict, Verdict::Failed(_)));
            failed.map(|check| check.name).collect()
        }
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn a_signature_with_one_wrong_bit_is_found_in_every_scheme() {
    let failed = failed(|_, result| match result {
        Ok(Reply::Signature(mut signature)) => {
            signature[40] ^= 1;
            Ok(Reply::Signature(signature))
        }
        result => result,
    });
    for check in [
        "keys of every kind are made, found, listed and sign",
        "ed25519 signatures equal LocalKeystore's",
        "ecdsa signatures equal LocalKeystore's",
        "ecdsa signatures of hashes equal LocalKeystore's",
        "sr25519 signatures verify and are randomised",
        "session keys sign as LocalKeystore's do",
        "policy: an aura key seals what Aura makes",
        "policy: a gran key signs the votes of every stage",
    ] {
        assert!(failed.contains(&check), "{check}: {failed:?}");
    }
}

#[test]
fn a_wrong_vrf_is_found() {
    let failed = failed(|_, result| match result {
        Ok(Reply::VrfSignature { pre_output, mut proof }) => {
            proof[0] ^= 1;
            Ok(Reply::VrfSignature { pre_output, proof })
        }
        Ok(Reply::VrfPreOutput(mut pre_output)) => {
            pre_output[1] ^= 1;
            Ok(Reply::VrfPreOutput(pre_output))
        }
        result => result,
    });
    assert_eq!(failed, ["VRF pre-outputs equal LocalKeystore's", "VRF signatures verify"]);
}

#[test]
fn a_key_left_out_of_a_page_or_listed_twice_is_found() {
    for twice in [false, true] {
        let mut pages = 0;
        let failed = failed(|_, result| match result {
            Ok(Reply::Keys { mut keys, more }) if more => {
                pages += 1;
                if pages % 50 == 3 {
                    let spoilt = keys.len() / 2;
                    keys[spoilt] = if twice { keys[0].clone() } else { keys[keys.len() - 1].clone() };
                }
                Ok(Reply::Keys { keys, more })
            }
            result => result,
        });
        assert!(
            failed.contains(&"as many keys as it holds, up to 1,000, are listed by pages of any size, each once"),
            "{failed:?}"
        );
    }
}

#[test]
fn a_rule_that_goes_by_another_name_is_found() {
    let failed = failed(|_, result| match result {
        Err(Error::Refused(Rule::AuraMalformedHeader)) => Err(Error::Refused(Rule::AuraHeaderMismatch)),
        result => result,
    });
    assert_eq!(failed, ["policy: AuraMalformedHeader"]);
}

#[test]
fn a_malformed_request_that_is_answered_is_found() {
    let failed = failed(|_, result| match result {
        Err(Error::BadRequest(BadRequest::Malformed)) => Ok(Reply::Has(false)),
        result => result,
    });
    assert!(failed.contains(&"a request cut at any byte is malformed"), "{failed:?}");
    assert!(failed.contains(&"a request with bytes left over is malformed"), "{failed:?}");
}

#[test]
fn a_key_that_is_lost_or_comes_back_when_it_starts_again_is_found() {
    let development = Expect { development: true };
    let mut link = InProcess::new(SoftTee::in_memory());
    let kept = Kept::make(&mut link, development).unwrap();
    kept.check(&mut link).unwrap();
    let lost = kept.check(&mut InProcess::new(SoftTee::in_memory())).unwrap_err();
    assert!(lost.to_string().contains("is listed as it was made"), "{lost}");

    let alter = |_: Option<&Command>, result| {
        let result = match result {
            Ok(Reply::Has(false)) => Ok(Reply::Has(true)),
            result => result,
        };
        Answer::V1(result).encode()
    };
    let back = kept.check(&mut Faulty { sound: link, alter }).unwrap_err();
    assert!(back.to_string().contains("stays retired"), "{back}");
}

#[test]
fn an_application_that_answers_nonsense_or_nothing_is_not_asked_further() {
    let sound = || InProcess::new(SoftTee::in_memory());
    let mut link = Faulty { sound: sound(), alter: |_: Option<&Command>, _| vec![1, 2, 3] };
    let failure = run(&mut link, Expect { development: true }).unwrap_err();
    assert!(matches!(failure, Failure::NoStart(Finding::NotAnAnswer { length: 3, .. })), "{failure}");

    let mut link = Faulty { sound: sound(), alter: |_: Option<&Command>, _| vec![0; 8 * 1024 + 1] };
    let failure = run(&mut link, Expect { development: true }).unwrap_err();
    assert!(matches!(failure, Failure::NoStart(Finding::NotAnAnswer { length: 8193, .. })), "{failure}");

    struct Dead;
    impl Link for Dead {
        fn call(&mut self, _: &[u8]) -> Result<Vec<u8>, LinkError> {
            Err(LinkError::Broken("gone".into()))
        }
        fn name(&self) -> String {
            "nothing".into()
        }
    }
    let failure = run(&mut Dead, Expect { development: true }).unwrap_err();
    assert!(matches!(failure, Failure::NoStart(Finding::NoAnswer { .. })), "{failure}");
}
