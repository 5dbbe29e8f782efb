//! The runtime from outside: genesis through the API that the node uses, blocks through `Executive`.

mod chain;
mod limits;
mod presets;
mod sessions;
mod wasm;
