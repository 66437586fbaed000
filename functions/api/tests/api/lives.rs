//! Live sources between programmes, followed as their playlists say.

use crate::world::World;
use hls::Micros;
use serde_json::{Value, json};

impl World {
    /// Schedules live sources on the channel `one`, each for so many seconds.
    async fn live(&self, sources: &[(&str, u64)]) {
        self.channel(&json!({ "slate": "slate3" })).await;
        let mut end = self.now() + Micros::from_secs(12);
        let mut items = Vec::new();
        for (name, seconds) in sources {
            let start = end.to_string();
            end = end + Micros::from_secs(*seconds);
            let url = format!("https://vod.example/{name}/main.m3u8");
            items.push(json!({ "live": url, "start": start, "end": end.to_string() }));
        }
        let answer = self.post("/channels/one/schedule", &json!({ "items": items })).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }

    async fn follow(&self, seconds: u64) {
        self.channels.follow(self.now() + Micros::from_secs(seconds)).await.unwrap();
    }

    async fn trouble(&self) -> Value {
        self.get("/channels/one/now").await.json()["trouble"].clone()
    }

    /// The addresses of live sources that were scheduled, in their order.
    async fn pieces(&self) -> Vec<String> {
        use channel::ports::Shelf;
        let (first, last) = (hls::Timestamp(0), hls::Timestamp(u64::MAX));
        let log = self.channels.shelf.log("one", first, last).await.unwrap();
        let pieces = log.iter().filter_map(|it| Some((&it.seen.as_ref()?.index, &it.items[0])));
        let listed = pieces.flat_map(|(index, item)| {
            (0..item.end)
                .filter_map(|place| Some(index.needs(&item.tracks, place)?.segment.to_owned()))
        });
        listed.map(|it| it.replace("https://vod.example/", "")).collect()
    }
}

#[tokio::test]
async fn of_each_live_source_its_own_segments_play() {
    let world = World::new();
    world.live(&[("film10", 20), ("show5", 20)]).await;
    world.follow(60).await;
    assert_eq!(
        world.pieces().await,
        ["film10/7.ts", "film10/8.ts", "film10/9.ts", "show5/2.ts", "show5/3.ts", "show5/4.ts"]
    );
}

#[tokio::test]
async fn a_live_source_plays_when_one_of_its_variants_cannot_be_read_and_that_is_told() {
    let world = World::new();
    world.live(&[("film10", 90)]).await;
    world.channels.vods.gone.lock().unwrap().insert("film10/v1.m3u8".to_owned());
    world.follow(6).await;
    let told = world.trouble().await;
    assert!(told.as_str().unwrap().starts_with("v1.m3u8: "), "{told}");
    world.follow(40).await;
    assert_eq!(world.pieces().await, ["film10/7.ts", "film10/8.ts", "film10/9.ts"]);
}

#[tokio::test]
async fn a_live_source_that_stands_still_is_told_and_its_multivariant_playlist_read_again() {
    let world = World::new();
    world.live(&[("open10", 200)]).await;
    world.follow(40).await;
    let old = ["open10/v7.ts", "open10/v8.ts", "open10/v9.ts"];
    assert_eq!(world.pieces().await, old);
    let told = world.trouble().await;
    assert!(told.as_str().unwrap().starts_with("lists nothing new since 2023-"), "{told}");

    world.channels.vods.anew.lock().unwrap().insert("open10".to_owned(), 10);
    world.follow(90).await;
    let new = ["open10/w7.ts", "open10/w8.ts", "open10/w9.ts"];
    assert_eq!(world.pieces().await, [old, new].concat());
}

#[tokio::test]
async fn a_live_source_that_lists_too_little_to_be_joined_is_told() {
    let world = World::new();
    world.live(&[("open2", 90)]).await;
    world.follow(10).await;
    assert_eq!(world.pieces().await, Vec::<String>::new());
    let told = world.trouble().await;
    assert!(told.as_str().unwrap().starts_with("lists "), "{told}");
}
