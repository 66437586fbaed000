//! Assets, channels and logs in DynamoDB, against a stand-in for AWS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws::{DynamoShelf, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use channel::AssetHash;
use channel::ports::{ChannelRecord, Fill, Shelf};
use hls::{Micros, Timestamp};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tests::conformance::shelf::{channel_record, entry, shelf};
use tests::ministack::MiniStack;

fn stamp() -> u64 {
    static STAMP: AtomicU64 = AtomicU64::new(0);
    STAMP.fetch_add(1, Ordering::Relaxed)
}

fn made(stack: &MiniStack, config: &SdkConfig, table: &str) -> DynamoShelf {
    stack.table(table);
    DynamoShelf::new(config, table.to_owned(), stamp)
}

#[tokio::test]
async fn it_keeps_the_word_of_the_port() {
    let stack = MiniStack::start();
    let (config, number) = (aws::sdk_at(&stack.url).await, AtomicUsize::new(0));
    shelf(|| async {
        let number = number.fetch_add(1, Ordering::Relaxed);
        made(&stack, &config, &format!("table{number}"))
    })
    .await;
}

/// How many items a table has whose partition begins so.
async fn items(config: &SdkConfig, table: &str, begin: &str) -> usize {
    let scan = aws_sdk_dynamodb::Client::new(config).scan().table_name(table);
    let items = scan.send().await.unwrap().items.unwrap();
    let begins = |value: &AttributeValue| value.as_s().is_ok_and(|key| key.starts_with(begin));
    items.iter().filter(|item| begins(&item["PK"])).count()
}

#[tokio::test]
async fn a_channel_that_is_larger_than_an_item_lasts_and_leaves_nothing_behind() {
    let stack = MiniStack::start();
    let config = aws::sdk_at(&stack.url).await;
    let shelf = made(&stack, &config, "table");
    let hash = |number: u64| {
        AssetHash(format!("{:032x}", u128::from(number) * 0x9e37_79b9_7f4a_7c15_f39c_c060))
    };
    let fill = Fill {
        assets: (1..=40_000).map(hash).collect(),
        order: channel::Order::default(),
        ahead: Micros::from_secs(60),
        breaks: None,
    };
    for revision in 1..=3 {
        let record = ChannelRecord { fill: Some(fill.clone()), ..channel_record("one", revision) };
        let entries = [entry(revision, 100 + 10 * revision)];
        assert!(shelf.commit(&record, None, &entries).await.unwrap());
        assert_eq!(shelf.channel("one").await.unwrap(), Some(record.clone()));
        assert_eq!(shelf.channels().await.unwrap(), [record]);
    }
    let log = shelf.log("one", Timestamp(0), Timestamp(u64::MAX)).await.unwrap();
    assert_eq!(log, [entry(1, 110), entry(2, 120), entry(3, 130)]);
    assert!(!shelf.commit(&channel_record("one", 3), None, &[entry(9, 900)]).await.unwrap());
    shelf.purge("one", Timestamp(0)).await.unwrap();
    assert_eq!(items(&config, "table", "page#one#").await, 1 + 2, "a page and what is apart");
    let gone = ChannelRecord { gone: true, ..channel_record("one", 4) };
    assert!(shelf.commit(&gone, None, &[]).await.unwrap());
    shelf.purge("one", Timestamp(0)).await.unwrap();
    assert_eq!(items(&config, "table", "page#one#").await, 0, "nothing is left of it");
}

#[tokio::test]
async fn what_is_over_leaves_nothing_behind_in_the_table() {
    let stack = MiniStack::start();
    let config = aws::sdk_at(&stack.url).await;
    let shelf = made(&stack, &config, "table");
    let entries: Vec<_> = (0..640).map(|number| entry(number, 10 * number)).collect();
    assert!(shelf.commit(&channel_record("one", 1), None, &entries).await.unwrap());
    let pages = async || items(&config, "table", "page#one#").await;
    assert_eq!(pages().await, 10);
    let half = Timestamp(3_200_000_000);
    let early = shelf.log("one", Timestamp(0), half).await.unwrap();
    shelf.purge("one", half).await.unwrap();
    assert_eq!(pages().await, 10, "who read before may read on");
    assert!(shelf.log("one", Timestamp(0), half).await.unwrap().is_empty(), "of {}", early.len());
    // A commit in between does not forget them, and what it replaced goes with them.
    let more = [entry(640, 6_400), entry(641, 6_410)];
    assert!(shelf.commit(&channel_record("one", 2), None, &more[..1]).await.unwrap());
    assert!(shelf.commit(&channel_record("one", 3), None, &more[1..]).await.unwrap());
    assert_eq!(pages().await, 12);
    shelf.purge("one", half).await.unwrap();
    assert_eq!(pages().await, 6);
    // Nor does the end of the channel.
    shelf.purge("one", Timestamp(4_000_000_000)).await.unwrap();
    let gone = ChannelRecord { gone: true, ..channel_record("one", 4) };
    assert!(shelf.commit(&gone, None, &[]).await.unwrap());
    shelf.purge("one", half).await.unwrap();
    assert_eq!(pages().await, 0);
}
