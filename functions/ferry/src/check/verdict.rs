//! Whether an output takes a source, and why not.

use super::container::Container;
use super::report::{Rendition, Report, Role, Verdict};
use std::collections::BTreeSet;

/// Streams that a channel of MediaPackage takes.
const STREAMS: usize = 20;
/// Tracks that one of its streams takes.
const TRACKS: usize = 10;
/// Containers that MediaPackage ingests over HLS.
const CONTAINERS: [Container; 5] =
    [Container::Ts, Container::Aac, Container::Ac3, Container::Eac3, Container::WebVtt];
/// Codecs that MediaPackage ingests over HLS.
const VIDEO: [&str; 2] = ["H.264", "HEVC"];
const OTHERS: [&str; 4] = ["AAC", "AC-3", "E-AC-3", "WebVTT"];

/// What every output says.
pub fn all(report: &Report) -> Vec<Verdict> {
    // The HLS input of version 2 takes what version 1 takes.
    ["mediapackage", "mediapackagev2"]
        .map(|output| {
            let reasons = reasons(report);
            Verdict { output, accepts: reasons.is_empty(), reasons }
        })
        .into()
}

fn reasons(report: &Report) -> Vec<String> {
    let mut reasons = Vec::new();
    let media = || report.renditions.iter().filter_map(|it| Some((it, it.media.as_ref()?)));
    if media().next().is_none() {
        reasons.push("no media playlist could be read".to_owned());
        return reasons;
    }
    // Fragments are recognised by their map even where no segment was read.
    let fmp4 = |(_, media): &(_, &super::report::Media)| {
        media.maps || media.container == Some(Container::Fmp4)
    };
    say(&mut reasons, "segments are fMP4, and only TS is taken", names(media().filter(fmp4)));
    let encrypted = media().filter(|(_, media)| !media.encryption.is_empty());
    say(&mut reasons, "segments are encrypted", names(encrypted));
    let other =
        media().filter(|it| !fmp4(it) && it.1.encryption.is_empty()).filter(|(_, media)| {
            media.container.is_some_and(|container| !CONTAINERS.contains(&container))
        });
    say(&mut reasons, "segments are not TS, packed audio or WebVTT", names(other));
    let unread = media().filter(|(_, media)| {
        let known = media.maps || media.byte_ranges || !media.encryption.is_empty();
        media.container.is_none() && !known
    });
    say(&mut reasons, "no segment could be read", names(unread));
    let codecs: BTreeSet<&str> = report.codecs.iter().map(String::as_str).collect();
    let known = |codec: &&str| VIDEO.contains(codec) || OTHERS.contains(codec);
    let unknown: Vec<&str> = codecs.iter().copied().filter(|codec| !known(codec)).collect();
    if !unknown.is_empty() {
        reasons.push(format!("codecs that are not taken: {}", unknown.join(", ")));
    }
    if !codecs.is_empty() && !codecs.iter().any(|codec| VIDEO.contains(codec)) {
        reasons.push("no rendition has H.264 or HEVC video".to_owned());
    }
    let streams: BTreeSet<&str> = media().map(|(rendition, _)| rendition.name.as_str()).collect();
    if streams.len() > STREAMS {
        reasons.push(format!("{} streams, and {STREAMS} is the limit", streams.len()));
    }
    let tracks = report.renditions.iter().filter(|it| it.role != Role::Variant).count() + 1;
    if tracks > TRACKS {
        reasons.push(format!("{tracks} tracks, and {TRACKS} a stream is the limit"));
    }
    let ranges = media().filter(|(_, media)| media.byte_ranges);
    say(&mut reasons, "byte ranges are not carried yet", names(ranges));
    if report.iframe_playlists > 0 {
        reasons.push("I-frame playlists are not carried yet".to_owned());
    }
    reasons
}

fn say(reasons: &mut Vec<String>, what: &str, names: BTreeSet<&str>) {
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        reasons.push(format!("{what}: {}", names.join(", ")));
    }
}

fn names<'a, M>(renditions: impl Iterator<Item = (&'a Rendition, M)>) -> BTreeSet<&'a str> {
    renditions.map(|(rendition, _)| rendition.name.as_str()).collect()
}
