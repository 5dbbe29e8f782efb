//! The application under test, and the suite's side of the conversation with it.

use std::collections::BTreeSet;

use codec::{DecodeAll, Encode};
use holdfast_host::Link;
use holdfast_ta::{
    Answer, Command, Context, Error, Info, KeyId, KeyInfo, KeyType, Position, Positions, Reply, Request, Rule, Scheme,
    Seed, Usage, WatermarkInfo, MAX_ANSWER, MAX_PAGE,
};

use crate::finding::{differs, equal, shown, Finding, Outcome};
use crate::random::Random;
use crate::{Expect, SEED};

/// Asks over a link, remembers what it made, and holds every answer to the interface's limits.
pub(crate) struct Bench<'a> {
    link: &'a mut dyn Link,
    found: BTreeSet<KeyId>,
    made: BTreeSet<KeyId>,
    pub(crate) expect: Expect,
    pub(crate) random: Random,
}

impl<'a> Bench<'a> {
    /// Takes note of the keys that are there already.
    pub(crate) fn new(link: &'a mut dyn Link, expect: Expect) -> Result<Self, Finding> {
        let (found, made) = (BTreeSet::new(), BTreeSet::new());
        let mut bench = Self { link, found, made, expect, random: Random::new(SEED) };
        bench.found = bench.list(MAX_PAGE)?.into_iter().map(|key| key.id).collect();
        bench.start_above_all()?;
        Ok(bench)
    }

    /// What is signed from now on is above what any key has signed.
    fn start_above_all(&mut self) -> Outcome {
        let (Positions { grandpa, slot }, watermarks) = self.watermarks()?;
        let floor = [grandpa.map(Position::Grandpa), slot.map(Position::Aura)];
        for position in floor.into_iter().flatten().chain(watermarks.into_iter().map(|watermark| watermark.highest)) {
            self.random.start_above(position);
        }
        Ok(())
    }

    pub(crate) fn link_name(&self) -> String {
        self.link.name()
    }

    /// Sends these bytes, whatever they are.
    pub(crate) fn send(&mut self, request: &[u8], asked: &str) -> Result<Result<Reply, Error>, Finding> {
        let asked = || asked.to_owned();
        let answer = self.link.call(request).map_err(|reason| Finding::NoAnswer { asked: asked(), reason })?;
        let length = answer.len();
        let not_an_answer = |reason: String| Finding::NotAnAnswer { asked: asked(), length, reason };
        if length > MAX_ANSWER {
            return Err(not_an_answer(format!("longer than {MAX_ANSWER}")));
        }
        let Answer::V1(result) =
            Answer::decode_all(&mut answer.as_slice()).map_err(|error| not_an_answer(error.to_string()))?;
        Ok(result)
    }

    pub(crate) fn ask(&mut self, command: Command) -> Result<Result<Reply, Error>, Finding> {
        let asked = shown(&command);
        let result = self.send(&Request::V1(command).encode(), &asked)?;
        if let Ok(Reply::Generated(key)) = &result {
            self.made.insert(key.id.clone());
        }
        Ok(result)
    }

    /// Asks for what must be refused with this error.
    pub(crate) fn refuses(&mut self, command: Command, error: Error) -> Outcome {
        self.refuses_as_one_of(command, &[error])
    }

    /// Asks for what more than one rule forbids; which of them says so first is the application's own affair.
    pub(crate) fn refuses_as_one_of(&mut self, command: Command, errors: &[Error]) -> Outcome {
        let asked = shown(&command);
        match self.ask(command)? {
            Err(error) if errors.contains(&error) => Ok(()),
            other => Err(differs(asked, &errors, &other)),
        }
    }

    /// Asks for what the policy must refuse by this rule.
    pub(crate) fn refuses_by(&mut self, command: Command, rule: Rule) -> Outcome {
        self.refuses(command, Error::Refused(rule))
    }

    /// Asks for what must be done.
    pub(crate) fn reply(&mut self, command: Command) -> Result<Reply, Finding> {
        let asked = shown(&command);
        self.ask(command)?.map_err(|error| differs(asked, &"a reply", &error))
    }

    pub(crate) fn info(&mut self) -> Result<Info, Finding> {
        match self.reply(Command::Info)? {
            Reply::Info(info) => Ok(info),
            other => Err(differs("Info", &"Reply::Info", &other)),
        }
    }

    pub(crate) fn generate(
        &mut self,
        scheme: Scheme,
        key_type: KeyType,
        usage: Usage,
        seed: Option<&[u8]>,
    ) -> Result<KeyInfo, Finding> {
        match self.reply(generate(scheme, key_type, usage, seed))? {
            Reply::Generated(key) => Ok(key),
            other => Err(differs("Generate", &"Reply::Generated", &other)),
        }
    }

    /// All keys, by pages of `limit`.
    pub(crate) fn list(&mut self, limit: u16) -> Result<Vec<KeyInfo>, Finding> {
        let mut all: Vec<KeyInfo> = Vec::new();
        loop {
            let (keys, more) = self.page(all.last().map(|key| key.id.clone()), limit)?;
            let full = usize::from(limit.min(MAX_PAGE));
            if keys.len() > full || (more && keys.len() < full) {
                return Err(differs(format!("a page of {limit}"), &full, &keys.len()));
            }
            all.extend(keys);
            if !more {
                return Ok(all);
            }
        }
    }

    /// The keys after this one, and whether there are more.
    pub(crate) fn page(&mut self, after: Option<KeyId>, limit: u16) -> Result<(Vec<KeyInfo>, bool), Finding> {
        match self.reply(Command::List { after, limit })? {
            Reply::Keys { keys, more } => Ok((keys, more)),
            other => Err(differs("List", &"Reply::Keys", &other)),
        }
    }

    /// The floor of all keys, and every watermark.
    pub(crate) fn watermarks(&mut self) -> Result<(Positions, Vec<WatermarkInfo>), Finding> {
        let mut all: Vec<WatermarkInfo> = Vec::new();
        loop {
            let after = all.last().map(|watermark| watermark.id.clone());
            match self.reply(Command::Watermarks { after, limit: MAX_PAGE })? {
                Reply::Watermarks { floor, watermarks, more } => {
                    if watermarks.len() > usize::from(MAX_PAGE) || (more && watermarks.is_empty()) {
                        return Err(differs("a page of watermarks", &MAX_PAGE, &watermarks.len()));
                    }
                    all.extend(watermarks);
                    if !more {
                        return Ok((floor, all));
                    }
                }
                other => return Err(differs("Watermarks", &"Reply::Watermarks", &other)),
            }
        }
    }

    pub(crate) fn raise(&mut self, id: &KeyId, to: Position) -> Outcome {
        match self.reply(Command::RaiseWatermark { id: id.clone(), to })? {
            Reply::WatermarkRaised => Ok(()),
            other => Err(differs("RaiseWatermark", &"Reply::WatermarkRaised", &other)),
        }
    }

    pub(crate) fn has(&mut self, id: &KeyId) -> Result<bool, Finding> {
        match self.reply(Command::Has { id: id.clone() })? {
            Reply::Has(has) => Ok(has),
            other => Err(differs("Has", &"Reply::Has", &other)),
        }
    }

    pub(crate) fn sign(&mut self, id: &KeyId, message: &[u8], context: Context) -> Result<Vec<u8>, Finding> {
        signature(self.reply(sign(id, message, context))?)
    }

    pub(crate) fn sign_prehashed(&mut self, id: &KeyId, hash: [u8; 32]) -> Result<Vec<u8>, Finding> {
        signature(self.reply(Command::SignPrehashed { id: id.clone(), hash })?)
    }

    pub(crate) fn retire(&mut self, id: &KeyId) -> Outcome {
        match self.reply(Command::Retire { id: id.clone() })? {
            Reply::Retired => {
                self.made.remove(id);
                Ok(())
            }
            other => Err(differs("Retire", &"Reply::Retired", &other)),
        }
    }

    /// The keys that were there before the suite.
    pub(crate) fn found(&self) -> &BTreeSet<KeyId> {
        &self.found
    }

    /// Leaves the application as it was found.
    pub(crate) fn retire_made(&mut self) -> Outcome {
        for id in self.made.clone().difference(&self.found.clone()) {
            self.retire(id)?;
        }
        self.made.clear();
        let left: BTreeSet<KeyId> = self.list(MAX_PAGE)?.into_iter().map(|key| key.id).collect();
        equal("the keys after the check, against those before it", self.found.clone(), left)
    }
}

pub(crate) fn generate(scheme: Scheme, key_type: KeyType, usage: Usage, seed: Option<&[u8]>) -> Command {
    Command::Generate { scheme, key_type, usage, seed: seed.map(|seed| Seed(seed.to_vec())) }
}

pub(crate) fn sign(id: &KeyId, message: &[u8], context: Context) -> Command {
    Command::Sign { id: id.clone(), message: message.to_vec(), context }
}

fn signature(reply: Reply) -> Result<Vec<u8>, Finding> {
    match reply {
        Reply::Signature(signature) => Ok(signature),
        other => Err(differs("a signature", &"Reply::Signature", &other)),
    }
}
