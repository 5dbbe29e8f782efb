//! The committed inputs, on every run and without a fuzzer.

mod replay;
mod seeds;
