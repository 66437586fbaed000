//! The command line.

use crate::check::CheckArgs;
use crate::demo::DemoArgs;
use crate::push::PushArgs;
use crate::serve::ServeArgs;
use clap::{Parser, Subcommand, ValueEnum};

/// Carries live HLS to AWS Elemental MediaPackage, or to any WebDAV ingest
///
/// Pulls a live HLS stream from where it is and pushes it, unchanged, to one or more ingest
/// endpoints: nothing missing, nothing twice, and no playlist ahead of its segments.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    /// How log lines are written to standard error; RUST_LOG chooses which
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(ServeArgs),
    Push(Box<PushArgs>),
    Check(CheckArgs),
    Demo(DemoArgs),
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }
}
