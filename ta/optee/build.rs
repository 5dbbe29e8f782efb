//! Writes the header by which OP-TEE loads the application, and the script that links it.

use holdfast_ta::optee::{DEVELOPMENT_UUID, PRODUCTION_UUID};
use optee_utee_build::{Error, TaConfig};

/// One instance serves every session, one command at a time, and stays when the last session closes: keys once loaded
/// stay in memory.
const SINGLE_INSTANCE: u32 = 1 << 2;
const MULTI_SESSION: u32 = 1 << 3;
const INSTANCE_KEEP_ALIVE: u32 = 1 << 4;

/// 12 KiB pass for every scheme, 8 KiB do not for ecdsa.
const STACK: u32 = 64 * 1024;
/// Measured with the build for tests (`holdfast-optee-bridge fault spare`): 128 keys, all loaded, take 93 KiB. The
/// longest request is there twice while it is answered, 64 KiB, beside an answer of at most 8 KiB.
const HEAP: u32 = 512 * 1024;

fn main() -> Result<(), Error> {
    let development = std::env::var_os("CARGO_FEATURE_DEVELOPMENT").is_some();
    let uuid = if development { DEVELOPMENT_UUID } else { PRODUCTION_UUID };
    let config = TaConfig::new_default_with_cargo_env(uuid)?
        .ta_flags(SINGLE_INSTANCE | MULTI_SESSION | INSTANCE_KEEP_ALIVE)
        .ta_stack_size(STACK)
        .ta_data_size(HEAP)
        .trace_level(1);
    optee_utee_build::build(config)
}
