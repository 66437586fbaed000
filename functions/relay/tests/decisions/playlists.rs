use super::settling::take;
use super::{NOW, live, media};
use hls::{Limits, MultivariantPlaylist, Playlist};
use relay::anchor::{History, anchor, take_up};
use relay::cursor::Rendition;
use relay::layout::{Layout, LayoutError, Listed, place};
use relay::names::{Epoch, Stem};
use relay::parts::Keys;
use relay::render::render;
use relay::select::Filter;
use relay::session::{Address, Destination, Start};
use relay::settle::{Beside, Fate, Style, settle};
use std::collections::BTreeSet;
use url::Url;

fn stem() -> Stem {
    Stem::of(&Address::of(&Url::parse("https://a.example/in/channel").unwrap()))
}

/// What a multivariant playlist names.
pub fn layout(text: &str) -> Result<Layout, LayoutError> {
    Layout::of(multivariant(text), &Url::parse("https://origin.example/live/main.m3u8").unwrap())
}

fn multivariant(text: &str) -> MultivariantPlaylist {
    let Playlist::Multivariant(playlist) = hls::parse(text.as_bytes(), &Limits::default()).unwrap()
    else {
        panic!("not a multivariant playlist");
    };
    playlist
}

const FILM: &str = r#"#EXTM3U
#EXT-X-VERSION:4
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="a/en.m3u8?t=1"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Svenska",LANGUAGE="sv",URI="s/sv.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="aud",SUBTITLES="subs",CLOSED-CAPTIONS="cc",X-OURS=1
v/2.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=800000,AUDIO="aud",SUBTITLES="subs"
v/1.m3u8
"#;

#[test]
fn a_multivariant_playlist_keeps_everything_but_addresses() {
    let layout = layout(FILM).unwrap();
    let all: BTreeSet<_> = layout.renditions.keys().cloned().collect();
    insta::assert_snapshot!(layout.render(&stem(), &all).unwrap());
}

#[test]
fn the_name_of_no_rendition_can_be_the_place_of_another_session() {
    let layout = layout(
        r#"#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="English",URI="a.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="音",NAME="音",URI="b.m3u8"
#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="cam",NAME="Goal",URI="c.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Svenska",URI="d.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="e.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000
f.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000
g.m3u8
"#,
    );
    let layout = layout.unwrap();
    assert_eq!(layout.renditions.len(), 7);
    let place = |name: &str| {
        let url = Url::parse("https://a.example/in/").unwrap().join(name).unwrap();
        Destination::of(&Address::of(&url))
    };
    for rendition in layout.renditions.keys() {
        let playlist = stem().media(rendition);
        assert_eq!(place(&playlist), place("channel"), "{playlist}");
    }
}

#[test]
fn a_rendition_that_is_not_there_is_not_named() {
    let layout = layout(FILM).unwrap();
    let there = layout.renditions.keys().filter(|name| !name.as_ref().starts_with("audio"));
    insta::assert_snapshot!(layout.render(&stem(), &there.cloned().collect()).unwrap());
    assert_eq!(layout.render(&stem(), &BTreeSet::new()), None);
}

#[test]
fn a_source_without_a_multivariant_playlist_gets_one_that_states_its_peak() {
    let layout = Layout::of_media(Url::parse("https://origin.example/v.m3u8").unwrap());
    let layout = layout.of_bandwidth(800_000);
    let all = layout.renditions.keys().cloned().collect();
    let expected = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=800000\n\
                    channel_video.m3u8\n";
    assert_eq!(layout.render(&stem(), &all).unwrap(), expected);
}

#[test]
fn names_do_not_depend_on_the_order_of_lines() {
    let variant = |bandwidth, uri| {
        format!("#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},X-FOR=\"{uri}\"\n{uri}\n")
    };
    let lines = [variant(1, "a.m3u8"), variant(1, "b.m3u8"), variant(2, "c.m3u8")];
    let named = |order: [usize; 3]| {
        let text: String = order.iter().map(|&line| lines[line].as_str()).collect();
        let layout = layout(&format!("#EXTM3U\n{text}")).unwrap();
        let of = |(n, it): (_, Listed)| format!("{n} {}", it.urls[0].path());
        layout.renditions.into_iter().map(of).collect()
    };
    let names: Vec<String> = named([0, 1, 2]);
    assert_eq!(names, ["video-1 /live/a.m3u8", "video-1-2 /live/b.m3u8", "video-2 /live/c.m3u8"]);
    assert_eq!(named([2, 1, 0]), names);
    assert_eq!(named([1, 0, 2]), names);
}

#[test]
fn the_same_variant_twice_is_one_that_can_be_read_elsewhere() {
    let text = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="sound.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="b",NAME="x",URI="sound.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x360,AUDIO="a"
one.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x360,AUDIO="a"
https://b.example/one.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=320x180,AUDIO="b"
two.m3u8
"#;
    let layout = layout(text).unwrap();
    let shown: Vec<String> = layout
        .renditions
        .iter()
        .map(|(name, listed)| {
            let urls: Vec<&str> = listed.urls.iter().map(Url::as_str).collect();
            format!("{name} {}", urls.join(" "))
        })
        .collect();
    let expected = [
        "audio-a-x https://origin.example/live/sound.m3u8",
        "video-9 https://origin.example/live/one.m3u8 https://b.example/one.m3u8",
        "video-9-2 https://origin.example/live/two.m3u8",
    ];
    assert_eq!(shown, expected);
    let all: BTreeSet<_> = layout.renditions.keys().cloned().collect();
    let text = layout.render(&stem(), &all).unwrap();
    assert_eq!(text.matches("channel_video-9.m3u8").count(), 1, "{text}");
    assert_eq!(text.matches("channel_audio-a-x.m3u8").count(), 2, "both groups name it: {text}");
}

#[test]
fn what_is_beside_the_renditions_survives_where_it_makes_sense() {
    let text = r#"#EXTM3U
#EXT-X-CONTENT-STEERING:SERVER-URI="/steer",PATHWAY-ID="a"
#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k?token=t"
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"
#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"
#EXT-X-SESSION-DATA:DATA-ID="c",URI="c.json"
#EXT-X-START:TIME-OFFSET=-6
#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=3,URI="pictures.m3u8",CODECS="jpeg"
# a comment: URI="x"
#EXT-X-STREAM-INF:BANDWIDTH=9,VIDEO-RANGE=PQ,HDCP-LEVEL=NONE,SCORE=1.5
one.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2,URI="i.m3u8"
"#;
    let mut layout = layout(text).unwrap();
    let all: BTreeSet<_> = layout.renditions.keys().cloned().collect();
    let shown = layout.render(&stem(), &all).unwrap();
    let expected = r#"#EXTM3U
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"
#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"
#EXT-X-SESSION-DATA:DATA-ID="c",URI="https://origin.example/live/c.json"
#EXT-X-START:TIME-OFFSET=-6
#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=3,URI="https://origin.example/live/pictures.m3u8",CODECS="jpeg"
# a comment: URI="x"
#EXT-X-STREAM-INF:BANDWIDTH=9,VIDEO-RANGE=PQ,HDCP-LEVEL=NONE,SCORE=1.5
channel_video-9.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2,URI="channel_iframes-2.m3u8"
"#;
    assert_eq!(shown, expected);
    layout.leave_keys_out();
    assert!(!layout.render(&stem(), &all).unwrap().contains("SESSION-KEY"));
    layout.leave_out("iframes-2");
    assert!(layout.renditions.keys().map(AsRef::as_ref).eq(["video-9"]));
    assert!(!layout.render(&stem(), &all).unwrap().contains("I-FRAME"));
}

#[test]
fn what_cannot_be_carried_is_said() {
    for (text, error) in [
        (
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",URI=\"a.m3u8\"\n",
            LayoutError::NoVariant,
        ),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://[a/\n", LayoutError::BadAddress),
    ] {
        assert_eq!(layout(text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn a_session_carries_a_bounded_number_of_renditions_and_looks_through_some_more() {
    let base = Url::parse("https://origin.example/live/main.m3u8").unwrap();
    let laid_out = |variants: u64, filter: &Filter| {
        let mut text = "#EXTM3U\n".to_owned();
        for bandwidth in 1..=variants {
            text += &format!("#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}\n{bandwidth}.m3u8\n");
        }
        Layout::wanted(multivariant(&text), filter, &base).map(|layout| layout.renditions.len())
    };
    let (all, few) = (Filter::default(), Filter { limit: Some(3), ..Filter::default() });
    for (variants, filter, expected) in [
        (128, &all, Ok(128)),
        (
            129,
            &all,
            Err("129 renditions are wanted of this source, more than the limit of 128 a session"),
        ),
        (512, &few, Ok(3)),
        (
            513,
            &few,
            Err("the multivariant playlist names 513 playlists, more than the limit of 512"),
        ),
    ] {
        let carried = laid_out(variants, filter).map_err(|error| error.to_string());
        assert_eq!(carried, expected.map_err(str::to_owned), "{variants}");
    }
}

#[test]
fn of_the_same_stream_twice_one_counts() {
    let mut text = "#EXTM3U\n".to_owned();
    for (bandwidth, path) in [(6, "a"), (6, "b"), (3, "a"), (3, "b"), (1, "a")] {
        text += &format!("#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}\n{path}/{bandwidth}.m3u8\n");
    }
    let base = Url::parse("https://origin.example/live/main.m3u8").unwrap();
    let two = Filter { limit: Some(2), ..Filter::default() };
    let playlist = multivariant(&text);
    let layout = Layout::wanted(playlist, &two, &base).unwrap();
    let carried: Vec<(String, usize)> = layout
        .renditions
        .iter()
        .map(|(name, listed)| (name.to_string(), listed.urls.len()))
        .collect();
    assert_eq!(carried, [("video-3".to_owned(), 2), ("video-6".to_owned(), 2)]);
}

/// A live playlist with what one meets: dates, ad markers, unknown tags, low latency.
const LIVE: &str = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES
#EXT-X-PART-INF:PART-TARGET=1
#EXT-X-MEDIA-SEQUENCE:812
#EXT-X-DISCONTINUITY-SEQUENCE:5
#EXT-X-PROGRAM-DATE-TIME:2026-11-21T08:00:00.000Z
#EXTINF:4.004,Some title, with a comma
v0/812.ts?token=t
#EXT-OATCLS-SCTE35:/DAlAAAAAAAAAP/wFAUAAAABf+/+
#EXT-X-CUE-OUT:30.000
#EXTINF:3.920000,
v0/813.ts?token=t
#EXT-X-CUE-OUT-CONT:ElapsedTime=3.92,Duration=30
#EXT-X-OURS:kept
#EXTINF:4,
v0/814.ts?token=t
#EXT-X-PART:DURATION=1,URI="v0/815.1.ts"
#EXT-X-CUE-IN
#EXT-X-DISCONTINUITY
#EXTINF:4,
v0/815.ts?token=t
#EXT-X-DATERANGE:ID="x",START-DATE="2026-11-21T08:00:16Z"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="v0/816.1.ts"
"#;

fn shown(text: &str, gone: Option<u64>, window: Option<u64>) -> String {
    let seen = media(text);
    let joined = anchor(None, &History::default(), &seen, false, Start::Window, NOW);
    let mark = take_up(None, &seen, joined, Epoch(7), 1, NOW).unwrap();
    let style =
        Style { window: window.map(hls::Micros::from_secs), deletes: false, keys: Keys::Carried };
    let fate = |_, n: hls::MediaSequence| match gone {
        Some(gone) if n.0 == gone => Fate::Gone,
        _ => Fate::Landed,
    };
    let mark = settle(mark, &seen, style, fate, |_| None, |_| Beside::default());
    let layout = layout("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000\nv.m3u8\n").unwrap();
    let name = layout.renditions.keys().next().unwrap();
    let complete = mark.tracks[0].landed(Epoch(7)) == seen.last_sequence();
    render(name, &mark, &mark.tracks[0], &seen, style, &stem(), complete).unwrap().text
}

#[test]
fn a_media_playlist_keeps_everything_but_numbers_and_addresses() {
    insta::assert_snapshot!(shown(LIVE, None, None));
}

#[test]
fn a_jump_is_marked_and_numbers_go_on() {
    insta::assert_snapshot!(shown(LIVE, Some(813), None));
}

#[test]
fn an_ended_playlist_keeps_its_type_and_a_window_takes_it_away() {
    let vod = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:2,\na.ts\n#EXTINF:2,\nb.ts\n#EXT-X-ENDLIST\n";
    let whole = shown(vod, None, None);
    assert!(whole.contains("#EXT-X-PLAYLIST-TYPE:VOD") && whole.ends_with("#EXT-X-ENDLIST\n"));
    let growing = shown(vod, Some(1), None);
    assert!(growing.contains("#EXT-X-PLAYLIST-TYPE:EVENT"), "{growing}");
    assert!(!shown(vod, None, Some(60)).contains("PLAYLIST-TYPE"));
}

fn shared(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/playlists");
    std::fs::read_to_string(std::path::Path::new(folder).join(name)).unwrap()
}

#[test]
fn of_two_pathways_one_is_carried_and_the_other_is_where_to_go() {
    let layout = layout(&shared("multivariant-pathways.m3u8")).unwrap();
    let hosts = layout.renditions.iter().map(|(name, listed)| {
        let hosts: Vec<_> = listed.urls.iter().map(|url| url.host_str().unwrap()).collect();
        format!("{name}: {}", hosts.join(" "))
    });
    let expected = ["audio-sound-a-en-english", "video-2300000"];
    let expected = expected.map(|name| format!("{name}: a.example b.example"));
    assert_eq!(hosts.collect::<Vec<_>>(), expected);
    let there = layout.renditions.keys().cloned().collect();
    let text = layout.render(&stem(), &there).unwrap();
    for gone in ["STEERING", "cdn-b", "sound-b"] {
        assert!(!text.contains(gone), "{text}");
    }
}

#[test]
fn variables_are_replaced_where_they_mean_something() {
    let text = shared("variables.m3u8");
    let (text, _) = hls::substitute(text.as_bytes(), &hls::Variables::new(), |_| None).unwrap();
    let seen = media(str::from_utf8(&text).unwrap());
    assert_eq!(seen.segments[0].uri, "v5/2026/17.m4s?sig=abc");
    assert_eq!(seen.segments[0].map.as_ref().unwrap().uri(), "v5/2026/init.mp4?sig=abc");
    assert!(seen.segments[0].lines.iter().any(|line| line == "#EXTINF:4.000,costs {$5}"));
}

#[test]
fn another_source_goes_on_under_the_names_that_were_carried() {
    let source = |bandwidths: &[u64], group: &str, languages: &[&str]| {
        let mut text = "#EXTM3U\n".to_owned();
        for language in languages {
            text += &format!(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",LANGUAGE=\"{language}\",NAME=\"{language}\",URI=\"{group}{language}.m3u8\"\n"
            );
        }
        for bandwidth in bandwidths {
            text += &format!(
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},AUDIO=\"{group}\"\nv{bandwidth}.m3u8\n"
            );
        }
        layout(&text).unwrap()
    };
    let first = source(&[500, 2_000, 9_000], "a", &["en", "sv"]);
    let (en, sv) = ("audio-a-en-en=/live/ben.m3u8", "audio-a-sv-sv=/live/bsv.m3u8");
    for (bandwidths, languages, expected) in [
        (
            &[700, 2_100, 8_000][..],
            &["sv", "en"][..],
            &[
                en,
                sv,
                "video-2000=/live/v2100.m3u8",
                "video-500=/live/v700.m3u8",
                "video-9000=/live/v8000.m3u8",
            ][..],
        ),
        // What is more than before is left out, and the largest are carried.
        (
            &[100, 700, 2_100, 8_000],
            &["en", "fi"],
            &[
                en,
                "audio-b-fi-fi=/live/bfi.m3u8",
                "video-2000=/live/v2100.m3u8",
                "video-500=/live/v700.m3u8",
                "video-9000=/live/v8000.m3u8",
            ],
        ),
        (&[8_000], &["en"], &[en, "video-9000=/live/v8000.m3u8"]),
        // It has one of them, and then all, and one more: what has no name is a rendition that appears.
        (&[500, 8_000], &["en"], &[en, "video-500=/live/v500.m3u8", "video-9000=/live/v8000.m3u8"]),
        (
            &[500, 700, 2_000, 9_000],
            &["en"],
            &[
                en,
                "video-2000=/live/v2000.m3u8",
                "video-500=/live/v500.m3u8",
                "video-700=/live/v700.m3u8",
                "video-9000=/live/v9000.m3u8",
            ],
        ),
    ] {
        let mut next = source(bandwidths, "b", languages);
        next.go_on_as(first.renditions.keys());
        let told = next.renditions.iter();
        let told: Vec<_> = told.map(|(name, it)| format!("{name}={}", it.urls[0].path())).collect();
        assert_eq!(told, expected);
        let there = next.renditions.keys().cloned().collect();
        let text = next.render(&stem(), &there).unwrap();
        for named in expected.iter().map(|it| it.split('=').next().unwrap()) {
            assert!(text.contains(&format!("channel_{named}.m3u8")), "{text}");
        }
    }
    let mut begins = source(&[500], "a", &["en"]);
    begins.go_on_as([].iter());
    assert_eq!(begins, source(&[500], "a", &["en"]));
}

#[test]
fn a_rendition_keeps_its_name_where_it_alone_lies_where_it_lay() {
    let source = |listed: &[(u64, &str)]| {
        let of = |(bandwidth, uri): &(u64, &str)| match bandwidth {
            0 => format!("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=0,URI=\"{uri}\"\n"),
            _ => format!("#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}\n{uri}\n"),
        };
        let lines: String = listed.iter().map(of).collect();
        layout(&format!("#EXTM3U\n{lines}")).unwrap()
    };
    let mark = take(None, &live(10, 13, "a"));
    for (before, now, expected) in [
        (&[(1, "a")][..], &[(3, "a")][..], &["video-1"][..]),
        (&[(1, "a"), (2, "b")], &[(3, "b"), (4, "a")], &["video-1", "video-2"]),
        // The name of what lies elsewhere does not count.
        (&[(1, "a"), (2, "b")], &[(1, "b"), (3, "a")], &["video-1", "video-2"]),
        (&[(1, "a")], &[(3, "a"), (4, "b"), (5, "c")], &["video-1", "video-4", "video-5"]),
        (&[(1, "a?1")], &[(3, "http://b.example/live/a?2")], &["video-1"]),
        (&[(1, "a")], &[(3, "b")], &["video-3"]),
        // The name is still that of another.
        (&[(1, "a")], &[(1, "b"), (3, "a")], &["video-1", "video-3"]),
        (&[(1, "a")], &[(1, "b")], &["video-1"]),
        // Which of two it is, or was, cannot be told.
        (&[(1, "a?1")], &[(3, "a?1"), (4, "a?2")], &["video-3", "video-4"]),
        (&[(1, "a?1"), (2, "a?2")], &[(3, "a?1")], &["video-3"]),
        // It is of another kind.
        (&[(1, "a")], &[(0, "a"), (3, "b")], &["iframes-0", "video-3"]),
    ] {
        let marked = source(before).renditions.into_iter().map(|(name, listed)| {
            let place = Some(place(&listed.urls[0]));
            (name, Rendition { place, ..mark.clone() })
        });
        let mut next = source(now);
        next.keep_names(&marked.collect(), 0);
        let told: Vec<&str> = next.renditions.keys().map(AsRef::as_ref).collect();
        assert_eq!(told, expected, "{before:?} {now:?}");
    }
}
