//! What is on the air: the channels that are watched, ready to be read.

use super::{Channels, Vods, failed, gone, no_channel};
use crate::problem::Problem;
use axum::http::StatusCode;
use bytes::Bytes;
use channel::ports::{ChannelRecord, Shelf};
use channel::{
    Asset, AssetHash, Entry, FREEZE, Item, Library, Loop, Numbers, Seed, Settings, Unread,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use hls::{Limits, Micros, Playlist, Timestamp};
use relay::ports::Clock;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

/// How far ahead a channel is made ready at once.
const AHEAD: Micros = Micros::from_secs(600);
/// How far before its window.
const MARGIN: Micros = Micros::from_secs(120);
/// What nobody asked for so long is put away.
const IDLE: Micros = Micros::from_secs(120);
/// How far ahead it is looked for what comes next, until there is enough: breaks within a day, and programmes however far.
const LOOKS: [Micros; 3] =
    [Micros::from_secs(86_400), Micros::from_secs(30 * 86_400), Micros(u64::MAX)];

/// The channels that are watched.
pub struct Air {
    stale: Option<Micros>,
    on: RwLock<On>,
    indexes: Mutex<BTreeMap<AssetHash, Weak<Asset>>>,
    /// Channels whose schedule was changed here, and may have a live programme.
    noted: Mutex<BTreeSet<String>>,
    /// Channels whose schedule was changed on request: what begins soon was not looked at yet.
    unseen: Mutex<BTreeSet<String>>,
    /// Why the live sources of channels are not played, as far as it is known here.
    troubles: Mutex<BTreeMap<String, String>>,
}

/// The channels that are ready, and those that are being read and have not been changed since that began.
#[derive(Default)]
struct On {
    ready: BTreeMap<String, Arc<OnAir>>,
    read: BTreeMap<String, Weak<()>>,
}

/// A channel that is ready to be read.
pub struct OnAir {
    pub record: ChannelRecord,
    pub plays: Plays,
    /// What plays behind what is ready, as far as somebody asked for it.
    later: OnceLock<Vec<Item>>,
    /// When it was made ready, and until when it is.
    made: Timestamp,
    until: Timestamp,
    asked: AtomicU64,
    rendered: Mutex<BTreeMap<String, Arc<Rendered>>>,
}

/// How a channel plays.
pub enum Plays {
    Schedule {
        items: Vec<Item>,
        indexes: Library,
    },
    Cycle(Box<Loop>),
    /// Nothing has been scheduled that would show what it is.
    Nothing,
}

/// A playlist as it is sent.
#[derive(Debug)]
pub struct Rendered {
    pub text: Bytes,
    pub gzip: Bytes,
    pub tag: String,
    made: Timestamp,
    /// When it changes.
    pub next: Option<Timestamp>,
}

impl Air {
    pub fn new(stale: Option<Micros>) -> Self {
        let (noted, unseen, troubles) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { stale, on: RwLock::default(), indexes: Mutex::default(), noted, unseen, troubles }
    }

    /// Notes that a channel may have a live programme soon.
    pub fn note(&self, id: &str) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    /// What was noted since.
    pub fn noted(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes that a schedule was changed on request.
    pub fn note_unseen(&self, id: &str) {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    /// The channels of which that was noted since.
    pub fn unseen(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.unseen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes why the live source of a channel is not played; nothing where it is.
    pub fn trouble(&self, id: &str, trouble: Option<String>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => drop(troubles.insert(id.to_owned(), trouble)),
            None => drop(troubles.remove(id)),
        }
    }

    /// Why the live source of a channel is not played.
    pub fn troubles(&self, id: &str) -> Option<String> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Forgets a channel that was changed.
    pub fn change(&self, id: &str) {
        let mut on = self.on.write().unwrap_or_else(PoisonError::into_inner);
        on.ready.remove(id);
        on.read.remove(id);
    }

    /// Begins to read a channel: what is read is kept as long as it is not changed meanwhile.
    fn read(&self, id: &str) -> Arc<()> {
        let mut on = self.on.write().unwrap_or_else(PoisonError::into_inner);
        on.read.get(id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let reading = Arc::new(());
            on.read.insert(id.to_owned(), Arc::downgrade(&reading));
            reading
        })
    }

    fn ready(&self, id: &str, now: Timestamp) -> Option<Arc<OnAir>> {
        let on = self.on.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = |it: &&Arc<OnAir>| {
            let age = self.stale.is_none_or(|stale| now.since(it.made) < stale);
            age && now < it.until && now >= it.made
        };
        let ready = Arc::clone(on.ready.get(id).filter(fresh)?);
        ready.asked.store(now.0, Ordering::Relaxed);
        Some(ready)
    }

    /// Keeps a channel that was read, unless it was changed meanwhile.
    fn put(&self, id: &str, ready: Arc<OnAir>, reading: &Arc<()>, now: Timestamp) {
        let mut on = self.on.write().unwrap_or_else(PoisonError::into_inner);
        on.ready.retain(|_, it| now.since(Timestamp(it.asked.load(Ordering::Relaxed))) < IDLE);
        let unchanged = on.read.get(id).and_then(Weak::upgrade);
        if unchanged.is_some_and(|it| Arc::ptr_eq(&it, reading)) {
            on.ready.insert(id.to_owned(), ready);
        }
        on.read.retain(|_, reading| reading.strong_count() > 0);
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.retain(|_, index| index.strong_count() > 0);
    }
}

impl<H: Shelf, V: Vods, C: Clock> Channels<H, V, C> {
    /// A channel, ready to be read at `now`.
    pub(super) async fn on_air(&self, id: &str, now: Timestamp) -> Result<Arc<OnAir>, Problem> {
        if let Some(ready) = self.air.ready(id, now) {
            return Ok(ready);
        }
        let reading = self.air.read(id);
        let record = match self.shelf.channel(id).await.map_err(|error| failed(&error))? {
            Some(record) if record.gone => return Err(gone(id)),
            Some(record) => record,
            None => return Err(no_channel(id)),
        };
        let (plays, until) = match &record.channel {
            None => (Plays::Nothing, now + AHEAD),
            Some(channel) if !record.cycle.is_empty() => {
                let indexes = self.indexes(record.cycle.iter().cloned()).await?;
                let assets = record.cycle.iter().filter_map(|hash| indexes.get(hash).cloned());
                let settings = Settings {
                    epoch: channel.epoch,
                    target_duration: channel.target_duration,
                    window: channel.window,
                };
                let made = Loop::with_ladder(settings, channel.ladder.clone(), assets.collect());
                let cycle = made.map_err(|_| unready(id))?.counted_from(channel.numbers);
                (Plays::Cycle(Box::new(cycle)), now + AHEAD)
            }
            Some(channel) => {
                let back = channel.window() + MARGIN;
                let from = Timestamp(now.0.saturating_sub(back.0));
                let until = now + AHEAD;
                let log = self.shelf.log(id, from, until + MARGIN).await;
                let log = log.map_err(|error| failed(&error))?;
                let all = || log.iter().flat_map(|entry| &entry.items);
                let slate = channel.slate.iter().map(|slate| slate.asset.clone());
                let named = all().map(|item| item.asset.clone()).chain(slate);
                let indexes = self.indexes_of(&log, named).await?;
                let items: Vec<Item> = log.into_iter().flat_map(|entry| entry.items).collect();
                (Plays::Schedule { items, indexes }, until)
            }
        };
        let ready = Arc::new(OnAir {
            record,
            plays,
            later: OnceLock::new(),
            made: now,
            until,
            asked: AtomicU64::new(now.0),
            rendered: Mutex::default(),
        });
        self.air.put(id, Arc::clone(&ready), &reading, now);
        Ok(ready)
    }

    /// What plays on a channel after `now`, as far as it takes to know `count` programmes and the next break: what is
    /// ready, and what is behind that. It is read once for as long as the channel is ready.
    pub(super) async fn coming(
        &self,
        on_air: &OnAir,
        now: Timestamp,
        count: usize,
    ) -> Result<Vec<Item>, Problem> {
        let Plays::Schedule { items, .. } = &on_air.plays else { return Ok(Vec::new()) };
        let filler = on_air.filler();
        let is_all = filler.is_some();
        let mut coming: Vec<Item> =
            items.iter().cloned().chain(filler).filter(|item| item.end() > now).collect();
        let has_break = coming.iter().any(|item| item.spot.is_some_and(|spot| spot.start > now));
        if !is_all && (!has_break || programmes(&coming).len() < count) {
            let later = match on_air.later.get() {
                Some(later) => later,
                None => {
                    let later = self.later(on_air, count).await?;
                    on_air.later.get_or_init(|| later)
                }
            };
            coming.extend(later.iter().filter(|item| item.end() > now).cloned());
        }
        Ok(coming)
    }

    /// What plays behind what is ready: a day of it, or `count` programmes, and what plays then where that is all.
    async fn later(&self, on_air: &OnAir, count: usize) -> Result<Vec<Item>, Problem> {
        let (Plays::Schedule { items, .. }, Some(channel)) =
            (&on_air.plays, &on_air.record.channel)
        else {
            return Ok(Vec::new());
        };
        let from = items.last().map_or(on_air.until, Item::end);
        let mut later: Vec<Item> = Vec::new();
        for ahead in LOOKS {
            let log = self.shelf.log(&on_air.record.id, from, from + ahead).await;
            let log = log.map_err(|error| failed(&error))?;
            let items = log.into_iter().flat_map(|entry| entry.items);
            later = items.filter(|item| item.start >= from).collect();
            if programmes(&later).len() >= count {
                return Ok(later);
            }
        }
        let last = later.last().or(items.last());
        let slate = channel.slate.iter().map(|slate| slate.asset.clone());
        let named = last.map(|last| last.asset.clone()).into_iter().chain(slate);
        let indexes = self.indexes(named).await?;
        later.extend(channel.filler(last, &indexes).ok().flatten());
        Ok(later)
    }

    /// Some indexes, of which a log may hold some itself; those that are missing are left out.
    pub(super) async fn indexes_of(
        &self,
        log: &[Entry],
        hashes: impl Iterator<Item = AssetHash>,
    ) -> Result<Library, Problem> {
        let seen: BTreeMap<AssetHash, &Asset> = Entry::seen(log).collect();
        let mut library = self.indexes(hashes.filter(|hash| !seen.contains_key(hash))).await?;
        library.extend(seen.into_iter().map(|(hash, asset)| (hash, Arc::new(asset.clone()))));
        Ok(library)
    }

    /// Some indexes; those that are missing are left out.
    pub(super) async fn indexes(
        &self,
        hashes: impl Iterator<Item = AssetHash>,
    ) -> Result<Library, Problem> {
        let mut library = Library::new();
        for hash in hashes {
            if library.contains_key(&hash) {
                continue;
            }
            let known = {
                let indexes = self.air.indexes.lock().unwrap_or_else(PoisonError::into_inner);
                indexes.get(&hash).and_then(Weak::upgrade)
            };
            let index = match known {
                Some(index) => Some(index),
                None => {
                    self.shelf.index(&hash).await.map_err(|error| failed(&error))?.map(Arc::new)
                }
            };
            if let Some(index) = index {
                let mut indexes = self.air.indexes.lock().unwrap_or_else(PoisonError::into_inner);
                indexes.insert(hash.clone(), Arc::downgrade(&index));
                library.insert(hash, index);
            }
        }
        Ok(library)
    }
}

/// Items, of which all that belong to a live programme are one.
pub fn programmes(items: &[Item]) -> Vec<&Item> {
    let mut programmes: Vec<&Item> = items.iter().collect();
    programmes.dedup_by_key(|item| item.live.map_or(Err(item.start), |live| Ok(live.until)));
    programmes
}

impl OnAir {
    /// What no viewer has seen a number of yet.
    pub fn numbers(&self, now: Timestamp) -> Numbers {
        let Some(channel) = &self.record.channel else { return self.record.numbers };
        let mut numbers = channel.numbers;
        let at = match &self.plays {
            // Viewers who have a channel of their own are not farther than a cycle.
            Plays::Cycle(cycle) => now + FREEZE + cycle.cycle(),
            Plays::Schedule { .. } | Plays::Nothing => now + FREEZE,
        };
        for rendition in &channel.ladder.renditions {
            let Ok(listed) = self.render(&rendition.name, None, at) else { continue };
            let Ok(Playlist::Media(listed)) = hls::parse(&listed.text, &Limits::default()) else {
                continue;
            };
            let behind = listed.media_sequence.0 + listed.segments.len() as u64;
            let cuts = listed.segments.iter().filter(|segment| segment.discontinuity).count();
            let cuts = listed.discontinuity_sequence.0 + cuts as u64 + 1;
            numbers.sequence = numbers.sequence.max(behind);
            numbers.discontinuities = numbers.discontinuities.max(cuts);
        }
        numbers
    }

    /// What plays after the last item that is ready; absent where that is not known yet.
    pub fn filler(&self) -> Option<Item> {
        match (&self.plays, &self.record.channel) {
            (Plays::Schedule { items, indexes }, Some(channel)) => {
                let last = items.last().filter(|last| last.end() > self.until);
                let filler = || channel.filler(items.last(), indexes).ok().flatten();
                if last.is_some() { None } else { filler() }
            }
            (Plays::Schedule { .. } | Plays::Cycle(_) | Plays::Nothing, _) => None,
        }
    }

    /// The multivariant playlist, or that of a rendition, for everybody or one viewer.
    ///
    /// # Errors
    /// 404 where there is no such playlist, 503 where there is nothing to list yet.
    pub fn playlist(
        &self,
        name: &str,
        viewer: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Rendered>, Problem> {
        if viewer.is_some() {
            return self.render(name, viewer, now).map(Arc::new);
        }
        let known = {
            let rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
            rendered.get(name).map(Arc::clone)
        };
        let good = |it: &Rendered| now >= it.made && it.next.is_none_or(|next| now < next);
        if let Some(known) = known
            && good(&known)
        {
            return Ok(known);
        }
        let made = Arc::new(self.render(name, viewer, now)?);
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        rendered.insert(name.to_owned(), Arc::clone(&made));
        Ok(made)
    }

    fn render(
        &self,
        name: &str,
        viewer: Option<&str>,
        now: Timestamp,
    ) -> Result<Rendered, Problem> {
        let id = &self.record.id;
        let no_rendition =
            || Problem::new(StatusCode::NOT_FOUND, format!("channel {id} has no playlist {name}"));
        let channel = self.record.channel.as_ref().ok_or_else(|| unready(id))?;
        let is_master = name == "master" || name == "main" || name == "index";
        let (text, next) = match &self.plays {
            Plays::Nothing => return Err(unready(id)),
            Plays::Cycle(cycle) if is_master => (cycle.multivariant(), None),
            Plays::Cycle(cycle) => {
                let rendition = cycle.find(name).ok_or_else(no_rendition)?;
                let playlist = cycle.media_playlist(rendition, now, viewer.map(Seed::of));
                (playlist.text, playlist.next)
            }
            Plays::Schedule { .. } if viewer.is_some() => {
                let detail =
                    format!("channel {id} plays a schedule: only a loop has viewers' channels");
                return Err(Problem::new(StatusCode::NOT_FOUND, detail));
            }
            Plays::Schedule { .. } if is_master => (channel.multivariant(), None),
            Plays::Schedule { items, indexes } => {
                let rendition = channel.ladder.find(name).ok_or_else(no_rendition)?;
                match channel.media_playlist(items, indexes, now, rendition) {
                    Ok(playlist) => (playlist.text, playlist.next),
                    Err(Unread::Nothing { .. } | Unread::Index(_)) => return Err(unready(id)),
                    Err(Unread::Rendition) => return Err(no_rendition()),
                }
            }
        };
        Ok(Rendered::new(text, next, now))
    }
}

impl Rendered {
    fn new(text: String, next: Option<Timestamp>, made: Timestamp) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let tag = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut gzip = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
        let packed = gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish());
        let gzip = packed.expect("a Vec takes all that is written to it").into();
        Self { text: text.into(), gzip, tag, made, next }
    }
}

fn unready(id: &str) -> Problem {
    let detail = format!("channel {id} has nothing to play yet");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        .header(axum::http::header::RETRY_AFTER, "2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let now = Timestamp(1_000_000);
        let air = Air::new(None);
        let record = r#"{"id": "one", "revision": 1, "fixed": "", "next_id": 1}"#;
        let record: ChannelRecord = serde_json::from_str(record).expect("a record");
        let read = || {
            Arc::new(OnAir {
                record: record.clone(),
                plays: Plays::Nothing,
                later: OnceLock::new(),
                made: now,
                until: now + AHEAD,
                asked: AtomicU64::new(now.0),
                rendered: Mutex::default(),
            })
        };
        let before = air.read("one");
        air.put("one", read(), &before, now);
        assert!(air.ready("one", now).is_some());
        air.change("one");
        air.put("one", read(), &before, now);
        assert!(air.ready("one", now).is_none());
        let after = air.read("one");
        air.change("another");
        air.put("one", read(), &before, now);
        assert!(air.ready("one", now).is_none());
        air.put("one", read(), &after, now);
        assert!(air.ready("one", now).is_some());
    }
}
