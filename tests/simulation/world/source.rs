//! A source that publishes by a plan.

use super::calls::Call;
use super::dress::{self, Dress};
use super::{Dice, Published, Stream, Trouble, wait};
use bytes::Bytes;
use relay::ports::{Fetched, Origin, OriginError, Slice, Validators};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use url::Url;

pub const MASTER: &str = "http://source.test/live/main.m3u8";

/// How long a segment is, in milliseconds.
pub const SEGMENT: u64 = 2_000;

/// What a source does.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// How many variants.
    pub variants: usize,
    /// How many segments it lists.
    pub window: usize,
    /// Its first number.
    pub first: u64,
    /// When it begins to number afresh, in milliseconds.
    pub resets: Vec<u64>,
    /// When it publishes nothing; what it makes then comes afterwards at once.
    pub stalls: Vec<Trouble>,
    /// When it does not answer.
    pub down: Vec<Trouble>,
    /// Segments, by their place, that are never there.
    pub missing: BTreeSet<u64>,
    /// Every so many segments one carries a discontinuity.
    pub discontinuities: u64,
    /// Of a hundred requests for a segment, how many fail.
    pub failures: u64,
    /// Of a hundred requests for a segment, how many take seconds.
    pub slow: u64,
    /// Of a hundred requests, how many are never answered, and fail when their time is up.
    pub silent: u64,
    /// Of a hundred requests for a playlist, how many are answered with an older one.
    pub stale: u64,
    /// When that goes wrong; absent: always.
    pub spell: Option<Trouble>,
    /// What it publishes is dressed so.
    pub dress: Dress,
    /// When it ends, in milliseconds.
    pub end: u64,
}

/// A segment as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its place since the source began.
    pub place: u64,
    /// What is played of it: its bytes, decrypted, and its map.
    pub body: String,
    /// Its lines, but for those that name files.
    pub lines: Vec<String>,
    /// Whether it is ever there.
    pub missing: bool,
    /// Whether it begins a numbering, and so ends what could be seen of the one before.
    pub begins: bool,
    /// When it is published, in milliseconds.
    pub at: u64,
    /// What is read of it.
    bytes: Bytes,
    /// The lines that say what it needs, and where it lies.
    needs: [Option<String>; 2],
    uri: String,
    epoch: u64,
    number: u64,
    discontinuity: bool,
}

pub struct Source {
    /// All that each variant will ever publish.
    streams: Vec<Vec<Segment>>,
    plan: SourcePlan,
    dice: Dice,
    began: tokio::time::Instant,
    polls: AtomicU64,
}

impl Source {
    pub fn new(plan: SourcePlan, dice: Dice) -> Self {
        let count = plan.variants + usize::from(plan.dress.sound);
        let streams = (0..count).map(|stream| segments(&plan, stream)).collect();
        let began = tokio::time::Instant::now();
        Self { streams, plan, dice, began, polls: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// The segments of one stream that are published at `at`.
    fn stream(&self, stream: usize, at: u64) -> &[Segment] {
        let segments = &self.streams[stream];
        &segments[..segments.partition_point(|segment| segment.at <= at)]
    }

    /// Whether a stream can be read at `at`.
    fn is_there(&self, stream: usize, at: u64) -> bool {
        let Dress { appears, goes, .. } = self.plan.dress;
        let comes_and_goes = stream > 0 && stream + 1 == self.plan.variants;
        !comes_and_goes
            || (appears.is_none_or(|from| from <= at) && goes.is_none_or(|until| at < until))
    }

    /// All that was published until `at`.
    pub fn published(&self, at: u64) -> Published {
        let of = |stream: usize| {
            let stays = self.is_there(stream, at);
            let until = self.plan.dress.goes.filter(|_| !stays);
            let at = until.map_or(at, |until| at.min(until));
            let name = match stream < self.plan.variants {
                true => format!("video-{}", 1_000_000 * (stream + 1)),
                false => "audio-a-en-english".to_owned(),
            };
            let appears = self.plan.dress.appears.is_some();
            (name, Stream { segments: self.stream(stream, at).to_vec(), stays, appears })
        };
        (0..self.streams.len()).map(of).collect()
    }

    /// The multivariant playlist.
    fn master(&self, at: u64) -> String {
        let Dress { sound, shuffled, moves, .. } = self.plan.dress;
        let place = if moves.is_some_and(|moves| moves <= at) { "moved/" } else { "" };
        let mut lines: Vec<String> = (0..self.plan.variants)
            .filter(|&stream| self.is_there(stream, at))
            .map(|stream| {
                let bandwidth = 1_000_000 * (stream + 1);
                let sound = if sound { ",AUDIO=\"a\"" } else { "" };
                format!("#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}{sound}\n{place}v{stream}.m3u8\n")
            })
            .collect();
        if sound {
            let stream = self.plan.variants;
            lines.push(format!(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",LANGUAGE=\"en\",NAME=\"English\",URI=\"{place}v{stream}.m3u8\"\n"
            ));
        }
        if shuffled {
            let by = self.dice.between(0, lines.len() as u64 - 1);
            lines.rotate_left(usize::try_from(by).unwrap());
        }
        format!("#EXTM3U\n{}", lines.concat())
    }

    fn playlist(&self, stream: usize, at: u64) -> String {
        let segments = self.stream(stream, at);
        let epoch = segments.last().map_or(0, |segment| segment.epoch);
        let first = segments.partition_point(|segment| segment.epoch < epoch);
        let begun = segments.iter().rposition(|segment| segment.begins).unwrap_or_default();
        let from = begun.max(segments.len().saturating_sub(self.plan.window));
        let passed = segments[first..from].iter().filter(|s| s.discontinuity).count();
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{passed}\n",
            segments.get(from).map_or(0, |s| s.number),
        );
        let mut stated = &[const { None }; 2];
        for segment in &segments[from..] {
            if segment.discontinuity {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            for (needed, stated) in segment.needs.iter().zip(stated) {
                if let Some(line) = needed.as_ref().filter(|_| needed != stated) {
                    writeln!(text, "{line}").unwrap();
                }
            }
            stated = &segment.needs;
            for line in &segment.lines {
                writeln!(text, "{line}").unwrap();
            }
            writeln!(text, "{}", segment.uri).unwrap();
        }
        if at > self.streams[stream].last().map_or(0, |last| last.at) + SEGMENT {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }

    /// Whether what goes wrong sometimes goes wrong now.
    fn fails(&self, chance: u64, now: u64) -> bool {
        self.plan.spell.is_none_or(|spell| Trouble::any(&[spell], now)) && self.dice.percent(chance)
    }

    /// Fails after `limit` milliseconds where it is one of those that are never answered.
    async fn answer(&self, limit: u64) -> Result<(), OriginError> {
        // No dice are thrown for what never happens: seeds stay what they were.
        if self.plan.silent == 0 || !self.fails(self.plan.silent, self.now()) {
            return Ok(());
        }
        wait(limit).await;
        Err(OriginError::Unavailable { reason: "origin did not answer in time".into() })
    }

    async fn latency(&self) -> Result<u64, OriginError> {
        wait(self.dice.between(1, 40)).await;
        let now = self.now();
        if Trouble::any(&self.plan.down, now) {
            return Err(OriginError::Unavailable { reason: "origin is down".into() });
        }
        Ok(now)
    }
}

/// All segments of one stream.
fn segments(plan: &SourcePlan, stream: usize) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let dress = &plan.dress;
    // The source has been on air for a while when the world begins.
    let before = plan.window as u64;
    let (mut epoch, mut number, mut skipped) = (0, plan.first, 0);
    for place in 0.. {
        let made = (place + 1) * SEGMENT;
        let made = made.saturating_sub(before * SEGMENT);
        let stall = plan.stalls.iter().find(|s| (s.from..s.to).contains(&made));
        let shown = stall.map_or(made, |stall| stall.to);
        if made > plan.end {
            break;
        }
        let passed = |moments: &[u64]| moments.iter().filter(|&&at| at <= made).count() as u64;
        let (resets, skips) = (passed(&plan.resets), passed(&dress.skips));
        let begins = resets > epoch || skips > skipped;
        if skips > skipped {
            (skipped, number) = (skips, number + 7);
        }
        if resets > epoch {
            (epoch, number) = (resets, 0);
        }
        let late = if made == 0 { 0 } else { dress.drift * place + dress.apart * stream as u64 };
        let plain = format!("v{stream}/{epoch}/{number}");
        let (key, map) = (dress.key(place), dress.map(stream, place));
        let iv = if dress.vectors { 0x1000 + u128::from(place) } else { u128::from(number) };
        let bytes = match key {
            Some(key) => dress::encrypt(&plain, &dress::key(stream, key), iv),
            None => plain.clone().into_bytes(),
        };
        let vector = if dress.vectors { format!(",IV=0x{iv:032x}") } else { String::new() };
        let path = format!("/live/v{stream}");
        let key =
            key.map(|key| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{path}/{key}.key\"{vector}"));
        let name =
            map.as_ref().map(|_| format!("#EXT-X-MAP:URI=\"{path}/{}.mp4\"", place / dress.maps));
        let ending = if map.is_some() { "m4s" } else { "ts" };
        let uri = match dress.ranges {
            true => {
                let (length, from) = (bytes.len(), number * SLOT);
                format!("#EXT-X-BYTERANGE:{length}@{from}\n{path}/{epoch}_all.{ending}")
            }
            false => format!("{path}/{epoch}_{number}.{ending}"),
        };
        segments.push(Segment {
            place,
            body: [Some(plain), map].into_iter().flatten().collect::<Vec<_>>().join(" with "),
            lines: dress.lines(place),
            missing: plan.missing.contains(&place),
            begins,
            at: shown + late,
            bytes: bytes.into(),
            needs: [name, key],
            uri,
            epoch,
            number,
            discontinuity: plan.discontinuities > 0 && place % plan.discontinuities == 3,
        });
        number += 1;
    }
    segments
}

/// The bytes from one segment to the next, where they are parts of one file.
const SLOT: u64 = 64;

/// The source as the core sees it.
pub struct Client(pub Arc<Source>);

impl Origin for Client {
    async fn playlist(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<Fetched, OriginError> {
        let _call = Call::begin("reading a playlist");
        let source = &self.0;
        source.polls.fetch_add(1, Ordering::Relaxed);
        let mut now = source.latency().await?;
        source.answer(10_000).await?;
        if url.as_str() == MASTER {
            return Ok(changed(source.master(now), url));
        }
        let moved = source.plan.dress.moves.is_some_and(|moves| moves <= now);
        let place = if moved { "/live/moved/v" } else { "/live/v" };
        let stream =
            url.path().strip_prefix(place).and_then(|it| it.trim_end_matches(".m3u8").parse().ok());
        let Some(stream) = stream.filter(|&stream| source.is_there(stream, now)) else {
            return Err(gone(url));
        };
        if source.fails(source.plan.stale, now) {
            now = now.saturating_sub(SEGMENT);
        }
        let text = source.playlist(stream, now);
        let fetched = changed(text, url);
        match (&fetched, known) {
            (Fetched::Changed { validators, .. }, Some(known)) if validators == known => {
                Ok(Fetched::Unchanged)
            }
            _ => Ok(fetched),
        }
    }

    async fn segment(&self, url: &Url, slice: Option<Slice>) -> Result<Bytes, OriginError> {
        let _call = Call::begin("reading a segment");
        let source = &self.0;
        if source.fails(source.plan.slow, source.now()) {
            wait(source.dice.between(500, 4_000)).await;
        }
        let now = source.latency().await?;
        source.answer(30_000).await?;
        if source.fails(source.plan.failures, now) {
            return Err(OriginError::Unavailable { reason: "origin answered 503".into() });
        }
        source.file(url, slice, now).ok_or_else(|| gone(url))
    }

    fn is_crowded(&self) -> bool {
        false
    }
}

impl Source {
    /// What lies at an address.
    fn file(&self, url: &Url, slice: Option<Slice>, now: u64) -> Option<Bytes> {
        let (stream, file) = url.path().strip_prefix("/live/v")?.split_once('/')?;
        let stream: usize = stream.parse().ok()?;
        let (name, ending) = file.split_once('.')?;
        match ending {
            "key" => return Some(dress::key(stream, name.parse().ok()?).into()),
            "mp4" => return Some(Bytes::from(format!("map v{stream}/{name}"))),
            _ => {}
        }
        let (epoch, number) = name.split_once('_')?;
        let epoch: u64 = epoch.parse().ok()?;
        let number = match slice {
            Some(slice) => slice.offset / SLOT,
            None => number.parse().ok()?,
        };
        let segments = self.stream(stream, now);
        // It stays for three windows after it left the playlist.
        let kept = segments.len().saturating_sub(self.plan.window * 4);
        let is_it = |s: &&Segment| s.epoch == epoch && s.number == number && !s.missing;
        segments[kept..].iter().find(is_it).map(|segment| segment.bytes.clone())
    }
}

fn gone(url: &Url) -> OriginError {
    OriginError::Gone { reason: format!("origin answered 404 for {}", url.path()), for_good: false }
}

fn changed(text: String, url: &Url) -> Fetched {
    let validators = Validators { etag: Some(text.clone()), last_modified: None };
    Fetched::Changed { text: Bytes::from(text), url: url.clone(), validators }
}
