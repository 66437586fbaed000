//! Logs as lines of JSON.

use crate::config::Environment;
use tracing_subscriber::EnvFilter;

/// Logs to the standard output, as much as `RUST_LOG` says; information, when it says nothing.
pub fn log_to_stdout(environment: &Environment<'_>) {
    let level = environment.text("RUST_LOG").unwrap_or_else(|| "info".to_owned());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(EnvFilter::new(level))
        .with_current_span(false)
        .with_span_list(false)
        .init();
}
