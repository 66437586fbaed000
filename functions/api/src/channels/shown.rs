//! What is answered about assets, channels and schedules.

use super::definition::Fixed;
use channel::ports::{AssetRecord, ChannelRecord, Shelf, ShelfError};
use channel::{Asset, AssetHash, Entry, Item, Marker, Order, Role, Spot};
use hls::{Micros, Timestamp};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The ids of assets by the hash of their content. Of those with the same, the one that was added first stands for all.
pub struct Names(BTreeMap<AssetHash, AssetRecord>);

impl Names {
    pub async fn read(shelf: &impl Shelf) -> Result<Self, ShelfError> {
        let mut assets = shelf.assets().await?;
        assets.sort_by_key(|asset| std::cmp::Reverse(asset.added));
        let mut names = BTreeMap::new();
        for asset in &assets {
            names.extend(asset.earlier.iter().map(|hash| (hash.clone(), asset.clone())));
        }
        names.extend(assets.into_iter().map(|asset| (asset.hash.clone(), asset)));
        Ok(Self(names))
    }

    /// The id, or the hash of one that was removed since.
    fn id(&self, hash: &AssetHash) -> String {
        self.0.get(hash).map_or_else(|| hash.0.clone(), |asset| asset.id.clone())
    }

    fn title(&self, hash: &AssetHash) -> Option<String> {
        self.0.get(hash).and_then(|asset| asset.title.clone())
    }

    fn ids(&self, hashes: &[AssetHash]) -> Vec<String> {
        hashes.iter().map(|hash| self.id(hash)).collect()
    }
}

/// An asset as the API shows it.
#[derive(Debug, Serialize)]
pub struct AssetAnswer {
    id: String,
    title: Option<String>,
    url: String,
    hash: AssetHash,
    duration: Value,
    added: String,
    renditions: Option<Vec<String>>,
}

impl AssetAnswer {
    pub fn new(record: &AssetRecord, index: Option<&Asset>) -> Self {
        let names = |asset: &Asset| {
            asset.ladder().renditions.iter().map(|rendition| rendition.name.clone()).collect()
        };
        Self {
            id: record.id.clone(),
            title: record.title.clone(),
            url: record.url.clone(),
            hash: record.hash.clone(),
            duration: seconds(record.duration),
            added: record.added.to_string(),
            renditions: index.map(names),
        }
    }
}

/// A channel as the API shows it.
#[derive(Debug, Serialize)]
pub struct ChannelAnswer {
    id: String,
    title: Option<String>,
    /// The path of its multivariant playlist.
    url: String,
    target_duration: Option<u64>,
    window_seconds: Option<Value>,
    slate: Option<String>,
    #[serde(rename = "loop")]
    cycle: Vec<String>,
    ads: Vec<String>,
    markers: BTreeSet<Marker>,
    fill: Option<FillAnswer>,
    renditions: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FillAnswer {
    assets: Vec<String>,
    order: Order,
    ahead_seconds: Value,
    breaks: Option<FillBreaks>,
}

#[derive(Debug, Serialize)]
struct FillBreaks {
    every: Value,
    duration: Value,
}

impl ChannelAnswer {
    pub fn new(record: &ChannelRecord, names: &Names) -> Self {
        let channel = record.channel.as_ref();
        let fixed: Fixed = serde_json::from_str(&record.fixed).unwrap_or_default();
        let fill = record.fill.as_ref().map(|fill| FillAnswer {
            assets: names.ids(&fill.assets),
            order: fill.order,
            ahead_seconds: seconds(fill.ahead),
            breaks: fill.breaks.map(|(every, duration)| FillBreaks {
                every: seconds(every),
                duration: seconds(duration),
            }),
        });
        let renditions = channel.iter().flat_map(|it| &it.ladder.renditions);
        Self {
            id: record.id.clone(),
            title: record.title.clone(),
            url: format!("/channels/{}/master.m3u8", record.id),
            target_duration: channel.map(|it| it.target_duration.0).or(fixed.target_duration),
            window_seconds: channel.map(|it| seconds(it.window)),
            slate: fixed.slate,
            cycle: fixed.cycle,
            ads: channel.map_or_else(Vec::new, |it| names.ids(&it.ads)),
            markers: channel.map_or_else(BTreeSet::new, |it| it.markers.clone()),
            fill,
            renditions: renditions.map(|rendition| rendition.name.clone()).collect(),
        }
    }
}

/// An entry of a schedule as the API shows it.
#[derive(Debug, Serialize)]
pub struct EntryAnswer {
    id: u64,
    /// Absent where the slate plays, for nothing was there or it is gone, or a live source.
    asset: Option<String>,
    /// Whether a live source plays.
    live: bool,
    title: Option<String>,
    start: String,
    #[serde(skip)]
    begins: Timestamp,
    end: String,
    items: Vec<ItemAnswer>,
}

/// What plays without interruption.
#[derive(Debug, Serialize)]
pub struct ItemAnswer {
    role: Role,
    /// Absent where a live source plays.
    asset: Option<String>,
    title: Option<String>,
    start: String,
    /// Absent where it plays until something else is scheduled.
    end: Option<String>,
    /// The ad break that it is part of.
    #[serde(rename = "break")]
    spot: Option<SpotAnswer>,
}

/// An ad break.
#[derive(Debug, Serialize)]
pub struct SpotAnswer {
    start: String,
    duration: Value,
}

impl EntryAnswer {
    /// Entries, those of a live programme together.
    pub fn all<'a>(entries: impl Iterator<Item = &'a Entry>, names: &Names) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for answer in entries.map(|entry| Self::new(entry, names)) {
            match all.last_mut().filter(|last| last.live && last.id == answer.id) {
                Some(last) => {
                    last.end = answer.end;
                    last.items.extend(answer.items);
                    last.items.dedup_by(|item, before| {
                        let same = item.role == before.role && item.asset == before.asset;
                        if same {
                            before.end.clone_from(&item.end);
                        }
                        same
                    });
                }
                None => all.push(answer),
            }
        }
        all
    }

    /// When it begins, in milliseconds: not before, for then what comes before it has not ended.
    pub fn from(&self) -> String {
        Timestamp(self.begins.0.next_multiple_of(1_000)).to_string()
    }

    fn new(entry: &Entry, names: &Names) -> Self {
        let wish = entry.wish.as_ref().filter(|wish| !wish.stands_in);
        let item = entry.items.first();
        let is_live = item.is_some_and(|item| item.live.is_some());
        let of_wish = wish.and_then(|wish| wish.title.clone().or_else(|| names.title(&wish.asset)));
        let of_item = item.filter(|_| is_live).and_then(|item| item.title.clone());
        Self {
            id: entry.seen.as_ref().map_or(entry.id, |seen| seen.of),
            asset: wish.filter(|wish| wish.live.is_none()).map(|wish| names.id(&wish.asset)),
            live: is_live,
            title: of_wish.or(of_item),
            start: entry.start().to_string(),
            begins: entry.start(),
            end: entry.end().to_string(),
            items: entry.items.iter().map(|item| ItemAnswer::new(item, names)).collect(),
        }
    }
}

impl ItemAnswer {
    pub fn new(item: &Item, names: &Names) -> Self {
        let is_piece = item.live.is_some() && item.role == Role::Programme;
        Self {
            role: item.role,
            asset: Some(names.id(&item.asset)).filter(|_| !is_piece),
            title: item.title.clone().or_else(|| names.title(&item.asset)),
            start: item.start.to_string(),
            end: (item.duration != Micros(u64::MAX)).then(|| item.end().to_string()),
            spot: item.spot.map(SpotAnswer::new),
        }
    }

    /// What plays now or next: a live programme as a whole.
    pub fn whole(item: &Item, names: &Names) -> Self {
        let answer = Self::new(item, names);
        match item.live {
            Some(live) => Self {
                start: live.began.min(item.start).to_string(),
                end: Some(live.until.to_string()),
                ..answer
            },
            None => answer,
        }
    }

    /// A programme of a loop.
    pub fn of_loop(hash: &AssetHash, start: Timestamp, end: Timestamp, names: &Names) -> Self {
        Self {
            role: Role::Programme,
            asset: Some(names.id(hash)),
            title: names.title(hash),
            start: start.to_string(),
            end: Some(end.to_string()),
            spot: None,
        }
    }
}

impl SpotAnswer {
    pub fn new(spot: Spot) -> Self {
        Self { start: spot.start.to_string(), duration: seconds(spot.duration) }
    }
}

/// What plays now, and then.
#[derive(Debug, Serialize)]
pub struct NowAnswer {
    channel: String,
    title: Option<String>,
    now: String,
    playing: Option<ItemAnswer>,
    next: Vec<ItemAnswer>,
    next_break: Option<SpotAnswer>,
    /// Why a live source is not played that should be.
    trouble: Option<String>,
}

impl NowAnswer {
    pub fn new(
        record: &ChannelRecord,
        now: Timestamp,
        playing: Option<ItemAnswer>,
        next: Vec<ItemAnswer>,
        next_break: Option<Spot>,
        trouble: Option<String>,
    ) -> Self {
        Self {
            channel: record.id.clone(),
            title: record.title.clone(),
            now: now.to_string(),
            playing,
            next,
            next_break: next_break.map(SpotAnswer::new),
            trouble,
        }
    }
}

/// A number of seconds with as many decimals as it takes.
fn seconds(micros: Micros) -> Value {
    serde_json::from_str(&micros.to_string()).expect("it is a number")
}
