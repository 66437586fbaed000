//! Live sources between programmes: what they list is looked at, and written into the schedule.

use super::assets::Multivariant;
use super::look::Looked;
use super::{Channels, Vods, overtaken};
use crate::problem::Problem;
use channel::ports::{Shelf, ShelfError};
use channel::{
    Channel, Edit, Event, FREEZE, Gap, Heard, Piece, Source, append, gap, media_playlists,
};
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hls::{Micros, Timestamp};
use relay::ports::Clock;
use std::collections::BTreeSet;
use std::pin::pin;
use url::Url;

/// So far ahead pieces are put: some sources list what has not been.
const FAR: Micros = Micros::from_secs(60);
/// How often all channels are looked at for live programmes to come, and those of this process.
const SCAN: Micros = Micros::from_secs(30);
const NOTICE: Micros = Micros::from_secs(1);
/// How long a source is left alone that failed.
const AGAIN: Micros = Micros::from_secs(2);
/// How often a piece is tried to be written that others overtake.
const TRIES: usize = 5;

/// How long a multivariant playlist is not read again at most, while something it names is silent.
const SELDOM: Micros = Micros::from_secs(60);

/// What is known of a source while it is followed.
#[derive(Default)]
struct Known {
    /// For which entry it plays, and where it lies.
    of: Option<(u64, String)>,
    multivariant: Option<Multivariant>,
    heard: Heard,
    /// When the multivariant playlist was read last.
    read: Timestamp,
    /// After how long it is read again where not all that it names is to be had; absent where all is.
    pause: Option<Micros>,
    trouble: Option<String>,
}

impl Known {
    fn of(gap: &Gap) -> Self {
        Self { of: Some((gap.entry, gap.event.url.clone())), ..Self::default() }
    }
}

/// What a live source shows at a moment.
struct Shown {
    source: Source,
    /// What of it is not to be had.
    lacks: Vec<String>,
}

impl<H: Shelf, V: Vods, C: Clock> Channels<H, V, C> {
    /// Plays live sources where programmes of them are due, until `until`; each as soon as it lists something. What is
    /// scheduled here meanwhile is looked at at once.
    ///
    /// Any number may do this at a time: what a source lists is written once. Where nobody does, the slate plays.
    ///
    /// # Errors
    /// When the shelf cannot be asked.
    pub async fn follow(&self, until: Timestamp) -> Result<(), ShelfError> {
        let mut following = FuturesUnordered::new();
        let mut followed: BTreeSet<String> = BTreeSet::new();
        let mut scan = Timestamp(0);
        loop {
            let now = self.clock.now();
            if now >= until {
                return Ok(());
            }
            let mut near = self.air.noted();
            if now >= scan {
                near.extend(self.live_within(FAR).await?);
                scan = now + SCAN;
            }
            for id in near {
                if followed.insert(id.clone()) {
                    following.push(Either::Left(self.follow_one(id, until)));
                }
            }
            for id in self.air.unseen() {
                following.push(Either::Right(self.look_at_once(id)));
            }
            let tick = pin!(self.clock.sleep_until((now + NOTICE).min(until)));
            if following.is_empty() {
                tick.await;
            } else if let Either::Right((Some(Some(id)), _)) = select(tick, following.next()).await
            {
                followed.remove(&id);
            }
        }
    }

    /// The channels on which a live programme plays within `span` from now.
    ///
    /// # Errors
    /// When the shelf cannot be asked.
    pub async fn live_within(&self, span: Micros) -> Result<Vec<String>, ShelfError> {
        let (now, mut near) = (self.clock.now(), Vec::new());
        for id in self.shelf.channel_ids().await? {
            let record = self.shelf.channel(&id).await?;
            if record.is_some_and(|it| it.is_scheduled() && it.channel.is_some()) {
                let log = self.shelf.log(&id, now, now + span).await?;
                near.extend(gap(&log, now).map(|_| id));
            }
        }
        Ok(near)
    }

    /// Plays the live sources of one channel for as long as some are due.
    async fn follow_one(&self, id: String, until: Timestamp) -> Option<String> {
        let mut known = Known::default();
        loop {
            let due = match self.look(&id, &mut known).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(channel = id, %error, "cannot look after a live programme");
                    Some(self.clock.now() + AGAIN)
                }
            };
            match due {
                Some(due) if due < until => self.clock.sleep_until(due).await,
                Some(_) | None => return Some(id),
            }
        }
    }

    /// Looks at what was just scheduled to begin before all schedules are looked at again.
    async fn look_at_once(&self, id: String) -> Option<String> {
        let looked = async {
            let looked = Looked::at(self.shelf.assets().await?);
            self.look_ahead(&id, SCAN, &looked).await
        };
        if let Err(error) = looked.await {
            tracing::error!(channel = id, %error, "cannot look at what was just scheduled");
        }
        None
    }

    /// Looks at the source of a live programme, and plays what is new; says when to look again.
    async fn look(&self, id: &str, known: &mut Known) -> Result<Option<Timestamp>, ShelfError> {
        let Some(record) = self.shelf.channel(id).await?.filter(|it| !it.gone) else {
            return Ok(None);
        };
        let Some(channel) = &record.channel else { return Ok(None) };
        let now = self.clock.now();
        let log = self.shelf.log(id, now, now + FREEZE + FAR).await?;
        let Some(gap) = gap(&log, now) else {
            // What is over is no trouble any more.
            self.air.trouble(id, None);
            return Ok(None);
        };
        // Of one source nothing is known by another.
        let of = (gap.entry, &gap.event.url);
        if known.of.as_ref().is_none_or(|(entry, url)| (*entry, url) != of) {
            *known = Known::of(&gap);
            self.air.trouble(id, None);
        }
        if now < gap.due {
            // Something else may be scheduled before it.
            return Ok(Some(gap.due.min(now + AGAIN)));
        }
        let Shown { source, lacks } = match self.read_event(known, &gap.event, channel).await {
            Ok(shown) => shown,
            Err(trouble) => {
                known.pause.get_or_insert(AGAIN);
                self.told(id, known, Some(trouble));
                return Ok(Some(self.clock.now() + AGAIN));
            }
        };
        let longest = source.longest();
        let next = source.next(gap.event.seen.as_ref(), gap.is_hole, known.heard.slides());
        let silent = known.heard.silent_since();
        let trouble = match (&next, silent) {
            (Err(flaw), _) => Some(flaw.to_string()),
            (Ok(None), Some(since)) => Some(format!("lists nothing new since {since}")),
            (Ok(None), None) if gap.is_hole => {
                Some("lists too little to begin with, or not in all renditions".to_owned())
            }
            (Ok(_), _) if lacks.is_empty() => None,
            (Ok(_), _) => Some(lacks.join("; ")),
        };
        self.told(id, known, trouble);
        let (pause, ended) = match next {
            Ok(Some(piece)) => {
                if let Err(problem) = self.play(id, &gap, &piece).await {
                    tracing::warn!(
                        channel = id,
                        ?problem,
                        "a piece of a live programme was not written"
                    );
                    return Ok(Some(self.clock.now() + AGAIN));
                }
                (longest, piece.ended)
            }
            // One that had ended before is about to begin anew, maybe.
            Ok(None) => (Micros(longest.0 / 2), source.has_ended() && gap.event.seen.is_some()),
            Err(_) => (AGAIN, false),
        };
        if ended {
            // What comes next follows at once, unless it has a time of its own.
            let over = self.apply(id, &Edit::Remove(vec![gap.entry]), 0).await;
            tracing::info!(
                channel = id,
                done = matches!(over, Ok(Ok(_))),
                "a live source has ended"
            );
        }
        let now = self.clock.now();
        let due = now + pause.clamp(NOTICE, Micros::from_secs(10));
        // The next programme has its turn at once.
        Ok(Some(if gap.closes > now { due.min(gap.closes) } else { due }))
    }

    /// Tells what is wrong with a source, once in the log.
    fn told(&self, id: &str, known: &mut Known, trouble: Option<String>) {
        match (&known.trouble, &trouble) {
            (before, Some(now)) if before.as_ref() != Some(now) => {
                tracing::warn!(channel = id, reason = %now, "a live source cannot be played, or not whole");
            }
            (Some(_), None) => tracing::info!(channel = id, "a live source can be played again"),
            (_, _) => {}
        }
        self.air.trouble(id, trouble.clone());
        known.trouble = trouble;
    }

    /// Reads what a source lists. Where not all of it is to be had, its multivariant playlist may name other addresses.
    async fn read_event(
        &self,
        known: &mut Known,
        event: &Event,
        channel: &Channel,
    ) -> Result<Shown, String> {
        let now = self.clock.now();
        let is_due = known.pause.is_some_and(|pause| now.since(known.read) >= pause);
        let again = known.multivariant.take_if(|_| is_due);
        let multivariant = match known.multivariant.take() {
            Some(multivariant) => multivariant,
            None => {
                let url = Url::parse(&event.url).map_err(|error| error.to_string())?;
                known.read = now;
                let longer = |pause: Micros| Micros(pause.0 * 2).min(SELDOM);
                known.pause = known.pause.filter(|_| again.is_some()).map(longer);
                match (Multivariant::read(&*self.vods, &url).await, again) {
                    (Ok(read), _) => read,
                    // What it named may still be there.
                    (Err(_), Some(again)) => again,
                    (Err(trouble), None) => return Err(trouble),
                }
            }
        };
        let (media, reasons) = multivariant.media(&*self.vods).await;
        let wanted = media_playlists(&multivariant.playlist);
        known.heard.look(&wanted, &media, self.clock.now());
        let out = known.heard.out();
        let is_read = |it: &&&str| media.get(**it).is_some_and(|it| !it.segments.is_empty());
        let mut lacks = reasons;
        for playlist in wanted.iter().filter(|it| media.contains_key(**it)) {
            if !is_read(&playlist) {
                lacks.push(format!("{playlist}: lists nothing"));
            } else if out.contains(*playlist) {
                lacks.push(format!("{playlist}: stood still"));
            }
        }
        let waits = wanted.iter().any(|it| !is_read(&it) && !out.contains(*it));
        let whole = lacks.is_empty() && known.heard.silent_since().is_none();
        known.pause = if whole { None } else { known.pause.or(Some(AGAIN)) };
        let read = || {
            let (base, of) =
                (multivariant.url.as_str(), (&channel.ladder, channel.target_duration));
            let after = event.seen.as_ref();
            Source::read(base, &multivariant.playlist, &media, &out, of, after)
        };
        let read = if waits { Err(Vec::new()) } else { read() };
        known.multivariant = Some(multivariant);
        match read {
            Ok(source) => Ok(Shown { source, lacks }),
            Err(_) if !lacks.is_empty() => Err(lacks.join("; ")),
            Err(flaws) => {
                let words: Vec<String> = flaws.iter().map(ToString::to_string).collect();
                Err(words.join("; "))
            }
        }
    }

    /// Writes a piece down, unless somebody else did.
    async fn play(&self, id: &str, wanted: &Gap, piece: &Piece) -> Result<(), Problem> {
        for _ in 0..TRIES {
            let record = self.find(id).await?;
            let Some(channel) = record.channel.clone() else { return Ok(()) };
            let now = self.clock.now();
            let log = self.log(id, now).await?;
            let same = |gap: &Gap| {
                (gap.entry, gap.is_hole, &gap.event)
                    == (wanted.entry, wanted.is_hole, &wanted.event)
            };
            if !gap(&log, now).is_some_and(|gap| same(&gap)) {
                return Ok(());
            }
            let until = log.iter().position(|it| it.id == wanted.entry && it.wish.is_some());
            let played = log.iter().take(until.map_or(0, |until| until + 1));
            let named = played.flat_map(|it| it.items.iter().map(|item| item.asset.clone()));
            let slate = channel.slate.iter().map(|slate| slate.asset.clone());
            let indexes = self.indexes_of(&log, named.chain(slate)).await?;
            let change = append(&channel, &log, record.next_id, piece, &indexes, now);
            let Ok(Some(change)) = change else { return Ok(()) };
            if self.write(record, channel, &log, change, 0).await?.is_some() {
                return Ok(());
            }
        }
        Err(overtaken(id))
    }
}
