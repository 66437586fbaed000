//! What is about to play is looked at once more.

use crate::channels::roles;
use crate::world::World;
use axum::http::Method;
use channel::ports::Shelf;
use hls::{Micros, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn other_ads_play_where_some_are_gone_and_the_slate_where_segments_cannot_be_read() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3", "ads": ["ad2", "show5"] })).await;
    let breaks = json!([{ "at": 10, "duration": 4 }]);
    let items = json!({ "items": [
        { "asset": "film10" }, { "asset": "film10", "breaks": breaks }, { "asset": "show5" },
    ]});
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    let played = async || -> Vec<String> {
        let shown = world.get("/channels/one/schedule").await.json();
        roles(&shown).into_iter().map(|(_, asset)| asset).collect()
    };
    assert_eq!(played().await[1..], ["film10", "film10", "ad2", "film10", "show5"]);
    world.channels.vods.gone.lock().unwrap().insert("ad2".to_owned());
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    // Too long to fit: the slate.
    assert_eq!(played().await[1..], ["film10", "film10", "slate3", "film10", "show5"]);
    // As where a signature has expired.
    world.channels.vods.gone.lock().unwrap().insert("segments of show5".to_owned());
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    assert_eq!(played().await.last().map(String::as_str), Some("slate3"), "{:?}", played().await);
}

#[tokio::test]
async fn the_slate_plays_where_a_map_or_a_key_is_gone() {
    for (lost, plays) in [
        ("nothing", "locked5"),
        ("/locked5/map.mp4", "locked3"),
        ("403 /locked5/map.mp4", "locked3"),
        ("/locked5/key", "locked3"),
        // Viewers may be given what the channel is not.
        ("403 /locked5/key", "locked5"),
    ] {
        let world = World::new();
        for name in ["locked3", "locked5", "locked10"] {
            world.add(name).await;
        }
        let one = json!({ "slate": "locked3" });
        assert_eq!(world.put("/channels/one", &one).await.status, 201);
        let items = json!({ "items": [{ "asset": "locked10" }, { "asset": "locked5" }] });
        assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
        world.channels.vods.gone.lock().unwrap().insert(lost.to_owned());
        world.channels.tend(Micros::from_secs(60)).await.unwrap();
        let shown = world.get("/channels/one/schedule").await.json();
        assert_eq!(roles(&shown).last().unwrap().1, plays, "{lost}");
    }
}

#[tokio::test]
async fn the_slate_plays_where_what_was_scheduled_is_gone() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let items =
        json!({ "items": [{ "asset": "show5" }, { "asset": "show5" }, { "asset": "film10" }] });
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    let all = "/channels/one/schedule?from=2023-11-14T22:13:00Z";
    let before = world.get(all).await.json();
    world.channels.tend(Micros::from_secs(30)).await.unwrap();
    assert_eq!(world.get(all).await.json(), before, "all is well");

    world.channels.vods.gone.lock().unwrap().insert("show5".to_owned());
    world.channels.tend(Micros::from_secs(30)).await.unwrap();
    let after = world.get(all).await.json();
    // The first was settled by then. The slate is as long as what it stands for.
    let played: Vec<String> = roles(&after).into_iter().map(|(_, asset)| asset).collect();
    assert_eq!(played, ["slate3", "show5", "slate3", "film10"], "{after:#}");
    let stands_in = &after["entries"][2];
    assert_eq!(stands_in["items"][0]["role"], "slate", "as where nothing is scheduled");
    assert_eq!((&stands_in["asset"], &stands_in["title"]), (&Value::Null, &Value::Null));
    let film = |schedule: &Value| schedule["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(film(&after), film(&before), "what comes later stays where it was");
}

#[tokio::test]
async fn what_stands_in_behind_a_hole_plays_when_what_is_gone_would_have() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let start = world.now() + Micros::from_secs(40);
    let items = json!({ "items": [
        { "asset": "film10" }, { "asset": "show5", "start": start.to_string() }, { "asset": "ad2" },
    ]});
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    let before = world.scheduled().await;
    world.channels.vods.gone.lock().unwrap().insert("show5".to_owned());
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    let after = world.scheduled().await;
    let names: Vec<&str> = after.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["slate3", "film10", "slate3", "slate3", "ad2"]);
    assert_eq!(after[..3], before[..3], "what comes before is as it was");
    assert_eq!(after[3].1, before[3].1, "the slate begins when what is gone would have");
    assert_eq!(after[4], before[4], "and what comes behind is not moved");
}

impl World {
    /// Schedules something on the channel `one`, and says when each entry is over.
    async fn schedule(&self, items: Value) -> Vec<Timestamp> {
        let answer = self.post("/channels/one/schedule", &json!({ "items": items })).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let answer = answer.json();
        let entries = answer["entries"].as_array().unwrap().iter();
        let over = |entry: &Value| Timestamp::from_date_time(entry["end"].as_str().unwrap());
        entries.map(|entry| over(entry).unwrap()).collect()
    }

    /// What is scheduled on it: which asset, and when it begins.
    async fn scheduled(&self) -> Vec<(String, Timestamp)> {
        let all = self.get("/channels/one/schedule?from=2023-11-14T22:13:00Z").await.json();
        let entries = all["entries"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let shown = entries.flat_map(|entry| entry["items"].as_array().unwrap().clone());
        let begins = |item: &Value| Timestamp::from_date_time(item["start"].as_str().unwrap());
        shown.map(|item| (text(&item["asset"]), begins(&item).unwrap())).collect()
    }

    fn lose(&self, name: &str) {
        self.channels.vods.gone.lock().unwrap().insert(name.to_owned());
    }
}

/// The assets of a schedule.
fn named(scheduled: &[(String, Timestamp)]) -> Vec<&str> {
    scheduled.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn what_follows_a_film_that_is_gone_stays_when_it_is_however_short_the_slate() {
    let world = World::new();
    for name in ["film3600", "slate1"] {
        world.add(name).await;
    }
    world.channel(&json!({ "slate": "slate1" })).await;
    let start = world.now() + Micros::from_secs(30);
    world
        .schedule(json!([
            { "asset": "film3600", "start": start.to_string() }, { "asset": "show5" }, { "asset": "ad2" },
        ]))
        .await;
    let before = world.scheduled().await;
    world.lose("film3600");
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    let after = world.scheduled().await;
    assert_eq!(named(&after), ["slate1", "slate1", "slate1", "show5", "ad2"], "one item stands in");
    assert_eq!(after[2].1, before[2].1, "for the film");
    assert_eq!(after[3..], before[3..], "what follows stays when it is");
}

#[tokio::test]
async fn what_is_gone_gives_way_also_where_the_slate_is_too_long_for_what_follows() {
    for (gone, slack, plays) in [("ad2", 5, false), ("show5", 9, true), ("film10", 11, true)] {
        let world = World::new();
        for name in ["slow1", "like3", "long7"] {
            world.add(name).await;
        }
        world.channel(&json!({ "slate": "slow1", "target_duration": 12 })).await;
        let start = world.now() + Micros::from_secs(40);
        let over = world
            .schedule(json!([
                { "asset": "like3", "start": start.to_string() }, { "asset": gone },
            ]))
            .await;
        // As late as it may be: what stands in must not be longer by more than is left.
        let over = *over.last().unwrap();
        let late = Timestamp(over.0 - slack * 1_000_000).to_string();
        world.schedule(json!([{ "asset": "long7", "start": late }])).await;
        let before = world.scheduled().await;
        assert_eq!(before.last().unwrap().1, over, "{gone}");
        world.lose(gone);
        world.channels.tend(Micros::from_secs(60)).await.unwrap();
        let after = world.scheduled().await;
        let slates = |all| named(all).iter().filter(|name| **name == "slow1").count();
        assert_eq!(slates(&after) > slates(&before), plays, "{gone}: {after:?}");
        assert!(!named(&after).contains(&gone), "{gone}: {after:?}");
        assert_eq!(after.last().unwrap().0, "long7");
        let apart = after.last().unwrap().1.0.abs_diff(over.0);
        assert!(apart <= 12_000_000, "{gone}: {apart} {after:?}");
    }
}

#[tokio::test]
async fn a_break_is_shorter_or_left_out_where_the_slate_is_too_long_for_what_follows() {
    for (lasts, slack) in [(4, 2), (8, 11), (20, 9)] {
        let world = World::new();
        for name in ["slow1", "like3", "long7"] {
            world.add(name).await;
        }
        world.channel(&json!({ "slate": "slow1", "ads": ["ad2"], "target_duration": 12 })).await;
        let start = world.now() + Micros::from_secs(40);
        let breaks = json!([{ "at": 10, "duration": lasts }]);
        let film = json!({ "asset": "film10", "start": start.to_string(), "breaks": breaks });
        let over = *world.schedule(json!([film])).await.last().unwrap();
        let late = Timestamp(over.0 - slack * 1_000_000).to_string();
        world.schedule(json!([{ "asset": "long7", "start": late }])).await;
        world.lose("ad2");
        world.channels.tend(Micros::from_secs(60)).await.unwrap();
        let after = world.scheduled().await;
        assert!(!named(&after).contains(&"ad2"), "{lasts}: {after:?}");
        assert!(named(&after).contains(&"film10"), "{lasts}: {after:?}");
    }
}

#[tokio::test]
async fn of_two_assets_with_the_same_content_either_plays_and_the_first_is_shown() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let twin = json!({ "id": "again", "url": "https://vod.example/show5/again.m3u8" });
    assert_eq!(world.post("/assets", &twin).await.status, 201);
    let items =
        json!({ "items": [{ "asset": "film10" }, { "asset": "again" }, { "asset": "show5" }] });
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    let played = async || {
        let schedule = world.get("/channels/one/schedule?from=2023-11-14T22:13:00Z").await.json();
        let played: Vec<String> = roles(&schedule).into_iter().map(|(_, asset)| asset).collect();
        played.join(" ")
    };
    assert_eq!(played().await, "slate3 film10 show5 show5");
    let lose = |name: &str| world.channels.vods.gone.lock().unwrap().insert(name.to_owned());
    lose("show5/main.m3u8");
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    assert_eq!(played().await, "slate3 film10 show5 show5", "it is there at the other address");
    let answer = world.ask(Method::DELETE, "/assets/show5").await;
    assert_eq!(answer.status, 204);
    assert_eq!(played().await, "slate3 film10 again again");
    lose("show5/again.m3u8");
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    assert_eq!(played().await, "slate3 film10 slate3 slate3", "it is nowhere");
}

#[tokio::test]
async fn the_slate_plays_in_time_where_an_origin_does_not_answer_and_no_other_channel_waits() {
    let world = World::new();
    for name in ["show5", "film10", "ad2", "slate3"] {
        world.add(name).await;
    }
    for (channel, asset) in [("a", "show5"), ("b", "film10"), ("c", "ad2")] {
        let made = world.put(&format!("/channels/{channel}"), &json!({ "slate": "slate3" })).await;
        assert_eq!(made.status, 201);
        let items =
            json!({ "items": [{ "asset": asset }, { "asset": asset }, { "asset": asset }] });
        let path = format!("/channels/{channel}/schedule");
        assert_eq!(world.post(&path, &items).await.status, 201);
    }
    world.channels.vods.silent.lock().unwrap().insert("show5".to_owned());
    world.channels.vods.gone.lock().unwrap().insert("film10".to_owned());
    let late = std::time::Duration::from_secs(5);
    let tend = world.channels.tend(Micros::from_secs(30));
    tokio::time::timeout(late, tend).await.expect("it goes on without an answer").unwrap();
    let last = async |channel: &str| {
        let shown = world.get(&format!("/channels/{channel}/schedule")).await.json();
        roles(&shown).pop().unwrap().1
    };
    for (channel, plays) in [("a", "slate3"), ("b", "slate3"), ("c", "ad2")] {
        assert_eq!(last(channel).await, plays, "{channel}");
    }
}

#[tokio::test]
async fn a_programme_plays_whose_segments_are_there_when_its_playlists_are_not_told() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let items = json!({ "items": [{ "asset": "film10" }, { "asset": "show5" }] });
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    world.channels.vods.silent.lock().unwrap().insert("playlists of show5".to_owned());
    world.channels.tend(Micros::from_secs(30)).await.unwrap();
    let shown = world.get("/channels/one/schedule").await.json();
    assert_eq!(roles(&shown).pop().unwrap().1, "show5", "{shown:#}");
}

#[tokio::test]
async fn what_is_signed_anew_each_time_plays_and_by_its_new_addresses_where_the_old_are_refused() {
    let world = World::new();
    world.add("signed5").await;
    world.channel(&json!({ "slate": "slate3", "ads": ["signed5"] })).await;
    let breaks = json!([{ "at": 10, "duration": 10 }]);
    let film = json!({ "asset": "film10", "breaks": breaks });
    world.schedule(json!([{ "asset": "film10" }, { "asset": "signed5" }, film])).await;
    let (before, plays) = (world.scheduled().await, "slate3 film10 signed5 film10 signed5 film10");
    assert_eq!(named(&before).join(" "), plays);
    let hash = async || world.get("/assets/signed5").await.json()["hash"].clone();
    let first = hash().await;
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    assert_eq!(world.scheduled().await, before, "it is the same but for its signatures");
    assert_eq!(hash().await, first);

    let vods = &world.channels.vods;
    vods.expired.store(vods.signed.load(Ordering::Relaxed), Ordering::Relaxed);
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    assert_eq!(world.scheduled().await, before, "it plays when it would have");
    let second = hash().await;
    assert_ne!(second, first, "by what is signed now");
    let log = world.channels.shelf.log("one", Timestamp(0), Timestamp(u64::MAX)).await.unwrap();
    let items = log.iter().flat_map(|entry| &entry.items);
    let played = items.filter(|item| json!(item.asset) == second).count();
    assert_eq!(played, 2, "as a programme and as an ad");

    // What would be signed now is refused as well.
    vods.expired.store(998, Ordering::Relaxed);
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    assert!(!named(&world.scheduled().await).contains(&"signed5"));
}

#[tokio::test]
async fn what_was_packaged_anew_and_added_again_plays_as_it_is_now() {
    for (now, lasts, plays) in [
        (8, 16, "slate3 film10 show5 film10 show5 film10"),
        (3, 10, "slate3 film10 show5 film10 show5 slate3 film10"),
    ] {
        let world = World::new();
        world.channel(&json!({ "slate": "slate3", "ads": ["show5"] })).await;
        let breaks = json!([{ "at": 10, "duration": lasts }]);
        let film = json!({ "asset": "film10", "breaks": breaks });
        world.schedule(json!([{ "asset": "film10" }, { "asset": "show5" }, film])).await;
        world.channels.vods.anew.lock().unwrap().insert("show5".to_owned(), now);
        world.add("show5").await;
        world.channels.tend(Micros::from_secs(60)).await.unwrap();
        let after = world.scheduled().await;
        assert_eq!(named(&after).join(" "), plays, "{now}");
        let long = after[3].1.since(after[2].1);
        assert_eq!(long, Micros::from_secs(2 * now as u64), "{after:?}");
        let log = world.channels.shelf.log("one", Timestamp(0), Timestamp(u64::MAX)).await.unwrap();
        let hash = world.get("/assets/show5").await.json()["hash"].clone();
        let items = log.iter().flat_map(|entry| &entry.items);
        assert_eq!(items.filter(|item| json!(item.asset) == hash).count(), 2, "{log:?}");
    }
}

#[tokio::test]
async fn what_is_longer_since_it_was_added_again_is_cut_where_what_follows_has_a_time() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3", "target_duration": 2 })).await;
    let over =
        *world.schedule(json!([{ "asset": "film10" }, { "asset": "show5" }])).await.last().unwrap();
    world.schedule(json!([{ "asset": "film10", "start": over.to_string() }])).await;
    let before = world.scheduled().await;
    world.channels.vods.anew.lock().unwrap().insert("show5".to_owned(), 20);
    world.add("show5").await;
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    assert_eq!(world.scheduled().await, before);
    // What was not added again is another VOD, as before.
    world.channels.vods.anew.lock().unwrap().insert("film10".to_owned(), 10);
    world.channels.tend(Micros::from_secs(60)).await.unwrap();
    assert_eq!(named(&world.scheduled().await)[3], "slate3");
}

#[tokio::test]
async fn what_is_scheduled_to_begin_soon_is_looked_at_at_once() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    world.lose("show5");
    let start = world.now() + Micros::from_secs(40);
    let show = json!({ "asset": "show5", "start": start.to_string() });
    world.schedule(json!([show, { "asset": "film10" }])).await;
    let before = world.scheduled().await;
    assert!(named(&before).contains(&"show5"));
    world.channels.follow(world.now() + Micros::from_secs(15)).await.unwrap();
    let after = world.scheduled().await;
    assert!(!named(&after).contains(&"show5"), "{after:?}");
    assert_eq!(after.last(), before.last());
}
