//! Connections to the API: how many there may be, and how long each may take.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// What clients may take of a process whose first work is to carry sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once; more wait until one is closed.
    pub connections: u32,
    /// From when the connection was made until the head of its first request is whole.
    pub head: Duration,
    /// From an answer until the head of the next request is whole.
    pub idle: Duration,
    /// From then until its body is whole.
    pub body: Duration,
    /// How long a connection is used: what does not read its answers is closed some time.
    pub lasting: Duration,
}

/// Each has a buffer, and viewers of a channel are many behind a CDN only.
const MOST_CONNECTIONS: u64 = 1_024;
/// Of the files that the process may have open, one in so many may be a connection to the API: a session
/// has several to its source and endpoints.
const SHARE: u64 = 4;
const HEAD: Duration = Duration::from_secs(10);
/// Longer than clients keep a connection to use it again (90 s in Go's net/http and in reqwest), so that they are
/// who close it: a request that meets our close fails (RFC 9112 section 9.5), and a POST is not tried again.
const IDLE: Duration = Duration::from_secs(100);
/// For the longest schedule over a slow line.
const BODY: Duration = Duration::from_secs(60);
const LASTING: Duration = Duration::from_secs(600);
/// How long an answer may take that is under way when a connection is to end.
const LAST_ANSWER: Duration = Duration::from_secs(60);
/// How much of a request is read ahead, and the longest head.
const READ: usize = 32 << 10;
/// The pause after a connection could not be taken, which passes when another ends.
const PAUSE: Duration = Duration::from_secs(1);

impl Bounds {
    /// For a process that may have so many files open; absent: any number.
    pub fn within(files: Option<u64>) -> Self {
        let connections = files.map_or(MOST_CONNECTIONS, |files| files / SHARE);
        let connections = u32::try_from(connections.clamp(1, MOST_CONNECTIONS)).unwrap_or(1);
        Self { connections, head: HEAD, idle: IDLE, body: BODY, lasting: LASTING }
    }
}

/// Serves `routes` until it is told to end, and what is under way then.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    bounds: Bounds,
    told: impl Future<Output = ()>,
) {
    let routes = routes.layer(from_fn(move |request, next| in_time(request, next, bounds.body)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.idle).max_buf_size(READ);
    let free = Arc::new(Semaphore::new(bounds.connections as usize));
    let (serving, ends) = watch::channel(());
    let mut told = pin!(told);
    loop {
        let next = async {
            let place = Arc::clone(&free).acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, stream) = tokio::select! {
            next = next => next,
            () = &mut told => break,
        };
        let routes = TowerToHyperService::new(routes.clone());
        let asked = Arc::new(Notify::new());
        let first = Arc::clone(&asked);
        let service = service_fn(move |request| {
            asked.notify_one();
            routes.call(request)
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let silent = async move {
            if timeout(bounds.head, first.notified()).await.is_ok() {
                std::future::pending().await
            }
        };
        let mut ends = ends.clone();
        tokio::spawn(async move {
            let _place = place;
            let mut connection = pin!(connection);
            tokio::select! {
                // What is wrong with a connection is its client's.
                _ = &mut connection => return,
                () = silent => return,
                _ = ends.changed() => {}
                () = sleep(bounds.lasting) => {}
            }
            connection.as_mut().graceful_shutdown();
            drop(timeout(LAST_ANSWER, connection).await);
        });
    }
    drop((serving, listener));
    drop(free.acquire_many(bounds.connections).await);
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection to the API");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Answers a request whose body comes within a time; else it breaks off.
async fn in_time(request: Request, next: Next, within: Duration) -> Response {
    let deadline = Instant::now() + within;
    let (head, body) = request.into_parts();
    let parts = stream::unfold(body.into_data_stream(), move |mut body| async move {
        let late = |_| Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut))));
        let part = timeout_at(deadline, body.next()).await.unwrap_or_else(late)?;
        Some((part, body))
    });
    next.run(Request::from_parts(head, Body::from_stream(parts))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const LONG: Duration = Duration::from_secs(3_600);
    const SHORT: Duration = Duration::from_millis(50);

    fn bounds() -> Bounds {
        Bounds { connections: 3, head: LONG, idle: LONG, body: LONG, lasting: LONG }
    }

    async fn start(routes: Router, bounds: Bounds) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, routes, bounds, std::future::pending()));
        address
    }

    fn hello() -> Router {
        Router::new().route("/", get("hello")).route("/", post(async |body: String| body))
    }

    /// What comes back for these bytes until the connection is closed.
    async fn send(to: SocketAddr, bytes: &str) -> String {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[test]
    fn clients_of_the_api_leave_most_open_files_to_the_sessions() {
        for (files, connections) in [
            (Some(64), 16),
            (Some(1_024), 256),
            (Some(1 << 20), 1_024),
            (None, 1_024),
            (Some(0), 1),
        ] {
            assert_eq!(Bounds::within(files).connections, connections, "{files:?}");
        }
    }

    #[tokio::test]
    async fn more_clients_than_there_may_be_wait_for_each_other() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, seen) = (Arc::clone(&now), Arc::clone(&most));
        let handler = async move || {
            seen.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(SHORT).await;
            counted.fetch_sub(1, Ordering::SeqCst);
            "hello"
        };
        let to = start(Router::new().route("/", get(handler)), bounds()).await;
        let ask = || send(to, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answers = futures_util::future::join_all((0..20).map(|_| ask())).await;
        assert!(answers.iter().all(|answer| answer.ends_with("hello")), "{answers:?}");
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn who_says_nothing_or_not_all_does_not_keep_others_out() {
        let to = start(hello(), Bounds { head: SHORT, body: SHORT, ..bounds() }).await;
        // More than there is room for, and each is let go.
        for (said, status) in [
            ("", ""),
            ("GET / HTTP/1.1\r\nhost: a\r\nx: ", ""),
            ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf", "HTTP/1.1 400"),
        ] {
            let answers = futures_util::future::join_all((0..9).map(|_| send(to, said))).await;
            assert!(
                answers.iter().all(|answer| answer.starts_with(status)),
                "{said:?} {answers:?}"
            );
        }
        let idle = start(hello(), Bounds { idle: SHORT, ..bounds() }).await;
        for next in ["", "GET / HTTP/1.1\r\nhost: a\r\nx: "] {
            let said = format!("GET / HTTP/1.1\r\nhost: a\r\n\r\n{next}");
            let answers = futures_util::future::join_all((0..9).map(|_| send(idle, &said))).await;
            assert!(answers.iter().all(|answer| answer.ends_with("hello")), "{answers:?}");
        }
        let endless = Bounds { lasting: SHORT, ..bounds() };
        let answer = send(start(hello(), endless).await, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.ends_with("hello"), "a connection ends that is idle for long: {answer}");
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_longer_than_clients_keep_it() {
        assert!(Bounds::within(None).idle > Duration::from_secs(90));
        let to = start(hello(), Bounds { head: SHORT, ..bounds() }).await;
        let mut stream = TcpStream::connect(to).await.unwrap();
        let mut answer = [0; 1_024];
        for _ in 0..3 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let read = stream.read(&mut answer).await.unwrap();
            assert!(answer[..read].ends_with(b"hello"));
            sleep(3 * SHORT).await;
        }
    }

    #[tokio::test]
    async fn what_is_asked_when_the_process_ends_is_answered() {
        let (began, begun) = watch::channel(false);
        let (answer, may_answer) = watch::channel(false);
        let handler = async move || {
            began.send_replace(true);
            may_answer.clone().wait_for(|may| *may).await.unwrap();
            "hello"
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let routes = Router::new().route("/", get(handler));
        let told = async move { drop(begun.clone().wait_for(|begun| *begun).await) };
        let server = tokio::spawn(serve(listener, routes, bounds(), told));
        let asked = tokio::spawn(send(to, "GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
        while TcpStream::connect(to).await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
        answer.send_replace(true);
        assert!(asked.await.unwrap().ends_with("hello"));
        server.await.unwrap();
    }
}
