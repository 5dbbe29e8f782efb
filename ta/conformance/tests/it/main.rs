//! The suite over the software TEE, and over links that are at fault.

mod faulty;
mod measured;
mod production;
mod soft;
