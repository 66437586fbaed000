//! The index of a VOD: what a channel needs to know of a programme, checked once.

use crate::ladder::Ladder;
use crate::window::TOLERANCE;
use hls::{Media, Micros, MultivariantPlaylist};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::Range;

/// A programme that can be played: an immutable index of a VOD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// What it offers; rendition `i` is track `i`.
    pub(crate) ladder: Ladder,
    /// The variants by rising bandwidth first: the first is the one that others are cut by.
    pub(crate) tracks: Vec<Track>,
}

/// Names the content of an index: two with the same hash play the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AssetHash(pub String);

impl fmt::Display for AssetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One media playlist of a programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Track {
    /// Its address in the multivariant playlist.
    pub(crate) playlist: String,
    /// When its first segment begins, by its own clock.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) begin: Micros,
    /// What its segments need to be read before them; each segment names one.
    pub(crate) states: Vec<State>,
    pub(crate) segments: Vec<Segment>,
}

/// What must come before a segment: lines of `EXT-X-MAP` and `EXT-X-KEY`, each with its line break.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The keys that the initialisation section is encrypted with.
    pub(crate) map_keys: String,
    pub(crate) map: String,
    /// The keys of the segment itself; empty: it is not encrypted.
    pub(crate) keys: String,
}

/// The addresses of what is read to play a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs<'a> {
    /// The segment itself.
    pub segment: &'a str,
    /// The initialisation section, where there is one.
    pub map: Option<&'a str>,
    /// The keys of both.
    pub keys: Vec<&'a str>,
}

/// The addresses that lines of `EXT-X-MAP` or `EXT-X-KEY` give.
fn uris(lines: &str) -> impl Iterator<Item = &str> {
    lines.lines().filter_map(|line| Some(line.split_once("URI=\"")?.1.split_once('"')?.0))
}

/// One segment, ready to be listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSegment", into = "StoredSegment")]
pub(crate) struct Segment {
    /// Where it ends, from the start of the programme.
    pub(crate) end: Micros,
    /// The discontinuities from the start of the programme up to and with its own.
    pub(crate) discontinuities: u64,
    /// Which of the track's states it needs.
    pub(crate) state: usize,
    /// Its lines, but for those that tell of its time or state, and its address; each with its line break.
    pub(crate) text: Box<str>,
}

/// Names of fields would be most of what is stored.
type StoredSegment = (Micros, u64, usize, Box<str>);

impl From<StoredSegment> for Segment {
    fn from((end, discontinuities, state, text): StoredSegment) -> Self {
        Self { end, discontinuities, state, text }
    }
}

impl From<Segment> for StoredSegment {
    fn from(segment: Segment) -> Self {
        (segment.end, segment.discontinuities, segment.state, segment.text)
    }
}

/// The addresses of the media playlists that [`Asset::index`] wants, as the multivariant playlist
/// writes them, each once.
#[must_use]
pub fn media_playlists(multivariant: &MultivariantPlaylist) -> Vec<&str> {
    let mut addresses: Vec<&str> = Vec::new();
    let variants = multivariant.variants().map(|variant| variant.uri.as_str());
    let iframes = multivariant.lines.iter().filter_map(|line| match line {
        hls::Line::IFrame(attributes) => attributes.get("URI"),
        hls::Line::Variant(_) | hls::Line::Media(_) | hls::Line::Other(_) => None,
    });
    for address in variants.chain(multivariant.media().filter_map(Media::uri)).chain(iframes) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

impl Asset {
    /// How long it plays: the segments of the first variant, all together.
    #[must_use]
    pub fn duration(&self) -> Micros {
        self.lead().duration()
    }

    /// What it offers.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// How many segments each of its variants has.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.lead().segments.len()
    }

    /// The longest of its segments.
    #[must_use]
    pub fn longest(&self) -> Micros {
        let lengths = self.tracks.iter().flat_map(|track| {
            (0..track.segments.len()).map(|place| track.start(place + 1) - track.start(place))
        });
        lengths.max().unwrap_or_default()
    }

    /// What is read to play a segment, counted from 0, of the track that plays in a channel's first rendition.
    #[must_use]
    pub fn needs(&self, tracks: &[Option<usize>], segment: usize) -> Option<Needs<'_>> {
        let track = self.tracks.get(tracks.first().copied().flatten()?)?;
        let state = track.states.get(track.segments.get(segment)?.state)?;
        let keys = uris(&state.map_keys).chain(uris(&state.keys)).collect();
        Some(Needs { segment: track.address(segment)?, map: uris(&state.map).next(), keys })
    }

    /// Whether another one is the same but for the queries of addresses: some origins sign them anew each time that
    /// they are asked.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let mut both = self.tracks.iter().zip(&other.tracks);
        self.ladder == other.ladder
            && self.tracks.len() == other.tracks.len()
            && both.all(|(track, other)| track.is_like(other))
    }

    /// What names its content.
    #[must_use]
    pub fn hash(&self) -> AssetHash {
        let content = serde_json::to_vec(self).expect("an index has string keys only");
        let digest = Sha256::digest(&content);
        // 128 bits are plenty to tell programmes apart.
        AssetHash(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The first variant: boundaries of the programme are its boundaries.
    pub(crate) fn lead(&self) -> &Track {
        self.tracks.first().expect("an index has a variant, or it is refused")
    }

    /// Whether it is a part of a live source: those have a clock that goes on from one to the next.
    pub(crate) fn is_piece(&self) -> bool {
        self.lead().begin > Micros(0)
    }

    /// The segments of a track that belong to a run of segments of the first variant.
    ///
    /// A track that is cut elsewhere takes its nearest boundaries with the same count of
    /// discontinuities, so that those of all renditions agree.
    pub(crate) fn cut(&self, track: &Track, run: &Range<usize>) -> Range<usize> {
        let lead = self.lead();
        let begin = if run.start == 0 { 0 } else { track.nearest_start(lead, run.start) };
        let end = if run.end >= lead.segments.len() {
            track.segments.len()
        } else {
            track.nearest_end(lead, run.end)
        };
        begin..end.max(begin + 1).min(track.segments.len())
    }

    /// The segments of a track of a live source that begin before a run of segments of the first variant ends.
    pub(crate) fn cover(&self, track: &Track, run: &Range<usize>) -> Range<usize> {
        let (lead, all) = (self.lead(), 0..track.segments.len());
        if run.end >= lead.segments.len() {
            return all;
        }
        // What is hardly begun is of what comes next, as it is between two pieces.
        let until = Micros(lead.start(run.end).0.saturating_sub(TOLERANCE));
        0..track.first_from(&all, until).max(1).min(all.end)
    }
}

impl Track {
    fn is_like(&self, other: &Self) -> bool {
        let mut states = self.states.iter().zip(&other.states);
        let mut segments = self.segments.iter().zip(&other.segments);
        let lines = |state: &State| format!("{}\n{}\n{}", state.map_keys, state.map, state.keys);
        bare(&self.playlist).eq(bare(&other.playlist))
            && self.begin == other.begin
            && self.states.len() == other.states.len()
            && self.segments.len() == other.segments.len()
            && states.all(|(one, other)| bare(&lines(one)).eq(bare(&lines(other))))
            && segments.all(|(one, other)| {
                let of = |it: &Segment| (it.end, it.discontinuities, it.state);
                of(one) == of(other) && bare(&one.text).eq(bare(&other.text))
            })
    }

    pub(crate) fn duration(&self) -> Micros {
        self.segments.last().map_or(Micros(0), |last| last.end - self.begin)
    }

    /// The lines of a segment, and its address.
    pub(crate) fn text(&self, place: usize) -> &str {
        self.segments.get(place).map_or("", |segment| &segment.text)
    }

    pub(crate) fn address(&self, place: usize) -> Option<&str> {
        self.segments.get(place)?.text.trim_end().rsplit('\n').next()
    }

    /// Where a segment begins, from the start of the programme.
    pub(crate) fn start(&self, place: usize) -> Micros {
        let before = place.checked_sub(1).and_then(|before| self.segments.get(before));
        before.map_or(self.begin, |before| before.end)
    }

    /// The discontinuities from the start of the programme up to and with that of a segment.
    pub(crate) fn discontinuities(&self, place: usize) -> u64 {
        self.segments.get(place).map_or(0, |segment| segment.discontinuities)
    }

    /// The segments between two discontinuities.
    pub(crate) fn between(&self, discontinuities: u64) -> Range<usize> {
        let begin = self.segments.partition_point(|it| it.discontinuities < discontinuities);
        let end = self.segments.partition_point(|it| it.discontinuities <= discontinuities);
        begin..end
    }

    fn nearest_start(&self, lead: &Self, place: usize) -> usize {
        let wanted = lead.start(place);
        let among = self.between(lead.discontinuities(place));
        let last = among.end.saturating_sub(1);
        self.nearest(among, wanted).unwrap_or(last)
    }

    fn nearest_end(&self, lead: &Self, end: usize) -> usize {
        let wanted = lead.start(end);
        let among = self.between(lead.discontinuities(end.saturating_sub(1)));
        let last = among.end;
        self.nearest(among.start + 1..among.end + 1, wanted).unwrap_or(last)
    }

    /// Which of some segments begins nearest to a time, the first of those that do.
    fn nearest(&self, among: Range<usize>, wanted: Micros) -> Option<usize> {
        let after = self.first_from(&among, wanted);
        let both = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let both = both.filter(|place| among.contains(place)).map(|place| self.start(place));
        let nearest = both.min_by_key(|start| apart(*start, wanted))?;
        // Some may take no time.
        Some(self.first_from(&among, nearest))
    }

    /// The first of some segments that does not begin before a time; else the one behind them.
    pub(crate) fn first_from(&self, among: &Range<usize>, time: Micros) -> usize {
        partition(among, |place| self.start(place) < time)
    }

    /// The boundary nearest to a time after the start of the programme, counted in segments.
    pub(crate) fn boundary(&self, time: Micros) -> usize {
        let after = self.segments.partition_point(|segment| segment.end <= time);
        let ends_nearer = |it: &Segment| apart(it.end, time) < apart(self.start(after), time);
        if self.segments.get(after).is_some_and(ends_nearer) { after + 1 } else { after }
    }

    /// The first boundary that is not before a time.
    pub(crate) fn boundary_from(&self, time: Micros) -> usize {
        if time == Micros(0) {
            return 0;
        }
        let before = self.segments.partition_point(|segment| segment.end < time);
        (before + 1).min(self.segments.len())
    }
}

/// The first of some places that `is` not; else the one behind them.
pub(crate) fn partition(among: &Range<usize>, is: impl Fn(usize) -> bool) -> usize {
    let (mut first, mut end) = (among.start, among.end);
    while first < end {
        let middle = first + (end - first) / 2;
        if is(middle) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    first
}

/// What lines hold without the queries of addresses.
fn bare(lines: &str) -> impl Iterator<Item = &str> {
    lines.split(['\n', '"']).filter_map(|part| part.split('?').next())
}

fn is_zero(micros: &Micros) -> bool {
    *micros == Micros(0)
}

pub(crate) fn apart(one: Micros, other: Micros) -> Micros {
    Micros(one.0.abs_diff(other.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_like_another_that_differs_in_the_queries_of_addresses_alone() {
        let asset = |text: &str, map: &str, end: u64, playlist: &str| {
            let state = State { map: map.to_owned(), ..State::default() };
            let segment =
                Segment { end: Micros(end), discontinuities: 0, state: 0, text: text.into() };
            let (playlist, begin) = (playlist.to_owned(), Micros(0));
            let track = Track { playlist, begin, states: vec![state], segments: vec![segment] };
            Asset { ladder: Ladder::default(), tracks: vec![track] }
        };
        let map = "#EXT-X-MAP:URI=\"a.mp4?t=1\",BYTERANGE=\"9@0\"\n";
        let one = asset("#X:URI=\"k?t=1\",A=1\nhttps://a/1.ts?t=1\n", map, 2, "v.m3u8");
        let signed_map = map.replace("t=1", "t=22");
        let signed = asset("#X:URI=\"k?u\",A=1\nhttps://a/1.ts\n", &signed_map, 2, "v.m3u8?t=2");
        assert_ne!(one, signed);
        assert!(one.is_like(&signed) && signed.is_like(&one) && one.is_like(&one));
        for (text, map, end, playlist) in [
            ("#X:URI=\"k?t=1\",A=2\nhttps://a/1.ts?t=1\n", map, 2, "v.m3u8"),
            ("#X:URI=\"k?t=1\",A=1\nhttps://a/2.ts?t=1\n", map, 2, "v.m3u8"),
            ("#X:URI=\"k?t=1\",A=1\n#Y\nhttps://a/1.ts?t=1\n", map, 2, "v.m3u8"),
            ("#X:URI=\"k?t=1\",A=1\nhttps://a/1.ts?t=1\n", "", 2, "v.m3u8"),
            ("#X:URI=\"k?t=1\",A=1\nhttps://a/1.ts?t=1\n", map, 3, "v.m3u8"),
            ("#X:URI=\"k?t=1\",A=1\nhttps://a/1.ts?t=1\n", map, 2, "w.m3u8"),
        ] {
            let other = asset(text, map, end, playlist);
            assert!(!one.is_like(&other), "{text} {map} {end} {playlist}");
        }
        let fewer = |mut asset: Asset| {
            asset.tracks[0].segments.clear();
            asset
        };
        assert!(!one.is_like(&fewer(one.clone())) && !fewer(one.clone()).is_like(&one));
        let ladder = Ladder { independent: true, ..Ladder::default() };
        assert!(!one.is_like(&Asset { ladder, ..one.clone() }));
    }

    #[test]
    fn a_segment_needs_its_map_and_the_keys_of_both() {
        let key = |uri| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\",IV=0x1\n");
        let state = State {
            map_keys: key("https://a/k0"),
            map: "#EXT-X-MAP:URI=\"https://a/m\",BYTERANGE=\"9@0\"\n".to_owned(),
            keys: key("https://a/k1") + "#EXT-X-KEY:METHOD=NONE\n" + &key("skd://k2"),
        };
        let segment = |state| {
            let text = "#EXTINF:1,\nhttps://a/s\n".into();
            Segment { end: Micros(1), discontinuities: 0, state, text }
        };
        let segments = vec![segment(1), segment(0)];
        let (playlist, states) = (String::new(), vec![state, State::default()]);
        let track = Track { playlist, begin: Micros(0), states, segments };
        let asset = Asset { ladder: Ladder::default(), tracks: vec![track] };
        let needs = |map, keys| Some(Needs { segment: "https://a/s", map, keys });
        assert_eq!(asset.needs(&[Some(0)], 0), needs(None, vec![]));
        let keys = vec!["https://a/k0", "https://a/k1", "skd://k2"];
        assert_eq!(asset.needs(&[Some(0)], 1), needs(Some("https://a/m"), keys));
    }

    #[test]
    fn the_nearest_segment_is_the_first_of_those_that_begin_nearest() {
        for lengths in [&[2, 2, 2, 2][..], &[0, 3, 0, 0, 1, 4, 0], &[5], &[0, 0], &[1, 7, 1, 7]] {
            let ends = lengths.iter().scan(10, |end, length| {
                *end += length;
                Some(*end)
            });
            let segment =
                |end| Segment { end: Micros(end), discontinuities: 0, state: 0, text: "".into() };
            let segments: Vec<Segment> = ends.map(segment).collect();
            let count = segments.len();
            let track =
                Track { playlist: String::new(), begin: Micros(10), states: vec![], segments };
            for (first, end) in
                (0..=count).flat_map(|first| (first..=count).map(move |end| (first, end)))
            {
                for wanted in (0..40).map(Micros) {
                    let each = (first..end).min_by_key(|it| apart(track.start(*it), wanted));
                    assert_eq!(
                        track.nearest(first..end, wanted),
                        each,
                        "{lengths:?} {first} {end} {wanted}"
                    );
                }
            }
        }
    }
}
