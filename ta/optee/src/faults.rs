//! Crashes on request, and how much memory there is to spare. In builds for tests only.

use alloc::vec::Vec;
use core::hint::black_box;

const PANIC: u32 = 0x1000;
const EXHAUST: u32 = 0x1001;
const SPARE: u32 = 0x1002;

/// What [`SPARE`] takes at a time.
const CHUNK: usize = 1024;

/// Crashes if the command says so; answers how many bytes can still be allocated if it asks that.
pub(crate) fn commit(command: u32) -> Option<u64> {
    match command {
        PANIC => panic!("as requested"),
        EXHAUST => loop {
            // An allocation that fails ends the application.
            black_box(core::mem::ManuallyDrop::new(alloc::vec![1_u8; CHUNK]));
        },
        SPARE => Some(spare()),
        _ => None,
    }
}

fn spare() -> u64 {
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut chunk = Vec::new();
        if chunk.try_reserve_exact(CHUNK).is_err() || chunks.try_reserve(1).is_err() {
            return (chunks.len() * CHUNK) as u64;
        }
        chunks.push(chunk);
    }
}
