//! What is taken of a live source when it is looked at, and how that is listed.

use crate::events::World;
use crate::vod::{LADDER, Programme, moment, read_media, read_multivariant};
use channel::{Edit, Entry, Flaw, Source, gap};
use hls::{Micros, Seconds};
use std::collections::{BTreeMap, BTreeSet};

/// A playlist of a live source at a moment.
#[derive(Clone)]
pub struct Listed {
    /// What its segments are called, before their number.
    pub name: &'static str,
    /// The number of the first.
    pub from: u64,
    /// Their milliseconds; a negative one begins with a discontinuity.
    pub millis: Vec<i64>,
    /// When the first begins, by the source's clock; else without dates.
    pub begins: Option<i64>,
    pub ended: bool,
    /// Whether every other one has a new key.
    pub keys: bool,
    /// `EXT-X-TARGETDURATION`.
    pub target: u64,
}

/// Segments of 2 s, of which number 0 began at 0.
pub fn listed(numbers: std::ops::Range<u64>) -> Listed {
    let millis = vec![2_000; numbers.clone().count()];
    let begins = i64::try_from(numbers.start).ok().map(|from| from * 2_000);
    Listed { name: "s", from: numbers.start, millis, begins, ended: false, keys: false, target: 3 }
}

impl Listed {
    /// In a look at `now`: addresses are signed anew for each.
    pub fn text(&self, extension: &str, now: i64) -> String {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n",
            self.target, self.from
        );
        let mut at = self.begins;
        for (number, millis) in (self.from..).zip(&self.millis) {
            if *millis < 0 {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if self.keys && number % 2 == 0 {
                text.push_str(&format!("#EXT-X-KEY:METHOD=AES-128,URI=\"/k{number}\",IV=0x1\n"));
            }
            let millis = millis.abs();
            if let Some(at) = &mut at {
                text.push_str(&format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", moment(*at)));
                *at += millis;
            }
            let (seconds, rest, name) = (millis / 1_000, millis % 1_000, self.name);
            text.push_str(&format!(
                "#EXTINF:{seconds}.{rest:03},\n{name}{number}.{extension}?signed={now}\n"
            ));
        }
        if self.ended {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }
}

/// Two variants and a rendition of audio.
pub type Looks = [Listed; 3];

/// All renditions are cut alike.
pub fn alike(listed: &Listed) -> Looks {
    [listed.clone(), listed.clone(), listed.clone()]
}

pub fn read(world: &World, looks: &[Option<Listed>; 3], now: i64) -> Result<Source, Vec<Flaw>> {
    let [v0, v1, en] = looks.clone();
    read_of(world, LADDER, &[("v0", v0), ("v1", v1), ("en", en)], &[], now)
}

/// Reads a source with these renditions, of which some are out.
pub fn read_of(
    world: &World,
    multivariant: &str,
    looks: &[(&str, Option<Listed>)],
    out: &[&str],
    now: i64,
) -> Result<Source, Vec<Flaw>> {
    let media = looks.iter().filter_map(|(name, look)| {
        let extension = if name.starts_with('v') { "ts" } else { "aac" };
        Some((format!("{name}/main.m3u8"), read_media(&look.as_ref()?.text(extension, now))))
    });
    let (multivariant, media) = (read_multivariant(multivariant), BTreeMap::from_iter(media));
    let out: BTreeSet<String> = out.iter().map(|name| format!("{name}/main.m3u8")).collect();
    let base = "https://live.example/main.m3u8";
    let of = (&world.channel.ladder, Seconds(2));
    let gap = gap(&world.log, moment(now));
    let after = gap.as_ref().and_then(|gap| gap.event.seen.as_ref());
    Source::read(base, &multivariant, &media, &out, of, after)
}

/// A piece: the names of its segments in the first variant and the audio, and whether it goes on without a discontinuity.
pub type Taken = (String, String, bool);

fn taken(world: &World, entry: &Entry) -> Taken {
    let (item, index) = (&entry.items[0], &entry.seen.as_ref().unwrap().index);
    assert_eq!(item.duration, index.duration(), "it plays whole");
    let names = |rendition: usize| -> String {
        let track = [item.tracks[rendition]];
        let addresses = (0..100).map_while(|place| index.needs(&track, place).map(|it| it.segment));
        let names = addresses.map(|address| {
            let name = address.rsplit('/').next().unwrap();
            name.split('.').next().unwrap()
        });
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(world.channel.ladder.renditions[2].name, "audio_en");
    (names(0), names(2), item.live.unwrap().continues)
}

/// A channel that plays a live source from 10 s on.
pub struct Follower {
    pub world: World,
    pub slides: bool,
}

impl Follower {
    pub fn new() -> Self {
        let even = |video: Vec<i64>| Programme { audio: video.clone(), video, shift: 0 };
        let mut world = World::new(&[even(vec![1_000; 4]), even(vec![2_000; 5])]);
        let wishes = vec![world.event(Some(10_000), 300_000), world.wish(1)];
        assert!(world.change(Edit::Append(wishes), 0));
        Self { world, slides: false }
    }

    /// What is taken in a look; nothing where it waits.
    pub fn look(&mut self, now: i64, looks: &Looks) -> Option<Taken> {
        self.look_at(now, &looks.clone().map(Some)).map(|(taken, _)| taken)
    }

    /// The same, and which playlists play in the variants.
    pub fn look_at(&mut self, now: i64, looks: &[Option<Listed>; 3]) -> Option<(Taken, String)> {
        let source = read(&self.world, looks, now).unwrap();
        self.take(now, &source)
    }

    /// What is taken of a source that was read.
    pub fn take(&mut self, now: i64, source: &Source) -> Option<(Taken, String)> {
        let gap = gap(&self.world.log, moment(now)).unwrap();
        let written = self.world.follow(source, &gap, now, self.slides);
        let stored = serde_json::to_string(&self.world.log).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Entry>>(&stored).unwrap(), self.world.log);
        let last = self.world.log.iter().rev().find(|entry| entry.seen.is_some());
        let last = last.filter(|_| written)?;
        let index = &last.seen.as_ref().unwrap().index;
        let playlist = |rendition: usize| {
            let segment = index.needs(&[last.items[0].tracks[rendition]], 0)?.segment;
            segment.rsplit('/').nth(1).map(str::to_owned)
        };
        let variants: Vec<String> = [0, 1].into_iter().filter_map(playlist).collect();
        Some((taken(&self.world, last), variants.join(" ")))
    }
}

pub fn joined(video: &str, audio: &str) -> Option<Taken> {
    Some((video.to_owned(), audio.to_owned(), false))
}

pub fn goes_on(video: &str, audio: &str) -> Option<Taken> {
    Some((video.to_owned(), audio.to_owned(), true))
}

#[test]
fn a_source_is_joined_three_of_its_longest_segments_before_its_end() {
    let with = |millis: &[i64]| Listed { millis: millis.to_vec(), ..listed(0..0) };
    for (name, look, expected) in [
        ("exactly three", listed(0..3), joined("s0 s1 s2", "s0 s1 s2")),
        ("the newest", listed(10..16), joined("s13 s14 s15", "s13 s14 s15")),
        (
            "a long one",
            with(&[2_000, 2_000, 2_001, 2_000, 2_000]),
            joined("s1 s2 s3 s4", "s1 s2 s3 s4"),
        ),
        (
            "short ones",
            with(&[2_000, 1_000, 1_000, 1_000, 1_000]),
            joined("s0 s1 s2 s3 s4", "s0 s1 s2 s3 s4"),
        ),
        ("not enough yet", listed(0..2), None),
        ("no more to come", Listed { ended: true, ..listed(0..2) }, joined("s0 s1", "s0 s1")),
    ] {
        let mut follower = Follower::new();
        assert_eq!(follower.look(0, &alike(&look)), expected, "{name}");
        let source = read(&follower.world, &alike(&look).map(Some), 0).unwrap();
        assert_eq!(source.has_ended(), look.ended);
        let longest = look.millis.iter().max().unwrap();
        assert_eq!(source.longest(), Micros::from_millis(longest.unsigned_abs()));
    }
}

#[test]
fn what_comes_next_is_played_at_once_and_behind_a_hole_the_newest() {
    let mut follower = Follower::new();
    for (name, now, look, expected) in [
        ("from 10 s to 16 s", 0, listed(0..3), joined("s0 s1 s2", "s0 s1 s2")),
        ("nothing new", 1_000, listed(0..3), None),
        ("one", 2_000, listed(0..4), goes_on("s3", "s3")),
        ("four, up to 26 s", 10_000, listed(2..8), goes_on("s4 s5 s6 s7", "s4 s5 s6 s7")),
        ("an older copy", 11_000, listed(1..7), None),
        // From 26 s on the slate plays.
        ("too late for two", 20_001, listed(4..10), None),
        ("more than three", 24_000, listed(6..12), joined("s9 s10 s11", "s9 s10 s11")),
        ("again", 24_000, listed(6..13), goes_on("s12", "s12")),
    ] {
        assert_eq!(follower.look(now, &alike(&look)), expected, "{name}");
    }
}

#[test]
fn a_source_that_begins_anew_is_joined_anew_behind_a_discontinuity() {
    for (name, look) in [
        ("other numbers", Listed { name: "t", ..listed(0..3) }),
        ("the same numbers", Listed { name: "t", ..listed(100..104) }),
        ("far ahead", listed(200..203)),
    ] {
        let mut follower = Follower::new();
        let before = follower.look(0, &alike(&listed(100..103)));
        assert_eq!(before, joined("s100 s101 s102", "s100 s101 s102"));
        let (_, _, continues) = follower.look(2_000, &alike(&look)).expect(name);
        assert!(!continues, "{name}");
    }
}

#[test]
fn behind_another_live_programme_a_source_is_joined_where_it_is_by_then() {
    let mut follower = Follower::new();
    assert!(follower.look(0, &alike(&listed(0..4))).is_some());
    let world = &mut follower.world;
    let rest = gap(&world.log, moment(1_000)).unwrap().entry;
    let other = world.event(None, 28_000);
    assert!(world.change(Edit::Insert(rest, vec![other]), 1_000));
    let other = |numbers| alike(&Listed { name: "t", ..listed(numbers) });
    // From 16 s to 28 s.
    assert_eq!(follower.look(2_000, &other(0..3)), joined("t0 t1 t2", "t0 t1 t2"));
    assert_eq!(follower.look(3_000, &other(0..6)), goes_on("t3 t4 t5", "t3 t4 t5"));
    assert_eq!(follower.look(4_000, &alike(&listed(0..9))), joined("s6 s7 s8", "s6 s7 s8"));
}

#[test]
fn a_playlist_that_lists_nothing_is_told() {
    let world = Follower::new().world;
    let looks = [listed(0..3), listed(0..3), listed(0..0)];
    let flaws = read(&world, &looks.map(Some), 0).unwrap_err();
    assert_eq!(flaws, [Flaw::Empty { playlist: "en/main.m3u8".to_owned() }]);
}

#[test]
fn a_live_programme_that_another_takes_the_place_of_goes_on_where_that_plays_the_same_source() {
    for (url, expected) in [
        ("https://live.example/main.m3u8", goes_on("s4", "s4")),
        ("https://other.example/main.m3u8", joined("s2 s3 s4", "s2 s3 s4")),
    ] {
        let mut follower = Follower::new();
        assert!(follower.look(0, &alike(&listed(0..3))).is_some());
        assert!(follower.look(2_000, &alike(&listed(0..4))).is_some());
        let world = &mut follower.world;
        let rest = gap(&world.log, moment(3_000)).unwrap().entry;
        let mut longer = world.event(None, 400_000);
        longer.live.as_mut().unwrap().url = url.to_owned();
        assert!(world.change(Edit::Replace(rest, vec![longer]), 3_000));
        assert_eq!(follower.look(4_000, &alike(&listed(0..5))), expected, "{url}");
    }
}

#[test]
fn discontinuities_of_a_source_stay_where_they_are() {
    let cut = |numbers: std::ops::Range<u64>, at: usize| {
        let mut listed = listed(numbers);
        listed.millis[at] = -2_000;
        alike(&listed)
    };
    let mut follower = Follower::new();
    for (name, now, looks, expected) in [
        ("joined at one", 0, cut(0..6, 3), joined("s3 s4 s5", "s3 s4 s5")),
        ("up to one", 1_000, cut(2..9, 6), goes_on("s6 s7", "s6 s7")),
        ("on from one", 1_000, cut(2..9, 6), joined("s8", "s8")),
        ("one that is the first", 2_000, cut(9..10, 0), joined("s9", "s9")),
        ("behind one", 2_000, cut(9..11, 0), goes_on("s10", "s10")),
    ] {
        assert_eq!(follower.look(now, &looks), expected, "{name}");
    }
}

#[test]
fn renditions_without_dates_go_together_by_their_ends_and_by_numbers_that_say_the_same() {
    let undated = |numbers| Listed { begins: None, ..listed(numbers) };
    let quick = |count| Listed { millis: vec![1_600; count], ..undated(0..0) };
    for (video, audio, expected) in [
        (undated(100..106), undated(102..107), joined("s103 s104 s105", "s103 s104 s105")),
        (undated(102..107), undated(100..106), joined("s103 s104 s105", "s103 s104 s105")),
        // Numbers that are too far apart mean nothing, and neither do those of other durations.
        (undated(102..107), undated(100..105), joined("s104 s105 s106", "s102 s103 s104")),
        (undated(100..106), undated(107..113), joined("s103 s104 s105", "s110 s111 s112")),
        (undated(0..8), quick(8), joined("s5 s6 s7", "s5 s6 s7")),
    ] {
        let looks = [video.clone(), video.clone(), audio.clone()];
        assert_eq!(Follower::new().look(0, &looks), expected, "{:?}", (video.from, audio.from));
    }
}

#[test]
fn renditions_without_dates_go_on_by_their_durations() {
    let undated = |numbers| Listed { begins: None, ..listed(numbers) };
    let quick = |numbers: std::ops::Range<u64>| Listed {
        millis: vec![1_600; numbers.clone().count()],
        ..undated(numbers)
    };
    let mut follower = Follower::new();
    let mut heard = Vec::new();
    // Both end when it is looked at first: 12.0 s of picture and 11.2 s of sound were published.
    for now in (0..40_000).step_by(2_000) {
        let (video, audio) = ((12_000 + now) / 2_000, (12_000 + now) / 1_600);
        let video = undated(video - 6..video);
        let looks = [video.clone(), video, quick(audio - 7..audio)];
        let now = i64::try_from(now).unwrap();
        if let Some((_, sound, continues)) = follower.look(now, &looks) {
            assert_eq!(continues, now > 0, "{now}");
            heard.extend(sound.split(' ').map(str::to_owned));
        }
    }
    heard.retain(|name| !name.is_empty());
    let first: u64 = heard[0][1..].parse().unwrap();
    let all: Vec<String> = (first..).take(heard.len()).map(|it| format!("s{it}")).collect();
    assert_eq!(heard, all);
    assert!(heard.len() >= 25, "{heard:?}");
}

#[test]
fn what_a_rendition_without_dates_does_not_list_yet_is_waited_for() {
    let undated = |numbers| Listed { begins: None, ..listed(numbers) };
    let looks = |video, audio| {
        let video = undated(video);
        [video.clone(), video, undated(audio)]
    };
    let mut follower = Follower::new();
    for (now, looks, expected) in [
        (0, looks(100..106, 500..506), joined("s103 s104 s105", "s503 s504 s505")),
        (2_000, looks(101..107, 500..506), None),
        (2_500, looks(101..107, 501..507), goes_on("s106", "s506")),
    ] {
        assert_eq!(follower.look(now, &looks), expected, "{now}");
    }
}

#[test]
fn renditions_with_dates_may_lie_a_quarter_of_a_second_apart() {
    for (early, count, expected) in [
        (250, 7, joined("s3 s4 s5", "s3 s4 s5")),
        (251, 7, joined("s3 s4 s5", "s4 s5 s6")),
        // The last of the picture waits for its sound.
        (250, 6, joined("s3 s4 s5", "s3 s4 s5")),
        (251, 6, joined("s2 s3 s4", "s3 s4 s5")),
    ] {
        let audio = Listed { begins: Some(-early), ..listed(0..count) };
        let looks = [listed(0..6), listed(0..6), audio];
        assert_eq!(Follower::new().look(0, &looks), expected, "{early} {count}");
    }
}

#[test]
fn what_goes_on_loses_nothing_when_the_dates_of_a_rendition_jump() {
    let mut follower = Follower::new();
    assert!(follower.look(0, &alike(&listed(0..3))).is_some());
    let audio = |begins| Listed { begins: Some(begins), ..listed(0..5) };
    let looks = [listed(0..4), listed(0..4), audio(-400)];
    assert_eq!(follower.look(2_000, &looks), goes_on("s3", "s3 s4"));
    let looks = [listed(0..5), listed(0..5), audio(400)];
    assert_eq!(follower.look(4_000, &looks), goes_on("s4", ""));
}

#[test]
fn a_picture_goes_on_while_a_longer_segment_of_sound_plays_and_is_joined_where_one_begins() {
    let short = |count| Listed { millis: vec![500; count], ..listed(0..0) };
    let looks = |count| [short(count), short(count), listed(0..4)];
    let mut follower = Follower::new();
    assert_eq!(follower.look(0, &looks(15)), joined("s12 s13 s14", "s3"));
    assert_eq!(follower.look(500, &looks(16)), goes_on("s15", ""));
    // No segment of sound begins in the newest three.
    assert_eq!(Follower::new().look(0, &looks(16)), joined("s12 s13 s14 s15", "s3"));
}

#[test]
fn keys_of_a_live_source_are_listed_where_they_change() {
    let mut follower = Follower::new();
    for (now, look) in [(0, listed(0..3)), (2_000, listed(0..6))] {
        assert!(follower.look(now, &alike(&Listed { keys: true, ..look })).is_some());
    }
    let World { channel, log, indexes, .. } = &follower.world;
    let items: Vec<_> = log.iter().flat_map(|entry| entry.items.clone()).collect();
    let text = channel.media_playlist(&items, indexes, moment(22_000), 0).unwrap().text;
    let lines = text.lines().filter(|line| line.contains("KEY") || line.contains("live.example"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    #EXT-X-KEY:METHOD=AES-128,URI="https://live.example/k0",IV=0x1
    https://live.example/v0/s0.ts?signed=0
    https://live.example/v0/s1.ts?signed=0
    #EXT-X-KEY:METHOD=AES-128,URI="https://live.example/k2",IV=0x1
    https://live.example/v0/s2.ts?signed=0
    https://live.example/v0/s3.ts?signed=2000
    #EXT-X-KEY:METHOD=AES-128,URI="https://live.example/k4",IV=0x1
    https://live.example/v0/s4.ts?signed=2000
    https://live.example/v0/s5.ts?signed=2000
    "#);
}
