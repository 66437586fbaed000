//! What one look at a source tells of it.

use super::NOW;
use bytes::Bytes;
use futures_util::FutureExt;
use relay::look::objection;
use relay::ports::{Fetched, Origin, OriginError, Slice, Validators};
use relay::select::Filter;
use relay::session::{Address, Options, OutputKind, Session, SessionId, Start};
use std::collections::BTreeMap;
use std::sync::Mutex;
use url::Url;

/// Playlists by address, and what was asked for.
#[derive(Default)]
struct Shelf(BTreeMap<String, String>, Mutex<Vec<String>>);

impl Origin for Shelf {
    async fn playlist(&self, url: &Url, _: Option<&Validators>) -> Result<Fetched, OriginError> {
        self.1.lock().unwrap().push(url.path().to_owned());
        let reason = format!("nothing at {}", url.path());
        match self.0.get(url.path()) {
            Some(text) if text == "refused" => Err(OriginError::Refused { reason }),
            Some(text) => {
                let (text, url) = (Bytes::from(text.clone()), url.clone());
                Ok(Fetched::Changed { text, url, validators: Validators::default() })
            }
            None => Err(OriginError::Gone { reason, for_good: false }),
        }
    }

    async fn segment(&self, _: &Url, _: Option<Slice>) -> Result<Bytes, OriginError> {
        panic!("a look reads playlists")
    }

    fn is_crowded(&self) -> bool {
        false
    }
}

/// A media playlist of one segment.
fn segment(lines: &str, uri: &str) -> String {
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{lines}#EXTINF:2,\n{uri}\n")
}

/// What MediaPackage has against a source, and what of the source was asked for.
fn look(playlists: &[(&str, String)], filter: Filter) -> (Option<String>, Vec<String>) {
    look_of(playlists, Options { filter, ..Options::default() })
}

fn look_of(playlists: &[(&str, String)], options: Options) -> (Option<String>, Vec<String>) {
    let source = Url::parse("https://origin.example/main.m3u8?path=v").unwrap();
    let session = Session {
        id: SessionId("a".to_owned()),
        name: "a".to_owned(),
        created: NOW,
        source: Address::of(&source),
        output: OutputKind::MediaPackage,
        endpoints: Vec::new(),
        window_seconds: None,
        start: Start::Window,
        concurrency: 4,
        options,
    };
    let playlists = playlists.iter().map(|(path, text)| ((*path).to_owned(), text.clone()));
    let origin = Shelf(playlists.collect(), Mutex::default());
    let told = objection(&origin, &session, &source).now_or_never().unwrap();
    (told, origin.1.into_inner().unwrap())
}

#[test]
fn a_channel_that_is_not_there_is_told_and_another_source_may_come_later() {
    for (channel, told) in [(Some("one"), Some("names no channel")), (None, None)] {
        let options = Options { channel: channel.map(str::to_owned), ..Options::default() };
        assert_eq!(look_of(&[], options).0.as_deref(), told);
    }
}

#[test]
fn a_source_that_needs_more_requests_than_the_output_takes_is_told() {
    let many = |count: u64, segments: usize| {
        let variant =
            |n| format!("#EXT-X-STREAM-INF:BANDWIDTH={n},CODECS=\"avc1.4d401f\"\nv/{n}\n");
        let main = format!("#EXTM3U\n{}", (0..count).map(variant).collect::<String>());
        let media = segment("", "0.ts") + &"#EXTINF:.5,\n1.ts\n".repeat(segments - 1);
        let paths: Vec<String> = (0..count).map(|n| format!("/v/{n}")).collect();
        let media = paths.iter().map(|path| (path.as_str(), media.clone()));
        look(
            &[("/main.m3u8", main)].into_iter().chain(media).collect::<Vec<_>>(),
            Filter::default(),
        )
    };
    let limit = "26 requests a second, and 25 an endpoint is the limit";
    let refused = format!("mediapackage does not take this source: {limit}");
    // Three of a second each on average, two of more.
    assert_eq!(many(13, 3).0, Some(refused));
    assert_eq!(many(12, 3).0, None);
    assert_eq!(many(18, 2).0, None);
}

#[test]
fn what_an_output_does_not_take_is_told_by_its_playlists() {
    let (ts, fragment) = (segment("", "0.ts"), segment("#EXT-X-MAP:URI=\"i\"\n", "0.m4s"));
    let master = |codecs: &str| {
        format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS=\"{codecs}\"\nv/a.m3u8\n")
    };
    let sound = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"n\",URI=\"s.m3u8\"\n";
    let texts = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"t\",NAME=\"n\",URI=\"t.m3u8\"\n";
    let frames = "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"f.m3u8\"\n";
    let defined = "#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM=\"path\"\n#EXT-X-STREAM-INF:BANDWIDTH=9\n\
                   {$path}/a.m3u8\n";
    let (h264, fmp4) = ("avc1.4d401f", "segments are fMP4, and only TS is taken: video-9");
    for (number, (main, rest, expected)) in [
        (ts.clone(), vec![], None),
        (fragment.clone(), vec![], Some("segments are fMP4, and only TS is taken: video")),
        (segment("#EXT-X-MAP:URI=\"i\"\n", "0.ts"), vec![], None),
        (
            segment("#EXT-X-MAP:URI=\"i\"\n", "0.aac"),
            vec![],
            Some("segments are fMP4, and only TS is taken: video"),
        ),
        (
            segment("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n", "0.ts"),
            vec![],
            Some("only AES-128 can be decrypted on the way: video"),
        ),
        ("refused".to_owned(), vec![], Some("nothing at /main.m3u8")),
        ("no playlist".to_owned(), vec![], None),
        (master(h264), vec![], None),
        (master(h264), vec![("/v/a.m3u8", ts.clone())], None),
        (master(h264), vec![("/v/a.m3u8", master(h264))], None),
        (master(h264), vec![("/v/a.m3u8", fragment.clone())], Some(fmp4)),
        (master("vp09.00.10.08"), vec![("/v/a.m3u8", ts.clone())], Some("VP9")),
        (
            master(h264) + sound,
            vec![("/v/a.m3u8", ts.clone()), ("/s.m3u8", segment("", "0.aac"))],
            None,
        ),
        (
            master(h264) + frames,
            vec![("/v/a.m3u8", fragment.clone()), ("/f.m3u8", ts.clone())],
            Some(fmp4),
        ),
        // Nor are fragments of subtitles taken; the source can do without them.
        (
            master(h264) + texts,
            vec![("/v/a.m3u8", ts.clone()), ("/t.m3u8", fragment.clone())],
            None,
        ),
        (defined.to_owned(), vec![("/v/a.m3u8", fragment.clone())], Some(fmp4)),
    ]
    .into_iter()
    .enumerate()
    {
        let playlists = [vec![("/main.m3u8", main)], rest].concat();
        let (told, asked) = look(&playlists, Filter::default());
        let as_expected = match (&told, expected) {
            (Some(told), Some(expected)) => told.contains(expected),
            (told, expected) => told.is_none() && expected.is_none(),
        };
        assert!(as_expected, "{number}: {told:?}");
        assert!(!asked.iter().any(|path| path == "/f.m3u8"), "it is left out: {asked:?}");
    }
    let (wide, ts) = (Filter { min_bandwidth: Some(10), ..Filter::default() }, ("/v/a.m3u8", ts));
    assert!(look(&[("/main.m3u8", master(h264)), ts], wide).0.is_some(), "nothing is wanted");
}

#[test]
fn a_version_is_told_by_its_tag_and_without_one_by_when_it_was_modified() {
    let told = |etag: Option<&str>, modified: Option<&str>| Validators {
        etag: etag.map(str::to_owned),
        last_modified: modified.map(str::to_owned),
    };
    let (one, two) = (Some("one"), Some("two"));
    for (version, other, same) in [
        (told(one, one), told(one, two), true),
        (told(one, one), told(two, one), false),
        (told(None, one), told(None, one), true),
        (told(None, one), told(None, two), false),
        (told(one, one), told(None, one), true),
        (told(one, None), told(None, None), false),
        (told(None, None), told(None, None), false),
    ] {
        assert_eq!(version.is_same(&other), same, "{version:?} {other:?}");
        assert_eq!(other.is_same(&version), same, "{other:?} {version:?}");
    }
}
