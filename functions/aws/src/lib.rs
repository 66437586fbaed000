//! The AWS adapters of the core's ports: sessions and channels in DynamoDB, secrets in Secrets Manager, and
//! the runs of the state machine that carry sessions.

mod blobs;
mod config;
mod error;
mod hold;
mod item;
mod leased;
mod logs;
mod marks;
mod pages;
mod runs;
mod secrets;
mod sessions;
mod shelf;
mod table;

pub mod custom_resource;
pub mod metrics;

pub use aws_config::SdkConfig;
pub use config::{ConfigError, Environment, sdk, sdk_at};
pub use error::{Error, call_error};
pub use hold::{Faults, Hold, LEASE, Marks, PUT_TIME, Standing};
pub use item::{Load, Mark};
pub use leased::LeasedIngest;
pub use logs::log_to_stdout;
pub use marks::Written;
pub use runs::{Due, Executions, Input, Run, RunId};
pub use secrets::{ChannelInput, ChannelSecret, Secrets};
pub use sessions::{DynamoSessions, carried};
pub use shelf::DynamoShelf;
pub use table::{Table, Weight};
