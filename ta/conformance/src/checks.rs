//! The checks, each with the sentence that it holds the application to.

mod equality;
mod identity;
mod keys;
mod malformed;
mod measurement;
mod never_two;
mod policy;
mod seeds;
mod vrf;

use crate::bench::Bench;
use crate::finding::Outcome;
pub(crate) use measurement::measured;

/// One thing that must hold.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) asks: Asks,
    pub(crate) run: fn(&mut Bench<'_>) -> Outcome,
}

/// Which applications a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Any; what must be refused by a production one is a check too.
    All,
    /// Those that take seeds and make keys of type `test`.
    Development,
    /// Those that give evidence of what they are.
    Production,
}

/// All checks, in the order in which they are made. Each leaves the application's keys as they were.
pub(crate) const ALL: &[Check] = &[
    all("it says what it is, the same each time", identity::says_what_it_is),
    all("its catalogue number changes with each key made or retired", identity::catalogue_changes),
    all("keys of every kind are made, found, listed and sign", keys::every_kind),
    all("as many keys as it holds, up to 1,000, are listed by pages of any size, each once", keys::many),
    all("a retired key is gone for every command", keys::retired_is_gone),
    all("a key of a scheme or type that was not made is not there", keys::others_are_not_there),
    development("a seed gives sp_core's key, or is refused as sp_core refuses it", seeds::as_sp_core),
    development("the same seed again is the same key", seeds::again),
    development("public keys equal LocalKeystore's", equality::public_keys),
    development("ed25519 signatures equal LocalKeystore's", equality::ed25519_signatures),
    development("ecdsa signatures equal LocalKeystore's", equality::ecdsa_signatures),
    development("ecdsa signatures of hashes equal LocalKeystore's", equality::ecdsa_prehashed),
    development("sr25519 signatures verify and are randomised", equality::sr25519_signatures),
    development("session keys sign as LocalKeystore's do", equality::session_keys),
    development("VRF pre-outputs equal LocalKeystore's", vrf::pre_outputs),
    development("VRF signatures verify", vrf::signatures),
    development("a VRF of what is no point is an error", vrf::no_point),
    all("policy: DevelopmentOnly", policy::development_only),
    all("policy: UnknownKeyType", policy::unknown_key_type),
    all("policy: AuraNeedsHeader", policy::aura_needs_header),
    all("policy: AuraHeaderMismatch", policy::aura_header_mismatch),
    all("policy: AuraMalformedHeader", policy::aura_malformed_header),
    all("policy: an aura key seals what Aura makes", policy::aura_seals),
    all("policy: GrandpaMalformedVote", policy::grandpa_malformed_vote),
    all("policy: a gran key signs the votes of every stage", policy::grandpa_votes),
    all("policy: MalformedProofOfPossession", policy::malformed_possession),
    all("policy: VrfNotAllowed", policy::vrf_not_allowed),
    all("policy: PrehashedNotAllowed", policy::prehashed_not_allowed),
    all("policy: GrandpaDoubleVote", never_two::double_vote),
    all("policy: GrandpaOldRound", never_two::old_round),
    all("policy: AuraDoubleSeal", never_two::double_seal),
    all("policy: AuraOldSlot", never_two::old_slot),
    all("policy: BelowCeiling", never_two::below_ceiling),
    all("a watermark is told, only rises, and takes positions of its key's kind", never_two::raised),
    all("policy: DevelopmentNotMeasured", measurement::development_not_measured),
    all("policy: NotMeasurable", measurement::not_measurable),
    all("a measurement names keys that are there, each once, and sixteen at most", measurement::names),
    production("measurements are signed with challenge, keys and a counter that rises", measurement::signed),
    all("a request cut at any byte is malformed", malformed::truncated),
    all("a request with bytes left over is malformed", malformed::trailing),
    all("a request beyond the limit is too long, and one at the limit is not", malformed::too_long),
    all("lengths that promise more than comes are malformed", malformed::false_lengths),
    all("requests of unknown versions, commands and values are malformed", malformed::unknown_variants),
    all("random and altered requests are errors or answered, and change nothing", malformed::random),
    all("public keys of wrong lengths and commands of other schemes are errors", malformed::wrong_keys),
];

const fn all(name: &'static str, run: fn(&mut Bench<'_>) -> Outcome) -> Check {
    Check { name, asks: Asks::All, run }
}

const fn development(name: &'static str, run: fn(&mut Bench<'_>) -> Outcome) -> Check {
    Check { name, asks: Asks::Development, run }
}

const fn production(name: &'static str, run: fn(&mut Bench<'_>) -> Outcome) -> Check {
    Check { name, asks: Asks::Production, run }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use codec::Decode;
    use holdfast_ta::Rule;

    use super::ALL;

    #[test]
    fn every_rule_of_the_policy_has_its_check_for_every_application() {
        let rules: Vec<Rule> = (0..=u8::MAX).filter_map(|index| Rule::decode(&mut &[index][..]).ok()).collect();
        assert!(rules.contains(&Rule::DevelopmentOnly));
        for rule in rules {
            let name = format!("policy: {rule:?}");
            assert!(ALL.iter().any(|check| check.name == name && check.asks == super::Asks::All), "{name}");
        }
    }

    #[test]
    fn no_two_checks_have_one_name() {
        let names: BTreeSet<&str> = ALL.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
