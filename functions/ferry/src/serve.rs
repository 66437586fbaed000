//! `ferry serve`: the session API, and the sessions.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Serve the session API and carry its sessions
///
/// Sessions are made, looked at and stopped over HTTP; GET /openapi.json describes it. They last
/// under --data: after a restart, or a crash, every one that was active goes on where it was.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where the API listens; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The directory that holds the sessions; made when it is missing
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Allow sources on this machine and in private networks
    #[arg(long)]
    pub allow_private_addresses: bool,
}

/// Serves until it is told to end.
pub async fn run(args: ServeArgs) -> ExitCode {
    tracing::error!(listen = %args.listen, data = %args.data.display(), private = args.allow_private_addresses, "not built yet");
    ExitCode::FAILURE
}
