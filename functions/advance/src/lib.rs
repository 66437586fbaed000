//! Advances the sessions of a shard: what the state machine calls over and over.

mod answer;
mod config;
mod counted;
mod failure;
mod invocation;
mod report;
mod seat;
mod warm;

pub use answer::{Answer, Outcome, wait};
pub use config::Settings;
pub use failure::Failure;
pub use invocation::World;
