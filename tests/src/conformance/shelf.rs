//! What every shelf of the channel engine must keep.

use channel::ports::{AssetRecord, ChannelRecord, Shelf};
use channel::{Asset, AssetHash, Entry, Item, Role, Totals};
use futures_util::future::join_all;
use hls::{Limits, Micros, Playlist, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

/// More entries than one transaction, one answer or one item of a database takes.
const MANY: u64 = 700;

/// Checks an implementation of [`Shelf`]; `make` gives an empty one each time.
///
/// # Panics
/// When it does not keep the port's word.
pub async fn shelf<S: Shelf, F: Future<Output = S>>(make: impl Fn() -> F) {
    an_asset_lasts_as_it_was(&make().await).await;
    an_index_may_be_large(&make().await).await;
    a_channel_is_compared_and_swapped(&make().await).await;
    a_log_is_read_by_time(&make().await).await;
    a_log_is_cut_and_goes_on(&make().await).await;
    a_log_may_be_long(&make().await).await;
    what_ended_goes_from_a_log_and_the_last_never(&make().await).await;
    a_purge_takes_nothing_from_commits(&make().await).await;
    a_channel_that_is_gone_has_no_log_and_can_be_made_anew(&make().await).await;
    one_of_many_commits_wins(&make().await).await;
    half_a_commit_is_never_seen(&make().await).await;
    channels_are_apart(&make().await).await;
    what_is_not_there_is_absent(&make().await).await;
}

/// An index of `segments` segments of 2 s.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn asset(name: &str, segments: usize) -> Asset {
    let parse = |text: &str| hls::parse(text.as_bytes(), &Limits::default()).expect("a playlist");
    let Playlist::Multivariant(multivariant) =
        parse("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n")
    else {
        panic!("it names a variant");
    };
    // Hexadecimal digits at random, so that it cannot be packed well.
    let mut state = 7_u64;
    let mut noise = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    let segments: String = (0..segments)
        .map(|at| format!("#EXTINF:2,\n{at}-{:x}{:x}{:x}.ts\n", noise(), noise(), noise()))
        .collect();
    let media = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{segments}#EXT-X-ENDLIST\n");
    let Playlist::Media(media) = parse(&media) else { panic!("it names a segment") };
    let media = BTreeMap::from([("v.m3u8".to_owned(), media)]);
    Asset::index(&format!("/{name}/"), &multivariant, &media).expect("it can be played")
}

/// The record of an index.
#[must_use]
pub fn asset_record(id: &str, index: &Asset) -> AssetRecord {
    AssetRecord {
        id: id.to_owned(),
        title: Some(format!("the asset {id}")),
        hash: index.hash(),
        url: format!("https://vod.example/{id}/main.m3u8"),
        duration: index.duration(),
        added: Timestamp(1_000_000),
        earlier: Vec::new(),
    }
}

/// A channel that nothing was scheduled on.
#[must_use]
pub fn channel_record(id: &str, revision: u64) -> ChannelRecord {
    ChannelRecord {
        id: id.to_owned(),
        revision,
        title: Some(format!("the channel {id}")),
        fixed: "{}".to_owned(),
        channel: None,
        cycle: Vec::new(),
        fill: None,
        next_id: revision + 1,
        picked: 0,
        gone: false,
        numbers: channel::Numbers::default(),
    }
}

/// An entry of ten seconds.
#[must_use]
pub fn entry(id: u64, start: u64) -> Entry {
    let item = Item {
        role: Role::Programme,
        asset: AssetHash("a".to_owned()),
        title: None,
        tracks: vec![Some(0)],
        start: seconds(start),
        duration: Micros::from_secs(10),
        planned: None,
        first: 0,
        end: 5,
        passes: 1,
        totals: Totals::default(),
        spot: None,
        returns: None,
        live: None,
    };
    Entry { id, wish: None, items: vec![item], seen: None }
}

fn seconds(seconds: u64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

async fn ids(shelf: &impl Shelf, channel: &str, from: u64, to: u64) -> Vec<u64> {
    let log = shelf.log(channel, seconds(from), seconds(to)).await.expect("read");
    log.iter().map(|entry| entry.id).collect()
}

async fn commit(
    shelf: &impl Shelf,
    record: &ChannelRecord,
    cut: Option<u64>,
    entries: &[Entry],
) -> bool {
    shelf.commit(record, cut.map(seconds), entries).await.expect("written, or not")
}

async fn an_asset_lasts_as_it_was(shelf: &impl Shelf) {
    let (one, other) = (asset("one", 3), asset("other", 4));
    let record = asset_record("b", &one);
    shelf.add_asset(&record, &one).await.expect("added");
    shelf.add_asset(&record, &one).await.expect("adding it again is harmless");
    shelf.add_asset(&asset_record("a", &other), &other).await.expect("added");
    assert_eq!(shelf.asset("b").await.expect("read"), Some(record.clone()));
    assert_eq!(shelf.index(&record.hash).await.expect("read"), Some(one.clone()));
    let all = shelf.assets().await.expect("read");
    assert_eq!(all.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);

    // Another takes its name; schedules may still play what it was.
    shelf.add_asset(&asset_record("b", &other), &other).await.expect("added");
    assert_eq!(shelf.asset("b").await.expect("read"), Some(asset_record("b", &other)));
    assert_eq!(shelf.index(&one.hash()).await.expect("read"), Some(one));
    assert!(shelf.remove_asset("b").await.expect("removed"));
    assert!(!shelf.remove_asset("b").await.expect("it is not there any more"));
    assert_eq!(shelf.asset("b").await.expect("read"), None);
    assert_eq!(
        shelf.index(&other.hash()).await.expect("read"),
        Some(other),
        "schedules may name it"
    );
}

async fn an_index_may_be_large(shelf: &impl Shelf) {
    let large = asset("large", 30_000);
    shelf.add_asset(&asset_record("large", &large), &large).await.expect("added");
    assert!(shelf.index(&large.hash()).await.expect("read") == Some(large), "it lasts whole");
}

async fn a_channel_is_compared_and_swapped(shelf: &impl Shelf) {
    assert!(!commit(shelf, &channel_record("one", 2), None, &[]).await, "there is no first");
    assert!(commit(shelf, &channel_record("one", 1), None, &[entry(1, 100)]).await);
    for revision in [1, 3] {
        let record = channel_record("one", revision);
        assert!(!commit(shelf, &record, Some(0), &[entry(9, 130)]).await, "revision {revision}");
    }
    assert_eq!(ids(shelf, "one", 0, 1_000).await, [1], "who lost left nothing");
    let changed = ChannelRecord { picked: 7, ..channel_record("one", 2) };
    assert!(commit(shelf, &changed, None, &[]).await);
    assert_eq!(shelf.channel("one").await.expect("read"), Some(changed));
    assert_eq!(ids(shelf, "one", 0, 1_000).await, [1], "the log stays");
}

async fn a_log_is_read_by_time(shelf: &impl Shelf) {
    let log = [entry(1, 100), entry(2, 110), entry(3, 120)];
    assert!(commit(shelf, &channel_record("one", 1), None, &log).await);
    for (from, to, expected) in [
        (0, 1_000, vec![1, 2, 3]),
        (105, 115, vec![1, 2]),
        (110, 120, vec![2]),
        (0, 50, vec![]),
        (125, 126, vec![3]),
        (500, 900, vec![3]),
    ] {
        assert_eq!(ids(shelf, "one", from, to).await, expected, "{from} to {to}");
    }
    let end = Timestamp(u64::MAX);
    let last = shelf.log("one", end, end).await.expect("read");
    assert_eq!(last, [entry(3, 120)], "how far the log goes");
}

async fn a_log_is_cut_and_goes_on(shelf: &impl Shelf) {
    let log = [entry(1, 100), entry(2, 110), entry(3, 120)];
    assert!(commit(shelf, &channel_record("one", 1), None, &log).await);
    assert!(commit(shelf, &channel_record("one", 2), Some(110), &[entry(4, 110)]).await);
    assert_eq!(ids(shelf, "one", 0, 1_000).await, [1, 4]);
    assert!(commit(shelf, &channel_record("one", 3), Some(115), &[]).await);
    assert_eq!(ids(shelf, "one", 0, 1_000).await, [1, 4], "nothing begins that late");
    assert!(commit(shelf, &channel_record("one", 4), None, &[entry(5, 120)]).await);
    assert_eq!(ids(shelf, "one", 0, 1_000).await, [1, 4, 5]);
    assert!(commit(shelf, &channel_record("one", 5), Some(100), &[]).await);
    assert_eq!(ids(shelf, "one", 0, 1_000).await, Vec::<u64>::new());
    assert!(commit(shelf, &channel_record("one", 6), Some(0), &[entry(6, 130)]).await);
    assert_eq!(ids(shelf, "one", 0, 1_000).await, [6]);
}

async fn a_log_may_be_long(shelf: &impl Shelf) {
    let at = |number: u64| 1_000 + 10 * number;
    let all: Vec<Entry> = (0..MANY).map(|number| entry(number, at(number))).collect();
    assert!(commit(shelf, &channel_record("one", 1), None, &all[..1]).await);
    assert!(commit(shelf, &channel_record("one", 2), None, &all[1..]).await);
    assert_eq!(ids(shelf, "one", 0, at(MANY)).await, (0..MANY).collect::<Vec<_>>());
    let middle = MANY / 2;
    for (from, to) in [(0, 3), (middle, middle + 9), (60, 70), (120, 130), (MANY - 1, MANY)] {
        let found = ids(shelf, "one", at(from), at(to)).await;
        assert_eq!(found, (from..to).collect::<Vec<_>>(), "{from} to {to}");
    }
    let again: Vec<Entry> =
        (0..MANY).map(|number| entry(MANY + number, at(middle + number))).collect();
    assert!(commit(shelf, &channel_record("one", 3), Some(at(middle)), &again).await);
    let expected: Vec<u64> = (0..middle).chain(MANY..2 * MANY).collect();
    assert_eq!(ids(shelf, "one", 0, at(2 * MANY)).await, expected);
    // A little at a time.
    for number in 0..5 {
        let id = 2 * MANY + number;
        let more = [entry(id, at(middle + MANY + number))];
        assert!(commit(shelf, &channel_record("one", 4 + number), None, &more).await);
        assert_eq!(ids(shelf, "one", at(MANY * 3), at(MANY * 3)).await, [id]);
    }
    assert_eq!(ids(shelf, "one", 0, at(2 * MANY)).await.len() as u64, middle + MANY + 5);
}

/// More entries than are stored together.
const TOGETHER: u64 = 100;

async fn purge(shelf: &impl Shelf, channel: &str, before: u64) {
    // It takes only so much at a time.
    for _ in 0..5 {
        shelf.purge(channel, seconds(before)).await.expect("purged, or not");
    }
}

async fn what_ended_goes_from_a_log_and_the_last_never(shelf: &impl Shelf) {
    let at = |number: u64| 1_000 + 10 * number;
    let all: Vec<Entry> = (0..MANY).map(|number| entry(number, at(number))).collect();
    let one = channel_record("one", 1);
    assert!(commit(shelf, &one, None, &all).await);
    assert!(commit(shelf, &channel_record("other", 1), None, &all[..3]).await);
    for before in [0, 999, 1_009] {
        purge(shelf, "one", before).await;
        assert_eq!(ids(shelf, "one", 0, at(MANY)).await.len() as u64, MANY, "{before}");
    }
    // In the middle of an entry.
    let middle = MANY / 2;
    purge(shelf, "one", at(middle) + 5).await;
    let left = ids(shelf, "one", 0, at(MANY)).await;
    let first = left.first().copied().expect("some are left");
    assert!((middle - TOGETHER..=middle).contains(&first), "{first} is the oldest of {middle}");
    assert_eq!(left, (first..MANY).collect::<Vec<_>>(), "the rest stays, in its order");
    assert_eq!(shelf.channel("one").await.expect("read"), Some(one), "it is no new version");
    let late = ids(shelf, "one", at(middle), at(middle + 3)).await;
    assert_eq!(late, (middle..middle + 3).collect::<Vec<_>>());

    // All that there is is over, but what comes next follows the last.
    purge(shelf, "one", 1_000_000).await;
    let left = ids(shelf, "one", 0, at(MANY)).await;
    assert!(left.len() as u64 <= TOGETHER && left.last() == Some(&(MANY - 1)), "{left:?}");
    assert_eq!(ids(shelf, "one", 900_000, 900_001).await, [MANY - 1]);
    let next = [entry(MANY, at(MANY))];
    assert!(commit(shelf, &channel_record("one", 2), None, &next).await, "it goes on");
    assert_eq!(ids(shelf, "one", at(MANY), at(MANY + 1)).await, [MANY]);
    assert_eq!(ids(shelf, "other", 0, at(MANY)).await, [0, 1, 2], "another channel's stays");
    purge(shelf, "nobody", 1_000_000).await;
    assert_eq!(shelf.channel("nobody").await.expect("read"), None);
}

async fn a_purge_takes_nothing_from_commits(shelf: &impl Shelf) {
    const COMMITS: u64 = 40;
    let of = |round: u64| (0..10).map(move |number| (round - 1) * 10 + number);
    let write = async {
        for round in 1..=COMMITS {
            let entries: Vec<Entry> = of(round).map(|number| entry(number, number * 10)).collect();
            assert!(commit(shelf, &channel_record("one", round), None, &entries).await, "{round}");
            give_way().await;
        }
    };
    let purge = async {
        for before in 0..2 * COMMITS {
            shelf.purge("one", seconds(before * 50)).await.expect("purged, or not");
            give_way().await;
        }
    };
    let read = async {
        let mut rounds = 0;
        while rounds < COMMITS {
            let log = ids(shelf, "one", 0, 1_000_000).await;
            assert!(log.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a hole in {log:?}");
            let known = log.last().map_or(0, |last| last / 10 + 1);
            assert!(known >= rounds, "it went back");
            rounds = known;
            give_way().await;
        }
    };
    futures_util::future::join3(write, purge, read).await;
    let record = shelf.channel("one").await.expect("read").expect("there");
    assert_eq!(record.revision, COMMITS);
}

async fn a_channel_that_is_gone_has_no_log_and_can_be_made_anew(shelf: &impl Shelf) {
    assert!(commit(shelf, &channel_record("one", 1), None, &[entry(1, 100)]).await);
    let gone = ChannelRecord { gone: true, ..channel_record("one", 2) };
    assert!(commit(shelf, &gone, None, &[]).await);
    assert_eq!(shelf.channel("one").await.expect("read"), Some(gone.clone()));
    assert_eq!(shelf.channels().await.expect("read"), [gone]);
    assert_eq!(ids(shelf, "one", 0, 1_000).await, Vec::<u64>::new());
    assert!(!commit(shelf, &channel_record("one", 3), None, &[]).await, "it begins anew");
    assert!(commit(shelf, &channel_record("one", 1), None, &[entry(7, 500)]).await);
    assert_eq!(ids(shelf, "one", 0, 1_000).await, [7]);
}

async fn one_of_many_commits_wins(shelf: &impl Shelf) {
    for revision in 1..=6 {
        let tries = (0..8).map(|by| async move {
            let entries = [entry(revision * 100 + by, 100 + revision * 10)];
            commit(shelf, &channel_record("one", revision), None, &entries).await
        });
        let won: Vec<u64> =
            (0..).zip(join_all(tries).await).filter_map(|(by, won)| won.then_some(by)).collect();
        let [by] = won.as_slice() else { panic!("{won:?} won revision {revision}") };
        let log = ids(shelf, "one", 0, 1_000).await;
        assert_eq!((log.len() as u64, log.last()), (revision, Some(&(revision * 100 + by))));
        let record = shelf.channel("one").await.expect("read").expect("there");
        assert_eq!(record.revision, revision);
    }
}

async fn half_a_commit_is_never_seen(shelf: &impl Shelf) {
    const ROUNDS: u64 = 12;
    let whole = |round: u64| -> Vec<Entry> {
        (0..MANY).map(|number| entry(round * 10_000 + number, 100 + 10 * number)).collect()
    };
    assert!(commit(shelf, &channel_record("one", 1), None, &whole(1)).await);
    let write = async {
        for round in 2..=ROUNDS {
            assert!(commit(shelf, &channel_record("one", round), Some(0), &whole(round)).await);
        }
    };
    let read = |from: u64| async move {
        let (mut seen, mut last) = (BTreeSet::new(), 0);
        while last < ROUNDS {
            let log = ids(shelf, "one", 100 + 10 * from, 100 + 10 * MANY).await;
            let rounds: BTreeSet<u64> = log.iter().map(|id| id / 10_000).collect();
            assert_eq!((rounds.len(), log.len() as u64), (1, MANY - from), "{rounds:?}");
            let round = rounds.first().copied().unwrap_or_default();
            assert!(round >= last, "it went back");
            last = round;
            seen.insert(round);
            give_way().await;
        }
        seen
    };
    futures_util::future::join3(write, read(0), read(MANY / 2)).await;
}

/// Lets others go on who wait for nothing but their turn.
async fn give_way() {
    let mut gave_way = false;
    let turn = |context: &mut std::task::Context<'_>| {
        if std::mem::replace(&mut gave_way, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    };
    std::future::poll_fn(turn).await;
}

async fn channels_are_apart(shelf: &impl Shelf) {
    // Names that could be taken for each other's beginnings.
    for (at, id) in ["a", "a-", "a0", "b", "A"].into_iter().enumerate() {
        let entries = [entry(at as u64, 100)];
        assert!(commit(shelf, &channel_record(id, 1), None, &entries).await, "{id}");
    }
    let gone = ChannelRecord { gone: true, ..channel_record("a", 2) };
    assert!(commit(shelf, &gone, None, &[]).await);
    assert_eq!(ids(shelf, "a-", 0, 1_000).await, [1]);
    assert_eq!(ids(shelf, "b", 0, 1_000).await, [3]);
    let all = shelf.channels().await.expect("read");
    let ids = ["A", "a", "a-", "a0", "b"];
    assert_eq!(all.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ids);
    assert_eq!(shelf.channel_ids().await.expect("read"), ids);
}

async fn what_is_not_there_is_absent(shelf: &impl Shelf) {
    for id in ["nobody", "../../nobody", "a/b", "a#b"] {
        assert_eq!(shelf.asset(id).await.expect("read"), None, "{id}");
        assert_eq!(shelf.channel(id).await.expect("read"), None, "{id}");
        assert_eq!(shelf.index(&AssetHash(id.to_owned())).await.expect("read"), None, "{id}");
        assert_eq!(ids(shelf, id, 0, 1_000).await, Vec::<u64>::new(), "{id}");
        assert!(!shelf.remove_asset(id).await.expect("it is not there"), "{id}");
    }
}
