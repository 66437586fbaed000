//! The core: carries live HLS from an origin to ingest endpoints, and decides everything about it.
//!
//! `plan`, `settle` and `render` are pure; `advance` acts, through the ports.

pub mod ports;
pub mod progress;
pub mod session;

pub use hls::Timestamp;
