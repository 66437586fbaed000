//! Whether the output takes the source.

use super::{Carrier, Event};
use crate::abilities::Role;
use crate::layout::Layout;
use crate::look::{facet, refusal};
use crate::names::RenditionName;
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
        let facet = facet(name.to_string(), role, playlist);
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
