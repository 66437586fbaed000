//! Date ranges, as an output lists them: they are not bound to the segment that follows.

use super::carried::{mark, name, source, style};
use super::media;
use hls::MediaSequence;
use relay::cursor::Rendition;
use relay::names::Stem;
use relay::parts::Keys;
use relay::render::render;
use relay::session::Address;
use relay::settle::Style;
use url::Url;

const FOLLOW: Option<u64> = None;
const WINDOW: Option<u64> = Some(60);

fn range(of: &str) -> String {
    format!("#EXT-X-DATERANGE:ID=\"ad\",X-IS=\"{of}\"\n")
}

/// Which date ranges are listed before which segments, or at the `end`.
fn shown(mark: &Rendition, text: &str, style: Style, complete: bool) -> Vec<String> {
    let stem = Stem::of(&Address::of(&Url::parse("https://a.example/in/c").unwrap()));
    let (seen, track) = (media(text), &mark.tracks[0]);
    let text = render(&name(), mark, track, &seen, style, &stem, complete).unwrap().text;
    let of = |line: &str| Some(line.split_once("X-IS=\"")?.1.trim_end_matches('"').to_owned());
    let (mut shown, mut at): (Vec<String>, _) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.ends_with(".m4s") {
            let number = line.trim_end_matches(".m4s").rsplit('_').next().unwrap();
            shown.extend(at.drain(..).map(|of| format!("{number} {of}")));
        }
        at.extend(of(line));
    }
    shown.extend(at.into_iter().map(|of| format!("end {of}")));
    shown
}

/// What is shown after each of these texts, one after the other, of which all is listed.
fn course(texts: &[String], window: Option<u64>) -> Vec<Vec<String>> {
    let (style, mut before) = (style(window, Keys::Carried), None);
    let step = |text: &String| {
        let mut next = mark(before.take(), text, &[], style);
        let told = [false, true].map(|complete| shown(&next, text, style, complete));
        assert_eq!(told[0], told[1], "{window:?}\n{text}");
        next.tracks[0].given = next.tracks[0].last().map(relay::cursor::Stretch::last_out);
        before = Some(next);
        told.into_iter().next().unwrap()
    };
    texts.iter().map(step).collect()
}

#[test]
fn those_of_a_block_are_listed_with_the_next_playlist_and_stay_as_long_as_a_window_does() {
    let (a, b) = (&range("a"), &format!("{}{}", range("a"), range("b")));
    let top = |lines: &str, first| source(first, &[lines, "", "", ""]);
    let header = |lines: &str, first| {
        let text = source(first, &["", "", "", ""]);
        text.replace("#EXT-X-MEDIA", &format!("{lines}#EXT-X-MEDIA"))
    };
    let end = |lines: &str, first| source(first, &["", "", "", ""]) + lines;
    let texts = |block: &dyn Fn(&str, u64) -> String| {
        ["", a, b, ""].iter().zip(10..).map(|(lines, first)| block(lines, first)).collect()
    };
    let (top, header, end): (Vec<_>, Vec<_>, Vec<_>) = (texts(&top), texts(&header), texts(&end));
    for (block, window, expected) in [
        (&top, FOLLOW, [&[][..], &["11 a"], &["12 a", "12 b"], &[]]),
        (&header, FOLLOW, [&[], &["11 a"], &["12 a", "12 b"], &[]]),
        (&end, FOLLOW, [&[], &["end a"], &["end a", "end b"], &[]]),
        (&top, WINDOW, [&[], &["11 a"], &["11 a", "12 b"], &["11 a", "12 b"]]),
        (&header, WINDOW, [&[], &["11 a"], &["11 a", "12 b"], &["11 a", "12 b"]]),
        (&end, WINDOW, [&[], &["end a"], &["end a", "end b"], &["14 a", "15 b"]]),
    ] {
        assert_eq!(course(block, window), expected, "{window:?} {}", block[2]);
    }
}

#[test]
fn one_that_follows_the_last_segment_moves_on_to_the_next_with_it() {
    let a = &range("a");
    let texts = [source(10, &["", "", ""]) + a, source(10, &["", "", "", a])];
    for window in [FOLLOW, WINDOW] {
        assert_eq!(course(&texts, window), [["end a"], ["13 a"]], "{window:?}");
    }
}

#[test]
fn what_is_added_to_one_comes_after_it() {
    let (a, both) = (&range("a"), &format!("{}{}", range("a"), range("a again")));
    let at = |first| source(first, &[both, "", "", ""]);
    let beside = [source(10, &["", a, ""]), source(10, &["", both, ""])];
    for window in [FOLLOW, WINDOW] {
        assert_eq!(course(&beside, window), [&["11 a"][..], &["11 a", "11 a again"]], "{window:?}");
    }
    // A window of six segments: that of the first leaves it.
    let texts = [source(10, &[a, "", "", ""]), at(12), at(14)];
    let expected = [&["10 a"][..], &["10 a", "12 a again"], &["12 a", "12 a again"]];
    assert_eq!(course(&texts, Some(12)), expected);
}

#[test]
fn one_that_moves_stands_before_the_other_lines_of_a_segment_and_behind_a_discontinuity() {
    let (style, stem) =
        (style(FOLLOW, Keys::Carried), Address::of(&Url::parse("https://a/c").unwrap()));
    for (lines, expected) in [
        ("#EXT-X-CUE-OUT:9\n", "ad #EXT-X-CUE-OUT:9 #EXTINF:2,"),
        (
            "#EXT-X-DISCONTINUITY\n#EXT-X-CUE-OUT:9\n",
            "#EXT-X-DISCONTINUITY ad #EXT-X-CUE-OUT:9 #EXTINF:2,",
        ),
    ] {
        let text = source(10, &[&range("a"), "", lines, ""]);
        let mut mark = mark(None, &text, &[10, 11], style);
        mark.entry = MediaSequence(12);
        let (seen, track) = (media(&text), &mark.tracks[0]);
        let told = render(&name(), &mark, track, &seen, style, &Stem::of(&stem), true).unwrap();
        let all: Vec<&str> = told.text.lines().collect();
        let end = all.iter().position(|line| !line.starts_with('#')).unwrap();
        let of = |line: &&str| if line.contains("DATERANGE") { "ad" } else { *line }.to_owned();
        let before: Vec<String> = all[..end].iter().map(of).collect();
        assert!(before.join(" ").ends_with(expected), "{before:?}");
        assert_eq!(before.iter().filter(|line| line.contains("ad")).count(), 1, "{before:?}");
    }
}

#[test]
fn those_before_what_is_listed_stand_at_its_first_segment() {
    let ranges: Vec<String> = (10..20).map(|n| range(&n.to_string())).collect();
    let text = source(10, &ranges.iter().map(String::as_str).collect::<Vec<_>>());
    let expected: Vec<String> = (10..20_u64).map(|n| format!("{} {n}", n.max(17))).collect();
    // The first segments were never wanted, or have left a window that is shorter than the source's.
    let (follow, window) = (style(FOLLOW, Keys::Carried), style(Some(6), Keys::Carried));
    let mut joined = mark(None, &text, &(10..17).collect::<Vec<_>>(), follow);
    joined.entry = MediaSequence(17);
    assert_eq!(shown(&joined, &text, follow, true), expected);
    let mut kept = mark(None, &text, &[], window);
    kept.tracks[0].given = Some(MediaSequence(19));
    let kept = mark(Some(kept), &text, &[], window);
    assert_eq!(shown(&kept, &text, window, true), expected);
    // There may be any number of them: those of the source's first segment alone are kept.
    let stored = kept.kept.iter().flat_map(|kept| &kept.lines).filter(|line| line.contains("X-IS"));
    let stored: Vec<&str> = stored.map(|line| line.rsplit('=').next().unwrap()).collect();
    assert_eq!(stored, ["\"10\"", "\"17\"", "\"18\"", "\"19\""]);
}
