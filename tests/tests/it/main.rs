//! The path of every signature, from the chain back to the trusted application, with real processes.

mod development;
mod following;
mod metrics;
mod network;
mod never_two;
mod optee;
mod outage;
mod process;
mod refusal;
mod restart;
mod rotation;
mod rpmb;
mod soak;
mod standby;
mod testnet;
