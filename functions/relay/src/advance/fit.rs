//! Whether the output takes the source.

use super::{Carrier, Event};
use crate::abilities::{Container, Facet, Role, Verdict, protection_of};
use crate::layout::Layout;
use crate::names::{Extension, RenditionName};
use crate::ports::{Clock, Ingest, Origin, Sessions};
use crate::progress::LeftOut;
use hls::MediaPlaylist;

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// The layout without what the output does not take, or why it takes none of it.
    pub(super) fn fit(&mut self, mut layout: Layout) -> Result<Layout, String> {
        let verdict = self.session.output.abilities().verdict(&layout.facets());
        refusal(&verdict, self.session.output.name())?;
        for (name, reason) in verdict.left_out {
            self.leave_out(name, reason);
        }
        for left_out in &self.progress.left_out {
            layout.leave_out(&left_out.name);
        }
        Ok(layout)
    }

    /// Why the session cannot go on with this playlist. One that it can do without is left out.
    pub(super) fn fits(
        &mut self,
        name: &RenditionName,
        playlist: &MediaPlaylist,
    ) -> Result<bool, String> {
        let role = self.watches.get(name).map_or(Role::Variant, |watch| watch.role);
        let facet = Facet {
            name: name.to_string(),
            role,
            container: playlist.segments.last().map(container),
            protections: playlist.segments.iter().filter_map(protection_of).collect(),
            ..Facet::default()
        };
        let verdict = self.session.output.abilities().verdict(&[facet]);
        refusal(&verdict, self.session.output.name())?;
        for (name, reason) in verdict.left_out {
            self.leave_out(name, reason);
        }
        let fits = !self.progress.left_out.iter().any(|it| it.name == name.as_ref());
        if !fits && let Some((mut layout, _)) = self.layout.take() {
            layout.leave_out(name.as_ref());
            self.watches.remove(name);
            self.place(layout);
        }
        Ok(fits)
    }

    fn leave_out(&mut self, name: String, reason: String) {
        if self.progress.left_out.iter().any(|known| known.name == name) {
            return;
        }
        self.events.push(Event::LeftOut(name.clone(), reason.clone()));
        self.progress.left_out.push(LeftOut { name, reason });
    }
}

fn refusal(verdict: &Verdict, output: &str) -> Result<(), String> {
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
