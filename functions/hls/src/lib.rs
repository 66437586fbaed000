//! Playlist text to values and back (RFC 8216 and draft-pantos-hls-rfc8216bis).
//!
//! `m3u8-rs` reads; what it would lose or reshape is kept word for word, so rendering what was read
//! gives it back. Any input gives a value or an [`Error`] that names the line.

mod attributes;
mod error;
mod interpret;
mod media;
mod multivariant;
mod parse;
mod read_media;
mod read_multivariant;
mod tags;
mod time;
mod units;

pub use attributes::AttributeList;
pub use error::{Error, ErrorKind};
pub use media::{MediaPlaylist, PlaylistType, Segment};
pub use multivariant::{Line, Media, MediaKind, MultivariantPlaylist, Variant};
pub use parse::{Limits, Playlist, parse};
pub use tags::is_low_latency;
pub use time::Timestamp;
pub use units::{DiscontinuitySequence, MediaSequence, Micros, Seconds, duration};
