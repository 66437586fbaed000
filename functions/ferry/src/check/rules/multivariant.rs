//! What is asked of a multivariant playlist.

use super::{Findings, lines_of, version};
use crate::check::report::Finding;
use hls::{AttributeList, MediaKind, MultivariantPlaylist};
use std::collections::{BTreeMap, BTreeSet};

const MEDIA: &str = "#EXT-X-MEDIA";
const STREAM_INF: &str = "#EXT-X-STREAM-INF";

/// Checks a multivariant playlist.
pub fn multivariant(text: &str, playlist: &MultivariantPlaylist) -> Vec<Finding> {
    let mut findings = Findings::at("multivariant playlist");
    renditions(text, &mut findings);
    groups(text, playlist, &mut findings);
    variants(text, &mut findings);
    let service = lines_of(text, MEDIA).find(|(_, it)| it.contains("INSTREAM-ID=\"SERVICE"));
    let needs = service.map(|(line, _)| (7, "INSTREAM-ID of a SERVICE", Some(line)));
    version(text, needs.into_iter().collect(), &mut findings);
    if playlist.variants().next().is_none() {
        findings.violation("4.3.4.2", None, "no variant (EXT-X-STREAM-INF) is named");
    }
    findings.found
}

/// Each `EXT-X-MEDIA` by itself.
fn renditions(text: &str, findings: &mut Findings) {
    const SECTION: &str = "4.3.4.1";
    for (line, value) in lines_of(text, MEDIA) {
        let attributes = AttributeList::new(value);
        let has = |name: &str| attributes.get(name).is_some_and(|value| !value.is_empty());
        let says = |name: &str, wanted: &str| attributes.get(name) == Some(wanted);
        for name in ["TYPE", "GROUP-ID", "NAME"] {
            if !has(name) {
                findings.violation(SECTION, Some(line), format!("EXT-X-MEDIA has no {name}"));
            }
        }
        let captions = says("TYPE", "CLOSED-CAPTIONS");
        for (wrong, what) in [
            (captions && has("URI"), "closed captions have a URI"),
            (captions && !has("INSTREAM-ID"), "closed captions have no INSTREAM-ID"),
            (!captions && has("INSTREAM-ID"), "INSTREAM-ID belongs to closed captions only"),
            (
                says("DEFAULT", "YES") && says("AUTOSELECT", "NO"),
                "DEFAULT=YES goes with AUTOSELECT=YES",
            ),
            (has("FORCED") && !says("TYPE", "SUBTITLES"), "FORCED belongs to subtitles only"),
            (says("TYPE", "SUBTITLES") && !has("URI"), "subtitles have no URI"),
        ] {
            if wrong {
                findings.violation(SECTION, Some(line), what);
            }
        }
    }
}

/// The renditions of each group together (section 4.3.4.1.1).
fn groups(text: &str, playlist: &MultivariantPlaylist, findings: &mut Findings) {
    const SECTION: &str = "4.3.4.1.1";
    let mut names: BTreeSet<(MediaKind, &str, &str)> = BTreeSet::new();
    let mut defaults: BTreeSet<(MediaKind, &str)> = BTreeSet::new();
    // Lines whose TYPE is not known are not among the renditions.
    let known = |value: &str| {
        let kinds = ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"];
        AttributeList::new(value).get("TYPE").is_some_and(|kind| kinds.contains(&kind))
    };
    let lines = lines_of(text, MEDIA).filter(|(_, value)| known(value)).map(|(line, _)| line);
    for (line, media) in lines.zip(playlist.media()) {
        let group = media.group_id();
        if let Some(name) = media.name()
            && !names.insert((media.kind, group, name))
        {
            let what = format!("group {group} has two renditions with the NAME {name}");
            findings.violation(SECTION, Some(line), what);
        }
        if media.attributes.get("DEFAULT") == Some("YES") && !defaults.insert((media.kind, group)) {
            let what = format!("group {group} has two renditions with DEFAULT=YES");
            findings.violation(SECTION, Some(line), what);
        }
    }
    let mut members: BTreeMap<(MediaKind, &str), BTreeSet<&str>> = BTreeMap::new();
    for media in playlist.media() {
        let group = members.entry((media.kind, media.group_id())).or_default();
        group.extend(media.name());
    }
    for ((kind, group), own) in &members {
        let other = members.iter().find(|((of, _), names)| of == kind && *names != own);
        if let Some(((_, other), _)) = other
            && group < other
        {
            let what = format!("groups {group} and {other} do not have the same renditions");
            findings.violation(SECTION, None, what);
        }
    }
}

/// Each `EXT-X-STREAM-INF`, and the groups that it refers to (section 4.3.4.2).
fn variants(text: &str, findings: &mut Findings) {
    const SECTION: &str = "4.3.4.2";
    let groups: BTreeSet<(String, String)> = lines_of(text, MEDIA)
        .map(|(_, value)| {
            let attributes = AttributeList::new(value);
            let get = |name| attributes.get(name).unwrap_or_default().to_owned();
            (get("TYPE"), get("GROUP-ID"))
        })
        .collect();
    let mut captions: BTreeSet<bool> = BTreeSet::new();
    for (line, value) in lines_of(text, STREAM_INF) {
        let attributes = AttributeList::new(value);
        for kind in ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"] {
            let Some(group) = attributes.get(kind) else { continue };
            let none = kind == "CLOSED-CAPTIONS" && attributes.written(kind) == Some("NONE");
            if !none && !groups.contains(&(kind.to_owned(), group.to_owned())) {
                let what = format!("{kind}=\"{group}\" matches no EXT-X-MEDIA of that TYPE");
                findings.violation(SECTION, Some(line), what);
            }
        }
        captions.insert(attributes.written("CLOSED-CAPTIONS") == Some("NONE"));
        if attributes.get("CODECS").is_none() {
            findings.advice(SECTION, Some(line), "EXT-X-STREAM-INF has no CODECS");
        }
        if attributes.get("FRAME-RATE").is_none() && attributes.get("RESOLUTION").is_none() {
            let what = "EXT-X-STREAM-INF has no RESOLUTION, which video should have";
            findings.advice(SECTION, Some(line), what);
        }
    }
    if captions.len() > 1 {
        let what = "CLOSED-CAPTIONS=NONE is stated by some variants and not by all";
        findings.violation(SECTION, None, what);
    }
}
