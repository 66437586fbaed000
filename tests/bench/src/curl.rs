//! The bare cost: the same requests made by `curl`, as fast as they go.

use crate::Result;
use crate::apache::{Apache, CREDENTIALS};
use crate::process;
use crate::report::Cpu;
use crate::schedule::{BANDWIDTHS, SegmentId};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What it took to carry so many segments.
#[derive(Clone, Copy, Debug)]
pub struct Bare {
    /// How many.
    pub segments: u64,
    /// Used by all: `curl` is the product.
    pub cpu: Cpu,
}

/// Carries segments of the past: for each, one GET of its playlist and one of itself, and a PUT of
/// both to each endpoint.
///
/// One process makes all requests one after the other, so that it keeps one connection to the
/// source and one to each endpoint. It does not keep a nonce from one request to the next, so each
/// PUT is first sent without its body, to be challenged.
///
/// # Errors
///
/// When `curl` fails.
pub fn carry(
    dir: &Path,
    source: u16,
    endpoints: &[Apache],
    segments: &[SegmentId],
    measure: impl Fn() -> Result<Cpu>,
) -> Result<Bare> {
    let mut config = String::new();
    for id in segments {
        let SegmentId { session, variant, sequence } = id;
        let playlist = format!("v{variant}.m3u8");
        let segment = format!("v{variant}_{sequence}.ts");
        for (name, kept) in [(&playlist, "playlist"), (&segment, "segment")] {
            let kept = dir.join(kept);
            writeln!(
                config,
                "url = http://127.0.0.1:{source}/{session}/{name}\noutput = {}\nnext",
                kept.display()
            )?;
        }
        for (name, kept) in [(&segment, "segment"), (&playlist, "playlist")] {
            for endpoint in endpoints {
                let (user, password) = CREDENTIALS;
                writeln!(
                    config,
                    "url = {}_{name}\nupload-file = {}\ndigest\nuser = {user}:{password}\noutput = /dev/null\nfail\nnext",
                    endpoint.address(*session),
                    dir.join(kept).display()
                )?;
            }
        }
    }
    let path = dir.join("curl.conf");
    // What follows the last `next` would have to name an address.
    fs::write(&path, config.trim_end().trim_end_matches("next"))?;
    let (before, waited) = (measure()?, process::waited_cpu()?);
    let status = Command::new("curl").args(["-s", "-S", "-K"]).arg(&path).status()?;
    if !status.success() {
        return Err(format!("curl ended with {status}").into());
    }
    let mut cpu = measure()?.since(before);
    cpu.product = process::waited_cpu()? - waited;
    Ok(Bare { segments: u64::try_from(segments.len())?, cpu })
}

/// The segments that one second of a session's source has, over all variants, in thousandths.
pub const SEGMENTS_A_SECOND: u64 =
    BANDWIDTHS.len() as u64 * 1_000_000_000 / crate::schedule::SEGMENT;
