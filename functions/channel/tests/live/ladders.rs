//! What a channel offers, and which track of a programme plays in which rendition.

use crate::vod::{index, media, read_multivariant};
use channel::{Asset, Ladder, media_playlists, tracks};
use hls::Seconds;

/// Two variants of one height, one without a picture's size, audio, subtitles and I-frames.
const FULL: &str = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Français 1",LANGUAGE="fr-CA",URI="fr.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Director's",URI="talk.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",LANGUAGE="de",URI="de.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Hints",URI="hints.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="CC",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,AUDIO="a",SUBTITLES="s"
b.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=640x360,AUDIO="a",SUBTITLES="s"
a.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=64000,AUDIO="a"
sound.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=70000,AVERAGE-BANDWIDTH=60000,URI="i.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=40000,RESOLUTION=640x360,URI="j.m3u8"
"#;

fn names(ladder: &Ladder) -> Vec<&str> {
    ladder.renditions.iter().map(|it| it.name.as_str()).collect()
}

fn containers(ladder: &Ladder) -> Vec<&str> {
    ladder.renditions.iter().map(|it| it.container.as_str()).collect()
}

#[test]
fn a_ladder_can_be_described_before_there_is_a_programme() {
    let described = Ladder::described(&read_multivariant(FULL), None);
    let expected = [
        "video_64k",
        "video_360p",
        "video_360p_2",
        "audio_director-s",
        "audio_fr-ca",
        "subtitles_hints",
        "subtitles_de",
        "iframes_360p",
        "iframes_70k",
    ];
    assert_eq!(names(&described), expected);
    assert_eq!(containers(&described), ["ts", "ts", "ts", "ts", "ts", "vtt", "vtt", "ts", "ts"]);
    for (place, name) in expected.iter().enumerate() {
        assert_eq!(described.find(name), Some(place), "{name}");
    }
    assert_eq!(described.find("video_1080p"), None);
    insta::assert_snapshot!(described.multivariant(), @r#"
    #EXTM3U
    #EXT-X-VERSION:6
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Français 1",LANGUAGE="fr-CA",URI="audio_fr-ca.m3u8"
    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Director's",URI="audio_director-s.m3u8"
    #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",LANGUAGE="de",URI="subtitles_de.m3u8"
    #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Hints",URI="subtitles_hints.m3u8"
    #EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="CC",INSTREAM-ID="CC1"
    #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,AUDIO="a",SUBTITLES="s"
    video_360p_2.m3u8
    #EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=640x360,AUDIO="a",SUBTITLES="s"
    video_360p.m3u8
    #EXT-X-STREAM-INF:BANDWIDTH=64000,AUDIO="a"
    video_64k.m3u8
    #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=70000,URI="iframes_70k.m3u8"
    #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=40000,RESOLUTION=640x360,URI="iframes_360p.m3u8"
    "#);
}

/// A VOD of one variant, one audio rendition, subtitles and I-frames, of segments named `s`.
fn vod(extensions: [&str; 4], map: bool) -> Asset {
    const LADDER: &str = r#"#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",URI="a.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="English",URI="s.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=400000,AUDIO="a",SUBTITLES="s"
v.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=40000,URI="i.m3u8"
"#;
    let media =
        ["v.m3u8", "a.m3u8", "s.m3u8", "i.m3u8"].iter().zip(extensions).map(|(name, it)| {
            let text = media("s", it, &[2_000]);
            let with_map = text.replacen("#EXTINF", "#EXT-X-MAP:URI=\"init\"\n#EXTINF", 1);
            (*name, if map && it != "vtt" { with_map } else { text })
        });
    index("/a/", LADDER, &media.collect::<Vec<_>>()).unwrap()
}

#[test]
fn what_segments_are_in_is_told_by_a_map_or_their_names() {
    for (extensions, map, expected) in [
        (["ts", "aac", "vtt", "ts"], false, ["ts", "aac", "vtt", "ts"]),
        (["jpg", "adts", "webvtt", "x/y"], false, ["ts", "aac", "vtt", "ts"]),
        (["ts?a=b.mp4", "mp3", "vtt#1", "ts"], false, ["ts", "mp3", "vtt", "ts"]),
        (["ts", "ac3", "vtt", "ts"], false, ["ts", "ac3", "vtt", "ts"]),
        (["ts", "ec3", "vtt", "ts"], false, ["ts", "ac3", "vtt", "ts"]),
        (["m4s", "mp4", "vtt", "mp4"], false, ["m4s", "mp4", "vtt", "mp4"]),
        (["m4s", "mp4", "vtt", "aac"], true, ["fmp4", "fmp4", "vtt", "fmp4"]),
    ] {
        assert_eq!(containers(vod(extensions, map).ladder()), expected, "{extensions:?} {map}");
    }
}

#[test]
fn a_described_ladder_is_in_the_containers_of_the_programmes_it_is_for() {
    let like = vod(["m4s", "ec3", "vtt", "m4s"], true);
    let described = Ladder::described(&read_multivariant(FULL), Some(like.ladder()));
    assert_eq!(
        containers(&described),
        ["fmp4", "fmp4", "fmp4", "fmp4", "fmp4", "vtt", "vtt", "fmp4", "fmp4"]
    );
    let like = vod(["ts", "ec3", "vtt", "m4s"], false);
    let described = Ladder::described(&read_multivariant(FULL), Some(like.ladder()));
    assert_eq!(
        containers(&described),
        ["ts", "ts", "ts", "ac3", "ac3", "vtt", "vtt", "m4s", "m4s"]
    );
}

/// A VOD with these lines in its multivariant playlist; each of its playlists has one segment, with its name and extension.
pub fn vod_of(lines: &[String]) -> Asset {
    let multivariant = format!("#EXTM3U\n{}", lines.concat());
    let read = read_multivariant(&multivariant);
    let media = media_playlists(&read).into_iter().map(|name| {
        let (stem, extension) = name.split_once('.').unwrap();
        (name, media(stem, extension, &[2_000]))
    });
    index("/", &multivariant, &media.collect::<Vec<_>>()).unwrap()
}

pub fn video(name: &str, bandwidth: u64, height: u64, codecs: &str) -> String {
    format!(
        "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION=16x{height},CODECS=\"{codecs}\"\n{name}\n"
    )
}

fn frames(name: &str, bandwidth: u64, height: u64) -> String {
    format!(
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION=16x{height},URI=\"{name}\"\n"
    )
}

fn text(name: &str, language: &str, title: &str) -> String {
    format!(
        "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",LANGUAGE=\"{language}\",NAME=\"{title}\",URI=\"{name}\"\n"
    )
}

fn sound(name: &str, language: &str, title: &str, group: &str) -> String {
    format!(
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",LANGUAGE=\"{language}\",NAME=\"{title}\",URI=\"{name}\"\n"
    )
}

/// What plays of a programme in each rendition of a channel, or why it cannot.
pub fn mapped(channel: &[String], programme: &[String]) -> String {
    let (channel, programme) = (vod_of(channel), vod_of(programme));
    match tracks(channel.ladder(), Seconds(2), &programme) {
        Ok(tracks) => {
            let stem = |track| {
                let address = programme.needs(&[track], 0).map_or("/-0.", |it| it.segment);
                address[1..].split_once("0.").unwrap().0.to_owned()
            };
            tracks.into_iter().map(stem).collect::<Vec<_>>().join(" ")
        }
        Err(flaws) => flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn the_variants_of_a_programme_are_chosen_by_codec_height_and_bandwidth() {
    let channel = |extension: &str, codecs: &str| {
        [("a", 400, 180), ("b", 900, 360), ("c", 3_000, 720)]
            .map(|(name, rate, height)| video(&format!("{name}.{extension}"), rate, height, codecs))
    };
    let avc = "avc1.4d400d";
    for (name, codecs, programme, expected) in [
        ("the height is nearest", avc, vec![("low", 100, 200), ("high", 200, 700)], "low low high"),
        (
            "the bandwidth is nearest where heights are as far",
            avc,
            vec![("far", 700, 360), ("near", 1_000, 360), ("other", 900, 380)],
            "far near other",
        ),
    ] {
        let programme: Vec<String> = programme
            .into_iter()
            .map(|(name, rate, height)| video(&format!("{name}.ts"), rate, height, avc))
            .collect();
        assert_eq!(mapped(&channel("ts", codecs), &programme), expected, "{name}");
    }
    let two = |first: &str, second: &str| {
        [video("first.ts", 100, 180, first), video("second.ts", 200, 720, second)]
    };
    for (codecs, first, second, expected) in [
        (avc, avc, "hvc1.2", "first first first"),
        (avc, "hvc1.2", avc, "second second second"),
        (avc, "hvc1.2", "", "second second second"),
        ("", "hvc1.2", avc, "first first second"),
        (avc, "hvc1.2", "hvc1.2", "first.ts: is hvc1 where the channel is avc1"),
    ] {
        assert_eq!(
            mapped(&channel("ts", codecs), &two(first, second)),
            expected,
            "{first} {second}"
        );
    }
    let mixed = [video("x.ts", 100, 180, avc), video("y.ts", 200, 720, avc)];
    let refused = "x.ts: segment 1 is ts where mp4 came before";
    assert_eq!(mapped(&channel("mp4", avc), &mixed), refused);
}

#[test]
fn what_is_beside_the_variants_of_a_programme_is_chosen_by_language_and_then_by_name() {
    let with = |lines: &[String]| [&[video("v.ts", 400, 180, "")], lines].concat();
    let channel = with(&[
        sound("en.aac", "en", "English", "low"),
        text("de.vtt", "de", "Deutsch"),
        frames("i.ts", 40, 180),
    ]);
    let english = || sound("other.aac", "en", "Talk", "high");
    for (name, lines, expected) in [
        ("nothing but its sound", vec![english()], "v other - -"),
        ("no sound", vec![], "has nothing to play as audio_en"),
        (
            "sound in what the channel cannot play",
            vec![sound("en.mp3", "en", "English", "low")],
            "has nothing to play as audio_en",
        ),
        (
            "another language",
            vec![sound("x.aac", "fr", "English", "low"), english()],
            "v other - -",
        ),
        ("that name", vec![english(), sound("x.aac", "en", "English", "high")], "v x - -"),
        ("that group", vec![sound("x.aac", "en", "Talk", "low"), english()], "v x - -"),
        ("the only one", vec![sound("x.aac", "fr", "Français", "high")], "v x - -"),
        ("its language", vec![english(), text("x.vtt", "de", "Hinweise")], "v other x -"),
        ("no subtitles in it", vec![english(), text("x.vtt", "en", "Deutsch")], "v other - -"),
        (
            "that title",
            vec![english(), text("x.vtt", "de", "A"), text("y.vtt", "de", "Deutsch")],
            "v other y -",
        ),
        (
            "subtitles in a container of video",
            vec![english(), text("x.mp4", "de", "Deutsch")],
            "v other - -",
        ),
        (
            "I-frames of the height, then of the bandwidth",
            vec![
                english(),
                frames("x.ts", 40, 200),
                frames("y.ts", 90, 180),
                frames("z.ts", 50, 180),
            ],
            "v other - z",
        ),
        ("I-frames in another container", vec![english(), frames("x.mp4", 40, 180)], "v other - -"),
    ] {
        assert_eq!(mapped(&channel, &with(&lines)), expected, "{name}");
    }
    let beside = "has its audio beside the variants where the channel has it in them";
    assert_eq!(mapped(&with(&[]), &with(&[english()])), beside);
}
