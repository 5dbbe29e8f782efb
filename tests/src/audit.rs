//! What a daemon's audit log says of the signatures that it was asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{bail, Context, Result};
use holdfast_protocol::GrandpaRound;

/// All entries, in the order of each of its files: what was done, and the rest, which was refused or done again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit([Vec<Entry>; 2]);

/// A signature that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The public key, in hex.
    pub key: String,
    /// What it was asked to sign.
    pub what: What,
    /// What came of it.
    pub verdict: Verdict,
    /// The name of the node that asked.
    pub node: String,
}

/// What came of a question for a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was signed.
    Signed,
    /// The policy of the trusted application refused it, by this rule.
    Refused(String),
    /// Another node held the lease, or nobody did.
    NotHolder,
    /// It could not be answered.
    Failed,
}

/// What may be signed once only; everything else is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A vote.
    Vote {
        /// Its round.
        round: GrandpaRound,
        /// Its stage, by name.
        stage: String,
        /// The hash of the block that it is for.
        target: String,
    },
    /// A block.
    Seal {
        /// Its slot.
        slot: u64,
        /// Its hash, without the seal.
        header: String,
    },
}

impl Entry {
    /// Whether it was signed.
    pub fn is_signed(&self) -> bool {
        self.verdict == Verdict::Signed
    }

    /// Whether the policy refused it: not for want of the lease, and not because something failed.
    pub fn is_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Refused(_))
    }
}

impl Audit {
    /// Reads the log. A daemon that was killed may have left its last line unfinished; it is skipped.
    pub fn read(file: &Path) -> Result<Audit> {
        let entries = |file: &Path| -> Result<Vec<Entry>> {
            let text = std::fs::read(file).with_context(|| file.display().to_string())?;
            parse(&String::from_utf8_lossy(&text)).with_context(|| file.display().to_string())
        };
        let mut rest = file.as_os_str().to_owned();
        rest.push(".rest");
        let rest = Path::new(&rest);
        Ok(Audit([entries(file)?, if rest.exists() { entries(rest)? } else { Vec::new() }]))
    }

    /// All votes and seals.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flatten()
    }

    /// Those after as many as `earlier` has, which was read before.
    pub fn since(&self, earlier: &Audit) -> Audit {
        let [done, rest] = &self.0;
        let after = |now: &[Entry], earlier: &[Entry]| now[earlier.len().min(now.len())..].to_vec();
        Audit([after(done, &earlier.0[0]), after(rest, &earlier.0[1])])
    }

    /// The latest round in which a vote was signed.
    pub fn last_round(&self) -> Option<GrandpaRound> {
        self.rounds(Entry::is_signed).last().copied()
    }

    /// The latest slot for which a block was signed.
    pub fn last_slot(&self) -> Option<u64> {
        self.slots(Entry::is_signed).last().copied()
    }

    /// The rounds of such votes.
    pub fn rounds(&self, such: impl Fn(&Entry) -> bool) -> BTreeSet<GrandpaRound> {
        let round = |entry: &Entry| match &entry.what {
            What::Vote { round, .. } => Some(*round),
            What::Seal { .. } => None,
        };
        self.entries().filter(|entry| such(entry)).filter_map(round).collect()
    }

    /// The slots of such blocks.
    pub fn slots(&self, such: impl Fn(&Entry) -> bool) -> BTreeSet<u64> {
        let slot = |entry: &Entry| match &entry.what {
            What::Seal { slot, .. } => Some(*slot),
            What::Vote { .. } => None,
        };
        self.entries().filter(|entry| such(entry)).filter_map(slot).collect()
    }

    /// Whatever a key has signed of which it had signed another for the same slot, or round and stage.
    pub fn signed_twice(&self) -> Vec<&Entry> {
        let mut first = BTreeMap::new();
        let mut twice = Vec::new();
        for entry in self.entries().filter(|entry| entry.is_signed()) {
            let (at, what) = match &entry.what {
                What::Vote { round, stage, target } => ((*round, stage.as_str()), target),
                What::Seal { slot, header } => ((GrandpaRound { set_id: 0, round: *slot }, ""), header),
            };
            if *first.entry((&entry.key, at)).or_insert(what) != what {
                twice.push(entry);
            }
        }
        twice
    }
}

fn parse(text: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for line in text.lines().filter(|line| line.ends_with('}')) {
        let line: Line = serde_json::from_str(line).with_context(|| format!("not as expected: {line}"))?;
        entries.extend(line.entry()?);
    }
    Ok(entries)
}

/// As the daemon writes it.
#[derive(serde::Deserialize)]
struct Line {
    verdict: String,
    rule: Option<String>,
    public: String,
    kind: String,
    set_id: Option<u64>,
    round: Option<u64>,
    stage: Option<String>,
    target_hash: Option<String>,
    slot: Option<u64>,
    header_hash: Option<String>,
    node: Option<String>,
}

impl Line {
    /// Nothing if it may be signed as often as one likes.
    fn entry(self) -> Result<Option<Entry>> {
        let missing = || format!("a {} without all that makes it one", self.kind);
        let what = match self.kind.as_str() {
            "vote" => {
                let (set_id, round) = self.set_id.zip(self.round).with_context(missing)?;
                let (stage, target) = self.stage.clone().zip(self.target_hash.clone()).with_context(missing)?;
                What::Vote { round: GrandpaRound { set_id, round }, stage, target }
            }
            "seal" => {
                let (slot, header) = self.slot.zip(self.header_hash.clone()).with_context(missing)?;
                What::Seal { slot, header }
            }
            _ => return Ok(None),
        };
        let verdict = match (self.verdict.as_str(), self.rule) {
            ("signed", None) => Verdict::Signed,
            ("refused", Some(rule)) if rule == "NotHolder" => Verdict::NotHolder,
            ("refused", Some(rule)) => Verdict::Refused(rule),
            ("failed", None) => Verdict::Failed,
            (verdict, rule) => bail!("a verdict that there is not: {verdict}, rule {rule:?}"),
        };
        Ok(Some(Entry { key: self.public, what, verdict, node: self.node.unwrap_or_default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(verdict: &str, round: u64, stage: &str, target: u8) -> String {
        let verdict = verdict_of(verdict);
        format!(r#"{{"time":"…",{verdict},"public":"0x01","kind":"vote","set_id":0,"round":{round},"#)
            + &format!(r#""stage":"{stage}","target_number":1,"target_hash":"0x{target}","by":"node","node":"alice"}}"#)
    }

    fn seal(verdict: &str, key: u8, slot: u64, header: u8) -> String {
        let verdict = verdict_of(verdict);
        format!(r#"{{{verdict},"public":"0x{key}","kind":"seal","slot":{slot},"header_hash":"0x{header}"}}"#)
    }

    /// With a rule if it is one that refuses.
    fn verdict_of(verdict: &str) -> String {
        match verdict {
            "signed" | "failed" => format!(r#""verdict":"{verdict}""#),
            rule => format!(r#""verdict":"refused","rule":"{rule}""#),
        }
    }

    fn audit(lines: &[String]) -> Result<Audit> {
        Ok(Audit([parse(&lines.join("\n"))?, Vec::new()]))
    }

    #[test]
    fn what_was_signed_twice_is_another_vote_of_a_stage_or_another_block_of_a_slot_by_the_same_key() -> Result<()> {
        let mut lines = vec![
            vote("signed", 1, "prevote", 1),
            vote("signed", 1, "prevote", 1),
            vote("GrandpaDoubleVote", 1, "prevote", 2),
            vote("signed", 1, "precommit", 2),
            vote("signed", 2, "prevote", 2),
            seal("signed", 1, 1, 1),
            seal("AuraDoubleSeal", 1, 1, 2),
            seal("signed", 2, 1, 2),
            seal("signed", 1, 2, 2),
        ];
        assert!(audit(&lines)?.signed_twice().is_empty());
        for line in [vote("signed", 1, "prevote", 2), seal("signed", 1, 1, 2)] {
            lines.push(line);
            let audit = audit(&lines)?;
            assert_eq!(audit.signed_twice(), audit.entries().last().into_iter().collect::<Vec<_>>());
            lines.pop();
        }
        Ok(())
    }

    #[test]
    fn what_was_refused_is_told_from_what_failed_or_had_no_lease() -> Result<()> {
        let verdicts = ["signed", "GrandpaDoubleVote", "NotHolder", "failed"];
        let audit = audit(&verdicts.map(|verdict| vote(verdict, 1, "prevote", 1)))?;
        let found: Vec<_> = audit.entries().map(|entry| entry.verdict.clone()).collect();
        let refused = Verdict::Refused("GrandpaDoubleVote".into());
        assert_eq!(found, [Verdict::Signed, refused, Verdict::NotHolder, Verdict::Failed]);
        let refused: Vec<_> = audit.entries().map(|entry| (entry.is_signed(), entry.is_refused())).collect();
        assert_eq!(refused, [(true, false), (false, true), (false, false), (false, false)]);
        Ok(())
    }

    #[test]
    fn both_files_are_read_and_each_has_its_own_later_entries() -> Result<()> {
        let home = tempfile::tempdir()?;
        let file = home.path().join("audit");
        std::fs::write(&file, vote("signed", 1, "prevote", 1) + "\n")?;
        let before = Audit::read(&file)?;
        let rest = [vote("signed", 1, "prevote", 1), vote("GrandpaDoubleVote", 1, "prevote", 2)].join("\n");
        std::fs::write(home.path().join("audit.rest"), rest + "\n")?;
        let raised = r#"{"verdict":"done","public":"0x01","kind":"raise","set_id":0,"round":9}"#;
        std::fs::write(&file, [vote("signed", 1, "prevote", 1), raised.into(), seal("signed", 1, 4, 1)].join("\n"))?;
        let now = Audit::read(&file)?;
        assert_eq!((before.entries().count(), now.entries().count()), (1, 4));
        let since = now.since(&before);
        assert_eq!((since.entries().count(), since.last_slot()), (3, Some(4)));
        assert_eq!(since.entries().filter(|entry| entry.is_refused()).count(), 1);
        assert!(now.signed_twice().is_empty());
        Ok(())
    }

    #[test]
    fn a_line_that_was_cut_is_skipped_and_one_of_another_shape_is_an_error() -> Result<()> {
        let whole = vote("signed", 7, "prevote", 1);
        let proof = r#"{"verdict":"signed","public":"0x01","kind":"proof of possession"}"#.to_owned();
        let lines = [seal("signed", 1, 3, 1), whole[..whole.len() - 1].to_owned(), proof];
        let first = audit(&lines)?;
        assert_eq!((first.last_slot(), first.last_round()), (Some(3), None));
        let second = audit(&[&lines[..], &[whole]].concat())?;
        assert_eq!(second.since(&first).last_round(), Some(GrandpaRound { set_id: 0, round: 7 }));
        assert_eq!(second.since(&first).last_slot(), None);
        assert!(audit(&[r#"{"verdict":"signed","public":"0x01","kind":"seal"}"#.to_owned()]).is_err());
        assert!(audit(&["{}".to_owned()]).is_err());
        assert!(audit(&[seal("signed", 1, 3, 1).replace("signed", "maybe")]).is_err());
        Ok(())
    }
}
