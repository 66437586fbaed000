//! Whether an output takes a source, and why not: the core's table says.

use super::report::{Rendition, Report, Verdict};
use hls::Micros;
use relay::abilities::{self, Container, Facet, Protection, Role, TABLE, on_average};
use std::collections::BTreeSet;

/// What every output says.
pub fn all(report: &Report) -> Vec<Verdict> {
    let mut facets: Vec<Facet> = report.renditions.iter().filter_map(facet).collect();
    let unread = unread(report);
    facets.extend((1..=report.iframe_playlists).map(|number| Facet {
        name: format!("I-frame playlist {number}"),
        role: Role::IFrames,
        ..Facet::default()
    }));
    let verdict = |(output, abilities): (&'static str, abilities::Abilities)| {
        let mut reasons = unread.clone();
        let mut left_out = Vec::new();
        // Nothing is known of what could not be read.
        if report.renditions.iter().any(|rendition| rendition.media.is_some()) {
            let verdict = abilities.verdict(&facets);
            reasons.extend(verdict.refused);
            left_out
                .extend(verdict.left_out.into_iter().map(|(name, why)| format!("{name}: {why}")));
        }
        Verdict { output, accepts: reasons.is_empty(), reasons, left_out }
    };
    TABLE.into_iter().map(verdict).collect()
}

/// A rendition whose playlist was read, as an output asks for it.
fn facet(rendition: &Rendition) -> Option<Facet> {
    let role = rendition.role;
    let stated = rendition.codecs.as_deref().map(abilities::codecs).unwrap_or_default();
    let Some(media) = &rendition.media else {
        // Captions have no playlist, and yet are a track.
        return (role == Role::ClosedCaptions).then(|| Facet {
            name: rendition.name.clone(),
            role,
            ..Facet::default()
        });
    };
    // Fragments are recognised by their map even where no segment was read; a transport stream may have one too.
    let fragments = media.maps && media.container != Some(Container::Ts);
    let container = if fragments { Some(Container::Fmp4) } else { media.container };
    let sampled = media.sampled_codecs.iter().map(|codec| (*codec).to_owned());
    Some(Facet {
        name: rendition.name.clone(),
        role,
        container,
        codecs: stated.into_iter().chain(sampled).collect(),
        protections: media.protections.clone(),
        tracks: rendition.tracks,
        segment: on_average(Micros::from_millis(media.window_ms), media.segments),
    })
}

/// What could not be read, and so cannot be judged.
fn unread(report: &Report) -> Vec<String> {
    let media = || report.renditions.iter().filter_map(|it| Some((it, it.media.as_ref()?)));
    if media().next().is_none() {
        return vec!["no media playlist could be read".to_owned()];
    }
    let names: BTreeSet<&str> = media()
        .filter(|(rendition, media)| {
            let opened = media.protections.iter().all(|it| *it == Protection::Aes128);
            let locked = !media.encryption.is_empty() && (!opened || rendition.failures.is_empty());
            let known = media.maps || media.byte_ranges || locked;
            // Of gaps there is nothing to read.
            let is_gap = media.gaps > 0 && media.gaps == media.segments;
            media.container.is_none() && !known && !is_gap
        })
        .map(|(rendition, _)| rendition.name.as_str())
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = names.into_iter().collect();
    vec![format!("no segment could be read: {}", names.join(", "))]
}
