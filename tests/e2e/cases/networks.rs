//! Networks that are slow, that lose and cut off, and that are narrow.

use crate::apache::DIGEST;
use crate::network::{Network, Weather};
use crate::program::Program;
use crate::scene::Scene;
use serde_json::Value;
use std::time::Duration;

/// For how long each is as bad; the source lists its segments for 12 s.
const BAD: Duration = Duration::from_secs(6);
/// 1 Mbit/s; the source has about a third of that.
const NARROW: u32 = 125_000;
const WEATHERS: [Weather; 4] = [
    Weather::Slow(Duration::from_millis(400)),
    Weather::Lost,
    Weather::Resets(20_000),
    Weather::Narrow(NARROW),
];
const RECOVERY: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_bad_network_before_an_endpoint_delays_it_and_not_the_other() {
    let scene = Scene::start(&[DIGEST, DIGEST]).await;
    let network = Network::before(scene.apaches[1].port()).await;
    let mut request = scene.request();
    let url = &mut request["output"]["endpoints"][1]["url"];
    *url = network.address(url.as_str().unwrap()).into();
    let id = scene.ferry.make(request).await;
    scene.caught_up(RECOVERY).await;
    for weather in WEATHERS {
        network.set(weather);
        tokio::time::sleep(BAD).await;
        let published = scene.published.so_far().values().map(Vec::len).min().unwrap();
        let listed = scene.observers[0].segments();
        assert!(listed + 1 >= published, "{weather:?}: the other lists {listed} of {published}");
        if matches!(weather, Weather::Slow(_) | Weather::Narrow(_)) {
            scene.caught_up(BAD).await;
        }
        network.set(Weather::Fair);
        scene.caught_up(RECOVERY).await;
    }
    assert!(network.resets() > 0, "connections were cut off");
    let running = |session: &Value| session["status"] == "running";
    scene.ferry.until(&id, "running", RECOVERY, running).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn a_bad_network_before_the_source_loses_nothing() {
    let scene = Scene::start(&[DIGEST]).await;
    let source = scene.origin.url("main.m3u8");
    let network = Network::before(scene.origin.port()).await;
    let mut request = scene.request();
    request["source"]["url"] = network.address(&source).into();
    let id = scene.ferry.make(request).await;
    scene.caught_up(RECOVERY).await;
    for weather in WEATHERS {
        network.set(weather);
        tokio::time::sleep(BAD).await;
        if matches!(weather, Weather::Slow(_) | Weather::Narrow(_)) {
            scene.caught_up(BAD).await;
        }
        network.set(Weather::Fair);
        scene.caught_up(RECOVERY).await;
    }
    assert!(network.resets() > 0, "connections were cut off");
    scene.end(&id).await.is_whole();
}
