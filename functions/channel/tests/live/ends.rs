//! Where a live programme ends or is cut, its subtitles end with the picture.

use crate::vod::{EPOCH, Told, index, media, moment, read_media, read_multivariant, told, whole};
use channel::{
    AssetHash, Change, Channel, Edit, Entry, Event, Library, Slate, Source, Wish, append, edit, gap,
};
use hls::{Micros, Seconds};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const TITLED: &str = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",LANGUAGE="en",URI="s.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=400000,SUBTITLES="s"
v.m3u8
"#;

/// A channel with a slate of 1 s that is to play a live source, and then a show of five segments of 2 s.
#[derive(Clone)]
struct World {
    channel: Channel,
    show: AssetHash,
    indexes: Library,
    log: Vec<Entry>,
    next_id: u64,
}

/// What a source lists: a picture in segments of 2 s, and subtitles in segments of so many milliseconds, of which the first
/// begins so much later.
#[derive(Clone, Copy, Debug)]
struct Stage {
    text: i64,
    late: i64,
}

impl Stage {
    fn list(self, extension: &str, now: i64) -> String {
        let (length, late) = if extension == "vtt" { (self.text, self.late) } else { (2_000, 0) };
        let mut list = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:10\n");
        let began = late - 40_000;
        let count = (now - began).div_euclid(length);
        let first = (count - 24_000 / length).max(0);
        list.push_str(&format!("#EXT-X-MEDIA-SEQUENCE:{first}\n"));
        for place in first..count {
            let date = moment(began + place * length);
            let (seconds, rest) = (length / 1_000, length % 1_000);
            list.push_str(&format!(
                "#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXTINF:{seconds}.{rest:03},\nl{place}.{extension}\n"
            ));
        }
        list
    }
}

impl World {
    fn new(until: i64) -> Self {
        let vod = |name: &str, picture: &[i64], text: &[i64]| {
            let media =
                [("v.m3u8", media("v", "ts", picture)), ("s.m3u8", media("s", "vtt", text))];
            index(&format!("/{name}/"), TITLED, &media).unwrap()
        };
        let (slate, show) =
            (vod("slate", &[1_000], &[1_000]), vod("show", &[2_000; 5], &[4_000; 3]));
        let ladder = show.ladder().clone();
        let tracks = channel::tracks(&ladder, Seconds(10), &slate).unwrap();
        let channel = Channel {
            ladder,
            epoch: EPOCH,
            target_duration: Seconds(10),
            window: Micros::from_secs(600),
            slate: Some(Slate { asset: slate.hash(), tracks }),
            ads: Vec::new(),
            markers: BTreeSet::new(),
            numbers: channel::Numbers::default(),
        };
        let hash = show.hash();
        let indexes = [slate, show].map(|it| (it.hash(), Arc::new(it))).into_iter().collect();
        let mut world = Self { channel, show: hash, indexes, log: Vec::new(), next_id: 1 };
        let live = Event {
            url: "https://live.example/main.m3u8".to_owned(),
            end: moment(until),
            seen: None,
        };
        let show = world.wish();
        let live = Wish {
            live: Some(live),
            start: Some(moment(20_000)),
            asset: AssetHash(String::new()),
            ..show.clone()
        };
        assert!(world.change(Edit::Append(vec![live, show]), 0));
        world
    }

    fn wish(&self) -> Wish {
        whole(self.show.clone())
    }

    fn take(&mut self, Change { kept, entries }: Change) {
        self.log.truncate(kept);
        self.log.extend(entries);
        let highest = self.log.iter().map(|entry| entry.id + 1).max().unwrap_or(0);
        self.next_id = self.next_id.max(highest);
        let seen = Entry::seen(&self.log).map(|(hash, asset)| (hash, Arc::new(asset.clone())));
        self.indexes.extend(seen);
    }

    fn change(&mut self, wanted: Edit, now: i64) -> bool {
        let at = moment(now);
        let change = edit(&self.channel, &self.log, self.next_id, wanted, &self.indexes, at);
        change.map(|change| self.take(change)).is_ok()
    }

    fn look(&mut self, stage: Stage, now: i64) {
        let at = moment(now);
        let Some(gap) = gap(&self.log, at).filter(|gap| gap.due <= at) else { return };
        let media = [("v.m3u8", "ts"), ("s.m3u8", "vtt")]
            .map(|(name, extension)| (name.to_owned(), read_media(&stage.list(extension, now))));
        let media = BTreeMap::from(media);
        let (base, multivariant) = ("https://live.example/main.m3u8", read_multivariant(TITLED));
        let (of, after) = ((&self.channel.ladder, Seconds(10)), gap.event.seen.as_ref());
        let out = BTreeSet::new();
        let source = Source::read(base, &multivariant, &media, &out, of, after).unwrap();
        let Ok(Some(piece)) = source.next(after, gap.is_hole, false) else { return };
        let (log, indexes) = (&self.log, &self.indexes);
        let change = append(&self.channel, log, self.next_id, &piece, indexes, at).unwrap();
        change.into_iter().for_each(|change| self.take(change));
    }

    fn list(&self, rendition: usize, now: i64) -> Vec<Told> {
        let items: Vec<_> = self.log.iter().flat_map(|entry| entry.items.clone()).collect();
        let list = self.channel.media_playlist(&items, &self.indexes, moment(now), rendition);
        list.map_or_else(|_| Vec::new(), |list| told(&read_media(&list.text)))
    }
}

/// What is listed of the live programme's subtitles and of what follows: what, from when and for how long.
fn story(world: &World, now: i64) -> String {
    let all = world.list(1, now);
    let live = all.iter().skip_while(|it| !it.address.contains("live.example"));
    let said = live.map(|it| {
        let name = it.address.trim_start_matches("https://live.example/").trim_end_matches(".vtt");
        format!("{name} {}+{}", it.start, it.end - it.start)
    });
    said.take(6).collect::<Vec<_>>().join(", ")
}

/// What becomes of a channel that plays a stage, each second until a minute has passed.
fn played(stage: Stage, until: i64, cut: Option<(i64, i64)>) -> Vec<World> {
    let mut world = World::new(until);
    let mut worlds = Vec::new();
    for now in (0..60_000).step_by(1_000) {
        world.look(stage, now);
        if let Some((_, at)) = cut.filter(|(when, _)| *when == now) {
            let show = world.wish();
            world.change(Edit::From(moment(at), vec![show]), now);
        }
        worlds.push(world.clone());
    }
    worlds
}

#[test]
fn the_last_subtitles_of_a_live_programme_end_with_its_picture() {
    for (name, until, text, cut, expected) in [
        (
            "at its end",
            37_000,
            4_000,
            None,
            "l11 22000+4000, l12 26000+4000, l13 30000+4000, l14 34000+2000, /slate/s0 36000+1000, /show/s0 37000+4000",
        ),
        (
            "where it is cut",
            120_000,
            4_000,
            Some((28_000, 35_500)),
            "l11 22000+4000, l12 26000+4000, l13 30000+4000, l14 34000+2000, /show/s0 36000+4000, /show/s1 40000+4000",
        ),
        (
            "where little of a segment is left",
            37_000,
            5_900,
            None,
            "l7 21300+5900, l8 27200+5900, l9 33100+2900, /slate/s0 36000+1000, /show/s0 37000+4000, /show/s1 41000+4000",
        ),
        (
            "where pieces are without any",
            37_000,
            9_000,
            None,
            "l4 20000+9000, l5 29000+7000, /slate/s0 36000+1000, /show/s0 37000+4000, /show/s1 41000+4000, /show/s2 45000+2000",
        ),
    ] {
        let worlds = played(Stage { text, late: 0 }, until, cut);
        assert_eq!(story(worlds.last().unwrap(), 60_000), expected, "{name}");
    }
}

#[test]
fn a_log_of_before_counts_the_subtitles_of_a_live_programme_as_it_did() {
    let worlds = played(Stage { text: 3_000, late: 0 }, 120_000, None);
    let world = worlds.get(35).unwrap();
    let first = world.log.iter().find(|it| it.seen.is_some()).unwrap();
    let cut = |entry: &Entry, at: i64| {
        let mut world = world.clone();
        world.log.retain(|it| it.start() < entry.start());
        world.log.push(entry.clone());
        let at = moment(at);
        let change = edit(
            &world.channel,
            &world.log,
            90,
            Edit::From(at, vec![world.wish()]),
            &world.indexes,
            moment(0),
        );
        world.take(change.unwrap());
        story(&world, 60_000)
    };
    let mut before = serde_json::to_value(first).unwrap();
    let live = before["items"][0]["live"].as_object_mut().unwrap();
    assert_eq!(live.remove("covered"), Some(true.into()));
    let before = serde_json::from_value(before).unwrap();
    assert_eq!(
        cut(first, 22_000),
        "l14 20000+2000, /show/s0 22000+4000, /show/s1 26000+4000, /show/s2 30000+2000, /slate/s0 32000+1000, /slate/s0 33000+1000"
    );
    assert_eq!(
        cut(first, 24_000),
        "l14 20000+3000, l15 23000+1000, /show/s0 24000+4000, /show/s1 28000+4000, /show/s2 32000+2000, /slate/s0 34000+1000"
    );
    assert_eq!(
        cut(&before, 24_000),
        "l14 20000+3000, /show/s0 24000+4000, /show/s1 28000+4000, /show/s2 32000+2000, /slate/s0 34000+1000, /slate/s0 35000+1000"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_reader_sees_subtitles_of_a_live_programme_go_back_or_change(
        text in 700_i64..9_900,
        late in 0_i64..5_000,
        until in 26_000_i64..50_000,
        cut in prop::option::of((20_i64..44, 6_000_i64..16_000)),
        stale in vec((0_usize..5, 0_i64..1_000), 7),
    ) {
        let cut = cut.map(|(when, after)| (when * 1_000, when * 1_000 + after));
        let worlds = played(Stage { text, late }, until, cut);
        let mut known: BTreeMap<u64, Told> = BTreeMap::new();
        for (step, (stale, skew)) in (0_i64..).zip(stale.iter().cycle()).take(240) {
            let now = step * 250;
            let seen = usize::try_from(now / 1_000).unwrap().saturating_sub(*stale);
            let listed = worlds[seen].list(1, now + skew);
            for it in &listed {
                let before = known.entry(it.number).or_insert_with(|| it.clone());
                prop_assert_eq!(&*before, it, "at {} by {}", now, seen);
                prop_assert!(it.end <= now + skew);
            }
        }
        for pair in known.into_values().collect::<Vec<_>>().windows(2) {
            // A millisecond is what dates are rounded by.
            prop_assert!(pair[1].start >= pair[0].end - 1, "{:?}", pair);
            let is_joined = pair[1].address.contains("live") && !pair[0].address.contains("live");
            prop_assert!(is_joined || pair[1].start <= pair[0].end + 250, "{:?}", pair);
        }
    }
}
