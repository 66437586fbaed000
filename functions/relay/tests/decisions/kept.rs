//! Which renditions keep their names when what they are told by changes.

use super::{NOW, live};
use hls::{Limits, Playlist};
use relay::anchor::{Anchor, take_up};
use relay::cursor::Rendition;
use relay::layout::{Layout, place};
use relay::names::{Epoch, RenditionName};
use std::collections::BTreeMap;
use url::Url;

/// The layout of lines in which `V` is a variant, `I` its I-frames, and `A` a sound.
fn source(lines: &[&str]) -> Layout {
    let of = |line: &&str| {
        let (told, uri) = line.rsplit_once(' ').unwrap();
        let (kind, rest) = told.split_at(1);
        match kind {
            "V" => format!("#EXT-X-STREAM-INF:BANDWIDTH={rest}\n{uri}\n"),
            "I" => format!("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={rest},URI=\"{uri}\"\n"),
            _ => format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID={rest},URI=\"{uri}\"\n"),
        }
    };
    let text = format!("#EXTM3U\n{}", lines.iter().map(of).collect::<String>());
    let Playlist::Multivariant(playlist) = hls::parse(text.as_bytes(), &Limits::default()).unwrap()
    else {
        panic!("a media playlist")
    };
    Layout::of(playlist, &Url::parse("http://a.example/").unwrap()).unwrap()
}

/// What is known of them, of which some are of another source, or not listed any more.
fn known(layout: Layout, elsewhere: &[&str], gone: &[&str]) -> BTreeMap<RenditionName, Rendition> {
    let seen = live(10, 13, "a");
    let entry = Anchor::Joined(hls::MediaSequence(10));
    let mark = take_up(None, &seen, entry, Epoch(1), 1, NOW).unwrap();
    let of = |(name, listed): (RenditionName, relay::layout::Listed)| {
        let (place, alike) = (Some(place(&listed.urls[0])), listed.alike);
        let source = usize::from(elsewhere.contains(&name.as_ref()));
        let unlisted = gone.contains(&name.as_ref());
        (name, Rendition { place, alike, source, unlisted, ..mark.clone() })
    };
    layout.renditions.into_iter().map(of).collect()
}

/// Where the renditions of `now` lie, by the names that they have after `known`.
fn named(now: &[&str], known: &BTreeMap<RenditionName, Rendition>) -> String {
    let mut now = source(now);
    now.keep_names(known, 0);
    let told = now.renditions.iter().map(|(name, it)| format!("{name}{}", it.urls[0].path()));
    told.collect::<Vec<_>>().join(" ")
}

const HD: &str = "RESOLUTION=1280x720,CODECS=\"avc1.64001f\"";
const SD: &str = "RESOLUTION=640x360,CODECS=\"avc1.64001f\"";

#[test]
fn a_rendition_of_which_address_and_bandwidth_change_keeps_its_name() {
    let of = |lines: &[&str]| -> Vec<String> {
        lines.iter().map(|line| line.replace("HD", HD).replace("SD", SD)).collect()
    };
    for (before, now, expected) in [
        (
            &["V300,HD a", "V100,SD b"][..],
            &["V103,SD d", "V309,HD c"][..],
            "video-100/d video-300/c",
        ),
        // However far: what is like it is the only one.
        (&["V300,HD a", "V100,SD b"], &["V99,HD c", "V101,SD d"], "video-100/d video-300/c"),
        // Of those that are alike the largest is the largest.
        (
            &["V300,HD a", "V200,HD b", "V100,SD x"],
            &["V205,HD d", "V308,HD c", "V101,SD e"],
            "video-100/e video-200/d video-300/c",
        ),
        // One that is known by its address, or by its name, leaves the other.
        (&["V300,HD a", "V200,HD b"], &["V100,HD a", "V250,HD c"], "video-200/c video-300/a"),
        (&["V300,HD a", "V200,HD b"], &["V200,HD c", "V305,HD d"], "video-200/c video-300/d"),
        // What is measured goes past another, and the addresses tell.
        (&["V300,HD a", "V290,HD b"], &["V290,HD a", "V300,HD b"], "video-290/b video-300/a"),
        (
            &["V300,HD a", "V290,HD b", "V1,HD c"],
            &["V290,HD a", "V1,HD b", "V4,HD c"],
            "video-1/c video-290/b video-300/a",
        ),
        // Of two that lay there one is elsewhere by now.
        (&["V300 a?1", "V200 a?2"], &["V300 b", "V205 a?3"], "video-200/a video-300/b"),
        // A ladder that changes: another resolution, one more, one less.
        (&["V300,HD a", "V100,SD b"], &["V305,HD c", "V101 d"], "video-101/d video-300/c"),
        (&["V300,HD a"], &["V305,HD c", "V101,SD d"], "video-101/d video-300/c"),
        (&["V300,HD a", "V100,SD b"], &["V305,HD c"], "video-300/c"),
        // Which of them it is cannot be told.
        (&["V300,HD a"], &["V305,HD c", "V200,HD d"], "video-200/d video-305/c"),
        (&["V300,HD a", "V200,HD b"], &["V305,HD c"], "video-305/c"),
        // What they play with is another.
        (
            &["A\"g\",NAME=\"n\",LANGUAGE=\"en\" s", "V300,HD,AUDIO=\"g\" a", "V200,HD b"],
            &["A\"h\",NAME=\"n\",LANGUAGE=\"en\" t", "V201,HD d", "V190,HD,AUDIO=\"h\" c"],
            "audio-g-en-n/t video-200/d video-300/c",
        ),
        (
            &[
                "A\"g\",NAME=\"n\" s",
                "A\"i\",NAME=\"n\" t",
                "V3,HD,AUDIO=\"g\" a",
                "V2,SD,AUDIO=\"i\" b",
            ],
            &[
                "A\"g\",NAME=\"n\" u",
                "A\"j\",NAME=\"n\" v",
                "V3,HD,AUDIO=\"g\" a",
                "V2,SD,AUDIO=\"j\" b",
            ],
            "audio-g-n/u audio-i-n/v video-2/b video-3/a",
        ),
        (
            &[
                "A\"g\",NAME=\"n\" s",
                "A\"i\",NAME=\"n\" t",
                "V3,HD,AUDIO=\"g\" a",
                "V2,SD,AUDIO=\"i\" b",
            ],
            &[
                "A\"h\",NAME=\"n\" u",
                "A\"j\",NAME=\"n\" v",
                "V3,HD,AUDIO=\"h\" a",
                "V2,SD,AUDIO=\"j\" b",
            ],
            "audio-h-n/u audio-j-n/v video-2/b video-3/a",
        ),
        // I-frames are no variant.
        (&["V300,HD a", "I30,HD i"], &["I31,HD j", "V305,HD c"], "iframes-30/j video-300/c"),
        (&["V300,HD a", "I30,HD i"], &["V305,HD c", "V290,HD d"], "video-290/d video-305/c"),
    ] {
        let (before, now) = (of(before), of(now));
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let now: Vec<&str> = now.iter().map(String::as_str).collect();
        assert_eq!(named(&now, &known(source(&before), &[], &[])), expected, "{before:?} {now:?}");
    }
}

#[test]
fn what_is_not_known_to_last_or_was_not_carried_until_now_is_not_gone_on_from() {
    let lines =
        ["V300,HD a", "V200,HD b", "V100,SD c"].map(|it| it.replace("HD", HD).replace("SD", SD));
    let stated: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (plain, stated) = (source(&["V300 a", "V200 b", "V100 c"]), source(&stated));
    for (before, elsewhere, gone, now, expected) in [
        (
            &stated,
            &[][..],
            &["video-200"][..],
            &["V310,HD d", "V110,SD e"][..],
            "video-100/e video-300/d",
        ),
        // It is there again, and was not carried for a while.
        (
            &stated,
            &[],
            &["video-200"],
            &["V300,HD a", "V100,SD c", "V210,HD e"],
            "video-100/c video-210/e video-300/a",
        ),
        (&stated, &["video-300"], &[], &["V310,HD d"], "video-200/d"),
        (&stated, &["video-300", "video-200"], &[], &["V310,HD d"], "video-310/d"),
        (&plain, &[], &[], &["V310 d", "V110 e", "V210 f"], "video-110/e video-210/f video-310/d"),
        // One went, and another came.
        (&plain, &[], &[], &["V300 a", "V200 b", "V110 e"], "video-110/e video-200/b video-300/a"),
        (&plain, &[], &[], &["V300 d", "V200 e", "V110 f"], "video-110/f video-200/e video-300/d"),
    ] {
        let known = known(before.clone(), elsewhere, gone);
        let now: Vec<String> =
            now.iter().map(|it| it.replace("HD", HD).replace("SD", SD)).collect();
        let now: Vec<&str> = now.iter().map(String::as_str).collect();
        assert_eq!(named(&now, &known), expected, "{elsewhere:?} {gone:?} {now:?}");
    }
    // Before it was noted what they are like.
    let mut known = known(plain, &[], &[]);
    known.values_mut().for_each(|mark| mark.alike = None);
    assert_eq!(
        named(&["V120 d", "V210 e", "V310 f"], &known),
        "video-120/d video-210/e video-310/f"
    );
}
