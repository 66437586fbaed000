//! A report as people read it.

use super::report::{Kind, Media, Rendition, Report, Severity, Spread};
use relay::abilities::{Container, Role};
use std::fmt::{Display, Formatter, Result};

/// Shows a report in lines of text.
pub struct Shown<'a>(pub &'a Report);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let report = self.0;
        let kind = match report.kind {
            Kind::Live => "live",
            Kind::Event => "an event: it only grows",
            Kind::Vod => "VOD: it has ended",
        };
        writeln!(f, "{}", report.source)?;
        write!(f, "{kind}")?;
        if report.kind != Kind::Vod {
            let (watched, every) = (seconds(report.watched_ms), seconds(report.every_ms));
            write!(f, ", watched for {watched} s, read every {every} s")?;
        }
        writeln!(f, "\n\nRenditions")?;
        report.renditions.iter().try_for_each(|it| rendition(f, it))?;
        if report.iframe_playlists > 0 {
            let playlists = count(report.iframe_playlists, "I-frame playlist", "I-frame playlists");
            writeln!(f, "  and {playlists}")?;
        }
        let markers: Vec<&str> = report.ad_markers.iter().copied().collect();
        let markers = if markers.is_empty() { "none seen".to_owned() } else { markers.join(", ") };
        writeln!(f, "\nAd markers\n  {markers}\n\nRFC 8216")?;
        if report.findings.is_empty() {
            let read = report.renditions.iter().all(|rendition| rendition.failures.is_empty());
            let what = if read { "it" } else { "what could be read" };
            writeln!(f, "  nothing found against {what}")?;
        }
        for finding in &report.findings {
            let severity = match finding.severity {
                Severity::Violation => "violation",
                Severity::Advice => "advice",
            };
            write!(f, "  {severity:<9}  {:<9}  {}", finding.section, finding.place)?;
            if let Some(line) = finding.line {
                write!(f, ", line {line}")?;
            }
            writeln!(f, ": {}", finding.what)?;
        }
        writeln!(f, "\nOutputs")?;
        for verdict in &report.outputs {
            let says = if verdict.accepts { "takes it" } else { "does not take it:" };
            writeln!(f, "  {:<14}  {says}", verdict.output)?;
            verdict.reasons.iter().try_for_each(|reason| writeln!(f, "    {reason}"))?;
            let left_out = |what| writeln!(f, "    would be left out: {what}");
            verdict.left_out.iter().try_for_each(left_out)?;
        }
        Ok(())
    }
}

fn rendition(f: &mut Formatter<'_>, it: &Rendition) -> Result {
    let role = match it.role {
        Role::Variant => "variant",
        Role::Audio => "audio",
        Role::Video => "alternative video",
        Role::Subtitles => "subtitles",
        Role::ClosedCaptions => "closed captions",
        Role::IFrames => "I-frames",
    };
    let bandwidth = it.bandwidth.map(|bandwidth| format!("{} kbit/s", bandwidth / 1_000));
    let frame_rate = it.frame_rate.as_ref().map(|rate| format!("{rate} frames/s"));
    let group = it.group.as_ref().map(|group| format!("group {group}"));
    let facts = [
        Some(role.to_owned()),
        bandwidth,
        it.resolution.clone(),
        frame_rate,
        it.codecs.clone(),
        it.language.clone(),
        group,
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    writeln!(f, "  {}: {}", it.name, facts.join(", "))?;
    if let Some(media) = &it.media {
        lines(media).iter().try_for_each(|line| writeln!(f, "    {line}"))?;
    }
    it.failures.iter().try_for_each(|failure| writeln!(f, "    {failure}"))
}

/// What there is to say of a media playlist, a line a subject.
fn lines(media: &Media) -> Vec<String> {
    let mut lines = Vec::new();
    let codecs: Vec<&str> = media.sampled_codecs.iter().copied().collect();
    lines.extend(media.container.map(|container| match codecs.as_slice() {
        [] => format!("segments are {}", name(container)),
        [only] if *only == name(container) => format!("segments are {only}"),
        codecs => format!("segments are {} with {}", name(container), codecs.join(", ")),
    }));
    if let Some(spread) = media.segment_ms {
        let target = seconds(media.target_duration_ms);
        let (segments, window) =
            (count(media.segments, "segment", "segments"), seconds(media.window_ms));
        let durations = between(spread);
        lines.push(format!("{segments} in {window} s, each {durations}, target {target} s"));
    } else {
        lines.push("no segments".to_owned());
    }
    for (there, line) in [
        (
            media.discontinuities > 0,
            count(media.discontinuities, "discontinuity", "discontinuities"),
        ),
        (media.gaps > 0, count(media.gaps, "gap (EXT-X-GAP)", "gaps (EXT-X-GAP)")),
        (media.maps, "initialisation sections (EXT-X-MAP)".to_owned()),
        (media.byte_ranges, "byte ranges (EXT-X-BYTERANGE)".to_owned()),
        (media.low_latency, "low-latency parts".to_owned()),
        (
            !media.encryption.is_empty(),
            format!("encrypted: {}", Vec::from_iter(media.encryption.clone()).join(", ")),
        ),
    ] {
        if there {
            lines.push(line);
        }
    }
    lines.push(match media.program_date_time {
        None => "no dates (EXT-X-PROGRAM-DATE-TIME)".to_owned(),
        Some(dates) => {
            let stated = format!("dates on {} of {} segments", dates.segments, media.segments);
            match dates.behind_clock_ms {
                None => stated,
                Some(spread) if spread.median < 0 => {
                    let ahead =
                        Spread { min: -spread.max, median: -spread.median, max: -spread.min };
                    format!("{stated}, ahead of the clock by {}", between(ahead))
                }
                Some(spread) => format!("{stated}, seen {} after they end", between(spread)),
            }
        }
    });
    if let Some(publishing) = media.publishing {
        let new = count(publishing.new_segments, "new segment", "new segments");
        let changes = publishing.changes;
        lines.push(match publishing.period_ms {
            _ if changes == 0 => "no new segment came".to_owned(),
            None => format!("{new} came"),
            Some(period) => {
                format!("{new} came in {changes} versions, one every {}", between(period))
            }
        });
    }
    lines
}

/// A number and what it counts.
pub fn count<N: Display + PartialEq + From<u8>>(number: N, one: &str, many: &str) -> String {
    let what = if number == N::from(1) { one } else { many };
    format!("{number} {what}")
}

fn name(container: Container) -> &'static str {
    match container {
        Container::Ts => "TS",
        Container::Fmp4 => "fMP4",
        Container::Aac => "AAC",
        Container::Ac3 => "AC-3",
        Container::Eac3 => "E-AC-3",
        Container::Mp3 => "MP3",
        Container::WebVtt => "WebVTT",
        Container::Unknown => "of an unknown kind",
    }
}

/// Milliseconds as seconds.
fn seconds(millis: impl TryInto<u64>) -> String {
    hls::Micros::from_millis(millis.try_into().unwrap_or_default()).to_string()
}

/// The middle of a spread, and its ends where they are elsewhere.
fn between(spread: Spread) -> String {
    let signed = |millis: i64| {
        let sign = if millis < 0 { "−" } else { "" };
        format!("{sign}{}", seconds(millis.unsigned_abs()))
    };
    let Spread { min, median, max } = spread;
    if min == max {
        format!("{} s", signed(median))
    } else {
        format!("{} s ({} to {})", signed(median), signed(min), signed(max))
    }
}
