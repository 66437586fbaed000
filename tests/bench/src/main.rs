//! The benchmark: `ferry` beside hls-pull-push and `curl`, on the same source and endpoints.

mod apache;
mod channels;
mod clock;
mod curl;
mod media;
mod observe;
mod process;
mod product;
mod report;
mod schedule;
mod source;

use apache::Apache;
use clap::{Parser, Subcommand};
use media::Media;
use observe::Observer;
use process::Process;
use product::Product;
use report::{Cpu, Run, fixed, plural, tally};
use schedule::{Micros, SEGMENT, Schedule, SegmentId};
use std::fs::{self, Permissions};
use std::num::ParseIntError;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

/// What may go wrong: the benchmark only says it.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Measures `ferry` beside hls-pull-push and `curl`, and prints a Markdown table.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    role: Option<Role>,
    /// What to measure: some of `curl`, `peer` and `ferry`.
    #[arg(long, env = "PARTIES", default_value = "curl peer ferry", value_delimiter = ' ')]
    parties: Vec<String>,
    /// Numbers of sessions.
    #[arg(long, env = "SESSIONS", default_value = "1 20")]
    sessions: Counts,
    /// Further numbers of sessions, for `ferry` alone.
    #[arg(long, env = "FERRY_SESSIONS", default_value = "100 200")]
    ferry_sessions: Counts,
    /// How many seconds a run is measured.
    #[arg(long, env = "DURATION", default_value_t = 60)]
    duration: u64,
    /// How many seconds it runs before.
    #[arg(long, env = "WARMUP", default_value_t = 10)]
    warmup: u64,
    /// How many seconds what was published in the measured time may take to arrive.
    #[arg(long, env = "GRACE", default_value_t = 10)]
    grace: u64,
    /// The length of the playlists in segments of two seconds.
    #[arg(long, env = "WINDOW", default_value_t = 15)]
    window: u64,
    /// By how many milliseconds a source may be late.
    #[arg(long, env = "JITTER_MS", default_value_t = 100)]
    jitter: u64,
    /// The folder for what the endpoints store: memory, so that no disk is measured.
    #[arg(long, env = "BENCH_DIR", default_value = "/dev/shm")]
    dir: PathBuf,
    /// The folder for the test pattern and the logs.
    #[arg(long, env = "BENCH_KEEP", default_value = "target/bench")]
    keep: PathBuf,
    /// The program `ferry`.
    #[arg(long, env = "FERRY", default_value = "target/release/ferry")]
    ferry: PathBuf,
    /// The script that starts the peer.
    #[arg(long, env = "PEER", default_value = "tests/bench/peer/server.js")]
    peer: PathBuf,
}

/// Numbers with spaces between, or none.
#[derive(Clone)]
struct Counts(Vec<u32>);

impl FromStr for Counts {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[derive(Subcommand)]
enum Role {
    /// Serves the source (the benchmark starts this itself).
    Source { epoch: Micros, sessions: u32, jitter: Micros, window: u64, media: PathBuf },
    /// Measures channels instead.
    Channels(channels::Options),
}

fn main() -> Result<()> {
    let options = Options::parse();
    match options.role {
        Some(Role::Source { epoch, sessions, jitter, window, media }) => {
            let schedule = Schedule { epoch, sessions, jitter, window };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            return runtime.block_on(source::serve(schedule, Media::load(&media)?));
        }
        Some(Role::Channels(options)) => return channels::run(&options),
        None => {}
    }
    Media::load(&options.keep.join("media"))?;
    println!("{}\n", machine());
    if options.parties.iter().any(|party| party == "curl") {
        println!("{}\n", bare(&options)?);
    }
    let mut runs = Vec::new();
    let mut failed = false;
    let all = options.sessions.0.iter().chain(&options.ferry_sessions.0);
    for (k, &sessions) in all.enumerate() {
        for product in [Product::Peer, Product::Ferry] {
            let alone = k >= options.sessions.0.len();
            if !options.parties.iter().any(|party| party == product.party())
                || (alone && product == Product::Peer)
            {
                continue;
            }
            eprintln!("bench: {}, {}", product.name(), plural(sessions, "session"));
            match run(&options, product, sessions) {
                Ok(run) => {
                    for example in &run.seen.examples {
                        eprintln!("bench: {example}");
                    }
                    runs.push(run);
                }
                Err(error) => {
                    eprintln!("bench: {}, {sessions}: {error}", product.name());
                    failed = true;
                }
            }
        }
    }
    if !runs.is_empty() {
        println!("{}", report::table(&runs));
    }
    if failed { Err("a run failed".into()) } else { Ok(()) }
}

/// The source and the endpoints of one run. Dropped, they end and what they stored is removed.
struct Stage {
    schedule: Schedule,
    source: Process,
    port: u16,
    endpoints: Vec<Apache>,
    dir: PathBuf,
}

impl Stage {
    fn set(options: &Options, sessions: u32) -> Result<Self> {
        let dir = options.dir.join(format!("ferry-bench-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
        // The source has been on the air for ten minutes.
        let epoch = clock::now() - 600_000_000;
        let schedule =
            Schedule { epoch, sessions, jitter: options.jitter * 1000, window: options.window };
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("source")
            .args([epoch, sessions.into(), schedule.jitter, schedule.window].map(|n| n.to_string()))
            .arg(options.keep.join("media"))
            .stdout(Stdio::piped());
        let mut source = Process::start("the source", &mut command, &dir.join("source.log"))?;
        let port = source.first_line()?.parse()?;
        let endpoints = ["one", "two"]
            .map(|name| Apache::start(&dir.join(name), sessions))
            .into_iter()
            .collect::<Result<_>>()?;
        Ok(Self { schedule, source, port, endpoints, dir })
    }

    /// The CPU time used up to now by all but the product.
    fn cpu(&self) -> Result<Cpu> {
        let mut apache = 0;
        for endpoint in &self.endpoints {
            apache += endpoint.process.cpu()?;
        }
        Ok(Cpu {
            product: 0,
            apache,
            source: self.source.cpu()?,
            observer: process::own_cpu()?,
            machine: process::machine_cpu()?,
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.endpoints.clear();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn run(options: &Options, product: Product, sessions: u32) -> Result<Run> {
    let stage = Stage::set(options, sessions)?;
    let roots: Vec<&Path> = stage.endpoints.iter().map(|endpoint| &*endpoint.root).collect();
    let observer = Observer::start(&roots, sessions)?;
    let mut server = product.start(options, sessions)?;
    let Schedule { epoch, .. } = stage.schedule;
    let start = epoch + ((clock::now() - epoch) / SEGMENT + 1) * SEGMENT;
    for session in 0..sessions {
        clock::sleep_until(start + stage.schedule.start_after(session));
        let source = format!("http://127.0.0.1:{}/{session}/main.m3u8", stage.port);
        let addresses = stage.endpoints.iter().map(|endpoint| endpoint.address(session)).collect();
        server.carry(session, &source, addresses, options.window * SEGMENT / 1_000_000)?;
    }
    let from = start + options.warmup * 1_000_000;
    let until = from + options.duration * 1_000_000;
    let read = |server: &product::Server| -> Result<(Cpu, Vec<u64>)> {
        let lengths = stage.endpoints.iter().map(Apache::log_length).collect::<Result<_>>()?;
        Ok((Cpu { product: server.process.cpu()?, ..stage.cpu()? }, lengths))
    };
    server.watch_until(from)?;
    let before = read(&server)?;
    server.watch_until(until)?;
    let after = read(&server)?;
    server.watch_until(until + options.grace * 1_000_000)?;
    let memory = server.process.peak_memory()?;
    drop(server);
    let seen = observer.finish()?;
    let mut requests = apache::Requests::default();
    for (k, endpoint) in stage.endpoints.iter().enumerate() {
        let log = format!("{}-{sessions}-endpoint-{k}.log", product.party());
        fs::copy(&endpoint.log, options.keep.join(log))?;
        requests.add(endpoint.requests(before.1[k], after.1[k])?);
    }
    let (published, delivered, stored, listed) =
        tally(&stage.schedule, &seen, stage.endpoints.len(), (from, until));
    for sentence in report::slowest(&stage.schedule, &seen, (from, until)) {
        eprintln!("bench: {sentence}");
    }
    Ok(Run {
        name: product.name(),
        sessions,
        published,
        delivered,
        stored,
        listed,
        seen,
        span: until - from,
        cpu: after.0.since(before.0),
        memory,
        requests,
    })
}

/// A sentence about what the same bytes cost `curl`, and how many sessions fill this machine.
fn bare(options: &Options) -> Result<String> {
    eprintln!("bench: curl");
    let stage = Stage::set(options, 20)?;
    let ids: Vec<SegmentId> = (0..10)
        .flat_map(|sequence| (0..20).map(move |session| (session, sequence)))
        .flat_map(|(session, sequence)| {
            (0..2).map(move |variant| SegmentId { session, variant, sequence })
        })
        .collect();
    let bare = curl::carry(&stage.dir, stage.port, &stage.endpoints, &ids, || stage.cpu())?;
    let Cpu { product, apache, source, .. } = bare.cpu;
    let each = |time: Micros| fixed(time / bare.segments, 1000, 2);
    let cores = u64::try_from(std::thread::available_parallelism()?.get())?;
    let all = (product + apache + source) / bare.segments;
    Ok(format!(
        "Bare cost of the same bytes, one segment with its playlist to two endpoints: curl {} ms of CPU, \
         both Apaches {} ms, the source {} ms, together {} ms. {} would be full at {} sessions.",
        each(product),
        each(apache),
        each(source),
        each(product + apache + source),
        plural(u32::try_from(cores)?, "core"),
        cores * 1_000_000 * 1000 / (all * curl::SEGMENTS_A_SECOND)
    ))
}

/// A line that says where and when this ran, and with what.
fn machine() -> String {
    let first = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        text.and_then(|text| Some(text.lines().next()?.trim().to_owned())).unwrap_or_default()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    format!(
        "{}, {cores} cores ({}), Linux {}, {}, Node {}, {}",
        first("date", &["-u", "+%F"]),
        model.trim_start_matches([' ', '\t', ':']),
        first("uname", &["-r"]),
        first("/usr/sbin/apache2", &["-v"]).trim_start_matches("Server version: "),
        first("node", &["--version"]),
        first("curl", &["--version"]).split(" (").next().unwrap_or_default(),
    )
}
