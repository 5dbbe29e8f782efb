//! The suite over the software TEE, and over links that are at fault.

mod faulty;
mod soft;
