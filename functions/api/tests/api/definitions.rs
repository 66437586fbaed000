//! What a channel is asked to be, and what it becomes by what is scheduled.

use crate::world::World;
use hls::Micros;
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

#[tokio::test]
async fn what_is_wrong_with_a_ladder_is_said_of_its_field_in_words_that_fit() {
    let world = World::new();
    world.add("ad2").await;
    let rung = json!([{ "bandwidth": 1 }]);
    let twice = json!([{ "name": "A", "language": "en" }, { "name": "A", "language": "sv" }]);
    for (body, field, said) in [
        (json!({ "ladder": [{ "bandwidth": 0 }] }), "ladder[0].bandwidth", "at least 1"),
        (
            json!({ "ladder": [{ "bandwidth": 1, "resolution": "0x0" }] }),
            "ladder[0].resolution",
            "must be like",
        ),
        (
            json!({ "ladder": [{ "bandwidth": 1, "frame_rate": -1 }] }),
            "ladder[0].frame_rate",
            "frames a second",
        ),
        (json!({ "ladder": rung, "audio": twice }), "audio[1].name", "of another"),
        (json!({ "ladder": rung, "subtitles": twice }), "subtitles[1].name", "of another"),
    ] {
        let errors = world.put("/channels/one", &body).await.errors();
        let [(name, detail)] = errors.as_slice() else { panic!("{body}: {errors:?}") };
        assert!(name == field && detail.contains(said), "{body}: {errors:?}");
    }
    let short = world.put("/channels/one", &json!({ "slate": "ad2", "target_duration": 1 })).await;
    assert_eq!(short.json()["detail"], "slate is wrong for 2 reasons");
}

#[tokio::test]
async fn an_entry_that_is_in_the_way_is_named_and_not_as_a_field_of_the_request() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let start = (world.now() + Micros::from_secs(60)).to_string();
    let items = json!({ "items": [{ "asset": "ad2" }, { "asset": "show5", "start": start }] });
    let written = world.post("/channels/one/schedule", &items).await.json();
    let entries = written["entries"].as_array().unwrap();
    let last = entries.last().unwrap()["id"].as_u64().unwrap();
    let films = json!({ "before": last, "items": vec![json!({ "asset": "film10" }); 4] });
    let errors = world.post("/channels/one/schedule", &films).await.errors();
    let [(field, detail)] = errors.as_slice() else { panic!("{errors:?}") };
    let expected = format!("would move entry {last}, whose start must not be before");
    assert!(field == "items" && detail.starts_with(&expected), "{errors:?}");

    let turned = "/channels/one/schedule?from=2023-11-14T23:00:00Z&to=2023-11-14T22:00:00Z";
    let turned = world.get(turned).await;
    assert_eq!((turned.status.as_u16(), turned.errors()[0].0.as_str()), (400, "to"));
}
