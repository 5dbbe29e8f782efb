# Sourced by the other scripts: where cargo is, where it builds, and which compiler makes the runtime's wasm.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wasm_target=wasm32v1-none

# Not every shell has rustup's directory in its path, and none has it for Debian's cargo.
case :$PATH: in
  *:"${CARGO_HOME:-$HOME/.cargo}/bin":*) ;;
  *) PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH ;;
esac

# A build directory outside the checkout, kept between checkouts.
if [ -n "${HOLDFAST_CACHE:-}" ]; then
  export CARGO_TARGET_DIR=$HOLDFAST_CACHE/target
fi
# One that is relative is so to the checkout, wherever a script goes meanwhile.
case ${CARGO_TARGET_DIR:-/} in
  /*) ;;
  *) export CARGO_TARGET_DIR=$root/$CARGO_TARGET_DIR ;;
esac
# The runtime's build finds the workspace by walking up from the build directory, unless it is told.
if [ -n "${CARGO_TARGET_DIR:-}" ]; then
  export WASM_BUILD_WORKSPACE_HINT=${WASM_BUILD_WORKSPACE_HINT:-$root}
fi

have() { command -v "$1" >/dev/null; }

die() {
  printf '%s\n' "$@" >&2
  exit 1
}

# at_least WANTED ACTUAL: whether version ACTUAL is WANTED or newer.
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# compiles_wasm RUSTC...: whether that compiler builds, optimises across crates and links for the runtime's target.
compiles_wasm() {
  local out
  out=$(mktemp -d)
  printf '#![no_std]\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo) -> ! {\n    loop {}\n}\n' |
    "$@" --target "$wasm_target" --crate-type cdylib --crate-name probe -C opt-level=1 -C lto=fat \
      --out-dir "$out" - >/dev/null 2>&1
  local result=$?
  rm -rf "$out"
  return $result
}
