//! `ferry push`: one session in the foreground.

use clap::Args;
use std::process::ExitCode;

/// Push one stream, and show how it goes
#[derive(Args, Debug)]
pub struct PushArgs {
    /// The URL of a live HLS playlist
    pub source: String,
    /// An ingest endpoint; twice for two
    #[arg(long, required = true, value_name = "URL")]
    pub to: Vec<String>,
}

/// Pushes until the source ends.
pub async fn run(args: PushArgs) -> ExitCode {
    eprintln!("not built yet: {} to {:?}", args.source, args.to);
    ExitCode::FAILURE
}
