//! Assets, channels and logs on disk.

use channel::ports::Shelf;
use ferry::store::Store;
use hls::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use tests::conformance::shelf::{asset, asset_record, channel_record, entry, shelf};

#[tokio::test]
async fn it_keeps_the_word_of_the_port() {
    let (dir, number) = (tempfile::tempdir().unwrap(), AtomicUsize::new(0));
    shelf(|| async {
        let number = number.fetch_add(1, Ordering::Relaxed);
        Store::open(&dir.path().join(number.to_string())).unwrap()
    })
    .await;
}

#[tokio::test]
async fn all_of_it_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let index = asset("a", 3);
    let (asset, record) = (asset_record("a", &index), channel_record("one", 1));
    let store = Store::open(dir.path()).unwrap();
    store.add_asset(&asset, &index).await.unwrap();
    assert!(store.commit(&record, None, &[entry(1, 100), entry(2, 110)]).await.unwrap());
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.index(&asset.hash).await.unwrap(), Some(index));
    assert_eq!(store.assets().await.unwrap(), [asset]);
    assert_eq!(store.channels().await.unwrap(), [record]);
    let log = store.log("one", Timestamp(0), Timestamp(u64::MAX)).await.unwrap();
    assert_eq!(log, [entry(1, 100), entry(2, 110)]);
}
