//! The trusted application on OP-TEE: what OP-TEE calls, and nothing that decides anything.
//!
//! One command crosses the boundary, bytes in and bytes out; [`holdfast_ta::dispatch`] answers it. The other side owns
//! the memory that the bytes lie in and can change it at any time, so they are copied before they are looked at.

#![no_std]
#![no_main]

extern crate alloc;

#[cfg(feature = "faults")]
mod faults;
mod platform;
mod state;

use holdfast_ta::{dispatch, optee::COMMAND, MAX_ANSWER, MAX_REQUEST};
use optee_utee::{prelude::*, ErrorKind, Result};
use zeroize::Zeroizing;

type Parameters<'a> = (ParameterMemrefInput<'a>, ParameterMemrefOutput<'a>, ParameterNone, ParameterNone);

#[ta_create]
fn create() -> Result<()> {
    Ok(())
}

#[ta_open_session]
fn open_session(_: &mut ParametersNone) -> Result<()> {
    Ok(())
}

#[ta_close_session]
fn close_session() {}

#[ta_destroy]
fn destroy() {}

#[ta_invoke_command]
fn invoke_command(command: u32, (request, answer, ..): &mut Parameters<'_>) -> Result<()> {
    #[cfg(feature = "faults")]
    if let Some(free) = faults::commit(command) {
        return answer.set_output(free.to_le_bytes());
    }
    if command != COMMAND {
        return Err(ErrorKind::NotSupported.into());
    }
    // Before anything is done: an answer that does not fit would be lost.
    if answer.buffer_len() < MAX_ANSWER {
        return Err(ErrorKind::ShortBuffer.into());
    }
    // One byte more than may come tells what is too long, and no more than that is ever copied.
    let mut copy = Zeroizing::new(alloc::vec![0; request.buffer_len().min(MAX_REQUEST + 1)]);
    request.read_at(0, &mut copy)?;
    answer.set_output(state::with_platform(|platform| dispatch(platform, &copy)))
}

/// The header by which OP-TEE loads the application, as optee-utee-build writes it.
#[allow(missing_docs, clippy::all)]
mod header {
    include!(concat!(env!("OUT_DIR"), "/user_ta_header.rs"));
}
