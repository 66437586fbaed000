//! Playlist text to values and back (RFC 8216 and draft-pantos-hls-rfc8216bis).
//!
//! `m3u8-rs` reads; what it would lose or reshape is kept word for word, so rendering what was read
//! gives it back. Any input gives a value or an [`Error`] that names the line.
//!
//! ```
//! use hls::{Limits, MediaSequence, Micros, Playlist, parse};
//!
//! let text = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:812\n\
//!             #EXT-X-CUE-OUT:30\n#EXTINF:5.005333,a, b\nv0/812.ts\n";
//! let Playlist::Media(mut playlist) = parse(text.as_bytes(), &Limits::default())? else {
//!     unreachable!("it names a segment");
//! };
//! assert_eq!(playlist.segments[0].duration, Micros(5_005_333));
//! assert_eq!(playlist.to_string(), text);
//!
//! playlist.media_sequence = MediaSequence(7);
//! playlist.segments[0].uri = "channel_video_7.ts".to_owned();
//! assert_eq!(
//!     playlist.to_string(),
//!     text.replace("812\n", "7\n").replace("v0/812.ts", "channel_video_7.ts"),
//! );
//! # Ok::<(), hls::Error>(())
//! ```

mod attributes;
mod define;
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
pub use define::{Variables, substitute};
pub use error::{Error, ErrorKind};
pub use media::{ByteRange, Map, MediaPlaylist, PlaylistType, Segment, Stop};
pub use multivariant::{Line, Media, MediaKind, MultivariantPlaylist, Variant};
pub use parse::{Limits, Playlist, parse, parse_around};
pub use tags::{is_define, is_low_latency, is_marker, names_a_file};
pub use time::Timestamp;
pub use units::{DiscontinuitySequence, MediaSequence, Micros, Seconds, duration};
