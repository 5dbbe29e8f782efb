//! Has a development application that was built for it (`ta/optee`, feature `faults`) crash, or say how much memory it
//! has to spare, over a session of its own.

use anyhow::{bail, Result};
use holdfast_ta::optee::DEVELOPMENT_UUID;
use optee_teec::{Context, Operation, ParamNone, ParamTmpRef, Uuid};

/// What came of it: free bytes, or OP-TEE's code.
pub(crate) fn commit(fault: &str) -> Result<String> {
    let command = match fault {
        "panic" => 0x1000,
        "exhaust" => 0x1001,
        "spare" => 0x1002,
        _ => bail!("there is no fault {fault}"),
    };
    let mut context = Context::new()?;
    let mut session = context.open_session(Uuid::parse_str(DEVELOPMENT_UUID)?)?;
    let mut spare = [0; 8];
    let (request, answer) = (ParamTmpRef::new_input(&[]), ParamTmpRef::new_output(&mut spare));
    let mut operation = Operation::new(0, request, answer, ParamNone, ParamNone);
    let result = session.invoke_command(command, &mut operation);
    drop(operation);
    Ok(match result {
        Ok(()) => u64::from_le_bytes(spare).to_string(),
        Err(error) => format!("code {:#x}", error.raw_code()),
    })
}
