//! A media playlist from what is playing: the window that ends at `now`.

use crate::asset::{Segment, Track};
use hls::{DiscontinuitySequence, MediaSequence, Micros, Seconds, Timestamp};
use std::fmt::Write;

/// One showing of a programme, as one rendition sees it, with the totals before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) track: &'a Track,
    /// When it begins.
    pub(crate) start: Timestamp,
    /// The number of its first segment.
    pub(crate) sequence: MediaSequence,
    /// The discontinuities up to and with the one at its start.
    pub(crate) discontinuities: DiscontinuitySequence,
}

/// What a channel's playlists have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) target_duration: Seconds,
    pub(crate) window: Micros,
}

/// Renders the window that ends at `now`, from the items that overlap it, oldest first.
///
/// A segment shows when it ends, and never before the one ahead of it. The first listed segment carries
/// no discontinuity: the header counts it (RFC 8216 section 4.3.3.3).
pub(crate) fn media_playlist(items: &[Item], now: Timestamp, shape: &Shape) -> String {
    let listed = window(items, now, shape.window);
    let (sequence, discontinuities) = match (listed.first(), items.first()) {
        (Some(first), _) => (first.sequence(), first.discontinuities()),
        (None, Some(item)) => (item.sequence, item.discontinuities),
        (None, None) => Default::default(),
    };
    let mut text = String::with_capacity(256 + 160 * listed.len());
    let written = write!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n",
        shape.target_duration
    )
    .and_then(|()| match discontinuities {
        DiscontinuitySequence(0) => Ok(()),
        count => writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{count}"),
    })
    .and_then(|()| {
        listed.iter().enumerate().try_for_each(|(place, segment)| {
            if place > 0 && segment.discontinuity() {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", segment.start())?;
            text.write_str(&segment.segment.text)
        })
    });
    written.expect("a String takes all that is written to it");
    text
}

/// When the playlist changes next after `now`; absent where nothing in `items` is yet to come.
pub(crate) fn next_change(items: &[Item], now: Timestamp) -> Option<Timestamp> {
    // A segment waits for the one ahead of it.
    items.iter().find_map(|item| {
        let segment = item.track.segments.get(ended(item, now))?;
        Some(item.start + segment.end)
    })
}

/// A segment that is listed.
#[derive(Clone, Copy)]
struct Listed<'a> {
    item: &'a Item<'a>,
    segment: &'a Segment,
    place: u64,
}

impl Listed<'_> {
    fn sequence(&self) -> MediaSequence {
        self.item.sequence.after(self.place)
    }

    fn discontinuities(&self) -> DiscontinuitySequence {
        let before = self.item.discontinuities.0;
        DiscontinuitySequence(before.saturating_add(self.segment.discontinuities))
    }

    fn discontinuity(&self) -> bool {
        self.segment.discontinuity || self.place == 0
    }

    fn start(&self) -> Timestamp {
        self.item.start + (self.segment.end - self.segment.duration)
    }

    fn end(&self) -> Timestamp {
        self.item.start + self.segment.end
    }
}

/// The segments that end in the window, oldest first.
fn window<'a>(items: &'a [Item<'a>], now: Timestamp, length: Micros) -> Vec<Listed<'a>> {
    let mut listed: Vec<Listed<'_>> = Vec::new();
    for item in items {
        let count = ended(item, now);
        let segments = item.track.segments.iter().take(count);
        listed.extend((0..).zip(segments).map(|(place, segment)| Listed { item, segment, place }));
        if count < item.track.segments.len() {
            break;
        }
    }
    if let Some(edge) = listed.last().map(Listed::end) {
        let out = listed.iter().take_while(|segment| edge.since(segment.end()) >= length).count();
        listed.drain(..out);
    }
    listed
}

/// How many segments of an item have ended.
fn ended(item: &Item, now: Timestamp) -> usize {
    item.track.segments.partition_point(|segment| item.start + segment.end <= now)
}
