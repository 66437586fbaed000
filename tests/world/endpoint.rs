//! An endpoint that stores what it is given, and a judge who knows nothing of our code: only what
//! was stored, when, and what the source published.

use super::calls::Call;
use super::{Dice, Published, Scenario, Trouble, wait};
use bytes::Bytes;
use relay::ports::{ContentType, Ingest, IngestError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub struct Endpoint {
    index: usize,
    down: Vec<Trouble>,
    lost_answers: u64,
    hanging: u64,
    dice: Dice,
    began: tokio::time::Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    /// Every body that a playlist ever named, by segment name.
    bodies: BTreeMap<String, Bytes>,
    renditions: BTreeMap<String, Listed>,
    ended: BTreeMap<String, bool>,
    violations: Vec<String>,
}

/// What the playlists of one rendition listed over time.
#[derive(Default)]
struct Listed {
    first: u64,
    last: u64,
    /// By number: the body, and how many discontinuities come before or at it.
    segments: BTreeMap<u64, (String, u64)>,
}

/// What the judge found.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Promises that were broken.
    pub violations: Vec<String>,
    /// Segments that were published after the first listed one and never listed.
    pub missing: Vec<String>,
    pub listed: usize,
    /// Whether every rendition's playlist says that nothing will follow.
    pub ended: bool,
}

impl Endpoint {
    pub fn new(index: usize, scenario: &Scenario, dice: Dice) -> Self {
        Self {
            index,
            down: scenario.down[index].clone(),
            lost_answers: scenario.lost_answers,
            hanging: scenario.hanging,
            dice,
            began: tokio::time::Instant::now(),
            state: Mutex::default(),
        }
    }

    fn is_down(&self) -> bool {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        Trouble::any(&self.down, now)
    }

    /// Judges what was listed against what was published.
    pub fn judge(&self, published: &Published) -> Judgement {
        let state = self.state.lock().unwrap();
        let mut judgement = Judgement {
            violations: state.violations.clone(),
            ended: published.keys().all(|name| state.ended.get(name) == Some(&true)),
            ..Judgement::default()
        };
        for (name, listed) in &state.renditions {
            let Some(order) = published.get(name) else {
                judgement.violations.push(format!("{name} is no rendition of the source"));
                continue;
            };
            let place = |body: &str| order.iter().position(|segment| segment.body == body);
            let mut before: Option<(u64, usize, u64)> = None;
            for (&number, (body, discontinuities)) in &listed.segments {
                let Some(place) = place(body) else {
                    judgement.violations.push(format!("{name} lists {body}, never published"));
                    continue;
                };
                if let Some((last, at, passed)) = before {
                    let follows = place == at + 1 && number == last + 1 && !order[place].begins;
                    if place <= at {
                        judgement
                            .violations
                            .push(format!("{name}: {body} comes twice or too late"));
                    } else if !follows && *discontinuities == passed {
                        judgement.violations.push(format!("{name}: silent jump before {body}"));
                    }
                    let between =
                        order.get(at + 1..place).unwrap_or_default().iter().filter(|s| !s.missing);
                    judgement.missing.extend(between.map(|s| s.body.clone()));
                }
                before = Some((number, place, *discontinuities));
                judgement.listed += 1;
            }
            if let Some((_, at, _)) = before {
                let after = order[at + 1..].iter().filter(|s| !s.missing);
                judgement.missing.extend(after.map(|s| s.body.clone()));
            }
        }
        judgement
    }

    fn store(&self, name: &str, body: Bytes) {
        let mut state = self.state.lock().unwrap();
        if name.ends_with(".m3u8") {
            let text = String::from_utf8(body.to_vec()).unwrap();
            if name == "channel.m3u8" {
                state.saw_multivariant(&text);
            } else {
                let rendition = name.trim_start_matches("channel_").trim_end_matches(".m3u8");
                state.saw_media(rendition, &text);
            }
        } else if let Some(used) = state.bodies.get(name).filter(|used| **used != body) {
            let complaint = format!("{name} was {used:?} and becomes {body:?}");
            state.violations.push(complaint);
        }
        state.objects.insert(name.to_owned(), body);
    }
}

impl State {
    fn saw_multivariant(&mut self, text: &str) {
        for uri in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if !self.objects.contains_key(uri) {
                self.violations.push(format!("multivariant playlist names {uri}, not there"));
            }
        }
    }

    /// Reads a media playlist as a player would.
    fn saw_media(&mut self, rendition: &str, text: &str) {
        let value = |tag: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(tag));
            line.map_or(0, |value| value.parse::<u64>().unwrap())
        };
        let first = value("#EXT-X-MEDIA-SEQUENCE:");
        let mut discontinuities = value("#EXT-X-DISCONTINUITY-SEQUENCE:");
        let mut number = first;
        let mut complaints = Vec::new();
        let mut listed = self.renditions.remove(rendition).unwrap_or_default();
        for line in text.lines() {
            if line == "#EXT-X-DISCONTINUITY" {
                discontinuities += 1;
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match self.objects.get(line) {
                None => complaints.push(format!("{rendition} names {line}, not there")),
                Some(body) => {
                    let body = self.bodies.entry(line.to_owned()).or_insert_with(|| body.clone());
                    let is = (String::from_utf8(body.to_vec()).unwrap(), discontinuities);
                    let was = listed.segments.entry(number).or_insert_with(|| is.clone());
                    if *was != is {
                        complaints.push(format!("{rendition} {number} was {was:?} and is {is:?}"));
                    }
                }
            }
            number += 1;
        }
        let last = number - 1;
        if first < listed.first || last < listed.last {
            let (from, to) = (listed.first, listed.last);
            complaints.push(format!("{rendition} went back from {from}..{to} to {first}..{last}"));
        }
        if self.ended.get(rendition) == Some(&true) && last > listed.last {
            complaints.push(format!("{rendition} goes on after its end"));
        }
        (listed.first, listed.last) = (first, last);
        self.renditions.insert(rendition.to_owned(), listed);
        self.ended.insert(rendition.to_owned(), text.contains("#EXT-X-ENDLIST"));
        self.violations.extend(complaints);
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
        let unavailable = |what: &str| {
            Err(IngestError::Unavailable { reason: format!("{what} {}", endpoint.index) })
        };
        wait(endpoint.dice.between(1, 60)).await;
        if endpoint.dice.percent(endpoint.hanging) {
            wait(endpoint.dice.between(1_000, 6_000)).await;
        }
        if endpoint.is_down() {
            return unavailable("no answer from");
        }
        endpoint.store(name, body);
        if endpoint.dice.percent(endpoint.lost_answers) {
            return unavailable("lost the answer of");
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), IngestError> {
        let _call = Call::begin("deleting a segment");
        wait(self.0.dice.between(1, 20)).await;
        if self.0.is_down() {
            return Err(IngestError::Unavailable { reason: "no answer".into() });
        }
        self.0.state.lock().unwrap().objects.remove(name);
        Ok(())
    }
}
