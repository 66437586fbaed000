//! `ferry`: carries live HLS to ingest endpoints, from one machine.

mod check;
mod cli;
mod demo;
mod ending;
mod listen;
mod logs;
mod push;
mod serve;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

/// One thread carries hundreds of sessions, as they mostly wait; with more, threads mostly wake each
/// other (a fifth of the CPU time at 20 sessions on two cores).
const CORES_PER_WORKER: usize = 4;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.div_ceil(CORES_PER_WORKER))
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => {
            eprintln!("ferry: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Serve(args) => {
            logs::start(cli.log_format, "info");
            serve::run(args).await
        }
        Command::Push(args) => {
            // The display says how the session is doing: logs are for those who ask for them.
            logs::start(cli.log_format, "off");
            push::run(*args).await
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
