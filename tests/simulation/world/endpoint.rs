//! An endpoint that stores what it is given, and a judge who knows nothing of our code: only what
//! was stored, when, and what the source published.

use super::calls::Call;
use super::observer::{Heard, Listed, Observer, Played};
use super::source::Segment;
use super::{Dice, Published, Stream, Trouble, wait};
use bytes::Bytes;
use relay::ports::{ContentType, Ingest, IngestError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub struct Endpoint {
    index: usize,
    plan: EndpointPlan,
    dice: Dice,
    began: tokio::time::Instant,
    state: Mutex<Observer>,
    /// Taken by each request, where a nonce is good for one.
    turn: tokio::sync::Mutex<()>,
}

/// What goes wrong at an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointPlan {
    /// When it is down.
    pub down: Vec<Trouble>,
    /// When it accepts no credentials.
    pub denies: Vec<Trouble>,
    /// Of a hundred requests, how many store the body and lose the answer.
    pub lost_answers: u64,
    /// Of a hundred requests, how many hang for seconds.
    pub hanging: u64,
    /// Of a hundred requests, how many are never answered, and fail when their time is up.
    pub silent: u64,
    /// Of a hundred segments, maps and keys, how many are stored in part, and fail.
    pub truncated: u64,
    /// When these go wrong; absent: always.
    pub spell: Option<Trouble>,
    /// Whether each request needs a nonce of its own, which it has to ask for: one after the other.
    pub nonces: bool,
}

/// What the judge found.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// Segments that were published after the first listed one and never listed, and when, in milliseconds.
    pub missing: Vec<(String, u64)>,
    pub listed: usize,
    /// When each segment that was listed was published, and was listed first, in milliseconds.
    pub lags: Vec<(u64, u64)>,
    /// Whether every rendition's playlist says that nothing will follow.
    pub ended: bool,
}

impl Endpoint {
    pub fn new(index: usize, plan: EndpointPlan, dice: Dice) -> Self {
        let began = tokio::time::Instant::now();
        let (state, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { index, plan, dice, began, state, turn }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    fn fails(&self, chance: u64) -> bool {
        let now = self.now();
        self.plan.spell.is_none_or(|spell| Trouble::any(&[spell], now)) && self.dice.percent(chance)
    }

    /// Judges what was listed against what was published.
    pub fn judge(&self, published: &Published) -> Judgement {
        let state = self.state.lock().unwrap();
        let over = |name: &String, stream: &Stream| {
            let waived = !stream.stays || stream.appears && !state.renditions.contains_key(name);
            waived || state.ended.get(name) == Some(&true)
        };
        let mut judgement = Judgement {
            violations: state.violations.clone(),
            ended: published.iter().all(|(name, stream)| over(name, stream)),
            ..Judgement::default()
        };
        for (name, listed) in &state.renditions {
            match published.get(name) {
                Some(stream) => judgement.compare(name, listed, &stream.segments),
                None => judgement.violations.push(format!("{name} is no rendition of the source")),
            }
        }
        judgement
    }

    fn store(&self, name: &str, body: Bytes) {
        self.state.lock().unwrap().saw(name, body, self.now());
    }
}

impl Judgement {
    /// Compares what was listed of one rendition with what the source published of it.
    fn compare(&mut self, name: &str, listed: &Listed, order: &[Segment]) {
        let places: BTreeMap<&str, usize> =
            order.iter().enumerate().map(|(place, s)| (s.body.as_str(), place)).collect();
        let mut before: Option<(u64, usize, u64)> = None;
        for (&number, heard) in &listed.segments {
            let Heard { played: Played { body, discontinuities }, .. } = heard;
            let Some(&place) = places.get(body.as_str()) else {
                self.violations.push(format!("{name} lists {body}, never published"));
                continue;
            };
            let from = before.map_or(0, |(_, at, _)| at + 1);
            if let Some((last, at, passed)) = before {
                let follows = place == at + 1 && number == last + 1 && !order[place].begins;
                if place <= at {
                    self.violations.push(format!("{name}: {body} comes twice or too late"));
                } else if !follows && *discontinuities == passed {
                    self.violations.push(format!("{name}: silent jump before {body}"));
                }
                self.misses(order.get(from..place).unwrap_or_default());
            }
            self.compare_lines(name, heard, &order[..=place], from);
            self.lags.push((order[place].at, heard.at));
            before = Some((number, place, *discontinuities));
            self.listed += 1;
        }
        if let Some((_, at, _)) = before {
            self.misses(&order[at + 1..]);
        }
    }

    /// Of these was nothing listed.
    fn misses(&mut self, segments: &[Segment]) {
        let had = segments.iter().filter(|s| !s.missing);
        self.missing.extend(had.map(|s| (s.body.clone(), s.at)));
    }

    /// A segment has its lines as the source wrote them. Before them may be what marks a place where segments were
    /// left out from the place `from` on, date ranges of any segment before, and the date of the first.
    fn compare_lines(&mut self, name: &str, heard: &Heard, order: &[Segment], from: usize) {
        let Some((is, earlier)) = order.split_last() else { return };
        let moved = |line: &String| {
            let of_earlier = || earlier.iter().any(|s| s.lines.contains(line));
            line.starts_with("#EXT-X-DATERANGE:") && !is.lines.contains(line) && of_earlier()
        };
        let lines: Vec<String> = heard.lines.iter().filter(|line| !moved(line)).cloned().collect();
        let Some(before) = lines.strip_suffix(&is.lines[..]) else {
            let (body, own) = (&is.body, &is.lines);
            return self.violations.push(format!("{name}: {body} has {lines:?}, and had {own:?}"));
        };
        let left_out = earlier.get(from..).unwrap_or_default();
        let known = |line: &String| left_out.iter().any(|s| s.lines.contains(line));
        let date = |line: &str| heard.dated && line.starts_with("#EXT-X-PROGRAM-DATE-TIME:");
        if let Some(line) = before.iter().find(|line| !known(line) && !date(line)) {
            self.violations.push(format!("{name}: {} has {line}, which is not its own", is.body));
        }
    }
}

/// The endpoint as the core sees it.
pub struct Client(pub Arc<Endpoint>);

impl Ingest for Client {
    async fn put(&self, name: &str, _: ContentType, body: Bytes) -> Result<(), IngestError> {
        let is_playlist = name.ends_with(".m3u8");
        let _call =
            Call::begin(if is_playlist { "storing a playlist" } else { "storing a segment" });
        let endpoint = &self.0;
        let EndpointPlan { lost_answers, hanging, silent, truncated, nonces, .. } = endpoint.plan;
        let _turn = if nonces { Some(endpoint.turn.lock().await) } else { None };
        endpoint.answer(60 + 60 * u64::from(nonces)).await?;
        // No dice are thrown for what never happens: seeds stay what they were.
        if silent > 0 && endpoint.fails(silent) {
            wait(if is_playlist { 10_000 } else { 30_000 }).await;
            return endpoint.unavailable("no answer in time from");
        }
        if endpoint.fails(hanging) {
            wait(endpoint.dice.between(1_000, 6_000)).await;
            endpoint.answer(1).await?;
        }
        if !is_playlist && endpoint.fails(truncated) {
            endpoint.store(name, body.slice(..body.len() / 2));
            return endpoint.unavailable("only half was stored at");
        }
        endpoint.store(name, body);
        if endpoint.fails(lost_answers) {
            return endpoint.unavailable("lost the answer of");
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), IngestError> {
        let _call = Call::begin("deleting a segment");
        self.0.answer(20).await?;
        self.0.state.lock().unwrap().saw_deleted(name, self.0.now());
        Ok(())
    }
}

impl Endpoint {
    /// Takes a moment, and fails when it is not well.
    async fn answer(&self, longest: u64) -> Result<(), IngestError> {
        wait(self.dice.between(1, longest)).await;
        let now = self.now();
        if Trouble::any(&self.plan.down, now) {
            return self.unavailable("no answer from");
        }
        if Trouble::any(&self.plan.denies, now) {
            return Err(IngestError::Denied { reason: "endpoint answered 401".into() });
        }
        Ok(())
    }

    fn unavailable<T>(&self, what: &str) -> Result<T, IngestError> {
        Err(IngestError::Unavailable { reason: format!("{what} {}", self.index) })
    }
}
