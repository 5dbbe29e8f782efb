//! What a caller was promised, held against what is found: every key whose creation was answered, none twice, nothing
//! by halves, and no number of a measurement twice. A command that failed may have been done or not; which, the next look settles.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use codec::DecodeAll;

use crate::{
    hash::blake2_256,
    keys::Key,
    store,
    testing::{header, possession, vote, TestTee, FAULT},
    Command, Context, Error, KeyId, KeyInfo, KeyType, Origin, Reply, Scheme, Usage,
};

const COUNTER: &[u8] = b"measurements";

/// The promises of one trusted application, across its restarts.
#[derive(Clone, Default)]
pub(super) struct Promises {
    /// What each key may be found to be; `None` is not there.
    keys: BTreeMap<KeyId, Vec<Option<KeyInfo>>>,
    /// Keys that may have been made before anybody was told their names.
    unnamed: Vec<(Scheme, KeyType, Usage)>,
    /// The number of the last measurement that was answered.
    measured: u64,
}

impl Promises {
    /// Takes note of what came of a command.
    pub(super) fn note(&mut self, command: &Command, result: &Result<Reply, Error>) {
        match (command, result) {
            (_, Ok(Reply::Generated(info))) => drop(self.keys.insert(info.id.clone(), vec![Some(info.clone())])),
            (_, Ok(Reply::Measured(measured))) => {
                assert!(measured.counter > self.measured, "{measured:?} after {}", self.measured);
                self.measured = measured.counter;
            }
            (Command::Retire { id }, Ok(_)) => drop(self.keys.remove(id)),
            (Command::Retire { id }, Err(Error::Platform(_))) => {
                self.keys.entry(id.clone()).and_modify(|found| found.push(None));
            }
            (Command::Generate { scheme, key_type, usage, seed }, Err(Error::Platform(_))) => match seed {
                None => self.unnamed.push((*scheme, *key_type, *usage)),
                Some(seed) => {
                    // Of a seed that is none, no key is made.
                    let Ok(key) = Key::from_secret(*scheme, &seed.0) else { return };
                    let id = KeyId { scheme: *scheme, key_type: *key_type, public: key.public() };
                    let found = self.keys.entry(id.clone()).or_insert_with(|| vec![None]);
                    for before in found.clone() {
                        let usage = before.map_or(*usage, |known| known.usage);
                        found.push(Some(KeyInfo { id: id.clone(), usage, origin: Origin::Seeded }));
                    }
                }
            },
            _ => {}
        }
    }

    /// Looks what is there: all that was promised, nothing else, and each key whole. What was in doubt is known now.
    pub(super) fn settle(&mut self, tee: &mut TestTee) {
        let listed = tee.list(64).expect("the store opens");
        assert!(listed.windows(2).all(|pair| pair[0].id < pair[1].id), "in order, so none is there twice");
        let mut settled = BTreeMap::new();
        for info in &listed {
            match self.keys.remove(&info.id) {
                Some(expected) => assert!(expected.contains(&Some(info.clone())), "{info:?} of {expected:?}"),
                None => {
                    let made = (info.id.scheme, info.id.key_type, info.usage);
                    let unnamed = self.unnamed.iter().position(|unnamed| *unnamed == made);
                    self.unnamed.swap_remove(unnamed.unwrap_or_else(|| panic!("nobody made {info:?}")));
                    assert_eq!(info.origin, Origin::Generated);
                }
            }
            settled.insert(info.id.clone(), vec![Some(info.clone())]);
            serves(tee, &info.id);
        }
        for (id, expected) in &self.keys {
            assert!(expected.contains(&None), "lost: {id:?}");
        }
        assert_eq!(tee.info().keys, Some(listed.len() as u32));

        let mut objects: Vec<Vec<u8>> = listed.iter().map(|info| store::key_name(&info.id)).collect();
        objects.push(b"meta".to_vec());
        objects.sort();
        let marks: Vec<Vec<u8>> = listed.iter().map(|info| store::watermark_name(&info.id)).collect();
        let others = tee.objects.keys().filter(|name| *name != COUNTER && !marks.contains(name));
        assert!(others.eq(&objects), "nothing is there but the keys, their watermarks, `meta` and the counter");
        assert!(tee.cell.is_some());
        assert!(number(tee.objects.get(COUNTER)) >= self.measured);
        let asked: Vec<u64> = tee.nonces.iter().map(|(_, counter)| number(counter.as_ref())).collect();
        assert!(asked.windows(2).all(|pair| pair[0] < pair[1]), "the platform got a number twice: {asked:?}");
        *self = Promises { keys: settled, unnamed: vec![], measured: self.measured };
    }

    /// The keys that are there for certain.
    pub(super) fn certain(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().filter(|(_, found)| !found.contains(&None)).map(|(id, _)| id)
    }
}

/// The number in the object of the counter; 0 if there is none.
fn number(object: Option<&Vec<u8>>) -> u64 {
    object.map_or(0, |object| <(u8, u64)>::decode_all(&mut &object[..]).expect("whole").1)
}

/// The key signs what it may sign always.
fn serves(tee: &mut TestTee, id: &KeyId) {
    assert_eq!(tee.ask(Command::Has { id: id.clone() }), Ok(Reply::Has(true)));
    assert!(tee.sign(id, &possession(&[7; 32]), Context::None).is_ok(), "{id:?}");
}

/// Something that keys of a type sign, session keys once only.
pub(super) fn allowed(key_type: KeyType) -> (Vec<u8>, Context) {
    match &key_type {
        b"aura" => {
            let header = header(5, 9, &[]);
            (blake2_256(&header).to_vec(), Context::Header(header))
        }
        b"gran" => (vote(1, 2, 3), Context::None),
        _ => (b"message".to_vec(), Context::None),
    }
}

/// The failure that every accident is told as.
pub(super) const ACCIDENT: Error = Error::Platform(FAULT.0);
