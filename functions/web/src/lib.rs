//! The HTTP adapters of the core's ports: the origin client, the WebDAV ingest client and the
//! clock.
//!
//! A [`Connector`] is built once and shared by all sessions; what it makes is cheap.

mod body;
mod budget;
pub mod challenge;
pub mod clock;
mod connector;
mod cookies;
mod foresight;
mod guard;
mod headers;
mod http;
mod ingest;
mod names;
mod origin;
mod pace;
mod part;
mod settings;
mod sign_in;
mod versions;
mod wire;

pub use connector::{Connector, SetupError};
pub use ingest::WebDavIngest;
pub use origin::HttpOrigin;
pub use settings::{Limits, Patience, Reach, Settings};
