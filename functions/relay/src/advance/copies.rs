//! Copies segments: each is read once and written to every endpoint that lacks it.

use super::again::Reader;
use super::shelf::{Ingredients, Parcel, Storing, gather};
use super::{Carrier, Done, Event};
use crate::abilities::Role;
use crate::anchor::segment;
use crate::cursor::Track;
use crate::names::{Extension, RenditionName};
use crate::parts::{Along, Kind, PartId, Recipe, recipe};
use crate::plan::{Failure, Key, View, plan};
use crate::ports::{Clock, Ingest, IngestError, Origin, OriginError, Sessions};
use crate::settle::{Beside, Offered, discontinuities_until, settle};
use bytes::Bytes;
use futures_util::future::try_join_all;
use hls::{Micros, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// What stands in the place of subtitles that are not there (WebVTT, section 4.1).
const NO_CUES: &[u8] = b"WEBVTT\n\n";

/// The first wait before a segment that could not be read is tried again; it doubles up to a target duration, for
/// the source lists it for a few of these only, and up to 5 s.
const RETRY: Micros = Micros::from_millis(500);

/// The longest such wait, where few cannot be read.
const LONGEST_RETRY: Micros = Micros::from_secs(5);

/// The wait is at least so long for each segment that cannot be read: so a source that lists thousands which are gone
/// is asked for fifty of them a second, and those that it has get their turn.
const EACH_FAILED: Micros = Micros::from_millis(20);

impl<O, I, S, C> Carrier<O, I, S, C>
where
    O: Origin + 'static,
    I: Ingest + 'static,
    S: Sessions,
    C: Clock,
{
    /// Starts the copies that there is room for.
    pub(super) fn start_copies(&mut self, now: Timestamp) {
        let views: Vec<View<'_>> = self
            .watches
            .iter()
            .filter_map(|(name, watch)| {
                let mark = self.working.renditions.get(name)?;
                // Another numbering must last before anything is stored under its names.
                let lasted = self.committed.renditions.get(name)?;
                if lasted.epoch != mark.epoch {
                    return None;
                }
                Some(View { name, mark, seen: watch.seen.as_deref()?, fates: &watch.fates })
            })
            .collect();
        let room = self.outlets.iter().map(|outlet| outlet.room(self.session.concurrency, now));
        for copy in plan(&views, room.collect(), now) {
            let Some(watch) = self.watches.get(&copy.rendition) else { continue };
            let took = watch.read_took;
            let reader = Arc::new(Reader::new(&self.origin, &self.clock, took, &watch.again));
            let found = self.recipe(&reader, &copy.rendition, copy.key);
            let (url, recipe, ingredients) = match found {
                Ok(found) => found,
                Err(reason) => {
                    // What its playlist says of it is of no use, unless a newer version says otherwise.
                    let error = OriginError::Gone { reason, for_good: false };
                    self.not_read(&copy.rendition, copy.key, &error, now);
                    continue;
                }
            };
            let Some(watch) = self.watches.get_mut(&copy.rendition) else { continue };
            watch.fates.began = now;
            for &endpoint in &copy.endpoints {
                watch.fates.under_way[endpoint].insert(copy.key, now);
                self.outlets[endpoint].copies += 1;
                self.outlets[endpoint].began = now;
            }
            let number = self.next_copy;
            self.next_copy += 1;
            self.began.insert(number, now);
            self.under_way.push(Box::pin(async move {
                let result = gather(reader, url, recipe, ingredients).await;
                let (rendition, key, endpoints) = (copy.rendition, copy.key, copy.endpoints);
                Done::Read { copy: number, rendition, key, endpoints, result }
            }));
        }
    }

    /// Where a segment that is listed lies, and what it needs beside itself.
    fn recipe(
        &mut self,
        reader: &Arc<Reader<O, C>>,
        rendition: &RenditionName,
        (epoch, sequence): Key,
    ) -> Result<(Url, Recipe, Ingredients), String> {
        let seen =
            self.watches.get(rendition).and_then(|watch| Some((watch, watch.seen.as_ref()?)));
        let (watch, seen) = seen.ok_or("it is not listed any more")?;
        let listed = segment(seen, sequence).ok_or("it is not listed any more")?;
        if let Some(flaw) = &listed.flaw {
            return Err(flaw.to_string());
        }
        let recipe = recipe(listed, sequence, self.style.keys)?;
        let url = watch.url_of(&listed.uri).ok_or("its address cannot be read")?;
        let version = (epoch, watch.history.stretch(sequence));
        let ingredients = self.shelf.read(reader, &watch.base, &recipe, version);
        let ingredients = ingredients.map_err(|error| error.to_string())?;
        Ok((url, recipe, ingredients))
    }

    /// Takes in a segment that was read, and writes it where it is lacking.
    pub(super) fn read(
        &mut self,
        copy: u64,
        rendition: RenditionName,
        key: Key,
        endpoints: Vec<usize>,
        result: Result<Parcel, OriginError>,
        now: Timestamp,
    ) {
        let began = self.began.remove(&copy);
        let mark = self.working.renditions.get(&rendition);
        let wanted = mark.is_some_and(|mark| mark.epoch == key.0);
        if !wanted || !self.watches.contains_key(&rendition) {
            for endpoint in endpoints {
                self.ended(&rendition, key, endpoint);
            }
            return;
        }
        let extension = self.extension(&rendition, key);
        let result = match result {
            Err(error)
                if extension == Extension::Vtt && self.is_gone(&rendition, key, &error, now) =>
            {
                self.go_without_cues(&rendition, key, &endpoints, &error, now);
                let body = Bytes::from_static(NO_CUES);
                Ok(Parcel { body, along: Along::default(), files: BTreeMap::new() })
            }
            result => result,
        };
        let result = result.and_then(|parcel| match self.changed(&rendition, key, &parcel.along) {
            false => Ok(parcel),
            true => {
                let reason = "its map or its keys are not what they were".to_owned();
                Err(OriginError::Unavailable { reason })
            }
        });
        let Parcel { body, along, files } = match result {
            Ok(parcel) => parcel,
            Err(error) => {
                self.shelf.forget_failures();
                if matches!(error, OriginError::Spoilt { .. }) {
                    self.shelf.read_anew();
                }
                for endpoint in endpoints {
                    self.ended(&rendition, key, endpoint);
                }
                return self.not_read(&rendition, key, &error, now);
            }
        };
        self.look_into(&rendition, key, &body);
        if let Some(watch) = self.watches.get_mut(&rendition) {
            watch.fates.failed.remove(&key);
            watch.fates.along.insert(key, along);
            watch.could_read(key, now);
            watch.read_took = now.since(began.unwrap_or(now));
        }
        for endpoint in endpoints {
            if self.is_past(&rendition, key, endpoint) {
                self.ended(&rendition, key, endpoint);
                continue;
            }
            let before = self.store_parts(&rendition, endpoint, &files);
            let outlet = &self.outlets[endpoint];
            let name = outlet.stem.segment(&rendition, key.0, key.1, extension);
            let (sender, body) = (outlet.sender(&self.clock), body.clone());
            let (rendition, bytes) = (rendition.clone(), body.len() as u64);
            let copy = self.next_copy;
            self.next_copy += 1;
            self.began.insert(copy, now);
            self.outlets[endpoint].puts.insert(copy, now);
            self.under_way.push(Box::pin(async move {
                // A segment that is there has all that it needs.
                let result = match try_join_all(before).await {
                    Ok(_) => sender.put(&name, extension.content_type(), body).await,
                    Err(error) => Err(error),
                };
                Done::Put { copy, rendition, key, endpoint, bytes, result }
            }));
        }
    }

    /// Whether a segment that landed elsewhere had something else beside itself: then this is not it.
    fn changed(&self, rendition: &RenditionName, key: Key, along: &Along) -> bool {
        let Some(mark) = self.working.renditions.get(rendition) else { return false };
        let landed = mark.tracks.iter().any(|track| track.number(key.0, key.1).is_some());
        landed && mark.along(key.0, key.1).map_or(*along != Along::default(), |had| had != along)
    }

    /// Whether an endpoint went on without a segment while that was read: nobody would list it, nor what it needs.
    fn is_past(&self, rendition: &RenditionName, key: Key, endpoint: usize) -> bool {
        let mark = self.working.renditions.get(rendition);
        mark.is_some_and(|mark| {
            mark.tracks.get(endpoint).is_some_and(|track| mark.wanted_from(track) > key.1)
        })
    }

    /// Stores maps and keys that an endpoint lacks.
    fn store_parts(
        &mut self,
        rendition: &RenditionName,
        endpoint: usize,
        files: &BTreeMap<PartId, (Kind, Bytes)>,
    ) -> Vec<Storing> {
        let mark = self.working.renditions.get(rendition);
        let has = |id: &PartId| {
            mark.is_some_and(|mark| mark.tracks.get(endpoint).is_some_and(|it| mark.has(it, id)))
        };
        let lacking: Vec<_> = files.iter().filter(|(id, _)| !has(id)).collect();
        let outlet = &self.outlets[endpoint];
        let mut store = |(id, (kind, body)): (&PartId, &(Kind, Bytes))| {
            let name = kind.name(&outlet.stem, rendition, id);
            let sender = outlet.sender(&self.clock);
            self.shelf.store(endpoint, sender, name, kind.content_type(), body.clone())
        };
        lacking.into_iter().map(&mut store).collect()
    }

    fn extension(&self, rendition: &RenditionName, key: Key) -> Extension {
        let seen = self.watches.get(rendition).and_then(|watch| watch.seen.as_deref());
        let listed = seen.and_then(|seen| segment(seen, key.1));
        let mark = self.working.renditions.get(rendition);
        listed
            .map_or_else(|| mark.map_or(Extension::default(), |mark| mark.extension), Extension::of)
    }

    /// A copy to one endpoint is not under way any more: says since when it was.
    fn ended(&mut self, rendition: &RenditionName, key: Key, endpoint: usize) -> Option<Timestamp> {
        self.outlets[endpoint].copies -= 1;
        self.watches.get_mut(rendition)?.fates.under_way[endpoint].remove(&key)
    }

    /// Whether a segment that could not be read is not there, as far as the source says.
    ///
    /// Live segments may be listed some time before they can be read, and what says that they are not there may
    /// be kept by a cache: one is gone when, after a target duration, one that follows can be read and it cannot.
    fn is_gone(
        &self,
        rendition: &RenditionName,
        key: Key,
        error: &OriginError,
        now: Timestamp,
    ) -> bool {
        let (OriginError::Gone { for_good, .. }, Some(watch)) =
            (error, self.watches.get(rendition))
        else {
            return false;
        };
        let since = watch.fates.failed.get(&key).map(|failure| failure.since);
        let late = since.is_some_and(|since| since + watch.target_duration() <= now);
        *for_good || watch.ended() || (late && watch.newest_read > Some(key))
    }

    /// Puts a segment without cues in the place of subtitles that are not there: they are missing, and everything
    /// else keeps its time.
    fn go_without_cues(
        &mut self,
        rendition: &RenditionName,
        key: Key,
        endpoints: &[usize],
        error: &OriginError,
        now: Timestamp,
    ) {
        let Some(mark) = self.working.renditions.get_mut(rendition) else { return };
        endpoints.iter().for_each(|&endpoint| mark.tracks[endpoint].missed += 1);
        let reason = format!("segment {} of {rendition} has no cues: {error}", key.1);
        super::report::note(&mut self.progress, &reason, now);
        self.events.push(Event::Gone(rendition.clone(), key.1, error.to_string()));
    }

    /// A segment could not be read: it is left out when it is not there, and else tried again.
    fn not_read(
        &mut self,
        rendition: &RenditionName,
        key: Key,
        error: &OriginError,
        now: Timestamp,
    ) {
        let gone = self.is_gone(rendition, key, error, now);
        let Some(watch) = self.watches.get_mut(rendition) else { return };
        watch.could_not_read(now);
        if gone {
            return self.leave_segment_out(rendition, key, error, now);
        }
        self.try_again(rendition, key, error, now);
    }

    /// Notes that a segment could not be read, to be tried again later; or that it never will be.
    fn try_again(
        &mut self,
        rendition: &RenditionName,
        key: Key,
        error: &OriginError,
        now: Timestamp,
    ) {
        let Some(watch) = self.watches.get_mut(rendition) else { return };
        let known = watch.fates.failed.get(&key);
        let (tries, since) = known.map_or((0, now), |failure| (failure.tries, failure.since));
        let target = watch.target_duration();
        let wait = Micros(RETRY.0 << tries.min(6)).min(target.clamp(RETRY, LONGEST_RETRY));
        // Where many cannot be read, the others get their turn, and the source is spared.
        let wait = wait.max(Micros(EACH_FAILED.0.saturating_mul(watch.fates.failed.len() as u64)));
        let reason = format!("segment {} of {rendition}: {error}", key.1);
        let failure = Failure {
            tries: tries + 1,
            since,
            retry_at: now + wait,
            reason: reason.clone(),
            spoilt: matches!(error, OriginError::Spoilt { .. } | OriginError::Refused { .. }),
            gone: matches!(error, OriginError::Gone { .. }),
        };
        if failure.is_hopeless(watch.ended(), watch.read_at, now) {
            return self.leave_segment_out(rendition, key, error, now);
        }
        watch.fates.failed.insert(key, failure);
        self.fault(now, reason);
    }

    /// Goes on without a segment: a discontinuity marks its place.
    fn leave_segment_out(
        &mut self,
        rendition: &RenditionName,
        key: Key,
        error: &OriginError,
        now: Timestamp,
    ) {
        let Some(watch) = self.watches.get_mut(rendition) else { return };
        watch.fates.gone.insert(key);
        watch.fates.failed.remove(&key);
        let reason = format!("segment {} of {rendition} is left out: {error}", key.1);
        super::report::note(&mut self.progress, &reason, now);
        if watch.ended() {
            self.lost.note(reason);
        }
        self.events.push(Event::Gone(rendition.clone(), key.1, error.to_string()));
        self.settle(rendition);
    }

    /// Takes in a segment that was written, or not, at one endpoint.
    #[expect(clippy::too_many_arguments, reason = "the fields of one effect")]
    pub(super) fn put(
        &mut self,
        copy: u64,
        rendition: &RenditionName,
        key: Key,
        endpoint: usize,
        bytes: u64,
        result: Result<(), IngestError>,
        now: Timestamp,
    ) {
        self.began.remove(&copy);
        self.outlets[endpoint].ended(copy, now);
        let began = self.ended(rendition, key, endpoint);
        if let Err(error) = result {
            self.shelf.forget_failures();
            return self.endpoint_failed(endpoint, &error, now);
        }
        self.outlets[endpoint].succeeded(bytes);
        self.outlets[endpoint].well();
        self.moved = now;
        let Some(watch) = self.watches.get_mut(rendition) else { return };
        let Some(mark) = self.working.renditions.get(rendition) else { return };
        if mark.epoch != key.0 {
            return;
        }
        let elsewhere = |other: usize| {
            watch.fates.landed[other].contains(&key)
                || mark.tracks[other].landed(key.0) >= Some(key.1)
        };
        if !(0..mark.tracks.len()).any(elsewhere) {
            self.working.segments += 1;
            self.working.bytes += bytes;
            self.measure(rendition, key, bytes);
        }
        if let Some(watch) = self.watches.get_mut(rendition) {
            let took = now.since(began.unwrap_or(now));
            watch.fates.arrived(endpoint, key, took, watch.seen.as_deref());
        }
        self.settle(rendition);
    }

    /// Moves the working cursor past what landed.
    pub(super) fn settle(&mut self, rendition: &RenditionName) {
        let Some(watch) = self.watches.get(rendition) else { return };
        let Some(seen) = watch.seen.as_deref() else { return };
        let Some(mark) = self.working.renditions.remove(rendition) else { return };
        let epoch = mark.epoch;
        let beside = |(endpoint, track): (usize, &Track)| {
            let offered = watch.offered[endpoint];
            self.beside(endpoint, offered, track.stretches.is_empty())
        };
        let beside: Vec<Beside> = mark.tracks.iter().enumerate().map(beside).collect();
        let mark = settle(
            mark,
            seen,
            self.style,
            |endpoint, sequence| watch.fates.of(endpoint, (epoch, sequence)),
            |sequence| watch.fates.along.get(&(epoch, sequence)).cloned(),
            |endpoint| beside[endpoint],
        );
        self.working.renditions.insert(rendition.clone(), mark);
    }

    /// What is known of an endpoint from other renditions than the one that is out of the working cursor, which
    /// may have nothing there yet.
    fn beside(&self, endpoint: usize, offered: Offered, begins: bool) -> Beside {
        let mut beside = Beside { offered, ..Beside::default() };
        for (name, mark) in &self.working.renditions {
            let Some(track) = mark.tracks.get(endpoint) else { continue };
            let watch = self.watches.get(name);
            // What trick play lacks is no matter of the programme.
            if watch.is_some_and(|watch| watch.role == Role::IFrames) {
                continue;
            }
            beside.marks = beside.marks.max(track.settled_marks());
            let watch = watch.filter(|_| begins);
            let seen = watch.and_then(|watch| watch.seen.as_deref());
            if let (Some(seen), Some(last)) = (seen, track.landed(mark.epoch)) {
                let stated = discontinuities_until(seen, last).0 + u64::from(track.begins_anew());
                beside.ahead = beside.ahead.max(track.discontinuities.0.saturating_sub(stated));
            }
        }
        beside
    }

    /// Learns the peak bandwidth of a source that does not state one.
    fn measure(&mut self, rendition: &RenditionName, key: Key, bytes: u64) {
        if !self.master.single || self.working.bandwidth.is_some() {
            return;
        }
        let seen = self.watches.get(rendition).and_then(|watch| watch.seen.as_deref());
        let Some(duration) = seen.and_then(|seen| segment(seen, key.1)).map(|s| s.duration) else {
            return;
        };
        let bits = bytes.saturating_mul(8 * 1_000_000);
        self.working.bandwidth = Some(bits / duration.0.max(1));
    }
}
