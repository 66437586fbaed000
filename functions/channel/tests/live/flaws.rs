//! What cannot be played is refused with every reason.

use crate::vod::{LADDER, index, media};
use channel::{Asset, Loop, Settings};
use hls::{Micros, Seconds, Timestamp};
use std::sync::Arc;

const SETTINGS: Settings =
    Settings { epoch: Timestamp(0), target_duration: Seconds(2), window: Micros::from_secs(10) };

/// A VOD of `LADDER` with these media playlists.
fn ladder(v0: String, v1: String, audio: String) -> Result<Asset, Vec<channel::Flaw>> {
    index("/a/", LADDER, &[("v0/main.m3u8", v0), ("v1/main.m3u8", v1), ("en/main.m3u8", audio)])
}

#[test]
fn a_programme_that_cannot_be_played_is_refused_with_every_reason() {
    let video = || media("s", "ts", &[2_000, 2_000, 1_000]);
    let audio = || media("s", "aac", &[2_005, 1_984, 1_021]);
    let with = |line: &str| video().replacen("#EXTINF", &format!("{line}\n#EXTINF"), 1);
    assert_eq!(ladder(video(), video(), audio()).unwrap().duration(), Micros::from_secs(5));
    for (name, found, reasons) in [
        (
            "a segment more",
            ladder(video(), media("s", "ts", &[2_000, 2_000, 500, 500]), audio()),
            "v1/main.m3u8: has 4 segments where v0/main.m3u8 has 3",
        ),
        (
            "another boundary",
            ladder(video(), media("s", "ts", &[2_000, 1_950, 1_050]), audio()),
            "v1/main.m3u8: segment 2 ends at 3.95 s where that of v0/main.m3u8 ends at 4 s",
        ),
        (
            "audio that ends before",
            ladder(video(), video(), media("s", "aac", &[2_000, 2_000])),
            "en/main.m3u8: plays for 4 s where the programme takes 5 s",
        ),
        (
            "a discontinuity in one alone",
            ladder(video(), media("s", "ts", &[2_000, -2_000, 1_000]), audio()),
            "v1/main.m3u8: has 1 discontinuities where v0/main.m3u8 has 0",
        ),
        (
            "another container",
            ladder(video(), media("s", "mp4", &[2_000, 2_000, 1_000]), audio()),
            "v1/main.m3u8: segment 1 is mp4 where ts came before",
        ),
        (
            "two containers in one playlist",
            ladder(video().replace("s1.ts", "s1.mp4?a=b.ts"), video(), audio()),
            "v0/main.m3u8: segment 2 is mp4 where ts came before",
        ),
        (
            "a range that has no known beginning",
            ladder(video(), with("#EXT-X-BYTERANGE:1"), audio()),
            "v1/main.m3u8: segment 1 is a range of a file that has no known beginning",
        ),
        (
            "a range behind that of another file",
            ladder(
                video(),
                with("#EXT-X-BYTERANGE:1@0").replace("\n#EXTINF:1", "\n#EXT-X-BYTERANGE:1\n#EXTINF:1"),
                audio(),
            ),
            "v1/main.m3u8: segment 3 is a range of a file that has no known beginning",
        ),
        (
            "keys of a DRM system alone from its second segment on",
            ladder(
                video(),
                video().replacen(
                    "s0.ts\n",
                    "s0.ts\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.example\"\n",
                    1,
                ),
                audio(),
            ),
            "v1/main.m3u8: segment 2 is encrypted with keys that only a DRM system gives",
        ),
        (
            "an encrypted initialisation section whose key has no IV, from its second segment on",
            ladder(
                video(),
                video().replacen(
                    "s0.ts\n",
                    "s0.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i.mp4\"\n",
                    1,
                ),
                audio(),
            ),
            "v1/main.m3u8: segment 2 is fmp4 where ts came before\n\
             v1/main.m3u8: segment 2 has an EXT-X-MAP that is encrypted with AES-128 by an EXT-X-KEY without IV",
        ),
        (
            "a segment that no player reads",
            ladder(video(), video().replace("s1.ts", "ftp://a.example/s1.ts"), audio()),
            "v1/main.m3u8: segment 2 is at an address that is neither of http nor of https",
        ),
        (
            "sound with a discontinuity elsewhere",
            ladder(
                media("s", "ts", &[1_000, 1_000, -1_000]),
                media("s", "ts", &[1_000, 1_000, -1_000]),
                media("s", "aac", &[1_000, 1_501, -499]),
            ),
            "en/main.m3u8: segment 2 ends at 2.501 s where that of v0/main.m3u8 ends at 2 s",
        ),
        (
            "alternative video",
            index(
                "/a/",
                "#EXTM3U\n#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=\"s\",NAME=\"n\",URI=\"s.m3u8\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=1,VIDEO=\"s\"\nv.m3u8\n",
                &[("v.m3u8", video()), ("s.m3u8", video())],
            ),
            "s.m3u8: segment 1 is of alternative video",
        ),
        (
            "no end, and nothing in it",
            ladder(
                video().replace("#EXT-X-ENDLIST\n", ""),
                "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n".to_owned(),
                audio(),
            ),
            "v0/main.m3u8: has no end (EXT-X-ENDLIST)\nv1/main.m3u8: has nothing to play",
        ),
        (
            "playlists that are missing",
            index("/a/", LADDER, &[("v1/main.m3u8", video())]),
            "en/main.m3u8: missing\nv0/main.m3u8: missing",
        ),
        (
            "one that is missing, and others that are unequal",
            index(
                "/a/",
                LADDER,
                &[("v0/main.m3u8", video()), ("v1/main.m3u8", media("s", "ts", &[2_000, 2_000]))],
            ),
            "en/main.m3u8: missing\nv1/main.m3u8: has 2 segments where v0/main.m3u8 has 3",
        ),
    ] {
        let flaws = found.expect_err(name);
        let said: Vec<String> = flaws.iter().map(ToString::to_string).collect();
        assert_eq!(said.join("\n"), reasons, "{name}");
    }
}

#[test]
fn a_programme_that_does_not_go_with_the_others_is_refused_with_its_place() {
    let video = || media("s", "ts", &[2_000, 2_499]);
    let audio = || media("s", "aac", &[2_000, 2_490]);
    let good = || ladder(video(), video(), audio()).unwrap();
    let muxed = |codecs: &str, extension: &str| {
        let multivariant =
            format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"{codecs}\"\nv.m3u8\n");
        let video = media("s", extension, &[2_000, 2_000]);
        index("/m/", &multivariant, &[("v.m3u8", video)]).unwrap()
    };
    let long = ladder(
        media("s", "ts", &[2_500]),
        media("s", "ts", &[2_499]),
        audio().replace("2.000", "0.010"),
    );
    assert!(Loop::new(SETTINGS, vec![Arc::new(good()), Arc::new(good())]).is_ok());
    for (name, assets, reasons) in [
        ("none", vec![], "0: a loop needs a programme"),
        (
            "a segment that is too long",
            vec![good(), long.unwrap()],
            "1: v0/main.m3u8: segment 1 takes 2.5 s and the channel's target duration is 2 s",
        ),
        (
            "another ladder",
            vec![good(), muxed("avc1.4d400d,mp4a.40.2", "ts")],
            "1: has nothing to play as audio_en",
        ),
        (
            "audio that is beside",
            vec![muxed("avc1.4d400d,mp4a.40.2", "ts"), good()],
            "1: has its audio beside the variants where the channel has it in them",
        ),
        (
            "another codec and container",
            vec![muxed("avc1.4d400d,mp4a.40.2", "ts"), muxed("mp4a.40.2,hvc1.1.6", "mp4")],
            "1: v.m3u8: segment 1 is mp4 where ts came before",
        ),
        (
            "another codec",
            vec![muxed("avc1.4d400d,mp4a.40.2", "ts"), muxed("mp4a.40.2,hvc1.1.6", "ts")],
            "1: v.m3u8: is hvc1, mp4a where the channel is avc1, mp4a",
        ),
    ] {
        let assets = assets.into_iter().map(Arc::new).collect();
        let flaws = Loop::new(SETTINGS, assets).expect_err(name);
        let said: Vec<String> =
            flaws.iter().map(|(place, flaw)| format!("{place}: {flaw}")).collect();
        assert_eq!(said.join("\n"), reasons, "{name}");
    }
}

#[test]
fn boundaries_and_lengths_may_differ_as_much_as_players_bear() {
    let video = |first: i64| media("s", "ts", &[first, 4_000 - first]);
    let audio = |last: i64| media("s", "aac", &[2_000, last]);
    for (first, last, good) in
        [(2_042, 2_500, true), (2_043, 2_000, false), (1_958, 1_500, true), (2_000, 2_501, false)]
    {
        let programme = ladder(video(2_000), video(first), audio(last));
        assert_eq!(programme.is_ok(), good, "{first} {last}");
    }
    for (cut, good) in [(2_000, true), (2_500, true), (1_500, true), (2_501, false), (1_499, false)]
    {
        let video = || media("s", "ts", &[2_000, -2_000]);
        let programme = ladder(video(), video(), media("s", "aac", &[cut, cut - 4_000]));
        assert_eq!(programme.is_ok(), good, "a discontinuity of the sound at {cut}");
    }
}
