//! A chain whose every seal and vote is made in OP-TEE's secure world.

use anyhow::Result;
use holdfast_e2e::{
    chain::{account_of, Authority, Kind, Timing},
    directory,
    node::Setup,
    operator::Operator,
    optee::{Machine, Variant},
    proof, Chain, SLOT, SOON,
};

/// Blocks that must be final.
const BLOCKS: u32 = 20;

// Rule 1.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_whose_session_keys_were_made_in_op_tee_finalises_twenty_blocks() -> Result<()> {
    let directory = directory()?;
    let machine = Machine::new(directory.path(), "machine")?;
    let mut guest = machine.boot(Variant::Production).await?;
    let uri = guest.start_daemon().await?;
    let keys = Operator::connect(&uri).await?.session_keys().await?;
    let authority = Authority { account: account_of("Alice"), keys };
    let chain = Chain::with(directory.path(), Kind::Local, Timing::default(), &[authority])?;

    let node = Setup::new(directory.path(), "node", &chain).with(&["--validator", "--keystore-uri", &uri]);
    let node = node.start().await?;
    let rpc = node.rpc();
    let last = rpc.wait_finalised(BLOCKS, SLOT * BLOCKS + SOON).await?;

    let status = rpc.tee_status().await?;
    assert_eq!((&status["kind"], &status["simulated"]), (&"OP-TEE".into(), &false.into()), "{status}");
    let authors = proof::authors_until(rpc, last.number).await?;
    assert!(authors.iter().all(|author| *author == keys.aura), "{authors:?}");
    assert_eq!(rpc.grandpa_authorities(last.hash()).await?, [keys.grandpa]);

    let mut slots = Vec::new();
    for number in 1..=BLOCKS {
        slots.push(proof::slot_of(&rpc.header_at(number).await?)?);
    }
    let missed: Vec<u64> = slots.windows(2).flat_map(|pair| pair[0] + 1..pair[1]).collect();
    println!(
        "{} slots missed of {} after the first block: {missed:?}",
        missed.len(),
        slots[slots.len() - 1] - slots[0]
    );
    for line in node.log().lines().iter().filter(|line| line.contains("WARN") || line.contains("ERROR")) {
        println!("{line}");
    }
    println!("{}", guest.run("wget -q -O - http://127.0.0.1:9616/metrics | grep ta_seconds_[sc]")?);
    Ok(())
}
