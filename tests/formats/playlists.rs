//! What playlists hold.

use crate::scripted::{MAIN, World, live};
use relay::progress::Status;
use relay::session::OutputKind;

#[test]
fn a_map_that_is_gone_and_a_key_that_is_none_are_said_and_nothing_is_published_without_them() {
    for (lines, part, answer, reason) in [
        ("#EXT-X-MAP:URI=\"i.mp4\"\n", "a/i.mp4", Err(404), "its map: origin answered 404"),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key\"\n",
            "a/k.key",
            Ok("fifteen bytes.."),
            "its key has 15 bytes, and a key has 16",
        ),
    ] {
        let outcome = World::of(OutputKind::WebDav, 20).carry(move |at, second| match at {
            "a/main.m3u8" => Ok(MAIN.to_owned()),
            "a/v.m3u8" => live(second, 100, |_| lines.to_owned()),
            _ if at == part => answer.map(str::to_owned),
            _ => Ok(at.to_owned()),
        });
        let said = outcome.progress.reason.unwrap();
        assert!(said.contains(reason), "{said}");
        assert_eq!(outcome.progress.status, Status::Degraded);
        assert!(outcome.shelf.0.lock().unwrap().is_empty());
    }
}

#[test]
fn a_map_and_a_key_are_read_and_stored_once_and_stated_in_every_window() {
    let mut world = World::of(OutputKind::WebDav, 40);
    world.session.window_seconds = None;
    let outcome = world.carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => live(second, 100, |number| {
            let map = format!("#EXT-X-MAP:URI=\"i{}.mp4\"\n", number / 110);
            format!("#EXT-X-KEY:METHOD=AES-128,URI=\"k.key\",IV=0x1\n{map}")
        }),
        "a/k.key" => Ok("sixteen bytes...".to_owned()),
        _ => Ok(at.to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    assert!(text.contains("#EXT-X-MAP:URI=\"channel_video-9_map-"), "{text}");
    assert!(text.contains("#EXT-X-KEY:METHOD=AES-128,URI=\"channel_video-9_key-"), "{text}");
    for part in ["a/k.key", "a/i0.mp4", "a/i1.mp4"] {
        assert_eq!(outcome.asked.iter().filter(|at| *at == part).count(), 1, "{part}");
    }
    assert_eq!((outcome.progress.status, outcome.progress.jumps), (Status::Running, 0));
}

#[test]
fn what_lies_at_an_address_is_read_anew_after_a_discontinuity_that_is_listed_no_more() {
    // Such as ffmpeg's, which states no EXT-X-DISCONTINUITY-SEQUENCE.
    let outcome = World::of(OutputKind::WebDav, 60).carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/i.mp4" => Ok(if second < 21 { "before" } else { "after!" }.to_owned()),
        _ if at.ends_with("m3u8") => {
            let text = live(second, 100, |number| match number {
                115 => "#EXT-X-DISCONTINUITY\n".to_owned(),
                _ => String::new(),
            });
            Ok(text?
                .replacen("#EXTINF", "#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF", 1)
                .replace(".ts", ".m4s"))
        }
        _ => Ok("x".to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    let maps = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\""));
    let maps = maps.map(|name| outcome.shelf.text(name.trim_end_matches('"')));
    assert_eq!(maps.collect::<Vec<_>>(), ["before", "after!"], "{text}");
    let read = outcome.asked.iter().filter(|at| *at == "a/i.mp4");
    assert_eq!(read.count(), 2, "{:?}", outcome.asked);
}

#[test]
fn what_marks_a_place_goes_to_the_next_segment_when_the_first_is_left_out() {
    for window in [None, Some(600)] {
        let mut world = World::of(OutputKind::WebDav, 5);
        world.session.window_seconds = window;
        let outcome = world.carry(|at, second| match at {
            "a/main.m3u8" => Ok(MAIN.to_owned()),
            "a/v.m3u8" => live(second / 10, 100, |number| match number {
                100 => "#EXT-X-DATERANGE:ID=\"x\",START-DATE=\"2026-11-21T00:00:00Z\"\n#EXT-X-CUE-OUT:30\n".into(),
                _ => String::new(),
            }),
            "a/100.ts" => Err(404),
            _ => Ok(at.to_owned()),
        });
        let text = outcome.shelf.text("channel_video-9.m3u8");
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.iter().position(|line| line.starts_with("#EXTINF")).unwrap();
        for marker in ["#EXT-X-DATERANGE:", "#EXT-X-CUE-OUT:30"] {
            let at: Vec<usize> =
                (0..lines.len()).filter(|&n| lines[n].starts_with(marker)).collect();
            assert!(at.len() == 1 && at[0] < first, "{window:?} {marker}:\n{text}");
        }
        assert!(lines[first + 1].ends_with("_101.ts"), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_playlist_is_said_and_the_rest_goes_on() {
    const DEFINED: &str =
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n";
    for (text, reason) in [
        (MAIN.to_owned(), "a multivariant playlist where a media playlist should be"),
        (format!("{DEFINED}#EXTINF:2,\n{{$c}}.ts\n"), "line 5: the variable c is not defined"),
        (format!("{DEFINED}#EXT-X-ENDLIST\n"), "it ends, and lists nothing"),
        (DEFINED.to_owned(), "source has listed nothing new of video-5 for"),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:2,\na.ts\n\
             #EXTINF:2,\nb.ts\n".to_owned(),
            "line 3: cannot read the value of EXT-X-MEDIA-SEQUENCE",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:18446744073709551615\n#EXT-X-DISCONTINUITY-SEQUENCE:9223372036854775807\n\
             #EXT-X-MEDIA-SEQUENCE:9223372036854775807\n#EXT-X-DISCONTINUITY\n#EXT-X-BYTERANGE:9@18446744073709551615\n\
             #EXTINF:18446744073709,\na.ts\n".to_owned(),
            "its byte range does not fit",
        ),
    ] {
        let both = format!("{MAIN}#EXT-X-STREAM-INF:BANDWIDTH=5\nw.m3u8\n");
        let outcome = World::of(OutputKind::WebDav, 30).carry(move |at, second| match at {
            "a/main.m3u8" => Ok(both.clone()),
            "a/w.m3u8" => Ok(text.clone()),
            "a/v.m3u8" => live(second, 100, |_| String::new()),
            _ => Ok(at.to_owned()),
        });
        let said = outcome.progress.reason.unwrap_or_default();
        assert!(said.contains(reason), "{said}");
        assert_eq!(outcome.progress.status, Status::Degraded, "{reason}");
        let text = outcome.shelf.text("channel_video-9.m3u8");
        assert!(text.lines().filter(|line| line.ends_with(".ts")).count() >= 17, "{reason}:\n{text}");
    }
}

/// The bodies of the media playlist `text`, by the names of its segments.
fn segments(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn a_gap_is_listed_and_never_asked_for() {
    let outcome = World::of(OutputKind::WebDav, 20).carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => live(second, 100, |number| match number % 3 {
            0 => "#EXT-X-GAP\n#EXT-X-BITRATE:9\n".to_owned(),
            _ => String::new(),
        }),
        _ => Ok(at.to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    assert!(
        segments(&text).len() >= 13 && text.matches("#EXT-X-GAP\n#EXT-X-BITRATE:9\n").count() >= 4,
        "{text}"
    );
    let asked = |number: u64| outcome.asked.iter().any(|at| *at == format!("a/{number}.ts"));
    assert!(asked(103) && asked(104) && !asked(102) && !asked(105), "{:?}", outcome.asked);
    assert_eq!((outcome.progress.jumps, outcome.progress.status), (0, Status::Running));
}

#[test]
fn an_event_that_turns_into_a_vod_ends_as_one_whatever_its_target_duration_was() {
    let mut world = World::of(OutputKind::WebDav, 120);
    world.session.window_seconds = None;
    let outcome = world.carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => {
            let (count, over) = ((second / 2 + 1).min(12), second >= 30);
            let (target, kind) = (if count < 6 { 2 } else { 4 }, if over { "VOD" } else { "EVENT" });
            let listed: String = (0..count).map(|n| format!("#EXTINF:2,\n{n}.ts\n")).collect();
            let end = if over { "#EXT-X-ENDLIST\n" } else { "" };
            Ok(format!("#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:{kind}\n{listed}{end}"))
        }
        _ => Ok(at.to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    assert_eq!(segments(&text).len(), 12, "{text}");
    for line in ["#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-TARGETDURATION:4", "#EXT-X-ENDLIST"] {
        assert!(text.lines().any(|it| it == line), "no {line}:\n{text}");
    }
    assert_eq!((outcome.progress.missed, outcome.progress.status), (0, Status::Ended));
}

#[test]
fn variables_are_in_their_places_and_defined_nowhere() {
    let mut world = World::of(OutputKind::WebDav, 20);
    world.sources = vec![url::Url::parse("http://a/main.m3u8?token=t").unwrap()];
    let outcome = world.carry(|at, second| match at {
        "a/main.m3u8" => Ok("#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM=\"token\"\n#EXT-X-DEFINE:NAME=\"path\",VALUE=\"deep\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=9\n{$path}/v.m3u8\n".to_owned()),
        "a/deep/v.m3u8" => live(second, 100, |_| "#EXT-X-SOME:A=\"{$token}\"\n".to_owned()).map(|text| {
            let defines = "#EXTM3U\n#EXT-X-DEFINE:IMPORT=\"token\"\n";
            text.replace("#EXTM3U\n", defines).replace(".ts", ".ts?{$token}")
        }),
        _ => Ok(at.to_owned()),
    });
    assert!(outcome.asked.iter().any(|at| at == "a/deep/104.ts?t"), "{:?}", outcome.asked);
    for name in ["channel.m3u8", "channel_video-9.m3u8"] {
        let text = outcome.shelf.text(name);
        assert!(!text.contains("DEFINE") && !text.contains("{$"), "{text}");
    }
    assert!(outcome.shelf.text("channel_video-9.m3u8").contains("#EXT-X-SOME:A=\"t\""));
}

#[test]
fn a_rendition_of_several_groups_and_a_stream_of_two_pathways_are_read_and_stored_once() {
    let outcome = World::of(OutputKind::WebDav, 60).carry(|at, second| match at {
        "a/main.m3u8" => {
            let media = |group: &str, uri: &str| {
                format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"e\",URI=\"{uri}\"\n")
            };
            let variant = |rest: &str, uri: &str| format!("#EXT-X-STREAM-INF:{rest}\n{uri}\n");
            Ok([
                "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\",PATHWAY-ID=\"A\"\n".to_owned(),
                media("a", "e.m3u8"),
                media("low", "e.m3u8"),
                media("b", "http://b/e.m3u8"),
                variant("BANDWIDTH=9,AUDIO=\"a\",PATHWAY-ID=\"A\"", "v.m3u8"),
                variant("BANDWIDTH=5,AUDIO=\"low\",PATHWAY-ID=\"A\"", "w.m3u8"),
                variant("BANDWIDTH=9,AUDIO=\"b\",PATHWAY-ID=\"B\"", "http://b/v.m3u8"),
            ]
            .concat())
        }
        "a/e.m3u8" if second > 20 => Err(503),
        _ if at.ends_with("m3u8") => live(second, 100, |_| String::new()),
        _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
    });
    let main = outcome.shelf.text("channel.m3u8");
    assert_eq!(main.matches("URI=\"channel_audio-a-e.m3u8\"").count(), 2, "{main}");
    assert_eq!(segments(&main), ["channel_video-9.m3u8", "channel_video-5.m3u8"], "{main}");
    assert!(!main.contains("STEERING") && !main.contains("\"b\""), "{main}");
    let sound = outcome.shelf.text("channel_audio-a-e.m3u8");
    assert!(segments(&sound).len() >= 30 && !sound.contains("DISCONTINUITY"), "{sound}");
    let asked = |at: &str| outcome.asked.iter().filter(|it| *it == at).count();
    assert!(
        asked("a/104.ts") == 3 && asked("b/v.m3u8") == 0 && asked("b/e.m3u8") > 5,
        "{:?}",
        outcome.asked
    );
    assert_eq!((outcome.progress.jumps, outcome.progress.status), (0, Status::Running));
}

#[test]
fn a_discontinuity_that_is_stated_twice_is_counted_and_stated_once() {
    let mut world = World::of(OutputKind::WebDav, 30);
    world.session.window_seconds = None;
    let outcome = world.carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => live(second, 100, |number| match number % 4 {
            0 => "#EXT-X-DISCONTINUITY\n#EXT-X-CUE-IN\n#EXT-X-DISCONTINUITY\n".to_owned(),
            _ => String::new(),
        }),
        _ => Ok(at.to_owned()),
    });
    // It lists 114 to 118: of 100, 104, 108, 112 and 116 four are gone by.
    let text = outcome.shelf.text("channel_video-9.m3u8");
    assert!(text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:4\n"), "{text}");
    let shown =
        "#EXT-X-DISCONTINUITY\n#EXT-X-CUE-IN\n#EXTINF:2,\nchannel_video-9_1800000000_116.ts\n";
    assert!(text.contains(shown) && text.matches("#EXT-X-DISCONTINUITY\n").count() == 1, "{text}");
}

#[test]
fn interstitials_stay_where_they_are() {
    let outcome = World::of(OutputKind::WebDav, 10).carry(|at, second| match at {
        "a/main.m3u8" => Ok("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nd/v.m3u8\n".to_owned()),
        "a/d/v.m3u8" => live(second, 100, |number| {
            let range = "START-DATE=\"2026-11-21T00:00:00Z\",CLASS=\"com.apple.hls.interstitial\"";
            match number % 2 {
                0 => format!(
                    "#EXT-X-DATERANGE:ID=\"{number}\",X-ASSET-LIST=\"../l.json?x=1\",{range}\n"
                ),
                _ => format!(
                    "#EXT-X-DATERANGE:ID=\"{number}\",{range},X-ASSET-URI=\"https://c/m.m3u8\"\n"
                ),
            }
        }),
        _ => Ok(at.to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    assert!(text.contains("ID=\"102\",X-ASSET-LIST=\"http://a/l.json?x=1\",START-DATE="), "{text}");
    assert!(text.contains("interstitial\",X-ASSET-URI=\"https://c/m.m3u8\"\n"), "{text}");
}
