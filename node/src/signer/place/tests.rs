use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use sp_blockchain::{BlockStatus, CachedHeaderMetadata, HeaderBackend, HeaderMetadata, Info, Result};
use sp_core::H256;

use super::*;

type Header = <Block as BlockT>::Header;

const KEY: AuthorityId = [7; 32];

fn round(set_id: SetId, round: RoundNumber) -> GrandpaRound {
    GrandpaRound { set_id, round }
}

/// A database whose chain is one block above genesis.
#[derive(Default)]
struct Database(Mutex<HashMap<Vec<u8>, Vec<u8>>>);

impl Database {
    fn with(key: &[u8], value: Vec<u8>) -> Self {
        Self(Mutex::new([(key.to_vec(), value)].into()))
    }
}

impl AuxStore for Database {
    fn insert_aux<
        'a,
        'b: 'a,
        'c: 'a,
        I: IntoIterator<Item = &'a (&'c [u8], &'c [u8])>,
        D: IntoIterator<Item = &'a &'b [u8]>,
    >(
        &self,
        insert: I,
        _delete: D,
    ) -> Result<()> {
        let mut values = self.0.lock().expect("no panic");
        values.extend(insert.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())));
        Ok(())
    }

    fn get_aux(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.lock().expect("no panic").get(key).cloned())
    }
}

impl HeaderBackend<Block> for Database {
    fn header(&self, _: H256) -> Result<Option<Header>> {
        Ok(None)
    }

    fn info(&self) -> Info<Block> {
        Info {
            best_hash: H256::repeat_byte(1),
            best_number: 1,
            genesis_hash: H256::zero(),
            finalized_hash: H256::zero(),
            finalized_number: 0,
            finalized_state: None,
            number_leaves: 1,
            block_gap: None,
        }
    }

    fn status(&self, _: H256) -> Result<BlockStatus> {
        Ok(BlockStatus::InChain)
    }

    fn number(&self, _: H256) -> Result<Option<u32>> {
        Ok(Some(0))
    }

    fn hash(&self, _: u32) -> Result<Option<H256>> {
        Ok(Some(H256::zero()))
    }
}

impl HeaderMetadata<Block> for Database {
    type Error = sp_blockchain::Error;

    fn header_metadata(&self, hash: H256) -> Result<CachedHeaderMetadata<Block>> {
        Err(sp_blockchain::Error::UnknownBlock(hash.to_string()))
    }

    fn insert_header_metadata(&self, _: H256, _: CachedHeaderMetadata<Block>) {}

    fn remove_header_metadata(&self, _: H256) {}
}

/// A state as its module encodes it, with votes of that kind in the first live round.
fn state(rounds: &[RoundNumber], voters: usize, votes: &[u8]) -> Vec<u8> {
    let target: Target = (H256::repeat_byte(1), 5);
    let completed: Vec<_> = rounds
        .iter()
        .map(|number| {
            (number, (Some(target), Some(target), Some(target), true), target, Vec::<SignedMessage<Header>>::new())
        })
        .collect();
    let completed = (completed, 3_u64, vec![KEY; voters]).encode();
    [&[0][..], &completed, votes].concat()
}

/// `CurrentRounds` of two rounds: this one with votes, and the next.
fn votes(number: RoundNumber, votes: impl Encode) -> Vec<u8> {
    [&[2 << 2][..], &number.encode(), &[1], &KEY, &votes.encode(), &(number + 1).encode(), &[0]].concat()
}

// The state is written by sc-consensus-grandpa itself, with the only public function of it that needs no chain.
#[test]
fn a_state_that_grandpa_has_written_is_read() {
    let authorities = vec![(KEY, 1_u64), ([8; 32], 1)];
    // An `AuthoritySet` of id 6 without pending changes.
    let set = (authorities, 6_u64, (Vec::<()>::new(), None::<u32>), Vec::<()>::new(), Vec::<()>::new()).encode();
    let database = Arc::new(Database::with(b"grandpa_voters", set));
    database.insert_aux(&[(&b"grandpa_schema_version"[..], &3_u32.encode()[..])], &[]).expect("it takes everything");
    sc_consensus_grandpa::revert::<Block, _>(database.clone(), 1).expect("there is a block to revert");
    assert_eq!(read(&*database), Ok(Place { at: round(6, 1), voted: None, needed: true, refused: None }));
}

// What the only validator of a development chain had in its database when it was killed between prevote and precommit.
#[test]
fn the_state_of_a_killed_validator_is_read() {
    let alice = sp_keyring::Ed25519Keyring::Alice.public().0;
    let wanted = Place { at: round(0, 18), voted: Some(alice), needed: true, refused: None };
    assert_eq!(place(include_bytes!("voted.scale")).expect("a good state"), wanted);
}

#[test]
fn the_votes_of_the_round_after_the_last_completed_one_are_known_whatever_their_kind() {
    let (some, target): (_, Target) = (Some((H256::repeat_byte(2), 6_u32)), (H256::repeat_byte(3), 7));
    let kinds = [
        votes(10, (0_u8, target)),
        votes(10, (1_u8, None::<Target>, target)),
        votes(10, (1_u8, some, target)),
        votes(10, (2_u8, None::<Target>, target, target)),
        votes(10, (2_u8, some, target, target)),
    ];
    for votes in kinds {
        let wanted = Place { at: round(3, 10), voted: Some(KEY), needed: true, refused: None };
        assert_eq!(place(&state(&[9, 8], 1, &votes)).expect("a good state"), wanted);
        assert_eq!(place(&state(&[10, 9], 1, &votes)).expect("a good state").voted, None, "it is in the next round");
    }
}

#[test]
fn a_paused_voter_is_in_the_next_round_and_has_not_voted() {
    let mut paused = state(&[9], 4, &[]);
    paused[0] = 1;
    let wanted = Place { at: round(3, 10), voted: None, needed: false, refused: None };
    assert_eq!(place(&paused).expect("a good state"), wanted);
}

#[test]
fn a_set_of_up_to_three_voters_needs_each_of_them_in_every_round() {
    let needed = |voters| place(&state(&[9], voters, &[0])).expect("a good state").needed;
    assert_eq!([1, 2, 3, 4].map(needed), [true, true, true, false]);
}

// Rule 7: a bad byte is an error.
#[test]
fn rule_7_a_state_that_is_cut_short_too_long_or_of_another_kind_is_an_error() {
    let good = state(&[9, 8], 2, &votes(10, (0_u8, (H256::repeat_byte(3), 7_u32))));
    assert!(place(&good).is_ok());
    for length in 0..good.len() {
        assert!(place(&good[..length]).is_err(), "{length} bytes");
    }
    assert!(place(&[&good[..], &[0]].concat()).is_err());
    assert!(place(&[&[2], &good[1..]].concat()).is_err());
    assert!(place(&state(&[9], 1, &votes(10, 3_u8))).is_err(), "a kind of vote that there is not");
    assert!(place(&state(&[], 1, &[0])).is_err(), "no round is completed");
}

#[test]
fn a_database_without_a_state_says_so_and_a_refused_vote_is_remembered() {
    assert_eq!(read(&Database::default()), Err("it has no state of a voter".into()));
    let database = Database::with(SET_STATE, state(&[9], 1, &[0]));
    assert_eq!(read(&database).expect("a good state").refused, None);
    for number in [10, 12] {
        refused(&database, round(3, number)).expect("it takes everything");
        assert_eq!(read(&database).expect("a good state").refused, Some(round(3, number)));
    }
}
