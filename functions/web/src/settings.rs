//! What can be set.

use std::net::IpAddr;

/// How the adapters behave.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// Certificates of further authorities, PEM: accepted beside the public ones.
    pub extra_roots_pem: Vec<u8>,
    /// How much is read, and held.
    pub limits: Limits,
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
    /// The longest segment, in bytes.
    pub segment_bytes: usize,
    /// Bytes of segments in memory, over all sessions.
    pub bytes_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { playlist_bytes: 8 << 20, segment_bytes: 64 << 20, bytes_in_flight: 256 << 20 }
    }
}
