//! The cases of `holdfast-evidence-bench`, for whoever runs them in wasm: `input` twice for the quote and its collateral,
//! `prepare` once, then any of the others as often as one likes. All but `input` answer 1 for success.

#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::cell::RefCell;

use holdfast_evidence_bench::Case;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct OneThread<T>(RefCell<T>);

// SAFETY: this target has no threads.
unsafe impl<T> Sync for OneThread<T> {}

static INPUTS: OneThread<Vec<Vec<u8>>> = OneThread(RefCell::new(Vec::new()));
static CASE: OneThread<Option<Case>> = OneThread(RefCell::new(None));

/// Where to write the next input, of so many bytes.
#[no_mangle]
pub extern "C" fn input(length: usize) -> *mut u8 {
    let mut inputs = INPUTS.0.borrow_mut();
    inputs.push(alloc::vec![0; length]);
    // It stays where it is: only the list of inputs grows.
    inputs.last_mut().map_or(core::ptr::null_mut(), |input| input.as_mut_ptr())
}

#[no_mangle]
pub extern "C" fn prepare() -> u32 {
    let inputs = INPUTS.0.borrow();
    let [quote, collateral] = &inputs[..] else { return 0 };
    let case = Case::new(quote, collateral).ok();
    let prepared = case.is_some();
    *CASE.0.borrow_mut() = case;
    prepared.into()
}

#[no_mangle]
pub extern "C" fn cold() -> u32 {
    run(|case| case.cold().is_ok())
}

#[no_mangle]
pub extern "C" fn new_attestation_key() -> u32 {
    run(|case| case.new_attestation_key().is_ok())
}

#[no_mangle]
pub extern "C" fn re_attestation() -> u32 {
    run(|case| case.re_attestation().is_ok())
}

fn run(measured: impl FnOnce(&Case) -> bool) -> u32 {
    CASE.0.borrow().as_ref().is_some_and(measured).into()
}
