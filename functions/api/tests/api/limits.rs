//! How much channels may be asked for.

use crate::world::World;
use channel::ports::Shelf;
use hls::{Micros, Timestamp};
use serde_json::json;

#[tokio::test]
async fn a_schedule_that_is_full_takes_no_more_by_itself_or_on_request() {
    let world = World::new();
    let mut body = json!({ "slate": "slate3" });
    world.channel(&body).await;
    let items = |count: usize| json!({ "items": vec![json!({ "asset": "ad2" }); count] });
    for _ in 0..9 {
        assert_eq!(world.post("/channels/one/schedule", &items(2_200)).await.status, 201);
    }
    // 200 are left, but for the slate that the first begins behind.
    let answer = world.post("/channels/one/schedule", &items(201)).await;
    assert_eq!(answer.status, 422);
    let (field, detail) = &answer.errors()[0];
    assert_eq!(field, "items");
    assert!(detail.contains("more than 20000"), "{detail}");

    body["fill"] = json!({ "assets": ["ad2", "show5"], "ahead_seconds": 1_209_600 });
    assert_eq!(world.put("/channels/one", &body).await.status, 200);
    let shelf = &world.channels.shelf;
    let log = shelf.log("one", world.now(), Timestamp(u64::MAX)).await.unwrap();
    let count: usize = log.iter().map(|entry| entry.items.len()).sum();
    assert!((19_990..=20_000).contains(&count), "{count}");
    let picked = shelf.channel("one").await.unwrap().unwrap().picked;
    assert!((190..220).contains(&picked), "what did not fit has its turn later: {picked}");
    world.channels.tend(Micros::from_secs(30)).await.unwrap();
    assert!(shelf.channel("one").await.unwrap().unwrap().picked < picked + 10);
}

#[tokio::test]
async fn a_long_schedule_is_shown_in_pages() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    // They end between milliseconds.
    world.add("odd2").await;
    let items = json!({ "items": vec![json!({ "asset": "odd2" }); 3_000] });
    for _ in 0..3 {
        assert_eq!(world.post("/channels/one/schedule", &items).await.status, 201);
    }
    let to = "to=2030-01-01T00:00:00Z";
    let (mut ids, mut next) = (Vec::new(), Some("2023-11-14T22:13:00Z".to_owned()));
    for (count, is_last) in [(5_000, false), (4_001, true)] {
        let page = format!("/channels/one/schedule?from={}&{to}", next.unwrap());
        let page = world.get(&page).await.json();
        let entries = page["entries"].as_array().unwrap();
        ids.extend(entries.iter().map(|entry| entry["id"].as_u64().unwrap()));
        next = page["next"].as_str().map(str::to_owned);
        assert_eq!((entries.len(), next.is_none()), (count, is_last));
    }
    // The slate comes first.
    assert_eq!(ids, (ids[0]..ids[0] + 9_001).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_vod_whose_playlists_are_huge_is_refused() {
    let world = World::new();
    for (name, is_huge) in [("huge3", false), ("huge9", true)] {
        let url = format!("https://vod.example/{name}/main.m3u8");
        let answer = world.post("/assets", &json!({ "url": url })).await;
        assert_eq!(answer.status, 422, "{name}");
        let said = answer.errors().iter().any(|(_, detail)| detail.contains("larger than 32 MiB"));
        assert_eq!(said, is_huge, "{name}");
    }
}

#[tokio::test]
async fn what_is_more_than_anybody_needs_is_refused_by_field() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    for (body, field, said) in [
        (
            json!({ "items": [{ "asset": "film10", "breaks": [
                { "at": 4, "duration": 1 }, { "at": 6, "duration": 1e8, "ads": ["ad2"] },
            ]}]}),
            "items[0].breaks[1].duration",
            "at most 3600 s",
        ),
        (
            json!({ "items": [{ "asset": "film10", "breaks": [{ "at": 4, "duration": 1e308 }] }] }),
            "items[0].breaks[0].duration",
            "number of seconds",
        ),
        (
            json!({ "items": vec![json!({ "asset": "none" }); 5_000] }),
            "items[99].asset",
            "not an asset",
        ),
        (json!({ "remove": vec![1; 5_001] }), "remove", "at most 5000"),
        (json!({ "remove": vec![1; 10_001] }), "remove", "at most 10000"),
    ] {
        let answer = world.post("/channels/one/schedule", &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        let errors = answer.errors();
        assert!(errors.len() <= 100, "{errors:?}");
        let found = errors.iter().any(|(name, detail)| name == field && detail.contains(said));
        assert!(found, "{body}: {errors:?}");
    }
    // No playlist may hold control characters, and none needs more of a title.
    let said = "must be at most 200 characters, none of control";
    for title in ["a\0b".to_owned(), "a\u{85}".to_owned(), "a\nb".to_owned(), "ü".repeat(201)] {
        let title = json!(title);
        let film = json!({ "items": [{ "asset": "film10", "title": title }] });
        let url = "https://vod.example/ad2/main.m3u8";
        for (answer, field) in [
            (world.post("/channels/one/schedule", &film).await, "items[0].title"),
            (world.post("/assets", &json!({ "url": url, "title": title })).await, "title"),
            (world.put("/channels/two", &json!({ "title": title })).await, "title"),
        ] {
            assert_eq!(answer.status, 422, "{title}");
            assert_eq!(answer.errors(), [(field.to_owned(), said.to_owned())], "{title}");
        }
    }
    let film = json!({ "items": [{ "asset": "film10", "title": "ü".repeat(200) }] });
    assert_eq!(world.post("/channels/one/schedule", &film).await.status, 201);
    let fill = json!({ "assets": ["ad2"], "breaks": { "every": 600, "duration": 3601 } });
    let answer = world.put("/channels/two", &json!({ "fill": fill })).await;
    let expected = ("fill.breaks.duration".to_owned(), "must be at most 3600 s".to_owned());
    assert_eq!((answer.status.as_u16(), answer.errors()), (422, vec![expected]));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_with_the_limit_of_its_route() {
    let world = World::new();
    for (path, most) in [
        ("/sessions", 64 << 10),
        ("/api/v1/fetcher", 64 << 10),
        ("/assets", 4 << 20),
        ("/channels/one/schedule", 4 << 20),
    ] {
        let send = async |length: usize| {
            let text = format!("{{{}}}", " ".repeat(length - 2));
            world.post_text(path, "application/json", text).await
        };
        let answer = send(most + 1).await;
        assert_eq!(answer.status, 413, "{path}");
        let said = format!("at most {most} bytes");
        assert!(answer.text.contains(&said), "{path}: {}", answer.text);
        assert_ne!(send(most).await.status, 413, "{path}");
    }
    let long = world.put("/channels/one", &json!({ "title": "x".repeat(4 << 20) })).await;
    assert_eq!(long.status, 413);
    assert!(long.text.contains("at most 4194304 bytes"), "{}", long.text);
}
