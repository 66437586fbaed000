//! Whether the output takes the source.

use super::{Carrier, Event, Watch};
use crate::abilities::{Container, Role};
use crate::anchor::segment;
use crate::cause::Cause;
use crate::contents::{SAMPLE_BYTES, contents};
use crate::layout::Layout;
use crate::look::{facet, refusal};
use crate::names::RenditionName;
use crate::plan::Key;
use crate::ports::{Clock, Ingest, Origin, Sessions};
use crate::progress::LeftOut;
use hls::{MediaPlaylist, Timestamp};

/// What is no shorter than two packets of a transport stream, and does not begin as one, is none.
const LEAST: usize = 2 * 188;

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
        // What its segments say stays said.
        if self.watches.get(name).is_none_or(|watch| watch.contents().is_none()) {
            self.unfit.remove(name);
        }
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

    /// Looks into the first segments of a rendition, as they are stored, where the output is particular about what
    /// they are: their playlist may not say it, or say otherwise.
    pub(super) fn look_into(&mut self, name: &RenditionName, key: Key, body: &[u8]) {
        let abilities = self.session.output.abilities();
        let (Some(watch), Some((layout, _))) = (self.watches.get_mut(name), &self.layout) else {
            return;
        };
        if abilities.codecs.is_none() || !watch.is_sampled_next() {
            return;
        }
        let found = contents(body.get(..SAMPLE_BYTES).unwrap_or(body));
        let listed = watch.seen.as_deref().and_then(|seen| segment(seen, key.1));
        // What is short, or was opened with another key than its own, is nothing, whatever the others are.
        let tells = body.len() >= LEAST && listed.is_some_and(|it| it.keys.is_empty());
        if found.container == Container::Unknown && !tells {
            return;
        }
        watch.sample(found);
        let mut facets = layout.facets();
        let unstated = facets.iter().any(|it| it.role == Role::Variant && it.codecs.is_empty());
        let mut told = Vec::new();
        for facet in &mut facets {
            let watches = &self.watches;
            let Some((name, watch)) = watches.iter().find(|(it, _)| it.as_ref() == facet.name)
            else {
                continue;
            };
            let Some(contents) = watch.contents() else { continue };
            facet.container = Some(contents.container);
            // What is stated of a variant counts, and for what plays with it.
            if unstated && facet.codecs.is_empty() {
                facet.codecs = contents.codecs.iter().map(|&codec| codec.to_owned()).collect();
            }
            told.push((name.clone(), (Timestamp::default(), facet.clone())));
        }
        if !abilities.verdict(&facets).refused.is_empty() {
            self.unfit.extend(told);
        }
    }

    /// Goes on to the next source, or ends the session, when the output does not take a rendition: once the others
    /// were looked at as well, so that all that are not taken are named.
    pub(super) fn judge(&mut self, now: Timestamp) {
        let Some(since) = self.unfit.values().map(|(sent, _)| *sent).min() else { return };
        let seen = |(name, watch): (&RenditionName, &Watch)| {
            self.unfit.contains_key(name) || watch.was_looked_at(since) && !watch.is_sampling()
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
