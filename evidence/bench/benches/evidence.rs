//! What it costs to judge a quote: nothing known, the platform known, the attestation key known; natively and inside wasm
//! as a node runs it (wasmtime with the settings of `sc-executor-wasmtime`); and dcap-qvl in one go, with either of its
//! cryptographies. `docs/benchmarks.md` has the figures.

use std::{env, path::Path, process::Command};

use criterion::{criterion_group, criterion_main, Criterion};
use dcap_qvl::{
    configs::{RingConfig, RustCryptoConfig},
    verify::QuoteVerifier,
    QuoteCollateralV3,
};
use holdfast_evidence::INTEL_ROOT;
use holdfast_evidence_bench::{Case, NOW};
use wasmtime::{Config, Engine, Instance, Module, OptLevel, Store, TypedFunc};

const QUOTE: &[u8] = include_bytes!("../../tests/data/dcap-qvl/tdx_quote_td15ex");
const COLLATERAL: &[u8] = include_bytes!("../../tests/data/dcap-qvl/tdx_quote_td15ex_collateral.json");

fn native(criterion: &mut Criterion) {
    let case = Case::new(QUOTE, COLLATERAL).expect("it is good");
    let mut group = criterion.benchmark_group("native");
    group.bench_function("cold", |bench| bench.iter(|| case.cold().expect("it is good")));
    group.bench_function("new attestation key", |bench| bench.iter(|| case.new_attestation_key().expect("it is good")));
    group.bench_function("re-attestation", |bench| bench.iter(|| case.re_attestation().expect("it is good")));

    let collateral: QuoteCollateralV3 = serde_json::from_slice(COLLATERAL).expect("it is good");
    let ring = QuoteVerifier::<RingConfig>::new_with_config(INTEL_ROOT.to_vec());
    let rust = QuoteVerifier::<RustCryptoConfig>::new_with_config(INTEL_ROOT.to_vec());
    group.bench_function("dcap-qvl, RustCrypto", |bench| {
        bench.iter(|| rust.verify(QUOTE, &collateral, NOW).expect("it is good"))
    });
    group.bench_function("dcap-qvl, ring", |bench| {
        bench.iter(|| ring.verify(QUOTE, &collateral, NOW).expect("it is good"))
    });
}

fn wasm(criterion: &mut Criterion) {
    let mut guest = Guest::start();
    let mut group = criterion.benchmark_group("wasm");
    for name in ["cold", "new_attestation_key", "re_attestation"] {
        let run = guest.function(name);
        group.bench_function(name, |bench| bench.iter(|| guest.call(&run)));
    }
}

/// The cases in wasm.
struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn start() -> Guest {
        // As `sc-executor-wasmtime` does, which compiles the runtime of a node.
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::SpeedAndSize).cranelift_nan_canonicalization(false);
        config.max_wasm_stack(1024 * 1024).wasm_simd(false).wasm_relaxed_simd(false).wasm_reference_types(false);
        let engine = Engine::new(&config).expect("this machine runs wasm");
        let module = Module::from_file(&engine, build()).expect("the guest is wasm");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("the guest needs nothing");
        let mut guest = Guest { store, instance };
        for bytes in [QUOTE, COLLATERAL] {
            let input: TypedFunc<u32, u32> =
                guest.instance.get_typed_func(&mut guest.store, "input").expect("the guest takes inputs");
            let at = input.call(&mut guest.store, bytes.len() as u32).expect("there is room");
            let memory = guest.instance.get_memory(&mut guest.store, "memory").expect("the guest has a memory");
            memory.write(&mut guest.store, at as usize, bytes).expect("it is inside");
        }
        let prepare = guest.function("prepare");
        guest.call(&prepare);
        guest
    }

    fn function(&mut self, name: &str) -> TypedFunc<(), u32> {
        self.instance.get_typed_func(&mut self.store, name).expect("the guest has it")
    }

    fn call(&mut self, function: &TypedFunc<(), u32>) {
        assert_eq!(function.call(&mut self.store, ()).expect("it does not trap"), 1, "the quote is good");
    }
}

/// Builds the guest, with the toolchain that builds the runtime.
fn build() -> std::path::PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::temp_dir().join("holdfast-evidence-guest");
    let mut cargo = Command::new("cargo");
    if let Ok(toolchain) = env::var("WASM_BUILD_TOOLCHAIN") {
        cargo = Command::new("rustup");
        cargo.args(["run", &toolchain, "cargo"]);
    }
    let status = cargo
        .args(["build", "--release", "--locked", "--target", "wasm32v1-none", "--manifest-path"])
        .arg(here.join("guest/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env_remove("RUSTC")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the guest builds");
    target.join("wasm32v1-none/release/holdfast_evidence_guest.wasm")
}

criterion_group!(benches, native, wasm);
criterion_main!(benches);
