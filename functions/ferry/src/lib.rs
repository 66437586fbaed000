//! HLS Ferry on one machine: an embedded store, and the sessions that run over it.
pub mod store;
