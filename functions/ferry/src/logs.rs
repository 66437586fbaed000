//! Log lines, on standard error.

use crate::cli::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Crates whose finer lines may show whole addresses and headers, whatever `RUST_LOG` asks for.
const QUIET: [&str; 3] = ["hyper=off", "hyper_util=off", "rustls=off"];

/// Begins to write log lines: those that `RUST_LOG` asks for, or of `level` and above.
pub fn start(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let filter = QUIET.iter().fold(filter, |filter, quiet| {
        filter.add_directive(quiet.parse().expect("it is a directive"))
    });
    // A line that cannot be written, as on a disk that is full, is lost: to say so there again would end the thread.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match format {
        LogFormat::Text => {
            lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
        }
        LogFormat::Json => lines.json().flatten_event(true).with_target(false).init(),
    }
}
