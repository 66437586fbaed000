//! `ferry`: carries live HLS to ingest endpoints, from one machine.

mod check;
mod cli;
mod demo;
mod ending;
mod logs;
mod push;
mod serve;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(args) => {
            logs::start(cli.log_format, "info");
            serve::run(args).await
        }
        Command::Push(args) => {
            // The display says how the session is doing: logs are for those who ask for them.
            logs::start(cli.log_format, "off");
            push::run(args).await
        }
        Command::Check(args) => {
            logs::start(cli.log_format, "warn");
            check::run(args).await
        }
        Command::Demo(args) => {
            logs::start(cli.log_format, "warn");
            demo::run(args).await
        }
    }
}
