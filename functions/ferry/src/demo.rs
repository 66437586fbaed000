//! `ferry demo`: the main job, with nothing but this machine.

use clap::Args;
use std::process::ExitCode;

/// Show it all on this machine: a live channel, an ingest, and a page that plays what arrived
#[derive(Args, Debug)]
pub struct DemoArgs {}

/// Runs until it is told to end.
pub async fn run(DemoArgs {}: DemoArgs) -> ExitCode {
    eprintln!("not built yet");
    ExitCode::FAILURE
}
