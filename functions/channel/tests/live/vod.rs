//! VODs for tests, written as playlists, and what a playhead would publish of them.

use channel::{Asset, AssetHash, Channel, Entry, Flaw, Item, Wish, media_playlists};
use hls::{Limits, MediaPlaylist, Micros, MultivariantPlaylist, Playlist, Timestamp, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// Two variants and one audio rendition.
pub const LADDER: &str = r#"#EXTM3U
#EXT-X-VERSION:4
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="en/main.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.4d401e,mp4a.40.2",RESOLUTION=640x360,AUDIO="a"
v1/main.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.4d400d,mp4a.40.2",RESOLUTION=320x180,AUDIO="a"
v0/main.m3u8
"#;

/// A media playlist of segments with these durations in milliseconds; a negative one begins with a
/// discontinuity.
pub fn media(name: &str, extension: &str, durations: &[i64]) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    for (place, millis) in durations.iter().enumerate() {
        if *millis < 0 {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        let millis = millis.unsigned_abs();
        let (seconds, rest) = (millis / 1_000, millis % 1_000);
        text.push_str(&format!("#EXTINF:{seconds}.{rest:03},\n{name}{place}.{extension}\n"));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

pub fn read_media(text: &str) -> MediaPlaylist {
    match parse(text.as_bytes(), &Limits::default()) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("not a media playlist: {other:?}\n{text}"),
    }
}

pub fn read_multivariant(text: &str) -> MultivariantPlaylist {
    match parse(text.as_bytes(), &Limits::default()) {
        Ok(Playlist::Multivariant(multivariant)) => multivariant,
        other => panic!("not a multivariant playlist: {other:?}\n{text}"),
    }
}

/// Indexes a VOD of a multivariant playlist and its media playlists, by address.
pub fn index(base: &str, multivariant: &str, media: &[(&str, String)]) -> Result<Asset, Vec<Flaw>> {
    let multivariant = read_multivariant(multivariant);
    let wanted = media_playlists(&multivariant);
    let media: BTreeMap<String, MediaPlaylist> = media
        .iter()
        .filter(|(address, _)| wanted.contains(address))
        .map(|(address, text)| ((*address).to_owned(), read_media(text)))
        .collect();
    Asset::index(base, &multivariant, &media)
}

/// A programme: the milliseconds of the video's segments (negative: after a discontinuity), by how much
/// the other variant's first boundary lies elsewhere, and how the audio is cut.
#[derive(Clone, Debug)]
pub struct Programme {
    pub video: Vec<i64>,
    pub shift: i64,
    pub audio: Vec<i64>,
}

pub fn programme() -> impl Strategy<Value = Programme> {
    let segment = (100_i64..2_440, prop::bool::weighted(0.2))
        .prop_map(|(millis, cut)| if cut { -millis } else { millis });
    let parts = (vec(segment, 1..7), -40_i64..40, 300_i64..2_400, -490_i64..490);
    parts.prop_map(|(video, shift, cut, over)| {
        let audio = audio(&video, cut, over);
        Programme { video, shift, audio }
    })
}

/// Audio that is cut into pieces of another length between the discontinuities of the video, and in all
/// is longer or shorter.
fn audio(video: &[i64], cut: i64, over: i64) -> Vec<i64> {
    let mut parts: Vec<i64> = Vec::new();
    for (place, millis) in video.iter().enumerate() {
        match parts.last_mut() {
            Some(part) if *millis > 0 || place == 0 => *part += millis.abs(),
            Some(_) | None => parts.push(millis.abs()),
        }
    }
    if let Some(last) = parts.last_mut() {
        *last = (*last + over).max(10);
    }
    let mut audio = Vec::new();
    for (place, part) in parts.into_iter().enumerate() {
        let mut pieces = vec![cut; usize::try_from(part / cut).unwrap()];
        if part % cut > 0 {
            pieces.push(part % cut);
        }
        if place > 0 {
            pieces[0] = -pieces[0];
        }
        audio.extend(pieces);
    }
    audio
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

    pub fn asset(&self, name: usize) -> Asset {
        let media = [
            ("v0/main.m3u8", media("s", "ts", &self.video)),
            ("v1/main.m3u8", media("s", "ts", &self.other())),
            ("en/main.m3u8", media("s", "aac", &self.audio)),
        ];
        index(&format!("/{name}/"), LADDER, &media).unwrap()
    }

    pub fn durations(&self, rendition: usize) -> Vec<i64> {
        [self.video.clone(), self.other(), self.audio.clone()][rendition].clone()
    }

    pub fn millis(&self) -> i64 {
        self.video.iter().map(|millis| millis.abs()).sum()
    }

    /// Where a segment of the first variant begins.
    pub fn start(&self, place: usize) -> i64 {
        self.video.iter().take(place).map(|millis| millis.abs()).sum()
    }

    /// The segments of a rendition that go with some of the first variant: all that lie nearer to them
    /// than to others, and between the same discontinuities.
    pub fn run(&self, rendition: usize, run: &Range<usize>) -> Range<usize> {
        let durations = self.durations(rendition);
        if rendition < 2 {
            return run.clone();
        }
        let count = |of: &[i64], place: usize| {
            of.iter().take(place + 1).skip(1).filter(|millis| **millis < 0).count()
        };
        let start = |place: usize| durations.iter().take(place).map(|it| it.abs()).sum::<i64>();
        let near = |place: usize, to: usize| (start(place) - self.start(to)).abs();
        let begin = match run.start {
            0 => 0,
            first => (0..durations.len())
                .filter(|it| count(&durations, *it) == count(&self.video, first))
                .min_by_key(|it| near(*it, first))
                .unwrap(),
        };
        let end = match run.end {
            end if end == self.video.len() => durations.len(),
            end => (1..=durations.len())
                .filter(|it| count(&durations, *it - 1) == count(&self.video, end - 1))
                .min_by_key(|it| near(*it, end))
                .unwrap(),
        };
        begin..end.max(begin + 1)
    }
}

/// A segment as the world should see it, in milliseconds from the epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub number: u64,
    pub discontinuities: u64,
    pub address: String,
    pub start: i64,
    pub end: i64,
}

/// Something that publishes one segment after the other, in one rendition, and counts as it goes.
#[derive(Clone, Debug, Default)]
pub struct Playhead {
    pub told: Vec<Told>,
    discontinuities: u64,
    pub shown: Vec<i64>,
}

impl Playhead {
    /// Plays some segments of the first variant of a programme, as this rendition has them.
    pub fn play(
        &mut self,
        name: usize,
        of: &Programme,
        rendition: usize,
        run: &Range<usize>,
        start: i64,
    ) {
        let durations = of.durations(rendition);
        let segments = of.run(rendition, run);
        let before: i64 = durations.iter().take(segments.start).map(|it| it.abs()).sum();
        let mut at = start + before - of.start(run.start);
        for place in segments.clone() {
            // A programme's own first discontinuity is the one with which it begins.
            let begins =
                if place == segments.start { !self.told.is_empty() } else { durations[place] < 0 };
            self.discontinuities += u64::from(begins);
            let end = at + durations[place].abs();
            let folder = ["v0", "v1", "en"][rendition];
            let extension = ["ts", "ts", "aac"][rendition];
            self.told.push(Told {
                number: u64::try_from(self.told.len()).unwrap(),
                discontinuities: self.discontinuities,
                address: format!("/{name}/{folder}/s{place}.{extension}"),
                start: at,
                end,
            });
            self.shown.push(self.shown.last().copied().unwrap_or(end).max(end));
            at = end;
        }
    }

    /// What is listed at a time: three target durations of two seconds at least, unless that goes back by 12 s more.
    pub fn window(&self, now: i64, length: i64) -> Vec<Told> {
        let shown = self.shown.iter().take_while(|shown| **shown <= now).count();
        let mut listed: Vec<Told> = self.told[..shown].to_vec();
        if let Some(edge) = listed.iter().map(|told| told.end).max() {
            let out = |length: i64| {
                listed.iter().take_while(|segment| segment.end <= edge - length).count()
            };
            let (out, far) = (out(length), out(length + 12_000));
            let long = |from: &usize| {
                listed[*from..].iter().map(|told| told.end - told.start).sum::<i64>() >= 6_000
            };
            let long = (0..=shown).rev().find(long).unwrap_or(0);
            listed.drain(..out.min(long.max(far)));
        }
        listed
    }
}

pub const EPOCH: Timestamp = Timestamp(1_700_000_000_000_000);

/// What a playlist says.
pub fn told(playlist: &MediaPlaylist) -> Vec<Told> {
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
        });
    }
    told
}

/// Milliseconds since the epoch of the channels here.
pub fn millis(moment: Timestamp) -> i64 {
    (i64::try_from(moment.0).unwrap() - i64::try_from(EPOCH.0).unwrap()) / 1_000
}

pub fn moment(millis: i64) -> Timestamp {
    Timestamp(u64::try_from(i64::try_from(EPOCH.0).unwrap() + millis * 1_000).unwrap())
}

/// What is left of a log for a reader at `now` when it was purged by a clock that is almost a day ahead.
pub fn purged(channel: &Channel, log: &[Entry], now: i64) -> Vec<Item> {
    let before = channel.kept_since(moment(now) + Micros::from_secs(86_400 - 17));
    let past = log.iter().take_while(|entry| entry.end() <= before).count();
    let left = log.iter().skip(past.min(log.len().saturating_sub(1)));
    left.flat_map(|entry| entry.items.clone()).collect()
}

/// All of an asset, as soon as there is place.
pub fn whole(asset: AssetHash) -> Wish {
    Wish {
        asset,
        live: None,
        title: None,
        start: None,
        offset: Micros(0),
        duration: None,
        breaks: Vec::new(),
        stands_in: false,
    }
}
