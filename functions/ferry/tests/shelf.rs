//! Assets, channels and logs on disk.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use channel::ports::{AssetRecord, ChannelRecord, Shelf};
use channel::{Asset, AssetHash, Entry, Item, Role, Totals};
use ferry::store::Store;
use hls::{Limits, Micros, Playlist, Timestamp};
use std::collections::BTreeMap;

fn asset() -> Asset {
    let parse = |text: &str| hls::parse(text.as_bytes(), &Limits::default()).unwrap();
    let Playlist::Multivariant(multivariant) =
        parse("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n")
    else {
        panic!("it names a variant");
    };
    let media = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n";
    let Playlist::Media(media) = parse(media) else { panic!("it names a segment") };
    Asset::index("/a/", &multivariant, &BTreeMap::from([("v.m3u8".to_owned(), media)])).unwrap()
}

fn record(revision: u64, gone: bool) -> ChannelRecord {
    ChannelRecord {
        id: "one".to_owned(),
        revision,
        title: None,
        fixed: String::new(),
        channel: None,
        cycle: Vec::new(),
        fill: None,
        next_id: 1,
        picked: 0,
        gone,
    }
}

/// An entry of ten seconds.
fn entry(id: u64, start: u64) -> Entry {
    let item = Item {
        role: Role::Programme,
        asset: AssetHash("a".to_owned()),
        title: None,
        tracks: vec![Some(0)],
        start: Timestamp(start * 1_000_000),
        duration: Micros::from_secs(10),
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

async fn ids(store: &Store, from: u64, to: u64) -> Vec<u64> {
    let seconds = |seconds: u64| Timestamp(seconds * 1_000_000);
    let log = store.log("one", seconds(from), seconds(to)).await.unwrap();
    log.iter().map(|entry| entry.id).collect()
}

#[tokio::test]
async fn a_log_is_read_by_time_and_changed_by_who_knows_its_last_version() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = [entry(1, 100), entry(2, 110), entry(3, 120)];
    assert!(store.commit(&record(1, false), None, &first).await.unwrap());
    assert!(!store.commit(&record(1, false), None, &[entry(9, 130)]).await.unwrap());
    assert!(!store.commit(&record(3, false), None, &[entry(9, 130)]).await.unwrap());
    for (from, to, expected) in [
        (0, 1_000, vec![1, 2, 3]),
        (105, 115, vec![1, 2]),
        (110, 120, vec![2]),
        (0, 50, vec![]),
        (125, 126, vec![3]),
        (500, 900, vec![3]),
    ] {
        assert_eq!(ids(&store, from, to).await, expected, "{from} to {to}");
    }
    let cut = Some(Timestamp(110_000_000));
    assert!(store.commit(&record(2, false), cut, &[entry(4, 110)]).await.unwrap());
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(ids(&store, 0, 1_000).await, [1, 4], "it lasts");
    assert!(store.commit(&record(3, true), None, &[]).await.unwrap());
    assert_eq!(ids(&store, 0, 1_000).await, Vec::<u64>::new(), "the log of one that is gone goes");
    assert!(store.commit(&record(1, false), None, &[]).await.unwrap(), "it can be made anew");
}

#[tokio::test]
async fn an_index_lasts_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (index, hash) = (asset(), asset().hash());
    let record = AssetRecord {
        id: "a".to_owned(),
        title: None,
        hash: hash.clone(),
        url: String::new(),
        duration: index.duration(),
        added: Timestamp(1),
    };
    let store = Store::open(dir.path()).unwrap();
    store.add_asset(&record, &index).await.unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.index(&hash).await.unwrap(), Some(index));
    assert_eq!(store.assets().await.unwrap(), [record]);
    assert!(store.remove_asset("a").await.unwrap());
    assert_eq!(store.asset("a").await.unwrap(), None);
    assert!(store.index(&hash).await.unwrap().is_some(), "schedules may name it");
}
