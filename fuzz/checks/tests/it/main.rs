//! The committed inputs, on every run and without a fuzzer.

mod evidence;
mod replay;
mod seeds;
