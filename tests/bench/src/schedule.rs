//! What the source publishes and when: a pure function of the clock.
//!
//! The source serves by it and the observer judges by it, so both know to the microsecond when a
//! segment was listed, without a log between them.

use chrono::{DateTime, SecondsFormat};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// A moment, or a length of time, in microseconds; a moment counts from 1970.
pub type Micros = u64;

/// The length of a segment. Its frame rate divides it, so every segment has it exactly.
pub const SEGMENT: Micros = 2_000_000;

/// The bits a second that the multivariant playlist declares for each variant: 4 Mbit/s in all.
pub const BANDWIDTHS: [u32; 2] = [2_500_000, 1_500_000];

/// One segment of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentId {
    /// The session whose source it belongs to.
    pub session: u32,
    /// The index in [`BANDWIDTHS`].
    pub variant: u8,
    /// The media sequence number.
    pub sequence: u64,
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/v{}_{}", self.session, self.variant, self.sequence)
    }
}

impl FromStr for SegmentId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (session, rest) = text.split_once("/v").ok_or(())?;
        let (variant, sequence) = rest.split_once('_').ok_or(())?;
        Ok(Self {
            session: session.parse().map_err(|_| ())?,
            variant: variant.parse().map_err(|_| ())?,
            sequence: sequence.parse().map_err(|_| ())?,
        })
    }
}

/// When every session's source lists every segment.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// When the first source listed its segment 0.
    pub epoch: Micros,
    /// How many sessions there are. Their sources publish evenly spread over a segment's length.
    pub sessions: u32,
    /// A segment is listed up to this much late, as an encoder does.
    pub jitter: Micros,
    /// How many segments a playlist lists.
    pub window: u64,
}

impl Schedule {
    /// The moment from which a source lists a segment: the same for both variants.
    #[must_use]
    pub fn listed_at(&self, session: u32, sequence: u64) -> Micros {
        let late = mix(u64::from(session) << 40 | sequence) % (self.jitter + 1);
        self.epoch + self.phase(session) + sequence * SEGMENT + late
    }

    /// The last segment that a source lists at `now`; absent before the first.
    #[must_use]
    pub fn newest(&self, session: u32, now: Micros) -> Option<u64> {
        let due = now.checked_sub(self.epoch + self.phase(session))? / SEGMENT;
        if self.listed_at(session, due) <= now { Some(due) } else { due.checked_sub(1) }
    }

    /// The segments of a session that were listed in a span of time.
    pub fn listed_within(
        &self,
        session: u32,
        from: Micros,
        until: Micros,
    ) -> impl Iterator<Item = u64> {
        let first = self.newest(session, from).map_or(0, |newest| newest + 1);
        let end = self.newest(session, until).map_or(0, |newest| newest + 1);
        first..end
    }

    /// When to start a session, counted from a moment that is a whole number of segments after the
    /// epoch.
    ///
    /// A product that polls at a fixed pace keeps for ever the distance to the source's pace that it
    /// happened to start with. Started like this, the sessions meet every distance evenly, and a
    /// single one the middle: none of the products is lucky.
    #[must_use]
    pub fn start_after(&self, session: u32) -> Micros {
        2 * self.phase(session) + SEGMENT / u64::from(self.sessions) / 2
    }

    /// The media playlist of a session's source at `now`.
    #[must_use]
    pub fn media_playlist(&self, session: u32, variant: u8, newest: u64) -> String {
        let first = (newest + 1).saturating_sub(self.window);
        let seconds = SEGMENT / 1_000_000;
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{seconds}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
        );
        for sequence in first..=newest {
            let date = self.epoch + self.phase(session) + sequence * SEGMENT;
            writeln!(
                text,
                "#EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF:{seconds}.000,\nv{variant}_{sequence}.ts",
                date_time(date)
            )
            .expect("a String takes all");
        }
        text
    }

    fn phase(&self, session: u32) -> Micros {
        SEGMENT * u64::from(session) / u64::from(self.sessions)
    }
}

/// The multivariant playlist of every session's source.
#[must_use]
pub fn multivariant_playlist() -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:3\n");
    for (variant, (bandwidth, size)) in BANDWIDTHS.iter().zip(["1280x720", "640x360"]).enumerate() {
        writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={size},CODECS=\"avc1.64001f,mp4a.40.2\"\nv{variant}.m3u8"
        )
        .expect("a String takes all");
    }
    text
}

/// A moment as RFC 3339 in UTC, to the millisecond.
fn date_time(moment: Micros) -> String {
    i64::try_from(moment)
        .ok()
        .and_then(DateTime::from_timestamp_micros)
        .expect("the source does not outlive the calendar")
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The same scattered number for the same number (splitmix64).
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule =
        Schedule { epoch: 1_000_000_000, sessions: 4, jitter: 100_000, window: 3 };

    #[test]
    fn a_segment_is_listed_from_its_moment_on_and_not_before() {
        for session in 0..4 {
            for sequence in 1..200 {
                let at = SCHEDULE.listed_at(session, sequence);
                assert_eq!(SCHEDULE.newest(session, at - 1), Some(sequence - 1));
                assert_eq!(SCHEDULE.newest(session, at), Some(sequence));
            }
        }
        assert_eq!(SCHEDULE.newest(0, SCHEDULE.epoch - 1), None);
    }

    #[test]
    fn sessions_meet_every_distance_to_their_source_evenly() {
        let distances: Vec<_> = (0..4)
            .map(|session| (SCHEDULE.start_after(session) - SCHEDULE.phase(session)) % SEGMENT)
            .collect();
        assert_eq!(distances, [250_000, 750_000, 1_250_000, 1_750_000]);
    }

    #[test]
    fn a_playlist_lists_the_newest_segments_with_their_dates() {
        let text = SCHEDULE.media_playlist(1, 1, 7);
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n\
             #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:16:50.500Z\n#EXTINF:2.000,\nv1_5.ts\n\
             #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:16:52.500Z\n#EXTINF:2.000,\nv1_6.ts\n\
             #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:16:54.500Z\n#EXTINF:2.000,\nv1_7.ts\n"
        );
    }

    #[test]
    fn a_segment_is_known_by_its_name() {
        let id = SegmentId { session: 12, variant: 1, sequence: 345 };
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
