//! The same stream twice: which lines of a multivariant playlist say again what another says.
//!
//! Variants with the same attributes are the same stream (RFC 8216 section 6.2.4), and so are those of another
//! pathway (draft-pantos-hls-rfc8216bis section 4.4.6.6), whose groups have other names: one is carried, and
//! the others are read when it fails.

use crate::anchor::hash;
use hls::{AttributeList, Line, Media, MediaKind};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// The attributes of a variant that refer to groups (RFC 8216 section 4.3.4.2).
pub(crate) const GROUP_ATTRIBUTES: [(MediaKind, &str); 4] = [
    (MediaKind::Audio, "AUDIO"),
    (MediaKind::Video, "VIDEO"),
    (MediaKind::Subtitles, "SUBTITLES"),
    (MediaKind::ClosedCaptions, "CLOSED-CAPTIONS"),
];

type Group = (MediaKind, String);

/// Where else the streams are that are carried, by where they are.
pub(crate) type Elsewhere = BTreeMap<Url, Vec<Url>>;

/// The lines without those that say again what another says, and where these would lead.
pub(crate) fn fold(lines: Vec<Line>, base: &Url) -> (Vec<Line>, Elsewhere) {
    let groups = described(&lines);
    let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
    let mut copies: BTreeMap<usize, usize> = BTreeMap::new();
    // Groups of copies, and those of what they are copies of.
    let mut twins: BTreeMap<Group, Group> = BTreeMap::new();
    let mut wanted: BTreeSet<Group> = BTreeSet::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(what) = stream(line, &groups) else { continue };
        let first = *firsts.entry(what).or_insert(index);
        if first == index || uri(&lines[first]) == uri(line) {
            wanted.extend(groups_of(line).map(|(_, group)| group));
            continue;
        }
        copies.insert(index, first);
        for (kind, group) in groups_of(line) {
            let first = groups_of(&lines[first]).find(|(other, _)| *other == kind);
            twins.extend(first.map(|(_, first)| (group, first)));
        }
    }
    for (index, line) in lines.iter().enumerate() {
        let Some((media, group)) = member(line).filter(|(_, group)| !wanted.contains(group)) else {
            continue;
        };
        let Some(twin) = twins.get(&group) else { continue };
        let same = |(at, line): (usize, &Line)| {
            let (other, of) = member(line)?;
            (of == *twin && bare(other) == bare(media)).then_some(at)
        };
        copies.extend(lines.iter().enumerate().find_map(same).map(|first| (index, first)));
    }
    let url = |index: usize| base.join(uri(&lines[index])?).ok();
    let mut elsewhere = Elsewhere::new();
    for (copy, first) in &copies {
        if let (Some(first), Some(copy)) = (url(*first), url(*copy)) {
            let others = elsewhere.entry(first.clone()).or_default();
            if first != copy && !others.contains(&copy) {
                others.push(copy);
            }
        }
    }
    let kept = |(index, line)| (!copies.contains_key(&index)).then_some(line);
    (lines.into_iter().enumerate().filter_map(kept).collect(), elsewhere)
}

/// What a variant is told by that no measurement changes.
const LASTING_ATTRIBUTES: [&str; 6] =
    ["CODECS", "SUPPLEMENTAL-CODECS", "RESOLUTION", "FRAME-RATE", "VIDEO-RANGE", "NAME"];

/// What a line is told by that states none of these.
pub(crate) const NOTHING: u32 = 0;

/// What each line says of its stream that stays the same when addresses, names of groups and what is measured do not.
pub(crate) fn lasting(lines: &[Line]) -> impl Iterator<Item = u32> + use<> {
    let groups = described(lines);
    let of = |line: &Line| {
        let (what, attributes) = match line {
            Line::Variant(variant) => ("V", &variant.attributes),
            Line::IFrame(attributes) => ("I", attributes),
            Line::Media(media) => return Some(bare(media)),
            Line::Other(_) => return None,
        };
        LASTING_ATTRIBUTES.iter().find(|name| attributes.get(name).is_some())?;
        let value = |name: &&str| attributes.get(name).unwrap_or_default();
        let stated = LASTING_ATTRIBUTES.iter().map(value).map(str::to_owned);
        let played = groups_of(line).map(|((_, attribute), group)| {
            let what = groups.get(&group).map(|what| what.join("\u{0}")).unwrap_or_default();
            format!("{attribute}={what}")
        });
        let all: Vec<String> = [what.to_owned()].into_iter().chain(stated).chain(played).collect();
        Some(all.join("\u{1}"))
    };
    let told: Vec<u32> =
        lines.iter().map(|line| of(line).map_or(NOTHING, |told| hash(told.bytes()))).collect();
    told.into_iter()
}

/// What a line says of a stream of its own, however its groups are called; absent where it is no such line.
fn stream(line: &Line, groups: &BTreeMap<Group, Vec<String>>) -> Option<String> {
    let mut attributes = attributes(line)?.clone();
    attributes.remove("PATHWAY-ID");
    attributes.remove("URI");
    for ((_, attribute), group) in groups_of(line) {
        let what = groups.get(&group).map_or_else(|| group.1.clone(), |what| what.join("\u{0}"));
        attributes.remove(attribute);
        attributes.set_quoted(attribute, &what);
    }
    Some(format!("{}{attributes}", if matches!(line, Line::IFrame(_)) { "I" } else { "" }))
}

fn attributes(line: &Line) -> Option<&AttributeList> {
    match line {
        Line::Variant(variant) => Some(&variant.attributes),
        Line::IFrame(attributes) => Some(attributes),
        Line::Media(_) | Line::Other(_) => None,
    }
}

fn uri(line: &Line) -> Option<&str> {
    match line {
        Line::Variant(variant) => Some(&variant.uri),
        Line::IFrame(attributes) => attributes.get("URI"),
        Line::Media(media) => media.uri(),
        Line::Other(_) => None,
    }
}

/// The groups that a stream refers to, and by which attribute.
fn groups_of(line: &Line) -> impl Iterator<Item = ((MediaKind, &'static str), Group)> {
    GROUP_ATTRIBUTES.into_iter().filter_map(move |(kind, attribute)| {
        let group = attributes(line)?.get(attribute)?;
        Some(((kind, attribute), (kind, group.to_owned())))
    })
}

/// A rendition of a group, and the group.
fn member(line: &Line) -> Option<(&Media, Group)> {
    let Line::Media(media) = line else { return None };
    Some((media, (media.kind, media.attributes.get("GROUP-ID").unwrap_or_default().to_owned())))
}

/// What the groups hold, whatever they are called and wherever that lies.
fn described(lines: &[Line]) -> BTreeMap<Group, Vec<String>> {
    let mut groups: BTreeMap<Group, Vec<String>> = BTreeMap::new();
    for (media, group) in lines.iter().filter_map(member) {
        groups.entry(group).or_default().push(bare(media));
    }
    groups.values_mut().for_each(|group| group.sort_unstable());
    groups
}

fn bare(media: &Media) -> String {
    let mut attributes = media.attributes.clone();
    for name in ["GROUP-ID", "URI", "STABLE-RENDITION-ID"] {
        attributes.remove(name);
    }
    attributes.to_string().replace('"', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses that are left of a multivariant playlist, and where else the streams are.
    fn folded(text: &str) -> (Vec<String>, String) {
        let text = format!(
            "#EXTM3U\n{}",
            text.replace("S(", "#EXT-X-STREAM-INF:BANDWIDTH=").replace(") ", "\n")
        );
        let parsed = hls::parse(text.as_bytes(), &hls::Limits::default()).unwrap();
        let hls::Playlist::Multivariant(playlist) = parsed else { panic!("it is multivariant") };
        let (lines, elsewhere) = fold(playlist.lines, &Url::parse("http://a/").unwrap());
        let path = |url: &Url| format!("{}{}", url.host_str().unwrap(), url.path());
        let shown = elsewhere.iter().map(|(first, others)| {
            format!("{}: {}", path(first), others.iter().map(path).collect::<Vec<_>>().join(" "))
        });
        let left = lines.iter().filter_map(uri).map(str::to_owned).collect();
        (left, shown.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn the_same_stream_is_left_once() {
        let media = |group: &str, rest: &str, uri: &str| {
            format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"e\"{rest},URI=\"{uri}\"\n")
        };
        let two = media("A", "", "a/e") + &media("B", "", "b/e");
        for (text, left, elsewhere) in [
            ("S(1) v\nS(1) http://b/v\nS(1) http://c/v\n", "v", "a/v: b/v c/v"),
            ("S(1) v\nS(1) v\nS(2) w\n", "v v w", ""),
            ("S(1,CODECS=\"x\") v\nS(1,CODECS=\"y\") w\n", "v w", ""),
            (
                &format!(
                    "{two}S(1,AUDIO=\"A\",PATHWAY-ID=\"A\") a/v\nS(1,AUDIO=\"B\",PATHWAY-ID=\"B\") b/v\n"
                ),
                "a/e a/v",
                "a/a/e: a/b/e, a/a/v: a/b/v",
            ),
            // The second group is wanted by another stream as well.
            (
                &format!("{two}S(1,AUDIO=\"A\") a/v\nS(1,AUDIO=\"B\") b/v\nS(2,AUDIO=\"B\") b/w\n"),
                "a/e b/e a/v b/w",
                "a/a/v: a/b/v",
            ),
            (
                &format!(
                    "{}{}S(1,AUDIO=\"A\") a/v\nS(1,AUDIO=\"B\") b/v\n",
                    media("A", "", "a/e"),
                    media("B", ",CHANNELS=\"6\"", "b/e"),
                ),
                "a/e b/e a/v b/v",
                "",
            ),
            ("S(1) v\nS(1) http://b/v\nS(1) http://b/v\n", "v", "a/v: b/v"),
            // Of several in a group each has its own.
            (
                &format!(
                    "{}{}{two}S(1,AUDIO=\"A\") a/v\nS(1,AUDIO=\"B\") b/v\n",
                    media("A", ",LANGUAGE=\"de\"", "a/d"),
                    media("B", ",LANGUAGE=\"de\"", "b/d"),
                ),
                "a/d a/e a/v",
                "a/a/d: a/b/d, a/a/e: a/b/e, a/a/v: a/b/v",
            ),
            // The same file in both groups.
            (
                &format!(
                    "{}{}S(1,AUDIO=\"A\") a/v\nS(1,AUDIO=\"B\") b/v\n",
                    media("A", "", "e"),
                    media("B", "", "e"),
                ),
                "e a/v",
                "a/a/v: a/b/v, a/e: ",
            ),
            (
                "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i\",PATHWAY-ID=\"A\"\n\
                 #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"b/i\",PATHWAY-ID=\"B\"\nS(1) v\n",
                "i v",
                "a/i: a/b/i",
            ),
        ] {
            let (found, others) = folded(text);
            assert_eq!((found.join(" ").as_str(), others.as_str()), (left, elsewhere), "{text}");
        }
    }
}
