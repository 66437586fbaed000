//! What comes next on a channel, however far ahead.

use crate::world::World;
use hls::Micros;
use serde_json::{Value, json};

/// When things begin, by the start of what plays now, in seconds; and what they are.
fn told(now: &Value) -> Vec<(u64, String)> {
    let moment =
        |it: &Value| hls::Timestamp::from_date_time(it["start"].as_str().unwrap()).unwrap();
    let began = moment(&now["playing"]);
    let next = now["next"].as_array().unwrap().iter();
    next.map(|it| (moment(it).since(began).0 / 1_000_000, it["asset"].as_str().unwrap().to_owned()))
        .collect()
}

#[tokio::test]
async fn what_comes_next_is_told_however_far_ahead_it_is() {
    for (name, ahead) in [("an hour", 3_600), ("days", 3 * 86_400), ("months", 90 * 86_400)] {
        let world = World::new();
        world.channel(&json!({ "slate": "slate3", "ads": ["ad2"] })).await;
        let start = world.now() + Micros::from_secs(ahead);
        let items = json!({ "items": [
            { "asset": "film10", "start": start.to_string(), "breaks": [{ "at": 10, "duration": 4 }] },
            { "asset": "show5" },
        ]});
        assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
        // The slate that was settled is one, and what leads up to the film another.
        for _ in 0..10 {
            world.now();
        }
        for _ in 0..2 {
            let now = world.get("/channels/one/now").await.json();
            assert_eq!(now["playing"]["asset"], "slate3", "{name}: {now}");
            let told = told(&now);
            let assets: Vec<&str> = told.iter().map(|(_, asset)| asset.as_str()).collect();
            assert_eq!(assets, ["film10", "ad2", "film10", "show5", "slate3"], "{name}: {now}");
            assert!(told[0].0.abs_diff(ahead) < 30, "{name}: {now}");
            assert_eq!(now["next"][4]["end"], Value::Null, "{name}: nothing comes behind it");
            assert_eq!(now["next_break"]["duration"], 4, "{name}: {now}");
        }
    }
}

#[tokio::test]
async fn five_programmes_come_next_as_time_passes() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    world.add("film150").await;
    let items = json!({ "items": vec![json!({ "asset": "film150" }); 12] });
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    for passed in 0..8 {
        let now = world.get("/channels/one/now").await.json();
        let starts: Vec<u64> = told(&now).into_iter().map(|(start, _)| start).collect();
        let first = starts[0];
        assert!(first <= 300, "{passed}: {now}");
        assert_eq!(starts, [0, 300, 600, 900, 1_200].map(|after| first + after), "{passed}: {now}");
        assert_eq!(now["next_break"], Value::Null);
        for _ in 0..200 {
            world.now();
        }
    }
}
