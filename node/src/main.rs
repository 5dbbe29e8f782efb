//! The Holdfast node: follows and extends the chain; every signature comes from a TEE.

#![forbid(unsafe_code)]
// The errors of sc-cli and sc-service are that large.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod exit;
mod rpc;
mod sealing;
mod service;
mod signer;
mod tee;
mod voting;

use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    match command::run() {
        Ok(code) => code,
        Err(error) => {
            // Whoever has closed the standard error does not want to know.
            let _ = writeln!(io::stderr(), "holdfast-node: {}", command::explain(error));
            ExitCode::FAILURE
        }
    }
}
