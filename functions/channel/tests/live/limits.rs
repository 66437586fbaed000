//! How much a request may ask for.

use crate::loops;
use crate::schedules::World;
use crate::vod::{Programme, index, media, moment, read_media};
use channel::{Break, Edit, Entry, Event, LONGEST_BREAK, Refusal, Role, Why, Wish, commit, edit};
use hls::{Micros, Timestamp};

const SHOW: usize = 1;
const AD: usize = 2;

/// How many items may be scheduled ahead.
const MOST: usize = 20_000;

/// A slate of 4 s, a show of 10 s and an ad.
fn world(slate: bool, ad: &[i64]) -> World {
    let programmes = [vec![1_000; 4], vec![2_000; 5], ad.to_vec()];
    let even = |video: Vec<i64>| Programme { audio: video.clone(), video, shift: 0 };
    World::new(&programmes.map(even), slate, 0)
}

/// A show with a break of ads.
fn interrupted(world: &World, duration: Micros) -> Wish {
    let ads = vec![world.hashes[AD].clone()];
    let breaks = vec![Break { at: Micros::from_secs(6), duration, ads }];
    Wish { breaks, ..world.wish(SHOW) }
}

fn written(world: &World, wishes: &[Wish]) -> Result<Vec<Entry>, Vec<Refusal>> {
    commit(&world.channel, &world.log, world.next_id, wishes, &world.indexes, moment(0))
}

fn refused(world: &World, wishes: &[Wish]) -> Vec<(usize, String, Why)> {
    let refusals = written(world, wishes).err().unwrap_or_default();
    refusals.into_iter().map(|it| (it.wish, it.field, it.why)).collect()
}

#[test]
fn a_break_lasts_an_hour_at_most() {
    let world = world(true, &[1_000]);
    let entries = written(&world, &[interrupted(&world, LONGEST_BREAK)]).unwrap();
    let ads = entries.iter().flat_map(|it| &it.items).filter(|it| it.role == Role::Ad);
    assert_eq!(ads.count(), 3_600);
    for duration in [Micros(LONGEST_BREAK.0 + 1), Micros::from_secs(100_000_000), Micros(u64::MAX)]
    {
        let field = "breaks[0].duration".to_owned();
        let expected = [(0, field, Why::TooLong(LONGEST_BREAK))];
        assert_eq!(refused(&world, &[interrupted(&world, duration)]), expected, "{duration}");
    }
}

#[test]
fn a_schedule_holds_twenty_thousand_items_at_most() {
    let mut world = world(true, &[100]);
    let wishes = |count: usize| vec![world.wish(SHOW); count];
    let full = |place| (place, "items".to_owned(), Why::Full);
    // The first is what readers were shown before: the slate.
    assert_eq!(
        refused(&world, &wishes(MOST + 3)),
        [MOST - 2, MOST - 1, MOST, MOST + 1, MOST + 2].map(full)
    );
    assert_eq!(written(&world, &wishes(MOST - 2)).unwrap().len(), MOST - 1);
    // An hour of ads of 0.1 s is more as well.
    let breaks = "breaks[0].duration".to_owned();
    let hour = interrupted(&world, LONGEST_BREAK);
    assert_eq!(refused(&world, &[hour]), [(0, breaks, Why::Full)]);
    // A show with three ads takes six: there may be the slate before it, and a part of it is before and behind them.
    let three = interrupted(&world, Micros::from_millis(800));
    let then = |count| [wishes(count), vec![three.clone()]].concat();
    let last = written(&world, &then(MOST - 7)).unwrap().pop().unwrap();
    assert_eq!(last.items.len(), 5);
    assert_eq!(refused(&world, &then(MOST - 6)), [full(MOST - 6)]);
    // So may a live programme.
    let live = |left: usize| {
        let url = "https://live.example/".to_owned();
        let event = Event { url, end: moment(300 * 86_400_000), seen: None };
        let wish = Wish { live: Some(event), ..world.wish(SHOW) };
        [wishes(MOST - left), vec![wish]].concat()
    };
    assert!(written(&world, &live(3)).is_ok());
    assert_eq!(refused(&world, &live(2)), [full(MOST - 2)]);
    // So may the slate that stands in for something.
    let slate = |left: usize| {
        let duration = Some(Micros::from_secs(4));
        let wish = Wish { stands_in: true, duration, ..world.wish(SHOW) };
        [wishes(MOST - left), vec![wish]].concat()
    };
    assert!(written(&world, &slate(3)).is_ok());
    assert_eq!(refused(&world, &slate(2)), [full(MOST - 2)]);
    // What is there counts, and what is removed does not.
    let half = wishes(MOST / 2);
    assert!(world.change(Edit::Append(half.clone()), 0));
    assert!(!world.change(Edit::Append(half.clone()), 0));
    let removed = world.log.iter().skip(1).take(100).map(|entry| entry.id);
    assert!(world.change(Edit::Remove(removed.collect()), 0));
    assert!(world.change(Edit::Append(half[..MOST / 2 - 2].to_vec()), 0));
    assert_eq!(world.items().len(), MOST - 101);
    // What there is no room for any more is no fault of an entry behind.
    let (behind, more) = (world.log[9].id, half[..200].to_vec());
    let (next_id, wanted) = (world.next_id, Edit::Insert(behind, more));
    let change = edit(&world.channel, &world.log, next_id, wanted, &world.indexes, moment(0));
    let refusals = change.unwrap_err();
    assert!(refusals.iter().all(|it| (it.field.as_str(), &it.why) == ("items", &Why::Full)));
}

#[test]
fn no_more_reasons_are_given_than_anybody_reads() {
    let world = world(true, &[1_000]);
    let unknown = Wish { asset: channel::AssetHash("none".to_owned()), ..world.wish(SHOW) };
    assert_eq!(refused(&world, &vec![unknown; 5_000]).len(), 100);
}

#[test]
fn segments_that_take_no_time_do_not_fill_a_break() {
    // All that is left of the ad, when it is cut, is its first segment.
    let world = world(false, &[0, 2_400]);
    let refusals = refused(&world, &[interrupted(&world, Micros::from_millis(800))]);
    assert_eq!(refusals, [(0, "breaks[0].duration".to_owned(), Why::TooShort)]);
}

#[test]
fn a_playlist_lists_fifty_thousand_segments_at_most() {
    let programme = |count: usize| {
        let video = vec![100; count];
        Programme { audio: video.clone(), video, shift: 0 }
    };
    let day = 86_400_000;
    for (segments, now, count) in [
        (1, 1_000_000, 10_000),
        (1, 5_000_000, 50_000),
        (1, 5_000_100, 50_000),
        (1, day, 50_000),
        // Within a programme.
        (30_000, 7_000_000, 50_000),
    ] {
        let short = programme(segments);
        let channel = loops::channel(std::slice::from_ref(&short), day);
        let mut world = World::new(std::slice::from_ref(&short), true, 0);
        world.channel.window = Micros::from_secs(86_400);
        let scheduled = world.channel.media_playlist(&[], &world.indexes, moment(now), 0).unwrap();
        for playlist in [channel.media_playlist(0, moment(now), None), scheduled] {
            let listed = playlist.text.lines().filter(|line| line.ends_with(".ts")).count();
            assert!((count - 400..=count).contains(&listed), "{listed} at {now}");
            let read = read_media(&playlist.text);
            let last = read.segments.last().and_then(|it| it.program_date_time.clone()).unwrap();
            let newest = Timestamp::from_date_time(&last).unwrap();
            assert_eq!(newest + Micros::from_millis(100), moment(now));
        }
    }
}

#[test]
fn what_plays_for_hardly_any_time_is_no_programme() {
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nv.m3u8\n";
    for (durations, good) in
        [(&[99][..], false), (&[0, 50, 0], false), (&[100], true), (&[0, 100], true)]
    {
        let made = index("/a/", multivariant, &[("v.m3u8", media("s", "ts", durations))]);
        assert_eq!(made.is_ok(), good, "{durations:?}");
    }
}

#[test]
fn a_hole_of_a_year_is_one_item() {
    let world = world(true, &[1_000]);
    let start = moment(365 * 86_400_000);
    let far = Wish { start: Some(start), ..world.wish(SHOW) };
    let entries = written(&world, &[far]).unwrap();
    let roles: Vec<Role> = entries.iter().flat_map(|it| &it.items).map(|it| it.role).collect();
    // What readers were shown before, and what they will be.
    assert_eq!(roles, [Role::Slate, Role::Slate, Role::Programme]);
    assert_eq!(entries[2].start(), start);
}
