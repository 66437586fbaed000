//! `ferry serve`: the session API, and the sessions.

use crate::ending::Ending;
use crate::listen::{self, Bounds};
use axum::Router;
use axum::routing::get;
use clap::Args;
use ferry::Ferry;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;
use web::{Reach, Settings};

/// Serve the session API and carry its sessions
///
/// Sessions are made, looked at and stopped over HTTP; GET /openapi.json describes it. They last
/// under --data: after a restart, or a crash, every one that was active goes on where it was.
/// The first line on standard output is the address of the API.
///
/// The API takes 1,024 connections at once, and no more than a quarter of the open files that the system
/// grants; further ones wait. A connection is closed when the head of its first request is not there after
/// 10 s or that of a later one after 100 s, and after ten minutes; a body may take 60 s.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where the API listens; port 0 takes any that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// The directory that holds the sessions and their credentials; made when it is missing
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Allow sources and endpoints on this machine and in private networks
    #[arg(long)]
    pub allow_private_addresses: bool,
    /// A file with a token that every request must carry: Authorization: Bearer <TOKEN>
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A PEM file with certificates of further authorities, to be trusted beside the public ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// How long sessions may take to publish what is under way when the process ends.
const FINISH: Duration = Duration::from_secs(3);
/// How long requests may take that are under way then.
const LAST_ANSWERS: Duration = Duration::from_millis(3_500);

const LANDING: &str = "OK\n\nHLS Ferry carries live HLS to ingest endpoints.\n\n\
    GET /sessions      what is carried\nGET /channels      what plays\nGET /openapi.json  what can be asked\nGET /health        whether all is well\n";

/// Serves until it is told to end.
pub async fn run(args: ServeArgs) -> ExitCode {
    match serve(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What ends the process, in words.
type Failure = String;

async fn serve(args: ServeArgs) -> Result<(), Failure> {
    let token = args.token_file.as_deref().map(read_token).transpose()?;
    let bounds = Bounds::within(allow_many_connections());
    let reach = if args.allow_private_addresses { Reach::Anywhere } else { Reach::Public };
    let extra_roots_pem = read_authorities(args.ca_file.as_deref())?;
    let cannot_listen = |error| format!("cannot listen on {}: {error}", args.listen);
    let listener = TcpListener::bind(&args.listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let settings =
        Settings { reach, own: Some(own(address)), extra_roots_pem, ..Settings::default() };
    let ferry = Ferry::open(&args.data, settings).map_err(|error| error.to_string())?;
    if token.is_none() && !address.ip().is_loopback() {
        tracing::warn!(%address, "anyone who reaches this address can use the API: see --token-file");
    }
    let mut ending = Ending::listen()?;

    let carried = ferry.go_on().map_err(|error| error.to_string())?.len();
    // Nobody may be left to read it.
    let _ = writeln!(std::io::stdout(), "http://{address}");
    tracing::info!(%address, data = %args.data.display(), carried, "ferry is up");
    let routes = ferry.api().merge(Router::new().route("/", get(LANDING)));
    let routes = match token {
        Some(token) => api::with_token(routes, token),
        None if address.ip().is_loopback() => api::for_this_machine(routes),
        None => routes,
    };
    let routes = api::for_one_host(routes);
    let mut told = ending.clone();
    let server = listen::serve(listener, routes, bounds, async move { told.told().await });
    let server = tokio::spawn(server);

    // Neither ends by itself.
    tokio::select! {
        () = ending.told() => {}
        () = ferry.keep_schedules() => {}
    }
    tracing::info!("ferry ends: publishing what is under way");
    tokio::join!(ferry.finish(FINISH), async { drop(timeout(LAST_ANSWERS, server).await) });
    Ok(())
}

/// Where this process reaches itself: one that listens everywhere does so on this machine, too.
fn own(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

/// The certificates in a file, if there is one.
pub fn read_authorities(path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
    std::fs::read(path)
        .map_err(|error| format!("cannot read the certificates in {}: {error}", path.display()))
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the token in {shown}: {error}"))?;
    match text.trim() {
        "" => Err(format!("there is no token in {shown}")),
        token => Ok(token.to_owned()),
    }
}

/// Takes as many open files as the system grants: each session keeps several connections. Returns how many that
/// are, where there is a limit.
fn allow_many_connections() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "cannot take more open files");
    }
    getrlimit(Resource::Nofile).current
}
