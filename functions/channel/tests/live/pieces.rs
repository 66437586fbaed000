//! Where pieces of live programmes go in a log, and what becomes of what is around them.

use crate::events::{Stage, World, even};
use crate::vod::{Programme, Told, millis, moment, read_media, told};
use channel::{Break, Edit, Entry, Marker, Wish, append, gap};
use hls::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// A slate of five segments of 1 s, a show of five of 2 s, and an ad of two of 1.5 s.
fn world() -> World {
    let of = |video: Vec<i64>| Programme { audio: video.clone(), video, shift: 0 };
    let mut world = World::new(&[of(vec![1_000; 5]), of(vec![2_000; 5]), of(vec![1_500; 2])]);
    world.channel.ads = vec![world.hashes[2].clone()];
    world.channel.markers = BTreeSet::from([Marker::Cue, Marker::Daterange, Marker::Programme]);
    world
}

/// A show that is interrupted for 3 s.
fn interrupted(world: &World, at: u64) -> Wish {
    let pause =
        Break { at: Micros::from_secs(at), duration: Micros::from_secs(3), ads: Vec::new() };
    Wish { breaks: vec![pause], ..world.wish(1) }
}

/// Follows a source once a second, as viewers watch who must never see a number stand for something else.
fn watched(world: &mut World, stage: &Stage, until: i64) {
    let mut shown = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
    for now in (0..until).step_by(1_000) {
        world.look(stage, now);
        for (rendition, shown) in shown.iter_mut().enumerate() {
            let listed = world.list(rendition, now).unwrap_or_default();
            shown.extend(listed.into_iter().map(|told| (told.number, told)));
        }
    }
    world.channel.window = Micros::from_secs(1_000);
    for (rendition, shown) in shown.into_iter().enumerate() {
        let whole = world.list(rendition, until - 1_000).unwrap();
        assert_eq!(shown.into_values().collect::<Vec<Told>>(), whole, "{rendition}");
        let times = whole.windows(2).all(|pair| rendition == 2 || pair[0].end == pair[1].start);
        assert!(times, "{whole:?}");
    }
    let ids: BTreeSet<u64> = world.log.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), world.log.len(), "a name means one entry");
}

fn text(world: &World, now: i64) -> String {
    let items: Vec<_> = world.log.iter().flat_map(|entry| entry.items.clone()).collect();
    world.channel.media_playlist(&items, &world.indexes, moment(now), 0).unwrap().text
}

/// What plays in the first variant, with the marks of breaks and how many segments there are of each.
fn story(world: &World, now: i64) -> String {
    let mut story: Vec<(String, usize)> = Vec::new();
    for line in text(world, now).lines() {
        let said = match line {
            "#EXT-X-DISCONTINUITY" => "/",
            "#EXT-X-CUE-IN" => "IN",
            _ if line.starts_with("#EXT-X-CUE-OUT:") => "OUT",
            _ if line.starts_with("/0/") => "slate",
            _ if line.starts_with("/1/") => "show",
            _ if line.starts_with("/2/") => "ad",
            _ if line.starts_with("https://live.example/") => "live",
            _ => continue,
        };
        match story.last_mut() {
            Some((last, count)) if last == said => *count += 1,
            Some(_) | None => story.push((said.to_owned(), 1)),
        }
    }
    let said = story.into_iter().map(|(said, count)| match said.as_str() {
        "/" | "IN" | "OUT" => said,
        _ => format!("{count} {said}"),
    });
    said.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_live_programme_is_open_until_six_seconds_before_its_end() {
    let mut world = world();
    // The slate that stands in for them plays from 10 s to 20 s, and from there to 41 s.
    let wishes = vec![world.event(Some(10_000), 20_400), world.event(None, 40_600), world.wish(1)];
    assert!(world.change(Edit::Append(wishes), 0));
    let lives: Vec<u64> = world
        .log
        .iter()
        .filter(|it| it.wish.as_ref().is_some_and(|it| it.live.is_some()))
        .map(|it| it.id)
        .collect();
    let (first, second) = (lives[0], lives[1]);
    for (now, entry, start, due) in [
        (0, first, 10_000, 0),
        (4_000, first, 10_000, 0),
        (5_000, first, 11_000, 1_000),
        (13_999, first, 19_999, 9_999),
        (14_000, second, 20_000, 10_000),
        (34_599, second, 40_599, 30_599),
    ] {
        let gap = gap(&world.log, moment(now)).unwrap();
        assert_eq!((gap.entry, millis(gap.start), millis(gap.due)), (entry, start, due), "{now}");
        assert!(gap.is_hole, "{now}");
    }
    assert_eq!(gap(&world.log, moment(34_600)), None);
}

#[test]
fn breaks_around_a_live_programme_are_marked_where_they_are() {
    let mut world = world();
    let live = world.event(Some(20_000), 45_000);
    let wishes = vec![interrupted(&world, 10), live, interrupted(&world, 4)];
    assert!(world.change(Edit::Append(wishes), 0));
    watched(&mut world, &Stage { video: vec![2_300], ..even() }, 70_000);
    assert_eq!(
        story(&world, 69_000),
        "5 slate / 1 slate / 5 show / OUT 2 ad / IN 1 slate / 11 live / \
         2 show / OUT 2 ad / IN 3 show / 5 slate / 5 slate"
    );
    let text = text(&world, 69_000);
    // Each break is named by its beginning, there and where it ends.
    let stated = text.lines().filter(|line| line.contains("SCTE35-"));
    let stated = stated.map(|line| line.split(',').take(2).collect::<Vec<_>>().join(","));
    let listed = told(&read_media(&text)).into_iter();
    let begins = listed.filter(|told| told.address.ends_with("/2/v0/s0.ts")).flat_map(|ad| {
        let start = moment(ad.start);
        let range = format!("#EXT-X-DATERANGE:ID=\"break-{}\",START-DATE=\"{start}\"", start.0);
        [range.clone(), range]
    });
    assert_eq!(stated.collect::<Vec<_>>(), begins.collect::<Vec<_>>());
}

#[test]
fn the_slate_plays_while_a_source_stands_still() {
    for (still, end, story_of) in [
        ((30_000, 50_000), 80_000, "5 slate / 5 slate / 1 slate / 12 live / 4 show"),
        (
            (30_000, 200_000),
            58_000,
            "5 slate / 5 slate / 3 slate / 5 show / 5 slate / 5 slate / 5 slate / 5 slate / 1 slate",
        ),
    ] {
        let mut world = world();
        let wishes = vec![interrupted(&world, 10), world.event(None, end), world.wish(1)];
        assert!(world.change(Edit::Append(wishes), 0));
        watched(&mut world, &Stage { still, ..even() }, 90_000);
        let before = "5 slate / 1 slate / 5 show / OUT 2 ad / IN 13 live / ";
        assert_eq!(story(&world, 89_000), format!("{before}{story_of}"));
    }
}

#[test]
fn each_live_programme_is_announced_once() {
    let mut world = world();
    let named = |wish: Wish, title: &str| Wish { title: Some(title.to_owned()), ..wish };
    let first = named(world.event(Some(10_000), 30_000), "First");
    let second = named(world.event(None, 50_000), "Second");
    assert!(world.change(Edit::Append(vec![first, second]), 0));
    watched(&mut world, &even(), 60_000);
    let text = text(&world, 59_000);
    let announced: Vec<&str> = text.lines().filter(|it| it.contains("programme-")).collect();
    insta::assert_snapshot!(announced.join("\n"), @r#"
    #EXT-X-DATERANGE:ID="programme-1700000010000000",CLASS="org.hls-ferry.programme",START-DATE="2023-11-14T22:13:30.000Z",PLANNED-DURATION=20,X-TITLE="First"
    #EXT-X-DATERANGE:ID="programme-1700000030000000",CLASS="org.hls-ferry.programme",START-DATE="2023-11-14T22:13:50.000Z",PLANNED-DURATION=20,X-TITLE="Second"
    "#);
}

#[test]
fn a_piece_that_comes_late_follows_the_slate_that_was_settled_meanwhile() {
    let mut world = world();
    let wishes = vec![world.event(Some(10_000), 60_000), world.wish(1)];
    assert!(world.change(Edit::Append(wishes), 0));
    let source = |now: i64, world: &World| {
        let gap = gap(&world.log, moment(now)).unwrap();
        even().read(now, &world.channel, gap.event.seen.as_ref()).unwrap()
    };
    let piece = |now: i64, world: &World| {
        let gap = gap(&world.log, moment(now)).unwrap();
        let piece = source(now, world).next(gap.event.seen.as_ref(), gap.is_hole, false).unwrap();
        piece.unwrap()
    };
    let put = |piece, now: i64, world: &mut World| {
        let World { channel, log, next_id, indexes, .. } = &*world;
        let change = append(channel, log, *next_id, &piece, indexes, moment(now)).unwrap();
        world.take(change.unwrap());
    };
    let first = piece(2_000, &world);
    put(first, 2_000, &mut world);
    let rest = gap(&world.log, moment(2_000)).unwrap().entry;
    let second = piece(8_000, &world);
    let world_of = |now: i64| {
        let mut world = world.clone();
        put(second.clone(), now, &mut world);
        world
    };
    let settled = millis(world.log.iter().find(|it| it.id == rest).unwrap().start());
    let in_time = world_of(settled - 6_000);
    let last = in_time.log.iter().rev().find(|entry| entry.seen.is_some()).unwrap();
    assert!(last.items[0].live.unwrap().continues);
    assert_eq!(millis(last.start()), settled);

    let world = world_of(settled - 5_999);
    let said: Vec<_> =
        world.log.iter().map(|it: &Entry| (it.id == rest, it.wish.is_some())).collect();
    // The slate until 6 s and 10 s, a piece, the slate that was settled, the other piece, the slate to come, and the show.
    let (other, rest, show) = ((false, false), (true, true), (false, true));
    assert_eq!(said, [other, other, other, other, other, rest, show]);
    let late = &world.log[4];
    let live = late.items[0].live.unwrap();
    assert!(!live.continues);
    assert_eq!((live.began, millis(live.began)), (late.start(), settled + 1_000));
}

#[test]
fn a_show_can_be_put_into_a_live_programme_that_plays() {
    let mut world = world();
    let wishes = vec![world.event(Some(10_000), 60_000), world.wish(1)];
    assert!(world.change(Edit::Append(wishes), 0));
    for now in (0..20_000).step_by(1_000) {
        world.look(&even(), now);
    }
    let rest = gap(&world.log, moment(20_000)).unwrap().entry;
    let show = vec![world.wish(1)];
    assert!(world.change(Edit::Insert(rest, show), 20_000));
}
