//! `ferry check`: whether a source can be carried.

use clap::Args;
use std::process::ExitCode;

/// Read a source for a while, and report what it holds and who would take it
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The URL of an HLS playlist
    pub source: String,
}

/// Checks a source, and reports.
pub async fn run(args: CheckArgs) -> ExitCode {
    eprintln!("not built yet: {}", args.source);
    ExitCode::FAILURE
}
