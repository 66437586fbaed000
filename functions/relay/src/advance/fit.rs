//! Whether the output takes the source.

use super::{Carrier, Event, Watch};
use crate::abilities::Role;
use crate::cause::Cause;
use crate::layout::Layout;
use crate::look::{facet, refusal};
use crate::names::RenditionName;
use crate::ports::{Clock, Ingest, Origin, Sessions};
use crate::progress::LeftOut;
use hls::{MediaPlaylist, Timestamp};

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// The layout without what the output does not take, or why it takes none of it.
    pub(super) fn fit(&mut self, mut layout: Layout) -> Result<Layout, String> {
        let abilities = self.session.output.abilities();
        let verdict = abilities.verdict(&layout.facets());
        refusal(&verdict, self.session.output.name())?;
        if !abilities.encrypted {
            layout.leave_keys_out();
        }
        for (name, reason) in verdict.left_out {
            self.leave_out(name, reason);
        }
        for left_out in &self.progress.left_out {
            layout.leave_out(&left_out.name);
        }
        Ok(layout)
    }

    /// Whether the output takes this playlist, which was asked for at `sent`. One that the session can do without is
    /// left out.
    pub(super) fn fits(
        &mut self,
        name: &RenditionName,
        playlist: &MediaPlaylist,
        sent: Timestamp,
    ) -> bool {
        let role = self.watches.get(name).map_or(Role::Variant, |watch| watch.role);
        let facet = facet(name.to_string(), role, playlist);
        let verdict = self.session.output.abilities().verdict(std::slice::from_ref(&facet));
        if !verdict.refused.is_empty() {
            self.unfit.entry(name.clone()).or_insert((sent, facet));
            return false;
        }
        self.unfit.remove(name);
        for (name, reason) in verdict.left_out {
            self.leave_out(name, reason);
        }
        let fits = !self.progress.left_out.iter().any(|it| it.name == name.as_ref());
        if !fits && let Some((mut layout, _)) = self.layout.take() {
            layout.leave_out(name.as_ref());
            self.watches.remove(name);
            self.place(layout);
        }
        fits
    }

    /// Goes on to the next source, or ends the session, when the output does not take a rendition: once the others
    /// were looked at as well, so that all that are not taken are named.
    pub(super) fn judge(&mut self, now: Timestamp) {
        let Some(since) = self.unfit.values().map(|(sent, _)| *sent).min() else { return };
        let seen = |(name, watch): (&RenditionName, &Watch)| {
            self.unfit.contains_key(name) || watch.was_looked_at(since)
        };
        if !self.watches.iter().all(seen) {
            return;
        }
        let facets: Vec<_> = self.unfit.values().map(|(_, facet)| facet.clone()).collect();
        let verdict = self.session.output.abilities().verdict(&facets);
        if let Err(reason) = refusal(&verdict, self.session.output.name())
            && !self.pass_over(now, &reason)
        {
            self.fail(now, Cause::Unfit, reason);
        }
    }

    fn leave_out(&mut self, name: String, reason: String) {
        if self.progress.left_out.iter().any(|known| known.name == name) {
            return;
        }
        self.events.push(Event::LeftOut(name.clone(), reason.clone()));
        self.progress.left_out.push(LeftOut { name, reason });
    }
}
