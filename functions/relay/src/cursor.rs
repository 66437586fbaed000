//! How far a session has come.
//!
//! The cursor carries what the source's playlist cannot say: our numbering, the epoch, the jumps inside
//! the window, what each endpoint has, and, with a window longer than the source's, the lines that the
//! source no longer lists.

use crate::names::{Epoch, Extension, RenditionName};
use crate::parts::{Along, PartId};
use hls::{DiscontinuitySequence, MediaSequence, Micros, Seconds, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many of the newest segments of a rendition are remembered by their fingerprints.
pub(crate) const FINGERPRINTS: usize = 4;

/// How far a session has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// One mark a rendition.
    #[serde(rename = "r", default)]
    pub renditions: BTreeMap<RenditionName, Rendition>,
    /// Segments that landed at one endpoint at least.
    #[serde(rename = "n", default)]
    pub segments: u64,
    /// Bytes of these segments.
    #[serde(rename = "b", default)]
    pub bytes: u64,
    /// The measured peak, in bits a second, of a source that is a single media playlist.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<u64>,
    /// Which of the session's sources is carried.
    #[serde(rename = "o", default, skip_serializing_if = "is_first")]
    pub source: usize,
    /// What a newer writer knows and this one does not.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// How far one rendition has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// Counts the numberings of the source.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The first segment of this epoch that is carried.
    #[serde(rename = "f", with = "number")]
    pub entry: MediaSequence,
    /// The segment of the epoch before that `entry` follows without a break, if it does.
    #[serde(rename = "q", with = "maybe_number", default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<MediaSequence>,
    /// Which of the session's sources this is of.
    #[serde(rename = "u", default, skip_serializing_if = "is_first")]
    pub source: usize,
    /// The numbering that the source left, for as long as a cache may still give it.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Former>,
    /// Since when the source has listed what may be an old copy or the beginning of another numbering.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<Timestamp>,
    /// Tells where its media playlist lies, as [`place`](crate::layout::place) does; absent before
    /// that was noted.
    #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u32>,
    /// Tells what it is like, as [`Listed::alike`](crate::layout::Listed::alike) does; absent before that was noted.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<u32>,
    /// Whether the multivariant playlist does not name it any more.
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    pub unlisted: bool,
    /// The newest segment that the source has listed.
    #[serde(rename = "s", with = "number")]
    pub newest: MediaSequence,
    /// When that was made, where it is dated.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Timestamp>,
    /// Fingerprints of the newest segments, the newest last.
    #[serde(rename = "h")]
    pub fingerprints: Vec<u32>,
    /// The output's target duration: it only grows.
    #[serde(rename = "t", with = "number")]
    pub target_duration: Seconds,
    /// The name ending of its newest segment.
    #[serde(rename = "x", default)]
    pub extension: Extension,
    /// What each endpoint has, in the session's order; one entry when all have the same.
    #[serde(rename = "a", with = "alike")]
    pub tracks: Vec<Track>,
    /// What segments have beside themselves, oldest first; empty where they have nothing.
    #[serde(rename = "i", default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Parts>,
    /// What was passed as a gap at an endpoint and can still be listed there.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gaps>,
    /// Lines that the output lists on its own account, oldest first.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
}

/// Consecutive segments for which nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// The epoch.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The source's number of the first.
    #[serde(rename = "f", with = "number")]
    pub from: MediaSequence,
    /// The source's number of the last.
    #[serde(rename = "t", with = "number")]
    pub to: MediaSequence,
}

/// What segments have beside themselves, from one on up to the next that has something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The epoch.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The source's number of the first.
    #[serde(rename = "f", with = "number")]
    pub from: MediaSequence,
    /// What they have.
    #[serde(flatten)]
    pub along: Along,
}

/// The end of a numbering that the source left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Its newest segment.
    #[serde(rename = "s", with = "number")]
    pub newest: MediaSequence,
    /// Fingerprints of its newest segments, the newest last.
    #[serde(rename = "h")]
    pub fingerprints: Vec<u32>,
    /// How long to remember it.
    #[serde(rename = "u")]
    pub until: Timestamp,
}

/// What one endpoint has of one rendition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// What may be listed, oldest first. The last one is there even when none of it is listed any more.
    #[serde(rename = "s", default)]
    pub stretches: Vec<Stretch>,
    /// Discontinuities before and at the newest segment.
    #[serde(rename = "d", with = "number", default)]
    pub discontinuities: DiscontinuitySequence,
    /// How many more these are than the source states; less than none, where what it states was left out.
    #[serde(rename = "n", default, skip_serializing_if = "is_even")]
    pub marks: i64,
    /// The output's number of the newest segment that a stored playlist surely lists, or the one before
    /// the first. Absent before the number 0.
    #[serde(rename = "g", with = "maybe_number", default, skip_serializing_if = "Option::is_none")]
    pub given: Option<MediaSequence>,
    /// Whether nothing of the stretches may be listed any more, nor the next segment join them.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// The newest segment before the stretches, where they were given up because of that: what marks a place
    /// up to there may have been given, and is not said again.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub past: Option<(Epoch, u64)>,
    /// Jumps that were marked.
    #[serde(rename = "j", default, skip_serializing_if = "is_zero")]
    pub jumps: u64,
    /// Segments that these jumps left out.
    #[serde(rename = "m", default, skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// What left the window and is still stored, oldest first, where the output wants it deleted.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Stretch>,
    /// How long the longest playlist lasts, where that matters.
    #[serde(rename = "w", with = "number", default, skip_serializing_if = "is_nothing")]
    pub longest: Micros,
    /// When that is to be deleted.
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    pub due: Vec<Due>,
}

/// What left the playlists is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// What the output numbers less than so.
    #[serde(rename = "b", with = "number")]
    pub before: MediaSequence,
    /// When.
    #[serde(rename = "u")]
    pub until: Timestamp,
}

/// Consecutive segments of one epoch, numbered consecutively at the output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The epoch.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The source's number of the first.
    #[serde(rename = "f", with = "number")]
    pub from: MediaSequence,
    /// The source's number of the last.
    #[serde(rename = "t", with = "number")]
    pub to: MediaSequence,
    /// The output's number of the first.
    #[serde(rename = "o", with = "number")]
    pub out: MediaSequence,
    /// Whether the first needs a discontinuity that the source does not state.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub marked: bool,
}

/// A line that the output lists on its own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The epoch.
    #[serde(rename = "e")]
    pub epoch: Epoch,
    /// The source's number.
    #[serde(rename = "s", with = "number")]
    pub sequence: MediaSequence,
    /// Its lines, but for those that name files.
    #[serde(rename = "l")]
    pub lines: Vec<String>,
    /// The attributes of its keys.
    #[serde(rename = "y", default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The attributes of its map's keys.
    #[serde(rename = "z", default, skip_serializing_if = "Vec::is_empty")]
    pub map_keys: Vec<String>,
    /// Its duration.
    #[serde(rename = "d", with = "number")]
    pub duration: Micros,
    /// Whether it states a discontinuity.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub discontinuity: bool,
    /// Its name ending.
    #[serde(rename = "x", default)]
    pub extension: Extension,
    /// When it was made, where the source says so.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub program_date_time: Option<Timestamp>,
}

impl Gaps {
    /// Whether a segment is one of these.
    #[must_use]
    pub fn has(&self, epoch: Epoch, sequence: MediaSequence) -> bool {
        self.epoch == epoch && self.from <= sequence && sequence <= self.to
    }
}

impl Stretch {
    /// The output's number of the last.
    #[must_use]
    pub fn last_out(&self) -> MediaSequence {
        self.out.after(self.to.since(self.from))
    }

    /// The output's number of a segment, when it is one of these.
    #[must_use]
    pub fn number(&self, epoch: Epoch, sequence: MediaSequence) -> Option<MediaSequence> {
        let inside = self.epoch == epoch && self.from <= sequence && sequence <= self.to;
        inside.then(|| self.out.after(sequence.since(self.from)))
    }
}

impl Track {
    /// The stretches that may be listed, oldest first.
    #[must_use]
    pub fn listed(&self) -> &[Stretch] {
        if self.broken { &[] } else { &self.stretches }
    }

    /// The stretch that grows.
    #[must_use]
    pub fn last(&self) -> Option<&Stretch> {
        self.stretches.last()
    }

    /// The newest segment of `epoch` that has landed here.
    #[must_use]
    pub fn landed(&self, epoch: Epoch) -> Option<MediaSequence> {
        self.last().filter(|stretch| stretch.epoch == epoch).map(|stretch| stretch.to)
    }

    /// How many more discontinuities than the source states come before its newest segment. That may begin with one
    /// which other renditions are about to have for the same reason.
    #[must_use]
    pub fn settled_marks(&self) -> i64 {
        self.marks - i64::from(self.begins_anew())
    }

    /// Whether a discontinuity that the source does not state is at the newest segment.
    #[must_use]
    pub fn begins_anew(&self) -> bool {
        self.last().is_some_and(|last| last.marked && last.from == last.to)
    }

    /// The output's number of a segment that may be listed.
    #[must_use]
    pub fn number(&self, epoch: Epoch, sequence: MediaSequence) -> Option<MediaSequence> {
        self.listed().iter().find_map(|stretch| stretch.number(epoch, sequence))
    }

    /// Whether a segment comes before stretches that were given up.
    #[must_use]
    pub fn is_past(&self, epoch: Epoch, sequence: MediaSequence) -> bool {
        self.past >= Some((epoch, sequence.0))
    }

    /// Whether a segment needs a discontinuity that the source does not state.
    #[must_use]
    pub fn marks(&self, epoch: Epoch, sequence: MediaSequence) -> bool {
        self.listed().iter().any(|s| s.marked && s.epoch == epoch && s.from == sequence)
    }
}

impl Rendition {
    /// The first segment of this epoch that the endpoint of `track` still lacks.
    #[must_use]
    pub fn wanted_from(&self, track: &Track) -> MediaSequence {
        track.landed(self.epoch).map_or(self.entry, |landed| landed.after(1))
    }

    /// The newest segment of this epoch that has landed at an endpoint.
    #[must_use]
    pub fn landed(&self) -> Option<MediaSequence> {
        self.tracks.iter().filter_map(|track| track.landed(self.epoch)).max()
    }

    /// What a segment that landed has beside itself.
    #[must_use]
    pub fn along(&self, epoch: Epoch, sequence: MediaSequence) -> Option<&Along> {
        let before = |parts: &&Parts| parts.epoch == epoch && parts.from <= sequence;
        self.parts.iter().rev().find(before).map(|parts| &parts.along)
    }

    /// Whether the endpoint of `track` has a part, because a segment landed there that needs it.
    #[must_use]
    pub fn has(&self, track: &Track, part: &PartId) -> bool {
        self.parts.iter().enumerate().any(|(index, parts)| {
            let next = self.parts.get(index + 1).filter(|next| next.epoch == parts.epoch);
            let landed = |stretch: &Stretch| {
                stretch.epoch == parts.epoch
                    && stretch.to >= parts.from
                    && next.is_none_or(|next| stretch.from < next.from)
            };
            parts.along.parts().any(|(_, id)| id == part) && track.stretches.iter().any(landed)
        })
    }
}

/// Why stored bytes are not a cursor.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not what was written, compressed or not.
    #[error("the stored cursor cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The compressed form is damaged.
    #[error("the stored cursor cannot be decompressed")]
    Compression,
}

/// Up to this size a cursor is stored as it is: with 256 bytes for what else is stored of a session, one
/// write unit of DynamoDB.
const COMPRESS_FROM: usize = 768;

/// The first byte of a compressed cursor; JSON begins with another.
const COMPRESSED: u8 = b'z';

/// The largest cursor that is read back, in bytes.
const LARGEST: usize = 16 << 20;

/// The bytes that are stored: JSON, compressed when it is long.
#[must_use]
pub fn encode(cursor: &Cursor) -> Vec<u8> {
    let json = serde_json::to_vec(cursor).expect("a cursor has string keys only");
    if json.len() <= COMPRESS_FROM {
        return json;
    }
    let mut bytes = vec![COMPRESSED];
    bytes.extend(miniz_oxide::deflate::compress_to_vec(&json, 1));
    bytes
}

/// The cursor that [`encode`] stored.
///
/// # Errors
/// [`DecodeError`], when the bytes are not what `encode` wrote.
pub fn decode(bytes: &[u8]) -> Result<Cursor, DecodeError> {
    match bytes.split_first() {
        Some((&COMPRESSED, compressed)) => {
            let json = miniz_oxide::inflate::decompress_to_vec_with_limit(compressed, LARGEST)
                .map_err(|_| DecodeError::Compression)?;
            Ok(serde_json::from_slice(&json)?)
        }
        _ => Ok(serde_json::from_slice(bytes)?),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_first(source: &usize) -> bool {
    *source == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_even(more: &i64) -> bool {
    *more == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_nothing(time: &Micros) -> bool {
    time.0 == 0
}

/// A newtype of a number as that number.
mod number {
    use serde::{Deserialize, Deserializer, Serializer};

    pub trait Number {
        fn from_number(number: u64) -> Self;
        fn number(&self) -> u64;
    }

    macro_rules! numbers {
        ($($name:ty),*) => {$(
            impl Number for $name {
                fn from_number(number: u64) -> Self { Self(number) }
                fn number(&self) -> u64 { self.0 }
            }
        )*};
    }
    numbers!(hls::MediaSequence, hls::DiscontinuitySequence, hls::Micros, hls::Seconds);

    pub fn serialize<T: Number, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.number())
    }

    pub fn deserialize<'de, T: Number, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        u64::deserialize(from).map(T::from_number)
    }
}

/// The same for one that may be absent.
mod maybe_number {
    use super::number::Number;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Number, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Number::number).serialize(to)
    }

    pub fn deserialize<'de, T: Number, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(T::from_number))
    }
}

/// Tracks that are all the same as one and a count.
mod alike {
    use super::Track;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Wire<T> {
        Alike { n: usize, t: T },
        Each(Vec<T>),
    }

    pub fn serialize<S: Serializer>(tracks: &[Track], to: S) -> Result<S::Ok, S::Error> {
        match tracks {
            [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|track| track == first) => {
                Wire::Alike { n: tracks.len(), t: first }.serialize(to)
            }
            _ => tracks.serialize(to),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Track>, D::Error> {
        Ok(match Wire::<Track>::deserialize(from)? {
            Wire::Alike { n, t } => vec![t; n.min(MOST_ENDPOINTS)],
            Wire::Each(tracks) => tracks,
        })
    }

    /// More endpoints than any session has.
    const MOST_ENDPOINTS: usize = 64;
}
