//! The core: carries live HLS from an origin to ingest endpoints, and decides everything about it.
//!
//! `plan`, `settle` and `render` are pure; `advance` acts, through the ports.

pub mod abilities;
pub mod advance;
pub mod anchor;
pub mod cadence;
pub mod cause;
pub mod contents;
pub mod crypt;
pub mod cursor;
mod gaps;
mod keep;
pub mod layout;
pub mod look;
pub mod names;
pub mod parts;
pub mod plan;
pub mod ports;
pub mod progress;
mod ranges;
pub(crate) mod redundant;
pub mod render;
pub mod select;
pub mod session;
pub mod settle;
mod stay;

pub use hls::{Micros, Timestamp};
