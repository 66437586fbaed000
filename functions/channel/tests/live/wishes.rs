//! Which wishes are granted, and what becomes of them.

use crate::schedules::World;
use crate::vod::{Programme, millis, moment};
use channel::{AssetHash, Break, Edit, Entry, Event, FREEZE, Item, Role, Why, Wish, commit};
use hls::Micros;
use std::sync::Arc;

const SLATE: usize = 0;
const SHOW: usize = 1;
const LONG_AD: usize = 2;
const SHORT_AD: usize = 3;

/// A slate of 4 s, a show of 10 s, and ads of 3 s and 1 s.
fn world(slate: bool) -> World {
    let programmes = [vec![1_000; 4], vec![2_000; 5], vec![1_000; 3], vec![1_000]];
    let even = |video: Vec<i64>| Programme { audio: video.clone(), video, shift: 0 };
    World::new(&programmes.map(even), slate, 0)
}

fn at(world: &World, start: i64) -> Wish {
    Wish { start: Some(moment(start)), ..world.wish(SHOW) }
}

fn live(world: &World, end: i64) -> Wish {
    let event = Event { url: "https://live.example/".to_owned(), end: moment(end), seen: None };
    Wish { asset: AssetHash(String::new()), live: Some(event), ..world.wish(SHOW) }
}

/// A show with a break in its middle.
fn interrupted(world: &World, millis: u64, ads: &[AssetHash]) -> Wish {
    let (at, duration) = (Micros::from_secs(6), Micros::from_millis(millis));
    Wish { breaks: vec![Break { at, duration, ads: ads.to_vec() }], ..world.wish(SHOW) }
}

type Refused = Vec<(usize, String, Why)>;

/// What is written behind the log when it is `EPOCH`, with names from 7 on.
fn written(world: &World, wishes: &[Wish]) -> Result<Vec<Entry>, Refused> {
    let World { channel, log, indexes, .. } = world;
    commit(channel, log, 7, wishes, indexes, moment(0))
        .map_err(|refusals| refusals.into_iter().map(|it| (it.wish, it.field, it.why)).collect())
}

fn refused(world: &World, wishes: &[Wish]) -> Refused {
    written(world, wishes).err().unwrap_or_default()
}

#[test]
fn a_programme_may_begin_where_nothing_is_settled_or_scheduled_and_within_a_year() {
    const YEAR: i64 = 366 * 86_400_000;
    let empty = world(true);
    let mut busy = world(true);
    assert!(busy.change(Edit::Append(vec![busy.wish(SHOW)]), 0));
    let busy_until = millis(busy.items().last().unwrap().end());
    assert_eq!((busy_until, millis(moment(0) + FREEZE)), (16_000, 6_000));
    let bare = world(false);
    for (name, world, start, why) in [
        // Programmes begin at the segment nearest to their time: 2 s are within reach.
        ("settled until 6 s", &empty, 4_000, None),
        ("settled", &empty, 3_999, Some(Why::Frozen(moment(6_000)))),
        ("a year ahead", &empty, YEAR, None),
        ("farther than a year", &empty, YEAR + 1, Some(Why::TooFar)),
        ("behind the show", &busy, 14_000, None),
        ("in the show", &busy, 13_999, Some(Why::Overlaps(moment(16_000)))),
        ("in the show, where it is open", &busy, 6_000, Some(Why::Overlaps(moment(16_000)))),
        ("in the show, settled", &busy, 5_999, Some(Why::Frozen(moment(16_000)))),
        // The first of all may have begun, so that players have three target durations at once.
        ("before anything", &bare, -6_000, None),
        ("long before anything", &bare, -6_001, Some(Why::Frozen(moment(6_000)))),
    ] {
        let expected: Vec<_> = why.into_iter().map(|why| (0, "start".to_owned(), why)).collect();
        assert_eq!(refused(world, &[at(world, start)]), expected, "{name}");
        let mut event = live(world, start + 20_000);
        event.start = Some(moment(start));
        if start < YEAR && world.channel.slate.is_some() {
            assert_eq!(refused(world, &[event]), expected, "{name}, a live source");
        }
    }
}

#[test]
fn a_live_programme_needs_a_slate_and_an_end_within_a_year() {
    const YEAR: i64 = 366 * 86_400_000;
    let (world, bare) = (world(true), world(false));
    for (world, end, refusal) in [
        (&world, 20_000, None),
        (&world, YEAR, None),
        (&world, YEAR + 1, Some(("end", Why::TooFar))),
        (&world, 6_000, Some(("end", Why::Overlaps(moment(6_000))))),
        (&bare, 20_000, Some(("live", Why::NoSlate))),
    ] {
        let expected = refusal.map(|(field, why)| (0, field.to_owned(), why));
        assert_eq!(refused(world, &[live(world, end)]), Vec::from_iter(expected), "{end}");
    }
}

#[test]
fn each_wish_that_cannot_be_granted_is_named_with_its_own_reasons_alone() {
    let mut world = world(true);
    let long = Programme { video: vec![2_600], shift: 0, audio: vec![2_600] }.asset(9);
    let (long, unknown) = (Arc::new(long), AssetHash("nothing".to_owned()));
    world.indexes.insert(long.hash(), Arc::clone(&long));
    let of = |asset: &AssetHash| Wish { asset: asset.clone(), ..world.wish(SHOW) };
    let ads = [world.hashes[LONG_AD].clone(), unknown.clone()];
    let wishes = [
        // Whatever a wish that is refused would take, those behind it are looked at without it.
        Wish { start: Some(moment(i64::from(u32::MAX) * 1_000)), ..interrupted(&world, 0, &[]) },
        at(&world, 8_000),
        of(&unknown),
        of(&long.hash()),
        interrupted(&world, 3_000, &ads),
        Wish { duration: Some(Micros(0)), ..interrupted(&world, 3_000, &[]) },
    ];
    let World { channel, log, indexes, .. } = &world;
    let refusals = commit(channel, log, 1, &wishes, indexes, moment(0)).unwrap_err();
    let said: Vec<_> = refusals.iter().map(|it| (it.wish, it.to_string())).collect();
    let too_long = |playlist: &str| {
        format!("{playlist}: segment 1 takes 2.6 s and the channel's target duration is 2 s")
    };
    let unplayable = ["v0/main.m3u8", "v1/main.m3u8", "en/main.m3u8"].map(too_long).join("; ");
    assert_eq!(
        said,
        [
            (0, "start must be within a year".to_owned()),
            (0, "breaks[0].duration leaves nothing of the asset to play".to_owned()),
            (2, "asset is not an asset that was added".to_owned()),
            (3, format!("asset cannot be played on this channel: {unplayable}")),
            (4, "breaks[0].ads[1] is not an asset that was added".to_owned()),
            (5, "duration leaves nothing of the asset to play".to_owned()),
        ]
    );
    world.channel.ads = vec![unknown];
    let refusal = (0, "breaks[0].duration".to_owned(), Why::Unknown);
    assert_eq!(refused(&world, &[interrupted(&world, 3_000, &[])]), [refusal], "the channel's ads");
}

#[test]
fn every_entry_has_a_name_of_its_own_in_their_order() {
    let world = world(true);
    let wishes = [world.wish(SHOW), at(&world, 30_000), live(&world, 60_000)];
    let entries = written(&world, &wishes).unwrap();
    let named: Vec<_> = entries.iter().map(|it| (it.id, it.wish.is_some())).collect();
    // The slate up to what is settled, and before the programme that has a time.
    assert_eq!(named, [(7, false), (8, true), (9, false), (10, true), (11, true)]);
}

#[test]
fn ads_go_on_in_turn_in_the_next_programme() {
    let mut world = world(true);
    world.channel.ads = [LONG_AD, SHORT_AD].map(|ad| world.hashes[ad].clone()).to_vec();
    for _ in 0..3 {
        let wish = interrupted(&world, 3_000, &[]);
        assert!(world.change(Edit::Append(vec![wish]), 0));
    }
    let items = world.items();
    let ads = items.iter().filter(|item| item.role == Role::Ad).map(|item| &item.asset);
    let ads: Vec<&AssetHash> = ads.collect();
    let [long, short] = [LONG_AD, SHORT_AD].map(|ad| &world.hashes[ad]);
    assert_eq!(ads, [long, short, short, short, long]);
}

#[test]
fn a_break_is_filled_with_ads_that_fit_then_the_slate_or_an_ad_that_is_cut_to_half_a_second() {
    let (slate, bare) = (world(true), world(false));
    for (world, millis, ads, filled) in [
        (&slate, 1_500, &[SHORT_AD][..], &[(Role::Ad, 1_000)][..]),
        (&slate, 1_501, &[SHORT_AD], &[(Role::Ad, 1_000), (Role::Ad, 1_000)]),
        (&slate, 2_500, &[LONG_AD], &[(Role::Ad, 3_000)]),
        (&slate, 2_499, &[LONG_AD], &[(Role::Slate, 2_000)]),
        (&slate, 3_600, &[LONG_AD], &[(Role::Ad, 3_000), (Role::Slate, 1_000)]),
        (&bare, 5_000, &[LONG_AD], &[(Role::Ad, 3_000), (Role::Ad, 2_000)]),
        (&bare, 7_000, &[SHOW], &[(Role::Ad, 6_000)]),
        // Its first segment is too long.
        (&bare, 900, &[SHOW], &[]),
        // That of the next in turn is not.
        (&bare, 2_900, &[SHOW, SLATE], &[(Role::Ad, 2_000), (Role::Ad, 1_000)]),
    ] {
        let ads: Vec<AssetHash> = ads.iter().map(|ad| world.hashes[*ad].clone()).collect();
        let wish = interrupted(world, millis, &ads);
        let entries = written(world, &[wish]).unwrap_or_else(|refused| {
            assert_eq!(refused, [(0, "breaks[0].duration".to_owned(), Why::TooShort)]);
            Vec::new()
        });
        let items = entries.iter().filter(|it| it.wish.is_some()).flat_map(|it| &it.items);
        let spots: Vec<&Item> = items.filter(|item| item.spot.is_some()).collect();
        let played: Vec<_> = spots.iter().map(|it| (it.role, it.duration.as_millis())).collect();
        assert_eq!(played, filled, "{millis}");
    }
}

#[test]
fn breaks_lie_before_a_programme_between_its_segments_and_behind_it() {
    let world = world(true);
    let pause = |at| Break {
        at: Micros::from_secs(at),
        duration: Micros::from_secs(1),
        ads: vec![world.hashes[SHORT_AD].clone()],
    };
    let breaks = [10, 0, 4, 4].map(pause).to_vec();
    let entries = written(&world, &[Wish { breaks, ..world.wish(SHOW) }]).unwrap();
    let items = &entries.last().unwrap().items;
    let played: Vec<_> = items.iter().map(|it| (it.role, it.first..it.end)).collect();
    let ad = || (Role::Ad, 0..1);
    let programme = |segments| (Role::Programme, segments);
    assert_eq!(played, [ad(), programme(0..2), ad(), ad(), programme(2..5), ad()]);
}

#[test]
fn a_break_that_nothing_fits_is_refused_with_whether_there_is_anything() {
    let (slate, bare) = (world(true), world(false));
    for (world, millis, ads, why) in [
        (&bare, 4_000, &[][..], Why::NoAds),
        (&bare, 400, &[], Why::NoAds),
        (&bare, 900, &[SHOW], Why::TooShort),
        (&bare, 400, &[SHORT_AD], Why::TooShort),
        (&slate, 400, &[], Why::TooShort),
    ] {
        let ads: Vec<AssetHash> = ads.iter().map(|ad| world.hashes[*ad].clone()).collect();
        let refusal = (0, "breaks[0].duration".to_owned(), why);
        assert_eq!(refused(world, &[interrupted(world, millis, &ads)]), [refusal], "{millis}");
    }
}

#[test]
fn a_break_may_lie_wherever_the_part_that_was_asked_for_is() {
    let world = world(true);
    let ads = [world.hashes[SHORT_AD].clone()];
    // Segments of 2 s, and half of one is nearer to the one before.
    for (offset, duration, at, expected) in [
        (900, 6_000, 6_900, Some(0..3)),
        (0, 6_900, 6_900, Some(0..3)),
        // Nearer to a boundary behind the part, which ends with its last segment.
        (900, 6_200, 7_050, Some(0..3)),
        (1_100, 2_000, 3_100, Some(1..2)),
        (2_900, 4_000, 2_900, Some(1..3)),
        (3_100, 4_000, 2_950, None),
        (900, 6_000, 7_001, None),
        (0, 10_000, 10_001, None),
    ] {
        let [offset, duration, at] = [offset, duration, at].map(Micros::from_millis);
        let pause = Break { at, duration: Micros::from_secs(1), ads: ads.to_vec() };
        let (duration, breaks) = (Some(duration), vec![pause]);
        let entries = written(&world, &[Wish { offset, duration, breaks, ..world.wish(SHOW) }]);
        let played = entries.map(|entries| {
            let items = entries.last().unwrap().items.iter();
            let parts = items.filter(|item| item.role == Role::Programme);
            parts.map(|item| item.first..item.end).collect::<Vec<_>>()
        });
        let outside = || vec![(0, "breaks[0].at".to_owned(), Why::Outside)];
        assert_eq!(played, expected.map(|part| vec![part]).ok_or_else(outside), "{offset} {at}");
    }
}
