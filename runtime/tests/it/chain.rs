//! A chain in memory.

use codec::{Decode, Encode};
use holdfast_runtime::{
    AccountId, Address, Aura, Authorship, Executive, Header, Runtime, RuntimeCall, Session, SessionKeys, Signature,
    SignedPayload, System, TxExtension, UncheckedExtrinsic,
};
use pallet_transaction_payment::ChargeTransactionPayment;
use serde_json::Value;
use sp_consensus_aura::{Slot, AURA_ENGINE_ID};
use sp_consensus_grandpa::runtime_decl_for_grandpa_api::GrandpaApiV3;
use sp_core::H256;
use sp_genesis_builder::runtime_decl_for_genesis_builder::GenesisBuilderV1;
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring;
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_runtime::{
    generic::{Digest, Era},
    traits::Header as _,
    ApplyExtrinsicResult, ConsensusEngineId, DigestItem,
};
use sp_session::runtime_decl_for_session_keys::SessionKeysV2;

/// The slot of genesis. Any but zero: a timestamp of zero reads as none.
const GENESIS_SLOT: u64 = 1_000;

/// A chain whose blocks are made one after the other, each in the next slot.
pub(crate) struct Chain {
    state: TestExternalities,
    parent: H256,
}

/// What came of a block.
pub(crate) struct Made {
    pub(crate) header: Header,
    /// Who authored it, by pallet-authorship.
    pub(crate) author: Option<AccountId>,
    /// What came of its transactions, in order.
    pub(crate) results: Vec<ApplyExtrinsicResult>,
}

impl Chain {
    /// A chain of this preset, with sessions of `session_length` blocks.
    pub(crate) fn new(preset: &str, session_length: u32) -> Self {
        Self::patched(preset, serde_json::json!({ "timing": { "sessionLength": session_length } }))
    }

    /// A chain of this preset and a patch to it.
    pub(crate) fn patched(preset: &str, patch: Value) -> Self {
        let mut state = TestExternalities::default();
        state.register_extension(KeystoreExt::new(MemoryKeystore::new()));
        state.execute_with(|| build(preset, patch)).expect("the genesis is well-formed");
        Self { state, parent: H256::repeat_byte(1) }
    }

    /// Reads the state.
    pub(crate) fn read<R>(&mut self, question: impl FnOnce() -> R) -> R {
        self.state.execute_with(question)
    }

    /// The next block, with these transactions, each from an account.
    pub(crate) fn block(&mut self, transactions: Vec<(Sr25519Keyring, RuntimeCall)>) -> Made {
        let slot = GENESIS_SLOT + u64::from(self.read(System::block_number)) + 1;
        self.block_in(slot, transactions)
    }

    /// The next block, at the start of this slot.
    pub(crate) fn block_in(&mut self, slot: u64, transactions: Vec<(Sr25519Keyring, RuntimeCall)>) -> Made {
        let now = slot * self.read(Aura::slot_duration);
        self.block_at(slot, now, transactions)
    }

    /// The next block, in this slot and at this time in milliseconds.
    pub(crate) fn block_at(&mut self, slot: u64, now: u64, transactions: Vec<(Sr25519Keyring, RuntimeCall)>) -> Made {
        let parent = self.parent;
        let made = self.read(|| {
            let seal = DigestItem::PreRuntime(AURA_ENGINE_ID, Slot::from(slot).encode());
            let number = System::block_number() + 1;
            let digest = Digest { logs: vec![seal] };
            let header = Header::new(number, H256::zero(), H256::zero(), parent, digest);

            Executive::initialize_block(&header);
            let author = Authorship::author();
            let timestamp = UncheckedExtrinsic::new_bare(pallet_timestamp::Call::set { now }.into());
            Executive::apply_extrinsic(timestamp).expect("the inherent is valid").expect("the timestamp is taken");
            let results =
                transactions.into_iter().map(|(who, call)| Executive::apply_extrinsic(signed(who, call))).collect();
            Made { header: Executive::finalize_block(), author, results }
        });
        self.parent = made.header.hash();
        made
    }

    /// Empty blocks up to and with block `number`.
    pub(crate) fn blocks_to(&mut self, number: u32) -> Vec<Made> {
        let next = self.read(System::block_number) + 1;
        (next..=number).map(|_| self.block(vec![])).collect()
    }

    /// New session keys for `owner`, with their proof of possession.
    pub(crate) fn generate(&mut self, owner: Sr25519Keyring) -> (SessionKeys, Vec<u8>) {
        let generated = self.read(|| Runtime::generate_session_keys(account(owner).encode(), None));
        let keys = SessionKeys::decode(&mut &generated.keys[..]).expect("two public keys");
        (keys, generated.proof)
    }

    /// Who seals and who votes now, as the node is told.
    pub(crate) fn authorities(&mut self) -> Vec<SessionKeys> {
        self.read(|| {
            let aura = pallet_aura::Authorities::<Runtime>::get();
            let grandpa = Runtime::grandpa_authorities();
            assert_eq!(aura.len(), grandpa.len());
            let both = aura.into_iter().zip(grandpa);
            both.map(|(aura, (grandpa, _))| SessionKeys { aura, grandpa }).collect()
        })
    }

    /// GRANDPA's set id.
    pub(crate) fn set_id(&mut self) -> u64 {
        self.read(Runtime::current_set_id)
    }

    /// The validators' accounts.
    pub(crate) fn validators(&mut self) -> Vec<AccountId> {
        self.read(Session::validators)
    }
}

impl Made {
    /// Who among Aura and GRANDPA told the client of new authorities in this block.
    pub(crate) fn consensus_changes(&self) -> Vec<ConsensusEngineId> {
        let logs = self.header.digest.logs.iter();
        logs.filter_map(|log| log.as_consensus().map(|(engine, _)| engine)).collect()
    }
}

/// Builds a genesis as the node does: the default, patched by the preset, patched by `patch`.
pub(crate) fn build(preset: &str, patch: Value) -> Result<(), String> {
    let parse = |json: Option<Vec<u8>>| -> Value {
        serde_json::from_slice(&json.expect("there is such a preset")).expect("presets are JSON")
    };
    let mut genesis = parse(Runtime::get_preset(&None));
    merge(&mut genesis, parse(Runtime::get_preset(&Some(preset.into()))));
    merge(&mut genesis, patch);
    Runtime::build_state(genesis.to_string().into_bytes())
}

/// The account of a well-known key.
pub(crate) fn account(who: Sr25519Keyring) -> AccountId {
    who.public().into()
}

/// Applies a JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    target.remove(&name);
                } else {
                    merge(target.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch,
    }
}

/// A transaction with the account's next nonce.
fn signed(who: Sr25519Keyring, call: RuntimeCall) -> UncheckedExtrinsic {
    let extension: TxExtension = (
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckEra::from(Era::Immortal),
        frame_system::CheckNonce::from(System::account_nonce(account(who))),
        frame_system::CheckWeight::new(),
        ChargeTransactionPayment::from(0),
        frame_metadata_hash_extension::CheckMetadataHash::new(false),
        frame_system::WeightReclaim::new(),
    );
    let payload = SignedPayload::new(call, extension).expect("the extensions know the chain");
    let signature = Signature::from(payload.using_encoded(|bytes| who.sign(bytes)));
    let (call, extension, _) = payload.deconstruct();
    UncheckedExtrinsic::new_signed(call, Address::Id(account(who)), signature, extension)
}
