//! What can be set, and what it is when nothing is said.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How the adapters behave.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// Where this process itself serves: who carries a channel of it may read that there, whatever the reach.
    pub own: Option<SocketAddr>,
    /// Certificates of further authorities, PEM: accepted beside the public ones.
    pub extra_roots_pem: Vec<u8>,
    /// How much is read, and held.
    pub limits: Limits,
    /// How long things may take.
    pub patience: Patience,
}

/// Which addresses may be connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Public ones only: a source's URL is the caller's word.
    #[default]
    Public,
    /// Public ones and these.
    PublicAnd(Vec<IpAddr>),
    /// All.
    Anywhere,
}

/// How much is read from a source, and held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest playlist, in bytes, decompressed.
    pub playlist_bytes: usize,
    /// The longest segment, in bytes, decompressed.
    pub segment_bytes: usize,
    /// Bytes of segments in memory, over all sessions. A segment that is larger passes alone.
    pub bytes_in_flight: usize,
    /// Requests a second to one endpoint, whatever its output takes; absent: as many as that takes.
    pub requests_a_second: Option<u32>,
}

/// A day of two-second segments, at about 100 bytes each with their lines, and room to spare.
const PLAYLIST_BYTES: usize = 8 << 20;
/// Ten seconds at 50 Mbit/s.
const SEGMENT_BYTES: usize = 64 << 20;
/// Some 200 sessions with a segment of 1 MB each.
const BYTES_IN_FLIGHT: usize = 256 << 20;
impl Default for Limits {
    fn default() -> Self {
        Self {
            playlist_bytes: PLAYLIST_BYTES,
            segment_bytes: SEGMENT_BYTES,
            bytes_in_flight: BYTES_IN_FLIGHT,
            requests_a_second: None,
        }
    }
}

/// How long things may take, and how often they are tried again.
///
/// The calls' deadlines count everything: names, connections, redirects, challenges, retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// To look up a name, connect and agree on keys.
    pub connect: Duration,
    /// Between two signs of life of an origin.
    pub stall: Duration,
    /// To read a playlist.
    pub playlist: Duration,
    /// To read a segment; and before that, to wait for room to hold it.
    pub segment: Duration,
    /// To store something small, such as a playlist, or to delete.
    pub small_put: Duration,
    /// To store something large.
    pub large_put: Duration,
    /// How often one call is tried.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            stall: Duration::from_secs(5),
            playlist: Duration::from_secs(10),
            segment: Duration::from_secs(30),
            small_put: Duration::from_secs(10),
            large_put: Duration::from_secs(30),
            tries: 3,
        }
    }
}
