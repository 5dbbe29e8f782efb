//! The end of a node whose signer refused it a vote, or whose voter waits for one that it does not ask for.

use std::sync::Arc;

use holdfast_protocol::rule;
use keystore_tee::{shown, Overdue, Refusal, TEEKeystore};
use sc_client_api::backend::AuxStore;

use super::place;
use crate::exit::{LastWord, POLICY};

/// GRANDPA's voter has ended. If that is because the policy refused it a vote, the process ends with a code of its own,
/// and no later one asks for a vote in that round.
pub(crate) fn voter_ended(keystore: &TEEKeystore, database: &impl AuxStore, last_word: &LastWord) {
    let Some(refusal) = keystore.refusal() else { return };
    last_word.policy();
    if let Err(e) = place::refused(database, refusal.round) {
        log::warn!("that a vote was refused could not be written down, and may happen again: {e}");
    }
    log::error!("{}", paragraph(&refusal));
}

/// Ends when a round waits for a vote of this node that its voter does not ask for. The process ends then, and the next
/// one asks: it begins where this one is, which is past all reason not to vote.
pub(crate) async fn end_when_overdue(keystore: Arc<TEEKeystore>, last_word: LastWord) {
    let overdue = keystore.overdue().await;
    log::error!("{}", missed(&overdue));
    last_word.policy();
}

/// What an operator reads of a vote that nobody asks for.
fn missed(Overdue { round, until }: &Overdue) -> String {
    format!(
        "⛔ GRANDPA's voter has been in {round} for a minute without a vote of this node: it asked for the node's key \
         while it caught up, when the key had to abstain until {until}, and it asks once for each round. If the round \
         needs this vote it never ends. Nothing was signed, and nothing was refused. This process ends with exit code \
         {POLICY}. Start it again: it votes in {round}. If finality stands still all the same, see docs/never-two.md"
    )
}

/// What an operator reads of a vote that was refused.
fn paragraph(Refusal { rule, round }: &Refusal) -> String {
    let meaning = rule::explained(rule);
    let cause = match rule.as_str() {
        "GrandpaDoubleVote" | "GrandpaOldRound" => {
            " Either this node's database has lost what it voted before, or another node votes with the same key."
        }
        _ => "",
    };
    format!(
        "⛔ The signer's policy refused this node a vote in {round}, rule {}{meaning}.{cause} Nothing was signed. \
         GRANDPA's voter cannot go on without that vote, so this process ends with exit code {POLICY}. Start it again: \
         it follows the chain, and votes once {round} has passed. If it ends like this again and again, or finality \
         stands still, see docs/never-two.md",
        shown(rule)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystore_tee::GrandpaRound;

    fn said(rule: &str) -> String {
        paragraph(&Refusal { rule: rule.into(), round: GrandpaRound { set_id: 0, round: 57 } })
    }

    #[test]
    fn a_refused_vote_is_explained_with_its_round_its_rule_and_what_to_do() {
        assert_eq!(
            said("GrandpaDoubleVote"),
            "⛔ The signer's policy refused this node a vote in round 57 of set 0, rule GrandpaDoubleVote: the key has \
             signed another vote of this stage in this round. Either this node's database has lost what it voted \
             before, or another node votes with the same key. Nothing was signed. GRANDPA's voter cannot go on without \
             that vote, so this process ends with exit code 11. Start it again: it follows the chain, and votes once \
             round 57 of set 0 has passed. If it ends like this again and again, or finality stands still, see \
             docs/never-two.md"
        );
        assert!(said("BelowCeiling").contains("rule BelowCeiling: what was signed up to here may be forgotten"));
    }

    #[test]
    fn a_vote_that_nobody_asks_for_is_explained_with_its_round_and_what_to_do() {
        let round = |round| GrandpaRound { set_id: 0, round };
        assert_eq!(
            missed(&Overdue { round: round(58), until: round(57) }),
            "⛔ GRANDPA's voter has been in round 58 of set 0 for a minute without a vote of this node: it asked for the \
             node's key while it caught up, when the key had to abstain until round 57 of set 0, and it asks once for \
             each round. If the round needs this vote it never ends. Nothing was signed, and nothing was refused. This \
             process ends with exit code 11. Start it again: it votes in round 58 of set 0. If finality stands still \
             all the same, see docs/never-two.md"
        );
    }

    // Rule 7: what comes from a socket does no harm.
    #[test]
    fn rule_7_a_rule_that_nobody_knows_forges_no_line() {
        assert!(said("x\n\u{9b}2J").contains("rule x\\n\\u{9b}2J. Nothing was signed."));
    }
}
