//! Says how a session is doing.

use super::commit::STORE_PAUSE;
use super::watch::LEAST_IDLE;
use super::{Carrier, Event};
use crate::cause::Cause;
use crate::cursor::Rendition;
use crate::ports::{Clock, Ingest, Origin, Sessions};
use crate::progress::{EndpointProgress, Fault, Progress, RenditionProgress, Status};
use crate::session::Session;
use crate::settle::segments_from;
use hls::{Micros, Timestamp};
use std::collections::BTreeSet;

/// An endpoint that lacks much for so long is too slow; catching up takes less.
const LACKING: Micros = Micros::from_secs(12);

/// At most so many reasons are told at once.
const MOST_REASONS: usize = 3;

/// The state of a session, and why, in words and for machines.
pub(super) type Standing = (Status, Option<String>, BTreeSet<Cause>);

/// How a session is doing before anything was done.
pub(super) fn first(session: &Session) -> Progress {
    let endpoint = |address: &crate::session::Address| EndpointProgress {
        address: address.clone(),
        healthy: true,
        segments: 0,
        bytes: 0,
        behind: 0,
        last_error: None,
    };
    Progress { endpoints: session.endpoints.iter().map(endpoint).collect(), ..Progress::default() }
}

/// Notes the last error.
pub(super) fn note(progress: &mut Progress, what: &str, now: Timestamp) {
    progress.last_error = Some(Fault { what: what.to_owned(), at: now });
}

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// Brings the progress up to date.
    pub(super) fn take_stock(&mut self, now: Timestamp) {
        self.progress.segments = self.working.segments;
        self.progress.bytes = self.working.bytes;
        let worst = |count: fn(&crate::cursor::Track) -> u64| -> u64 {
            let marks = self.working.renditions.values();
            marks.map(|mark| mark.tracks.iter().map(count).max().unwrap_or_default()).sum()
        };
        self.progress.jumps = worst(|track| track.jumps);
        self.progress.missed = worst(|track| track.missed);
        for (name, watch) in &self.watches {
            // What is not there at the very end has no segment after it to be marked.
            let at_the_end = watch.seen.as_ref().is_some_and(|seen| seen.ended);
            let landed = self.working.renditions.get(name).and_then(Rendition::landed);
            let last = watch.fates.gone.iter().filter(|key| landed < Some(key.1));
            let count = if at_the_end { last.count() as u64 } else { 0 };
            self.progress.jumps += u64::from(count > 0);
            self.progress.missed += count;
        }
        self.progress.renditions = self.rendition_progress();
        self.progress.endpoints = self.endpoint_progress();
        self.note_lacking(now);
        if !self.progress.status.is_active() {
            return;
        }
        let (status, reason, causes) = self.standing(now);
        if status != self.progress.status {
            self.events.push(Event::Became(status, reason.clone()));
        }
        self.progress.status = status;
        self.progress.reason = reason;
        self.progress.causes = causes;
    }

    fn rendition_progress(&self) -> Vec<RenditionProgress> {
        let of = |(name, watch): (&crate::names::RenditionName, &super::Watch)| {
            let mark = self.working.renditions.get(name);
            RenditionProgress {
                name: name.to_string(),
                source_sequence: mark.map(|mark| mark.newest.0),
                listed: mark.map_or_else(Vec::new, |mark| {
                    mark.tracks.iter().map(|track| track.given.map(|given| given.0)).collect()
                }),
                error: watch.looks.error().cloned(),
            }
        };
        self.watches.iter().map(of).collect()
    }

    fn endpoint_progress(&self) -> Vec<EndpointProgress> {
        let of = |(index, outlet): (usize, &super::Outlet<I>)| EndpointProgress {
            address: outlet.address.clone(),
            healthy: outlet.trouble().is_none(),
            segments: outlet.segments,
            bytes: outlet.bytes,
            behind: self.behind(index),
            last_error: outlet.last_error.clone(),
        };
        self.outlets.iter().enumerate().map(of).collect()
    }

    /// Notes which endpoints lack more than half of what the source lists.
    fn note_lacking(&mut self, now: Timestamp) {
        let seen = self.watches.values().filter_map(|watch| watch.seen.as_deref());
        let listed: u64 = seen.map(|seen| seen.segments.len() as u64).sum();
        for (outlet, endpoint) in self.outlets.iter_mut().zip(&self.progress.endpoints) {
            let lacks = endpoint.behind * 2 > listed;
            // While nothing is on its way there, it is the next look that is waited for.
            let takes_long = outlet.lacking.or((outlet.copies > 0).then_some(now));
            outlet.lacking = takes_long.filter(|_| lacks);
        }
    }

    /// What an endpoint lacks that fails at nothing: it is too slow, or the source is, or this machine is full.
    fn too_slow(&self, now: Timestamp) -> impl Iterator<Item = (Cause, String)> {
        let reading = self.reading(now);
        let endpoints = self.outlets.iter().zip(&self.progress.endpoints);
        let most = self.session.output.abilities().requests_a_second;
        let pace = most.map_or_else(String::new, |most| {
            format!(", and no more than {most} requests a second go to it")
        });
        endpoints.filter_map(move |(outlet, endpoint)| {
            let since = outlet.lacking.filter(|_| outlet.trouble().is_none())?;
            let (address, behind) = (&outlet.address, endpoint.behind);
            let storing = outlet.puts.values().map(|&began| now.since(began)).max();
            let listed = format!("{behind} segments that are listed are not");
            let trouble = if reading > storing.max(Some(outlet.put_took)) {
                let slow = match self.origin.is_crowded() {
                    true => "there is no room in memory for more segments",
                    false => "source is too slow",
                };
                (Cause::Segment, format!("{slow}: {listed} at endpoint {address}"))
            } else {
                let reason = format!("endpoint {address} is too slow: {listed} there{pace}");
                (Cause::Endpoint, reason)
            };
            (now.since(since) >= LACKING).then_some(trouble)
        })
    }

    /// How long it takes to read a segment: the last of each rendition, or those that are being read.
    fn reading(&self, now: Timestamp) -> Option<Micros> {
        let stores = |copy: &u64| self.outlets.iter().any(|outlet| outlet.puts.contains_key(copy));
        let reads = self.began.iter().filter(|(copy, _)| !stores(copy));
        let under_way = reads.map(|(_, &began)| now.since(began));
        under_way.chain(self.watches.values().map(|watch| watch.read_took)).max()
    }

    /// How many segments the source lists that an endpoint lacks, without those that the source does not give.
    fn behind(&self, endpoint: usize) -> u64 {
        let lacking = |(name, watch): (&crate::names::RenditionName, &super::Watch)| {
            let mark = self.working.renditions.get(name)?;
            let seen = watch.seen.as_deref()?;
            let listed = segments_from(seen, mark.wanted_from(mark.tracks.get(endpoint)?));
            let lacks =
                listed.filter(|(sequence, _)| watch.fates.lacks(endpoint, (mark.epoch, *sequence)));
            Some(lacks.count() as u64)
        };
        self.watches.iter().filter_map(lacking).sum()
    }

    /// The state of the session, and why.
    fn standing(&self, now: Timestamp) -> Standing {
        if let Some(ended) = self.ended_state(now) {
            return ended;
        }
        let (causes, reasons) = self.troubles(now);
        match (reasons.is_empty(), self.has_published()) {
            (false, _) => (Status::Degraded, Some(reasons.join("; ")), causes),
            (true, true) => (Status::Running, None, causes),
            (true, false) => (Status::Starting, None, causes),
        }
    }

    fn has_published(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.since.is_some())
    }

    /// What is wrong and lasts, for machines and in words.
    pub(super) fn troubles(&self, now: Timestamp) -> (BTreeSet<Cause>, Vec<String>) {
        // What passes with the next try is no state; before anything is published, it is all there is.
        let published = self.has_published();
        let lasts = |tries: u32| tries >= 2 || !published;
        let watches = self.watches.values();
        let master = self.master.looks.error().filter(|_| lasts(self.master.looks.errors()));
        let renditions = watches.clone().filter(|watch| lasts(watch.looks.errors()));
        // No source is to blame while this machine stood still.
        let excused = now < self.sources.excused + LEAST_IDLE;
        let stalls = self.watches.iter().filter_map(|(name, watch)| {
            let stalled = watch.stalled(now).filter(|_| !excused)?;
            let seconds = stalled.as_millis() / 1_000;
            let reason = format!("source has listed nothing new of {name} for {seconds} s");
            Some((Cause::Stalled, reason))
        });
        let segments = watches.filter_map(|watch| watch.fates.failed.values().next());
        let segments = segments.filter(|failure| lasts(failure.tries));
        let outlets = self.outlets.iter().filter_map(|outlet| outlet.trouble());
        let store = self.store_pause.iter().map(|(_, reason)| (Cause::Store, reason.clone()));
        let playlists =
            master.into_iter().chain(renditions.filter_map(|watch| watch.looks.error()));
        let (causes, mut reasons): (BTreeSet<Cause>, Vec<String>) = store
            .chain(playlists.map(|reason| (Cause::Source, reason.clone())))
            .chain(stalls)
            .chain(segments.map(|failure| (Cause::Segment, failure.reason.clone())))
            .chain(outlets.filter(|trouble| lasts(trouble.0)).map(|trouble| trouble.1.clone()))
            .chain(self.too_slow(now))
            .chain(self.tried_in_vain())
            .unzip();
        reasons.truncate(MOST_REASONS);
        (causes, reasons)
    }

    /// Writes the state when it has changed.
    pub(super) async fn report(&mut self, now: Timestamp) {
        if self.reported == self.progress.status {
            return;
        }
        if self.store_pause.as_ref().is_some_and(|(until, _)| now < *until) {
            return;
        }
        match self.store.report(&self.session.id, &self.progress).await {
            Ok(()) => self.reported = self.progress.status,
            Err(error) => {
                let reason = error.to_string();
                self.store_pause = Some((now + STORE_PAUSE, reason));
            }
        }
    }
}
