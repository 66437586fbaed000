//! The HTTP adapters of the core's ports: the origin client, the WebDAV ingest client and the clock.
//!
//! A [`Connector`] is built once and shared by all sessions; what it makes is cheap.

pub mod clock;
mod connector;
mod ingest;
mod origin;
mod settings;

pub use connector::{Connector, SetupError};
pub use ingest::WebDavIngest;
pub use origin::HttpOrigin;
pub use settings::{Limits, Reach, Settings};
