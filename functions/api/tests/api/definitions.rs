//! What a channel is asked to be, and what it becomes by what is scheduled.

use crate::world::World;
use serde_json::json;

#[tokio::test]
async fn a_ladder_that_is_described_alone_is_in_what_the_first_programme_is_in() {
    let world = World::new();
    for name in ["beside5", "film10"] {
        world.add(name).await;
    }
    let rung = json!({ "bandwidth": 800_000, "resolution": "320x180" });
    let audio = json!([{ "name": "English", "language": "en" }]);
    let made = world.put("/channels/one", &json!({ "ladder": [rung], "audio": audio })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(world.get("/channels/one/master.m3u8").await.status, 503);
    let items = |asset: &str| json!({ "items": [{ "asset": asset }] });
    let refused = world.post("/channels/one/schedule", &items("film10")).await;
    let detail = &refused.errors()[0].1;
    assert!(detail.contains("has nothing to play as audio_en"), "{detail}");
    for _ in 0..2 {
        let written = world.post("/channels/one/schedule", &items("beside5")).await;
        assert_eq!(written.status, 201, "{}", written.text);
    }
    let sound = world.get("/channels/one/audio_en.m3u8").await;
    assert!(sound.text.contains("https://vod.example/beside5/0.aac"), "{}", sound.text);
}

#[tokio::test]
async fn the_bandwidth_of_a_rung_is_that_of_the_richest_programme_that_was_scheduled() {
    let world = World::new();
    world.add("rich5").await;
    let slate = json!({ "slate": "slate3" });
    world.channel(&slate).await;
    let master = async || world.get("/channels/one/master.m3u8").await.text;
    let before = master().await;
    assert!(before.contains("BANDWIDTH=900000,RESOLUTION=640x360"), "{before}");
    let film = json!({ "items": [{ "asset": "film10" }] });
    assert_eq!(world.post("/channels/one/schedule", &film).await.status, 201);
    assert_eq!(master().await, before);
    let items = json!({ "items": [{ "asset": "rich5" }] });
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    let after = before.replace("BANDWIDTH=900000", "BANDWIDTH=7000000");
    // It is all that is there for the other rung as well.
    let after = after.replace("BANDWIDTH=400000", "BANDWIDTH=7000000");
    assert_eq!(master().await, after);
    // Viewers may have it: it is never less.
    assert_eq!(world.put("/channels/one", &slate).await.status, 200);
    assert_eq!(master().await, after);
}
