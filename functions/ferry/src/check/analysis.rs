//! From what was read to what is found out. Pure: the same playlists give the same report.

use super::report::{
    DateTime, Finding, Kind, Media, Publishing, Rendition, Report, Severity, Spread,
};
use super::rules;
use super::seen::{Seen, Snapshot, Watched};
use super::verdict;
use hls::{
    Line, MediaKind, MediaPlaylist, MediaSequence, MultivariantPlaylist, Playlist, PlaylistType,
    Timestamp, is_low_latency, parse,
};
use relay::abilities::{self, Container, Role};
use relay::contents::contents;
use relay::layout::Layout;
use relay::layout::tracks;
use relay::session::Address;
use std::collections::BTreeSet;
use url::Url;

/// The name of a source that is a media playlist.
const ONLY: &str = "media playlist";

/// A version of a media playlist that could be read.
#[derive(Clone, Debug)]
pub struct Version<'a> {
    pub at: Timestamp,
    pub text: &'a str,
    pub playlist: MediaPlaylist,
}

/// A media playlist over time, under the name of its rendition.
#[derive(Clone, Debug)]
pub struct Track<'a> {
    pub name: String,
    pub role: Role,
    pub uri: &'a str,
    pub versions: Vec<Version<'a>>,
    pub looked_at: Timestamp,
    pub sample: Option<&'a [u8]>,
}

impl Track<'_> {
    /// The newest version.
    pub fn newest(&self) -> Option<&Version<'_>> {
        self.versions.last()
    }
}

/// Says what is known of a source.
pub fn report(source: Address, seen: &Seen) -> Report {
    let multivariant = seen.multivariant.as_ref().and_then(multivariant);
    let mut findings = Vec::new();
    if let Some(snapshot) = &seen.multivariant {
        findings.extend(unreadable("multivariant playlist", snapshot));
    }
    let mut renditions = renditions(seen, multivariant.as_ref());
    let mut tracks = Vec::new();
    for watched in &seen.media {
        let of: Vec<&Rendition> =
            renditions.iter().filter(|(uri, _)| *uri == watched.uri).map(|(_, it)| it).collect();
        let (name, role) = match of.first() {
            Some(first) => (first.name.clone(), first.role),
            None => (ONLY.to_owned(), Role::Variant),
        };
        let wrong = watched.versions.iter().flat_map(|version| unreadable(&name, version));
        findings.extend(wrong.take(1));
        tracks.push(track(watched, name, role));
    }
    for (uri, rendition) in &mut renditions {
        let watched = seen.media.iter().find(|watched| watched.uri == *uri);
        let failures = watched.map(|watched| watched.failures.clone());
        rendition.failures = failures.unwrap_or_default();
        let track = tracks.iter().find(|track| track.uri == *uri);
        rendition.media = track.filter(|_| watched.is_some()).and_then(media);
    }
    let renditions: Vec<Rendition> = renditions.into_iter().map(|(_, it)| it).collect();
    if let (Some(snapshot), Some(playlist)) = (&seen.multivariant, &multivariant) {
        findings.extend(rules::multivariant(text(snapshot), playlist));
    }
    for track in &tracks {
        findings.extend(rules::media(track));
        findings.extend(rules::over_time(track));
    }
    findings.extend(rules::across(&tracks));
    findings.sort_by_key(|finding| finding.severity);
    let lines = || tracks.iter().flat_map(|track| &track.versions).flat_map(|it| it.text.lines());
    let first = seen.media.iter().flat_map(|it| it.versions.first());
    let read_at = seen.multivariant.iter().chain(first).map(|snapshot| snapshot.at).min();
    let iframe_playlists =
        multivariant.iter().flat_map(|it| &it.lines).filter(|it| matches!(it, Line::IFrame(_)));
    let mut report = Report {
        source,
        read_at: read_at.unwrap_or_default().to_string(),
        watched_ms: seen.watched_ms,
        every_ms: seen.every_ms,
        kind: kind(&tracks),
        iframe_playlists: iframe_playlists.count(),
        containers: containers(&renditions),
        codecs: codecs(&renditions),
        ad_markers: lines().filter_map(ad_marker).collect(),
        renditions,
        findings,
        outputs: Vec::new(),
    };
    report.outputs = verdict::all(&report);
    report
}

fn text(snapshot: &Snapshot) -> &str {
    str::from_utf8(&snapshot.text).unwrap_or_default()
}

fn multivariant(snapshot: &Snapshot) -> Option<MultivariantPlaylist> {
    match parse(&snapshot.text, &hls::Limits::default()) {
        Ok(Playlist::Multivariant(playlist)) => Some(playlist),
        Ok(Playlist::Media(_)) | Err(_) => None,
    }
}

/// Why a playlist cannot be read.
fn unreadable(place: &str, snapshot: &Snapshot) -> Option<Finding> {
    let error = parse(&snapshot.text, &hls::Limits::default()).err()?;
    Some(Finding {
        severity: Severity::Violation,
        section: "4",
        place: place.to_owned(),
        line: Some(error.line),
        what: error.kind.to_string(),
    })
}

fn track<'a>(watched: &'a Watched, name: String, role: Role) -> Track<'a> {
    let versions = watched.versions.iter().filter_map(|snapshot| {
        match parse(&snapshot.text, &hls::Limits::default()) {
            Ok(Playlist::Media(playlist)) => {
                Some(Version { at: snapshot.at, text: text(snapshot), playlist })
            }
            Ok(Playlist::Multivariant(_)) | Err(_) => None,
        }
    });
    let sample = watched.sample.as_deref();
    Track {
        name,
        role,
        uri: &watched.uri,
        versions: versions.collect(),
        looked_at: watched.looked_at,
        sample,
    }
}

/// The renditions and the address of each, as written.
fn renditions(
    seen: &Seen,
    multivariant: Option<&MultivariantPlaylist>,
) -> Vec<(String, Rendition)> {
    let Some(playlist) = multivariant else {
        let rendition = Rendition { name: ONLY.to_owned(), ..Rendition::default() };
        return vec![(String::new(), rendition)];
    };
    let names = Names::of(playlist, seen.base.as_ref());
    let mut renditions = Vec::new();
    for line in &playlist.lines {
        let (attributes, uri, role) = match line {
            Line::Variant(variant) => (&variant.attributes, variant.uri.as_str(), Role::Variant),
            Line::Media(media) => {
                (&media.attributes, media.uri().unwrap_or_default(), role(media.kind))
            }
            Line::IFrame(_) | Line::Other(_) => continue,
        };
        let get = |name: &str| attributes.get(name).filter(|it| !it.is_empty()).map(str::to_owned);
        let rendition = Rendition {
            // What is in the variant, or has no address, has no name in a session.
            name: names
                .name(uri)
                .or_else(|| get("NAME"))
                .or_else(|| get("GROUP-ID"))
                .unwrap_or_default(),
            role,
            bandwidth: get("BANDWIDTH").and_then(|bandwidth| bandwidth.parse().ok()),
            codecs: get("CODECS"),
            resolution: get("RESOLUTION"),
            frame_rate: get("FRAME-RATE"),
            language: get("LANGUAGE"),
            group: get("GROUP-ID").or_else(|| get("AUDIO")),
            tracks: match line {
                Line::Variant(variant) => tracks(playlist.lines.iter(), variant),
                Line::Media(_) | Line::IFrame(_) | Line::Other(_) => 0,
            },
            ..Rendition::default()
        };
        renditions.push((uri.to_owned(), rendition));
    }
    renditions
}

fn role(kind: MediaKind) -> Role {
    match kind {
        MediaKind::Audio => Role::Audio,
        MediaKind::Video => Role::Video,
        MediaKind::Subtitles => Role::Subtitles,
        MediaKind::ClosedCaptions => Role::ClosedCaptions,
    }
}

/// What a session would call the renditions.
struct Names {
    base: Option<Url>,
    layout: Option<Layout>,
}

impl Names {
    fn of(playlist: &MultivariantPlaylist, base: Option<&Url>) -> Self {
        let layout = base.and_then(|base| Layout::of(playlist.clone(), base).ok());
        Self { base: base.cloned(), layout }
    }

    fn name(&self, uri: &str) -> Option<String> {
        let url = self.base.as_ref()?.join(uri).ok().filter(|_| !uri.is_empty())?;
        let mut renditions = self.layout.as_ref()?.renditions.iter();
        renditions.find(|(_, at)| at.urls.contains(&url)).map(|(name, _)| name.to_string())
    }
}

fn kind(tracks: &[Track]) -> Kind {
    let newest = || tracks.iter().filter_map(Track::newest).map(|version| &version.playlist);
    if newest().next().is_some() && newest().all(|playlist| playlist.ended) {
        Kind::Vod
    } else if newest().any(|playlist| playlist.playlist_type == Some(PlaylistType::Event)) {
        Kind::Event
    } else {
        Kind::Live
    }
}

/// What a media playlist says, by its newest version.
fn media(track: &Track) -> Option<Media> {
    let newest = &track.newest()?.playlist;
    let millis = |micros: hls::Micros| i64::try_from(micros.as_millis()).unwrap_or(i64::MAX);
    let sampled = track.sample.map(contents);
    let segments = || newest.segments.iter();
    let keys = || segments().flat_map(|segment| segment.keys.iter());
    let encryption = keys().filter_map(|key| key.get("METHOD"));
    let lines = track.newest()?.text.lines();
    Some(Media {
        target_duration_ms: hls::Micros::from(newest.target_duration).as_millis(),
        media_sequence: newest.media_sequence.0,
        discontinuity_sequence: newest.discontinuity_sequence.0,
        segments: newest.segments.len(),
        window_ms: newest.duration().as_millis(),
        segment_ms: Spread::of(segments().map(|segment| millis(segment.duration)).collect()),
        discontinuities: segments().filter(|segment| segment.discontinuity).count(),
        container: sampled.as_ref().map(|contents| contents.container),
        sampled_codecs: sampled.map(|contents| contents.codecs).unwrap_or_default(),
        encryption: encryption.map(str::to_owned).collect(),
        protections: segments().filter_map(abilities::protection_of).collect(),
        maps: segments().any(|segment| segment.map.is_some()),
        byte_ranges: segments().any(|segment| segment.byte_range.is_some()),
        gaps: segments().filter(|segment| segment.gap).count(),
        low_latency: lines.into_iter().any(is_low_latency),
        program_date_time: date_time(track),
        publishing: publishing(track),
    })
}

/// When each segment of a playlist ends, by the dates that it states.
pub fn ends(playlist: &MediaPlaylist) -> impl Iterator<Item = Option<Timestamp>> {
    let mut clock = None;
    playlist.segments.iter().map(move |segment| {
        let stated = segment.program_date_time.as_deref().and_then(Timestamp::from_date_time);
        clock = stated.or(clock).map(|start| start + segment.duration);
        clock
    })
}

fn date_time(track: &Track) -> Option<DateTime> {
    let newest = &track.newest()?.playlist;
    let segments = newest.segments.iter().filter(|it| it.program_date_time.is_some()).count();
    if segments == 0 {
        return None;
    }
    let behind = changes(track).filter(|_| !newest.ended).filter_map(|version| {
        let end = ends(&version.playlist).last().flatten()?;
        Some(apart_ms(version.at, end))
    });
    Some(DateTime { segments, behind_clock_ms: Spread::of(behind.collect()) })
}

/// How long after `other` a moment is, in milliseconds.
pub fn apart_ms(moment: Timestamp, other: Timestamp) -> i64 {
    let millis = |timestamp: Timestamp| i64::try_from(timestamp.0 / 1_000).unwrap_or(i64::MAX);
    millis(moment) - millis(other)
}

/// The versions with a new last segment, after the first: when these came is known.
fn changes<'a>(track: &'a Track) -> impl Iterator<Item = &'a Version<'a>> {
    let pairs = track.versions.windows(2);
    pairs.filter_map(|pair| match pair {
        [before, after] if after.playlist.last_sequence() > before.playlist.last_sequence() => {
            Some(after)
        }
        _ => None,
    })
}

fn publishing(track: &Track) -> Option<Publishing> {
    let (first, newest) = (track.versions.first()?, track.newest()?);
    if newest.playlist.ended {
        return None;
    }
    let moments: Vec<Timestamp> = changes(track).map(|version| version.at).collect();
    let between = moments.windows(2).filter_map(|pair| match pair {
        [one, next] => Some(apart_ms(*next, *one)),
        _ => None,
    });
    // One that lists nothing yet has the number before its first.
    let number = |version: &Version| {
        let first = version.playlist.media_sequence;
        version.playlist.last_sequence().unwrap_or(MediaSequence(first.0.saturating_sub(1)))
    };
    Some(Publishing {
        changes: moments.len(),
        new_segments: number(newest).since(number(first)),
        period_ms: Spread::of(between.collect()),
    })
}

fn containers(renditions: &[Rendition]) -> BTreeSet<Container> {
    renditions.iter().filter_map(|rendition| rendition.media.as_ref()?.container).collect()
}

/// The codecs that segments name and, for what was not sampled, those that `CODECS` states.
fn codecs(renditions: &[Rendition]) -> BTreeSet<String> {
    let sampled = renditions.iter().filter_map(|rendition| rendition.media.as_ref());
    let sampled = sampled.flat_map(|media| &media.sampled_codecs).map(|it| (*it).to_owned());
    let stated = renditions.iter().filter_map(|rendition| rendition.codecs.as_deref());
    let stated = stated.flat_map(abilities::codecs);
    sampled.chain(stated).collect()
}

/// The dialect in which a line marks an ad break.
fn ad_marker(line: &str) -> Option<&'static str> {
    let (tag, value) = line.trim().split_once(':').unwrap_or((line.trim(), ""));
    match tag {
        "#EXT-X-CUE-OUT" => Some("CUE-OUT"),
        "#EXT-X-CUE-OUT-CONT" => Some("CUE-OUT-CONT"),
        "#EXT-X-CUE-IN" => Some("CUE-IN"),
        "#EXT-OATCLS-SCTE35" | "#EXT-X-OATCLS-SCTE35" => Some("OATCLS-SCTE35"),
        "#EXT-X-ASSET" => Some("ASSET"),
        "#EXT-X-SCTE35" => Some("SCTE35"),
        "#EXT-X-SPLICEPOINT-SCTE35" => Some("SPLICEPOINT-SCTE35"),
        "#EXT-X-DATERANGE" if value.contains("SCTE35-") => Some("DATERANGE SCTE35"),
        "#EXT-X-DATERANGE" if value.contains("com.apple.hls.interstitial") => {
            Some("DATERANGE interstitial")
        }
        _ => None,
    }
}
