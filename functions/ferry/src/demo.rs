//! `ferry demo`: the main job, with nothing but this machine.

mod digest;
mod ingest;
mod page;
mod source;

use axum::routing::get;
use axum::{Json, Router};
use clap::Args;
use serde::Serialize;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use url::Url;
use web::clock::TokioClock;

/// Show it all on this machine: a live channel, an ingest, and a page that plays what arrived
///
/// A library of test patterns plays as a live channel; a session pulls it and pushes it to two local
/// ingest endpoints with digest authentication; a page plays what arrived, with half an hour to
/// rewind into, and shows how the session is doing. Nothing leaves this machine, and nothing is
/// left on it. Ctrl-C ends it all.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// The port of the page, on 127.0.0.1; 0 takes any that is free, and so does one that is taken
    #[arg(long, value_name = "PORT", default_value_t = 8088)]
    pub port: u16,
    /// Carry this live HLS playlist instead of the test patterns
    #[arg(long, value_name = "URL")]
    pub source: Option<Url>,
    /// Keep what arrives in this directory; by default it is gone when the demo ends
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// How far back the page can rewind.
const WINDOW_SECONDS: u32 = 1_800;

/// Who may put something into the local ingest. Both are printed: they protect nothing.
const USERNAME: &str = "demo";
const PASSWORD: &str = "demo";

/// What the page needs to know.
#[derive(Clone, Debug, Serialize)]
struct About {
    session: String,
    window_seconds: u32,
    endpoints: Vec<Playable>,
    /// Whether hls.js is in this binary.
    player: bool,
    /// What to try in a shell.
    lines: Vec<String>,
}

/// An endpoint as the page plays it.
#[derive(Clone, Debug, Serialize)]
struct Playable {
    playlist: String,
}

/// Runs until it is told to end.
pub async fn run(args: DemoArgs) -> ExitCode {
    match show(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ferry: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn show(args: DemoArgs) -> io::Result<()> {
    let kept = tempfile::Builder::new().prefix("ferry-demo-").tempdir()?;
    let folder = args.data.clone().unwrap_or_else(|| kept.path().to_owned());
    let shelf = Arc::new(ingest::Shelf::new(folder.join("ingest"), USERNAME, PASSWORD).await?);
    let listener = listen(args.port).await?;
    let at = format!("http://{}", listener.local_addr()?);
    let endpoints =
        ingest::ENDPOINTS.map(|name| Playable { playlist: format!("/ingest/{name}/channel.m3u8") });
    let about = About {
        session: String::new(),
        window_seconds: WINDOW_SECONDS,
        endpoints: endpoints.to_vec(),
        player: page::HAS_PLAYER,
        lines: vec![format!("curl {at}{}", source::PATH)],
    };
    let routes = Router::new()
        .route("/demo.json", get(async move || Json(about)))
        .merge(page::routes())
        .merge(ingest::routes(shelf))
        .merge(source::routes(Arc::new(TokioClock::new())));
    println!("{at}");
    axum::serve(listener, routes).await
}

/// Listens on the wanted port, or on any that is free.
async fn listen(port: u16) -> io::Result<TcpListener> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(at(port)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => TcpListener::bind(at(0)).await,
        bound => bound,
    }
}
