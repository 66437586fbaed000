//! HLS Ferry on one machine: an embedded store, and the sessions that run over it.

mod ferry;
mod runner;
pub mod store;

pub use api::{EndpointRequest, FieldError, OutputRequest, Request, SourceRequest};
pub use ferry::{Ferry, OpenError, StartError};
pub use runner::Handle;
