//! `holdfast report-data`: what evidence has to say, so that it is for one chain, account, role and set of keys.

use std::io::Write;

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use holdfast_evidence::{report_data, Audience, Binding, BoundKey, KeyScheme, Role, MAX_BOUND_KEYS};

use crate::{output, values, Outcome};

/// Compute the 64 bytes that a quote's report data has to be, in hexadecimal
///
/// A workload puts them into its evidence, and whoever judges the evidence compares them: evidence that was made for
/// another chain, account or role, or for other keys, says something else. `holdfast quote verify` shows what a quote
/// says, as report_data.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  holdfast report-data --audience chain --genesis 0xHASH --role validator --operator 0xACCOUNT --key gran:ed25519:0xKEY --key aura:sr25519:0xKEY --block 0xHASH
  holdfast report-data --audience anyone --genesis 0xHASH --role validator --operator 0xACCOUNT --key gran:ed25519:0xKEY --challenge 0xBYTES")]
pub(crate) struct ReportData {
    /// For whom the evidence is: what is made for one is worth nothing to the other
    #[arg(long, value_enum)]
    audience: For,

    /// Hash of the chain's first block: 32 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<32>)]
    genesis: [u8; 32],

    /// What the workload is for: validator (which is short for vali), or the four characters of another role
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Role,

    /// Who runs it: the 32 bytes of an account
    #[arg(long, value_name = "HEX", value_parser = account)]
    operator: [u8; 32],

    /// A key that lives in the workload: its type (four characters), its scheme (sr25519, ed25519, ecdsa) and its public
    /// half. Once for each, 16 at most, in the order in which the workload bound them: another order is other report data
    #[arg(long = "key", value_name = "TYPE:SCHEME:HEX", value_parser = key, required = true)]
    keys: Vec<BoundKey>,

    /// For the chain: the hash of a recent block, 32 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<32>)]
    block: Option<[u8; 32]>,

    /// For anyone else: what he chose, 32 bytes
    #[arg(long, value_name = "HEX", value_parser = values::bytes::<32>)]
    challenge: Option<[u8; 32]>,
}

/// For whom evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// For the chain: fresh by the hash of a recent block
    Chain,
    /// For whoever asks: fresh by what he chose
    Anyone,
}

impl ReportData {
    pub(crate) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        output::put(out, &hex::encode(self.bytes()?))?;
        Ok(Outcome::Good)
    }

    fn bytes(&self) -> anyhow::Result<[u8; 64]> {
        let many = self.keys.len();
        ensure!(many <= MAX_BOUND_KEYS as usize, "these are {many} keys, and evidence names {MAX_BOUND_KEYS} at most");
        let twice =
            self.keys.iter().enumerate().find(|(number, key)| self.keys.iter().take(*number).any(|one| one == *key));
        if let Some((number, _)) = twice {
            bail!("--key number {} is there already: evidence names a key once", number + 1);
        }
        let (audience, fresh) = match (self.audience, self.block, self.challenge) {
            (For::Chain, Some(block), None) => (Audience::Chain, block),
            (For::Anyone, None, Some(challenge)) => (Audience::Anyone, challenge),
            (For::Chain, ..) => bail!("evidence for the chain is fresh by a block: give --block, and no --challenge"),
            (For::Anyone, ..) => bail!("evidence for anyone is fresh by a challenge: give --challenge, and no --block"),
        };
        let Self { genesis, role, operator, ref keys, .. } = *self;
        Ok(report_data(&Binding { audience, genesis, role, operator, keys }, fresh))
    }
}

fn role(text: &str) -> Result<Role, String> {
    if text == "validator" {
        return Ok(Role::VALIDATOR);
    }
    four(text)
        .map(Role)
        .ok_or_else(|| "this is no role: write validator, or the four characters of another role".into())
}

fn account(text: &str) -> Result<[u8; 32], String> {
    values::bytes(text).map_err(|error| {
        format!(
            "{error}; an account is written as its bytes here, not as an address: `holdfast-node key inspect ADDRESS` \
             shows them, as its public key"
        )
    })
}

/// `gran:ed25519:0x…`
fn key(text: &str) -> Result<BoundKey, String> {
    const FORM: &str = "write a key as TYPE:SCHEME:HEX, such as gran:ed25519:0x and 64 digits";
    let mut parts = text.splitn(3, ':');
    let (Some(key_type), Some(scheme), Some(public)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(FORM.into());
    };
    let key_type = four(key_type).ok_or_else(|| format!("a key's type has four characters; {FORM}"))?;
    // Substrate's are in lower case all, and GRAN is another type than gran.
    if key_type.iter().any(u8::is_ascii_uppercase) {
        return Err(format!("a key's type is written in lower case; {FORM}"));
    }
    let (scheme, public) = match scheme {
        "sr25519" => (KeyScheme::Sr25519, values::bytes::<32>(public)?.to_vec()),
        "ed25519" => (KeyScheme::Ed25519, values::bytes::<32>(public)?.to_vec()),
        "ecdsa" => (KeyScheme::Ecdsa, values::bytes::<33>(public)?.to_vec()),
        _ => return Err(format!("a key's scheme is sr25519, ed25519 or ecdsa; {FORM}")),
    };
    BoundKey::new(scheme, key_type, &public).ok_or_else(|| FORM.into())
}

fn four(text: &str) -> Option<[u8; 4]> {
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.as_bytes().try_into().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_type_its_scheme_and_its_public_half() {
        let hex = |bytes: usize| "ab".repeat(bytes);
        for (scheme, is, length) in
            [("sr25519", KeyScheme::Sr25519, 32), ("ed25519", KeyScheme::Ed25519, 32), ("ecdsa", KeyScheme::Ecdsa, 33)]
        {
            let expected = BoundKey::new(is, *b"gran", &vec![0xab; length]);
            assert_eq!(key(&format!("gran:{scheme}:0x{}", hex(length))).ok(), expected);
        }
        for (text, says) in [
            ("gran", "write a key as TYPE:SCHEME:HEX"),
            ("gran:ed25519", "write a key as TYPE:SCHEME:HEX"),
            (&format!("grandpa:ed25519:{}", hex(32)), "a key's type has four characters"),
            (&format!("GRAN:ed25519:{}", hex(32)), "a key's type is written in lower case"),
            (&format!("gran:Ed25519:{}", hex(32)), "a key's scheme is sr25519, ed25519 or ecdsa"),
            (&format!("gran:ed25519:{}", hex(33)), "has 66 hexadecimal digits, and 64 are needed"),
            (&format!("gran:ecdsa:{}", hex(32)), "has 64 hexadecimal digits, and 66 are needed"),
            ("gran:ed25519:5GrwvaEF", "it has `G` in it"),
        ] {
            let error = key(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_role_is_named_or_four_characters_and_an_account_no_address() {
        assert_eq!(role("validator"), Ok(Role::VALIDATOR));
        assert_eq!(role("vali"), Ok(Role::VALIDATOR));
        assert_eq!(role("hold"), Ok(Role(*b"hold")));
        for text in ["", "Validator", "abc", "a cd", "ab\u{e9}"] {
            assert!(role(text).expect_err(text).contains("write validator"));
        }
        let error = account("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY").expect_err("an address");
        assert!(error.contains("an account is written as its bytes here, not as an address"), "{error}");
        assert!(error.ends_with("key inspect ADDRESS` shows them, as its public key"), "{error}");
    }

    #[test]
    fn what_is_printed_is_what_evidence_is_judged_by() {
        let keys = vec![key(&format!("gran:ed25519:{}", "ab".repeat(32))).expect("a key")];
        let given = |audience, block, challenge| ReportData {
            audience,
            genesis: [1; 32],
            role: Role::VALIDATOR,
            operator: [2; 32],
            keys: keys.clone(),
            block,
            challenge,
        };
        let (this, other) = (Some([3; 32]), None);
        for (audience, is, block, challenge) in
            [(For::Chain, Audience::Chain, this, other), (For::Anyone, Audience::Anyone, other, this)]
        {
            let binding =
                Binding { audience: is, genesis: [1; 32], role: Role::VALIDATOR, operator: [2; 32], keys: &keys };
            let mut printed = Vec::new();
            given(audience, block, challenge).run(&mut printed).expect("all is given");
            assert_eq!(printed, format!("{}\n", hex::encode(report_data(&binding, [3; 32]))).as_bytes());
            for (block, challenge) in [(challenge, block), (other, other), (this, this)] {
                let error = given(audience, block, challenge).bytes().expect_err("not fresh").to_string();
                assert!(error.contains(": give --"), "{error}");
            }
        }
        let twice = ReportData { keys: vec![keys[0].clone(); 2], ..given(For::Chain, this, other) };
        let error = twice.bytes().expect_err("the same key twice").to_string();
        assert_eq!(error, "--key number 2 is there already: evidence names a key once");
        let many = ReportData { keys: vec![keys[0].clone(); 17], ..given(For::Chain, this, other) };
        assert_eq!(many.bytes().expect_err("too many").to_string(), "these are 17 keys, and evidence names 16 at most");
    }
}
