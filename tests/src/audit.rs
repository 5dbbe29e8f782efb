//! What a daemon's audit log says of the signatures that it was asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result};
use holdfast_protocol::GrandpaRound;

/// All entries, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit(Vec<Entry>);

/// A signature that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The public key, in hex.
    pub key: String,
    /// What it was asked to sign.
    pub what: What,
    /// Whether it did.
    pub signed: bool,
    /// The name of the node that asked.
    pub node: String,
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

impl Audit {
    /// Reads the log. A daemon that was killed may have left its last line unfinished; it is skipped.
    pub fn read(file: &Path) -> Result<Audit> {
        let text = std::fs::read(file).with_context(|| file.display().to_string())?;
        Audit::parse(&String::from_utf8_lossy(&text)).with_context(|| file.display().to_string())
    }

    /// All votes and seals.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Those after as many as `earlier` has, which was read before.
    pub fn since(&self, earlier: &Audit) -> Audit {
        Audit(self.0[earlier.0.len().min(self.0.len())..].to_vec())
    }

    /// The latest round in which a vote was signed.
    pub fn last_round(&self) -> Option<GrandpaRound> {
        self.rounds(|entry| entry.signed).last().copied()
    }

    /// The latest slot for which a block was signed.
    pub fn last_slot(&self) -> Option<u64> {
        self.slots(|entry| entry.signed).last().copied()
    }

    /// The rounds of such votes.
    pub fn rounds(&self, such: impl Fn(&Entry) -> bool) -> BTreeSet<GrandpaRound> {
        let round = |entry: &Entry| match &entry.what {
            What::Vote { round, .. } => Some(*round),
            What::Seal { .. } => None,
        };
        self.0.iter().filter(|entry| such(entry)).filter_map(round).collect()
    }

    /// The slots of such blocks.
    pub fn slots(&self, such: impl Fn(&Entry) -> bool) -> BTreeSet<u64> {
        let slot = |entry: &Entry| match &entry.what {
            What::Seal { slot, .. } => Some(*slot),
            What::Vote { .. } => None,
        };
        self.0.iter().filter(|entry| such(entry)).filter_map(slot).collect()
    }

    /// Whatever a key has signed of which it had signed another for the same slot, or round and stage.
    pub fn signed_twice(&self) -> Vec<&Entry> {
        let mut first = BTreeMap::new();
        let mut twice = Vec::new();
        for entry in self.0.iter().filter(|entry| entry.signed) {
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

    fn parse(text: &str) -> Result<Audit> {
        let mut entries = Vec::new();
        for line in text.lines().filter(|line| line.ends_with('}')) {
            let line: Line = serde_json::from_str(line).with_context(|| format!("not as expected: {line}"))?;
            entries.extend(line.entry()?);
        }
        Ok(Audit(entries))
    }
}

/// As the daemon writes it.
#[derive(serde::Deserialize)]
struct Line {
    verdict: String,
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
        let signed = self.verdict == "signed";
        Ok(Some(Entry { key: self.public, what, signed, node: self.node.unwrap_or_default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(verdict: &str, round: u64, stage: &str, target: u8) -> String {
        format!(r#"{{"time":"…","verdict":"{verdict}","public":"0x01","kind":"vote","set_id":0,"round":{round},"#)
            + &format!(r#""stage":"{stage}","target_number":1,"target_hash":"0x{target}","by":"node","node":"alice"}}"#)
    }

    fn seal(verdict: &str, key: u8, slot: u64, header: u8) -> String {
        format!(
            r#"{{"verdict":"{verdict}","public":"0x{key}","kind":"seal","slot":{slot},"header_hash":"0x{header}"}}"#
        )
    }

    fn audit(lines: &[String]) -> Result<Audit> {
        Audit::parse(&lines.join("\n"))
    }

    #[test]
    fn what_was_signed_twice_is_another_vote_of_a_stage_or_another_block_of_a_slot_by_the_same_key() -> Result<()> {
        let mut lines = vec![
            vote("signed", 1, "prevote", 1),
            vote("signed", 1, "prevote", 1),
            vote("refused", 1, "prevote", 2),
            vote("signed", 1, "precommit", 2),
            vote("signed", 2, "prevote", 2),
            seal("signed", 1, 1, 1),
            seal("refused", 1, 1, 2),
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
        Ok(())
    }
}
