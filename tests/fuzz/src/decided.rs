//! What the core makes of playlists.

use hls::{Limits, MediaPlaylist, MediaSequence, Micros, Playlist, Timestamp, parse};
use relay::anchor::{Anchor, History, anchor, take_up};
use relay::cursor::{self, Cursor, Rendition};
use relay::layout::Layout;
use relay::names::{Epoch, Stem};
use relay::parts::{Along, Keys, PartId, recipe};
use relay::plan::Fates;
use relay::render::render;
use relay::select::Filter;
use relay::session::{Address, OutputKind, Start};
use relay::settle::{Beside, Fate, Style, settle};
use std::collections::BTreeMap;
use url::Url;

const BASE: &str = "https://origin.example/live/main.m3u8";
/// Longer inputs tell nothing that shorter ones do not.
const LONGEST: usize = 16 << 10;
const ENDPOINTS: usize = 2;

fn stem() -> Stem {
    Stem::of(&Address::of(&Url::parse("https://in.example/in/channel").unwrap()))
}

/// Any multivariant playlist has names that are safe in a path, and is rendered to one that names them.
pub fn layout(text: &[u8]) {
    let Ok(Playlist::Multivariant(playlist)) = parse(text, &Limits::default()) else { return };
    let filter = Filter { limit: Some(2), ..Filter::default() };
    for playlist in [filter.apply(playlist.clone()), playlist] {
        let Ok(layout) = Layout::of(playlist, &Url::parse(BASE).unwrap()) else { continue };
        for kind in [OutputKind::MediaPackage, OutputKind::WebDav] {
            let _ = kind.abilities().verdict(&layout.facets());
        }
        let stem = stem();
        let there = layout.renditions.keys().cloned().collect();
        for name in &there {
            let file = stem.media(name);
            let safe = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            assert!(file.chars().all(safe) && !file.contains(".."), "{file}");
        }
        if let Some(text) = layout.render(&stem, &there) {
            let again = parse(text.as_bytes(), &Limits::default());
            assert!(matches!(again, Ok(Playlist::Multivariant(_))), "{text}\n{again:?}");
        }
    }
}

/// Media playlists, apart at zero bytes, are seen one after the other, and carried: what is published never
/// goes back and lists only what landed.
pub fn carry(texts: &[u8]) {
    if texts.len() > LONGEST {
        return;
    }
    let name = Layout::of_media(Url::parse(BASE).unwrap()).renditions.into_keys().next().unwrap();
    let style = Style {
        window: texts.len().is_multiple_of(2).then_some(Micros::from_secs(60)),
        deletes: texts.len().is_multiple_of(3),
        keys: [Keys::Carried, Keys::Left, Keys::Opened][texts.len() % 3],
    };
    let mut now = Timestamp(1_800_000_000_000_000);
    let (mut before, mut history): (Option<Rendition>, _) = (None, History::default());
    let mut published: [Option<(MediaSequence, MediaSequence)>; ENDPOINTS] = [None; ENDPOINTS];
    for text in texts.split(|byte| *byte == 0) {
        now = now + Micros::from_secs(6);
        let Ok(Playlist::Media(seen)) = parse(text, &Limits::default()) else { continue };
        let start = if text.len().is_multiple_of(2) { Start::Window } else { Start::LiveEdge };
        let found = anchor(before.as_ref(), &history, &seen, true, start, now);
        let mark = take_up(before.as_ref(), &seen, found, Epoch(1), ENDPOINTS, now);
        let Some(mark) = mark.filter(|_| found != Anchor::Stale) else { continue };
        if found == Anchor::Doubtful {
            // Nothing is made of it, but that it was doubted.
            before = Some(mark);
            continue;
        }
        if before.as_ref().is_some_and(|before| before.epoch != mark.epoch) {
            history = History::default();
        }
        history.note(&seen);
        let fate = |endpoint: usize, MediaSequence(number): MediaSequence| match number % 5 {
            3 => Fate::Gone,
            4 if endpoint == 1 => Fate::Waiting,
            _ => Fate::Landed,
        };
        // What landed with other keys is not stored elsewhere.
        let known = mark.clone();
        let is_known =
            |number| known.tracks.iter().any(|it| it.number(known.epoch, number).is_some());
        let along = |number| along(&seen, number, style.keys).filter(|_| !is_known(number));
        let mut mark = settle(mark, &seen, style, fate, along, |_| Beside::default());
        for (endpoint, last) in published.iter_mut().enumerate() {
            let track = &mark.tracks[endpoint];
            let complete = Fates::new(ENDPOINTS).complete(&mark, track, &seen);
            let rendered = render(&name, &mark, track, &seen, style, &stem(), complete);
            let Some(rendering) = rendered else { continue };
            let Ok(Playlist::Media(shown)) = parse(rendering.text.as_bytes(), &Limits::default())
            else {
                panic!("it renders to no playlist: {}", rendering.text);
            };
            let new = (shown.media_sequence, rendering.last);
            if let Some(old) = last.replace(new) {
                assert!(new.0 >= old.0 && new.1 >= old.1, "{old:?} {new:?}\n{}", rendering.text);
            }
            mark.tracks[endpoint].given = mark.tracks[endpoint].given.max(Some(rendering.last));
        }
        let renditions = BTreeMap::from([(name.clone(), mark.clone())]);
        let whole = Cursor { renditions, ..Cursor::default() };
        assert_eq!(cursor::decode(&cursor::encode(&whole)).unwrap(), whole);
        before = Some(mark);
    }
}

/// What a segment has beside itself: any files would do.
fn along(seen: &MediaPlaylist, number: MediaSequence, keys: Keys) -> Option<Along> {
    let segment = relay::anchor::segment(seen, number)?;
    let recipe = recipe(segment, number, keys).ok()?;
    let ids = |uris: &[Option<String>]| {
        uris.iter().map(|uri| uri.as_ref().map(|uri| PartId::of(uri.as_bytes()))).collect()
    };
    let along = Along {
        map: recipe.map.as_ref().map(|(file, _)| PartId::of(file.uri.as_bytes())),
        keys: ids(&recipe.keys),
        map_keys: ids(&recipe.map_keys),
    };
    (along != Along::default()).then_some(along)
}
