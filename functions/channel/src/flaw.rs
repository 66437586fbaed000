//! Why a programme cannot be played.

use hls::{Micros, Seconds};

/// One reason why a programme cannot be played. Segments are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The multivariant playlist names no variant.
    #[error("the multivariant playlist names no variant")]
    NoVariant,
    /// A media playlist was not read in.
    #[error("{playlist}: missing")]
    Missing {
        /// Its address in the multivariant playlist.
        playlist: String,
    },
    /// A media playlist lacks `EXT-X-ENDLIST`: it is not a VOD.
    #[error("{playlist}: has no end (EXT-X-ENDLIST)")]
    Endless {
        /// Its address in the multivariant playlist.
        playlist: String,
    },
    /// A media playlist plays for no time, or hardly any.
    #[error("{playlist}: has nothing to play")]
    Empty {
        /// Its address in the multivariant playlist.
        playlist: String,
    },
    /// A media playlist needs what a channel cannot do.
    #[error("{playlist}: segment {segment} {what}")]
    Unsupported {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// The first segment that needs it.
        segment: usize,
        /// What it needs.
        what: Unsupported,
    },
    /// A variant has more or fewer segments than the first one.
    #[error("{playlist}: has {segments} segments where {like} has {expected}")]
    Count {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// How many segments it has.
        segments: usize,
        /// The address of the first variant.
        like: String,
        /// How many that has.
        expected: usize,
    },
    /// A segment of a variant ends elsewhere than the same one of the first variant.
    #[error(
        "{playlist}: segment {segment} ends at {end} s where that of {like} ends at {expected} s"
    )]
    Boundary {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// The first such segment.
        segment: usize,
        /// Where it ends.
        end: Micros,
        /// The address of the first variant.
        like: String,
        /// Where the segment of that ends.
        expected: Micros,
    },
    /// A rendition plays for much longer or shorter than the variants.
    #[error("{playlist}: plays for {duration} s where the programme takes {expected} s")]
    Length {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// How long it plays.
        duration: Micros,
        /// How long the variants play.
        expected: Micros,
    },
    /// The playlist has more or fewer discontinuities than the first variant.
    #[error("{playlist}: has {discontinuities} discontinuities where {like} has {expected}")]
    Discontinuities {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// How many it has.
        discontinuities: u64,
        /// The address of the first variant.
        like: String,
        /// How many that has.
        expected: u64,
    },
    /// A segment is in another container than the first of its playlist, or of its kind.
    #[error("{playlist}: segment {segment} is {found} where {expected} came before")]
    Container {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// The first such segment.
        segment: usize,
        /// Such as `ts`, `fmp4`, `aac` or `vtt`.
        found: String,
        /// That of those before.
        expected: String,
    },
    /// A segment is longer than the channel's target duration (RFC 8216 section 4.3.3.1).
    #[error(
        "{playlist}: segment {segment} takes {duration} s and the channel's target duration is {target} s"
    )]
    TooLong {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// The first such segment.
        segment: usize,
        /// How long it plays.
        duration: Micros,
        /// What it may play at most, when rounded.
        target: Seconds,
    },
    /// A range of a file does not say where it begins, and follows no other.
    #[error("{playlist}: segment {segment} is a range of a file that has no known beginning")]
    Range {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// The first such segment.
        segment: usize,
    },
    /// An initialisation section is encrypted with a key that does not say its IV (RFC 8216 section 4.3.2.5).
    #[error(
        "{playlist}: segment {segment} has an EXT-X-MAP that is encrypted with AES-128 by an EXT-X-KEY without IV"
    )]
    Map {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// The first segment that needs it.
        segment: usize,
    },
    /// The programme has nothing that could play in a rendition of the channel.
    #[error("has nothing to play as {rendition}")]
    Lacks {
        /// The name of the rendition.
        rendition: String,
    },
    /// The programme's audio is beside its variants, and the channel has it in them.
    #[error("has its audio beside the variants where the channel has it in them")]
    Demuxed,
    /// The programme's audio is in its variants, and the channel has it beside them.
    #[error("has in its variants the audio that the channel has beside them as {rendition}")]
    Muxed {
        /// The name of the rendition.
        rendition: String,
    },
    /// The programme's codecs are not those of the channel.
    #[error("{playlist}: is {found} where the channel is {expected}")]
    Codecs {
        /// Its address in the multivariant playlist.
        playlist: String,
        /// The families of its codecs, such as `avc1, mp4a`.
        found: String,
        /// Those of the channel.
        expected: String,
    },
    /// The place of the multivariant playlist is no address.
    #[error("the address of the multivariant playlist cannot be read")]
    Base,
    /// A loop was given no programme.
    #[error("a loop needs a programme")]
    EmptyLoop,
}

/// What a channel cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unsupported {
    /// Alternative video.
    #[error("is of alternative video")]
    AlternativeVideo,
    /// A segment that no player can read.
    #[error("is at an address that is neither of http nor of https")]
    Scheme,
    /// Keys that a licence server gives out to whom it knows.
    #[error("is encrypted with keys that only a DRM system gives")]
    Drm,
}
