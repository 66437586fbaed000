//! Deletes what left the playlists.

use super::{Carrier, Done};
use crate::names::RenditionName;
use crate::ports::{Clock, Ingest, Origin, Sessions};
use crate::stay::{deletable, forget_deleted};
use hls::Timestamp;
use std::sync::Arc;

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// Deletes what left the window, in the order in which it did.
    pub(super) fn start_deletes(
        &mut self,
        endpoint: usize,
        rendition: &RenditionName,
        now: Timestamp,
    ) {
        let Some(mark) = self.working.renditions.get(rendition) else { return };
        let Some(track) = mark.tracks.get(endpoint) else { return };
        let due = deletable(track, now);
        let Some(watch) = self.watches.get_mut(rendition) else { return };
        if due.is_empty() || watch.deleting[endpoint] {
            return;
        }
        watch.deleting[endpoint] = true;
        let outlet = &self.outlets[endpoint];
        let name =
            |(epoch, sequence)| outlet.stem.segment(rendition, epoch, sequence, mark.extension);
        let names: Vec<String> = due.into_iter().map(name).collect();
        let (ingest, rendition) = (Arc::clone(&outlet.ingest), rendition.clone());
        self.under_way.push(Box::pin(async move {
            let mut count = 0;
            for name in names {
                if ingest.delete(&name).await.is_err() {
                    break;
                }
                count += 1;
            }
            Done::Deleted { endpoint, rendition, count }
        }));
    }

    pub(super) fn deleted(&mut self, endpoint: usize, rendition: &RenditionName, count: usize) {
        if let Some(watch) = self.watches.get_mut(rendition) {
            watch.deleting[endpoint] = false;
        }
        let mark = self.working.renditions.get_mut(rendition);
        if let Some(track) = mark.and_then(|mark| mark.tracks.get_mut(endpoint)) {
            forget_deleted(track, count);
        }
    }
}
