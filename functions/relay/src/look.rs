//! One look at a source.

use crate::abilities::{Container, Facet, Role, Verdict, on_average, protection_of};
use crate::layout::Layout;
use crate::names::Extension;
use crate::ports::{Fetched, Origin, OriginError};
use crate::session::Session;
use futures_util::future::join_all;
use hls::{Limits, MediaPlaylist, Playlist, Variables};
use std::borrow::Cow;
use url::Url;

/// Why the output of a session does not take `source`, as far as one look at its playlists tells.
///
/// Absent where it does, and where it cannot be told: what does not answer, or not with a playlist, may
/// do so later.
pub async fn objection<O: Origin>(origin: &O, session: &Session, source: &Url) -> Option<String> {
    let (text, at) = match origin.playlist(source, None).await {
        Ok(Fetched::Changed { text, url, .. }) => (text, url),
        Err(OriginError::Refused { reason }) => return Some(reason),
        // A channel of the same process is there or not.
        Err(OriginError::Gone { .. }) if session.options.channel.is_some() => {
            return Some("names no channel".to_owned());
        }
        Ok(Fetched::Unchanged)
        | Err(
            OriginError::Gone { .. } | OriginError::Unavailable { .. } | OriginError::Spoilt { .. },
        ) => return None,
    };
    let (playlist, variables) = read(&text, &Variables::new(), &at).ok()?;
    let (abilities, output) = (session.output.abilities(), session.output.name());
    let playlist = match playlist {
        Playlist::Media(playlist) => {
            let facet = facet("video".to_owned(), Role::Variant, &playlist);
            return refusal(&abilities.verdict(&[facet]), output).err();
        }
        Playlist::Multivariant(playlist) => playlist,
    };
    let layout = match Layout::wanted(playlist, &session.options.filter, &at) {
        Ok(layout) => layout,
        Err(error) => return Some(error.to_string()),
    };
    let stated = abilities.verdict(&layout.facets());
    if let Err(reason) = refusal(&stated, output) {
        return Some(reason);
    }
    let is_carried = |name: &str| !stated.left_out.iter().any(|(left_out, _)| left_out == name);
    let carried = layout.renditions.iter().filter(|(name, _)| is_carried(name.as_ref()));
    let looks = carried.map(|(name, listed)| {
        let variables = &variables;
        async move {
            let fetched = origin.playlist(&listed.urls[0], None).await.ok()?;
            let Fetched::Changed { text, url, .. } = fetched else { return None };
            match read(&text, variables, &url).ok()? {
                (Playlist::Media(playlist), _) => {
                    let facet = facet(name.to_string(), listed.role, &playlist);
                    let segment = on_average(playlist.duration(), playlist.segments.len());
                    Some(Facet { segment, ..facet })
                }
                (Playlist::Multivariant(_), _) => None,
            }
        }
    });
    let facets: Vec<Facet> = join_all(looks).await.into_iter().flatten().collect();
    refusal(&abilities.verdict(&facets), output).err()
}

/// The playlist that `text`, which came from `url`, is, and what it defines.
pub(crate) fn read(
    text: &[u8],
    imported: &Variables,
    url: &Url,
) -> Result<(Playlist, Variables), hls::Error> {
    let (text, variables) = filled(text, imported, url)?;
    Ok((hls::parse_around(&text, &Limits::default())?, variables))
}

/// The text with the values of its variables in their places, and what it defines. It came from `url`.
///
/// # Errors
/// When it refers to a variable that is not defined.
pub fn filled<'a>(
    text: &'a [u8],
    imported: &Variables,
    url: &Url,
) -> Result<(Cow<'a, [u8]>, Variables), hls::Error> {
    let parameter = |name: &str| {
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    hls::substitute(text, imported, parameter)
}

/// What a rendition's playlist says of it.
pub(crate) fn facet(name: String, role: Role, playlist: &MediaPlaylist) -> Facet {
    Facet {
        name,
        role,
        container: playlist.segments.last().map(container),
        protections: playlist.segments.iter().filter_map(protection_of).collect(),
        ..Facet::default()
    }
}

/// In one sentence why a verdict is none.
pub(crate) fn refusal(verdict: &Verdict, output: &str) -> Result<(), String> {
    match verdict.refused.as_slice() {
        [] => Ok(()),
        reasons => Err(format!("{output} does not take this source: {}", reasons.join("; "))),
    }
}

/// What segments are, as far as their playlist says.
fn container(segment: &hls::Segment) -> Container {
    if segment.map.is_some() && Extension::of(segment) != Extension::Ts {
        return Container::Fmp4;
    }
    match Extension::of(segment) {
        Extension::Ts => Container::Ts,
        Extension::Aac => Container::Aac,
        Extension::Ac3 => Container::Ac3,
        Extension::Ec3 => Container::Eac3,
        Extension::Mp3 => Container::Mp3,
        Extension::Vtt => Container::WebVtt,
        Extension::M4s => Container::Fmp4,
    }
}
