//! What every channel keeps, whatever it plays and whenever it is asked.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod vod;

use channel::{Asset, Loop, Rendition, Settings};
use hls::{MediaPlaylist, Micros, Seconds, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use vod::{LADDER, index, media, read_media};

/// A programme: the milliseconds of the video's segments (negative: after a discontinuity), by how much
/// the other variant's first boundary lies elsewhere, and how the audio is cut.
#[derive(Clone, Debug)]
struct Programme {
    video: Vec<i64>,
    shift: i64,
    audio: Vec<i64>,
}

fn programme() -> impl Strategy<Value = Programme> {
    let segment = (100_i64..2_440, prop::bool::weighted(0.2))
        .prop_map(|(millis, cut)| if cut { -millis } else { millis });
    (vec(segment, 1..7), -40_i64..40, 300_i64..2_400, -490_i64..490).prop_map(
        |(video, shift, cut, over)| {
            let total: i64 = video.iter().map(|millis| millis.abs()).sum();
            let audio = audio(
                (total + over).max(10),
                cut,
                video.iter().skip(1).filter(|it| **it < 0).count(),
            );
            Programme { video, shift, audio }
        },
    )
}

/// Audio of a length, cut into pieces of another, with so many discontinuities.
fn audio(total: i64, cut: i64, discontinuities: usize) -> Vec<i64> {
    // One piece more than there are discontinuities, at least.
    let cut = cut.min(total / (i64::try_from(discontinuities).unwrap() + 1)).max(1);
    let mut pieces: Vec<i64> = vec![cut; usize::try_from(total / cut).unwrap()];
    if total % cut > 0 {
        pieces.push(total % cut);
    }
    for piece in pieces.iter_mut().skip(1).take(discontinuities) {
        *piece = -*piece;
    }
    pieces
}

impl Programme {
    /// The other variant: the same boundaries, but for the shift of those inside.
    fn other(&self) -> Vec<i64> {
        let mut other = self.video.clone();
        if let [first, second, ..] = other.as_mut_slice() {
            *first += self.shift * first.signum();
            *second -= self.shift * second.signum();
        }
        other
    }

    fn asset(&self, name: usize) -> Asset {
        let media = [
            ("v0/main.m3u8", media("s", "ts", &self.video)),
            ("v1/main.m3u8", media("s", "ts", &self.other())),
            ("en/main.m3u8", media("s", "aac", &self.audio)),
        ];
        index(&format!("/{name}/"), LADDER, &media).unwrap()
    }

    fn durations(&self, rendition: usize) -> Vec<i64> {
        [self.video.clone(), self.other(), self.audio.clone()][rendition].clone()
    }

    fn millis(&self) -> i64 {
        self.video.iter().map(|millis| millis.abs()).sum()
    }
}

/// A segment as the world should see it, in milliseconds from the epoch.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    number: u64,
    discontinuities: u64,
    address: String,
    start: i64,
    end: i64,
    /// When it is first listed.
    shown: i64,
}

/// What a channel would publish if it played one segment after the other, up to a time.
fn played(programmes: &[Programme], rendition: usize, until: i64) -> Vec<Told> {
    let (mut told, mut start, mut shown, mut discontinuities) = (Vec::new(), 0, 0, 0);
    for (showing, (name, programme)) in programmes.iter().enumerate().cycle().enumerate() {
        let mut at = start;
        for (place, millis) in programme.durations(rendition).iter().enumerate() {
            // A programme's own first discontinuity is the one with which it begins.
            let begins = if place == 0 { showing > 0 } else { *millis < 0 };
            discontinuities += u64::from(begins);
            let end = at + millis.abs();
            shown = end.max(shown);
            let folder = ["v0", "v1", "en"][rendition];
            let extension = ["ts", "ts", "aac"][rendition];
            let address = format!("/{name}/{folder}/s{place}.{extension}");
            let number = u64::try_from(told.len()).unwrap();
            told.push(Told { number, discontinuities, address, start: at, end, shown });
            at = end;
        }
        start += programme.millis();
        if start > until + 1_000 {
            break;
        }
    }
    told
}

/// What a playlist says.
fn read(playlist: &MediaPlaylist) -> Vec<Told> {
    let mut discontinuities = playlist.discontinuity_sequence.0;
    let mut told = Vec::new();
    for (place, segment) in (0..).zip(&playlist.segments) {
        discontinuities += u64::from(segment.discontinuity);
        let date = segment.program_date_time.as_deref().unwrap();
        let start = millis(Timestamp::from_date_time(date).unwrap());
        told.push(Told {
            number: playlist.media_sequence.after(place).0,
            discontinuities,
            address: segment.uri.clone(),
            start,
            end: start + i64::try_from(segment.duration.as_millis()).unwrap(),
            shown: 0,
        });
    }
    told
}

/// Milliseconds since the epoch of the channels here.
fn millis(moment: Timestamp) -> i64 {
    i64::try_from(moment.since(EPOCH).as_millis()).unwrap()
}

fn moment(millis: i64) -> Timestamp {
    EPOCH + Micros::from_millis(u64::try_from(millis).unwrap())
}

const EPOCH: Timestamp = Timestamp(1_700_000_000_000_000);

fn channel(programmes: &[Programme], window: i64) -> Loop {
    let settings = Settings {
        epoch: EPOCH,
        target_duration: Seconds(2),
        window: Micros::from_millis(u64::try_from(window).unwrap()),
    };
    let assets = programmes.iter().enumerate().map(|(name, it)| it.asset(name)).collect();
    Loop::new(settings, assets).unwrap()
}

fn playlist(channel: &Loop, rendition: &Rendition, now: i64) -> MediaPlaylist {
    read_media(&channel.media_playlist(rendition, moment(now)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_channel_lists_what_a_playhead_would_have_published(
        programmes in vec(programme(), 1..4),
        window in 0_i64..40_000,
        times in vec(0_i64..120_000, 1..12),
    ) {
        let channel = channel(&programmes, window);
        let window = window.max(6_000);
        for (place, rendition) in channel.renditions().iter().enumerate() {
            let played = played(&programmes, place, 120_000);
            for now in &times {
                let mut shown: Vec<Told> =
                    played.iter().filter(|segment| segment.shown <= *now).cloned().collect();
                if let Some(edge) = shown.last().map(|last| last.end) {
                    let out = shown.iter().take_while(|segment| segment.end <= edge - window).count();
                    shown.drain(..out);
                }
                let playlist = playlist(&channel, rendition, *now);
                prop_assert_eq!(playlist.target_duration, Seconds(2));
                prop_assert!(playlist.segments.first().is_none_or(|first| !first.discontinuity));
                let said = read(&playlist);
                for segment in &mut shown {
                    segment.shown = 0;
                }
                prop_assert_eq!(said, shown, "{} at {}", &rendition.name, now);
            }
        }
    }

    #[test]
    fn a_channel_never_goes_back_and_uses_no_number_twice(
        programmes in vec(programme(), 1..4),
        window in 0_i64..40_000,
        steps in vec(0_i64..7_000, 1..60),
    ) {
        let (channel, other) = (channel(&programmes, window), channel(&programmes, window));
        for rendition in channel.renditions() {
            let (mut now, mut known) = (0, BTreeMap::<u64, Told>::new());
            let (mut first, mut last) = (0, None);
            for step in &steps {
                now += step;
                let playlist = playlist(&channel, rendition, now);
                let text = channel.media_playlist(rendition, moment(now));
                prop_assert_eq!(text, other.media_playlist(rendition, moment(now)));
                prop_assert!(playlist.media_sequence.0 >= first, "the first went back");
                prop_assert!(playlist.last_sequence() >= last, "the last went back");
                (first, last) = (playlist.media_sequence.0, playlist.last_sequence());
                for segment in read(&playlist) {
                    prop_assert!(segment.end <= now, "{segment:?} is ahead of the clock at {now}");
                    let before = known.entry(segment.number).or_insert_with(|| segment.clone());
                    prop_assert_eq!(&*before, &segment);
                }
            }
        }
    }

    #[test]
    fn dates_and_durations_of_a_variant_go_on_without_a_gap(
        programmes in vec(programme(), 1..4),
        now in 0_i64..100_000,
    ) {
        let channel = channel(&programmes, 60_000);
        for rendition in channel.renditions().iter().take(1) {
            let said = read(&playlist(&channel, rendition, now));
            for pair in said.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
        }
    }

    #[test]
    fn a_playlist_stays_the_same_until_its_next_change_and_no_longer(
        programmes in vec(programme(), 1..4),
        now in 0_i64..100_000,
        within in 0_u64..1_000_000,
    ) {
        let channel = channel(&programmes, 10_000);
        for rendition in channel.renditions() {
            let now = moment(now);
            let next = channel.next_change(rendition, now);
            prop_assert!(next > now);
            let text = channel.media_playlist(rendition, now);
            let before = Timestamp(now.0 + within % (next.0 - now.0));
            prop_assert_eq!(&text, &channel.media_playlist(rendition, before));
            prop_assert_ne!(&text, &channel.media_playlist(rendition, next));
        }
    }

    #[test]
    fn a_cycle_later_everything_is_a_cycle_later(
        programmes in vec(programme(), 1..4),
        now in 0_i64..60_000,
        cycles in 1_i64..100_000_000,
    ) {
        let channel = channel(&programmes, 20_000);
        let cycle: i64 = programmes.iter().map(Programme::millis).sum();
        // From the second cycle on: the first showing of all begins without a discontinuity.
        let now = now + cycle + 30_000;
        for (place, rendition) in channel.renditions().iter().enumerate() {
            let segments: usize = programmes.iter().map(|it| it.durations(place).len()).sum();
            let cuts: usize = programmes
                .iter()
                .map(|it| 1 + it.durations(place).iter().skip(1).filter(|it| **it < 0).count())
                .sum();
            let (segments, cuts) = (u64::try_from(segments).unwrap(), u64::try_from(cuts).unwrap());
            let times = u64::try_from(cycles).unwrap();
            let mut expected = read(&playlist(&channel, rendition, now));
            for segment in &mut expected {
                segment.number += times * segments;
                segment.discontinuities += times * cuts;
                segment.start += cycles * cycle;
                segment.end += cycles * cycle;
            }
            prop_assert_eq!(read(&playlist(&channel, rendition, now + cycles * cycle)), expected);
        }
    }
}
