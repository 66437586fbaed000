//! `ferry demo`: the main job, with nothing but this machine.

mod digest;
mod ingest;
mod page;
mod source;

use axum::Json;
use axum::http::StatusCode;
use axum::routing::get;
use clap::Args;
use ferry::{EndpointRequest, Ferry, OutputRequest, Request, SourceRequest, StartError};
use relay::session::{Address, SessionId};
use serde::Serialize;
use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use url::Url;
use web::{Reach, Settings};

/// Show it all on this machine: a live channel, an ingest, and a page that plays what arrived
///
/// Test patterns play as a live channel with house ads; a session pulls it and pushes it to two local ingest
/// endpoints with digest authentication; a page plays what arrived, with half an hour to rewind into,
/// and shows how the session is doing. Ctrl-C ends it all, and nothing is left on this machine.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// The port of the page, on 127.0.0.1; 0 takes any that is free
    ///
    /// Without this it is 8088, or any that is free.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Carry this live HLS playlist instead of the test patterns
    #[arg(long, value_name = "URL")]
    pub source: Option<Url>,
    /// Keep what arrives in this directory: a demo that is started again, even after a crash, goes on
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// The port unless another is asked for: next to that of `ferry serve`.
const PORT: u16 = 8088;

/// How far back the page can rewind.
const WINDOW_SECONDS: u32 = 1_800;

/// Who may put something into the local ingest. Both are printed: they protect nothing.
const USERNAME: &str = "demo";
const PASSWORD: &str = "demo";

/// How long the session may take to publish what is under way when the demo ends.
const FINISH: Duration = Duration::from_secs(2);

/// What the page needs to know.
#[derive(Clone, Debug, Serialize)]
struct About {
    session: SessionId,
    /// The channel that is carried; absent when the source is another one.
    channel: Option<&'static str>,
    source: Address,
    window_seconds: u32,
    /// The playlist of each endpoint.
    endpoints: Vec<String>,
    /// Whether hls.js is in this binary.
    player: bool,
    /// What to try in a shell.
    tries: Vec<Try>,
}

/// A line for a shell, and what it does.
#[derive(Clone, Debug, Serialize)]
struct Try {
    line: String,
    what: &'static str,
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

async fn show(args: DemoArgs) -> Result<(), Box<dyn std::error::Error>> {
    let listener = listen(args.port).await?;
    let at = listener.local_addr()?;
    // A temporary folder is removed with all that is in it when this function is left.
    let (folder, _temporary) = match &args.data {
        Some(data) => (data.join(place(at, args.source.as_ref())), None),
        None => {
            let made = tempfile::Builder::new().prefix("ferry-demo-").tempdir()?;
            (made.path().to_owned(), Some(made))
        }
    };
    let page = format!("http://{at}");
    let channel = args.source.is_none().then_some(source::CHANNEL);
    let source = match args.source {
        Some(source) => source,
        None => Url::parse(&format!("{page}{}", source::path()))?,
    };
    let shelf = Arc::new(ingest::Shelf::new(folder.join("ingest"), USERNAME, PASSWORD).await?);
    let settings = Settings { reach: Reach::Anywhere, ..Settings::default() };
    let ferry = Ferry::open(&folder.join("sessions"), settings)?;
    // The page may be opened while this is made: it waits.
    let (about, known) = watch::channel(None::<About>);
    let routes = ferry
        .api()
        .route("/demo.json", get(async move || said(known).await))
        .merge(page::routes())
        .merge(ingest::routes(shelf))
        .merge(source::routes());
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let server = tokio::spawn(axum::serve(listener, routes).into_future());
    if channel.is_some() {
        source::make(&ferry.api(), &page).await?;
    }
    let session = session(&ferry, &page, &source).await?;
    let playlist = |endpoint| format!("{page}/ingest/{endpoint}/channel.m3u8");
    let told = About {
        channel,
        source: Address::of(&source),
        window_seconds: WINDOW_SECONDS,
        endpoints: ingest::ENDPOINTS.map(playlist).to_vec(),
        player: page::HAS_PLAYER,
        tries: vec![
            Try {
                line: format!("curl {page}/sessions/{session}"),
                what: "how the session is doing",
            },
            Try {
                line: format!("curl {}", playlist(ingest::ENDPOINTS[0])),
                what: "what arrived at endpoint 1",
            },
            Try {
                line: format!("curl -d down {page}/ingest/{}", ingest::ENDPOINTS[1]),
                what: "takes endpoint 2 down; -d up brings it back, and it catches up",
            },
        ],
        session,
    };
    print!("{}", Said { page: &page, about: &told });
    about.send_replace(Some(told));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = ferry.keep_schedules() => {}
    }
    ferry.finish(FINISH).await;
    server.abort();
    Ok(())
}

/// What the page needs to know, as soon as it is known.
async fn said(mut known: watch::Receiver<Option<About>>) -> Result<Json<About>, StatusCode> {
    let told = known.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
    told.map(Json).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// Listens on a port of this machine.
async fn listen(port: Option<u16>) -> io::Result<TcpListener> {
    let bind = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match port {
        Some(port) => bind(port).await.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on 127.0.0.1:{port}: {error}"))
        }),
        None => match bind(PORT).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => bind(0).await,
            bound => bound,
        },
    }
}

/// What a folder for one source at one address is called: nothing secret. Another source, or another port,
/// makes another session, and what is kept of one is nothing to the other.
fn place(at: SocketAddr, source: Option<&Url>) -> String {
    let source = source.map_or("patterns".to_owned(), |source| Address::of(source).to_string());
    let plain = source.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    format!("{}-{}", at.port(), plain.take(100).collect::<String>())
}

/// Starts the session, or goes on with the one of the last time.
async fn session(ferry: &Ferry, page: &str, source: &Url) -> Result<SessionId, StartError> {
    let endpoint = |name| EndpointRequest {
        url: Some(format!("{page}/ingest/{name}/channel")),
        username: Some(USERNAME.to_owned()),
        password: Some(PASSWORD.to_owned()),
    };
    let request = Request {
        name: Some("demo".to_owned()),
        source: SourceRequest { url: Some(source.to_string()), ..SourceRequest::default() },
        output: OutputRequest {
            kind: Some("webdav".to_owned()),
            endpoints: ingest::ENDPOINTS.map(endpoint).to_vec(),
            ..OutputRequest::default()
        },
        window_seconds: Some(WINDOW_SECONDS.into()),
        // There is something to rewind into at once.
        start: Some("window".to_owned()),
        ..Request::default()
    };
    Ok(ferry.start(request).await?.session().id.clone())
}

/// What is said in the terminal.
struct Said<'a> {
    page: &'a str,
    about: &'a About,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { page, about } = self;
        writeln!(f, "\n  HLS Ferry plays at {page}/\n")?;
        writeln!(f, "  source     {}", about.source)?;
        writeln!(f, "  session    {page}/sessions/{}", about.session)?;
        for (number, endpoint) in (1..).zip(&about.endpoints) {
            writeln!(f, "  endpoint {number} {endpoint}")?;
        }
        writeln!(f, "             digest authentication, user {USERNAME}, password {PASSWORD}")?;
        if !about.player {
            writeln!(
                f,
                "\n  hls.js is not in this binary, so the page cannot play: use make demo"
            )?;
        }
        writeln!(f, "\n  Try")?;
        for Try { line, what } in &about.tries {
            writeln!(f, "    {line}\n        {what}")?;
        }
        writeln!(f, "\n  Ctrl-C ends it all.\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_the_port_and_the_source_without_its_secrets() {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 8088));
        assert_eq!(place(at, None), "8088-patterns");
        let source = Url::parse("https://user:word@a.example/../x/main.m3u8?token=t").unwrap();
        assert_eq!(place(at, Some(&source)), "8088-https---a-example-x-main-m3u8");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error_only_where_it_was_asked_for() {
        let taken = listen(Some(0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = listen(Some(port)).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")), "{error}");
        assert!(listen(None).await.is_ok());
    }
}
