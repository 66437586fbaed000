//! What a scheduled channel keeps, whatever is scheduled, changed and asked, and by whoever is behind.

use crate::vod::{
    EPOCH, Playhead, Programme, Told, millis, moment, programme, purged, read_media, told, whole,
};
use channel::{
    AssetHash, Break, Change, Channel, Edit, Entry, FREEZE, Item, Library, Marker, Numbers, Role,
    Slate, Unread, Wish, edit,
};
use hls::{Micros, Seconds};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A channel, its library, and all that was ever in its log.
#[derive(Clone, Debug)]
pub struct World {
    pub channel: Channel,
    programmes: Vec<Programme>,
    pub hashes: Vec<AssetHash>,
    pub indexes: Library,
    pub log: Vec<Entry>,
    pub next_id: u64,
}

const WINDOW: i64 = 15_000;

impl World {
    /// All of a programme, as soon as there is place.
    pub fn wish(&self, which: usize) -> Wish {
        whole(self.hashes[which].clone())
    }

    pub fn new(programmes: &[Programme], slate: bool, ads: usize) -> Self {
        let assets: Vec<_> = programmes.iter().enumerate().map(|(n, it)| it.asset(n)).collect();
        let hashes: Vec<AssetHash> = assets.iter().map(channel::Asset::hash).collect();
        let ladder = assets[0].ladder().clone();
        let tracks = channel::tracks(&ladder, Seconds(2), &assets[0]).unwrap();
        let channel = Channel {
            ladder,
            epoch: EPOCH,
            target_duration: Seconds(2),
            window: Micros::from_millis(u64::try_from(WINDOW).unwrap()),
            slate: slate.then(|| Slate { asset: hashes[0].clone(), tracks }),
            ads: hashes.iter().take(ads).cloned().collect(),
            markers: BTreeSet::from([Marker::Cue, Marker::Daterange, Marker::Oatcls]),
            numbers: Numbers::default(),
        };
        let indexes = hashes.iter().cloned().zip(assets.into_iter().map(Arc::new)).collect();
        let programmes = programmes.to_vec();
        Self { channel, programmes, hashes, indexes, log: Vec::new(), next_id: 1 }
    }

    pub fn items(&self) -> Vec<Item> {
        self.log.iter().flat_map(|entry| entry.items.clone()).collect()
    }

    pub fn change(&mut self, wanted: Edit, now: i64) -> bool {
        let change =
            edit(&self.channel, &self.log, self.next_id, wanted, &self.indexes, moment(now));
        let Ok(Change { kept, entries }) = change else { return false };
        self.log.truncate(kept);
        self.log.extend(entries);
        let highest = self.log.iter().map(|entry| entry.id + 1).max().unwrap_or(0);
        self.next_id = self.next_id.max(highest);
        true
    }

    /// What a playhead publishes that plays the log, and then what fills the time until `until`.
    pub fn played(&self, rendition: usize, until: i64) -> Playhead {
        let mut playhead = Playhead::default();
        let items = self.items();
        let filler = self.channel.filler(items.last(), &self.indexes).unwrap();
        for item in items.iter().chain(&filler) {
            let name = self.hashes.iter().position(|hash| *hash == item.asset).unwrap();
            let programme = &self.programmes[name];
            let mut start = millis(item.start);
            for pass in 0..item.passes {
                let first = if pass == 0 { item.first } else { 0 };
                let last = pass + 1 == item.passes;
                let run = first..if last { item.end } else { programme.video.len() };
                playhead.play(name, programme, rendition, &run, start);
                start += programme.start(run.end) - programme.start(run.start);
                if start > until + 3_000 {
                    break;
                }
            }
        }
        playhead
    }

    pub fn read(&self, rendition: usize, now: i64) -> Option<Vec<Told>> {
        let items = self.items();
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

/// A wish as the dice have it: which programme, when, from where, how much, and a break.
type Dice = (usize, Option<i64>, u64, Option<u64>, Option<(u64, u64)>);

fn dice() -> impl Strategy<Value = Dice> {
    (
        0_usize..9,
        prop::option::weighted(0.3, 0_i64..60_000),
        0_u64..4_000,
        prop::option::of(0_u64..9_000),
        prop::option::of((0_u64..8_000, 1_u64..9_000)),
    )
}

fn wish(world: &World, (asset, start, offset, duration, pause): &Dice, now: i64) -> Wish {
    let breaks = pause.iter().map(|(at, duration)| Break {
        at: Micros::from_millis(*at),
        duration: Micros::from_millis(*duration),
        ads: Vec::new(),
    });
    Wish {
        start: start.map(|after| moment(now + after)),
        offset: Micros::from_millis(if offset % 2 == 0 { 0 } else { *offset }),
        duration: duration.map(Micros::from_millis),
        breaks: breaks.collect(),
        ..world.wish(asset % world.hashes.len())
    }
}

/// What happens: time passes, then somebody edits, or a reader looks that learned of the log so long ago
/// and whose clock is so much ahead.
#[derive(Clone, Debug)]
enum Event {
    Edit(u8, usize, Vec<Dice>),
    Look { reader: usize, rendition: usize, stale: i64, skew: i64 },
}

fn event() -> impl Strategy<Value = (i64, Event)> {
    let edit = (0_u8..5, 0_usize..30, vec(dice(), 0..4))
        .prop_map(|(kind, at, wishes)| Event::Edit(kind, at, wishes));
    let look = (0_usize..3, 0_usize..3, 0_i64..4_000, 0_i64..1_000).prop_map(
        |(reader, rendition, stale, skew)| Event::Look { reader, rendition, stale, skew },
    );
    (0_i64..4_000, prop_oneof![1 => edit, 4 => look])
}

fn wanted(world: &World, kind: u8, at: usize, dice: &[Dice], now: i64) -> Edit {
    let wishes: Vec<Wish> = dice.iter().map(|dice| wish(world, dice, now)).collect();
    let entry = |at: usize| world.log.iter().rev().nth(at % 4).map_or(0, |entry| entry.id);
    match kind {
        0 => Edit::Insert(entry(at), wishes),
        1 => Edit::Replace(entry(at), wishes),
        2 => Edit::Remove(vec![entry(at), entry(at + 1)]),
        3 => Edit::From(moment(now + 6_000 + i64::try_from(at).unwrap() * 300), wishes),
        _ => Edit::Append(wishes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_channel_lists_what_a_playhead_would_have_published(
        programmes in vec(programme(), 1..4),
        slate in any::<bool>(),
        ads in 0_usize..3,
        edits in vec((0_i64..9_000, 0_u8..7, 0_usize..30, vec(dice(), 0..4)), 1..8),
        times in vec(0_i64..150_000, 1..10),
    ) {
        let mut world = World::new(&programmes, slate, ads);
        let mut now = 0;
        for (pause, kind, at, dice) in &edits {
            now += pause;
            let edit = wanted(&world, *kind, *at, dice, now);
            world.change(edit, now);
        }
        for pair in world.items().windows(2) {
            prop_assert_eq!(pair[0].end(), pair[1].start, "items follow each other");
        }
        for rendition in 0..3 {
            let played = world.played(rendition, 150_000);
            for now in &times {
                let read = world.read(rendition, *now).unwrap_or_default();
                prop_assert_eq!(read, played.window(*now, WINDOW), "{} at {}", rendition, now);
            }
        }
    }

    #[test]
    fn no_reader_ever_sees_anything_go_back_or_change_whatever_is_edited(
        programmes in vec(programme(), 1..4),
        slate in any::<bool>(),
        ads in 0_usize..3,
        events in vec(event(), 1..60),
    ) {
        let mut world = World::new(&programmes, slate, ads);
        let mut versions = vec![(0, world.clone())];
        let mut now = 10_000;
        let mut known = BTreeMap::<(usize, u64), Told>::new();
        let mut seen = BTreeMap::<(usize, usize), (i64, u64, u64)>::new();
        for (pause, event) in &events {
            now += pause;
            match event {
                Event::Edit(kind, at, dice) => {
                    let edit = wanted(&world, *kind, *at, dice, now);
                    let before = world.clone();
                    if world.change(edit, now) {
                        // Before its first programme a channel without a slate shows nothing.
                        if slate || before.log.first().is_some_and(|it| it.start() <= moment(now)) {
                            check_frozen(&before, &world, now)?;
                        }
                        versions.push((now, world.clone()));
                    }
                }
                Event::Look { reader, rendition, stale, skew } => {
                    let learned = versions.iter().rev().find(|(at, _)| *at <= now - stale);
                    let Some((_, version)) = learned else { continue };
                    let clock = now + skew;
                    let Some(listed) = version.read(*rendition, clock) else { continue };
                    for pair in listed.windows(2) {
                        prop_assert_eq!(pair[0].number + 1, pair[1].number);
                    }
                    let (Some(first), Some(last)) = (listed.first(), listed.last()) else { continue };
                    // The next segment is at most as long as the target duration lets it be, or waits for
                    // audio that runs over.
                    prop_assert!(last.end > clock - 6_000, "{last:?} is all there is at {clock}");
                    for told in &listed {
                        prop_assert!(told.end <= clock, "{told:?} is ahead of {clock}");
                        let before = known.entry((*rendition, told.number)).or_insert_with(|| told.clone());
                        prop_assert_eq!(&*before, told);
                    }
                    let key = (*reader, *rendition);
                    // One reader's own clock goes on, though that of another may be ahead of it.
                    if let Some((at, oldest, newest)) = seen.get(&key)
                        && *at <= clock
                    {
                        prop_assert!(first.number >= *oldest, "the first went back");
                        prop_assert!(last.number >= *newest, "the last went back");
                    }
                    seen.insert(key, (clock, first.number, last.number));
                }
            }
        }
    }
}

/// What begins before now and the horizon plays as it would have.
fn check_frozen(before: &World, after: &World, now: i64) -> Result<(), TestCaseError> {
    let until = now + millis(EPOCH + FREEZE);
    let settled = |world: &World| -> Vec<Told> {
        let told = world.played(0, until + 20_000).told;
        told.into_iter().filter(|told| told.start < until).collect()
    };
    prop_assert!(settled(before) == settled(after), "at {}", now);
    Ok(())
}

#[test]
fn a_break_is_filled_with_ads_in_turn_and_marked() {
    let programme =
        |video: &[i64]| Programme { video: video.to_vec(), shift: 0, audio: video.to_vec() };
    let programmes = [
        programme(&[2_000; 3]),
        programme(&[2_000; 10]),
        programme(&[2_000; 2]),
        programme(&[1_000; 3]),
    ];
    let mut world = World::new(&programmes, true, 0);
    world.channel.ads = vec![world.hashes[2].clone(), world.hashes[3].clone()];
    let wish = Wish {
        title: Some("The\0\"one\"".to_owned()),
        breaks: vec![Break {
            at: Micros::from_millis(5_100),
            duration: Micros::from_secs(9),
            ads: vec![],
        }],
        ..world.wish(1)
    };
    assert!(world.change(Edit::Append(vec![wish]), 0));
    let roles: Vec<(Role, u64)> =
        world.items().iter().map(|item| (item.role, item.duration.as_millis())).collect();
    assert_eq!(
        roles,
        [
            (Role::Slate, 6_000),
            (Role::Programme, 6_000),
            (Role::Ad, 4_000),
            (Role::Ad, 3_000),
            (Role::Slate, 2_000),
            (Role::Programme, 14_000),
        ]
    );
    world.channel.markers.insert(Marker::Programme);
    let at = |now: i64| {
        let items = world.items();
        world.channel.media_playlist(&items, &world.indexes, moment(now), 0).unwrap().text
    };
    insta::assert_snapshot!(at(24_000));
}

#[test]
fn a_wish_plays_the_part_that_it_names_to_the_nearest_segments() {
    let programme = |count: usize| {
        let video = vec![2_000; count];
        Programme { audio: video.clone(), video, shift: 0 }
    };
    let world = World::new(&[programme(1), programme(4)], false, 1);
    for (offset, duration, pause, expected) in [
        (0, None, None, Ok((0, 4))),
        (1_000, None, None, Ok((0, 4))),
        (1_001, None, None, Ok((1, 4))),
        (6_900, None, None, Ok((3, 4))),
        (7_500, None, None, Err("offset")),
        (8_000, None, None, Err("offset")),
        (2_000, Some(0), None, Err("duration")),
        (2_000, Some(500), None, Ok((1, 2))),
        (2_000, Some(3_000), None, Ok((1, 2))),
        (2_000, Some(3_001), None, Ok((1, 3))),
        (2_000, Some(60_000), None, Ok((1, 4))),
        (0, None, Some(8_000), Ok((0, 4))),
        (0, None, Some(8_001), Err("breaks[0].at")),
        (2_000, Some(3_001), Some(6_000), Ok((1, 3))),
        (2_000, Some(3_001), Some(0), Err("breaks[0].at")),
        (2_000, Some(3_001), Some(7_500), Err("breaks[0].at")),
    ] {
        let case = format!("{offset} {duration:?} {pause:?}");
        let pause = pause.map(|at| (at, 2_000));
        let wish = wish(&world, &(1, None, 0, duration, pause), 0);
        let wish = Wish { offset: Micros::from_millis(offset), ..wish };
        let World { channel, indexes, .. } = &world;
        let made = channel::commit(channel, &[], 1, &[wish], indexes, moment(0));
        let part = made.map(|entries| {
            let items = entries.iter().flat_map(|entry| &entry.items);
            let items: Vec<_> = items.filter(|item| item.role == Role::Programme).collect();
            (items[0].first, items[items.len() - 1].end)
        });
        let part = part.map_err(|refusals| refusals[0].field.clone());
        assert_eq!(part, expected.map_err(str::to_owned), "{case}");
    }
}

#[test]
fn a_channel_may_count_from_other_numbers_and_is_stored_with_them() {
    let even = |count| Programme { video: vec![2_000; count], shift: 0, audio: vec![2_000; count] };
    let mut plain = World::new(&[even(2), even(3)], true, 0);
    assert!(plain.change(Edit::Append(vec![plain.wish(1)]), 0));
    let mut counted = plain.clone();
    counted.channel.numbers = Numbers { sequence: 100, discontinuities: 7 };
    for now in [2_000, 9_000, 60_000] {
        let mut expected = plain.read(0, now).unwrap();
        for segment in &mut expected {
            segment.number += 100;
            segment.discontinuities += 7;
        }
        assert_eq!(counted.read(0, now), Some(expected), "{now}");
    }
    for (channel, is_said) in [(plain.channel, false), (counted.channel, true)] {
        let stored = serde_json::to_value(&channel).unwrap();
        assert_eq!(stored.get("numbers").is_some(), is_said);
        assert_eq!(serde_json::from_value::<Channel>(stored).unwrap(), channel);
    }
}
