//! The segments: a few of ffmpeg's test pattern, made distinct by a stamp at both ends.

use crate::Result;
use crate::schedule::{BANDWIDTHS, SEGMENT, SegmentId};
use bytes::Bytes;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The length of an MPEG-TS packet.
pub const PACKET: usize = 188;

/// How many different segments a variant has before they come again.
const LOOP: u64 = 10;

/// The bodies of one variant's segments, without their stamps.
pub struct Media(Vec<Vec<u8>>);

impl Media {
    /// Reads the segments of every variant from `dir`, and makes those that are not there.
    ///
    /// # Errors
    ///
    /// When ffmpeg fails or is not installed, or `dir` cannot be written.
    pub fn load(dir: &Path) -> Result<Vec<Self>> {
        fs::create_dir_all(dir)?;
        let mut variants = Vec::new();
        for (variant, size) in ["1280x720", "640x360"].iter().enumerate() {
            let path = |k| dir.join(format!("v{variant}_{k}.ts"));
            if !path(LOOP - 1).exists() {
                make(dir, variant, size)?;
            }
            variants.push(Self((0..LOOP).map(|k| fs::read(path(k))).collect::<Result<_, _>>()?));
        }
        Ok(variants)
    }

    /// The bytes of a segment: like no other's, and complete if both stamps are there.
    #[must_use]
    pub fn segment(&self, id: SegmentId) -> Bytes {
        stamped(id, &self.0[usize::try_from(id.sequence % LOOP).expect("LOOP is small")])
    }
}

/// A body between the stamps of a segment.
#[must_use]
pub fn stamped(id: SegmentId, body: &[u8]) -> Bytes {
    let stamp = stamp(id, body.len() + 2 * PACKET);
    Bytes::from([&stamp[..], body, &stamp].concat())
}

/// A null packet, which every player skips, that says which segment it belongs to and how long that is.
fn stamp(id: SegmentId, length: usize) -> [u8; PACKET] {
    let mut packet = [0xFF; PACKET];
    packet[..4].copy_from_slice(&[0x47, 0x1F, 0xFF, 0x10]);
    let text = format!("{id} {length}\n");
    packet[4..4 + text.len()].copy_from_slice(text.as_bytes());
    packet
}

/// Which segment a file is, from its first and last packet and its length.
///
/// Absent: it is cut short, or nothing that the source published.
#[must_use]
pub fn identify(first: &[u8; PACKET], last: &[u8; PACKET], length: u64) -> Option<SegmentId> {
    let text =
        first.strip_prefix(&[0x47, 0x1F, 0xFF, 0x10])?.split(|&byte| byte == b'\n').next()?;
    let (id, stamped) = str::from_utf8(text).ok()?.split_once(' ')?;
    (first == last && stamped.parse() == Ok(length)).then(|| id.parse().ok())?
}

fn make(dir: &Path, variant: usize, size: &str) -> Result<()> {
    let total = BANDWIDTHS[variant];
    // TS and the sound take about a tenth; null packets fill up to the rate that is declared.
    let video = (total / 10 * 9 - 96_000).to_string();
    let buffer = (total / 2).to_string();
    let seconds = (LOOP * SEGMENT / 1_000_000).to_string();
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=25")])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", &seconds])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-sc_threshold", "0"])
        .args(["-b:v", &video, "-minrate", &video, "-maxrate", &video, "-bufsize", &buffer])
        .args(["-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-b:a", "96k"])
        .args(["-muxrate", &total.to_string(), "-f", "segment", "-segment_time", "2"])
        .args(["-segment_format", "mpegts"])
        .arg(dir.join(format!("v{variant}_%d.ts")))
        .status()
        .map_err(|error| format!("ffmpeg does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("ffmpeg ended with {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_known_by_its_bytes_and_only_when_whole() {
        let id = SegmentId { session: 3, variant: 1, sequence: 812 };
        let bytes = stamped(id, &[0x47; 10 * PACKET]);
        let first: &[u8; PACKET] = bytes.first_chunk().unwrap();
        let last: &[u8; PACKET] = bytes.last_chunk().unwrap();
        let length = u64::try_from(bytes.len()).unwrap();
        assert_eq!(identify(first, last, length), Some(id));
        assert_eq!(identify(first, last, length - 1), None, "another length");
        assert_eq!(identify(first, &[0x47; PACKET], length), None, "another end");
        assert_eq!(identify(&[0; PACKET], &[0; PACKET], length), None, "another file");
    }
}
