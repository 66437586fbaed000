//! What a multivariant playlist says.

use crate::fixtures::fixture;
use crate::{read_media, read_multivariant};
use hls::{Line, MediaKind};

#[test]
fn variants_and_renditions_are_found_by_their_attributes() {
    let playlist = read_multivariant(&fixture("multivariant-demuxed.m3u8"));
    let variants: Vec<_> = playlist
        .variants()
        .map(|variant| (variant.bandwidth, variant.uri.as_str(), variant.attributes.get("AUDIO")))
        .collect();
    assert_eq!(
        variants,
        [(2_250_000, "540p/index.m3u8", Some("aac")), (8_300_000, "1080p/index.m3u8", Some("ac3")),]
    );
    let media: Vec<_> = playlist
        .media()
        .map(|media| (media.kind, media.group_id(), media.name(), media.language(), media.uri()))
        .collect();
    assert_eq!(
        media[1..],
        [
            (MediaKind::Audio, "aac", Some("Svenska"), Some("sv"), Some("audio/sv/index.m3u8")),
            (MediaKind::Audio, "ac3", Some("English"), Some("en"), Some("audio/en-ac3/index.m3u8")),
            (MediaKind::Subtitles, "subs", Some("English"), Some("en"), Some("subs/en/index.m3u8")),
            (MediaKind::ClosedCaptions, "cc", Some("CC1"), Some("en"), None),
        ]
    );
    let i_frames = playlist.lines.iter().find_map(|line| match line {
        Line::IFrame(attributes) => attributes.get("URI"),
        Line::Variant(_) | Line::Media(_) | Line::Other(_) => None,
    });
    assert_eq!(i_frames, Some("1080p/iframe.m3u8"));
}

#[test]
fn a_mistake_in_an_attribute_that_is_not_used_does_no_harm() {
    let playlist = read_multivariant(&fixture("multivariant-quirks.m3u8"));
    let variants: Vec<_> = playlist
        .variants()
        .map(|variant| (variant.bandwidth, variant.attributes.get("CODECS"), variant.between.len()))
        .collect();
    assert_eq!(variants, [(1_280_000, Some("avc1.4d401f, mp4a.40.2"), 0), (640_000, None, 3)]);
    let media: Vec<_> = playlist.media().collect();
    assert_eq!(media.len(), 1, "a kind that is not known is no rendition");
    assert_eq!((media[0].name(), media[0].language(), media[0].uri()), (Some(""), None, None));
}

#[test]
fn a_rendition_between_a_variant_and_its_address_comes_first() {
    let playlist = read_multivariant(
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\"\nv.m3u8\n",
    );
    assert_eq!(
        playlist.to_string(),
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"
    );
}

#[test]
fn an_address_that_no_variant_announces_is_left_out() {
    let playlist = read_multivariant(
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"a.m3u8\"\na.m3u8\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n\n\nv2.m3u8\n",
    );
    assert_eq!(
        playlist.to_string(),
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"a.m3u8\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"
    );
}

#[test]
fn a_changed_address_is_rendered_in_its_place() {
    let mut playlist = read_multivariant(
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"old.m3u8\",NAME=\"A\"\n",
    );
    for line in &mut playlist.lines {
        if let Line::Media(media) = line {
            media.attributes.set_quoted("URI", "channel_audio.m3u8");
        }
    }
    assert_eq!(
        playlist.to_string(),
        "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"channel_audio.m3u8\",NAME=\"A\"\n"
    );
}

#[test]
fn tags_that_both_kinds_have_decide_nothing() {
    let text = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n";
    read_media(&format!("{text}#EXT-X-TARGETDURATION:6\n"));
    for tag in
        ["STREAM-INF:BANDWIDTH=1\nv.m3u8", "MEDIA:TYPE=A,GROUP-ID=\"a\"", "I-FRAME-STREAM-INF:"]
    {
        read_multivariant(&format!("{text}#EXT-X-{tag}\n"));
    }
}
