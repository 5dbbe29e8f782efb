//! Composes the client: network, pool, Aura, GRANDPA, and the signer wherever a keystore goes.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use holdfast_runtime::{opaque::Block, RuntimeApi};
use keystore_tee::Identity;
use sc_client_api::{Backend as _, BlockBackend};
use sc_consensus_aura::{BuildAuraWorkerParams, ImportQueueParams, SlotProportion};
use sc_consensus_grandpa::{GrandpaParams, SharedVoterState, VotingRulesBuilder};
use sc_consensus_slots::{BackoffAuthoringOnFinalizedHeadLagging, SimpleSlotWorkerToSlotWorker};
use sc_service::{error::Error, Configuration, KeystoreContainer, TaskManager};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool::TransactionPoolHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_aura::sr25519::AuthorityPair as AuraPair;

use crate::{
    exit::LastWord,
    rpc,
    sealing::HeaderToSigner,
    signer::{admitted, lease, other, place, policy, Embedded, Plan, ReleaseOnExit, Signer},
    voting::AwaitTee,
};

type FullClient = sc_service::TFullClient<Block, RuntimeApi, sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>>;
type FullBackend = sc_service::TFullBackend<Block>;
type FullSelectChain = sc_consensus::LongestChain<FullBackend, Block>;
type FullGrandpaBlockImport = sc_consensus_grandpa::GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;

/// Blocks between two justifications that are kept (and after which one is made in any case).
const GRANDPA_JUSTIFICATION_PERIOD: u32 = 512;

/// The parts of a service that subcommands use too.
pub(crate) type Service = sc_service::PartialComponents<
    FullClient,
    FullBackend,
    FullSelectChain,
    sc_consensus::DefaultImportQueue<Block>,
    TransactionPoolHandle<Block, FullClient>,
    (FullGrandpaBlockImport, sc_consensus_grandpa::LinkHalf<Block, FullClient, FullSelectChain>, Option<Telemetry>),
>;

/// Builds the parts, without network or signer.
pub(crate) fn new_partial(config: &Configuration) -> Result<Service, Error> {
    let telemetry = config
        .telemetry_endpoints
        .clone()
        .filter(|endpoints| !endpoints.is_empty())
        .map(|endpoints| -> Result<_, sc_telemetry::Error> {
            let worker = TelemetryWorker::new(16)?;
            let telemetry = worker.handle().new_telemetry(endpoints);
            Ok((worker, telemetry))
        })
        .transpose()?;

    let executor = sc_service::new_wasm_executor::<sp_io::SubstrateHostFunctions>(&config.executor);
    let (client, backend, keystore_container, task_manager) = sc_service::new_full_parts::<Block, RuntimeApi, _>(
        config,
        telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
        executor,
        Vec::new(),
    )?;
    let client = Arc::new(client);

    let telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager.spawn_handle().spawn("telemetry", None, worker.run());
        telemetry
    });

    let select_chain = sc_consensus::LongestChain::new(backend.clone());

    let transaction_pool = Arc::from(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );

    let (grandpa_block_import, grandpa_link) = sc_consensus_grandpa::block_import(
        client.clone(),
        GRANDPA_JUSTIFICATION_PERIOD,
        &client,
        select_chain.clone(),
        telemetry.as_ref().map(|telemetry| telemetry.handle()),
    )?;

    let slots_of = client.clone();
    let import_queue = sc_consensus_aura::import_queue::<AuraPair, _, _, _, _, _>(ImportQueueParams {
        block_import: grandpa_block_import.clone(),
        justification_import: Some(Box::new(grandpa_block_import.clone())),
        client: client.clone(),
        create_inherent_data_providers: move |parent, _| {
            let client = slots_of.clone();
            async move {
                let slot_duration = sc_consensus_aura::standalone::slot_duration_at(&*client, parent)?;
                Ok(inherent_data(slot_duration))
            }
        },
        spawner: &task_manager.spawn_essential_handle(),
        registry: config.prometheus_registry(),
        check_for_equivocation: Default::default(),
        telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
        compatibility_mode: Default::default(),
    })?;

    Ok(sc_service::PartialComponents {
        client,
        backend,
        task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (grandpa_block_import, grandpa_link, telemetry),
    })
}

/// Builds and starts the whole node.
pub(crate) async fn new_full<N>(
    mut config: Configuration,
    plan: Plan,
    last_word: LastWord,
) -> Result<TaskManager, Error>
where
    N: sc_network::NetworkBackend<Block, <Block as sp_runtime::traits::Block>::Hash>,
{
    if plan != Plan::Local {
        // Nothing may lie in a directory of key files: the keystore that the client's parts bring is never used.
        config.keystore = sc_service::config::KeystoreConfig::InMemory;
    }
    let sc_service::PartialComponents {
        client,
        backend,
        mut task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: (block_import, grandpa_link, mut telemetry),
    } = new_partial(&config)?;

    let genesis_hash = client.block_hash(0)?.ok_or_else(|| other("the database has no genesis block".into()))?;

    let identity = lease::identity(&mut config.network)?;
    let signer = start_signer(&plan, identity, &keystore_container, &mut task_manager).await?;
    if let (Signer::Tee(keystore), Some(registry)) = (&signer, config.prometheus_registry()) {
        keystore.register_metrics(registry).map_err(|e| other(format!("cannot register metrics: {e}")))?;
    }
    let (chain_type, authority) = (config.chain_spec.chain_type(), config.role.is_authority());
    signer.connect(genesis_hash.0, chain_type, authority, config.dev_key_seed.is_some()).await?;
    let voter_state = SharedVoterState::empty();
    if let Some(keystore) = signer.tee().filter(|_| authority) {
        let database = client.clone();
        keystore.follow(move || place::read(&*database));
        let set = grandpa_link.shared_authority_set().clone();
        let rounds = lease::Rounds { voter: voter_state.clone(), set };
        // Essential: a node whose vote is waited for and not asked for has to end.
        let overdue = policy::end_when_overdue(keystore.clone(), last_word.clone());
        task_manager.spawn_essential_handle().spawn("signer-overdue", None, overdue);
        lease::spawn(&task_manager, keystore, client.clone(), rounds, last_word.clone());
    }

    let metrics = N::register_notification_metrics(config.prometheus_registry());
    let mut net_config = sc_network::config::FullNetworkConfiguration::<Block, _, N>::new(
        &config.network,
        config.prometheus_registry().cloned(),
    );
    let grandpa_protocol_name = sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
    let (grandpa_protocol_config, grandpa_notification_service) = sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
        grandpa_protocol_name.clone(),
        metrics.clone(),
        net_config.peer_store_handle(),
    );
    net_config.add_notification_protocol(grandpa_protocol_config);

    let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
        backend.clone(),
        grandpa_link.shared_authority_set().clone(),
        Vec::new(),
    ));

    let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: transaction_pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: Some(sc_service::WarpSyncConfig::WithProvider(warp_sync)),
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    if config.offchain_worker.enabled {
        let offchain_workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
            runtime_api_provider: client.clone(),
            is_validator: config.role.is_authority(),
            keystore: Some(signer.keystore()),
            offchain_db: backend.offchain_storage(),
            transaction_pool: Some(OffchainTransactionPoolFactory::new(transaction_pool.clone())),
            network_provider: Arc::new(network.clone()),
            enable_http_requests: true,
            custom_extensions: |_| vec![],
        })?;
        task_manager.spawn_handle().spawn(
            "offchain-workers-runner",
            "offchain-worker",
            offchain_workers.run(client.clone(), task_manager.spawn_handle()).boxed(),
        );
    }

    let role = config.role;
    let force_authoring = config.force_authoring;
    let name = config.network.node_name.clone();
    let enable_grandpa = !config.disable_grandpa;
    let chain_type = config.chain_spec.chain_type();
    let prometheus_registry = config.prometheus_registry().cloned();

    let rpc_builder = {
        let (client, pool, signer) = (client.clone(), transaction_pool.clone(), signer.clone());
        Box::new(move |_| {
            rpc::create_full(rpc::FullDeps { client: client.clone(), pool: pool.clone(), signer: signer.clone() })
                .map_err(Into::into)
        })
    };

    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        network: network.clone(),
        client: client.clone(),
        keystore: signer.keystore(),
        task_manager: &mut task_manager,
        transaction_pool: transaction_pool.clone(),
        rpc_builder,
        backend,
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync_service.clone(),
        config,
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    if role.is_authority() {
        let proposer_factory = sc_basic_authorship::ProposerFactory::new(
            task_manager.spawn_handle(),
            client.clone(),
            transaction_pool.clone(),
            prometheus_registry.as_ref(),
            telemetry.as_ref().map(|telemetry| telemetry.handle()),
        );
        let slot_duration = sc_consensus_aura::slot_duration(&*client)?;
        let worker = sc_consensus_aura::build_aura_worker::<AuraPair, _, _, _, _, _, _, _, _>(BuildAuraWorkerParams {
            client: client.clone(),
            block_import,
            proposer_factory,
            sync_oracle: sync_service.clone(),
            justification_sync_link: sync_service.clone(),
            force_authoring,
            backoff_authoring_blocks: Some(BackoffAuthoringOnFinalizedHeadLagging::default()),
            keystore: signer.keystore(),
            block_proposal_slot_portion: SlotProportion::new(2f32 / 3f32),
            max_block_proposal_slot_portion: None,
            telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
            compatibility_mode: Default::default(),
        });
        let aura = sc_consensus_slots::start_slot_worker(
            slot_duration,
            select_chain,
            SimpleSlotWorkerToSlotWorker(HeaderToSigner::new(worker, signer.tee(), slot_duration)),
            sync_service.clone(),
            move |_, ()| async move { Ok(inherent_data(slot_duration)) },
        )
        .boxed();
        let (keystore, chain_type) = (signer.tee(), chain_type.clone());
        let aura = async move {
            if admitted(keystore, chain_type).await {
                aura.await
            }
        };
        // Essential: a node that silently stopped authoring would be worse than one that ends.
        task_manager.spawn_essential_handle().spawn_blocking("aura", Some("block-authoring"), aura);
    }

    if enable_grandpa {
        let config = sc_consensus_grandpa::Config {
            gossip_duration: Duration::from_millis(333),
            justification_generation_period: GRANDPA_JUSTIFICATION_PERIOD,
            name: Some(name),
            observer_enabled: false,
            keystore: role.is_authority().then(|| signer.keystore()),
            local_role: role,
            telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
            protocol_name: grandpa_protocol_name,
        };
        let params = GrandpaParams {
            config,
            link: grandpa_link,
            network,
            sync: Arc::new(sync_service),
            notification_service: grandpa_notification_service,
            voting_rule: VotingRulesBuilder::default().add(AwaitTee(signer.tee())).build(),
            prometheus_registry,
            shared_voter_state: voter_state,
            telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(transaction_pool),
        };
        let keystore = signer.tee().filter(|_| role.is_authority());
        let voter = async move {
            // GRANDPA asks whether the node holds a voter's key once for each round, and once when it makes a voter, for
            // the commits; it keeps the answers. Before the signer's keys were ever read and the node's role is known
            // there is none to give, so a voter starts after that.
            if !admitted(keystore.clone(), chain_type).await {
                return;
            }
            match sc_consensus_grandpa::run_grandpa_voter(params) {
                Ok(voter) => voter.await,
                Err(e) => log::error!("GRANDPA does not start: {e}"),
            }
            if let Some(keystore) = keystore {
                policy::voter_ended(&keystore, &*client, &last_word);
            }
        };
        task_manager.spawn_essential_handle().spawn_blocking("grandpa-voter", None, voter);
    }

    Ok(task_manager)
}

/// What a block carries of the time: its timestamp and its slot.
fn inherent_data(
    slot_duration: sp_consensus_slots::SlotDuration,
) -> (sp_consensus_aura::inherents::InherentDataProvider, sp_timestamp::InherentDataProvider) {
    let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
    let slot =
        sp_consensus_aura::inherents::InherentDataProvider::from_timestamp_and_slot_duration(*timestamp, slot_duration);
    (slot, timestamp)
}

/// Makes the signer that was planned, and lets the service's end release what waits in it.
async fn start_signer(
    plan: &Plan,
    identity: Identity,
    local: &KeystoreContainer,
    task_manager: &mut TaskManager,
) -> Result<Signer, Error> {
    let uri = match plan {
        Plan::Nobody => return Ok(Signer::Nobody),
        Plan::Local => {
            log::warn!("🔓 Session keys lie in files (--keystore local): no TEE signs for this node");
            return Ok(Signer::Local(local.keystore()));
        }
        Plan::Daemon(endpoint) => endpoint.to_string(),
        Plan::Embedded(store) => {
            let embedded = Embedded::start(store).await?;
            let uri = embedded.uri().to_owned();
            task_manager.keep_alive(embedded);
            uri
        }
    };
    let keystore =
        keystore_tee::TEEKeystore::deferred(&uri, identity).map_err(|e| other(format!("--keystore-uri {uri}: {e}")))?;
    log::info!("🔑 Session keys are those of the signer at {uri}");
    let keystore = Arc::new(keystore);
    let release = ReleaseOnExit(keystore.clone());
    task_manager.spawn_handle().spawn("release-signer", None, async move {
        let _release = release;
        futures::future::pending::<()>().await
    });
    Ok(Signer::Tee(keystore))
}
