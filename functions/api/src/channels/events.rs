//! Live sources between programmes: what they list is looked at, and written into the schedule.

use super::assets::Multivariant;
use super::look::Looked;
use super::{Channels, Vods, overtaken};
use crate::problem::Problem;
use channel::ports::{Shelf, ShelfError};
use channel::{Edit, Event, FREEZE, Gap, Piece, Source, append, gap};
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

/// What is known of a source while it is followed.
#[derive(Default)]
struct Known {
    multivariant: Option<Multivariant>,
    trouble: Option<String>,
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
        if now < gap.due {
            return Ok(Some(gap.due.min(now + SCAN)));
        }
        let source = match self.read_event(known, &gap.event, channel).await {
            Ok(source) => source,
            Err(trouble) => {
                known.multivariant = None;
                if known.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(channel = id, reason = %trouble, "a live source cannot be played: the slate plays");
                }
                self.air.trouble(id, Some(trouble.clone()));
                known.trouble = Some(trouble);
                return Ok(Some(self.clock.now() + AGAIN));
            }
        };
        if known.trouble.take().is_some() {
            tracing::info!(channel = id, "a live source can be played again");
        }
        self.air.trouble(id, None);
        let longest = source.longest();
        let (pause, ended) = match source.next(gap.event.seen.as_ref(), gap.is_hole) {
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
            Err(flaw) => {
                tracing::warn!(channel = id, reason = %flaw, "a live source cannot be played now");
                (AGAIN, false)
            }
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
        Ok(Some(self.clock.now() + pause.clamp(NOTICE, Micros::from_secs(10))))
    }

    async fn read_event(
        &self,
        known: &mut Known,
        event: &Event,
        channel: &channel::Channel,
    ) -> Result<Source, String> {
        if known.multivariant.is_none() {
            let url = Url::parse(&event.url).map_err(|error| error.to_string())?;
            known.multivariant = Some(Multivariant::read(&*self.vods, &url).await?);
        }
        let Some(multivariant) = &known.multivariant else { return Err(String::new()) };
        let (media, reasons) = multivariant.media(&*self.vods).await;
        if !reasons.is_empty() {
            return Err(reasons.join("; "));
        }
        let (ladder, target) = (&channel.ladder, channel.target_duration);
        let read =
            Source::read(multivariant.url.as_str(), &multivariant.playlist, &media, ladder, target);
        read.map_err(|flaws| {
            let words: Vec<String> = flaws.iter().map(ToString::to_string).collect();
            words.join("; ")
        })
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
