//! Asks for playlists, once or as fast as they come, with as little work as it takes.

use crate::Result;
use crate::clock;
use crate::schedule::Micros;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What came of asking.
pub struct Loaded {
    pub count: u64,
    pub playlists_a_second: u64,
    /// Of the time until an answer, in microseconds.
    pub p50: Micros,
    pub p99: Micros,
}

/// The body of an answer that is a success.
///
/// # Errors
///
/// When there is none.
pub fn ask(port: u16, method: &str, path: &str, body: Option<&str>) -> Result<String> {
    let mut connection = Connection::open(port)?;
    let body = body.unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.exchange(format!("{head}{body}").as_bytes())?;
    Ok(String::from_utf8_lossy(&connection.body).into_owned())
}

/// Asks for `paths` in turn over so many connections for a time.
///
/// # Errors
///
/// When an answer is not a success.
pub fn load(port: u16, paths: Vec<String>, connections: usize, time: Micros) -> Result<Loaded> {
    let requests: Arc<Vec<String>> = Arc::new(
        paths
            .iter()
            .map(|path| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
            .collect(),
    );
    let began = clock::now();
    let until = began + time;
    let threads: Vec<_> = (0..connections)
        .map(|number| {
            let requests = Arc::clone(&requests);
            std::thread::spawn(move || {
                asker(port, &requests, number, until).map_err(|error| error.to_string())
            })
        })
        .collect();
    let mut times = Vec::new();
    for thread in threads {
        times.extend(thread.join().map_err(|_| "an asker panicked")??);
    }
    let took = clock::now() - began;
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or(0);
    let count = times.len() as u64;
    Ok(Loaded { count, playlists_a_second: count * 1_000_000 / took, p50: at(50), p99: at(99) })
}

/// One connection's requests until a moment: how long each took.
fn asker(port: u16, requests: &[String], first: usize, until: Micros) -> Result<Vec<Micros>> {
    let mut connection = Connection::open(port)?;
    let mut times = Vec::new();
    let mut now = clock::now();
    for request in requests.iter().cycle().skip(first % requests.len()) {
        if now >= until {
            break;
        }
        connection.exchange(request.as_bytes())?;
        let then = clock::now();
        times.push(then - now);
        now = then;
    }
    Ok(times)
}

/// A connection that is kept.
struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let stream = BufReader::with_capacity(32 << 10, stream);
        Ok(Self { stream, line: String::new(), body: Vec::new() })
    }

    /// Sends a request and reads its answer.
    fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(request)?;
        let (mut length, mut chunked) = (0, false);
        let mut status = String::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            if status.is_empty() {
                status = line.to_owned();
            } else if let Some((name, value)) = line.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse()?;
                }
                chunked |= name.eq_ignore_ascii_case("transfer-encoding");
            }
        }
        self.body.clear();
        self.read(length)?;
        while chunked {
            let length = usize::from_str_radix(self.read_line()?, 16)?;
            self.read(length)?;
            self.read_line()?;
            chunked = length > 0;
        }
        let is_good = status.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
        if is_good {
            Ok(())
        } else {
            Err(format!("{status}: {}", String::from_utf8_lossy(&self.body)).into())
        }
    }

    /// A line without its end.
    fn read_line(&mut self) -> Result<&str> {
        self.line.clear();
        self.stream.read_line(&mut self.line)?;
        Ok(self.line.trim_end())
    }

    /// Reads so much of the body.
    fn read(&mut self, length: usize) -> Result<()> {
        let begin = self.body.len();
        self.body.resize(begin + length, 0);
        Ok(self.stream.read_exact(&mut self.body[begin..])?)
    }
}
