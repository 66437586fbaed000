//! HLS Ferry on one machine: an embedded store, and the sessions that run over it.
//!
//! The `ferry` program is made of this. From code:
//!
//! ```no_run
#![doc = include_str!("../examples/mediapackage.rs")]
//! ```

mod ferry;
mod noted;
mod runner;
pub mod store;

pub use api::{EndpointRequest, FieldError, OutputRequest, Request, SourceRequest};
pub use ferry::{Ferry, OpenError, StartError};
pub use runner::Handle;
pub use web::{Reach, Settings};
