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
