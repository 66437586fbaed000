//! What an edit changes, and what stays.

use crate::events;
use crate::schedules::World;
use crate::vod::{Programme, millis, moment};
use channel::{Break, Change, Edit, Entry, Marker, Refusal, Role, Why, Wish, edit};
use hls::Micros;

const SHOW: usize = 1;
const OTHER: usize = 2;

fn even(millis: i64, count: usize) -> Programme {
    let video = vec![millis; count];
    Programme { audio: video.clone(), video, shift: 0 }
}

/// The slate until 6 s, then three shows of 10 s in segments of 2 s: entries 1 to 4.
fn world() -> World {
    let mut world = World::new(&[even(1_000, 4), even(2_000, 5), even(1_000, 3)], true, 0);
    let wishes = vec![world.wish(SHOW); 3];
    assert!(world.change(Edit::Append(wishes), 0));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (3, 16_000), (4, 26_000)]);
    world
}

/// The entries of a log, and when they begin.
fn times(log: &[Entry]) -> Vec<(u64, i64)> {
    log.iter().map(|entry| (entry.id, millis(entry.start()))).collect()
}

fn edited(world: &World, wanted: Edit, now: i64) -> Result<Change, Vec<Refusal>> {
    edit(&world.channel, &world.log, world.next_id, wanted, &world.indexes, moment(now))
}

#[test]
fn what_begins_within_six_seconds_is_not_changed() {
    let world = world();
    let other = || vec![world.wish(OTHER)];
    // Entry 3 begins at 16 s.
    for (field, wanted) in [
        ("before", Edit::Insert(3, other())),
        ("entry", Edit::Replace(3, other())),
        ("entries", Edit::Remove(vec![4, 3])),
        ("from", Edit::From(moment(16_000), other())),
    ] {
        assert!(edited(&world, wanted.clone(), 10_000).is_ok(), "{field}");
        for now in [10_001, 12_000, 30_000] {
            let why = Why::Frozen(moment(now + 6_000));
            let refusal = Refusal { wish: 0, field: field.to_owned(), why };
            assert_eq!(edited(&world, wanted.clone(), now), Err(vec![refusal]), "{field} {now}");
        }
    }
}

#[test]
fn only_a_programme_is_named_in_an_edit() {
    let mut world = world();
    let late = Wish { start: Some(moment(60_000)), ..world.wish(SHOW) };
    assert!(world.change(Edit::Append(vec![late]), 0));
    let slate = world.log.iter().find(|it| it.wish.is_none() && it.id > 4).unwrap().id;
    for id in [slate, 1, 99] {
        let refusal = Refusal { wish: 0, field: "entry".to_owned(), why: Why::NoEntry };
        assert_eq!(edited(&world, Edit::Replace(id, vec![]), 0), Err(vec![refusal]), "{id}");
    }
}

#[test]
fn an_edit_leaves_what_comes_before_it_and_moves_what_comes_after() {
    let other = |world: &World| vec![world.wish(OTHER)];
    let mut world = world();
    assert!(world.change(Edit::Insert(4, other(&world)), 0));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (3, 16_000), (5, 26_000), (4, 29_000)]);
    assert!(world.change(Edit::Replace(3, other(&world)), 0));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (6, 16_000), (5, 19_000), (4, 22_000)]);
    assert!(world.change(Edit::Remove(vec![5, 2]), 0));
    assert_eq!(times(&world.log), [(1, 0), (6, 6_000), (4, 9_000)]);
}

#[test]
fn the_slate_that_stands_in_is_one_item_that_is_moved_cut_and_replaced_as_a_programme_is() {
    let mut world = world();
    let duration = Some(Micros::from_millis(10_000));
    let slate = Wish { stands_in: true, duration, ..world.wish(0) };
    assert!(world.change(Edit::Replace(3, vec![slate.clone()]), 0));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (5, 16_000), (4, 26_000)]);
    let stands_in = |world: &World| {
        let entry = world.log.iter().find(|it| it.id == 5).unwrap();
        assert_eq!(entry.items.len(), 1);
        (entry.items[0].role, millis(entry.start()), millis(entry.end()))
    };
    assert_eq!(stands_in(&world), (Role::Slate, 16_000, 26_000));
    assert!(world.change(Edit::Insert(5, vec![world.wish(OTHER)]), 0));
    assert_eq!(stands_in(&world), (Role::Slate, 19_000, 29_000));
    assert!(world.change(Edit::From(moment(24_000), vec![world.wish(OTHER)]), 0));
    assert_eq!(stands_in(&world), (Role::Slate, 19_000, 24_000));
    assert!(world.change(Edit::Remove(vec![2]), 0));
    assert_eq!(stands_in(&world), (Role::Slate, 9_000, 14_000), "as much as was left");
    assert!(world.change(Edit::Replace(5, vec![world.wish(OTHER)]), 0));
    // Without a slate, or for no time, it cannot.
    let none = Wish { duration: None, ..slate.clone() };
    let refused = |world: &World, wish| edited(world, Edit::Append(vec![wish]), 0).unwrap_err();
    assert_eq!(refused(&world, none)[0].why, Why::Empty);
    world.channel.slate = None;
    assert_eq!(refused(&world, slate)[0].why, Why::NoSlate);
}

#[test]
fn what_plays_at_the_moment_from_which_all_is_replaced_is_cut_at_its_next_segment() {
    for (from, cut) in [
        // The slate, in its second pass, which is settled, and the first show.
        (6_000, &[(1, 0), (5, 6_000)][..]),
        (6_001, &[(1, 0), (2, 6_000), (5, 8_000)]),
        (20_000, &[(1, 0), (2, 6_000), (3, 16_000), (5, 20_000)]),
        (20_001, &[(1, 0), (2, 6_000), (3, 16_000), (5, 22_000)]),
        (22_000, &[(1, 0), (2, 6_000), (3, 16_000), (5, 22_000)]),
        (25_999, &[(1, 0), (2, 6_000), (3, 16_000), (5, 26_000)]),
        (26_000, &[(1, 0), (2, 6_000), (3, 16_000), (5, 26_000)]),
    ] {
        let mut world = world();
        let wanted = Edit::From(moment(from), vec![world.wish(OTHER)]);
        assert!(world.change(wanted, 0));
        assert_eq!(times(&world.log), cut, "{from}");
    }
    // Where nothing is scheduled the slate plays until then: a hole of 2 s and one of a minute.
    for (from, expected) in [
        (36_000, &[(5, 36_000)][..]),
        (38_000, &[(5, 36_000), (6, 38_000)]),
        (96_000, &[(5, 36_000), (6, 96_000)]),
    ] {
        let mut world = world();
        assert!(world.change(Edit::From(moment(from), vec![world.wish(OTHER)]), 0));
        assert_eq!(times(&world.log)[4..], *expected, "{from}");
        // What follows what is there has no time of its own: it moves with that.
        let wish = world.log.last().and_then(|it| it.wish.as_ref()).unwrap();
        assert_eq!(wish.start.is_some(), from > 36_000, "{from}");
    }
    const YEAR: i64 = 366 * 86_400_000;
    assert!(edited(&world(), Edit::From(moment(YEAR), vec![]), 0).is_ok());
    let far = Edit::From(moment(YEAR + 1), vec![]);
    let refusal = Refusal { wish: 0, field: "from".to_owned(), why: Why::TooFar };
    assert_eq!(edited(&world(), far, 0), Err(vec![refusal]));
    // From the third segment of the show on.
    let mut world = world();
    let part = Wish { offset: Micros::from_secs(4), ..world.wish(SHOW) };
    assert!(world.change(Edit::Replace(4, vec![part]), 0));
    assert!(world.change(Edit::From(moment(27_000), vec![world.wish(OTHER)]), 0));
    assert_eq!(times(&world.log)[3..], [(5, 26_000), (6, 28_000)]);
}

#[test]
fn what_was_announced_of_a_programme_stays_when_it_is_cut() {
    let mut world = world();
    world.channel.markers = [Marker::Programme].into();
    let announced = |world: &World, now: i64| -> Vec<String> {
        let items = world.items();
        let list = world.channel.media_playlist(&items, &world.indexes, moment(now), 0);
        let text = list.unwrap().text;
        text.lines().filter(|line| line.contains("programme-")).map(str::to_owned).collect()
    };
    let before = announced(&world, 8_000);
    assert!(before[0].contains("PLANNED-DURATION=10,"), "{before:?}");
    assert!(world.change(Edit::From(moment(14_000), vec![world.wish(SHOW); 2]), 8_000));
    assert_eq!(announced(&world, 9_000), before);
    // Nobody was told of the last of them.
    assert!(world.change(Edit::From(moment(28_000), vec![]), 18_000));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (5, 14_000), (6, 24_000)]);
    assert!(announced(&world, 28_000).pop().unwrap().contains("PLANNED-DURATION=4,"));
}

#[test]
fn what_is_in_the_way_of_an_edit_behind_it_is_named_by_its_entry() {
    let mut world = world();
    let late = Wish { start: Some(moment(40_000)), ..world.wish(SHOW) };
    assert!(world.change(Edit::Append(vec![late]), 0));
    let entry = world.log.last().unwrap().id;
    let refusals = edited(&world, Edit::Insert(4, vec![world.wish(SHOW)]), 0).unwrap_err();
    let why = Box::new(Why::Overlaps(moment(46_000)));
    let why = Why::Behind { entry, field: "start".to_owned(), why };
    assert_eq!(refusals, [Refusal { wish: 2, field: "items".to_owned(), why }]);
}

#[test]
fn a_programme_of_which_a_cut_takes_nothing_stays_as_it_is() {
    let world = world();
    let wanted = Edit::From(moment(25_999), vec![world.wish(OTHER)]);
    let change = edited(&world, wanted, 12_000).unwrap();
    assert_eq!((change.kept, &change.entries[0]), (2, &world.log[2]));
}

#[test]
fn a_programme_is_cut_where_its_break_begins_and_nothing_is_left_of_the_break() {
    let mut world = world();
    let pause = Break { at: Micros::from_secs(4), duration: Micros::from_secs(3), ads: Vec::new() };
    let wanted = Wish { breaks: vec![pause], ..world.wish(SHOW) };
    assert!(world.change(Edit::Replace(4, vec![wanted]), 0));
    let starts = |world: &World| -> Vec<i64> {
        world.log.last().unwrap().items.iter().map(|item| millis(item.start)).collect()
    };
    assert_eq!(starts(&world), [26_000, 30_000, 33_000]);
    assert!(world.change(Edit::From(moment(30_000), vec![]), 0));
    assert_eq!(starts(&world), [26_000]);
}

#[test]
fn a_break_that_is_cut_short_says_at_its_end_how_long_it_was() {
    let mut world = world();
    world.channel.markers = [Marker::Daterange].into();
    let pause = Break { at: Micros::from_secs(4), duration: Micros::from_secs(9), ads: Vec::new() };
    let wanted = Wish { breaks: vec![pause], ..world.wish(SHOW) };
    assert!(world.change(Edit::Replace(4, vec![wanted]), 0));
    assert!(world.change(Edit::From(moment(33_000), vec![world.wish(SHOW)]), 26_000));
    let list = world.channel.media_playlist(&world.items(), &world.indexes, moment(36_000), 0);
    let text = list.unwrap().text;
    let ends: Vec<&str> = text.lines().filter(|line| line.contains("SCTE35-IN")).collect();
    assert!(ends[0].contains(",PLANNED-DURATION=9,DURATION=3,SCTE35-IN"), "{ends:?}");
}

#[test]
fn a_programme_that_was_cut_stays_as_it_is_left_whatever_is_edited_before_it() {
    let pause = |at, duration| Break {
        at: Micros::from_secs(at),
        duration: Micros::from_secs(duration),
        ads: Vec::new(),
    };
    for (name, offset, breaks, from, left) in [
        ("in it", 0, vec![], 21_000, &[6_000][..]),
        ("in it, begun late", 4, vec![], 17_000, &[2_000]),
        ("before its break", 0, vec![pause(8, 3)], 20_000, &[4_000]),
        ("behind its break", 0, vec![pause(2, 3), pause(6, 2)], 20_500, &[2_000, 3_000]),
        ("where it goes on", 0, vec![pause(6, 2), pause(2, 3)], 22_000, &[2_000, 3_000, 2_000]),
        ("in its break", 0, vec![pause(8, 2), pause(4, 6)], 21_500, &[4_000, 2_000]),
    ] {
        let mut world = world();
        world.channel.ads = vec![world.hashes[OTHER].clone()];
        let offset = Micros::from_secs(offset);
        let wanted = Wish { offset, breaks, ..world.wish(SHOW) };
        assert!(world.change(Edit::Replace(3, vec![wanted]), 0), "{name}");
        assert!(world.change(Edit::From(moment(from), vec![world.wish(OTHER)]), 0), "{name}");
        let lengths = |world: &World, place: usize| -> Vec<u64> {
            world.log[place].items.iter().map(|item| item.duration.as_millis()).collect()
        };
        assert_eq!(lengths(&world, 2), left, "{name}");
        for (what, wanted, place) in [
            ("something is put before it", Edit::Insert(2, vec![world.wish(OTHER)]), 3),
            ("what is before it goes", Edit::Remove(vec![2]), 1),
            ("the slate replaces what is before it", Edit::Replace(2, vec![world.wish(0)]), 2),
        ] {
            let mut world = world.clone();
            let id = world.log[2].id;
            assert!(world.change(wanted, 0), "{name}, {what}");
            assert_eq!(
                (world.log[place].id, lengths(&world, place)),
                (id, left.to_vec()),
                "{name}, {what}"
            );
        }
    }
}

#[test]
fn of_a_break_that_was_cut_its_ads_are_kept_and_one_that_was_not_stays_as_it_was_wished() {
    let mut world =
        World::new(&[even(1_000, 4), even(2_000, 5), even(1_000, 3), even(1_000, 2)], true, 0);
    let [long, short] = [OTHER, 3].map(|ad| world.hashes[ad].clone());
    world.channel.ads = vec![long.clone(), short];
    let pause = |seconds, ads| Break {
        at: Micros::from_secs(4),
        duration: Micros::from_secs(seconds),
        ads,
    };
    let interrupted = |pause| Wish { breaks: vec![pause], ..world.wish(SHOW) };
    let wishes = vec![world.wish(SHOW), interrupted(pause(5, vec![]))];
    assert!(world.clone().change(Edit::Append(wishes.clone()), 0));
    for (from, left, then, kept) in [
        (23_000, &[4_000, 3_000][..], &[4_000, 3_000][..], pause(3, vec![long.clone()])),
        (25_000, &[4_000, 3_000, 2_000], &[4_000, 2_000, 3_000], pause(5, vec![])),
    ] {
        let mut world = world.clone();
        let lengths = |world: &World, id: u64| -> Vec<u64> {
            let entry = world.log.iter().find(|entry| entry.id == id).unwrap();
            entry.items.iter().map(|item| item.duration.as_millis()).collect()
        };
        assert!(world.change(Edit::Append(wishes.clone()), 0));
        assert!(world.change(Edit::From(moment(from), vec![world.wish(SHOW)]), 0));
        assert_eq!(lengths(&world, 3), left, "{from}");
        assert_eq!(world.log[2].wish.as_ref().unwrap().breaks, [kept], "{from}");
        // Then it is another's turn.
        let before = interrupted(pause(3, vec![long.clone()]));
        assert!(world.change(Edit::Insert(2, vec![before]), 0));
        assert_eq!(lengths(&world, 3), then, "{from}");
    }
}

#[test]
fn what_has_a_time_behind_a_programme_that_was_cut_keeps_it_when_something_is_put_before_that() {
    let mut world = world();
    let late = |at, which| Wish { start: Some(moment(at)), ..world.wish(which) };
    let (show, other) = (late(50_000, SHOW), late(54_000, OTHER));
    let jingle = late(44_000, OTHER);
    assert!(world.change(Edit::Append(vec![show]), 0));
    assert!(world.change(Edit::From(moment(54_000), vec![other]), 0));
    assert_eq!(times(&world.log)[4..], [(5, 36_000), (6, 50_000), (7, 54_000)]);
    assert!(world.change(Edit::Insert(6, vec![jingle]), 0));
    let ids = [(8, 36_000), (9, 44_000), (10, 47_000), (6, 50_000), (7, 54_000)];
    assert_eq!(times(&world.log)[4..], ids);
}

#[test]
fn a_programme_that_is_cut_in_its_first_break_leaves_what_was_of_that() {
    let mut world = world();
    let pause = Break { at: Micros(0), duration: Micros::from_secs(4), ads: Vec::new() };
    let wanted = Wish { breaks: vec![pause], ..world.wish(SHOW) };
    assert!(world.change(Edit::Replace(3, vec![wanted]), 0));
    assert!(world.change(Edit::From(moment(17_500), vec![world.wish(OTHER)]), 0));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (5, 16_000), (6, 18_000)]);
    assert!(world.change(Edit::Insert(2, vec![world.wish(OTHER)]), 0));
    assert_eq!(times(&world.log), [(1, 0), (7, 6_000), (2, 9_000), (5, 19_000), (6, 21_000)]);
    // Where next to nothing is left, it goes.
    let jingles: Vec<Programme> = vec![even(1_000, 4), even(2_000, 5), even(250, 12)];
    let mut world = World::new(&jingles, true, 0);
    let ads = vec![world.hashes[OTHER].clone()];
    let pause = Break { at: Micros(0), duration: Micros::from_secs(3), ads };
    let wanted = Wish { breaks: vec![pause], ..world.wish(SHOW) };
    assert!(world.change(Edit::Append(vec![world.wish(SHOW), wanted]), 0));
    assert!(world.change(Edit::From(moment(16_100), vec![world.wish(OTHER)]), 0));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (3, 16_000), (4, 16_250)]);
    assert!(world.change(Edit::Insert(2, vec![world.wish(OTHER)]), 0));
    assert_eq!(times(&world.log), [(1, 0), (5, 6_000), (2, 9_000), (4, 19_000)]);
}

#[test]
fn the_slate_before_a_programme_is_taken_away_with_what_made_it_wait() {
    let mut world = world();
    let late = Wish { start: Some(moment(60_000)), ..world.wish(SHOW) };
    assert!(world.change(Edit::Append(vec![late]), 0));
    assert_eq!(times(&world.log)[4..], [(5, 36_000), (6, 60_000)]);
    let at_once = || vec![world.wish(OTHER)];
    let mut before = world.clone();
    assert!(before.change(Edit::Replace(6, at_once()), 0));
    assert_eq!(times(&before.log)[4..], [(7, 36_000)]);
    // What is settled of it keeps its name.
    assert!(world.change(Edit::Replace(6, at_once()), 39_500));
    assert_eq!(times(&world.log)[4..], [(5, 36_000), (7, 46_000)]);
}

#[test]
fn what_takes_the_place_of_a_programme_at_its_time_leaves_the_slate_before_it() {
    let mut world = world();
    let late = Wish { start: Some(moment(60_000)), ..world.wish(SHOW) };
    assert!(world.change(Edit::Append(vec![late, world.wish(SHOW)]), 0));
    // Also where a part of the slate is settled: it plays on as it would have.
    for now in [0, 39_500, 54_000] {
        let mut world = world.clone();
        let before = world.log.clone();
        let start = Some(moment(60_000));
        let other = vec![Wish { start, ..world.wish(OTHER) }];
        assert!(world.change(Edit::Replace(6, other), now), "{now}");
        assert_eq!(times(&world.log)[4..], [(5, 36_000), (8, 60_000), (7, 63_000)], "{now}");
        assert_eq!(world.log[..5], before[..5], "{now}");
    }
}

#[test]
fn what_follows_what_is_cleared_begins_when_it_would_have_and_the_slate_until_then() {
    let mut world = world();
    let late = Wish { start: Some(moment(60_000)), ..world.wish(SHOW) };
    assert!(world.change(Edit::Append(vec![late]), 0));
    assert_eq!(
        times(&world.log)[1..],
        [(2, 6_000), (3, 16_000), (4, 26_000), (5, 36_000), (6, 60_000)]
    );
    let cleared = |entry: u64, until: i64| {
        let mut world = world.clone();
        assert!(world.change(Edit::Clear(entry, moment(until)), 0), "{entry} {until}");
        times(&world.log)[1..].to_vec()
    };
    assert_eq!(
        cleared(2, 16_000),
        [(7, 6_000), (3, 16_000), (4, 26_000), (8, 36_000), (6, 60_000)],
        "as one item of the slate"
    );
    assert_eq!(
        cleared(3, 24_500),
        [(2, 6_000), (7, 16_000), (4, 24_000), (8, 34_000), (6, 60_000)],
        "at the nearest boundary of the slate, the first of those"
    );
    // Behind it is a hole: what comes then has a time of its own.
    assert_eq!(cleared(4, 20_000), [(2, 6_000), (3, 16_000), (7, 26_000), (6, 60_000)]);
    assert_eq!(cleared(6, 70_000), [(2, 6_000), (3, 16_000), (4, 26_000), (5, 36_000)]);
}

/// A live programme from 6 s to 60 s of which nothing was seen, and a show: entries 2 and 3.
fn unseen() -> events::World {
    let mut world = events::World::new(&[even(1_000, 4), even(2_000, 5)]);
    let wishes = vec![world.event(Some(6_000), 60_000), world.wish(SHOW)];
    assert!(world.change(Edit::Append(wishes), 0));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (3, 60_000)]);
    world
}

#[test]
fn a_live_programme_that_is_cut_stays_one_up_to_there() {
    let mut world = unseen();
    assert!(world.change(Edit::From(moment(40_000), vec![world.wish(SHOW)]), 20_000));
    assert_eq!(times(&world.log), [(1, 0), (2, 6_000), (4, 40_000)]);
    let event = world.log[1].wish.clone().and_then(|wish| wish.live).unwrap();
    assert_eq!(millis(event.end), 40_000);
}

#[test]
fn of_a_live_programme_that_has_begun_what_was_shown_is_the_slate() {
    let world = unseen();
    let show = || vec![world.wish(SHOW)];
    for (name, wanted, expected) in [
        ("replaced", Edit::Replace(2, show()), [(4, 6_000), (5, 26_000), (3, 36_000)]),
        ("put behind", Edit::Insert(2, show()), [(4, 6_000), (5, 26_000), (2, 36_000)]),
    ] {
        let mut world = world.clone();
        assert!(world.change(wanted, 20_000), "{name}");
        assert_eq!(times(&world.log)[1..4], expected, "{name}");
        assert!(world.log[1].wish.is_none(), "{name}");
    }
}
