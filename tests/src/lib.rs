//! The tests at the borders and the simulation inside.

pub mod conformance;
pub mod memory;
pub mod ministack;
