//! A source that publishes by a plan.

use super::calls::Call;
use super::{Dice, Published, Trouble, wait};
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
    /// Of a hundred requests for a playlist, how many are answered with an older one.
    pub stale: u64,
    /// When it ends, in milliseconds.
    pub end: u64,
}

/// A segment as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its place since the source began.
    pub place: u64,
    /// Its body.
    pub body: String,
    /// Whether it is ever there.
    pub missing: bool,
    /// Whether it begins a numbering, and so ends what could be seen of the one before.
    pub begins: bool,
    at: u64,
    epoch: u64,
    number: u64,
    discontinuity: bool,
}

pub struct Source {
    /// All that each variant will ever publish.
    variants: Vec<Vec<Segment>>,
    plan: SourcePlan,
    dice: Dice,
    began: tokio::time::Instant,
    polls: AtomicU64,
}

impl Source {
    pub fn new(plan: SourcePlan, dice: Dice) -> Self {
        let variants = (0..plan.variants).map(|variant| segments(&plan, variant)).collect();
        let began = tokio::time::Instant::now();
        Self { variants, plan, dice, began, polls: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// The segments of one variant that are published at `at`.
    fn variant(&self, variant: usize, at: u64) -> &[Segment] {
        let segments = &self.variants[variant];
        &segments[..segments.partition_point(|segment| segment.at <= at)]
    }

    /// All that was published until `at`.
    pub fn published(&self, at: u64) -> Published {
        let name = |variant: usize| format!("video-{}", 1_000_000 * (variant + 1));
        (0..self.plan.variants).map(|v| (name(v), self.variant(v, at).to_vec())).collect()
    }

    fn playlist(&self, variant: usize, at: u64) -> String {
        let segments = self.variant(variant, at);
        let epoch = segments.last().map_or(0, |segment| segment.epoch);
        let current: Vec<&Segment> = segments.iter().filter(|s| s.epoch == epoch).collect();
        let from = current.len().saturating_sub(self.plan.window);
        let tags = |segments: &[&Segment]| segments.iter().filter(|s| s.discontinuity).count();
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            current.get(from).map_or(0, |s| s.number),
            tags(&current[..from]),
        );
        for segment in &current[from..] {
            if segment.discontinuity {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            let Segment { epoch, number, .. } = segment;
            writeln!(text, "#EXTINF:2.000,\nv{variant}/{epoch}_{number}.ts").unwrap();
        }
        if at > self.plan.end + SEGMENT {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
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

/// All segments of one variant.
fn segments(plan: &SourcePlan, variant: usize) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    // The source has been on air for a while when the world begins.
    let before = plan.window as u64;
    let (mut epoch, mut number) = (0, plan.first);
    for place in 0.. {
        let made = (place + 1) * SEGMENT;
        let made = made.saturating_sub(before * SEGMENT);
        let stall = plan.stalls.iter().find(|s| (s.from..s.to).contains(&made));
        let shown = stall.map_or(made, |stall| stall.to);
        if made > plan.end {
            break;
        }
        let resets = plan.resets.iter().filter(|&&reset| reset <= made).count() as u64;
        let begins = resets > epoch;
        if begins {
            epoch = resets;
            number = 0;
        }
        segments.push(Segment {
            place,
            body: format!("v{variant}/{epoch}/{number}"),
            missing: plan.missing.contains(&place),
            begins,
            at: shown,
            epoch,
            number,
            discontinuity: plan.discontinuities > 0 && place % plan.discontinuities == 3,
        });
        number += 1;
    }
    segments
}

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
        if url.as_str() == MASTER {
            let mut text = String::from("#EXTM3U\n");
            for variant in 0..source.plan.variants {
                let bandwidth = 1_000_000 * (variant + 1);
                writeln!(text, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}\nv{variant}.m3u8").unwrap();
            }
            return Ok(changed(text, url));
        }
        let variant = url.path().trim_start_matches("/live/v").trim_end_matches(".m3u8");
        if source.dice.percent(source.plan.stale) {
            now = now.saturating_sub(SEGMENT);
        }
        let text = source.playlist(variant.parse().unwrap(), now);
        let fetched = changed(text, url);
        match (&fetched, known) {
            (Fetched::Changed { validators, .. }, Some(known)) if validators == known => {
                Ok(Fetched::Unchanged)
            }
            _ => Ok(fetched),
        }
    }

    async fn segment(&self, url: &Url, _: Option<Slice>) -> Result<Bytes, OriginError> {
        let _call = Call::begin("reading a segment");
        let source = &self.0;
        if source.dice.percent(source.plan.slow) {
            wait(source.dice.between(500, 4_000)).await;
        }
        let now = source.latency().await?;
        if source.dice.percent(source.plan.failures) {
            return Err(OriginError::Unavailable { reason: "origin answered 503".into() });
        }
        let path = url.path().trim_start_matches("/live/").trim_end_matches(".ts");
        let body = path.replace('_', "/");
        let variant = body[1..].split('/').next().unwrap().parse().unwrap();
        let segments = source.variant(variant, now);
        // It stays for three windows after it left the playlist.
        let kept = segments.len().saturating_sub(source.plan.window * 4);
        match segments[kept..].iter().find(|s| s.body == body && !s.missing) {
            Some(segment) => Ok(Bytes::from(segment.body.clone())),
            None => Err(OriginError::Gone {
                reason: format!("origin answered 404 for {path}"),
                for_good: false,
            }),
        }
    }
}

fn changed(text: String, url: &Url) -> Fetched {
    let validators = Validators { etag: Some(text.clone()), last_modified: None };
    Fetched::Changed { text: Bytes::from(text), url: url.clone(), validators }
}
