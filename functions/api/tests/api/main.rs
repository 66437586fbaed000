//! The API as its clients see it, over a store and a process that are fakes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod channels;
mod coming;
mod definitions;
mod described;
mod fetcher;
mod fill;
mod limits;
mod lives;
mod secrets;
mod sessions;
mod tend;
mod vods;
mod world;
