//! Channels as their owners and viewers see them.

use crate::world::{Answer, World};
use axum::http::Method;
use channel::Entry;
use channel::ports::{ChannelRecord, Shelf};
use hls::{Micros, Timestamp};
use serde_json::{Value, json};
use tests::conformance::shelf::entry;

impl World {
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        let request = axum::http::Request::put(path).header("content-type", "application/json");
        self.send(request.body(body.to_string().into()).unwrap()).await
    }

    /// Adds an asset of so many segments of two seconds.
    pub async fn add(&self, name: &str) {
        let body = json!({ "id": name, "url": format!("https://vod.example/{name}/main.m3u8") });
        let answer = self.post("/assets", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }

    /// Makes a channel of `body` and the assets that tests speak of.
    pub async fn channel(&self, body: &Value) -> Value {
        for name in ["film10", "show5", "ad2", "slate3"] {
            self.add(name).await;
        }
        let answer = self.put("/channels/one", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }
}

pub fn roles(entries: &Value) -> Vec<(String, String)> {
    let items = entries["entries"].as_array().unwrap().iter();
    let items = items.flat_map(|entry| entry["items"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items.map(|item| (text(&item["role"]), text(&item["asset"]))).collect()
}

#[tokio::test]
async fn a_vod_is_added_or_refused_with_every_reason() {
    let world = World::new();
    world.add("film10").await;
    let shown = world.get("/assets/film10").await.json();
    assert_eq!(shown["duration"], 20, "{shown}");
    assert_eq!(shown["renditions"], json!(["video_180p", "video_360p"]));
    for (body, field, said) in [
        (
            json!({ "url": "https://vod.example/uneven4/main.m3u8" }),
            "url",
            "has 5 segments where v0.m3u8 has 4",
        ),
        (
            json!({ "url": "https://vod.example/none/main.m3u8" }),
            "url",
            "cannot be read: origin answered 404",
        ),
        (
            json!({ "url": "https://vod.example/film10/v0.m3u8" }),
            "url",
            "give the multivariant playlist",
        ),
        (json!({ "url": "http://127.0.0.1/a.m3u8" }), "url", "not a public address"),
        (json!({ "id": "a b", "url": "https://vod.example/film10/main.m3u8" }), "id", "letters"),
        (json!({ "id": "a" }), "url", "is required"),
        (json!({ "other": 1 }), "other", "is not known here"),
    ] {
        let answer = world.post("/assets", &body).await;
        assert_eq!(answer.status, 422, "{body}");
        let errors = answer.errors();
        let found = errors.iter().any(|(name, detail)| name == field && detail.contains(said));
        assert!(found, "{body}: {errors:?}");
    }
    assert_eq!(world.delete("/assets/film10").await.status, 204);
    assert_eq!(world.delete("/assets/film10").await.status, 404);
}

#[tokio::test]
async fn a_channel_is_made_scheduled_changed_and_deleted() {
    let world = World::new();
    let made = world.channel(&json!({ "slate": "slate3", "ads": ["ad2"] })).await;
    assert_eq!(made["target_duration"], 10, "what comes may have longer segments");
    assert_eq!(made["renditions"], json!(["video_180p", "video_360p"]));

    let items = json!({ "items": [
        { "asset": "film10", "title": "Film", "breaks": [{ "at": 10, "duration": 4 }] },
        { "asset": "show5" },
    ]});
    let written = world.post("/channels/one/schedule", &items).await;
    assert_eq!(written.status, 201, "{}", written.text);
    let all = [
        ("slate", "slate3"),
        ("programme", "film10"),
        ("ad", "ad2"),
        ("programme", "film10"),
        ("programme", "show5"),
    ];
    let owned = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(role, asset)| ((*role).to_owned(), (*asset).to_owned())).collect()
    };
    assert_eq!(roles(&written.json()), owned(&all));
    let show = written.json()["entries"][2]["id"].as_u64().unwrap();

    let edited = world
        .post("/channels/one/schedule", &json!({ "before": show, "items": [{ "asset": "ad2" }] }))
        .await;
    assert_eq!(roles(&edited.json()), owned(&[("programme", "ad2"), ("programme", "show5")]));
    assert_eq!(
        world.post("/channels/one/schedule", &json!({ "remove": [show] })).await.status,
        201
    );
    let shown = world.get("/channels/one/schedule").await.json();
    assert_eq!(roles(&shown).last().unwrap().1, "ad2", "{shown}");

    let now = world.get("/channels/one/now").await.json();
    assert_eq!(now["playing"]["role"], "slate", "{now}");
    assert_eq!(now["next"][0]["title"], "Film");
    assert_eq!(now["next_break"]["duration"], 4);

    assert_eq!(world.put("/channels/one", &json!({ "slate": "ad2" })).await.status, 409);
    let changed = world.put("/channels/one", &json!({ "slate": "slate3", "title": "One" })).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["title"]), (200, &json!("One")));

    assert_eq!(world.delete("/channels/one").await.status, 204);
    for path in ["/channels/one", "/channels/one/master.m3u8", "/channels/one/now"] {
        assert_eq!(world.get(path).await.status, 410, "{path}");
    }
    assert_eq!(
        world.put("/channels/one", &json!({ "slate": "ad2" })).await.status,
        201,
        "made anew"
    );
}

#[tokio::test]
async fn what_cannot_be_scheduled_is_refused_by_field() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let past = "2023-11-14T22:13:00Z";
    for (body, field, said) in [
        (json!({}), "items", "at least one"),
        (json!({ "items": [{}] }), "items[0].asset", "is required"),
        (json!({ "items": [{ "asset": "none" }] }), "items[0].asset", "is not an asset"),
        (
            json!({ "items": [{ "asset": "ad2", "start": past }] }),
            "items[0].start",
            "must not be before",
        ),
        (
            json!({ "items": [{ "asset": "ad2", "start": "9999-01-01T00:00:00Z" }] }),
            "items[0].start",
            "within a year",
        ),
        (
            json!({ "items": [{ "asset": "ad2", "offset": 9 }] }),
            "items[0].offset",
            "nothing of the asset",
        ),
        (
            json!({ "items": [{ "asset": "ad2", "duration": 0 }] }),
            "items[0].duration",
            "nothing of the asset",
        ),
        (
            json!({ "items": [{ "asset": "ad2", "duration": "1" }] }),
            "items[0].duration",
            "number of seconds",
        ),
        (
            json!({ "items": [{ "asset": "ad2", "breaks": [{ "at": 99, "duration": 4 }] }] }),
            "items[0].breaks[0].at",
            "is not in the part",
        ),
        (
            json!({ "items": [{ "asset": "ad2", "breaks": [{ "at": 2 }] }] }),
            "items[0].breaks[0].duration",
            "is required",
        ),
        (json!({ "from": past, "items": [{ "asset": "ad2" }] }), "from", "is settled"),
        (json!({ "entry": 77, "items": [{ "asset": "ad2" }] }), "entry", "is no programme"),
        (json!({ "remove": [77] }), "remove", "is no programme"),
        (json!({ "remove": [1], "before": 2 }), "body", "at most"),
    ] {
        let answer = world.post("/channels/one/schedule", &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        let errors = answer.errors();
        let found = errors.iter().any(|(name, detail)| name == field && detail.contains(said));
        assert!(found, "{body}: {errors:?}");
    }
    for (path, body, field) in [
        ("/channels/two", json!({ "slate": "none" }), "slate"),
        ("/channels/two", json!({ "loop": ["ad2", "none"] }), "loop[1]"),
        ("/channels/two", json!({ "loop": ["ad2"], "slate": "slate3" }), "slate"),
        ("/channels/two", json!({ "loop": ["ad2"], "ads": ["ad2"] }), "ads"),
        ("/channels/two", json!({ "loop": ["ad2"], "fill": { "assets": ["ad2"] } }), "fill"),
        ("/channels/two", json!({ "slate": "ad2", "target_duration": 1 }), "slate"),
        ("/channels/two", json!({ "target_duration": 0 }), "target_duration"),
        ("/channels/two", json!({ "markers": ["x"] }), "markers"),
        ("/channels/two", json!({ "fill": { "assets": [] } }), "fill.assets"),
        ("/channels/two", json!({ "ladder": [{}] }), "ladder[0].bandwidth"),
        ("/channels/two", json!({ "ladder": 5 }), "ladder"),
        ("/channels/two", json!({ "slate": "ad2", "ladder": "none" }), "ladder"),
        ("/channels/t.o", json!({ "slate": "ad2" }), "id"),
    ] {
        let answer = world.put(path, &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        assert!(answer.errors().iter().any(|(name, _)| name == field), "{body}: {}", answer.text);
    }
    assert_eq!(world.post("/channels/none/schedule", &json!({ "items": [] })).await.status, 404);
    assert_eq!(world.get("/channels/one/schedule?from=x").await.status, 400);
}

#[tokio::test]
async fn a_change_of_the_schedule_of_which_a_part_would_be_ignored_is_refused_as_a_whole() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let items = json!([{ "asset": "film10" }, { "asset": "show5" }]);
    let written = world.post("/channels/one/schedule", &json!({ "items": items })).await.json();
    let id = &written["entries"][2]["id"];
    let all = "/channels/one/schedule?from=2023-11-14T22:13:00Z";
    let before = world.get(all).await.json();
    let at = "2023-11-14T22:20:00Z";
    let items = json!([{ "asset": "ad2" }]);
    for (body, field) in [
        (json!({ "remove": [id], "items": items }), "items"),
        (json!({ "remove": [id], "before": id, "items": items }), "body"),
        (json!({ "remove": [id], "entry": id }), "body"),
        (json!({ "remove": [id], "from": at }), "body"),
        (json!({ "from": at, "before": id, "items": items }), "body"),
        (json!({ "from": at, "entry": id, "items": items }), "body"),
        (json!({ "entry": id, "before": id, "items": items }), "body"),
        (json!({ "entry": id, "items": [] }), "items"),
        (json!({ "before": id }), "items"),
    ] {
        let answer = world.post("/channels/one/schedule", &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        assert!(answer.errors().iter().any(|(name, _)| name == field), "{body}: {}", answer.text);
        assert_eq!(world.get(all).await.json(), before, "{body}");
    }
    let body = json!({ "remove": [id], "items": [] });
    assert_eq!(world.post("/channels/one/schedule", &body).await.status, 201, "{body}");
}

#[tokio::test]
async fn a_channel_offers_what_is_said_or_what_the_richest_of_its_assets_does() {
    let (poor, rich) = (json!(["video_180p"]), json!(["video_180p", "video_360p"]));
    for (body, renditions, target) in [
        (json!({ "slate": "poor3" }), &poor, 10),
        (json!({ "slate": "poor3", "ads": ["ad2"] }), &rich, 10),
        (json!({ "slate": "poor3", "ladder": "film10" }), &rich, 10),
        (json!({ "slate": "slate3", "ladder": "poor3", "target_duration": 4 }), &poor, 4),
        (json!({ "slate": "poor3", "fill": { "assets": ["slow2"] } }), &rich, 12),
        (json!({ "loop": ["poor3", "ad2"] }), &rich, 2),
        (
            json!({ "slate": "slate3", "ladder": [{ "bandwidth": 1, "resolution": "8x180" }] }),
            &poor,
            10,
        ),
    ] {
        let world = World::new();
        for name in ["poor3", "slow2"] {
            world.add(name).await;
        }
        let made = world.channel(&body).await;
        assert_eq!(
            (&made["renditions"], &made["target_duration"]),
            (renditions, &json!(target)),
            "{body}"
        );
        assert_eq!(world.put("/channels/one", &body).await.status, 200, "{body}");
    }
}

#[tokio::test]
async fn playlists_say_how_long_they_are_good_and_are_not_sent_twice() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let master = world.get("/channels/one/master.m3u8").await;
    assert_eq!(master.header("content-type"), "application/vnd.apple.mpegurl");
    assert!(master.text.contains("\nvideo_360p.m3u8\n"), "{}", master.text);
    let media = world.get("/channels/one/video_360p.m3u8").await;
    assert_eq!(media.status, 200);
    assert!(media.text.contains("https://vod.example/slate3/0.ts"), "{}", media.text);
    assert!(
        ["public, max-age=0", "public, max-age=1", "public, max-age=2"]
            .contains(&media.header("cache-control"))
    );
    assert_eq!(media.header("access-control-allow-origin"), "*");

    let tag = master.header("etag").to_owned();
    let conditional = axum::http::Request::get("/channels/one/master.m3u8")
        .header("if-none-match", format!("\"x\", W/{tag}"));
    let answer = world.send(conditional.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""));
    let head = world.ask(Method::HEAD, "/channels/one/master.m3u8").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), master.text.len().to_string());

    for path in [
        "/channels/none/master.m3u8",
        "/channels/one/other.m3u8",
        "/channels/one/a.ts",
        "/channels/one/anna/master.m3u8",
    ] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
    assert_eq!(world.put("/channels/empty", &json!({})).await.status, 201);
    assert_eq!(world.get("/channels/empty/master.m3u8").await.status, 503);
    let first = json!({ "items": [{ "asset": "film10" }] });
    assert_eq!(world.post("/channels/empty/schedule", &first).await.status, 201);
    let media = world.get("/channels/empty/video_180p.m3u8").await;
    assert!(
        media.text.contains("film10/0.ts"),
        "there is something to play at once: {}",
        media.text
    );

    let asked = world.ask(Method::OPTIONS, "/channels/one/video_360p.m3u8").await;
    assert_eq!((asked.status.as_u16(), asked.header("access-control-allow-origin")), (204, "*"));

    let peer = world.get("/live/master.m3u8?channel=one").await;
    assert_eq!((peer.status.as_u16(), peer.header("location")), (302, "/channels/one/master.m3u8"));
    assert_eq!(world.get("/channels/one/video_360p.m3u8;session=1").await.status, 200);
}

#[tokio::test]
async fn every_viewer_has_a_channel_of_a_loop() {
    let world = World::new();
    world
        .channel(&json!({ "loop": ["film10", "show5", "ad2", "slate3"], "window_seconds": 400 }))
        .await;
    assert!(world.get("/channels/one/video_180p.m3u8").await.text.contains("#EXTINF"));
    let mut seen = std::collections::BTreeSet::new();
    for viewer in ["anna", "ben", "carl", "dora", "emil"] {
        assert!(
            world
                .get(&format!("/channels/one/{viewer}/master.m3u8"))
                .await
                .text
                .contains("video_180p")
        );
        let media = world.get(&format!("/channels/one/{viewer}/video_180p.m3u8")).await;
        seen.insert(
            media
                .text
                .lines()
                .filter(|line| line.starts_with("http"))
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        );
    }
    assert!(seen.len() > 1, "all viewers see the same");
    let items = json!({ "items": [{ "asset": "film10" }] });
    assert_eq!(world.post("/channels/one/schedule", &items).await.status, 409);
    assert_eq!(world.get("/channels/one/now").await.json()["next"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_schedule_fills_itself_hours_ahead_with_breaks() {
    let world = World::new();
    let fill = json!({
        "assets": ["film10", "show5"], "order": "shuffle", "ahead_seconds": 600,
        "breaks": { "every": 6, "duration": 4 },
    });
    world.channel(&json!({ "slate": "slate3", "ads": ["ad2"], "fill": fill })).await;
    let shown = world.get("/channels/one/schedule").await.json();
    let end =
        shown["entries"].as_array().unwrap().last().unwrap()["end"].as_str().unwrap().to_owned();
    assert!(end.as_str() > "2023-11-14T22:23:00Z", "{end}");
    let roles = roles(&shown);
    let count = |wanted: &str| roles.iter().filter(|(_, asset)| asset == wanted).count();
    // Cut by two breaks and by one: as often as each other, but for the last cycle.
    let (films, shows) = (count("film10") / 3, count("show5") / 2);
    assert!(films.abs_diff(shows) <= 1 && films > 5, "{films} {shows}");
    assert!(count("ad2") > 20, "{roles:?}");
}

#[tokio::test]
async fn a_session_carries_a_channel_by_its_name() {
    let world = World::new();
    let mut body = crate::world::request("a");
    body["source"] = json!({ "channel": "one" });
    let made = world.post("/sessions", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let address = "http://127.0.0.1:8080/channels/one/master.m3u8";
    assert_eq!(made.json()["source"]["url"], address);
    for source in [
        json!({ "channel": "../x" }),
        json!({ "channel": "none" }),
        json!({ "channel": "one", "url": "https://a.example/m.m3u8" }),
    ] {
        body["source"] = source.clone();
        let refused = world.post("/sessions", &body).await;
        assert_eq!(refused.status, 422, "{source}");
        assert!(refused.errors().iter().any(|(field, _)| field == "source.channel"), "{source}");
    }
    // What is not public may be read because it is a channel that plays here, not because somebody knows its address.
    for (at, field) in
        [("/source", "source.url"), ("/output/endpoints/0", "output.endpoints[0].url")]
    {
        let mut body = crate::world::request("b");
        *body.pointer_mut(at).unwrap() = json!({ "url": address });
        let refused = world.post("/sessions", &body).await;
        assert_eq!(refused.errors()[0].0, field, "{}", refused.text);
    }
}

#[tokio::test]
async fn what_is_over_for_more_than_a_day_and_a_window_is_in_the_schedule_no_more() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3", "window_seconds": 3_600 })).await;
    let shelf = &world.channels.shelf;
    let record = shelf.channel("one").await.unwrap().unwrap();
    let record = ChannelRecord { revision: record.revision + 1, ..record };
    // Entries of 10 s: 2 days old and less, up to the moment, by the clock of the test.
    let now = 1_700_000_000;
    let entries: Vec<Entry> = (0..17_280).map(|at| entry(at, now - 172_800 + at * 10)).collect();
    assert!(shelf.commit(&record, None, &entries).await.unwrap());
    let log = async || shelf.log("one", Timestamp(0), Timestamp(u64::MAX)).await.unwrap();
    assert_eq!(log().await.len(), 17_280);
    world.channels.tend(Micros::from_secs(30)).await.unwrap();
    let left = log().await;
    let kept = 24 * 3_600 + 3_600;
    let oldest = left[0].end().0 / 1_000_000;
    assert!((now - kept..now - kept + 120).contains(&oldest), "{oldest} at {now}");
    assert_eq!(left, entries[entries.len() - left.len()..], "the rest is as it was");
    // Of a schedule that ended long ago, the last stays: what comes next is counted from it.
    let over = ChannelRecord { revision: record.revision + 1, ..record };
    let cut = Some(Timestamp(0));
    assert!(shelf.commit(&over, cut, &[entry(1, 1_000), entry(2, 1_010)]).await.unwrap());
    world.channels.tend(Micros::from_secs(30)).await.unwrap();
    assert_eq!(log().await, [entry(2, 1_010)]);
}

#[tokio::test]
async fn the_trouble_with_a_live_source_is_told_for_as_long_as_it_should_play() {
    let world = World::new();
    world.channel(&json!({ "slate": "slate3" })).await;
    let end = world.now() + Micros::from_secs(60);
    let live = json!({ "live": "https://vod.example/none/main.m3u8", "end": end.to_string() });
    let written = world.post("/channels/one/schedule", &json!({ "items": [live] })).await;
    assert_eq!(written.status, 201, "{}", written.text);
    let trouble = async || world.get("/channels/one/now").await.json()["trouble"].clone();
    world.channels.follow(world.now() + Micros::from_secs(20)).await.unwrap();
    let told = trouble().await;
    assert!(told.as_str().unwrap().contains("404"), "{told}");
    world.channels.follow(end + Micros::from_secs(10)).await.unwrap();
    assert_eq!(trouble().await, json!(null), "it is over");
}
