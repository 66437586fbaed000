//! The tests at the borders and the simulation inside.

pub mod conformance;
pub mod events;
pub mod memory;
pub mod ministack;
pub mod shelf;
