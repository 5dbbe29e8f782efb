//! What the runtime's wasm is made of.

use holdfast_evidence::mock::ORGANIZATION;
use holdfast_runtime::WASM_BINARY_BLOATY;

// Rule 6: one code path. Every certificate of the mock PKI carries this name, so code that makes one does too.
#[test]
fn rule_6_the_mock_pki_is_not_in_the_runtime() {
    let wasm = WASM_BINARY_BLOATY.expect("the tests are built with the runtime's wasm");
    assert!(contains(wasm, b"Aura"), "the names in the runtime are found");
    assert!(!contains(wasm, ORGANIZATION.as_bytes()));
}

fn contains(wasm: &[u8], name: &[u8]) -> bool {
    wasm.windows(name.len()).any(|window| window == name)
}
