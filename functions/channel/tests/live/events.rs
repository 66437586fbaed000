//! What a channel keeps when a live source plays between programmes, whatever the source does and whoever is behind.

use crate::vod::{
    EPOCH, LADDER, Programme, Told, media, millis, moment, programme, purged, read_media, told,
    whole,
};
use channel::{
    AssetHash, Change, Channel, Cursor, Edit, Entry, Event, Gap, Item, Library, Slate, Source,
    Unread, Wish, append, edit, gap,
};
use hls::{Limits, MediaPlaylist, Micros, Playlist, Seconds};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A live source: how long its segments are, when it stood still, and how the audio is cut.
#[derive(Clone, Debug)]
pub struct Stage {
    pub video: Vec<i64>,
    pub audio: i64,
    /// From when to when nothing new is listed; what was not, is listed at once then.
    pub still: (i64, i64),
    /// When it begins to number anew.
    pub restart: Option<i64>,
    pub dated: bool,
    /// Which segment follows a discontinuity.
    pub cut: usize,
    pub ends: Option<i64>,
}

fn stage() -> impl Strategy<Value = Stage> {
    (
        vec(500_i64..2_400, 1..5),
        1_500_i64..2_400,
        (0_i64..60_000, 0_i64..20_000),
        prop::option::weighted(0.3, 20_000_i64..60_000),
        any::<bool>(),
        0_usize..40,
        prop::option::weighted(0.3, 20_000_i64..80_000),
    )
        .prop_map(|(video, audio, (from, length), restart, dated, cut, ends)| Stage {
            // Without dates the renditions are matched by their numbers.
            audio: if dated { audio } else { 0 },
            video,
            still: (from, from + length),
            restart,
            dated,
            cut,
            ends,
        })
}

const BEGAN: i64 = -40_000;

impl Stage {
    /// What was published by a time: where each segment begins and ends.
    fn published(&self, now: i64, is_audio: bool) -> (Vec<(i64, i64, usize)>, bool) {
        let mut at = BEGAN;
        let mut all = Vec::new();
        let until = self.ends.unwrap_or(i64::MAX);
        let mut ended = false;
        for place in 0.. {
            let length = match is_audio && self.audio > 0 {
                true => self.audio,
                false => self.video[place % self.video.len()],
            };
            let seen = at + length;
            let seen = if seen > self.still.0 { seen.max(self.still.1) } else { seen };
            ended = at >= until;
            if seen > now || ended {
                break;
            }
            all.push((at, at + length, place));
            at += length;
        }
        (all, ended)
    }

    fn list(&self, now: i64, rendition: &str) -> MediaPlaylist {
        let is_audio = rendition == "en";
        let (all, ended) = self.published(now, is_audio);
        let anew = self.restart.filter(|restart| *restart <= now);
        let first = anew.map_or(0, |anew| all.iter().filter(|(at, ..)| *at < anew).count());
        let from = first.max(all.len().saturating_sub(8));
        let number = if anew.is_some() { from - first } else { from + 100 };
        let mut text =
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:{number}\n");
        for (at, end, place) in all.iter().skip(from) {
            if *place == self.cut && self.audio == 0 {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if self.dated {
                text.push_str(&format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", moment(*at)));
            }
            let length = end - at;
            let run = usize::from(anew.is_some());
            text.push_str(&format!(
                "#EXTINF:{}.{:03},\nl{run}-{rendition}-{place}.{}\n",
                length / 1_000,
                length % 1_000,
                if is_audio { "aac" } else { "ts" }
            ));
        }
        if ended {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        read_media(&text)
    }

    pub fn read(&self, now: i64, channel: &Channel, after: Option<&Cursor>) -> Option<Source> {
        let multivariant = match hls::parse(LADDER.as_bytes(), &Limits::default()) {
            Ok(Playlist::Multivariant(multivariant)) => multivariant,
            other => panic!("{other:?}"),
        };
        let media = ["v0", "v1", "en"].map(|it| (format!("{it}/main.m3u8"), self.list(now, it)));
        let media: BTreeMap<String, MediaPlaylist> = media.into_iter().collect();
        let base = "https://live.example/main.m3u8";
        let of = (&channel.ladder, Seconds(2));
        Source::read(base, &multivariant, &media, &BTreeSet::new(), of, after).ok()
    }
}

#[derive(Clone)]
pub struct World {
    pub channel: Channel,
    pub hashes: Vec<AssetHash>,
    pub indexes: Library,
    pub log: Vec<Entry>,
    pub next_id: u64,
}

impl World {
    pub fn new(programmes: &[Programme]) -> Self {
        let assets: Vec<_> = programmes.iter().enumerate().map(|(n, it)| it.asset(n)).collect();
        let hashes: Vec<AssetHash> = assets.iter().map(channel::Asset::hash).collect();
        let ladder = assets[0].ladder().clone();
        let tracks = channel::tracks(&ladder, Seconds(2), &assets[0]).unwrap();
        let channel = Channel {
            ladder,
            epoch: EPOCH,
            target_duration: Seconds(2),
            window: Micros::from_secs(15),
            slate: Some(Slate { asset: hashes[0].clone(), tracks }),
            ads: Vec::new(),
            markers: BTreeSet::new(),
            numbers: channel::Numbers::default(),
        };
        let indexes = hashes.iter().cloned().zip(assets.into_iter().map(Arc::new)).collect();
        Self { channel, hashes, indexes, log: Vec::new(), next_id: 1 }
    }

    pub fn take(&mut self, Change { kept, entries }: Change) {
        self.log.truncate(kept);
        self.log.extend(entries);
        let highest = self.log.iter().map(|entry| entry.id + 1).max().unwrap_or(0);
        self.next_id = self.next_id.max(highest);
        let seen = Entry::seen(&self.log).map(|(hash, asset)| (hash, Arc::new(asset.clone())));
        self.indexes.extend(seen);
    }

    pub fn change(&mut self, wanted: Edit, now: i64) -> bool {
        let changed =
            edit(&self.channel, &self.log, self.next_id, wanted, &self.indexes, moment(now));
        changed.map(|change| self.take(change)).is_ok()
    }

    /// Looks at the source as a writer does; whether a piece was written.
    pub fn look(&mut self, stage: &Stage, now: i64) -> bool {
        let Some(gap) = gap(&self.log, moment(now)) else { return false };
        if moment(now) < gap.due {
            return false;
        }
        let Some(source) = stage.read(now, &self.channel, gap.event.seen.as_ref()) else {
            return false;
        };
        self.follow(&source, &gap, now, false)
    }

    /// Plays what is new at a source; whether a piece was written.
    pub fn follow(&mut self, source: &Source, gap: &Gap, now: i64, slides: bool) -> bool {
        let piece = match source.next(gap.event.seen.as_ref(), gap.is_hole, slides) {
            Ok(Some(piece)) => piece,
            Ok(None) | Err(_) => return false,
        };
        let at = moment(now);
        let (channel, log, next_id) = (&self.channel, &self.log, self.next_id);
        let change = append(channel, log, next_id, &piece, &self.indexes, at).unwrap();
        let Some(change) = change else { return false };
        self.take(change);
        if piece.ended {
            self.change(Edit::Remove(vec![gap.entry]), now);
        }
        true
    }

    pub fn wish(&self, which: usize) -> Wish {
        whole(self.hashes[which % self.hashes.len()].clone())
    }

    pub fn event(&self, start: Option<i64>, end: i64) -> Wish {
        let url = "https://live.example/main.m3u8".to_owned();
        let live = Some(Event { url, end: moment(end), seen: None });
        Wish { live, start: start.map(moment), asset: AssetHash(String::new()), ..self.wish(0) }
    }

    pub fn list(&self, rendition: usize, now: i64) -> Option<Vec<Told>> {
        let items: Vec<Item> = self.log.iter().flat_map(|entry| entry.items.clone()).collect();
        let list = |items: &[Item]| {
            self.channel.media_playlist(items, &self.indexes, moment(now), rendition)
        };
        assert_eq!(list(&purged(&self.channel, &self.log, now)), list(&items), "purged");
        match list(&items) {
            Ok(playlist) => {
                let read = read_media(&playlist.text);
                assert_eq!(read.target_duration, Seconds(2));
                assert!(read.segments.first().is_none_or(|first| !first.discontinuity));
                Some(told(&read))
            }
            Err(Unread::Nothing { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Happens {
    /// The writer looks at the source.
    Poll,
    /// The schedule is changed: how, and which entry from the end.
    Edit(u8, usize),
    Look {
        reader: usize,
        rendition: usize,
        stale: i64,
        skew: i64,
    },
}

fn happens() -> impl Strategy<Value = (i64, Happens)> {
    let edit = (0_u8..6, 0_usize..4).prop_map(|(kind, at)| Happens::Edit(kind, at));
    let look = (0_usize..3, 0_usize..3, 0_i64..4_000, 0_i64..1_000).prop_map(
        |(reader, rendition, stale, skew)| Happens::Look { reader, rendition, stale, skew },
    );
    (0_i64..1_500, prop_oneof![1 => edit, 12 => Just(Happens::Poll), 12 => look])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_reader_ever_sees_anything_go_back_or_twice_when_a_live_source_plays(
        programmes in vec(programme(), 1..4),
        stage in stage(),
        start in prop::option::of(8_000_i64..20_000),
        length in 5_000_i64..60_000,
        events in vec(happens(), 1..120),
    ) {
        let mut world = World::new(&programmes);
        let end = start.unwrap_or(8_000) + length;
        let wishes = vec![world.wish(1), world.event(start, end), world.wish(2), world.wish(0)];
        world.change(Edit::Append(wishes), 0);
        let mut versions = vec![(0, world.clone())];
        let mut now = 5_000;
        let mut known = BTreeMap::<(usize, u64), Told>::new();
        let mut lives = BTreeMap::<(usize, String), u64>::new();
        let mut seen = BTreeMap::<(usize, usize), (i64, u64, u64)>::new();
        for (pause, happens) in &events {
            now += pause;
            let before = world.clone();
            match happens {
                Happens::Poll => {
                    if world.look(&stage, now) {
                        versions.push((now, world.clone()));
                    }
                }
                Happens::Edit(kind, at) => {
                    let entries = world.log.iter().rev().filter(|entry| entry.wish.is_some());
                    let Some(named) = entries.map(Clone::clone).nth(*at) else { continue };
                    let is_live = named.wish.is_some_and(|it| it.live.is_some());
                    let entry = named.id;
                    let wanted = match kind {
                        0 => Edit::Insert(entry, vec![world.wish(*at)]),
                        1 if is_live => Edit::Replace(entry, vec![world.event(None, now + 30_000)]),
                        2 => Edit::Remove(vec![entry]),
                        3 => Edit::From(moment(now + 6_000), vec![world.wish(*at)]),
                        _ => Edit::Append(vec![world.wish(*at)]),
                    };
                    if world.change(wanted, now) {
                        versions.push((now, world.clone()));
                    }
                }
                Happens::Look { reader, rendition, stale, skew } => {
                    let learned = versions.iter().rev().find(|(at, _)| *at <= now - stale);
                    let Some((_, version)) = learned else { continue };
                    let clock = now + skew;
                    let Some(listed) = version.list(*rendition, clock) else { continue };
                    let (Some(first), Some(last)) = (listed.first(), listed.last()) else { continue };
                    prop_assert!(last.end > clock - 6_000, "{last:?} is all there is at {clock}");
                    for told in &listed {
                        prop_assert!(told.end <= clock, "{told:?} is ahead of {clock}");
                        let before = known.entry((*rendition, told.number)).or_insert_with(|| told.clone());
                        prop_assert_eq!(&*before, told);
                        if told.address.contains("live.example") {
                            let number = lives.entry((*rendition, told.address.clone())).or_insert(told.number);
                            prop_assert_eq!(*number, told.number, "{} twice", told.address);
                        }
                    }
                    if let Some((at, oldest, newest)) = seen.get(&(*reader, *rendition))
                        && *at <= clock
                    {
                        prop_assert!(first.number >= *oldest && last.number >= *newest, "it went back");
                    }
                    seen.insert((*reader, *rendition), (clock, first.number, last.number));
                }
            }
            for pair in world.log.windows(2) {
                prop_assert_eq!(pair[0].end(), pair[1].start(), "entries follow each other at {}: {:?}", now, before.log);
            }
        }
    }
}

/// A source of even segments, followed once a second.
fn followed(stage: &Stage, wishes: impl Fn(&World) -> Vec<Wish>, until: i64) -> World {
    let slate = Programme { video: vec![1_000; 4], shift: 0, audio: vec![1_000; 4] };
    let show = Programme { video: vec![2_000; 5], shift: 0, audio: vec![2_000; 5] };
    let mut world = World::new(&[slate, show]);
    let wishes = wishes(&world);
    assert!(world.change(Edit::Append(wishes), 0));
    for now in (0..until).step_by(1_000) {
        world.look(stage, now);
    }
    world
}

pub fn even() -> Stage {
    let (video, still) = (vec![2_000], (0, 0));
    Stage { video, audio: 1_920, still, restart: None, dated: true, cut: 99, ends: None }
}

#[test]
fn a_live_source_plays_whole_between_programmes_and_its_sound_goes_with_it() {
    let world = followed(
        &even(),
        |it| vec![it.wish(1), it.event(Some(20_000), 60_000), it.wish(1)],
        70_000,
    );
    let (video, audio) = (world.list(0, 58_000).unwrap(), world.list(2, 58_000).unwrap());
    let place = |told: &Told| -> i64 {
        told.address
            .trim_matches(|c: char| !c.is_ascii_digit())
            .rsplit('-')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    for pair in video.windows(2) {
        assert_follow(&pair[0], &pair[1], place);
    }
    for pair in audio.windows(2) {
        assert_follow(&pair[0], &pair[1], place);
    }
    // By the source's clock: when the picture and the sound that play at the same time were made.
    let (told, sound) = (&video[2], &audio[2]);
    let made = BEGAN + place(told) * 2_000;
    let heard = BEGAN + place(sound) * 1_920;
    assert_eq!(told.start - made, sound.start - heard, "{told:?} {sound:?}");
    let delay = told.start - made;
    assert!((12_000..20_000).contains(&delay), "it is {delay} ms behind the source");
    let then = world.list(0, 72_000).unwrap();
    let show = then.iter().find(|told| told.address.contains("/1/")).unwrap();
    assert!((59_000..=61_000).contains(&show.start), "{then:?}");
}

fn assert_follow(one: &Told, other: &Told, place: impl Fn(&Told) -> i64) {
    assert_eq!(place(one) + 1, place(other), "{one:?} {other:?}");
    assert_eq!((one.end, one.discontinuities), (other.start, other.discontinuities));
}

#[test]
fn the_slate_stands_in_where_a_source_fails_and_the_next_programme_follows_one_that_ends() {
    let still = Stage { still: (30_000, 50_000), ..even() };
    let world = followed(&still, |it| vec![it.event(Some(10_000), 80_000), it.wish(1)], 90_000);
    let addresses = |world: &World, now: i64| -> Vec<bool> {
        world.list(0, now).unwrap().iter().map(|it| it.address.contains("live.example")).collect()
    };
    assert!(addresses(&world, 28_000).iter().all(|live| *live));
    assert_eq!(addresses(&world, 54_000).last(), Some(&false), "{:?}", world.list(0, 54_000));
    assert!(addresses(&world, 78_000).iter().all(|live| *live));

    let over = Stage { ends: Some(30_000), ..even() };
    let world = followed(&over, |it| vec![it.event(Some(10_000), 80_000), it.wish(1)], 90_000);
    let show = world.log.iter().find(|entry| entry.items[0].asset == world.hashes[1]).unwrap();
    let start = millis(show.start());
    assert!((36_000..52_000).contains(&start), "the show follows at {start}");
}

#[test]
fn of_a_log_that_is_purged_little_is_left_and_viewers_see_all() {
    let world = followed(&even(), |it| vec![it.event(Some(20_000), 100_000)], 110_000);
    let left = purged(&world.channel, &world.log, 100_000);
    assert!(left.len() * 2 < world.log.len(), "{} of {}", left.len(), world.log.len());
    // 15 s of window, in segments of 2 s.
    assert_eq!(world.list(0, 100_000).unwrap().len(), 8);
}

#[test]
fn a_live_programme_is_made_longer_while_it_plays_and_nothing_of_it_is_twice() {
    let mut world =
        followed(&even(), |it| vec![it.event(Some(10_000), 52_000), it.wish(1)], 30_000);
    let rest =
        world.log.iter().find(|entry| entry.wish.as_ref().is_some_and(|it| it.live.is_some()));
    let rest = rest.unwrap().id;
    let longer = world.event(None, 70_000);
    assert!(world.change(Edit::Replace(rest, vec![longer]), 30_000));
    for now in (30_000..80_000).step_by(1_000) {
        world.look(&even(), now);
    }
    let listed = world.list(0, 60_000).unwrap();
    assert!(listed.iter().all(|told| told.address.contains("live.example")), "{listed:?}");
    let addresses: BTreeSet<&String> = listed.iter().map(|told| &told.address).collect();
    assert_eq!(addresses.len(), listed.len());
    assert_eq!(listed.first().unwrap().discontinuities, listed.last().unwrap().discontinuities);
}

#[test]
fn a_source_that_the_channel_cannot_play_is_told_apart() {
    let world = World::new(&[Programme { video: vec![2_000], shift: 0, audio: vec![2_000] }]);
    let long = Stage { video: vec![2_600], ..even() };
    assert!(long.read(20_000, &world.channel, None).is_none(), "segments are too long");
    assert!(even().read(20_000, &world.channel, None).is_some());
    assert!(media("s", "ts", &[1]).contains("s0.ts"));
}
