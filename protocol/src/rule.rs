//! The rules of the signing policy in words.

/// What a rule of the trusted application's policy says, by the name that [`crate::Failure::Refused`] carries; `None` for
/// one that this program does not know.
pub fn meaning(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "DevelopmentOnly" => "seeds, and keys of type `test`, are for development TEEs only",
        "UnknownKeyType" => "no policy is known for keys of this type and scheme",
        "AuraNeedsHeader" => "an `aura` key signs a hash that comes with its header",
        "AuraHeaderMismatch" => "the header does not hash to the message",
        "AuraMalformedHeader" => "the header is none, is sealed, or has no slot",
        "GrandpaMalformedVote" => "a `gran` key signs a well-formed GRANDPA vote",
        "MalformedProofOfPossession" => "a proof of possession is `POP_` and an account of 32 bytes",
        "VrfNotAllowed" => "the key was not made for VRFs",
        "PrehashedNotAllowed" => "a session key signs no hash of what nobody shows",
        "DevelopmentNotMeasured" => "a development TEE gives no evidence of what it is",
        "NotMeasurable" => "a measurement names only session keys that were born in the TEE",
        "GrandpaDoubleVote" => "the key has signed another vote of this stage in this round",
        "GrandpaOldRound" => {
            "the round is older than those whose votes are remembered, or the key's watermark was raised past it"
        }
        "AuraDoubleSeal" => "the key has sealed another header in this slot",
        "AuraOldSlot" => "the key has sealed a header in a later slot, or its watermark was raised past this one",
        "BelowCeiling" => {
            "what was signed up to here may be forgotten, because the trusted application ended without being told, its \
             store was put back from a copy, or a key was retired: it signs again beyond its floor"
        }
        _ => return None,
    })
}

/// What follows a rule's name: a colon and its meaning, or nothing where that is not known.
pub fn explained(rule: &str) -> String {
    meaning(rule).map(|meaning| format!(": {meaning}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::Failure;

    #[test]
    fn a_refusal_says_what_its_rule_means_and_names_one_that_is_not_known() {
        let said = |rule: &str| Failure::Refused { rule: rule.into() }.to_string();
        assert_eq!(
            said("GrandpaDoubleVote"),
            "refused by the signing policy, rule GrandpaDoubleVote: the key has signed another vote of this stage in \
             this round"
        );
        assert_eq!(said("Newer"), "refused by the signing policy, rule Newer");
    }
}
