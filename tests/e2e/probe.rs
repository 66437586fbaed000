//! Reads what arrived with ffprobe and ffmpeg, as a strict player would.

use crate::ffmpeg::FFMPEG;
use crate::judge::Carried;
use crate::published::Renditions;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;

const FFPROBE: &str = "/usr/bin/ffprobe";

/// The packets of each stream in `input`, by codec.
pub async fn packets(input: &str) -> BTreeMap<String, u64> {
    let entries = ["-show_entries", "stream=codec_name,nb_read_packets", "-of", "csv=p=0"];
    let args = [&["-v", "error", "-count_packets"], &entries[..], names(input), &[input]].concat();
    let lines = run(FFPROBE, args).await;
    let line = |line: &str| {
        let (codec, count) = line.split_once(',')?;
        Some((codec.to_owned(), count.trim_end_matches(',').parse().ok()?))
    };
    // A stream that is part of a programme is listed twice.
    lines.lines().filter_map(line).collect()
}

/// How long `input` plays, in milliseconds.
pub async fn milliseconds(input: &str) -> u64 {
    let entries = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"];
    let args = [&entries[..], names(input), &[input]].concat();
    hls::duration(&run(FFPROBE, args).await).unwrap().as_millis()
}

/// The timestamp of the first picture of a TS.
pub async fn first_pts(input: &str) -> u64 {
    let args =
        ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts", "-of", "csv=p=0"];
    let lines = run(FFPROBE, [&args[..], &["-read_intervals", "%+#1", input]].concat()).await;
    let first: i64 = lines.lines().next().unwrap().trim_end_matches(',').parse().unwrap();
    // One that is about to begin anew is shown as one before zero.
    first.rem_euclid(1 << 33).unsigned_abs()
}

/// Decodes every frame of `input`; a single complaint is an error.
pub async fn decode(input: &str) {
    let to_nowhere = ["-i", input, "-map", "0", "-f", "null", "-"];
    run(FFMPEG, [&["-v", "error", "-xerror"], names(input), &to_nowhere].concat()).await;
}

/// Debian's ffmpeg knows E-AC-3 as `.eac3` only, and players know it as `.ec3`.
fn names(input: &str) -> &'static [&'static str] {
    if input.ends_with(".m3u8") { &["-extension_picky", "0"] } else { &[] }
}

/// Decodes all that can be decoded of `input`; a single complaint is an error. Where a TS follows another, its counters
/// begin anew, which [`decode`] takes for a loss.
pub async fn plays(input: &str) {
    run(FFMPEG, ["-v", "error", "-i", input, "-map", "0", "-f", "null", "-"].to_vec()).await;
}

/// Checks that `carried`, read from its playlist at `url`, has the packets of what was published.
pub async fn same_packets(carried: &Carried, url: &str, published: &Renditions) {
    let entries = &published[&carried.source][carried.first..=carried.last];
    let first = &entries[0].segment.uri;
    let suffix = first.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mut file = tempfile::Builder::new().suffix(&format!(".{suffix}")).tempfile().unwrap();
    for entry in entries {
        file.write_all(&entry.bytes).unwrap();
    }
    let expected = packets(file.path().to_str().unwrap()).await;
    assert!(expected.values().all(|count| *count > 0) && !expected.is_empty(), "{expected:?}");
    assert_eq!(packets(url).await, expected, "{url}");
}

async fn run(program: &'static str, args: Vec<&str>) -> String {
    let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
    let shown = format!("{program} {}", args.join(" "));
    let output = tokio::task::spawn_blocking(move || Command::new(program).args(args).output());
    let output = output.await.unwrap().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{shown}: {complaints}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
