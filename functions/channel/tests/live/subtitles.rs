//! Subtitles that are longer or shorter than the picture, or cut elsewhere, play with the picture that they are of.

use crate::events::World;
use crate::sources::{Listed, listed};
use crate::vod::{EPOCH, Told, index, media, moment, read_media, read_multivariant, told, whole};
use channel::{
    Asset, AssetHash, Break, Channel, Edit, Item, Library, Slate, Source, Wish, edit, gap,
};
use hls::{Micros, Seconds};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const TITLED: &str = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",LANGUAGE="en",URI="s.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=400000,SUBTITLES="s"
v.m3u8
"#;

/// A VOD of a picture and subtitles with segments of these milliseconds.
fn vod(name: &str, picture: &[i64], text: &[i64]) -> Asset {
    let media = [("v.m3u8", media("v", "ts", picture)), ("s.m3u8", media("s", "vtt", text))];
    index(&format!("/{name}/"), TITLED, &media).unwrap()
}

/// What a channel of `assets` lists that plays `parts` (which asset, from where, for how long, and a break of 4 s) behind a
/// slate without subtitles, as the picture and the subtitles have it.
struct Screen {
    channel: Channel,
    indexes: Library,
    items: Vec<Item>,
}

type Part = (usize, u64, Option<u64>, Option<u64>);

impl Screen {
    fn new(assets: Vec<Asset>, parts: &[Part]) -> Self {
        let plain = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv.m3u8\n";
        let slate = index("/slate/", plain, &[("v.m3u8", media("v", "ts", &[2_000]))]).unwrap();
        let ladder = assets[0].ladder().clone();
        let tracks = channel::tracks(&ladder, Seconds(10), &slate).unwrap();
        let hashes: Vec<AssetHash> = assets.iter().map(Asset::hash).collect();
        let slate_hash = slate.hash();
        let all = assets.into_iter().chain([slate]);
        let indexes: Library = all.map(|asset| (asset.hash(), Arc::new(asset))).collect();
        let channel = Channel {
            ladder,
            epoch: EPOCH,
            target_duration: Seconds(10),
            window: Micros::from_secs(600),
            slate: Some(Slate { asset: slate_hash, tracks }),
            ads: Vec::new(),
            markers: BTreeSet::new(),
            numbers: channel::Numbers::default(),
        };
        let wishes = parts.iter().map(|(which, offset, duration, pause)| Wish {
            offset: Micros::from_millis(*offset),
            duration: duration.map(Micros::from_millis),
            breaks: pause
                .iter()
                .map(|at| Break {
                    at: Micros::from_millis(*at),
                    duration: Micros::from_secs(4),
                    ads: Vec::new(),
                })
                .collect(),
            ..whole(hashes[which % hashes.len()].clone())
        });
        let wishes = Edit::Append(wishes.collect());
        let change = edit(&channel, &[], 1, wishes, &indexes, moment(0)).unwrap();
        let items = change.entries.into_iter().flat_map(|entry| entry.items).collect();
        Self { channel, indexes, items }
    }

    fn read(&self, rendition: usize, now: i64) -> Vec<Told> {
        let list = self.channel.media_playlist(&self.items, &self.indexes, moment(now), rendition);
        list.map_or_else(|_| Vec::new(), |it| told(&read_media(&it.text)))
    }

    /// What is listed of the subtitles behind the slate, but for the addresses' folder: what, from when and for how long in
    /// seconds; behind a bar what begins with a discontinuity.
    fn shown(&self, now: i64) -> String {
        let all = self.read(1, now);
        let all = all.iter().zip(all.iter().skip(1)).skip_while(|(_, it)| it.start < 6_000);
        let said = all.map(|(before, it)| {
            let bar = if it.discontinuities > before.discontinuities { "| " } else { "" };
            let name = it.address.trim_start_matches("/a/").trim_end_matches(".vtt");
            let seconds = |millis: i64| format!("{}", Micros(millis.unsigned_abs() * 1_000));
            format!("{bar}{name} {}+{}", seconds(it.start), seconds(it.end - it.start))
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn subtitles_begin_and_end_with_the_picture_that_they_are_of() {
    let picture = [2_000; 10];
    let all = (0, 0, None, None);
    // The slate plays until 6 s, for it is settled.
    for (name, picture, text, part, expected) in [
        (
            "6 s shorter",
            &picture[..5],
            &[2_000, 2_000][..],
            all,
            "| s0 6+2, s1 8+2, empty 10+2, empty 12+2, empty 14+2, | empty 16+2",
        ),
        (
            "shorter, and not by whole segments",
            &picture[..4],
            &[3_000],
            all,
            "| s0 6+3, empty 9+1, empty 10+2, empty 12+2, | empty 14+2, | empty 16+2",
        ),
        (
            "6 s longer",
            &picture[..2],
            &[2_000; 5],
            all,
            "| s0 6+2, s1 8+2, | empty 10+2, | empty 12+2",
        ),
        (
            "longer within a segment",
            &picture[..2],
            &[10_000],
            all,
            "| s0 6+4, | empty 10+2, | empty 12+2",
        ),
        (
            "longer segments and a break",
            &picture,
            &[10_000, 10_000],
            (0, 0, None, Some(13_000)),
            "| s0 6+10, s1 16+2, | empty 18+2, | empty 20+2, | s1 22+8, | empty 30+2",
        ),
        (
            "a part within a segment",
            &picture,
            &[10_000, 10_000],
            (0, 6_000, Some(2_000), None),
            "| s0 6+2, | empty 8+2, | empty 10+2",
        ),
        (
            "a part over a boundary",
            &picture,
            &[10_000, 10_000],
            (0, 6_000, Some(8_000), None),
            "| s0 6+4, s1 10+4, | empty 14+2, | empty 16+2",
        ),
        (
            "a part where there are none",
            &picture,
            &[2_000; 6],
            (0, 12_000, Some(4_000), None),
            "| empty 6+2, empty 8+2, | empty 10+2, | empty 12+2",
        ),
        (
            "hardly longer segments",
            &picture,
            &[2_002; 10],
            (0, 4_000, Some(6_000), None),
            "| s2 6+2.006, s3 8.006+2.002, s4 10.008+1.992, | empty 12+2",
        ),
        (
            "hardly shorter segments",
            &picture,
            &[1_998; 10],
            (0, 4_000, Some(6_000), None),
            "| s2 6+1.994, s3 7.994+1.998, s4 9.992+2.008, | empty 12+2",
        ),
        (
            "shorter by next to nothing",
            &picture[..2],
            &[2_000, 1_000, 800],
            all,
            "| s0 6+2, s1 8+1, s2 9+1, | empty 10+2",
        ),
        (
            "short segments that play whole",
            &picture[..2],
            &[400, 1_600, 1_600, 400],
            all,
            "| s0 6+0.4, s1 6.4+1.6, s2 8+1.6, s3 9.6+0.4, | empty 10+2",
        ),
        (
            "next to nothing of a first one that has none beside it",
            &picture[..5],
            &[6_400],
            (0, 6_000, Some(2_000), None),
            "| s0 6+0.4, empty 6.4+1.6, | empty 8+2",
        ),
        (
            "next to nothing of a first one, and more than the next can state",
            &picture,
            &[10_400, 2_400, 8_000],
            (0, 10_000, Some(4_000), None),
            "| s0 6+0.4, s1 6.4+2.4, s2 8.8+1.2, | empty 10+2",
        ),
        (
            "next to nothing of a first one, and a short one beside it",
            &picture,
            &[10_400, 2_000, 8_000],
            (0, 10_000, Some(4_000), None),
            "| s1 6+2.4, s2 8.4+1.6, | empty 10+2",
        ),
        (
            "a little of a first one",
            &picture,
            &[2_600, 2_500, 9_000],
            (0, 2_000, Some(4_000), None),
            "| s0 6+0.6, s1 6.6+2.5, s2 9.1+0.9, | empty 10+2",
        ),
        (
            "a little of a last one",
            &picture,
            &[900, 2_500, 9_000],
            (0, 0, Some(4_000), None),
            "| s0 6+0.9, s1 6.9+2.5, s2 9.4+0.6, | empty 10+2",
        ),
        (
            "next to nothing of a last one, and more than the one before it can state",
            &picture,
            &[1_200, 2_400, 2_000, 2_000, 2_000, 2_000],
            (0, 0, Some(4_000), None),
            "| s0 6+1.2, s1 7.2+2.4, s2 9.6+0.4, | empty 10+2",
        ),
        (
            "next to nothing of a last one, beside a short segment of the picture",
            &[2_000, 2_000, 300, 2_000],
            &[2_000, 1_900, 2_000],
            (0, 0, Some(4_300), None),
            "| s0 6+2, s1 8+2.3, | empty 10.3+2",
        ),
        (
            "none beside a short segment of the picture",
            &[2_000, 400, 2_000],
            &[2_000],
            (0, 2_000, None, None),
            "| empty 6+0.4, empty 6.4+2, | empty 8.4+2",
        ),
        (
            "shorter than a picture of which a segment takes no time",
            &[2_000, 0, 2_000],
            &[2_000],
            all,
            "| s0 6+2, empty 8+2, | empty 10+2",
        ),
        (
            "what is longer behind a discontinuity",
            &[2_000, 2_000, -2_000, 2_000],
            &[2_000, 5_000, -1_000],
            all,
            "| s0 6+2, s1 8+2, | s2 10+1, empty 11+1, empty 12+2, | empty 14+2",
        ),
    ] {
        let screen = Screen::new(vec![vod("a", picture, text)], &[part]);
        let shown = screen.shown(60_000);
        assert!(shown.starts_with(expected), "{name}: {shown}");
    }
}

#[test]
fn subtitles_keep_their_numbers_when_what_was_before_them_is_listed_no_more() {
    let parts = [(0, 0, None, Some(13_000)), (0, 6_000, Some(8_000), None)];
    let mut screen = Screen::new(vec![vod("a", &[2_000; 10], &[10_000, 4_000])], &parts);
    let all = screen.read(1, 60_000);
    screen.channel.window = Micros::from_secs(8);
    let window = screen.read(1, 60_000);
    assert!(window.len() < all.len() && all.ends_with(&window), "{window:?}");
}

#[test]
fn subtitles_of_a_live_source_are_listed_as_it_cuts_them() {
    let mut screen = Screen::new(vec![vod("a", &[2_000], &[2_000])], &[(0, 0, None, None)]);
    let (channel, indexes) = (screen.channel.clone(), screen.indexes.clone());
    let hashes = indexes.keys().cloned().collect();
    let mut world = World { channel, hashes, indexes, log: Vec::new(), next_id: 1 };
    let live = world.event(Some(10_000), 300_000);
    assert!(world.change(Edit::Append(vec![live]), 0));
    for (now, picture, text) in [(0, 0..3, 2), (3_000, 0..5, 3), (6_000, 0..6, 4)] {
        let text = Listed { millis: vec![3_000; text], ..listed(0..0) }.text("vtt", now);
        let media = [("v.m3u8", listed(picture).text("ts", now)), ("s.m3u8", text)];
        let media = media.map(|(name, text)| (name.to_owned(), read_media(&text)));
        let gap = gap(&world.log, moment(now)).unwrap();
        let source = Source::read(
            "https://live.example/main.m3u8",
            &read_multivariant(TITLED),
            &BTreeMap::from(media),
            &BTreeSet::new(),
            (&world.channel.ladder, Seconds(10)),
            gap.event.seen.as_ref(),
        );
        assert!(world.follow(&source.unwrap(), &gap, now, false), "{now}");
    }
    screen.items = world.log.iter().flat_map(|entry| entry.items.clone()).collect();
    screen.indexes = world.indexes;
    let told = screen.read(1, 30_000);
    let live = told.iter().filter(|it| it.address.contains("live.example"));
    let live: Vec<(&str, i64)> = live
        .map(|it| {
            let name = it.address.rsplit('/').next().unwrap();
            (name.split('.').next().unwrap(), it.end - it.start)
        })
        .collect();
    assert_eq!(live, [("s0", 3_000), ("s1", 3_000), ("s2", 3_000), ("s3", 3_000)]);
}

#[test]
fn a_segment_that_is_cut_says_how_long_it_plays_and_keeps_its_lines() {
    let text = media("s", "vtt", &[10_000]).replace("10.000,", "10.000,a, b\n#X-KEPT");
    let media = [("v.m3u8", media("v", "ts", &[2_000, 2_000])), ("s.m3u8", text)];
    let asset = index("/a/", TITLED, &media).unwrap();
    let screen = Screen::new(vec![asset], &[(0, 0, None, None)]);
    let list = screen.channel.media_playlist(&screen.items, &screen.indexes, moment(60_000), 1);
    let text = list.unwrap().text;
    assert!(text.contains("#EXTINF:4,a, b\n#X-KEPT\n/a/s0.vtt\n"), "{text}");
}

#[test]
fn no_segment_of_subtitles_is_stated_to_be_longer_than_the_target_duration_bears() {
    // A bit more of the last would round to 11 s.
    let text = [10_000, 10_300];
    let screen = Screen::new(vec![vod("a", &[2_060; 10], &text)], &[(0, 0, None, None)]);
    assert!(screen.shown(60_000).starts_with("| s0 6+10, s1 16+10.3, empty 26.3+0.3, |"));
}

fn cuts() -> impl Strategy<Value = Vec<i64>> {
    let segment = (100_i64..9_000, prop::bool::weighted(0.15));
    vec(segment.prop_map(|(millis, cut)| if cut { -millis } else { millis }), 1..9)
}

/// The same discontinuities, other boundaries, and in all some seconds more or less.
fn beside(picture: &[i64], each: i64, more: i64) -> Vec<i64> {
    let mut parts: Vec<i64> = Vec::new();
    for (place, millis) in picture.iter().enumerate() {
        match parts.last_mut() {
            Some(part) if *millis > 0 || place == 0 => *part += millis.abs(),
            Some(_) | None => parts.push(millis.abs()),
        }
    }
    let count = i64::try_from(parts.len()).unwrap();
    let mut text = Vec::new();
    for (place, part) in parts.into_iter().enumerate() {
        let part = (part + more / count).max(1);
        let mut pieces = vec![each; usize::try_from(part / each).unwrap()];
        pieces.extend(Some(part % each).filter(|rest| *rest > 0));
        if place > 0 {
            pieces[0] = -pieces[0];
        }
        text.extend(pieces);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn subtitles_go_on_without_a_gap_and_begin_anew_where_the_picture_does(
        pictures in vec((cuts(), 700_i64..9_900, -9_900_i64..9_900), 1..3),
        parts in vec((0_usize..3, 0_u64..30_000, prop::option::of(0_u64..20_000), prop::option::of(0_u64..40_000)), 1..5),
    ) {
        let assets: Vec<Asset> = pictures
            .iter()
            .enumerate()
            .map(|(name, (picture, each, more))| {
                vod(&name.to_string(), picture, &beside(picture, *each, *more))
            })
            .collect();
        let fits = |(which, offset, duration, pause): &Part| {
            let whole = assets[which % assets.len()].duration().as_millis();
            let offset = offset % whole / 2;
            (*which, offset, duration.map(|it| it + 1), pause.filter(|at| (offset..whole).contains(at) && duration.is_none()))
        };
        let parts: Vec<Part> = parts.iter().map(fits).collect();
        let screen = Screen::new(assets.clone(), &parts);
        let mut known: BTreeMap<u64, Told> = BTreeMap::new();
        let mut last = (0, 0);
        for now in (-10_000..150_000).step_by(370) {
            let text = screen.read(1, now);
            for (place, it) in text.iter().enumerate() {
                let before = known.entry(it.number).or_insert_with(|| it.clone());
                prop_assert_eq!(&*before, it, "{} at {}", place, now);
                prop_assert!(it.end - it.start <= 10_499);
            }
            for pair in text.windows(2) {
                // A millisecond is what dates are rounded by.
                prop_assert!((pair[1].start - pair[0].end).abs() <= 1, "{:?}", pair);
            }
            let Some(newest) = text.last() else { continue };
            prop_assert!((newest.number, newest.end) >= last && newest.end <= now);
            prop_assert!(now - newest.end < 10_000, "{} at {}", newest.end, now);
            last = (newest.number, newest.end);
        }
        let begins = |rendition: usize| -> BTreeMap<u64, i64> {
            let all = screen.read(rendition, 150_000);
            all.iter().rev().map(|it| (it.discontinuities, it.start)).collect()
        };
        for ((count, start), (same, other)) in begins(0).into_iter().zip(begins(1)).skip(1) {
            prop_assert_eq!(count, same);
            prop_assert!((start - other).abs() <= 1);
        }
    }
}
