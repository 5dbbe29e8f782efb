//! Validators, each a node and a signer daemon of its own, on a chain whose session keys their own trusted
//! applications have made.
//!
//! | in the network's directory | |
//! |---|---|
//! | `chain.json` | the chain; its validators' accounts are the well-known ones, their session keys are not |
//! | `alice/alice-host*` | the first validator's daemon: configuration, socket, store, log |
//! | `alice/alice-node*` | its node: network key, database, log |
//! | `alice/alice-standby*` | its second node, if it has one, on the same daemon |

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{bail, ensure, Context, Result};
use rustix::{
    fs::{flock, FlockOperation},
    io::Errno,
    process::Signal,
};
use sp_core::sr25519;

use crate::{
    chain::{account_of, Authority, Kind, SessionKeys, Timing},
    host::Leases,
    node::{self, Ports, Setup},
    operator::Operator,
    ports::Port,
    process::Process,
    proof,
    rpc::{Heads, Rpc},
    search, within, Chain, HostProcess, NodeProcess,
};

/// The accounts that can be validators, in order.
pub const NAMES: [&str; 6] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"];

/// For how long a lease lasts, unless a test chooses another.
pub const LEASE: Duration = Duration::from_secs(3);

/// How long a daemon has to end after a failed start.
const FAREWELL: Duration = Duration::from_secs(15);

/// How a network is made, and started again.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many validators. GRANDPA needs more than two thirds of them: three of three, three of four.
    pub validators: usize,
    /// How fast the chain goes.
    pub timing: Timing,
    /// How the daemons lease their keys.
    pub leases: Leases,
    /// The first validator's port for RPC, the next ones have the next; 0 for any.
    pub rpc_port: u16,
    /// The same for metrics.
    pub prometheus_port: u16,
}

impl Default for Settings {
    fn default() -> Settings {
        let leases = Leases::Of(LEASE);
        Settings { validators: 4, timing: Timing::default(), leases, rpc_port: 0, prometheus_port: 0 }
    }
}

/// A running network.
pub struct Network {
    directory: PathBuf,
    settings: Settings,
    chain: Chain,
    /// The addresses of all first nodes.
    addresses: Vec<String>,
    /// In the order in which slots are theirs.
    pub validators: Vec<Validator>,
    _lock: File,
}

/// One validator.
pub struct Validator {
    /// Its account's name, in lower case.
    pub name: String,
    /// Its keys at genesis.
    pub keys: SessionKeys,
    /// Its daemon.
    pub host: HostProcess,
    /// Its node.
    pub node: NodeProcess,
    /// Its second node, on the same daemon.
    pub standby: Option<NodeProcess>,
    /// The ports of both.
    ports: Vec<Port>,
}

impl Network {
    /// Starts the network in `directory`, with the keys and the chain that an earlier one has left there, and waits
    /// until every node's RPC serves.
    pub async fn start(directory: &Path, settings: Settings) -> Result<Network> {
        let lock = lock(directory)?;
        let names = NAMES.get(..settings.validators).filter(|names| !names.is_empty());
        let names = names.with_context(|| format!("a network has 1 to {} validators", NAMES.len()))?;
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        let mut hosts = Vec::new();
        let started = match start_all(directory, &settings, &names, &mut hosts).await {
            Ok(started) => started,
            Err(reason) => {
                // The nodes are gone. A daemon that is asked to end takes its socket with it; the reason is the error,
                // however that goes.
                for host in &mut hosts {
                    let _ = host.terminate(FAREWELL).await;
                }
                return Err(reason);
            }
        };
        let Started { chain, keys, addresses, nodes } = started;
        let parts = names.into_iter().zip(keys).zip(hosts).zip(nodes);
        let validators = parts.map(|(((name, keys), host), (node, port))| Validator {
            name,
            keys,
            host,
            node,
            standby: None,
            ports: vec![port],
        });
        let validators = validators.collect();
        Ok(Network { directory: directory.to_owned(), settings, chain, addresses, validators, _lock: lock })
    }

    /// Gives a validator a second node, with the same session keys on the same daemon and a network key of its own.
    pub async fn start_standby(&mut self, validator: usize) -> Result<()> {
        let Validator { name, host, standby, ports, .. } = &mut self.validators[validator];
        let own = self.directory.join(&*name);
        let peer = Peer::new(&own, &format!("{name}-standby"))?;
        let listening = Ports { p2p: peer.port.number(), ..Ports::default() };
        let setup = validator_node(&own, name, "standby", &self.chain, host, &peer, &self.addresses);
        let node = setup.listening_on(listening).start().await;
        *standby = Some(node.with_context(|| format!("{name}'s standby node does not start"))?);
        ports.push(peer.port);
        Ok(())
    }

    /// Removes the database of a validator's node, which does not run. Its keys and what they have signed stay where
    /// they are, in the daemon's TEE.
    pub fn purge(&self, validator: usize) -> Result<()> {
        let base_path = self.base_path(validator).display().to_string();
        let purge = ["purge-chain", "-y", "--chain", &self.chain.argument(), "--base-path", &base_path];
        let output = node::subcommand(&purge)?;
        ensure!(output.status.success(), "{}: {}", purge.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Where a validator's first node has its database. Its network key lies beside it.
    pub fn base_path(&self, validator: usize) -> PathBuf {
        let name = &self.validators[validator].name;
        self.directory.join(name).join(format!("{name}-node"))
    }

    /// A node's view that the fate of `validator` does not touch.
    pub fn seen_without(&self, validator: usize) -> &Rpc {
        self.validators[(validator + 1) % self.validators.len()].node.rpc()
    }

    /// Every process that has been started, the nodes first.
    pub fn processes(&mut self) -> Vec<&mut Process> {
        let (mut nodes, mut hosts) = (Vec::new(), Vec::new());
        for Validator { host, node, standby, .. } in &mut self.validators {
            nodes.push(node.process());
            nodes.extend(standby.as_mut().map(NodeProcess::process));
            hosts.push(host.process());
        }
        nodes.extend(hosts);
        nodes
    }

    /// An error if any process has ended.
    pub fn check_running(&mut self) -> Result<()> {
        self.processes().into_iter().try_for_each(Process::check_running)
    }

    /// Awaits a block of the best chain that `validator` sealed in a later slot than `slot`, as another's node sees it,
    /// and one more vote that its daemon gives to its first node.
    pub async fn wait_signs(&self, validator: usize, slot: u64, limit: Duration) -> Result<()> {
        let Validator { name, keys, node, .. } = &self.validators[validator];
        let votes = node.signatures("gran").await?;
        let rpc = self.seen_without(validator);
        let authorities = self.aura_authorities();
        let sealed = |header: &_| {
            proof::slot_of(header).is_ok_and(|sealed| sealed > slot)
                && proof::verify_seal(header, &authorities).is_ok_and(|author| author == keys.aura)
        };
        rpc.wait_head(Heads::Best, limit, &format!("a block of {name}'s"), sealed).await?;
        wait_votes(node, votes, limit).await.with_context(|| format!("{name} does not vote"))
    }

    /// Whose turn it is to seal, in order of slots.
    pub fn aura_authorities(&self) -> Vec<sr25519::Public> {
        self.validators.iter().map(|validator| validator.keys.aura).collect()
    }

    /// The slot that it is now.
    pub fn slot_now(&self) -> Result<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok((now.as_millis() / self.settings.timing.slot.as_millis()) as u64)
    }

    /// The files that hold a validator's session key in the clear, outside the store of its own software TEE, and
    /// those that are named as key files are.
    pub fn leaked_keys(&self) -> Result<Vec<PathBuf>> {
        let mut secrets = Vec::new();
        let mut found = Vec::new();
        for Validator { keys, host, .. } in &self.validators {
            let store = host.store();
            secrets.push((search::sr25519_secret(&store, &keys.aura)?, store.clone()));
            secrets.push((search::ed25519_secret(&store, &keys.grandpa)?, store));
            found.extend(search::key_files(&self.directory, "aura", &keys.aura.0)?);
            found.extend(search::key_files(&self.directory, "gran", &keys.grandpa.0)?);
        }
        let sought: Vec<&[u8]> = secrets.iter().map(|(secret, _)| secret.as_slice()).collect();
        for (files, (_, store)) in search::files_with_each(&self.directory, &sought)?.into_iter().zip(&secrets) {
            found.extend(search::outside(store, files)?);
        }
        Ok(found)
    }

    /// What the logs of all processes tell of equivocations, and what any daemon has signed twice.
    pub fn equivocations(&self) -> Result<Vec<String>> {
        let mut found = search::equivocations(&self.directory)?;
        for Validator { name, host, .. } in &self.validators {
            found.extend(host.audit()?.signed_twice().iter().map(|entry| format!("{name} signed twice: {entry:?}")));
        }
        Ok(found)
    }

    /// Ends all nodes, then all daemons, gracefully. What does not end within `limit` is killed, and is an error.
    pub async fn stop(&mut self, limit: Duration) -> Result<()> {
        let mut late = Vec::new();
        let (nodes, hosts): (Vec<_>, Vec<_>) =
            self.processes().into_iter().partition(|process| !process.name().ends_with("-host"));
        for group in [nodes, hosts] {
            let mut running = Vec::new();
            for process in group {
                if process.check_running().is_ok() {
                    process.signal(Signal::TERM)?;
                    running.push(process);
                }
            }
            for process in running {
                if process.wait_exit(limit).await.is_err() {
                    process.kill()?;
                    late.push(process.name().to_owned());
                }
            }
        }
        ensure!(late.is_empty(), "did not end within {limit:?} and were killed: {}", late.join(", "));
        Ok(())
    }
}

/// Awaits more than `before` votes that its daemon has given to a node. No event tells of them, so this asks.
pub async fn wait_votes(node: &NodeProcess, before: u64, limit: Duration) -> Result<()> {
    let asking = async {
        let mut pause = tokio::time::interval(Duration::from_millis(100));
        while node.signatures("gran").await? <= before {
            pause.tick().await;
        }
        anyhow::Ok(())
    };
    within(limit, "a vote", asking).await?
}

/// What a network has beside its daemons.
struct Started {
    chain: Chain,
    keys: Vec<SessionKeys>,
    addresses: Vec<String>,
    /// With the ports on which other nodes find them.
    nodes: Vec<(NodeProcess, Port)>,
}

/// Starts everything. The daemons that have started are in `hosts`, after an error too.
async fn start_all(
    directory: &Path,
    settings: &Settings,
    names: &[String],
    hosts: &mut Vec<HostProcess>,
) -> Result<Started> {
    for name in names {
        let own = directory.join(name);
        std::fs::create_dir_all(&own).with_context(|| format!("cannot make {}", own.display()))?;
        let host = HostProcess::start_with(&own, &format!("{name}-host"), settings.leases).await;
        hosts.push(host.with_context(|| format!("{name}'s signer daemon does not start"))?);
    }
    let (chain, keys) = chain_of(directory, settings, hosts).await?;
    let mut peers = Vec::new();
    for name in names {
        peers.push(Peer::new(&directory.join(name), &format!("{name}-node"))?);
    }
    let addresses: Vec<String> = peers.iter().map(Peer::address).collect();
    let mut launched = Vec::new();
    for (number, ((name, host), peer)) in names.iter().zip(&*hosts).zip(&peers).enumerate() {
        let port = |first: u16| if first == 0 { 0 } else { first + number as u16 };
        let ports =
            Ports { p2p: peer.port.number(), rpc: port(settings.rpc_port), prometheus: port(settings.prometheus_port) };
        let own = directory.join(name);
        let setup = validator_node(&own, name, "node", &chain, host, peer, &addresses).listening_on(ports);
        let process = setup.launch()?;
        launched.push((setup, process));
    }
    let mut nodes = Vec::new();
    for ((name, peer), (setup, process)) in names.iter().zip(peers).zip(launched) {
        let node = setup.started(process).await.with_context(|| format!("{name}'s node does not start"))?;
        nodes.push((node, peer.port));
    }
    Ok(Started { chain, keys, addresses, nodes })
}

/// What makes a node the same in the eyes of others after a restart: its network key and its port.
struct Peer {
    key: PathBuf,
    id: String,
    port: Port,
}

impl Peer {
    /// Makes the network key unless it is there.
    fn new(directory: &Path, name: &str) -> Result<Peer> {
        let key = directory.join(format!("{name}.key"));
        let id = node::network_key(&key)?;
        Ok(Peer { key, id, port: Port::free()? })
    }

    fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.port.number(), self.id)
    }
}

/// A node of this validator. All nodes are told of all first ones: whoever was away is found again at once.
fn validator_node(
    own: &Path,
    name: &str,
    part: &str,
    chain: &Chain,
    host: &HostProcess,
    peer: &Peer,
    addresses: &[String],
) -> Setup {
    let (key, part) = (peer.key.display().to_string(), format!("{name}-{part}"));
    let others: Vec<&str> = addresses.iter().map(String::as_str).filter(|address| *address != peer.address()).collect();
    let setup = Setup::new(own, &part, chain)
        .with(&["--validator", "--name", &part, "--keystore-uri", &host.uri(), "--node-key-file", &key])
        // Tests verify seals against the state before them, however old.
        .with(&["--state-pruning", "archive"]);
    if others.is_empty() {
        return setup;
    }
    setup.with(&["--reserved-nodes"]).with(&others)
}

/// The chain in this directory, or a new one of the keys that the daemons' trusted applications hold.
async fn chain_of(directory: &Path, settings: &Settings, hosts: &[HostProcess]) -> Result<(Chain, Vec<SessionKeys>)> {
    let mut operators = Vec::new();
    for host in hosts {
        operators.push(Operator::connect(&host.uri()).await?);
    }
    let Some((chain, timing, authorities)) = Chain::existing(directory)? else {
        let mut authorities = Vec::new();
        for (name, operator) in NAMES.iter().zip(&operators) {
            authorities.push(Authority { account: account_of(name), keys: operator.session_keys().await? });
        }
        let chain = Chain::with(directory, Kind::Local, settings.timing, &authorities)?;
        return Ok((chain, authorities.into_iter().map(|authority| authority.keys).collect()));
    };
    let there = directory.display();
    if (timing, authorities.len()) != (settings.timing, hosts.len()) {
        bail!(
            "the chain in {there} has {} validators, slots of {:?} and sessions of {} blocks: ask for the same, or for \
             another directory, or remove this one",
            authorities.len(),
            timing.slot,
            timing.session_blocks
        );
    }
    for (authority, operator) in authorities.iter().zip(&operators) {
        if !operator.holds(&authority.keys).await? {
            bail!(
                "a store in {there} does not hold the keys with which {} validates there: remove {there} to begin a \
                 new chain",
                authority.account
            );
        }
    }
    Ok((chain, authorities.into_iter().map(|authority| authority.keys).collect()))
}

/// Keeps a second network out of the directory.
fn lock(directory: &Path) -> Result<File> {
    let path = directory.join("lock");
    let lock = File::create(&path).with_context(|| format!("cannot write to {}", directory.display()))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => {
            bail!("another network runs in {}: end it, or choose another directory", directory.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}
