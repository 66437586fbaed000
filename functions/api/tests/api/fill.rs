//! Schedules that are extended by themselves.

use crate::world::World;
use channel::ports::Shelf;
use hls::{Micros, Timestamp};
use serde_json::json;
use std::collections::BTreeSet;

impl World {
    /// Packages a VOD anew with so many segments, and adds it again under its id.
    async fn again(&self, name: &str, segments: usize) {
        self.channels.vods.anew.lock().unwrap().insert(name.to_owned(), segments);
        self.add(name).await;
    }

    /// The programmes of the channel `one` with their ends, and what fills its breaks and holes.
    async fn plays(&self) -> Vec<(String, Timestamp, Timestamp)> {
        let shown = self.get("/channels/one/schedule?from=2023-11-14T22:13:00Z").await.json();
        let entries = shown["entries"].as_array().unwrap().iter();
        let items = entries.flat_map(|entry| entry["items"].as_array().unwrap());
        let moment = |value: &serde_json::Value| Timestamp::from_date_time(value.as_str().unwrap());
        let name = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        items
            .map(|item| {
                let (start, end) = (moment(&item["start"]), moment(&item["end"]));
                (name(&item["asset"]), start.unwrap(), end.unwrap())
            })
            .collect()
    }
}

#[tokio::test]
async fn a_hole_before_a_special_is_filled_as_far_as_something_fits() {
    let world = World::new();
    world.add("special4").await;
    let fill = json!({
        "assets": ["film10", "show5"], "ahead_seconds": 200, "breaks": { "every": 8, "duration": 4 },
    });
    let made = world.channel(&json!({ "slate": "slate3", "ads": ["ad2"], "fill": fill })).await;
    assert_eq!(made["fill"]["ahead_seconds"], 200);
    let start = world.now() + Micros::from_secs(600);
    let special = json!({ "asset": "special4", "start": start.to_string() });
    let body = json!({ "items": [special, { "asset": "ad2" }] });
    assert_eq!(world.post("/channels/one/schedule", &body).await.status, 201);
    let before = world.plays().await;
    let is_special = |(name, ..): &&(String, Timestamp, Timestamp)| name == "special4";
    let special = before.iter().find(is_special).unwrap().clone();
    let mut turns = 0;
    // The clock goes on as the channel is looked after.
    while world.now() + Micros::from_secs(60) < special.1 {
        world.channels.tend(Micros::from_secs(30)).await.unwrap();
        turns += 1;
        assert!(turns < 1_000);
    }
    let after = world.plays().await;
    assert_eq!(after.iter().find(is_special), Some(&special), "it plays when it would have");
    let slates = after.iter().filter(|(name, ..)| name == "slate3");
    let slate = slates.fold(Micros(0), |sum, (_, start, end)| sum + end.since(*start));
    assert!(slate < Micros::from_secs(60), "less than the shortest programme: {after:#?}");
    for programme in ["film10", "show5"] {
        let count = after.iter().filter(|(name, ..)| name == programme).count();
        assert!(count > 10, "{programme}: {count} times in 600 s");
    }
    let times = after.windows(2).all(|both| both[0].2 == both[1].1);
    assert!(times, "without a gap: {after:?}");
}

#[tokio::test]
async fn what_was_removed_is_picked_no_more_and_what_was_added_again_is_as_it_is_now() {
    let world = World::new();
    let fill = json!({
        "assets": ["film10", "show5"], "ahead_seconds": 60, "breaks": { "every": 8, "duration": 4 },
    });
    for name in ["add2", "spot2"] {
        world.add(name).await;
    }
    world.channel(&json!({ "slate": "slate3", "ads": ["add2", "spot2"], "fill": fill })).await;
    let last = world.plays().await.last().unwrap().2;
    for name in ["show5", "spot2"] {
        assert_eq!(world.delete(&format!("/assets/{name}")).await.status, 204);
    }
    for (name, segments) in [("film10", 9), ("add2", 1)] {
        world.again(name, segments).await;
    }
    let mut turns = 0;
    while world.plays().await.last().unwrap().1 < last + Micros::from_secs(100) {
        world.channels.tend(Micros::from_secs(30)).await.unwrap();
        turns += 1;
        assert!(turns < 1_000);
    }
    let log = world.channels.shelf.log("one", last, Timestamp(u64::MAX)).await.unwrap();
    let items = log.iter().filter(|entry| entry.start() >= last).flat_map(|entry| &entry.items);
    let found: BTreeSet<String> = items.map(|item| item.asset.0.clone()).collect();
    let mut expected = BTreeSet::new();
    for name in ["film10", "add2"] {
        let hash = world.get(&format!("/assets/{name}")).await.json()["hash"].clone();
        expected.insert(hash.as_str().unwrap().to_owned());
    }
    assert_eq!(found, expected);
}

/// What a media playlist lists: the number and the address of each segment.
fn listed(text: &str) -> Vec<(u64, String)> {
    let number = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap();
    let number: u64 = number.parse().unwrap();
    let addresses = text.lines().filter(|line| line.starts_with("http")).map(str::to_owned);
    (number..).zip(addresses).collect()
}

#[tokio::test]
async fn a_channel_that_is_put_again_goes_on_with_the_slate_that_was_added_again() {
    for ahead in [None, Some(60)] {
        let world = World::new();
        let body = json!({ "slate": "slate3", "target_duration": 2 });
        world.channel(&body).await;
        if let Some(ahead) = ahead {
            let start = world.now() + Micros::from_secs(ahead);
            let breaks = json!([{ "at": 10, "duration": 6 }]);
            let show = json!({ "asset": "show5", "start": start.to_string() });
            let film = json!({ "asset": "film10", "breaks": breaks });
            let items = json!({ "items": [show, film] });
            assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
        }
        let path = "/channels/one/video_180p.m3u8";
        let before = listed(&world.get(path).await.text);
        world.again("slate3", 5).await;
        let answer = world.put("/channels/one", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let mut seen = before;
        let is_new = |(_, address): &(u64, String)| address.contains("slate3/anew");
        for look in 0..200 {
            let now = listed(&world.get(path).await.text);
            for line in &now {
                let known = seen.iter().find(|(number, _)| *number == line.0);
                assert!(known.is_none_or(|known| known == line), "{look}: {known:?} {line:?}");
            }
            assert!(now.last().unwrap().0 >= seen.last().unwrap().0, "{look}: it goes back");
            seen.extend(now);
        }
        let now = listed(&world.get(path).await.text);
        assert!(seen.iter().any(is_new) && now.iter().all(is_new), "{now:?}");
        let first = seen.iter().find(|line| is_new(line)).unwrap().0;
        let old = seen
            .iter()
            .filter(|(_, address)| address.contains("slate3/") && !address.contains("anew"));
        assert!(old.map(|(number, _)| *number).max().unwrap() < first, "never again what is gone");
    }
}

#[tokio::test]
async fn a_channel_that_is_made_where_another_was_goes_on_behind_its_numbers() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3", "target_duration": 2 })).await;
    let items = json!({ "items": [{ "asset": "show5" }, { "asset": "film10" }] });
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    let path = "/channels/one/video_180p.m3u8";
    let numbers = |text: &str, tag: &str| -> u64 {
        text.lines().find_map(|line| line.strip_prefix(tag)).map_or(0, |it| it.parse().unwrap())
    };
    let (mut last, mut cuts) = (0, 0);
    for (round, body) in [
        json!({ "slate": "show5", "target_duration": 2 }),
        json!({ "loop": ["film10", "ad2", "slate3"] }),
        json!({ "loop": ["ad2", "show5", "slate3"] }),
        json!({}),
        json!({ "slate": "slate3", "target_duration": 2 }),
    ]
    .into_iter()
    .enumerate()
    {
        let viewer = format!("/channels/one/anna{}", path.trim_start_matches("/channels/one"));
        for path in [path, viewer.as_str()] {
            let text = world.get(path).await.text;
            if text.starts_with("#EXTM3U") {
                let first = numbers(&text, "#EXT-X-MEDIA-SEQUENCE:");
                let cut = numbers(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:");
                assert!(first >= last, "{round}: {first} behind {last}");
                assert!(cut >= cuts, "{round}: {cut} behind {cuts}");
            }
        }
        for path in [path, viewer.as_str()] {
            let text = world.get(path).await.text;
            if text.starts_with("#EXTM3U") {
                last = last.max(listed(&text).last().unwrap().0 + 1);
                let more =
                    text.lines().filter(|line| *line == "#EXT-X-DISCONTINUITY").count() as u64;
                cuts = cuts.max(numbers(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:") + more + 1);
            }
        }
        assert!(last > 0 && cuts > 0);
        assert_eq!(world.delete("/channels/one").await.status, 204);
        let made = world.put("/channels/one", &body).await;
        assert_eq!(made.status, 201, "{body}: {}", made.text);
    }
    let text = world.get(path).await.text;
    assert!(numbers(&text, "#EXT-X-MEDIA-SEQUENCE:") >= last, "{text}");
}
